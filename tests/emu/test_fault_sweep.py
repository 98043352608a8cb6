# SPDX-License-Identifier: Apache-2.0
"""QEMU dies, stops or hangs up at its n-th request, for n = 1, 2, 3, … until a run is untouched.

Whoever used it ends in time and says that this computer is to blame; no process is left, and no
file. The soak's table of counts is the property `faults` of each test in JUnit's report.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board
from dmav3.errors import InfrastructureError, LinkError
from dmav3.installation import Layout
from dmav3.qemu.private_folder import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAULTS = ["kill", "stop", "hang-up"]
#: Seconds: for one answer, for one command, and for the end of what a dead one has started.
ANSWER, COMMAND, END = "10", 200.0, 60.0
TESTS = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_moves(dmav3_board, n):
    buffer = dmav3_board.memory.allocate(64)
    for byte in range(8):
        dmav3_board.fill(buffer, byte)
    assert dmav3_board.read(buffer) == bytes([7]) * 64

def test_without_a_board():
    pass
"""


class Place:
    """Where commands run and leave nothing.

    :ivar tmp: their folder for temporary files.
    """

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        """Let every QEMU be one that can break off, and every process carry a mark."""
        self.tmp, self._log = folder / "tmp", folder / "log"
        self.tmp.mkdir()
        self.data = folder / "data"
        self.data.write_bytes(bytes(range(256)) * 4)
        self.tests = folder / "test_moves.py"
        self.tests.write_text(TESTS)
        self._environment = environment
        qemu = folder / "qemu"
        preloaded = Layout.find().built / "tests" / "preloaded_faults.so"
        qemu.write_text(f'#!/bin/sh\nLD_PRELOAD={preloaded} exec qemu-system-aarch64 "$@"\n')
        qemu.chmod(0o755)
        environment.setenv("DMAV3_QEMU", str(qemu))
        environment.setenv("TMPDIR", str(self.tmp))
        environment.delenv("XDG_RUNTIME_DIR", raising=False)
        environment.setenv("DMAV3_FAULT_LOG", str(self._log))
        self.arm("kill", 0)

    def arm(self, fault: str, at: int) -> None:
        """Let QEMU break off at that request; 0: at none."""
        self._log.write_bytes(b"")
        self._environment.setenv("DMAV3_FAULT", fault)
        self._environment.setenv("DMAV3_FAULT_AT", str(at))

    @property
    def faults(self) -> int:
        """How many QEMUs have broken off since."""
        return self._log.stat().st_size

    def processes(self) -> list[str]:
        """Return the command lines of what still runs here."""
        found, mark = [], f"DMAV3_FAULT_LOG={self._log}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
        return found

    def is_left(self) -> list[str]:
        """Return what is left of what has ended, when it had time to end as well.

        Pytest keeps the folders of its last three runs.
        """
        end = time.monotonic() + END
        while (left := self.processes()) and time.monotonic() < end:
            threading.Event().wait(0.02)
        sweep()
        return left + [str(path) for path in self.tmp.iterdir() if "pytest-of-" not in path.name]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a place of one's own; answers are not waited for as long as usual."""
    monkeypatch.setenv("DMAV3_DEADLINE", ANSWER)
    return Place(tmp_path, monkeypatch)


def use_board(_: Place) -> str:
    """Use a board from Python; return the kind of its end."""
    try:
        with Board() as board:
            buffer = board.memory.allocate(64)
            for byte in range(40):
                board.fill(buffer, byte)
            assert board.read(buffer) == bytes([39]) * 64
            board.findings()
    except (InfrastructureError, LinkError) as error:
        return "infrastructure" if error.exit_status == 3 else str(error)
    return "untouched"


def words_of(where: str, place: Place) -> list[str]:
    """Return a command."""
    python, folder = [sys.executable, "-m"], place.tmp.parent
    return {
        "run": [*python, "dmav3", "run", "--input", str(place.data), "--json"],
        "console": [*python, "dmav3", "console"],
        "conformance": [*python, "dmav3", "conformance", "--rule", "AAX-17", "--json"],
        "pytest": [
            *(*python, "pytest", "-q", "-p", "no:cacheprovider", str(place.tests)),
            *(f"--rootdir={folder}", f"--basetemp={folder / 'base'}"),
        ],
    }[where]


