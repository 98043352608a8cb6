# SPDX-License-Identifier: Apache-2.0
"""The main job: a file from memory to a device, and back into other memory.

Chunk by chunk: the guest's CPU stores the chunk into a buffer whose pages lie scattered; it goes
to the device. What the device received is what it then sends; that is moved into a second
scattered buffer, which the CPU has filled with other bytes before, and the CPU reads it. Where
everything is right, the three digests are equal.
"""

from __future__ import annotations

import hashlib
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Unpack

from dmav3.errors import TransferError, UsageError
from dmav3.evidence.findings import routine_names
from dmav3.guest.memory import PAGE

from .journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.board import Board
    from dmav3.dma import DeviceDescription, DmaAdapter, Mdl
    from dmav3.guest.memory import Buffer

    from .journal import Step

#: Most bytes that are in the guest at a time; less where its memory or the device are smaller.
CHUNK = 1 << 20
#: What the receive buffer is filled with before each read.
POISON = 0xA5


@dataclass
class Outcome:
    """What has been moved so far; complete when `MainJob.run` has returned.

    :ivar bytes: of the input that went through in both directions.
    :ivar digests: SHA-256 of the input, of what the device received, of what the CPU read back.
    """

    bytes: int = 0
    complete: bool = False
    digests: dict[str, hashlib._Hash] = field(
        default_factory=lambda: {name: hashlib.sha256() for name in ("input", "device", "returned")}
    )


class Peripheral(ABC):
    """A device of a board with its driver, as the main job needs it.

    :ivar CHUNK: most bytes that it holds.
    :ivar BUFFER_OFFSET: where in a page buffers for it begin.
    :ivar BUFFER_UNIT: bytes that the size of a buffer for it is a multiple of.
    :ivar journal: of all calls.
    :ivar keflush: call KeFlushIoBuffers before each transfer, as drivers of versions 1 and 2 do.
    """

    CHUNK: ClassVar[int]
    BUFFER_OFFSET: ClassVar[int] = 0
    BUFFER_UNIT: ClassVar[int] = 1

    def __init__(self, board: Board, advance: Callable[[int], object] = lambda _: None) -> None:
        """Use a board; `open` makes the device ready.

        :param advance: is to be told the bytes that have been moved, in either direction.
        """
        self.board, self.advance = board, advance
        self.journal = Journal(board)
        self.keflush = False

    @abstractmethod
    def open(self) -> None:
        """Make device and adapters ready; once."""

    @abstractmethod
    def send(self, buffer: Buffer, length: int) -> bytes:
        """Move the first `length` bytes of a buffer to the device; return what it received."""

    @abstractmethod
    def receive(self, buffer: Buffer, data: bytes) -> None:
        """Move `data`, which the device has received before, into the first bytes of a buffer."""

    @abstractmethod
    def close(self) -> None:
        """Put every adapter; once."""

    def described(self, buffer: Buffer, length: int, *, write: bool) -> Mdl:
        """Return an MDL of the first bytes of a buffer, which are to be moved next."""
        dma = self.board.dma
        mdl = dma.IoAllocateMdl(buffer.address, length)
        dma.MmBuildMdlForNonPagedPool(mdl)
        if self.keflush:
            self.journal.call(buffer, partial(dma.KeFlushIoBuffers, mdl, ReadOperation=not write))
        return mdl

    def adapter(self, what: str, **description: Unpack[DeviceDescription]) -> DmaAdapter:
        """Return a new adapter; `TransferError`, which says `what` for, if there is none."""
        description["MaximumLength"] = CHUNK
        adapter = self.journal.call(None, partial(self.board.IoGetDmaAdapter, **description))
        if adapter is None:
            msg = f"IoGetDmaAdapter returned NULL for {what}"
            raise TransferError(msg)
        return adapter


class MainJob:
    """The main job on a board that does nothing else meanwhile.

    :ivar board: the board.
    """

    def __init__(self, peripheral: Peripheral) -> None:
        """Use the board of `peripheral`; `run` does the work."""
        self.board, self._peripheral = peripheral.board, peripheral
        self.outcome = Outcome()

    def run(self, file: BinaryIO, size: int = sys.maxsize) -> Outcome:
        """Move the first `size` bytes of `file`, or all if it has fewer.

        :raises TransferError: a routine or the device failed; `outcome` has what was done.
        """
        chunk = _read(file, min(size, self._chunk_size()))
        self._peripheral.open()
        if chunk:
            self._source = self._buffer("source", len(chunk))
            self._destination = self._buffer("destination", len(chunk))
        while chunk:
            self._there_and_back(chunk)
            chunk = _read(file, min(size - self.outcome.bytes, len(chunk)))
        self._peripheral.close()
        self.outcome.complete = True
        return self.outcome

    def steps(self) -> list[Step]:
        """Return every call so far with what it did."""
        names = routine_names(self.board.image)
        return self._peripheral.journal.steps(names, complete=self.outcome.complete)

    def _chunk_size(self) -> int:
        window = self.board.memory.region("scatter")
        half = (window.end - window.start) // 2
        return min(CHUNK, half - half % PAGE, self._peripheral.CHUNK)

    def _buffer(self, name: str, size: int) -> Buffer:
        unit, offset = self._peripheral.BUFFER_UNIT, self._peripheral.BUFFER_OFFSET
        whole = -(-size // unit) * unit
        return self.board.memory.allocate(
            whole, name=name, region="scatter", align=PAGE, offset=offset
        )

    def _there_and_back(self, chunk: bytes) -> None:
        digests, board = self.outcome.digests, self.board
        digests["input"].update(chunk)
        board.write(self._source, chunk)
        received = self._peripheral.send(self._source, len(chunk))
        digests["device"].update(received)
        board.fill(self._destination, POISON)
        self._peripheral.receive(self._destination, received)
        digests["returned"].update(board.read(self._destination, len(chunk)))
        self.outcome.bytes += len(chunk)


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        msg = f"the input {getattr(file, 'name', '')} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
