# SPDX-License-Identifier: Apache-2.0
"""Starting and ending QEMU, with programs that stand in for it."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import load
from dmav3.elf.image import Flat
from dmav3.errors import QemuMissingError, QemuRefusedError, QemuTooOldError
from dmav3.machine.argv import Descriptors, Start, arguments
from dmav3.machine.description import Device
from dmav3.qemu.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    Fake = Callable[[str], Start]


IMAGE = Flat(0x40200000, b"firmware", 0x40200004)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Make a shell script that is started in QEMU's place."""

    def make(script: str) -> Start:
        path = tmp_path / "qemu"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return Start(str(path), Path("x.so"), IMAGE, nonce=1, seed=2, schedule="lru")

    return make


def test_command_line_names_everything_that_is_modelled() -> None:
    """With a cache the device gets its geometry and the memory behind it."""
    start = Start("qemu", Path("/a,b/dmav3.so"), IMAGE, 5, 6, "lru")
    fds = Descriptors(ram=3, dram=4, probe=5, stream=6, image=10, serial=7, monitor=8, lifeline=9)
    line = " ".join(arguments(load("virt-a53"), start, fds))
    assert "-plugin /a,,b/dmav3.so,view=dma" in line
    assert "size=64M,mem-path=/proc/self/fd/3" in line
    assert "dram-fd=4,schedule=lru,cache-level=2,cache-line=64" in line
    assert "seed=6" in line
    assert "command=command,nonce=5" in line
    assert "image-fd=10,image-base=1075838976" in line
    assert "loader,cpu-num=0,addr=0x40200004" in line


def test_command_line_of_a_coherent_machine_has_no_cache() -> None:
    """One view: no second memory, no schedule, no geometry."""
    start = Start("qemu", Path("dmav3.so"), IMAGE, 5, 6, None)
    fds = Descriptors(3, None, probe=5, stream=6, image=10, serial=7, monitor=8, lifeline=9)
    line = " ".join(arguments(load("virt-a53-coherent"), start, fds))
    assert "view=none" in line
    assert not {"dram-fd", "schedule", "cache-"} & set(line.replace("=", ",").split(","))
    assert None not in fds.all()


def test_command_line_puts_each_pci_device_on_a_slot() -> None:
    """From 1 on; a disk is a node of its own, and what can be unplugged has a port of its own."""
    disk = Device(model="nvme", disk=Path("/a,b.img"), read_only=True, removable=True)
    start = Start("qemu", Path("dmav3.so"), IMAGE, 5, 6, "lru")
    fds = Descriptors(ram=3, dram=4, probe=5, stream=6, image=10, serial=7, monitor=8, lifeline=9)
    line = " ".join(arguments(load("virt-a53").with_devices(["edu,dma_mask=1", disk]), start, fds))
    assert "-device edu,x-max-bounce-buffer-size=1G,dma_mask=1,id=pci1,bus=pcie.0,addr=0x1" in line
    assert "-device pcie-root-port,id=port2,bus=pcie.0,chassis=2,addr=0x2" in line
    assert "node-name=pci2-disk,read-only=on,file.driver=file,file.filename=/a,,b.img" in line
    assert (
        "-device nvme,x-max-bounce-buffer-size=1G,dbcs=off,id=pci2,bus=port2,addr=0,drive=pci2-disk"
        in line
    )


def test_command_line_puts_virtio_devices_on_the_bus() -> None:
    """Else QEMU lets them past the memory that devices see; who wants that can still say so."""
    machine = load("virt-a53").with_devices(["virtio-rng-pci,iommu_platform=off"])
    start = Start("qemu", Path("dmav3.so"), IMAGE, 5, 6, "lru")
    fds = Descriptors(ram=3, dram=4, probe=5, stream=6, image=10, serial=7, monitor=8, lifeline=9)
    line = " ".join(arguments(machine, start, fds))
    ours, theirs = "iommu_platform=on,disable-legacy=on", "iommu_platform=off"
    assert f"virtio-rng-pci,x-max-bounce-buffer-size=1G,{ours},{theirs},id=pci1" in line


def test_program_that_is_not_there_is_named() -> None:
    """The message says what to do; nothing is left open."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count is all we need
    start = Start("no-such-qemu", Path("x.so"), IMAGE, 1, 1, "lru")
    with pytest.raises(QemuMissingError, match=r"no-such-qemu.*ci/setup") as caught:
        Process(load("virt-a53"), start)
    assert caught.value.argv[0] == "no-such-qemu"
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - ditto


def test_refusal_shows_what_was_said(fake: Fake) -> None:
    """Error output and exit status are in the message."""
    start = fake(
        '[ "$1" = --version ] && echo "QEMU emulator version 10.0.2" && exit\necho no >&2\nexit 1\n'
    )
    with Process(load("virt-a53"), start) as process:
        error = process.early_end()
    assert isinstance(error, QemuRefusedError)
    assert "exit status 1" in str(error)
    assert error.log == "no"


def test_old_version_is_told_when_the_start_failed(fake: Fake) -> None:
    """Found and needed version."""
    start = fake('[ "$1" = --version ] && echo "QEMU emulator version 7.2.9"\nexit 1\n')
    with Process(load("virt-a53"), start) as process:
        error = process.early_end()
    assert isinstance(error, QemuTooOldError)
    assert "7.2 is too old, 10.0" in str(error)


def test_program_that_is_no_qemu_is_said_so(fake: Fake) -> None:
    """A program without a version is none."""
    with Process(load("virt-a53"), fake("exit 0\n")) as process:
        assert "is not QEMU" in str(process.early_end())


def test_death_names_the_signal(fake: Fake) -> None:
    """Killed in mid-run is told apart from an exit."""
    with Process(load("virt-a53"), fake("exec sleep 1000\n")) as process:
        os.kill(process.pid, signal.SIGKILL)
        assert f"signal {signal.SIGKILL.value}" in str(process.death())


def test_stop_ends_a_program_that_ignores_everything(fake: Fake) -> None:
    """SIGKILL is the last rung; the process is waited for, the descriptors are closed."""
    process = Process(load("virt-a53"), fake("exec sleep 1000\n"))
    process.stop()
    assert not process.running
    assert process.serial.fileno() == -1
    process.stop()


def test_end_of_the_program_closes_our_sockets(fake: Fake) -> None:
    """No copy of its ends stays with us, so its death is seen at once."""
    with Process(load("virt-a53"), fake("exit 0\n")) as process:
        process.serial.settimeout(10)
        assert process.serial.recv(1) == b""
        assert isinstance(process.serial, socket.socket)


def test_error_output_can_be_kept_in_a_file(fake: Fake, tmp_path: Path) -> None:
    """It is there after the process and we have gone."""
    log = tmp_path / "qemu.log"
    with Process(load("virt-a53"), fake("echo words >&2\n"), log) as process:
        process.early_end()
    assert log.read_text() == "words\n"
