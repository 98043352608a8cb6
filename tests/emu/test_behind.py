# SPDX-License-Identifier: Apache-2.0
"""The PL330 takes time, and a CPU that touches memory meanwhile sees and changes it in time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, build_image
from dmav3.machine import load

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("behind.c")
BURSTS, CHANNEL = 16, 7


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start the program once; each test resets it."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("behind") / "behind.elf")
    with Board("virt-a53", image=image, judge=False) as board:
        yield board


def test_a_store_changes_what_is_moved_later(board: Board) -> None:
    """What has been moved by then was old; the later the CPU stores, the more of it."""
    moved = []
    for turns in (200, 400, 600, 800):
        board.reset()
        board.channel(CHANNEL).burst_interval_ns = 500
        reply = board.call("late_stores", turns)
        assert reply["old"] + reply["new"] == BURSTS
        moved.append(reply["old"])
    assert 0 < moved[0] < moved[1] < moved[2] < moved[3] < BURSTS


@pytest.mark.parametrize("command", ["watch", "poll"])
def test_progress_is_seen(board: Board, command: str) -> None:
    """Each burst, in memory as well as in a register."""
    board.reset()
    board.channel(CHANNEL).burst_interval_ns = 500
    assert board.call(command)["steps"] >= BURSTS - 1


def test_equal_runs_give_equal_logs(board: Board) -> None:
    """To the nanosecond, though the engine is brought to now by accesses of the CPU."""
    logs = []
    for _ in range(3):
        board.reset()
        board.channel(CHANNEL).burst_interval_ns = 500
        board.call("late_stores", 100)
        board.call("watch")
        logs.append(board.evidence.events.all())
    assert logs[0] == logs[1] == logs[2]


def test_a_device_that_is_started_too_early_sends_what_is_not_there_yet(board: Board) -> None:
    """A finding each time; the second time the bytes are right by luck: they are the first ones."""
    board.reset()
    for sent in (b"\0" * 5, b"hello"):
        board.call("start_first", 5)
        board.wait(1_000_000)
        assert board.stream.sent_take() == sent
        assert [finding.kind for finding in board.findings()] == ["not-your-buffer"]


@pytest.mark.parametrize(
    ("quantum", "least", "most"), [(1_000, BURSTS // 4, BURSTS), (10**6, 1, 2)]
)
def test_a_cpu_without_hooks_sees_progress_at_each_quantum(
    tmp_path_factory: pytest.TempPathFactory, quantum: int, least: int, most: int
) -> None:
    """On a machine with one view, where it looks at memory only."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("behind") / "behind.elf")
    machine = load("virt-a53-coherent")
    pl330 = (machine.pl330[0].model_copy(update={"quantum_ns": quantum}),)
    with Board(machine.model_copy(update={"pl330": pl330}), image=image, judge=False) as board:
        board.channel(CHANNEL).burst_interval_ns = 500
        assert least <= board.call("watch")["steps"] <= most
