# SPDX-License-Identifier: Apache-2.0
"""A driver in pieces: what tests of the routines need again and again, on either back end."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Unpack

from dmav3 import Board, HostShim
from dmav3.devices.stream import Control, Register
from dmav3.dma import DeviceDescription, Element, Mdl, Pointer
from dmav3.evidence.probe import Kind
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    DmaCompletionStatus,
    DmaWidth,
    NtStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dmav3 import Buffer
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter, Mapped
    from dmav3.guest.memory import RegionName

#: The data register of the device where there is none.
SCRIPTED_DEVICE = 0x0B010000

PAGE = 4096
_OPERATIONS = {Kind.CLEAN, Kind.INVALIDATE, Kind.CLEAN_INVALIDATE}


def device_of(shim: Shim, *, write: bool) -> DeviceDescription:
    """Return line and register of one direction of the stream device."""
    if not isinstance(shim, Board):
        return {"DmaRequestLine": int(write), "DeviceAddress": SCRIPTED_DEVICE}
    stream = shim.machine.stream
    line = stream.transmit if write else stream.receive
    return {"DmaRequestLine": line, "DeviceAddress": stream.base + Register.DATA}


def adapter_for(
    shim: Shim, *, write: bool, width: int = 32, channel: int = 0, maximum: int = 1 << 20
) -> DmaAdapter:
    """Return an adapter for one direction of the stream device."""
    members: DeviceDescription = {
        "DmaChannel": channel,
        "DmaWidth": DmaWidth.of_bits(width),
        "MaximumLength": maximum,
    }
    return quiet(shim, **device_of(shim, write=write) | members)


def quiet(shim: Shim, *, write: bool = True, **members: Unpack[DeviceDescription]) -> DmaAdapter:
    """Return a subordinate's adapter whose device asks for nothing: a transfer runs on and on.

    :param write: for transfers of this direction.
    """
    device = device_of(shim, write=write) if isinstance(shim, Board) else DeviceDescription()
    adapter = shim.IoGetDmaAdapter(**device | members)
    assert adapter is not None
    return adapter


def bus_master(shim: Shim, **members: Unpack[DeviceDescription]) -> DmaAdapter:
    """Return an adapter of a device that moves its data itself."""
    members["Master"] = 1
    return quiet(shim, **members)


def described(
    shim: Shim, size: int, *, offset: int = 0, region: RegionName = "arena"
) -> tuple[Buffer, Mdl]:
    """Return a buffer, `offset` bytes into a page, and the MDL that describes it."""
    buffer = shim.memory.allocate(size, region=region, align=4096, offset=offset)
    mdl = shim.dma.IoAllocateMdl(buffer.address, size)
    shim.dma.MmBuildMdlForNonPagedPool(mdl)
    return buffer, mdl


def chained(shim: Shim, *buffers: Buffer) -> Mdl:
    """Return the chain of MDLs that describes one buffer after the other."""
    mdls: list[Mdl] = []
    for buffer in buffers:
        mdls.append(shim.dma.IoAllocateMdl(buffer.address, buffer.size, mdls[-1] if mdls else None))
        shim.dma.MmBuildMdlForNonPagedPool(mdls[-1])
    return Mdl(mdls[0].address, sum(buffer.size for buffer in buffers))


def elements_of(buffers: Sequence[Buffer], offset: int, length: int) -> list[Element]:
    """Return the list of a mapping that needs no bounce: maximal runs of each MDL (MTX-22)."""
    elements = []
    for start, size in (piece for buffer in buffers for piece in buffer.ranges):
        taken = min(size - offset, length)
        if taken > 0:
            elements.append(Element(start + offset, taken))
            length -= taken
        offset = max(0, offset - size)
    return elements


def context_for(shim: Shim, adapter: DmaAdapter) -> int:
    """Return an initialised transfer context."""
    context = shim.dma.allocate_context()
    assert adapter.InitializeDmaTransferContext(context) == NtStatus.STATUS_SUCCESS
    return context


def granted(shim: Shim, adapter: DmaAdapter, registers: int = 2) -> int:
    """Own the adapter's channel, by a synchronous request; return the MapRegisterBase."""
    return granted_with(shim, adapter, context_for(shim, adapter), registers)


