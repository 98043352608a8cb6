# SPDX-License-Identifier: Apache-2.0
"""The PL330 back end on the emulated controller: full sweeps, and what no rule says.

The rules are decided by `dmav3/conformance/test_pl330.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.conformance.tests.driver import chained
from dmav3.conformance.tests.owner import OK, Owner, memory_port, uncached
from dmav3.conformance.tests.sweeps import all_at_once, cancel_at

if TYPE_CHECKING:
    from dmav3 import Board


def test_a_notice_between_two_commands_waits_for_the_second(board: Board) -> None:
    """Callbacks are entered inside of requests, whenever the controller interrupts."""
    owner = Owner(board, memory_port(uncached(board, 256)), loop=True)
    mdl = chained(board, uncached(board, 256))
    owner.channel.burst_interval_ns = 1_777
    owner.map(mdl, write=False)
    for _ in range(200):
        board.request("ping")
    assert len(owner.ends) > 10
    assert owner.cancel() == OK
    owner.flush()


@pytest.mark.soak
@pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
def test_a_transfer_is_cancelled_before_every_beat(board: Board, *, write: bool) -> None:
    """All 1,024 beats of 4 KiB."""
    cancel_at(board, range(1, 1025), 1, write=write)


SCHEDULES = [
    pytest.param(name, marks=pytest.mark.dmav3_cache(schedule=name, seed=3), id=name)
    for name in ("lru", "never", "eager", "speculative")
]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_channels_move_data_at_once_a_hundred_times(board: Board, schedule: str) -> None:
    """Different data, sizes, bursts, directions and paces each time; nothing is found."""
    assert board.qmp.get("schedule") == schedule
    all_at_once(board, 100)
