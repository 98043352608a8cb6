# SPDX-License-Identifier: Apache-2.0
"""MapTransferEx: what it refuses, the list it builds, what limits a mapping, what it starts."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import NULL, Element, Mapped, Mdl, Pointer
from dmav3.probe import Kind
from dmav3.stream import Control, Register
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    DmaCompletionStatus,
    DmaWidth,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    Flight,
    adapter_for,
    arm,
    bus_master,
    chained,
    context_for,
    described,
    elements_of,
    entries,
    finished,
    free_channel,
    granted,
    moved,
    place_pages,
    quiet,
    sizes,
)

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
CANCELLED = NtStatus.STATUS_CANCELLED
PAGE, LINE = 4096, 64
FOUR_GIB = 1 << 32
#: Numbers that are no object of the layer: nothing, odd, unmapped, a device, plain memory.
UNREADABLE, ZEROES = (1, 0x40000000, 0xFFFF_FFFF_FFFF_FFFF), 0x40800000
GARBAGE = (0, *UNREADABLE, ZEROES)
#: A request line that is nobody's, and always asks for data.
READY_LINE = 9
#: Model time between two units of a loop.
UNIT_NS = 1000


class TestArguments:
    """What is refused, and what is not."""

    @pytest.mark.dmav3_rule("MTX-01", "MTX-02")
    @pytest.mark.parametrize(
        ("offset", "length", "violated"),
        [
            (256, 0, 0x1F),
            (256, 4, 0x1F),
            (1 << 33, 4, 0x1F),
            ((1 << 64) - 4, 4, 0x1F),
            (0, 260, 0x24),
            (252, 8, 0x24),
            (4, 0xFFFFFFFC, 0x24),
        ],
    )
    def test_a_range_outside_of_the_chain(
        self, shim: Shim, offset: int, length: int, violated: int
    ) -> None:
        """It is refused with the violation, and Length keeps its value."""
        bench = Bench.of_subordinate(shim)
        with shim.expect("violation", code=violated, routine="MapTransferEx"):
            assert bench.map(offset, length) == (INVALID, length)

    @pytest.mark.dmav3_rule("MTX-01", "MTX-02")
    @pytest.mark.parametrize(("offset", "length"), [(0, 256), (0, 1), (255, 1), (128, 128)])
    def test_a_range_that_touches_the_ends_of_the_chain(
        self, shim: Shim, offset: int, length: int
    ) -> None:
        """It is mapped, to the last byte."""
        bench = Bench.of_master(shim)
        assert bench.map(offset, length) == (OK, length)
        assert bench.flush(length, offset) == OK

    @pytest.mark.dmav3_rule("MTX-03")
    def test_a_bus_master_without_a_list(self, shim: Shim) -> None:
        """STATUS_INVALID_PARAMETER: nobody could program its device."""
        assert Bench.of_master(shim).map(capacity=0) == (INVALID, 256)

    @pytest.mark.dmav3_rule("MTX-04")
    def test_a_subordinate_without_a_list(self, shim: Shim) -> None:
        """A buffer of more fragments than the layer's own list has room for takes more calls."""
        bench = Bench.of_subordinate(shim, 400 * PAGE, region="scatter")
        offset, calls = 0, 0
        while offset < bench.mdl.size:
            status, length = bench.map(offset, capacity=0)
            assert (status, length > 0) == (OK, True)
            with shim.expect_violations(0x23):  # its device asks for nothing
                assert bench.flush(length, offset) == OK
            offset, calls = offset + length, calls + 1
        assert (offset, calls > 1) == (bench.mdl.size, True)

    @pytest.mark.dmav3_rule("MTX-05")
    @pytest.mark.parametrize("master", [0, 1])
    def test_a_length_without_a_list(self, shim: Shim, master: int) -> None:
        """STATUS_INVALID_PARAMETER: NULL has no bytes."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 256)[1])
        assert bench.map(capacity=0, ScatterGatherBufferLength=64) == (INVALID, 256)

    @pytest.mark.dmav3_rule("MTX-06", "MTX-09")
    @pytest.mark.parametrize("master", [0, 1])
    def test_a_list_too_small_for_one_element(self, shim: Shim, master: int) -> None:
        """STATUS_INVALID_PARAMETER, not STATUS_BUFFER_TOO_SMALL; one byte more is enough."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 256)[1])
        head, element = sizes(shim)
        for size in (0, 1, head, head + element - 1):
            assert bench.map(ScatterGatherBufferLength=size) == (INVALID, 256)
        assert bench.map(ScatterGatherBufferLength=head + element) == (OK, 256)
        with shim.expect_violations(*([] if master else [0x23])):
            assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("MTX-10", "MTX-12")
    @pytest.mark.parametrize(
        ("wrong", "violated"),
        [({"DmaCompletionRoutine": True}, 0x49), ({"DeviceOffset": 4}, 0x4A)],
        ids=str,
    )
    def test_a_bus_master_with_what_only_a_subordinate_has(
        self, shim: Shim, wrong: dict[str, Any], violated: int
    ) -> None:
        """A completion routine or device offset is ignored, with a violation."""
        bench, done = Bench.of_master(shim), Completions(shim)
        if "DmaCompletionRoutine" in wrong:
            wrong = {"DmaCompletionRoutine": done}
        assert bench.map() == (OK, 256)
        expected = bench.list
        assert bench.flush(256) == OK
        with shim.expect("violation", code=violated, routine="MapTransferEx"):
            assert bench.map(**wrong) == (OK, 256)
        assert bench.list == expected
        assert bench.flush(256) == OK
        free_channel(shim, bench.adapter)
        shim.wait(1_000_000)
        assert done.calls == []

    @pytest.mark.dmav3_rule("MTX-11")
    @pytest.mark.parametrize("context", [0, 0x1234])
    def test_a_context_without_a_routine(self, shim: Shim, context: int) -> None:
        """It is ignored: the end of the transfer enters nothing."""
        bench = Bench.of_subordinate(shim)
        with entries(shim) as entered:
            assert bench.map(CompletionContext=context) == (OK, 256)
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            shim.wait(1_000_000)
        assert "DmaCompletionRoutine" not in entered
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("MTX-13")
    @pytest.mark.parametrize("base", GARBAGE, ids=hex)
    def test_what_is_no_handle(self, shim: Shim, base: int) -> None:
        """STATUS_INVALID_PARAMETER and violation 0x4D, of the map as of the flush."""
        bench = Bench.of_subordinate(shim)
        adapter, mdl = bench.adapter, bench.mdl
        assert base != bench.base
        with shim.expect_violations(0x4D, 0x4D):
            assert adapter.MapTransferEx(mdl, base, WriteToDevice=True) == (INVALID, 256)
            assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=True) == INVALID

    @pytest.mark.dmav3_rule("MTX-13")
    def test_the_handle_of_another_or_an_ended_request(self, shim: Shim) -> None:
        """A handle belongs to one adapter and dies with its request."""
        bench = Bench.of_subordinate(shim)
        other = quiet(shim, DmaChannel=1)
        granted(shim, other)
        with shim.expect_violations(0x4D, 0x4D, 0x4D):
            assert other.MapTransferEx(bench.mdl, bench.base, WriteToDevice=True).status == INVALID
            free_channel(shim, bench.adapter)
            assert bench.map().status == INVALID
            assert granted(shim, bench.adapter) != bench.base
            assert bench.map().status == INVALID

    @pytest.mark.dmav3_rule("MTX-14", "MTX-44")
    @pytest.mark.parametrize("master", [0, 1])
    def test_a_mapping_that_was_not_flushed(self, shim: Shim, master: int) -> None:
        """The next one is refused with violation 0x0D and leaves it alone, until its one flush."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 256)[1])
        assert bench.map() == (OK, 256)
        before = bench.list
        with shim.expect_violations(0x0D), entries(shim) as entered:
            assert bench.map(64, 64) == (INVALID, 64)
        assert (bench.list, entered) == (before, ["MapTransferEx"])
        if not master:
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(256) == OK
        with shim.expect_violations(0x16):
            assert bench.flush(256) == OK
        assert bench.map() == ((OK, 256) if master else (CANCELLED, 256))

    @pytest.mark.dmav3_rule("MTX-14")
    def test_the_transfer_of_a_mapping_that_was_not_flushed(self, board: Board) -> None:
        """It is undisturbed by the refused one, and ends well."""
        flight = Flight.start(board, 256, write=False)
        with board.expect_violations(0x0D):
            again = flight.adapter.MapTransferEx(flight.mdl, flight.base, WriteToDevice=False)
        assert again == (INVALID, 256)
        board.stream.receive_put(moved(256))
        finished(board, flight.done)
        flight.end()
        assert board.read(flight.buffer) == moved(256)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("MTX-15")
    def test_requests_of_one_bus_master(self, shim: Shim) -> None:
        """Two of them have mappings at the same time, which end in any order."""
        adapter = bus_master(shim)
        first = Bench(shim, adapter, described(shim, 256)[1])
        assert first.map() == (OK, 256)
        adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        second = Bench(shim, adapter, described(shim, 512)[1])
        assert second.map() == (OK, 512)
        assert first.flush(256) == OK
        assert second.flush(512) == OK
        assert (first.map(), second.map()) == ((OK, 256), (OK, 512))
        assert second.flush(512) == OK
        assert first.flush(256) == OK

    @pytest.mark.dmav3_rule("MTX-16")
    def test_adapters_of_one_channel(self, shim: Shim) -> None:
        """While one has a mapping the other gets no request, and without one it maps nothing."""
        bench, other = Bench.of_subordinate(shim), quiet(shim)
        assert bench.map() == (OK, 256)
        with shim.irql(DISPATCH_LEVEL):
            refused = other.AllocateAdapterChannelEx(
                context_for(shim, other), 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
        assert refused.status == NO_RESOURCES
        with shim.expect_violations(0x0D):
            assert bench.map() == (INVALID, 256)
        with shim.expect_violations(0x10, 0x4D):
            bench.adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
            assert bench.map() == (INVALID, 256)
        assert Bench(shim, other, bench.mdl).map() == (OK, 256)

    @pytest.mark.dmav3_rule("MTX-17")
    def test_a_request_marked_cancelled(self, shim: Shim) -> None:
        """STATUS_CANCELLED: nothing is programmed, called or written, and no flush is owed."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        shim.request("fill", bench.memory, 256, 0x77)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        with entries(shim) as entered:
            assert bench.map(0, 128, DmaCompletionRoutine=done) == (CANCELLED, 128)
            shim.wait(1_000_000)
        assert (entered, done.calls) == (["MapTransferEx"], [])
        assert shim.load(bench.memory, 256) == b"\x77" * 256
        free_channel(shim, bench.adapter)

    @pytest.mark.dmav3_rule("MTX-18")
    @pytest.mark.parametrize("master", [0, 1])
    def test_nothing_is_mapped(self, shim: Shim, master: int) -> None:
        """Success, an empty list, nothing started, violation 0x21; its flush is accepted."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 256)[1])
        shim.request("fill", bench.memory, 256, 0xFF)
        done = None if master else Completions(shim)
        with shim.expect_violations(0x21), entries(shim) as entered:
            assert bench.map(0, 0, DmaCompletionRoutine=done) == (OK, 0)
            shim.wait(1_000_000)
        assert (entered, bench.list) == (["MapTransferEx"], [])
        assert bench.flush(0) == OK
        assert bench.map(64, 64) == (OK, 64)


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
        empty = shim.mdl_fields(chain).Next
        member = shim.struct("MDL").member("ByteCount")
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
        assert shim.load(bench.memory + used, 64) == b"\x77" * 64

    @pytest.mark.dmav3_rule("MTX-22")
    def test_adjacent_buffers(self, shim: Shim) -> None:
        """Two MDLs are two elements, one MDL over the same memory is one."""
        whole = shim.memory.allocate(4 * PAGE, align=PAGE)
        first, second = whole.address, whole.address + 2 * PAGE
        mdl = shim.IoAllocateMdl(first, 2 * PAGE)
        shim.MmBuildMdlForNonPagedPool(mdl)
        shim.MmBuildMdlForNonPagedPool(shim.IoAllocateMdl(second, 2 * PAGE, mdl))
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
    layout, count, pages = shim.struct("MDL"), 1050, 1000
    place = shim.memory.allocate(count * layout.size + 8 * pages, align=PAGE)
    headers = bytearray()
    for n in range(count):
        header = bytearray(layout.size)
        after = place.address + (n + 1) * layout.size if n < count - 1 else last.address
        flags = shim.mdl_fields(last).MdlFlags
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
    shim.store(place.address, bytes(headers))
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
        place_pages(shim, mdl, shim.mdl_fields(mdl).pages[::-1])
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
        place_pages(shim, mdl, [shim.mdl_fields(mdl).pages[0] + 5], 1)
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


class TestDeviceSide:
    """What is started, and where the device is."""

    def copied(self, board: Board, width: DmaWidth, address: int, offset: int) -> bytes:
        """Write 64 bytes to a device that is memory; return what is there afterwards."""
        target = board.memory.allocate(256)
        board.fill(target, 0)
        board.request("clean_invalidate", target.address, 256)
        adapter = quiet(
            board,
            DmaRequestLine=READY_LINE,
            DmaWidth=width,
            DeviceAddress=(target.address + address) % (1 << 64),
        )
        buffer, mdl = described(board, 64)
        board.write(buffer, moved(64))
        bench, done = Bench(board, adapter, mdl), Completions(board)
        assert bench.map(DeviceOffset=offset, DmaCompletionRoutine=done) == (OK, 64)
        finished(board, done)
        assert bench.flush(64) == OK
        return board.dram.read(target.address, 256)

    @pytest.mark.dmav3_rule("MTX-33")
    @pytest.mark.parametrize(("address", "offset"), [(0, 0), (64, 0), (0, 128), (32, 64)])
    def test_the_device_s_address(self, board: Board, address: int, offset: int) -> None:
        """It is the adapter's and DeviceOffset together."""
        at = address + offset
        expected = bytes(at) + moved(64) + bytes(192 - at)
        assert self.copied(board, DmaWidth.WidthNoWrap, address, offset) == expected

    @pytest.mark.dmav3_rule("MTX-34")
    @pytest.mark.parametrize("bits", [8, 16, 32, 64])
    def test_a_device_register(self, board: Board, bits: int) -> None:
        """It has an address that stays: all data goes through it, the last of it is seen."""
        width = bits // 8
        expected = moved(64)[-width:] + bytes(256 - width)
        assert self.copied(board, DmaWidth.of_bits(bits), 0, 0) == expected

    @pytest.mark.dmav3_rule("MTX-35", "MTX-37")
    def test_success_means_started(self, board: Board) -> None:
        """All data moves as the device asks, without any other call of the driver."""
        buffer, mdl = described(board, 256)
        board.write(buffer, moved(256))
        bench = Bench(board, adapter_for(board, write=True), mdl)
        assert bench.map() == (OK, 256)
        board.wait(1_000_000)
        assert board.stream.sent_available == 0
        with entries(board) as entered:
            arm(board, write=True)
            board.wait(1_000_000)
        assert board.stream.sent_take() == moved(256)
        assert set(entered) == {"HandleInterrupt"}
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("MTX-36")
    def test_a_bus_master(self, shim: Shim) -> None:
        """No back end is called: its driver starts its device."""
        bench = Bench.of_master(shim)
        with entries(shim) as entered:
            assert bench.map() == (OK, 256)
            shim.wait(1_000_000)
            assert bench.flush(256) == OK
        assert entered == ["MapTransferEx", "FlushAdapterBuffersEx"]

    @pytest.mark.dmav3_rule("MTX-31")
    def test_the_list_of_a_subordinate(self, board: Board) -> None:
        """It is what was programmed: the bytes at its elements, in order, are those that move."""
        buffer, mdl = described(board, 12 * PAGE + 2, offset=2, region="scatter")
        board.write(buffer, moved(buffer.size))
        adapter = adapter_for(board, write=True, width=16)
        bench, done = Bench(board, adapter, mdl, 16), Completions(board)
        arm(board, write=True, width=16)
        status, length = bench.map(capacity=2, DmaCompletionRoutine=done)
        assert (status, length < mdl.size) == (OK, True)
        listed = b"".join(board.dram.read(*element) for element in bench.list)
        finished(board, done)
        board.wait(1_000_000)
        assert board.stream.sent_take() == listed == moved(buffer.size)[:length]

    @pytest.mark.dmav3_rule("MTX-31", "MTX-33", "MTX-40")
    @pytest.mark.dmav3_host
    def test_what_is_programmed(self, scripted: HostShim) -> None:
        """The list's elements and the sum of the addresses, when caches have been cleaned."""
        mdl = described(scripted, 5 * PAGE, region="scatter")[1]
        bench = Bench(scripted, quiet(scripted, DeviceAddress=0xFFFF_F000), mdl)
        position = len(scripted.events.all())
        assert bench.map(DeviceOffset=0x2000) == (OK, 5 * PAGE)
        (program,) = scripted.programs()
        assert list(program.elements) == bench.list
        assert program.device_address == 0x1_0000_1000
        number = scripted.image.enum("oplog_id")["OPLOG_ProgramChannel"]
        records = scripted.events.since(position)
        start = next(at for at, one in enumerate(records) if one.id == number)
        before = [one.kind for one in records[:start]]
        cleaned = [one.b for one in records[:start] if one.kind == Kind.CLEAN]
        assert sum(cleaned) == 5 * PAGE
        assert before.index(Kind.RANGE) < before.index(Kind.CLEAN)
        assert before[-1] == Kind.BARRIER
        after = [one.kind for one in records[start + 1 :]]
        assert after[:2] == [Kind.EXIT, Kind.EXIT]
        assert not {Kind.CLEAN, Kind.INVALIDATE, Kind.RANGE} & set(after)

    @pytest.mark.dmav3_rule("MTX-49")
    def test_what_the_controller_cannot_be_programmed_with(self, board: Board) -> None:
        """The mapping succeeds, and its completion routine gets DmaError."""
        adapter = quiet(board, DmaRequestLine=READY_LINE, DeviceAddress=FOUR_GIB)
        bench, done = Bench(board, adapter, described(board, 256)[1]), Completions(board)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        finished(board, done)
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaError]
        assert bench.flush(256) == OK


