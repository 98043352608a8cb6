# SPDX-License-Identifier: Apache-2.0
"""`dmav3 trace`: what the DMA controller of another process's board did."""

from __future__ import annotations

from dmav3.board.elsewhere import BoardElsewhere
from dmav3.evidence.trace import lines
from dmav3.qemu.running import find


def board_trace(name: str | None, channel: int | None) -> list[str]:
    """Return the trace of a running board, whatever it is doing.

    :param name: of the board; None: the only one.
    :param channel: of this one only.
    :raises UsageError: there is no such board, no only one, or no such channel.
    :raises ClosedError: it has just ended.
    """
    with BoardElsewhere(find(name)) as board:
        return lines(board.events, channel)
