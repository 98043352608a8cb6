# SPDX-License-Identifier: Apache-2.0
"""QEMU's bugs as frozen, checked values, read from bugs.toml beside this file."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field
from scenario import Scenario, differences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scenario import Outcome

FILE = Path(__file__).with_name("bugs.toml")


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shows(_Row):
    """A program that shows a bug, and what differs then."""

    programs: dict[int, str]
    steps: tuple[str, ...] = ()
    differs: dict[str, tuple[int | str, int | str] | Literal[True]]

    @property
    def scenario(self) -> Scenario:
        """Return what is to happen."""
        programs = {n: tuple(text.split("; ")) for n, text in self.programs.items()}
        return Scenario(programs, self.steps)


class Bug(_Row):
    """A row; the head of bugs.toml says what each key is."""

    name: str
    qemu: str
    manual: str
    section: str
    program: str = ""
    without: str = "(?!)"
    steps: str = ""
    fault: int = 0
    theirs_fault: int = 0
    finding: str = ""
    ours: int | None = None
    theirs: int | None = None
    by: int | None = None
    differs: frozenset[str]
    everywhere: bool = False
    harmless: bool = False
    shows: Shows = Field(repr=False)

    def explains(self, name: str, case: Case) -> bool:
        """Return whether it explains that something differs, by its name."""
        thread, _, what = name.rpartition(".")
        if what not in self.differs or not self._is_value(name, case):
            return False
        if self.finding and self.finding not in case.findings:
            return False
        if not re.search(self.steps, ", ".join(case.scenario.orders)):
            return False
        channels = range(8) if self.everywhere or not thread else [int(thread[1:])]
        return any(self._meets(channel, case) for channel in channels)

    def _is_value(self, name: str, case: Case) -> bool:
        ours, theirs = case.ours[name], case.theirs[name]
        if self.by is not None and not 0 < int(theirs) - int(ours) <= self.by:
            return False
        return (self.ours is None or self.ours == ours) and (
            self.theirs is None or self.theirs == theirs
        )

    def _meets(self, channel: int, case: Case) -> bool:
        program = "; ".join(case.scenario.programs.get(channel, ()))
        if not re.search(self.program, program) or re.search(self.without, program):
            return False
        ours, theirs = (int(side[f"C{channel}.fault"]) for side in (case.ours, case.theirs))
        return (not self.fault or bool(ours & self.fault)) and (
            not self.theirs_fault or bool(theirs & self.theirs_fault)
        )


class Case:
    """A scenario, and what came of it on both sides."""

    def __init__(
        self, scenario: Scenario, ours: Outcome, theirs: Outcome, findings: Collection[str]
    ) -> None:
        """Compare."""
        self.scenario, self.ours, self.theirs = scenario, ours, theirs
        self.findings = findings
        self.differences = differences(ours, theirs)

    def explanations(self, among: Iterable[Bug]) -> dict[str, list[Bug]]:
        """Return, for each thing that differs, the bugs that explain it."""
        return {name: [it for it in among if it.explains(name, self)] for name in self.differences}


@cache
def bugs() -> tuple[Bug, ...]:
    """Return all of them."""
    rows = tomllib.loads(FILE.read_text())["bug"]
    return tuple(Bug.model_validate(row) for row in rows)
