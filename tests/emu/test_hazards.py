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
    """

    command: str
    receives: int
    kind: str
    buffer: tuple[str, int] | None
    channel: int | None
    owed: tuple[str, str] | None = None

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
HAZARDS = [
    Hazard("stale_cpu_read", 64, "stale-cpu-read", ("Buffer", 5), 0, (FLUSH, "CCH-03")),
    Hazard("stale_bounced_read", 8, "stale-cpu-read", ("Buffer", 5), 0, (FLUSH, "CCH-03")),
    Hazard("stale_device_read", 0, "stale-device-read", ("Buffer", 5), 1, (MAP, "CCH-02")),
    Hazard("lost_device_write", 64, "lost-device-write", ("Buffer", 5), 0, (MAP, "CCH-04")),
    Hazard("lost_cpu_write", 0, "lost-cpu-write", ("Buffer", 5), None, (FLUSH, "CCH-15")),
    Hazard("shared_line", 32, "shared-line", ("Buffer", 40), 0, (MAP, "CCH-12")),
    Hazard("raced_descriptor", 0, "missing-barrier", None, 7),
    Hazard("unfinished_clean", 0, "missing-barrier", ("Program", 0), 7),
    Hazard("unfinished_invalidate", 0, "missing-barrier", ("Buffer", 5), 7),
    Hazard("mismatched_alias", 0, "mismatched-alias", ("Buffer", 5), None),
]
LEGAL = ["legal_line", "legal_discard", "legal_print", "legal_boot"]


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start the program once; each use resets it."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("hazards") / "hazards.elf")
    with Board(image=image) as board:
        yield board


def run(board: Board, hazard: Hazard, *, correct: bool) -> None:
    """Run a command, with what it receives."""
    board.stream.receive_put(bytes(range(1, hazard.receives + 1)))
    board.call(hazard.command, correct)


def test_every_kind_is_provoked() -> None:
    """None is left out below; two are no matter of the cache (test_faults.py, test_bypass.py)."""
    others = {"bus-error", "bypassing-device"}
    assert {hazard.kind for hazard in HAZARDS} == set(kinds()) - others


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.command)
def test_a_hazard_is_reported_once_and_in_full(board: Board, hazard: Hazard, schedule: str) -> None:
    """Kind, function, file and line, buffer and offset, channel, routine and rule."""
    board.reset(schedule=schedule)
    run(board, hazard, correct=False)
    (finding,) = board.findings()
    assert finding.kind == hazard.kind
    cpu, buffer = finding.cpu, finding.buffer
    assert cpu is not None
    assert (cpu.function, cpu.file, cpu.line) == (
        hazard.function,
        "tests/emu/hazards.c",
        hazard.line,
    )
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


def silent(board: Board, schedule: str, seed: int) -> None:
    """Check that all corrected programs, and all that is legal, give no finding."""
    board.reset(schedule=schedule, seed=seed)
    for hazard in HAZARDS:
        run(board, hazard, correct=True)
        assert (hazard.command, board.findings()) == (hazard.command, [])
    for command in LEGAL:
        board.call(command)
        assert (command, board.findings()) == (command, [])


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
