# SPDX-License-Identifier: Apache-2.0
"""What was done to bytes that are watched (qemu-machines/ext/machine/watch.h), by name."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dmav3.elf.image import Elf


class Change(enum.IntEnum):
    """What a record reports."""

    FILLED = 1
    FILLED_AHEAD = 2
    EVICTED = 3
    WRITTEN_BACK = 4
    FORCED_OUT = 5
    CLEANED = 6
    INVALIDATED = 7
    CLEANED_INVALIDATED = 8
    DEVICE_READ = 9
    DEVICE_WRITTEN = 10
    LOADED = 11
    STORED = 12
    BARRIER = 13


#: Those that are accesses; the others are of the line, or a barrier.
ACCESSES = {Change.DEVICE_READ, Change.DEVICE_WRITTEN, Change.LOADED, Change.STORED}


class Watched(NamedTuple):
    """One thing that was done to the bytes, or to their cache line, as in watch.h.

    :ivar after: so many records of the event log, since the reset, came before it.
    :ivar pc: of the CPU's instruction; 0: it was none.
    :ivar before: `LineState` of the line before that.
    :ivar cpu, dram: the first byte that is watched, as the CPU and as devices see it afterwards.
    """

    time_ns: int
    after: int
    pc: int
    address: int
    microcode: int
    burst: int
    kind: Change
    size: int
    channel: int
    before: int
    cpu: int
    dram: int
    is_fetch: int
    unused: int

    @property
    def is_access(self) -> bool:
        """True for an access of the CPU or of a device to the bytes."""
        return self.kind in ACCESSES

    @property
    def by_device(self) -> bool:
        """True for an access of a device."""
        return self.kind in {Change.DEVICE_READ, Change.DEVICE_WRITTEN}


_KIND = Watched._fields.index("kind")


def watched(data: bytes, extension: Elf) -> list[Watched]:
    """Return the records of a file that the extension has written, in order."""
    layout = extension.struct("watch_record")
    return [Watched._make(raw)._replace(kind=Change(raw[_KIND])) for raw in layout.records(data)]
