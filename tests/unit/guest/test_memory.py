# SPDX-License-Identifier: Apache-2.0
"""Buffers of the guest: where they are, physically too, and whose byte an address is."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmav3.elf.image import Symbol
from dmav3.errors import UsageError
from dmav3.guest.memory import PAGE, Access, Buffer, Memory

if TYPE_CHECKING:
    from dmav3.elf.image import Elf

ARENA, SCATTER = 0x40000000, 0x80000000
#: Two neighbours among them, the others apart.
PAGES = [0x41003000, 0x41000000, 0x41001000, 0x41005000]
_SYMBOLS = {
    "__arena_start": ARENA,
    "__arena_end": ARENA + 0x4000,
    "__scatter_start": SCATTER,
    "__scatter_end": SCATTER + len(PAGES) * PAGE,
    "__staging_start": 0x43000000,
    "__staging_end": 0x43010000,
    "scatter_pages": 0x42000000,
}


class FakeImage:
    """Symbols without a file."""

    @staticmethod
    def symbol(name: str) -> Symbol:
        """Look a symbol up."""
        return Symbol(name, _SYMBOLS[name], 0)


def make_memory() -> Memory:
    """Make the regions; the table of pages is read from its symbol."""

    def read(physical: int, length: int) -> bytes:
        assert (physical, length) == (0x42000000, 8 * len(PAGES))
        return struct.pack(f"<{len(PAGES)}Q", *PAGES)

    def none(*_: object) -> None:
        raise AssertionError

    return Memory(cast("Elf", FakeImage()), Access(read, none, none))


def test_buffer_in_the_arena_is_one_piece() -> None:
    """Virtual is physical."""
    buffer = make_memory().allocate(5000)
    assert (buffer.address, buffer.ranges) == (ARENA, ((ARENA, 5000),))


def test_buffer_in_the_window_is_scattered() -> None:
    """Neighbouring pages join, all others are pieces of their own."""
    buffer = make_memory().allocate(3 * PAGE, region="scatter", align=PAGE, offset=100)
    assert buffer.address == SCATTER + 100
    assert buffer.ranges == (
        (PAGES[0] + 100, PAGE - 100),
        (PAGES[1], 2 * PAGE),
        (PAGES[3], 100),
    )


@given(st.integers(0, 3 * PAGE - 1))
def test_byte_is_found_by_its_physical_address(offset: int) -> None:
    """Buffer and offset, across pieces."""
    memory = make_memory()
    memory.allocate(100)
    buffer = memory.allocate(3 * PAGE, name="mine", region="scatter", align=PAGE)
    physical = PAGES[offset // PAGE] + offset % PAGE
    assert memory.locate(physical) == (buffer, offset)
    assert memory.locate(0x50000000) is None


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 63)), max_size=20))
def test_buffers_never_overlap(wanted: list[tuple[int, int]]) -> None:
    """Whatever sizes and offsets are asked for, with every other one given back."""
    memory = make_memory()
    live: list[Buffer] = []
    for number, (size, offset) in enumerate(wanted):
        buffer = memory.allocate(size, offset=offset)
        assert buffer.address % 64 == offset
        assert all(
            buffer.address + size <= other.address or other.address + other.size <= buffer.address
            for other in live
        )
        live.append(buffer)
        if number % 2:
            memory.free(live.pop(0))


def test_memory_that_is_not_there_is_refused() -> None:
    """The region and its size are named."""
    memory = make_memory()
    memory.allocate(0x4000)
    with pytest.raises(UsageError, match="arena, which has 16384"):
        memory.allocate(1)
    memory.free_all()
    memory.allocate(0x4000)


def test_buffer_that_is_none_of_ours_cannot_be_freed() -> None:
    """Twice is once too often."""
    memory = make_memory()
    buffer = memory.allocate(10)
    memory.free(buffer)
    with pytest.raises(UsageError, match="not allocated"):
        memory.free(buffer)
