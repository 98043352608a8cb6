# SPDX-License-Identifier: Apache-2.0
"""The extension under the address and undefined-behaviour sanitizers, and random guests (fuzz.c).

A report of theirs ends QEMU, with its text in QEMU's log.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, build_image
from dmav3.deadlines import deadline
from dmav3.errors import LinkError, TargetError
from dmav3.machine.description import RAM_BASE, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
#: Random accesses between two resets, and resets of one QEMU.
ACCESSES, ROUNDS = 5_000, 50
#: Seconds that these may take.
PATIENCE = 20.0
SOAK_SECONDS = 300.0
MACHINES = pytest.mark.parametrize("name", ["virt-a53", "virt-a53-coherent"])
#: What is about the extension, and not about the harness.
OF_THE_EXTENSION = (
    "aliases",
    "bus_masters",
    "bypass",
    "clocked",
    "faults",
    "hazards",
    "inlined",
    "instructions",
    "pace",
    "pci",
    "polling",
    "properties",
    "python_device",
    "rival",
    "silicon",
    "starts",
    "stream_interrupt",
    "time",
    "trace",
)


@pytest.fixture(autouse=True)
def _sanitized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMAV3_QEMU", str(HERE / "sanitized_qemu"))


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program."""
    return build_image(HERE / "fuzz.c", output=tmp_path_factory.mktemp("fuzz") / "fuzz.elf")


def test_the_sanitizers_watch() -> None:
    """They are in the QEMU that runs."""
    with Board() as board:
        maps = Path(f"/proc/{board.qemu.pid}/maps").read_text()
        assert "/sanitized/dmav3.so" in maps
        assert "libclang_rt.asan" in maps


def touched(board: Board) -> int:
    """Return how many accesses the guest has made."""
    process, at = board.qemu.process, board.image.symbol("Touched").address
    return int.from_bytes(os.pread(process.ram, 4, at - RAM_BASE), "little")


def random_guests(image: Path, name: str, seeds: Iterator[int]) -> int:
    """Let guests do what they like on one board, with a reset for each seed; QEMU lives.

    Returns how many accesses there were. A guest that has written to the command line goes on
    without an answer.
    """
    machine, count = load(name).model_copy(update={"memory_mib": 24}), 0
    with Board(machine, image=image, judge=False) as board:
        for seed in itertools.islice(seeds, ROUNDS):
            with suppress(TargetError, LinkError), deadline(PATIENCE):
                board.reset()
                board.call("fuzz", seed, ACCESSES, int(seed % 4 == 0))
            end = time.monotonic() + PATIENCE
            while board.qemu.running and time.monotonic() < end and touched(board) < ACCESSES:
                threading.Event().wait(0.01)
            count += touched(board)
            assert board.qemu.running, (name, seed, board.qemu.log())
    return count


@MACHINES
def test_no_guest_breaks_the_extension(fuzz: Path, name: str) -> None:
    """Some thousand random accesses end in no report."""
    seeds = iter(range(10))
    assert sum(random_guests(fuzz, name, seeds) for _ in range(5)) > ACCESSES


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 300)
@MACHINES
def test_no_guest_breaks_the_extension_in_minutes(
    fuzz: Path, record_property: Callable[[str, object], None], name: str
) -> None:
    """The same, with other seeds, for five minutes on each machine."""
    seeds, end, count = itertools.count(1000), time.monotonic() + SOAK_SECONDS, 0
    while time.monotonic() < end:
        count += random_guests(fuzz, name, seeds)
    record_property("accesses", count)
    assert count > ACCESSES


@MACHINES
@pytest.mark.parametrize("address", [0x41800000, 0x50000000, 0xFFFF_0000_0000_0000])
def test_maintenance_of_what_is_not_mapped_does_nothing(
    fuzz: Path, name: str, address: int
) -> None:
    """As QEMU itself has it; the extension looks at nothing there."""
    with Board(name, image=fuzz) as board:
        assert board.call("clean_line", address) == {"status": 0}


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("about", OF_THE_EXTENSION)
def test_its_tests_pass_under_the_sanitizers(about: str) -> None:
    """What each file of tests makes it do ends in no report."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE / f"test_{about}.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:]
