# SPDX-License-Identifier: Apache-2.0
"""The image firmware/selftest, without a shell: what it prints, and what is seen from outside."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dmav3 import Board, installation
from dmav3.errors import WrongCacheError
from dmav3.evidence.findings import costs, kinds
from dmav3.evidence.probe import Kind, LineState, Probe
from dmav3.guest.windows import Mapping
from dmav3.machine.argv import Start, arguments
from dmav3.machine.description import load
from dmav3.qemu.process import Process, qemu_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dmav3.machine.argv import Descriptors
    from dmav3.machine.description import Machine

IMAGE = installation.Layout.find().built / "selftest" / "virt-a64.elf"
PAGE, LINE, STATES, SECONDS = 4096, 64, 6, 60
#: By operation: what the CPU and what a device read behind it, and how it leaves the line (invalid,
#: clean, dirty). A letter for each state before: invalid, clean, dirty, and each of the three with
#: a device's write behind it.
TABLE = {
    "DSB": ("AABDAB", "AAADDD", "ICDICD"),
    "IVAC": ("AAADDD", "AAADDD", "IIIIII"),
    "CVAC": ("AABDAB", "AABDDB", "ICCICC"),
    "CIVAC": ("AABDDB", "AABDDB", "IIIIII"),
    "CVAU": ("AABDAB", "AAADDD", "ICDICD"),
    "ZVA": ("ZZZZZZ", "AAADDD", "DDDDDD"),
    "ISW": ("AAADDD", "AAADDD", "IIIIII"),
    "CSW": ("AABDAB", "AABDDB", "ICCICC"),
    "CISW": ("AABDDB", "AABDDB", "IIIIII"),
}
LETTERS = {0: "I", LineState.VALID: "C", LineState.VALID | LineState.DIRTY: "D"}


class Outcome(NamedTuple):
    """What the image printed, and the probe memory at its end."""

    printed: list[str]
    probe: Probe
    board: Board  # which never ran: for the symbols


@contextmanager
def selftest(board: Board, console: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outcome]:
    """Run the image on a machine to its end, with the board's own UART going to a file."""

    def with_console(machine: Machine, start: Start, fds: Descriptors) -> list[str]:
        return [*arguments(machine, start, fds), "-serial", f"file:{console}"]

    monkeypatch.setattr("dmav3.qemu.process.arguments", with_console)
    extension = board.qemu.extension.path
    start = Start(
        qemu_binary(), extension, board.qemu._flat, nonce=0, seed=1, schedule=board.qemu.schedule
    )
    with Process(board.machine, start) as process:
        assert process._ended_within(SECONDS), console.read_text()
        with Mapping(process.probe) as probe:
            yield Outcome(
                console.read_text().splitlines(), Probe(probe.view, board.qemu.extension), board
            )


@pytest.fixture(params=["lru", "never"])
def outcome(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Outcome]:
    """Run it where the cache does nothing of its own accord."""
    board = Board(image=IMAGE, schedule=request.param)
    with selftest(board, tmp_path / "console", monkeypatch) as outcome:
        yield outcome


def test_every_operation_does_in_every_state_what_the_table_says(outcome: Outcome) -> None:
    """The bytes that CPU and device read, as the image says, and the states, as the probe says."""
    first, *rows, verdict = outcome.printed
    assert verdict == "pass"
    assert [row.split() for row in rows] == [
        [name, "cpu", cpu, "memory", memory] for name, (cpu, memory, _) in TABLE.items()
    ]
    lines = int(first.removeprefix("lines "), 16) + PAGE - outcome.probe.ram_base
    states = outcome.probe.states()[lines // LINE :]
    for number, (name, (_, _, after)) in enumerate(TABLE.items()):
        left = states[number * STATES : (number + 1) * STATES]
        shown = LineState.VALID | LineState.DIRTY
        assert (name, "".join(LETTERS[state & shown] for state in left)) == (name, after)


def test_every_hazard_of_the_walk_is_counted(outcome: Outcome) -> None:
    """In lines: a device accesses a line at a time, the image a byte."""
    found: Counter[tuple[str, str]] = Counter()
    for finding in outcome.probe.findings():
        who, times = ("device", 1) if finding["by_device"] else ("cpu", LINE)
        found[kinds()[finding["kind"] - 1], who] += finding["count"] / times
    assert found == {
        ("stale-device-read", "device"): 8,  # dirty behind DSB, CVAU; all behind ZVA
        ("stale-cpu-read", "cpu"): 10,  # behind DSB, CVAC, CVAU, ZVA, CSW
        ("lost-device-write", "device"): 9 * 2 + 4,  # when written; what a clean destroyed
        ("lost-device-write", "cpu"): 4,
        ("lost-cpu-write", "device"): 2,  # dirty behind IVAC, ISW
        ("lost-cpu-write", "cpu"): 2,
    }


def test_the_costs_are_the_operations_that_found_nothing_to_do(outcome: Outcome) -> None:
    """Each ran on two pages in six states; CIVAC also before each of the 108 rows and states."""
    counted = {
        cost["function"].removeprefix("operation_"): (cost["operations"], cost["lines"])
        for cost in costs(outcome.probe.costs(), outcome.board.image)
    }
    assert counted == {"ivac": (12, 4), "cvac": (12, 8), "civac": (12 + 108, 4)}


def test_an_image_without_a_shell_never_closes_the_gate(outcome: Outcome) -> None:
    """There is no command, and nothing is ready."""
    assert not outcome.probe.gate_closed
    records = outcome.probe.records(outcome.probe.ring_reset, outcome.probe.ring_head)
    kinds = {record.kind for record in records}
    assert kinds == {Kind.RESET, Kind.DMAGO, Kind.INSTRUCTION, Kind.FINDING}
    assert {record.command for record in records} == {0}


def test_silicon_without_caches_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one view, the image says so: its verdict is not always the same."""
    board = Board("virt-a53-coherent", image=IMAGE)
    with selftest(board, tmp_path / "console", monkeypatch) as outcome:
        assert outcome.printed[-1] == "fail"
        assert outcome.printed[1] == "DSB    cpu AABDDD  memory AABDDD  WRONG"


def test_another_cache_than_the_cpu_has_is_refused() -> None:
    """Also where the image has nothing to do with the shim."""
    machine = load("virt-a53")
    assert machine.cache
    wrong = machine.model_copy(update={"cache": machine.cache.model_copy(update={"ways": 8})})
    said = r"cache-ways=16, but .*,cache-ways=8 is what was given"
    with pytest.raises(WrongCacheError, match=said), Board(wrong, image=IMAGE):
        pass
