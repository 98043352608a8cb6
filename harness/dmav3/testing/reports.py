# SPDX-License-Identifier: Apache-2.0
"""Hooks that act on every test, once there are boards: whose fault it is, and the evidence.

A report of the phase "call" that failed counts as a failure, one of "setup" as an error. What the
environment has done goes to the latter, what the firmware has done to the former, whichever phase
they happened in: so every reader of reports agrees (terminal, JUnit file, xdist).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.errors import Dmav3Error, TargetError

from .lease import LEASE

if TYPE_CHECKING:
    from collections.abc import Generator

    Reported = Generator[None, pytest.TestReport, pytest.TestReport]

_INCONCLUSIVE = 3


class Reports:
    """The hooks, registered with the first board."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Fail a test that would pass, for findings that it did not expect."""
        yield
        lease = item.stash.get(LEASE, None)
        if lease is not None and (complaint := lease.complaint()):
            pytest.fail(complaint, pytrace=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Reported:
        """Put errors where they belong, and keep the artefacts of what failed."""
        report = yield
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, Dmav3Error) and error.exit_status == _INCONCLUSIVE:
            _blame_environment(report, error)
        elif isinstance(error, TargetError) and report.when == "setup":
            report.when = "call"
        lease = item.stash.get(LEASE, None)
        if lease is not None:
            if call.when == "call" or report.failed:
                lease.passed = not report.failed
            if report.failed:
                report.sections.append(("dmav3 artefacts", str(lease.save())))
        return report


def _blame_environment(report: pytest.TestReport, error: Dmav3Error) -> None:
    """Make a report an error of the environment, even under an xfail mark."""
    report.outcome = "failed"
    if hasattr(report, "wasxfail"):
        del report.wasxfail
    if report.when == "call":
        report.when = "setup"
    verdict = f"inconclusive: {type(error).__name__}: {error}"
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = verdict
    report.sections.append(("dmav3 verdict", f"{verdict}\nThis says nothing about the firmware."))