class TestOrder:
    """What happens before what."""

    @pytest.mark.dmav3_rule("MTX-39", "MTX-37", "CMP-07")
    @pytest.mark.parametrize("level", [0, DISPATCH_LEVEL])
    def test_length_is_final_before_the_completion_routine(self, board: Board, level: int) -> None:
        """Also where the transfer ends before MapTransferEx returns, as a driver must expect."""
        buffer, mdl = described(board, 8 * PAGE, region="scatter")
        board.fill(buffer, 0x11)
        bench = Bench(board, adapter_for(board, write=True), mdl)
        first = buffer.ranges[0][1]
        assert first < mdl.size
        length = board.request("allocate", 64).number("address")
        board.request("poke", length, "32", mdl.size)
        seen: list[int] = []
        done = Completions(board)
        done.then = lambda: seen.append(board.request("peek", length, "32").number("value"))
        arm(board, write=True)
        with board.irql(level):
            mapped = bench.map(0, Pointer(length), capacity=1, DmaCompletionRoutine=done)
            assert mapped.status == OK
            assert board.request("peek", length, "32").number("value") == first
        finished(board, done)
        assert seen == [first]
        assert bench.flush(first) == OK

    @pytest.mark.dmav3_rule("MTX-40")
    def test_the_controller_is_programmed_last(self, board: Board) -> None:
        """After bounce copies and cache maintenance, and nothing is left to be done after it."""
        buffer, mdl = described(board, 8 * PAGE, offset=2, region="scatter")
        board.write(buffer, moved(buffer.size))
        bench = Bench(board, adapter_for(board, write=True), mdl, 16)
        arm(board, write=True)
        with entries(board) as entered:
            assert bench.map() == (OK, mdl.size)
        assert entered[:3] == ["MapTransferEx", "QueryMaxFragments", "ProgramChannel"]
        board.wait(10_000_000)
        assert board.stream.sent_take() == moved(buffer.size)
        assert board.findings() == []