def granted_with(
    shim: Shim, adapter: DmaAdapter, context: int, registers: int = 2, device: int | None = None
) -> int:
    """Do the same with this context, which is Idle, and perhaps for this device object."""
    with shim.dma.irql(DISPATCH_LEVEL):
        status, base = adapter.AllocateAdapterChannelEx(
            context,
            registers,
            DMA_SYNCHRONOUS_CALLBACK,
            MapRegisterBase=True,
            DeviceObject=device,
        )
    assert status == NtStatus.STATUS_SUCCESS
    return base


def free_channel(shim: Shim, adapter: DmaAdapter) -> None:
    """FreeAdapterChannel, at the level that it needs."""
    with shim.dma.irql(DISPATCH_LEVEL):
        adapter.FreeAdapterChannel()


def arm(shim: Shim, *, write: bool, width: int = 32) -> None:
    """Let the stream device ask for data in one direction; the scripted one never does."""
    if isinstance(shim, Board):
        request = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
        control = shim.machine.stream.base + Register.CONTROL
        shim.request("poke", control, "32", request | Control.frame(width // 8))


@contextmanager
def entries(shim: Shim) -> Iterator[list[str]]:
    """Collect, when the block ends, the routines, callbacks and back-end entries it entered."""
    names: list[str] = []
    position = len(shim.evidence.events.all())
    yield names
    known = shim.image.enum("oplog_id")
    by_id = {number: name.removeprefix("OPLOG_") for name, number in known.items()}
    records = shim.evidence.events.since(position)
    names += [by_id[record.id] for record in records if record.kind == Kind.ENTER]


def place_pages(shim: Shim, mdl: Mdl, pages: Sequence[int], index: int = 0) -> None:
    """Let the pages of an MDL from number `index` on be others."""
    array = mdl.address + shim.dma.struct("MDL").size
    for n, page in enumerate(pages, index):
        shim.request("poke", array + 8 * n, "64", page)


def maintenance(shim: Shim, position: int) -> int:
    """Return how much was done to caches since the event log had so many records.

    On the board it is lines, on this computer operations.
    """
    records = shim.evidence.events.since(position)
    operations = sum(record.kind in _OPERATIONS for record in records)
    return operations + sum(one.d + one.e for one in records if one.kind == Kind.EXIT)


def sizes(shim: Shim) -> tuple[int, int]:
    """Return the bytes of a list's header and of one of its elements."""
    return (
        shim.image.struct("SCATTER_GATHER_LIST").size,
        shim.image.struct("SCATTER_GATHER_ELEMENT").size,
    )


def moved(size: int, seed: int = 1) -> bytes:
    """Return random bytes, to be moved."""
    return Random(seed).randbytes(size)  # noqa: S311 - repeatable, not secret


@dataclass
class Completions:
    """A completion routine that remembers how it was called.

    :ivar calls: (adapter, device, context, status, IRQL) of each call.
    :ivar then: what it does besides.
    """

    board: Shim
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


def finished(shim: Shim, done: Completions, count: int = 1, channel: int = 0) -> None:
    """Let model time pass until the completion routine has run `count` times.

    :param channel: whose transfer ends; where the back end is scripted it ends now.
    """
    if isinstance(shim, HostShim) and len(done.calls) < count:
        shim.end(channel)
    shim.dma.run_until(lambda: len(done.calls) >= count, 1_000_000_000)


@dataclass
class Flight:
    """A transfer of a whole buffer that was started and has not been flushed.

    :ivar mapped: what MapTransferEx gave.
    """

    board: Shim
    adapter: DmaAdapter
    buffer: Buffer
    mdl: Mdl
    context: int
    base: int
    write: bool
    done: Completions
    mapped: Mapped

    @staticmethod
    def start(
        board: Shim,
        size: int,
        *,
        write: bool,
        offset: int = 0,
        region: RegionName = "arena",
        width: int = 32,
        channel: int = 0,
        routine: bool = True,
        armed: bool = True,
    ) -> Flight:
        """Own a channel and map a fresh buffer.

        :param routine: with a completion routine.
        :param armed: the device asks for data.
        """
        adapter = adapter_for(board, write=write, width=width, channel=channel)
        buffer, mdl = described(board, size, offset=offset, region=region)
        context = context_for(board, adapter)
        base = granted_with(board, adapter, context, registers=8)
        done = Completions(board)
        if armed:
            arm(board, write=write, width=width)
        mapped = adapter.MapTransferEx(
            mdl, base, WriteToDevice=write, DmaCompletionRoutine=done if routine else None
        )
        assert mapped.status == NtStatus.STATUS_SUCCESS
        return Flight(board, adapter, buffer, mdl, context, base, write, done, mapped)

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


@dataclass
class Bench:
    """A granted request, a chain of MDLs to map, and memory for a list.

    :ivar base, context: MapRegisterBase and context of the request.
    """

    shim: Shim
    adapter: DmaAdapter
    mdl: Mdl
    registers: int = 2
    device: int | None = None
    base: int = field(init=False)
    context: int = field(init=False)
    memory: int = field(init=False)

    def __post_init__(self) -> None:
        """Own the channel."""
        self.context = context_for(self.shim, self.adapter)
        self.base = granted_with(self.shim, self.adapter, self.context, self.registers, self.device)
        self.memory = self.shim.request("allocate", 4096).number("address")

    @staticmethod
    def of_master(shim: Shim, size: int = 256, **where: Any) -> Bench:
        """Return one for a bus master and a fresh buffer."""
        return Bench(shim, bus_master(shim), described(shim, size, **where)[1])

    @staticmethod
    def of_subordinate(shim: Shim, size: int = 256, **where: Any) -> Bench:
        """Return one for a subordinate and a fresh buffer."""
        return Bench(shim, quiet(shim), described(shim, size, **where)[1])

    def map(
        self,
        offset: int = 0,
        length: int | Pointer | None = None,
        *,
        write: bool = True,
        capacity: int = 100,
        **more: Any,
    ) -> Mapped:
        """Map with a list of so many elements; 0: without a list."""
        head, element = sizes(self.shim)
        if capacity:
            more = {
                "ScatterGatherBuffer": self.memory,
                "ScatterGatherBufferLength": head + capacity * element,
            } | more
        return self.adapter.MapTransferEx(
            self.mdl, self.base, offset, Length=length, WriteToDevice=write, **more
        )

    def flush(self, length: int, offset: int = 0, *, write: bool = True) -> NtStatus:
        """End the mapping."""
        return self.adapter.FlushAdapterBuffersEx(
            self.mdl, self.base, offset, length, WriteToDevice=write
        )

    @property
    def list(self) -> list[Element]:
        """What is in the list."""
        return self.shim.dma.read_list(self.memory)


def read_beside_the_cpu(
    board: Board, data: bytes, offset: int, width: int = 32
) -> tuple[bytes, bytes]:
    """Let the device send `data` to `offset` in two pages, of which the CPU stores all the rest.

    It does so before, during and after the transfer, always before the flush.

    :return: the two pages as the CPU reads them then, and as they should be.
    """
    whole = board.memory.allocate(2 * PAGE, align=PAGE, name="neighbourhood")
    board.fill(whole, 0x11)
    mdl = board.dma.IoAllocateMdl(whole.address + offset, len(data))
    board.dma.MmBuildMdlForNonPagedPool(mdl)
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
