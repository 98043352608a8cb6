# SPDX-License-Identifier: Apache-2.0
"""Doorbells of PCI devices: how the extension gets them, and where they may be."""

from __future__ import annotations

from typing import Any

import pytest

from dmav3.errors import UsageError
from dmav3.machine.argv import _doorbells
from dmav3.machine.description import Device, load
from dmav3.machine.doorbells import check_doorbells

EDU = Device(model="edu", doorbells=(0x98,))


def buses(*sizes: int) -> list[dict[str, Any]]:
    """Return an answer to `query-pci`: a device on each slot, whose BAR 0 has so many bytes."""
    functions = [
        {"qdev_id": f"pci{slot}", "regions": [{"bar": 0, "size": size}] if size else []}
        for slot, size in enumerate(sizes, 1)
    ]
    return [{"devices": [{"qdev_id": "", "regions": []}, *functions]}]


def test_the_property_names_devices_by_slot() -> None:
    """Only those that have doorbells."""
    nvme = Device(model="nvme", doorbells=(0x1000, 0x1008))
    assert _doorbells([EDU, Device(model="edu"), nvme]) == "pci1:0x98/pci3:0x1000+0x1008"


def test_a_doorbell_is_inside_of_its_bar() -> None:
    """The last byte is; a device that QEMU does not name yet is not compared."""
    machine = load("virt-a53").with_devices([EDU, EDU])
    check_doorbells(machine, buses(0x99))
    with pytest.raises(
        UsageError,
        match=r"devices.1.doorbells.0 of machine 'virt-a53' is 0x98, .* 'edu'.* 0x98 bytes",
    ):
        check_doorbells(machine, buses(0x1000, 0x98))
    with pytest.raises(UsageError, match="which it does not have; such as 0x98 of 'edu'"):
        check_doorbells(machine, buses(0))
