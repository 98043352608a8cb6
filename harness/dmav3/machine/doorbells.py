# SPDX-License-Identifier: Apache-2.0
"""Whether the doorbells of a machine's PCI devices are where the devices have registers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.errors import UsageError

if TYPE_CHECKING:
    from .description import Machine


def check_doorbells(machine: Machine, bars: str) -> None:
    """Compare with the sizes of the BARs.

    :param bars: the extension's property `doorbell-bars`: of each device with doorbells its id and
        the size of its BAR 0 in bytes, such as "pci1:0x100000/pci2:0x0".
    :raises UsageError: a doorbell is outside of BAR 0 of its device.
    """
    sizes = dict(one.split(":") for one in bars.split("/"))
    for slot, device in enumerate(machine.devices, 1):
        for number, offset in enumerate(device.doorbells):
            size = int(sizes[f"pci{slot}"], 0)
            if offset >= size:
                has = f"has {size:#x} bytes" if size else "it does not have"
                msg = (
                    f"devices.{slot - 1}.doorbells.{number} of machine {machine.name!r} is "
                    f"{offset:#x}, outside of BAR 0 of {device.model!r}, which {has}; such as 0x98 "
                    "of 'edu'"
                )
                raise UsageError(msg)
