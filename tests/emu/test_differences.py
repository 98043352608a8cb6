# SPDX-License-Identifier: Apache-2.0
"""Known differences from the real DMA-330: each row of the table in qemu-machines/README.md holds.

A test names its row (D13) where its docstring ends; rows about faults, time and resets are in the
tests of those.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from microcode import (
    CCR0,
    COPY_64,
    CPC0,
    CSR0,
    DAR0,
    DBGSTATUS,
    DPC,
    DSR,
    END,
    EXECUTING,
    FAULTING,
    FSRD,
    FTRD,
    INT_EVENT_RIS,
    INTCLR,
    INTEN,
    INTMIS,
    LD,
    LOCK_UP,
    NO_DATA,
    NOP,
    OPERAND,
    ST,
    STOPPED,
    STZ,
    UNDEFINED,
    WAITING_EVENT,
    WAITING_PERIPHERAL,
    Controller,
    copy,
    loop,
    mov,
    send_event,
    wait_event,
    wait_for,
)

from dmav3.errors import FaultError
from dmav3.evidence.probe import Kind

if TYPE_CHECKING:
    from dmav3 import Board

TESTS = Path(__file__).parent
README = TESTS.parents[1] / "qemu-machines" / "README.md"
#: Request lines: one that is always ready, one that is not until the stream's requests are enabled.
READY, NOT_READY = 9, 1
#: An event whose interrupt the firmware does not use.
EVENT = 9
#: One beat of 8 bytes; four; both sides increment.
ONE_8, FOUR_8 = 0x0001C007, 0x000DC037
SIZE = 4096
DEBUG_INSTRUCTION = 1 << 30


class Bench:
    """A controller whose faults the firmware does not see, and two buffers in DRAM."""

    def __init__(self, board: Board) -> None:
        """Fill the source with random bytes, the target with 0x5A; neither is in the cache."""
        self.board, self.controller = board, Controller(board)
        self.controller.mask_abort()
        self.source = board.memory.allocate(SIZE, align=4096).address
        target = board.memory.allocate(2 * SIZE, align=4096)
        self.target = target.address
        self.data = random.Random(9).randbytes(SIZE)  # noqa: S311 - to be repeatable
        board.memory.stage(board.memory.staging.start, self.data)
        board.request("copy", self.source, board.memory.staging.start, SIZE)
        board.fill(target, 0x5A)
        board.request("clean_invalidate", self.source, SIZE)
        board.request("clean_invalidate", self.target, 2 * SIZE)

    def start(self, program: bytes, channel: int = 0, control: int = COPY_64) -> None:
        """Run a program behind the three DMAMOV that every one needs."""
        head = mov(0, self.source) + mov(2, self.target) + mov(1, control)
        self.controller.start(head + program, channel)

    def ended(self, program: bytes, control: int = COPY_64) -> bytes:
        """Run a program that must end without a fault; return what is in the target."""
        self.start(program, control=control)
        assert (self.controller.state(), self.controller.fault()) == (STOPPED, 0)
        return self.moved()

    def faulted(self, program: bytes, control: int = COPY_64) -> tuple[int, int]:
        """Run a program that must fault; return FTRn and where, behind the three DMAMOV."""
        self.start(program, control=control)
        assert self.controller.state() == FAULTING
        place = self.controller.read(CPC0) - self.controller.program_at - 18
        return self.controller.fault(), place

    def moved(self) -> bytes:
        """Return what is in the target, in DRAM."""
        return self.board.dram.read(self.target, 2 * SIZE)


@pytest.fixture
def bench(board: Board) -> Bench:
    """Return one."""
    return Bench(board)


def test_every_row_that_can_be_provoked_has_a_test() -> None:
    """Rows of evidence V, and no others, are named by tests, each of them."""
    rows = dict(re.findall(r"^\| (D\d+) \|.*\| (\S.*?) \|$", README.read_text(), re.MULTILINE))
    assert len(rows) > 50
    assert list(rows) == [f"D{number}" for number in range(1, len(rows) + 1)]
    letters = {letter for evidence in rows.values() for letter in evidence.split()}
    assert letters <= {"V", "S", "T", "M"}
    text = "".join(path.read_text() for path in TESTS.glob("test_*.py"))
    named = set(re.findall(r"\bD\d+\b", text))
    assert {row for row, evidence in rows.items() if "V" in evidence} == named & set(rows)


class TestTime:
    """When things happen."""

    def test_a_transfer_is_over_when_its_start_is(self, bench: Bench) -> None:
        """The very next access of the CPU finds it stopped, and all bytes there (D1)."""
        assert bench.ended(loop(64, LD + ST) + END)[:SIZE] == bench.data

    def test_channels_run_one_after_the_other(self, bench: Bench, board: Board) -> None:
        """Both wait for an event; when it comes, the lower one runs to its end first (D4)."""
        for channel in (2, 1):
            bench.start(wait_event(EVENT) + NOP * 8 + END, channel)
            bench.controller.program_at += 64
        bench.controller.execute(0x00340000 | EVENT << 27)
        records = [one for one in board.evidence.events.all() if one.kind == Kind.INSTRUCTION]
        after = [one.id for one in records if one.b in {0x18, 0x00}]
        assert after == [1] * 9 + [2] * 9

    def test_an_interrupt_enable_wakes_nobody(self, bench: Bench) -> None:
        """A channel whose event is no interrupt any more goes on with the next instruction (D5)."""
        controller = bench.controller
        controller.write(INTEN, 1 << EVENT)
        bench.start(wait_event(EVENT) + END)
        controller.execute(0x00340000 | EVENT << 27)
        controller.write(INTEN, 0)
        assert controller.state() == WAITING_EVENT
        controller.execute(0x00010000)  # the manager, which is stopped already
        assert controller.state() == STOPPED

    def test_a_program_is_fetched_anew_on_every_attempt(self, bench: Bench, board: Board) -> None:
        """What is overwritten while the channel waits is executed as it is then (D6)."""
        bench.start(wait_event(EVENT) + NOP * 6 + END)
        for place, byte in enumerate(LD + ST + END):
            board.request("poke", bench.controller.program_at + 20 + place, "8", byte)
        bench.controller.execute(0x00340000 | EVENT << 27)
        assert bench.moved()[:64] == bench.data[:64]


class TestMemory:
    """What reaches the bus, and how."""

    def test_security_reaches_no_access(self, bench: Bench) -> None:
        """A non-secure channel with a secure CCR runs, instead of ch_rdwr_err (D13)."""
        head = mov(0, bench.source) + mov(2, bench.target) + mov(1, COPY_64)
        bench.controller.start(head + LD + ST + END, nonsecure=True)
        assert bench.controller.state() == STOPPED
        assert bench.controller.read(CSR0) >> 21 & 1 == 1
        assert bench.moved()[:64] == bench.data[:64]

    def test_bytes_are_not_swapped(self, bench: Bench) -> None:
        """endian_swap_size of 32 bits has no effect (D14)."""
        assert bench.ended(LD + ST + END, COPY_64 | 2 << 28)[:64] == bench.data[:64]

    def test_beats_may_be_wider_than_the_bus(self, bench: Bench) -> None:
        """128 bytes at once, where CRD says 8 (D15)."""
        wide = COPY_64 & ~(7 << 1 | 7 << 15) | 7 << 1 | 7 << 15
        assert bench.ended(LD + ST + END, wide)[:1024] == bench.data[:1024]


class TestFifo:
    """The FIFO, its queues, and who waits for whom."""

    def test_the_fifo_holds_twice_what_it_says(self, bench: Bench) -> None:
        """4,096 bytes on their way, of 2,048 in CRD (D17)."""
        lines, width = (bench.controller.read(0xE14) >> 20 & 0x3FF) + 1, 8
        assert lines * width == 2048
        assert bench.ended(loop(64, LD) + loop(64, ST) + END)[:SIZE] == bench.data

    def test_more_than_that_locks_up(self, bench: Bench) -> None:
        """As silicon does at half of it (D17)."""
        assert bench.faulted(loop(66 + 16, LD) + loop(66 + 16, ST) + END)[0] == LOCK_UP

    def test_barriers_are_not_needed(self, bench: Bench) -> None:
        """A load behind a store sees what the store wrote, without DMAWMB (D18)."""
        program = LD + ST + mov(0, bench.target) + LD + ST + END
        assert bench.ended(program)[64:128] == bench.data[:64]

    def test_there_is_no_watchdog_register(self, bench: Bench) -> None:
        """WD reads as zero whatever was written (D22)."""
        bench.controller.write(0xE80, 1)
        assert bench.controller.read(0xE80) == 0

    def test_a_channel_that_can_not_go_on_locks_up_at_once(self, bench: Bench) -> None:
        """Though another one might make room: nobody waits for that (D22)."""
        assert bench.faulted(loop(256, LD) + END)[0] == LOCK_UP


class TestInstructions:
    """What single instructions do."""

    def test_an_end_with_loaded_bytes_is_a_lock_up(self, bench: Bench, board: Board) -> None:
        """It is not discarded; the process is poisoned (D24)."""
        assert bench.faulted(LD + END) == (LOCK_UP, 1)
        assert board.evidence.probe.spoiled == 1

    def test_a_store_without_data_faults(self, bench: Bench, board: Board) -> None:
        """st_data_unavailable; it poisons nothing, because nothing was loaded (D25)."""
        assert bench.faulted(ST + END)[0] == NO_DATA
        bench.controller.kill()
        assert not board.evidence.probe.spoiled
        assert bench.ended(LD + ST + END)[:64] == bench.data[:64]

    @pytest.mark.parametrize("control", [0x003DC0F7, FOUR_8], ids=["16 beats", "4 beats"])
    def test_zeroes_are_stored_without_gaps(self, bench: Bench, control: int) -> None:
        """QEMU skips memory where the write queue is full, and writes beyond the end (D26)."""
        size = 32 * (128 if control == 0x003DC0F7 else 32)
        moved = bench.ended(loop(32, STZ) + END, control)
        assert moved == bytes(size) + b"\x5a" * (2 * SIZE - size)
        assert bench.controller.read(DAR0) == bench.target + size

    def test_zeroes_may_come_between_other_stores(self, bench: Bench) -> None:
        """And DMASTZ itself leaves no trace of how it is made right (D26)."""
        moved = bench.ended(loop(20, LD + ST + STZ) + END)
        assert moved[: 20 * 128] == b"".join(
            bench.data[64 * n : 64 * n + 64] + bytes(64) for n in range(20)
        )

    def test_unaligned_zeroes_go_too_far(self, bench: Bench) -> None:
        """DAR does not become aligned behind the first burst (D27)."""
        moved = bench.ended(mov(2, bench.target + 4) + STZ + STZ + END, FOUR_8)
        assert bench.controller.read(DAR0) == bench.target + 4 + 64
        assert moved[:72] == b"\x5a" * 4 + bytes(28) + b"\x5a" * 4 + bytes(28) + b"\x5a" * 8

    def test_a_single_store_is_a_whole_burst(self, bench: Bench) -> None:
        """DMASTS after a single request wants as much data as DMAST (D28)."""
        program = wait_for(READY) + b"\x05\x09" + END
        assert bench.faulted(program, FOUR_8)[0] == NO_DATA

    def test_the_type_of_request_outlives_its_program(self, bench: Bench) -> None:
        """Neither DMAEND nor DMAGO nor DMAKILL resets it (D29)."""
        bench.start(bytes([0x32, READY << 3]) + END)
        bench.controller.kill()
        assert bench.ended(b"\x05\x09" + b"\x07\x0b" + END)[:72] == bench.data[:64] + b"\x5a" * 8

    def test_a_load_from_a_peripheral_asks_nobody(self, bench: Bench) -> None:
        """DMALDP on a line that is not ready is a DMALD (D30)."""
        program = bytes([0x25, NOT_READY << 3]) + ST + END
        assert bench.ended(program, ONE_8)[:8] == bench.data[:8]

    def test_a_wait_for_a_peripheral_shows_no_number(self, bench: Bench) -> None:
        """CSRn has 0 where the peripheral should be; a ready one is not waited for (D31)."""
        bench.start(wait_for(NOT_READY) + END, 3)
        assert bench.controller.read(CSR0 + 24) & 0x1FF == WAITING_PERIPHERAL
        assert bench.ended(wait_for(READY) + LD + ST + END)[:64] == bench.data[:64]

    def test_a_request_of_any_type_counts_as_a_burst(self, bench: Bench) -> None:
        """DMAWFP P makes loads of bursts, never of singles (D31)."""
        program = bytes([0x31, READY << 3]) + b"\x05\x09" + b"\x07\x0b" + END
        assert bench.ended(program)[:72] == bench.data[:64] + b"\x5a" * 8

    def test_a_flush_of_a_peripheral_does_nothing(self, bench: Bench) -> None:
        """It ends at once, whatever the line is (D32)."""
        program = bytes([0x35, NOT_READY << 3]) + wait_for(READY) + LD + ST + END
        assert bench.ended(program)[:64] == bench.data[:64]

    def test_a_loop_does_not_end_with_the_last_request(self, bench: Bench, board: Board) -> None:
        """A peripheral cannot say that it is the last one (D33)."""
        bench.start(wait_for(READY) + b"\x2c\x02" + END)
        board.wait(50_000_000)
        assert bench.controller.state() == EXECUTING
        bench.controller.kill()

    def test_an_opcode_that_is_none_loops_for_ever(self, bench: Bench) -> None:
        """0x28 is taken for DMALPEND (D34)."""
        bench.start(NOP + b"\x28\x01" + END)
        assert bench.controller.state() == EXECUTING
        bench.controller.kill()

    def test_a_start_of_a_running_channel_faults_the_manager(self, bench: Bench) -> None:
        """It is not ignored; and a faulting manager starts channels all the same (D35, D36)."""
        controller = bench.controller
        bench.start(wait_for(NOT_READY) + END, 3)
        controller.execute(0x03A00000, controller.program_at)
        assert controller.read(DSR) == FAULTING
        assert controller.read(FTRD) == DEBUG_INSTRUCTION | OPERAND
        assert controller.read(FSRD) == 1
        controller.program_at += 64
        assert bench.ended(LD + ST + END)[:64] == bench.data[:64]

    def test_a_program_may_kill_itself(self, bench: Bench) -> None:
        """DMAKILL is executed like DMAEND, but waits for nothing (D37)."""
        assert bench.ended(b"\x01" + LD) == b"\x5a" * (2 * SIZE)

    def test_there_is_no_cache_of_instructions_to_invalidate(self, bench: Bench) -> None:
        """DMAWFE takes the bit and ignores it; reserved ones are refused (D38)."""
        program = send_event(EVENT) + bytes([0x36, EVENT << 3 | 2]) + LD + ST + END
        assert bench.ended(program)[:64] == bench.data[:64]
        assert bench.faulted(bytes([0x36, EVENT << 3 | 1]) + END) == (OPERAND, 0)

    @pytest.mark.parametrize(
        ("instruction", "fault"),
        [
            (b"\x35\x01", OPERAND),
            (b"\x34\xf8", OPERAND),
            (b"\x06", OPERAND),
            (b"\xbc\x03\0\0\0\0", OPERAND),
            (b"\xff", UNDEFINED),
        ],
        ids=["DMAFLUSHP", "DMASEV", "DMALD", "DMAMOV", "none"],
    )
    def test_the_place_of_a_fault_is_its_instruction(
        self, bench: Bench, instruction: bytes, fault: int
    ) -> None:
        """QEMU's program counter is behind it for most (D39)."""
        assert bench.faulted(NOP + instruction + END) == (fault, 1)


