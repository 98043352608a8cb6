# SPDX-License-Identifier: Apache-2.0
"""What the two models of the DMA controller cost QEMU: seconds of its CPU time."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from measuring import MIB, process_time

from dmav3 import Board
from dmav3.machine import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.machine import Machine

#: The machine whose controller is ours, and the one whose controller is QEMU's.
OURS = load("virt-a53")
_BARE = OURS.pl330[0].model_copy(update={"model": "qemu", "nonsecure_base": None})
THEIRS = OURS.model_copy(update={"pl330": (_BARE,)})
#: Memory that nobody else uses.
_SOURCE, _TARGET, _SIZE = 0x42000000, 0x42800000, 4 * MIB
_BURST = 64
#: DMAMOV CCR: both sides incrementing, eight beats of eight bytes.
_CONTROL = 0x001DC077
_CSR0, _DBGCMD, _DBGINST0 = 0x100, 0xD04, 0xD08
_WAIT_NS = 1_000_000
#: How often the CPU fills a buffer of a MiB.
_FILLS = 8


def four_mib(machine: Machine) -> float:
    """Copy 4 MiB from memory to memory, in bursts of 64 bytes; memory has been touched before."""
    with Board(machine, trace=False, judge=False) as board:
        _run(board, _SIZE // _BURST)
        return _time(board, lambda: _run(board, _SIZE // _BURST))


def cpu_beside(machine: Machine, *, held: bool) -> float:
    """Let the CPU store and load while the controller is idle, or a channel of it is held."""
    with Board(machine, trace=False, judge=False) as board:
        if held:
            board.channel(0).hold_at_burst = 1
            _start(board, 1)
            board.wait(_WAIT_NS)
            assert board.channel(0).held
        buffer = board.memory.allocate(MIB)

        def fill() -> None:
            for value in range(_FILLS):
                board.fill(buffer, value)

        return _time(board, fill)


def _time(board: Board, work: Callable[[], None]) -> float:
    before = process_time(board.qemu.pid)
    work()
    return process_time(board.qemu.pid) - before


def _run(board: Board, bursts: int) -> None:
    _start(board, bursts)
    base = board.machine.pl330[0].base
    while board.request("peek", base + _CSR0, "32").number("value") & 0xF:
        board.wait(_WAIT_NS)


def _start(board: Board, bursts: int) -> None:
    """Start channel 0 with a copy in two loops."""
    moves = ((0, _SOURCE), (2, _TARGET), (1, _CONTROL))
    inner = min(bursts, 256)
    program = b"".join(b"\xbc" + struct.pack("<BI", *it) for it in moves)
    program += bytes([0x22, bursts // inner - 1, 0x20, inner - 1])
    program += b"\x04\x08\x38\x02\x3c\x06\x13\x00"  # DMALD DMAST, the ends of both, DMAWMB DMAEND
    board.memory.stage(board.memory.staging.start, program)
    base = board.machine.pl330[0].base
    at = board.memory.staging.start
    start = ("poke", base + _DBGINST0, "32", 0x00A00000, at)
    board.request(*start, ";", "poke", base + _DBGCMD, "32", 0)
