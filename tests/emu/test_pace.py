# SPDX-License-Identifier: Apache-2.0
"""DMA takes time: transfers are held, stepped, paced and sliced, and end as if nothing had been."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import pytest
from microcode import COPY_64, CPC0, CSR0, FTR0, Controller, copy, kill, loop, mov, two, wait_for

from dmav3 import Board
from dmav3.deadline import deadline
from dmav3.errors import MonitorError, UsageError
from dmav3.journal import Journal
from dmav3.probe import Kind
from dmav3.stream import Control
from dmav3.transfer import Piece, Transfer
from dmav3.wdm import DmaWidth

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Buffer
    from dmav3.channel import Channel
    from dmav3.probe import Record

DEVICE = "/machine/peripheral/dmav3"
SAR0, DAR0, CCR0, LC0, FSRC = 0x400, 0x404, 0x408, 0x40C, 0x034
REGISTERS = (CSR0, CPC0, FTR0, SAR0, DAR0, CCR0, LC0)
#: Ways to let a transfer run.
WAYS = ("free", "held", "stepped")
#: A request line that no device has, which is therefore always ready.
READY = 9
LD, ST, WMB, END = b"\x04", b"\x08", b"\x13", b"\x00"
#: The abort interrupt of the PL330, 176 + 32, in the distributor's ICENABLER.
DISABLE_ABORT = (0x08000180 + 4 * 6, 1 << 16)


def registers(controller: Controller) -> list[int]:
    """Return what channel 0 shows of itself."""
    return [controller.read(register) for register in REGISTERS]


def go_on(board: Board, channel: Channel, way: str) -> None:
    """Let a channel that is held go on to the next burst, or, with "free", to its end."""
    if way == "stepped":
        channel.step()
    elif way == "free":
        channel.release()
        board.wait(100_000)
    else:
        bursts = [record.b for record in board.events.all() if record.kind == Kind.HELD][-1]
        channel.hold_at_burst = bursts + 2
        channel.release()
        board.wait(100_000)


def run(board: Board, program: bytes, way: str) -> int:
    """Run a program on channel 0 to its end; return how often it was held."""
    channel, held = board.channel(0), 0
    channel.hold_at_burst = int(way != "free")
    Controller(board).start(program)
    while channel.held:
        held += 1
        go_on(board, channel, way)
    board.wait(1000)  # after a step, an event waits for time to pass
    channel.hold_at_burst = 0
    return held


def long_copy(source: int, target: int, size: int) -> bytes:
    """Return a program that copies a multiple of 16 KiB in bursts of 64 bytes."""
    head = mov(0, source) + mov(2, target) + mov(1, COPY_64)
    body = loop(256, LD + ST + WMB)
    return head + bytes([0x22, size // 16384 - 1]) + body + bytes([0x3C, len(body)]) + END


def conditional(request: int) -> Callable[[int, int], bytes]:
    """Return a maker of a program whose loads and stores depend on the type of request."""

    def program(source: int, target: int) -> bytes:
        wait = bytes([0x30 | request, READY << 3])
        body = wait + b"\x05\x09" + b"\x07\x0b" + WMB
        head = mov(0, source) + mov(2, target) + mov(1, 0x00004001 if request == 0 else COPY_64)
        return head + loop(20, body) + b"\x34\x48" + END

    return program


PROGRAMS: dict[str, Callable[[int, int], bytes]] = {
    "copy": lambda s, t: copy(s, t, 2048),
    "no barrier": lambda s, t: mov(0, s) + mov(2, t) + mov(1, COPY_64) + loop(9, LD + ST) + END,
    "two loads, two stores": lambda s, t: (
        mov(0, s) + mov(2, t) + mov(1, COPY_64) + loop(9, LD + LD + ST + ST) + END
    ),
    "unaligned": lambda s, t: (
        mov(0, s + 4) + mov(2, t + 4) + mov(1, 0x000DC037) + loop(9, LD + ST + WMB) + END
    ),
    "zeroes": lambda _, t: mov(2, t + 64) + mov(1, COPY_64) + loop(9, b"\x0c" + WMB) + END,
    "strided": lambda s, t: (
        mov(0, s) + mov(2, t) + mov(1, 0x0001C007) + loop(9, LD + b"\x54\x10\0" + ST) + END
    ),
    "single requests": conditional(0),
    "peripheral requests": conditional(1),
    "burst requests": conditional(2),
    "bursts of a device": lambda s, t: (
        mov(0, s)
        + mov(2, t)
        + mov(1, COPY_64)
        + loop(9, bytes([0x32, READY << 3, 0x27, READY << 3, 0x2B, READY << 3]) + WMB)
        + END
    ),
}


@pytest.mark.dmav3_cache(schedule="lru")
@pytest.mark.parametrize("name", PROGRAMS)
def test_holds_leave_no_trace_in_a_program(board: Board, name: str) -> None:
    """Held at each burst or stepped, a program leaves the same bytes and registers as unheld."""
    source, target = two(board, 4096)
    controller, results, held = Controller(board), [], []
    for way in WAYS:
        board.request("clean_invalidate", target.address, target.size)
        board.fill(target, 0x5A)
        board.request("clean_invalidate", target.address, target.size)
        controller.write(LC0, 0)
        held.append(run(board, PROGRAMS[name](source.address, target.address), way))
        results.append((board.dram.read(target.address, target.size), registers(controller)))
    assert results[0][1][0] & 0xF == 0
    assert results[1] == results[0]
    assert results[2] == results[0]
    assert held[0] == 0
    assert held[1] >= held[2] > 1
    assert not board.probe.spoiled


@dataclass(frozen=True)
class Shape:
    """A transfer of the back end."""

    bits: int
    write: bool
    offset: int
    units: int


SHAPES = [
    *(Shape(bits, write, 0, 5) for bits in (8, 16, 32) for write in (True, False)),
    *(Shape(bits, write, 1, 5) for bits in (16, 32) for write in (True, False)),
    Shape(32, write=True, offset=0, units=2 * 256 + 3),
    Shape(8, write=False, offset=3, units=256),
    Shape(16, write=True, offset=4090, units=300),
]


class BackEnd:
    """Runs one shape through the DMA layer again and again."""

    def __init__(self, board: Board, shape: Shape) -> None:
        """Prepare a buffer whose pages lie scattered, an adapter, and bytes."""
        self.board, self.shape, self.held = board, shape, 0
        self.size = shape.units * shape.bits // 8
        self.data = random.Random(5).randbytes(self.size)  # noqa: S311 - to be repeatable
        self.buffer = board.memory.allocate(
            shape.offset + self.size, name="message", region="scatter", align=4096
        )
        address = self.buffer.address + shape.offset
        self.mdl = board.IoAllocateMdl(address, self.size)
        board.MmBuildMdlForNonPagedPool(self.mdl)
        stream = board.machine.stream
        self.adapter = board.IoGetDmaAdapter(
            DmaChannel=0,
            DmaWidth=DmaWidth.of_bits(shape.bits),
            DmaRequestLine=stream.transmit if shape.write else stream.receive,
            DeviceAddress=stream.base,
        )

    def run(
        self, way: str, *, hold_at_byte: int = 0, look: Callable[[], object] = lambda: None
    ) -> tuple[bytes, list[int]]:
        """Run it; return the bytes that arrived and the registers of the channel at the end.

        :param look: is called while the channel is held.
        """
        board, shape = self.board, self.shape
        assert self.adapter is not None
        if shape.write:
            board.write(self.buffer, self.data, shape.offset)
        else:
            board.stream.receive_put(self.data)
        channel = board.channel(0)

        def arm() -> None:
            enable = Control.TRANSMIT_REQUEST if shape.write else Control.RECEIVE_REQUEST
            frame = Control.frame(shape.bits // 8)
            board.request("poke", board.machine.stream.base + 8, "32", enable | frame)
            channel.hold_at_burst = int(way != "free")
            channel.hold_at_byte = hold_at_byte

        def run_until(condition: Callable[[], bool], _deadline: int = 0) -> None:
            while not condition():
                if channel.held:
                    self.held += 1
                    look()
                    go_on(board, channel, way)
                else:
                    board.wait(1_000_000, "callback")
            channel.hold_at_burst = 0

        self.held = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(board, "run_until", run_until)
            piece = Piece(self.buffer, self.mdl, 0, self.size, shape.write)
            Transfer(
                board, Journal(board), self.adapter, piece, arm=arm, advance=lambda _: None
            ).run()
        board.wait(10_000)
        moved = (
            board.stream.sent_take()
            if shape.write
            else board.read(self.buffer, self.size, shape.offset)
        )
        return moved, registers(Controller(board))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_holds_leave_no_trace_in_the_back_end(board: Board, shape: Shape) -> None:
    """Held at each burst or stepped, every program of the back end ends as it does unheld."""
    back_end = BackEnd(board, shape)
    free = back_end.run("free")
    assert free[0] == back_end.data
    for way in WAYS[1:]:
        assert back_end.run(way) == free
        assert back_end.held == shape.units
    assert board.findings() == []


@pytest.mark.dmav3_cache(schedule="lru")
def test_a_transfer_is_held_at_a_byte(board: Board) -> None:
    """Held at byte 4,096 of 65,536: registers and both views say so; released, all is right."""
    size, done = 65536, 4096
    source, target = two(board, size)
    data = board.dram.read(source.address, size)
    channel, controller = board.channel(0), Controller(board)
    channel.hold_at_byte = done
    controller.start(long_copy(source.address, target.address, size))
    assert channel.held
    assert controller.read(CSR0) & 0xF == 1  # executing
    assert controller.read(SAR0) == source.address + done
    assert controller.read(DAR0) == target.address + done
    for view in (board.dram, board.cpu):  # nothing of the target is cached
        assert view.read(target.address, size) == data[:done] + bytes(size - done)
    (held,) = [record for record in board.events.all() if record.kind == Kind.HELD]
    assert (held.id, held.b, held.c) == (0, done // 64, done)
    channel.release()
    assert channel.held is False
    assert controller.read(DAR0) >= target.address + done  # this command lets time pass
    board.wait(1000)
    assert controller.read(CSR0) & 0xF == 0
    assert board.dram.read(target.address, size) == data
    board.request("invalidate", target.address, size)
    assert board.read(target) == data


def test_a_transfer_of_the_back_end_is_held_at_a_byte(board: Board) -> None:
    """What the device has given out, memory, and the channel's registers agree to the byte."""
    shape = Shape(32, write=False, offset=0, units=16384)
    back_end, done = BackEnd(board, shape), 4096
    seen: list[tuple[bytes, int, int]] = []
    channel, controller = board.channel(0), Controller(board)
    board.fill(back_end.buffer, 0)

    def look() -> None:
        if channel.held and not seen:
            moved = b"".join(board.dram.read(*piece) for piece in back_end.buffer.ranges)
            seen.append((moved, controller.read(DAR0), controller.read(CSR0) & 0xF))

    pieces = back_end.buffer.ranges
    first, length = pieces[0]
    after = first + done if done < length else pieces[1][0]
    moved, _ = back_end.run("free", hold_at_byte=done, look=look)
    assert moved == back_end.data
    ((held, target, state),) = seen
    assert held == back_end.data[:done] + bytes(65536 - done)
    assert target in {first + done, after}
    assert state == 1
    assert board.findings() == []