LINES = "ping\nhelp\nallocate 64\n" + "ping\n" * 20


def use_command(where: str) -> Callable[[Place], str]:
    """Return what runs a command and returns the kind of its end."""

    def use(place: Place) -> str:
        done = subprocess.run(
            words_of(where, place),
            input=LINES,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND,
        )
        assert "Traceback (most recent call last)" not in done.stderr, done
        if done.returncode == 0:
            return "untouched"
        if where == "pytest":
            assert done.returncode == 1, done
            assert "failed" not in done.stdout.splitlines()[-1], done.stdout
            assert "inconclusive: " in done.stdout, done.stdout
            assert " passed" in done.stdout.splitlines()[-1], done.stdout
            return "infrastructure"
        assert done.returncode == 3, done
        if where == "run":
            assert json.loads(done.stdout)["verdict"] == "inconclusive"
        return "infrastructure"

    return use


USES: dict[str, Callable[[Place], str]] = {
    "Board": use_board,
    **{name: use_command(name) for name in ("run", "console", "conformance", "pytest")},
}


def sweep_faults(place: Place, where: str, fault: str, requests: Iterator[int]) -> int:
    """Let it happen at each of these requests, until a run is untouched; return how often it did.

    Pytest goes on with another board where it happens between two tests.
    """
    count = 0
    for at in requests:
        place.arm(fault, at)
        end = USES[where](place)
        touched = place.faults > 0
        expected = {"infrastructure"} if touched else {"untouched"}
        assert end in expected | ({"untouched"} if where == "pytest" else set()), (where, fault, at)
        assert place.is_left() == [], (where, fault, at)
        if not touched:
            break
        count += 1
    return count


#: How many of the first requests, or which, in `ci/test`: 60 faults in all.
SAMPLE = {
    ("Board", "kill"): range(1, 29),
    ("Board", "hang-up"): range(1, 17),
    ("Board", "stop"): range(1, 5),
    **{("run", fault): [1, 7] for fault in FAULTS[:2]},
    **{("console", fault): [1, 9] for fault in FAULTS[:2]},
    ("run", "stop"): [5],
    ("console", "stop"): [5],
    **{("conformance", fault): [3] for fault in FAULTS},
    **{("pytest", fault): [5] for fault in FAULTS},
}


@pytest.mark.parametrize(("where", "fault"), SAMPLE)
def test_a_fault_is_this_computers(place: Place, where: str, fault: str) -> None:
    """A sample of the sweep."""
    requests = SAMPLE[where, fault]
    assert sweep_faults(place, where, fault, iter(requests)) == len(requests)


def test_the_sample_is_large_enough() -> None:
    """As many as were promised."""
    assert sum(map(len, SAMPLE.values())) == 60


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", USES)
def test_every_fault_is_this_computers(
    place: Place, record_property: Callable[[str, object], None], where: str, fault: str
) -> None:
    """At every request, until a run is untouched: more than 1,000 in all."""
    count = sweep_faults(place, where, fault, itertools.count(1))
    record_property("faults", count)
    assert count >= LEAST[where]


LEAST = {"Board": 42, "run": 200, "console": 23, "conformance": 3, "pytest": 33}


def kill_runner(place: Place, where: str, seconds: float) -> None:
    """Kill what runs a board at some moment; nothing is left when another has been started."""
    with subprocess.Popen(
        words_of(where, place),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as runner:
        assert runner.stdin
        with suppress(BrokenPipeError):
            runner.stdin.write(LINES)
            runner.stdin.flush()
        threading.Event().wait(seconds)
        runner.kill()
    assert runner.returncode in {0, -signal.SIGKILL}
    assert place.is_left() == [], (where, seconds)


@pytest.mark.parametrize("where", ["run", "console", "conformance", "pytest"])
def test_a_runner_that_is_killed_leaves_nothing(place: Place, where: str) -> None:
    """A sample."""
    for seconds in (0.4, 1.2):
        kill_runner(place, where, seconds)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["run", "console", "conformance", "pytest"])
def test_a_runner_that_is_killed_at_any_moment_leaves_nothing(place: Place, where: str) -> None:
    """At 50 moments each, 200 in all."""
    moments = random.Random(where)  # noqa: S311 - to be repeatable
    for _ in range(50):
        kill_runner(place, where, moments.uniform(0.0, 2.5))
