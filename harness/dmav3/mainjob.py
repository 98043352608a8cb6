# SPDX-License-Identifier: Apache-2.0
"""The main job: a file from memory to the stream device, and back into other memory.

Chunk by chunk: the guest's CPU stores the chunk into a buffer whose pages lie scattered; it goes
to the device. What the device received is what it then sends; that is moved into a second
scattered buffer, which the CPU has filled with other bytes before, and the CPU reads it. Where
everything is right, the three digests are equal.

Bytes that fill no frame of the device go separately, through an adapter of 8 bits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from .errors import TransferError, UsageError
from .journal import Journal
from .memory import PAGE
from .report import routine_names
from .stream import Control, Register
from .transfer import Piece, Transfer
from .wdm import DmaWidth

if TYPE_CHECKING:
    from collections.abc import Callable

    from .board import Board
    from .dma import DmaAdapter
    from .journal import Step
    from .memory import Buffer

#: Most bytes that are in the guest at a time; less where its memory or the rings are smaller.
CHUNK = 1 << 20
#: What the receive buffer is filled with before each read.
POISON = 0xA5
#: Model time in which the device takes in what is left in its FIFO, in steps of 1 µs.
_DRAIN_STEPS, _DRAIN_NS = 100_000, 1_000


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


class MainJob:
    """The main job on a board that does nothing else meanwhile."""

    def __init__(
        self, board: Board, width: int, advance: Callable[[int], object] = lambda _: None
    ) -> None:
        """Prepare only.

        :param width: of the device's data register: 8, 16, 32 or 64 bits.
        :param advance: is told the bytes that have been moved, twice for each byte in all.
        """
        self._board, self._width, self._advance = board, width, advance
        self._journal = Journal(board)
        self._adapters: dict[tuple[bool, int], DmaAdapter] = {}
        self.outcome = Outcome()

    def run(self, file: BinaryIO) -> Outcome:
        """Move all that can be read from `file`.

        :raises TransferError: a routine or the device failed; `outcome` has what was done.
        """
        chunk = read_chunk(file, self._chunk_size())
        if not chunk:
            self._adapter(write=True, width=self._width)
        else:
            self._source = self._buffer("source", len(chunk))
            self._destination = self._buffer("destination", len(chunk))
        while chunk:
            self._there_and_back(chunk)
            chunk = read_chunk(file, len(chunk))
        for adapter in self._adapters.values():
            self._journal.call(None, adapter.PutDmaAdapter)
        self.outcome.complete = True
        return self.outcome

    def steps(self) -> list[Step]:
        """Return every call so far with what it did."""
        names = routine_names(self._board.image)
        return self._journal.steps(names, complete=self.outcome.complete)

    def _chunk_size(self) -> int:
        window = self._board.memory.region("scatter")
        half = (window.end - window.start) // 2
        return min(CHUNK, half - half % PAGE, self._board.stream.ring_size)

    def _buffer(self, name: str, size: int) -> Buffer:
        return self._board.memory.allocate(size, name=name, region="scatter", align=PAGE)

    def _there_and_back(self, chunk: bytes) -> None:
        digests, board = self.outcome.digests, self._board
        digests["input"].update(chunk)
        board.write(self._source, chunk)
        self._move(self._source, len(chunk), write=True)
        received = self._received(len(chunk))
        digests["device"].update(received)
        board.fill(self._destination, POISON)
        self._move(self._destination, len(chunk), write=False, data=received)
        digests["returned"].update(board.read(self._destination, len(chunk)))
        self.outcome.bytes += len(chunk)

    def _move(self, buffer: Buffer, length: int, *, write: bool, data: bytes = b"") -> None:
        """Move the first `length` bytes of a buffer, whole frames first.

        :param data: what the device is to give out, for a read.
        """
        board = self._board
        mdl = board.IoAllocateMdl(buffer.address, length)
        board.MmBuildMdlForNonPagedPool(mdl)
        tail = length % (self._width // 8)
        for offset, size, width in (
            (0, length - tail, self._width),
            (length - tail, tail, 8),
        ):
            if size:
                board.stream.receive_put(data[offset : offset + size])
                Transfer(
                    board,
                    self._journal,
                    self._adapter(write=write, width=width),
                    Piece(buffer, mdl, offset, size, write),
                    arm=partial(self._arm, write=write, width=width),
                    advance=self._advance,
                ).run()
                self._control(0)
        board.IoFreeMdl(mdl)

    def _arm(self, *, write: bool, width: int) -> None:
        request = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
        self._control(request | Control.frame(width // 8))

    def _control(self, value: int) -> None:
        self._board.request("poke", self._board.machine.stream.base + Register.CONTROL, "32", value)

    def _adapter(self, *, write: bool, width: int) -> DmaAdapter:
        """Return the adapter of a direction and width; it is created when it is first needed."""
        if (write, width) not in self._adapters:
            stream = self._board.machine.stream
            line = stream.transmit if write else stream.receive
            adapter = self._journal.call(
                None,
                self._board.IoGetDmaAdapter,
                DmaChannel=0,
                DmaWidth=DmaWidth.of_bits(width),
                MaximumLength=CHUNK,
                DmaRequestLine=line,
                DeviceAddress=stream.base + Register.DATA,
            )
            if adapter is None:
                msg = f"IoGetDmaAdapter returned NULL for request line {line}, {width} bits"
                raise TransferError(msg)
            self._adapters[write, width] = adapter
        return self._adapters[write, width]

    def _received(self, length: int) -> bytes:
        """Return what the device took in, when it has all of it."""
        for _ in range(_DRAIN_STEPS):
            if self._board.stream.sent_available >= length:
                return self._board.stream.sent_take()
            self._board.wait(_DRAIN_NS)
        found = self._board.stream.sent_available
        msg = f"the device received {found} of {length} bytes"
        raise TransferError(msg)


def read_chunk(file: BinaryIO, size: int) -> bytes:
    """Read at most `size` bytes of the input; raises `UsageError`."""
    try:
        return file.read(size)
    except OSError as error:
        msg = f"the input {getattr(file, 'name', '')} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
