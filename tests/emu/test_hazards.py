# SPDX-License-Identifier: Apache-2.0
"""Every kind of finding, caused by a small program (hazards.c); corrected, the program gives none.

Whether bytes come out wrong is a matter of schedule and seed; whether there is a finding is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dmav3 import Board, build_image
from dmav3.evidence.findings import kinds
from dmav3.machine.schedule import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("hazards.c")


class Hazard(NamedTuple):
    """A command of the program, how many bytes it receives, and what must be reported of it.

    :ivar channel: of the device's access; None: no channel's is known.
    :ivar owed: by which routine and rule; None: nobody's.
    :ivar has_line: the CPU's access is known.
    """

    command: str
    receives: int
    kind: str
    buffer: tuple[str, int] | None
    channel: int | None
    owed: tuple[str, str] | None = None
    has_line: bool = True

    @property
    def function(self) -> str:
        """Name of the C function that is the command."""
        return "".join(word.capitalize() for word in self.command.split("_"))

    @property
    def line(self) -> int:
        """Number of the line with the access that races."""
        mark = f"RACE {self.command} "
        (number,) = (n for n, text in enumerate(SOURCE.read_text().splitlines(), 1) if mark in text)
        return number


FLUSH, MAP = "FlushAdapterBuffersEx", "MapTransferEx"
OWN = "not-your-buffer"
HAZARDS = [
    Hazard("early_load", 64, OWN, ("Buffer", 5), None, (FLUSH, "CCH-03")),
    Hazard("early_bounced_load", 8, OWN, ("Buffer", 5), None, (FLUSH, "CCH-03")),
    Hazard("late_store", 0, OWN, ("Buffer", 5), None, (MAP, "CCH-02")),
    Hazard("store_to_read", 64, OWN, ("Buffer", 5), None, (MAP, "CCH-04")),
    Hazard("late_bounced_store", 8, OWN, ("Buffer", 5), None, (MAP, "CCH-04")),
    Hazard("discarded_store", 0, OWN, ("Buffer", 5), None, (MAP, "CCH-04")),
    Hazard("store_beside", 32, OWN, ("Buffer", 40), None, (MAP, "CCH-04")),
    Hazard("stale_cpu_read", 0, "stale-cpu-read", ("Buffer", 5), 7),
    Hazard("stale_device_read", 0, "stale-device-read", ("Buffer", 5), 7),
    Hazard("lost_device_write", 0, "lost-device-write", ("Buffer", 5), 7),
    Hazard("lost_cpu_write", 0, "lost-cpu-write", ("Buffer", 5), None),
    Hazard("shared_line", 0, "shared-line", ("Buffer", 40), 7),
    Hazard("bad_record", 0, "bad-record", None, None, has_line=False),
    Hazard("raced_descriptor", 0, "missing-barrier", None, 7),
    Hazard("unfinished_clean", 0, "missing-barrier", ("Program", 0), 7),
    Hazard("unfinished_invalidate", 0, "missing-barrier", ("Buffer", 5), 7),
    Hazard("mismatched_alias", 0, "mismatched-alias", ("Buffer", 5), None),
]
#: Of the last channel, which has an adapter from then on: what it does by hand is judged.
STRAY = Hazard("stray_write", 0, "stray-device-access", ("Buffer", 0), 7, has_line=False)
LEGAL = ["legal_line", "legal_discard", "legal_print", "legal_boot"]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start the program once; each use resets it."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("hazards") / "hazards.elf")
    with Board(image=image, judge=False) as board:
        yield board


def run(board: Board, hazard: Hazard, *, correct: bool) -> None:
    """Run a command, with what it receives."""
    board.stream.receive_put(bytes(range(1, hazard.receives + 1)))
    board.call(hazard.command, correct)


def test_every_kind_is_provoked() -> None:
    """None is left out; others' are in test_faults, test_bypass, test_clocked and test_driver."""
    others = {"bus-error", "bypassing-device", "completed-request"}
    others |= {kind for kind in kinds() if kind.startswith("microcode-")}
    assert {hazard.kind for hazard in [*HAZARDS, STRAY]} == set(kinds()) - others


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("hazard", [*HAZARDS, STRAY], ids=lambda hazard: hazard.command)
def test_a_hazard_is_reported_once_and_in_full(board: Board, hazard: Hazard, schedule: str) -> None:
    """Kind, function, file and line, buffer and offset, channel, routine and rule."""
    board.reset(schedule=schedule)
    run(board, hazard, correct=False)
    (finding,) = board.findings()
    assert finding.kind == hazard.kind
    cpu, buffer = finding.cpu, finding.buffer
    place = (cpu.function, cpu.file, cpu.line) if cpu else None
    known = (hazard.function, "tests/emu/hazards.c", hazard.line) if hazard.has_line else None
    assert place == known
    assert (buffer and (buffer.name, buffer.offset)) == hazard.buffer
    assert (finding.device and finding.device.channel) == hazard.channel
    assert (finding.routine and (finding.routine, finding.rule)) == hazard.owed
    if finding.routine:
        assert "the buffer was" in finding.text  # the driver's fault, not the routine's


