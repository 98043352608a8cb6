# SPDX-License-Identifier: Apache-2.0
"""A run with a disk, again: the disk is as it was before, wherever the folder is."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from dmav3 import Board, installation
from dmav3.board.artefacts import save
from dmav3.board.recorded import MACHINE, RECORDING, read
from dmav3.command.cli import app
from dmav3.job.replay import replay
from dmav3.machine.description import Device, load
from dmav3.wdm import NtStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCK, SIZE = 512, 1 << 20
#: More than is kept, and more than is looked at.
LARGE, TOO_LARGE = 65 << 20, (1 << 30) + BLOCK

TESTS = """
def move(board, command):
    assert board.call("nvme_start")["status"] == 0
    buffer = board.memory.allocate(512)
    board.write(buffer, b"hello" * 100 + bytes(12))
    assert board.call(command, 0, buffer.address, 512)["tag"] == 0
    board.wait(200_000)
    assert board.call("nvme_stop")["status"] == 0
    return board.read(buffer)

def test_write(dmav3_board):
    move(dmav3_board, "nvme_write")

def test_read(dmav3_board):
    assert move(dmav3_board, "nvme_read") == b"written before"

def test_read_again(dmav3_board):
    assert move(dmav3_board, "nvme_read") == b"written before"
"""


def transfer(board: Board, command: str) -> None:
    """Move the first block, whose bytes are ones in memory."""
    assert board.call("nvme_start")["status"] == NtStatus.STATUS_SUCCESS
    buffer = board.memory.allocate(BLOCK)
    board.fill(buffer, 1)
    board.call(command, 0, buffer.address, BLOCK)
    board.wait(200_000)
    assert board.call("nvme_result", 0)["status"] == NtStatus.STATUS_SUCCESS
    board.read(buffer)


def kept(
    folder: Path, disk: Path, size: int, work: Callable[[Board], object], model: str = "nvme"
) -> Path:
    """Run on a board with a disk of zeroes; return the folder that it leaves."""
    with disk.open("wb") as file:
        file.truncate(size)
    device = Device(model=model, options=("serial=1",), disk=disk)
    image = installation.firmware("virt-a64-nvme")
    with Board(image=image, devices=[device], judge=False) as board:
        work(board)
        save(board, folder, {}, ())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run that has written to its disk, which is deleted then."""
    disk = tmp_path / "disk.img"
    left = kept(tmp_path / "kept", disk, SIZE, lambda board: transfer(board, "nvme_write"))
    assert disk.read_bytes() == bytes([1] * BLOCK).ljust(SIZE, b"\0")
    disk.unlink()
    return left


def only_contents(folder: Path) -> Path:
    """Return the one file of contents."""
    (found,) = (folder / "contents").iterdir()
    return found


def run(folder: Path, *options: str) -> tuple[int, str]:
    """Call `dmav3 replay`; return its exit status, and what it said in one line."""
    done = CliRunner().invoke(app, ["replay", str(folder), *options])
    return done.exit_code, " ".join((done.stdout + done.stderr).split())


def test_tests_on_one_disk_leave_what_each_began_with(pytester: pytest.Pytester) -> None:
    """What the one before has written; the same bytes are there once. The disk may be gone."""
    (disk := pytester.path / "disk.img").write_bytes(bytes(SIZE))
    pytester.makepyfile(TESTS)
    described = load("virt-a53").model_dump(mode="json", exclude_none=True)
    described["devices"] = [{"model": "nvme", "options": ["serial=1"], "disk": "disk.img"}]
    (pytester.path / "with_disk.yaml").write_text(yaml.safe_dump(described))
    ran = pytester.runpytest(
        "--dmav3-keep",
        "--dmav3-artefacts=kept",
        f"--dmav3-image={installation.firmware('virt-a64-nvme')}",
        "--dmav3-machine=with_disk.yaml",
    )
    ran.assert_outcomes(passed=1, failed=2)
    first, then, last = (
        only_contents(*pytester.path.glob(f"kept/*/test_{name}-*"))
        for name in ("write", "read", "read_again")
    )
    assert first.read_bytes() == bytes(SIZE)
    assert then.read_bytes() == (b"hello" * 100).ljust(SIZE, b"\0")
    assert then.samefile(last)
    disk.unlink()
    (moved := pytester.path / "elsewhere").mkdir()
    resets = []
    for path in pytester.path.glob("kept/*/*"):
        whole = shutil.copytree(path, moved / path.name)
        shutil.rmtree(path)
        assert replay(whole).text().startswith("identical: ")
        resets.append(read(whole).made.resets)
    assert sorted(resets) == [0, 0, 1]  # a test that has failed gives its board back to nobody


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "does not have the disk of pci1 as it was before the run, "),
        (lambda path: path.write_bytes(bytes(SIZE - 1)), "is damaged: its SHA-256 is another one;"),
        (lambda path: path.write_bytes(bytes([7] * SIZE)), "is damaged: its SHA-256 is another"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be copied to "),
    ],
)
def test_a_disk_that_is_not_what_it_was_is_refused(
    folder: Path, spoil: Callable[[Path], object], words: str
) -> None:
    """In one sentence, and nothing is run."""
    spoil(only_contents(folder))
    status, said = run(folder)
    assert (status, words in said) == (2, True), said


