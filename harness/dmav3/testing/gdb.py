# SPDX-License-Identifier: Apache-2.0
"""gdb on a test's board, for a person: before the test, or where it has failed."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

from dmav3.deadlines import unhurried
from dmav3.errors import UsageError
from dmav3.qemu.gdb import gdb_command, gdb_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.board import Board
    from dmav3.qemu.sockets import Sockets


def serve_gdb(board: Board, say: Callable[[str], object]) -> None:
    """Stop a board until gdb, which `say` shows how to attach, lets it go on; however long.

    :raises UsageError: it has no socket for gdb.
    """
    command = gdb_command(board.image.path, _sockets(board).gdb)
    board.qmp.execute("stop")
    since = len(board.qmp.events)
    say(f"the board waits for gdb; attach, set breakpoints, `continue`:\n  {command}")
    with unhurried():
        board.qmp.wait_event("RESUME", since)


def become_gdb(board: Board, say: Callable[[str], object]) -> None:
    """Give the terminal to gdb, attached to a board that stands where its test has failed.

    :raises UsageError: it has no socket for gdb.
    :raises OSError: there is no gdb.
    """
    sockets = _sockets(board)
    say(
        f"the board of the test that failed is {sockets.name}, for `dmav3 qmp {sockets.name}`; "
        "gdb has it here until you quit"
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is gdb's
    try:
        subprocess.run(  # noqa: S603 - our own words
            [*gdb_words(board.image.path, sockets.gdb), "-q", "-ex", "set confirm off"],
            check=False,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _sockets(board: Board) -> Sockets:
    if board.qemu.sockets is None:
        msg = (
            "the board has no socket for gdb, as this user has no private folder; "
            "such as XDG_RUNTIME_DIR=/run/user/1000"
        )
        raise UsageError(msg)
    return board.qemu.sockets
