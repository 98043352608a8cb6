# SPDX-License-Identifier: Apache-2.0
"""Boards of tests and of Python programs, looked at from another terminal while they run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board
from dmav3.board.artefacts import save
from dmav3.errors import PrivateFolderError
from dmav3.job.replay import replay
from dmav3.qemu.gdb import gdb_words

if TYPE_CHECKING:
    import pexpect
    from person import Person

FAILING = """
def test_it(dmav3_board):
    buffer = dmav3_board.memory.allocate(64)
    dmav3_board.fill(buffer, 0x5A)
    assert dmav3_board.dram.read(buffer.address, 64) == bytes(64)
    assert buffer.address == 0
"""
PROMPT = r"\(gdb\) "


def failing(person: Person, *options: str, text: str = FAILING) -> pexpect.spawn[str]:
    """Start pytest on a test that fails, on a terminal."""
    file = person.home / "test_failing.py"
    file.write_text(text)
    program = str(Path(sys.executable).with_name("pytest"))
    plain = ("-p", "no:cacheprovider", "-p", "no:xdist")
    return person.terminal(program, *plain, *options, str(file), columns=200)


def test_a_board_that_pdb_has_stopped_is_found(person: Person) -> None:
    """Named by its machine: `boards` lists it, `qmp` and `trace` reach it, gdb attaches to it."""
    session = failing(person, "--pdb")
    session.expect_exact("(Pdb) ")
    (card,) = person.boards()
    assert card["board"] == card["machine"] == "virt-a53"
    assert card["pid"]
    told = person.piped("qmp", "virt-a53", lines="findings\ndirty\n")
    assert told.returncode == 0, told.stderr
    assert "0x4" in told.stdout  # the line that the fill has left dirty
    assert person.piped("trace", "virt-a53").returncode == 0
    gdb = person.piped("gdb", "virt-a53", "--ex", "print $pc")
    assert "$1 = " in gdb.stdout
    session.sendline("q")
    session.expect_exact("1 failed")
    session.wait()
    assert person.boards() == []


def test_gdb_comes_where_a_test_fails(person: Person) -> None:
    """It has the terminal; Ctrl-C is its own; the session goes on when it is left."""
    session = failing(person, "--dmav3-gdb=on-failure")
    session.expect_exact("the board of the test that failed is virt-a53")
    session.expect(PROMPT)
    session.sendline("print $pc")
    session.expect_exact("cpu_sleep")
    session.expect(PROMPT)
    session.sendintr()
    session.expect(PROMPT)
    session.sendline("quit")
    session.expect_exact("1 failed")
    session.wait()
    assert session.exitstatus == 1


def test_a_test_that_passes_has_no_gdb(person: Person) -> None:
    """Nothing waits."""
    passing = "def test_it(dmav3_board):\n    dmav3_board.call('ping')\n"
    session = failing(person, "--dmav3-gdb=on-failure", text=passing)
    session.expect_exact("1 passed")
    session.wait()
    assert "(gdb)" not in (session.before or "")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-n", "2"], "--dmav3-gdb waits for a person, so all tests run in one process"),
        ([], "--dmav3-gdb=on-failure gives the terminal to gdb, and here is none"),
    ],
)
def test_without_a_terminal_it_is_refused(tmp_path: Path, options: list[str], why: str) -> None:
    """At once, before any test."""
    file = tmp_path / "test_failing.py"
    file.write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "--dmav3-gdb=on-failure", *options, str(file)]
    ran = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert why in ran.stderr
    assert "test_it" not in ran.stdout


def saved(board: Board, folder: Path) -> Path:
    """Keep what a run leaves."""
    save(board, folder, {}, [])
    return folder


def test_looking_leaves_a_run_as_it_is(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only asks the monitor is no part of the run: its replay is identical."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board() as board:
        board.fill(board.memory.allocate(64), 1)
        shown = person.piped("qmp", lines="query-status\npl330\nfindings\n")
        assert shown.returncode == 0, shown.stderr
        board.call("ping")
        folder = saved(board, tmp_path / "kept")
    assert replay(folder).text().startswith("identical")


@pytest.mark.parametrize("command", ["system_wakeup", "qom-set path=/machine/peripheral/dmav3 "])
def test_who_changes_a_board_is_told_of(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Its replay is inconclusive, with that sentence, until a reset makes it as new."""
    if command.startswith("qom-set"):
        command += "property=trace value=1"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board() as board:
        person.piped("qmp", lines=f"{command}\n")
        outcome = replay(saved(board, tmp_path / "kept"))
        assert outcome.exit_status == 3
        assert "somebody has changed the machine by `dmav3 qmp`" in outcome.text()
        board.reset()
        assert replay(saved(board, tmp_path / "again")).text().startswith("identical")


def test_gdb_is_told_of(person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have written anything."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board() as board:
        sockets = board.qemu.sockets
        assert sockets
        with board.qemu.paused():
            pass  # the harness's own
        board.reset()
        words = gdb_words(board.image.path, sockets.gdb)
        subprocess.run([*words, "-batch"], check=True, capture_output=True, timeout=60)
        outcome = replay(saved(board, tmp_path / "kept"))
    assert outcome.exit_status == 3
    assert "gdb or another monitor has stopped it" in outcome.text()


def test_a_board_that_nobody_can_find_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there can be no private folder there are no sockets, unless they are asked for."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    with Board() as board:
        assert board.qemu.sockets is None
        board.call("ping")
    with pytest.raises(PrivateFolderError), Board(sockets=True):
        pass


def test_two_boards_of_one_name_are_told_apart(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a number; who names none is asked to; what has ended is not there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board():
        with Board():
            names = [card["board"] for card in person.boards()]
            assert names == ["virt-a53", "virt-a53-2"]
            several = person.piped("qmp", lines="pl330\n")
            assert several.returncode == 2
            assert "name one of them: virt-a53, virt-a53-2" in several.stderr
        ended = person.piped("qmp", "virt-a53-2", lines="pl330\n")
        assert "no board 'virt-a53-2' is running; running are: virt-a53" in ended.stderr


def test_nothing_of_the_environment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of a folder has what only the environment says."""
    secret = "a-secret-of-the-environment"  # noqa: S105 - to be looked for
    monkeypatch.setenv("SOME_TOKEN", secret)
    test = tmp_path / "test_failing.py"
    test.write_text(FAILING)
    kept = tmp_path / "kept"
    command = [sys.executable, "-m", "pytest", "-q", f"--dmav3-artefacts={kept}", str(test)]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60, cwd=tmp_path)
    assert ran.returncode == 1
    files = [file for file in kept.rglob("*") if file.is_file()]
    assert {"recording.jsonl", "run.json", "events.jsonl"} <= {file.name for file in files}
    assert not [file for file in files if secret.encode() in file.read_bytes()]
    told = json.loads(next(f for f in files if f.name == "run.json").read_text())
    assert told["test"].endswith("test_it")
