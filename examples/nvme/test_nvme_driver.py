# SPDX-License-Identifier: Apache-2.0
"""The driver in nvme.c on an emulated board with a disk: the right blocks, and no cache bug."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, NtStatus, build_image
from dmav3.machine.description import Device

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
#: Of real time, in which QEMU reads and writes the image.
SECONDS = 30


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Make an image of 1 MiB."""
    (path := tmp_path / "disk.img").write_bytes(bytes(1 << 20))
    return path


@pytest.fixture
def board(tmp_path: Path, image: Path) -> Iterator[Board]:
    """Start a board with driver and disk; its end fails a test that nothing else has failed."""
    firmware = build_image(*HERE.glob("*.c"), output=tmp_path / "nvme.elf")
    disk = Device(model="nvme", options=("serial=example",), disk=image)
    with Board(image=firmware, devices=[disk]) as running:
        assert running.call("nvme_start")["status"] == NtStatus.STATUS_SUCCESS
        yield running
        assert running.call("nvme_stop")["status"] == NtStatus.STATUS_SUCCESS


def transfer(board: Board, command: str, *arguments: int) -> int:
    """Start a transfer and return how it ended."""
    tag, end = board.call(command, *arguments)["tag"], time.monotonic() + SECONDS
    while (status := board.call("nvme_result", tag)["status"]) == NtStatus.STATUS_PENDING:
        assert time.monotonic() < end
        board.wait(100_000)  # nanoseconds of model time
    return status


def test_what_is_written_is_in_the_image(board: Board, image: Path) -> None:
    """Block 3 of the image, and nothing else."""
    message = board.memory.allocate(512, name="message")
    board.write(message, b"hello, disk! " * 39)
    assert transfer(board, "nvme_write", 3, message.address, 512) == NtStatus.STATUS_SUCCESS
    assert image.read_bytes() == (bytes(3 * 512) + b"hello, disk! " * 39).ljust(1 << 20, b"\0")


def test_what_is_in_the_image_is_read(board: Board, image: Path) -> None:
    """Also where the CPU has stored other bytes before."""
    image.write_bytes(bytes(range(256)) * 4096)
    buffer = board.memory.allocate(8192, name="buffer", region="scatter", align=4096)
    board.fill(buffer, 0xA5)
    assert transfer(board, "nvme_read", 0, buffer.address, 8192) == NtStatus.STATUS_SUCCESS
    assert board.read(buffer) == bytes(range(256)) * 32
