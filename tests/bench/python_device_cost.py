# SPDX-License-Identifier: Apache-2.0
"""What devices written in Python cost those who have them on the board, and a load from one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from measuring import in_turns, main_job

from dmav3 import Board, Device

if TYPE_CHECKING:
    from collections.abc import Callable

MACHINE = "virt-a53"
_LOADS, _ENOUGH_NS = 1000, 1_000_000_000


class Idle(Device):
    """Does nothing."""

    SIZE, PCI_ID, MSI = 0x1000, (0x1234, 0x5678), 1


class Counter(Device):
    """Counts loads from its registers."""

    loads = 0

    def read(self, offset: int, size: int) -> int:  # noqa: ARG002
        """Return how many there were."""
        self.loads += 1
        return self.loads


def beside(rounds: int) -> list[list[float]]:
    """Return QEMU's CPU time for the main job without such devices, and beside two idle ones."""
    return in_turns(
        rounds,
        lambda: main_job(MACHINE),
        lambda: main_job(MACHINE, devices=[Idle(), Counter()]),
    )


def conversation(rounds: int, count: int = 10) -> list[list[float]]:
    """Return seconds of a round trip alone and beside them, the same of a reset, and of a load."""

    def each(work: Callable[[], object]) -> Callable[[], float]:
        def measured() -> float:
            start = time.perf_counter()
            for _ in range(count):
                work()
            return (time.perf_counter() - start) / count

        return measured

    with (
        Board(MACHINE, judge=False) as alone,
        Board(MACHINE, devices=[Idle(), counter := Counter()], judge=False) as board,
    ):

        def load() -> float:
            counter.loads = 0
            start = time.perf_counter()
            board.request("peek_until", counter.base, 32, 0xFFFF, _LOADS, _ENOUGH_NS)
            return (time.perf_counter() - start) / counter.loads

        return in_turns(
            10 * rounds,
            each(lambda: alone.request("ping")),
            each(lambda: board.request("ping")),
            each(alone.reset),
            each(board.reset),
            load,
        )
