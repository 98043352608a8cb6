# SPDX-License-Identifier: Apache-2.0
"""The rules as frozen, checked values, read once from rules.yaml beside this file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping  # noqa: TC003 - pydantic needs it when the classes are made
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dmav3.errors import DataFileError, UsageError
from dmav3.machine.yaml_lines import Place, parse

FILE = Path(__file__).with_name("rules.yaml")
_SOURCE = r"doc(:H)?|inferred(:[HFSPRE])?"
_EXAMPLES = {
    "source": "doc+inferred",
    "text": "On failure *LogicalAddress is unchanged.",
    "table": "[[argument, result], [NULL, accepted]]",
}

Text = Annotated[str, Field(min_length=1)]
RuleId = Annotated[str, Field(pattern=r"^[A-Z]{2,3}-[A-I]?[0-9]{1,2}$")]
QuestionId = Annotated[str, Field(pattern=r"^OQ-[0-9]{2}$")]
Row = Annotated[tuple[str, ...], Field(strict=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Question(_Part):
    """What the public documents leave open.

    :ivar sources: what they say.
    :ivar choice: how this project reads them.
    :ivar settled_by: what to do on Windows to learn the answer.
    """

    matter: Text
    sources: Text
    choice: Text
    settled_by: Text


class Exclusion(_Part):
    """What is out of scope, why, and which rules with it."""

    matter: Text
    reason: Text
    rules: Annotated[tuple[RuleId, ...], Field(strict=False)] = ()


class Rule(_Part):
    """One rule.

    :ivar source: where it comes from; rules.yaml lists the tags, joined by `+`.
    :ivar reading: the open question on whose answer it rests.
    :ivar host: why only a program of this computer decides it; None if a test of the board does.
    :ivar note: what it said before it was put for the silicon that we have.
    :ivar table: rows of what the text speaks of, the first a heading.
    """

    id: RuleId
    source: Annotated[str, Field(pattern=rf"^({_SOURCE})(\+({_SOURCE}))*$")]
    text: Text
    reading: QuestionId | None = None
    host: Text | None = None
    note: Text | None = None
    table: Annotated[tuple[Row, ...], Field(strict=False)] = ()

    @property
    def chapter(self) -> str:
        """The prefix of the id, such as MTX."""
        return self.id.partition("-")[0]

    @model_validator(mode="after")
    def _even_rows(self) -> Rule:
        if len({len(row) for row in self.table}) > 1:
            msg = "the rows of `table` are of different lengths"
            raise ValueError(msg)
        return self


class Rules(_Part):
    """Everything in rules.yaml.

    :ivar terms: words that the rules use, explained.
    :ivar chapters: title by prefix, in order.
    :ivar rules: by id, in order.
    """

    terms: Mapping[str, Text]
    chapters: Mapping[str, Text]
    questions: Mapping[QuestionId, Question]
    out_of_scope: Annotated[tuple[Exclusion, ...], Field(strict=False)]
    rules: Mapping[RuleId, Rule]

    @model_validator(mode="before")
    @classmethod
    def _name_rules(cls, value: Any) -> Any:
        """Give each rule the id that it is listed under."""
        if not isinstance(value, dict) or not isinstance(value.get("rules"), dict):
            return value
        rules = {
            key: rule | {"id": key} if isinstance(rule, dict) else rule
            for key, rule in value["rules"].items()
        }
        return value | {"rules": rules}

    def rule(self, rule_id: str) -> Rule:
        """Return a rule; `UsageError` names the nearest if there is none of this id."""
        if rule_id in self.rules:
            return self.rules[rule_id]
        near = difflib.get_close_matches(rule_id, self.rules, n=1)
        msg = f"unknown rule {rule_id!r}" + (f"; is {near[0]} meant?" if near else "")
        raise UsageError(msg)

    def in_scope(self, rule_id: str) -> Rule:
        """Return a rule that a test may decide; `UsageError` if it is out of scope, or is none."""
        rule = self.rule(rule_id)
        if reason := self.excluded(rule_id):
            msg = f"the rule {rule_id} is out of scope ({reason}); name one that the code obeys"
            raise UsageError(msg)
        return rule

    def excluded(self, rule_id: str) -> str | None:
        """Return why a rule is out of scope; None if it is not."""
        for exclusion in self.out_of_scope:
            if rule_id in exclusion.rules:
                return f"{exclusion.matter}: {exclusion.reason}"
        return None


@cache
def rules() -> Rules:
    """Return the rules that come with dmav3."""
    return load(FILE)


def load(path: Path) -> Rules:
    """Read a file of rules; `DataFileError` names file, line and key of what is wrong."""
    value, places = parse(path.read_text(encoding="utf-8"), partial(DataFileError, path))
    try:
        loaded = Rules.model_validate(value)
    except ValidationError as error:
        raise _explain(path, places, error) from error
    for place, problem in _loose_ends(loaded):
        key = ".".join(map(str, place))
        raise DataFileError(path, places[place], key, problem)
    return loaded


def _loose_ends(loaded: Rules) -> list[tuple[Place, str]]:
    """Return what refers to something that is not there, and what nothing refers to."""
    ends: list[tuple[Place, str]] = []
    for key, rule in loaded.rules.items():
        if rule.chapter not in loaded.chapters:
            ends.append((("rules", key), f"there is no chapter {rule.chapter}"))
        if rule.reading and rule.reading not in loaded.questions:
            ends.append((("rules", key, "reading"), f"there is no question {rule.reading}"))
    for index, exclusion in enumerate(loaded.out_of_scope):
        for number, rule_id in enumerate(exclusion.rules):
            if rule_id not in loaded.rules:
                place = ("out_of_scope", index, "rules", number)
                ends.append((place, f"there is no rule {rule_id}"))
    readings = {rule.reading for rule in loaded.rules.values()}
    ends += [
        (("questions", key), "no rule rests on it") for key in loaded.questions.keys() - readings
    ]
    chapters = {rule.chapter for rule in loaded.rules.values()}
    ends += [(("chapters", key), "it has no rule") for key in loaded.chapters.keys() - chapters]
    return ends


def _explain(path: Path, places: Mapping[Place, int], error: ValidationError) -> DataFileError:
    """Turn the first problem into one that names file, line and key."""
    problem = error.errors(include_url=False)[0]
    place: Place = tuple(part for part in problem["loc"] if part != "[key]")
    known = next(place[:n] for n in range(len(place), -1, -1) if place[:n] in places)
    key = ".".join(map(str, place))
    match problem["type"]:
        case "extra_forbidden":
            text = "unknown key"
        case "missing":
            text = "is missing"
        case _:
            text = f"{problem['msg']}, not {problem['input']!r}"
    example = next((_EXAMPLES[str(part)] for part in place if part in _EXAMPLES), "")
    return DataFileError(path, places[known], key, text, example)
