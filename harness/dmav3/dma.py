# SPDX-License-Identifier: Apache-2.0
"""The routines of the interface, callable from Python, in the interface's spelling.

Names, parameters and their meaning are the interface's; what it returns through pointers comes
back in a result value. Numbers travel unchecked, so that tests can misuse every routine: what
they are allowed to be is decided by the layer under test. Required IRQLs are the caller's duty
(`Board.irql`). Everything here raises as `Board.request` does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .frame import parse_number
from .wdm import (
    DEVICE_DESCRIPTION_VERSION3,
    DMA_TRANSFER_CONTEXT_SIZE_V1,
    DmaCompletionStatus,
    DmaWidth,
    InterfaceType,
    NtStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .rpc import Handler, Reply

    #: (DeviceObject, Irp, MapRegisterBase, Context) -> IoAllocationAction
    DriverControl = Callable[[int, int, int, object], int]
    #: (DmaAdapter, DeviceObject, CompletionContext, Status)
    DmaCompletionRoutine = Callable[["DmaAdapter", int, object, DmaCompletionStatus], object]

#: The device object that stands for the caller where it names none.
DEVICE = 1


class TransferInfo(NamedTuple):
    """DMA_TRANSFER_INFO_V1 with the status; sizes in bytes."""

    status: NtStatus
    MapRegisterCount: int
    ScatterGatherElementCount: int
    ScatterGatherListSize: int


class Allocated(NamedTuple):
    """Result of AllocateAdapterChannelEx; the handle is 0 unless it was asked for."""

    status: NtStatus
    MapRegisterBase: int


class Mapped(NamedTuple):
    """Result of MapTransferEx: bytes mapped, which may be fewer than asked for."""

    status: NtStatus
    Length: int


@dataclass
class Mdl:
    """A memory descriptor list in the guest: its address there, and the bytes of its chain."""

    address: int
    size: int


class Target(ABC):
    """Who carries requests to the shim."""

    @abstractmethod
    def request(self, *words: str | int) -> Reply:
        """Send a request, serve callbacks, return the reply."""

    @abstractmethod
    def callback(self, handler: Handler) -> int:
        """Register a function; returns its cookie."""


@dataclass
class DmaAdapter:
    """A DMA_ADAPTER of the guest.

    :ivar address: its address there.
    :ivar NumberOfMapRegisters: the most that one request may own.
    """

    target: Target = field(repr=False)
    address: int
    NumberOfMapRegisters: int

    def PutDmaAdapter(self) -> None:
        """Release the adapter; it must not be used any more. PASSIVE_LEVEL."""
        self.target.request("PutDmaAdapter", self.address)

    def GetDmaTransferInfo(
        self, mdl: Mdl, Offset: int = 0, Length: int | None = None, *, WriteOnly: bool = False
    ) -> TransferInfo:
        """Ask what a mapping may need.

        :param Length: bytes; None: the rest of the chain from `Offset`.
        """
        length = mdl.size - Offset if Length is None else Length
        reply = self.target.request(
            "GetDmaTransferInfo", self.address, mdl.address, Offset, length, int(WriteOnly)
        )
        return TransferInfo(
            NtStatus(reply.number("status")),
            reply.number("registers"),
            reply.number("elements"),
            reply.number("size"),
        )

    def InitializeDmaTransferContext(self, DmaTransferContext: int) -> NtStatus:
        """Initialise guest memory of DMA_TRANSFER_CONTEXT_SIZE_V1 bytes as a context."""
        return self._status("InitializeDmaTransferContext", DmaTransferContext)

    def AllocateAdapterChannelEx(
        self,
        DmaTransferContext: int,
        NumberOfMapRegisters: int,
        Flags: int = 0,
        ExecutionRoutine: DriverControl | None = None,
        ExecutionContext: object = None,
        *,
        DeviceObject: int = DEVICE,
        MapRegisterBase: bool = False,
    ) -> Allocated:
        """Ask for channel and map registers. DISPATCH_LEVEL.

        :param ExecutionRoutine: AdapterControl, entered at DISPATCH_LEVEL during this or a later
            request, with `ExecutionContext`.
        :param MapRegisterBase: ask for the handle in the result.
        """

        def enter(keys: Mapping[str, str]) -> int:
            assert ExecutionRoutine is not None  # noqa: S101 - registered only if given
            device, irp, base = (parse_number(keys[key]) for key in ("device", "irp", "base"))
            return ExecutionRoutine(device, irp, base, ExecutionContext)

        cookie = self.target.callback(enter) if ExecutionRoutine else 0
        reply = self.target.request(
            "AllocateAdapterChannelEx",
            self.address,
            DeviceObject,
            DmaTransferContext,
            NumberOfMapRegisters,
            Flags,
            cookie,
            int(MapRegisterBase),
        )
        return Allocated(NtStatus(reply.number("status")), reply.number("base"))

    def MapTransferEx(
        self,
        mdl: Mdl,
        MapRegisterBase: int,
        Offset: int = 0,
        DeviceOffset: int = 0,
        Length: int | None = None,
        *,
        WriteToDevice: bool,
        ScatterGatherBuffer: int = 0,
        ScatterGatherBufferLength: int = 0,
        DmaCompletionRoutine: DmaCompletionRoutine | None = None,
        CompletionContext: object = None,
    ) -> Mapped:
        """Map a part of the chain and start the transfer (system DMA).

        :param Offset, Length: bytes; Length None: the rest of the chain from `Offset`.
        :param ScatterGatherBuffer: guest address of memory for the list, or 0.
        :param DmaCompletionRoutine: entered at DISPATCH_LEVEL during a later request.
        """

        def enter(keys: Mapping[str, str]) -> int:
            assert DmaCompletionRoutine is not None  # noqa: S101 - registered only if given
            adapter = parse_number(keys["adapter"])
            mine = self if adapter == self.address else DmaAdapter(self.target, adapter, 0)
            status = DmaCompletionStatus(parse_number(keys["status"]))
            DmaCompletionRoutine(mine, parse_number(keys["device"]), CompletionContext, status)
            return 0

        reply = self.target.request(
            "MapTransferEx",
            self.address,
            mdl.address,
            MapRegisterBase,
            Offset,
            DeviceOffset,
            mdl.size - Offset if Length is None else Length,
            int(WriteToDevice),
            ScatterGatherBuffer,
            ScatterGatherBufferLength,
            self.target.callback(enter) if DmaCompletionRoutine else 0,
        )
        return Mapped(NtStatus(reply.number("status")), reply.number("length"))

    def FlushAdapterBuffersEx(
        self, mdl: Mdl, MapRegisterBase: int, Offset: int, Length: int, *, WriteToDevice: bool
    ) -> NtStatus:
        """End a mapping; after a read its bytes are then in memory as the CPU reads it."""
        return self._status(
            "FlushAdapterBuffersEx",
            mdl.address,
            MapRegisterBase,
            Offset,
            Length,
            int(WriteToDevice),
        )

    def FreeAdapterChannel(self) -> None:
        """Give channel and map registers back. DISPATCH_LEVEL."""
        self.target.request("FreeAdapterChannel", self.address)

    def _status(self, routine: str, *arguments: int) -> NtStatus:
        return NtStatus(self.target.request(routine, self.address, *arguments).number("status"))


class Routines(Target):
    """The routines that belong to no adapter; `Board` has them all."""

    def IoGetDmaAdapter(
        self,
        *,
        Version: int = DEVICE_DESCRIPTION_VERSION3,
        Master: bool = False,
        ScatterGather: bool = True,
        AutoInitialize: bool = False,
        IgnoreCount: bool = False,
        DmaChannel: int = 0,
        InterfaceType: int = InterfaceType.ACPIBus,
        DmaWidth: int = DmaWidth.Width32Bits,
        MaximumLength: int = 0,
        DmaAddressWidth: int = 32,
        DmaRequestLine: int = 0,
        DeviceAddress: int = 0,
    ) -> DmaAdapter | None:
        """Create an adapter from the members of a DEVICE_DESCRIPTION. PASSIVE_LEVEL.

        :return: None where the interface returns NULL.
        """
        reply = self.request(
            "IoGetDmaAdapter",
            Version,
            int(Master),
            int(ScatterGather),
            int(AutoInitialize),
            int(IgnoreCount),
            DmaChannel,
            InterfaceType,
            DmaWidth,
            MaximumLength,
            DmaAddressWidth,
            DmaRequestLine,
            DeviceAddress,
        )
        address = reply.number("adapter")
        return DmaAdapter(self, address, reply.number("registers")) if address else None

    def IoAllocateMdl(self, VirtualAddress: int, Length: int, Previous: Mdl | None = None) -> Mdl:
        """Describe guest memory, behind `Previous` if given, whose chain it then lengthens."""
        previous = Previous.address if Previous else 0
        reply = self.request("IoAllocateMdl", VirtualAddress, Length, previous)
        if Previous:
            Previous.size += Length
        return Mdl(reply.number("mdl"), Length)

    def MmBuildMdlForNonPagedPool(self, mdl: Mdl) -> None:
        """Fill in the physical pages."""
        self.request("MmBuildMdlForNonPagedPool", mdl.address)

    def IoFreeMdl(self, mdl: Mdl) -> None:
        """Free one descriptor; not the memory, not the rest of its chain."""
        self.request("IoFreeMdl", mdl.address)

    def allocate_context(self) -> int:
        """Return guest memory for a transfer context; `request("release", …)` frees it."""
        return self.request("allocate", DMA_TRANSFER_CONTEXT_SIZE_V1).number("address")
