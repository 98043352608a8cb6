# SPDX-License-Identifier: Apache-2.0
"""One system-DMA transfer as a driver does it: patterns D and E of the interface.

GetDmaTransferInfo and InitializeDmaTransferContext, then AllocateAdapterChannelEx; its
AdapterControl maps the first part and starts it; the completion routine flushes what was mapped
and maps the next part, until nothing is left and the channel is freed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmav3.errors import TransferError
from dmav3.wdm import DISPATCH_LEVEL, DmaCompletionStatus, IoAllocationAction, NtStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.board.board import Board
    from dmav3.dma import DmaAdapter, Mapped, Mdl, TransferInfo
    from dmav3.guest.memory import Buffer

    from .journal import Journal


@dataclass(frozen=True)
class Piece:
    """What is to be moved: `length` bytes from `offset` on of `buffer`, which `mdl` describes."""

    buffer: Buffer
    mdl: Mdl
    offset: int
    length: int
    write: bool  # from memory to the device


class Transfer:
    """Moves one piece through one adapter."""

    def __init__(
        self,
        board: Board,
        journal: Journal,
        adapter: DmaAdapter,
        piece: Piece,
        *,
        arm: Callable[[], object],
        advance: Callable[[int], object],
    ) -> None:
        """Move nothing yet.

        :param arm: makes the device ready; called before every mapping.
        :param advance: is told the bytes of every part that is done.
        """
        self._board, self._journal, self._adapter, self._piece = board, journal, adapter, piece
        self._arm, self._advance = arm, advance
        self._offset, self._left, self._mapped = piece.offset, piece.length, 0
        self._list = self._list_size = self._base = 0
        self._done = False

    def run(self) -> None:
        """Move it all; model time passes. PASSIVE_LEVEL.

        :raises TransferError: a routine failed, or the device did. The channel may be kept.
        """
        info = transfer_info(self._journal, self._adapter, self._piece)
        self._list_size = info.ScatterGatherListSize
        with (
            heap(self._board, self._list_size) as self._list,
            requested(
                self._board,
                self._journal,
                self._adapter,
                self._piece,
                min(info.MapRegisterCount, self._adapter.NumberOfMapRegisters),
                self._adapter_control,
            ),
        ):
            self._board.dma.run_until(lambda: self._done)

    def _adapter_control(self, _device: int, _irp: int, base: int, _context: object) -> int:
        self._base = base
        self._map_next()
        return IoAllocationAction.KeepObject

    def _map_next(self) -> None:
        """Map as much of the rest as the layer takes at once, and start it (MTX-45)."""
        self._arm()
        mapped = self._journal.call(
            self._piece.buffer,
            self._adapter.MapTransferEx,
            self._piece.mdl,
            self._base,
            self._offset,
            Length=self._left,
            WriteToDevice=self._piece.write,
            ScatterGatherBuffer=self._list,
            ScatterGatherBufferLength=self._list_size,
            DmaCompletionRoutine=self._completed,
        )
        self._mapped = mapped_bytes(mapped, self._left)

    def _completed(
        self, _adapter: DmaAdapter, _device: int, _context: object, status: DmaCompletionStatus
    ) -> None:
        flushed = self._journal.call(
            self._piece.buffer,
            self._adapter.FlushAdapterBuffersEx,
            self._piece.mdl,
            self._base,
            self._offset,
            self._mapped,
            WriteToDevice=self._piece.write,
        )
        check("FlushAdapterBuffersEx", flushed)
        self._offset += self._mapped
        self._left -= self._mapped
        complete = status == DmaCompletionStatus.DmaComplete
        if complete and self._left:
            self._advance(self._mapped)
            self._map_next()
            return
        self._journal.call(self._piece.buffer, self._adapter.FreeAdapterChannel)
        if not complete:
            msg = f"the transfer ended with {status.name} in the {self._mapped} bytes before byte "
            raise TransferError(msg + f"{self._offset} of {self._piece.buffer.name}")
        self._advance(self._mapped)
        self._done = True


@contextmanager
def heap(board: Board, size: int) -> Iterator[int]:
    """Give the address of so many bytes of the guest's heap inside the block."""
    address = board.request("allocate", size).number("address")
    yield address
    board.request("release", address)


def transfer_info(journal: Journal, adapter: DmaAdapter, piece: Piece) -> TransferInfo:
    """Return what the piece takes; `TransferError` if GetDmaTransferInfo failed."""
    info = journal.call(
        piece.buffer,
        adapter.GetDmaTransferInfo,
        piece.mdl,
        piece.offset,
        piece.length,
        WriteOnly=piece.write,
    )
    check("GetDmaTransferInfo", info.status)
    return info


@contextmanager
def requested(
    board: Board,
    journal: Journal,
    adapter: DmaAdapter,
    piece: Piece,
    registers: int,
    routine: Callable[[int, int, int, object], int],
) -> Iterator[None]:
    """Have a request, with a context of its own, inside the block; `TransferError` if it failed."""
    context = board.dma.allocate_context()
    status = journal.call(piece.buffer, adapter.InitializeDmaTransferContext, context)
    check("InitializeDmaTransferContext", status)
    with board.dma.irql(DISPATCH_LEVEL):
        allocated = journal.call(
            piece.buffer,
            adapter.AllocateAdapterChannelEx,
            context,
            registers,
            ExecutionRoutine=routine,
        )
        check("AllocateAdapterChannelEx", allocated.status)
    yield
    board.request("release", context)


def mapped_bytes(mapped: Mapped, wanted: int) -> int:
    """Return how much MapTransferEx has mapped; `TransferError` if it failed or that cannot be."""
    check("MapTransferEx", mapped.status)
    if not 0 < mapped.Length <= wanted:
        msg = f"MapTransferEx mapped {mapped.Length} of {wanted} bytes"
        raise TransferError(msg)
    return mapped.Length


def check(routine: str, status: NtStatus) -> None:
    """Raise `TransferError` for a status that is none of success."""
    if not status.success:
        msg = f"{routine} failed with {status.spelled()}"
        raise TransferError(msg)
