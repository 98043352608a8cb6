# SPDX-License-Identifier: Apache-2.0
"""Known differences from the real DMA-330: each row of the table in qemu-machines/README.md holds.

A test names its row (D1) where its docstring ends; rows that no program on a board can show are in
the tests of the engine.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from microcode import (
    COPY_64,
    DAR0,
    END,
    FTR0,
    INT_EVENT_RIS,
    INTCLR,
    INTEN,
    INTMIS,
    LD,
    LOCK_UP,
    NOP,
    SAR0,
    ST,
    STOPPED,
    WMB,
    Controller,
    loop,
    mov,
    wait_event,
)

from dmav3.errors import FaultError
from dmav3.evidence.probe import Kind

if TYPE_CHECKING:
    from dmav3 import Board
    from dmav3.evidence.probe import Record

TESTS = Path(__file__).parents[1]
README = TESTS.parent / "qemu-machines" / "README.md"
#: An event whose interrupt the firmware does not use.
EVENT = 9
SIZE, PAGE = 4096, 4096
#: Of the engine: nanoseconds of a cycle; cycles until an access is answered, until a lock-up.
CYCLE_NS, LATENCY, LOCK_UP_CYCLES = 5, 8, 1024


class Bench:
    """A controller whose faults the firmware does not see, and two buffers in DRAM."""

    def __init__(self, board: Board) -> None:
        """Fill the source with random bytes, the target with 0x5A; neither is in the cache."""
        self.board, self.controller = board, Controller(board)
        self.controller.mask_abort()
        self.source = board.memory.allocate(SIZE, align=PAGE).address
        self.target = board.memory.allocate(2 * SIZE, align=PAGE).address
        self.data = random.Random(9).randbytes(SIZE)  # noqa: S311 - to be repeatable
        board.memory.stage(board.memory.staging.start, self.data)
        board.request("copy", self.source, board.memory.staging.start, SIZE)
        board.request("fill", self.target, 2 * SIZE, 0x5A)
        board.request("clean_invalidate", self.source, SIZE)
        board.request("clean_invalidate", self.target, 2 * SIZE)

    def start(self, program: bytes, channel: int = 0, control: int = COPY_64) -> None:
        """Run a program behind the three DMAMOV that most need."""
        head = mov(0, self.source) + mov(2, self.target) + mov(1, control)
        self.controller.start(head + program, channel)

    def moved(self) -> bytes:
        """Return what is in the target, in DRAM."""
        return self.board.dram.read(self.target, 2 * SIZE)

    def records(self, kind: Kind) -> list[Record]:
        """Return what was recorded of a kind."""
        return [one for one in self.board.evidence.events.all() if one.kind == kind]


@pytest.fixture
def bench(board: Board) -> Bench:
    """Return one."""
    return Bench(board)


def test_every_row_that_can_be_provoked_has_a_test() -> None:
    """Rows of evidence V, and no others, are named by tests, each of them."""
    rows = dict(re.findall(r"^\| (D\d+) \|.*\| (\S.*?) \|$", README.read_text(), re.MULTILINE))
    assert list(rows) == [f"D{number}" for number in range(1, len(rows) + 1)]
    assert 0 < len(rows) <= 12
    letters = {letter for evidence in rows.values() for letter in evidence.split()}
    assert letters <= {"V", "S", "T", "M"}
    files = [*TESTS.glob("emu/test_*.py"), *TESTS.glob("c/engine/test_*.c")]
    named = set(re.findall(r"\bD\d+\b", "".join(path.read_text() for path in files)))
    assert {row for row, evidence in rows.items() if "V" in evidence} == named & set(rows)


def test_every_access_takes_the_same_time(bench: Bench) -> None:
    """One of 8 beats, wherever it goes: nothing else is on the bus, and no memory is slow (D1)."""
    bench.start((LD + ST + WMB) * 3 + END)
    stores = [one.time_ns for one in bench.records(Kind.INSTRUCTION) if one.b == ST[0]]
    loads = [one.time_ns for one in bench.records(Kind.INSTRUCTION) if one.b == LD[0]]
    steps = {load - store for store, load in zip(stores, loads[1:], strict=False)}
    assert len(steps) == 1
    assert min(steps) >= (LATENCY + 8) * CYCLE_NS


def test_a_start_fetches_the_program_anew(bench: Bench) -> None:
    """What has been written over the last program is executed, without an invalidate (D2)."""
    bench.start(NOP * 3 + END)
    bench.start(LD + ST + WMB + END)
    assert bench.moved()[:64] == bench.data[:64]


def test_a_start_leaves_addresses_and_control_as_they_are(bench: Bench) -> None:
    """A second program that sets none of them goes on where the first ended (D3)."""
    bench.start(LD + ST + WMB + END)
    bench.controller.start(LD + ST + WMB + END)
    assert bench.moved()[:128] == bench.data[:128]
    assert bench.controller.read(SAR0) == bench.source + 128


def test_a_pending_event_becomes_an_interrupt_and_back(bench: Bench) -> None:
    """When its bit of INTEN is set, or cleared; INTCLR takes it as an interrupt only (D4)."""
    controller = bench.controller
    controller.execute(0x00340000 | EVENT << 27)
    assert (controller.read(INT_EVENT_RIS), controller.read(INTMIS)) == (1 << EVENT, 0)
    controller.write(INTEN, 1 << EVENT)
    assert controller.read(INTMIS) == 1 << EVENT
    controller.write(INTEN, 0)
    assert (controller.read(INT_EVENT_RIS), controller.read(INTMIS)) == (1 << EVENT, 0)
    controller.write(INTEN, 1 << EVENT)
    controller.write(INTCLR, 1 << EVENT)
    assert controller.read(INT_EVENT_RIS) == 0


def test_a_lock_up_is_told_so_long_after_the_last_progress(bench: Bench) -> None:
    """A program that loads more than the FIFO holds, and stores nothing (D5)."""
    with bench.board.expect("microcode-full-fifo"):
        bench.start(loop(40, LD) + END)
    assert bench.controller.read(FTR0) == LOCK_UP
    (fault,) = bench.records(Kind.CHANNEL_FAULT)
    last = max(one.time_ns for one in bench.records(Kind.INSTRUCTION) if one.b == LD[0])
    waited = fault.time_ns - last
    assert LOCK_UP_CYCLES * CYCLE_NS <= waited < (LOCK_UP_CYCLES + 200) * CYCLE_NS
    bench.controller.kill()


def test_cacheability_and_protection_reach_nobody(bench: Bench) -> None:
    """No memory refuses an access for them, and none is cached on its way (D8)."""
    every = COPY_64 | 7 << 8 | 7 << 11 | 7 << 22 | 7 << 25
    bench.start(LD + ST + WMB + END, control=every)
    assert (bench.controller.state(), bench.controller.read(DAR0)) == (STOPPED, bench.target + 64)
    assert bench.moved()[:64] == bench.data[:64]


@pytest.mark.dmav3_machine("virt-a53-coherent")
def test_a_cpu_with_one_view_sees_what_is_stored_a_little_later(board: Board) -> None:
    """While it waits, without a look at a register: after its quantum at the latest (D10)."""
    bench = Bench(board)
    bench.controller.begin(
        mov(0, bench.source) + mov(2, bench.target) + mov(1, COPY_64) + LD + ST + WMB
        + wait_event(EVENT) + END
    )  # fmt: skip
    board.request("wait", 200_000)
    assert board.cpu.read(bench.target, 64) == bench.data[:64]


@pytest.mark.parametrize("bits", ["8", "16", "64"])
def test_registers_take_32_bits_only(board: Board, bits: str) -> None:
    """Other accesses abort."""
    with pytest.raises(FaultError, match="run_peek"):
        board.request("peek", board.machine.pl330[0].base + 0x100, bits)
