# SPDX-License-Identifier: Apache-2.0
"""Model time: what happens in it is the same every time, and it passes only inside commands."""

from __future__ import annotations

import io
import random
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from microcode import COPY_64, CSR0, LD, ST, WMB, Controller, copy, flush, mov, wait_for

from dmav3 import Board
from dmav3.conformance.tests.driver import described
from dmav3.conformance.tests.owner import Owner, stream_port
from dmav3.devices.stream import Control
from dmav3.evidence.probe import Kind
from dmav3.installation import Layout
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.qemu.qmp import BOARD
from dmav3.wdm import DISPATCH_LEVEL, DmaCompletionStatus, DmaWidth, NtStatus

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from dmav3.dma import DmaAdapter
    from dmav3.evidence.probe import Record

STREAM = f"{BOARD}/stream"
HIGH_LEVEL = 15
MIB = 1 << 20


class Chopper:
    """A socket that sends a few bytes at a time, with pauses of up to a millisecond."""

    def __init__(self, real: socket.socket, seed: int) -> None:
        """Wrap `real`."""
        self._real, self._random = real, random.Random(seed)  # noqa: S311 - to be repeatable

    def send(self, data: memoryview) -> int:
        """Send the first 1 to 9 bytes."""
        threading.Event().wait(self._random.random() / 1000)
        return self._real.send(data[: self._random.randint(1, 9)])

    def __getattr__(self, name: str) -> object:
        """Everything else is the real socket's."""
        return getattr(self._real, name)


def test_a_line_is_taken_at_one_moment_while_an_interrupt_keeps_the_cpu_awake() -> None:
    """It is masked, so the CPU does not sleep; lines come whenever this computer sends them."""

    def mask(board: Board) -> None:
        board.expect_left(anything=True)
        owner = Owner(board, stream_port(board, 32, write=False))
        owner.map(described(board, 64)[1], write=False)
        with board.dma.irql(HIGH_LEVEL):
            board.stream.receive_put(bytes(64))
            board.wait(1_000_000)
            for _ in range(20):
                board.request("ping")
        owner.finish()

    first, *others = [log_of(mask, 1, chopped=True) for _ in range(3)]
    assert others == [first, first]


def log_of(
    job: Callable[[Board], object], seed: int, *, chopped: bool = False, trace: bool = False
) -> list[Record]:
    """Do a job on a new board; return the event log.

    :param chopped: send pieces of lines, with pauses.
    """
    with Board(seed=seed, trace=trace) as board:
        if chopped:
            board.qemu.link._socket = Chopper(board.qemu.link._socket, seed)  # type: ignore[assignment]
        job(board)
        log = [record for record in board.evidence.events.all() if not record.ungated]
        assert board.evidence.events.lost == 0
        return log


def main_job(board: Board) -> None:
    """Run the main job."""
    data = random.Random(7).randbytes(20_001)  # noqa: S311
    MainJob(StreamPeripheral(board, 16)).run(io.BytesIO(data))


def short_job(board: Board) -> None:
    """Run it with less data."""
    MainJob(StreamPeripheral(board, 16)).run(io.BytesIO(bytes(501)))


def frames(board: Board) -> None:
    """Let the device take its time for each frame."""
    board.qmp.set("word-interval-ns", 777, STREAM)
    short_job(board)


def paces(board: Board) -> None:
    """Let the controller take its time for each burst."""
    board.channel(0).burst_interval_ns = 333
    short_job(board)


def holds(board: Board) -> None:
    """Hold, step, release, hold again; while the channel goes at a pace."""
    buffer = board.memory.allocate(8192, align=4096)
    board.fill(buffer, 1)
    board.request("clean_invalidate", buffer.address, buffer.size)
    channel = board.channel(0)
    channel.hold_at_burst, channel.burst_interval_ns = 3, 777
    Controller(board).start(copy(buffer.address, buffer.address + 4096, 4096))
    for burst in (20, 40, 0):
        assert board.wait(100_000, "held") == "held"
        channel.step()
        channel.hold_at_burst = burst
        channel.release()
    board.wait(100_000)
    assert Controller(board).read(CSR0) & 0xF == 0


def waits(board: Board) -> None:
    """Sleep again and again."""
    for _ in range(50):
        board.wait(1000)


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_commands_give_equal_logs(seed: int) -> None:
    """Byte boundaries and delays of the serial line leave no trace in the event log."""
    plain = log_of(main_job, seed)
    assert len(plain) > 100
    assert log_of(main_job, seed, chopped=True) == plain


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("job", [frames, paces, holds])
def test_equal_transfers_that_take_time_give_equal_logs(
    job: Callable[[Board], object], seed: int
) -> None:
    """Nor do they while transfers are in flight: each record is at its nanosecond."""
    plain = log_of(job, seed, trace=True)
    assert sum(record.kind == Kind.INSTRUCTION for record in plain) > 200
    assert log_of(job, seed, chopped=True, trace=True) == plain


@pytest.mark.parametrize("job", [main_job, frames, paces, holds])
def test_other_seeds_give_other_logs(job: Callable[[Board], object]) -> None:
    """The comparisons above can fail: another seed fills other lines (and seldom as many)."""
    assert any(log_of(job, 1) != log_of(job, seed) for seed in (2, 3))


