# SPDX-License-Identifier: Apache-2.0
"""From outcomes to verdicts, and from records to evidence, without a board."""

from __future__ import annotations

import pytest

from dmav3.conformance.transcript import Line, describe
from dmav3.conformance.verdicts import Circumstances, Decision, Ended, RuleReport, decide
from dmav3.evidence.probe import Kind, Record
from dmav3.rules.rules import rules

NAMES = {
    23: "MapTransferEx",
    26: "FlushAdapterBuffersEx",
    51: "",
    80: "AdapterControl",
    98: "Query",
}


NOT_HERE = "no test on a board is for this machine: "
HERE = Circumstances("virt-a53", "image")


def decided(rule: str, *outcomes: str, trouble: str | None = None) -> Decision:
    """Return the decision on a rule whose tests ended so; each is its own reason.

    `host` stands for a pass on this computer.
    """
    tests = [
        Ended(f"t{n}", (rule,), "passed", host=True)
        if one == "host"
        else Ended(f"t{n}", (rule,), one, f"{one}!")  # type: ignore[arg-type]
        for n, one in enumerate(outcomes)
    ]
    (decision,) = decide(rules(), [rules().rule(rule)], tests, trouble)
    return decision


@pytest.mark.parametrize(
    ("rule", "outcomes", "verdict", "reason"),
    [
        ("TBL-01", [], "undecided", "no test decides it"),
        ("TBL-01", ["passed"], "pass", None),
        ("TBL-01", ["passed", "skipped"], "pass", None),
        ("TBL-01", ["skipped", "skipped"], "undecided", "skipped!"),
        ("TBL-01", ["passed", "failed", "error"], "fail", "t1: failed!"),
        ("TBL-01", ["failed", "failed"], "fail", "t0: failed!; t1: failed!"),
        ("TBL-01", ["passed", "error"], "undecided", "inconclusive: t1: error!"),
        ("TBL-01", ["host"], "pass (host)", "decided only by programs of this computer"),
        (
            "HBE-07",
            ["host"],
            "pass (host)",
            "decided only by programs of this computer: Controllers with other limits are needed.",
        ),
        ("TBL-01", ["host", "passed"], "pass", None),
        ("TBL-01", ["host", "failed"], "fail", "t1: failed!"),
        ("TBL-01", ["host", "skipped"], "pass (host)", "decided only by programs of this computer"),
        ("TBL-01", ["elsewhere", "host"], "not applicable", f"{NOT_HERE}elsewhere!"),
        ("TBL-01", ["elsewhere", "skipped"], "not applicable", f"{NOT_HERE}elsewhere!"),
        ("TBL-01", ["elsewhere", "passed"], "pass", None),
    ],
)
def test_verdict(rule: str, outcomes: list[str], verdict: str, reason: str | None) -> None:
    """A failure is never hidden, and nothing passes without a test that ran."""
    decision = decided(rule, *outcomes)
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_out_of_scope_is_whatever_the_tests_say() -> None:
    """With the reason of the fixed list."""
    decision = decided("DOM-01", "failed")
    assert decision.verdict == "out-of-scope"
    assert decision.reason == (
        "members of the table that came after version 3: Size ends before them, "
        "as in the Windows 8 table (TBL-04)"
    )


def test_what_kept_the_tests_from_running_is_the_reason() -> None:
    """Where no test ran; one that ran counts."""
    assert decided("TBL-01", trouble="no QEMU").reason == "no QEMU"
    assert decided("TBL-01", "passed", trouble="QEMU died").verdict == "pass"


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("passed", "pass (our reading, OQ-06)"),
        ("failed", "fail (our reading, OQ-06)"),
        ("skipped", "undecided"),
    ],
)
def test_a_verdict_names_the_reading_it_rests_on(outcome: str, text: str) -> None:
    """And the question comes with it."""
    decision = decided("FBX-15", outcome)
    assert decision.text == text
    assert decision.question is not None
    assert decision.question.matter == "flush of a running SYS transfer"


@pytest.mark.parametrize(
    ("outcomes", "trouble", "status"),
    [
        (["passed"], None, 0),
        ([], None, 0),
        (["failed"], "QEMU died", 1),
        (["passed"], "QEMU died", 3),
        (["error"], None, 3),
    ],
)
def test_exit_status(outcomes: list[str], trouble: str | None, status: int) -> None:
    """Undecided rules are no failure; what could not be seen is no success."""
    decision = decided("TBL-01", *outcomes, trouble=trouble)
    assert RuleReport(HERE, (decision,), trouble).exit_status == status


def record(kind: Kind, number: int = 0, *values: int) -> Record:
    """Return a record with `a` to `e`."""
    a, b, c, d, e = (*values, 0, 0, 0, 0, 0)[:5]
    return Record(0, 1, 0, kind, ungated=False, id=number, a=a, b=b, c=c, d=d, e=e)


def test_a_call_and_its_return_are_one_line() -> None:
    """What happened inside is indented; lines of the cache are counted by what was done."""
    records = [
        record(Kind.COMMAND),
        record(Kind.ENTER, 23, 0x1000),
        record(Kind.ENTER, 98),
        record(Kind.EXIT, 98, 0, 63),
        record(Kind.RANGE, 0, 1, 0x41000000, 4096, 1),
        record(Kind.EXIT, 23, 0x1000, 0, 4096 | 2 << 32, 64, 3 | 1 << 32),
        record(Kind.VIOLATION, 0x16, 1, 2),
        record(Kind.ENTER, 26),
        record(Kind.EXIT, 26, 0, 0xC000000D),
        record(Kind.ENTER, 80),
    ]
    assert describe(records, NAMES, {0x16: "flush unmapped"}) == [
        Line(
            0,
            "routine",
            "MapTransferEx → STATUS_SUCCESS, 4096 bytes, 2 elements, 64 lines cleaned, "
            "3 lines written back, 1 other lines treated",
        ),
        Line(1, "backend", "Query → 0x3f"),
        Line(1, "range", "mapped for a write: 4096 bytes at 0x41000000"),
        Line(0, "violation", "violation 0x16 flush unmapped (p2=0x1, p3=0x2)"),
        Line(0, "routine", "FlushAdapterBuffersEx → STATUS_INVALID_PARAMETER"),
        Line(0, "callback", "AdapterControl"),
    ]


def test_a_return_without_its_call_is_no_line() -> None:
    """As after a gap in the log."""
    assert describe([record(Kind.EXIT, 23)], NAMES, {}) == []
