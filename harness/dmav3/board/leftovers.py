# SPDX-License-Identifier: Apache-2.0
"""What a driver has left behind: objects of the layer that still live when a run is judged."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dmav3.errors import FindingsError, RefusedError, UsageError
from dmav3.evidence.callers import place
from dmav3.evidence.findings import routine_names
from dmav3.evidence.violations import LEFT, left_behind
from dmav3.wire.frame import parse_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dmav3.elf.image import Elf
    from dmav3.evidence.violations import Violation
    from dmav3.wire.rpc import Reply


class Leftovers:
    """The live objects of a shim, and those that are meant to live."""

    def __init__(self, request: Callable[..., Reply], image: Elf) -> None:
        """Expect none.

        :param image: names the routines that made them, and where they were called.
        """
        self._request, self._image = request, image
        self._anything = False
        self._expected: Counter[str] = Counter()

    def expect(self, counts: Mapping[str, int], *, anything: bool) -> None:
        """Expect these objects whenever a run is judged from now on, and no others.

        :param counts: how many of each kind, a key of `LEFT`.
        :param anything: whatever lives then.
        :raises UsageError: there is no such kind, or a count is negative.
        """
        for kind, count in counts.items():
            if kind not in LEFT:
                msg = f"{kind!r} is nothing that can be left; known are: {', '.join(LEFT)}"
                raise UsageError(msg)
            if count < 0:
                msg = f"{kind}={count}: it is a number of objects, such as {kind}=1"
                raise UsageError(msg)
        self._anything, self._expected = anything, Counter(counts)

    def unexpected(self) -> list[Violation]:
        """Return what lives and is not expected to.

        :raises FindingsError: less lives than is expected.
        """
        if self._anything:
            return []
        found = self._found()
        there = Counter(kind for kind, _ in found)
        for kind, count in self._expected.items():
            if there[kind] < count:
                msg = f"{count} of {kind} expected to be left, there were {there[kind]}"
                raise FindingsError(msg, [one for _, one in found])
        return [one for kind, one in found if there[kind] > self._expected[kind]]

    def _found(self) -> list[tuple[str, Violation]]:
        """Ask the shim; one that does not know the question says nothing."""
        try:
            notices = self._request("live").notices
        except RefusedError:
            return []
        return [self._one(notice.values) for notice in notices]

    def _one(self, values: Mapping[str, str]) -> tuple[str, Violation]:
        kind = values["kind"]
        thing, maker, caller = (parse_number(values[key]) for key in ("object", "maker", "caller"))
        routine = routine_names(self._image).get(maker, "IoAllocateMdl")
        return kind, left_behind(kind, thing, routine, place(self._image, maker, caller))
