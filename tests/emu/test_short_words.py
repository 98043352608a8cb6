# SPDX-License-Identifier: Apache-2.0
"""The short words of `dmav3 qmp`: what they print is what the board has, and looking is neutral."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from microcode import Controller, copy
from person import ask, status

from dmav3 import Board
from dmav3.command.short_words import ShortWords
from dmav3.errors import UsageError
from dmav3.evidence.probe import Kind
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.qemu.running import find

if TYPE_CHECKING:
    from pathlib import Path

    from person import Person

    from dmav3.evidence.probe import Record

SIZE = 256
LOOKS = ("pl330", "dirty", "stale", "findings", "calls")


def words(board: Board, columns: int | None = None) -> ShortWords:
    """Return the words for a board, through its own monitor."""
    return ShortWords(find(), board.qmp, columns)


def dumped(lines: list[str]) -> tuple[bytes, bytes, int]:
    """Return what dumps show of both views, and how many bytes are marked in them."""
    rows = [line[12:] for line in lines if line[:12].endswith("  ") and line[:2] == "0x"]
    halves = [(row[: 3 * 8], row[3 * 8 :]) for row in rows]
    left, right = (
        bytes.fromhex("".join(half[n] for half in halves).replace("*", " ")) for n in (0, 1)
    )
    return left, right, sum(row.count("*") for row in rows) // 2


def test_cache_shows_states_and_both_views(seen: Board) -> None:
    """Bytes that were stored and not cleaned differ, each is marked; after a clean none is."""
    buffer = seen.memory.allocate(SIZE)
    seen.fill(buffer, 0x5A)
    shown = words(seen).run(f"cache {buffer.address:#x} {SIZE}")
    assert shown[0] == f"line {buffer.address:#010x}: valid, dirty, unclean"
    assert dumped(shown) == (b"\x5a" * SIZE, bytes(SIZE), SIZE)
    assert shown[2].startswith(f"{buffer.address:#010x}  5a*5a*")
    seen.request("clean", buffer.address, SIZE)
    shown = words(seen).run(f"cache {buffer.address:#x} {SIZE}")
    assert "dirty" not in "".join(shown)
    assert dumped(shown) == (b"\x5a" * SIZE, b"\x5a" * SIZE, 0)


def test_cache_takes_a_variable_and_ends_with_its_line(seen: Board) -> None:
    """Without a length it is what is left of the line; a length may go over several."""
    symbol = seen.image.symbol("live_requests")
    (first, *_) = words(seen).run("cache live_requests")
    line = symbol.address - symbol.address % 64
    assert first.startswith(f"line {line:#010x}: ")
    left, right, _ = dumped(words(seen).run("cache live_requests"))
    assert left == seen.cpu.read(symbol.address, line + 64 - symbol.address)
    assert right == seen.dram.read(symbol.address, line + 64 - symbol.address)
    left, _, _ = dumped(words(seen).run("cache live_requests 100"))
    assert left == seen.cpu.read(symbol.address, 100)


def test_dirty_and_stale_list_the_lines(seen: Board) -> None:
    """Those that the CPU stored to, and those that a device wrote, by ranges."""
    source, target = seen.memory.allocate(SIZE), seen.memory.allocate(4 * SIZE)
    seen.fill(source, 1)
    assert f"{source.address:#010x}  4 lines" in words(seen).run("dirty")
    seen.request("clean", source.address, SIZE)
    assert str(hex(source.address)) not in "".join(words(seen).run("dirty"))
    assert words(seen).run("stale") == ["none"]
    Controller(seen).start(copy(source.address, target.address + SIZE, SIZE))
    assert words(seen).run("stale") == [f"{target.address + SIZE:#010x}  4 lines"]


def test_what_was_mapped_is_named(seen: Board) -> None:
    """By the routine that did it, and how far in it the line begins."""
    MainJob(StreamPeripheral(seen, 32)).run(io.BytesIO(bytes(200)))
    first = next(one for one in seen.evidence.events.all() if one.kind == Kind.RANGE)
    (line, *_) = words(seen).run(f"cache {first.b}")
    assert line.endswith("  mapped by MapTransferEx")
    (line, *_) = words(seen).run(f"cache {first.b + 64}")
    assert line.endswith("  mapped by MapTransferEx, byte 64")
    (line, *_) = words(seen).run(f"cache {first.b + 256}")
    assert "mapped" not in line


def test_a_machine_without_a_cache_says_so(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are shown, no line is dirty, and channels are there as elsewhere."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board("virt-a53-coherent", sockets=True) as board:
        buffer = board.memory.allocate(64)
        board.fill(buffer, 7)
        first, *rows = words(board).run(f"cache {buffer.address} 64")
        assert first == "no cache is modelled: the CPU sees what devices see"
        assert dumped(rows) == (b"\x07" * 64, b"\x07" * 64, 0)
        assert words(board).run("dirty") == words(board).run("stale") == ["none"]
        assert words(board).run("pl330") == ["not started yet: 0, 1, 2, 3, 4, 5, 6, 7"]


def test_a_channel_is_held_stepped_and_released(seen: Board) -> None:
    """Before its first burst, a burst on, to its end; each time it is shown where it is."""
    source, target = seen.memory.allocate(SIZE), seen.memory.allocate(SIZE)
    seen.stage(seen.memory.staging.start + 4096, bytes(range(256)))
    assert words(seen).run("pl330") == ["not started yet: 0, 1, 2, 3, 4, 5, 6, 7"]
    assert words(seen).run("hold 2") == ["channel 2 will be held before burst 1"]
    program = copy(seen.memory.staging.start + 4096, target.address, SIZE)
    controller = Controller(seen)
    controller.start(program, 2)
    at = controller.program_at
    shown = words(seen).run("pl330")
    assert shown == [
        "channel 2: executing, held",
        f"  pc  {at + 20:#010x}  DMALD",
        f"  SAR {seen.memory.staging.start + 4096:#010x}  {named(seen, 4096)}".rstrip(),
        f"  DAR {target.address:#010x}",
        "  CCR SAI SS64 SB8 DAI DS64 DB8",
        "  0 bursts begun",
        "not started yet: 0, 1, 3, 4, 5, 6, 7",
    ]
    shown = words(seen).run("step 2")
    assert shown[0] == "channel 2: executing, held"
    assert shown[2].startswith(f"  SAR {seen.memory.staging.start + 4096 + 64:#010x}")
    assert shown[3] == f"  DAR {target.address + 64:#010x}"
    assert shown[5] == "  1 bursts begun"
    assert words(seen).run("step 2 2")[5] == "  3 bursts begun"
    assert seen.dram.read(target.address, SIZE) == bytes(range(192)) + bytes(64)
    assert words(seen).run("release 2") == ["channel 2 goes on when model time passes"]
    controller.settle(2)
    assert words(seen).run("pl330")[0] == "channel 2: stopped"
    assert words(seen).run("pl330")[5] == "  4 bursts begun"
    assert seen.dram.read(target.address, SIZE) == bytes(range(256))
    assert source.address not in {one.a for one in seen.evidence.events.all()}


def named(board: Board, offset: int) -> str:
    """Return what lies in the staging window, as the firmware calls it."""
    return board.image.named(board.memory.staging.start + offset)


def test_a_running_channel_is_held_before_its_next_burst(seen: Board) -> None:
    """Or before the one that is named; one that it has come past is refused with where it is."""
    target = seen.memory.allocate(SIZE)
    words(seen).run("hold 0 2")
    Controller(seen).start(copy(seen.memory.staging.start + 4096, target.address, SIZE))
    assert words(seen).run("pl330")[5] == "  1 bursts begun"
    with pytest.raises(UsageError, match=r"hold 0 1: .* channel 0 has come to 2 already"):
        words(seen).run("hold 0 1")
    assert words(seen).run("hold 0") == ["channel 0 will be held before burst 3"]
    words(seen).run("release 0")
    Controller(seen).settle()
    assert words(seen).run("pl330")[5] == "  2 bursts begun"


def test_findings_and_calls_are_those_of_the_evidence(seen: Board) -> None:
    """The same sentences that a test of its own process gets."""
    buffer = seen.memory.allocate(64)
    Controller(seen).start(copy(seen.memory.staging.start, buffer.address, 64))
    seen.read(buffer)
    adapter = seen.IoGetDmaAdapter(DmaChannel=0)
    assert adapter is not None
    (found,) = words(seen).run("findings")
    assert found.startswith(f"stale-cpu-read at {buffer.address:#x}, ")
    assert "byte 0 of buffer 1" not in found  # the name of a buffer is known in the test alone
    calls = [replace(call, place="") for call in seen.evidence.calls()]  # as lines of tests are
    assert words(seen).run("calls") == [call.line() for call in calls]
    assert words(seen).run("calls")[0].startswith("IoGetDmaAdapter(")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pl330 0", "'pl330 0': it is `pl330`, such as `pl330`"),
        ("cache", "'cache': it is `cache ADDR [LEN]`, such as `cache 0x41280000 64`"),
        ("cache banana", "'banana' is neither an address, such as 0x41280000, nor a variable of"),
        ("cache 0x1000", "64 bytes at 0x1000 are not in RAM, which is 0x40000000 to "),
        (
            "cache 0x40000000 0",
            "LEN is '0': a number from 1 to 4096, such as `cache 0x40000000 64`",
        ),
        ("cache 0x40000000 many", "LEN is 'many': a number from 1 to 4096"),
        ("hold", "'hold': it is `hold CHANNEL [BURST]`, such as `hold 0 3`"),
        ("hold 8", "hold: CHANNEL is '8': a number from 0 to 7, such as `hold 0`"),
        ("hold 0 -1", "hold: BURST is '-1': a number from 1 to "),
        ("step 3", "step 3: channel 3 is not held; `hold 3` holds it before its next burst"),
        ("step 0 x", "channel 0 is not held"),
        ("release 3", "release 3: channel 3 is not held; `hold 3` "),
        ("help me", "help 'me': the words are pl330, cache, dirty, "),
        ("cache \x1b[2Jx", r"'\x1b[2Jx' is neither an address"),
    ],
)
def test_a_wrong_line_is_refused_with_one_that_works(seen: Board, line: str, said: str) -> None:
    """By one sentence that names the value."""
    with pytest.raises(UsageError) as caught:
        words(seen).run(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_word_has_its_help(seen: Board) -> None:
    """All in one list, each alone with a line that works."""
    known = words(seen)
    assert [line.split()[0].rstrip(":") for line in known.run("help")] == known.names
    for name in known.names:
        first, example = known.run(f"help {name}")
        assert first in known.run("help")
        assert known.knows(example.removeprefix("such as `").rstrip("`"))


def test_looking_changes_nothing(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event log is that of the run which nobody looked at."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))

    def run(*looks: str) -> list[Record]:
        with Board(sockets=True, judge=False) as board:
            source, target = board.memory.allocate(SIZE), board.memory.allocate(SIZE)
            board.channel(0).burst_interval_ns = 50_000
            board.fill(source, 1)
            Controller(board).begin(copy(source.address, target.address, SIZE), 0)
            for _ in range(8):
                for look in looks:
                    words(board).run(look)
                board.wait(30_000)
            board.read(target)
            return board.evidence.events.complete()

    untouched = run()
    assert Kind.FINDING in {record.kind for record in untouched}
    assert run(*LOOKS, "cache 0x41280000 256", "help") == untouched


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_the_terminal(seen: Board, columns: int) -> None:
    """None is wider, unless it is one word; and none of what a pipe gets is missing."""
    buffer = seen.memory.allocate(SIZE)
    seen.fill(buffer, 1)
    words(seen).run("hold 0 2")
    Controller(seen).start(copy(buffer.address, seen.memory.allocate(SIZE).address, SIZE))
    seen.IoGetDmaAdapter(DmaChannel=0)
    for line in (*LOOKS, f"cache {buffer.address} 100", "help", "help cache", "hold 1"):
        narrow, whole = words(seen, columns).run(line), words(seen).run(line)
        for one in narrow:
            assert len(one) <= columns or " " not in one.strip(), one
        if line.startswith("cache"):  # a row of a dump is one line
            assert {one.split()[0] for one in narrow} == {
                "line",
                "CPU",
                *(one.split()[0] for one in narrow if one.startswith("0x")),
            }
        if not line.startswith("cache"):
            assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(whole).split())


def test_a_person_types_words_between_commands(person: Person) -> None:
    """On a terminal of 40 columns; a mistake is told and the shell goes on."""
    console = person.console(columns=200)
    shell = person.dmav3("qmp", columns=40)
    shell.expect_exact("(QEMU) ")

    def qmp(line: str) -> str:
        return ask(shell, line, r"\(QEMU\) ")

    assert qmp("hold 1") == "channel 1 will be held before burst 1"
    assert qmp("query-status").startswith('{"return": {"status": "running"')
    assert "error: hold: CHANNEL is 'x'" in qmp("hold x")
    assert qmp("stale") == "none"
    assert all(len(line) <= 40 for line in qmp("help").split("\n"))
    assert "not started yet: 0, 1, 2, 3, 4, 5, 6, 7" in " ".join(qmp("pl330").split())
    shell.sendeof()
    assert status(shell) == 0
    console.sendeof()
    assert status(console) == 0


def test_a_pipe_gets_answers_alone(seen: Board, person: Person) -> None:
    """No prompt, no banner, no escape; status 1 if a word was refused, else 0."""
    assert seen.qemu.sockets
    done = person.piped("qmp", lines="stale\n\nquery-status\nhold 3\n")
    answers = ["none", '{"return": {"status": "running", "running": true}}']
    assert done.stdout.splitlines() == [*answers, "channel 3 will be held before burst 1"]
    assert done.returncode == 0
    assert "and short words, such as\n  pl330\n  help" in done.stderr
    done = person.piped("qmp", lines="cache \x1b[31mred\nstale\n")
    said, stale = done.stdout.splitlines()
    assert said.startswith(r"error: cache: '\x1b[31mred' is neither an address")
    assert (stale, done.returncode) == ("none", 1)


def test_a_monitor_that_does_not_answer_is_told(seen: Board, person: Person) -> None:
    """Within the deadline, and with status 3."""
    person.environment["DMAV3_DEADLINE"] = "2"
    command = [sys.executable, "-m", "dmav3", "qmp"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=person.environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe
    ) as shell:
        assert shell.stdin
        assert shell.stdout
        print("stale", file=shell.stdin, flush=True)
        assert shell.stdout.readline() == "none\n"
        os.kill(seen.qemu.pid, signal.SIGSTOP)
        try:
            _, said = shell.communicate("pl330\n", timeout=60)
        finally:
            os.kill(seen.qemu.pid, signal.SIGCONT)
    assert said.splitlines()[-1] == ("dmav3: no answer to `the monitor of virt-a53` within 2 s")
    assert shell.returncode == 3


def test_hostile_names_of_an_image_do_not_reach_the_terminal(
    person: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name with control bytes is spelled out."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    image = Board().image
    variable = next(
        one for one in image._variables[1] if not one.address % 64 and len(one.name) > 6
    )
    name = b"\0" + variable.name.encode() + b"\0"
    spoilt = b"\0\x1b[2J" + name[5:]
    hostile = tmp_path / "hostile.elf"
    hostile.write_bytes(image.path.read_bytes().replace(name, spoilt))
    with Board(image=hostile, sockets=True) as board:
        assert board.image.named(variable.address).startswith("\x1b[2J")
        (shown, *_) = words(board).run(f"cache {variable.address}")
        assert shown.endswith("\\x1b[2J" + variable.name[4:])
