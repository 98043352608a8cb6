# SPDX-License-Identifier: Apache-2.0
"""Looking into a board that another process runs, through the files that its `board.json` names."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import boards
from .channel import check_number
from .errors import ClosedError
from .events import EventLog
from .probe import Probe
from .symbols import read_extension
from .trace import lines
from .views import Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .doors import Card


def trace(name: str | None, channel: int | None) -> list[str]:
    """Return the trace of a running board, whatever it is doing.

    :param name: of the board; None: the only one.
    :param channel: of this one only.
    :raises UsageError: there is no such board, no only one, or no such channel.
    :raises ClosedError: it has just ended.
    """
    if channel is not None:
        check_number(channel)
    with _probe(boards.find(name)) as probe:
        return list(lines(EventLog(probe), channel))


@contextmanager
def _probe(card: Card) -> Iterator[Probe]:
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
