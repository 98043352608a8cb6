# SPDX-License-Identifier: Apache-2.0
"""Deadlines belong to the caller: one scope around any number of calls, one default without it.

::

    with deadline(2.0):
        board.request("ping")
        board.qmp.execute("query-status")
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds of real time that one answer may take where no scope says otherwise, and the environment
#: variable that says another number.
DEFAULT_SECONDS, VARIABLE = 30.0, "DMAV3_DEADLINE"

#: ... and where somebody debugs.
UNHURRIED_SECONDS = 1e7

_default: ContextVar[float | None] = ContextVar("dmav3_default", default=None)
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
    seconds, ends = _default.get() or _usual(os.environ.get(VARIABLE)), _ends.get()
    return seconds if ends is None else max(0.0, min(seconds, ends - time.monotonic()))


@cache
def _usual(given: str | None) -> float:
    """Return the default; `UsageError` if the environment names no number of seconds."""
    text = given or str(DEFAULT_SECONDS)
    with suppress(ValueError):
        if 0 < (seconds := float(text)) <= UNHURRIED_SECONDS:
            return seconds
    msg = f"{VARIABLE}={text}: a number of seconds is needed, such as {VARIABLE}=60"
    raise UsageError(msg)
