# SPDX-License-Identifier: Apache-2.0
"""What runs a board is killed, ended or interrupted at a random moment of its life.

Its exit status says so, nobody sees a traceback of ours, and no process or file is left. The soak's
table of counts is in the properties of each test in JUnit's report.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from ways import COMMAND, LINES, WAYS, Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
#: How often at once, and how many tries for one that meets a living process.
AT_ONCE, MOST = 4, 5
SURVIVED = "had ended"
#: What else than by the signal itself a command may end by, in the order of WAYS; 0: it had ended.
ENDS = {
    signal.SIGKILL: {way: {0} for way in WAYS},
    signal.SIGTERM: {way: {0} for way in WAYS} | {"console": {0, 128 + signal.SIGTERM}},
    signal.SIGINT: {way: {0, 130} for way in WAYS} | {"pytest": {0, 2}},
}
#: In what pytest says when interrupted at code that has no line, and Python before it has started.
NOT_OURS = (
    "self._rawentry.tb_lineno - 1",
    "Fatal Python error: init_",
    "Could not import runpy module",
)


def kill(place: Place, way: str, number: signal.Signals, seconds: float) -> tuple[str, float]:
    """Send what uses a board that way a signal at a moment of its life; return how it ended, when.

    Ctrl-C on a terminal goes to all the processes of a command.
    """
    began = time.monotonic()
    with subprocess.Popen(
        place.words(way),
        env=place.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as runner:
        timer = threading.Timer(seconds, _send, (runner, number))
        timer.start()
        said, _ = runner.communicate(LINES, COMMAND)
        timer.cancel()
    lived, status = time.monotonic() - began, runner.returncode
    case = f"{way}, {number.name} after {seconds} s, status {status}:\n{said}"
    ends = ENDS[number][way] | {-number} | ({1} if any(it in said for it in NOT_OURS) else set())
    assert status in ends, case
    assert "dmav3/command" not in said, case  # no traceback through a command
    assert place.left() == [], case
    return (number.name if status else SURVIVED), lived


def _send(runner: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if number == signal.SIGINT else os.kill)(runner.pid, number)


def kill_often(folder: Path, way: str, count: int) -> Counter[str]:
    """Do it at random moments of a life, until so many have met a living one."""
    chance = random.Random(way)  # noqa: S311 - to be repeatable
    ends: Counter[str] = Counter()
    life = kill(Place(folder / f"{way}-whole"), way, signal.SIGINT, COMMAND)[1]
    numbers = itertools.count()

    def one(number: signal.Signals, seconds: float) -> tuple[str, float]:
        return kill(Place(folder / f"{way}-{next(numbers)}"), way, number, seconds)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        while ends.total() - ends[SURVIVED] < count and ends.total() < MOST * count:
            signals = [chance.choice(SIGNALS) for _ in range(AT_ONCE)]
            moments = [chance.uniform(0.0, life) for _ in range(AT_ONCE)]
            done = list(pool.map(one, signals, moments))
            ends.update(end for end, _ in done)
            # How long a life is depends on what else this computer does.
            life = max((lived for end, lived in done if end == SURVIVED), default=1.1 * life)
    return ends


@pytest.mark.parametrize("way", WAYS)
def test_what_is_killed_leaves_nothing(tmp_path: Path, way: str) -> None:
    """A sample."""
    assert kill_often(tmp_path, way, 3).total() >= 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_killed_at_any_moment_leaves_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None], way: str
) -> None:
    """At 40 moments of each, 200 in all."""
    ends = kill_often(tmp_path, way, 40)
    for end, count in ends.items():
        record_property(end, count)
    assert ends.total() - ends[SURVIVED] >= 40
