# SPDX-License-Identifier: Apache-2.0
"""A failed run, again, from the folder that it left; and stopped just before it goes wrong."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from dmav3.board.recorded import EVENTS, IMAGE, RECORDING, read
from dmav3.command.cli import app
from dmav3.errors import UsageError
from dmav3.job.replay import again, replay, stopped
from dmav3.job.run import RunOptions, run_main_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUGS = [
    *((bug, "stream") for bug in ("no-clean", "no-invalidate", "no-barrier", "microcode-no-flush")),
    *((bug, "edu") for bug in ("no-clean", "no-invalidate", "no-read-preparation")),
    ("nvme-no-barrier", "nvme"),
    ("nvme-no-completion-invalidate", "nvme"),
    ("nvme-no-read-preparation", "nvme"),
    ("nvme-no-submission-clean", "nvme"),
    ("nvme-shared-line", "nvme"),
]


@contextmanager
def run(root: Path, bug: str, device: str) -> Iterator[Path]:
    """Fail, and give the folder."""
    file = root / "input"
    file.write_bytes(bytes(range(256)) * 20)
    options = RunOptions("virt-a53", file, device=device, firmware_bug=bug, artefacts=root / "kept")
    report = run_main_job(options, lambda _: lambda _: None)
    assert report.verdict == "fail"
    assert report.folder is not None
    yield Path(report.folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep one run for all."""
    with run(tmp_path_factory.mktemp("replay"), "no-invalidate", "stream") as folder:
        yield folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """Give a test a folder that it may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def change(path: Path, number: int, **values: object) -> None:
    """Change members of a line of JSON, the first is number 0."""
    lines = path.read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | values)
    path.write_text("\n".join(lines) + "\n")


def number_of(folder: Path, text: str) -> int:
    """Return which line of the recording is the first with a text."""
    lines = (folder / RECORDING).read_text().splitlines()
    return next(number for number, line in enumerate(lines) if text in line)


@pytest.mark.parametrize(("bug", "device"), BUGS)
def test_the_same_comes_of_it(tmp_path: Path, bug: str, device: str) -> None:
    """The event log is identical; what races has not happened where it stops before the finding."""
    with run(tmp_path, bug, device) as folder:
        outcome = replay(folder)
        assert outcome.text() == f"identical: {len(read(folder).events)} records"
        assert outcome.exit_status == 0
        with stopped(folder, "finding:1") as (board, _):
            assert board.evidence.probe.findings() == []
            board.qmp.execute("cont")
            board.qemu.probe.settle()
            assert [one["cpu_pc"] for one in board.evidence.probe.findings()] != []


def test_before_a_finding_of_the_cpu_it_stands_on_the_instruction(folder: Path) -> None:
    """That which loads the byte, so its register still has what was there before."""
    (found,) = json.loads((folder / "findings.json").read_text())
    with stopped(folder, "finding:1") as (board, place):
        registers = board.qmp.execute("human-monitor-command", command_line="info registers")
        assert f"PC={int(found['cpu']['pc'], 16):016x}" in registers
        assert place.startswith(f"{found['cpu']['function']} (")


@pytest.mark.parametrize("at", ["call:1", "call:5", "time:100000"])
def test_it_stops_where_it_is_told_and_all_goes_on_as_before(folder: Path, at: str) -> None:
    """What the log has so far is what the run had, and so is all that comes after."""
    recorded = read(folder)
    with stopped(folder, at) as (board, _):
        so_far = len(board.evidence.events.ends(1 << 20, 0)[0])
        assert board.evidence.probe.findings() == []
        board.qmp.execute("cont")
        board.qemu.probe.settle()
        now = [record.time_ns for record in board.evidence.events.all()]
    then = [event["time_ns"] for event in recorded.events]
    assert now == then[: len(now)]
    assert len(now) > so_far > 0
    kind, _, number = at.partition(":")
    if kind == "call":
        assert len(calls(recorded.events[:so_far])) == int(number) - 1
    else:
        assert then[so_far - 1] <= int(number) <= then[so_far]


def calls(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those records that are calls of routines of the interface."""
    return [event for event in events if event["kind"] == "enter" and event["id"] < 80]


@pytest.mark.parametrize("at", ["call:5", "time:100000", "finding:1"])
def test_it_goes_back_by_calls(folder: Path, at: str) -> None:
    """The one that it stops before is the N-th from there, counted backwards."""
    with stopped(folder, at, back=2) as (board, _):
        so_far = len(board.evidence.events.ends(1 << 20, 0)[0])
    events = read(folder).events
    end = {
        "call:5": next(n for n in range(len(events)) if len(calls(events[: n + 1])) == 5),
        "time:100000": next(n for n, it in enumerate(events) if it["time_ns"] >= 100_000),
        "finding:1": next(n for n, it in enumerate(events) if it["kind"] == "finding"),
    }
    assert calls(events[so_far:])[0] == events[so_far]
    assert len(calls(events[so_far : end[at]])) == 2


def test_another_run_is_shown_to_be_one(copy: Path) -> None:
    """The first record that differs, with what comes before it, of both."""
    number = number_of(copy, "KeLowerIrql")
    lines = (copy / RECORDING).read_text().splitlines(keepends=True)
    (copy / RECORDING).write_text("".join(lines[:number]))
    outcome = replay(copy)
    assert outcome.exit_status == 1
    text = outcome.text()
    assert text.startswith(f"different from record {outcome.difference} on:\nrecorded {{")
    assert len(outcome.recorded) == len(outcome.now) + 1
    assert outcome.recorded[:-1] == outcome.now


