# SPDX-License-Identifier: Apache-2.0
"""The adapter: the members of DMA_OPERATIONS as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import results
from .adapter_base import bytes_from, mdl_address
from .channels import ChannelRoutines
from .lists import ListRoutines
from .target import NULL
from .transfers import TransferRoutines

if TYPE_CHECKING:
    from .target import Mdl, Place, Pointer

_ADDRESS = 8
_VERSION1 = 1


class DmaAdapter(ChannelRoutines, TransferRoutines, ListRoutines):
    """A DMA_ADAPTER of the guest; two are equal if they are the same one there."""

    def PutDmaAdapter(self) -> None:
        """Release the adapter; it must not be used any more."""
        self._call("PutDmaAdapter")

    def GetDmaAlignment(self) -> int:
        """Return the alignment that buffers should have, in bytes. PASSIVE_LEVEL."""
        return self._value("GetDmaAlignment")

    def GetDmaAdapterInfo(
        self, Version: int = _VERSION1, *, AdapterInfo: Place = True
    ) -> results.AdapterInfo:
        """Ask what adapter and controller can do."""
        with self.target.structure("DMA_ADAPTER_INFO", AdapterInfo, Version=Version) as info:
            status = self._status("GetDmaAdapterInfo", info.address)
            after = self.target.struct("DMA_ADAPTER_INFO").read(info.bytes)
            return results.AdapterInfo(status, **after["V1"], Version=after["Version"])

    def GetDmaTransferInfo(
        self,
        mdl: Mdl | int,
        Offset: int = 0,
        Length: int | None = None,
        *,
        WriteOnly: bool = False,
        Version: int = _VERSION1,
        TransferInfo: Place = True,
    ) -> results.TransferInfo:
        """Ask what a mapping may need.

        :param Length: bytes; None: the rest of the chain from `Offset`.
        """
        with self.target.structure("DMA_TRANSFER_INFO", TransferInfo, Version=Version) as info:
            status = self._status(
                "GetDmaTransferInfo",
                mdl_address(mdl),
                Offset,
                bytes_from(mdl, Offset, Length),
                WriteOnly,
                info.address,
            )
            after = self.target.struct("DMA_TRANSFER_INFO").read(info.bytes)
            return results.TransferInfo(status, **after["V1"], Version=after["Version"])

    def AllocateCommonBuffer(
        self, Length: int, *, CacheEnabled: bool = False, LogicalAddress: Place = True
    ) -> results.CommonBuffer:
        """Allocate memory that CPU and device use at any time. PASSIVE_LEVEL."""
        with self.target.place(LogicalAddress, _ADDRESS) as logical:
            address = self._value("AllocateCommonBuffer", Length, logical.address, CacheEnabled)
            return results.CommonBuffer(Length, logical.number, address, CacheEnabled)

    def AllocateCommonBufferEx(
        self,
        Length: int,
        MaximumAddress: int | Pointer = NULL,
        *,
        CacheEnabled: bool = False,
        PreferredNode: int = 0,
        LogicalAddress: Place = True,
    ) -> results.CommonBuffer:
        """Allocate a common buffer below a highest logical address. PASSIVE_LEVEL."""
        with (
            self.target.reference(MaximumAddress, _ADDRESS) as maximum,
            self.target.place(LogicalAddress, _ADDRESS) as logical,
        ):
            address = self._value(
                "AllocateCommonBufferEx",
                maximum.address,
                Length,
                logical.address,
                CacheEnabled,
                PreferredNode,
            )
            return results.CommonBuffer(Length, logical.number, address, CacheEnabled)

    def FreeCommonBuffer(
        self,
        Length: int,
        LogicalAddress: int,
        VirtualAddress: int,
        CacheEnabled: bool,  # noqa: FBT001 - `FreeCommonBuffer(*buffer)`
    ) -> None:
        """Free a common buffer, named by all that its allocation was given and gave."""
        self._call("FreeCommonBuffer", Length, LogicalAddress, VirtualAddress, CacheEnabled)
