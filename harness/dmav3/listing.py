# SPDX-License-Identifier: Apache-2.0
"""`dmav3 machines` and `dmav3 boards`: what there is, as rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import boards, files
from .machine import load_file

if TYPE_CHECKING:
    from collections.abc import Sequence

_BOARD_COLUMNS = ("board", "machine", "seed", "schedule", "pid")


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
        for machine in (load_file(path) for _, path in sorted(files.machines().items()))
    ]


def machines_table() -> list[str]:
    """Return the machines as aligned lines."""
    rows = [row | {"cache": _spell_cache(row["cache"])} for row in machines()]
    return table(("name", "board", "cpu", "cache", "view"), rows)


def running() -> list[dict[str, Any]]:
    """Return the running boards, everything that is known of each."""
    return [asdict(card) for card in boards.running()]


def running_table() -> list[str]:
    """Return the running boards as aligned lines."""
    rows = [row | {"schedule": row["schedule"] or "-"} for row in running()]
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
