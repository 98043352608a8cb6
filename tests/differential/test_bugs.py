# SPDX-License-Identifier: Apache-2.0
"""Each bug that bugs.toml lists is one of QEMU's model still, and of ours never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from assembler import assemble
from bugs import Bug, Case, bugs
from scenario import REGISTERS, WINDOW, Scenario, observed

from dmav3.evidence.microcode import decode

if TYPE_CHECKING:
    from pair import Pair

_RESET = "control-after-reset"


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_a_bug_is_shown_by_its_program(bug: Bug, pair: Pair) -> None:
    """What differs is what is said, with the values that are said, and a bug explains each."""
    case = _case(bug, pair)
    expected = bug.shows.differs
    (always,) = (it for it in bugs() if it.name == _RESET)
    seen = {
        name: values
        for name, values in case.differences.items()
        if name in expected or not always.explains(name, case)
    }
    assert set(seen) == set(expected), seen
    for name, values in expected.items():
        if values is not True:
            symbols = pair.layout.symbols(int(name[1])) if "." in name else {}
            assert seen[name] == tuple(_value(it, symbols) for it in values), name
    assert all(case.explanations(bugs()).values())


def test_names_are_not_given_twice() -> None:
    """A failure names a bug."""
    names = [bug.name for bug in bugs()]
    assert sorted(set(names)) == sorted(names)


def test_no_bug_explains_a_difference_of_a_right_program() -> None:
    """Otherwise the random programs would prove less than they seem to."""
    program = (
        *("DMAMOV SAR, source", "DMAMOV DAR, target", "DMAMOV CCR, SAI SS64 SB4 DAI DS64 DB4"),
        *("DMALP LC0, 2", "DMAFLUSHP P2", "DMAWFP P2, burst", "DMALDPB P2", "DMASTB"),
        *("DMALPENDB LC0", "DMAWMB", "DMASTZ", "DMAWMB", "DMAWFP P3, single", "DMALDS", "DMASTS"),
        *("DMAWMB", "DMASEV E9", "DMAWFE E1", "DMAEND"),
    )
    steps = ("write INTEN 0x200", "start 0", "debug M DMASEV E1", "debug C0 DMAKILL")
    registers = dict.fromkeys(REGISTERS, 1)
    ours = observed(registers, 0, bytes(WINDOW))
    theirs = {
        name: value + 1 if isinstance(value, int) else b"\1" + value[1:]
        for name, value in ours.items()
    }
    case = Case(Scenario({0: program}, steps), ours, theirs, set())
    explained = {name for name, its in case.explanations(bugs()).items() if its}
    assert explained <= {f"C{n}.waits" for n in range(8)} | {"DBGSTATUS"}


@pytest.mark.parametrize(
    "text",
    [
        *("DMAEND", "DMALDS", "DMASTB", "DMASTZ", "DMALP LC1, 256", "DMALDPB P4", "DMASTPS P31"),
        *("DMAWFP P3, single", "DMAWFP P2, periph", "DMASEV E15", "DMAFLUSHP P1"),
        *("DMAWFE E9, invalid", "DMAADDH SAR, 0x102", "DMAADNH DAR, 0xffff"),
        *("DMAGO C7, 0x45000010, ns", "DMAMOV DAR, 0x40600000"),
        "DMAMOV CCR, SAI SS64 SB16 SP2 SC5 DAF DS8 DB1 DP7 DC3 ES32",
    ],
)
def test_the_assembler_writes_what_the_disassembler_reads(text: str) -> None:
    """Each instruction of a program is the one that its text names."""
    code = assemble([text])
    assert decode(code, 0) == (text, len(code))


def _case(bug: Bug, pair: Pair) -> Case:
    ours, theirs = pair.run(bug.shows.scenario)
    return Case(bug.shows.scenario, ours, theirs, pair.ours.findings)


def _value(said: int | str, symbols: dict[str, int]) -> int:
    if isinstance(said, int):
        return said
    name, _, more = said.partition("+")
    return symbols[name] + int(more or "0", 0)
