# SPDX-License-Identifier: Apache-2.0
"""`dmav3 replay --minimise`, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.job.minimise import minimise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dmav3.job.minimise import Minimal


def tell_fewest(folder: Path, what: str, files: Sequence[Path] = ()) -> tuple[str, int]:
    """Return the fewest acts, and the exit status.

    :param what, files: as of `dmav3.job.minimise`, whose errors are raised.
    """
    minimal = minimise(folder, what, files)
    return text_of(minimal), 0 if minimal.complete else 3


def text_of(minimal: Minimal) -> str:
    """Return what was kept, an act a line, and what that proves."""
    wrong = minimal.wrong
    read = f"finding:{minimal.finding}: the byte at {wrong.address:#x} is wrong"
    how = f"at {wrong.time_ns} ns, {wrong.kind} by {wrong.cause}"
    effort = f"of the cache's own {minimal.of} events before it ({minimal.runs} runs)"
    lines = [f"{read} {how}", f"{_counted(minimal)} {effort}:"]
    if minimal.kept:
        lines.append(f"{'event':>8} {'time ns':>12}  {'line':10}  {'kind':16}  with the access of")
    lines += [
        f"{act.number:>8} {act.time_ns:>12}  {act.address:#010x}  {act.kind:<16}  {act.cause}"
        for act in minimal.kept
    ]
    return "\n".join([*lines, _proof(minimal)])


def _counted(minimal: Minimal) -> str:
    count = len(minimal.kept)
    return f"it takes {count}" if minimal.complete else f"it takes at most {count}"


def _proof(minimal: Minimal) -> str:
    if not minimal.complete:
        return "cut short, as it took too long: perhaps fewer are enough"
    if not minimal.kept:
        return "the byte is wrong also if the cache does nothing of its own accord"
    return f"without {'it' if len(minimal.kept) == 1 else 'any one of these'} the byte is right"
