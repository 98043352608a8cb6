# SPDX-License-Identifier: Apache-2.0
"""What both controllers are given to do, and what is seen of them afterwards.

Each channel has a program, bytes to read (`source`) and bytes to write (`target`), all at the same
addresses on both sides. Nobody may tell the one from the other by time: after each step both sides
run until no channel goes on.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from assembler import assemble

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS = 8
#: Bytes of a channel's program, of its source and of its target, which are `GAP` apart: both sides'
#: bytes of a target include those before and behind it.
CODE, SOURCE, TARGET, GAP = 0x200, 0x800, 0x1000, 0x100
WINDOW = CHANNELS * (CODE + SOURCE + TARGET + GAP)
#: Where nothing is, on both sides.
NOWHERE = 0xA0000000
#: Registers, DDI 0424 3.3.
DSR, INTEN, RIS, INTMIS, INTCLR = 0x000, 0x020, 0x024, 0x028, 0x02C
FSRD, FSRC, FTRD, DBGSTATUS, DBGCMD, DBGINST0 = 0x030, 0x034, 0x038, 0xD00, 0xD04, 0xD08
_NAMED = {"INTEN": INTEN, "INTCLR": INTCLR, "WD": 0xE80}
_GLOBAL = {
    "DSR": DSR,
    "INTEN": INTEN,
    "RIS": RIS,
    "INTMIS": INTMIS,
    "FSRD": FSRD,
    "FSRC": FSRC,
    "FTRD": FTRD,
    "DBGSTATUS": DBGSTATUS,
    "WD": 0xE80,
}
_OF_CHANNEL = {
    "status": (0x100, 8),
    "pc": (0x104, 8),
    "fault": (0x040, 4),
    "SAR": (0x400, 0x20),
    "DAR": (0x404, 0x20),
    "CCR": (0x408, 0x20),
    "LC0": (0x40C, 0x20),
    "LC1": (0x410, 0x20),
}
#: What is seen, and at which offset.
REGISTERS = _GLOBAL | {
    f"C{n}.{name}": start + step * n
    for n in range(CHANNELS)
    for name, (start, step) in _OF_CHANNEL.items()
}
#: CSRn: what a channel does, and what it waits for.
STATE, WAITS, NONSECURE = 0xF, 0xC1F0, 1 << 21
STOPPED, FAULTING, AT_REST = 0, 15, (0, 4, 7, 15)

#: What is seen by name: a register, an output, bytes.
Outcome = dict[str, int | bytes]


def pattern(size: int) -> bytes:
    """Return bytes that are never all alike."""
    return random.Random(size).randbytes(size)  # noqa: S311 - to be repeatable


@dataclass(frozen=True)
class Layout:
    """Where things lie on both sides.

    :ivar start: of `WINDOW` bytes.
    """

    start: int

    def code(self, channel: int) -> int:
        """Return where a channel's program is."""
        return self.start + channel * CODE

    def source(self, channel: int) -> int:
        """Return what it may read."""
        return self.start + CHANNELS * CODE + channel * SOURCE

    def target(self, channel: int) -> int:
        """Return what it may write."""
        return self.start + CHANNELS * (CODE + SOURCE) + channel * (TARGET + GAP)

    def symbols(self, channel: int) -> dict[str, int]:
        """Return what names in a channel's program stand for."""
        of_all = {f"target{n}": self.target(n) for n in range(CHANNELS)}
        of_all |= {f"code{n}": self.code(n) for n in range(CHANNELS)}
        return of_all | {
            "code": self.code(channel),
            "source": self.source(channel),
            "target": self.target(channel),
            "nowhere": NOWHERE,
        }


@dataclass(frozen=True)
class Scenario:
    """What happens.

    :ivar programs: of channels, an instruction a line (assembler.py).
    :ivar steps: `start 0 3`, `start 1 ns`; `debug C3 DMASEV E9`, `debug M DMAKILL`;
        `write INTEN 0x10`; `patch 0 2 DMANOP`: put an instruction at an offset of a program.
    """

    programs: Mapping[int, tuple[str, ...]]
    steps: tuple[str, ...] = field(default=())

    def memory(self, layout: Layout) -> bytes:
        """Return the window as it is before anything happens."""
        window = bytearray(pattern(WINDOW))
        window[: CHANNELS * CODE] = bytes(CHANNELS * CODE)
        for channel, code in self.assembled(layout).items():
            window[channel * CODE : channel * CODE + len(code)] = code
        return bytes(window)

    def assembled(self, layout: Layout) -> dict[int, bytes]:
        """Return the bytes of each program."""
        found = {
            channel: assemble(program, layout.symbols(channel))
            for channel, program in self.programs.items()
        }
        assert all(len(code) <= CODE for code in found.values())
        return found

    @cached_property
    def orders(self) -> tuple[str, ...]:
        """Return the steps; without any, all channels are started one behind the other."""
        return self.steps or (f"start {' '.join(map(str, self.programs))}",)

    def __str__(self) -> str:
        """Spell it as bugs.toml does."""
        lines = [f"{channel}: {'; '.join(lines)}" for channel, lines in self.programs.items()]
        return "\n".join([*lines, f"steps: {', '.join(self.orders)}"])


@dataclass(frozen=True)
class Write:
    """A store to a register, or (`patch`) bytes that are put into the window."""

    offset: int
    value: int = 0
    patch: bytes = b""


def writes(step: str, layout: Layout) -> list[Write]:
    """Return what a step consists of."""
    kind, *words = step.split()
    if kind == "write":
        return [Write(_NAMED[words[0]], int(words[1], 0))]
    if kind == "patch":
        channel, offset = int(words[0]), int(words[1])
        code = assemble([" ".join(words[2:])], layout.symbols(channel))
        return [Write(layout.code(channel) - layout.start + offset, patch=code)]
    if kind == "debug":
        by = 0 if words[0] == "M" else int(words[0][1:]) << 8 | 1
        return _debug(by, assemble([" ".join(words[1:])], layout.symbols(0)))
    channels = [int(word) for word in words if word != "ns"]
    go = "DMAGO C{0}, {1}" + (", ns" if "ns" in words else "")
    return [
        write for n in channels for write in _debug(0, assemble([go.format(n, layout.code(n))]))
    ]


def _debug(by: int, code: bytes) -> list[Write]:
    first, second = struct.unpack("<HI", code.ljust(6, b"\0"))
    return [Write(DBGINST0, first << 16 | by), Write(DBGINST0 + 4, second), Write(DBGCMD)]


def observed(registers: Mapping[str, int], lines: int, window: bytes) -> Outcome:
    """Return what is seen, with CSRn taken apart."""
    seen: Outcome = {name: value for name, value in registers.items() if "status" not in name}
    for n in range(CHANNELS):
        status = registers[f"C{n}.status"]
        seen[f"C{n}.state"], seen[f"C{n}.waits"] = status & STATE, status & WAITS
        seen[f"C{n}.nonsecure"] = int(bool(status & NONSECURE))
        at = CHANNELS * (CODE + SOURCE) + n * (TARGET + GAP)
        seen[f"C{n}.target"] = window[at : at + TARGET + GAP]
    seen["lines"], seen["sources"] = lines, window[: CHANNELS * (CODE + SOURCE)]
    return seen


def differences(ours: Outcome, theirs: Outcome) -> dict[str, tuple[int | bytes, int | bytes]]:
    """Return what differs, by name, with both values."""
    return {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
