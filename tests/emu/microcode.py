# SPDX-License-Identifier: Apache-2.0
"""PL330 programs by hand, for tests of the silicon that trust no firmware layer."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dmav3 import Board, Buffer

# Registers, DDI 0424 3.3.
DSR, DPC, INTEN, INT_EVENT_RIS, INTMIS, INTCLR = 0x000, 0x004, 0x020, 0x024, 0x028, 0x02C
FSRD, FSRC, FTRD, FTR0, CSR0, CPC0 = 0x030, 0x034, 0x038, 0x040, 0x100, 0x104
SAR0, DAR0, CCR0, LC0 = 0x400, 0x404, 0x408, 0x40C
DBGSTATUS, DBGCMD, DBGINST0, DBGINST1 = 0xD00, 0xD04, 0xD08, 0xD0C
#: Bits of FTRn.
UNDEFINED, OPERAND, NO_DATA, FETCH, WRITE, READ = 1 << 0, 1 << 1, 1 << 13, 1 << 16, 1 << 17, 1 << 18
LOCK_UP = 1 << 31
#: States in CSRn.
STOPPED, EXECUTING, WAITING_EVENT, WAITING_PERIPHERAL, FAULTING = 0, 1, 4, 7, 15
AT_REST = STOPPED, WAITING_EVENT, WAITING_PERIPHERAL, FAULTING
#: The abort interrupt of the PL330, 176 + 32, in the distributor's ICENABLER.
_DISABLE_ABORT = (0x08000180 + 4 * 6, 1 << 16)
#: Both sides incrementing, beats of 8 bytes, bursts of 8.
COPY_64 = 0x001DC077
_SAR, _CCR, _DAR = 0, 1, 2
LD, ST, STZ, WMB, NOP, END = b"\x04", b"\x08", b"\x0c", b"\x13", b"\x18", b"\x00"


def mov(register: int, value: int) -> bytes:
    """Return DMAMOV."""
    return bytes([0xBC, register]) + struct.pack("<I", value)


def loop(count: int, body: bytes) -> bytes:
    """Return `body` in a loop of 1 to 256 rounds on LC0."""
    return bytes([0x20, count - 1]) + body + bytes([0x38, len(body)])


def wait_for(line: int) -> bytes:
    """Return DMAWFP, single."""
    return bytes([0x30, line << 3])


def flush(line: int) -> bytes:
    """Return DMAFLUSHP."""
    return bytes([0x35, line << 3])


def wait_event(event: int) -> bytes:
    """Return DMAWFE."""
    return bytes([0x36, event << 3])


def send_event(event: int) -> bytes:
    """Return DMASEV."""
    return bytes([0x34, event << 3])


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

    def put(self, program: bytes) -> None:
        """Put a program into memory."""
        padded = program + bytes(-len(program) % 8)
        for offset, (word,) in enumerate(struct.iter_unpack("<Q", padded)):
            self._board.request("poke", self.program_at + 8 * offset, "64", word)

    def begin(self, program: bytes, channel: int = 0, *, nonsecure: bool = False) -> None:
        """Put a program into memory and start it."""
        self.put(program)
        self.execute((0x00A20000 if nonsecure else 0x00A00000) | channel << 24, self.program_at)

    def start(self, program: bytes, channel: int = 0, *, nonsecure: bool = False) -> None:
        """Put a program into memory, start it, and let it run until it is at rest."""
        self.begin(program, channel, nonsecure=nonsecure)
        self.settle(channel)

    def runs(self, channel: int = 0) -> bool:
        """Return whether a channel executes a program, and does not wait for anybody."""
        return self.state(channel) not in AT_REST

    def settle(self, channel: int = 0) -> None:
        """Let time pass until the channel has ended, faults, waits or is held: at most 1 ms."""
        for _ in range(50):
            if self.state(channel) in AT_REST or self._board.channel(channel).held:
                break
            self._board.wait(20_000)

    def kill(self, channel: int = 0) -> None:
        """Let a channel execute DMAKILL."""
        self.execute(0x00010001 | channel << 8)

    def execute(self, instruction: int, operand: int = 0) -> None:
        """Let the debug interface execute an instruction."""
        self.write(DBGINST0, instruction)
        self.write(DBGINST1, operand)
        self.write(DBGCMD, 0)

    def execute_code(self, code: bytes, channel: int | None = None) -> None:
        """Let it execute an instruction as it is encoded, by the manager or by a channel."""
        first, second = struct.unpack("<HI", code.ljust(6, b"\0"))
        self.execute(first << 16 | (0 if channel is None else channel << 8 | 1), second)

    def state(self, channel: int = 0) -> int:
        """Return the state of a channel."""
        return self.read(CSR0 + 8 * channel) & 0xF

    def fault(self, channel: int = 0) -> int:
        """Return FTRn."""
        return self.read(FTR0 + 4 * channel)

    def mask_abort(self) -> None:
        """Keep faults from the firmware, which would kill the channel."""
        self._board.request("poke", _DISABLE_ABORT[0], "32", _DISABLE_ABORT[1])


def two(board: Board, size: int) -> tuple[Buffer, Buffer]:
    """Return a source of random bytes and a target of zeroes, in DRAM and not in the cache."""
    source = board.memory.allocate(size, name="source", align=4096)
    target = board.memory.allocate(size, name="target", align=4096)
    board.write(source, random.Random(size).randbytes(size))  # noqa: S311 - to be repeatable
    board.fill(target, 0)
    for buffer in (source, target):
        board.request("clean_invalidate", buffer.address, size)
    return source, target
