# SPDX-License-Identifier: Apache-2.0
"""gdb on a board that a person started, by the command that the console prints."""

from __future__ import annotations

import re
import shlex
import subprocess
from contextlib import contextmanager
from shutil import which
from typing import TYPE_CHECKING

from microcode import copy
from person import adapter_of, ask, status

from dmav3 import Board, build_image, deadline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pexpect
    from person import Person

    from dmav3.evidence.probe import Record

#: In the staging window.
PROGRAM = 0x40601000
PROMPT = r"\(gdb\) "


def gdb_of(person: Person, console: pexpect.spawn[str]) -> pexpect.spawn[str]:
    """Run the command that the console printed; nothing of the user's own settings."""
    printed = re.search(r"gdb: +(gdb-multiarch .*'target remote [^']+')", console.before or "")
    assert printed, console.before
    program, *arguments = shlex.split(printed[1])
    quiet = ("-q", "-nx", "-ex", "set pagination off", "-ex", "set style enabled off")
    gdb = person.terminal(program, *quiet, *arguments, columns=200)
    gdb.expect(PROMPT)
    return gdb


def opened(person: Person) -> tuple[pexpect.spawn[str], pexpect.spawn[str]]:
    """Return a console at its prompt and a gdb that is attached to its board."""
    console = person.dmav3("console", columns=200)
    console.expect_exact("Ctrl-D ends")
    gdb = gdb_of(person, console)
    console.expect("\n> ")
    return console, gdb


def test_gdb_breaks_in_map_transfer_ex(person: Person) -> None:
    """By the interface's name; it shows source and DMA_ADAPTER, goes on, and the answer comes."""
    console, gdb = opened(person)
    assert "Breakpoint 1 at" in ask(gdb, "break MapTransferEx", PROMPT)
    gdb.sendline("continue")
    gdb.expect_exact("Continuing.")
    adapter = adapter_of(console)
    console.sendline(f"MapTransferEx {adapter} 0 0 0 0 0 1 0 0 0 0")
    gdb.expect(PROMPT)
    assert "Breakpoint 1, dma_map_transfer_ex" in (gdb.before or "")
    assert "routine_enter(OPLOG_MapTransferEx" in (gdb.before or "")  # the source's line
    shown = ask(gdb, "print *DmaAdapter", PROMPT)
    assert "{Version = 1, Size = 16, DmaOperations = 0x" in shown
    assert f"(PDMA_ADAPTER) {adapter}" in ask(gdb, "print DmaAdapter", PROMPT)
    gdb.sendline("continue")
    console.expect("\n> ")
    assert "status=0xc000000d" in (console.before or "")
    gdb.sendintr()
    gdb.expect(PROMPT)
    assert "detached" in ask(gdb, "detach", PROMPT)
    gdb.sendline("quit")
    assert status(gdb) == 0
    assert ask(console, "ping") == "ok"
    console.sendeof()
    assert status(console) == 0


def test_model_time_stands_still_while_gdb_has_the_machine(person: Person) -> None:
    """The same commands take the same model time with a stop in the middle and without one."""
    commands = ("KeRaiseIrql 2", "KeGetCurrentIrql", "wait 1000")
    console, gdb = opened(person)
    ask(gdb, "break run_KeGetCurrentIrql", PROMPT)
    gdb.sendline("continue")
    gdb.expect_exact("Continuing.")
    ask(console, commands[0])
    console.sendline(commands[1])
    gdb.expect(PROMPT)
    gdb.sendline("delete")
    gdb.expect_exact("(y or n)")
    ask(gdb, "y", PROMPT)
    gdb.sendline("continue")
    console.expect("\n> ")
    with_stop = ask(console, commands[2])
    console.sendeof()
    assert status(console) == 0
    gdb.expect(PROMPT)  # it says that the target is gone
    gdb.sendline("quit")
    assert status(gdb) == 0
    undisturbed = person.console()
    assert with_stop == [ask(undisturbed, command) for command in commands][-1]
    undisturbed.sendeof()
    assert status(undisturbed) == 0


#: Starts channel 0, and counts how often it is seen to be at work.
POLLING = """\
#include <dmav3.h>
#include <dmav3_board.h>

#define PL330(offset) (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))

static __attribute__((noinline)) BOOLEAN Works(void)
{
    return (PL330(0x100) & 15) != 0;
}

static NTSTATUS Poll(const ULONGLONG *program, struct dmav3_reply *reply)
{
    ULONG rounds = 0;

    PL330(0xd08) = 0x00A00000;
    PL330(0xd0c) = (ULONG)*program;
    PL330(0xd04) = 0;
    while (Works()) {
        rounds++;
    }
    dmav3_reply_value(reply, "rounds", rounds);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(poll, "program", Poll);
"""
#: A hundred of each, and some of the others.
LOOKS = ["break Works", *["continue"] * 100, *["stepi"] * 100, *["next", "finish", "step"] * 10]


@contextmanager
def looked_at(board: Board, commands: list[str]) -> Iterator[None]:
    """Let gdb do this while the board works, and then leave it alone."""
    if not commands:
        yield
        return
    assert board.qemu.sockets
    before = ["set pagination off", "maintenance set target-async off"]
    attach = f"target remote {board.qemu.sockets.gdb}"
    words = [*before, attach, *commands, "delete", "detach"]
    arguments = [word for one in words for word in ("-ex", one)]
    gdb = subprocess.Popen(
        [str(which("gdb-multiarch")), "-q", "-nx", "-batch", str(board.image.path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with gdb:
        assert gdb.stdout
        while "Breakpoint 1 at" not in (line := gdb.stdout.readline()):
            assert line
        yield
        said = gdb.stdout.read()
    assert said.count("Breakpoint 1, Works") > 100
    assert gdb.returncode == 0


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """Breakpoints and steps beside a channel that is at work: the log is the untouched one."""
    source = tmp_path / "polling.c"
    source.write_text(POLLING)
    image = build_image(source, output=tmp_path / "polling.elf")

    def run(looks: list[str]) -> tuple[int, list[Record]]:
        with Board(image=image, sockets=True, judge=False) as board:
            first, second = (board.memory.allocate(512, align=64).address for _ in range(2))
            board.stage(PROGRAM, copy(first, second, 512))
            board.channel(0).burst_interval_ns = 10_000
            with looked_at(board, looks), deadline(60):
                rounds = board.call("poll", PROGRAM)["rounds"]
            return rounds, board.evidence.events.complete()

    untouched = run([])
    assert untouched[0] > 200
    assert run(LOOKS) == untouched
