# SPDX-License-Identifier: Apache-2.0
"""The sockets of a board that a person started: a second QMP monitor and a gdb server.

They lie in the board's private folder (`private_folder.py`) beside `board.json`, which says what
runs there. QEMU inherits both sockets when they already listen, so they work from its first
moment on.
"""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from dmav3.errors import PrivateFolderError

from .private_folder import Folder

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class BoardCard:
    """What `board.json` says of a board; `schedule` is None where no cache is modelled.

    :ivar pid: of QEMU.
    :ivar qmp, gdb: paths of sockets.
    :ivar probe: file with what the extension tells (qemu-machines/ext/probe/probe.h).
    :ivar cpu_view, dram: files with the bytes of RAM as the CPU and as devices see them.
    """

    board: str
    pid: int
    machine: str
    seed: int
    schedule: str | None
    image: str
    qmp: str
    gdb: str
    probe: str
    cpu_view: str
    dram: str


class Sockets:
    """Folder and sockets; a context manager.

    :ivar name: of the board among those of this user.
    :ivar qmp, gdb: paths of the sockets.
    """

    def __init__(self, machine: str) -> None:
        """Make folder and sockets for a board with a machine of that name.

        :raises PrivateFolderError: that cannot be done; nothing is left behind.
        """
        with ExitStack() as resources:
            self._folder = resources.enter_context(Folder(machine))
            folder = self._folder.path
            self.name = folder.name
            self._card = folder / "board.json"
            self.qmp, self.gdb = folder / "qmp", folder / "gdb"
            self._listening = resources.enter_context(ExitStack())
            self._sockets = [
                self._listening.enter_context(_listen(path)) for path in (self.qmp, self.gdb)
            ]
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove everything."""
        self._resources.close()

    def descriptors(self) -> tuple[int, int]:
        """Return the listening sockets, monitor and gdb, for QEMU to inherit."""
        qmp, gdb = self._sockets
        return qmp.fileno(), gdb.fileno()

    def handed_over(self) -> None:
        """Close our copies: the sockets stop listening when QEMU ends."""
        self._listening.close()

    def let_go(self) -> None:
        """In a forked child: the folder is the parent's."""
        self._folder.let_go()

    def announce(self, card: BoardCard) -> None:
        """Write `board.json`, whole or not at all."""
        draft = self._card.with_suffix(".new")
        draft.write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
        draft.rename(self._card)


def _listen(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        listening.listen(1)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise PrivateFolderError(path, f"cannot be a socket: {reason}") from error
    return listening
