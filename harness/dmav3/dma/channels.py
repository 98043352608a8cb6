# SPDX-License-Identifier: Apache-2.0
"""Contexts, the channel and the map registers: how they are asked for and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .adapter_base import AdapterBase
from .callbacks import control
from .results import Allocated

if TYPE_CHECKING:
    from dmav3.wdm import NtStatus

    from .callbacks import DriverControl
    from .target import Place


class ChannelRoutines(AdapterBase):
    """The routines by which a request owns resources, and ends.

    Where `DeviceObject` is not named it is the device of the target (`Target.device`).
    """

    def InitializeDmaTransferContext(self, DmaTransferContext: int) -> NtStatus:
        """Initialise guest memory of DMA_TRANSFER_CONTEXT_SIZE_V1 bytes as a context."""
        return self._status("InitializeDmaTransferContext", DmaTransferContext)

    def AllocateAdapterChannel(
        self,
        NumberOfMapRegisters: int,
        ExecutionRoutine: DriverControl | None,
        Context: object = None,
        *,
        DeviceObject: int | None = None,
    ) -> NtStatus:
        """Ask for channel and map registers, without a context. DISPATCH_LEVEL."""
        return self._status(
            "AllocateAdapterChannel",
            self._device(DeviceObject),
            NumberOfMapRegisters,
            *control(self.target, ExecutionRoutine, Context),
        )

    def AllocateAdapterChannelEx(
        self,
        DmaTransferContext: int,
        NumberOfMapRegisters: int,
        Flags: int = 0,
        ExecutionRoutine: DriverControl | None = None,
        ExecutionContext: object = None,
        *,
        DeviceObject: int | None = None,
        MapRegisterBase: Place = False,
    ) -> Allocated:
        """Ask for channel and map registers. DISPATCH_LEVEL.

        :param ExecutionRoutine: AdapterControl, entered during this or a later request.
        :param MapRegisterBase: True asks for the handle in the result.
        """
        with self.target.place(MapRegisterBase, self.target.pointer_size) as base:
            status = self._status(
                "AllocateAdapterChannelEx",
                self._device(DeviceObject),
                DmaTransferContext,
                NumberOfMapRegisters,
                Flags,
                *control(self.target, ExecutionRoutine, ExecutionContext),
                base.address,
            )
            return Allocated(status, base.number)

    def ConfigureAdapterChannel(self, FunctionNumber: int, Context: int) -> NtStatus:
        """Hand a function of the controller's own its argument, a guest address."""
        return self._status("ConfigureAdapterChannel", FunctionNumber, Context)

    def CancelAdapterChannel(
        self, DmaTransferContext: int, *, DeviceObject: int | None = None
    ) -> bool:
        """Cancel a request that waits, or one to come; False if it is too late."""
        device = self._device(DeviceObject)
        return bool(self._value("CancelAdapterChannel", device, DmaTransferContext))

    def FreeAdapterChannel(self) -> None:
        """Give channel and map registers back. DISPATCH_LEVEL."""
        self._call("FreeAdapterChannel")

    def FreeAdapterObject(self, AllocationAction: int) -> None:
        """Give back what an IoAllocationAction says."""
        self._call("FreeAdapterObject", AllocationAction)

    def FreeMapRegisters(self, MapRegisterBase: int, NumberOfMapRegisters: int) -> None:
        """Give map registers back that outlived the channel. DISPATCH_LEVEL."""
        self._call("FreeMapRegisters", MapRegisterBase, NumberOfMapRegisters)
