# SPDX-License-Identifier: Apache-2.0
"""The main job on a disk: a file from memory to an NVMe image, and back into other memory.

As `mainjob`, with the driver of `examples/nvme` in the guest: chunk by chunk the guest's CPU stores
the chunk, the controller takes it to the image, the image is read here, by the computer that it
lies on, and the controller moves it into other memory, which the CPU reads.

The image is written by QEMU when the computer likes, so a request is asked for until it has ended:
how long that takes, and at which model times the controller accesses memory, differs between runs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

from .deadline import allowance
from .errors import TransferError, UsageError
from .journal import Journal
from .mainjob import CHUNK, POISON, Outcome, read_chunk
from .memory import PAGE
from .report import routine_names
from .wdm import NtStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .board import Board
    from .journal import Step
    from .memory import Buffer

#: Model time between two questions whether a request has ended.
_STEP_NS = 100_000


class NvmeJob:
    """The main job on a board with the driver and one NVMe controller."""

    def __init__(
        self, board: Board, disk: Path, advance: Callable[[int], object] = lambda _: None
    ) -> None:
        """Prepare only.

        :param disk: the image that the controller has.
        :param advance: is told the bytes that have been moved, twice for each byte in all.
        """
        self._board, self._disk, self._advance = board, disk, advance
        self._journal = Journal(board)
        self.outcome = Outcome()

    def run(self, file: BinaryIO) -> Outcome:
        """Move all that can be read from `file`.

        :raises TransferError: the driver or the controller failed; `outcome` has what was done.
        :raises UsageError: the image has no room for it.
        """
        with self._journal.watch(None):
            geometry = self._driver("nvme_start")
        self._block, self._maximum = geometry["block_bytes"], geometry["maximum"]
        room = geometry["blocks"] * self._block
        if chunk := read_chunk(file, CHUNK):
            size = -(-len(chunk) // self._block) * self._block
            self._source = self._buffer("source", size)
            self._destination = self._buffer("destination", size)
        while chunk:
            if self.outcome.bytes + len(chunk) > room:
                msg = f"the image {self._disk} ends after {room} bytes, before the input does"
                raise UsageError(msg)
            self._there_and_back(chunk)
            chunk = read_chunk(file, CHUNK)
        with self._journal.watch(None):
            self._driver("nvme_stop")
        self.outcome.complete = True
        return self.outcome

    def steps(self) -> list[Step]:
        """Return every call of the driver so far with what it did."""
        names = routine_names(self._board.image)
        return self._journal.steps(names, complete=self.outcome.complete)

    def _buffer(self, name: str, size: int) -> Buffer:
        return self._board.memory.allocate(size, name=name, region="scatter", align=PAGE)

    def _there_and_back(self, chunk: bytes) -> None:
        digests, board, start = self.outcome.digests, self._board, self.outcome.bytes
        digests["input"].update(chunk)
        board.write(self._source, chunk)
        self._move("nvme_write", self._source, len(chunk))
        digests["device"].update(self._image(start, len(chunk)))
        board.fill(self._destination, POISON)
        self._move("nvme_read", self._destination, len(chunk))
        digests["returned"].update(board.read(self._destination, len(chunk)))
        self.outcome.bytes += len(chunk)

    def _image(self, start: int, length: int) -> bytes:
        with self._disk.open("rb") as image:
            image.seek(start)
            return image.read(length)

    def _move(self, command: str, buffer: Buffer, length: int) -> None:
        """Move the first `length` bytes of a buffer, in whole blocks, a request after the other."""
        first = self.outcome.bytes // self._block
        for offset in range(0, length, self._maximum):
            part = min(length - offset, self._maximum)
            whole = -(-part // self._block) * self._block
            where = first + offset // self._block
            self._request(buffer, command, where, buffer.address + offset, whole)
            self._advance(part)

    def _request(self, buffer: Buffer, command: str, *arguments: int) -> None:
        with self._journal.watch(buffer):
            tag = self._driver(command, *arguments)["tag"]
            end = time.monotonic() + allowance()
            while self._driver("nvme_result", tag)["status"] == NtStatus.STATUS_PENDING:
                if time.monotonic() > end:
                    self._driver("nvme_stop")
                    msg = f"the controller did not end {command} of block {arguments[0]} in time"
                    raise TransferError(msg)
                self._board.wait(_STEP_NS)

    def _driver(self, command: str, *arguments: int) -> dict[str, int]:
        """Run a command of the driver; raises `TransferError` if it failed."""
        reply = self._board.call(command, *arguments)
        status = NtStatus(reply["status"])
        if not status.success:
            msg = f"{command}{arguments} of the driver gave {status.name}"
            raise TransferError(msg)
        return reply
