# SPDX-License-Identifier: Apache-2.0
"""One test's use of one board: from the pool, with its properties and artefacts, and back."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .artefacts import save
from .deadline import unhurried
from .errors import InfrastructureError
from .gdb import serve_gdb
from .pytest_wanted import rules_of, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from .board import Board
    from .pool import Pool

#: The lease of a test that has a board.
LEASE = pytest.StashKey["Lease"]()
_NAME_LENGTH = 30


class Lease:
    """A context manager that gives the board.

    :ivar board: the board.
    :ivar passed: None until the test has run, then whether it passed or was skipped.
    """

    board: Board

    def __init__(
        self, item: pytest.Item, pool: Pool, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """Take nothing yet."""
        self._item, self._pool, self._factory = item, pool, tmp_path_factory
        self._folder: Path | None = None
        self.passed: bool | None = None

    def __enter__(self) -> Board:
        """Take a board and say in the test's properties which."""
        self._wanted = wanted(self._item)
        self.board = self._pool.take(self._wanted)
        with ExitStack() as resources:
            resources.callback(self._leave)
            self._prepare(resources)
            self._resources = resources.pop_all()
        return self.board

    def __exit__(self, *_: object) -> None:
        """Give the board back if the test passed; else end it, for nobody knows its state."""
        with self._resources:
            if self.passed and self._item.config.getoption("dmav3_keep"):
                self._property("artefacts", str(self.save()))

    def save(self) -> Path:
        """Write the artefacts as of now; returns the folder."""
        save(self.board, self.folder)
        return self.folder

    @property
    def folder(self) -> Path:
        """The test's own folder; made when it is first needed."""
        if self._folder is None:
            name = "".join(c if c.isalnum() else "_" for c in self._item.name)
            self._folder = self._factory.mktemp(f"dmav3-{name[:_NAME_LENGTH]}", numbered=True)
        return self._folder

    def complaint(self) -> str | None:
        """Return what is wrong with findings and violations; None if each was expected.

        :raises InfrastructureError: some had no room, so that the rest proves nothing.
        """
        if findings := self.board.unexpected():
            return "\n".join(["unexpected findings:", *(finding.line() for finding in findings)])
        lost = self.board.violation_count - len(self.board.violations())
        if lost := lost + self.board.probe.findings_lost:
            msg = f"{lost} findings had no room: it is not known whether they were expected"
            raise InfrastructureError(msg)
        return None

    def _leave(self) -> None:
        if self.passed:
            self._pool.give_back(self.board, self._wanted)
        else:
            self._pool.drop(self.board)

    def _prepare(self, resources: ExitStack) -> None:
        board = self.board
        self._property("machine", board.machine.name)
        self._property("seed", str(board.seed))
        self._property("schedule", board.schedule or "none")
        self._property("qemu", board.qemu_version)
        self._property("build", board.image.build_id)
        for rule in rules_of(self._item):
            self._property("rule", rule)
        self._item.stash[LEASE] = self
        if self._item.config.getoption("dmav3_gdb"):
            resources.enter_context(unhurried())
            serve_gdb(board, self.folder / "gdb", self._say)

    def _say(self, text: str) -> None:
        """Show a line although pytest captures output."""
        capture = self._item.config.pluginmanager.get_plugin("capturemanager")
        terminal = self._item.config.pluginmanager.get_plugin("terminalreporter")
        if capture is not None and terminal is not None:
            with capture.global_and_fixture_disabled():
                terminal.write_line("")
                terminal.write_line(text)
                terminal.flush()

    def _property(self, name: str, value: str) -> None:
        self._item.user_properties.append((f"dmav3_{name}", value))
