# SPDX-License-Identifier: Apache-2.0
"""Which pieces of evidence somebody has expected: findings of the model, violations of the shim.

The model counts the cases of one root cause in one finding, so a finding that was expected and
whose count grows afterwards is unexpected again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dmav3.errors import Explained, FindingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Raw = Sequence[Mapping[str, Any]]


One = TypeVar("One", bound=Explained)


class Ledger:
    """The findings of one run, and how many cases of each have been accounted for. Pure."""

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


class Observed(Generic[One]):
    """The evidence of one sort in the present run, and what was expected of it."""

    def __init__(self, raw: Callable[[], Raw], explain: Callable[[Mapping[str, Any]], One]) -> None:
        """Look at nothing yet.

        :param raw: returns all there is since the last reset, each with its `count` of cases.
        :param explain: turns one of them into what a person reads.
        """
        self._raw, self._explain = raw, explain
        self._ledger = Ledger()

    def all(self) -> list[One]:
        """Return everything since the last reset."""
        return [self._explain(one) for one in self._raw()]

    def unexpected(self) -> list[One]:
        """Return what no `expect` has consumed."""
        raw = self._raw()
        return [self._explain(raw[n]) for n in self._ledger.open(raw)]

    @contextmanager
    def expect(self, matches: Callable[[One], bool], count: int, wanted: str) -> Iterator[None]:
        """Let the block cause exactly `count` that match, and consume them.

        :param wanted: what they are, for the message.
        :raises FindingsError: there were fewer or more; none is consumed.
        """
        before = self._raw()
        yield
        after = self._raw()
        new = {n: self._explain(after[n]) for n in self._ledger.open(after, before)}
        right = [n for n, one in new.items() if matches(one)]
        if len(right) != count:
            msg = f"{count} of {wanted} expected, there were {len(right)}"
            raise FindingsError(msg + "; all of the block:" if new else msg, tuple(new.values()))
        self._ledger.settle(after, right)

    def forget(self) -> None:
        """After a reset: there is nothing."""
        self._ledger.forget()
