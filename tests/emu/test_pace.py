# SPDX-License-Identifier: Apache-2.0
"""DMA takes time: transfers are held, stepped and paced, and end as if nothing had been."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from microcode import (
    CCR0,
    COPY_64,
    CPC0,
    CSR0,
    DAR0,
    END,
    EXECUTING,
    FTR0,
    LC0,
    LD,
    NOP,
    SAR0,
    ST,
    STOPPED,
    STZ,
    WAITING_EVENT,
    WAITING_PERIPHERAL,
    WMB,
    Controller,
    copy,
    flush,
    loop,
    mov,
    send_event,
    two,
    wait_event,
    wait_for,
)

from dmav3 import Board
from dmav3.devices.stream import Control
from dmav3.evidence.probe import Kind
from dmav3.job.journal import Journal
from dmav3.job.subordinate import Piece, Transfer
from dmav3.qemu.qmp import BOARD
from dmav3.wdm import DISPATCH_LEVEL, PASSIVE_LEVEL, DmaWidth

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board, Buffer
    from dmav3.devices.channel import Channel
    from dmav3.evidence.probe import Record
    from dmav3.guest.memory import RegionName

REGISTERS = (CSR0, CPC0, FTR0, SAR0, DAR0, CCR0, LC0)
#: Ways to let a transfer run.
WAYS = ("free", "held", "stepped")
#: A request line that no device has, which is therefore always ready.
READY = 9


def registers(controller: Controller) -> list[int]:
    """Return what channel 0 shows of itself."""
    return [controller.read(register) for register in REGISTERS]


def go_on(board: Board, channel: Channel, way: str, stride: int = 1) -> None:
    """Let a channel that is held go on by `stride` bursts, by one, or, with "free", to its end."""
    if way == "stepped":
        channel.step()
    elif way == "free":
        channel.release()
        board.wait(100_000)
    else:
        bursts = [record.b for record in board.evidence.events.all() if record.kind == Kind.HELD][
            -1
        ]
        channel.hold_at_burst = bursts + 1 + stride
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
        head += flush(READY)
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
        + flush(READY)
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


@dataclass(frozen=True)
class Shape:
    """A transfer of the back end."""

    bits: int
    write: bool
    offset: int
    units: int
    beats: int = 1

    @property
    def loads(self) -> int:
        """How often the program loads: for bursts, an unaligned one in two, then for the rest."""
        in_two = self.beats > 1 and self.offset % (self.bits // 8)
        return self.units // self.beats * (2 if in_two else 1) + self.units % self.beats


SHAPES = [
    *(Shape(bits, write, 0, 5) for bits in (8, 16, 32) for write in (True, False)),
    *(Shape(bits, write, 1, 5) for bits in (16, 32) for write in (True, False)),
    Shape(32, write=True, offset=0, units=2 * 256 + 3),
    Shape(8, write=False, offset=3, units=256),
    Shape(16, write=True, offset=4090, units=300),
    Shape(64, write=True, offset=0, units=11, beats=4),
    Shape(64, write=False, offset=0, units=16, beats=16),
    Shape(32, write=True, offset=1, units=35, beats=8),  # two loads a burst
    Shape(16, write=True, offset=6, units=47, beats=16),
    Shape(8, write=False, offset=0, units=192, beats=3),
]


class BackEnd:
    """Runs one shape through the DMA layer again and again."""

    def __init__(self, board: Board, shape: Shape, region: RegionName = "scatter") -> None:
        """Prepare a buffer, of scattered pages unless said otherwise, an adapter, and bytes."""
        self.board, self.shape, self.held = board, shape, 0
        self.size = shape.units * shape.bits // 8
        self.data = random.Random(5).randbytes(self.size)  # noqa: S311 - to be repeatable
        self.buffer = board.memory.allocate(
            shape.offset + self.size, name="message", region=region, align=4096
        )
        address = self.buffer.address + shape.offset
        self.mdl = board.dma.IoAllocateMdl(address, self.size)
        board.dma.MmBuildMdlForNonPagedPool(self.mdl)
        stream = board.machine.stream
        self.adapter = board.IoGetDmaAdapter(
            DmaChannel=0,
            DmaWidth=DmaWidth.of_bits(shape.bits),
            DmaRequestLine=stream.transmit if shape.write else stream.receive,
            DeviceAddress=stream.base,
        )

    def run(
        self,
        way: str,
        *,
        stride: int = 1,
        hold_at_byte: int = 0,
        look: Callable[[], object] = lambda: None,
    ) -> tuple[bytes, list[int]]:
        """Run it; return the bytes that arrived and the registers of the channel at the end.

        :param stride: bursts from hold to hold.
        :param look: is called while the channel is held.
        """
        board, shape, adapter = self.board, self.shape, self.adapter
        assert adapter is not None
        if shape.write:
            board.write(self.buffer, self.data, shape.offset)
        else:
            board.stream.receive_put(self.data)
        channel = board.channel(0)

        def arm() -> None:
            enable = Control.TRANSMIT_REQUEST if shape.write else Control.RECEIVE_REQUEST
            frame = Control.frame(shape.bits // 8)
            board.request("poke", board.machine.stream.base + 8, "32", enable | frame)
            with board.dma.reference(shape.beats, 4) as cell:
                function = board.image.enum("pl330_function")["PL330_SET_BURST_BEATS"]
                assert adapter.ConfigureAdapterChannel(function, cell.address) == 0
            channel.hold_at_burst = int(way != "free")
            channel.hold_at_byte = hold_at_byte

        def run_until(condition: Callable[[], bool], _deadline: int = 0) -> None:
            while not condition():
                if channel.held:
                    self.held += 1
                    look()
                    go_on(board, channel, way, stride)
                else:
                    board.wait(1_000_000, "callback")
            channel.hold_at_burst = 0

        self.held = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(board.dma, "run_until", run_until)
            piece = Piece(self.buffer, self.mdl, 0, self.size, shape.write)
            Transfer(board, Journal(board), adapter, piece, arm=arm, advance=lambda _: None).run()
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
        assert back_end.held == shape.loads
    assert board.findings() == []


@pytest.mark.parametrize("write", [True, False])
def test_a_hold_leaves_no_trace_in_loops_that_count_to_their_end(
    board: Board, *, write: bool
) -> None:
    """Both counters run through all values, twice; held here and there, it ends as unheld."""
    back_end = BackEnd(board, Shape(8, write, 0, 2 * 65536 + 256 + 3), region="arena")
    free = back_end.run("free")
    assert free[0] == back_end.data
    assert back_end.run("held", stride=4099) == free
    assert back_end.held == 33
    assert board.findings() == []


@pytest.mark.dmav3_cache(schedule="lru")
def test_a_transfer_is_held_at_a_byte(board: Board) -> None:
    """Held at byte 4,096 of 65,536: registers and views say so; released, all is right."""
    size, done = 65536, 4096
    source, target = two(board, size)
    data = board.dram.read(source.address, size)
    channel, controller = board.channel(0), Controller(board)
    channel.hold_at_byte = done
    controller.start(long_copy(source.address, target.address, size))
    assert channel.held
    assert controller.state() == EXECUTING
    assert controller.read(SAR0) == source.address + done
    assert controller.read(DAR0) == target.address + done
    for view in (board.dram, board.cpu):  # nothing of the target is cached
        assert view.read(target.address, size) == data[:done] + bytes(size - done)
    (held,) = [record for record in board.evidence.events.all() if record.kind == Kind.HELD]
    assert (held.id, held.b, held.c) == (0, done // 64, done)
    channel.release()
    assert channel.held is False
    assert controller.read(DAR0) >= target.address + done  # this command lets time pass
    controller.settle()
    assert controller.state() == STOPPED
    assert board.dram.read(target.address, size) == data
    board.request("invalidate", target.address, size)
    assert board.read(target) == data


@pytest.mark.dmav3_cache(schedule="lru")
@pytest.mark.parametrize("write", [True, False])
def test_a_transfer_of_the_back_end_is_held_at_a_byte(board: Board, *, write: bool) -> None:
    """What the device has, both views, and the channel's registers agree to the byte."""
    done, size = 4096, 65536
    back_end = BackEnd(board, Shape(32, write, 0, size // 4))
    channel, controller, pages = board.channel(0), Controller(board), back_end.buffer.ranges
    board.fill(back_end.buffer, 0)
    seen: list[tuple[bytes | int, ...]] = []

    def look() -> None:
        views = [b"".join(view.read(*page) for page in pages) for view in (board.dram, board.cpu)]
        address, state = (controller.read(at) for at in (SAR0 if write else DAR0, CSR0))
        seen.append((*views, board.stream.sent_available, address, state & 0xF))

    moved, _ = back_end.run("free", hold_at_byte=done, look=look)
    assert moved == back_end.data
    assert channel.held is False
    memory = back_end.data if write else back_end.data[:done] + bytes(size - done)
    address = pages[0][0] + done if pages[0][1] > done else pages[1][0]
    assert seen == [(memory, memory, done if write else 0, address, 1)]
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
        assert Controller(board).read(CSR0) & 0xF == 0


def test_a_release_waits_for_time_and_a_step_does_not(board: Board) -> None:
    """Between commands `step` moves a burst at once, and after `release` nothing moves."""
    source, target = two(board, 4096)
    data = board.dram.read(source.address, 4096)
    channel = board.channel(0)
    channel.hold_at_burst = 2
    Controller(board).start(copy(source.address, target.address, 4096))
    board.evidence.probe.settle()
    before = board.evidence.probe.time_ns
    channel.step()
    assert board.dram.read(target.address, 4096) == data[:128] + bytes(4096 - 128)
    channel.release()
    board.qmp.execute("query-status")
    assert board.dram.read(target.address, 4096) == data[:128] + bytes(4096 - 128)
    board.evidence.probe.settle()
    assert board.evidence.probe.time_ns == before
    board.wait(100_000)
    assert board.dram.read(target.address, 4096) == data


@pytest.mark.parametrize("level", [PASSIVE_LEVEL, DISPATCH_LEVEL, 15])
def test_a_wait_ends_when_a_channel_is_held(board: Board, level: int) -> None:
    """Then, not a microsecond later; and at once if it is held already, but not if it was."""
    source, target = two(board, 4096)
    channel = board.channel(5)
    channel.hold_at_burst, channel.burst_interval_ns = 11, 1000
    Controller(board).begin(copy(source.address, target.address, 4096), channel=5)
    assert not channel.held
    with board.dma.irql(level):
        ended = board.request("wait", 1_000_000, "held")
        (held,) = [one for one in board.evidence.events.all() if one.kind == Kind.HELD]
        assert ended["ended"] == "held"
        assert 0 < ended.number("time") - held.time_ns < 1000
        assert board.request("wait", 1_000_000, "held").number("time") - held.time_ns < 20_000
        channel.release()
        assert board.wait(1_000_000, "held") == "time"


@pytest.mark.parametrize("event", [None, "irq", "callback"])
def test_a_hold_ends_no_other_wait(board: Board, event: str | None) -> None:
    """It goes on for the rest of its time."""
    source, target = two(board, 4096)
    channel = board.channel(0)
    channel.hold_at_burst, channel.burst_interval_ns = 11, 1000
    Controller(board).start(copy(source.address, target.address, 4096))
    before = board.evidence.probe.time_ns
    assert board.wait(100_000, event) == "time"
    assert channel.held
    assert board.evidence.probe.time_ns >= before + 100_000


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
    controller.kill(3)
    assert not held.held
    assert controller.state(3) == STOPPED


@pytest.mark.parametrize("interval", [1000, 5000])
def test_a_paced_channel_takes_its_time(board: Board, interval: int) -> None:
    """Each burst takes its interval, and the two instructions of the loop their cycles of 5 ns."""
    source, target = two(board, 4096)
    data = board.dram.read(source.address, 4096)
    controller, channel = Controller(board), board.channel(0)
    channel.burst_interval_ns = interval
    at = [record.time_ns for record in traced(board, lambda: copy_paced(board, source, target))]
    steps = {after - before for before, after in pairwise(at)}
    assert steps == {interval + 10}
    assert len(at) == 64
    assert controller.state() == STOPPED
    assert board.dram.read(target.address, 4096) == data


def monitor_answers_during(doing: Callable[[], object], board: Board) -> int:
    """Ask the monitor again and again while something is done; return how often it answered.

    Each answer must come within a second of QEMU's time: others may keep this computer busy.
    """
    answers = 0
    with ThreadPoolExecutor(1) as threads:
        work = threads.submit(doing)
        while not work.done():
            before = cpu_seconds(board.qemu.pid)
            assert board.qmp.execute("query-status")["running"]
            assert cpu_seconds(board.qemu.pid) - before < 1
            answers += 1
        work.result()
    return answers


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def copy_paced(board: Board, source: Buffer, target: Buffer) -> None:
    """Copy 4 KiB, and give it time."""
    Controller(board).begin(copy(source.address, target.address, 4096))
    assert Controller(board).runs()
    board.wait(400_000)


def traced(board: Board, doing: Callable[[], object]) -> list[Record]:
    """Return the loads that the controller began meanwhile."""
    board.qmp.set("trace", 1)
    since = len(board.evidence.events.all())
    doing()
    records = board.evidence.events.since(since)
    return [one for one in records if one.kind == Kind.INSTRUCTION and one.b & 0xFF == LD[0]]


def test_the_trace_has_what_each_channel_executed(board: Board) -> None:
    """Address, bytes of the instruction, address and size of its burst, in order, held or not."""
    source, target = two(board, 4096)
    program = mov(0, source.address) + mov(2, target.address) + mov(1, COPY_64)
    program += loop(2, LD + ST) + WMB + b"\x34\x48" + END
    board.qmp.set("trace", 1)
    logs = []
    for way in WAYS:
        since = len(board.evidence.events.all())
        run(board, program, way)
        records = board.evidence.events.since(since)
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
        (0, at + 24, 0x13, 0, 0),
        (0, at + 25, 0x4834, 0, 0),
        (0, at + 27, 0x00, 0, 0),
    ]
    assert logs[1] == logs[2] == logs[0]


#: Both sides fixed, bursts of 8 beats of 8 bytes.
FIXED = mov(1, COPY_64 & ~(1 << 14 | 1))


class TestContainment:
    """Programs that do not end."""

    FOREVER: ClassVar = {
        "an empty loop": b"\x2c\x00",
        "a loop of nothing": NOP + b"\x2c\x01",
        "a loop that waits for a device that is ready": wait_for(READY) + b"\x2c\x02",
        "a loop of copies": FIXED + LD + ST + b"\x2c\x02",
        "a loop of zeroes": FIXED + STZ + b"\x2c\x01",
        "a loop of events": send_event(9) + wait_event(9) + b"\x2c\x04",
        "a loop on single requests": wait_for(READY) + b"\x2d\x02",
        "a loop on bursts": bytes([0x32, READY << 3]) + b"\x2f\x02",
        "a loop in a counted loop": b"\x20\xff" + NOP + b"\x2c\x01\x38\x03",
    }

    @pytest.mark.parametrize("name", FOREVER)
    def test_an_endless_program_is_only_slow(self, board: Board, name: str) -> None:
        """The CPU goes on, the monitor answers within a second, DMAKILL ends the channel."""
        source, target = two(board, 4096)
        controller = Controller(board)
        head = mov(0, source.address) + mov(2, target.address) + flush(READY)
        takes = self.FOREVER[name][0] & 0xFC == wait_for(READY)[0]  # and moves nothing for it
        with board.expect("microcode-unused-request") if takes else nullcontext():
            controller.begin(head + self.FOREVER[name])
            for _ in range(3):
                assert controller.runs()
                assert monitor_answers_during(lambda: board.wait(10_000_000), board) > 0
            controller.kill()
        assert controller.state() == STOPPED
        controller.start(copy(source.address, target.address, 4096))
        data = board.dram.read(source.address, 4096)
        assert board.dram.read(target.address, 4096) == data

    def test_a_program_that_waits_for_ever_just_waits(self, board: Board) -> None:
        """A loop that waits for an event, or for a device that is not ready."""
        controller = Controller(board)
        for channel, program in enumerate((wait_event(9), wait_for(1))):
            controller.start(program + b"\x2c\x02", channel)
            controller.program_at += 64
        board.wait(10_000_000)
        assert [controller.state(n) for n in (0, 1)] == [WAITING_EVENT, WAITING_PERIPHERAL]
        for channel in (0, 1):
            controller.kill(channel)

    def test_two_endless_programs_both_go_on(self, board: Board) -> None:
        """Neither takes all the time."""
        source, target = two(board, 4096)
        controller = Controller(board)
        for n in (0, 1):
            copy_fixed = mov(1, 0x1D8076) + b"\x54\x08\x00" + LD + ST + b"\x2c\x05"
            controller.begin(mov(0, source.address) + mov(2, target.address) + copy_fixed, n)
            controller.program_at += 1024
        board.wait(5_000_000)
        assert board.qmp.get("held", f"{BOARD}/channel[0]") == 0
        before = [controller.read(SAR0 + 0x20 * n) for n in (0, 1)]
        board.wait(5_000_000)
        assert all(controller.read(SAR0 + 0x20 * n) != before[n] for n in (0, 1))
        controller.kill(0)
        controller.kill(1)
