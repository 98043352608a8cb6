# SPDX-License-Identifier: Apache-2.0
"""The story of a finding's bytes, for a person: `dmav3 replay --why`."""

from __future__ import annotations

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from dmav3.errors import printable
from dmav3.job.why import why

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dmav3.evidence.story import Step, Story

#: Columns of a pipe; columns below which times have no column of their own; the fewest.
_COLUMNS, _NARROW, _FEWEST = 80, 60, 30
_TIME_COLUMN = 16
#: So many steps in a row may be what a loop does again and again.
_LONGEST_LOOP = 8
#: Of more groups of steps, so many of each end are shown.
_MOST, _END = 120, 50


class Group(NamedTuple):
    """Steps that happened `times` times in a row, the same but for moments and bytes."""

    steps: Sequence[Step]
    times: int
    last_ns: int


def tell(
    folder: Path, what: str, files: Sequence[Path] = (), *, as_json: bool = False
) -> tuple[str, int]:
    """Return the story of a finding, or why there is none, and the exit status.

    Its lines are as wide as the terminal, or 80 columns where there is none.

    :param what, files: as of `dmav3.job.why`, whose errors are raised.
    """
    outcome, story = why(folder, what, files)
    if story is None:
        return outcome.text(), outcome.exit_status
    if as_json:
        return json.dumps(story.json(), indent=2), 0
    width = max(_FEWEST, shutil.get_terminal_size((_COLUMNS, 0)).columns)
    return "\n".join(story_lines(story, width)), 0


def story_lines(story: Story, width: int) -> list[str]:
    """Return a story as lines of at most so many columns, where no word is longer."""
    finding, plural = story.finding, f", {story.bytes} bytes" if story.bytes > 1 else ""
    lines = _wrapped(
        f"why finding:{story.number}, {finding.kind}: what was done to {story.address:#x}{plural}, "
        "and to its cache line",
        width,
    )
    groups = list(summed_up(story.steps))
    if not groups:
        lines += _wrapped("nothing was, in this run", width)
    left_out = len(groups) - 2 * _END if len(groups) > _MOST else 0
    for number, group in enumerate(groups):
        if not left_out or number < _END or number >= _END + left_out:
            lines += _group(group, width)
        elif number == _END:
            lines += _wrapped(f"... {left_out} more; --json has all ...", width)
    if story.lost:
        lines += _wrapped(f"{story.lost} steps found no room, and are not told", width)
    return [*lines, *_wrapped(f"finding: {finding.line()}", width)]


def summed_up(steps: Sequence[Step]) -> Iterator[Group]:
    """Yield what a loop did again and again as one."""
    at = 0
    keys = [_key(step) for step in steps]
    while at < len(steps):
        size, times = max(
            ((size, _times(keys, at, size)) for size in range(1, _LONGEST_LOOP + 1)),
            key=lambda loop: (loop[0] * loop[1] if loop[1] > 1 else 1, -loop[0]),
        )
        size = size if times > 1 else 1
        end = at + size * times
        yield Group(steps[at : at + size], times, steps[end - 1].time_ns)
        at = end


def _key(step: Step) -> tuple[str, ...]:
    return step.event, step.text, step.place, step.routine, step.advice


def _times(keys: Sequence[tuple[str, ...]], at: int, size: int) -> int:
    """Return how often the `size` steps from `at` on come in a row."""
    times = 1
    while keys[at + times * size : at + (times + 1) * size] == keys[at : at + size]:
        times += 1
    return times


def _group(group: Group, width: int) -> Iterator[str]:
    for step in group.steps:
        yield from _step(step, width)
    if group.times > 1:
        what = "that" if len(group.steps) == 1 else f"these {len(group.steps)} steps"
        yield from _indented(f"{what}, {group.times} times, the last at {group.last_ns} ns", width)


def _step(step: Step, width: int) -> Iterator[str]:
    where = [step.place] if step.place else []
    where += [f"in {step.routine}"] if step.routine else []
    said = step.text + (f": {', '.join(where)}" if where else "")
    if step.cpu is not None and step.dram is not None:
        seen = f"{step.cpu:02x}" + ("" if step.cpu == step.dram else f", devices {step.dram:02x}")
        said += f"; the CPU sees {seen}" + (" and so do devices" if step.cpu == step.dram else "")
    time = f"{step.time_ns} ns".rjust(_TIME_COLUMN - 2 if width >= _NARROW else 0) + "  "
    yield from _indented(said, width, time)
    if step.advice:
        yield from _indented(f"--> it went wrong here: {step.advice}", width)


def _indented(text: str, width: int, first: str | None = None) -> list[str]:
    indent = " " * (_TIME_COLUMN if width >= _NARROW else 2)
    return _wrapped(text, width, indent if first is None else first, indent)


def _wrapped(text: str, width: int, first: str = "", indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(text).replace("\n", " "),
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
