# SPDX-License-Identifier: Apache-2.0
"""`dmav3 qmp`: qemu.qmp's own qmp-shell on the monitor that a running board keeps for a person.

Beside the monitor's commands it has the short words of `short_words.py`. From a pipe each line is a
command, and only answers are on standard output; then the exit status is 1 if a word was refused.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import TYPE_CHECKING

from dmav3.deadlines import allowance
from dmav3.errors import ClosedError, DeadlineError, LinkError
from dmav3.qemu import running
from dmav3.qemu.qmp import BOARD

if TYPE_CHECKING:
    from dmav3.qemu.sockets import BoardCard

#: A monitor that is free greets at once.
_GREETING_SECONDS = 5.0


def open_monitor_shell(name: str | None) -> int:
    """Talk to a board's monitor until the end of file; return the exit status.

    :param name: of the board; None: the only one.
    :raises UsageError: there is no such board, or no only one.
    :raises LinkError: its monitor is in use, or does not answer, or the board ended.
    """
    card = running.find(name)
    _check_free(card)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    print(_introduction(card), file=None if terminal else sys.stderr, flush=True)
    return _qmp_shell(card, terminal=terminal)


def _introduction(card: BoardCard) -> str:
    return (
        f"board {card.board}; our properties:\n"
        f"  qom-list path={BOARD}\n"
        f"  qom-get path={BOARD} property=seed\n"
        f"  qom-set path={BOARD} property=seed value=2\n"
        "and short words, such as\n"
        "  pl330\n"
        "  help"
    )


def _check_free(card: BoardCard) -> None:
    """Refuse a monitor that is in use: it has one user, the next would wait without a word."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(min(_GREETING_SECONDS, allowance()))
        try:
            probe.connect(card.qmp)
            json.loads(probe.makefile("rb").readline())
        except TimeoutError:
            msg = f"the monitor of {card.board} does not greet: is another `dmav3 qmp` using it?"
            raise LinkError(msg) from None
        except (OSError, ValueError) as error:
            msg = f"the monitor of {card.board} is closed: {error}"
            raise ClosedError(msg) from error


def _qmp_shell(card: BoardCard, *, terminal: bool) -> int:
    from qemu.qmp import QMPError  # noqa: PLC0415 - readline, only for this command

    from .worded_shell import WordedShell  # noqa: PLC0415 - the same

    try:
        with WordedShell(card, terminal=terminal) as shell:
            shell.settimeout(allowance())
            shell.connect()
            try:
                for _ in shell.repl():
                    pass
            except BrokenPipeError:  # the reader of our answers has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 0
            return shell.status
    except TimeoutError:
        waiting_for = f"the monitor of {card.board}"
        raise DeadlineError(waiting_for, allowance()) from None
    except (QMPError, OSError, EOFError) as error:
        msg = f"the monitor of {card.board} is closed: {error or type(error).__name__}"
        raise ClosedError(msg) from error
