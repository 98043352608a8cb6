# SPDX-License-Identifier: Apache-2.0
"""Which start of which device a store must be ordered before (starts.c)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, Device, build_image
from dmav3.errors import UsageError
from dmav3.machine.description import Device as PciDevice

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("starts.c")
WIDE = ("dma_mask=0xffffffff",)
STATUS = 0x98
LONG = 200_000_000  # ns: longer than a transfer of `edu`


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program."""
    return build_image(SOURCE, output=tmp_path_factory.mktemp("starts") / "starts.elf")


@pytest.fixture(scope="module")
def plain(image: Path) -> Iterator[Board]:
    """Start a board whose devices have no doorbells."""
    edu = PciDevice(model="edu", options=WIDE)
    with Board(image=image, devices=[edu, edu], judge=False) as board:
        yield board


@pytest.fixture(scope="module")
def ringing(image: Path) -> Iterator[Board]:
    """Start a board that knows the doorbells."""
    edu = PciDevice(model="edu", options=WIDE, doorbells=(STATUS,))
    with Board(image=image, devices=[edu, edu], judge=False) as board:
        yield board


def found(board: Board, command: str, argument: int = 0) -> list[tuple[str, int | None]]:
    """Return kinds and lines of what a command of a fresh board gives."""
    board.reset()
    board.call("open")
    board.call(command, argument)
    board.wait(LONG)
    return [
        (finding.kind, finding.cpu.line if finding.cpu else None) for finding in board.findings()
    ]


def race(command: str) -> list[tuple[str, int | None]]:
    """Return the finding at the marked line."""
    lines = SOURCE.read_text().splitlines()
    (number,) = (n for n, text in enumerate(lines, 1) if f"RACE {command} " in text)
    return [("missing-barrier", number)]


def test_the_start_of_another_device_serves_nobody_else(plain: Board) -> None:
    """What raced with a doorbell is found, though another device was started behind a barrier."""
    assert found(plain, "ring_and_touch", 1) == race("ring_and_touch")


def test_without_doorbells_the_last_store_to_a_bar_is_the_start(plain: Board) -> None:
    """A known difference: whoever stores to another register behind a barrier is forgiven."""
    assert found(plain, "ring_and_touch", 0) == []


def test_with_doorbells_only_they_are_starts(ringing: Board) -> None:
    """The store to another register changes nothing: what raced with the doorbell is found."""
    assert found(ringing, "ring_and_touch", 0) == race("ring_and_touch")


@pytest.mark.parametrize("command", ["fill_and_ring", "give_and_ring"])
def test_a_clean_without_a_barrier_is_named_with_its_store(plain: Board, command: str) -> None:
    """The line is that of the function which has both: there the barrier belongs."""
    assert found(plain, command) == race(command)
    (finding,) = plain.findings()
    where = {"fill_and_ring": "FillAndRing", "give_and_ring": "Give"}[command]
    assert f"; the clean that no barrier orders was in {where} (" in finding.text
    assert finding.cpu
    assert finding.cpu.function == where


def test_a_channel_is_judged_by_its_own_start(plain: Board) -> None:
    """A start of another channel, behind a barrier, does not hide what the first one raced with."""
    plain.channel(7).burst_interval_ns = 10000
    assert found(plain, "two_channels") == race("two_channels")


def test_a_load_behind_a_status_needs_no_barrier_here(plain: Board) -> None:
    """A known difference: silicon wants one between; the emulated CPU executes in order."""
    assert found(plain, "poll_uncached") == []
    assert found(plain, "poll_and_load", 1) == []
    assert [kind for kind, _ in found(plain, "poll_and_load", 0)] == ["missing-barrier"]


class Reader(Device):
    """Reads memory when time has passed; the last store to a register is its start."""

    SIZE = 8

    def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
        """Begin, at the first register."""
        if offset == 0:
            self.after(1000, lambda: self.dma_read(value, 1))


class Rung(Reader):
    """Has a doorbell."""

    DOORBELLS = (0,)


@pytest.mark.parametrize("kind", [Reader, Rung])
def test_a_device_written_in_python(image: Path, kind: type[Reader]) -> None:
    """With a doorbell only that is a start; without, the last store to a register is."""
    with Board(image=image, devices=[kind()], judge=False) as board:
        board.call("ring_remote")
        board.wait(5000)
        found = [(one.kind, one.cpu.line if one.cpu else None) for one in board.findings()]
        assert found == (race("ring_remote") if kind is Rung else [])


def test_a_doorbell_must_be_in_bar_0(image: Path) -> None:
    """The message has the value, the size of the BAR, and what would work."""
    words = "devices.0.doorbells.1 .* is 0x100000, outside of BAR 0 of 'edu', which has 0x100000"
    for removable in (False, True):
        wrong = PciDevice(model="edu", doorbells=(STATUS, 0x100000), removable=removable)
        with pytest.raises(UsageError, match=words), Board(image=image, devices=[wrong]):
            pass
    none = PciDevice(model="pci-bridge", options=("chassis_nr=9", "shpc=off"), doorbells=(8,))
    with pytest.raises(UsageError, match="which it does not have"), Board(devices=[none]):
        pass