def test_a_test_on_a_board_that_was_reset(pytester: pytest.Pytester) -> None:
    """The second test of a pool's board; what was set before its reset still counts."""
    pytester.makepyfile(
        """
        def test_one(dmav3_board):
            dmav3_board.stream.receive_put(b"of before")

        def test_two(dmav3_board):
            dmav3_board.qmp.set("word-interval-ns", 700, "/machine/peripheral/dmav3/stream")
            dmav3_board.reset()
            dmav3_board.wait(5000)
            dmav3_board.stream.receive_put(bytes(5000))
            dmav3_board.memory.allocate(64)
            assert dmav3_board.call("ping") is None
        """
    )
    pytester.runpytest("--dmav3-artefacts=kept")
    (folder,) = pytester.path.glob("kept/*/test_two*")
    made = read(folder).made
    assert made.resets > 0
    assert [name for _, name, _ in made.kept] == ["word-interval-ns"]
    assert replay(folder).text().startswith("identical: ")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda it: (it / RECORDING).unlink(), "recording.jsonl cannot be read: No such file"),
        (lambda it: (it / RECORDING).write_text(""), "recording.jsonl:1: format: Field required"),
        (lambda it: (it / EVENTS).write_text('{"kind": "ent'), "events.jsonl:1: is no JSON: the f"),
        (lambda it: (it / EVENTS).write_text("[1]\n"), "events.jsonl:1: is no object of JSON"),
        (lambda it: (it / IMAGE).write_text("another"), "image.elf is not the image of the run"),
        (lambda it: change(it / RECORDING, 0, format=7), "has format 7; this dmav3 reads format 1"),
        (
            lambda it: change(it / RECORDING, 0, seed="x"),
            "recording.jsonl:1: seed: Input should be",
        ),
        (
            lambda it: change(it / RECORDING, 3, kind="monitor", name="migrate"),
            "the command 'migrate' is not given to QEMU again; these are: cont, ",
        ),
        (
            lambda it: change(
                it / RECORDING, 3, kind="monitor", name="qom-set", arguments={"path": "/objects/x"}
            ),
            "qom-set is for /machine/peripheral/dmav3, not for '/objects/x'",
        ),
        (
            lambda it: change(it / RECORDING, number_of(it, '"stage"'), sha256="../../etc/passwd"),
            "sha256: String should match pattern",
        ),
        (
            lambda it: change(it / RECORDING, number_of(it, '"stage"'), arguments={}),
            "`address` is no number",
        ),
    ],
)
def test_a_folder_that_is_none_is_refused(
    copy: Path, spoil: Callable[[Path], object], words: str
) -> None:
    """With the file, the line and what is wrong; nothing is started."""
    spoil(copy)
    done = CliRunner().invoke(app, ["replay", str(copy)])
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("finding:2", "--until finding:2: the run has 1 of these, from 1 on"),
        ("violation:1", "--until violation:1: the run has 0 of these"),
        ("call:0", "--until call:0: it is finding:1, violation:2, call:17, time:3000 or"),
        ("sunrise", "--until sunrise: it is finding:1"),
        ("time:99999999999999", "--until time:99999999999999: the run ended before"),
    ],
)
def test_a_moment_that_is_not_there_is_refused(folder: Path, until: str, words: str) -> None:
    """With what there is, or would be."""
    done = CliRunner().invoke(app, ["replay", str(folder), "--until", until])
    assert (done.exit_code, words in done.stderr) == (2, True), done.stderr


def test_a_way_back_that_is_too_long_is_refused(folder: Path) -> None:
    """With how long it is; and so is one from nowhere."""
    done = CliRunner().invoke(app, ["replay", str(folder), "--until", "call:3", "--back", "3"])
    assert (done.exit_code, "--back 3: before call:3 the run has 2 calls" in done.stderr) == (
        2,
        True,
    )
    done = CliRunner().invoke(app, ["replay", str(folder), "--back", "3"])
    assert (done.exit_code, "give --until, such as --until finding:1" in done.stderr) == (2, True)


def test_what_is_not_recorded_makes_it_inconclusive(copy: Path) -> None:
    """Also with a QEMU or an extension that is another one."""
    change(copy / RECORDING, 0, qemu="9.9.9")
    done = CliRunner().invoke(app, ["replay", str(copy)])
    assert (done.exit_code, "was made with QEMU 9.9.9, here is " in done.stderr) == (3, True)
    change(copy / RECORDING, 0, gaps=["a cat sat on the keyboard"])
    done = CliRunner().invoke(app, ["replay", str(copy)])
    assert (done.exit_code, done.stdout) == (3, "inconclusive: a cat sat on the keyboard\n")
    with pytest.raises(UsageError, match="a cat sat"), stopped(copy, "call:1"):
        pass


def test_the_command_says_where_it_stopped(folder: Path) -> None:
    """Without a terminal it goes on at once, and ends."""
    done = CliRunner().invoke(app, ["replay", str(folder), "--until", "call:2"])
    assert done.exit_code == 0
    assert done.stdout.startswith("stopped before call:2, in ")


def test_a_recording_counts_from_the_last_reset(folder: Path) -> None:
    """Nothing of the start is in it: each start is the same."""
    recorded = read(folder)
    assert recorded.made.resets == 0
    with again(recorded) as board:
        assert len(board.qemu.recording.entries) == len(recorded.entries)
