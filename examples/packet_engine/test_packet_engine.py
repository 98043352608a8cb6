# SPDX-License-Identifier: Apache-2.0
"""A bus master that QEMU does not have, its driver packet_engine.c, and five ways to break it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, Device, NtStatus, build_image

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("packet_engine.c")
RING, GO, STATUS = 0x00, 0x04, 0x08
SEND, RECEIVE, DONE = 1, 2, 1
COUNT_AT, MOVED_AT = 128, 132
PENDING, OK = NtStatus.STATUS_PENDING, NtStatus.STATUS_SUCCESS


class PacketEngine(Device):
    """Sends and receives a packet by descriptors in memory; 100 ns for each byte."""

    SIZE, DOORBELLS = 12, (GO,)

    def reset(self) -> None:
        """Forget the packets."""
        self.ring, self.status = 0, 0
        self.sent: list[bytes] = []
        self.arrived: list[bytes] = []

    def read(self, offset: int, size: int) -> int:  # noqa: ARG002 - all are of 32 bits
        """Return the status, or where the descriptors are."""
        return self.status if offset == STATUS else self.ring

    def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
        """Begin with a packet, or take the interrupt down."""
        if offset == RING:
            self.ring = value
        elif offset == STATUS:
            self.status &= ~value
            self.interrupt(level=False)
        else:
            (count,) = struct.unpack("<I", self.dma_read(self.ring + COUNT_AT, 4))
            table = self.dma_read(self.ring, 8 * count)
            pieces = list(struct.iter_unpack("<II", table))
            length = sum(length for _, length in pieces)
            self.after(100 * length, lambda: self.move(value, pieces))

    def move(self, what: int, pieces: list[tuple[int, int]]) -> None:
        """Move the packet, write how long it was, and interrupt."""
        if what == SEND:
            self.sent.append(b"".join(self.dma_read(*piece) for piece in pieces))
            moved = len(self.sent[-1])
        else:
            moved = self.fill(pieces, self.arrived.pop(0))
        self.dma_write(self.ring + MOVED_AT, struct.pack("<I", moved))
        self.status = DONE
        self.interrupt()

    def fill(self, pieces: list[tuple[int, int]], packet: bytes) -> int:
        """Write a packet to memory; return how much of it there was room for."""
        done = 0
        for address, length in pieces:
            if part := packet[done : done + length]:
                self.dma_write(address, part)
            done += len(packet[done : done + length])
        return done


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the driver."""
    return build_image(SOURCE, output=tmp_path_factory.mktemp("engine") / "engine.elf")


@pytest.fixture
def engine() -> PacketEngine:
    """Make a device."""
    return PacketEngine()


@pytest.fixture
def board(image: Path, engine: PacketEngine) -> Iterator[Board]:
    """Start a board with both; what the driver does wrong, or leaves behind, fails the test."""
    with Board(image=image, devices=[engine]) as running:
        assert running.call("engine_open")["status"] == OK
        yield running
        assert running.call("engine_close")["status"] == OK


def test_a_packet_is_sent(board: Board, engine: PacketEngine) -> None:
    """From pages that are anywhere in memory, each with a descriptor."""
    buffer = board.memory.allocate(10_000, name="packet", region="scatter")
    packet = bytes(n % 251 for n in range(10_000))
    board.write(buffer, packet)
    assert board.call("engine_send", buffer.address, buffer.size)["status"] == PENDING
    assert board.call("engine_send", buffer.address, 1)["status"] == NtStatus.STATUS_DEVICE_BUSY
    assert board.wait(2_000_000, "irq") == "irq"
    reply = board.call("engine_result")
    assert (reply["status"], reply["moved"]) == (OK, 10_000)
    assert engine.sent == [packet]


def test_a_packet_is_received(board: Board, engine: PacketEngine) -> None:
    """Shorter than its buffer, twice, where the CPU has stored other bytes before."""
    buffer = board.memory.allocate(9000, name="packet", region="scatter")
    for packet in (bytes(range(256)) * 30, b"short"):
        board.fill(buffer, 0xA5)
        engine.arrived.append(packet)
        assert board.call("engine_receive", buffer.address, buffer.size)["status"] == PENDING
        assert board.wait(2_000_000, "irq") == "irq"
        reply = board.call("engine_result")
        assert (reply["status"], reply["moved"]) == (OK, len(packet))
        assert reply["first"] == packet[0]
        assert board.read(buffer, len(packet)) == packet


def test_a_device_that_is_pulled_out(board: Board, engine: PacketEngine) -> None:
    """The driver takes its buffer back, says what has happened, and leaves nothing behind."""
    buffer = board.memory.allocate(4096, name="packet")
    board.fill(buffer, 1)
    assert board.call("engine_send", buffer.address, 4096)["status"] == PENDING
    engine.remove()
    assert board.wait(2_000_000, "irq") == "time"
    assert board.call("engine_result")["status"] == NtStatus.STATUS_NO_SUCH_DEVICE
    assert engine.sent == []


#: What stands in the driver, what instead of it, the command that shows it, the kind of finding,
#: and the text of the line that it names.
MISTAKES = {
    "no barrier before the doorbell": (
        "    Write(GO, Engine.Send ? GO_SEND : GO_RECEIVE);\n",
        "    *(volatile ULONG *)(DMAV3_DEVICE_BASE + GO) = Engine.Send ? GO_SEND : GO_RECEIVE;\n",
        "engine_send",
        "missing-barrier",
        "Engine.Shared->Count = List->NumberOfElements;",
    ),
    "a store to the buffer when it is the device's": (
        "    Engine.Shared->Count = List->NumberOfElements;\n",
        "    Engine.Shared->Count = List->NumberOfElements;\n    Engine.Buffer[0] = 7;\n",
        "engine_send",
        "not-your-buffer",
        "Engine.Buffer[0] = 7;",
    ),
    "a load of the buffer before it is the driver's again": (
        "        Engine.Moved = Engine.Shared->Moved;\n",
        "        Engine.Moved = Engine.Shared->Moved + Engine.Buffer[1];\n",
        "engine_receive",
        "not-your-buffer",
        "Engine.Moved = Engine.Shared->Moved + Engine.Buffer[1];",
    ),
    "the buffer is taken back before the device is done": (
        "    Write(GO, Engine.Send ? GO_SEND : GO_RECEIVE);\n",
        "    Write(GO, Engine.Send ? GO_SEND : GO_RECEIVE);\n    Complete(STATUS_SUCCESS);\n",
        "engine_receive",
        "stray-device-access",
        "Status = Operations()->GetScatterGatherListEx(",
    ),
    "the other direction is mapped": (
        "Length, 0, Start, NULL, Send, NULL, NULL, NULL);",
        "Length, 0, Start, NULL, !Send, NULL, NULL, NULL);",
        "engine_receive",
        "stray-device-access",
        "Status = Operations()->GetScatterGatherListEx(",
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
