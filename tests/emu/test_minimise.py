# SPDX-License-Identifier: Apache-2.0
"""The fewest fills, evictions and write-backs that make a finding's bytes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from dmav3 import Board, build_image
from dmav3.board.artefacts import save
from dmav3.board.recorded import RECORDING, events, read
from dmav3.command.cli import app
from dmav3.command.minimise import text_of
from dmav3.errors import UsageError
from dmav3.evidence.acts import ActKind, read_acts, write_acts
from dmav3.job.minimise import Rerun, minimise
from dmav3.job.replay import again
from dmav3.job.run import RunOptions, run_main_job
from dmav3.machine.argv import Acts

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Firmware with a bug, what it moves a file to, the schedule, and what makes bytes wrong then.
SEEDED = [
    ("no-clean", "stream", "lru", ["fill"]),
    ("no-invalidate", "stream", "speculative", ["speculative fill"]),
    ("no-clean", "edu", "eager", ["fill"]),
    ("no-invalidate", "edu", "speculative", ["speculative fill"]),
    ("no-read-preparation", "edu", "eager", ["fill", "write back"]),
    ("nvme-no-completion-invalidate", "nvme", "eager", ["fill"]),
    ("nvme-no-read-preparation", "nvme", "never", ["fill"]),
    ("nvme-no-submission-clean", "nvme", "speculative", ["fill"]),
    ("nvme-shared-line", "nvme", "eager", ["fill"]),
]
#: Commands of hazards.c whose bytes are wrong whatever the seed.
PROGRAMS = ["stale_device_read", "lost_cpu_write"]


def run(root: Path, bug: str, device: str, schedule: str) -> Path:
    """Run the main job, which leaves a folder, and return it."""
    file = root / "input"
    file.write_bytes(bytes(range(256)) * 20)
    wanted = RunOptions(
        "virt-a53",
        file,
        device=device,
        firmware_bug=bug,
        schedule=schedule,
        artefacts=root / "kept",
    )
    report = run_main_job(wanted, lambda _: lambda _: None)
    assert report.folder is not None
    return Path(report.folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep one run with wrong bytes for all."""
    return run(tmp_path_factory.mktemp("minimise"), "no-read-preparation", "edu", "eager")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start hazards.c once; each use resets it."""
    source = Path(__file__).with_name("hazards.c")
    image = build_image(source, output=tmp_path_factory.mktemp("hazards") / "hazards.elf")
    with Board(image=image, judge=False) as board:
        yield board


def check_minimal(folder: Path, scratch: Path) -> list[str]:
    """Check by a run of its own each that all that was kept is needed; return what it is."""
    minimal = minimise(folder)
    assert minimal.complete
    rerun = Rerun(read(folder), minimal.finding, scratch)
    kept = [act.number for act in minimal.kept]
    assert kept
    assert rerun.is_wrong(kept)
    for one in kept:
        assert not rerun.is_wrong([other for other in kept if other != one])
    return [act.kind for act in minimal.kept]


@pytest.mark.parametrize(("bug", "device", "schedule", "kinds"), SEEDED)
def test_it_takes_all_that_is_kept_of_a_bug(
    tmp_path: Path, bug: str, device: str, schedule: str, kinds: list[str]
) -> None:
    """Without any one of the events the bytes are right, with them they are wrong."""
    assert check_minimal(run(tmp_path, bug, device, schedule), tmp_path) == kinds


@pytest.mark.parametrize("schedule", ["lru", "never"])
@pytest.mark.parametrize("command", PROGRAMS)
def test_it_takes_all_that_is_kept_of_a_program(
    programs: Board, tmp_path: Path, command: str, schedule: str
) -> None:
    """The same, in a test's second run on a board."""
    programs.reset(schedule=schedule)
    programs.call(command, 0)
    save(programs, tmp_path / "kept", {}, [])
    assert check_minimal(tmp_path / "kept", tmp_path)


def test_wrong_bytes_elsewhere_are_not_the_same(tmp_path: Path) -> None:
    """A fill that makes others of the finding's bytes wrong is not one that it takes."""
    folder = run(tmp_path, "no-clean", "stream", "lru")
    (needed,) = minimise(folder).kept
    rerun = Rerun(read(folder), 1, tmp_path)
    act = rerun.acts[needed.number]
    other = next(n for n, one in rerun.acts.items() if one.line == act.line + 1)
    assert not rerun.is_wrong([other])
    assert any(one.kind == ActKind.WRONG and one.line == act.line + 1 for one in rerun.log())
    assert rerun.is_wrong([other, needed.number])