def test_a_reset_ends_a_hold(board: Board) -> None:
    """Nothing of it is left, and the board need not be thrown away; holds work as before."""
    for _ in range(2):
        source, target = two(board, 4096)
        channel = board.channel(0)
        channel.hold_at_burst = 2
        Controller(board).start(copy(source.address, target.address, 4096))
        assert channel.held
        board.reset()
        assert not channel.held
        assert not board.probe.spoiled
        assert Controller(board).read(CSR0) == 0


def test_a_release_waits_for_time_and_a_step_does_not(board: Board) -> None:
    """Between commands `step` moves a burst at once, and after `release` nothing moves."""
    source, target = two(board, 4096)
    data = board.dram.read(source.address, 4096)
    channel = board.channel(0)
    channel.hold_at_burst = 2
    Controller(board).start(copy(source.address, target.address, 4096))
    board.probe.settle()
    before = board.probe.time_ns
    channel.step()
    assert board.dram.read(target.address, 4096) == data[:128] + bytes(4096 - 128)
    channel.release()
    board.qmp.execute("query-status")
    assert board.dram.read(target.address, 4096) == data[:128] + bytes(4096 - 128)
    board.probe.settle()
    assert board.probe.time_ns == before
    board.wait(1000)
    assert board.dram.read(target.address, 4096) == data


