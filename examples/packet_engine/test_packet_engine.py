# SPDX-License-Identifier: Apache-2.0
"""A PCI bus master that QEMU does not have, its driver packet_engine.c, and ways to break it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, Device, NtStatus, build_image

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("packet_engine.c")
RING, TAIL = 0x00, 0x04
SEND, LAST, DONE = 1, 2, 4
DESCRIPTORS, FLAGS_AT = 16, 8
PENDING, OK = NtStatus.STATUS_PENDING, NtStatus.STATUS_SUCCESS


class PacketEngine(Device):
    """Sends and receives packets by a ring of descriptors in memory; 100 ns for each byte."""

    SIZE, DOORBELLS = 16, (TAIL,)
    PCI_ID, PCI_CLASS, MSI = (0x1234, 0x5678), 0x020000, 1

    def reset(self) -> None:
        """Forget the packets."""
        self.ring = self.head = self.tail = 0
        self.busy = False
        self.sent: list[bytes] = []
        self.arrived: list[bytes] = []

    def read(self, offset: int, size: int) -> int:  # noqa: ARG002 - all are of 32 bits
        """Return where the descriptors are, or how many there were."""
        return self.ring if offset == RING else self.tail

    def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
        """Take the address of the ring, or go on to its new end."""
        if offset == RING:
            self.ring = value
        else:
            self.tail = value
            if not self.busy:
                self.fetch()

    def fetch(self) -> None:
        """Take the descriptors of the next packet, if there is one, and time to move it."""
        pieces, flags = [], 0
        self.busy = self.head != self.tail
        while self.busy and not flags & LAST:
            at = self.ring + self.head % DESCRIPTORS * 16
            address, length, flags = struct.unpack("<III", self.dma_read(at, 12))
            pieces.append((address, length))
            self.head += 1
        if self.busy:
            length = sum(length for _, length in pieces)
            self.after(100 * length, lambda: self.move(at, flags, pieces))

    def move(self, last: int, flags: int, pieces: list[tuple[int, int]]) -> None:
        """Move the packet, write to its last descriptor how long it was, and interrupt."""
        if flags & SEND:
            self.sent.append(b"".join(self.dma_read(*piece) for piece in pieces))
            moved = len(self.sent[-1])
        else:
            moved = self.fill(pieces, self.arrived.pop(0))
        self.dma_write(last + FLAGS_AT, struct.pack("<II", flags | DONE, moved))
        self.interrupt()
        self.fetch()

    def fill(self, pieces: list[tuple[int, int]], packet: bytes) -> int:
        """Write a packet to memory; return how much of it there was room for."""
        done = 0
        for address, length in pieces:
            if part := packet[done : done + length]:
                self.dma_write(address, part)
            done += len(part)
        return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the driver."""
    return build_image(SOURCE, output=tmp_path_factory.mktemp("engine") / "engine.elf")


@pytest.fixture
def engine() -> PacketEngine:
    """Make a device."""
    return PacketEngine()


@pytest.fixture(params=["lru", "never", "eager", "speculative"])
def board(request: pytest.FixtureRequest, image: Path, engine: PacketEngine) -> Iterator[Board]:
    """Start a board with both; what the driver does wrong, or leaves behind, fails the test."""
    with Board(image=image, devices=[engine], schedule=request.param) as running:
        assert running.call("engine_open")["status"] == OK
        yield running
        assert running.call("engine_close")["status"] == OK


def test_packets_are_sent(board: Board, engine: PacketEngine) -> None:
    """From pages that are anywhere in memory, two under way, until the ring has wrapped."""
    packets = [bytes((n + first) % 251 for n in range(10_000)) for first in range(12)]
    buffers = [board.memory.allocate(10_000, name=name, region="scatter") for name in ("a", "b")]
    for n in range(0, 12, 2):
        for buffer, packet in zip(buffers, packets[n : n + 2], strict=True):
            board.write(buffer, packet)
            assert board.call("engine_send", buffer.address, buffer.size)["status"] == PENDING
        for number in (n, n + 1):
            assert board.wait(2_000_000, "irq") == "irq"
            reply = board.call("engine_result", number)
            assert (reply["status"], reply["moved"]) == (OK, 10_000)
    assert engine.sent == packets
    assert engine.tail > DESCRIPTORS


