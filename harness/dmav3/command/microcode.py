# SPDX-License-Identifier: Apache-2.0
"""`dmav3 disasm`: a program of the PL330 from a file, from a running board, or from a trace."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dmav3.board import recorded
from dmav3.board.elsewhere import BoardElsewhere
from dmav3.board.recorded import IMAGE, record_in
from dmav3.elf.image import read_elf
from dmav3.errors import UsageError, printable
from dmav3.evidence.findings import routine_names
from dmav3.evidence.mappings import namer
from dmav3.evidence.microcode import disassemble, listing, program
from dmav3.evidence.trace import executed
from dmav3.files import read_regular
from dmav3.qemu.running import find

if TYPE_CHECKING:
    from collections.abc import Callable

_CPU = "EM_AARCH64"
_LONGEST_FILE = 1 << 20  # bytes of a program in a file
_LONGEST_TRACE = 1 << 26  # bytes of a trace: some 16,384 lines, unless somebody asked for more
_LONGEST_PROGRAM = 4096  # bytes in a board's memory
#: What a folder that a test or a run left has in it.
_TRACE = "trace.txt"
_WAYS = (
    "dmav3 disasm program.bin; dmav3 disasm --board virt-a53 0x40a01000; "
    "or dmav3 disasm --trace trace.txt"
)
#: Narrower terminals get no column of bytes.
_WIDE = 60


@dataclass(frozen=True)
class DisasmOptions:
    """What the command line says.

    :ivar what: a file, or with `board` an address.
    :ivar at: where the program of a file lies in memory.
    :ivar image: by whose variables addresses are named; None: the board's, or the folder's.
    """

    what: str | None = None
    at: int = 0
    board: str | None = None
    trace: Path | None = None
    image: Path | None = None


def disasm(options: DisasmOptions) -> list[str]:
    """Return the listing of a program; what a terminal might obey is spelled out.

    :raises UsageError: there is nothing to list, or more than one thing.
    :raises ClosedError: the board has just ended.
    """
    return [printable(line) for line in _listed(options)]


def _listed(options: DisasmOptions) -> list[str]:
    if options.trace is not None and options.what is None and options.board is None:
        return _of_trace(options.trace, options.image)
    if options.trace is not None or options.what is None:
        msg = f"one program is needed: {_WAYS}"
        raise UsageError(msg)
    if options.board is not None:
        return _of_board(options.board, options.what, options.image)
    code = _read(Path(options.what), _LONGEST_FILE)
    return disassemble(code, options.at, _namer(options.image), brief=_is_narrow())


def _of_board(name: str, address: str, image: Path | None) -> list[str]:
    """Return the program at an address, as the controller would fetch it."""
    with BoardElsewhere(find(name)) as board:
        try:
            at = int(address, 0)
        except ValueError:
            msg = f"{address!r} is no address, such as 0x40a01000; `pl330` of dmav3 qmp shows some"
            raise UsageError(msg) from None
        left = board.probe.ram_base + board.probe.ram_size - at
        code = program(board.dram.read(at, min(_LONGEST_PROGRAM, max(left, 1))), at)
        if not code:
            msg = f"no program begins at {at:#x}: {board.dram.read(at, 1).hex()} is no instruction"
            raise UsageError(msg)
        named = _namer(image) if image else board.named
        return disassemble(code, at, named, brief=_is_narrow())


def _of_trace(path: Path, image: Path | None) -> list[str]:
    """Return each program that a trace shows, with how often its instructions were executed."""
    file = path / _TRACE if path.is_dir() else path
    text = _read(file, _LONGEST_TRACE).decode(errors="replace")
    programs = executed(text.split("\n"))
    if not programs:
        msg = f"{file} shows no program: a trace is needed, as `dmav3 trace` writes it"
        raise UsageError(msg)
    named = _names_in(path) if path.is_dir() and image is None else _namer(image)
    return [line for one in programs for line in (one.heading(), *listing(one.rows(), named))]


def _names_in(folder: Path) -> Callable[[int], str]:
    """Name addresses by the image of a run, and by what was mapped in it."""
    records, image = map(record_in, recorded.read(folder).events), read_elf(folder / IMAGE, _CPU)
    return namer(image, records, routine_names(image))


def _namer(image: Path | None) -> Callable[[int], str]:
    return read_elf(image, _CPU).named if image else lambda _: ""


def _read(path: Path, longest: int) -> bytes:
    try:
        return read_regular(path, longest)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise UsageError(msg) from None


def _is_narrow() -> bool:
    return sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns < _WIDE