class TestLoop:
    """AutoInitialize."""

    def loop(self, board: Board, mdl: Mdl, *, registers: int = 2) -> Bench:
        """Return a bench whose adapter repeats what it maps."""
        adapter = quiet(
            board,
            AutoInitialize=1,
            DmaRequestLine=board.machine.stream.transmit,
            DeviceAddress=board.machine.stream.base + Register.DATA,
        )
        arm(board, write=True)
        board.channel(0).burst_interval_ns = UNIT_NS
        return Bench(board, adapter, mdl, registers)

    def sent_within(self, board: Board, units: int) -> bytes:
        """Let time pass for so many transfers of four bytes; return what has been sent."""
        board.wait(units * UNIT_NS)
        return board.stream.sent_take()

    def common(self, board: Board, bench: Bench, size: int) -> Mdl:
        """Return an MDL for a new common buffer that holds `moved(size)`."""
        memory = bench.adapter.AllocateCommonBuffer(size)
        board.store(memory.VirtualAddress, moved(size))
        mdl = board.IoAllocateMdl(memory.VirtualAddress, size)
        board.MmBuildMdlForNonPagedPool(mdl)
        return mdl

    @pytest.mark.dmav3_rule("MTX-41")
    @pytest.mark.parametrize("cancel", [True, False])
    def test_the_range_is_repeated(self, board: Board, *, cancel: bool) -> None:
        """Round after round of one mapping, until it is cancelled or flushed."""
        bench = self.loop(board, described(board, 64)[1])
        bench.mdl = self.common(board, bench, 256)
        with entries(board) as entered:
            assert bench.map() == (OK, 256)
            sent = self.sent_within(board, 4 * 64 + 8)
            if cancel:
                assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            assert bench.flush(256) == OK
        assert sent[:1024] == moved(256) * 4
        assert entered.count("MapTransferEx") == entered.count("ProgramChannel") == 1
        board.stream.sent_take()
        board.wait(1_000_000)
        assert board.stream.sent_available == 0

    @pytest.mark.dmav3_rule("MTX-42")
    def test_a_shortened_loop(self, board: Board) -> None:
        """It repeats what is mapped, not what was asked for."""
        bench = self.loop(board, described(board, 64)[1])
        first, second = (self.common(board, bench, size) for size in (128, 64))
        next_mdl = board.struct("MDL").member("Next")
        board.request("poke", first.address + next_mdl.offset, "64", second.address)
        bench.mdl = Mdl(first.address, 192)
        assert bench.map(capacity=1) == (OK, 128)
        assert self.sent_within(board, 3 * 32 + 8)[:384] == moved(128) * 3
        assert bench.flush(128) == OK

    @pytest.mark.dmav3_rule("MTX-43")
    def test_a_loop_that_needs_a_bounce(self, board: Board) -> None:
        """It is refused, however many registers there are."""
        _, mdl = described(board, 8, offset=PAGE - 2)
        place_pages(board, mdl, [board.mdl_fields(mdl).pages[0] + 5], 1)
        assert self.loop(board, mdl, registers=8).map() == (NO_RESOURCES, 8)

    @pytest.mark.dmav3_rule("MTX-43")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize("write", [True, False])
    def test_the_end_of_a_round(self, scripted: HostShim, *, write: bool) -> None:
        """Nothing is done to caches, whatever the direction."""
        bench = Bench(scripted, quiet(scripted, AutoInitialize=1), described(scripted, 64)[1])
        done = Completions(scripted)
        with scripted.expect_violations(0x52):
            assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, 64)
        position = len(scripted.events.all())
        for _ in range(3):
            scripted.end(0)
        kinds = {record.kind for record in scripted.events.since(position)}
        assert kinds <= {Kind.COMMAND, Kind.READY, Kind.ENTER, Kind.EXIT}
        assert len(done.calls) == 3

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("MTX-43")
    @pytest.mark.dmav3_cache(schedule="lru")
    def test_stores_between_rounds(self, board: Board) -> None:
        """They stay in the cache: who loops over cached memory is told so."""
        buffer, mdl = described(board, 64)
        board.write(buffer, moved(64))
        bench = self.loop(board, mdl)
        with board.expect_violations(0x52):
            assert bench.map() == (OK, 64)
        self.sent_within(board, 32)
        board.fill(buffer, 0x33)
        with board.expect("stale-device-read"):
            self.sent_within(board, 32)
            lines = board.lines(buffer)
            assert bench.flush(64) == OK
        assert lines.dirty == 1


