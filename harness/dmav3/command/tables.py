# SPDX-License-Identifier: Apache-2.0
"""What the commands print: the report of a run, the machines there are, the boards that run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from dmav3 import installation
from dmav3.machine.description import load_file
from dmav3.qemu.running import running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from dmav3.job.journal import Step
    from dmav3.job.verdict import Keflush, Report

#: Heading and field of each numeric column.
_COLUMNS = (
    ("bytes", "bytes"),
    ("elem.", "elements"),
    ("cleaned", "lines_cleaned"),
    ("inval.", "lines_invalidated"),
    ("written", "lines_written_back"),
    ("other", "lines_other"),
    ("dirty", "lines_dirty"),
    ("stale", "lines_stale"),
)
#: Of them, those of one call alone: how the buffer is after it.
_AFTER = {"lines_dirty", "lines_stale"}
#: A table of more rows than these has so many at each end, and what all did by routine.
_MOST_ROWS, _END_ROWS = 200, 10
_TABLE_COLUMNS = 130
_BOARD_COLUMNS = ("board", "machine", "seed", "schedule", "pid")
_COLOURS = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}


def wide(console: Console) -> Console:
    """Make a console wide enough for the table; what shows it wraps its lines, and loses none."""
    console.width = max(console.width, _TABLE_COLUMNS)
    console.height = console.height  # without it rich takes a dumb terminal for 80 columns wide
    return console


def show(console: Console, report: Report) -> None:
    """Print everything that a person needs to believe or doubt the verdict."""
    facts = report.facts
    schedule = f", schedule {facts.schedule}, seed {facts.seed}" if facts.schedule else ""
    device = "" if facts.device == "stream" else f", {facts.device}"
    console.print(f"{facts.machine}{device}{schedule}: {facts.bytes} bytes there and back")
    if len(facts.steps) > _MOST_ROWS:
        console.print(_table([*facts.steps[:_END_ROWS], None, *facts.steps[-_END_ROWS:]]))
        console.print(_by_routine(facts.steps))
    elif facts.steps:
        console.print(_table(facts.steps))
    for name, digest in facts.digests.items():
        console.print(f"sha256 {name:>8}  {digest}", soft_wrap=True)
    if facts.untraced:
        console.print(
            f"trace    the last {facts.untraced} instructions of the DMA controller were not "
            "recorded, only those before",
            soft_wrap=True,
        )
    for finding in facts.findings:
        text = f"{finding.kind} at {finding.address}, {finding.count} times: {finding.text}"
        console.print(f"[red]finding[/]  {escape(text)}", soft_wrap=True)
    if report.keflush:
        console.print(_keflush(report.keflush), soft_wrap=True)
    if report.folder:
        console.print(f"kept     {escape(report.folder)}, for `dmav3 replay`", soft_wrap=True)
    colour = _COLOURS[report.verdict]
    console.print(f"[{colour}]{report.verdict}[/]: {escape(report.reason)}", soft_wrap=True)


def _keflush(cost: Keflush) -> str:
    """Return what calls that version 3 does not need have cost."""
    if not cost.lines:
        return f"keflush  KeFlushIoBuffers, called {cost.calls} times, did nothing: DMA is coherent"
    return (
        f"keflush  {cost.calls} calls of KeFlushIoBuffers treated {cost.lines} lines; with them "
        f"{cost.idle} lines had nothing to do, by the version-3 routines alone {cost.idle_alone}: "
        f"{cost.idle - cost.idle_alone} in vain"
    )


def _table(steps: Sequence[Step | None]) -> Table:
    """Make the table of some calls; None stands for those that are left out."""
    table = Table(
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
        caption_justify="left",
        caption="Cache lines that the routine cleaned, invalidated, wrote back, treated elsewhere; "
        "then those dirty or stale in the buffer after it.",
    )
    for heading in ("#", "adapter", "routine", "status"):
        table.add_column(heading, no_wrap=True)
    for heading, _ in _COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    for step in steps:
        if step is None:
            table.add_row("...")
            continue
        numbers = (str(getattr(step, field)) for _, field in _COLUMNS)
        table.add_row(str(step.index), step.adapter, step.routine, step.status, *numbers)
    return table


def _by_routine(steps: Sequence[Step]) -> Table:
    """Make the table of what all calls of each routine did, by status."""
    table = Table(
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
        caption_justify="left",
        caption=f"All {len(steps)} calls; --json prints each.",
    )
    for heading in ("routine", "status"):
        table.add_column(heading, no_wrap=True)
    columns = [(heading, field) for heading, field in _COLUMNS if field not in _AFTER]
    for heading in ("calls", *(heading for heading, _ in columns)):
        table.add_column(heading, justify="right", no_wrap=True)
    alike: dict[tuple[str, str], list[Step]] = {}
    for step in steps:
        alike.setdefault((step.routine, step.status), []).append(step)
    for names, group in alike.items():
        sums = (sum(getattr(step, field) for step in group) for _, field in columns)
        table.add_row(*names, str(len(group)), *map(str, sums))
    return table


def machines() -> list[dict[str, Any]]:
    """Return the machines that come with dmav3; `cache` is None where none is modelled."""
    return [
        {
            "name": machine.name,
            "board": machine.board,
            "cpu": machine.cpu,
            "cache": machine.cache.model_dump() if machine.cache else None,
            "view": machine.view,
        }
        for machine in (load_file(path) for _, path in sorted(installation.machines().items()))
    ]


def machines_table() -> list[str]:
    """Return the machines as aligned lines."""
    rows = [row | {"cache": _spell_cache(row["cache"])} for row in machines()]
    return table(("name", "board", "cpu", "cache", "view"), rows)


def boards() -> list[dict[str, Any]]:
    """Return the running boards, everything that is known of each."""
    return [asdict(card) for card in running()]


def boards_table() -> list[str]:
    """Return the running boards as aligned lines."""
    rows = [row | {"schedule": row["schedule"] or "-"} for row in boards()]
    return table(_BOARD_COLUMNS, rows) if rows else ["no board is running"]


def table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a heading and a line for each row, columns two spaces apart."""
    cells = [list(columns), *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _spell_cache(cache: dict[str, int] | None) -> str:
    if cache is None:
        return "none modelled"
    kib = cache["line"] * cache["sets"] * cache["ways"] >> 10
    return f"L{cache['level']} {kib} KiB, {cache['ways']} ways of {cache['line']}-byte lines"
