# SPDX-License-Identifier: Apache-2.0
"""`dmav3 trace`: what another process's board did, read from the files that `board.json` names."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dmav3.elf.image import read_extension
from dmav3.errors import ClosedError
from dmav3.evidence.events import EventLog
from dmav3.evidence.probe import Probe
from dmav3.evidence.trace import lines
from dmav3.guest.windows import Mapping
from dmav3.qemu.running import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3.qemu.sockets import BoardCard


def board_trace(name: str | None, channel: int | None) -> list[str]:
    """Return the trace of a running board, whatever it is doing.

    :param name: of the board; None: the only one.
    :param channel: of this one only.
    :raises UsageError: there is no such board, no only one, or no such channel.
    :raises ClosedError: it has just ended.
    """
    with _probe(find(name)) as probe:
        return lines(EventLog(probe), channel)


@contextmanager
def _probe(card: BoardCard) -> Iterator[Probe]:
    """Map what the extension tells; it may change while it is read."""
    try:
        fd = os.open(card.probe, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        msg = f"the board {card.board} cannot be looked into: {error.strerror}"
        raise ClosedError(msg) from error
    try:
        with Mapping(fd) as mapping:
            yield Probe(mapping.view, read_extension(), lambda: True)
    finally:
        os.close(fd)
