# SPDX-License-Identifier: Apache-2.0
"""The mapping that a finding is about, in words: what, whose, and where bytes lie from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import callers
from .probe import Kind, Near
from .probe import Memory as Sort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dmav3.elf.image import Elf

    from .probe import Record

#: Ids of ranges that a routine maps: the device's own access, or through a bounce page.
DIRECT, BOUNCED = 0, 1
_SORTS = {
    Sort.COMMON: "a common buffer",
    Sort.PRIVATE: "private memory of the back end",
    Sort.WINDOW: "the window of the tests",
    Sort.FLUSHED: "memory",
    Sort.MAPPED: "a mapping",
}


class Mapped(NamedTuple):
    """Memory that a routine has mapped for a device: its physical address, its bytes, and which."""

    address: int
    length: int
    routine: str

    def position(self, address: int) -> str:
        """Return where an address is in it; empty: it is elsewhere."""
        offset = address - self.address
        if not 0 <= offset < self.length:
            return ""
        return f"mapped by {self.routine}" + (f", byte {offset}" if offset else "")


def mapped(records: Iterable[Record], names: Mapping[int, str]) -> list[Mapped]:
    """Return all memory that was mapped since the reset, whether it still is or not.

    :param names: of the routines, by their ids.
    """
    found, routine = [], ""
    for record in records:
        if record.kind == Kind.MAPPING:
            routine = names.get(record.id, "?")
        elif record.kind == Kind.RANGE and record.id in {DIRECT, BOUNCED}:
            found.append(Mapped(record.b, record.c, routine))
    return found


def namer(image: Elf, records: Iterable[Record], names: Mapping[int, str]) -> Callable[[int], str]:
    """Return a function that says what lies at a physical address; empty: it is not known.

    A variable of the image, which is mapped where it lies, or what was mapped last there.
    """
    latest = mapped(records, names)[::-1]

    def named(address: int) -> str:
        positions = (one.position(address) for one in latest)
        return image.named(address) or next(filter(None, positions), "")

    return named


def caller(raw: Mapping[str, int], image: Elf) -> str:
    """Return function, file and line of the call that made the mapping; empty: it was a test."""
    return callers.place(image, raw["maker"], raw["maker_pc"])


def made(raw: Mapping[str, int], names: Mapping[int, str], image: Elf) -> str:
    """Return who made the mapping, as a sentence; empty: nobody that has a name."""
    routine, place = names.get(raw["maker"]), caller(raw, image)
    return f"{routine} was called in {place}" if routine and place else ""


def nearest(
    raw: Mapping[str, int], names: Mapping[int, str], image: Elf, named: Callable[[int], str]
) -> str:
    """Return where the bytes of a stray access lie, from the nearest mapping.

    :param named: returns the name of the variable or buffer at an address; empty if it has none.
    """
    near = Near(raw["near"])
    if near == Near.NOTHING:
        return "nothing is mapped, and there is no common buffer"
    return f"they are {_POSITIONS[near](raw)} {_described(raw, names, image, named)}"


def _bytes(count: int) -> str:
    return f"{count} byte" if count == 1 else f"{count} bytes"


def _behind(raw: Mapping[str, int]) -> str:
    distance = raw["address"] - raw["near_start"] - raw["near_length"]
    return f"{_bytes(distance)} behind the end of" if distance else "directly behind the end of"


_POSITIONS: dict[Near, Callable[[Mapping[str, int]], str]] = {
    Near.BEHIND: _behind,
    Near.BEFORE: lambda raw: f"{_bytes(raw['near_start'] - raw['address'])} before the start of",
    Near.OTHER_DIRECTION: lambda _: "in a mapping of the other direction:",
    Near.ENDED: lambda _: "in what has ended:",
}


def _described(
    raw: Mapping[str, int], names: Mapping[int, str], image: Elf, named: Callable[[int], str]
) -> str:
    sort = Sort(raw["memory"])
    text = f"{_SORTS[sort]} of {_bytes(raw['near_length'])} at {raw['near_start']:#x}"
    if name := named(raw["near_memory"]):
        text += f" ({'for ' if raw['near_memory'] != raw['near_start'] else ''}{name})"
    if sort == Sort.MAPPED:
        text += " that the device may " + ("read" if raw["for_write"] else "write")
    if maker := names.get(raw["maker"]):
        place = caller(raw, image)
        text += f", made by {maker}" + (f", called in {place}" if place else "")
    if Near(raw["near"]) == Near.ENDED:
        text += _ended(sort, raw, names)
    return text


def _ended(sort: Sort, raw: Mapping[str, int], names: Mapping[int, str]) -> str:
    verb = "unmapped" if sort == Sort.MAPPED else "freed"
    by = names.get(raw["ender"])
    return f", {verb}{f' by {by}' if by else ''} at {raw['ended_ns']} ns"
