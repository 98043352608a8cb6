# SPDX-License-Identifier: Apache-2.0
"""The event log: the ring's records in order, without a gap that nobody notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InfrastructureError

if TYPE_CHECKING:
    from .probe import Probe, Record


class EventLog:
    """Collects the records since the last reset, each time it is asked.

    :ivar lost: records that were overwritten before anybody asked. Where it is not 0, nothing
        may be concluded from what is missing.
    """

    def __init__(self, probe: Probe) -> None:
        """Start with the last reset."""
        self._probe = probe
        self._reset = self._next = probe.ring_reset
        self._records: list[Record] = []
        self.lost = 0

    @property
    def untraced(self) -> int:
        """Instructions of the DMA controller that came after the trace had recorded its share."""
        return self._probe.trace_lost

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
        self._collect()
        return list(self._records)

    def since(self, position: int) -> list[Record]:
        """Return the records from number `position` of `all()` on."""
        self._collect()
        return self._records[position:]

    def _collect(self) -> None:
        self._probe.settle()
        head, reset = self._probe.ring_head, self._probe.ring_reset
        if reset != self._reset:
            self._records.clear()
            self._reset = self._next = reset
            self.lost = 0
        oldest = max(self._next, head - self._probe.ring_records)
        self.lost += oldest - self._next
        self._records += self._probe.records(oldest, head)
        self._next = head
