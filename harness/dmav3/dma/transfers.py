# SPDX-License-Identifier: Apache-2.0
"""Mappings: how they are made, watched, cancelled and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from .adapter_base import AdapterBase, bytes_from, mdl_address
from .callbacks import completion
from .results import Mapped, MappedPiece

if TYPE_CHECKING:
    from dmav3.wdm import NtStatus

    from .callbacks import DmaCompletionRoutine
    from .target import Mdl, Pointer

_ULONG = 4


class TransferRoutines(AdapterBase):
    """The routines between the grant of a channel and its release."""

    def MapTransfer(
        self,
        mdl: Mdl | int,
        MapRegisterBase: int,
        CurrentVa: int,
        Length: int | Pointer,
        *,
        WriteToDevice: bool,
    ) -> MappedPiece:
        """Map one contiguous piece of one MDL, and start the transfer (system DMA)."""
        with self.target.reference(Length, _ULONG) as length:
            logical = self._value(
                "MapTransfer",
                mdl_address(mdl),
                MapRegisterBase,
                CurrentVa,
                length.address,
                WriteToDevice,
            )
            return MappedPiece(logical, length.number)

    def MapTransferEx(
        self,
        mdl: Mdl | int,
        MapRegisterBase: int,
        Offset: int = 0,
        DeviceOffset: int = 0,
        Length: int | Pointer | None = None,
        *,
        WriteToDevice: bool,
        ScatterGatherBuffer: int = 0,
        ScatterGatherBufferLength: int = 0,
        DmaCompletionRoutine: DmaCompletionRoutine[Self] | None = None,
        CompletionContext: object = None,
    ) -> Mapped:
        """Map a part of the chain and start the transfer (system DMA).

        :param Offset, Length: bytes; Length None: the rest of the chain from `Offset`.
        :param ScatterGatherBuffer: guest address of memory for the list, or 0.
        :param DmaCompletionRoutine: entered during this or a later request.
        """
        with self.target.reference(bytes_from(mdl, Offset, Length), _ULONG) as length:
            status = self._status(
                "MapTransferEx",
                mdl_address(mdl),
                MapRegisterBase,
                Offset,
                DeviceOffset,
                length.address,
                WriteToDevice,
                ScatterGatherBuffer,
                ScatterGatherBufferLength,
                *completion(self, DmaCompletionRoutine, CompletionContext),
            )
            return Mapped(status, length.number)

    def ReadDmaCounter(self) -> int:
        """Return the bytes that the current transfer still has to move."""
        return self._value("ReadDmaCounter")

    def CancelMappedTransfer(self, DmaTransferContext: int) -> NtStatus:
        """Stop the transfer of a request, and let it map no more."""
        return self._status("CancelMappedTransfer", DmaTransferContext)

    def FlushAdapterBuffers(
        self,
        mdl: Mdl | int,
        MapRegisterBase: int,
        CurrentVa: int,
        Length: int,
        *,
        WriteToDevice: bool,
    ) -> bool:
        """End a mapping that MapTransfer made."""
        value = self._value(
            "FlushAdapterBuffers",
            mdl_address(mdl),
            MapRegisterBase,
            CurrentVa,
            Length,
            WriteToDevice,
        )
        return bool(value)

    def FlushAdapterBuffersEx(
        self,
        mdl: Mdl | int,
        MapRegisterBase: int,
        Offset: int,
        Length: int,
        *,
        WriteToDevice: bool,
    ) -> NtStatus:
        """End a mapping; after a read its bytes are then in memory as the CPU reads it."""
        return self._status(
            "FlushAdapterBuffersEx",
            mdl_address(mdl),
            MapRegisterBase,
            Offset,
            Length,
            WriteToDevice,
        )
