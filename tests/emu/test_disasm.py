# SPDX-License-Identifier: Apache-2.0
"""`dmav3 disasm` of a running board's memory and of a trace."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from microcode import Controller, copy
from person import status
from typer.testing import CliRunner

from dmav3 import Board
from dmav3.command.board_trace import board_trace
from dmav3.command.cli import app
from dmav3.evidence.probe import Kind
from dmav3.job.main import MainJob
from dmav3.job.run import RunOptions, run_main_job
from dmav3.job.stream import StreamPeripheral

if TYPE_CHECKING:
    from collections.abc import Iterator

    from person import Person

SIZE = 256


@pytest.fixture
def seen(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Return a board of this process that others can look at."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board(sockets=True, judge=False) as board:
        yield board


def disasm(*arguments: str) -> list[str]:
    """Run the command; return its lines."""
    done = CliRunner().invoke(app, ["disasm", *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.splitlines()


def started(board: Board, times: int = 1) -> tuple[int, int, int]:
    """Copy from a variable of the firmware to a buffer; return the program's address and these."""
    source, target = board.image.symbol("live_requests").address, board.memory.allocate(SIZE)
    controller = Controller(board)
    for _ in range(times):
        controller.start(copy(source, target.address, SIZE), 3)
    return controller.program_at, source, target.address


def test_the_memory_of_a_board_is_listed(seen: Board) -> None:
    """From the address to DMAEND and no further; what lies at an address has its name there."""
    assert seen.qemu.sockets
    at, source, target = started(seen)
    assert disasm("--board", seen.qemu.sockets.name, f"{at:#x}") == [
        f"{at:#010x}  {code:17}  {text}"
        for at, code, text in (
            (
                at,
                b"\xbc\x00".hex(" ") + " " + source.to_bytes(4, "little").hex(" "),
                f"DMAMOV SAR, {source:#x}  ; live_requests",
            ),
            (
                at + 6,
                b"\xbc\x02".hex(" ") + " " + target.to_bytes(4, "little").hex(" "),
                f"DMAMOV DAR, {target:#x}",
            ),
            (at + 12, "bc 01 77 c0 1d 00", "DMAMOV CCR, SAI SS64 SB8 DAI DS64 DB8"),
            (at + 18, "20 03", "DMALP LC0, 4"),
            (at + 20, "04", "  DMALD"),
            (at + 21, "08", "  DMAST"),
            (at + 22, "13", "  DMAWMB"),
            (at + 23, "38 03", f"DMALPEND LC0, {at + 20:#x}"),
            (at + 25, "00", "DMAEND"),
        )
    ]


def test_a_program_of_the_layer_is_listed(seen: Board) -> None:
    """By what the driver's calls have mapped."""
    MainJob(StreamPeripheral(seen, 32)).run(io.BytesIO(bytes(200)))
    at = next(one.a for one in seen.evidence.events.all() if one.kind == Kind.DMAGO)
    shown = disasm("--board", "virt-a53", f"{at:#x}")
    (target,) = [line for line in shown if "DMAMOV DAR" in line and "mapped" in line]
    assert target.endswith("; mapped by MapTransferEx")
    assert shown[-1].endswith("DMAEND")


def test_a_narrow_terminal_gets_no_bytes(seen: Board, person: Person) -> None:
    """So that a line is a line there, at 40 columns."""
    at, *_ = started(seen)
    terminal = person.dmav3("disasm", "--board", "virt-a53", f"{at + 6:#x}", columns=40)
    terminal.expect_exact(f"{at + 20:#010x}    DMALD\r\n")
    assert status(terminal) == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("here", "'here' is no address, such as 0x40a01000"),
        ("0x10", "bytes at 0x10 are not in RAM, which is 0x40000000 to"),
        ("0xffffffffffffffffff", "are not in RAM"),
        ("-1", "are not in RAM"),
    ],
)
def test_an_address_without_a_program_is_refused(seen: Board, address: str, said: str) -> None:
    """With what would do."""
    assert seen.qemu.sockets
    arguments = ["disasm", "--board", seen.qemu.sockets.name, "--", address]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_bytes_that_are_no_program_are_refused(seen: Board) -> None:
    """With what is there; and so is a board that does not run."""
    at = seen.memory.staging.start
    seen.stage(at, b"\xff")
    done = CliRunner().invoke(app, ["disasm", "--board", "virt-a53", f"{at}"])
    assert (done.exit_code, done.stderr) == (
        2,
        f"dmav3: no program begins at {at:#x}: ff is no instruction\n",
    )
    done = CliRunner().invoke(app, ["disasm", "--board", "vax", f"{at}"])
    assert (done.exit_code, "no board 'vax' is running" in done.stderr) == (2, True)


def test_a_trace_is_listed_with_counts(seen: Board, tmp_path: Path) -> None:
    """What `dmav3 trace` prints: three starts of one program are one, each round is counted."""
    at, source, _ = started(seen, times=3)
    file = tmp_path / "trace.txt"
    file.write_text("\n".join(board_trace(None, None)))
    heading, *lines = disasm("--trace", str(file))
    assert heading == f"channel 3, started at {at:#010x} 3 times"
    assert lines[0] == f"{at:#010x}       3x  DMAMOV SAR, {source:#x}"
    assert lines[3:] == [
        f"{at + 18:#010x}       3x  DMALP LC0, 4",
        f"{at + 20:#010x}      12x    DMALD",
        f"{at + 21:#010x}      12x    DMAST",
        f"{at + 22:#010x}      12x    DMAWMB",
        f"{at + 23:#010x}      12x  DMALPEND LC0, {at + 20:#x}",
        f"{at + 25:#010x}       3x  DMAEND",
    ]
    named = disasm("--trace", str(file), "--image", str(seen.image.path))
    assert named[1] == f"{lines[0]}  ; live_requests"


def test_the_folder_of_a_run_is_listed(tmp_path: Path) -> None:
    """Its trace, by the names of its image."""
    (tmp_path / "input").write_bytes(bytes(range(256)) * 4)
    options = RunOptions(
        "virt-a53", tmp_path / "input", firmware_bug="no-invalidate", artefacts=tmp_path / "kept"
    )
    report = run_main_job(options, lambda _: lambda _: None)
    assert report.folder is not None
    lines = disasm("--trace", report.folder)
    assert [line for line in lines if line.startswith("channel 0, started at ")]
    assert [line for line in lines if re.search("[0-9]x {4,}DMAST", line)]
    assert [line for line in lines if re.search("DMAMOV SAR, .*; mapped by MapTransferEx$", line)]
    events = Path(report.folder) / "events.jsonl"
    events.write_text(events.read_text() + '{"kind": "\\u001b[2J"}\n')
    done = CliRunner().invoke(app, ["disasm", "--trace", report.folder])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert r"""events.jsonl has "{'kind': '\\x1b[2J'}"..., which is no record""" in done.stderr


def test_hostile_names_of_an_image_do_not_reach_the_terminal(seen: Board, tmp_path: Path) -> None:
    """They are spelled out, wherever the program is from."""
    at, _, _ = started(seen)
    hostile = tmp_path / "hostile.elf"
    image = seen.image.path.read_bytes()
    hostile.write_bytes(image.replace(b"\0live_requests\0", b"\0live\x1b[2Juests\0"))
    shown = disasm("--board", "virt-a53", f"{at:#x}", "--image", str(hostile))
    assert shown[0].endswith(r"; live\x1b[2Juests")