class TestRegisters:
    """What the CPU sees of the controller, and what it may write."""

    def test_the_control_register_begins_with_zero(self, bench: Bench) -> None:
        """Not with 0x00800200 (D40)."""
        assert bench.controller.read(CCR0 + 0x20 * 6) == 0

    def test_an_instruction_that_cannot_be_debugged_faults(self, bench: Bench) -> None:
        """QEMU would be busy from then on, so that most firmware hangs (D41)."""
        controller = bench.controller
        controller.execute(0x00180001 | 2 << 8)
        assert controller.state(2) == FAULTING
        assert controller.fault(2) == DEBUG_INSTRUCTION | UNDEFINED
        assert controller.read(DBGSTATUS) == 0
        controller.kill(2)
        assert controller.state(2) == STOPPED

    @pytest.mark.parametrize("bits", ["8", "16", "64"])
    def test_registers_take_32_bits_only(self, board: Board, bits: str) -> None:
        """Other accesses abort, instead of giving what QEMU makes of them (D42)."""
        with pytest.raises(FaultError, match="run_peek"):
            board.request("peek", board.machine.pl330[0].base + CSR0, bits)

    def test_an_event_does_not_become_an_interrupt(self, bench: Bench) -> None:
        """One that is pending when INTEN is set stays what it is, and INTCLR takes it (D43)."""
        controller = bench.controller
        controller.execute(0x00340000 | EVENT << 27)
        controller.write(INTEN, 1 << EVENT)
        assert (controller.read(INT_EVENT_RIS), controller.read(INTMIS)) == (1 << EVENT, 0)
        controller.write(INTCLR, 1 << EVENT)
        assert controller.read(INT_EVENT_RIS) == 0

    def test_a_pending_interrupt_outlives_its_enable(self, bench: Bench) -> None:
        """INTMIS stays, and INTCLR does nothing until INTEN is set again (D44)."""
        controller = bench.controller
        controller.write(INTEN, 1 << EVENT)
        controller.execute(0x00340000 | EVENT << 27)
        controller.write(INTEN, 0)
        controller.write(INTCLR, 1 << EVENT)
        assert controller.read(INTMIS) == 1 << EVENT
        controller.write(INTEN, 1 << EVENT)
        controller.write(INTCLR, 1 << EVENT)
        assert controller.read(INTMIS) == 0

    def test_the_event_that_was_waited_for_stays_in_the_status(self, bench: Bench) -> None:
        """Also when the channel has stopped (D45)."""
        bench.ended(send_event(EVENT) + wait_event(EVENT) + END)
        assert bench.controller.read(CSR0) == EVENT << 4

    def test_the_manager_has_no_program_counter(self, bench: Bench) -> None:
        """DPC is 0, and nothing boots (D46)."""
        bench.ended(END)
        assert (bench.controller.read(DPC), bench.controller.read(DSR)) == (0, 0)
        assert bench.controller.read(0xE00) >> 1 & 1 == 0


class TestEnds:
    """What is left when a channel ends otherwise than by DMAEND."""

    def test_stores_go_on_behind_a_fault(self, bench: Bench) -> None:
        """What was queued when the channel faulted is stored, and nothing is poisoned (D51)."""
        assert bench.faulted(LD + ST + b"\xff")[0] == UNDEFINED
        assert bench.moved()[:64] == bench.data[:64]
        bench.controller.kill()
        assert bench.ended(copy(bench.source, bench.target, SIZE))[:SIZE] == bench.data
