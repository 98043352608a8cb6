# SPDX-License-Identifier: Apache-2.0
"""Random programs on QEMU's controller and on ours: what differs is a known bug of QEMU's.

Programs follow each other in one process, until a fault or a difference makes QEMU's side useless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bugs import Case, bugs
from hypothesis import HealthCheck, Phase, given, seed, settings
from pair import faults
from programs import scenarios

if TYPE_CHECKING:
    from pair import Pair
    from scenario import Scenario


def compare(pair: Pair, scenario: Scenario) -> Case:
    """Run a scenario on both sides; afterwards both are ready for another.

    :raises AssertionError: something differs that no bug explains.
    """
    ready = False
    try:
        ours, theirs = pair.run(scenario)
        case = Case(scenario, ours, theirs, pair.ours.findings)
        found = case.explanations(bugs())
        unexplained = [_said(name, case) for name, its in found.items() if not its]
        assert not unexplained, "\n".join([str(scenario), *unexplained])
        if all(bug.harmless for its in found.values() for bug in its) and not faults(theirs):
            pair.tidy(theirs)
            ready = True
    finally:
        if not ready:
            pair.reset()
    return case


def _said(name: str, case: Case) -> str:
    ours, theirs = case.differences[name]
    if isinstance(ours, int) and isinstance(theirs, int):
        return f"{name}: ours {ours:#x}, QEMU's {theirs:#x}"
    pairs = enumerate(zip(bytes(ours), bytes(theirs), strict=True))
    at = [place for place, (one, other) in pairs if one != other]
    return f"{name}: {len(at)} bytes differ, the first at {at[0]:#x}"


def run(pair: Pair, number: int, count: int) -> None:
    """Run so many random scenarios, of those that the number stands for."""

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(scenarios())
    def agree(scenario: Scenario) -> None:
        compare(pair, scenario)

    agree()


@pytest.mark.parametrize("number", range(6))
def test_fifty_random_programs_do_the_same_on_both(pair: Pair, number: int) -> None:
    """Bytes, registers and interrupts, but for the bugs in bugs.toml."""
    run(pair, number, 50)


@pytest.mark.soak
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("number", range(100, 140))
def test_five_hundred_random_programs_do_the_same_on_both(pair: Pair, number: int) -> None:
    """The same, for twenty thousand in all."""
    run(pair, number, 500)