def test_each_channel_is_held_for_itself(board: Board) -> None:
    """While one channel is held another runs to its end; a kill ends the held one."""
    source, target = two(board, 4096)
    controller, held = Controller(board), board.channel(3)
    held.hold_at_burst = 5
    controller.start(copy(source.address, target.address, 4096), channel=3)
    assert held.held
    controller.program_at += 1024
    controller.start(copy(source.address + 1024, target.address + 1024, 1024), channel=1)
    data = board.dram.read(source.address, 2048)
    moved = board.dram.read(target.address, 2048)
    assert moved == data[:256] + bytes(768) + data[1024:]
    kill(controller, channel=3)
    assert not held.held
    assert controller.read(CSR0 + 8 * 3) & 0xF == 0
    assert not board.probe.spoiled


@pytest.mark.parametrize("interval", [100, 1000])
def test_a_paced_channel_takes_its_time(board: Board, interval: int) -> None:
    """After n bursts n intervals of model time have passed; a cancel comes in the middle."""
    source, target = two(board, 4096)
    data = board.dram.read(source.address, 4096)
    controller, channel = Controller(board), board.channel(0)
    channel.burst_interval_ns = interval
    at = [record.time_ns for record in traced(board, lambda: copy_paced(board, source, target))]
    steps = {after - before for before, after in pairwise(at)}
    assert steps == {interval}
    assert len(at) == 64
    assert controller.read(CSR0) & 0xF == 0
    assert board.dram.read(target.address, 4096) == data


