# SPDX-License-Identifier: Apache-2.0
"""The event log: the ring's records in order; records that were lost are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dmav3.errors import InfrastructureError

if TYPE_CHECKING:
    from .probe import Record


class Ring(Protocol):
    """Where records are written: `Probe`, or `HostLog`."""

    ring_records: int

    @property
    def ring_head(self) -> int:
        """Records written since the start."""

    @property
    def ring_reset(self) -> int:
        """`ring_head` at the last reset."""

    @property
    def trace_lost(self) -> int:
        """Instructions of the DMA controller that came after the trace had recorded its share."""

    def settle(self) -> None:
        """Return when memory stands still."""

    def records(self, first: int, end: int) -> list[Record]:
        """Return records number `first` to `end` - 1, which must still be in the ring."""


class EventLog:
    """Collects the records since the last reset, each time it is asked.

    :ivar lost: records that were overwritten before anybody asked. Where it is not 0, nothing
        may be concluded from what is missing.
    """

    def __init__(self, ring: Ring) -> None:
        """Start with the last reset."""
        self._ring = ring
        self._reset = self._next = ring.ring_reset
        self._records: list[Record] = []
        self.lost = 0

    @property
    def untraced(self) -> int:
        """Instructions of the DMA controller that came after the trace had recorded its share."""
        return self._ring.trace_lost

    def complete(self) -> list[Record]:
        """Return every record since the last reset, for a comparison with another log.

        :raises InfrastructureError: some are missing, so that nothing would follow from it.
        """
        records = self.all()
        if self.lost or self.untraced:
            msg = (
                f"the event log is not complete: {self.lost} records were overwritten, "
                f"{self.untraced} instructions not recorded; a comparison is inconclusive"
            )
            raise InfrastructureError(msg)
        return records

    def all(self) -> list[Record]:
        """Return every record since the last reset."""
        self.collect()
        return list(self._records)

    def since(self, position: int) -> list[Record]:
        """Return the records from number `position` of `all()` on."""
        self.collect()
        return self._records[position:]

    def ends(self, first: int, last: int) -> tuple[list[Record], int, list[Record]]:
        """Return what is enough for a person, whatever the board is doing.

        :return: at most `first` records from the beginning, how many are left out after them, and
            at most `last` records from the end.
        """
        reset, head = self._ring.ring_reset, self._ring.ring_head
        oldest = max(reset, head - self._ring.ring_records)
        begin = self._ring.records(oldest, min(oldest + first, head))
        end = self._ring.records(max(oldest + len(begin), head - last), head)
        return begin, head - reset - len(begin) - len(end), end

    def collect(self) -> int:
        """Take what is new, before it is overwritten; return how many records `all()` has now."""
        self._ring.settle()
        head, reset = self._ring.ring_head, self._ring.ring_reset
        if reset != self._reset:
            self._records.clear()
            self._reset = self._next = reset
            self.lost = 0
        oldest = max(self._next, head - self._ring.ring_records)
        self.lost += oldest - self._next
        self._records += self._ring.records(oldest, head)
        self._next = head
        return len(self._records)