def test_a_mapping_that_has_ended_is_not_blamed(board: Board) -> None:
    """What comes after it, without it, is nobody's debt."""
    board.reset()
    by_command = {hazard.command: hazard for hazard in HAZARDS}
    ended, later = by_command["stale_cpu_read"], by_command["unfinished_invalidate"]
    run(board, ended, correct=True)
    run(board, later, correct=False)
    (finding,) = board.findings()
    assert (finding.kind, finding.routine) == (later.kind, None)


def test_a_stray_access_says_where_it_is(board: Board) -> None:
    """Who made what is nearest, and how far away that is."""
    board.reset()
    run(board, STRAY, correct=False)
    (finding,) = board.findings()
    assert "before the start of a common buffer of 192 bytes at 0x41400000" in finding.text
    assert (
        "made by AllocateCommonBuffer, called in StrayWrite (tests/emu/hazards.c:" in finding.text
    )


@pytest.mark.parametrize(("count", "kinds_found"), [(5000, [OWN]), (20000, ["bad-record", OWN])])
def test_more_mappings_than_there_is_room_for_are_told(
    board: Board, count: int, kinds_found: list[str]
) -> None:
    """Below the limit each counts; above it a finding says so, and the others still count."""
    board.reset()
    board.call("many_mappings", count)
    assert [finding.kind for finding in board.findings()] == kinds_found
    assert board.findings()[-1].routine == MAP
    board.reset()


def silent(board: Board, schedule: str, seed: int) -> None:
    """Check that all corrected programs, and all that is legal, give no finding."""
    board.reset(schedule=schedule, seed=seed)
    for hazard in HAZARDS:
        run(board, hazard, correct=True)
        assert (hazard.command, board.findings()) == (hazard.command, [])
    for command in LEGAL:
        board.call(command)
        assert (command, board.findings()) == (command, [])
    run(board, STRAY, correct=True)
    assert board.findings() == []


@pytest.mark.parametrize(
    ("schedule", "seeds"), [("lru", 1), ("never", 1), ("eager", 20), ("speculative", 20)]
)
def test_what_is_right_is_met_with_silence(board: Board, schedule: str, seeds: int) -> None:
    """The corrected programs and legal sharing, under every schedule and many seeds."""
    for seed in range(1, seeds + 1):
        silent(board, schedule, seed)


@pytest.mark.soak
@pytest.mark.parametrize("schedule", ["eager", "speculative"])
def test_what_is_right_is_met_with_silence_under_every_seed(board: Board, schedule: str) -> None:
    """As above, for 200 seeds."""
    for seed in range(1, 201):
        silent(board, schedule, seed)
