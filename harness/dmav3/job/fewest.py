# SPDX-License-Identifier: Apache-2.0
"""Delta debugging: the fewest of many causes that still have an effect.

Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input* (2002). Groups are tried
before single ones, so that of hundreds of thousands some dozens of trials find a few.
"""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Causes, by number, in ascending order.
Causes = tuple[int, ...]


class _SpentError(Exception):
    """There were all the trials that there may be, or they have taken too long."""


class Fewest:
    """One search.

    :ivar kept: causes that have the effect; fewer and fewer while the search goes on.
    :ivar trials: how many there were.
    :ivar complete: `kept` is 1-minimal: without any one of them the effect is gone.
    """

    def __init__(
        self, causes: Causes, has_effect: Callable[[Causes], bool], *, trials: int, seconds: float
    ) -> None:
        """Search nothing yet.

        :param causes: all of them together have the effect.
        :param has_effect: tries some; for the same ones it has the same answer.
        :param trials, seconds: at most so many, of real time.
        """
        self.kept, self.trials, self.complete = causes, 0, False
        self._has_effect, self._most = has_effect, trials
        self._end = time.monotonic() + seconds
        self._known: dict[Causes, bool] = {causes: True}

    def search(self, likely: Causes) -> None:
        """Make `kept` as small as it gets.

        :param likely: a part of the causes that may be enough, and is tried first.
        """
        with suppress(_SpentError):
            self._try(likely)
            self._try(())
            self._divide()
            self.complete = True

    def _try(self, some: Causes) -> bool:
        """Try some; if they are enough, no others are kept."""
        if some not in self._known:
            if self.trials == self._most or time.monotonic() > self._end:
                raise _SpentError
            self.trials += 1
            self._known[some] = self._has_effect(some)
        if self._known[some]:
            self.kept = some
        return self._known[some]

    def _divide(self) -> None:
        parts = 2
        while self.kept:
            kept, parts = self.kept, min(parts, len(self.kept))
            chunks = _chunks(kept, parts)
            if any(self._try(chunk) for chunk in chunks if chunk != kept):
                parts = 2
            elif any(self._try(_without(kept, chunk)) for chunk in chunks):
                parts = max(parts - 1, 2)
            elif parts == len(kept):
                return
            else:
                parts *= 2


def _chunks(some: Causes, parts: int) -> Sequence[Causes]:
    ends = [len(some) * part // parts for part in range(parts + 1)]
    return [some[start:end] for start, end in itertools.pairwise(ends)]


def _without(some: Causes, chunk: Causes) -> Causes:
    left_out = set(chunk)
    return tuple(one for one in some if one not in left_out)
