# SPDX-License-Identifier: Apache-2.0
"""The PCI device `edu` in the main job: a bus master that moves packets by scatter/gather lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.devices.edu import PACKET, Edu
from dmav3.dma.results import Element

from .main import Peripheral
from .master import PacketTransfer
from .subordinate import Piece

if TYPE_CHECKING:
    from dmav3.guest.memory import Buffer

#: What the machine needs.
DEVICE = "edu,dma_mask=0xffffffff"
_ADDRESS_BITS = 32


class EduPeripheral(Peripheral):
    """An `edu` that reaches 32 bits of addresses: nothing needs to be bounced."""

    CHUNK = PACKET
    #: So a packet lies in two pages, and ends with whole lines.
    BUFFER_OFFSET = 1024

    def open(self) -> None:
        """Start the device, create the adapter."""
        self._edu = Edu(self.board)
        self._adapter = self.adapter(
            "a bus master", Master=1, ScatterGather=1, DmaAddressWidth=_ADDRESS_BITS
        )

    def send(self, buffer: Buffer, length: int) -> bytes:
        """Let the device read a packet; look into its buffer by way of the staging window."""
        self._move(buffer, length, write=True)
        staging = self.board.memory.staging.start
        self._edu.write([Element(staging, length)])
        return self.board.memory.look(staging, length)

    def receive(self, buffer: Buffer, data: bytes) -> None:
        """Let the device write the packet that it has in its buffer."""
        self._move(buffer, len(data), write=False)

    def close(self) -> None:
        """Put the adapter."""
        self.journal.call(None, self._adapter.PutDmaAdapter)

    def _move(self, buffer: Buffer, length: int, *, write: bool) -> None:
        board = self.board
        mdl = self.described(buffer, length, write=write)

        def move(elements: list[Element], offset: int) -> None:
            (self._edu.read if write else self._edu.write)(elements, offset=offset)

        piece = Piece(buffer, mdl, 0, length, write)
        PacketTransfer(
            board, self.journal, self._adapter, piece, move=move, advance=self.advance
        ).run()
        board.dma.IoFreeMdl(mdl)
