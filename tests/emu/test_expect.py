# SPDX-License-Identifier: Apache-2.0
"""`Board.expect` consumes exactly the findings and violations that its block causes, or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from microcode import Controller, copy

from dmav3 import FindingsError, UsageError

if TYPE_CHECKING:
    from dmav3 import Board


def stale(board: Board, name: str = "mine") -> None:
    """Let the CPU read what a device wrote, without an invalidate."""
    buffer = board.memory.allocate(64, name=name)
    Controller(board).start(copy(board.memory.staging.start, buffer.address, 64))
    board.read(buffer)


def stale_twice(board: Board) -> None:
    """Do that, and the same in another function of the firmware."""
    stale(board)
    buffer = board.memory.allocate(64, name="peeked")
    Controller(board).start(copy(board.memory.staging.start, buffer.address, 64))
    board.request("peek", buffer.address, "64")


def test_what_was_expected_is_consumed(board: Board) -> None:
    """It stays among the findings, and is unexpected no more."""
    with board.expect("stale-cpu-read"):
        stale(board)
    assert len(board.findings()) == 1
    assert board.unexpected() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"count": 2}, "2 of stale-cpu-read expected, there were 1; .*\nstale-cpu-read at"),
        ({"kind": "stale-device-read"}, "there were 0; all of the block:\n"),
        ({"routine": "MapTransferEx"}, "owed by MapTransferEx expected, there were 0"),
    ],
    ids=["too few", "another kind", "another routine"],
)
def test_what_is_not_as_expected_is_an_error(
    board: Board, arguments: dict[str, Any], said: str
) -> None:
    """The message lists what there was instead; nothing is consumed."""
    arguments = {"kind": "stale-cpu-read"} | arguments
    with board.expect("stale-cpu-read"):
        with pytest.raises(FindingsError, match=said), board.expect(**arguments):
            stale(board)
        assert len(board.unexpected()) == 1


def test_none_at_all_is_an_error(board: Board) -> None:
    """What was expected and did not happen is a failure."""
    said = "1 of stale-cpu-read expected, there were 0$"
    with pytest.raises(FindingsError, match=said), board.expect("stale-cpu-read"):
        pass


def test_one_more_is_an_error(board: Board) -> None:
    """Two root causes are two findings: the CPU reads in two functions."""
    with board.expect("stale-cpu-read", count=2):
        with pytest.raises(FindingsError, match="there were 2"), board.expect("stale-cpu-read"):
            stale_twice(board)
        assert len(board.unexpected()) == 2


def test_the_same_again_after_the_block_is_unexpected(board: Board) -> None:
    """One more case of a root cause that was consumed is open again."""
    with board.expect("stale-cpu-read"):
        stale(board)
    with board.expect("stale-cpu-read"):
        stale(board, "again")
        assert len(board.unexpected()) == 1


def test_an_exception_in_the_block_is_the_message(board: Board) -> None:
    """What went wrong first is reported."""
    with pytest.raises(ZeroDivisionError), board.expect("stale-cpu-read"):
        _ = 1 / 0


def misuse(board: Board) -> None:
    """Free a channel that nobody owns, at the wrong level."""
    board.request("FreeAdapterChannel", 0)


def test_a_violation_is_consumed_by_its_code(board: Board) -> None:
    """Each of the two is an expectation of its own; what they are is still told."""
    with board.expect("violation", code=0x13), board.expect("violation", code=0x19):
        misuse(board)
    assert [(one.code, one.routine, one.p2) for one in board.violations()] == [
        (0x13, "FreeAdapterChannel", 1),
        (0x19, "FreeAdapterChannel", 0),
    ]
    assert board.unexpected() == []
    with board.evidence.expect_violations(0x13, 0x19):
        misuse(board)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"code": 0x40}, "1 of violation 0x40 expected, there were 0; all of the block:\nviol"),
        ({"code": 0x19, "count": 2}, "2 of violation 0x19 expected, there were 1; "),
        ({"code": 0x19, "routine": "MapTransfer"}, "0x19 in MapTransfer expected, there were 0"),
    ],
    ids=["another code", "too few", "another routine"],
)
def test_a_violation_that_is_not_as_expected_is_an_error(
    board: Board, arguments: dict[str, Any], said: str
) -> None:
    """Nothing is consumed, so an outer block still can."""
    with board.evidence.expect_violations(0x13, 0x19):
        with pytest.raises(FindingsError, match=said), board.expect("violation", **arguments):
            misuse(board)
        assert board.unexpected() == board.violations()


def test_a_reset_forgets_violations(board: Board) -> None:
    """They belong to the run before; those of the next are unexpected again."""
    with board.evidence.expect_violations(0x13, 0x19):
        misuse(board)
    board.reset()
    assert board.violations() == []
    misuse(board)
    assert len(board.unexpected()) == 2
    with pytest.raises(FindingsError, match="violation 0x13"):
        board.reset()
    assert board.violations() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "violation"}, "code=None: a violation has one, .* such as code=0x40"),
        ({"code": 0x40}, "code=64: a violation has one, a finding none"),
        ({"kind": "stale"}, "unknown kind of finding 'stale'; known are: stale-cpu-read, "),
        ({"routine": "Map"}, "unknown routine 'Map'; known are: .*MapTransferEx"),
        ({"count": 0}, "count=0: .* such as count=1"),
    ],
    ids=["no code", "code of a finding", "kind", "routine", "count"],
)
def test_an_expectation_that_cannot_be_is_refused(
    board: Board, arguments: dict[str, Any], said: str
) -> None:
    """The message names the value and those that work."""
    arguments = {"kind": "stale-cpu-read"} | arguments
    with pytest.raises(UsageError, match=said), board.expect(**arguments):
        pass
