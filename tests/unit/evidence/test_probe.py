# SPDX-License-Identifier: Apache-2.0
"""Probe memory, event log and stream rings, in memory that the test fills as the extension does."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmav3.deadlines import deadline
from dmav3.devices.stream import Stream
from dmav3.errors import DeadlineError, InfrastructureError, UsageError
from dmav3.evidence.events import EventLog
from dmav3.evidence.probe import Kind, Lines, Probe

if TYPE_CHECKING:
    from dmav3.elf.image import Elf

MAGIC = 0x33764D44
RAM = 0x40000000
RING_RECORDS = 8


class FakeProbe:
    """A probe file with 16 lines of RAM and a ring of 8 records."""

    def __init__(self, extension: Elf) -> None:
        """Lay it out behind the header."""
        self.header, self.record = extension.struct("probe"), extension.struct("probe_record")
        self.lines_at = self.header.size
        self.ring_at = self.lines_at + 64
        self.memory = bytearray(self.ring_at + RING_RECORDS * self.record.size)
        self.set(magic=MAGIC, layout=1, ram_base=RAM, ram_size=16 * 64, line_size=64)
        self.set(gate_closed=1, lines_offset=self.lines_at, ring_offset=self.ring_at)
        self.probe = Probe(memoryview(self.memory), extension)

    def set(self, **values: int) -> None:
        """Write members of the header."""
        for name, value in values.items():
            member = self.header.members[name]
            raw = value.to_bytes(member.type.size, "little")
            self.memory[member.offset : member.offset + len(raw)] = raw

    def add(self, number: int) -> None:
        """Write record `number`; its `id` is its number."""
        raw = struct.pack("<QIIHHI5Q", number, 1, 0, Kind.ENTER, 0, number, 0, 0, 0, 0, 0)
        at = self.ring_at + number % RING_RECORDS * self.record.size
        self.memory[at : at + len(raw)] = raw
        self.set(ring_head=number + 1)


@pytest.fixture
def fake(extension: Elf) -> FakeProbe:
    """Make one for each test."""
    return FakeProbe(extension)


def test_lines_are_counted_by_state(fake: FakeProbe) -> None:
    """Every line that a range touches counts once for each of its states."""
    fake.memory[fake.lines_at : fake.lines_at + 4] = bytes([1, 1 | 2 | 4, 8, 4])
    assert fake.probe.count([(RAM, 4 * 64)]) == Lines(valid=2, dirty=1, unclean=2, stale=1)
    assert fake.probe.count([(RAM + 63, 2)]) == Lines(valid=2, dirty=1, unclean=1)
    assert fake.probe.count([(RAM + 128, 0)]) == Lines()


def test_access_to_a_register_is_seen_while_it_lasts(fake: FakeProbe) -> None:
    """With its number, which tells it from the next to the same register."""
    assert fake.probe.register_access is None
    fake.set(bar_accesses=7, bar_address=0x10000014, bar_is_write=1)
    assert fake.probe.register_access == (7, 0x10000014, True)
    fake.set(bar_address=0)
    assert fake.probe.register_access is None


def test_gate_that_stays_open_ends_at_the_deadline(fake: FakeProbe) -> None:
    """Memory is not looked at while it may change."""
    fake.set(gate_closed=0)
    with pytest.raises(DeadlineError, match="gate"), deadline(0.01):
        fake.probe.settle()


def test_foreign_memory_is_refused(fake: FakeProbe, extension: Elf) -> None:
    """Magic and layout are checked first."""
    fake.set(layout=9)
    with pytest.raises(InfrastructureError, match="layout"):
        Probe(memoryview(fake.memory), extension)


def test_log_collects_every_record_once(fake: FakeProbe) -> None:
    """Also when the ring wraps between two looks."""
    log = EventLog(fake.probe)
    for number in range(20):
        fake.add(number)
        if number % 5 == 4:
            assert [record.id for record in log.all()] == list(range(number + 1))
    assert [record.id for record in log.since(18)] == [18, 19]
    assert log.lost == 0


def test_lost_records_are_counted(fake: FakeProbe) -> None:
    """What was overwritten is missing, and known to be."""
    log = EventLog(fake.probe)
    for number in range(RING_RECORDS + 3):
        fake.add(number)
    assert [record.id for record in log.all()] == list(range(3, RING_RECORDS + 3))
    assert log.lost == 3


def test_reset_begins_a_new_log(fake: FakeProbe) -> None:
    """Records of the time before do not count."""
    log = EventLog(fake.probe)
    for number in range(6):
        fake.add(number)
    log.all()
    fake.set(ring_reset=6)
    fake.add(6)
    assert [record.id for record in log.all()] == [6]


def _stream(extension: Elf, position: int) -> tuple[Stream, bytearray]:
    memory = bytearray(4096 + 32)
    fields = (MAGIC, 1, 16, 4096, position, position, 4112, position, position)
    struct.pack_into("<II7Q", memory, 0, *fields)
    return Stream(memoryview(memory), extension, lambda: None, Mock()), memory


@given(st.integers(0, 100), st.binary(max_size=16))
def test_rings_wrap(extension: Elf, position: int, data: bytes) -> None:
    """What is put is where the device looks for it, wherever the ring stands."""
    stream, memory = _stream(extension, position)
    stream.receive_put(data)
    ring = [memory[4112 + (position + n) % 16] for n in range(len(data))]
    assert bytes(ring) == data
    assert stream.receive_pending == len(data)
    for n, byte in enumerate(data):
        memory[4096 + (position + n) % 16] = byte
    struct.pack_into("<Q", memory, 24, position + len(data))
    assert stream.sent_available == len(data)
    assert stream.sent_take() == data
    assert stream.sent_available == 0


def test_bytes_that_do_not_fit_are_refused_whole(extension: Elf) -> None:
    """Nothing is put if not all can be."""
    stream, _ = _stream(extension, 0)
    stream.receive_put(b"x" * 10)
    with pytest.raises(UsageError, match="10 of 16"):
        stream.receive_put(b"y" * 7)
    assert stream.receive_pending == 10
