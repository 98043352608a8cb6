# SPDX-License-Identifier: Apache-2.0
"""One test's use of one shim, with its properties and artefacts, from start to end."""

from __future__ import annotations

import platform
import shlex
import tempfile
from abc import ABC, abstractmethod
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3.board.artefacts import run_folder, save, save_host
from dmav3.deadlines import unhurried
from dmav3.errors import FindingsError
from dmav3.evidence.violations import LEFT_BEHIND, Violation

from .gdb import become_gdb, serve_gdb
from .marks import RUN, artefacts_root, leaves, options_again, rules_of, wanted

if TYPE_CHECKING:
    from dmav3.board.board import Board
    from dmav3.board.host_shim import HostShim
    from dmav3.board.shim import Shim

    from .pool import Pool

#: The leases of a test that has shims, in the order of their start.
LEASES = pytest.StashKey["list[Lease]"]()
_NAME_LENGTH = 30


class Lease(ABC):
    """A test's use of a shim: what came of it, and where its artefacts go.

    It begins in the test's setup and ends after its teardown, so that whatever a fixture does is
    judged, and what is left can be saved.

    :ivar shim: what the test uses.
    :ivar clean: False if a phase of the test has raised something: there is nothing to judge.
    :ivar failed: True if a phase of the test has failed.
    """

    shim: Shim

    def __init__(self, item: pytest.Item, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Take nothing yet."""
        self._item, self._factory = item, tmp_path_factory
        self._folder: Path | None = None
        self._facts: dict[str, str] = {}
        self.clean, self.failed = True, False
        self._left: list[Violation] = []  # behind, as it was judged
        self._resources = ExitStack()

    @abstractmethod
    def save(self) -> None:
        """Write the artefacts as of now into `folder`."""

    @abstractmethod
    def end(self) -> None:
        """Give the shim back, or end it."""

    @abstractmethod
    def debug(self) -> None:
        """Let a person look at it where the test has failed."""

    @property
    def folder(self) -> Path:
        """The test's own folder; made when it is first needed."""
        if self._folder is None:
            name = "".join(c if c.isalnum() else "_" for c in self._item.name)[:_NAME_LENGTH]
            if root := artefacts_root(self._item.config):
                run = run_folder(root, self._item.config.stash[RUN])
                self._folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=run))
            else:
                self._folder = self._factory.mktemp(f"dmav3-{name}", numbered=True)
        return self._folder

    def facts(self) -> dict[str, object]:
        """Return on what the test ran, for `run.json`."""
        return {
            **self._facts,
            "test": self._item.nodeid,
            "again": shlex.join(self._again()),
            "folder": str(self._item.config.rootpath),
            "arguments": list(self._item.config.invocation_params.args),
            "python": platform.python_version(),
            "dmav3": metadata.version("dmav3"),
            "host": platform.platform(),
        }

    def judge(self, *, left: bool) -> None:
        """Return if what has happened is what the test expected.

        :raises pytest.fail.Exception: it is not; its attribute `dmav3` is the `FindingsError`.
        :raises Dmav3Error: that cannot be known.
        """
        try:
            self.shim.check(left=left)
        except FindingsError as error:
            violations = (one for one in error.findings if isinstance(one, Violation))
            self._left = [one for one in violations if one.code == LEFT_BEHIND]
            failure = pytest.fail.Exception(str(error), pytrace=False)
            failure.dmav3 = error  # type: ignore[attr-defined]
            raise failure from None

    def annotate(self, error: BaseException) -> None:
        """Add what was found to an exception of the test's own."""
        self.shim.annotate(error)

    def story(self) -> str:
        """Return on what the test ran, and the command that runs it again."""
        ran = ", ".join(f"{name} {value}" for name, value in self._facts.items())
        return f"{ran}\nagain, in {self._item.config.rootpath}: {shlex.join(self._again())}"

    def _again(self) -> list[str]:
        return ["pytest", self._item.nodeid, *options_again(self._item.config)]

    def _announce(self, **properties: str) -> None:
        """Say in the test's properties what it runs on, and what it means to leave behind."""
        self._facts = properties
        for name, value in properties.items():
            self._property(name, value)
        for rule in rules_of(self._item):
            self._property("rule", rule)
        self.shim.expect_left(**leaves(self._item))

    def _begin(self, resources: ExitStack) -> None:
        """Be found by the hooks, one of which calls `end`."""
        self._resources = resources.pop_all()
        self._item.stash.setdefault(LEASES, []).append(self)

    def keep(self) -> None:
        """Save the artefacts of a test that passed, if they are wanted."""
        if self._item.config.getoption("dmav3_keep"):
            self.save()
            self._property("artefacts", str(self.folder))

    def _property(self, name: str, value: str) -> None:
        self._item.user_properties.append((f"dmav3_{name}", value))


