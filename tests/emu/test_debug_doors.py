# SPDX-License-Identifier: Apache-2.0
"""The tables of qemu-machines/README.md: each property is there, each door shows that view."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board
from dmav3.errors import MonitorError
from dmav3.qemu.qmp import BOARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3 import Buffer

README = (Path(__file__).parents[2] / "qemu-machines/README.md").read_text()
WRITE_ONLY = {"command", "remote"}
STREAM = f"{BOARD}/stream"
SIZE = 64
NEW, OLD = b"\x5a" * SIZE, bytes(SIZE)
#: What QEMU gives every object of these types.
THEIRS = {"type", "parent_bus", "realized", "hotplugged", "hotpluggable"}

Door = tuple[Board, int, Path]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the rows of the tables with that first heading, one after the other."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert tables
    lines = "".join(tables).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture
def person_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Return a board with sockets."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with Board(sockets=True) as board:
        yield board


def test_every_property_is_in_the_table(board: Board) -> None:
    """With its owner and nothing else; what is said to be read-only cannot be set."""
    described = {name.strip("`"): who for name, who, _ in rows("property")}
    found: set[str] = set()
    for path in (BOARD, STREAM, BOARD + "/channel[7]"):
        for item in board.qmp.execute("qom-list", path=path):
            name = item["name"]
            if name in THEIRS or item["type"].startswith("child"):
                continue
            found.add(name)
            if name in {"step", "release"}:  # test_properties.py
                continue
            value = "" if name in WRITE_ONLY else board.qmp.get(name, path)
            if described[name] in {"nobody", "start"}:
                if name not in WRITE_ONLY:
                    with pytest.raises(MonitorError):
                        board.qmp.set(name, value, path)
            else:
                board.qmp.set(name, value, path)
    assert found == described.keys()


def cpu(door: Door) -> bytes:
    """Read mapped memory."""
    board, address, _ = door
    return board.cpu.read(address, SIZE)


def dram(door: Door) -> bytes:
    """Read mapped memory."""
    board, address, _ = door
    return board.dram.read(address, SIZE)


def named_file(key: str) -> Callable[[Door], bytes]:
    """Read the file that board.json names under `key`."""

    def read(door: Door) -> bytes:
        board, address, _ = door
        assert board.qemu.sockets
        card = json.loads((board.qemu.sockets.qmp.parent / "board.json").read_text())
        with Path(card[key]).open("rb") as file:
            file.seek(address - board.evidence.probe.ram_base)
            return file.read(SIZE)

    return read


def saved(command: str) -> Callable[[Door], bytes]:
    """Let the monitor write a file."""

    def read(door: Door) -> bytes:
        board, address, folder = door
        path = folder / command
        board.qmp.execute(command, val=address, size=SIZE, filename=str(path))
        return path.read_bytes()

    return read


def shown(command: str) -> Callable[[Door], bytes]:
    """Let the person's monitor print bytes."""

    def read(door: Door) -> bytes:
        board, address, _ = door
        line = f"{command} /{SIZE}xb {address:#x}"
        return _bytes(board.qmp.execute("human-monitor-command", **{"command-line": line}))

    return read


def gdb(*before: str) -> Callable[[Door], bytes]:
    """Let gdb print bytes."""

    def read(door: Door) -> bytes:
        board, address, _ = door
        return _bytes(run_gdb(board, *before, f"x/{SIZE}xb {address:#x}"))

    return read


def peek(door: Door) -> bytes:
    """Load with the guest's CPU."""
    board, address, _ = door
    words = (board.request("peek", address + at, 64).number("value") for at in range(0, SIZE, 8))
    return b"".join(word.to_bytes(8, "little") for word in words)


def run_gdb(board: Board, *commands: str) -> str:
    """Attach gdb, run commands, detach."""
    assert board.qemu.sockets
    lines = (
        "set architecture aarch64",
        f"target remote {board.qemu.sockets.gdb}",
        *commands,
        "detach",
    )
    command = ["gdb-multiarch", "-nx", "-batch"]
    for line in lines:
        command += ["-ex", line]
    return subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def _bytes(text: str) -> bytes:
    values = re.findall(r"\b0x([0-9a-f]{2})\b", text)
    return bytes(int(value, 16) for value in values)


DOORS: dict[str, Callable[[Door], bytes]] = {
    "`board.cpu`": cpu,
    "`board.dram`": dram,
    "`cpu_view` in `board.json`": named_file("cpu_view"),
    "`dram` in `board.json`": named_file("dram"),
    "QMP `pmemsave`": saved("pmemsave"),
    "QMP `memsave`": saved("memsave"),
    "HMP `xp`": shown("xp"),
    "HMP `x`": shown("x"),
    "gdb `x`": gdb(),
    "gdb `x`, physical": gdb("maintenance packet Qqemu.PhyMemMode:1"),
    "the shell's `peek`": peek,
}


@pytest.fixture
def filled(person_board: Board, tmp_path: Path) -> tuple[Door, Buffer]:
    """Return a buffer of one line that has been filled and not cleaned."""
    buffer = person_board.memory.allocate(SIZE, align=SIZE)
    person_board.fill(buffer, NEW[0])
    return (person_board, buffer.address, tmp_path), buffer


def test_each_door_shows_the_view_that_the_table_says(filled: tuple[Door, Buffer]) -> None:
    """After a fill: the CPU's view has the new bytes, DRAM the old; looking changes no line."""
    door, buffer = filled
    table = dict(rows("door"))
    assert table.keys() == DOORS.keys()
    lines = door[0].lines(buffer)
    assert lines.dirty == 1
    for name, read in DOORS.items():
        assert read(door) == (OLD if table[name].startswith("DRAM") else NEW), name
        assert door[0].lines(buffer) == lines
    door[0].request("clean", buffer.address, SIZE)
    for name, read in DOORS.items():
        assert read(door) == NEW, name


def test_what_gdb_writes_reaches_dram_only_from_a_dirty_line(filled: tuple[Door, Buffer]) -> None:
    """A clean takes it along there; elsewhere no maintenance does."""
    door, buffer = filled
    board, address, _ = door
    run_gdb(board, f"set *(unsigned char *) {address:#x} = 1")
    assert (cpu(door)[0], dram(door)[0]) == (1, 0)
    board.request("clean_invalidate", address, SIZE)
    assert (cpu(door)[0], dram(door)[0]) == (1, 1)
    run_gdb(board, f"set *(unsigned char *) {address:#x} = 2")
    board.request("clean", address, SIZE)
    assert (cpu(door)[0], dram(door)[0]) == (2, 1)
    assert board.lines(buffer).dirty == 0
