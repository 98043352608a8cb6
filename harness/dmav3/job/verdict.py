# SPDX-License-Identifier: Apache-2.0
"""The verdict on a run, and the JSON object that says why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from dmav3.errors import Dmav3Error, TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dmav3.evidence.findings import Finding
    from dmav3.evidence.violations import Violation

    from .journal import Step

_EXIT_STATUS = {"pass": 0, "fail": 1, "inconclusive": 3}
_DIGESTS = ("input", "device", "returned")
#: What is not the same in another run with the same seed.
_OWN_TIMES = {
    "edu": " (the device keeps its own time: another run has the same records at other times)",
}


@dataclass(frozen=True)
class Facts:
    """What a run has shown; may be incomplete if it was cut short.

    :ivar device: what the bytes went to and came from.
    :ivar digests: SHA-256 in hexadecimal by name; a missing one has not been computed.
    :ivar versions: of `dmav3` and `qemu`, and the build ids of the image, `build`, and `extension`.
    :ivar lost: records and findings that had no room.
    :ivar untraced: instructions of the DMA controller that came after the trace had its share.
    """

    machine: str
    seed: int
    schedule: str | None
    device: str = "stream"
    bytes: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    costs: tuple[Mapping[str, Any], ...] = ()
    violations: tuple[Violation, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    lost: int = 0
    untraced: int = 0


@dataclass(frozen=True)
class Keflush:
    """What KeFlushIoBuffers before each transfer cost, in lines of the cache.

    :ivar calls: of it.
    :ivar lines: that they cleaned, and for a read invalidated.
    :ivar idle: operations of the whole run that found nothing to do.
    :ivar idle_alone: the same of a run without the calls: what the version-3 routines alone cost.
    """

    calls: int
    lines: int
    idle: int
    idle_alone: int


@dataclass(frozen=True)
class Report:
    """A verdict with its reason and its evidence.

    :ivar keflush: None if it was not asked for.
    :ivar folder: what is left of a run that did not pass, for `dmav3 replay`.
    """

    verdict: Literal["pass", "fail", "inconclusive"]
    reason: str
    facts: Facts
    keflush: Keflush | None = None
    folder: str | None = None

    @property
    def exit_status(self) -> int:
        """What `dmav3 run` exits with."""
        return _EXIT_STATUS[self.verdict]

    def json(self) -> dict[str, Any]:
        """Return the object of `dmav3 run --json`."""
        facts = self.facts
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "machine": facts.machine,
            "device": facts.device,
            "seed": facts.seed,
            "schedule": facts.schedule,
            "bytes": facts.bytes,
            "sha256": {name: facts.digests.get(name) for name in _DIGESTS},
            "steps": [asdict(step) for step in facts.steps],
            "findings": [finding.json() for finding in facts.findings],
            "costs": [dict(cost) for cost in facts.costs],
            "violations": [violation.json() for violation in facts.violations],
            "versions": dict(facts.versions),
            **({"keflush": asdict(self.keflush)} if self.keflush else {}),
            **({"folder": self.folder} if self.folder else {}),
        }


def judge(facts: Facts, error: Dmav3Error | None = None) -> Report:
    """Reach a verdict.

    What the firmware did wrong is `fail`; what kept us from knowing is `inconclusive`, but never
    hides a failure that has been seen.

    :param error: what cut the run short.
    """
    reasons = _reasons(facts)
    if isinstance(error, TargetError):
        return Report("fail", "; ".join((str(error), *reasons)), facts)
    if facts.findings or facts.violations:
        reasons += [str(error)] if error else []
        return Report("fail", "; ".join(reasons), facts)
    if error is not None:
        return Report("inconclusive", str(error), facts)
    if reasons:
        return Report("fail", "; ".join(reasons), facts)
    if facts.lost:
        reason = f"{facts.lost} records were lost, so nothing follows from a missing finding"
        return Report("inconclusive", reason, facts)
    reason = "the digests are equal and there is no finding"
    return Report("pass", reason + _OWN_TIMES.get(facts.device, ""), facts)


def with_keflush(report: Report, alone: Report) -> Report:
    """Add to the report of a run with KeFlushIoBuffers how it compares with one without."""
    calls = [step for step in report.facts.steps if step.routine == "KeFlushIoBuffers"]
    lines = sum(step.lines_other for step in calls)  # outside of any mapping
    idle, idle_alone = (sum(cost["lines"] for cost in one.facts.costs) for one in (report, alone))
    return replace(report, keflush=Keflush(len(calls), lines, idle, idle_alone))


def _reasons(facts: Facts) -> list[str]:
    """Say what is wrong in the evidence itself."""
    reasons = []
    digests = [facts.digests[name] for name in _DIGESTS if name in facts.digests]
    if len(set(digests)) > 1:
        reasons.append("the digests of input, device and returned bytes differ")
    if facts.findings:
        kinds = sorted({finding.kind for finding in facts.findings})
        reasons.append(f"{len(facts.findings)} findings ({', '.join(kinds)})")
    reasons += [one.line() for one in facts.violations]
    return reasons
