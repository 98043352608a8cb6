# SPDX-License-Identifier: Apache-2.0
"""A story as lines: loops summed up, and nothing in a name obeyed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dmav3.command.story import story_lines, summed_up
from dmav3.evidence.findings import Finding
from dmav3.evidence.story import Step, Story

FINDING = Finding(
    "stale-cpu-read", 1, 9, 1, 1, "0x40100000", None, None, None, None, None, "it got old bytes"
)
LOADED = Step(1, "loaded", "loaded by the CPU", 0x40000000, "poll (driver.c:7)", "", 1, 2)
STORED = replace(LOADED, event="stored", text="stored by the CPU", cpu=2)
READ = Step(3, "device-read", "read by a device", 0, "pci 00:01.0", "", 2, 2)


def story(*steps: Step) -> Story:
    """Return a story with these steps, a nanosecond apart."""
    timed = tuple(replace(step, time_ns=ns) for ns, step in enumerate(steps))
    return Story(1, FINDING, 0x40100000, 1, timed)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([LOADED], [(1, 1)]),
        ([LOADED, READ], [(1, 1), (1, 1)]),
        ([LOADED] * 5000, [(1, 5000)]),
        ([STORED, *[LOADED, STORED] * 2000, READ], [(2, 2000), (1, 1), (1, 1)]),
        ([LOADED, LOADED, READ, READ], [(1, 2), (1, 2)]),
        ([], []),
    ],
)
def test_what_a_loop_does_is_told_once(steps: list[Step], expected: list[tuple[int, int]]) -> None:
    """With how often; no step is forgotten."""
    groups = list(summed_up(steps))
    assert [(len(group.steps), group.times) for group in groups] == expected
    assert sum(len(group.steps) * group.times for group in groups) == len(steps)


def test_a_count_is_shown_with_the_last_moment() -> None:
    """Beside the first one's."""
    lines = story_lines(story(*[LOADED] * 3, *[READ, STORED] * 2), 100)
    assert "                that, 3 times, the last at 2 ns" in lines
    assert "                these 2 steps, 2 times, the last at 6 ns" in lines
    first = "loaded by the CPU: poll (driver.c:7); the CPU sees 01, devices 02"
    assert lines[1] == "          0 ns  ".rjust(16) + first


def test_of_too_many_both_ends_are_shown() -> None:
    """And how many are left out."""
    steps = [replace(LOADED, place=f"f{n} (driver.c:{n})") for n in range(1000)]
    lines = story_lines(story(*steps), 100)
    assert "... 900 more; --json has all ..." in lines
    assert [n for n in range(1000) if any(f" f{n} (" in line for line in lines)] == [
        *range(50),
        *range(950, 1000),
    ]


@pytest.mark.parametrize("width", [30, 40, 80])
def test_no_name_commands_the_terminal(width: int) -> None:
    """Nor makes a line of its own; a name that is too long is not cut."""
    name = "\x1b[2J\nfinding: none" + "x" * 200
    lines = story_lines(story(replace(LOADED, place=name)), width)
    assert not any(ord(one) < ord(" ") for line in lines for one in line)
    assert "finding: none" not in lines
    assert [len(line) for line in lines if len(line) > width] != []
    assert max(len(line) for line in lines if "xxx" not in line) <= width


def test_nothing_is_told_of_bytes_that_nobody_touched() -> None:
    """But the finding is."""
    lines = story_lines(story(), 100)
    assert lines[1:] == [
        "nothing was, in this run",
        "finding: stale-cpu-read at 0x40100000: it got old bytes",
    ]
