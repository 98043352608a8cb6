# SPDX-License-Identifier: Apache-2.0
"""The command `dmav3`.

Each command imports what it needs when it runs, so that none waits for another's.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from dmav3.errors import INTERRUPTED, Dmav3Error, UsageError, printable
from dmav3.wdm import BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console

    from dmav3.board.board import Board

_SOMETHING_MISSING = 3
_STDERR = 2
_ECHOED = 40  # characters of a wrong value


class _Commands(TyperGroup):
    """The commands, which Ctrl-C ends with the status that shells use; typer's own would be 1."""

    def invoke(self, ctx: Any) -> object:
        """Run the one that is named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@contextmanager
def _failures() -> Iterator[None]:
    """Print an error of ours as one message and exit with its status."""
    try:
        yield
    except Dmav3Error as error:
        typer.echo(f"dmav3: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    except OSError as error:
        typer.echo(f"dmav3: this computer refuses: {error}", err=True)
        raise typer.Exit(_SOMETHING_MISSING) from None


@contextmanager
def _output(status: int) -> Iterator[None]:
    """Print inside; a reader that has seen enough does not change the status."""
    try:
        yield
    except (BrokenPipeError, SystemExit):  # the latter is what rich makes of the former
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(status) from None
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        typer.echo(f"dmav3: the output cannot be written: {error.strerror}", err=True)
        raise typer.Exit(_SOMETHING_MISSING) from None


def _number(given: str | int) -> int:
    text = str(given)  # a default is a number
    try:
        return int(text, 0)
    except ValueError:
        msg = f"{text[:_ECHOED]!r} is no number, such as 7 or 0x7"
        raise typer.BadParameter(msg) from None


def _one_of(text: str | int, known: Iterable[int]) -> int:
    value = _number(text)
    if value not in known:
        msg = f"{value} is none of {', '.join(map(str, known))}"
        raise typer.BadParameter(msg)
    return value


def _width(text: str | int) -> int:
    return _one_of(text, BITS)


def _level(text: str | int) -> int:
    from dmav3.machine.build import LEVELS

    return _one_of(text, LEVELS)


def _device(value: str) -> str:
    from dmav3.job.run import DEVICES

    if value not in DEVICES:
        msg = f"{value!r} is none of {', '.join(DEVICES)}"
        raise typer.BadParameter(msg)
    return value


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        from importlib.metadata import version

        with _output(0):
            typer.echo(f"dmav3 {version('dmav3')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    """Hardware-in-the-loop tests for code that uses the version-3 DMA operations interface."""


Machine = Annotated[str, typer.Option(help="Name of a machine, or the path of a YAML file.")]
Schedule = Annotated[
    str | None,
    typer.Option(help="What the cache does by itself: speculative (default), lru, never, eager."),
]
Seed = Annotated[
    int, typer.Option(parser=_number, metavar="N", help="Seed of the schedule, 64 bits.")
]
Image = Annotated[
    Path | None, typer.Option(metavar="ELF", help="Use this firmware instead of our own.")
]
BoardName = Annotated[
    str | None, typer.Argument(help="As `dmav3 boards` names it; may be left out for the only.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def run(
    input_file: Annotated[Path, typer.Option("--input", help="The file to move.")],
    machine: Machine = "virt-a53",
    schedule: Schedule = None,
    seed: Seed = 1,
    device: Annotated[
        str,
        typer.Option(
            callback=_device,
            help="stream: by system DMA. edu: a bus master on PCI. nvme: a disk, by a driver in C.",
        ),
    ] = "stream",
    disk: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="For nvme: use this raw image; else one is made."),
    ] = None,
    width: Annotated[
        int,
        typer.Option(
            parser=_width, metavar="BITS", help="Bits of stream's register: 8, 16, 32, 64."
        ),
    ] = 32,
    firmware_bug: Annotated[
        str | None, typer.Option(metavar="NAME", help="Use the firmware with this known bug.")
    ] = None,
    image: Image = None,
    trace_file: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE",
            help="Write what the DMA controller executed, its first 16,384 instructions.",
        ),
    ] = None,
    *,
    keflush: Annotated[
        bool,
        typer.Option("--keflush", help="Call KeFlushIoBuffers as older drivers do; what it costs."),
    ] = False,
    artefacts: Annotated[
        str,
        typer.Option(metavar="DIR", help="Where a run that does not pass is kept; '': nowhere."),
    ] = ".dmav3",
    json_output: Json = False,
) -> None:
    """Move a file from memory to a device and back, and verify memory and cache state.

    Exit status: 0 pass, 1 fail, 2 the call or a file named in it is wrong, 3 inconclusive
    (something on this computer kept us from knowing).
    """
    from rich.console import Console

    from dmav3.job.run import RunOptions, run_main_job

    from .tables import show, wide

    options = RunOptions(
        machine=machine,
        input=input_file,
        schedule=schedule,
        seed=seed,
        width=width,
        firmware_bug=firmware_bug,
        image=image,
        trace=trace_file,
        device=device,
        disk=disk,
        keflush=keflush,
        artefacts=Path(artefacts) if artefacts else None,
    )
    with _failures(), _progress(Console(stderr=True), "moving") as begin:
        report = run_main_job(options, begin)
    with _output(report.exit_status):
        if json_output:
            typer.echo(json.dumps(report.json(), indent=2))
        else:
            show(wide(Console(highlight=False)), report)
            sys.stdout.flush()
    raise typer.Exit(report.exit_status)


@app.command()
def conformance(
    machine: Machine = "virt-a53",
    image: Image = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX", help="Only the rules that begin so: MTX, MTX-07. Repeat."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report with its evidence.")
    ] = None,
    junitxml: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write how the tests ended, for CI.")
    ] = None,
    schedule: Schedule = None,
    seed: Seed = 1,
    *,
    untested: Annotated[
        bool, typer.Option("--untested", help="Only list the rules that no test names.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Decide, by tests on the emulated silicon, every rule of the interface.

    Exit status: 0 no rule failed, 1 one failed, 2 the call is wrong, 3 inconclusive (something on
    this computer kept us from knowing).
    """
    from rich.console import Console

    from dmav3.conformance.console import show, show_untested
    from dmav3.conformance.run import ConformanceOptions, run_tests
    from dmav3.conformance.run import untested as find_untested
    from dmav3.files import check_output, write_output

    from .tables import wide

    options = ConformanceOptions(machine, image, tuple(rule or ()), seed, schedule, junitxml)
    with _failures():
        if untested:
            found = find_untested(options)
            with _output(0):
                show_untested(wide(Console(highlight=False)), found)
                sys.stdout.flush()
            return
        for file, other in ((html, junitxml), (junitxml, html)):
            if file is not None:
                check_output(file, image, Path(machine), other=other)
        with _progress(Console(stderr=True), "testing") as begin:
            report = run_tests(options, begin)
    with _output(report.exit_status):
        if json_output:
            typer.echo(json.dumps(report.json(), indent=2))
        else:
            show(wide(Console(highlight=False)), report)
            sys.stdout.flush()
    if html is not None:
        from dmav3.conformance.page import render

        with _failures():
            write_output(html, render(report))
    raise typer.Exit(report.exit_status)


