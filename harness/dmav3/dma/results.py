# SPDX-License-Identifier: Apache-2.0
"""What routines return, with everything that they give through pointers.

Every value is as it lies in guest memory after the call, whatever the status: where the routine
wrote nothing, it is `UNWRITTEN` or `UNWRITTEN64` (GEN-06), or what the caller had put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dmav3.wdm import NtStatus


class AdapterInfo(NamedTuple):
    """DMA_ADAPTER_INFO_V1 with the status, and the `Version` after the call."""

    status: NtStatus
    ReadDmaCounterAvailable: int
    ScatterGatherLimit: int
    DmaAddressWidth: int
    Flags: int
    MinimumTransferUnit: int
    Version: int


class TransferInfo(NamedTuple):
    """DMA_TRANSFER_INFO_V1 with the status, and the `Version` after the call; sizes in bytes."""

    status: NtStatus
    MapRegisterCount: int
    ScatterGatherElementCount: int
    ScatterGatherListSize: int
    Version: int


class CommonBuffer(NamedTuple):
    """A common buffer; `VirtualAddress` is 0 where there is none.

    In the order of FreeCommonBuffer's parameters: `adapter.FreeCommonBuffer(*buffer)`.
    """

    Length: int
    LogicalAddress: int
    VirtualAddress: int
    CacheEnabled: bool


class Allocated(NamedTuple):
    """Result of AllocateAdapterChannelEx; the handle is 0 unless it was asked for."""

    status: NtStatus
    MapRegisterBase: int


class Mapped(NamedTuple):
    """Result of MapTransferEx: bytes mapped, which may be fewer than asked for."""

    status: NtStatus
    Length: int


class MappedPiece(NamedTuple):
    """Result of MapTransfer: where the device finds the piece, and its bytes."""

    LogicalAddress: int
    Length: int


class ListSize(NamedTuple):
    """Result of CalculateScatterGatherList: bytes of the list, registers if asked for, or 0."""

    status: NtStatus
    ScatterGatherListSize: int
    NumberOfMapRegisters: int


class BuiltList(NamedTuple):
    """Result of Get- and BuildScatterGatherListEx; the list is 0 unless it was asked for."""

    status: NtStatus
    ScatterGatherList: int


class BuiltMdl(NamedTuple):
    """Result of BuildMdlFromScatterGatherList: the address of an MDL."""

    status: NtStatus
    TargetMdl: int


class Element(NamedTuple):
    """A SCATTER_GATHER_ELEMENT."""

    Address: int
    Length: int


class MdlFields(NamedTuple):
    """What is in an MDL, without the rest of its chain; `pages` are page numbers."""

    Next: int
    MdlFlags: int
    MappedSystemVa: int
    StartVa: int
    ByteCount: int
    ByteOffset: int
    pages: tuple[int, ...]
