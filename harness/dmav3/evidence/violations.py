# SPDX-License-Identifier: Apache-2.0
"""Violations: mistakes of a driver that the shim's checked mode records, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import callers
from .probe import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dmav3.elf.image import Elf

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
    0x42: "a callback, or a command of the driver, returned at another IRQL",
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
    0x54: "left behind",
}
#: The code of what still lives at the end.
LEFT_BEHIND = 0x54
#: What can be left behind, by the kinds of `struct dma_live`: what it is, and what would end it.
LEFT = {
    "adapter": ("an adapter", "PutDmaAdapter"),
    "channel": ("a channel", "FreeAdapterChannel or FreeAdapterObject"),
    "map_registers": ("map registers", "FreeMapRegisters"),
    "request": ("a request that waits", "CancelAdapterChannel"),
    "list": ("a scatter/gather list", "PutScatterGatherList"),
    "mapping": ("a mapping", "FlushAdapterBuffersEx or FlushAdapterBuffers"),
    "common_buffer": ("a common buffer", "FreeCommonBuffer"),
    "mdl": ("an MDL", "IoFreeMdl"),
}


@dataclass(frozen=True)
class Violation:
    """One mistake.

    :ivar p2, p3: what the code says of them.
    :ivar routine: in which it was noticed; None outside of all.
    :ivar place: function, file and line where the driver called that routine, or of the callback;
        empty where a test called it, or where it is not known.
    :ivar time_ns: model time.
    """

    kind: ClassVar[str] = VIOLATION

    code: int
    p2: int
    p3: int
    routine: str | None
    place: str
    time_ns: int = 0
    command: int = 0
    seq: int = 0

    def summary(self) -> str:
        """Return what it is and where, in a few words."""
        if self.code == LEFT_BEHIND:
            made = f"{self.routine}, called in {self.place}" if self.place else self.routine
            return f"violation {self.code:#04x}: {LEFT[self._left][0]} is left, made by {made}"
        return f"violation {self.code:#04x} {self._where()}"

    @property
    def _left(self) -> str:
        return list(LEFT)[self.p3]

    def line(self) -> str:
        """Return all that a person needs, on one line."""
        if self.code == LEFT_BEHIND:
            return f"{self.summary()}, at {self.p2:#x}: end it by {LEFT[self._left][1]}"
        meaning = CODES.get(self.code, "not known here")
        return f"{self.summary()}: {meaning} (p2={self.p2:#x}, p3={self.p3:#x})"

    def _where(self) -> str:
        if not self.routine:
            return f"in {self.place}" if self.place else "outside of all routines"
        return f"in {self.routine}" + (f", called in {self.place}" if self.place else "")


def violations(
    records: Iterable[Record], image: Elf, names: Mapping[int, str]
) -> Iterator[Violation]:
    """Yield the violations among the records of one run, from its start.

    :param names: of the routines, by their ids in the records.
    """
    entered: list[tuple[int, int]] = []  # the routine, and where it was called
    for record in records:
        if record.kind == Kind.ENTER:
            entered.append((record.id, record.b))
        elif record.kind == Kind.EXIT and entered:
            entered.pop()
        elif record.kind == Kind.VIOLATION:
            routine, caller = entered[-1] if entered else (0, 0)
            yield Violation(
                code=record.id,
                p2=record.a,
                p3=record.b,
                routine=names.get(routine),
                place=callers.place(image, routine, caller),
                time_ns=record.time_ns,
                command=record.command,
                seq=record.seq,
            )


def left_behind(kind: str, thing: int, maker: str | None, place: str) -> Violation:
    """Return the violation that an object still lives.

    :param kind: a key of `LEFT`.
    :param thing: its address or handle.
    :param maker: the routine that made it, which was called at `place`.
    """
    return Violation(LEFT_BEHIND, thing, list(LEFT).index(kind), maker, place)
