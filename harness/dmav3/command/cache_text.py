# SPDX-License-Identifier: Apache-2.0
"""The cache of a board of another process as text: states of lines, and bytes of both views."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3.board.elsewhere import BoardElsewhere
    from dmav3.evidence.probe import LineState

#: Bytes of one dump, and ranges of lines of one list, at most.
MOST_BYTES, _MOST_RANGES = 4096, 100
#: Bytes of each view in a row of a dump, and the columns that such a row takes.
_ROWS = ((16, 108), (8, 60), (4, 36))


def lines_of(board: BoardElsewhere, address: int, length: int, columns: int) -> list[str]:
    """Return the state of each cache line of a range, and its bytes, both views side by side.

    :param columns: that there are; rows of 4 bytes need 36.
    :raises UsageError: not all of it is in RAM.
    """
    board.cpu.read(address, length)
    if board.card.schedule is None:
        text = "no cache is modelled: the CPU sees what devices see"
        return [text, *_dump(board, address, length, columns)]
    size, shown, end = board.probe.line_size, [], address + length
    while address < end:
        here = address - address % size
        upto = min(here + size, end)
        shown.append(f"line {here:#010x}: {_state(board, here)}  {board.named(here)}".rstrip())
        shown += _dump(board, address, upto - address, columns)
        address = upto
    return shown


def ranges_that_are(board: BoardElsewhere, flag: LineState) -> list[str]:
    """Return the ranges of lines in a state, with what lies there."""
    having = b"".join(re.escape(bytes([value])) for value in range(256) if value & flag)
    found = list(re.finditer(b"[" + having + b"]+", board.probe.states()))
    shown = [_range(board, *one.span()) for one in islice(found, _MOST_RANGES)]
    more = len(found) - len(shown)
    return [*shown, *([f"... and {more} ranges more"] if more else [])]


def _range(board: BoardElsewhere, first: int, end: int) -> str:
    address = board.probe.ram_base + first * board.probe.line_size
    count = "1 line " if end - first == 1 else f"{end - first} lines"
    return f"{address:#010x}  {count}  {board.named(address)}".rstrip()


def _state(board: BoardElsewhere, address: int) -> str:
    counted = asdict(board.probe.count([(address, 1)]))
    return ", ".join(name for name, count in counted.items() if count) or "not cached"


def _dump(board: BoardElsewhere, address: int, length: int, columns: int) -> Iterator[str]:
    """Yield rows of bytes as the CPU and as devices see them, a * behind each that differs."""
    count = next((bytes_ for bytes_, needed in _ROWS if needed <= columns), _ROWS[-1][0])
    cpu, dram = board.cpu.read(address, length), board.dram.read(address, length)
    yield f"{'':10}  {'CPU':{3 * count}}  devices"
    for at in range(0, length, count):
        left, right = cpu[at : at + count], dram[at : at + count]
        marks = ["*" if one != other else " " for one, other in zip(left, right, strict=True)]
        row = f"{address + at:#010x}  {_row(left, marks):{3 * count}}  {_row(right, marks)}"
        yield row.rstrip()


def _row(data: bytes, marks: list[str]) -> str:
    return "".join(f"{byte:02x}{mark}" for byte, mark in zip(data, marks, strict=True))
