# SPDX-License-Identifier: Apache-2.0
"""The PCI bus as a driver in C sees it (firmware/include/dmav3_pci.h)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from unplug import take_away

from dmav3 import Board, NtStatus, build_image
from dmav3.devices.edu import Edu
from dmav3.dma.results import Element
from dmav3.errors import TransferError
from dmav3.machine.description import Device

if TYPE_CHECKING:
    from pathlib import Path

DRIVER = """\
#include <dmav3.h>
#include <dmav3_pci.h>

static struct dmav3_pci device;

static NTSTATUS Find(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    NTSTATUS (*find)(ULONG, ULONG, struct dmav3_pci *) =
        argument[2] ? dmav3_pci_find_class : dmav3_pci_find;
    NTSTATUS status = find((ULONG)argument[0], (ULONG)argument[1], &device);

    dmav3_reply_value(reply, "bus", device.bus);
    dmav3_reply_value(reply, "slot", device.slot);
    dmav3_reply_value(reply, "function", device.function);
    return status;
}
DMAV3_COMMAND(find, "id_or_class index is_class", Find);

static NTSTATUS Enable(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    NTSTATUS status = dmav3_pci_enable(&device);

    for (ULONG n = 0; n < DMAV3_PCI_BARS; n++) {
        const char key[] = {'b', 'a', 'r', (char)('0' + n), '\\0'};

        dmav3_reply_value(reply, key, device.bar[n]);
    }
    dmav3_reply_value(reply, "command", dmav3_pci_read(&device, 4) & 7);
    (void)argument;
    return status;
}
DMAV3_COMMAND(enable, "", Enable);
"""

EDU, TESTDEV = 0x11E81234, 0x00051B36
BARS, PORT_BARS = 0x10000000, 0x10800000
OK, NO_DEVICE = NtStatus.STATUS_SUCCESS, NtStatus.STATUS_NO_SUCH_DEVICE
NO_ROOM = NtStatus.STATUS_INSUFFICIENT_RESOURCES


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the driver."""
    folder = tmp_path_factory.mktemp("pci")
    source = folder / "pci.c"
    source.write_text(DRIVER)
    return build_image(source, output=folder / "pci.elf")


def bars(reply: dict[str, int]) -> list[int]:
    """Return the addresses of a reply."""
    return [reply[f"bar{n}"] for n in range(6)]


def test_devices_are_found_in_order(image: Path) -> None:
    """By id or class, on slots from 1 on; what is not there changes nothing."""
    with Board(image=image, devices=["edu", "pci-testdev", "edu"]) as board:
        assert board.call("find", EDU, 0, 0) == {"status": OK, "bus": 0, "slot": 1, "function": 0}
        assert board.call("find", EDU, 1, 0)["slot"] == 3
        assert board.call("find", 0x00FF00, 1, 1)["slot"] == 2  # no class: all three
        reply = board.call("find", EDU, 2, 0)
        assert (reply["status"], reply["slot"]) == (NO_DEVICE, 2)
        assert board.call("find", 0x010802, 0, 1)["status"] == NO_DEVICE


def test_bars_get_addresses_of_their_own(image: Path) -> None:
    """Aligned to their size; a BAR of ports is left out, and one of 64 bits takes two."""
    with Board(image=image, devices=["pci-testdev,membar=2M", "edu"]) as board:
        board.call("find", TESTDEV, 0, 0)
        testdev = board.call("enable")
        assert (testdev["status"], testdev["command"]) == (OK, 6)
        assert bars(testdev) == [BARS, 0, BARS + (2 << 20), 0, 0, 0]
        board.call("find", EDU, 0, 0)
        edu = board.call("enable")
        assert bars(edu) == [BARS + (4 << 20), 0, 0, 0, 0, 0]
        assert board.request("peek", edu["bar0"], "32").number("value") == 0x010000ED
        assert board.call("enable") == edu


@pytest.mark.parametrize("size", ["16M", "8M", "8G"])
def test_a_bar_that_does_not_fit(image: Path, size: str) -> None:
    """The device is left off, and takes no room from the next one."""
    with Board(image=image, devices=[f"pci-testdev,membar={size}", "edu"]) as board:
        board.call("find", TESTDEV, 0, 0)
        refused = board.call("enable")
        assert (refused["status"], refused["command"]) == (NO_ROOM, 0)
        board.call("find", EDU, 0, 0)
        assert bars(board.call("enable"))[0] == BARS


class TestUnplugged:
    """A device behind a root port, which can be taken away."""

    DEVICE = Device(model="edu", options=("dma_mask=0xffffffff",), removable=True)

    def test_it_is_on_a_bus_of_its_own(self, image: Path) -> None:
        """With addresses behind the port; findings and the log name that bus."""
        with Board(image=image, devices=[self.DEVICE]) as board:
            found = board.call("find", EDU, 0, 0)
            assert found == {"status": OK, "bus": 1, "slot": 0, "function": 0}
            assert bars(board.call("enable"))[0] == PORT_BARS
            for message in (True, False):
                board.reset()
                edu, memory = Edu(board, message=message), board.memory.allocate(64)
                board.fill(memory, 1)
                with board.expect("stale-device-read"):
                    edu.read([Element(memory.address, 64)])
                assert edu.interrupts == 1
                (finding,) = board.findings()
                assert finding.device is not None
                assert finding.device.name == "pci 01:00.0"

    def test_its_driver_says_so(self, image: Path) -> None:
        """Registers of nothing read as ones: a status in bounded time, and no device is found."""
        with Board(image=image, devices=[self.DEVICE]) as board:
            edu, staging = Edu(board), board.memory.staging.start
            edu.read([Element(staging, 64)])
            board.call("find", EDU, 0, 0)
            take_away(board)
            with pytest.raises(TransferError, match=r"edu_move .* failed with STATUS_IO_TIMEOUT"):
                edu.read([Element(staging, 64)])
            assert board.call("enable")["status"] == NO_DEVICE
            assert board.call("find", EDU, 0, 0)["status"] == NO_DEVICE
            assert board.unexpected() == []