@app.command()
def console(
    machine: Machine = "virt-a53",
    image: Image = None,
    seed: Seed = 1,
    schedule: Schedule = None,
) -> None:
    """Start a board and talk to its shell; a pipe is read line by line.

    Exit status: 0, or from a pipe 1 if the shim refused a command; 1 the firmware crashed, 2 the
    call is wrong, 3 the board could not be started, or died.
    """
    from .console import ConsoleOptions, run_console

    with _failures():
        status = run_console(ConsoleOptions(machine, image, seed, schedule))
    raise typer.Exit(status)


@app.command()
def qmp(board: BoardName = None) -> None:
    """Talk to the monitor of a running board in qemu.qmp's own qmp-shell; a pipe is read by lines.

    `help` lists short words for what is looked at most: channels, cache lines, findings, calls.

    Exit status: 0, or from a pipe 1 if a word was refused; 2 there is no such board, 3 its monitor
    is in use, or it ended.
    """
    from .monitor_shell import open_monitor_shell

    with _failures():
        status = open_monitor_shell(board)
    raise typer.Exit(status)


@app.command()
def gdb(
    board: BoardName = None,
    commands: Annotated[
        list[str] | None,
        typer.Option("--ex", metavar="COMMAND", help="Of gdb, which ends after it. Repeat."),
    ] = None,
) -> None:
    """Attach gdb to a running board; its time stands still while gdb has it.

    `dmav3 adapters`, `dmav3 requests`, `dmav3 mappings`, `dmav3 mdls` and `dmav3 lists` are
    commands of gdb then. Exit status: that of gdb; 2 there is no such board, 3 there is no gdb.
    """
    from .gdb import run_gdb

    with _failures():
        run_gdb(board, commands or ())


