# SPDX-License-Identifier: Apache-2.0
"""Violations: mistakes of a driver that the shim's checked mode records, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .probe import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .probe import Record

#: The kind by which `expect` knows them.
VIOLATION = "violation"
#: What each code means (firmware/layer/violation.h); below 0x40 as in Windows' DMA verifier.
CODES = {
    0x00: "a flush of more than is mapped",
    0x03: "a common buffer freed more often than allocated",
    0x04: "a channel freed that is not owned",
    0x05: "map registers freed that are not owned, or another number of them",
    0x06: "a scatter-gather list freed more often than built",
    0x07: "an adapter released with live common buffers",
    0x08: "an adapter released with its channel owned or wanted",
    0x09: "an adapter released with live map registers",
    0x0A: "an adapter released with live scatter-gather lists",
    0x0B: "a second channel held on one adapter",
    0x0C: "more map registers asked for than the adapter's maximum",
    0x0D: "a mapping was not flushed before",
    0x0E: "an MDL whose pages are not locked or resident",
    0x0F: "bytes outside of the DMA buffer were changed",
    0x10: "map registers freed while they are mapped",
    0x11: "a wrong count of adapter references",
    0x13: "a call at the wrong IRQL",
    0x15: "more map registers held than the adapter's maximum",
    0x16: "a flush of what is not mapped",
    0x18: "an adapter that was released, or none",
    0x19: "a NULL adapter",
    0x1B: "an address outside of the MDL",
    0x1D: "a range mapped twice",
    0x1F: "a range that leaves the MDL",
    0x20: "a flush of what is not mapped",
    0x21: "a mapping of nothing",
    0x23: "a flush of a transfer that neither ended nor was cancelled",
    0x24: "a length that the buffer does not have",
    0x25: "an unknown version of the device description",
    0x40: "a context initialised or used again while its request lives",
    0x41: "a second AllocateAdapterChannel of a device object, or one inside AdapterControl",
    0x42: "a callback returned at another IRQL",
    0x43: "an MDL chain modified between map and flush",
    0x44: "FreeCommonBuffer with other arguments than the allocation's",
    0x45: "AdapterControl of a subordinate device did not return KeepObject",
    0x46: "an unknown IO_ALLOCATION_ACTION",
    0x47: "ReadDmaCounter on a bus-master adapter",
    0x48: "another direction than the mapping's",
    0x49: "a completion routine for a bus-master adapter",
    0x4A: "a device offset for a bus-master adapter",
    0x4B: "ConfigureAdapterChannel on a bus-master adapter",
    0x4C: "a cancel with another adapter or device object than the request's",
    0x4D: "a MapRegisterBase that is no live handle of the adapter",
    0x4E: "GetScatterGatherListEx or BuildScatterGatherListEx for a subordinate device",
    0x4F: "CancelMappedTransfer on a bus-master adapter",
    0x50: "KeFlushIoBuffers on memory of a live read mapping",
    0x51: "a store of the CPU to a line shared with a live read mapping",
    0x52: "a looped mapping of cached memory on an adapter that is not coherent",
    0x53: "a flush of less than a transfer that completed has moved",
}


@dataclass(frozen=True)
class Violation:
    """One mistake.

    :ivar p2, p3: what the code says of them.
    :ivar routine: in which it was noticed; None outside of all.
    :ivar time_ns: model time.
    """

    kind: ClassVar[str] = VIOLATION

    code: int
    p2: int
    p3: int
    routine: str | None
    time_ns: int
    command: int
    seq: int

    def line(self) -> str:
        """Return all that a person needs, on one line."""
        where = f" in {self.routine}" if self.routine else ""
        meaning = CODES.get(self.code, "not known here")
        return f"violation {self.code:#04x}{where}: {meaning} (p2={self.p2:#x}, p3={self.p3:#x})"


def violations(records: Iterable[Record], names: Mapping[int, str]) -> Iterator[Violation]:
    """Yield the violations among the records of one run, from its start.

    :param names: of the routines, by their ids in the records.
    """
    entered: list[int] = []
    for record in records:
        if record.kind == Kind.ENTER:
            entered.append(record.id)
        elif record.kind == Kind.EXIT and entered:
            entered.pop()
        elif record.kind == Kind.VIOLATION:
            yield Violation(
                code=record.id,
                p2=record.a,
                p3=record.b,
                routine=names.get(entered[-1]) if entered else None,
                time_ns=record.time_ns,
                command=record.command,
                seq=record.seq,
            )
