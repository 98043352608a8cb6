# SPDX-License-Identifier: Apache-2.0
"""The operation log of the shim on this computer (tests/host/log.c), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .probe import Record, record_of

if TYPE_CHECKING:
    from dmav3.elf.image import Elf


class HostLog:
    """The operation log of a `HostShim`, as `EventLog` reads it: struct host_log."""

    ring_reset = 0
    trace_lost = 0

    def __init__(self, view: memoryview, image: Elf) -> None:
        """Use the mapped memory."""
        self._view, self._layout = view, image.struct("host_log")
        self._record = image.struct("host_record")
        self._first = self._layout.member("record").offset
        self.ring_records = (self._layout.size - self._first) // self._record.size

    @property
    def ring_head(self) -> int:
        """Records written since the start."""
        return self._number("head")

    @property
    def time_ns(self) -> int:
        """Model time."""
        return self._number("time_ns")

    @property
    def violations(self) -> int:
        """Violations since the start, also those whose records were overwritten."""
        return self._number("violations")

    def _number(self, name: str) -> int:
        member = self._layout.member(name)
        return int(member.type.read(self._view, member.offset))  # type: ignore[arg-type]

    def settle(self) -> None:
        """Return: memory stands still whenever an answer has come."""

    def records(self, first: int, end: int) -> list[Record]:
        """Return records number `first` to `end` - 1, which must still be there."""
        return [self._one(number) for number in range(first, end)]

    def _one(self, number: int) -> Record:
        offset = self._first + number % self.ring_records * self._record.size
        (raw,) = self._record.records(self._view[offset : offset + self._record.size])
        return record_of(raw)