@pytest.mark.parametrize("schedule", ["lru", "speculative", "eager", "never"])
def test_with_all_events_the_run_is_the_same(tmp_path: Path, schedule: str) -> None:
    """Watched it has the same event log; with a script of all events, all of them, and no other."""
    recorded = read(run(tmp_path, "no-invalidate", "stream", schedule))
    log, script = tmp_path / "log", tmp_path / "script"
    with again(recorded, acts=Acts(log)) as board:
        board.qemu.finish_log_of_acts()
        assert list(events(board)) == recorded.events
    watched = read_acts(log)
    write_acts(script, [act for act in watched if act.kind != ActKind.WRONG])
    with again(recorded, acts=Acts(log, script)) as board:
        board.qemu.finish_log_of_acts()
    assert read_acts(log) == watched
    assert {act.kind for act in watched} >= {ActKind.FILL}


def test_the_command_tells_what_it_takes(folder: Path) -> None:
    """Each event with its number, moment, line, kind and cause, and what that proves."""
    done = CliRunner().invoke(app, ["replay", str(folder), "--minimise"])
    assert done.exit_code == 0, done.stderr
    first, second, *_, fill, write_back, last = done.stdout.splitlines()
    assert first.startswith("finding:1: the byte at 0x")
    assert "lost-device-write by memcpy (firmware/hal/string.c:" in first
    assert second.startswith("it takes 2 of the cache's own ")
    assert "  fill              memset (firmware/hal/string.c:" in fill
    assert "  write back        memcpy (firmware/hal/string.c:" in write_back
    assert last == "without any one of these the byte is right"
    assert CliRunner().invoke(app, ["replay", str(folder), "finding:1", "--minimise"]).stdout == (
        done.stdout
    )


def test_it_is_cut_short_and_says_so(folder: Path) -> None:
    """What is kept then still makes the bytes wrong."""
    minimal = minimise(folder, runs=2)
    assert not minimal.complete
    assert len(minimal.kept) > 2
    text = text_of(minimal)
    assert f"it takes at most {len(minimal.kept)} of " in text
    assert text.endswith("cut short, as it took too long: perhaps fewer are enough")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["finding:2", "--minimise"], "finding:2: the run has 1 of these, from finding:1 on"),
        (["call:1", "--minimise"], "--minimise call:1: it is finding:1, for example"),
        (["finding:0", "--minimise"], "--minimise finding:0: it is finding:1, for example"),
        (
            ["finding:1"],
            "finding:1 is for --why and --minimise; to stop before it: --until finding:1",
        ),
        (["--minimise", "--until", "call:1"], "give one of them, and no --until"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, words: list[str], problem: str) -> None:
    """With what there is, or would be."""
    done = CliRunner().invoke(app, ["replay", str(folder), *words])
    assert (done.exit_code, problem in done.stderr) == (2, True), done.stderr


def test_bytes_that_are_right_are_not_minimised(tmp_path: Path) -> None:
    """A finding by luck has nothing to look for."""
    folder = run(tmp_path, "no-invalidate", "stream", "never")
    for what in ("", "finding:1"):
        with pytest.raises(UsageError, match="so there is nothing to minimise; another schedule"):
            minimise(folder, what)


def test_a_folder_without_findings_is_refused(programs: Board, tmp_path: Path) -> None:
    """And so is one of a machine whose caches are coherent."""
    programs.reset()
    save(programs, tmp_path / "kept", {}, [])
    with pytest.raises(UsageError, match="kept has no finding; --minimise is for a run with wrong"):
        minimise(tmp_path / "kept")
    with Board("virt-a53-coherent") as board:
        save(board, tmp_path / "coherent", {}, [])
    with pytest.raises(UsageError, match="coherent is of a coherent machine, whose caches make no"):
        minimise(tmp_path / "coherent")


def test_what_cannot_be_had_again_is_not_minimised(folder: Path, tmp_path: Path) -> None:
    """With the reason that the recording gives."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).symlink_to(file)
    made, *others = (folder / RECORDING).read_text().splitlines()
    (copy / RECORDING).unlink()
    spoiled = json.dumps(json.loads(made) | {"gaps": ["a cat sat on the keyboard"]})
    (copy / RECORDING).write_text("\n".join([spoiled, *others]) + "\n")
    with pytest.raises(UsageError, match="a cat sat on the keyboard"):
        minimise(copy)
