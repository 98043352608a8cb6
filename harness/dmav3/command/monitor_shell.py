# SPDX-License-Identifier: Apache-2.0
"""`dmav3 qmp`: qemu.qmp's own qmp-shell on the monitor that a running board keeps for a person."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

from dmav3.deadlines import allowance
from dmav3.errors import ClosedError, LinkError
from dmav3.qemu import running
from dmav3.qemu.qmp import BOARD

if TYPE_CHECKING:
    from dmav3.qemu.sockets import BoardCard

#: A monitor that is free greets at once.
_GREETING_SECONDS = 5.0


def open_monitor_shell(name: str | None) -> None:
    """Talk to a board's monitor until the end of file.

    :param name: of the board; None: the only one.
    :raises UsageError: there is no such board, or no only one.
    :raises LinkError: its monitor is in use, or the board ended.
    """
    card = running.find(name)
    _check_free(card)
    print(_introduction(card), flush=True)  # noqa: T201 - that is what a shell is for
    _qmp_shell(card)


def _introduction(card: BoardCard) -> str:
    return (
        f"board {card.board}; our properties:\n"
        f"  qom-list path={BOARD}\n"
        f"  qom-get path={BOARD} property=seed\n"
        f"  qom-set path={BOARD} property=seed value=2"
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


def _qmp_shell(card: BoardCard) -> None:
    from qemu.qmp import QMPError, qmp_shell  # noqa: PLC0415 - readline, only for this command

    try:
        with patch.object(sys, "argv", ["qmp-shell", card.qmp]):
            qmp_shell.main()
    except (QMPError, OSError, EOFError) as error:
        msg = f"the monitor of {card.board} is closed: {error or type(error).__name__}"
        raise ClosedError(msg) from error
