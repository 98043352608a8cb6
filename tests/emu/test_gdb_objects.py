# SPDX-License-Identifier: Apache-2.0
"""`dmav3 gdb`: the commands that print the layer's objects, on a board that stands still."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from person import adapter_of, ask, status

from dmav3.job.run import RunOptions, run_main_job
from dmav3.qemu import gdb as in_gdb_beside
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from person import Person

    from dmav3 import Board
    from dmav3.dma import DmaAdapter, Mdl

#: More than the 16 KiB that lie together in the scatter window.
SIZE = 20000
COMMANDS = ("adapters", "requests", "mappings", "mdls", "lists")


def gdb(person: Person, command: str) -> str:
    """Let gdb carry out one command; return what it says of it."""
    done = person.piped("gdb", "--ex", command)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\n\n")[2] or done.stdout


def objects(person: Person, command: str) -> list[str]:
    """Return the lines of a command of ours."""
    done = person.piped("gdb", "--ex", "echo BEGIN\\n", "--ex", f"dmav3 {command}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.partition("BEGIN\n")[2].splitlines()[:-1]


@contextmanager
def mapped(board: Board) -> Iterator[tuple[DmaAdapter, Mdl, int]]:
    """Map a buffer of scattered pages by a list; give adapter, MDL and the list's address."""
    adapter = board.IoGetDmaAdapter(Master=True, ScatterGather=True, InterfaceType=5)
    assert adapter is not None
    buffer = board.memory.allocate(SIZE, region="scatter", align=4096, offset=100)
    mdl = board.dma.IoAllocateMdl(buffer.address, SIZE)
    board.dma.MmBuildMdlForNonPagedPool(mdl)
    context = board.dma.allocate_context()
    adapter.InitializeDmaTransferContext(context)
    with board.dma.irql(DISPATCH_LEVEL):
        made, address = adapter.GetScatterGatherListEx(
            context,
            mdl,
            Flags=DMA_SYNCHRONOUS_CALLBACK,
            WriteToDevice=True,
            ScatterGatherList=True,
        )
        assert made.success
        adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        yield adapter, mdl, address
        adapter.PutScatterGatherList(address, WriteToDevice=True)


def member(lines: list[str], name: str) -> str:
    """Return what a member's line says."""
    return next(line for line in lines if line.strip().startswith(f"{name} = ")).partition(" = ")[2]


def test_every_object_is_printed_by_name(seen: Board, person: Person) -> None:
    """Its address and members; where it was made; and none of them when it is gone."""
    with mapped(seen) as (adapter, mdl, address):
        shown = {command: objects(person, command) for command in COMMANDS}
        elements, pages = seen.dma.read_list(address), seen.dma.mdl_fields(mdl).pages
    assert shown["adapters"][0] == f"adapter {adapter.address:#x}"
    assert member(shown["adapters"], "master") == "true"
    assert member(shown["adapters"], "maker").startswith("IoGetDmaAdapter, called in ")
    request = shown["requests"][0].removeprefix("request ")
    assert member(shown["requests"], "state") in {"REQUEST_GRANTED", "REQUEST_SPENT"}
    assert member(shown["requests"], "adapter").startswith(f"{adapter.address:#x}")
    assert shown["mappings"][0].startswith("mapping 0x")
    assert member(shown["mappings"], "request").startswith(request)
    assert member(shown["mappings"], "length") == str(SIZE)
    assert member(shown["mappings"], "chain").startswith(f"{mdl.address:#x}")
    assert member(shown["mappings"], "maker").startswith("GetScatterGatherListEx, called in ")
    assert shown["mdls"][0] == f"MDL {mdl.address:#x}"
    assert member(shown["mdls"], "ByteCount") == str(SIZE)
    assert shown["lists"] == [
        f"list {address:#x} of request {request}: {len(elements)} elements",
        *(f"  {n}: {it.Address:#x}, {it.Length} bytes" for n, it in enumerate(elements)),
    ]
    assert len(elements) == 2
    assert member(shown["mdls"], "pages") == ", ".join(f"{page << 12:#x}" for page in pages)
    assert [objects(person, command) for command in ("requests", "mappings", "lists")] == [
        ["none"]
    ] * 3


def test_printing_changes_nothing(seen: Board, person: Person) -> None:
    """The board goes on as it would have."""
    with mapped(seen):
        before = seen.evidence.events.complete()
        for command in COMMANDS:
            objects(person, command)
        assert seen.evidence.events.complete() == before
        seen.request("ping")


