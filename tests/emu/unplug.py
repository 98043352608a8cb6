# SPDX-License-Identifier: Apache-2.0
"""Taking a removable device away, as a person does who pushes the button of its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dmav3 import Board

#: Configuration space of the port, on slot 1, and there: its PCIe capability's slot control.
PORT, CAPABILITIES = 0x3F008000, 0x34
EXPRESS, SLOT_CONTROL = 0x10, 0x18
POWER_OFF, INDICATOR_OFF = 1 << 10, 3 << 8


def take_away(board: Board) -> None:
    """Ask for the device on slot 1; the port lets go when its power is off."""
    board.qmp.execute("device_del", id="pci1")
    since = len(board.qmp.events)
    board.request("poke", _slot_control(board), "16", POWER_OFF | INDICATOR_OFF)
    board.qmp.wait_event("DEVICE_DELETED", since)


def _slot_control(board: Board) -> int:
    """Return the address of the port's slot control register."""

    def byte(offset: int) -> int:
        return board.request("peek", PORT + offset, "8").number("value")

    at = byte(CAPABILITIES)
    while byte(at) != EXPRESS:
        at = byte(at + 1)
    return PORT + at + SLOT_CONTROL
