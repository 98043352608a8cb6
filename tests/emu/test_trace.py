# SPDX-License-Identifier: Apache-2.0
"""The trace: what the channels executed, never at the cost of the rest of the log."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from microcode import COPY_64, END, INTEN, LD, ST, WMB, Controller, copy, loop, mov, send_event
from person import ask, status

from dmav3 import Board
from dmav3.command.board_trace import board_trace as trace_of
from dmav3.errors import ClosedError, InfrastructureError, UsageError
from dmav3.evidence.probe import Kind
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral

if TYPE_CHECKING:
    from pathlib import Path

    from person import Person

    from dmav3.evidence.probe import Record

DEVICE = "/machine/peripheral/dmav3"
ALLOWANCE = 16384


def instructions(board: Board) -> list[Record]:
    """Return the instructions in the event log."""
    return [record for record in board.evidence.events.all() if record.kind == Kind.INSTRUCTION]


def busy(board: Board, rounds: int) -> int:
    """Let channel 0 execute many instructions; return how many, without the first two."""
    at = board.memory.staging.start + 4096
    body = loop(256, LD + ST + WMB)
    program = mov(0, at) + mov(2, at) + mov(1, COPY_64 & ~(1 << 14 | 1))
    program += bytes([0x22, rounds - 1]) + body + bytes([0x3C, len(body)]) + END
    Controller(board).start(program)
    board.wait(50_000_000)  # it may be more than a slice
    return 3 + 1 + rounds * (1 + 256 * 4 + 1) + 1


def test_a_short_run_is_traced_without_being_asked(board: Board) -> None:
    """Every instruction with its time, place and burst; events tell whether they interrupt."""
    source, target = board.memory.allocate(64), board.memory.allocate(64)
    controller = Controller(board)
    controller.write(INTEN, 1 << 9)
    program = mov(0, source.address) + mov(2, target.address) + mov(1, COPY_64)
    controller.start(program + LD + ST + WMB + send_event(9) + send_event(10) + END, 3)
    records = instructions(board)
    at = controller.program_at
    assert [(record.id, record.a - at, record.e) for record in records] == [
        (3, 0, 0),
        (3, 6, 0),
        (3, 12, 0),
        (3, 18, 0),
        (3, 19, 0),
        (3, 20, 0),
        (3, 21, 1),
        (3, 23, 0),
        (3, 25, 0),
    ]
    assert [(record.c, record.d) for record in records if record.d] == [
        (source.address, 64),
        (target.address, 64),
    ]
    text = board.evidence.trace(3)
    assert len(text) == 1 + 1 + 9
    assert text[2].endswith(f"{at:#010x}  DMAMOV SAR, {source.address:#x}")
    assert text[5].endswith(f"DMALD                   reads 64 bytes at {source.address:#x}")
    assert text[8].endswith("DMASEV E9               interrupts the CPU")
    assert text[9].endswith("DMASEV E10")
    assert len(board.evidence.trace(2)) == 1


def test_a_long_run_does_not_push_out_the_rest_of_the_log(board: Board) -> None:
    """The trace ends itself, says what it left out, and begins anew after a reset."""
    with board.expect("stale-cpu-read"):
        buffer = board.memory.allocate(64)
        Controller(board).start(copy(board.memory.staging.start, buffer.address, 64))
        board.read(buffer)
    before = len(instructions(board))
    count = busy(board, 64)
    assert count > 65536
    assert len(instructions(board)) == ALLOWANCE
    assert board.evidence.events.untraced == count + before - ALLOWANCE
    assert board.qmp.get("trace-lost") == board.evidence.events.untraced
    assert board.evidence.events.lost == 0
    assert Kind.FINDING in {record.kind for record in board.evidence.events.all()}
    assert board.evidence.trace()[-1].startswith(
        f"... {board.evidence.events.untraced} more instructions"
    )
    with pytest.raises(InfrastructureError, match=r"not complete: 0 .*comparison is inconclusive"):
        board.evidence.events.complete()
    board.reset()
    assert board.evidence.events.untraced == 0
    count = busy(board, 1)
    assert len(instructions(board)) == count
    assert board.evidence.events.complete() == board.evidence.events.all()


def test_an_overflowing_ring_is_counted_and_said(board: Board) -> None:
    """Who asks for more than the ring holds loses the oldest records, and knows how many."""
    board.qmp.set("trace-instructions", 1_000_000)
    written = busy(board, 80)
    board.evidence.probe.settle()
    written = board.evidence.probe.ring_head - board.evidence.probe.ring_reset
    assert board.qmp.get("ring-lost") == written - 65536
    assert len(board.evidence.events.all()) + board.evidence.events.lost == written
    assert board.evidence.events.lost > 0
    assert board.evidence.events.untraced == 0
    assert board.evidence.trace()[1].startswith(f"... {board.evidence.events.lost} records")
    with pytest.raises(
        InfrastructureError, match=f"{board.evidence.events.lost} records were overwritten"
    ):
        board.evidence.events.complete()


def test_the_trace_can_be_switched(board: Board) -> None:
    """Off nothing is recorded or counted; on again it has a new share."""
    board.qmp.set("trace", 0)
    busy(board, 1)
    assert (instructions(board), board.evidence.events.untraced) == ([], 0)
    board.qmp.set("trace-instructions", 10)
    board.qmp.set("trace", 1)
    count = busy(board, 1)
    assert len(instructions(board)) == 10
    assert board.evidence.events.untraced == count - 10
    board.qmp.set("trace", 1)
    assert board.evidence.events.untraced == 0


def test_a_board_without_a_trace() -> None:
    """Asked for from Python."""
    with Board(trace=False) as board:
        busy(board, 1)
        assert instructions(board) == []


def test_the_main_job_is_traced_as_far_as_it_goes(board: Board) -> None:
    """Its own evidence, the operation log, is complete all the same."""
    job = MainJob(StreamPeripheral(board, 32))
    job.run(io.BytesIO(bytes(20_000)))
    assert board.evidence.events.lost == 0
    assert board.evidence.events.untraced > 0
    assert [step.routine for step in job.steps()].count("MapTransferEx") == 2


def test_the_first_fetch_has_its_channel(board: Board) -> None:
    """A program that the controller fetches out of DRAM while it is dirty in the cache."""
    program = board.memory.allocate(64, name="program")
    board.request("clean_invalidate", program.address, 64)
    controller = Controller(board)
    controller.program_at = program.address
    with board.expect("stale-device-read"):
        controller.start(END, 5)
    (finding,) = board.findings()
    assert finding.device is not None
    assert (finding.device.channel, finding.device.microcode) == (5, f"{program.address:#x}")
    assert "channel 5 fetched its program there" in finding.text


def test_a_channel_that_does_not_exist_has_no_trace(board: Board) -> None:
    """The number is said."""
    with pytest.raises(UsageError, match="channel 8 does not exist"):
        board.evidence.trace(8)


class TestCommand:
    """`dmav3 trace` and `dmav3 run --trace`."""

    def test_of_a_board_that_runs(self, person: Person) -> None:
        """What the console's board did, from another terminal."""
        console = person.console()
        pokes = ("0x0b000d08 32 0x03a00000", "0x0b000d0c 32 0x40600000", "0x0b000d04 32 0")
        for line in pokes:
            assert ask(console, f"poke {line}") == "ok"
        done = person.piped("trace")
        assert done.returncode == 0
        heading, start, end = done.stdout.splitlines()
        assert heading.split() == ["time", "ns", "command", "ch", "address", "instruction"]
        assert start.endswith("-- DMAGO starts it")
        assert end.split()[2:] == ["3", "0x40600000", "DMAEND"]
        assert person.piped("trace", "--channel", "2").stdout.splitlines() == [heading]
        assert "channel 9" in person.piped("trace", "--channel", "9").stderr
        console.sendeof()
        assert status(console) == 0

    def test_of_no_board(self, person: Person) -> None:
        """Status 2."""
        done = person.piped("trace")
        assert (done.returncode, "no board is running" in done.stderr) == (2, True)

    def test_of_a_run(self, person: Person, tmp_path: Path) -> None:
        """The file has the first instructions; the report says that there were more."""
        source, file = tmp_path / "input", tmp_path / "trace.txt"
        source.write_bytes(bytes(8192))
        done = person.piped("run", "--input", str(source), "--trace", str(file))
        assert done.returncode == 0
        text = file.read_text().splitlines()
        assert sum(" DMASTPS P1 " in line for line in text) == 2048
        left = text[-1].split()[1]
        assert (
            f"the last {left} instructions of the DMA controller were not recorded" in done.stdout
        )

    def test_a_file_that_cannot_be_written(self, person: Person, tmp_path: Path) -> None:
        """Nothing is started; status 2."""
        file = tmp_path / "no" / "trace.txt"
        done = person.piped("run", "--input", __file__, "--trace", str(file))
        assert (done.returncode, f"{file} cannot be written" in done.stderr) == (2, True)


def test_a_board_that_has_just_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is gone."""
    monkeypatch.setattr("dmav3.command.board_trace.find", lambda _: _Gone())
    with pytest.raises(ClosedError, match="cannot be looked into"):
        trace_of(None, None)


class _Gone:
    board, probe = "virt-a53", "/proc/0/fd/0"
