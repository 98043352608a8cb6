# SPDX-License-Identifier: Apache-2.0
"""A loop that polls memory (polls.c), while a device writes there at one moment after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, build_image
from dmav3.machine.schedule import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOURCE = Path(__file__).with_name("polls.c")
BYTES, POLLS = 192, 20000
PACES = range(1, 1001)  # ns that each of six bursts takes: a turn of the loop takes some 10
CHANNEL = 7


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start the program once; each use resets it."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("polls") / "polls.elf")
    with Board(image=image, trace=False, judge=False) as board:
        yield board


def silent(board: Board, schedule: str, paces: Iterable[int]) -> None:
    """Check that the loop with an invalidate gets all bytes, and is no finding."""
    board.reset(schedule=schedule)
    for number, pace in enumerate(paces):
        value = number % 255 + 1
        board.channel(CHANNEL).burst_interval_ns = pace
        reply = board.call("poll", 1, value)
        assert (pace, reply["sum"], board.findings()) == (pace, BYTES * value, [])


def found(board: Board, schedule: str, paces: Iterable[int]) -> None:
    """Check that without the invalidate it is a finding."""
    for pace in paces:
        board.reset(schedule=schedule)
        board.channel(CHANNEL).burst_interval_ns = pace
        board.call("poll", 0, 1)
        assert (pace, [finding.kind for finding in board.findings()]) == (pace, ["stale-cpu-read"])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_polling_with_an_invalidate_is_right(board: Board, schedule: str) -> None:
    """Whenever the device writes: before, behind or between invalidate, barrier and load."""
    silent(board, schedule, PACES[::17])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_polling_without_an_invalidate_is_found(board: Board, schedule: str) -> None:
    """Of a line that is in the cache the CPU may never see what the device has written."""
    found(board, schedule, PACES[::17])


@pytest.mark.soak
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_polling_is_judged_at_every_moment(board: Board, schedule: str) -> None:
    """As above, at each of 1,000 paces."""
    silent(board, schedule, PACES)
    found(board, schedule, PACES)
