# SPDX-License-Identifier: Apache-2.0
"""Map registers: what one covers, and the handle that names those of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.dma import Mdl
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction, NtStatus

from .driver import (
    Bench,
    bus_master,
    chained,
    described,
    free_channel,
    granted,
    place_pages,
    quiet,
)

if TYPE_CHECKING:
    from dmav3 import HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
PAGE = 4096
FAR = 1 << 20  # a page number above 4 GiB


@pytest.mark.dmav3_rule("MR-01", "MR-02")
@pytest.mark.parametrize(
    ("offset", "length", "registers", "mapped"),
    [
        (0, PAGE, 1, PAGE),
        (0, PAGE + 1, 1, PAGE),
        (1, PAGE, 1, PAGE - 1),
        (PAGE - 1, 2, 1, 1),
        (PAGE - 1, 2, 2, 2),
        (PAGE - 1, PAGE + 2, 2, PAGE + 1),
        (PAGE - 1, PAGE + 2, 3, PAGE + 2),
        (2048, 2 * PAGE, 2, PAGE + 2048),
    ],
)
def test_one_covers_bytes_of_one_page_of_4096(
    shim: Shim, offset: int, length: int, registers: int, mapped: int
) -> None:
    """However few those are: what is left needs another one."""
    shim.memory.allocate(4 * PAGE, region="scatter")  # the next four are in falling order
    buffer, mdl = described(shim, length, offset=offset, region="scatter")
    assert len(buffer.ranges) == -(-(offset + length) // PAGE)
    bench = Bench(shim, bus_master(shim, ScatterGather=0), mdl, registers=registers)
    assert bench.map() == (OK, mapped)
    ((address, size),) = bench.list
    assert (address % PAGE, size) == (offset, mapped)


@pytest.mark.dmav3_rule("MR-06")
@pytest.mark.dmav3_machine("virt-a53")
def test_each_is_the_memory_itself_or_a_page_of_the_layer_s(shim: Shim) -> None:
    """Of a read the whole lines are where the MDL says, its ends elsewhere at the same offset."""
    buffer, mdl = described(shim, 256, offset=4)
    bench = Bench(shim, bus_master(shim), mdl)
    assert bench.map(write=False) == (OK, 256)
    first, middle, last = bench.list
    (page,) = shim.dma.mdl_fields(mdl).pages
    assert middle == (page * PAGE + 64, 192)
    for edge, offset, size in ((first, 4, 60), (last, 256, 4)):
        assert (edge.Address % PAGE, edge.Length) == (offset, size)
        assert edge.Address // PAGE not in {page, buffer.address // PAGE}
    assert bench.flush(256, write=False) == OK


class TestHandle:
    """MapRegisterBase."""

    @pytest.mark.dmav3_rule("MR-03")
    @pytest.mark.parametrize("distance", [-8, -1, 1, 2, 8, 4096])
    def test_what_is_computed_from_it_names_nothing(self, shim: Shim, distance: int) -> None:
        """Violation 0x4D, and nothing is mapped, flushed or freed with it."""
        bench = Bench.of_master(shim)
        near = (bench.base + distance) % (1 << 64)
        with shim.evidence.expect_violations(0x4D):
            assert bench.adapter.MapTransferEx(bench.mdl, near, WriteToDevice=True) == (
                INVALID,
                256,
            )
        assert bench.map() == (OK, 256)
        with shim.evidence.expect_violations(0x4D):
            flushed = bench.adapter.FlushAdapterBuffersEx(
                bench.mdl, near, 0, 256, WriteToDevice=True
            )
        assert flushed == INVALID
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x05):
            bench.adapter.FreeMapRegisters(near, 2)
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("MR-04")
    def test_each_request_has_its_own_also_without_a_register(self, shim: Shim) -> None:
        """It is never NULL here; a driver that gives NULL back is told."""
        master = bus_master(shim)
        adapters = [*(quiet(shim, DmaChannel=n) for n in range(4)), master]
        handles = [granted(shim, one, registers=n % 2) for n, one in enumerate(adapters)]
        master.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        handles.append(granted(shim, master))
        assert 0 not in handles
        assert len(set(handles)) == len(handles)
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x05):
            adapters[0].FreeMapRegisters(0, 0)

    @pytest.mark.dmav3_rule("MR-04")
    def test_none_is_given_again(self, shim: Shim) -> None:
        """A driver that uses an old one does not meet another request."""
        adapter, handles = quiet(shim), []
        for _ in range(4):
            handles.append(granted(shim, adapter))
            free_channel(shim, adapter)
        assert len(set(handles)) == len(handles)


def far(shim: Shim, size: int, offset: int = 0) -> Mdl:
    """Return the MDL of a buffer whose pages no device of 32 bits reaches."""
    _, mdl = described(shim, size, offset=offset)
    pages = len(shim.dma.mdl_fields(mdl).pages)
    place_pages(shim, mdl, [FAR + 2 * n for n in range(pages)])
    return mdl


class TestBouncePages:
    """Pages that stand in for memory."""

    @pytest.mark.dmav3_rule("MR-05")
    @pytest.mark.parametrize(
        ("pieces", "registers"),
        [
            ([(0, 1)], 1),
            ([(PAGE - 1, 2)], 2),
            ([(1, PAGE)], 2),
            ([(0, PAGE), (PAGE - 1, 1)], 2),
            ([(100, 2 * PAGE), (0, 64), (PAGE - 4, 8)], 6),
        ],
    )
    def test_how_many_a_buffer_needs(
        self, shim: Shim, pieces: list[tuple[int, int]], registers: int
    ) -> None:
        """One for each page that a part of the chain touches, MDL by MDL."""
        buffers = [shim.memory.allocate(n, align=PAGE, offset=at) for at, n in pieces]
        mdl, adapter = chained(shim, *buffers), bus_master(shim)
        one = mdl.address
        while one:
            fields = shim.dma.mdl_fields(one)
            place_pages(shim, Mdl(one, 0), [FAR + n for n in range(len(fields.pages))])
            one = fields.Next
        assert adapter.GetDmaTransferInfo(mdl).MapRegisterCount == registers
        bench = Bench(shim, adapter, mdl, registers=registers)
        assert bench.map() == (OK, mdl.size)
        assert bench.flush(mdl.size) == OK
        free_channel(shim, adapter)
        bench = Bench(shim, adapter, mdl, registers=registers - 1)
        status, length = bench.map()
        assert (status, length < mdl.size) == (OK if registers > 1 else NO_RESOURCES, registers > 1)

    @pytest.mark.dmav3_rule("MR-08")
    @pytest.mark.parametrize("offset", [0, 4, 100, PAGE - 4])
    def test_where_a_byte_is(self, shim: Shim, offset: int) -> None:
        """As far into its page as in the caller's."""
        bench = Bench(shim, bus_master(shim), far(shim, 3 * PAGE, offset), registers=4)
        status, length = bench.map()
        assert (status, length) == (OK, 3 * PAGE)
        assert bench.list[0].Address % PAGE == offset
        assert all(element.Address % PAGE == 0 for element in bench.list[1:])
        assert bench.flush(length) == OK

    @pytest.mark.dmav3_rule("MR-14")
    @pytest.mark.parametrize("version", [1, 3])
    def test_each_live_mapping_has_its_own(self, shim: Shim, version: int) -> None:
        """Of one adapter, of several, and of pieces that are mapped one by one."""
        pages: list[int] = []
        for _ in range(3):
            bench = Bench(shim, bus_master(shim), far(shim, 3 * PAGE), registers=3)
            if version == 3:
                assert bench.map() == (OK, 3 * PAGE)
                parts = [
                    one.Address + at for one in bench.list for at in range(0, one.Length, PAGE)
                ]
            else:
                start = shim.dma.mdl_fields(bench.mdl).StartVa
                parts = [
                    bench.adapter.MapTransfer(
                        bench.mdl, bench.base, start + at, 64, WriteToDevice=True
                    ).LogicalAddress
                    for at in (0, PAGE, 2 * PAGE)
                ]
            pages += [address // PAGE for address in parts]
            bench.adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
            again = Bench(shim, bench.adapter, far(shim, PAGE), registers=1)
            assert again.map() == (OK, PAGE)
            pages += [element.Address // PAGE for element in again.list]
        assert len(pages) == len(set(pages)) == 12

    @pytest.mark.dmav3_rule("MR-17")
    def test_a_mapping_that_needs_none(self, shim: Shim) -> None:
        """It uses none, and its registers are there for one that does."""
        buffer, mdl = described(shim, 2 * PAGE)
        bench = Bench(shim, bus_master(shim), mdl)
        assert bench.map(0, PAGE, write=False) == (OK, PAGE)
        assert [one.Address for one in bench.list] == [buffer.address]
        assert bench.flush(PAGE, write=False) == OK
        bench.mdl = far(shim, 2 * PAGE)
        assert bench.map() == (OK, 2 * PAGE)
        assert bench.flush(2 * PAGE) == OK

    @pytest.mark.dmav3_rule("MR-12")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize("beside", [-64, -1, 100, 163])
    def test_its_guards(self, scripted: HostShim, beside: int) -> None:
        """A device that stores within 64 bytes beside its element is violation 0x0F."""
        bench = Bench(scripted, bus_master(scripted), far(scripted, 100, 200))
        assert bench.map(write=False) == (OK, 100)
        (element,) = bench.list
        scripted.store_as_device(element.Address, bytes(100))
        scripted.store_as_device(element.Address + beside, b"\1")
        with scripted.evidence.expect_violations(0x0F):
            assert bench.flush(100, write=False) == OK
        assert bench.map(write=False) == (OK, 100)
        scripted.store_as_device(element.Address, b"\1" * 100)
        assert bench.flush(100, write=False) == OK

    @pytest.mark.dmav3_rule("MR-15")
    def test_they_return_once(self, shim: Shim) -> None:
        """However a request ends, all that it had is free, and no more than that."""
        start = shim.layer.counters().free_map_registers
        adapter = bus_master(shim)
        for n in (1, 5, 64):
            granted(shim, adapter, n)
            assert shim.layer.counters().free_map_registers == start - n
            free_channel(shim, adapter)
            assert shim.layer.counters().free_map_registers == start
