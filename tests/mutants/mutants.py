# SPDX-License-Identifier: Apache-2.0
"""The mutants as frozen, checked values, read from the lists here."""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dmav3.errors import UsageError
from dmav3.rules.rules import rules

FILE = Path(__file__).with_name("mutants.toml")
#: What may be mutated.
FOLDERS = ("firmware/layer", "firmware/routines", "firmware/hal")
#: What is tested on the host: its mutants break no rule of the interface. Lists, and their folders.
ON_HOST = {
    FILE.with_name(f"{part}.toml"): f"qemu-machines/ext/{part}" for part in ("engine", "model")
}


class Mutant(BaseModel):
    """One bug.

    :ivar rule: what it breaks; empty for one of what is tested on the host.
    :ivar file: path from the root of the sources.
    :ivar find: a text that is there once.
    :ivar instead: what stands there in the mutant.
    :ivar equivalent: why no test can see it; empty if one can.
    :ivar name: the rule, with a number behind it from its second mutant on; of one without a rule,
        what it does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: str = ""
    file: str
    find: str
    instead: str
    equivalent: str = ""
    name: str = ""

    @property
    def folder(self) -> str:
        """Where its file lies."""
        return self.file.rpartition("/")[0]

    def applied(self, source: str) -> str:
        """Return the file with the bug in it; `UsageError` if the text is not there once."""
        count = source.count(self.find)
        if count != 1:
            text = self.find.strip().splitlines()[0]
            msg = (
                f"the mutant {self.name} does not apply: {text!r} is {count} times in "
                f"{self.file}, not once; give it the text that stands there now"
            )
            raise UsageError(msg)
        return source.replace(self.find, self.instead)


def place(rule: str, commit: str = "") -> str:
    """Return what the rules are sorted by when their turn is drawn."""
    return hashlib.sha256((rule + commit).encode()).hexdigest()


def load(path: Path = FILE) -> list[Mutant]:
    """Read the mutants, and behind them those of each later draw.

    :raises UsageError: one names a rule that is not, or is out of scope, or another folder; or
        they are not in the order of their rules.
    """
    lists = tomllib.loads(path.read_text())
    read = _checked(path, lists["mutant"])
    for draw in lists.get("drawn", ()):
        read += _checked(path, draw["mutant"], draw["commit"])
    return _named(read)


def _checked(path: Path, tables: list[dict[str, str]], commit: str = "") -> list[Mutant]:
    try:
        read = [Mutant(**one) for one in tables]
    except ValidationError as error:
        msg = f"{path.name}: {error}"
        raise UsageError(msg) from error
    for mutant in read:
        rules().in_scope(mutant.rule)
        if mutant.folder not in FOLDERS:
            msg = f"{path.name}: {mutant.rule}: {mutant.file} is in none of {', '.join(FOLDERS)}"
            raise UsageError(msg)
    for one, following in pairwise(read):
        if place(one.rule, commit) > place(following.rule, commit):
            order = f"sha256(rule id{' + commit' if commit else ''})"
            msg = f"{path.name}: {following.rule} comes before {one.rule} by {order}"
            raise UsageError(msg)
    return read


def load_on_host() -> list[Mutant]:
    """Read the mutants of what is tested on the host.

    :raises UsageError: one has a wrong key, or is of another folder.
    """
    return [mutant for path, folder in ON_HOST.items() for mutant in _of_folder(path, folder)]


def _of_folder(path: Path, folder: str) -> list[Mutant]:
    try:
        read = [Mutant(**one) for one in tomllib.loads(path.read_text())["mutant"]]
    except ValidationError as error:
        msg = f"{path.name}: {error}"
        raise UsageError(msg) from error
    for mutant in read:
        if mutant.folder != folder:
            msg = f"{path.name}: {mutant.name}: {mutant.file} is not in {folder}"
            raise UsageError(msg)
    return read


def _named(mutants: list[Mutant]) -> list[Mutant]:
    seen: Counter[str] = Counter()
    named = []
    for mutant in mutants:
        seen[mutant.rule] += 1
        count = seen[mutant.rule]
        name = mutant.rule if count == 1 else f"{mutant.rule}.{count}"
        named.append(mutant.model_copy(update={"name": name}))
    return named


def turns(path: Path = FILE) -> list[tuple[str, set[str], set[str]]]:
    """Return, for each draw, its commit ("" of the first), the rules it mutates and passes over."""
    lists = tomllib.loads(path.read_text())
    always = _flat(lists["passed_over"])
    found = [("", {one["rule"] for one in lists["mutant"]}, always)]
    for draw in lists.get("drawn", ()):
        passed = always | _flat(draw.get("passed_over", {}))
        found.append((draw["commit"], {one["rule"] for one in draw["mutant"]}, passed))
    return found


def _flat(reasons: dict[str, list[str]]) -> set[str]:
    return {rule for those in reasons.values() for rule in those}
