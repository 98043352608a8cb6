# SPDX-License-Identifier: Apache-2.0
"""Machine descriptions: those that come with dmav3, and what is wrong with others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from dmav3 import installation, load
from dmav3.errors import MachineFileError, UsageError
from dmav3.machine.description import Device

if TYPE_CHECKING:
    from pathlib import Path

GOOD = installation.machines()["virt-a53"].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", installation.machines())
def test_every_machine_that_comes_along_is_accepted(name: str) -> None:
    """The file's name is the machine's, and cache and view fit."""
    machine = load(name)
    assert machine.name == name
    assert (machine.cache is None) == (machine.view == "none")


def test_default_machine_is_what_the_extension_builds() -> None:
    """Addresses and interrupts are those of the documented memory map."""
    machine = load("virt-a53")
    assert (machine.pl330[0].base, machine.stream.base) == (0x0B000000, 0x0B010000)
    assert machine.pl330[0].event_irqs == tuple(range(177, 193))
    assert machine.cache is not None
    assert (machine.cache.line, machine.cache.sets, machine.cache.ways) == (64, 1024, 16)


def test_devices_come_behind_those_of_the_description(tmp_path: Path) -> None:
    """As texts, as devices, or in the file; a machine with others is another machine."""
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + "devices: [{model: edu, removable: true}]\n")
    described, machine = load(path), load(path).with_devices(["edu,dma_mask=1", Device(model="x")])
    assert machine.devices == (
        Device(model="edu", removable=True),
        Device(model="edu", options=("dma_mask=1",)),
        Device(model="x"),
    )
    assert len({described, machine, load("virt-a53")}) == 3
    assert load("virt-a53").with_devices([]) == load("virt-a53")


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("edu", r"'edu' is no list of PCI devices; such as \['edu'\]"),
        ([17], r"17 is no device; such as 'edu'"),
        (["Edu"], r"'Edu' is no device; such as 'edu'"),
        (["edu"] * 32, "32 PCI devices are more than the 31 slots"),
        (["edu", "vhost-vsock-pci,guest-cid=3"], "'vhost-vsock-pci' does its work outside of QEMU"),
    ],
)
def test_what_are_no_devices_is_refused(devices: Any, words: str) -> None:
    """The message has the value and what would work."""
    with pytest.raises(UsageError, match=words):
        load("virt-a53").with_devices(devices)


def test_machine_is_frozen() -> None:
    """A description cannot change under those who hold it."""
    machine = load("virt-a53")
    with pytest.raises(ValidationError, match="frozen"):
        machine.memory_mib = 1


def test_unknown_machine_lists_the_known_ones() -> None:
    """The message has the value and what would work."""
    with pytest.raises(UsageError, match=r"'vax'.*virt-a53, virt-a53-coherent"):
        load("vax")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "words"),
    [
        ("cpu: cortex-a53", "cpus: cortex-a53", 5, "cpu", "missing"),
        ("view: dma", "view: dma\nviews: dma", 8, "views", "unknown key.*view"),
        ("view: dma", "view: dma\nview: none", 8, "view", "twice, first in line 7"),
        ("memory_mib: 64", 'memory_mib: "64"', 6, "memory_mib", "valid integer.*'64'.*64"),
        ("memory_mib: 64", "memory_mib: 8", 6, "memory_mib", "16, not 8"),
        ("board: virt", "board: vax", 4, "board", "'vax'.*virt"),
        ("level: 2, ", "level: 2, lines: 3, ", 9, "cache.lines", "unknown key.*line"),
        ("sets: 1024", "sets: 1000", 9, "cache", "power of two"),
        ("irq: 193", "irq: true", 18, "uart.irq", "valid integer.*True"),
        ("abort_irq: 176", "abort_irq: no", 13, "pl330.0.abort_irq", "accepted would be: 176"),
        ("request_lines: 32", "request_lines: 31", 15, "pl330.0.request_lines", "31 here, 32 on"),
        ("request_lines: 32", "request_lines: 32\n    model: vax", 16, "pl330.0.model", "'vax'"),
        ("clock_hz: 200000000", "clock_hz: 0", 16, "pl330.0.clock_hz", "1000.*0"),
        ("pl330: 0, ", "pl330: 1, ", 1, "", "stream.pl330"),
        ("view: dma", "view: none", 1, "", "no `cache`"),
        (
            "view: dma",
            "view: dma\ndevices: [{model: vhost-vsock-pci}]",
            1,
            "",
            "'vhost-vsock-pci' does its work outside",
        ),
        ("view: dma", "view: dma\ndevices: [{model: Edu}]", 8, "devices.0.model", "'Edu'.*edu"),
        ("view: dma", "view: dma\ndevices: [{mask: 1}]", 8, "devices.0.model", "missing.*edu"),
        (
            "view: dma",
            "view: dma\ndevices: [{model: edu, doorbells: [-8]}]",
            8,
            "devices.0.doorbells.0",
            "-8.*0x98",
        ),
    ],
)
def test_mistake_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, line: int, key: str, words: str
) -> None:
    """File, line, key, the value, and an example that would be accepted."""
    assert old in GOOD
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(MachineFileError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert caught.value.key == key
    if "missing" not in words:
        assert caught.value.line == line


@pytest.mark.parametrize("text", ["a: [1", "\t- x", "a: *b", "%", "a: 1\n---\nb: 2", ""])
def test_what_is_no_yaml_is_said_so(tmp_path: Path, text: str) -> None:
    """Broken, several or empty documents are errors with file and line."""
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(MachineFileError, match=r"broken\.yaml:\d+: "):
        load(path)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A path is not looked up as a name."""
    with pytest.raises(MachineFileError, match=r"none\.yaml:.*cannot be read"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("option", ["romfile=/etc/passwd", "drive=x", "addr=1,romfile=x", "host=0"])
def test_a_description_names_no_files_of_this_computer(tmp_path: Path, option: str) -> None:
    """Unless the caller allows it: it may be from elsewhere."""
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + f"devices: [{{model: edu, options: ['{option}']}}]\n")
    said = (
        r"mine\.yaml:19: devices\.0\.options\.0: .*names what is this computer's.*host_files=True"
    )
    with pytest.raises(MachineFileError, match=said):
        load(path)
    assert load(path, host_files=True).devices[0].options == (option,)


def test_no_file_is_no_file_of_this_computer(tmp_path: Path) -> None:
    """As for a device that is to have no ROM."""
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD + "devices: [{model: edu, options: ['romfile=']}]\n")
    assert load(path).devices[0].options == ("romfile=",)
