# SPDX-License-Identifier: Apache-2.0
"""Code at two virtual addresses (aliases.c): QEMU must not take one for the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, build_image

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("aliases.c")
#: From the addresses where the image lies to the same at the end of all addresses.
UP = 0xFFFFFFFF00000000
#: Of the function that runs twice: not more bytes of instructions.
SIZE = 64


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """Start the program."""
    with Board(image=build_image(SOURCE, output=tmp_path / "aliases.elf"), judge=False) as board:
        yield board


def race(board: Board, offset: int) -> dict[str, int]:
    """Run it at one of its two addresses; return by kind where the CPU's access was."""
    before = len(board.findings())
    start = board.call("race", offset)["touch"]
    found = {it.kind: int(it.cpu.pc, 0) for it in board.findings()[before:] if it.cpu}
    assert all(start <= pc < start + SIZE for pc in found.values()), found
    return found


@pytest.mark.parametrize("first", [0, UP])
def test_an_access_is_where_it_was_executed(board: Board, first: int) -> None:
    """Of a load, and of a store that comes out by a device's read, in all 64 bits."""
    second = UP - first
    there, here = race(board, first), race(board, second)
    assert set(there) == {"stale-cpu-read", "stale-device-read"}
    assert here == {kind: pc - first + second for kind, pc in there.items()}


def test_an_address_below_has_a_function(board: Board) -> None:
    """Those above are in no image that the harness knows."""
    race(board, 0)
    race(board, UP)
    names = [finding.cpu and finding.cpu.function for finding in board.findings()]
    assert names == ["Touch", "Touch", None, None]


def test_maintenance_is_where_it_was_executed(board: Board) -> None:
    """What it cost goes to the function, or to the address of the instruction."""
    low, high = board.call("race", 0)["touch"], board.call("race", UP)["touch"]
    places = {cost["function"] for cost in board.evidence.costs() if cost["lines"]}
    assert "Touch" in places
    (other,) = places - {"Touch"}
    assert high <= int(other, 0) < high + SIZE
    assert high - low == UP
