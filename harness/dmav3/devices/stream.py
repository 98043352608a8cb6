# SPDX-License-Identifier: Apache-2.0
"""The stream peripheral: its registers, and the two rings on its host side.

The device takes bytes out of `receive` and gives them to the guest; what the guest sends arrives
in `sent`. An empty or full ring stalls the request line. The extension looks at what we moved
when the gate opens the next time.
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Protocol

from dmav3.errors import InfrastructureError, UsageError
from dmav3.evidence.probe import LAYOUT, MAGIC
from dmav3.guest.memory import check_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.elf.image import Elf


class Register(enum.IntEnum):
    """Offsets of the device's registers."""

    DATA = 0x00
    STATUS = 0x04
    CONTROL = 0x08
    INTERRUPT_ENABLE = 0x0C
    INTERRUPT_STATUS = 0x10


class Status(enum.IntFlag):
    """Bits of STATUS, and of the registers of the interrupt; 1 clears the last two."""

    TRANSMIT_ROOM = 1
    RECEIVE_DATA = 2
    OVERRUN = 4
    UNDERRUN = 8


class Control(enum.IntFlag):
    """Bits of CONTROL; `frame` and `burst` give the others."""

    TRANSMIT_REQUEST = 1
    RECEIVE_REQUEST = 2

    @staticmethod
    def frame(width_bytes: int) -> int:
        """Return the bits for frames of 1, 2, 4 or 8 bytes."""
        return {1: 0, 2: 1, 4: 2, 8: 3}[width_bytes] << 4

    @staticmethod
    def burst(frames: int) -> int:
        """Return the bits for requests of 1 to 16 frames."""
        return (frames - 1) << 8


class Notes(Protocol):
    """Who wants to know what is put and taken: `Recording`."""

    def put(self, data: bytes) -> None:
        """Note bytes that the device was given."""

    def taken(self, count: int) -> None:
        """Note how many bytes were taken from the device."""


class Stream:
    """The rings, mapped writable: we are the consumer of one and the producer of the other."""

    def __init__(
        self, view: memoryview, extension: Elf, settle: Callable[[], object], notes: Notes
    ) -> None:
        """Check magic and layout; raises `InfrastructureError`.

        :param notes: is told what is put and taken.
        """
        self._view, self._settle, self._notes = view, settle, notes
        self._layout = extension.struct("stream_rings")
        found = (self._get("magic"), self._get("layout"))
        if found != (MAGIC, LAYOUT):
            msg = f"the stream memory has magic and layout {found}, {(MAGIC, LAYOUT)} is needed"
            raise InfrastructureError(msg)
        self.ring_size = self._get("ring_size")  # bytes of each ring

    @property
    def sent_head(self) -> int:
        """Bytes that the guest has sent since the last reset."""
        return self._get("sent_head")

    @property
    def sent_available(self) -> int:
        """Bytes that `sent_take` would return."""
        return self._get("sent_head") - self._get("sent_tail")

    @property
    def receive_pending(self) -> int:
        """Bytes that the device has not yet taken."""
        return self._get("receive_head") - self._get("receive_tail")

    def sent_take(self) -> bytes:
        """Return what the guest has sent since the last time, and make room for more."""
        self._settle()
        tail, count = self._get("sent_tail"), self.sent_available
        data = b"".join(bytes(piece) for piece in self._pieces("sent_offset", tail, count))
        self._set("sent_tail", tail + count)
        self._notes.taken(count)
        return data

    def receive_put(self, data: bytes) -> None:
        """Give the device bytes to receive.

        :raises UsageError: they do not fit behind those that are pending; nothing was put.
        """
        check_bytes(data)
        self._settle()
        head = self._get("receive_head")
        if len(data) > self.ring_size - self.receive_pending:
            msg = (
                f"{len(data)} bytes do not fit into the receive ring: {self.receive_pending} "
                f"of {self.ring_size} are still pending"
            )
            raise UsageError(msg)
        done = 0
        for piece in self._pieces("receive_offset", head, len(data)):
            piece[:] = data[done : done + len(piece)]
            done += len(piece)
        self._set("receive_head", head + len(data))
        self._notes.put(data)

    def _pieces(self, ring: str, position: int, count: int) -> list[memoryview]:
        """Return the one or two slices of a ring that hold `count` bytes from `position` on."""
        base, start = self._get(ring), position % self.ring_size
        first = min(count, self.ring_size - start)
        return [
            self._view[base + start : base + start + first],
            self._view[base : base + count - first],
        ]

    def _get(self, name: str) -> int:
        member = self._layout.members[name]
        value: int = member.type.read(self._view, member.offset)  # type: ignore[assignment]
        return value

    def _set(self, name: str, value: int) -> None:
        struct.pack_into("<Q", self._view, self._layout.members[name].offset, value)
