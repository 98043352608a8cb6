# SPDX-License-Identifier: Apache-2.0
"""Hooks that act on every test, once there are boards: whose fault it is, and the evidence.

A report of the phase "call" that failed counts as a failure, one of "setup" or "teardown" as an
error. What the environment has done goes to the latter, what the firmware has done to the former,
whichever phase they happened in: so every reader of reports agrees (terminal, JUnit file, xdist).
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import pytest

from dmav3.errors import Dmav3Error, TargetError

from .lease import LEASES
from .marks import ON_FAILURE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from .lease import Lease

    Reported = Generator[None, pytest.TestReport, pytest.TestReport]

_INCONCLUSIVE = 3


class Reports:
    """The hooks, registered with the first board."""

    def __init__(self) -> None:
        """Know of no test."""
        self._item: pytest.Item | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Fail a test that would pass, for findings that it did not expect."""
        self._item = item
        try:
            yield
        except Exception as error:
            for lease in _leases(item):
                lease.annotate(error)
            raise
        for lease in _leases(item):
            lease.judge(left=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        """Judge at the very end, when every fixture has been torn down: what is left is left."""
        yield
        for lease in _leases(item):
            if lease.clean:
                lease.judge(left=True)
                lease.keep()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Reported:
        """Put errors where they belong, and keep the artefacts of what failed."""
        report = yield
        leases = _leases(item)
        errors = list(_all(call.excinfo.value)) if call.excinfo else []
        to_blame = [error for error in errors if _is_inconclusive(error)]
        if to_blame:
            _blame_environment(report, to_blame[0])
        for lease in leases:
            lease.clean = lease.clean and not errors
            lease.failed = lease.failed or report.failed
        if report.failed:
            _tell(report, leases)
            if item.config.getoption(ON_FAILURE):
                _debug(report, leases)
        if errors and all(map(_is_failure, errors)) and report.failed:
            report = _as_failure(item, report)
        if call.when == "teardown":
            self._end(item, report)
        return report

    def pytest_sessionfinish(self) -> None:
        """End what a test that was interrupted has left."""
        if self._item is not None:
            self._end(self._item, None)

    @staticmethod
    def _end(item: pytest.Item, report: pytest.TestReport | None) -> None:
        leases = _leases(item)
        while leases:
            try:
                leases.pop().end()
            except Exception as error:  # noqa: BLE001 - the next test has a right to run
                if report is not None:
                    report.sections.append(("dmav3 warning", f"a board did not end: {error!r}"))


def _leases(item: pytest.Item) -> list[Lease]:
    return item.stash.get(LEASES, [])


def _all(error: BaseException) -> Iterator[BaseException]:
    """Give what was raised, one by one: pytest puts the errors of several fixtures into a group."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _all(one)
    else:
        yield error


def _is_inconclusive(error: BaseException) -> bool:
    return isinstance(error, Dmav3Error) and error.exit_status == _INCONCLUSIVE


def _is_failure(error: BaseException) -> bool:
    """Return whether an exception is the firmware's fault, or the driver's."""
    return isinstance(error, TargetError) or hasattr(error, "dmav3")


def _tell(report: pytest.TestReport, leases: list[Lease]) -> None:
    """Save the artefacts and say where they are; what goes wrong there is a part of the report."""
    for lease in leases:
        report.sections.append(("dmav3 run", lease.story()))
        try:
            lease.save()
        except Exception as error:  # noqa: BLE001 - the test has failed for another reason
            text = f"not all of the artefacts could be saved: {error!r}"
            report.sections.append(("dmav3 warning", text))
        report.sections.append(("dmav3 artefacts", str(lease.folder)))


def _debug(report: pytest.TestReport, leases: list[Lease]) -> None:
    """Let a person look at the boards; what goes wrong there is a part of the report."""
    for lease in leases:
        try:
            lease.debug()
        except (Dmav3Error, OSError) as error:
            report.sections.append(("dmav3 warning", f"gdb could not be had: {error}"))


def _as_failure(item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
    """Make a report count as a failure.

    What a teardown has raised comes after the report that the test passed, so it is a report of its
    own, and that of the teardown has nothing more to say.
    """
    if report.when == "teardown":
        failure = copy(report)
        failure.when = "call"
        item.ihook.pytest_runtest_logreport(report=failure)
        report.outcome, report.longrepr, report.sections = "passed", None, []
    else:
        report.when = "call"
    return report


def _blame_environment(report: pytest.TestReport, error: BaseException) -> None:
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
