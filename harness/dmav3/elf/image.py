# SPDX-License-Identifier: Apache-2.0
"""What an ELF says about itself: symbols, functions, lines, structures, enumerations, build id.

Everything is read when it is first asked for: a start needs the symbol table only, lines and
types are slower. The file is read whole at the start and may change afterwards.
"""

from __future__ import annotations

import bisect
import io
import os
import struct
import threading
from contextlib import contextmanager
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from elftools.elf.elffile import ELFFile

from dmav3 import installation
from dmav3.errors import Dmav3Error, ImageError, NotBuiltError, UsageError
from dmav3.files import read_regular

from .code import Code, Frame
from .dwarf import Types
from .layout import Struct
from .remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .code import Line

P = ParamSpec("P")
T = TypeVar("T")
Kind = TypeVar("Kind", Struct, dict[str, int])

_WIDE = 64
#: Bytes of a file: a kernel with all its debug information has less.
_LARGEST = 1 << 30
#: STT_FUNC, STT_OBJECT, STB_LOCAL, STB_GLOBAL
_FUNCTION, _VARIABLE, _LOCAL, _GLOBAL = 2, 1, 0, 1


class Symbol(NamedTuple):
    """A name of the symbol table."""

    name: str
    address: int
    size: int


def read_elf(path: Path, machine: str) -> Elf:
    """Return `Elf(path, machine)`, the same one again as long as the file does not change."""
    try:
        seen = path.stat()
    except OSError as error:
        raise ImageError(path, f"cannot be read: {error.strerror}") from error
    return _read_elf(path, machine, seen.st_mtime_ns, seen.st_size)


def read_own(path: Path, machine: str) -> Elf:
    """Return a file of dmav3's own; raises `NotBuiltError` if it is damaged."""
    with ours(path):
        return read_elf(path, machine)


def read_extension() -> Elf:
    """Return the QEMU extension, which is for this computer; raises `NotBuiltError`."""
    return read_own(installation.extension(), host_machine())


@contextmanager
def ours(path: Path) -> Iterator[None]:
    """Make a `NotBuiltError` of what is wrong with a file of dmav3's own."""
    try:
        yield
    except UsageError as error:
        problem = str(error).removeprefix(f"{path}: ")
        raise NotBuiltError(
            path, f"is damaged, or not dmav3's: {problem}", installation.build_remedy()
        ) from error


def host_machine() -> str:
    """Return the `e_machine` of programs for this computer."""
    return {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}.get(os.uname().machine, "")


@lru_cache(maxsize=16)
def _read_elf(path: Path, machine: str, _changed_ns: int, _size: int) -> Elf:
    return Elf(path, machine)


@contextmanager
def _damage(path: Path, problem: str = "is damaged") -> Iterator[None]:
    """Make an `ImageError` of whatever a library raises when it reads a damaged file."""
    try:
        yield
    except Dmav3Error:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ImageError(path, f"{problem} ({reason})") from error


