# SPDX-License-Identifier: Apache-2.0
"""gdb on a board that a person started, by the command that the console prints."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from person import adapter_of, ask, status

if TYPE_CHECKING:
    import pexpect
    from person import Person

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
