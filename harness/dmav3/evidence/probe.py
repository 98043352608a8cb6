# SPDX-License-Identifier: Apache-2.0
"""The memory that the extension writes for us (qemu-machines/ext/probe/probe.h), by name.

Every offset comes from the debug information of the extension itself.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dmav3.deadlines import allowance
from dmav3.errors import DeadlineError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dmav3.elf.image import Elf

#: What the memory that the extension shares with us begins with.
MAGIC, LAYOUT = 0x33764D44, 1
#: The structures of probe.h that are read by name.
LAYOUTS = ("probe", "probe_record", "probe_finding", "probe_cost", "stream_rings")


class Kind(enum.IntEnum):
    """What a record of the ring reports; `a` to `e` by kind as in probe.h."""

    RESET = 1
    COMMAND = 2
    READY = 3
    ENTER = 4
    EXIT = 5
    RANGE = 6
    UNMAPPED = 7
    VIOLATION = 8
    DMAGO = 9
    FINDING = 10
    INSTRUCTION = 11
    HELD = 12
    CHANNEL_FAULT = 13
    DMAKILL = 15
    PCI_ACCESS = 16
    MAPPING = 17
    MEMORY = 18
    ADAPTER = 19
    REASON = 20
    ARGUMENTS = 21
    DEVICE_REGISTER = 22
    DEVICE_ACCESS = 23
    DEVICE_INTERRUPT = 24
    DEVICE_MESSAGE = 25
    #: Of `HostShim` only: each operation, `a` its virtual address, `b` its bytes.
    CLEAN = 32
    INVALIDATE = 33
    CLEAN_INVALIDATE = 34
    BARRIER = 35
    #: The same of copies between the caller's memory and bounce pages, `c` where in those.
    COPY_TO_DEVICE = 36
    COPY_FROM_DEVICE = 37


_KINDS = {kind.value: kind for kind in Kind}  # quicker than Kind(...)


class Near(enum.IntEnum):
    """Where bytes lie that nothing gave a device, from the mapping that is nearest to them."""

    NOTHING = 0
    BEHIND = 1
    BEFORE = 2
    OTHER_DIRECTION = 3
    ENDED = 4


class Memory(enum.IntEnum):
    """What gives bytes to a device."""

    COMMON = 0
    PRIVATE = 1
    WINDOW = 2
    FLUSHED = 3
    MAPPED = 4


class BadRecord(enum.IntEnum):
    """Why a record of the operation log cannot be."""

    NOT_RAM = 1
    UNKNOWN = 2
    TOO_MANY = 3


class Message(enum.IntEnum):
    """What became of a message of a PCI function written in Python."""

    SENT = 0
    NOT_ENABLED = 1
    NO_MASTER = 2


class BusErrorKind(enum.IntEnum):
    """Why a device's access was answered by an error."""

    ANSWERED = 0
    FAULTED = 1
    NO_MASTER = 2


class LineState(enum.IntFlag):
    """The state of one cache line of RAM."""

    VALID = 1
    DIRTY = 2
    UNCLEAN = 4
    STALE = 8
    OWED = 16


class Record(NamedTuple):
    """One record of the event ring, as in probe.h, member by member."""

    time_ns: int
    command: int
    seq: int
    kind: Kind
    ungated: bool
    id: int
    a: int
    b: int
    c: int
    d: int
    e: int


def record_of(raw: tuple[int, ...]) -> Record:
    """Return a record from its numbers in order, as `Struct.records` gives them."""
    time_ns, command, seq, kind, ungated, number, a, b, c, d, e = raw
    return Record(time_ns, command, seq, _KINDS[kind], ungated != 0, number, a, b, c, d, e)


class Access(NamedTuple):
    """An access to a register of a PCI device; `number` counts them from the start on."""

    number: int
    address: int
    is_write: bool

    def __str__(self) -> str:
        """Say what the CPU does."""
        what = "store to" if self.is_write else "load from"
        return f"{what} its register at {self.address:#x}"


@dataclass(frozen=True)
class Lines:
    """How many lines of a range are in which state; all 0 where no cache is modelled."""

    valid: int = 0
    dirty: int = 0
    unclean: int = 0
    stale: int = 0
    owed: int = 0


