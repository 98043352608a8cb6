# SPDX-License-Identifier: Apache-2.0
"""Taking a removable device away, or bringing one, as a person does at the port on slot 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dmav3 import Board

#: Configuration space of the port, on slot 1, and there: its PCIe capability's slot control.
PORT, CAPABILITIES = 0x3F008000, 0x34
EXPRESS, SLOT_CONTROL = 0x10, 0x18
POWER_OFF, INDICATOR_OFF, INDICATOR_ON = 1 << 10, 3 << 8, 1 << 8


def take_away(board: Board) -> None:
    """Ask for the device on slot 1; the port lets go when its power is off."""
    board.qmp.execute("device_del", id="pci1")
    since = len(board.qmp.events)
    board.request("poke", _slot_control(board), "16", POWER_OFF | INDICATOR_OFF)
    board.qmp.wait_event("DEVICE_DELETED", since)


def bring(board: Board, device: str) -> None:
    """Plug a device, as `-device` takes it, into the empty port, and switch the port's power on."""
    command = f"device_add {device},bus=pci1"
    assert board.qmp.execute("human-monitor-command", command_line=command) == ""
    board.request("poke", _slot_control(board), "16", INDICATOR_ON)


def _slot_control(board: Board) -> int:
    """Return the address of the port's slot control register."""

    def byte(offset: int) -> int:
        return board.request("peek", PORT + offset, "8").number("value")

    at = byte(CAPABILITIES)
    while byte(at) != EXPRESS:
        at = byte(at + 1)
    return PORT + at + SLOT_CONTROL
