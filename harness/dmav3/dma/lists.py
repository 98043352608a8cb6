# SPDX-License-Identifier: Apache-2.0
"""Scatter-gather lists: channel, registers, mapping and list in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from .adapter_base import AdapterBase, bytes_from, mdl_address
from .callbacks import completion, list_control
from .results import BuiltList, BuiltMdl, ListSize

if TYPE_CHECKING:
    from dmav3.wdm import NtStatus

    from .callbacks import DmaCompletionRoutine, DriverListControl
    from .target import Mdl, Place

_ULONG = 4


class ListRoutines(AdapterBase):
    """The routines of lists. Memory for them is a guest address; a list is one, too.

    An asynchronous request may write its list's address long after the call: then
    `ScatterGatherList` must be a `Pointer` to memory of the caller's.
    """

    def CalculateScatterGatherList(
        self,
        mdl: Mdl | int,
        CurrentVa: int,
        Length: int,
        *,
        ScatterGatherListSize: Place = True,
        NumberOfMapRegisters: Place = True,
    ) -> ListSize:
        """Ask how large a list may become. Any level."""
        place = self.target.place
        with (
            place(ScatterGatherListSize, _ULONG) as size,
            place(NumberOfMapRegisters, _ULONG) as registers,
        ):
            status = self._status(
                "CalculateScatterGatherList",
                mdl_address(mdl),
                CurrentVa,
                Length,
                size.address,
                registers.address,
            )
            return ListSize(status, size.number, registers.number)

    def GetScatterGatherList(
        self,
        mdl: Mdl | int,
        CurrentVa: int,
        Length: int,
        ExecutionRoutine: DriverListControl | None,
        Context: object = None,
        *,
        WriteToDevice: bool,
        DeviceObject: int | None = None,
    ) -> NtStatus:
        """Map and build a list in memory of the layer's; the routine gets it. DISPATCH_LEVEL."""
        return self._status(
            "GetScatterGatherList",
            self._device(DeviceObject),
            mdl_address(mdl),
            CurrentVa,
            Length,
            *list_control(self.target, ExecutionRoutine, Context),
            WriteToDevice,
        )

    def BuildScatterGatherList(
        self,
        mdl: Mdl | int,
        CurrentVa: int,
        Length: int,
        ExecutionRoutine: DriverListControl | None,
        Context: object = None,
        *,
        WriteToDevice: bool,
        ScatterGatherBuffer: int,
        ScatterGatherLength: int,
        DeviceObject: int | None = None,
    ) -> NtStatus:
        """Map and build a list in memory of the caller's; the routine gets it. DISPATCH_LEVEL."""
        return self._status(
            "BuildScatterGatherList",
            self._device(DeviceObject),
            mdl_address(mdl),
            CurrentVa,
            Length,
            *list_control(self.target, ExecutionRoutine, Context),
            WriteToDevice,
            ScatterGatherBuffer,
            ScatterGatherLength,
        )

    def GetScatterGatherListEx(
        self,
        DmaTransferContext: int,
        mdl: Mdl | int,
        Offset: int = 0,
        Length: int | None = None,
        Flags: int = 0,
        ExecutionRoutine: DriverListControl | None = None,
        Context: object = None,
        *,
        WriteToDevice: bool,
        DmaCompletionRoutine: DmaCompletionRoutine[Self] | None = None,
        CompletionContext: object = None,
        ScatterGatherList: Place = False,
        DeviceObject: int | None = None,
    ) -> BuiltList:
        """Map and build a list in memory of the layer's; True asks for it in the result."""
        arguments = (
            self._device(DeviceObject),
            DmaTransferContext,
            mdl_address(mdl),
            Offset,
            bytes_from(mdl, Offset, Length),
            Flags,
            *list_control(self.target, ExecutionRoutine, Context),
            WriteToDevice,
            *completion(self, DmaCompletionRoutine, CompletionContext),
        )
        return self._built("GetScatterGatherListEx", arguments, ScatterGatherList)

    def BuildScatterGatherListEx(
        self,
        DmaTransferContext: int,
        mdl: Mdl | int,
        Offset: int = 0,
        Length: int | None = None,
        Flags: int = 0,
        ExecutionRoutine: DriverListControl | None = None,
        Context: object = None,
        *,
        WriteToDevice: bool,
        ScatterGatherBuffer: int,
        ScatterGatherLength: int,
        DmaCompletionRoutine: DmaCompletionRoutine[Self] | None = None,
        CompletionContext: object = None,
        ScatterGatherList: Place = False,
        DeviceObject: int | None = None,
    ) -> BuiltList:
        """Map and build a list in memory of the caller's. DISPATCH_LEVEL."""
        arguments = (
            self._device(DeviceObject),
            DmaTransferContext,
            mdl_address(mdl),
            Offset,
            bytes_from(mdl, Offset, Length),
            Flags,
            *list_control(self.target, ExecutionRoutine, Context),
            WriteToDevice,
            ScatterGatherBuffer,
            ScatterGatherLength,
            *completion(self, DmaCompletionRoutine, CompletionContext),
        )
        return self._built("BuildScatterGatherListEx", arguments, ScatterGatherList)

    def PutScatterGatherList(self, ScatterGather: int, *, WriteToDevice: bool) -> None:
        """End the mapping of a list and give its registers back. DISPATCH_LEVEL."""
        self._call("PutScatterGatherList", ScatterGather, WriteToDevice)

    def BuildMdlFromScatterGatherList(
        self, ScatterGather: int, OriginalMdl: Mdl | int, *, TargetMdl: Place = True
    ) -> BuiltMdl:
        """Ask for an MDL of the memory that a list really names."""
        with self.target.place(TargetMdl, self.target.pointer_size) as target:
            status = self._status(
                "BuildMdlFromScatterGatherList",
                ScatterGather,
                mdl_address(OriginalMdl),
                target.address,
            )
            return BuiltMdl(status, target.number)

    def _built(self, routine: str, arguments: tuple[int, ...], where: Place) -> BuiltList:
        """Call a routine whose last parameter is where the list's address goes."""
        with self.target.place(where, self.target.pointer_size) as built:
            return BuiltList(self._status(routine, *arguments, built.address), built.number)
