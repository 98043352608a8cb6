# SPDX-License-Identifier: Apache-2.0
"""Whether the doorbells of a machine's PCI devices are where the devices have registers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dmav3.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .description import Machine


def check_doorbells(machine: Machine, buses: Iterable[Mapping[str, Any]]) -> None:
    """Compare with the sizes of the BARs.

    :param buses: QEMU's answer to `query-pci`. It does not name devices behind a port before the
        guest has numbered its buses, so those of removable devices are not compared.
    :raises UsageError: a doorbell is outside of BAR 0 of its device.
    """
    sizes = {
        function["qdev_id"]: {region["bar"]: region["size"] for region in function["regions"]}
        for bus in buses
        for function in bus["devices"]
    }
    for slot, device in enumerate(machine.devices, 1):
        if f"pci{slot}" not in sizes:
            continue
        size = sizes[f"pci{slot}"].get(0, 0)
        for number, offset in enumerate(device.doorbells):
            if offset >= size:
                has = f"has {size:#x} bytes" if size else "it does not have"
                msg = (
                    f"devices.{slot - 1}.doorbells.{number} of machine {machine.name!r} is "
                    f"{offset:#x}, outside of BAR 0 of {device.model!r}, which {has}; such as 0x98 "
                    "of 'edu'"
                )
                raise UsageError(msg)
