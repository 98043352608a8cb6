# SPDX-License-Identifier: Apache-2.0
"""The routines that belong to no adapter, and objects of the guest that drivers have."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from dmav3.errors import (
    ClosedError,
    DeadlineError,
    Dmav3Error,
    FaultError,
    InfrastructureError,
    TargetError,
)
from dmav3.wdm import (
    DEVICE_DESCRIPTION_VERSION3,
    DMA_TRANSFER_CONTEXT_SIZE_V1,
    DmaWidth,
    InterfaceType,
)

from .adapter import DmaAdapter
from .adapter_base import mdl_address
from .results import Element, MdlFields
from .target import Mdl, Place, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .target import Pointer

_ULONG, _PAGE = 4, 4096
#: Model time that `run_until` allows unless told otherwise: 10 s.
_RUN_NS = 10_000_000_000


class DeviceDescription(TypedDict, total=False):
    """The members of a DEVICE_DESCRIPTION; flags are any number that fits into a byte."""

    Version: int
    Master: int
    ScatterGather: int
    DemandMode: int
    AutoInitialize: int
    Dma32BitAddresses: int
    IgnoreCount: int
    Reserved1: int
    Dma64BitAddresses: int
    BusNumber: int
    DmaChannel: int
    InterfaceType: int
    DmaWidth: int
    DmaSpeed: int
    MaximumLength: int
    DmaPort: int
    DmaAddressWidth: int
    DmaControllerInstance: int
    DmaRequestLine: int
    DeviceAddress: int


#: The members that are not 0 where the caller does not name them.
DESCRIPTION = DeviceDescription(
    Version=DEVICE_DESCRIPTION_VERSION3,
    ScatterGather=1,
    InterfaceType=InterfaceType.ACPIBus,
    DmaWidth=DmaWidth.Width32Bits,
    DmaAddressWidth=32,
)


class Routines(Target):
    """The routines that belong to no adapter, MDLs, and objects of the guest: `Board.dma`."""

    def IoGetDmaAdapter(
        self,
        *,
        PhysicalDeviceObject: int = 0,
        DeviceDescription: Pointer | None = None,
        NumberOfMapRegisters: Place = True,
        **members: Unpack[DeviceDescription],
    ) -> DmaAdapter | None:
        """Create an adapter. PASSIVE_LEVEL.

        :param DeviceDescription: one in guest memory (`describe`), instead of `members`.
        :return: None where the interface returns NULL.
        """
        given = self.describe(**members) if DeviceDescription is None else DeviceDescription
        with (
            self.reference(given) as description,
            self.place(NumberOfMapRegisters, _ULONG) as registers,
        ):
            address = self.routine(
                "IoGetDmaAdapter", PhysicalDeviceObject, description.address, registers.address
            ).number("value")
            return DmaAdapter(self, address, registers.number) if address else None

    def describe(self, **members: Unpack[DeviceDescription]) -> bytes:
        """Return a DEVICE_DESCRIPTION as it lies in guest memory; `DESCRIPTION` has the defaults.

        :raises UsageError: there is no such member.
        """
        layout = self.struct("DEVICE_DESCRIPTION")
        data = bytearray(layout.size)
        values: dict[str, Any] = {**DESCRIPTION, **members}
        values["DeviceAddress.QuadPart"] = values.pop("DeviceAddress", 0)
        layout.write(data, values)
        return bytes(data)

    def KeFlushIoBuffers(
        self, mdl: Mdl | int, *, ReadOperation: bool, DmaOperation: bool = True
    ) -> None:
        """Do the cache maintenance of one MDL that drivers of versions 1 and 2 owe."""
        self.routine("KeFlushIoBuffers", mdl_address(mdl), int(ReadOperation), int(DmaOperation))

    @contextmanager
    def irql(self, level: int) -> Iterator[None]:
        """Raise the IRQL to `level` inside the block, then restore it, however the block ends."""
        before = self.request("KeRaiseIrql", level).number("irql")
        try:
            yield
        except (DeadlineError, ClosedError, FaultError, InfrastructureError):
            raise  # no shim is there to lower it
        except BaseException:
            with suppress(Dmav3Error):  # what the block raised is what counts
                self.request("KeLowerIrql", before)
            raise
        self.request("KeLowerIrql", before)

    def run_until(self, condition: Callable[[], bool], deadline_ns: int = _RUN_NS) -> None:
        """Let model time pass, callback by callback, until `condition()` is true.

        PASSIVE_LEVEL, outside callbacks.

        :raises TargetError: it was still false after `deadline_ns` of model time.
        """
        end = self._time_ns() + deadline_ns
        while not condition():
            left = end - self._time_ns()
            if left <= 0:
                msg = f"nothing more happened within {deadline_ns} ns of model time"
                raise TargetError("\n".join([msg, *self._waiting()]))
            self.request("wait", left, "callback")

    # MDLs

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

    def mdl_fields(self, mdl: Mdl | int) -> MdlFields:
        """Return what is in an MDL now."""
        address, layout = mdl_address(mdl), self.struct("MDL")
        fields = layout.read(self._memory.look(address, layout.size))
        count = -(-(fields["ByteOffset"] + fields["ByteCount"]) // _PAGE)
        raw = self._memory.look(address + layout.size, count * self.pointer_size)
        pages = memoryview(raw).cast("Q" if self.pointer_size == 8 else "I")  # noqa: PLR2004
        named = {name: value for name, value in fields.items() if name in MdlFields._fields}
        return MdlFields(**named, pages=tuple(pages))

    # Objects of the guest's heap

    def allocate_context(self) -> int:
        """Return guest memory for a transfer context; `request("release", …)` frees it."""
        return self.request("allocate", DMA_TRANSFER_CONTEXT_SIZE_V1).number("address")

    def read_list(self, address: int) -> list[Element]:
        """Return what is in a SCATTER_GATHER_LIST of the guest now."""
        head, element = self.struct("SCATTER_GATHER_LIST"), self.struct("SCATTER_GATHER_ELEMENT")
        count = head.read(self._memory.look(address, head.size))["NumberOfElements"]
        raw = self._memory.look(address + head.size, count * element.size)
        read = (element.read(raw, n * element.size) for n in range(count))
        return [Element(one["Address"]["QuadPart"] % (1 << 64), one["Length"]) for one in read]