class HostLease(Lease):
    """The use of a shim on this computer, which is the test's own."""

    shim: HostShim

    def __init__(
        self, item: pytest.Item, tmp_path_factory: pytest.TempPathFactory, shim: HostShim
    ) -> None:
        """Start the shim."""
        super().__init__(item, tmp_path_factory)
        with ExitStack() as resources:
            self.shim = resources.enter_context(shim)
            self._announce(machine="host")
            self._begin(resources)

    def debug(self) -> None:
        """Do nothing: gdb is for boards."""

    def save(self) -> None:
        """Write the artefacts as of now into `folder`."""
        save_host(self.shim, self.folder, self.facts(), self._left)

    def end(self) -> None:
        """End the shim."""
        self.shim.judges = False  # it has been judged
        self._resources.close()


class BoardLease(Lease):
    """The use of a board from the pool."""

    shim: Board

    def __init__(
        self, item: pytest.Item, tmp_path_factory: pytest.TempPathFactory, pool: Pool
    ) -> None:
        """Take a board and say in the test's properties which."""
        super().__init__(item, tmp_path_factory)
        self._pool, self._wanted = pool, wanted(item, tmp_path_factory)
        self.shim = self._pool.take(self._wanted)
        with ExitStack() as resources:
            resources.callback(self._leave)
            self.failed = True  # if what follows does not succeed
            self._prepare(resources)
            self.failed = False
            self._begin(resources)

    def judge(self, *, left: bool) -> None:
        """Return if what has happened is what the test expected, as any lease does.

        :raises QemuDiedError: QEMU has ended, so nothing is known of what came last.
        """
        if not self.shim.qemu.running:
            raise self.shim.qemu.death()
        super().judge(left=left)

    def save(self) -> None:
        """Write the artefacts as of now into `folder`."""
        save(self.shim, self.folder, self.facts(), self._left)

    def debug(self) -> None:
        """Give the terminal to gdb, if the board still runs."""
        capture = self._item.config.pluginmanager.get_plugin("capturemanager")
        if not self.shim.qemu.running:
            return
        if capture is not None:
            capture.suspend(in_=True)
        try:
            become_gdb(self.shim, self._say)
        finally:
            if capture is not None:
                capture.resume()

    def end(self) -> None:
        """Give the board back if the test passed; else end it, because its state is not known."""
        self._resources.close()

    def _leave(self) -> None:
        if self.failed:
            self._pool.drop(self.shim)
        else:
            self._pool.give_back(self.shim, self._wanted)

    def _prepare(self, resources: ExitStack) -> None:
        board = self.shim
        self._announce(
            machine=board.machine.name,
            seed=str(board.qemu.seed),
            schedule=board.qemu.schedule or "none",
            qemu=board.qemu.version,
            build=board.image.build_id,
            extension=board.qemu.extension.build_id,
        )
        if self._item.config.getoption("dmav3_gdb"):
            resources.enter_context(unhurried())
            serve_gdb(board, self._say)

    def _say(self, text: str) -> None:
        """Show a line although pytest captures output."""
        capture = self._item.config.pluginmanager.get_plugin("capturemanager")
        terminal = self._item.config.pluginmanager.get_plugin("terminalreporter")
        if capture is not None and terminal is not None:
            with capture.global_and_fixture_disabled():
                terminal.write_line("")
                terminal.write_line(text)
                terminal.flush()
