# SPDX-License-Identifier: Apache-2.0
"""The driver's calls since the last reset, with what came of each: the operation log, shortened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dmav3.wdm import DmaCompletionStatus, IoAllocationAction, NtStatus

from . import callers
from .mistakes import explain
from .probe import Kind
from .trace import fault_words

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Iterable, Mapping

    from dmav3.elf.image import Elf

    from .probe import Record

_LOW = 0xFFFFFFFF
_VIOLATION = "violation "
_REASONS = {Kind.REASON, Kind.VIOLATION}
#: How parameters are spelled, by their names: as words; 0 as NULL; numbers below this in decimal.
_BOOLEANS = {
    "WriteToDevice",
    "WriteOnly",
    "ReadOperation",
    "DmaOperation",
    "CacheEnabled",
}
_POINTERS = (
    "Routine",
    "Context",
    "Mdl",
    "Base",
    "Address",
    "Object",
    "List",
    "Buffer",
    "Va",
    "Info",
    "Description",
)
_SMALL = 1 << 16
#: Routines that return nothing; and those that return no NTSTATUS, with how it is spelled.
_VOID = {
    "PutDmaAdapter",
    "FreeCommonBuffer",
    "FreeAdapterChannel",
    "FreeAdapterObject",
    "FreeMapRegisters",
    "PutScatterGatherList",
    "KeFlushIoBuffers",
    "AdapterListControl",
}
_RESULTS: dict[str, Callable[[int], str]] = {
    "CancelAdapterChannel": lambda result: "TRUE" if result else "FALSE",
    "GetDmaAlignment": lambda result: f"returned {result}",
    "ReadDmaCounter": lambda result: f"returned {result}",
    "AdapterControl": lambda result: _member(IoAllocationAction, result),
    "DmaCompletionRoutine": lambda result: f"was told {_member(DmaCompletionStatus, result)}",
}


def _member(kind: type[enum.IntEnum], value: int) -> str:
    return kind(value).name if value in kind.__members__.values() else str(value)


@dataclass(frozen=True)
class Call:
    """A call of a routine by the driver, or of a routine of the driver.

    :ivar depth: how many others it is inside of.
    :ivar place: where it was called; of a callback the routine itself. Empty: by a test.
    :ivar arguments: what it was called with, each with the name of the parameter.
    :ivar status: what it returned; None: it has not.
    :ivar lines: what its maintenance did, by the words for it: lines of the cache.
    :ivar reasons: why it did not do what it was asked for, and the mistakes noticed in it.
    :ivar fault: how the transfer that it started ended, if that was with DmaError.
    """

    depth: int
    routine: str
    place: str
    time_ns: int
    arguments: tuple[tuple[str, str], ...] = ()
    status: NtStatus | None = None
    bytes: int = 0
    elements: int = 0
    lines: tuple[tuple[str, int], ...] = ()
    reasons: tuple[str, ...] = ()
    fault: str = ""

    @property
    def refused(self) -> bool:
        """True if it did not do what it was asked for, and the reason is known."""
        return bool(self.reasons) and not (self.status is not None and self.status.success)

    @property
    def in_vain(self) -> bool:
        """True if there is more to say of why it did not succeed than the violations do."""
        told = [one for one in self.reasons if not one.startswith(_VIOLATION)]
        return bool(told or self.fault)

    @property
    def silent(self) -> bool:
        """True if it did not do what it was asked for, and nobody said why."""
        if self.status is None or self.routine in _RESULTS:
            return False
        return not self.reasons and not self.status.success

    def _result(self) -> str:
        """Spell what it returned, by what the routine returns; empty where that is nothing."""
        if self.status is None:
            return "has not returned"
        if self.routine in _RESULTS:
            return _RESULTS[self.routine](self.status)
        return "" if self.routine in _VOID and self.status.success else self.status.spelled()

    def line(self) -> str:
        """Return all of it, on one line."""
        given = ", ".join(f"{name}={value}" for name, value in self.arguments)
        call = self.routine + (f"({given})" if given else "")
        parts = [call + (f", called in {self.place}" if self.place else "")]
        parts += [result] if (result := self._result()) else []
        counts = (("bytes", self.bytes), ("elements", self.elements), *self.lines)
        parts += [f"{count} {what}" for what, count in counts if count]
        parts += [f"ended with DmaError, because {self.fault}"] if self.fault else []
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        return "  " * self.depth + ", ".join(parts) + why


def calls(
    records: Iterable[Record], image: Elf, names: Mapping[int, str], origin: Callable[[int], str]
) -> list[Call]:
    """Return the calls among the records of one run, from its start, in their order.

    :param names: of the routines, by their ids in the records.
    :param origin: returns where in a test a command was sent, by its number.
    """
    found: list[Call] = []
    entered: list[int] = []  # for each call that has not returned its index in `found`, or -1
    starters: dict[int, int] = {}  # by channel the call that has started it
    for record in records:
        if record.kind == Kind.ENTER and record.id >= callers.FIRST_BACK_END:
            entered.append(-1)
        elif record.kind == Kind.ENTER:
            depth = sum(index >= 0 for index in entered)
            place = callers.place(image, record.id, record.b) or origin(record.command)
            entered.append(len(found))
            found.append(_entered(depth, names.get(record.id, "?"), place, record))
        elif record.kind == Kind.EXIT and entered and (index := entered.pop()) >= 0:
            found[index] = _returned(found[index], record)
        elif record.kind == Kind.CHANNEL_FAULT and (index := starters.get(record.id, -1)) >= 0:
            found[index] = replace(found[index], fault=fault_words(record))
        elif (index := next((n for n in entered[::-1] if n >= 0), -1)) >= 0:
            if record.kind == Kind.ARGUMENTS:
                found[index] = _with_arguments(found[index], record, image)
            elif record.kind in _REASONS:
                reasons = (*found[index].reasons, _reason(record, image))
                found[index] = replace(found[index], reasons=reasons)
            elif record.kind == Kind.DMAGO:
                starters[record.id] = index
    return found


def _entered(depth: int, routine: str, place: str, record: Record) -> Call:
    adapter = (("DmaAdapter", f"{record.a:#x}"),) if record.a else ()
    return Call(depth, routine, place, record.time_ns, adapter)


def _with_arguments(call: Call, record: Record, image: Elf) -> Call:
    """Add up to five of a call's arguments, by the names of its prototype."""
    first, count = record.id & 0xFF, record.id >> 8
    known = [name for name in image.parameters(call.routine) if name != "DmaAdapter"]
    names = [*known, *(f"argument{n}" for n in range(len(known), count))][first:count]
    if known:
        names = [name for name in names if not name.startswith("argument")]
    values = (record.a, record.b, record.c, record.d, record.e)
    given = tuple(
        (name, _spelled(name, value, image)) for name, value in zip(names, values, strict=False)
    )
    return replace(call, arguments=(*call.arguments, *given))