def copy_paced(board: Board, source: Buffer, target: Buffer) -> None:
    """Copy 4 KiB, and give it time."""
    Controller(board).start(copy(source.address, target.address, 4096))
    assert Controller(board).read(CSR0) & 0xF == 1
    board.wait(100_000)


def traced(board: Board, doing: Callable[[], object]) -> list[Record]:
    """Return the loads that the controller began meanwhile."""
    board.qmp.set("trace", 1)
    since = len(board.events.all())
    doing()
    records = board.events.since(since)
    return [one for one in records if one.kind == Kind.INSTRUCTION and one.b & 0xFF == LD[0]]


def test_the_trace_has_what_each_channel_executed(board: Board) -> None:
    """Address, bytes of the instruction, address and size of its burst, in order, held or not."""
    source, target = two(board, 4096)
    program = mov(0, source.address) + mov(2, target.address) + mov(1, COPY_64)
    program += loop(2, LD + ST) + b"\x34\x48" + END
    board.qmp.set("trace", 1)
    logs = []
    for way in WAYS:
        since = len(board.events.all())
        run(board, program, way)
        records = board.events.since(since)
        logs.append([(r.id, r.a, r.b, r.c, r.d) for r in records if r.kind == Kind.INSTRUCTION])
    at = Controller(board).program_at
    assert logs[0][3:] == [
        (0, at + 18, 0x120, 0, 0),
        (0, at + 20, 0x04, source.address, 64),
        (0, at + 21, 0x08, target.address, 64),
        (0, at + 22, 0x238, 0, 0),
        (0, at + 20, 0x04, source.address + 64, 64),
        (0, at + 21, 0x08, target.address + 64, 64),
        (0, at + 22, 0x238, 0, 0),
        (0, at + 24, 0x4834, 0, 0),
        (0, at + 26, 0x00, 0, 0),
    ]
    assert logs[1] == logs[2] == logs[0]


def log_with_holds() -> list[Record]:
    """Hold, step, release and pace; return the event log."""
    with Board(trace=True) as board:
        source, target = two(board, 4096)
        channel = board.channel(0)
        channel.hold_at_burst, channel.burst_interval_ns = 3, 777
        Controller(board).start(copy(source.address, target.address, 4096))
        board.wait(10_000)
        channel.step()
        channel.release()
        board.wait(100_000)
        assert board.events.lost == 0
        kinds = {Kind.DMAGO, Kind.INSTRUCTION, Kind.HELD}
        records = [record for record in board.events.all() if record.kind in kinds]
        return [replace(record, time_ns=0, command=0, seq=0) for record in records]


def test_equal_holds_give_equal_logs() -> None:
    """With holds, steps and paces the controller does the same in the same order.

    Model times, and so the command in which something happens, are left out: while a timer of
    ours runs they differ by some hundred nanoseconds from run to run.
    """
    log = log_with_holds()
    assert len(log) > 200
    assert log_with_holds() == log


