# SPDX-License-Identifier: Apache-2.0
"""Structures that drivers and layer share: where their members are, and what an MDL describes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from dmav3.dma import Mdl
from dmav3.rules.rules import rules
from dmav3.wdm import DMA_TRANSFER_CONTEXT_SIZE_V1, NtStatus

from .driver import (
    PAGE,
    Bench,
    Completions,
    adapter_for,
    arm,
    bus_master,
    chained,
    described,
    entries,
    finished,
    granted,
    maintenance,
    moved,
    place_pages,
)

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER


class TestLayout:
    """What the debug information of the image says."""

    @pytest.mark.dmav3_rule("STR-01")
    def test_every_size_and_offset(self, shim: Shim) -> None:
        """They are those of the rule's table, for the pointers of this target."""
        heading, *rows = rules().rule("STR-01").table
        column = heading.index(f"offset, {8 * shim.dma.pointer_size} bit")
        name, checked = "", 0
        for row in rows:
            name, field, expected = row[0] or name, row[1], int(row[column], 0)
            if name == "transfer context":
                assert expected == DMA_TRANSFER_CONTEXT_SIZE_V1
            elif field.startswith("size"):
                assert shim.dma.struct(name).size == expected, name
            else:
                assert shim.dma.struct(name).member(field).offset == expected, (name, field)
            checked += 1
        assert checked == len(rows) > 50

    @pytest.mark.dmav3_rule("STR-03", "STR-04", "MTX-23")
    @pytest.mark.parametrize("count", [1, 2, 8])
    def test_a_list_byte_by_byte(self, shim: Shim, count: int) -> None:
        """The elements follow the header at once, and behind the last one nothing is written."""
        assert shim.dma.pointer_size == 8
        buffer, mdl = described(shim, 16 * PAGE, region="scatter")
        runs = buffer.ranges[:count]
        bench = Bench(shim, bus_master(shim), mdl)
        shim.request("fill", bench.memory, 4096, 0x77)
        wanted = sum(size for _, size in runs)
        size = 16 + 24 * count
        assert bench.map(0, wanted, ScatterGatherBufferLength=size) == (OK, wanted)
        written = shim.memory.look(bench.memory, size + 64)
        assert struct.unpack_from("<I", written) == (count,)
        found = [struct.unpack_from("<QI", written, 16 + 24 * n) for n in range(count)]
        assert found == list(runs)
        assert written[size:] == b"\x77" * 64
        assert bench.flush(wanted) == OK
        if count > 1:
            shorter = bench.map(0, wanted, ScatterGatherBufferLength=size - 1)
            assert shorter == (OK, wanted - runs[-1][1])


def poke_mdl(shim: Shim, mdl: Mdl, field: str, value: int) -> None:
    """Let a driver store to a member of an MDL itself."""
    member = shim.dma.struct("MDL").member(field)
    shim.request("poke", mdl.address + member.offset, str(8 * member.type.size), value)