def test_packets_are_received(board: Board, engine: PacketEngine) -> None:
    """Shorter than their buffer, where the CPU has stored other bytes before."""
    buffer = board.memory.allocate(9000, name="packet", region="scatter")
    for number, packet in enumerate((bytes(range(256)) * 30, b"short")):
        board.fill(buffer, 0xA5)
        engine.arrived.append(packet)
        assert board.call("engine_receive", buffer.address, buffer.size)["status"] == PENDING
        assert board.wait(2_000_000, "irq") == "irq"
        reply = board.call("engine_result", number)
        assert (reply["status"], reply["moved"]) == (OK, len(packet))
        assert reply["first"] == packet[0]
        assert board.read(buffer, len(packet)) == packet


def test_no_more_packets_than_fit(board: Board) -> None:
    """Neither more descriptors than the ring has, nor a packet that is too long."""
    buffer = board.memory.allocate(32_768 + 1, name="packet")
    for size, status in (
        (32_769, NtStatus.STATUS_INVALID_PARAMETER),
        (32_768, PENDING),
        (32_768, PENDING),
        (1, NtStatus.STATUS_DEVICE_BUSY),
    ):
        assert board.call("engine_send", buffer.address, size)["status"] == status
    board.wait(10_000_000)


def test_a_device_that_is_pulled_out(board: Board, engine: PacketEngine) -> None:
    """The driver takes its buffers back, says what has happened, and leaves nothing behind."""
    buffers = [board.memory.allocate(4096, name=name) for name in ("sent", "received")]
    for buffer, command in zip(buffers, ("engine_send", "engine_receive"), strict=True):
        board.fill(buffer, 1)
        assert board.call(command, buffer.address, 4096)["status"] == PENDING
    engine.remove()
    assert board.wait(2_000_000, "irq") == "time"
    for number in range(2):
        reply = board.call("engine_result", number)
        assert reply["status"] == NtStatus.STATUS_NO_SUCH_DEVICE
    assert engine.sent == []


#: What stands in the driver, what instead of it, the command that shows it, the kind of finding,
#: and the text of the line that it names.
MISTAKES = {
    "no barrier before the doorbell": (
        "    WRITE_REGISTER_ULONG(Register(TAIL), Engine.Tail);\n",
        "    *Register(TAIL) = Engine.Tail;\n",
        "engine_send",
        "missing-barrier",
        "At->Length = List->Elements[n].Length;",
    ),
    "a store to the buffer when it is the device's": (
        "    Mapped->Last = Engine.Tail - 1;\n",
        "    Mapped->Last = Engine.Tail - 1;\n    Mapped->Buffer[0] = 7;\n",
        "engine_send",
        "not-your-buffer",
        "Mapped->Buffer[0] = 7;",
    ),
    "a load of the buffer before it is the driver's again": (
        "        Oldest->Moved = Descriptor(Oldest->Last)->Moved;\n",
        "        Oldest->Moved = Descriptor(Oldest->Last)->Moved + Oldest->Buffer[1];\n",
        "engine_receive",
        "not-your-buffer",
        "Oldest->Moved = Descriptor(Oldest->Last)->Moved + Oldest->Buffer[1];",
    ),
    "the buffer is taken back before the device is done": (
        "    WRITE_REGISTER_ULONG(Register(TAIL), Engine.Tail);\n",
        "    WRITE_REGISTER_ULONG(Register(TAIL), Engine.Tail);\n    Complete(STATUS_SUCCESS);\n",
        "engine_receive",
        "stray-device-access",
        "Operations()->GetScatterGatherListEx(",
    ),
    "the other direction is mapped": (
        "New, Send, NULL, NULL, NULL);",
        "New, !Send, NULL, NULL, NULL);",
        "engine_receive",
        "stray-device-access",
        "Operations()->GetScatterGatherListEx(",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(tmp_path: Path, engine: PacketEngine, mistake: str) -> None:
    """By its kind, with file and line of the driver."""
    right, wrong, command, kind, at = MISTAKES[mistake]
    text = SOURCE.read_text()
    assert text.count(right) == 1
    (source := tmp_path / "wrong.c").write_text(text.replace(right, wrong))
    lines = source.read_text().splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if at in line)
    image = build_image(source, output=tmp_path / "wrong.elf")
    with Board(image=image, devices=[engine], judge=False) as board:
        buffer = board.memory.allocate(4096, name="packet")
        engine.arrived.append(b"x" * 4096)
        board.call("engine_open")
        board.call(command, buffer.address, 4096)
        board.wait(2_000_000)
        finding = board.findings()[0]
        assert finding.kind == kind
        assert finding.device is None or finding.device.name == "PacketEngine"
        assert f"wrong.c:{number})" in finding.text