def _reads(method: Callable[Concatenate[Elf, P], T]) -> Callable[Concatenate[Elf, P], T]:
    """Let a method read the file: one thread at a time, because all share a position in it."""

    @wraps(method)
    def reading(elf: Elf, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with elf.lock, _damage(elf.path):
            return method(elf, *args, **kwargs)

    return reading


class Flat(NamedTuple):
    """What an ELF puts into memory: bytes from a physical address on, and where to begin."""

    base: int
    data: bytes
    entry: int


class Elf:
    """One ELF file. What is asked of a damaged one may raise an `ImageError`.

    :ivar lock: held while the file is read.
    """

    def __init__(self, path: Path, machine: str) -> None:
        """Read the file.

        :param machine: the `e_machine` that is needed, such as `EM_AARCH64`.
        :raises ImageError: unreadable, no ELF, or for another machine.
        """
        self.path = Path(path)
        self.lock = threading.RLock()
        self._frames: dict[int, list[Frame]] = {}
        data = _bytes_of(self.path)
        self._size = len(data)
        self._remembered = Remembered(data)
        with _damage(self.path, "is not an ELF file"):
            self._elf = ELFFile(io.BytesIO(data))
            found = self._elf["e_machine"]
            table = self._elf["e_shnum"] * self._elf["e_shentsize"]
        if self._elf["e_shoff"] + table > len(data):  # it comes last
            raise ImageError(self.path, f"is cut off after {len(data)} bytes")
        if found != machine:
            raise ImageError(self.path, f"is an ELF for {found}, {machine} is needed")

    @cached_property
    @_reads
    def build_id(self) -> str:
        """The GNU build id in lower-case digits, empty if there is none."""
        section: Any = self._elf.get_section_by_name(".note.gnu.build-id")
        notes = section.iter_notes() if section else ()
        return next((str(note["n_desc"]) for note in notes), "")

    @_reads
    def flat(self, memory: range) -> Flat:
        """Return what is loaded into `memory` as one stretch of bytes, with zeroes between.

        A segment elsewhere is left out: linkers like to put the ELF's own headers into one.

        :raises ImageError: there is none in it, or one that does not fit, or no code to begin with.
        """
        parts = [
            (segment["p_paddr"], segment.data())
            for segment in self._elf.iter_segments("PT_LOAD")
            if segment["p_filesz"] and segment["p_paddr"] in memory
        ]
        last = max((address + len(part) - 1 for address, part in parts), default=-1)
        if last not in memory or self._elf["e_entry"] not in memory:
            place = f"{memory.start:#x} to {memory.stop - 1:#x}"
            raise ImageError(self.path, f"is not for memory from {place}: link it there")
        base = min(address for address, _ in parts)
        data = bytearray(last + 1 - base)
        for address, part in parts:
            data[address - base : address - base + len(part)] = part
        return Flat(base, bytes(data), self._elf["e_entry"])

    @_reads
    def text(self, address: int) -> str | None:
        """Return the text of C that a constant of the file at `address` is; None: there is none."""
        raw = self._loaded(address)
        return None if raw is None else raw.partition(b"\0")[0].decode(errors="replace")

    @_reads
    def parameters(self, routine: str) -> list[str]:
        """Return the names of a routine's parameters, from its row in the shell's table.

        Empty where the file has no such row, or is to be relocated.
        """
        row = self._symbols.get(f"dmav3_command_{routine}")
        pointer = None if row is None else self._loaded(row.address + 8)
        if pointer is None:
            return []
        return (self.text(int.from_bytes(pointer[:8], "little")) or "").split()

    def _loaded(self, address: int) -> bytes | None:
        """Return what the file puts into memory from an address on; None: nothing."""
        for segment in self._elf.iter_segments("PT_LOAD"):
            offset = address - segment["p_vaddr"]
            if 0 <= offset < segment["p_filesz"]:
                raw: bytes = segment.data()[offset:]
                return raw
        return None

    @_reads
    def symbol(self, name: str) -> Symbol:
        """Return the symbol `name`; `ImageError` if the file has none."""
        if name not in self._symbols:
            raise ImageError(self.path, f"has no symbol `{name}`")
        return self._symbols[name]

    @_reads
    def exports(self, name: str) -> bool:
        """Return whether other object files could be linked with the symbol `name`."""
        return any(symbol.name == name and bind != _LOCAL for symbol, bind, _ in self._table)

    def function(self, pc: int) -> str | None:
        """Return the name of the function around `pc`, the innermost one if some are inlined there.

        None where there is none.
        """
        frames = self.frames(pc)
        return frames[0].function if frames else None

    @_reads
    def frames(self, pc: int) -> list[Frame]:
        """Return the functions around `pc`, the innermost first: each is inlined in the next one.

        One where nothing is inlined, or where debug information says nothing of it.
        """
        if pc not in self._frames:
            symbol = self._symbol_around(pc)
            self._frames[pc] = self._frames_in(symbol, pc) if symbol else []
        return self._frames[pc]

    @_reads
    def line(self, pc: int) -> Line | None:
        """Return file and line of the instruction at `pc`; None where they are not known."""
        return self._code.line(pc) if self._code else None

    def place(self, pc: int) -> str:
        """Return where `pc` is as text, as far as known: functions, files and lines.

        Such as "get (ring.h:9), inlined in Go (driver.c:30)"; the empty text if nothing is known.
        """
        return ", inlined in ".join(str(frame) for frame in self.frames(pc))

    @_reads
    def variable(self, address: int) -> Symbol | None:
        """Return the variable that the byte at `address` belongs to, if any."""
        starts, variables = self._variables
        index = bisect.bisect_right(starts, address) - 1
        if index < 0 or address >= starts[index] + variables[index].size:
            return None
        return variables[index]

    def named(self, address: int) -> str:
        """Return the variable that `address` lies in, with the offset if that is not 0.

        Such as "staging+12"; the empty text if there is none.
        """
        variable = self.variable(address)
        if variable is None:
            return ""
        offset = address - variable.address
        return f"{variable.name}+{offset}" if offset else variable.name

    @_reads
    def struct(self, name: str) -> Struct:
        """Return the layout of `struct name`, or of a typedef of that name.

        :raises UsageError: the debug information has none.
        """
        return self._once(f"struct {name}", lambda: self._types.struct(name))

    @_reads
    def enum(self, name: str) -> dict[str, int]:
        """Return the members of `enum name` in order; raises as `struct`."""
        return self._once(f"enum {name}", lambda: self._types.enum(name))

    def _once(self, name: str, find: Callable[[], Kind]) -> Kind:
        """Find a type, unless a process has found it before."""
        found: Kind | None = self._remembered.get(name)
        if found is None:
            found = find()
            self._remembered.add(name, found)
        return found

    @cached_property
    def _symbols(self) -> dict[str, Symbol]:
        return {symbol.name: symbol for symbol, *_ in self._table}

    @cached_property
    def _functions(self) -> tuple[list[int], list[Symbol]]:
        return self._by_address(_FUNCTION)

    @cached_property
    def _variables(self) -> tuple[list[int], list[Symbol]]:
        return self._by_address(_VARIABLE)

    def _by_address(self, wanted: int) -> tuple[list[int], list[Symbol]]:
        found = sorted(
            (symbol.address, bind == _GLOBAL, symbol)
            for symbol, bind, kind in self._table
            if kind == wanted
        )  # of two names for one place, the global one comes last and counts
        return [address for address, _, _ in found], [symbol for _, _, symbol in found]

    @cached_property
    def _table(self) -> list[tuple[Symbol, int, int]]:
        """Defined symbols, binding, type; elftools itself would take a hundred times longer."""
        section: Any = self._elf.get_section_by_name(".symtab")
        if section is None:
            return []
        self._check_sizes()
        names: bytes = self._elf.get_section(section["sh_link"]).data()
        wide = self._elf.elfclass == _WIDE
        table = []
        for fields in struct.iter_unpack("<IBBHQQ" if wide else "<IIIBBH", section.data()):
            name, info, _, index, address, size = (
                fields if wide else (fields[0], *fields[3:], *fields[1:3])
            )
            if name and index:
                text = names[name : names.index(0, name)].decode()
                table.append((Symbol(text, address, size), info >> 4, info & 0xF))
        return table

    def _frames_in(self, symbol: str, pc: int) -> list[Frame]:
        """Return the functions around `pc`; the outermost one is called as its symbol is."""
        found = (self._code.frames(pc) if self._code else []) or [Frame(symbol, self.line(pc))]
        return [*found[:-1], found[-1]._replace(function=symbol)]

    def _symbol_around(self, pc: int) -> str | None:
        """Return the symbol of the function, without what a compiler adds for a part or a variant.

        A function without a size (assembly) goes on to the next one.
        """
        starts, functions = self._functions
        index = bisect.bisect_right(starts, pc) - 1
        if index < 0 or (functions[index].size and pc >= starts[index] + functions[index].size):
            return None
        return functions[index].name.partition(".")[0]

    @cached_property
    def _code(self) -> Code | None:
        return Code(self._dwarf) if self._elf.has_dwarf_info() else None

    @cached_property
    def _types(self) -> Types:
        if not self._elf.has_dwarf_info():
            msg = f"{self.path} has no debug information"
            raise UsageError(msg)
        return Types(self._dwarf)

    @property
    def _dwarf(self) -> Any:
        self._check_sizes()
        return self._elf.get_dwarf_info()

    def _check_sizes(self) -> None:
        """Raise for a section of more bytes than the file has; a library would make them all."""
        for section in self._elf.iter_sections():
            if section["sh_size"] > self._size and section.name not in {".bss", ".tables"}:
                raise ImageError(self.path, f"is damaged: its section {section.name} is too long")


def _bytes_of(path: Path) -> bytes:
    """Return all of a file."""
    try:
        return read_regular(path, _LARGEST)
    except OSError as error:
        raise ImageError(path, f"cannot be read: {error.strerror}") from error
