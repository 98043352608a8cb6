# SPDX-License-Identifier: Apache-2.0
"""From the outcomes of tests to the verdict on each rule. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmav3.rules.rules import Question, Rule, Rules

    from .transcript import Line

#: `error`: something on this computer kept us from knowing; `skipped`: the test does not apply, or
#: not to this image; `elsewhere`: it asks for another machine.
Outcome = Literal["passed", "failed", "skipped", "error", "elsewhere"]
#: `pass`: on the board; `pass (host)`: only by programs of this computer; `not applicable`: the
#: tests on a board ask for another machine.
Verdict = Literal["pass", "pass (host)", "fail", "undecided", "not applicable", "out-of-scope"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
UNTESTED = "no test decides it"


@dataclass(frozen=True)
class Ended:
    """A test that has ended.

    :ivar id: as pytest writes it.
    :ivar rules: that it decides.
    :ivar reason: one line; empty if it passed.
    :ivar details: what pytest said of a failure.
    :ivar host: it ran a program of this computer, and no board.
    :ivar sentence: what it says of itself.
    :ivar arguments: that it was given, such as `version=3`.
    :ivar asserted: expressions in its source.
    :ivar command: runs it again, alone.
    """

    id: str
    rules: tuple[str, ...]
    outcome: Outcome
    reason: str = ""
    details: str = ""
    evidence: tuple[Line, ...] = ()
    host: bool = False
    sentence: str = ""
    arguments: tuple[str, ...] = ()
    asserted: tuple[str, ...] = ()
    command: str = ""

    def json(self) -> dict[str, Any]:
        """Return the entry in `tests` of `dmav3 conformance --json`."""
        return {
            "id": self.id,
            "rules": list(self.rules),
            "outcome": self.outcome,
            "reason": self.reason or None,
            "host": self.host,
            "arguments": list(self.arguments),
            "asserted": list(self.asserted),
            "command": self.command,
        }


@dataclass(frozen=True)
class Decision:
    """A rule and its verdict.

    :ivar question: what the rule's reading rests on.
    :ivar reason: None for a pass.
    """

    rule: Rule
    verdict: Verdict
    reason: str | None
    tests: tuple[Ended, ...]
    question: Question | None

    @property
    def text(self) -> str:
        """The verdict for a person, such as `pass (our reading, OQ-06)`."""
        if self.rule.reading and self.verdict in {"pass", "pass (host)", "fail"}:
            return f"{self.verdict} (our reading, {self.rule.reading})"
        return self.verdict

    def json(self) -> dict[str, Any]:
        """Return the entry in `rules` of `dmav3 conformance --json`."""
        return {
            "id": self.rule.id,
            "source": self.rule.source,
            "verdict": self.verdict,
            "reading": self.rule.reading,
            "tests": [test.id for test in self.tests],
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Circumstances:
    """When and on what the tests ran.

    :ivar machine: its name.
    :ivar image: what ran, for a person.
    :ivar build: its build id; empty if it has none, or was not found.
    :ivar seed, schedule: for the tests that choose none; no schedule where no cache is modelled.
    :ivar started: local time, ISO 8601.
    :ivar seconds: until the last test had ended.
    :ivar qemu: its version; empty if no board ran.
    :ivar dmav3: the version of the package.
    :ivar extension: the build id of the QEMU extension; empty if it was not found.
    """

    machine: str
    image: str
    build: str = ""
    seed: int = 1
    schedule: str | None = None
    started: str = ""
    seconds: float = 0.0
    qemu: str = ""
    dmav3: str = ""
    extension: str = ""


@dataclass(frozen=True)
class RuleReport:
    """The verdicts on all rules that were asked for.

    :ivar trouble: what kept the tests from running to their end; None if they did.
    """

    circumstances: Circumstances
    decisions: tuple[Decision, ...]
    trouble: str | None = None

    @property
    def tests(self) -> tuple[Ended, ...]:
        """Every test that has ended, once."""
        return tuple({test.id: test for one in self.decisions for test in one.tests}.values())

    @property
    def exit_status(self) -> int:
        """What `dmav3 conformance` exits with: a failure that was seen is not hidden."""
        if self.counts()["fail"]:
            return 1
        broken = (test.outcome == "error" for test in self.tests)
        return 3 if self.trouble or any(broken) else 0

    def counts(self) -> Counter[Verdict]:
        """Return how many rules have which verdict."""
        return Counter(decision.verdict for decision in self.decisions)

    def json(self) -> dict[str, Any]:
        """Return the object of `dmav3 conformance --json`."""
        counts = self.counts()
        return {
            **asdict(self.circumstances),
            "counts": {verdict: counts[verdict] for verdict in VERDICTS},
            "rules": [one.json() for one in self.decisions],
            "tests": [test.json() for test in self.tests],
        }


def decide(
    rules: Rules, selected: Iterable[Rule], tests: Iterable[Ended], trouble: str | None = None
) -> tuple[Decision, ...]:
    """Reach a verdict on each of the selected rules.

    :param trouble: what kept tests from running; a rule without a test that ran is undecided
        for this reason.
    """
    by_rule: dict[str, list[Ended]] = {}
    for test in tests:
        for rule_id in test.rules:
            by_rule.setdefault(rule_id, []).append(test)

    def one(rule: Rule) -> Decision:
        deciding = tuple(by_rule.get(rule.id, ()))
        verdict, reason = _verdict(rules.excluded(rule.id), deciding, trouble)
        if verdict == "pass (host)" and rule.host:
            reason = f"{reason}: {rule.host}"
        question = rules.questions[rule.reading] if rule.reading else None
        return Decision(rule, verdict, reason, deciding, question)

    return tuple(one(rule) for rule in selected)


def _verdict(
    excluded: str | None, tests: tuple[Ended, ...], trouble: str | None
) -> tuple[Verdict, str | None]:
    """Return verdict and reason: a pass is that a test ran, and that all that ran have passed."""
    if excluded:
        return "out-of-scope", excluded
    if failed := [test for test in tests if test.outcome == "failed"]:
        return "fail", "; ".join(f"{test.id}: {test.reason}" for test in failed)
    if broken := [test for test in tests if test.outcome == "error"]:
        return "undecided", f"inconclusive: {broken[0].id}: {broken[0].reason}"
    return _verdict_of_good(tests, trouble)


def _verdict_of_good(tests: tuple[Ended, ...], trouble: str | None) -> tuple[Verdict, str | None]:
    """Return verdict and reason where nothing failed.

    What runs on this computer says nothing of a machine, so it does not outweigh that the tests on
    a board are all for another one.
    """
    passed = [test for test in tests if test.outcome == "passed"]
    if any(not test.host for test in passed):
        return "pass", None
    if elsewhere := sorted({test.reason for test in tests if test.outcome == "elsewhere"}):
        return "not applicable", f"no test on a board is for this machine: {', '.join(elsewhere)}"
    if passed:
        return "pass (host)", "decided only by programs of this computer"
    return "undecided", tests[0].reason if tests else trouble or UNTESTED