@pytest.mark.parametrize("job", [waits, holds])
def test_a_main_loop_that_is_ahead_of_the_cpu_does_not_change_model_time(
    job: Callable[[Board], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU's clock is wrong by some instructions then; the log is not."""
    plain = log_of(job, 1)
    monkeypatch.setenv(
        "LD_PRELOAD", str(Layout.find().built / "tests" / "preloaded_sluggish_cpu.so")
    )
    assert log_of(job, 1) == plain


def transmitter(board: Board) -> DmaAdapter:
    """Return an adapter that writes to the stream, 32 bits wide."""
    stream = board.machine.stream
    adapter = board.IoGetDmaAdapter(
        DmaWidth=DmaWidth.Width32Bits, DmaRequestLine=stream.transmit, DeviceAddress=stream.base
    )
    assert adapter is not None
    return adapter


def start_write(
    board: Board, adapter: DmaAdapter, size: int, ended: list[DmaCompletionStatus]
) -> None:
    """Start a write of `size` bytes to the stream; return at once."""
    buffer = board.memory.allocate(size)
    board.fill(buffer, 0x5A)
    mdl = board.dma.IoAllocateMdl(buffer.address, size)
    board.dma.MmBuildMdlForNonPagedPool(mdl)
    context = board.dma.allocate_context()
    adapter.InitializeDmaTransferContext(context)
    enable = Control.TRANSMIT_REQUEST | Control.frame(4)
    board.request("poke", board.machine.stream.base + 8, "32", enable)
    with board.dma.irql(DISPATCH_LEVEL):
        allocated = adapter.AllocateAdapterChannelEx(context, 0, Flags=1, MapRegisterBase=True)
    mapped = adapter.MapTransferEx(
        mdl,
        allocated.MapRegisterBase,
        WriteToDevice=True,
        DmaCompletionRoutine=lambda _a, _d, _c, status: ended.append(status),
    )
    assert mapped == (NtStatus.STATUS_SUCCESS, size)


def test_a_transfer_stands_still_between_commands(board: Board) -> None:
    """A second of real time moves nothing; a millisecond of model time moves a thousand words."""
    ended: list[DmaCompletionStatus] = []
    board.qmp.set("word-interval-ns", 1000, STREAM)
    start_write(board, transmitter(board), MIB, ended)
    board.evidence.probe.settle()
    before = board.stream.sent_head
    threading.Event().wait(1)
    assert board.stream.sent_head == before
    board.wait(1_000_000)
    grown = board.stream.sent_head - before
    assert 4 * 990 <= grown <= 4 * 1010
    assert not ended
    assert board.wait(10**10, "callback") == "callback"
    assert ended == [DmaCompletionStatus.DmaComplete]
    board.wait(100_000)  # what the FIFO still held
    assert board.stream.sent_take() == b"\x5a" * MIB


def copy_forever(board: Board) -> bytes:
    """Return a program that copies the same 64 bytes over and over."""
    buffer = board.memory.allocate(128)
    both_fixed = COPY_64 & ~(1 << 14 | 1)
    head = mov(0, buffer.address) + mov(2, buffer.address + 64) + mov(1, both_fixed)
    return head + LD + ST + b"\x2c\x02"


def send_forever(board: Board) -> bytes:
    """Return a program that gives the stream device frames."""
    stream = board.machine.stream
    board.request("poke", stream.base + 8, "32", Control.TRANSMIT_REQUEST)
    head = mov(0, board.memory.allocate(64).address) + mov(2, stream.base) + mov(1, 0)
    body = wait_for(stream.transmit) + LD + bytes([0x29, stream.transmit << 3]) + WMB
    return head + flush(stream.transmit) + body + bytes([0x2C, len(body)])


#: An interval of 20 µs, a few commands long: which property, of what, a program that shows it, how
#: much later than that a burst begins (two instructions of a loop), how many begin at once (FIFO).
INTERVALS = {
    "pace": ("burst-interval-ns", f"{BOARD}/channel[0]", copy_forever, 10, 0),
    "frame": ("word-interval-ns", STREAM, send_forever, 0, 18),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_an_interval_keeps_what_is_left_of_it(board: Board, name: str) -> None:
    """However often the gate is closed in between, it takes as much model time as it should."""
    limit, path, program, later, at_once = INTERVALS[name]
    controller = Controller(board)
    code = program(board)
    board.qmp.set(limit, 20_000, path)
    board.qmp.set("trace", 1)
    controller.begin(code)
    for _ in range(100):
        board.wait(100)
        board.qmp.execute("query-status")  # real time passes
    log = board.evidence.events.all()
    at = sorted({one.time_ns for one in log if one.kind == Kind.INSTRUCTION and one.b == LD[0]})
    del at[:at_once]
    closed = sum(at[0] < one.time_ns < at[-1] for one in log if one.kind == Kind.READY)
    assert {after - before for before, after in pairwise(at)} == {20_000 + later}
    assert closed > 2 * len(at) > 20


def test_the_completion_routine_waits_for_the_level_to_drop(board: Board) -> None:
    """CMP-09: at DISPATCH_LEVEL the end of the transfer only queues the routine."""
    ended: list[DmaCompletionStatus] = []
    adapter = transmitter(board)
    with board.dma.irql(DISPATCH_LEVEL):
        start_write(board, adapter, 4096, ended)
        board.wait(1_000_000)
        assert not ended
    assert ended == [DmaCompletionStatus.DmaComplete]


def test_model_time_does_not_depend_on_the_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shim prints it, so all have the same number of digits."""
    times = set()
    for bits in (0, 1, (1 << 63) - 1):
        monkeypatch.setattr("secrets.randbits", lambda _, bits=bits: bits)
        with Board() as board:
            times.add(board.request("wait", 1000)["time"])
    assert len(times) == 1