def test_a_chain_that_was_overwritten_ends(seen: Board, person: Person) -> None:
    """Where it comes back to itself, and where it leads out of memory."""
    with mapped(seen):
        (first,) = [line for line in objects(person, "requests") if line.startswith("request ")]
        at = first.removeprefix("request ")
        loop = f"set ((struct request *) {at})->next_live = (struct request *) {at}"
        away = f"set ((struct request *) {at})->next_live = (struct request *) 0x7777777777"
        back = f"set ((struct request *) {at})->next_live = 0"
        done = person.piped("gdb", "--ex", loop, "--ex", "dmav3 requests")
        assert f"the chain comes back to {at}: memory was overwritten" in done.stderr
        assert f"\n{first}\n" in done.stdout  # what was found before is shown
        done = person.piped("gdb", "--ex", away, "--ex", "dmav3 requests")
        assert "the layer's memory cannot be read: Cannot access memory at" in done.stderr
        gdb(person, back)


def test_without_a_board_or_its_names_nothing_is_made_up(seen: Board) -> None:
    """A gdb that is attached to nothing, and one that has no symbols of the firmware."""
    assert seen.qemu.sockets
    helper, adapters = Path(in_gdb_beside.__file__).with_name("in_gdb.py"), "dmav3 adapters"
    batch = ["gdb-multiarch", "-nx", "-batch", "-x", str(helper)]
    attach = ["-ex", "set architecture aarch64", "-ex", f"target remote {seen.qemu.sockets.gdb}"]
    for before, said in (
        ([str(seen.image.path)], "no board is attached: `dmav3 gdb` attaches one"),
        (attach, "the image has no `adapters` of layer/adapter.c: is it dmav3's"),
    ):
        command = [*batch, *before, "-ex", adapters]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_mistakes_are_told(seen: Board, person: Person, tmp_path: Path) -> None:
    """An argument, a board that there is not; a gdb that is attached to nothing."""
    assert seen.qemu.sockets
    done = person.piped("gdb", "--ex", "dmav3 adapters \x1b[2J")
    assert r"dmav3 adapters takes no '\x1b[2J': give it alone" in done.stderr
    assert "\x1b" not in done.stderr
    done = person.piped("gdb", "vax", "--ex", "dmav3 adapters")
    assert (done.returncode, "no board 'vax' is running" in done.stderr) == (2, True)
    person.environment["PATH"] = str(tmp_path)
    done = person.piped("gdb", "--ex", "dmav3 adapters")
    assert done.returncode == 3
    assert "gdb-multiarch is not here: apt-get install gdb-multiarch" in done.stderr


def test_the_command_of_the_console_has_them_too(person: Person) -> None:
    """On a terminal of 40 columns, folded between words."""
    console = person.console(columns=200)
    adapter = adapter_of(console)
    terminal = person.dmav3("gdb", columns=40)
    terminal.expect_exact("(gdb) ")
    ask(terminal, "set pagination off", r"\(gdb\) ")
    said = ask(terminal, "dmav3 adapters", r"\(gdb\) ")
    assert f"adapter {adapter}" in said
    for line in said.splitlines():
        assert len(line) <= 40 or re.fullmatch(r" *\S+", line), line
    ask(terminal, "detach", r"\(gdb\) ")
    terminal.sendline("quit")
    assert status(terminal) == 0
    console.sendeof()
    assert status(console) == 0


def test_a_replay_that_stands_still_is_looked_at(person: Person, tmp_path: Path) -> None:
    """By the command that it prints; before the third call there is the adapter of the first."""
    (tmp_path / "input").write_bytes(bytes(range(256)))
    options = RunOptions(
        "virt-a53", tmp_path / "input", firmware_bug="no-clean", artefacts=tmp_path / "kept"
    )
    folder = run_main_job(options, lambda _: lambda _: None).folder
    assert folder is not None
    replay = person.dmav3("replay", folder, "--until", "call:3", columns=200)
    replay.expect(r"  dmav3 gdb (\S+)\r\n.*Enter ends it")
    assert isinstance(replay.match, re.Match)
    done = person.piped("gdb", replay.match[1], "--ex", "dmav3 adapters")
    assert done.returncode == 0
    assert re.findall(r"^adapter 0x[0-9a-f]+$", done.stdout, re.MULTILINE)
    done = person.piped("qmp", replay.match[1], lines="calls\n")
    assert done.stdout.startswith("IoGetDmaAdapter(")
    assert "InitializeDmaTransferContext(" in done.stdout
    assert "AllocateAdapterChannelEx(" not in done.stdout
    replay.sendline("")
    assert status(replay) == 0
