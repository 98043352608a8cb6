# SPDX-License-Identifier: Apache-2.0
"""Doorbells of PCI devices: how the extension gets them, and where they may be."""

from __future__ import annotations

import pytest

from dmav3.errors import UsageError
from dmav3.machine.argv import _doorbells
from dmav3.machine.description import Device, load
from dmav3.machine.doorbells import check_doorbells

EDU = Device(model="edu", doorbells=(0x98,))


def test_the_property_names_devices_by_slot() -> None:
    """Only those that have doorbells."""
    nvme = Device(model="nvme", doorbells=(0x1000, 0x1008))
    assert _doorbells([EDU, Device(model="edu"), nvme]) == "pci1:0x98/pci3:0x1000+0x1008"


def test_a_doorbell_is_inside_of_its_bar() -> None:
    """The last byte is; devices without doorbells are not compared."""
    machine = load("virt-a53").with_devices([EDU, Device(model="nvme"), EDU])
    check_doorbells(machine, "pci1:0x99/pci3:0x99")
    with pytest.raises(
        UsageError,
        match=r"devices.2.doorbells.0 of machine 'virt-a53' is 0x98, .* 'edu'.* 0x98 bytes",
    ):
        check_doorbells(machine, "pci1:0x1000/pci3:0x98")
    with pytest.raises(UsageError, match="which it does not have; such as 0x98 of 'edu'"):
        check_doorbells(machine, "pci1:0x0")
