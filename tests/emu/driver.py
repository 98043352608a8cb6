# SPDX-License-Identifier: Apache-2.0
"""A driver in pieces: what tests of the routines on the board need again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dmav3.probe import Kind
from dmav3.stream import Control, Register
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    DmaCompletionStatus,
    DmaWidth,
    NtStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board, Buffer
    from dmav3.dma import DmaAdapter, Mapped, Mdl
    from dmav3.memory import RegionName

PAGE = 4096


def adapter_for(
    board: Board, *, write: bool, width: int = 32, channel: int = 0, maximum: int = 1 << 20
) -> DmaAdapter:
    """Return an adapter for one direction of the stream device."""
    stream = board.machine.stream
    adapter = board.IoGetDmaAdapter(
        DmaChannel=channel,
        DmaWidth=DmaWidth.of_bits(width),
        MaximumLength=maximum,
        DmaRequestLine=stream.transmit if write else stream.receive,
        DeviceAddress=stream.base + Register.DATA,
    )
    assert adapter is not None
    return adapter


def described(
    board: Board, size: int, *, offset: int = 0, region: RegionName = "arena"
) -> tuple[Buffer, Mdl]:
    """Return a buffer, `offset` bytes into a page, and the MDL that describes it."""
    buffer = board.memory.allocate(size, region=region, align=4096, offset=offset)
    mdl = board.IoAllocateMdl(buffer.address, size)
    board.MmBuildMdlForNonPagedPool(mdl)
    return buffer, mdl


def context_for(board: Board, adapter: DmaAdapter) -> int:
    """Return an initialised transfer context."""
    context = board.allocate_context()
    assert adapter.InitializeDmaTransferContext(context) == NtStatus.STATUS_SUCCESS
    return context


def granted(board: Board, adapter: DmaAdapter, registers: int = 2) -> int:
    """Own the adapter's channel, by a synchronous request; return the MapRegisterBase."""
    with board.irql(DISPATCH_LEVEL):
        status, base = adapter.AllocateAdapterChannelEx(
            context_for(board, adapter), registers, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
        )
    assert status == NtStatus.STATUS_SUCCESS
    return base


def free_channel(board: Board, adapter: DmaAdapter) -> None:
    """FreeAdapterChannel, at the level that it needs."""
    with board.irql(DISPATCH_LEVEL):
        adapter.FreeAdapterChannel()


