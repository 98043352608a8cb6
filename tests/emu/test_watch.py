# SPDX-License-Identifier: Apache-2.0
"""What is done to bytes of a recorded run: watched, told, and stopped before."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_replay import change, run
from typer.testing import CliRunner

from dmav3.board.recorded import EVENTS, IMAGE, MACHINE, RECORDING, read
from dmav3.command.cli import app
from dmav3.elf.image import read_elf
from dmav3.evidence.watched import Change
from dmav3.job.replay import again, replay, stopped
from dmav3.machine.argv import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.board.board import Board
    from dmav3.evidence.watched import Watched


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep one run for all."""
    with run(tmp_path_factory.mktemp("watch"), "no-invalidate", "stream") as folder:
        yield folder


@pytest.fixture(scope="module")
def byte(folder: Path) -> int:
    """Return the address of the finding's byte."""
    (found,) = json.loads((folder / "findings.json").read_text())
    return int(found["address"], 0)


@pytest.fixture(scope="module")
def watched(folder: Path, byte: int) -> list[Watched]:
    """Return all that was done to it."""
    with again(read(folder), watch=Watch(byte, 1)) as board:
        return board.qemu.watched()


@pytest.fixture(scope="module")
def accesses(watched: list[Watched]) -> list[Watched]:
    """Return the accesses to it: a store, the device's write, a load, and those behind that."""
    return [one for one in watched if one.is_access]


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """Give a test a folder that it may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def dmav3(*words: str | Path, columns: int | None = None) -> Any:
    """Run a command without a terminal; with `columns` its environment says how wide it is."""
    width = str(columns) if columns else None
    return CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": width})


def pc_of(board: Board) -> int:
    """Return where the CPU stands."""
    text = str(board.qmp.execute("human-monitor-command", command_line="info registers"))
    return int(text.partition("PC=")[2][:16], 16)


def seen(board: Board, address: int) -> tuple[int, int]:
    """Return a byte as the CPU and as devices see it, while the machine is stopped."""
    process, offset = board.qemu.process, address - board.evidence.probe.ram_base
    cpu, dram = (os.pread(fd, 1, offset)[0] for fd in (process.ram, process.dram))
    return cpu, dram


def test_nothing_of_a_run_changes_where_bytes_are_watched(folder: Path, byte: int) -> None:
    """The event log of a whole line under watch is the recorded one, which has nothing of it."""
    recorded = read(folder)
    with again(recorded, watch=Watch(byte, 64)) as board:
        now = [record.time_ns for record in board.evidence.events.all()]
        assert len(board.qemu.watched()) > len(Change)
    assert now == [event["time_ns"] for event in recorded.events]
    assert dmav3("replay", folder, "--why", "--json").exit_code == 0


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_it_stops_just_before_an_access(
    folder: Path, byte: int, watched: list[Watched], accesses: list[Watched], nth: int
) -> None:
    """Of the CPU: on the instruction, the byte as it was; of a device: none of its burst is done.

    All that comes afterwards is what the run had.
    """
    one = accesses[nth - 1]
    assert [it.kind for it in accesses[:3]] == [
        Change.STORED,
        Change.DEVICE_WRITTEN,
        Change.LOADED,
    ]
    before = watched[watched.index(one) - 1]
    with stopped(folder, f"access:{byte:#x}:{nth}") as (board, _):
        so_far = len(board.evidence.events.ends(1 << 20, 0)[0])
        assert before.after <= so_far <= one.after
        assert seen(board, byte)[1] == before.dram
        if not one.by_device:
            assert pc_of(board) == one.pc
        if one.kind == Change.STORED:
            assert seen(board, byte)[0] != one.cpu
        if one.by_device:
            assert seen(board, byte)[1] != one.dram
        board.qmp.execute("cont")
        board.qemu.probe.settle()
        now = [record.time_ns for record in board.evidence.events.all()]
    then = [event["time_ns"] for event in read(folder).events]
    assert now == then[: len(now)]


def test_it_stops_just_before_a_device_acts(tmp_path: Path) -> None:
    """One that does it at a moment of its own, and not behind the CPU: nothing of it is there."""
    with run(tmp_path, "no-invalidate", "edu") as folder:
        byte = int(json.loads((folder / "findings.json").read_text())[0]["address"], 0)
        with again(read(folder), watch=Watch(byte, 1)) as board:
            accesses = [one for one in board.qemu.watched() if one.is_access]
        number, one = next((n, one) for n, one in enumerate(accesses, 1) if one.by_device)
        with stopped(folder, f"access:{byte:#x}:{number}") as (board, _):
            assert one.kind == Change.DEVICE_WRITTEN
            assert seen(board, byte)[1] == accesses[number - 2].cpu != one.dram


def test_it_goes_back_by_accesses(folder: Path, byte: int, accesses: list[Watched]) -> None:
    """Not by calls of the interface."""
    with stopped(folder, f"access:{byte:#x}:3", back=2) as (board, _):
        assert pc_of(board) == accesses[0].pc
    done = dmav3("replay", folder, "--until", f"access:{byte:#x}:3", "--back", "2")
    assert done.stdout.startswith(f"stopped before 2 accesses before access:{byte:#x}:3, in memset")


def test_a_symbol_is_an_address(folder: Path) -> None:
    """With an offset, if need be."""
    symbol = read_elf(folder / IMAGE, "EM_AARCH64").symbol("adapters")
    for name in ("adapters", "adapters+0x0", f"{symbol.address:#x}"):
        with stopped(folder, f"access:{name}") as (board, _):
            found = pc_of(board)
        with again(read(folder), watch=Watch(symbol.address, 1)) as board:
            assert found == next(one for one in board.qemu.watched() if one.is_access).pc


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--until access:0x100", "0x100 is not in RAM (0x40000000 to 0x43ffffff): it is access:0x"),
        ("--until access:BYTE:900", "--until access:BYTE:900: the run has COUNT of these accesses"),
        ("--until access:BYTE:0", "--until access:BYTE:0: it is access:0x41280000, access:rx_buff"),
        ("--until access:BYTE:x", "--until access:BYTE:x: it is access:0x41280000"),
        ("--until access:", "--until access:: it is access:0x41280000"),
        ("--until access:sun+1", "sun+1 is no address, and no symbol: it is access:0x41280000"),
        (
            "--until access:adapters+x",
            "adapters+x is no address, and no symbol: it is access:0x41280000",
        ),
        ("--until access:\x1b[2J", "access:\\x1b[2J: \\x1b[2J is no address, and no symbol"),
        ("--until access:BYTE:2 --back 2", "before access:BYTE:2 the run has 1 accesses of that"),
        ("--until time:99999999999999999999999", "it is finding:1, violation:2, call:17, time:30"),
        ("--why finding:2", "--why finding:2: the run has 1 of these, from 1 on"),
        ("--why finding:0", "--why finding:0: it is finding:1, for example"),
        ("--why \x1b]0;x\x07", "--why \\x1b]0;x\\x07: it is finding:1, for example"),
        ("--why --until call:1", "give one of them, and no --until"),
        ("finding:1", "finding:1 is for --why and --minimise"),
        ("--json", "--json is for a story: give --why, such as --why finding:1"),
    ],
)
def test_what_is_not_there_is_refused(
    folder: Path, byte: int, accesses: list[Watched], words: str, said: str
) -> None:
    """In one sentence, with what would work or what there is."""
    known = {"BYTE": f"{byte:#x}", "COUNT": str(len(accesses))}
    for name, value in known.items():
        words, said = words.replace(name, value), said.replace(name, value)
    done = dmav3("replay", folder, *words.split(" "))
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("spoil", "status", "words"),
    [
        (lambda it: (it / MACHINE).unlink(), 2, "machine.yaml"),
        (lambda it: (it / IMAGE).unlink(), 2, "image.elf cannot be read: No such file"),
        (lambda it: (it / EVENTS).unlink(), 2, "events.jsonl cannot be read: No such file"),
        (
            lambda it: (it / RECORDING).write_text((it / RECORDING).read_text()[:-9]),
            2,
            "is no JSON: the file was cut off",
        ),
        (lambda it: change(it / RECORDING, 0, format=2), 2, "has format 2; this dmav3 reads"),
        (lambda it: change(it / RECORDING, 0, qemu="9.9\x1b[2J"), 3, "QEMU 9.9\\x1b[2J, here is"),
        (lambda it: change(it / RECORDING, 0, extension="feed"), 3, "extension of build feed, he"),
        (lambda it: change(it / RECORDING, 0, gaps=["\x1b[2Jgone"]), 3, "inconclusive: \\x1b[2Jg"),
    ],
)
@pytest.mark.parametrize("how", [[], ["--why"], ["--until", "access:adapters"]])
def test_a_folder_of_something_else_is_refused(
    copy: Path, how: list[str], spoil: Callable[[Path], object], status: int, words: str
) -> None:
    """Whatever is asked of it, and no character of it commands the terminal."""
    spoil(copy)
    done = dmav3("replay", copy, *how)
    said = done.stdout + done.stderr
    if how[:1] == ["--until"] and words.startswith("inconclusive"):
        status, words = 2, words.removeprefix("inconclusive: ")  # there is no such moment
    assert (done.exit_code, words in said, "\x1b" in said) == (status, True, False), said


def test_another_run_has_no_story(copy: Path) -> None:
    """What differs is shown instead: the bytes' story would be that of another run."""
    change(copy / EVENTS, 5, time_ns=1)
    done = dmav3("replay", copy, "--why")
    assert (done.exit_code, done.stdout) == (1, replay(copy).text() + "\n")


