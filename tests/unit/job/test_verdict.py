# SPDX-License-Identifier: Apache-2.0
"""When a run passes, fails, or proves nothing."""

from __future__ import annotations

import dataclasses
import re

import pytest

from dmav3.errors import ClosedError, Dmav3Error, TransferError
from dmav3.evidence.findings import Finding
from dmav3.evidence.violations import Violation
from dmav3.job.verdict import Facts, judge

EQUAL = {"input": "a", "device": "a", "returned": "a"}
GOOD = Facts("virt-a53", 1, "lru", bytes=1, digests=EQUAL)
FINDING = Finding("stale-cpu-read", 1, 0, 1, 0, "0x0", None, None, None, None, None, "text")
VIOLATION = Violation(0x19, 0, 0, "PutDmaAdapter", "")


@pytest.mark.parametrize(
    ("changes", "error", "verdict", "words"),
    [
        ({}, None, "pass", "equal"),
        ({"digests": EQUAL | {"device": "b"}}, None, "fail", "digests"),
        ({"findings": (FINDING,)}, None, "fail", "1 findings .stale-cpu-read"),
        ({}, TransferError("status"), "fail", "status"),
        ({}, ClosedError("gone"), "inconclusive", "gone"),
        ({"findings": (FINDING,)}, ClosedError("gone"), "fail", "stale-cpu-read.*gone"),
        ({"violations": (VIOLATION,)}, None, "fail", "violation 0x19 in PutDmaAdapter"),
        ({"lost": 3}, None, "inconclusive", "3 records"),
        ({"lost": 3, "findings": (FINDING,)}, None, "fail", "stale"),
    ],
)
def test_verdict_follows_from_the_evidence(
    changes: dict[str, object], error: Dmav3Error | None, verdict: str, words: str
) -> None:
    """The firmware's failures are never hidden, the harness's never blamed on the firmware."""
    report = judge(dataclasses.replace(GOOD, **changes), error)  # type: ignore[arg-type]
    assert report.verdict == verdict
    assert report.exit_status == {"pass": 0, "fail": 1, "inconclusive": 3}[verdict]
    assert re.search(words, report.reason)


def test_json_has_the_documented_keys_in_order() -> None:
    """The object of `dmav3 run --json`."""
    assert list(judge(GOOD).json()) == [
        "verdict",
        "reason",
        "machine",
        "device",
        "seed",
        "schedule",
        "bytes",
        "sha256",
        "steps",
        "findings",
        "costs",
        "violations",
        "versions",
    ]
