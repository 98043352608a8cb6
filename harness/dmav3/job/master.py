# SPDX-License-Identifier: Apache-2.0
"""One transfer of a bus master as a driver does it: pattern A of the interface.

GetDmaTransferInfo and InitializeDmaTransferContext, then AllocateAdapterChannelEx, whose
AdapterControl keeps the map registers. Then, as often as it takes: MapTransferEx makes a list, the
device moves what is in it, FlushAdapterBuffersEx. In the end FreeMapRegisters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.devices.edu import PACKET
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction

from .subordinate import check, heap, mapped_bytes, requested, transfer_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.board import Board
    from dmav3.dma import DmaAdapter
    from dmav3.dma.results import Element

    from .journal import Journal
    from .subordinate import Piece


class PacketTransfer:
    """Moves one piece through one bus-master adapter, packet by packet.

    :ivar packets: the list of each packet, as the device got it.
    """

    def __init__(
        self,
        board: Board,
        journal: Journal,
        adapter: DmaAdapter,
        piece: Piece,
        *,
        move: Callable[[list[Element], int], object],
        advance: Callable[[int], object] = lambda _: None,
    ) -> None:
        """Move nothing yet.

        :param move: has the device move the bytes of a list, which begin at an offset of the piece.
        :param advance: is told the bytes of every packet that is done.
        """
        self._board, self._journal, self._adapter, self._piece = board, journal, adapter, piece
        self._move, self._advance = move, advance
        self._granted, self._base = False, 0
        self.packets: list[list[Element]] = []

    def run(self) -> None:
        """Move it all; model time passes. PASSIVE_LEVEL.

        :raises TransferError: a routine failed, or the device did. The registers may be kept.
        """
        board, journal, adapter, piece = self._board, self._journal, self._adapter, self._piece
        info = transfer_info(journal, adapter, piece)
        registers = min(info.MapRegisterCount, adapter.NumberOfMapRegisters)
        size = info.ScatterGatherListSize
        with (
            heap(board, size) as memory,
            requested(board, journal, adapter, piece, registers, self._adapter_control),
        ):
            board.dma.run_until(lambda: self._granted)
            done = 0
            while done < piece.length:
                done += self._packet(memory, size, done)
            if self._base:  # MR-04
                with board.dma.irql(DISPATCH_LEVEL):
                    journal.call(piece.buffer, adapter.FreeMapRegisters, self._base, registers)

    def _adapter_control(self, _device: int, _irp: int, base: int, _context: object) -> int:
        self._granted, self._base = True, base
        return IoAllocationAction.DeallocateObjectKeepRegisters

    def _packet(self, memory: int, size: int, done: int) -> int:
        """Move what the layer maps of the next packet; return its bytes (MTX-45, FBX-21)."""
        piece, offset = self._piece, self._piece.offset + done
        wanted = min(PACKET, piece.length - done)
        mapped = self._journal.call(
            piece.buffer,
            self._adapter.MapTransferEx,
            piece.mdl,
            self._base,
            offset,
            Length=wanted,
            WriteToDevice=piece.write,
            ScatterGatherBuffer=memory,
            ScatterGatherBufferLength=size,
        )
        length = mapped_bytes(mapped, wanted)
        self.packets.append(self._board.dma.read_list(memory))
        self._move(self.packets[-1], done)
        flushed = self._journal.call(
            piece.buffer,
            self._adapter.FlushAdapterBuffersEx,
            piece.mdl,
            self._base,
            offset,
            length,
            WriteToDevice=piece.write,
        )
        check("FlushAdapterBuffersEx", flushed)
        self._advance(length)
        return length
