# SPDX-License-Identifier: Apache-2.0
"""The report on a terminal: a line a chapter, then everything that is not simply passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from dmav3.rules.rules import rules

from .verdicts import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from dmav3.rules.rules import Question, Rule

    from .verdicts import Decision, RuleReport

_COLOURS: dict[str, str] = {
    "pass": "green",
    "pass (host)": "cyan",
    "fail": "bold red",
    "undecided": "yellow",
    "not applicable": "dim",
    "out-of-scope": "dim",
}


def show(console: Console, report: RuleReport) -> None:
    """Print the report."""
    ran = report.circumstances
    console.print(
        f"{ran.machine}, {ran.image}: {len(report.decisions)} rules, {len(report.tests)} tests in "
        f"{ran.seconds:g} s",
        soft_wrap=True,
    )
    console.print(_chapters(report))
    by_verdict = {
        verdict: [one for one in report.decisions if one.verdict == verdict] for verdict in VERDICTS
    }
    for decision in by_verdict["fail"]:
        _show_rule(console, decision.rule, decision.text, decision.question)
        for test in decision.tests:
            mark = escape(f"{test.outcome}: {test.id} {test.reason}".rstrip())
            console.print(f"    {mark}", soft_wrap=True)
    for verdict in ("undecided", "not applicable", "out-of-scope"):
        _by_reason(console, by_verdict[verdict])
    for decision in (*by_verdict["pass"], *by_verdict["pass (host)"]):
        if decision.question:
            _show_rule(console, decision.rule, decision.text, decision.question)
    if report.trouble:
        console.print(f"[yellow]inconclusive[/]: {escape(report.trouble)}", soft_wrap=True)
    counts = report.counts()
    console.print(
        ", ".join(f"{counts[one]} [{_COLOURS[one]}]{one}[/]" for one in VERDICTS), soft_wrap=True
    )


def show_untested(console: Console, untested: Iterable[Rule]) -> None:
    """Print the rules that no test names."""
    table = Table("rule", "source", "text", box=SIMPLE, pad_edge=False)
    for rule in untested:
        table.add_row(rule.id, rule.source, escape(rule.text))
    console.print(table)
    console.print(f"{table.row_count} rules have no test")


def _chapters(report: RuleReport) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, show_footer=True)
    counts = report.counts()
    table.add_column("chapter", footer="all")
    table.add_column("")
    table.add_column("rules", footer=str(len(report.decisions)), justify="right")
    for verdict in VERDICTS:
        table.add_column(verdict, footer=str(counts[verdict]), justify="right")
    for chapter, title in rules().chapters.items():
        found = [one.verdict for one in report.decisions if one.rule.chapter == chapter]
        if found:
            numbers = (_number(found.count(verdict), verdict) for verdict in VERDICTS)
            table.add_row(chapter, escape(title), str(len(found)), *numbers)
    return table


def _number(count: int, verdict: str) -> str:
    return f"[{_COLOURS[verdict]}]{count}[/]" if count else ""


def _by_reason(console: Console, decisions: Iterable[Decision]) -> None:
    """Print rules in full, under one heading for all of the same verdict and reason."""
    grouped: dict[str, list[Decision]] = {}
    for decision in decisions:
        heading = (
            f"[{_COLOURS[decision.verdict]}]{decision.verdict}[/]: {escape(decision.reason or '')}"
        )
        grouped.setdefault(heading, []).append(decision)
    for heading, members in grouped.items():
        console.print(f"{heading} ({len(members)})", soft_wrap=True)
        for decision in members:
            _show_rule(console, decision.rule, "", decision.question)


def _show_rule(console: Console, rule: Rule, verdict: str, question: Question | None) -> None:
    said = f"{rule.id} [{rule.source}] {verdict}".rstrip()
    console.print(f"  [bold]{escape(said)}[/]", soft_wrap=True)
    for text in (rule.text, *(" | ".join(row) for row in rule.table)):
        console.print(f"    {escape(text)}", soft_wrap=True)
    if question:
        text = f"{rule.reading}: {question.matter} ({question.sources}); here: {question.choice}"
        console.print(f"    {escape(text)}", soft_wrap=True)