@app.command()
def trace(
    board: BoardName = None,
    channel: Annotated[
        int | None,
        typer.Option(parser=_number, metavar="N", help="Of this channel only, 0 to 7."),
    ] = None,
) -> None:
    """Show what the DMA controller of a running board executed since its last reset."""
    from .board_trace import board_trace

    with _failures():
        text = "\n".join(board_trace(board, channel))
    with _output(0):
        typer.echo(text)


@app.command()
def disasm(
    program: Annotated[
        str | None,
        typer.Argument(metavar="FILE|ADDRESS", help="The program's bytes, or where they are."),
    ] = None,
    at: Annotated[
        int, typer.Option(parser=_number, metavar="ADDRESS", help="Where FILE lies in memory.")
    ] = 0,
    board: Annotated[
        str | None, typer.Option(metavar="NAME", help="The memory of this running board.")
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A trace, or the folder that a test or a run left."),
    ] = None,
    image: Annotated[
        Path | None, typer.Option(metavar="ELF", help="Name addresses by its variables.")
    ] = None,
) -> None:
    """Show a program of the PL330 as its assembler writes it, loops indented.

    From a file, from the memory of a running board (--board NAME ADDRESS), or from a trace, with
    how often each instruction was executed.
    """
    from .microcode import DisasmOptions
    from .microcode import disasm as listed

    with _failures():
        text = "\n".join(listed(DisasmOptions(program, at, board, trace, image)))
    with _output(0):
        typer.echo(text)


@app.command()
def boards(*, json_output: Json = False) -> None:
    """List the running boards that a person may attach to; remove what dead ones left."""
    from .tables import boards as running
    from .tables import boards_table

    with _failures():
        text = json.dumps(running(), indent=2) if json_output else "\n".join(boards_table())
    with _output(0):
        typer.echo(text)


@app.command()
def machines(*, json_output: Json = False) -> None:
    """List the machines that come with dmav3."""
    from .tables import machines, machines_table

    with _failures():
        text = json.dumps(machines(), indent=2) if json_output else "\n".join(machines_table())
    with _output(0):
        typer.echo(text)


@app.command()
def doctor() -> None:
    """Say what is here, in which version, and what to do about what is not.

    Exit status: 0 all is right, 3 something is missing.
    """
    from .doctor import examine

    status = 0
    with _failures():
        for check in examine():
            status = status if check.right else _SOMETHING_MISSING
            with _output(status):
                typer.echo(str(check))
    raise typer.Exit(status)


