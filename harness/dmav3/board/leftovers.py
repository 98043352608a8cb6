# SPDX-License-Identifier: Apache-2.0
"""What a driver has left behind: objects of the layer that still live when a run is judged."""

from __future__ import annotations

import enum
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

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


class Waits(enum.IntEnum):
    """What a live object waits for (enum dma_waits of the firmware)."""

    NOTHING = 0
    CHANNEL = 1
    REGISTERS = 2
    DEVICE = 3


class Live(NamedTuple):
    """An object of the layer that lives.

    :ivar kind: a key of `LEFT`.
    :ivar thing: its address or handle.
    :ivar maker: the routine that made it, which was called at `place`.
    :ivar channel: of a request or a mapping its channel; NO_CHANNEL: a bus master's, or none.
    :ivar registers: map registers that a request has, or waits for.
    :ivar line: of a mapping: the request line of its adapter.
    """

    kind: str
    thing: int
    maker: str
    place: str
    waits: Waits
    channel: int
    registers: int
    line: int

    def made(self) -> str:
        """Return who made it, as words."""
        return self.maker + (f", called in {self.place}" if self.place else "")


NO_CHANNEL = 0xFFFFFFFF


class Leftovers:
    """The live objects of a shim, and those that are meant to live."""

    def __init__(
        self, request: Callable[..., Reply], image: Elf, origin: Callable[[int], str]
    ) -> None:
        """Expect none.

        :param image: names the routines that made them, and where they were called.
        :param origin: returns where in a test a command was sent, by its number.
        """
        self._request, self._image, self._origin = request, image, origin
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
        found = self.live()
        there = Counter(one.kind for one in found)
        for kind, count in self._expected.items():
            if there[kind] < count:
                msg = f"{count} of {kind} expected to be left, there were {there[kind]}"
                raise FindingsError(msg, [_violation(one) for one in found])
        return [_violation(one) for one in found if there[one.kind] > self._expected[one.kind]]

    def live(self) -> list[Live]:
        """Ask the shim what lives; one that does not know the question says nothing."""
        try:
            notices = self._request("live").notices
        except RefusedError:
            return []
        return [self._one(notice.values) for notice in notices]

    def _one(self, values: Mapping[str, str]) -> Live:
        def number(key: str) -> int:
            return parse_number(values.get(key, "0"))

        where = place(self._image, number("maker"), number("caller"))
        return Live(
            values["kind"],
            number("object"),
            routine_names(self._image).get(number("maker"), "?"),
            where or self._origin(number("command")),
            Waits(number("waits")),
            number("channel"),
            number("registers"),
            number("line"),
        )


def _violation(one: Live) -> Violation:
    return left_behind(one.kind, one.thing, one.maker, one.place)
