# SPDX-License-Identifier: Apache-2.0
"""A disk in the main job: QEMU's NVMe controller, and the driver of `examples/nvme` in the guest.

What the device received is read from the image, here, by the computer that it lies on.

A request is asked for until it has ended. The controller keeps model time, so runs are equal.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from dmav3.deadlines import allowance
from dmav3.errors import TransferError, UsageError
from dmav3.files import open_regular
from dmav3.wdm import NtStatus

from .main import CHUNK, Peripheral

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.board.board import Board
    from dmav3.guest.memory import Buffer

#: Bytes of a block of QEMU's controller, and of the smallest image that is made here.
BLOCK, _SMALLEST = 512, 1 << 20
#: Model time between two questions whether a request has ended.
_STEP_NS = 100_000


@contextmanager
def disk_for(size: int, disk: Path | None) -> Iterator[Path]:
    """Give a raw image that has room for `size` bytes: `disk`, or one that is removed in the end.

    :raises UsageError: it is too short, or cannot be written.
    """
    whole = max(_SMALLEST, -(-size // BLOCK) * BLOCK)
    if disk is not None:
        _check(disk, size, whole)
        yield disk
        return
    with TemporaryFile() as made:  # it has no name, so nothing is left, whatever ends us
        made.truncate(whole)
        yield Path(f"/proc/{os.getpid()}/fd/{made.fileno()}")


def _check(disk: Path, size: int, whole: int) -> None:
    try:
        with open_regular(disk, os.O_RDWR) as file:
            room = file.seek(0, os.SEEK_END) // BLOCK * BLOCK
    except OSError as error:
        msg = f"the image {disk} cannot be written: {error.strerror}"
        raise UsageError(msg) from error
    if room < size or not room:
        msg = (
            f"the image {disk} has room for {room} bytes, the input has {size}; "
            f"`truncate --size={whole} {disk}` would make it large enough"
        )
        raise UsageError(msg)


class NvmePeripheral(Peripheral):
    """A controller with an image, and its driver; the image is filled from its beginning on."""

    CHUNK = CHUNK
    BUFFER_UNIT = BLOCK

    def __init__(
        self, board: Board, disk: Path, advance: Callable[[int], object] = lambda _: None
    ) -> None:
        """Use a board with a controller; `open` makes it ready.

        :param disk: the image that the controller has.
        """
        super().__init__(board, advance)
        self._disk, self._start = disk, 0

    def open(self) -> None:
        """Bring the controller up."""
        with self.journal.watch(None):
            self._maximum = self._driver("nvme_start")["maximum"]

    def send(self, buffer: Buffer, length: int) -> bytes:
        """Write blocks; return what is in the image then."""
        self._move("nvme_write", buffer, length)
        with self._disk.open("rb") as image:
            image.seek(self._start)
            return image.read(length)

    def receive(self, buffer: Buffer, data: bytes) -> None:
        """Read the same blocks."""
        self._move("nvme_read", buffer, len(data))
        self._start += len(data)

    def close(self) -> None:
        """Stop the controller."""
        with self.journal.watch(None):
            self._driver("nvme_stop")

    def _move(self, command: str, buffer: Buffer, length: int) -> None:
        """Move the first `length` bytes of a buffer, in whole blocks, a request after the other."""
        for offset in range(0, length, self._maximum):
            part = min(length - offset, self._maximum)
            whole = -(-part // BLOCK) * BLOCK
            block = (self._start + offset) // BLOCK
            with self.journal.watch(buffer):
                self._request(command, block, buffer.address + offset, whole)
            self.advance(part)

    def _request(self, command: str, block: int, address: int, length: int) -> None:
        tag = self._driver(command, block, address, length)["tag"]
        end = time.monotonic() + allowance()
        while self._driver("nvme_result", tag)["status"] == NtStatus.STATUS_PENDING:
            if time.monotonic() > end:
                self._driver("nvme_stop")
                msg = f"the controller did not end {command} of block {block} in time"
                raise TransferError(msg)
            self.board.wait(_STEP_NS)

    def _driver(self, command: str, *arguments: int) -> dict[str, int]:
        """Run a command of the driver; raises `TransferError` if it failed."""
        reply = self.board.call(command, *arguments)
        status = NtStatus(reply["status"])
        if not status.success:
            given = " ".join(f"{argument:#x}" for argument in arguments)
            msg = f"the driver: {command} {given} failed with {status.spelled()}".replace("  ", " ")
            raise TransferError(msg)
        return reply