def arm(board: Board, *, write: bool, width: int = 32) -> None:
    """Let the stream device ask for data in one direction."""
    request = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
    control = board.machine.stream.base + Register.CONTROL
    board.request("poke", control, "32", request | Control.frame(width // 8))


def violations(board: Board) -> list[int]:
    """Return the codes of the caller's mistakes since the last reset."""
    return [record.id for record in board.events.all() if record.kind == Kind.VIOLATION]


class Element(NamedTuple):
    """A SCATTER_GATHER_ELEMENT."""

    address: int
    length: int


def read_list(board: Board, address: int) -> list[Element]:
    """Return a SCATTER_GATHER_LIST of the guest's heap as the CPU reads it."""
    head, element = sizes(board)
    layout = board.image.struct("SCATTER_GATHER_ELEMENT")
    at, length = layout.member("Address").offset, layout.member("Length").offset
    count = int.from_bytes(board.cpu.read(address, 4), "little")
    raw = [board.cpu.read(address + head + n * element, element) for n in range(count)]
    return [
        Element(
            int.from_bytes(one[at : at + 8], "little"),
            int.from_bytes(one[length : length + 4], "little"),
        )
        for one in raw
    ]


def sizes(board: Board) -> tuple[int, int]:
    """Return the bytes of a list's header and of one of its elements."""
    return (
        board.image.struct("SCATTER_GATHER_LIST").size,
        board.image.struct("SCATTER_GATHER_ELEMENT").size,
    )


@dataclass
class Completions:
    """A completion routine that remembers how it was called.

    :ivar calls: (adapter, device, context, status, IRQL) of each call.
    :ivar then: what it does besides.
    """

    board: Board
    calls: list[tuple[DmaAdapter, int, object, DmaCompletionStatus, int]] = field(
        default_factory=list
    )
    then: Callable[[], object] = lambda: None

    def __call__(
        self, adapter: DmaAdapter, device: int, context: object, status: DmaCompletionStatus
    ) -> None:
        """Note the call."""
        irql = self.board.request("KeGetCurrentIrql").number("irql")
        self.calls.append((adapter, device, context, status, irql))
        self.then()


def finished(board: Board, done: Completions, count: int = 1) -> None:
    """Let model time pass until the completion routine has run `count` times."""
    board.run_until(lambda: len(done.calls) >= count, 1_000_000_000)


@dataclass
class Flight:
    """A transfer of a whole buffer that was started and has not been flushed.

    :ivar mapped: what MapTransferEx gave.
    """

    board: Board
    adapter: DmaAdapter
    buffer: Buffer
    mdl: Mdl
    base: int
    write: bool
    done: Completions
    mapped: Mapped

    @staticmethod
    def start(
        board: Board,
        size: int,
        *,
        write: bool,
        offset: int = 0,
        region: RegionName = "arena",
        width: int = 32,
    ) -> Flight:
        """Own channel 0 and map a fresh buffer."""
        adapter = adapter_for(board, write=write, width=width)
        buffer, mdl = described(board, size, offset=offset, region=region)
        base = granted(board, adapter, registers=8)
        done = Completions(board)
        arm(board, write=write, width=width)
        mapped = adapter.MapTransferEx(mdl, base, WriteToDevice=write, DmaCompletionRoutine=done)
        assert mapped.status == NtStatus.STATUS_SUCCESS
        return Flight(board, adapter, buffer, mdl, base, write, done, mapped)

    def flush(self, length: int | None = None) -> NtStatus:
        """End the mapping."""
        length = self.mapped.Length if length is None else length
        return self.adapter.FlushAdapterBuffersEx(
            self.mdl, self.base, 0, length, WriteToDevice=self.write
        )

    def end(self) -> None:
        """Flush and give everything back."""
        assert self.flush() == NtStatus.STATUS_SUCCESS
        free_channel(self.board, self.adapter)
        self.adapter.PutDmaAdapter()


def read_beside_the_cpu(
    board: Board, data: bytes, offset: int, width: int = 32
) -> tuple[bytes, bytes]:
    """Let the device send `data` to `offset` in two pages, of which the CPU stores all the rest.

    It does so before, during and after the transfer, always before the flush.

    :return: the two pages as the CPU reads them then, and as they should be.
    """
    whole = board.memory.allocate(2 * PAGE, align=PAGE, name="neighbourhood")
    board.fill(whole, 0x11)
    mdl = board.IoAllocateMdl(whole.address + offset, len(data))
    board.MmBuildMdlForNonPagedPool(mdl)
    adapter = adapter_for(board, write=False, width=width)
    base, done = granted(board, adapter), Completions(board)
    arm(board, write=False, width=width)
    mapped = adapter.MapTransferEx(mdl, base, WriteToDevice=False, DmaCompletionRoutine=done)
    assert mapped == (NtStatus.STATUS_SUCCESS, len(data))
    # In flight: the receive ring is empty. Only now the CPU stores, on both sides.
    board.wait(10_000)
    before = b"\x22" * offset
    after = b"\x33" * (whole.size - offset - len(data))
    board.write(whole, before)
    board.write(whole, after[:64], offset + len(data))
    assert done.calls == []
    board.stream.receive_put(data)
    finished(board, done)
    board.write(whole, after[64:], offset + len(data) + 64)
    status = adapter.FlushAdapterBuffersEx(mdl, base, 0, len(data), WriteToDevice=False)
    assert status == NtStatus.STATUS_SUCCESS
    return board.read(whole), before + data + after