class TestSeveralCalls:
    """A buffer in parts, and what a refusal leaves behind."""

    @pytest.mark.dmav3_rule("MTX-44", "MTX-45", "MTX-46", "MTX-47")
    @pytest.mark.parametrize("write", [True, False])
    @pytest.mark.parametrize("capacity", [1, 3])
    def test_a_long_buffer_through_a_small_list(
        self, board: Board, capacity: int, *, write: bool
    ) -> None:
        """Part by part, each mapped in the completion routine of the one before; all is right."""
        size = 20 * PAGE + 512
        buffer, mdl = described(board, size, region="scatter")
        if write:
            board.write(buffer, moved(size))
        else:
            board.fill(buffer, 0xA5)
            board.stream.receive_put(moved(size))
        bench, done = Bench(board, adapter_for(board, write=write), mdl), Completions(board)
        parts: list[int] = []

        def map_next() -> None:
            mapped = bench.map(
                sum(parts), write=write, capacity=capacity, DmaCompletionRoutine=done
            )
            assert mapped.status == OK
            parts.append(mapped.Length)

        def complete() -> None:
            assert bench.flush(parts[-1], sum(parts[:-1]), write=write) == OK
            if sum(parts) < size:
                map_next()

        done.then = complete
        arm(board, write=write)
        with board.irql(DISPATCH_LEVEL):  # so that it does not end before its length is known
            map_next()
        board.run_until(lambda: len(done.calls) == len(parts) and sum(parts) == size)
        board.wait(1_000_000)
        assert (board.stream.sent_take() if write else board.read(buffer)) == moved(size)
        assert len(parts) == -(-len(buffer.ranges) // capacity)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("MTX-52")
    def test_what_map_transfer_takes_many_calls_for(self, shim: Shim) -> None:
        """One call maps all elements of all MDLs, of which MapTransfer gives one a call."""
        buffers = [shim.memory.allocate(8 * PAGE, region="scatter") for _ in range(2)]
        bench = Bench(shim, bus_master(shim), chained(shim, *buffers), 16)
        expected = elements_of(buffers, 0, 16 * PAGE)
        assert bench.map() == (OK, 16 * PAGE)
        assert bench.list == expected
        assert bench.flush(16 * PAGE) == OK
        mdls: list[Mdl | int] = [bench.mdl, shim.mdl_fields(bench.mdl).Next]
        pieces = []
        for buffer, mdl in zip(buffers, mdls, strict=True):
            at, end = buffer.address, buffer.address + buffer.size
            while at < end:
                piece = bench.adapter.MapTransfer(mdl, bench.base, at, end - at, WriteToDevice=True)
                assert bench.adapter.FlushAdapterBuffers(
                    mdl, bench.base, at, piece.Length, WriteToDevice=True
                )
                pieces.append(Element(*piece))
                at += piece.Length
        assert pieces == expected

    @pytest.mark.dmav3_rule("MTX-46")
    def test_inside_adapter_control(self, shim: Shim) -> None:
        """The channel is owned there, and the mapping outlives the callback."""
        adapter, mdl = quiet(shim), described(shim, 256)[1]
        found: list[tuple[int, Mapped]] = []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            found.append((base, adapter.MapTransferEx(mdl, base, WriteToDevice=True)))
            return IoAllocationAction.KeepObject

        context = context_for(shim, adapter)
        with shim.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, 2, 0, control).status == OK
        ((base, mapped),) = found
        assert mapped == (OK, 256)
        assert adapter.CancelMappedTransfer(context) == OK
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=True) == OK

    @pytest.mark.dmav3_rule("MTX-48")
    @pytest.mark.parametrize(
        ("wrong", "violated"),
        [
            ({"offset": 9 * PAGE}, [0x1F]),
            ({"length": 9 * PAGE}, [0x24]),
            ({"length": 3}, []),
            ({"length": NULL}, []),
            ({"ScatterGatherBufferLength": 8}, []),
            ({"offset": 4 * PAGE, "length": PAGE}, []),
        ],
        ids=str,
    )
    def test_a_refused_call(self, shim: Shim, wrong: dict[str, Any], violated: list[int]) -> None:
        """Nothing is copied, maintained, listed or started, and the handle maps all the same."""
        _, mdl = described(shim, 8 * PAGE)
        place_pages(shim, mdl, [FOUR_GIB // PAGE], 4)
        bench = Bench(shim, quiet(shim), mdl, 0)
        shim.request("fill", bench.memory, 4096, 0x77)
        position = len(shim.events.all())
        with shim.expect_violations(*violated):
            status, length = bench.map(**wrong)
        assert not status.success
        assert length == (wrong.get("length") or 0) or "length" not in wrong
        records = shim.events.since(position)
        assert not any(record.kind == Kind.RANGE for record in records)
        exits = {record.id: record for record in records if record.kind == Kind.EXIT}
        assert all((record.d, record.e) == (0, 0) for record in exits.values())
        assert shim.image.enum("oplog_id")["OPLOG_ProgramChannel"] not in exits
        assert shim.load(bench.memory, 256) == b"\x77" * 256
        assert bench.map(PAGE, 2 * PAGE, write=False) == (OK, 2 * PAGE)

    @pytest.mark.dmav3_rule("MTX-54", "CMP-15")
    def test_duplex(self, board: Board) -> None:
        """It takes two adapters with a mapping each; both directions move at the same time."""
        flights = {}
        for write in (True, False):
            adapter = adapter_for(board, write=write, channel=int(write))
            buffer, mdl = described(board, 256)
            board.write(buffer, moved(256))
            bench, done = Bench(board, adapter, mdl), Completions(board)
            assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, 256)
            flights[write] = bench, done, buffer
        control = board.machine.stream.base + Register.CONTROL
        board.request("poke", control, "32", 3 | Control.frame(4))
        board.stream.receive_put(moved(256, seed=2))
        for write, (bench, done, _) in flights.items():
            finished(board, done)
            with board.expect_violations(0x48):
                assert bench.flush(256, write=not write) == INVALID
            assert bench.flush(256, write=write) == OK
        assert board.stream.sent_take() == moved(256)
        assert board.read(flights[False][2]) == moved(256, seed=2)
