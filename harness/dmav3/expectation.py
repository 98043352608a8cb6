# SPDX-License-Identifier: Apache-2.0
"""Which findings somebody has expected. Pure: findings are `struct probe_finding`, in order.

The model counts the cases of one root cause in one finding, so a finding that was expected and
whose count grows afterwards is unexpected again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Raw = Sequence[Mapping[str, int]]


class Ledger:
    """The findings of one run, and how many cases of each have been accounted for."""

    def __init__(self) -> None:
        """Account for nothing."""
        self._settled: dict[int, int] = {}

    def open(self, raw: Raw, before: Raw = ()) -> list[int]:
        """Return the indices of findings with cases that are neither settled nor in `before`."""
        known = {index: finding["count"] for index, finding in enumerate(before)}
        return [
            index
            for index, finding in enumerate(raw)
            if finding["count"] > max(known.get(index, 0), self._settled.get(index, 0))
        ]

    def settle(self, raw: Raw, indices: Iterable[int]) -> None:
        """Account for all cases so far of the findings at `indices`."""
        self._settled |= {index: raw[index]["count"] for index in indices}

    def forget(self) -> None:
        """After a reset: there are no findings."""
        self._settled.clear()
