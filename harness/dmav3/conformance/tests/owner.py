# SPDX-License-Identifier: Apache-2.0
"""A driver that owns a channel of the PL330, and the devices that it moves data to and from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmav3.devices.stream import Control, Register
from dmav3.guest.memory import Buffer
from dmav3.wdm import DmaWidth, NtStatus

from .driver import Completions, bus_master, described, free_channel, granted_with, moved

if TYPE_CHECKING:
    from dmav3 import Board
    from dmav3.dma import DmaAdapter, Mdl

OK = NtStatus.STATUS_SUCCESS
#: A request line that no device has, which is therefore always ready.
READY_LINE = 9
_STREAM = "/machine/peripheral/dmav3/stream"


@dataclass(frozen=True)
class Port:
    """Where a device is, and how it is accessed."""

    line: int
    address: int
    width: DmaWidth


def stream_port(board: Board, bits: int, *, write: bool, beats: int = 1) -> Port:
    """Return one direction of the stream device, which from now on asks for bursts of frames."""
    stream = board.machine.stream
    enable = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
    control = enable | Control.frame(bits // 8) | Control.burst(beats)
    board.request("poke", stream.base + Register.CONTROL, "32", control)
    line = stream.transmit if write else stream.receive
    return Port(line, stream.base + Register.DATA, DmaWidth.of_bits(bits))


def memory_port(buffer: Buffer, line: int = READY_LINE) -> Port:
    """Return memory as a device of unlimited width that is always ready."""
    return Port(line, buffer.address, DmaWidth.WidthNoWrap)


def uncached(board: Board, size: int, *, offset: int = 0) -> Buffer:
    """Return memory that no cache holds, `offset` bytes behind the start of a page."""
    common = bus_master(board).AllocateCommonBuffer(offset + size)
    assert common.VirtualAddress
    address = common.VirtualAddress + offset
    return Buffer("common buffer", address, size, ((address, size),))


def is_clean(board: Board) -> bool:
    """Return whether the stream device lost nothing and nothing raced."""
    lost = [board.qmp.get(name, _STREAM) for name in ("overruns", "underruns")]
    return lost == [0, 0] and board.findings() == []


class Owner:
    """The owner of a channel, which has one mapping after another.

    :ivar channel: what the extension can do to it.
    :ivar done: the completion routine of the last mapping.
    """

    def __init__(self, board: Board, port: Port, channel: int = 0, *, loop: bool = False) -> None:
        """Get an adapter, and its channel."""
        self.board, self.port = board, port
        adapter = board.IoGetDmaAdapter(
            DmaChannel=channel,
            DmaWidth=port.width,
            MaximumLength=1 << 20,
            DmaRequestLine=port.line,
            DeviceAddress=port.address,
            AutoInitialize=int(loop),
        )
        assert adapter is not None
        self.adapter: DmaAdapter = adapter
        self.channel = board.channel(channel)
        self.done = Completions(board)
        self._context = board.dma.allocate_context()
        self.own()

    def own(self) -> None:
        """Make a request, which is granted at once."""
        assert self.adapter.InitializeDmaTransferContext(self._context) == OK
        self._base = granted_with(self.board, self.adapter, self._context, registers=4)

    def configure(self, function: str, value: int) -> NtStatus:
        """Call ConfigureAdapterChannel with a number of `enum pl330_function`."""
        number = self.board.image.enum("pl330_function")[function]
        with self.board.dma.reference(value, 4) as cell:
            return self.adapter.ConfigureAdapterChannel(number, cell.address)

    def map(self, mdl: Mdl, *, write: bool) -> int:
        """Start a transfer; return the bytes that were mapped."""
        self.done = Completions(self.board)
        status, mapped = self.adapter.MapTransferEx(
            mdl, self._base, WriteToDevice=write, DmaCompletionRoutine=self.done
        )
        assert status == OK
        self._mapping = mdl, mapped, write
        return mapped

    @property
    def left(self) -> int:
        """Bytes that the transfer still has to move."""
        return self.adapter.ReadDmaCounter()

    @property
    def ends(self) -> list[str]:
        """What the completion routine was told so far."""
        return [call[3].name for call in self.done.calls]

    def cancel(self) -> NtStatus:
        """Stop the transfer; the request maps no more."""
        return self.adapter.CancelMappedTransfer(self._context)

    def cancel_request(self) -> bool:
        """Call CancelAdapterChannel, which is too late for whoever owns a channel."""
        return self.adapter.CancelAdapterChannel(self._context)

    def flush(self) -> None:
        """End the mapping."""
        mdl, mapped, write = self._mapping
        status = self.adapter.FlushAdapterBuffersEx(mdl, self._base, 0, mapped, WriteToDevice=write)
        assert status == OK

    def run(self, count: int = 1) -> None:
        """Let model time pass until the completion routine has been called so often."""
        self.board.dma.run_until(lambda: len(self.done.calls) >= count, 1_000_000_000)

    def finish(self, end: str = "DmaComplete") -> None:
        """Let the transfer end, so and once, and end the mapping."""
        self.run()
        assert self.ends == [end]
        self.flush()

    def free(self) -> None:
        """Give the channel back."""
        free_channel(self.board, self.adapter)

    def release(self) -> None:
        """Give everything back."""
        self.free()
        self.adapter.PutDmaAdapter()
        self.board.request("release", self._context)

    def move(self, size: int, *, write: bool, offset: int = 0, seed: int = 1) -> None:
        """Move random bytes between scattered pages and the stream, and check that they arrive."""
        board, content = self.board, moved(size, seed)
        buffer, mdl = described(board, size, offset=offset, region="scatter")
        if write:
            board.write(buffer, content)
        else:
            board.stream.receive_put(content)
        assert self.map(mdl, write=write) == size
        self.finish()
        if write:
            board.wait(1_000_000)
            assert board.stream.sent_take() == content
        else:
            assert board.read(buffer) == content
        board.dma.IoFreeMdl(mdl)
        board.memory.free(buffer)
