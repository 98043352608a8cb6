# SPDX-License-Identifier: Apache-2.0
"""A machine with QEMU's own PL330, bare: it moves bytes, and what it has not is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from microcode import COPY_64, END, LD, ST, Controller, copy, mov, two
from test_time import STREAM, start_write, transmitter

from dmav3 import Board
from dmav3.command.short_words import ShortWords
from dmav3.errors import MonitorError, UsageError
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.machine import load
from dmav3.qemu.running import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from person import Person

DEFAULT = Path(__file__).parents[2] / "qemu-machines" / "virt-a53.yaml"
HOLE = 0x0F800000


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a description of the default machine with the other controller."""
    file = tmp_path_factory.mktemp("rival") / "rival.yaml"
    lines = [line for line in DEFAULT.read_text().splitlines() if "nonsecure_base" not in line]
    text = "\n".join(lines).replace("name: virt-a53", "name: rival")
    file.write_text(text.replace("    clock_hz: 200000000", "    model: qemu"))
    return file


@pytest.fixture
def board(machine: Path) -> Iterator[Board]:
    """Return a board of it, with a trace that nobody fills."""
    with Board(load(machine), judge=False) as board:
        yield board


def test_the_main_job_is_right(board: Board) -> None:
    """Both ways, with interrupts, and without a finding."""
    data = bytes(range(251)) * 40
    outcome = MainJob(StreamPeripheral(board, 32)).run(io.BytesIO(data))
    assert len({digest.hexdigest() for digest in outcome.digests.values()}) == 1
    assert board.findings() == []
    assert board.evidence.trace() == board.evidence.trace(0)[:1]


def test_a_program_is_over_when_its_start_is(board: Board) -> None:
    """The very next access of the CPU finds all bytes there."""
    source, target = two(board, 4096)
    Controller(board).begin(copy(source.address, target.address, 4096))
    data = board.dram.read(source.address, 4096)
    assert board.dram.read(target.address, 4096) == data


def test_a_missing_clean_is_found(board: Board) -> None:
    """It sees what devices see; the finding names no channel."""
    source, target = two(board, 64)
    board.fill(source, 0x33)
    head = mov(0, source.address) + mov(2, target.address) + mov(1, COPY_64)
    Controller(board).begin(head + LD + ST + END)
    assert board.dram.read(target.address, 64) != b"\x33" * 64
    (finding,) = board.findings()
    assert (finding.kind, finding.count) == ("stale-device-read", 8)
    assert "the device was QEMU's own pl330" in finding.text


def test_an_error_of_the_bus_is_a_finding(board: Board) -> None:
    """The model ignores it, and ends."""
    controller = Controller(board)
    controller.begin(copy(HOLE, HOLE, 64))
    assert controller.state() == 0
    kinds = {(finding.kind, finding.address) for finding in board.findings()}
    assert kinds == {("bus-error", f"{HOLE:#x}")}
    assert "silicon's faults" in board.findings()[0].text


@pytest.mark.parametrize("name", ["held", "burst_interval_ns", "hold_at_burst", "hold_at_byte"])
def test_it_has_no_pace_and_no_holds(board: Board, name: str) -> None:
    """What asks for them is told why, and what would work."""
    with pytest.raises(MonitorError, match=r"QEMU's own PL330 executes .* `model: dmav3`"):
        getattr(board.channel(0), name)


def test_it_is_not_reset(board: Board) -> None:
    """It would keep too much; the board goes on."""
    with pytest.raises(UsageError, match=r"rival has QEMU's own PL330.*start a fresh board"):
        board.reset()
    assert board.request("ping")


def test_what_waits_is_told(board: Board) -> None:
    """Without a look at holds."""
    board.qmp.set("word-interval-ns", 1_000_000, STREAM)
    start_write(board, transmitter(board), 4096, [])
    (waits,) = board.waiting()
    assert "channel 0 waits for the stream device's request to transmit" in waits


def test_a_trace_is_refused(machine: Path, person: Person, tmp_path: Path) -> None:
    """Before anything starts."""
    file = tmp_path / "trace.txt"
    done = person.piped(
        *("run", "--machine", str(machine), "--input", __file__, "--trace", str(file))
    )
    assert done.returncode == 2
    assert "has QEMU's own PL330, which has no trace: leave --trace out" in done.stderr
    assert not file.exists()


def test_its_channels_cannot_be_seen(
    machine: Path, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of `dmav3 qmp` say so; those about the cache work."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board(load(machine), sockets=True) as board:
        words = ShortWords(find(), board.qmp, None)
        for line in ("pl330", "hold 0", "step 1"):
            with pytest.raises(UsageError, match=rf"{line}: .*QEMU's own PL330 .*`model: dmav3`"):
                words.run(line)
        assert words.run("stale") == ["none"]
