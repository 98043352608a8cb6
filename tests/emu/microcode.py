# SPDX-License-Identifier: Apache-2.0
"""PL330 programs by hand, for tests of the silicon that trust no firmware layer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dmav3 import Board

# Registers, DDI 0424 3.3.
INTEN, INT_EVENT_RIS, INTCLR, CSR0, CPC0, FTR0 = 0x020, 0x024, 0x02C, 0x100, 0x104, 0x040
DBGCMD, DBGINST0, DBGINST1 = 0xD04, 0xD08, 0xD0C
#: Both sides incrementing, beats of 8 bytes, bursts of 8.
COPY_64 = 0x001DC077
_SAR, _CCR, _DAR = 0, 1, 2
LD, ST, WMB, END = b"\x04", b"\x08", b"\x13", b"\x00"


def mov(register: int, value: int) -> bytes:
    """Return DMAMOV."""
    return bytes([0xBC, register]) + struct.pack("<I", value)


def loop(count: int, body: bytes) -> bytes:
    """Return `body` in a loop of 1 to 256 rounds on LC0."""
    return bytes([0x20, count - 1]) + body + bytes([0x38, len(body)])


def wait_for(line: int) -> bytes:
    """Return DMAWFP, single."""
    return bytes([0x30, line << 3])


def copy(source: int, target: int, size: int, beats: int = 8) -> bytes:
    """Return a program that copies whole bursts of 1 to 8 beats of 8 bytes, at most 256."""
    control = COPY_64 & ~(0xF << 4 | 0xF << 18) | (beats - 1) << 4 | (beats - 1) << 18
    head = mov(_SAR, source) + mov(_DAR, target) + mov(_CCR, control)
    return head + loop(size // (8 * beats), LD + ST + WMB) + END


class Controller:
    """The PL330 of a board, driven by the CPU's own loads and stores."""

    def __init__(self, board: Board) -> None:
        """Use the staging window, which is not cached, for programs."""
        self._board = board
        self._base = board.machine.pl330[0].base
        self.program_at = board.memory.staging.start

    def read(self, register: int) -> int:
        """Return a register."""
        return self._board.request("peek", self._base + register, "32").number("value")

    def write(self, register: int, value: int) -> None:
        """Set a register."""
        self._board.request("poke", self._base + register, "32", value)

    def start(self, program: bytes, channel: int = 0) -> None:
        """Put a program into memory and start it; it runs until it ends or waits."""
        padded = program + bytes(-len(program) % 8)
        for offset, (word,) in enumerate(struct.iter_unpack("<Q", padded)):
            self._board.request("poke", self.program_at + 8 * offset, "64", word)
        self.write(DBGINST0, 0x00A00000 | channel << 24)
        self.write(DBGINST1, self.program_at)
        self.write(DBGCMD, 0)
