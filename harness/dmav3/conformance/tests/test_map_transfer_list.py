# SPDX-License-Identifier: Apache-2.0
"""MapTransferEx: the list it builds, and what limits a mapping."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from dmav3.dma import Element, Mdl
from dmav3.wdm import (
    DmaWidth,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    adapter_for,
    arm,
    bus_master,
    chained,
    described,
    elements_of,
    finished,
    moved,
    place_pages,
    quiet,
    sizes,
)

if TYPE_CHECKING:
    from dmav3 import Board
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
PAGE, LINE = 4096, 64
FOUR_GIB = 1 << 32
#: Numbers that are no object of the layer: nothing, odd, unmapped, a device, plain memory.
UNREADABLE, ZEROES = (1, 0x40000000, 0xFFFF_FFFF_FFFF_FFFF), 0x40800000


class TestList:
    """The elements."""

    @pytest.mark.dmav3_rule("MTX-19", "MTX-53")
    @pytest.mark.parametrize(
        ("offset", "mdl", "inside"),
        [(0, 0, 0), (99, 0, 99), (100, 2, 0), (101, 2, 1), (5099, 2, 4999), (5100, 3, 0)],
    )
    def test_the_first_element(self, shim: Shim, offset: int, mdl: int, inside: int) -> None:
        """It starts exactly at the offset, in the MDL that holds it; an empty MDL holds nothing."""
        buffers = [shim.memory.allocate(size) for size in (100, 64, 5000, 300)]
        chain = chained(shim, *buffers)
        empty = shim.dma.mdl_fields(chain).Next
        member = shim.dma.struct("MDL").member("ByteCount")
        shim.request("poke", empty + member.offset, "32", 0)
        bench = Bench(shim, bus_master(shim), chain)
        assert bench.map(offset, 1) == (OK, 1)
        assert bench.list == [(buffers[mdl].ranges[0][0] + inside, 1)]
        assert bench.flush(1, offset) == OK
        rest = 5400 - offset
        buffers[1:2] = []
        assert bench.map(offset, rest) == (OK, rest)
        assert bench.list == elements_of(buffers, offset, rest)

    @pytest.mark.dmav3_rule(
        *("MTX-20", "MTX-21", "MTX-22", "MTX-23", "MTX-24", "MTX-26", "MTX-29", "MTX-30", "MTX-52")
    )
    @pytest.mark.parametrize("seed", range(6))
    def test_a_random_chain(self, shim: Shim, seed: int) -> None:
        """The list is the longest prefix of the chain's maximal runs that it has room for."""
        random = Random(seed)  # noqa: S311 - repeatable, not secret
        buffers = [
            shim.memory.allocate(
                random.randint(1, 10 * PAGE),
                region=random.choice(("arena", "scatter")),
                align=PAGE,
                offset=random.randrange(PAGE),
            )
            for _ in range(4)
        ]
        bench = Bench(shim, bus_master(shim), chained(shim, *buffers))
        for capacity in (100, 1, 2, 7):
            offset = random.randrange(bench.mdl.size)
            wanted = random.randint(1, bench.mdl.size - offset)
            expected = elements_of(buffers, offset, wanted)[:capacity]
            mapped = sum(element.Length for element in expected)
            assert bench.map(offset, wanted, capacity=capacity) == (OK, mapped)
            assert bench.list == expected
            assert bench.flush(mapped, offset) == OK

    @pytest.mark.dmav3_rule("MTX-07", "MTX-08", "MTX-24")
    @pytest.mark.parametrize("capacity", [1, 2, 3, 20])
    @pytest.mark.parametrize("spare", [0, 1, 23])
    def test_a_list_without_room_for_all(self, shim: Shim, capacity: int, spare: int) -> None:
        """It is filled to the last whole element, and Length says how far that reaches."""
        buffer, mdl = described(shim, 32 * PAGE, region="scatter")
        bench, (head, element) = Bench(shim, bus_master(shim), mdl), sizes(shim)
        size = head + capacity * element + spare
        shim.request("fill", bench.memory, 4096, 0x77)
        mapped = bench.map(ScatterGatherBufferLength=size)
        expected = elements_of([buffer], 0, mdl.size)[:capacity]
        assert mapped == (OK, sum(piece.Length for piece in expected))
        assert bench.list == expected
        used = head + len(expected) * element
        assert shim.memory.look(bench.memory + used, 64) == b"\x77" * 64

    @pytest.mark.dmav3_rule("MTX-22")
    def test_adjacent_buffers(self, shim: Shim) -> None:
        """Two MDLs are two elements, one MDL over the same memory is one."""
        whole = shim.memory.allocate(4 * PAGE, align=PAGE)
        first, second = whole.address, whole.address + 2 * PAGE
        mdl = shim.dma.IoAllocateMdl(first, 2 * PAGE)
        shim.dma.MmBuildMdlForNonPagedPool(mdl)
        shim.dma.MmBuildMdlForNonPagedPool(shim.dma.IoAllocateMdl(second, 2 * PAGE, mdl))
        bench = Bench(shim, bus_master(shim), mdl)
        assert bench.map() == (OK, 4 * PAGE)
        assert bench.list == [(first, 2 * PAGE), (second, 2 * PAGE)]
        bench = Bench(shim, bus_master(shim), chained(shim, whole))
        assert bench.map() == (OK, 4 * PAGE)
        assert bench.list == [(first, 4 * PAGE)]

    @pytest.mark.dmav3_rule("MTX-22")
    def test_memory_around_a_boundary_of_four_gib(self, shim: Shim) -> None:
        """It becomes two elements although its pages follow each other."""
        _, mdl = described(shim, 4 * PAGE)
        place_pages(shim, mdl, range(FOUR_GIB // PAGE - 2, FOUR_GIB // PAGE + 2))
        bench = Bench(shim, bus_master(shim, DmaAddressWidth=64), mdl)
        assert bench.map() == (OK, 4 * PAGE)
        assert bench.list == [(FOUR_GIB - 2 * PAGE, 2 * PAGE), (FOUR_GIB, 2 * PAGE)]

    @pytest.mark.dmav3_rule("MTX-28")
    @pytest.mark.parametrize("before", [0x00, 0xFF])
    def test_what_the_list_s_memory_held_before(self, shim: Shim, before: int) -> None:
        """Of Reserved members nothing is asked of the driver: any contents will do."""
        buffer, mdl = described(shim, 8 * PAGE, region="scatter")
        bench = Bench(shim, bus_master(shim), mdl)
        shim.request("fill", bench.memory, 4096, before)
        assert bench.map() == (OK, 8 * PAGE)
        assert bench.list == elements_of([buffer], 0, 8 * PAGE)
        assert bench.flush(8 * PAGE) == OK

    @pytest.mark.dmav3_rule("MTX-51")
    def test_a_chain_of_more_than_four_gib(self, shim: Shim) -> None:
        """An offset beyond what 32 bits hold finds its byte."""
        buffer, mdl = described(shim, 256)
        head, total = long_chain(shim, mdl)
        assert total > FOUR_GIB
        bench = Bench(shim, bus_master(shim), Mdl(head, total + 256))
        assert bench.map(total + 100) == (OK, 156)
        assert bench.list == [(buffer.address + 100, 156)]
        assert bench.flush(156, total + 100) == OK


def long_chain(shim: Shim, last: Mdl) -> tuple[int, int]:
    """Put MDLs of 4 GiB in all in front of one; return the first and their bytes.

    They share the memory of their arrays of pages, so nothing of them but `last` can be mapped.
    """
    layout, count, pages = shim.dma.struct("MDL"), 1050, 1000
    place = shim.memory.allocate(count * layout.size + 8 * pages, align=PAGE)
    headers = bytearray()
    for n in range(count):
        header = bytearray(layout.size)
        after = place.address + (n + 1) * layout.size if n < count - 1 else last.address
        flags = shim.dma.mdl_fields(last).MdlFlags
        layout.write(
            header,
            {
                "Next": after,
                "Size": 0x7FFF,
                "MdlFlags": flags,
                "StartVa": place.address,
                "ByteCount": pages * PAGE,
            },
        )
        headers += header
    shim.memory.cpu_store(place.address, bytes(headers))
    return place.address, count * pages * PAGE


class TestLimits:
    """What makes a mapping shorter than asked for."""

    @pytest.mark.dmav3_rule("MTX-27", "MTX-32", "MTX-24", "MTX-26")
    @pytest.mark.parametrize(
        ("registers", "offset", "mapped"),
        [
            (1, 0, PAGE),
            (2, 0, 2 * PAGE),
            (4, 0, 4 * PAGE),
            (2, 100, 2 * PAGE - 100),
            (3, 4095, 2 * PAGE + 1),
            (16, 0, 16 * PAGE),
        ],
    )
    def test_a_bus_master_without_scatter_gather(
        self, shim: Shim, registers: int, offset: int, mapped: int
    ) -> None:
        """Scattered pages are one element in consecutive registers, as long as these reach."""
        _, mdl = described(shim, 16 * PAGE)
        place_pages(shim, mdl, shim.dma.mdl_fields(mdl).pages[::-1])
        bench = Bench(shim, bus_master(shim, ScatterGather=0), mdl, registers)
        assert bench.map(offset) == (OK, mapped)
        (element,) = bench.list
        assert element.Length == mapped
        assert element.Address % PAGE == offset
        assert (element.Address % PAGE + mapped - 1) // PAGE < registers
        assert bench.flush(mapped, offset) == OK

    @pytest.mark.dmav3_rule("MTX-27")
    def test_a_contiguous_buffer_without_scatter_gather(self, shim: Shim) -> None:
        """It is one element as it lies in memory, however few the registers."""
        buffer, mdl = described(shim, 16 * PAGE)
        bench = Bench(shim, bus_master(shim, ScatterGather=0), mdl, 0)
        assert bench.map() == (OK, 16 * PAGE)
        assert bench.list == [(buffer.address, 16 * PAGE)]

    @pytest.mark.dmav3_rule("MTX-26")
    def test_a_list_for_one_element(self, shim: Shim) -> None:
        """It has room for all that is gathered in map registers, whatever the MDLs and pages."""
        buffers = [shim.memory.allocate(2 * PAGE, align=PAGE) for _ in range(3)]
        bench = Bench(shim, bus_master(shim, ScatterGather=0), chained(shim, *buffers[::-1]), 6)
        assert bench.map(capacity=1) == (OK, 6 * PAGE)
        assert [element.Length for element in bench.list] == [6 * PAGE]
        assert bench.flush(6 * PAGE) == OK

    @pytest.mark.dmav3_rule("MTX-24")
    def test_more_elements_than_the_controller_takes(self, shim: Shim) -> None:
        """The mapping is as long as the most elements of a transfer."""
        buffer, mdl = described(shim, 400 * PAGE, region="scatter")
        bench = Bench(shim, quiet(shim), mdl)
        assert len(buffer.ranges) > 64
        mapped = sum(length for _, length in buffer.ranges[:64])
        assert bench.map() == (OK, mapped)
        assert len(bench.list) == 64

    @pytest.mark.dmav3_rule("MTX-24", "MTX-25", "MTX-32")
    @pytest.mark.parametrize(
        ("registers", "reached", "mapped"),
        [(0, 0, 0), (0, 1, 1), (0, 3, 3), (1, 0, 1), (1, 1, 2), (2, 1, 3), (2, 2, 4), (3, 1, 4)],
    )
    def test_pages_that_the_device_does_not_reach(
        self, shim: Shim, registers: int, reached: int, mapped: int
    ) -> None:
        """They cost a register each; the mapping ends where there is none, and not before."""
        buffer, mdl = described(shim, 4 * PAGE)
        place_pages(shim, mdl, range(FOUR_GIB // PAGE, FOUR_GIB // PAGE + 4)[reached:], reached)
        bench = Bench(shim, bus_master(shim), mdl, registers)
        if not mapped:
            assert bench.map() == (NO_RESOURCES, 4 * PAGE)
            return
        assert bench.map() == (OK, mapped * PAGE)
        direct = bench.list[: 1 if reached else 0]
        bounced = bench.list[len(direct) :]
        assert direct == elements_of([buffer], 0, reached * PAGE)
        assert sum(element.Length for element in bounced) == (mapped - reached) * PAGE
        assert all(element.Address + element.Length <= FOUR_GIB for element in bounced)

    @pytest.mark.dmav3_rule("MTX-24", "MTX-26", "MTX-30", "MTX-32")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize(
        ("offset", "size", "pieces"),
        [
            (4, 4092, [60, 4032]),
            (4, 8, [8]),
            (0, 100, [64, 36]),
            (4, 4096, [60, 4032, 4]),
            (64, 128, [128]),
        ],
    )
    def test_edges_of_a_read(self, board: Board, offset: int, size: int, pieces: list[int]) -> None:
        """Lines that are shared are bounced, at the same place in a page; the rest is direct."""
        buffer, mdl = described(board, size, offset=offset)
        bench = Bench(board, bus_master(board), mdl, 2)
        assert bench.map(write=False) == (OK, size)
        found = bench.list
        assert [element.Length for element in found] == pieces
        at = buffer.address
        for element in found:
            whole = at % LINE == 0 and element.Length % LINE == 0
            assert (element.Address == at) == whole
            assert element.Address % PAGE == at % PAGE
            at += element.Length
        for capacity in range(1, len(pieces)):
            assert bench.flush(length_of(found), write=False) == OK
            assert bench.map(write=False, capacity=capacity) == (OK, sum(pieces[:capacity]))
            found = bench.list

    @pytest.mark.dmav3_rule("MTX-38")
    @pytest.mark.parametrize(("width", "length"), [(16, 1), (16, 255), (32, 2), (32, 255)])
    def test_a_part_of_a_unit(self, shim: Shim, width: int, length: int) -> None:
        """It is refused: the device's register is accessed as a whole."""
        adapter = quiet(shim, DmaWidth=DmaWidth.of_bits(width))
        bench = Bench(shim, adapter, described(shim, 256)[1])
        assert bench.map(0, length) == (INVALID, length)

    @pytest.mark.dmav3_rule("MTX-38", "MTX-25")
    @pytest.mark.parametrize(
        ("first", "registers", "expected"),
        [(6, 0, (OK, 4)), (6, 2, (OK, 8)), (2, 0, (INVALID, 8)), (2, 2, (OK, 8))],
    )
    def test_an_odd_piece_at_the_end_of_a_page(
        self, shim: Shim, first: int, registers: int, expected: tuple[NtStatus, int]
    ) -> None:
        """It is bounced if there are registers, else the mapping ends before it, or fails."""
        _, mdl = described(shim, 8, offset=PAGE - first)
        place_pages(shim, mdl, [shim.dma.mdl_fields(mdl).pages[0] + 5], 1)
        bench = Bench(shim, quiet(shim), mdl, registers)
        assert bench.map() == expected

    @pytest.mark.dmav3_rule("MTX-38", "MR-07")
    @pytest.mark.parametrize("width", [8, 16, 32])
    def test_odd_pieces_between_pages(self, board: Board, width: int) -> None:
        """Every element is whole units, and the bytes are right."""
        unit = width // 8
        adapter = adapter_for(board, write=True, width=width)
        where = unit // 2 + 1 if unit > 1 else 1
        buffer, mdl = described(board, 6 * PAGE, offset=where, region="scatter")
        content = moved(buffer.size)
        board.write(buffer, content)
        bench, done = Bench(board, adapter, mdl, 16), Completions(board)
        arm(board, write=True, width=width)
        assert bench.map(DmaCompletionRoutine=done) == (OK, buffer.size)
        assert all(piece.Length % unit == 0 for piece in bench.list)
        finished(board, done)
        board.wait(1_000_000)
        assert board.stream.sent_take() == content
        assert board.findings() == []

    @pytest.mark.dmav3_rule("MTX-50")
    @pytest.mark.parametrize("master", [0, 1])
    def test_more_than_the_description_s_maximum(self, shim: Shim, master: int) -> None:
        """Only registers, list and controller limit a mapping."""
        adapter = quiet(shim, Master=master, MaximumLength=64)
        bench = Bench(shim, adapter, described(shim, 8 * PAGE)[1])
        assert bench.map() == (OK, 8 * PAGE)


def length_of(elements: list[Element]) -> int:
    """Return the bytes of a list."""
    return sum(element.Length for element in elements)
