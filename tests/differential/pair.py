# SPDX-License-Identifier: Apache-2.0
"""Both controllers, side by side, and the fixture that gives them to a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pytest
from controllers import HangError, Ours, Theirs
from scenario import CHANNELS, FAULTING, STOPPED, writes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scenario import Outcome, Scenario


class Pair:
    """Both, side by side: a context manager."""

    def __enter__(self) -> Self:
        """Start both."""
        self.ours, self.theirs = Ours(), Theirs()
        self.layout = self.ours.start()
        self.theirs.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End both."""
        self.theirs.close()
        self.ours.close()

    def run(self, scenario: Scenario) -> tuple[Outcome, Outcome]:
        """Let both do the same; return what is seen of ours, and of QEMU's."""
        ours = self.ours.run(scenario, self.layout)
        try:
            return ours, self.theirs.run(scenario, self.layout)
        except HangError:
            self.theirs.reset()
            raise

    def tidy(self, seen: Outcome) -> None:
        """End what waits and forget what is pending, where both did the same and nothing failed."""
        waiting = [n for n in range(CHANNELS) if seen[f"C{n}.state"] != STOPPED]
        steps = [f"debug C{n} DMAKILL" for n in waiting]
        steps += ["write INTEN 0xffff", "write INTCLR 0xffff", "write INTEN 0"]
        for side in (self.ours, self.theirs):
            stores = [store for step in steps for store in writes(step, self.layout)]
            side.tidy(stores, self.layout)

    def reset(self) -> None:
        """Make both as good as new."""
        self.ours.reset()
        self.theirs.reset()


def faults(seen: Outcome) -> bool:
    """Return whether any thread of it faults."""
    return bool(seen["DSR"]) or any(seen[f"C{n}.state"] == FAULTING for n in range(CHANNELS))


@pytest.fixture(scope="session", name="pair_of_session")
def _pair_of_session() -> Iterator[Pair]:
    with Pair() as pair:
        yield pair


@pytest.fixture
def pair(pair_of_session: Pair) -> Pair:
    """Return both."""
    pair_of_session.reset()
    return pair_of_session
