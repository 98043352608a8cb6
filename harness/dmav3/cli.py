# SPDX-License-Identifier: Apache-2.0
"""The command `dmav3`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from .build import build_image
from .console_report import show
from .errors import Dmav3Error
from .run import Options
from .run import run as run_main_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WIDTHS = (8, 16, 32)
_TABLE_COLUMNS = 130  # a narrower terminal wraps the lines, and loses nothing
_INTERRUPTED = 130  # what shells report for Ctrl-C

app = typer.Typer(
    help="Hardware-in-the-loop tests for code that uses the version-3 DMA operations interface.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _width(value: int) -> int:
    if value not in _WIDTHS:
        msg = f"{value} is none of {', '.join(map(str, _WIDTHS))}"
        raise typer.BadParameter(msg)
    return value


@app.command()
def run(
    input_file: Annotated[Path, typer.Option("--input", help="The file to move.")],
    machine: Annotated[
        str, typer.Option(help="Name of a machine, or the path of a YAML file.")
    ] = "virt-a53",
    schedule: Annotated[
        str | None,
        typer.Option(help="What the cache does of its own accord: speculative (default) or lru."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the schedule.")] = 1,
    width: Annotated[
        int, typer.Option(callback=_width, help="Bits of the device's data register: 8, 16, 32.")
    ] = 32,
    firmware_bug: Annotated[
        str | None, typer.Option(metavar="NAME", help="Use the firmware with this known bug.")
    ] = None,
    image: Annotated[
        Path | None, typer.Option(metavar="ELF", help="Use this firmware instead of our own.")
    ] = None,
    *,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the tables.")
    ] = False,
) -> None:
    """Move a file from memory to a device and back, and verify memory and cache state.

    Exit status: 0 pass, 1 fail, 2 the call or a file named in it is wrong, 3 inconclusive
    (something on this computer kept us from knowing).
    """
    options = Options(machine, input_file, schedule, seed, width, firmware_bug, image)
    errors = Console(stderr=True)
    try:
        with _progress(errors) as begin:
            report = run_main_job(options, begin)
    except Dmav3Error as error:
        errors.print(f"dmav3: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(error.exit_status) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    if json_output:
        typer.echo(json.dumps(report.json(), indent=2))
    else:
        console = Console(highlight=False)
        console.width = max(console.width, _TABLE_COLUMNS)
        show(console, report)
    raise typer.Exit(report.exit_status)


@app.command()
def build(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE.c...", help="Your C files.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="ELF", help="The image.")],
    machine: Annotated[
        str, typer.Option(help="Name of a machine, or the path of a YAML file.")
    ] = "virt-a53",
    include: Annotated[
        list[Path] | None, typer.Option("--include", "-I", metavar="DIR", help="More headers.")
    ] = None,
    define: Annotated[
        list[str] | None, typer.Option("--define", "-D", metavar="NAME[=VALUE]", help="A macro.")
    ] = None,
) -> None:
    """Compile your own driver and link it with the firmware.

    It needs <wdm_dma.h>, and <dmav3.h> for its commands. Exit status: 0 built, 2 it does not
    compile or link, or a file cannot be read or written, 3 the compiler is missing.
    """
    errors = Console(stderr=True)

    def say(text: str) -> None:
        errors.out(text, end="", highlight=False)

    try:
        build_image(
            *sources,
            output=output,
            machine=machine,
            include=include or (),
            define=define or (),
            say=say,
        )
    except Dmav3Error as error:
        errors.print(f"dmav3: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(error.exit_status) from None
    typer.echo(f"built {output}")


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[int], Callable[[int], object]]]:
    """Give a function that starts a progress bar, which only a terminal shows."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:

        def begin(total: int) -> Callable[[int], object]:
            task = bar.add_task("moving", total=total)
            return lambda count: bar.advance(task, count)

        yield begin


def main() -> None:
    """Run the command line; the entry point of `dmav3`."""
    app()