def _spelled(name: str, value: int, image: Elf) -> str:
    """Spell an argument by what it is: a word, a function or variable of the image, a number."""
    if name in _BOOLEANS:
        return "TRUE" if value else "FALSE"
    if not value and name.endswith(_POINTERS):
        return "NULL"
    if value < _SMALL:
        return f"{value:#x}" if name == "MapRegisterBase" else str(value)
    if name.endswith("Routine"):
        return image.function(value) or f"{value:#x}"
    return image.named(value) or f"{value:#x}"


def _reason(record: Record, image: Elf) -> str:
    """Return a mistake, or the text of the image that a record points at with its numbers."""
    if record.kind == Kind.VIOLATION:
        return f"{_VIOLATION}{record.id:#04x}: {explain(record.id, record.a, record.b)}"
    text = image.text(record.a)
    return f"a reason at {record.a:#x}" if text is None else text.format(record.b, record.c)


def _returned(call: Call, record: Record) -> Call:
    lines = (
        ("lines cleaned", record.d & _LOW),
        ("lines invalidated", record.d >> 32),
        ("lines written back", record.e & _LOW),
        ("other lines treated", record.e >> 32),
    )
    return replace(
        call,
        status=NtStatus(record.b & _LOW),
        bytes=record.c & _LOW,
        elements=record.c >> 32,
        lines=tuple((what, count) for what, count in lines if count),
    )
