# SPDX-License-Identifier: Apache-2.0
"""Faults as silicon has them; where QEMU cannot follow, a machine that stops and says so."""

from __future__ import annotations

import random
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from microcode import (
    COPY_64,
    CPC0,
    CSR0,
    END,
    FAULTING,
    FETCH,
    FSRC,
    FTR0,
    LD,
    NOP,
    READ,
    ST,
    STOPPED,
    STZ,
    WAITING_PERIPHERAL,
    WRITE,
    Controller,
    copy,
    loop,
    mov,
    wait_for,
)

from dmav3 import Board, build_image
from dmav3.deadlines import deadline
from dmav3.errors import FaultError
from dmav3.evidence.probe import Kind
from dmav3.machine.description import RAM_BASE

if TYPE_CHECKING:
    from pathlib import Path

    from dmav3 import Buffer

#: On `virt` there is nothing here.
HOLE = 0x0F800000
#: A page of registers that takes accesses of 32 bits only.
REFUSES_BYTES = 0x0B020000
#: A request line of the stream, which is not ready until its requests are enabled.
NOT_READY = 1
#: Both sides increment, one beat of one byte.
COPY_1 = 0x00004001


@pytest.fixture
def buffers(board: Board) -> tuple[Buffer, Buffer]:
    """Return a source of random bytes and a target of zeroes, in DRAM and not in the cache."""
    source = board.memory.allocate(4096, name="source", align=4096)
    target = board.memory.allocate(4096, name="target", align=4096)
    board.write(source, random.Random(4).randbytes(4096))  # noqa: S311 - to be repeatable
    board.fill(target, 0)
    for buffer in (source, target):
        board.request("clean_invalidate", buffer.address, buffer.size)
    return source, target


@pytest.fixture
def controller(board: Board) -> Controller:
    """Return the controller; the firmware does not see its faults."""
    controller = Controller(board)
    controller.mask_abort()
    return controller


