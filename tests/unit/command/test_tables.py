# SPDX-License-Identifier: Apache-2.0
"""The table of calls: whole as long as a person can read it, then its ends and what all did."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dmav3.command.tables import show, wide
from dmav3.job.journal import Step
from dmav3.job.verdict import Facts, Report


def shown(count: int) -> list[list[str]]:
    """Return the words of each line that is printed for so many calls, of two routines in turn."""
    steps = tuple(
        Step(n, "0x40", ("MapTransferEx", "FreeMapRegisters")[n % 2], "0x0", n, 1, 2, 0, 3, 0, 5, 0)
        for n in range(count)
    )
    report = Report("pass", "as it should be", Facts("virt-a53", 1, None, steps=steps))
    out = io.StringIO()
    show(wide(Console(file=out)), report)
    return [line.split() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("count", [1, 200])
def test_all_calls_are_shown(count: int) -> None:
    """Each has its line, and there is no second table."""
    numbers = [int(words[0]) for words in shown(count) if "0x40" in words]
    assert numbers == list(range(count))
    assert ["routine", "status", "calls"] not in [words[:3] for words in shown(count)]


def test_many_calls_are_summed_up() -> None:
    """The first ten, the last ten, and for each routine the sums of all, without what was left."""
    lines = shown(300)
    numbers = [int(words[0]) for words in lines if "0x40" in words]
    assert numbers == [*range(10), *range(290, 300)]
    moved = sum(range(0, 300, 2))
    assert f"MapTransferEx 0x0 150 {moved} 150 300 0 450 0".split() in lines
    assert ["All", "300", "calls;", "--json", "prints", "each."] in lines
