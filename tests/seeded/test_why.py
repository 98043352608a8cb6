# SPDX-License-Identifier: Apache-2.0
"""`dmav3 replay --why` tells of each known bug what its patch did, as the patch's header has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from test_seeded import EDGE_DATA, EDGE_OFFSET, header

from dmav3 import Board, installation
from dmav3.board.artefacts import save
from dmav3.conformance.tests.driver import read_beside_the_cpu
from dmav3.job.run import RunOptions, run_main_job
from dmav3.job.why import why

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.evidence.story import Step

MAP, FLUSH, PROGRAM = "MapTransferEx", "FlushAdapterBuffersEx", "ProgramChannel"
MAINTENANCE = {"cleaned", "invalidated", "cleaned-invalidated"}


class Tale(NamedTuple):
    """What a story must have.

    :ivar told: words of the header's `Bug:` for what the patch does.
    :ivar order: events and the routines inside of which they were, which come in that order; "":
        outside of all.
    :ivar missing: events that are not there inside of a routine, because of the patch.
    :ivar wrong: the event at which it went wrong.
    """

    told: str
    order: tuple[tuple[str, str], ...]
    missing: tuple[set[str], str]
    wrong: str


BEFORE_READ = (("stored", ""), ("mapped", MAP))
BEFORE_WRITE = (*BEFORE_READ, ("cleaned-invalidated", MAP), ("barrier", MAP))
NO_CLEAN = Tale(
    "MapTransferEx does not clean the buffer before the device reads it",
    (*BEFORE_READ, ("device-read", "")),
    (MAINTENANCE, MAP),
    "mapped",
)
NO_INVALIDATE = Tale(
    "FlushAdapterBuffersEx does not invalidate the lines that the device wrote",
    (*BEFORE_WRITE, ("device-written", ""), ("unmapped", FLUSH), ("loaded", "")),
    (MAINTENANCE, FLUSH),
    "unmapped",
)
NO_READ_PREPARATION = Tale(
    "MapTransferEx neither cleans nor invalidates the buffer before a device writes it",
    (*BEFORE_READ, ("device-written", "")),
    (MAINTENANCE, MAP),
    "mapped",
)
NO_PROGRAM_BARRIER = (
    (("given", ""), ("stored", PROGRAM), ("started", PROGRAM), ("device-read", "")),
    ({"barrier", *MAINTENANCE}, PROGRAM),
    "started",
)
PROGRAM_FETCHED = (("given", ""), ("stored", PROGRAM), ("barrier", PROGRAM), ("device-read", ""))
SHARED_LINE = (*BEFORE_READ, ("started", PROGRAM), ("stored", ""), ("device-written", ""))
LOST_STORE = (("mapped", MAP), ("stored", ""), ("invalidated", FLUSH), ("loaded", ""))
NO_HEAD_BOUNCE = "lets the device write the line that the start of a buffer shares"
NO_TAIL_BOUNCE = "lets the device write the line that the end of a buffer shares"
NOTHING: tuple[set[str], str] = (set(), "")
TALES: dict[tuple[str, str, int], Tale] = {
    ("no-clean", "stream", 1): NO_CLEAN,
    ("no-clean", "edu", 1): NO_CLEAN,
    ("no-invalidate", "stream", 1): NO_INVALIDATE,
    ("no-invalidate", "edu", 1): NO_INVALIDATE,
    ("no-read-preparation", "stream", 1): NO_READ_PREPARATION,
    ("no-read-preparation", "edu", 1): NO_READ_PREPARATION,
    ("no-barrier", "stream", 1): Tale("the start of the controller waits", *NO_PROGRAM_BARRIER),
    ("no-barrier", "stream", 2): Tale(
        "neither MapTransferEx nor the start of the controller waits for the clean",
        (*BEFORE_READ, ("cleaned", MAP), ("started", PROGRAM), ("device-read", "")),
        ({"barrier"}, MAP),
        "mapped",
    ),
    ("no-program-barrier", "stream", 1): Tale(
        "the PL330 is started with no barrier between the microcode and the start",
        *NO_PROGRAM_BARRIER,
    ),
    ("microcode-no-flush", "stream", 1): Tale(
        "a program takes a request that was there before it started",
        PROGRAM_FETCHED,
        NOTHING,
        "stored",
    ),
    ("microcode-no-barrier", "stream", 1): Tale(
        "neither a unit nor the end of the program waits for the stores",
        PROGRAM_FETCHED,
        NOTHING,
        "stored",
    ),
    ("microcode-burst-on-single", "stream", 1): Tale(
        "the device's side of a unit is of bursts", PROGRAM_FETCHED, NOTHING, "stored"
    ),
    ("microcode-reused", "stream", 1): Tale(
        "the program of a channel is written to as soon as it has been started",
        (*PROGRAM_FETCHED, ("stored", PROGRAM)),
        NOTHING,
        "stored",
    ),
    ("edge-invalidate", "edges", 1): Tale(
        "FlushAdapterBuffersEx invalidates the lines at the edges",
        (("bounced", MAP), *LOST_STORE[1:]),
        NOTHING,
        "invalidated",
    ),
    ("no-head-bounce", "edges", 1): Tale(NO_HEAD_BOUNCE, SHARED_LINE, ({"bounced"}, MAP), "mapped"),
    ("no-head-bounce", "edges", 2): Tale(
        NO_HEAD_BOUNCE, LOST_STORE, ({"bounced"}, MAP), "invalidated"
    ),
    ("no-tail-bounce", "edges", 1): Tale(NO_TAIL_BOUNCE, SHARED_LINE, ({"bounced"}, MAP), "mapped"),
    ("no-tail-bounce", "edges", 2): Tale(
        NO_TAIL_BOUNCE, LOST_STORE, ({"bounced"}, MAP), "invalidated"
    ),
    ("short-bounce-copy", "edges", 1): Tale(
        "FlushAdapterBuffersEx copies only whole words out of a bounce page",
        (("stored", ""), ("bounced", MAP), ("unmapped", FLUSH), ("loaded", "")),
        ({"stored"}, FLUSH),
        "unmapped",
    ),
}


def fail_at_the_edges(bug: str, root: Path) -> Path:
    """Fail in a buffer that shares lines with what the CPU stores, and return the folder."""
    with Board(image=installation.seeded(bug, "virt-a64"), judge=False) as board:
        read_beside_the_cpu(board, EDGE_DATA, EDGE_OFFSET, width=8)
        save(board, root / "run", {}, ())
    return root / "run"


def fail(bug: str, device: str, root: Path) -> Path:
    """Fail in the main job, and return the folder."""
    file = root / "input"
    file.write_bytes(bytes(range(256)) * 20)
    options = RunOptions("virt-a53", file, device=device, firmware_bug=bug, artefacts=root / "kept")
    report = run_main_job(options, lambda _: lambda _: None)
    assert report.folder is not None
    return Path(report.folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Give a function that returns the folder of a bug, which is provoked once."""
    made: dict[tuple[str, str], Path] = {}

    def of(bug: str, device: str) -> Path:
        if (bug, device) not in made:
            root = tmp_path_factory.mktemp(bug)
            edges = device == "edges"
            made[bug, device] = fail_at_the_edges(bug, root) if edges else fail(bug, device, root)
        return made[bug, device]

    return of