@app.command()
def build(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE.c...", help="Your C files.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="ELF", help="The image.")],
    machine: Machine = "virt-a53",
    include: Annotated[
        list[Path] | None, typer.Option("--include", "-I", metavar="DIR", help="More headers.")
    ] = None,
    define: Annotated[
        list[str] | None, typer.Option("--define", "-D", metavar="NAME[=VALUE]", help="A macro.")
    ] = None,
    optimise: Annotated[
        int,
        typer.Option(
            "--optimise",
            "-O",
            parser=_level,
            metavar="LEVEL",
            help="As the compiler's -O2: 0 to 3.",
        ),
    ] = 1,
) -> None:
    """Compile your own driver and link it with the firmware.

    It needs <wdm_dma.h>, and <dmav3.h> for its commands. Exit status: 0 built, 2 it does not
    compile or link, or a file cannot be read or written, 3 the compiler is missing.
    """
    from dmav3.machine.build import build_image

    with _failures():
        build_image(
            *sources,
            output=output,
            machine=machine,
            include=include or (),
            define=define or (),
            optimise=optimise,
            say=lambda text: typer.echo(text, nl=False, err=True),
            show=lambda command: typer.echo(command, err=True),
        )
    with _output(0):
        typer.echo(f"built {output}")


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="That a test or a run left.")],
    finding: Annotated[
        str | None, typer.Argument(metavar="finding:N", help="For --why and --minimise.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="Stop just before it: finding:1, violation:2, call:17, time:NS, or the N-th "
            "access to a byte: access:ADDRESS[:N], where a symbol is an address, too.",
        ),
    ] = None,
    back: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="With --until: N calls of the interface (or accesses) before."
        ),
    ] = 0,
    file: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="A large disk as it was before the run. Repeat."),
    ] = None,
    *,
    minimise: Annotated[
        bool,
        typer.Option(
            "--minimise", help="Find the fewest fills, evictions and write-backs it takes."
        ),
    ] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Tell what was done to the bytes of a finding.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="With --why: print JSON, with every single step.")
    ] = False,
) -> None:
    """Run what a folder has recorded again, and compare the event logs.

    With --until the board stands still then, for `dmav3 qmp` and gdb, until Enter is pressed.

    With --why the story of a finding's bytes is told: who stored, mapped, cleaned, wrote and read
    them, in order, and where that went wrong.

    With --minimise it is run with fewer and fewer of those fills, evictions and write-backs that
    the cache did of its own accord, until without any one of them the bytes of the finding are
    right; the first finding with wrong bytes, unless finding:N says which.

    A disk of more than 64 MiB is not in the folder, and is asked for: --file.

    Exit status: 0 identical, or stopped there, or minimal; 1 not; 2 the folder is none, or damaged,
    or has no such moment or finding; 3 inconclusive: another QEMU is here, or something had reached
    the board that is not recorded, or --minimise was cut short.
    """
    from dmav3.job.replay import replay as run_again
    from dmav3.job.replay import stopped

    from .minimise import tell_fewest
    from .story import tell

    with _failures():
        if (why or minimise) and (until or back or (why and minimise)):
            msg = "--why and --minimise are about a whole run: give one of them, and no --until"
            raise UsageError(msg)
        if why:
            text, status = tell(folder, finding or "finding:1", file or (), as_json=json_output)
        elif json_output:
            msg = "--json is for a story: give --why, such as --why finding:1"
            raise UsageError(msg)
        elif minimise:
            text, status = tell_fewest(folder, finding or "", file or ())
        elif finding:
            msg = f"{finding} is for --why and --minimise; to stop before it: --until {finding}"
            raise UsageError(msg)
        elif until is not None:
            counted = "accesses" if until.startswith("access:") else "calls"
            with stopped(folder, until, back, files=file or ()) as (board, place):
                _look_at(board, f"{back} {counted} before {until}" if back else until, place)
            return
        elif back:
            msg = "--back counts from a moment: give --until, such as --until finding:1"
            raise UsageError(msg)
        else:
            outcome = run_again(folder, file or ())
            text, status = outcome.text(), outcome.exit_status
    with _output(status):
        typer.echo(printable(text))
    raise typer.Exit(status)


def _look_at(board: Board, until: str, place: str) -> None:
    """Show where a board stands, and how to look at it; a terminal is waited for."""
    with _output(0):
        typer.echo(printable(f"stopped before {until}, in {place}"))
        if not sys.stdin.isatty():
            return
        sockets = board.qemu.sockets
        if sockets:
            typer.echo(f"  dmav3 qmp {sockets.name}")
            typer.echo(f"  dmav3 gdb {sockets.name}")
        typer.echo("Enter ends it. ", nl=False)
        sys.stdout.flush()
        sys.stdin.readline()


@contextmanager
def _progress(console: Console, doing: str) -> Iterator[Callable[[int], Callable[[int], object]]]:
    """Give a function that starts a progress bar, which only a terminal shows."""
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:

        def begin(total: int) -> Callable[[int], object]:
            task = bar.add_task(doing, total=total)
            return lambda count: bar.advance(task, count)

        yield begin


def main() -> None:
    """Run the command line; the entry point of `dmav3`."""
    _open_streams()
    try:
        with _failures():
            app()
    except typer.Exit as end:
        sys.exit(end.exit_code)


def _open_streams() -> None:
    """Open what is closed of the standard streams; else files of ours get their numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w", closefd=False)
