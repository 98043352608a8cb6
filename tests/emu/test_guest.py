# SPDX-License-Identifier: Apache-2.0
"""Bare-metal programs without a shell as guests, and what is refused as one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import fdt
import pexpect
import pytest

from dmav3 import Guest, deadline, installation, load
from dmav3.errors import FindingsError, HangError, UsageError
from dmav3.machine.tree import device_tree
from dmav3.qemu.process import qemu_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUILT = installation.Layout.find().built
RIGHT, WRONG = BUILT / "bench" / "hits.elf", BUILT / "selftest" / "virt-a64.elf"
SCHEDULES = ["speculative", "lru", "never", "eager"]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_right_program_is_silent(schedule: str) -> None:
    """It prints what it counted, and switches itself off."""
    with Guest(RIGHT, schedule=schedule) as guest:
        assert guest.wait() == guest.ending == "off"
        guest.console.expect(r">[0-9a-f]{16}\n")
        assert guest.console.after == guest.console.transcript


def test_what_it_does_wrong_is_found() -> None:
    """The self-test provokes every kind; a finding names function, file and line of the program.

    It prints more than a socket holds while nobody listens.
    """
    with Guest(WRONG, judge=False) as guest:
        assert guest.wait() == "off"
        found = {finding.kind: finding for finding in guest.findings()}
        assert {"stale-cpu-read", "stale-device-read", "lost-device-write"} <= found.keys()
        cpu = found["stale-cpu-read"].cpu
        assert cpu
        assert (cpu.function, cpu.file) == ("letter", "firmware/selftest/cache_walk.c")
        with pytest.raises(FindingsError, match="unexpected: "):
            guest.check()


def test_leaving_judges() -> None:
    """Findings that nobody expected are an error at the end of the block."""
    with pytest.raises(FindingsError, match="stale-"), Guest(WRONG) as guest:  # noqa: PT012
        guest.wait()
        guest.console.expect("CISW")


def test_nobody_has_expected_less() -> None:
    """An expectation is of as many findings as there are."""
    with (
        Guest(RIGHT) as guest,
        pytest.raises(FindingsError, match="1 of stale-cpu-read expected"),
        guest.expect("stale-cpu-read"),
    ):
        guest.wait()


def test_what_does_not_end_says_where_it_is() -> None:
    """An error names the function in which the CPU is, and what was printed last."""
    with Guest(RIGHT) as guest:
        with (
            pytest.raises(HangError, match=r"its CPU is in .+ \(firmware/") as raised,
            deadline(0.2),
        ):
            guest.wait()
        assert raised.value.__notes__ == ["the console said last: >"]
        with guest.paused():
            before = guest.evidence.time_ns
            assert guest.evidence.time_ns == before
        assert guest.wait() == "off"


def test_a_console_without_an_agent_says_so() -> None:
    """The program ends, so nothing will answer; what waits does so for its deadline only."""
    with (
        Guest(RIGHT) as guest,
        pytest.raises(HangError, match="an answer of the guest"),
        deadline(2),
    ):
        guest.run("true")


@pytest.mark.parametrize(
    ("begin", "why"),
    [
        (b"", "is no kernel for AArch64: an arm64 Image is needed, or an ELF"),
        (b"MZ" + bytes(0x200), "is no kernel for AArch64: an arm64 Image is needed, or an ELF"),
        (b"\x7fELF" + bytes(60), "is not an ELF file"),
    ],
)
def test_what_is_no_kernel_is_refused(tmp_path: Path, begin: bytes, why: str) -> None:
    """Nothing is started."""
    kernel = tmp_path / "kernel"
    kernel.write_bytes(begin)
    with pytest.raises(UsageError, match=why):
        Guest(kernel)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """A kernel, an initial RAM disk."""
    nothing = tmp_path / "nothing"
    with pytest.raises(UsageError, match="nothing cannot be read: No such file"):
        Guest(nothing)
    with pytest.raises(UsageError, match="nothing cannot be read: No such file"):
        Guest(RIGHT, initrd=nothing)


def test_a_command_that_no_line_holds_is_refused() -> None:
    """A terminal would cut it off."""
    with Guest(RIGHT) as guest:
        with pytest.raises(UsageError, match="of 3000 bytes is longer than 2900"):
            guest.run("x" * 3000)
        guest.wait()


def nodes(tree: fdt.FDT) -> Iterator[tuple[str, dict[str, fdt.Property]]]:
    """Return each node's place, as far as it says where it is, and its properties."""
    for path, _, properties in tree.walk():
        yield path, {one.name: one for one in properties}


def test_the_device_tree_is_that_of_qemus_machine(tmp_path: Path) -> None:
    """Registers, interrupts and windows of each node are those of QEMU's own tree."""
    dumped = tmp_path / "virt.dtb"
    machine = load("virt-a53")
    options = ["-cpu", machine.cpu, "-m", str(machine.memory_mib)]
    command = [qemu_binary(), "-M", f"virt,highmem=off,dumpdtb={dumped}", *options]
    command += ["-nodefaults", "-display", "none"]
    subprocess.run(command, check=True, capture_output=True)
    theirs = dict(nodes(fdt.parse_dtb(dumped.read_bytes())))
    ours = dict(nodes(fdt.parse_dtb(device_tree(machine))))
    places = {"reg", "interrupts", "ranges", "interrupt-map-mask", "bus-range", "compatible"}
    compared = 0
    for path in ours.keys() & theirs.keys():
        for name in places & ours[path].keys() & theirs[path].keys() if path != "/" else ():
            assert ours[path][name] == theirs[path][name], (path, name)
            compared += 1
    assert compared == 21
    assert ours.keys() - theirs.keys() == {"/clock", "/dma-controller@b000000"}


@pytest.mark.parametrize(
    ("name", "coherent", "said"),
    [
        ("virt-a53", None, False),
        ("virt-a53", True, True),
        ("virt-a53-coherent", None, True),
        ("virt-a53-coherent", False, False),
    ],
)
def test_the_tree_says_what_is_so_unless_it_is_to_lie(
    name: str,
    coherent: bool | None,  # noqa: FBT001 - as of device_tree
    said: bool,  # noqa: FBT001
) -> None:
    """Every device that accesses memory is said to see the caches, or none."""
    tree = dict(nodes(fdt.parse_dtb(device_tree(load(name), coherent=coherent))))
    masters = ("/pcie@10000000", "/dma-controller@b000000")
    assert ["dma-coherent" in tree[path] for path in masters] == [said, said]
    assert "dma-coherent" not in tree["/"]


def test_the_end_of_the_console_is_pexpects() -> None:
    """Where QEMU has ended, `expect` says so as it does of every program."""
    with Guest(RIGHT) as guest:
        guest.wait()
        with pytest.raises(pexpect.TIMEOUT):
            guest.console.expect("never", timeout=0.01)
        console = guest.console
    with pytest.raises(pexpect.EOF):
        console.expect("never")
