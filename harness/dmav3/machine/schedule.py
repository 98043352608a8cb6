# SPDX-License-Identifier: Apache-2.0
"""When the cache acts of its own accord: the schedules, and their seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.errors import UsageError

if TYPE_CHECKING:
    from .description import Machine

SCHEDULES = ("lru", "speculative", "never", "eager")
_LAST_SEED = (1 << 64) - 1


def checked_seed(seed: int) -> int:
    """Return `seed`; `UsageError` if it does not fit into 64 bits."""
    if type(seed) is not int or not 0 <= seed <= _LAST_SEED:
        msg = f"seed {seed!r} is not in 0 to {_LAST_SEED}"
        raise UsageError(msg)
    return seed


def checked_schedule(machine: Machine, schedule: str | None) -> str | None:
    """Return the schedule that a machine gets for a wish; `UsageError` if it cannot be met."""
    if machine.cache is None:
        if schedule is not None:
            msg = f"schedule {schedule!r} makes no sense: {machine.name} has no cache model"
            raise UsageError(msg)
        return None
    if schedule is not None and schedule not in SCHEDULES:
        msg = f"unknown schedule {schedule!r}; known are: {', '.join(SCHEDULES)}"
        raise UsageError(msg)
    return schedule or "speculative"