class TestContainment:
    """Programs that do not end."""

    FOREVER: ClassVar = {
        "an empty loop": b"\x2c\x00",
        "a loop of nothing": b"\x18\x2c\x01",
        "a loop that waits for a device that is ready": wait_for(READY) + b"\x2c\x02",
        "a loop of copies": mov(1, COPY_64) + LD + ST + b"\x2c\x02",
    }

    @pytest.mark.parametrize("name", FOREVER)
    def test_an_endless_program_is_only_slow(self, board: Board, name: str) -> None:
        """The CPU goes on, the monitor answers within a second, DMAKILL ends the channel."""
        source, target = two(board, 4096)
        controller = Controller(board)
        ends = mov(1, 0x1DC076 & ~(1 << 14))  # both sides fixed
        program = mov(0, source.address) + mov(2, target.address) + self.FOREVER[name]
        controller.start(program.replace(mov(1, COPY_64), ends))
        for _ in range(3):
            assert controller.read(CSR0) & 0xF == 1
            with deadline(1):
                assert board.qmp.execute("query-status")["running"]
            board.wait(20_000_000)
        kill(controller)
        assert registers(controller)[0] & 0xF == 0
        controller.start(copy(source.address, target.address, 4096))
        data = board.dram.read(source.address, 4096)
        assert board.dram.read(target.address, 4096) == data

    def test_two_endless_programs_both_go_on(self, board: Board) -> None:
        """Neither takes all the time."""
        source, target = two(board, 4096)
        controller = Controller(board)
        for n in (0, 1):
            board.qmp.set("slice-instructions", 100_000)
            copy_fixed = mov(1, 0x1D8076) + b"\x54\x08\x00" + LD + ST + b"\x2c\x05"
            controller.start(mov(0, source.address) + mov(2, target.address) + copy_fixed, n)
            controller.program_at += 1024
        board.wait(5_000_000)
        assert board.qmp.get("held", f"{DEVICE}/channel[0]") == 0
        before = [controller.read(SAR0 + 0x20 * n) for n in (0, 1)]
        board.wait(5_000_000)
        assert all(controller.read(SAR0 + 0x20 * n) != before[n] for n in (0, 1))
        kill(controller, 0)
        kill(controller, 1)

    @pytest.mark.dmav3_fresh
    def test_what_cannot_be_sliced_faults(self, board: Board) -> None:
        """A loop with loaded bytes that are never stored is a lock-up, recorded with its place."""
        source, _ = two(board, 4096)
        controller = Controller(board)
        board.request("poke", *DISABLE_ABORT[:1], "32", DISABLE_ABORT[1])
        controller.start(mov(0, source.address) + mov(1, COPY_64) + LD + b"\x18\x2c\x01")
        assert controller.read(CSR0) & 0xF == 15
        assert controller.read(FTR0) == 1 << 31
        assert controller.read(FSRC) == 1
        (fault,) = [one for one in board.events.all() if one.kind == Kind.CHANNEL_FAULT]
        assert (fault.id, fault.b) == (0, 1 << 31)
        assert controller.program_at + 13 <= fault.a <= controller.program_at + 14
        kill(controller)
        assert controller.read(FTR0) == 0
        board.probe.settle()
        assert board.probe.spoiled


