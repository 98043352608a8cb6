# SPDX-License-Identifier: Apache-2.0
"""A driver that owns a channel: what tests of the back end do, through the layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from dmav3.conformance.driver import Completions
from dmav3.memory import Buffer
from dmav3.stream import Control, Register
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, DmaWidth, NtStatus

if TYPE_CHECKING:
    from dmav3 import Board
    from dmav3.dma import DmaAdapter, Mdl

OK = NtStatus.STATUS_SUCCESS
#: A request line that no device has, which is therefore always ready.
READY = 9


def random_bytes(size: int, seed: int = 1) -> bytes:
    """Return random bytes."""
    return Random(seed).randbytes(size)  # noqa: S311 - to be repeatable


@dataclass(frozen=True)
class Port:
    """Where a device is, and how it is accessed."""

    line: int
    address: int
    width: DmaWidth

    @property
    def bytes(self) -> int:
        """Bytes of the data register."""
        return 1 << self.width


def stream_port(board: Board, bits: int, *, write: bool, beats: int = 1) -> Port:
    """Return one direction of the stream device, which from now on asks for bursts of frames."""
    stream = board.machine.stream
    enable = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
    control = enable | Control.frame(bits // 8) | Control.burst(beats)
    board.request("poke", stream.base + Register.CONTROL, "32", control)
    line = stream.transmit if write else stream.receive
    return Port(line, stream.base + Register.DATA, DmaWidth.of_bits(bits))


def uncached(board: Board, size: int, *, offset: int = 0) -> Buffer:
    """Return memory that no cache holds, `offset` bytes behind the start of a page."""
    adapter = board.IoGetDmaAdapter(Master=1)
    assert adapter is not None
    common = adapter.AllocateCommonBuffer(offset + size)
    assert common.VirtualAddress
    address = common.VirtualAddress + offset
    return Buffer("common buffer", address, size, ((address, size),))


def memory_port(buffer: Buffer, line: int = READY) -> Port:
    """Return memory as a device of unlimited width that is always ready."""
    return Port(line, buffer.address, DmaWidth.WidthNoWrap)


def describe(board: Board, *buffers: Buffer) -> Mdl:
    """Return a chain of MDLs."""
    chain: list[Mdl] = []
    for buffer in buffers:
        chain.append(board.IoAllocateMdl(buffer.address, buffer.size, *chain[-1:]))
        board.MmBuildMdlForNonPagedPool(chain[-1])
    return replace(chain[0], size=sum(buffer.size for buffer in buffers))


def described(board: Board, size: int, *, offset: int = 0) -> tuple[Buffer, Mdl]:
    """Return a buffer whose pages lie scattered, `offset` bytes into one, and its MDL."""
    buffer = board.memory.allocate(size, region="scatter", align=4096, offset=offset)
    return buffer, describe(board, buffer)


class Owner:
    """A channel's owner, which has one mapping after another.

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
        self._context = board.allocate_context()
        self.own()

    def own(self) -> None:
        """Make a request, which is granted at once."""
        assert self.adapter.InitializeDmaTransferContext(self._context) == OK
        with self.board.irql(DISPATCH_LEVEL):
            status, self._base = self.adapter.AllocateAdapterChannelEx(
                self._context, 4, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
        assert status == OK

    def configure(self, function: str, value: int) -> NtStatus:
        """Call ConfigureAdapterChannel with a number of `enum pl330_function`."""
        number = self.board.image.enum("pl330_function")[function]
        with self.board.reference(value, 4) as cell:
            return self.adapter.ConfigureAdapterChannel(number, cell.address)

    def map(self, mdl: Mdl, *, write: bool, length: int | None = None) -> int:
        """Start a transfer; return the bytes that were mapped."""
        self.done = Completions(self.board)
        status, mapped = self.adapter.MapTransferEx(
            mdl,
            self._base,
            Length=length,
            WriteToDevice=write,
            DmaCompletionRoutine=self.done,
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

    def flush(self) -> None:
        """End the mapping."""
        mdl, mapped, write = self._mapping
        status = self.adapter.FlushAdapterBuffersEx(mdl, self._base, 0, mapped, WriteToDevice=write)
        assert status == OK

    def free(self) -> None:
        """Give the channel back."""
        with self.board.irql(DISPATCH_LEVEL):
            self.adapter.FreeAdapterChannel()

    def release(self) -> None:
        """Give everything back."""
        self.free()
        self.adapter.PutDmaAdapter()
        self.board.request("release", self._context)

    def finish(self, *ends: str) -> None:
        """Let the transfer end, by default completely, and end the mapping."""
        expected = list(ends) or ["DmaComplete"]
        self.board.run_until(lambda: len(self.ends) >= len(expected), 1_000_000_000)
        assert self.ends == expected
        self.flush()