@pytest.mark.parametrize(("columns", "most"), [(40, 40), (80, 80), (None, 80), (200, 200)])
def test_a_story_is_as_wide_as_the_terminal(folder: Path, columns: int | None, most: int) -> None:
    """Only what is one word may be wider; a pipe has 80 columns; the words are the same."""
    done = dmav3("replay", folder, "--why", columns=columns)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line for line in lines if len(line) > most] == []
    assert max(map(len, lines)) > most * 3 // 4
    text = " ".join(done.stdout.split())
    assert "stored by the CPU: memset (firmware/hal/string.c:" in text
    assert "--> it went wrong here: FlushAdapterBuffersEx must invalidate the lines" in text


def test_the_access_of_a_driver_ends_its_story(pytester: pytest.Pytester) -> None:
    """With the fill that it needed, and its place; the driver's call is named as well."""
    examples = Path(__file__).parents[2] / "examples/hello_driver"
    lines = (examples / "hello_driver.c").read_text().splitlines(keepends=True)
    flush = next(line for line in lines if "FlushAdapterBuffersEx" in line)
    at = next(n for n, line in enumerate(lines) if "FreeAdapterChannel" in line)
    late = [*lines[:at], flush, *lines[at:]]
    late.remove(flush)
    (pytester.path / "hello_driver.c").write_text("".join(late))
    shutil.copy(examples / "test_hello_driver.py", pytester.path)
    pytester.runpytest_subprocess("--dmav3-artefacts=kept")
    (folder,) = pytester.path.glob("kept/*/*")
    steps = json.loads(dmav3("replay", folder, "--why", "--json").stdout)["steps"]
    assert [step["event"] for step in steps][-2:] == ["filled", "loaded"]
    assert steps[-1]["place"].startswith("Done (hello_driver.c:")
    assert steps[-1]["advice"].startswith("FlushAdapterBuffersEx had not ended the mapping")
    assert steps[0]["place"].startswith("Ready (hello_driver.c:")


def test_json_has_each_step(folder: Path, byte: int) -> None:
    """With the same finding as the run has, up to it."""
    done = dmav3("replay", folder, "--why", "finding:1", "--json")
    story = json.loads(done.stdout)
    assert (story["address"], story["bytes"], story["lost"]) == (f"{byte:#x}", 1, 0)
    assert story["finding"]["kind"] == "stale-cpu-read"
    events = [step["event"] for step in story["steps"]]
    assert events[-2:] == ["filled", "loaded"]
    assert [step["event"] for step in story["steps"] if step["advice"]] == ["unmapped"]
