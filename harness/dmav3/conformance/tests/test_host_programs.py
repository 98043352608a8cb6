# SPDX-License-Identifier: Apache-2.0
"""The tests in C, of layer and back end, that decide rules: one item each (tests/c/check.h)."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from dmav3 import installation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from _pytest.mark import ParameterSet

_SECONDS = 240  # none takes one, on a computer with nothing else to do


def _tests() -> list[ParameterSet]:
    """Ask each program for its tests and their rules."""
    found = []
    for program in installation.rule_tests():
        listed = _run(program, "--list").stdout
        for name, *rules in map(str.split, listed.splitlines()):
            marks = [pytest.mark.dmav3_rule(*rules)] if rules else []
            found.append(pytest.param(program, name, id=f"{program.name[5:]}-{name}", marks=marks))
    return found


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [program, *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS
    )


@pytest.mark.dmav3_host
@pytest.mark.parametrize(("program", "name"), _tests())
def test_in_c(program: Path, name: str, record_property: Callable[[str, object], None]) -> None:
    """Every check of it holds; one that does not is shown with its file and line."""
    for check in _run(program, name, "--checks").stdout.splitlines():
        record_property("asserted", check)
    done = _run(program, name)
    if done.returncode or done.stderr:
        said = done.stderr.strip() or f"{program.name} {name} ended with {done.returncode}"
        pytest.fail(said, pytrace=False)
