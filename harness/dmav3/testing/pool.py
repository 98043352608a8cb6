# SPDX-License-Identifier: Apache-2.0
"""Boards that are used by one test after another: a reset takes a tenth of a fresh start.

A board is handed out as if QEMU had just started. Where a reset does not achieve that, there is a
fresh process: after a failed test, when it is asked for, after a command to the monitor that a
reset does not undo, where the PL330 is QEMU's own, which a reset does not make as good as new, and
for a test with devices written in Python, which are its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from dmav3.board.board import Board
from dmav3.deadlines import deadline
from dmav3.errors import Dmav3Error, LinkError
from dmav3.machine.schedule import checked_schedule

if TYPE_CHECKING:
    from pathlib import Path

    from dmav3.machine.description import Machine

    from .marks import Wanted

#: Seconds of real time that a renewal may take before a fresh process is the better choice.
_PATIENCE_SECONDS = 5.0


class Pool:
    """The boards of one session; a context manager that ends them all.

    :ivar started: how many processes have been started.
    """

    #: More are not kept.
    IDLE = 4

    def __init__(self) -> None:
        """Start with none."""
        self._idle: dict[tuple[Machine, Path | None], Board] = {}
        self._running: set[Board] = set()
        self.started = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End every board, given back or not."""
        self.close()

    def close(self) -> None:
        """End every board, given back or not."""
        for board in list(self._running):
            self.drop(board)

    def take(self, wanted: Wanted) -> Board:
        """Return a running board with nothing on it, to be given back or dropped.

        :raises Dmav3Error: as `Board` and its start. Nothing is left running.
        """
        board = None if wanted.python else self._idle.pop((wanted.machine, wanted.image), None)
        if board is not None:
            if not wanted.fresh and _renew(board, wanted):
                board.judges = True
                return board
            self.drop(board)
        board = Board(
            wanted.machine,
            image=wanted.image,
            seed=wanted.seed,
            schedule=wanted.schedule,
            devices=[kind() for kind in wanted.python],
        ).__enter__()
        self.started += 1
        self._running.add(board)
        return board

    def give_back(self, board: Board, wanted: Wanted) -> None:
        """Keep a board, taken for `wanted`, for the next one; the longest unused may have to go."""
        board.judges = False  # it has been judged
        if wanted.python:
            self.drop(board)
            return
        self._idle[wanted.machine, wanted.image] = board
        if len(self._idle) > self.IDLE:
            self.drop(self._idle.pop(next(iter(self._idle))))

    def drop(self, board: Board) -> None:
        """End a board, in whatever state it is."""
        self._running.discard(board)
        board.judges = False
        with suppress(LinkError):  # the process is gone all the same
            board.__exit__(None, None, None)


def _renew(board: Board, wanted: Wanted) -> bool:
    """Bring a board into the state of a fresh one; False if that cannot be."""
    if board.qmp.altered or board.qmp.stopped or not board.qemu.running:
        return False
    schedule = checked_schedule(wanted.machine, wanted.schedule)
    try:
        with deadline(_PATIENCE_SECONDS):
            board.qmp.restore()
            board.qemu.forget_logs()
            board.reset(seed=wanted.seed, schedule=schedule)
    except Dmav3Error:  # the last test may have left anything
        return False
    return True