class Probe:
    """The mapped probe memory."""

    def __init__(
        self, view: memoryview, extension: Elf, stands_still: Callable[[], bool] = lambda: False
    ) -> None:
        """Check magic and layout.

        :param stands_still: tells that nothing changes although the gate may be open: the
            machine is stopped, or has ended.
        :raises InfrastructureError: the memory is not what the extension's header describes.
        """
        self._view, self._stands_still = view, stands_still
        self._header = extension.struct("probe")
        self._record = extension.struct("probe_record")
        self._findings = extension.struct("probe_finding")
        self._cost = extension.struct("probe_cost")
        found = (self._get("magic"), self._get("layout"))
        if found != (MAGIC, LAYOUT):
            msg = f"the probe memory has magic and layout {found}, {(MAGIC, LAYOUT)} is needed"
            raise InfrastructureError(msg)
        self.ram_base: int = self._get("ram_base")
        self.ram_size: int = self._get("ram_size")
        self.line_size: int = self._get("line_size")
        self._lines_at: int = self._get("lines_offset")
        self._ring_at: int = self._get("ring_offset")
        self.ring_records = (len(view) - self._ring_at) // self._record.size
        self.ring_records = 1 << (self.ring_records.bit_length() - 1)

    @property
    def gate_closed(self) -> bool:
        """True while a line may be sent and memory stands still."""
        return bool(self._get("gate_closed"))

    @property
    def ring_head(self) -> int:
        """Records written since the start."""
        return int(self._get("ring_head"))

    @property
    def ring_reset(self) -> int:
        """`ring_head` at the last reset."""
        return int(self._get("ring_reset"))

    @property
    def time_ns(self) -> int:
        """Model time when the gate closed."""
        return int(self._get("time_ns"))

    @property
    def findings_lost(self) -> int:
        """Findings that had no room."""
        return int(self._get("findings_lost"))

    @property
    def violations(self) -> int:
        """Violations since the last reset, also those whose records were overwritten."""
        return int(self._get("violations"))

    @property
    def trace_lost(self) -> int:
        """Instructions of the PL330 since the last reset beyond those that the trace records."""
        return int(self._get("trace_lost"))

    @property
    def register_access(self) -> Access | None:
        """The access to a PCI device's register that has not come back; None: there is none."""
        number, address = self._get("bar_accesses"), self._get("bar_address")
        return Access(number, address, bool(self._get("bar_is_write"))) if address else None

    def settle(self) -> None:
        """Return when memory stands still; `DeadlineError` if that is not so in time."""
        seconds, waiting_for = allowance(), "the gate to close"
        end = time.monotonic() + seconds
        while not (self.gate_closed or self._stands_still()):
            if time.monotonic() > end:
                raise DeadlineError(waiting_for, seconds)
            time.sleep(0)

    def findings(self) -> list[dict[str, Any]]:
        """Return the findings since the last reset, as `struct probe_finding`."""
        return self._entries("finding", self._findings, self._get("findings"))

    def costs(self) -> list[dict[str, Any]]:
        """Return the maintenance instructions since the last reset, as `struct probe_cost`."""
        return self._entries("cost", self._cost, self._get("costs"))

    def count(self, ranges: Iterable[tuple[int, int]]) -> Lines:
        """Count the lines that physical (address, length) ranges touch, by state."""
        if not self._lines_at or not self.line_size:
            return Lines()
        states = bytearray()
        for address, length in ranges:
            if length:
                first = (address - self.ram_base) // self.line_size
                last = (address + length - 1 - self.ram_base) // self.line_size
                states += self._view[self._lines_at + first : self._lines_at + last + 1]
        by_value = {value: states.count(value) for value in set(states)}

        def having(flag: LineState) -> int:
            return sum(count for value, count in by_value.items() if value & flag)

        return Lines(*(having(flag) for flag in LineState))

    def states(self) -> bytes:
        """Return the state of every line of RAM, a `LineState` each; empty without a cache."""
        if not self._lines_at or not self.line_size:
            return b""
        return bytes(self._view[self._lines_at : self._lines_at + self.ram_size // self.line_size])

    def records(self, first: int, end: int) -> list[Record]:
        """Return records number `first` to `end` - 1, which must still be in the ring."""
        size, capacity = self._record.size, self.ring_records
        records: list[Record] = []
        while first < end:
            at = first % capacity
            count = min(end - first, capacity - at)
            start = self._ring_at + at * size
            records += map(
                record_of, self._record.records(self._view[start : start + count * size])
            )
            first += count
        return records

    def _entries(self, member: str, layout: Any, count: int) -> list[dict[str, Any]]:
        base = self._header.member(member).offset
        return [layout.read(self._view, base + n * layout.size) for n in range(count)]

    def _get(self, name: str) -> Any:
        member = self._header.members[name]
        return member.type.read(self._view, member.offset)
