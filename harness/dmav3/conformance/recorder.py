# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin that `dmav3 conformance` runs the tests with.

It keeps the tests of the rules that were asked for, and writes to a pipe, a JSON object a line,
what is going to run and how each test ended.
"""

from __future__ import annotations

import json
import os
import select
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from dmav3.board.board import Board
from dmav3.board.shim import Shim
from dmav3.testing.marks import other_machine, rules_of

from .described import arguments, assertions, sentence
from .transcript import Line, transcript

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    Reported = Generator[None, pytest.TestReport, pytest.TestReport]

_FOREIGN_IMAGE = "decided only by dmav3's own layer on this computer, which is not in this image"
_READER_GONE = 3  # exit status
_DETAILS = 8000  # characters of what pytest says of a failure


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the parent process says."""
    group = parser.getgroup("dmav3 conformance")
    group.addoption("--dmav3-pipe", type=int, required=True, help="file descriptor to write to")
    group.addoption("--dmav3-rule", action="append", default=[], help="prefix of rules to decide")


def pytest_configure(config: pytest.Config) -> None:
    """Start to record."""
    config.addinivalue_line("markers", "soak: full counts, which take minutes")
    config.pluginmanager.register(_Recorder(config), "dmav3-recorder")


class _Recorder:
    """The hooks.

    :ivar _items: by id, all that will run.
    :ivar _ended: outcome, reason and details of the test under way, from its worst phase so far.
    :ivar _qemu: the version has been written.
    """

    def __init__(self, config: pytest.Config) -> None:
        pipe = config.getoption("dmav3_pipe")
        threading.Thread(target=_end_with_reader, args=(pipe,), daemon=True).start()
        self._pipe: TextIO = open(pipe, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - a descriptor; open until the process ends
        self._prefixes = tuple(config.getoption("dmav3_rule"))
        self._foreign = bool(config.getoption("dmav3_image"))
        self._items: dict[str, pytest.Item] = {}
        self._qemu = False
        self._ended: dict[str, str] = {}
        self._evidence: list[Line] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the tests of the rules that were asked for."""
        kept = [item for item in items if self._wanted(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say which tests decide which rules, before any runs; pytest's own report names them."""
        self._items = {item.nodeid: item for item in session.items}
        for item in session.items:
            item.user_properties += [("rule", rule) for rule in rules_of(item)]
        self._write(collected={test: rules_of(item) for test, item in self._items.items()})

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out what says nothing of the machine, or of the image, that was given."""
        if other := other_machine(item):
            self._ended = {"outcome": "elsewhere", "reason": f"it asks for {other}"}
            pytest.skip(self._ended["reason"])
        if self._foreign and item.get_closest_marker("dmav3_host"):
            pytest.skip(_FOREIGN_IMAGE)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Reported:
        """Take the evidence while there is a board."""
        report = yield
        if call.when == "call" or report.failed:
            self._evidence = self._evidence or _evidence(item)
            self._tell_qemu(item)
        return report

    def pytest_runtest_logstart(self) -> None:
        """Forget the test before."""
        self._ended, self._evidence = {"outcome": "passed"}, []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first phase that did not pass."""
        if self._ended["outcome"] == "passed" and (ended := _ended(report)):
            self._ended = ended

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Say how it ended."""
        item = self._items[nodeid]
        self._write(
            id=nodeid,
            rules=rules_of(item),
            host=item.get_closest_marker("dmav3_host") is not None,
            sentence=sentence(item),
            arguments=arguments(item),
            asserted=assertions(item),
            evidence=[asdict(line) for line in self._evidence],
            **self._ended,
        )

    def _tell_qemu(self, item: pytest.Item) -> None:
        """Say once which QEMU the tests run on."""
        board = next((one for one in _values(item) if isinstance(one, Board)), None)
        if board is not None and not self._qemu and board.qemu.running:
            self._write(qemu=board.qemu.version)
            self._qemu = True

    def _wanted(self, item: pytest.Item) -> bool:
        rules = rules_of(item)
        return any(rule.startswith(self._prefixes or "") for rule in rules)

    def _write(self, **what: Any) -> None:
        print(json.dumps(what), file=self._pipe, flush=True)


def _end_with_reader(pipe: int) -> None:
    """End this process when nobody reads the pipe any more; its boards end with it."""
    waiting = select.poll()
    waiting.register(pipe, 0)  # an error, which is always told
    waiting.poll()
    os._exit(_READER_GONE)


def _ended(report: pytest.TestReport) -> dict[str, str] | None:
    """Return how a phase ended; None if there is nothing to say."""
    if report.passed:
        return None
    if hasattr(report, "wasxfail"):
        return {"outcome": "failed", "reason": f"it is known to fail: {report.wasxfail}"}
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        return {"outcome": "skipped", "reason": reason.removeprefix("Skipped: ")}
    crash = getattr(report.longrepr, "reprcrash", None)
    text = (crash.message if crash else report.longreprtext).removeprefix("Failed: ")
    return {
        "outcome": "failed" if report.when == "call" else "error",
        "reason": next(iter(text.splitlines()), "no reason was given"),
        "details": report.longreprtext[-_DETAILS:],
    }


def _evidence(item: pytest.Item) -> list[Line]:
    """Return that of the fixture which has any."""
    return next((transcript(one) for one in _values(item) if isinstance(one, Shim)), [])


def _values(item: pytest.Item) -> Iterable[object]:
    """Return what the fixtures of a test gave."""
    values: Iterable[object] = getattr(item, "funcargs", {}).values()
    return values