class TestBusErrors:
    """Accesses that no memory and no device answers."""

    HOLE = 0x0F800000

    def fault_of(self, board: Board, program: bytes) -> tuple[int, int, int, int]:
        """Run a program that faults; return CSR state, FSRC, FTR, CPC, then kill the channel."""
        controller = Controller(board)
        board.request("poke", *DISABLE_ABORT[:1], "32", DISABLE_ABORT[1])
        controller.start(program)
        seen = tuple(controller.read(register) for register in (CSR0, FSRC, FTR0, CPC0))
        kill(controller)
        assert controller.read(FTR0) == controller.read(FSRC) == controller.read(CSR0) & 0xF == 0
        assert not board.probe.spoiled
        return seen[0] & 0xF, seen[1], seen[2], seen[3] - controller.program_at

    def test_a_load_from_a_hole_faults(self, board: Board) -> None:
        """FTR says data_read_err, at the load; nothing has been stored."""
        _, target = two(board, 4096)
        program = copy(self.HOLE, target.address, 4096)
        assert self.fault_of(board, program) == (15, 1, 1 << 18, 20)
        assert board.dram.read(target.address, 4096) == bytes(4096)

    def test_a_store_to_a_hole_faults(self, board: Board) -> None:
        """FTR says data_write_err, behind the store."""
        source, _ = two(board, 4096)
        program = copy(source.address, self.HOLE, 4096)
        assert self.fault_of(board, program) == (15, 1, 1 << 17, 22)

    def test_a_program_in_a_hole_faults(self, board: Board) -> None:
        """FTR says instr_fetch_err; without that it would look as a program that has ended."""
        controller = Controller(board)
        board.request("poke", *DISABLE_ABORT[:1], "32", DISABLE_ABORT[1])
        for register, value in ((0xD08, 0x00A00000), (0xD0C, self.HOLE), (0xD04, 0)):
            controller.write(register, value)
        seen = [controller.read(register) for register in (CSR0, FSRC, FTR0, CPC0)]
        assert seen == [15, 1, 1 << 16, self.HOLE]
        kill(controller)

    def test_a_range_may_be_made_faulty(self, board: Board) -> None:
        """A copy goes on up to the range; the range itself is not written."""
        source, target = two(board, 4096)
        data = board.dram.read(source.address, 4096)
        board.qmp.set("fault-base", target.address + 1024)
        board.qmp.set("fault-size", 64)
        program = copy(source.address, target.address, 4096)
        assert self.fault_of(board, program) == (15, 1, 1 << 17, 22)
        assert board.dram.read(target.address, 4096) == data[:1024] + bytes(3072)
        board.qmp.set("fault-size", 0)
        run(board, program, "free")
        assert board.dram.read(target.address, 4096) == data

    def test_the_firmware_sees_the_fault(self, board: Board) -> None:
        """The abort interrupt comes, and the back end kills the channel."""
        _, target = two(board, 4096)
        controller = Controller(board)
        controller.start(copy(self.HOLE, target.address, 4096))
        assert controller.read(CSR0) & 0xF == 0
        (fault,) = [one for one in board.events.all() if one.kind == Kind.CHANNEL_FAULT]
        assert (fault.id, fault.b, fault.c) == (0, 1 << 18, self.HOLE)


class TestProperties:
    """A wrong value or moment is refused, by name, and changes nothing."""

    @pytest.mark.parametrize(
        ("path", "name", "value", "said"),
        [
            (DEVICE, "trace", 2, "trace=2"),
            (DEVICE, "slice-instructions", 0, "slice-instructions=0"),
            (DEVICE, "unsliceable-instructions", 10**10, "unsliceable-instructions=10000000000"),
            (DEVICE, "fault-base", 1 << 32, "fault-base=4294967296"),
            (DEVICE, "fault-size", (1 << 32) + 1, "fault-size=4294967297"),
            (DEVICE + "/channel[7]", "burst-interval-ns", 10**10, "burst-interval-ns=10000000000"),
            (DEVICE + "/channel[0]", "hold-at-burst", -1, "hold-at-burst"),
            (DEVICE + "/channel[0]", "hold-at-byte", "many", "hold-at-byte"),
            (DEVICE + "/channel[0]", "held", 1, "held"),
        ],
    )
    def test_a_wrong_value(
        self, board: Board, path: str, name: str, value: object, said: str
    ) -> None:
        """The error names the property; it keeps its value."""
        before = board.qmp.get(name, path)
        with pytest.raises(MonitorError, match=said):
            board.qmp.set(name, value, path)
        assert board.qmp.get(name, path) == before

    def test_a_channel_that_does_not_exist(self, board: Board) -> None:
        """Neither Python nor the monitor knows a ninth one."""
        with pytest.raises(UsageError, match="channel 8 does not exist"):
            board.channel(8)
        with pytest.raises(MonitorError, match=r"channel\[8\]"):
            board.qmp.set("hold-at-burst", 1, DEVICE + "/channel[8]")

    def test_a_wrong_moment(self, board: Board) -> None:
        """A channel that is not held does not go on; one that is past a place is not held there."""
        source, target = two(board, 4096)
        channel = board.channel(2)
        with pytest.raises(MonitorError, match="step=1: channel 2 is not held"):
            channel.step()
        with pytest.raises(MonitorError, match="release=1: channel 2 is not held"):
            channel.release()
        channel.hold_at_burst = 3
        Controller(board).start(copy(source.address, target.address, 4096), channel=2)
        assert (channel.held, channel.hold_at_burst) == (True, 0)
        with pytest.raises(MonitorError, match="hold-at-burst=3: channel 2 has come to 3"):
            channel.hold_at_burst = 3
        with pytest.raises(MonitorError, match="hold-at-byte=128: channel 2 has come to 128"):
            channel.hold_at_byte = 128
        with pytest.raises(MonitorError, match="step=2"):
            board.qmp.set("step", 2, DEVICE + "/channel[2]")
        assert channel.held
        kill(Controller(board), channel=2)
