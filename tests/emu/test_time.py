# SPDX-License-Identifier: Apache-2.0
"""Model time: what happens in it is the same every time, and it passes only inside commands."""

from __future__ import annotations

import io
import random
import threading
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board
from dmav3.mainjob import MainJob
from dmav3.stream import Control
from dmav3.wdm import DISPATCH_LEVEL, DmaCompletionStatus, DmaWidth, NtStatus

if TYPE_CHECKING:
    import socket

    from dmav3.dma import DmaAdapter
    from dmav3.probe import Record

STREAM = "/machine/peripheral/dmav3/stream"
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


def log_of_main_job(seed: int, *, chopped: int | None) -> list[Record]:
    """Run the main job; return the event log."""
    data = random.Random(7).randbytes(20_001)  # noqa: S311
    with Board(seed=seed) as board:
        if chopped is not None:
            board.link._socket = Chopper(board.link._socket, chopped)  # type: ignore[assignment]
        MainJob(board, 16).run(io.BytesIO(data))
        assert board.events.lost == 0
        return [record for record in board.events.all() if not record.ungated]


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_commands_give_equal_logs(seed: int) -> None:
    """Byte boundaries and delays of the serial line leave no trace in the event log."""
    plain = log_of_main_job(seed, chopped=None)
    assert len(plain) > 100
    assert log_of_main_job(seed, chopped=seed) == plain


def test_other_seeds_give_other_logs() -> None:
    """The comparison above can fail: another seed fills other lines."""
    assert log_of_main_job(1, chopped=None) != log_of_main_job(2, chopped=None)


def transmitter(board: Board) -> DmaAdapter:
    """Return an adapter that writes to the stream, 32 bits wide."""
    stream = board.machine.stream
    adapter = board.IoGetDmaAdapter(
        DmaWidth=DmaWidth.Width32Bits, DmaRequestLine=stream.transmit, DeviceAddress=stream.base
    )
    assert adapter is not None
    return adapter


def start_write(adapter: DmaAdapter, size: int, ended: list[DmaCompletionStatus]) -> None:
    """Start a write of `size` bytes to the stream; return at once."""
    board = adapter.target
    assert isinstance(board, Board)
    buffer = board.memory.allocate(size)
    board.fill(buffer, 0x5A)
    mdl = board.IoAllocateMdl(buffer.address, size)
    board.MmBuildMdlForNonPagedPool(mdl)
    context = board.allocate_context()
    adapter.InitializeDmaTransferContext(context)
    enable = Control.TRANSMIT_REQUEST | Control.frame(4)
    board.request("poke", board.machine.stream.base + 8, "32", enable)
    with board.irql(DISPATCH_LEVEL):
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
    start_write(transmitter(board), MIB, ended)
    board.probe.settle()
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


def test_the_completion_routine_waits_for_the_level_to_drop(board: Board) -> None:
    """CMP-09: at DISPATCH_LEVEL the end of the transfer only queues the routine."""
    ended: list[DmaCompletionStatus] = []
    adapter = transmitter(board)
    with board.irql(DISPATCH_LEVEL):
        start_write(adapter, 4096, ended)
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
