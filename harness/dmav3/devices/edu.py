# SPDX-License-Identifier: Apache-2.0
"""QEMU's PCI device `edu`, driven by the shim (firmware/pci/edu.c): it moves packets.

Its buffer holds 4,096 bytes. Each of its transfers takes 100 ms of model time, which pass inside
the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dmav3.errors import TransferError
from dmav3.wdm import NtStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmav3.dma import Element

#: Bytes of its buffer.
PACKET = 4096
#: Bits of an address that it uses unless its option `dma_mask` says otherwise.
ADDRESS_BITS = 28


class Caller(Protocol):
    """A board, as far as the driver in the shim needs it."""

    def call(self, command: str, *arguments: int) -> dict[str, int]:
        """Run a command of the shim (`Board.call`)."""


class Edu:
    """An `edu` of a board that has one, ready for packets.

    :ivar interrupts: that its driver has served.
    """

    def __init__(self, board: Caller, *, message: bool = True) -> None:
        """Find it, switch it on, connect its interrupt: a message, or its pin.

        :raises TransferError: there is none, or it does not work.
        """
        self._board = board
        self.interrupts = self._check("edu_open", message)

    def read(self, elements: Iterable[Element], *, offset: int = 0) -> None:
        """Let the device read memory, a list of (address, length), into its buffer.

        :param offset: in its buffer.
        :raises TransferError: that is more than its buffer has, or it did not end.
        """
        self._move(elements, offset, to_memory=False)

    def write(self, elements: Iterable[Element], *, offset: int = 0) -> None:
        """Let the device write what is in its buffer to memory."""
        self._move(elements, offset, to_memory=True)

    def _move(self, elements: Iterable[Element], offset: int, *, to_memory: bool) -> None:
        for address, length in elements:
            self.interrupts = self._check("edu_move", address, length, offset, to_memory)
            offset += length

    def _check(self, command: str, *arguments: int) -> int:
        reply = self._board.call(command, *map(int, arguments))
        status = NtStatus(reply["status"])
        if not status.success:
            given = " ".join(f"{argument:#x}" for argument in arguments)
            msg = f"the device edu: {command} {given} failed with {status.name}"
            raise TransferError(msg)
        return reply.get("interrupts", 0)
