# SPDX-License-Identifier: Apache-2.0
"""The calls of a driver, one by one, with what they did to the cache: the steps of a report.

Two sources meet here. The operation log, which the firmware writes, says what each routine
returned and which lines its own maintenance acted on. What state the buffer was in afterwards is
sampled by the caller. Both are in the order in which the routines were entered.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from dmav3.errors import InfrastructureError
from dmav3.evidence.callers import FIRST_BACK_END, FIRST_CALLBACK
from dmav3.evidence.probe import Kind, Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dmav3.board.board import Board
    from dmav3.evidence.probe import Record
    from dmav3.guest.memory import Buffer

P = ParamSpec("P")
T = TypeVar("T")

_LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class Step:
    """One call of a routine; the names are those of `dmav3 run --json`."""

    index: int
    adapter: str
    routine: str
    status: str
    bytes: int
    elements: int
    lines_cleaned: int
    lines_invalidated: int
    lines_written_back: int
    lines_other: int
    lines_dirty: int
    lines_stale: int


class Journal:
    """Makes calls on a board and remembers the state of the buffer after each."""

    def __init__(self, board: Board) -> None:
        """Start with nothing; calls made before do not count."""
        self._board = board
        self._start = board.evidence.events.collect()
        self._samples: list[Lines] = []

    def call(
        self, about: Buffer | None, routine: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a routine that is in the operation log, and sample the lines of `about` after it.

        Calls nest: one that is made in a callback comes after the one that led there.
        """
        position = len(self._samples)
        self._samples.append(Lines())
        result = routine(*args, **kwargs)
        self._board.evidence.events.collect()  # before the ring is full
        if about is not None:
            self._samples[position] = self._board.lines(about)
        return result

    @contextmanager
    def watch(self, about: Buffer | None) -> Iterator[None]:
        """Let a driver in the guest make calls in the block; sample the lines of `about` then."""
        events = self._board.evidence.events
        before = events.collect()
        yield
        made = calls_of_driver(events.since(before))
        lines = Lines() if about is None else self._board.lines(about)
        self._samples += [lines] * len(made)

    def steps(self, names: Mapping[int, str], *, complete: bool = True) -> list[Step]:
        """Return the calls so far that have returned, in the order in which they were entered.

        :param complete: every call came to its end; False after an error.
        :raises InfrastructureError: the operation log does not show the calls that were made.
        """
        exits = calls_of_driver(self._board.evidence.events.since(self._start))
        if complete and len(exits) != len(self._samples) and not self._board.evidence.events.lost:
            found = ", ".join(names.get(record.id, "?") for record in exits if record)
            msg = f"{len(self._samples)} calls were made, the operation log has {found}"
            raise InfrastructureError(msg)
        return [
            _step(index, record, lines, names)
            for index, (record, lines) in enumerate(zip(exits, self._samples, strict=False))
            if record is not None
        ]


def calls_of_driver(records: Sequence[Record]) -> list[Record | None]:
    """Return the EXIT records of the routines that a driver called, in order of entry.

    What the layer calls itself, the back end for one, is left out; calls out of a driver's
    callback are in. A routine that has not returned is None.
    """
    stack: list[tuple[int, int | None]] = []  # id, position in `exits`
    exits: list[Record | None] = []
    for record in records:
        if record.kind == Kind.ENTER:
            by_driver = not stack or FIRST_CALLBACK <= stack[-1][0] < FIRST_BACK_END
            if by_driver and record.id < FIRST_CALLBACK:
                stack.append((record.id, len(exits)))
                exits.append(None)
            else:
                stack.append((record.id, None))
        elif record.kind == Kind.EXIT and stack:
            _, position = stack.pop()
            if position is not None:
                exits[position] = record
    return exits


def _step(index: int, record: Record, lines: Lines, names: Mapping[int, str]) -> Step:
    return Step(
        index=index,
        adapter=f"{record.a:#x}",
        routine=names.get(record.id, f"routine {record.id}"),
        status=f"0x{record.b:08x}",
        bytes=record.c & _LOW,
        elements=record.c >> 32,
        lines_cleaned=record.d & _LOW,
        lines_invalidated=record.d >> 32,
        lines_written_back=record.e & _LOW,
        lines_other=record.e >> 32,
        lines_dirty=lines.dirty,
        lines_stale=lines.stale,
    )
