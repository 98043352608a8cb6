# SPDX-License-Identifier: Apache-2.0
"""Devices that go past the memory that devices see (bypass.c): never in silence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from unplug import bring

from dmav3 import Board, build_image
from dmav3.errors import QemuRefusedError
from dmav3.machine.argv import Start, arguments
from dmav3.machine.description import Device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3.machine.argv import Descriptors
    from dmav3.machine.description import Machine

#: QEMU gives the last transport first.
RNG, BALLOON, NONE = 31, 30, 29
RNG_ON_PCI = 0x1044 << 16 | 0x1AF4
SIGNATURE = int.from_bytes(b"QEMU", "little")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program once."""
    return build_image(
        Path(__file__).with_name("bypass.c"), output=tmp_path_factory.mktemp("bypass") / "image.elf"
    )


@pytest.fixture
def board(image: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Start it on a machine with two virtio devices that are not on PCI."""

    def with_devices(machine: Machine, start: Start, fds: Descriptors) -> list[str]:
        devices = ["-device", "virtio-rng-device", "-device", "virtio-balloon-device"]
        return [*arguments(machine, start, fds), *devices]

    monkeypatch.setattr("dmav3.qemu.process.arguments", with_devices)
    with Board(image=image, judge=False) as board:
        yield board


def place(number: int) -> str:
    """Return the address of a transport's registers."""
    return f"{0x0A000000 + number * 0x200:#x}"


def test_each_virtio_device_is_one_finding(board: Board) -> None:
    """However often it is started; from the same place in the code, too."""
    for number in (RNG, BALLOON, RNG, RNG):
        board.call("notify", number)
    rng, balloon = board.findings()
    assert {rng.kind, balloon.kind} == {"bypassing-device"}
    assert (rng.address, rng.count, balloon.address, balloon.count) == (
        *(place(RNG), 3),
        *(place(BALLOON), 1),
    )
    assert rng.cpu
    assert rng.cpu.function == "Notify"
    assert f"the device was virtio-rng-device at {place(RNG)}" in rng.text
    assert f"the device was virtio-balloon-device at {place(BALLOON)}" in balloon.text
    assert "no mapping" not in rng.text


def test_what_starts_no_device_is_no_finding(board: Board) -> None:
    """A transport without a device; other registers; fw_cfg without DMA."""
    board.call("notify", NONE)
    assert board.call("set_up")["devices"] == 2
    assert board.call("read_by_register")["word"] == SIGNATURE
    assert board.findings() == []


@pytest.mark.parametrize("halves", [0, 1])
def test_dma_of_fw_cfg_is_a_finding(board: Board, halves: int) -> None:
    """It moves its bytes, and says so."""
    assert board.call("read_by_dma", halves)["word"] == SIGNATURE
    (finding,) = board.findings()
    assert (finding.kind, finding.count) == ("bypassing-device", 1)
    assert finding.cpu
    assert finding.cpu.function == "ReadByDma"
    assert "the device was fw_cfg at 0x9020000" in finding.text


def test_a_reset_forgets_the_findings(board: Board) -> None:
    """But not the devices."""
    board.call("notify", RNG)
    board.reset()
    assert board.findings() == []
    board.call("notify", RNG)
    assert [finding.kind for finding in board.findings()] == ["bypassing-device"]


def test_virtio_on_pci_accesses_what_devices_see(image: Path) -> None:
    """The harness sees to that, and where somebody says otherwise QEMU does not start."""
    with Board(image=image, devices=["virtio-rng-pci"], judge=False) as board:
        assert board.call("read_by_register")["word"] == SIGNATURE
    with (
        pytest.raises(QemuRefusedError) as refused,
        Board(image=image, devices=["virtio-rng-pci,iommu_platform=off"]),
    ):
        pass
    assert "virtio-rng-pci would go past the memory that devices see" in str(refused.value)


@pytest.mark.parametrize("past", [True, False])
def test_virtio_on_pci_may_come_late(image: Path, *, past: bool) -> None:
    """Where it goes past what devices see, its first use is a finding."""
    port = Device(model="pcie-root-port", options=("chassis=9",))
    with Board(image=image, devices=[port], judge=False) as board:
        bring(board, f"virtio-rng-pci,iommu_platform={'off' if past else 'on'}")
        for _ in range(2):
            assert board.call("notify_late", RNG_ON_PCI)["status"] == 0
        found = [(it.kind, it.count, it.device and it.device.name) for it in board.findings()]
        assert found == ([("bypassing-device", 2, "pci 01:00.0")] if past else [])
