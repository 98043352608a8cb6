# SPDX-License-Identifier: Apache-2.0
"""One test's use of one shim, with its properties and artefacts, from start to end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from dmav3.deadlines import unhurried

from .artefacts import save, save_host
from .gdb import serve_gdb
from .marks import rules_of, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from dmav3.board.board import Board
    from dmav3.board.host_shim import HostShim

    from .pool import Pool

#: The lease of a test that has a shim.
LEASE = pytest.StashKey["Lease"]()
_NAME_LENGTH = 30


class Lease(ABC):
    """A test's use of a shim: what came of it, and where its artefacts go.

    :ivar passed: None until the test has run, then whether it passed or was skipped.
    """

    def __init__(self, item: pytest.Item, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Take nothing yet."""
        self._item, self._factory = item, tmp_path_factory
        self._folder: Path | None = None
        self.passed: bool | None = None

    @abstractmethod
    def complaint(self) -> str | None:
        """Return what is wrong with findings and violations; None if each was expected."""

    @abstractmethod
    def save(self) -> Path:
        """Write the artefacts as of now; returns the folder."""

    @property
    def folder(self) -> Path:
        """The test's own folder; made when it is first needed."""
        if self._folder is None:
            name = "".join(c if c.isalnum() else "_" for c in self._item.name)
            self._folder = self._factory.mktemp(f"dmav3-{name[:_NAME_LENGTH]}", numbered=True)
        return self._folder

    def _announce(self, **properties: str) -> None:
        """Say in the test's properties what it runs on, and be found by the hooks."""
        for name, value in properties.items():
            self._property(name, value)
        for rule in rules_of(self._item):
            self._property("rule", rule)
        self._item.stash[LEASE] = self

    def _keep(self) -> None:
        """Save the artefacts of a test that passed if they are wanted."""
        if self.passed and self._item.config.getoption("dmav3_keep"):
            self._property("artefacts", str(self.save()))

    def _property(self, name: str, value: str) -> None:
        self._item.user_properties.append((f"dmav3_{name}", value))


class HostLease(Lease):
    """A context manager that gives a shim on this computer, for one test."""

    def __init__(
        self, item: pytest.Item, tmp_path_factory: pytest.TempPathFactory, shim: HostShim
    ) -> None:
        """Start nothing yet."""
        super().__init__(item, tmp_path_factory)
        self.shim = shim

    def __enter__(self) -> HostShim:
        """Start it."""
        with ExitStack() as resources:
            resources.enter_context(self.shim)
            self._announce(machine="host")
            self._resources = resources.pop_all()
        return self.shim

    def __exit__(self, *_: object) -> None:
        """End it."""
        with self._resources:
            self._keep()

    def complaint(self) -> str | None:
        """Return what is wrong with the violations; None if each was expected."""
        return self.shim.evidence.complaint()

    def save(self) -> Path:
        """Write the artefacts as of now; returns the folder."""
        save_host(self.shim, self.folder)
        return self.folder


class BoardLease(Lease):
    """A context manager that gives a board, from the pool.

    :ivar board: the board.
    """

    board: Board

    def __init__(
        self, item: pytest.Item, tmp_path_factory: pytest.TempPathFactory, pool: Pool
    ) -> None:
        """Take nothing yet."""
        super().__init__(item, tmp_path_factory)
        self._pool = pool

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
        """Give the board back if the test passed; else end it, because its state is not known."""
        with self._resources:
            self._keep()

    def complaint(self) -> str | None:
        """Return what is wrong with findings and violations; None if each was expected."""
        return self.board.evidence.complaint()

    def save(self) -> Path:
        """Write the artefacts as of now; returns the folder."""
        save(self.board, self.folder)
        return self.folder

    def _leave(self) -> None:
        if self.passed:
            self._pool.give_back(self.board, self._wanted)
        else:
            self._pool.drop(self.board)

    def _prepare(self, resources: ExitStack) -> None:
        board = self.board
        self._announce(
            machine=board.machine.name,
            seed=str(board.qemu.seed),
            schedule=board.qemu.schedule or "none",
            qemu=board.qemu.version,
            build=board.image.build_id,
        )
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
