# SPDX-License-Identifier: Apache-2.0
"""A gdb server on a board, for a person: QEMU's own, on a socket in a private folder."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from dmav3.deadlines import unhurried
from dmav3.errors import MonitorError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dmav3.board.board import Board

#: A longer path does not fit into the address of a Unix socket.
_LONGEST_PATH = 107


def open_gdb(board: Board, socket: Path) -> str:
    """Let QEMU listen for gdb on `socket`; returns the command that attaches to it.

    :raises UsageError: the path is too long.
    :raises MonitorError: QEMU cannot listen there.
    """
    if len(str(socket)) > _LONGEST_PATH:
        msg = (
            f"{socket} is too long for a socket: choose a shorter folder, such as --basetemp /tmp/t"
        )
        raise UsageError(msg)
    line = f"gdbserver unix:{str(socket).replace(',', ',,')},server=on,wait=off"
    said = board.qmp.execute("human-monitor-command", command_line=line)
    if not socket.is_socket():
        command = "gdbserver"
        raise MonitorError(command, {"socket": str(socket)}, said.strip() or "nothing was said")
    image, target = shlex.quote(str(board.image.path)), shlex.quote(f"target remote {socket}")
    return f"gdb-multiarch {image} -ex {target}"


def serve_gdb(board: Board, socket: Path, say: Callable[[str], object]) -> None:
    """Stop a board until gdb, which `say` shows how to attach, lets it go on; however long."""
    command = open_gdb(board, socket)
    board.qmp.execute("stop")
    since = len(board.qmp.events)
    say(f"the board waits for gdb; attach, set breakpoints, `continue`:\n  {command}")
    with unhurried():
        board.qmp.wait_event("RESUME", since)