class TestBusErrors:
    """Accesses that nothing answers, or that are answered with an error."""

    def fault_of(
        self, board: Board, controller: Controller, program: bytes, *, asked: bool = False
    ) -> tuple[int, int, int, int]:
        """Run a program that faults; return CSR state, FSRC, FTR, CPC, then kill the channel.

        :param asked: it was asked for; else it is a finding as well.
        """
        with nullcontext() if asked else board.expect("bus-error"):
            controller.start(program)
        seen = tuple(controller.read(register) for register in (CSR0, FSRC, FTR0, CPC0))
        controller.kill()
        assert (controller.fault(), controller.read(FSRC), controller.state()) == (0, 0, STOPPED)
        return seen[0] & 0xF, seen[1], seen[2], seen[3] - controller.program_at

    def test_a_load_from_a_hole_faults(
        self, board: Board, controller: Controller, buffers: tuple[Buffer, Buffer]
    ) -> None:
        """FTR says data_read_err, behind the load; nothing has been stored."""
        _, target = buffers
        program = copy(HOLE, target.address, 4096)
        assert self.fault_of(board, controller, program) == (FAULTING, 1, READ, 22)
        assert board.dram.read(target.address, 4096) == bytes(4096)

    def test_a_store_to_a_hole_faults(
        self, board: Board, controller: Controller, buffers: tuple[Buffer, Buffer]
    ) -> None:
        """FTR says data_write_err, behind the store."""
        program = copy(buffers[0].address, HOLE, 4096)
        assert self.fault_of(board, controller, program) == (FAULTING, 1, WRITE, 22)

    def test_a_program_in_a_hole_faults(self, board: Board, controller: Controller) -> None:
        """FTR says instr_fetch_err; without that it would look as a program that has ended."""
        with board.expect("bus-error"):
            controller.execute(0x00A00000, HOLE)
        seen = [controller.read(register) for register in (CSR0, FSRC, FTR0, CPC0)]
        assert seen == [FAULTING, 1, FETCH, HOLE]
        controller.kill()

    def test_an_instruction_that_ends_behind_the_memory_faults(
        self, board: Board, controller: Controller
    ) -> None:
        """It is not executed with bytes from nowhere."""
        board.qmp.set("fault-base", controller.program_at + 3)
        board.qmp.set("fault-size", 64)
        assert self.fault_of(board, controller, mov(0, 0x1234), asked=True)[:3] == (
            FAULTING,
            1,
            FETCH,
        )

    @pytest.mark.parametrize(
        ("last", "fault"),
        [
            (STZ + END, 0),
            (NOP + END, 0),
            (NOP, FETCH),
            (STZ, FETCH),
            (mov(0, 0)[:1], FETCH),
            (mov(0, 0)[:5], FETCH),
            (wait_for(NOT_READY)[:1], FETCH),
        ],
    )
    @pytest.mark.parametrize(
        "name",
        [
            pytest.param(name, marks=pytest.mark.dmav3_machine(name))
            for name in ("virt-a53", "virt-a53-coherent")
        ],
    )
    def test_nothing_is_fetched_from_behind_the_memory(
        self, board: Board, controller: Controller, name: str, last: bytes, fault: int
    ) -> None:
        """A program may end where RAM does; one that goes on faults, and QEMU lives."""
        assert board.machine.name == name
        start = RAM_BASE + (board.machine.memory_mib << 20) - len(last)
        stored = board.memory.allocate(64, name="its bytes")
        board.write(stored, last)
        board.request("clean", stored.address, 64)
        move = mov(0, stored.address) + mov(2, start) + mov(1, COPY_1) + loop(len(last), LD + ST)
        controller.start(move + mov(2, stored.address) + END)
        with board.expect("bus-error") if fault else nullcontext():
            controller.execute(0x00A00000, start)
        assert (controller.state(), controller.fault()) == (FAULTING if fault else STOPPED, fault)
        controller.kill()

    def test_a_range_may_be_made_faulty(
        self, board: Board, controller: Controller, buffers: tuple[Buffer, Buffer]
    ) -> None:
        """A copy goes on up to the range; the range itself is not written."""
        source, target = buffers
        data = board.dram.read(source.address, 4096)
        board.qmp.set("fault-base", target.address + 1024)
        board.qmp.set("fault-size", 64)
        program = copy(source.address, target.address, 4096)
        assert self.fault_of(board, controller, program, asked=True) == (FAULTING, 1, WRITE, 22)
        assert board.dram.read(target.address, 4096) == data[:1024] + bytes(3072)
        board.qmp.set("fault-size", 0)
        controller.start(program)
        assert board.dram.read(target.address, 4096) == data

    @pytest.mark.parametrize(("register", "fault"), [(0, READ), (2, WRITE)], ids=["load", "store"])
    def test_the_controllers_own_registers_answer_it_with_errors(
        self,
        board: Board,
        controller: Controller,
        buffers: tuple[Buffer, Buffer],
        register: int,
        fault: int,
    ) -> None:
        """Who programs a channel to program itself has gone wrong."""
        own = board.machine.pl330[0].base
        program = mov(0, buffers[0].address) + mov(2, buffers[1].address) + mov(1, 0x14005)
        program += mov(register, own) + LD + ST + END
        assert self.fault_of(board, controller, program)[:3] == (FAULTING, 1, fault)
        assert "Blocked re-entrant IO" not in board.qemu.log()

    @pytest.mark.parametrize(("register", "fault"), [(0, READ), (2, WRITE)], ids=["load", "store"])
    def test_a_device_that_refuses_an_access_faults_the_channel(
        self,
        board: Board,
        controller: Controller,
        buffers: tuple[Buffer, Buffer],
        register: int,
        fault: int,
    ) -> None:
        """It is known afterwards: the channel faults when all that it loaded is stored."""
        program = mov(0, buffers[0].address) + mov(2, buffers[1].address) + mov(1, COPY_1)
        program += mov(register, REFUSES_BYTES) + LD + ST + END
        assert self.fault_of(board, controller, program) == (FAULTING, 1, fault, 26)

    def test_the_firmware_sees_the_fault(
        self, board: Board, buffers: tuple[Buffer, Buffer]
    ) -> None:
        """The abort interrupt comes, and the back end kills the channel."""
        controller = Controller(board)
        with board.expect("bus-error"):
            controller.start(copy(HOLE, buffers[1].address, 4096))
        assert controller.state() == STOPPED
        (fault,) = [one for one in board.evidence.events.all() if one.kind == Kind.CHANNEL_FAULT]
        assert (fault.id, fault.b, fault.c, fault.e) == (0, READ, HOLE + 64, HOLE)

    def test_a_fault_of_the_models_own_is_recorded_as_well(
        self, board: Board, controller: Controller
    ) -> None:
        """The event log has every fault, with its place."""
        controller.start(b"\x18\xff")
        (fault,) = [one for one in board.evidence.events.all() if one.kind == Kind.CHANNEL_FAULT]
        assert (fault.id, fault.a, fault.b) == (0, controller.program_at + 1, 1)
        controller.kill()


