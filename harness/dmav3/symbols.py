# SPDX-License-Identifier: Apache-2.0
"""What an ELF says about itself: symbols, functions, lines, structures, enumerations, build id.

Everything is read when it is first asked for: a start needs the symbol table only, the line
table and the types are slower. The file is read whole at the start and may change afterwards.
"""

from __future__ import annotations

import bisect
import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from . import dwarf
from .errors import ImageError, UsageError

if TYPE_CHECKING:
    from .layout import Struct


class Line(NamedTuple):
    """A source line; `file` is relative to where the compiler ran if it was below that."""

    file: str
    line: int


class Symbol(NamedTuple):
    """A name of the symbol table."""

    name: str
    address: int
    size: int


class Elf:
    """One ELF file."""

    def __init__(self, path: Path, machine: str) -> None:
        """Read the file.

        :param machine: the `e_machine` that is needed, such as `EM_AARCH64`.
        :raises ImageError: unreadable, no ELF, or for another machine.
        """
        self.path = Path(path)
        try:
            self._elf = ELFFile(io.BytesIO(self.path.read_bytes()))
        except OSError as error:
            raise ImageError(self.path, f"cannot be read: {error.strerror}") from error
        except (ELFError, UnicodeDecodeError, ValueError) as error:
            raise ImageError(self.path, f"is not an ELF file ({error})") from error
        found = self._elf["e_machine"]
        if found != machine:
            raise ImageError(self.path, f"is an ELF for {found}, {machine} is needed")

    @cached_property
    def build_id(self) -> str:
        """The GNU build id in lower-case digits, empty if there is none."""
        section: Any = self._elf.get_section_by_name(".note.gnu.build-id")
        notes = section.iter_notes() if section else ()
        return next((str(note["n_desc"]) for note in notes), "")

    def symbol(self, name: str) -> Symbol:
        """Return the symbol `name`; `ImageError` if the file has none."""
        if name not in self._symbols:
            raise ImageError(self.path, f"has no symbol `{name}`")
        return self._symbols[name]

    def function(self, pc: int) -> str | None:
        """Return the name of the function around `pc`; None where there is none.

        A function without a size (assembly) goes on to the next one.
        """
        starts, functions = self._functions
        index = bisect.bisect_right(starts, pc) - 1
        if index < 0 or (functions[index].size and pc >= starts[index] + functions[index].size):
            return None
        return functions[index].name

    def line(self, pc: int) -> Line | None:
        """Return file and line of the instruction at `pc`; None where they are not known."""
        starts, rows = self._lines
        index = bisect.bisect_right(starts, pc) - 1
        return rows[index] if index >= 0 else None

    def struct(self, name: str) -> Struct:
        """Return the layout of `struct name`, or of a typedef of that name.

        :raises UsageError: the debug information has none.
        """
        return self._types.struct(name)

    def enum(self, name: str) -> dict[str, int]:
        """Return the members of `enum name` in order; raises as `struct`."""
        return self._types.enum(name)

    @cached_property
    def _symbols(self) -> dict[str, Symbol]:
        table: Any = self._elf.get_section_by_name(".symtab")
        entries = table.iter_symbols() if table else ()
        return {
            entry.name: Symbol(entry.name, entry["st_value"], entry["st_size"])
            for entry in entries
            if entry.name and entry["st_shndx"] != "SHN_UNDEF"
        }

    @cached_property
    def _functions(self) -> tuple[list[int], list[Symbol]]:
        table: Any = self._elf.get_section_by_name(".symtab")
        entries = table.iter_symbols() if table else ()
        found = sorted(
            (
                (entry["st_value"], entry["st_info"]["bind"] != "STB_WEAK", entry)
                for entry in entries
                if entry["st_info"]["type"] == "STT_FUNC" and entry["st_shndx"] != "SHN_UNDEF"
            ),
            key=lambda item: item[:2],  # of two names for one place, the one that is not weak
        )
        functions = [Symbol(entry.name, start, entry["st_size"]) for start, _, entry in found]
        return [symbol.address for symbol in functions], functions

    @cached_property
    def _lines(self) -> tuple[list[int], list[Line | None]]:
        rows = dwarf.lines(self._elf.get_dwarf_info()) if self._elf.has_dwarf_info() else []
        return [row[0] for row in rows], [
            None if file is None else Line(file, line) for _, file, line in rows
        ]

    @cached_property
    def _types(self) -> dwarf.Types:
        if not self._elf.has_dwarf_info():
            msg = f"{self.path} has no debug information"
            raise UsageError(msg)
        return dwarf.Types(self._elf.get_dwarf_info())
