# SPDX-License-Identifier: Apache-2.0
"""A board judges itself: at its end, at a reset, and when it is asked."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from microcode import Controller, copy

from dmav3 import Board, FaultError, FindingsError, HostShim, UsageError, build_image
from dmav3.errors import QemuDiedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dmav3.board.shim import Shim


def find(board: Board) -> None:
    """Let the CPU read what a device wrote, without an invalidate."""
    buffer = board.memory.allocate(64, name="mine")
    Controller(board).start(copy(board.memory.staging.start, buffer.address, 64))
    board.read(buffer)


def violate(board: Shim) -> None:
    """Flush what is no MDL."""
    board.request("KeFlushIoBuffers", 0, 1, 1)


def leave(board: Shim) -> None:
    """Make an adapter, and two MDLs."""
    board.IoGetDmaAdapter(Master=1)
    for _ in range(2):
        board.dma.IoAllocateMdl(board.memory.allocate(64).address, 64)


CASES = [
    pytest.param(find, "unexpected: stale-cpu-read in memcpy (firmware/hal/string.c", id="find"),
    pytest.param(violate, "unexpected: violation 0x0e in KeFlushIoBuffers, called", id="violate"),
    pytest.param(leave, "unexpected: violation 0x54: an adapter is left, made by ", id="leave"),
]


@pytest.mark.parametrize(("do", "said"), CASES)
def test_leaving_a_board_judges(do: Callable[[Board], object], said: str) -> None:
    """QEMU has ended by then."""
    with pytest.raises(FindingsError) as caught, Board() as board:
        do(board)
    assert str(caught.value).startswith(said)
    assert not board.qemu.running


@pytest.mark.parametrize(("do", "said"), CASES)
def test_a_reset_judges_what_was_before(do: Callable[[Board], object], said: str) -> None:
    """The machine is as good as new all the same, and nothing of it is told again."""
    with Board() as board:
        do(board)
        with pytest.raises(FindingsError) as caught:
            board.reset()
        assert str(caught.value).startswith(said)
        board.request("ping")


@pytest.mark.parametrize(("do", "said"), CASES)
def test_a_check_judges_at_once(do: Callable[[Board], object], said: str) -> None:
    """Nothing is consumed by it."""
    with Board(judge=False) as board:
        board.check()
        do(board)
        for _ in range(2):
            with pytest.raises(FindingsError) as caught:
                board.check()
            assert str(caught.value).startswith(said)
        board.reset()
        board.check()


def test_a_verdict_says_how_many_more_there_are() -> None:
    """In its first line; and behind the last one, why calls were refused."""
    with Board() as board:
        assert board.IoGetDmaAdapter(Version=1) is None
        leave(board)
        with pytest.raises(FindingsError) as caught:
            board.check()
        board.expect_left(anything=True)
    first, *_, last = str(caught.value).splitlines()
    assert first.startswith("unexpected: violation 0x54: an adapter is left")
    assert first.endswith(", and 2 more")
    assert last.startswith("refused: IoGetDmaAdapter(")
    assert last.endswith("Version 1 of DEVICE_DESCRIPTION: only 3 is served")


def test_a_shim_on_this_computer_judges_alike() -> None:
    """It has violations, and objects that live."""
    for do in (violate, leave):
        with pytest.raises(FindingsError), HostShim() as shim:
            do(shim)
    with HostShim(judge=False) as shim:
        violate(shim)


def test_what_is_on_its_way_gets_the_findings_as_notes() -> None:
    """Each once; what lives in the middle of a test is no mistake."""

    def do(board: Board) -> None:
        violate(board)
        leave(board)
        _ = 1 / 0

    with pytest.raises(ZeroDivisionError) as caught, Board() as board:
        do(board)
    (note,) = [one for one in caught.value.__notes__ if one.startswith("unexpected: ")]
    assert note.startswith("unexpected: violation 0x0e in KeFlushIoBuffers, called in violate (")


def test_a_crash_gets_them_as_well() -> None:
    """The firmware answers no more, and its evidence is still there."""

    def do(board: Board) -> None:
        violate(board)
        board.request("peek", 0x0C000000, "32")

    with pytest.raises(FaultError) as caught, Board() as board:
        do(board)
    (note,) = [one for one in caught.value.__notes__ if one.startswith("unexpected: ")]
    assert "KeFlushIoBuffers" in note


@pytest.mark.parametrize("when", ["before it is judged", "while it is judged"])
def test_a_board_that_died_unnoticed_is_told(when: str) -> None:
    """Nobody knows what it would have shown, so there is no judgement."""

    def do(board: Board) -> None:
        violate(board)
        os.kill(board.qemu.pid, signal.SIGKILL)
        if when.startswith("before"):
            board.qemu.process.exit_status()  # it has ended then

    with pytest.raises(QemuDiedError, match="killed by signal 9"), Board() as board:
        do(board)


def test_a_board_whose_death_was_noticed_is_not_judged() -> None:
    """Whoever asked it for something knows."""
    with Board() as board:
        violate(board)
        os.kill(board.qemu.pid, signal.SIGKILL)
        with pytest.raises(QemuDiedError):
            board.request("ping")


def test_what_is_expected_to_be_left_is_no_mistake() -> None:
    """Exactly that, each time the board is judged."""
    with Board() as board:
        board.expect_left(adapter=1, mdl=2)
        leave(board)
        board.check()
        board.reset()
        leave(board)


def test_less_than_what_is_expected_to_be_left_is_an_error() -> None:
    """An expectation that nothing meets says nothing of the driver."""
    with Board(judge=False) as board:
        board.expect_left(adapter=2, mdl=2)
        leave(board)
        with pytest.raises(FindingsError, match="2 of adapter expected to be left, there were 1"):
            board.check()


def test_more_than_what_is_expected_to_be_left_is_an_error() -> None:
    """Of the kind that there is more of, all are told."""
    with Board(judge=False) as board:
        board.expect_left(adapter=1, mdl=1)
        leave(board)
        with pytest.raises(FindingsError) as caught:
            board.check()
    assert len(caught.value.findings) == 2


def test_anything_may_be_left_if_that_is_said() -> None:
    """For tests that are about something else; and a check may leave it out."""
    with Board() as board:
        leave(board)
        board.check(left=False)
        board.expect_left(anything=True)


@pytest.mark.parametrize(
    ("counts", "said"),
    [({"adapters": 1}, "known are: adapter, channel, "), ({"mdl": -1}, "mdl=-1: .* mdl=1")],
)
def test_an_expectation_that_cannot_be_is_refused(
    board: Board, counts: dict[str, Any], said: str
) -> None:
    """The message names what would be accepted."""
    with pytest.raises(UsageError, match=said):
        board.expect_left(**counts)


DRIVER = """
#include <dmav3.h>

static NTSTATUS Raise(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    KIRQL level;

    (void)argument, (void)reply;
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(raise, "", Raise);
"""


def test_a_command_that_returns_at_another_irql_is_told_at_once(tmp_path: Path) -> None:
    """The violation names it, and the level is what it was."""
    (source := tmp_path / "raise.c").write_text(DRIVER)
    with Board(image=build_image(source, output=tmp_path / "raise.elf")) as board:
        with board.expect("violation", code=0x42, routine="DriverCommand"):
            board.call("raise")
        assert "Raise (" in board.violations()[0].place
        assert board.request("KeGetCurrentIrql").number("irql") == 0
