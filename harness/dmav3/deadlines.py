# SPDX-License-Identifier: Apache-2.0
"""Deadlines belong to the caller: one scope around any number of calls, one default without it.

::

    with deadline(2.0):
        board.request("ping")
        board.qmp.execute("query-status")
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds of real time that one answer may take where no scope says otherwise.
DEFAULT_SECONDS = 30.0

#: ... and where somebody debugs.
UNHURRIED_SECONDS = 1e7

_default: ContextVar[float] = ContextVar("dmav3_default", default=DEFAULT_SECONDS)
_ends: ContextVar[float | None] = ContextVar("dmav3_deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything inside must be answered within `seconds` of real time from now.

    Scopes nest; the one that ends first counts.

    :raises ValueError: `seconds` is negative.
    """
    if seconds < 0:
        msg = f"a deadline of {seconds} s is in the past"
        raise ValueError(msg)
    mine = time.monotonic() + seconds
    outer = _ends.get()
    token = _ends.set(mine if outer is None else min(mine, outer))
    try:
        yield
    finally:
        _ends.reset(token)


@contextmanager
def unhurried() -> Iterator[None]:
    """Where no scope says otherwise, everything inside may take as long as a person likes."""
    token = _default.set(UNHURRIED_SECONDS)
    try:
        yield
    finally:
        _default.reset(token)


def allowance() -> float:
    """Seconds that one wait that starts now may take: the default, less if a scope ends earlier."""
    seconds, ends = _default.get(), _ends.get()
    return seconds if ends is None else max(0.0, min(seconds, ends - time.monotonic()))
