# SPDX-License-Identifier: Apache-2.0
"""What signals do to a console, by what it is doing just then.

====================  ======================================================================
starting              Ctrl-C, SIGTERM and SIGHUP end it
waiting for a line    the same, and the end of QEMU interrupts the wait
command under way     the first Ctrl-C warns (on a terminal), the second ends it
ending                nothing disturbs the cleaning up
====================  ======================================================================

Python runs a handler between two of its instructions, and a signal wakes it from a wait. A signal
that comes just before the wait begins (the prompt is there, but the line editor has not called
`select` yet) wakes nothing, and its handler would run when a key is pressed. So an alarm interrupts
every wait again and again.
"""

from __future__ import annotations

import enum
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STDERR = 2
#: Real time for which a signal may wait.
_ALARM_SECONDS = 0.25
_WARNING = b"\nthe command is still running; Ctrl-C once more detaches and stops the board\n"


class _Doing(enum.Enum):
    STARTING = enum.auto()
    WAITING = enum.auto()
    WORKING = enum.auto()
    ENDING = enum.auto()


class Signals:
    """The handlers while a console lives; a context manager, for the main thread only."""

    def __init__(self, *, warn: bool) -> None:
        """Install nothing yet.

        :param warn: give a command under way a second chance at the first Ctrl-C.
        """
        self._warn = warn
        self._warned = False
        self._doing = _Doing.STARTING
        self._check: Callable[[], object] = lambda: None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        """Install the handlers."""
        for number, handler in (
            (signal.SIGINT, self._interrupt),
            (signal.SIGTERM, self._terminate),
            (signal.SIGHUP, self._terminate),
            (signal.SIGCHLD, self._child),
            (signal.SIGALRM, lambda *_: None),
        ):
            self._before[number] = signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, _ALARM_SECONDS, _ALARM_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        """Put back what was there."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def waiting(self, check: Callable[[], object]) -> Iterator[None]:
        """Inside, a line is waited for; `check` raises if QEMU has ended, whenever that is."""
        self._check, self._doing = check, _Doing.WAITING
        try:
            check()
            yield
        finally:
            self._doing, self._warned = _Doing.WORKING, False

    def ending(self) -> None:
        """From now on nothing disturbs."""
        self._doing = _Doing.ENDING

    def _interrupt(self, *_: object) -> None:
        if self._doing is _Doing.WORKING and self._warn and not self._warned:
            self._warned = True
            os.write(_STDERR, _WARNING)
        elif self._doing is not _Doing.ENDING:
            if self._doing is not _Doing.WAITING:
                self._doing = _Doing.ENDING
            raise KeyboardInterrupt

    def _terminate(self, number: int, _: object) -> None:
        if self._doing is not _Doing.ENDING:
            self._doing = _Doing.ENDING
            _exit_by(number)

    def _child(self, *_: object) -> None:
        if self._doing is _Doing.WAITING:
            self._check()


def _exit_by(number: int) -> NoReturn:
    raise SystemExit(128 + number)
