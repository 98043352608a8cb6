# SPDX-License-Identifier: Apache-2.0
"""A report on a terminal: the table of calls, the digests, the findings, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from .journal import Step
    from .verdict import Report

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
_TABLE_COLUMNS = 130
_COLOURS = {"pass": "bold green", "fail": "bold red", "inconclusive": "bold yellow"}


def wide(console: Console) -> Console:
    """Make a console wide enough for the table; what shows it wraps its lines, and loses none."""
    console.width = max(console.width, _TABLE_COLUMNS)
    console.height = console.height  # without it rich takes a dumb terminal for 80 columns wide
    return console


def show(console: Console, report: Report) -> None:
    """Print everything that a person needs to believe or doubt the verdict."""
    evidence = report.evidence
    schedule = f", schedule {evidence.schedule}, seed {evidence.seed}" if evidence.schedule else ""
    device = "" if evidence.device == "stream" else f", {evidence.device}"
    console.print(f"{evidence.machine}{device}{schedule}: {evidence.bytes} bytes there and back")
    if evidence.steps:
        console.print(_table(evidence.steps))
    for name, digest in evidence.digests.items():
        console.print(f"sha256 {name:>8}  {digest}", soft_wrap=True)
    if evidence.untraced:
        console.print(
            f"trace    the last {evidence.untraced} instructions of the DMA controller were not "
            "recorded, only those before",
            soft_wrap=True,
        )
    for finding in evidence.findings:
        text = f"{finding.kind} at {finding.address}, {finding.count} times: {finding.text}"
        console.print(f"[red]finding[/]  {escape(text)}", soft_wrap=True)
    colour = _COLOURS[report.verdict]
    console.print(f"[{colour}]{report.verdict}[/]: {escape(report.reason)}", soft_wrap=True)


def _table(steps: tuple[Step, ...]) -> Table:
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
        numbers = (str(getattr(step, field)) for _, field in _COLUMNS)
        table.add_row(str(step.index), step.adapter, step.routine, step.status, *numbers)
    return table
