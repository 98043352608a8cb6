# SPDX-License-Identifier: Apache-2.0
"""Pairs of wrong and right driver code (pairs/): the wrong is found, the right is met with silence.

What is expected of a pair stands in its program. Of barriers it is a table of all of them, here.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dmav3 import Board, build_image
from dmav3.machine.description import Device
from dmav3.machine.schedule import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIRS = Path(__file__).with_name("pairs")
PROGRAMS = ("orders", "strays", "owners", "causes")
COMMAND = 0x98  # register of `edu` that starts it
RECEIVED = bytes(range(1, 129))
WRONG, RIGHT = 0, 1


class Pair(NamedTuple):
    """A command, and what its wrong version must give: a pattern for the text, and one line."""

    program: str
    name: str
    kind: str
    text: str
    line: int | None


def marked(program: str, name: str) -> int | None:
    """Return the number of the line with the access that races, if a program has one."""
    lines = (PAIRS / f"{program}.c").read_text().splitlines()
    numbers = [n for n, text in enumerate(lines, 1) if f"RACE {name} " in text]
    return numbers[0] if numbers else None


def pairs() -> Iterator[Pair]:
    """Read the programs."""
    for program in PROGRAMS:
        source = (PAIRS / f"{program}.c").read_text()
        rows = re.findall(r'^PAIR\((\w+),\s*"(.+?)",\s*((?:"[^"]*"\s*)+)\)', source, re.MULTILINE)
        for name, kind, text in rows:
            pattern = "".join(re.findall(r'"([^"]*)"', text))
            yield Pair(program, name, kind, pattern, marked(program, name))


ALL = list(pairs())


class Places(NamedTuple):
    """What must be ordered, against what, and which barriers do it (qemu-machines/README.md)."""

    command: str
    what: int
    name: str
    by_release: bool = False
    by_stores: bool = False


PLACES = [
    Places("before_start", 0, "STORED", by_release=True, by_stores=True),
    Places("before_start", 1, "CLEANED"),
    Places("before_start", 2, "CLEANED_AWAY"),
    Places("before_start", 3, "INVALIDATED"),
    Places("before_start", 4, "EMPTIED"),
    Places("behind_write", 5, "WRITTEN"),
]
DOMAINS, TYPES = ("osh", "nsh", "ish", "sy"), {1: "ld", 2: "st", 3: ""}
#: What the programs call each barrier: DMB and DSB by their options (C6.2).
BARRIERS = {"none": 0, "isb": 1, "stlr": 2} | {
    f"{name} {domain}{kind}": base + 4 * number + option
    for (name, base), (number, domain), (option, kind) in product(
        {"dmb": 16, "dsb": 32}.items(), enumerate(DOMAINS), TYPES.items()
    )
}
DEVICES = {"pl330": 0, "edu": 1}


def serves(barrier: str, place: Places) -> bool:
    """Return whether a barrier does it."""
    if barrier == "stlr":
        return place.by_release
    full = barrier.endswith(("osh", "ish", "sy"))
    stores = barrier.endswith(("oshst", "ishst", "syst"))
    return (full or (stores and place.by_stores)) and "nsh" not in barrier


@pytest.fixture(scope="module", params=[(), (COMMAND,)], ids=["plain", "doorbells"])
def board(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    """Start all programs as one, with a device that has doorbells or has none; each use resets."""
    edu = Device(model="edu", options=("dma_mask=0xffffffff",), doorbells=request.param)
    sources = [PAIRS / f"{program}.c" for program in ("barriers", *PROGRAMS)]
    image = build_image(*sources, output=tmp_path_factory.mktemp("pairs") / "pairs.elf")
    with Board(image=image, devices=[edu], trace=False) as board:
        yield board


def run(board: Board, command: str, *arguments: int) -> None:
    """Run a command; the stream device has data to give."""
    board.stream.receive_put(RECEIVED)
    board.call(command, *arguments)


def test_there_are_many() -> None:
    """So that no kind is left out by a change of how they are read."""
    assert len(ALL) == sum(
        (PAIRS / f"{program}.c").read_text().count("\nPAIR(") for program in PROGRAMS
    )
    assert len(ALL) > 80


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair.name)
def test_what_is_wrong_is_found(board: Board, pair: Pair) -> None:
    """Once: kind, line, and what the text says of device, buffer, routine, rule or mapping."""
    board.reset()
    run(board, pair.name, WRONG)
    (finding,) = board.findings()
    line = finding.cpu.line if finding.cpu else None
    assert (finding.kind, line if pair.line else None) == (pair.kind, pair.line)
    assert re.search(pair.text, finding.text)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
@pytest.mark.parametrize("device", DEVICES)
def test_each_barrier_that_does_not_serve_is_found(
    board: Board, device: str, place: Places
) -> None:
    """Before a start and behind a device's write, of PL330 and PCI: at the line that raced."""
    for barrier, number in BARRIERS.items():
        board.reset()
        run(board, place.command, DEVICES[device], place.what, number)
        if serves(barrier, place):
            assert (barrier, board.findings()) == (barrier, [])
        else:
            (finding,) = board.findings()
            line = finding.cpu.line if finding.cpu else None
            expected = (barrier, "missing-barrier", marked("barriers", place.name))
            assert (barrier, finding.kind, line) == expected


def silent(board: Board, schedule: str, seed: int) -> None:
    """Check that all that is right gives no finding, and breaks no rule.

    Barriers come first: the devices belong to nobody there.
    """
    board.reset(schedule=schedule, seed=seed)
    for device, place, (barrier, number) in product(DEVICES, PLACES, BARRIERS.items()):
        if serves(barrier, place):
            run(board, place.command, DEVICES[device], place.what, number)
            tried = device, place.name, barrier
            assert (tried, board.findings()) == (tried, [])
    for pair in ALL:
        run(board, pair.name, RIGHT)
        assert (pair.name, board.findings(), board.violations()) == (pair.name, [], [])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_right_is_met_with_silence(board: Board, schedule: str) -> None:
    """All of it, one after the other, without a reset between."""
    silent(board, schedule, 1)


@pytest.mark.soak
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_right_is_met_with_silence_under_every_seed(board: Board, schedule: str) -> None:
    """As above, for ten seeds."""
    for seed in range(1, 11):
        silent(board, schedule, seed)
