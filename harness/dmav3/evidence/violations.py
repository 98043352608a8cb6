# SPDX-License-Identifier: Apache-2.0
"""Violations: mistakes of a driver that the shim's checked mode records, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from . import callers
from .mistakes import explain
from .probe import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dmav3.elf.image import Elf

    from .probe import Record

#: The kind by which `expect` knows them.
VIOLATION = "violation"
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
    "spin_lock": ("a spin lock", "KeReleaseSpinLock, or the routine for the way it was taken"),
    "timer": ("a timer that is set", "KeCancelTimer"),
    "thread": ("a thread", "PsTerminateSystemThread in it, then ZwClose and ObDereferenceObject"),
    "io_space": ("a mapping of registers", "MmUnmapIoSpace"),
    "interrupt": ("a connected interrupt", "IoDisconnectInterrupt"),
    "device": ("a device object", "IoDeleteDevice"),
    "irp": ("a request", "IoFreeIrp, after IoCompleteRequest"),
    "remove_lock": ("a remove lock", "IoReleaseRemoveLock, with the same tag"),
    "work_item": ("a work item", "IoFreeWorkItem"),
    "symbolic_link": ("a symbolic link", "IoDeleteSymbolicLink"),
    "contiguous_memory": ("contiguous memory", "MmFreeContiguousMemory"),
    "mdl_pages": ("a run of pages of an MDL", "MmFreePagesFromMdl, then ExFreePool of the MDL"),
    "pool": ("a block of pool", "ExFreePoolWithTag, or ExFreePool"),
}


@dataclass(frozen=True)
class Violation:
    """One mistake.

    :ivar p2, p3: what the code says of them.
    :ivar routine: in which it was noticed; None outside of all.
    :ivar place: function, file and line where the driver called that routine, or of the callback;
        where a test in Python called it, that place; empty where it is not known.
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

    def json(self) -> dict[str, Any]:
        """Return it as an object, `kind` and `text` as those of a finding."""
        return {"kind": self.kind, **asdict(self), "text": self.line()}

    def summary(self) -> str:
        """Return what it is and where, in a few words."""
        if self._left:
            made = f"{self.routine}, called in {self.place}" if self.place else self.routine
            return f"violation {self.code:#04x}: {self._left[0]} is left, made by {made}"
        return f"violation {self.code:#04x} {self._where()}"

    @property
    def _left(self) -> tuple[str, str] | None:
        """Of what is left behind: a name, and how to end it. A guest may claim anything."""
        kinds = list(LEFT.values())
        return kinds[self.p3] if self.code == LEFT_BEHIND and self.p3 < len(kinds) else None

    def line(self) -> str:
        """Return all that a person needs, on one line."""
        if self._left:
            return f"{self.summary()}, at {self.p2:#x}: end it by {self._left[1]}"
        return f"{self.summary()}: {explain(self.code, self.p2, self.p3)}"

    def _where(self) -> str:
        if not self.routine:
            return f"in {self.place}" if self.place else "outside of all routines"
        return f"in {self.routine}" + (f", called in {self.place}" if self.place else "")


def violations(
    records: Iterable[Record], image: Elf, names: Mapping[int, str], origin: Callable[[int], str]
) -> Iterator[Violation]:
    """Yield the violations among the records of one run, from its start.

    :param names: of the routines, by their ids in the records.
    :param origin: returns where in a test a command was sent, by its number.
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
                place=callers.place(image, routine, caller) or origin(record.command),
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
