# SPDX-License-Identifier: Apache-2.0
"""What a test did and what came of it, line by line: the operation log in words, bounded.

A call and its return are one line at the place of the call; what happened inside is indented.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmav3.errors import Dmav3Error
from dmav3.evidence.callers import FIRST_BACK_END, FIRST_CALLBACK, FIRST_KERNEL
from dmav3.evidence.findings import routine_names
from dmav3.evidence.probe import Kind
from dmav3.wdm import NtStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dmav3.board.shim import Shim
    from dmav3.elf.image import Elf
    from dmav3.evidence.probe import Record

#: Records at the beginning and at the end that are kept of a long log.
FIRST, LAST = 300, 100
_LOW, _FAILED = 0xFFFFFFFF, 0x80000000
#: What became of a range.
_HOW = {0: "mapped", 1: "bounced", 2: "flushed", 3: "the device's side"}


@dataclass(frozen=True)
class Line:
    """One thing that happened.

    :ivar depth: how many calls it is inside of.
    :ivar kind: routine, callback, backend, range, device, violation, finding or gap.
    """

    depth: int
    kind: str
    text: str


def transcript(shim: Shim) -> list[Line]:
    """Return the evidence of what happened since the last reset, in whatever state it is."""
    lines: list[Line] = []
    with suppress(Dmav3Error):
        names, violations = routine_names(shim.image), _violations(shim.image)
        first, skipped, last = shim.evidence.events.ends(FIRST, LAST)
        driven = (record for record in first if record.command)  # the rest is the boot
        lines += describe(driven, names, violations)
        if skipped:
            lines.append(Line(0, "gap", f"{skipped} records are left out here"))
        lines += describe(last, names, violations)
    with suppress(Dmav3Error):
        unexpected = shim.unexpected()
        for finding in shim.findings():
            expected = "" if finding in unexpected else " (expected by the test)"
            lines.append(Line(0, "finding", finding.line() + expected))
    return lines


def _violations(image: Elf) -> dict[int, str]:
    """Return what the firmware calls the codes of violations."""
    return {
        code: name.removeprefix("VIOLATION_").replace("_", " ").lower()
        for name, code in image.enum("violation").items()
    }


def describe(
    records: Iterable[Record], names: Mapping[int, str], violations: Mapping[int, str]
) -> list[Line]:
    """Put records into words.

    :param names: of the ids of the operation log.
    :param violations: names of the codes.
    """
    lines: list[Line] = []
    open_calls: list[int] = []  # indices in `lines`
    for record in records:
        if record.kind == Kind.ENTER:
            open_calls.append(len(lines))
            name = names.get(record.id, f"call {record.id}")
            lines.append(Line(len(open_calls) - 1, _level(record.id), name))
        elif record.kind == Kind.EXIT:
            if open_calls:
                call = lines[at := open_calls.pop()]
                lines[at] = Line(call.depth, call.kind, call.text + _result(record))
        elif record.kind == Kind.VIOLATION:
            name = violations.get(record.id, "")
            text = f"violation 0x{record.id:02X} {name} (p2={record.a:#x}, p3={record.b:#x})"
            lines.append(Line(len(open_calls), "violation", text))
        elif described := _other(record):
            lines.append(Line(len(open_calls), *described))
    return lines


def _level(oplog_id: int) -> str:
    if oplog_id < FIRST_CALLBACK or oplog_id >= FIRST_KERNEL:
        return "routine"
    return "callback" if oplog_id < FIRST_BACK_END else "backend"


def _result(record: Record) -> str:
    """Return what a call gave, and the cache lines that its own maintenance acted on."""
    known = record.b in NtStatus.__members__.values() and (record.b == 0 or record.b >= _FAILED)
    parts = [f" → {NtStatus(record.b).name}" if known else f" → {record.b:#x}"]
    for count, what in (
        (record.c & _LOW, "bytes"),
        (record.c >> 32, "elements"),
        (record.d & _LOW, "lines cleaned"),
        (record.d >> 32, "lines invalidated"),
        (record.e & _LOW, "lines written back"),
        (record.e >> 32, "other lines treated"),
    ):
        if count:
            parts.append(f"{count} {what}")
    return ", ".join(parts)


def _other(record: Record) -> tuple[str, str] | None:
    match record.kind:
        case Kind.RANGE:
            way = "write" if record.d else "read"
            how = _HOW.get(record.id, "named")
            return "range", f"{how} for a {way}: {record.c} bytes at {record.b:#x}"
        case Kind.UNMAPPED:
            return "range", "mapping ended"
        case Kind.DMAGO:
            return "device", f"channel {record.id} starts at {record.a:#x}"
        case Kind.HELD:
            return "device", f"channel {record.id} is held: {record.b} bursts, {record.c} bytes"
        case Kind.CHANNEL_FAULT:
            return "device", f"channel {record.id} faults at {record.a:#x}: FTR {record.b:#x}"
        case _:
            return None
