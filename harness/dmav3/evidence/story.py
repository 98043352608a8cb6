# SPDX-License-Identifier: Apache-2.0
"""The story of a finding's bytes: who did what to them, in which order, up to the finding.

What was done to them was watched; what the driver asked for is in the event log. A step of it is
where the driver, or a routine, went wrong, and has what a right one would have done there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from . import callers
from .findings import FIRST_OF_MICROCODE, LOST_CPU_WRITE, device_of, remedy
from .mappings import BOUNCED
from .probe import Kind, LineState, Memory
from .watched import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dmav3.elf.image import Elf

    from .findings import Finding
    from .probe import Record
    from .watched import Watched

#: Ids of a record of `Kind.RANGE`, and of one of `Kind.UNMAPPED` that was a flush.
_FLUSHED_BY_KERNEL, _FLUSH = 2, 1
#: The step at which one of these went wrong is that where the channel starts.
_PROGRAMMER = "ProgramChannel"
_CHANGES = {
    Change.FILLED: "its cache line was filled from memory, for an access of the CPU",
    Change.FILLED_AHEAD: "its cache line was filled from memory, speculatively",
    Change.WRITTEN_BACK: "its cache line was written back to memory, by the cache itself",
    Change.FORCED_OUT: "its cache line left the cache, for an uncached access of the CPU",
    Change.LOADED: "loaded by the CPU",
    Change.STORED: "stored by the CPU",
    Change.BARRIER: "a barrier",
}
_MEMORY = {
    Memory.COMMON: "a common buffer",
    Memory.PRIVATE: "private memory of a channel",
    Memory.WINDOW: "the window of the tests",
}


@dataclass(frozen=True)
class Step:
    """One thing that happened to the bytes.

    :ivar time_ns: model time; of what the CPU did, the last time that was read before.
    :ivar event: in one word, such as "stored", "filled", "mapped", "unmapped".
    :ivar text: the same for a person.
    :ivar pc: the CPU's instruction, of a call that after which it goes on; 0: it was no doing of
        the CPU's.
    :ivar place: functions, files and lines of it, or which device it was; "": not known.
    :ivar routine: of the interface or the back end, inside of which it was; "": of none.
    :ivar cpu, dram: the first of the bytes as the CPU and devices see it afterwards; None: nothing
        moved.
    :ivar advice: what a right driver would have done here; "": nothing was wrong.
    """

    time_ns: int
    event: str
    text: str
    pc: int = 0
    place: str = ""
    routine: str = ""
    cpu: int | None = None
    dram: int | None = None
    advice: str = ""


@dataclass(frozen=True)
class Story:
    """All that happened to the bytes of a finding, up to it.

    :ivar number: of the finding, as the event log counts them.
    :ivar address: physical, of the first byte.
    :ivar bytes: how many they are.
    :ivar lost: steps that found no room.
    """

    number: int
    finding: Finding
    address: int
    bytes: int
    steps: tuple[Step, ...]
    lost: int = 0

    def json(self) -> dict[str, Any]:
        """Return the object of `dmav3 replay --why --json`."""
        return asdict(self) | {"address": f"{self.address:#x}"}


def steps(
    raw: Mapping[str, int],
    number: int,
    log: Sequence[Record],
    watched: Sequence[Watched],
    teller: Teller,
) -> tuple[Step, ...]:
    """Return the story of a finding.

    :param raw: the finding, as `struct probe_finding`.
    :param number: of the finding, from 1 on.
    :param log: every record of the event log since the reset.
    :param watched: what was done to the bytes.
    """
    told = tuple(_until(teller.all(log, watched), raw, number))
    at = _wrong(told, raw, teller.names.get(raw["routine"], ""))
    if not told or at is None:
        return told
    advice = remedy(raw, teller.names)
    return (*told[:at], replace(told[at], advice=advice), *told[at + 1 :])


def _until(told: Iterable[tuple[Step, int]], raw: Mapping[str, int], number: int) -> Iterator[Step]:
    """Yield the steps up to the finding, with the access that it is about.

    An access of the CPU is recorded behind its finding and the fill that it needed, one of a device
    often before.
    """
    filled: list[Step] = []
    for step, findings in told:
        if findings >= number:
            now = step.time_ns == raw["time_ns"] and step.event in _OF_DEVICES
            if now if raw["by_device"] else step.pc == raw["cpu_pc"] != 0:
                yield from (*filled, step)
            if filled or step.event != "filled":
                return
            filled.append(step)
            continue
        yield step


#: Steps by their events: accesses of devices, and what routines are called for.
_OF_DEVICES, _CALLS = {"device-read", "device-written"}, {"mapped", "bounced", "unmapped"}


def _wrong(told: Sequence[Step], raw: Mapping[str, int], routine: str) -> int | None:
    """Return which step should have been another one; None: none that is told."""
    if raw["kind"] >= FIRST_OF_MICROCODE:
        wanted = [n for n, step in enumerate(told) if step.event == "stored"]
    elif raw["while_mapped"] or not routine:
        wanted = [n for n, step in enumerate(told) if step.pc == raw["cpu_pc"] != 0]
    elif routine == _PROGRAMMER:
        wanted = [n for n, step in enumerate(told) if step.event == "started"]
    else:
        events = {"invalidated"} if raw["kind"] == LOST_CPU_WRITE else _CALLS
        of_routine = [n for n, step in enumerate(told) if step.routine == routine]
        wanted = [n for n in of_routine if told[n].event in events] or of_routine
    return wanted[-1] if wanted else None


class Teller:
    """Tells what happened to some bytes, by the symbols of an image.

    :ivar names: of the routines, by their ids in the event log.
    """

    def __init__(
        self,
        image: Elf,
        names: Mapping[int, str],
        remote: Sequence[str],
        of: range,
        line: range,
    ) -> None:
        """Tell of the bytes `of`, physical addresses, and of what else is in their cache line.

        :param remote: names of the devices written in Python.
        """
        self._image, self.names, self._remote = image, names, remote
        self._bytes, self._line = of, line
        self._inside: list[tuple[int, int]] = []
        self._mappings: dict[tuple[int, int], tuple[int, int]] = {}
        self._handles: dict[int, int] = {}
        self._covering: set[tuple[int, int]] = set()
        self._given = False

    def all(self, log: Sequence[Record], watched: Sequence[Watched]) -> Iterator[tuple[Step, int]]:
        """Yield each step, and how many findings there were before."""
        findings, waiting = 0, list(reversed(watched))
        for index, record in enumerate(log):
            while waiting and waiting[-1].after <= index:
                yield self._of_bytes(waiting.pop()), findings
            findings += record.kind == Kind.FINDING
            if step := self._of_log(record):
                yield step, findings
        while waiting:
            yield self._of_bytes(waiting.pop()), findings

    def _routine(self) -> str:
        """Return the innermost routine that runs and has a name."""
        inside = (self.names.get(number, "") for number, _ in reversed(self._inside))
        return next(filter(None, inside), "")

    def _of_bytes(self, one: Watched) -> Step:
        device = device_of(one._asdict(), self._remote) if one.by_device else None
        place = self._image.place(one.pc) or f"{one.pc:#x}" if one.pc else ""
        if device:
            place = device.name + (
                "" if device.channel is None else f", channel {device.channel}, burst {one.burst}"
            )
        return Step(
            time_ns=one.time_ns,
            event=one.kind.name.lower().replace("_", "-"),
            text=_spelled(one),
            pc=one.pc,
            place=place,
            routine=self._routine(),
            cpu=one.cpu,
            dram=one.dram,
        )

    def _of_log(self, record: Record) -> Step | None:
        if record.kind == Kind.ENTER:
            self._inside.append((record.id, record.b))
        elif record.kind == Kind.EXIT:
            self._inside[-1:] = []
        elif record.kind == Kind.MAPPING:
            self._handles[record.a] = record.b
            self._mappings[record.a, record.b] = record.id, record.d
        elif record.kind == Kind.RANGE and self._covers(record.b, record.c):
            return self._mapped(record)
        elif record.kind == Kind.UNMAPPED:
            return self._unmapped(record)
        elif record.kind == Kind.MEMORY and self._covers(record.b, record.c):
            what = _MEMORY[Memory(record.id)]
            text = f"given out as {what}" if record.d else f"no longer {what}"
            self._given = bool(record.d)
            return self._step(record, "given" if record.d else "taken", text)
        elif record.kind == Kind.DMAGO and (self._covering or self._given):
            return self._step(record, "started", f"channel {record.id} of the PL330 was started")
        return None

    def _mapped(self, record: Record) -> Step:
        if record.id == _FLUSHED_BY_KERNEL:
            return self._step(record, "flushed", "given to KeFlushIoBuffers")
        mapping = record.a, self._handles.get(record.a, 0)
        maker, caller = self._mappings.get(mapping, self._inside[-1] if self._inside else (0, 0))
        way = "from memory" if record.d else "to memory"
        which = "these bytes are" if self._has(record) else "other bytes of the line are"
        text = f"mapped for a transfer {way}"
        if record.id == BOUNCED:
            text += ", with a bounce page in their place"
        self._covering.add(mapping)
        step = self._step(record, "bounced" if record.id == BOUNCED else "mapped", "")
        return replace(
            step,
            text=f"{which} {text}",
            pc=caller,
            place=callers.place(self._image, maker, caller),
            routine=self.names.get(maker, ""),
        )

    def _has(self, record: Record) -> bool:
        return _meet(self._bytes, record.b, record.c)

    def _unmapped(self, record: Record) -> Step | None:
        ended = [one for one in self._covering if one[0] == record.a and record.b in {0, one[1]}]
        self._covering.difference_update(ended)
        how = "flushed" if record.id == _FLUSH else "given up"
        return self._step(record, "unmapped", f"their mapping was {how}") if ended else None

    def _step(self, record: Record, event: str, text: str) -> Step:
        """Make a step of what a routine said, which was called where it is known to be."""
        number, caller = self._inside[-1] if self._inside else (0, 0)
        place = callers.place(self._image, number, caller)
        return Step(record.time_ns, event, text, caller, place, self._routine())

    def _covers(self, start: int, length: int) -> bool:
        return _meet(self._line, start, length)


def _meet(addresses: range, start: int, length: int) -> bool:
    return start < addresses.stop and addresses.start < start + length


def _spelled(one: Watched) -> str:
    """Say what was done, with what that means by the state of the line before."""
    before = LineState(one.before)
    match one.kind:
        case Change.EVICTED if before & LineState.DIRTY:
            return "its cache line was evicted, and written back to memory"
        case Change.EVICTED:
            return "its cache line was evicted; it was clean"
        case Change.CLEANED | Change.CLEANED_INVALIDATED | Change.INVALIDATED:
            return _maintained(one.kind, before)
        case Change.DEVICE_READ:
            return "fetched by a device" if one.is_fetch else "read by a device"
        case Change.DEVICE_WRITTEN:
            kept = "; the cache keeps what it had" if before & LineState.VALID else ""
            return f"written by a device{kept}"
    return _CHANGES[one.kind]


def _maintained(kind: Change, before: LineState) -> str:
    what = {
        Change.CLEANED: "cleaned",
        Change.INVALIDATED: "invalidated",
        Change.CLEANED_INVALIDATED: "cleaned and invalidated",
    }[kind]
    if kind == Change.INVALIDATED and before & LineState.DIRTY:
        return f"{what}, which discarded what the CPU had stored"
    return f"{what}" + ("" if before & LineState.VALID else "; it was not in the cache")
