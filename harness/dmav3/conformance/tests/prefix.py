# SPDX-License-Identifier: Apache-2.0
"""What a mapping should be: the longest prefix that all limits allow (MTX-26), as a model. Pure.

Of memory that no cache line matters for: of a write, or of a device that is coherent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dmav3.dma import MdlFields

PAGE, FOUR_GIB = 4096, 1 << 32


@dataclass(frozen=True)
class Limits:
    """What limits one mapping.

    :ivar capacity: most elements, of list and controller.
    :ivar unit: bytes that each element must be a multiple of.
    :ivar bits: of an address that the device can use.
    """

    capacity: int
    registers: int
    unit: int = 1
    bits: int = 32


def longest_prefix(
    chain: Sequence[MdlFields], offset: int, length: int, limits: Limits
) -> list[int]:
    """Return the bytes of each element of the mapping of `length` bytes from `offset` on."""
    elements: list[int] = []
    registers = limits.registers
    for mdl in chain:
        at, end = mdl.ByteOffset + offset, mdl.ByteOffset + min(mdl.ByteCount, offset + length)
        offset, length = max(0, offset - mdl.ByteCount), length - max(0, end - at)
        while at < end:
            run = _run(mdl.pages, at, end, limits.bits)
            size = _whole(run, limits) if mdl.pages[at // PAGE] * PAGE < 1 << limits.bits else 0
            if not size:
                size = _bounced(at, run, end, registers, limits)
                registers -= (at % PAGE + size + PAGE - 1) // PAGE
            if not size or len(elements) == limits.capacity:
                return elements
            elements.append(size)
            at += size
    return elements


def _whole(size: int, limits: Limits) -> int:
    return size - size % limits.unit


def _bounced(at: int, run: int, end: int, registers: int, limits: Limits) -> int:
    """Return how much at `at` goes through map registers: the run, and what fills its last unit."""
    wanted = min(-(-run // limits.unit) * limits.unit, end - at)
    return _whole(max(0, min(wanted, registers * PAGE - at % PAGE)), limits)


def _run(pages: Sequence[int], at: int, end: int, bits: int) -> int:
    """Return the bytes from `at` on that are in adjacent pages, or all out of reach."""

    def continues(page: int, after: int) -> bool:
        far, next_far = page * PAGE >> bits > 0, after * PAGE >> bits > 0
        adjacent = after == page + 1 and after * PAGE % FOUR_GIB != 0
        return far == next_far and (far or adjacent)

    last = at // PAGE
    while (last + 1) * PAGE < end and continues(pages[last], pages[last + 1]):
        last += 1
    return min(end, (last + 1) * PAGE) - at