def is_in_order(steps: tuple[Step, ...], order: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether such steps come one after the other; "": whatever the routine."""
    rest = iter(steps)
    return all(
        any(step.event == event and routine in {"", step.routine} for step in rest)
        for event, routine in order
    )


@pytest.mark.parametrize(("bug", "device", "number"), TALES)
def test_the_story_is_that_of_the_patch(
    folders: Callable[[str, str], Path], bug: str, device: str, number: int
) -> None:
    """What is missing, in which routine, by which rule, at which step, who raced where."""
    tale, expected = TALES[bug, device, number], header(Path(__file__).with_name(f"{bug}.patch"))
    outcome, story = why(folders(bug, device), f"finding:{number}")
    assert outcome.text().startswith("identical: ")
    assert story is not None
    assert tale.told in expected["Bug"]
    assert story.finding.kind in expected["Finding"].split(", ")
    assert is_in_order(story.steps, tale.order), story.steps
    events, routine = tale.missing
    assert not [step for step in story.steps if step.routine == routine and step.event in events]
    (wrong,) = [step for step in story.steps if step.advice]
    assert wrong.event == tale.wrong
    if "Routine" in expected:
        (owed,) = [one for one in expected["Routine"].split(", ") if one in wrong.advice]
        (rule,) = [one for one in expected["Rule"].split(", ") if one in wrong.advice]
        assert (owed, rule) == (story.finding.routine, story.finding.rule)
        assert wrong.routine == owed
        cpu = story.finding.cpu
        assert cpu is not None
        assert cpu.function
        assert cpu.function in expected["Place"]
        assert [step for step in story.steps if step.place.startswith(f"{cpu.function} (")]
    else:
        assert expected["Instruction"] in story.finding.text
        assert wrong.routine == PROGRAM


def test_each_bug_of_stream_and_edu_is_told() -> None:
    """No patch is forgotten; those of the NVMe driver are of another device."""
    patches = {patch.stem for patch in Path(__file__).parent.glob("*.patch")}
    nvme = {name for name in patches if name.startswith("nvme-")}
    assert {bug for bug, *_ in TALES} == patches - nvme
