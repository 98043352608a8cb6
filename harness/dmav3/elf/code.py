# SPDX-License-Identifier: Apache-2.0
"""Where in the source an instruction is from: its line, its function, and what that is inlined in.

DWARF as clang and gcc write it (versions 4 and 5). Reading all of it takes half a second, so a
compilation unit is read when an instruction of its own is asked for, and kept.
"""

from __future__ import annotations

import bisect
import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from elftools.dwarf.descriptions import describe_form_class
from elftools.dwarf.ranges import BaseAddressEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAST_VERSION_FROM_ONE = 4  # up to DWARF 4, files are counted from 1
_FUNCTIONS = {"DW_TAG_subprogram", "DW_TAG_inlined_subroutine"}
#: Where an entry that stands for a copy of a function keeps what the copies have in common.
_ORIGINS = ("DW_AT_abstract_origin", "DW_AT_specification")
_LONGEST_CHAIN = 64  # of such entries: one of a damaged file may have no end


class Line(NamedTuple):
    """A source line; `file` is relative to where the compiler ran if it was below that.

    `line` is 0 where only the file is known.
    """

    file: str
    line: int

    def __str__(self) -> str:
        """Spell it as compilers do."""
        return f"{self.file}:{self.line}" if self.line else self.file


class Frame(NamedTuple):
    """A function that an instruction is in, and at which of its lines, if that is known."""

    function: str
    line: Line | None

    def __str__(self) -> str:
        """Spell it, with what is known of the line in parentheses."""
        return f"{self.function} ({self.line})" if self.line else self.function


class Code:
    """The code of one file, by address."""

    def __init__(self, info: Any) -> None:
        """Read nothing yet."""
        self._info = info

    def line(self, pc: int) -> Line | None:
        """Return the line of the instruction at `pc`; None where there is none."""
        unit = self._unit(pc)
        return unit.line(pc) if unit else None

    def frames(self, pc: int) -> list[Frame]:
        """Return the functions that the instruction at `pc` is in, the innermost first.

        Each is inlined in the one behind it, at the line of that one. Empty where none is known.
        """
        unit = self._unit(pc)
        return unit.frames(pc) if unit else []

    def _unit(self, pc: int) -> _Unit | None:
        starts, spans = self._spans
        index = bisect.bisect_right(starts, pc) - 1
        return spans[index][1] if index >= 0 and pc < spans[index][0] else None

    @cached_property
    def _spans(self) -> tuple[list[int], list[tuple[int, _Unit]]]:
        """First addresses; end and unit of each."""
        units = [_Unit(self._info, unit) for unit in self._info.iter_CUs()]
        found = [(*span, unit) for unit in units for span in unit.spans(unit.top)]
        found.sort(key=lambda span: span[0])
        return [span[0] for span in found], [span[1:] for span in found]


class _Function(NamedTuple):
    """A stretch of a function's instructions.

    :ivar file: where the function is written.
    :ivar call: where it was inlined; None if it was not.
    """

    first: int
    end: int
    name: str
    file: Line | None
    call: Line | None


class _Unit:
    """One compilation unit."""

    def __init__(self, info: Any, unit: Any) -> None:
        self._info, self._unit = info, unit
        self.top = unit.get_top_DIE()

    def line(self, pc: int) -> Line | None:
        starts, rows = self._rows
        index = bisect.bisect_right(starts, pc) - 1
        return rows[index] if index >= 0 else None

    def frames(self, pc: int) -> list[Frame]:
        around = [one for one in self._functions if one.first <= pc < one.end]
        line, frames = self.line(pc), []
        for function in reversed(around):
            frames.append(Frame(function.name, line or function.file))
            line = function.call
        return frames

    def spans(self, entry: Any) -> Iterator[tuple[int, int]]:
        """Yield first and end of each stretch of an entry; what the linker dropped is at 0."""
        low, high = (entry.attributes.get(name) for name in ("DW_AT_low_pc", "DW_AT_high_pc"))
        if low and high:
            absolute = describe_form_class(high.form) == "address"
            yield low.value, high.value if absolute else low.value + high.value
        elif ranges := entry.attributes.get("DW_AT_ranges"):
            yield from self._listed(ranges.value)

    def _listed(self, offset: int) -> Iterator[tuple[int, int]]:
        lists = self._info.range_lists()
        low = self.top.attributes.get("DW_AT_low_pc")
        base = low.value if low else 0
        for one in lists.get_range_list_at_offset(offset, self._unit):
            if isinstance(one, BaseAddressEntry):
                base = one.base_address
            else:
                start = 0 if one.is_absolute else base
                yield start + one.begin_offset, start + one.end_offset

    @cached_property
    def _functions(self) -> list[_Function]:
        """All of them, an inlined one behind the one that it is in."""
        return [
            _Function(*span, _text(named), self._file(named), self._call(entry))
            for entry in self._unit.iter_DIEs()
            if entry.tag in _FUNCTIONS and (named := _named(entry))
            for span in self.spans(entry)
        ]

    def _file(self, entry: Any) -> Line | None:
        file = entry.attributes.get("DW_AT_decl_file")
        known = file and entry.cu is self._unit and file.value in self._files
        return Line(self._files[file.value], 0) if known else None

    def _call(self, entry: Any) -> Line | None:
        file, line = (entry.attributes.get(name) for name in ("DW_AT_call_file", "DW_AT_call_line"))
        return Line(self._files[file.value], line.value) if file and line else None

    @cached_property
    def _program(self) -> Any:
        return self._info.line_program_for_CU(self._unit)

    @cached_property
    def _rows(self) -> tuple[list[int], list[Line | None]]:
        """First addresses; the line of each, None behind the end of a sequence.

        None, too, where the compiler gives none: it made one instruction out of several lines.
        """
        rows: list[tuple[int, bool, Line | None]] = []
        for entry in self._program.get_entries() if self._program else ():
            if state := entry.state:
                goes_on = not state.end_sequence
                known = goes_on and state.line
                line = Line(self._files[state.file], state.line) if known else None
                rows.append((state.address, goes_on, line))
        # An end at the address where the next sequence starts must not hide that start.
        rows.sort(key=lambda row: row[:2])
        return [row[0] for row in rows], [row[2] for row in rows]

    @cached_property
    def _files(self) -> dict[int, str]:
        """Paths by the numbers that the line program and calls use."""
        if self._program is None:
            return {}
        home = self.top.attributes.get("DW_AT_comp_dir")
        inside = home.value.decode() + "/" if home else ""
        from_one = self._program["version"] <= _LAST_VERSION_FROM_ONE
        folders = [b""] * from_one + [
            part if isinstance(part, bytes) else part.DW_LNCT_path
            for part in self._program["include_directory"]
        ]
        paths = {}
        for index, file in enumerate(self._program["file_entry"], start=int(from_one)):
            path = posixpath.join(folders[file.dir_index].decode(), file.name.decode())
            paths[index] = posixpath.normpath(path.removeprefix(inside))
        return paths


def _named(entry: Any) -> Any:
    """Return the entry with the name of a function, which a copy of it does not repeat, or None."""
    for _ in range(_LONGEST_CHAIN):
        if "DW_AT_name" in entry.attributes:
            return entry
        origin = next((name for name in _ORIGINS if name in entry.attributes), None)
        if origin is None:
            return None
        entry = entry.get_DIE_from_attribute(origin)
    return None


def _text(entry: Any) -> str:
    name: bytes = entry.attributes["DW_AT_name"].value
    return name.decode()
