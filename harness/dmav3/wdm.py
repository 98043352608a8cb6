# SPDX-License-Identifier: Apache-2.0
"""Constants of the interface, in its own spelling (firmware/include/wdm_dma.h has the C ones)."""

from __future__ import annotations

import enum

PASSIVE_LEVEL = 0
DISPATCH_LEVEL = 2

DEVICE_DESCRIPTION_VERSION3 = 3
DMA_SYNCHRONOUS_CALLBACK = 1
#: Bytes of a transfer context on a 64-bit target.
DMA_TRANSFER_CONTEXT_SIZE_V1 = 128


class NtStatus(enum.IntEnum):
    """The codes that the routines return; others are kept as they come."""

    STATUS_SUCCESS = 0x00000000
    STATUS_PENDING = 0x00000103
    STATUS_DEVICE_BUSY = 0x80000011
    STATUS_UNSUCCESSFUL = 0xC0000001
    STATUS_NOT_IMPLEMENTED = 0xC0000002
    STATUS_INVALID_PARAMETER = 0xC000000D
    STATUS_NO_SUCH_DEVICE = 0xC000000E
    STATUS_NONEXISTENT_SECTOR = 0xC0000015
    STATUS_BUFFER_TOO_SMALL = 0xC0000023
    STATUS_NONE_MAPPED = 0xC0000073
    STATUS_INSUFFICIENT_RESOURCES = 0xC000009A
    STATUS_DEVICE_DATA_ERROR = 0xC000009C
    STATUS_MEDIA_WRITE_PROTECTED = 0xC00000A2
    STATUS_DEVICE_NOT_READY = 0xC00000A3
    STATUS_IO_TIMEOUT = 0xC00000B5
    STATUS_NOT_SUPPORTED = 0xC00000BB
    STATUS_CANCELLED = 0xC0000120
    STATUS_INVALID_DEVICE_STATE = 0xC0000184
    STATUS_IO_DEVICE_ERROR = 0xC0000185

    @classmethod
    def _missing_(cls, value: object) -> NtStatus | None:
        if not isinstance(value, int) or not 0 <= value < 1 << 32:
            return None
        status = int.__new__(cls, value)
        status._name_, status._value_ = f"STATUS_{value:08X}", value
        return status

    def spelled(self) -> str:
        """Return its name, if it has one, and the number in hexadecimal."""
        known = self.name in type(self).__members__
        return f"{self.name} ({self:#010x})" if known else f"{self:#010x}"

    def __repr__(self) -> str:
        """Return the same, as a failed assertion shows it."""
        return f"<{self.spelled()}>"

    __str__ = spelled

    @property
    def success(self) -> bool:
        """NT_SUCCESS: the severity says success or information."""
        return self < 0x80000000  # noqa: PLR2004 - the severity bit


#: Bits of a data register, in the order of `DmaWidth`.
BITS = (8, 16, 32, 64)


class DmaWidth(enum.IntEnum):
    """DMA_WIDTH."""

    Width8Bits = 0
    Width16Bits = 1
    Width32Bits = 2
    Width64Bits = 3
    WidthNoWrap = 4

    @classmethod
    def of_bits(cls, bits: int) -> DmaWidth:
        """Return the width for one of `BITS`."""
        return cls(BITS.index(bits))


class InterfaceType(enum.IntEnum):
    """INTERFACE_TYPE, those that adapters accept; Undefined is -1 in 32 bits."""

    Internal = 0
    PCIBus = 5
    ACPIBus = 17
    InterfaceTypeUndefined = 0xFFFFFFFF


class IoAllocationAction(enum.IntEnum):
    """IO_ALLOCATION_ACTION, what AdapterControl returns."""

    KeepObject = 1
    DeallocateObject = 2
    DeallocateObjectKeepRegisters = 3


class DmaCompletionStatus(enum.IntEnum):
    """DMA_COMPLETION_STATUS, what a completion routine gets."""

    DmaComplete = 0
    DmaAborted = 1
    DmaError = 2
    DmaCancelled = 3