class TestKills:
    """Channels that end otherwise than by their program."""

    def test_a_killed_channel_is_as_good_as_new(
        self, board: Board, controller: Controller, buffers: tuple[Buffer, Buffer]
    ) -> None:
        """It and the others work, before and after a reset."""
        source, target = buffers
        data = board.dram.read(source.address, 4096)
        moves = mov(0, source.address) + mov(2, target.address) + mov(1, COPY_64) + (LD + ST) * 9
        for _ in range(2):
            for channel in (0, 5):
                controller.start(moves + wait_for(NOT_READY) + END, channel)
                assert controller.state(channel) == WAITING_PERIPHERAL
                controller.kill(channel)
                controller.start(copy(source.address, target.address, 4096), channel)
                assert board.dram.read(target.address, 4096) == data
            board.reset()
            controller.mask_abort()
            source, target = board.memory.allocate(4096), board.memory.allocate(4096)
            board.write(source, data)
            board.request("clean", source.address, 4096)


class TestCrashes:
    """Where the firmware cannot go on, it says so in words, and never hangs."""

    DRIVER = """
#include <dmav3.h>
#include <dmav3_pci.h>
static volatile ULONG Sink;
static struct dmav3_pci Edu;
static __attribute__((noinline)) ULONG Deep(ULONG n)
{
    volatile ULONG frame[32];
    frame[n % 32] = n;
    return Sink == 1 ? 0 : Deep(n + 1) + frame[n % 32];
}
static VOID Deaf(PVOID context)
{
    (void)context;
    Sink++;
}
static NTSTATUS Crash(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    if (argument[0] == 0) {
        Deep(1);
    } else if (argument[0] == 1) {
        *(volatile ULONG *)4 = 1;
    } else if (argument[0] == 2) {
        ((void (*)(void))(ULONG_PTR)Sink)();
    } else {
        dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x11E8), 0, &Edu);
        dmav3_pci_enable(&Edu);
        dmav3_pci_connect_pin(&Edu, Deaf, NULL);
        WRITE_REGISTER_ULONG((volatile ULONG *)(Edu.bar[0] + 0x60), 1);
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(crash, "how", Crash);
"""

    def crash(self, board: Board, how: int) -> None:
        """Let it crash, in the command or behind it."""
        board.call("crash", how)
        board.wait(1000)

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            (0, r"in Deep \(.*crash\.c:\d+\): the stack of 64 KiB is full, called from Deep \("),
            (1, r"in Crash \(.*crash\.c:\d+\): a store to 0x4 \(NULL, or a member of"),
            (2, r"a jump to 0x0 by Crash \(.*crash\.c:\d+\): there is no code"),
            (3, r"in Deaf \(.*crash\.c:\d+\): interrupt 4 \(SPI\) came 10000 times in a row"),
        ],
        ids=["stack", "null", "jump", "storm"],
    )
    def test_it_is_told_in_words(self, tmp_path: Path, how: int, words: str) -> None:
        """With the place; a reset helps, and the stack is as large as before."""
        source = tmp_path / "crash.c"
        source.write_text(self.DRIVER)
        image = build_image(source, output=tmp_path / "crash.elf", optimise=1)
        with Board(image=image, devices=["edu"]) as board, deadline(60.0):
            for _ in range(2):
                with pytest.raises(FaultError, match=words):
                    self.crash(board, how)
                board.reset()
            assert board.request("ping")


class TestHeap:
    """What a driver does to memory that is not its own."""

    OVERRUN = """
#include <dmav3.h>
static PMDL Mdl;
static UCHAR Buffer[64];
static NTSTATUS Overrun(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    Mdl = IoAllocateMdl(Buffer, sizeof(Buffer), FALSE, FALSE, NULL);
    for (ULONGLONG n = 0; n < argument[0]; n++) {
        ((volatile UCHAR *)Mdl)[n] = (UCHAR)argument[1];
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(overrun, "bytes value", Overrun);
"""

    @pytest.mark.parametrize("value", [0x00, 0x40, 0xA5, 0xFF])
    def test_an_overrun_heap_is_a_fault_and_no_loop(self, tmp_path: Path, value: int) -> None:
        """At the next use of the heap, with what is wrong and who was there."""
        source = tmp_path / "overrun.c"
        source.write_text(self.OVERRUN)
        image = build_image(source, output=tmp_path / "overrun.elf")
        with Board(image=image) as board, deadline(30.0):
            board.call("overrun", 400, value)
            with pytest.raises(
                FaultError, match=r"the heap is overwritten: something wrote"
            ) as caught:
                board.dma.IoAllocateMdl(board.memory.allocate(64).address, 64)
            assert "heap.c" in str(caught.value)
