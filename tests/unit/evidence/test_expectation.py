# SPDX-License-Identifier: Apache-2.0
"""Which findings are still open, by counts alone."""

from __future__ import annotations

from dmav3.evidence.expectation import Ledger


def raw(*counts: int) -> list[dict[str, int]]:
    """Return findings with these counts."""
    return [{"count": count} for count in counts]


def test_every_finding_is_open_until_it_is_settled() -> None:
    """Settling one leaves the others open."""
    ledger = Ledger()
    assert ledger.open(raw(3, 1)) == [0, 1]
    ledger.settle(raw(3, 1), [0])
    assert ledger.open(raw(3, 1)) == [1]


def test_a_settled_finding_that_happens_again_is_open_again() -> None:
    """One more case of the same root cause was not expected."""
    ledger = Ledger()
    ledger.settle(raw(3), [0])
    assert ledger.open(raw(4)) == [0]


def test_what_was_there_before_does_not_count() -> None:
    """Only new findings, and more cases of old ones, belong to a block."""
    assert Ledger().open(raw(3, 5, 1), before=raw(3, 4)) == [1, 2]


def test_what_an_inner_block_settled_does_not_count_for_the_outer() -> None:
    """Blocks nest: each finding is consumed once."""
    ledger = Ledger()
    ledger.settle(raw(3), [0])
    assert ledger.open(raw(3), before=raw()) == []


def test_a_reset_forgets() -> None:
    """The next run counts from zero."""
    ledger = Ledger()
    ledger.settle(raw(3), [0])
    ledger.forget()
    assert ledger.open(raw(1)) == [0]