def test_a_machine_with_a_disk_that_is_not_recorded_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    """A folder cannot have a file of this computer opened: not even one that is there."""
    (mine := tmp_path / "mine.img").write_bytes(bytes(SIZE))
    machine = yaml.safe_load((folder / MACHINE).read_text())
    machine["devices"].append({"model": "nvme", "options": ["serial=2"], "disk": str(mine)})
    (folder / MACHINE).write_text(yaml.safe_dump(machine))
    status, said = run(folder)
    assert status == 2
    assert said.endswith("has disks on slots [1, 2], recording.jsonl tells of [1]")


def test_a_large_disk_is_asked_for(tmp_path: Path) -> None:
    """By its SHA-256, and taken where a person has it, if it is the one."""
    disk = tmp_path / "disk.img"
    folder = kept(tmp_path / "kept", disk, LARGE, lambda board: transfer(board, "nvme_write"))
    assert not (folder / "contents").exists()
    (recorded,) = read(folder).made.disks
    (whole := tmp_path / "whole.img").write_bytes(bytes(LARGE))
    assert recorded.sha256 == hashlib.sha256(bytes(LARGE)).hexdigest()
    asked = f"before the run, {LARGE} bytes, with SHA-256 {recorded.sha256}: give it by --file"
    for options in (), ("--file", str(disk)):
        status, said = run(folder, *options)
        assert (status, asked in said) == (2, True), said
    status, said = run(folder, "--file", str(disk), "--file", str(whole))
    assert (status, said.startswith("identical: ")) == (0, True), said
    assert run(folder, "--until", "call:1", "--file", str(whole))[0] == 0
    assert whole.read_bytes() == bytes(LARGE)
    assert run(folder, "--file", "/absent") == (
        2,
        "dmav3: /absent cannot be read: No such file or directory",
    )


def test_a_disk_that_is_too_large_to_be_looked_at_makes_it_inconclusive(tmp_path: Path) -> None:
    """And names the disk."""
    folder = kept(tmp_path / "kept", tmp_path / "disk.img", TOO_LARGE, lambda _: None)
    has = f"the disk of pci1 has {TOO_LARGE} bytes, more than the {1 << 30} that are looked at"
    assert run(folder) == (3, f"inconclusive: {has}")


def test_a_disk_that_somebody_else_has_written_to_makes_it_inconclusive(tmp_path: Path) -> None:
    """Also where the event log is the same: what came of the run is not."""
    disk = tmp_path / "disk.img"

    def work(board: Board) -> None:
        disk.write_bytes(bytes([9] * SIZE))
        transfer(board, "nvme_read")

    folder = kept(tmp_path / "kept", disk, SIZE, work)
    status, said = run(folder)
    assert status == 3
    assert said.startswith("inconclusive: the disk of pci1 ends with other bytes: in the run")


@pytest.mark.parametrize("model", ["virtio-rng-pci", "e1000e,romfile=", "qemu-xhci"])
def test_a_device_that_works_when_the_host_gets_to_it_makes_it_inconclusive(
    tmp_path: Path, model: str
) -> None:
    """By its model, whether or not this run was lucky."""
    with Board(devices=[model]) as board:
        save(board, tmp_path / "kept", {}, ())
    name = model.partition(",")[0]
    said = f"inconclusive: what {name} (pci1) does is done when the host gets to it"
    assert run(tmp_path / "kept") == (3, said)


@pytest.mark.parametrize(
    "device", ["edu", "pci-testdev", "bochs-display,romfile=", "pcie-root-port,chassis=9"]
)
def test_a_device_that_only_answers_the_cpu_repeats(tmp_path: Path, device: str) -> None:
    """The CPU looks at its configuration."""
    with Board(devices=[device]) as board:
        for offset in range(0, 64, 4):
            board.request("peek", 0x3F008000 + offset, "32")
        save(board, tmp_path / "kept", {}, ())
    status, said = run(tmp_path / "kept")
    assert (status, said.startswith("identical: ")) == (0, True), said
    lines = (tmp_path / "kept" / RECORDING).read_text().splitlines()
    assert len([line for line in map(json.loads, lines) if "peek" in line.get("text", "")]) == 16
