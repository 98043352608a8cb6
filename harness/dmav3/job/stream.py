# SPDX-License-Identifier: Apache-2.0
"""The stream device in the main job: system DMA, through the PL330.

Bytes that fill no frame of the device go separately, through an adapter of 8 bits.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dmav3.devices.stream import Control, Register
from dmav3.errors import TransferError
from dmav3.wdm import DmaWidth

from .main import CHUNK, Peripheral
from .subordinate import Piece, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.board import Board
    from dmav3.dma import DmaAdapter
    from dmav3.guest.memory import Buffer

#: Model time in which the device takes in what is left in its FIFO, in steps of 1 µs.
_DRAIN_STEPS, _DRAIN_NS = 100_000, 1_000


class StreamPeripheral(Peripheral):
    """The stream device with a data register of 8, 16, 32 or 64 bits."""

    CHUNK = CHUNK

    def __init__(
        self, board: Board, width: int, advance: Callable[[int], object] = lambda _: None
    ) -> None:
        """Use the stream with a data register of `width` bits; `open` makes it ready."""
        super().__init__(board, advance)
        self._width = width
        self._adapters: dict[tuple[bool, int], DmaAdapter] = {}

    def open(self) -> None:
        """Create the adapter that even an empty file needs."""
        self._adapter(write=True, width=self._width)

    def send(self, buffer: Buffer, length: int) -> bytes:
        """Move bytes to the device, and wait until it has taken them in."""
        self._move(buffer, length, write=True)
        return self._received(length)

    def receive(self, buffer: Buffer, data: bytes) -> None:
        """Move bytes from the device."""
        self._move(buffer, len(data), write=False, data=data)

    def close(self) -> None:
        """Put the adapters."""
        for adapter in self._adapters.values():
            self.journal.call(None, adapter.PutDmaAdapter)

    def _move(self, buffer: Buffer, length: int, *, write: bool, data: bytes = b"") -> None:
        """Move the first `length` bytes of a buffer, whole frames first.

        :param data: what the device is to give out, for a read.
        """
        board = self.board
        mdl = self.described(buffer, length, write=write)
        tail = length % (self._width // 8)
        for offset, size, width in (
            (0, length - tail, self._width),
            (length - tail, tail, 8),
        ):
            if size:
                board.stream.receive_put(data[offset : offset + size])
                Transfer(
                    board,
                    self.journal,
                    self._adapter(write=write, width=width),
                    Piece(buffer, mdl, offset, size, write),
                    arm=partial(self._arm, write=write, width=width),
                    advance=self.advance,
                ).run()
                self._control(0)
        board.dma.IoFreeMdl(mdl)

    def _arm(self, *, write: bool, width: int) -> None:
        request = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
        self._control(request | Control.frame(width // 8))

    def _control(self, value: int) -> None:
        self.board.request("poke", self.board.machine.stream.base + Register.CONTROL, "32", value)

    def _adapter(self, *, write: bool, width: int) -> DmaAdapter:
        """Return the adapter of a direction and width; it is created when it is first needed."""
        if (write, width) not in self._adapters:
            stream = self.board.machine.stream
            line = stream.transmit if write else stream.receive
            self._adapters[write, width] = self.adapter(
                f"request line {line}, {width} bits",
                DmaChannel=0,
                DmaWidth=DmaWidth.of_bits(width),
                DmaRequestLine=line,
                DeviceAddress=stream.base + Register.DATA,
            )
        return self._adapters[write, width]

    def _received(self, length: int) -> bytes:
        """Return what the device took in, when it has all of it."""
        for _ in range(_DRAIN_STEPS):
            if self.board.stream.sent_available >= length:
                return self.board.stream.sent_take()
            self.board.wait(_DRAIN_NS)
        found = self.board.stream.sent_available
        msg = f"the device received {found} of {length} bytes"
        raise TransferError(msg)