class TestMdl:
    """What the layer finds in an MDL, and what drivers leave alone."""

    @pytest.mark.dmav3_rule("MDL-02", "MDL-04", "MDL-05")
    def test_a_driver_that_keeps_to_next_and_the_helpers(self, shim: Shim) -> None:
        """It may link MDLs itself, and gets its chain mapped."""
        buffers = [shim.memory.allocate(300), shim.memory.allocate(200)]
        first, second = [shim.dma.IoAllocateMdl(one.address, one.size) for one in buffers]
        for mdl in (first, second):
            shim.dma.MmBuildMdlForNonPagedPool(mdl)
        poke_mdl(shim, first, "Next", second.address)
        bench = Bench(shim, bus_master(shim), first)
        assert bench.map(0, 500) == (OK, 500)
        assert bench.list == [(one.ranges[0][0], one.size) for one in buffers]
        assert bench.flush(500) == OK
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("MDL-02", "GEN-12")
    @pytest.mark.parametrize(
        ("field", "change"), [("ByteCount", -1), ("ByteOffset", 4), ("StartVa", PAGE)]
    )
    def test_a_driver_that_stores_to_other_members(
        self, shim: Shim, field: str, change: int
    ) -> None:
        """While its buffer is mapped that is violation 0x43."""
        bench = Bench.of_master(shim, 256)
        assert bench.map() == (OK, 256)
        before = getattr(shim.dma.mdl_fields(bench.mdl), field)
        poke_mdl(shim, bench.mdl, field, before + change)
        with shim.evidence.expect_violations(0x43):
            assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("GEN-12")
    @pytest.mark.parametrize("write", [True, False])
    @pytest.mark.parametrize("change", ["page", "second page", "flags", "next", "length of next"])
    def test_a_chain_that_changes(self, shim: Shim, change: str, *, write: bool) -> None:
        """Whatever of it the mapping rests on: violation 0x43, and no maintenance of the wrong."""
        buffers = [shim.memory.allocate(size, align=PAGE) for size in (2 * PAGE, PAGE)]
        mdl = chained(shim, *buffers)
        bench = Bench(shim, bus_master(shim), mdl)
        assert bench.map(write=write) == (OK, 3 * PAGE)
        behind = shim.dma.mdl_fields(mdl).Next
        if change.endswith("page"):
            place_pages(shim, mdl, [0x40900], int(change != "page"))
        elif change == "flags":
            flags = shim.dma.mdl_fields(mdl).MdlFlags
            poke_mdl(shim, mdl, "MdlFlags", flags | 0x0800)  # MDL_IO_SPACE
        elif change == "next":
            poke_mdl(shim, mdl, "Next", 0)
        else:
            poke_mdl(shim, Mdl(behind, PAGE), "ByteCount", PAGE - 64)
        position = len(shim.evidence.events.all())
        with shim.evidence.expect_violations(0x43):
            assert bench.flush(3 * PAGE, write=write) == OK
        assert maintenance(shim, position) == 0

    @pytest.mark.dmav3_rule("MDL-01", "MDL-03", "MDL-09")
    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 2, 0, 0)], ids=str)
    def test_pages_in_any_order(self, shim: Shim, order: tuple[int, ...]) -> None:
        """Byte n of the chain is in the page that the list names, MDL by MDL, also twice."""
        places = [shim.memory.allocate(PAGE, align=PAGE) for _ in range(4)]
        pages = [places[n].address // PAGE for n in order]
        starts = [shim.memory.allocate(2 * PAGE, align=PAGE).address for _ in range(2)]
        first = shim.dma.IoAllocateMdl(starts[0] + 100, 5000)
        second = shim.dma.IoAllocateMdl(starts[1], 2 * PAGE)
        for mdl, named in ((first, pages[:2]), (second, pages[2:])):
            shim.dma.MmBuildMdlForNonPagedPool(mdl)
            place_pages(shim, mdl, named)
        poke_mdl(shim, first, "Next", second.address)
        bench = Bench(shim, bus_master(shim), first)
        assert bench.map(0, 5000 + 2 * PAGE) == (OK, 5000 + 2 * PAGE)
        found = [a + n for a, length in bench.list for n in range(length)]
        wanted = [pages[(100 + n) // PAGE] * PAGE + (100 + n) % PAGE for n in range(5000)]
        wanted += [pages[2 + n // PAGE] * PAGE + n % PAGE for n in range(2 * PAGE)]
        assert found == wanted
        assert bench.flush(5000 + 2 * PAGE) == OK

    @pytest.mark.dmav3_rule("MDL-06")
    def test_an_address_that_the_cpu_does_not_have(self, shim: Shim) -> None:
        """CurrentVa is an index: the page number counts, wherever the address is."""
        buffer, mdl = described(shim, 2 * PAGE)
        adapter = bus_master(shim)
        base = granted(shim, adapter)
        pages = shim.dma.mdl_fields(mdl).pages
        at = buffer.address + PAGE + 100
        place_pages(shim, mdl, [pages[0]], 1)
        piece = adapter.MapTransfer(mdl, base, at, 64, WriteToDevice=True)
        assert piece == (pages[0] * PAGE + 100, 64)
        assert adapter.FlushAdapterBuffers(mdl, base, at, 64, WriteToDevice=True)

    @pytest.mark.dmav3_rule("MDL-02", "MDL-08")
    @pytest.mark.parametrize(
        ("field", "value"),
        [("Size", 0), ("ByteCount", 2 * PAGE), ("ByteOffset", PAGE), ("StartVa", 8)],
    )
    def test_an_mdl_that_a_driver_has_made_up(self, shim: Shim, field: str, value: int) -> None:
        """One that contradicts itself is not mapped."""
        bench = Bench.of_master(shim, 256)
        poke_mdl(shim, bench.mdl, field, value)
        with entries(shim) as entered:
            assert bench.map(0, 256) == (INVALID, 256)
        assert entered == ["MapTransferEx"]

    @pytest.mark.dmav3_rule("MDL-08")
    @pytest.mark.parametrize("flags", [0, 0x0002, 0x0004, 0x0006], ids=hex)
    def test_the_flags_of_pages_that_stay(self, shim: Shim, flags: int) -> None:
        """Locked (2) or of non-paged pool (4): each is enough, none is violation 0x0E."""
        bench = Bench.of_master(shim)
        poke_mdl(shim, bench.mdl, "MdlFlags", flags)
        with shim.evidence.expect_violations(*([] if flags else [0x0E])):
            assert bench.map() == ((OK if flags else INVALID), 256)

    @pytest.mark.dmav3_rule("MDL-07")
    @pytest.mark.parametrize(
        ("offset", "expected"),
        [(0, (0x100, 96)), (99, (0x100, 195)), (4000, (0x777, 0)), (4100, (0x222, 17))],
    )
    def test_where_a_byte_of_the_chain_is(
        self, shim: Shim, offset: int, expected: tuple[int, int]
    ) -> None:
        """Byte counts lead to its MDL, the array of pages to its page, whatever its address is."""
        buffers = [
            shim.memory.allocate(size, align=PAGE, offset=at)
            for size, at in ((PAGE - 96, 96), (100, 0), (PAGE, PAGE - 83))
        ]
        chain = chained(shim, *buffers)
        page: Mdl | int = chain
        for pages in ([0x100], [0x777], [0x111, 0x222]):
            address = page if isinstance(page, int) else page.address
            array = address + shim.dma.struct("MDL").size
            for n, number in enumerate(pages):
                shim.request("poke", array + 8 * n, "64", number)
            page = shim.dma.mdl_fields(page).Next
        bench = Bench(shim, bus_master(shim), chain)
        number, inside = expected
        offset = {4100: PAGE - 96 + 100 + 100}.get(offset, offset)
        assert bench.map(offset, 1) == (OK, 1)
        assert bench.list == [(number * PAGE + inside, 1)]

    @pytest.mark.dmav3_rule("MDL-07")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize(
        ("dmav3_host_shim", "page", "write", "mapped"),
        [
            ({"coherent": True}, 0x12345, True, True),
            ({"coherent": True}, 0x12345, False, True),
            ({"coherent": True}, 0x123456, True, False),
            ({}, 0x12345, True, False),
            ({}, 0x12345, False, False),
        ],
        indirect=["dmav3_host_shim"],
        ids=str,
    )
    def test_memory_that_the_cpu_does_not_have(
        self, dmav3_host_shim: HostShim, page: int, *, write: bool, mapped: bool
    ) -> None:
        """It is mapped where neither a bounce nor cache work takes the CPU there."""
        shim = dmav3_host_shim
        _, mdl = described(shim, 256)
        poke_mdl(shim, mdl, "StartVa", 0x1000)
        place_pages(shim, mdl, [page])
        bench = Bench(shim, bus_master(shim), mdl)
        with shim.evidence.expect_violations(*([] if mapped else [0x0E])):
            assert bench.map(write=write) == ((OK, 256) if mapped else (INVALID, 256))
        if mapped:
            assert bench.list == [(page * PAGE, 256)]
            assert bench.flush(256, write=write) == OK

    @pytest.mark.dmav3_rule("MDL-10")
    @pytest.mark.parametrize("write", [True, False])
    def test_byte_counts_of_any_size(self, board: Board, *, write: bool) -> None:
        """Odd ones at odd places, in a chain whose every byte arrives."""
        buffers = [
            board.memory.allocate(size, region="scatter", align=PAGE, offset=at)
            for size, at in ((1, 0), (3, PAGE - 1), (PAGE - 1, 7), (2 * PAGE + 5, 33), (63, 1))
        ]
        mdl, adapter = chained(board, *buffers), adapter_for(board, write=write, width=8)
        content, at = moved(mdl.size), 0
        for buffer in buffers:
            board.write(buffer, content[at : at + buffer.size] if write else bytes(buffer.size))
            at += buffer.size
        bench, done = Bench(board, adapter, mdl, 16), Completions(board)
        arm(board, write=write, width=8)
        if not write:
            board.stream.receive_put(content)
        assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, mdl.size)
        finished(board, done)
        assert bench.flush(mdl.size, write=write) == OK
        arrived = b"".join(board.read(one) for one in buffers)
        if write:
            board.wait(1_000_000)
            arrived = board.stream.sent_take()
        assert arrived == content
        assert board.findings() == []
