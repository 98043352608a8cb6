# SPDX-License-Identifier: Apache-2.0
"""A running board of another process, looked at: by the files that its `board.json` names.

Nothing here reaches the board, so nothing of its run changes. What is read may change meanwhile
where the board is working.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dmav3.elf.image import read_elf, read_extension
from dmav3.errors import ClosedError, UsageError
from dmav3.evidence.events import EventLog
from dmav3.evidence.evidence import BoardEvidence
from dmav3.evidence.findings import routine_names
from dmav3.evidence.mappings import namer
from dmav3.evidence.probe import Probe
from dmav3.guest.memory import Access, Memory
from dmav3.guest.windows import Mapping, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.elf.image import Elf
    from dmav3.qemu.sockets import BoardCard

_CPU = "EM_AARCH64"
#: Devices written in Python: their names are known in their own process only.
_REMOTE = [f"device {number} written in Python" for number in range(256)]


class BoardElsewhere:
    """What a board of another process shows; a context manager.

    :ivar card: what `board.json` says of it.
    :ivar probe: line states and counters.
    """

    def __init__(self, card: BoardCard) -> None:
        """Map nothing yet."""
        self.card = card
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Map what the extension tells.

        :raises ClosedError: the board has just ended.
        """
        with ExitStack() as resources:
            self._resources = resources
            self.probe = Probe(self._map(self.card.probe), read_extension(), lambda: True)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Unmap everything."""
        self._resources.close()

    @property
    def events(self) -> EventLog:
        """The event log since the last reset."""
        return EventLog(self.probe)

    @cached_property
    def image(self) -> Elf:
        """The firmware's symbols; `ImageError` if its file is no longer there."""
        return read_elf(Path(self.card.image), _CPU)

    @cached_property
    def cpu(self) -> Window:
        """RAM as the CPU sees it."""
        return self._window("CPU view", self.card.cpu_view)

    @cached_property
    def dram(self) -> Window:
        """RAM as devices see it."""
        return self._window("DRAM", self.card.dram)

    @cached_property
    def evidence(self) -> BoardEvidence:
        """Findings, calls, violations since the last reset; buffers of tests have no names here."""
        memory = Memory(self.image, Access(self.cpu.read, _refuse, _refuse))
        return BoardEvidence(self.probe, self.image, memory, lambda _: "", _REMOTE)

    @cached_property
    def named(self) -> Callable[[int], str]:
        """What says what lies at a physical address, as far as it is known now."""
        return namer(self.image, self.events.all(), routine_names(self.image))

    def _window(self, name: str, path: str) -> Window:
        return Window(name, self._map(path), self.probe.ram_base, lambda: None)

    def _map(self, path: str) -> memoryview:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            msg = f"the board {self.card.board} cannot be looked into: {error.strerror}"
            raise ClosedError(msg) from error
        try:
            return self._resources.enter_context(Mapping(fd)).view
        finally:
            os.close(fd)


def _refuse(*_: object) -> None:
    msg = "the memory of another process's board is only looked at"
    raise UsageError(msg)
