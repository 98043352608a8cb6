# SPDX-License-Identifier: Apache-2.0
"""GetDmaAdapterInfo and GetDmaTransferInfo: what a driver may know before it transfers anything."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import UNWRITTEN, Mdl, Pointer, TransferInfo
from dmav3.wdm import IoAllocationAction, NtStatus

from .driver import (
    PAGE,
    Bench,
    bus_master,
    chained,
    described,
    elements_of,
    entries,
    maintenance,
    place_pages,
    quiet,
    sizes,
)

if TYPE_CHECKING:
    from dmav3 import HostShim
    from dmav3.board.shim import Shim
    from dmav3.dma import AdapterInfo, DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
FOUR_GIB = 1 << 32
#: More scattered pages than any controller takes at once, and than fit into a `Bench`'s list.
MANY = 150
#: Of newer versions: a synchronous callback suffices; a bypass is possible.
NEWER_FLAGS = 0x3


def info_of(adapter: DmaAdapter) -> AdapterInfo:
    """Return what GetDmaAdapterInfo says, which must succeed."""
    info = adapter.GetDmaAdapterInfo()
    assert info.status == OK
    return info


class TestAdapterInfo:
    """GetDmaAdapterInfo."""

    @pytest.mark.dmav3_rule("GAI-03")
    @pytest.mark.parametrize("master", [0, 1])
    def test_the_version_stays(self, shim: Shim, master: int) -> None:
        """It is what the driver asked for."""
        assert info_of(quiet(shim, Master=master)).Version == 1

    @pytest.mark.dmav3_rule("GAI-06", "GTI-11")
    @pytest.mark.parametrize("master", [0, 1])
    def test_the_most_elements(self, shim: Shim, master: int) -> None:
        """A mapping of more pages has exactly that many; GetDmaTransferInfo counts them all."""
        _, mdl = described(shim, MANY * PAGE, region="scatter")
        bench = Bench(shim, quiet(shim, Master=master), mdl)
        needed = bench.adapter.GetDmaTransferInfo(mdl, WriteOnly=True).ScatterGatherElementCount
        limit = info_of(bench.adapter).ScatterGatherLimit
        status, length = bench.map(capacity=MANY)
        assert (status, len(bench.list)) == (OK, min(limit, needed))
        assert (length == mdl.size) == bool(master)
        assert (limit == FOUR_GIB - 1) if master else (0 < limit < needed)

    @pytest.mark.dmav3_rule("GAI-06", "GTI-11")
    @pytest.mark.parametrize("limit", [1, 2, 7])
    def test_the_most_elements_of_another_controller(self, scripted: HostShim, limit: int) -> None:
        """It is the controller's own figure, and nothing is programmed with more."""
        scripted.script(max_fragments=limit)
        _, mdl = described(scripted, MANY * PAGE, region="scatter")
        bench = Bench(scripted, quiet(scripted), mdl)
        assert info_of(bench.adapter).ScatterGatherLimit == limit
        assert bench.adapter.GetDmaTransferInfo(mdl).ScatterGatherElementCount > limit
        assert bench.map(capacity=MANY).status == OK
        assert len(scripted.programs()[0].elements) == len(bench.list) == limit

    @pytest.mark.dmav3_rule("GAI-07")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize(
        ("dmav3_host_shim", "bits"),
        [({"DmaAddressWidth": bits}, bits) for bits in (31, 32, 33, 40, 64)],
        indirect=["dmav3_host_shim"],
        ids=str,
    )
    def test_the_bits_of_an_address(
        self, dmav3_host_shim: HostShim, bits: int, master: int
    ) -> None:
        """No address that a device is given has a higher one."""
        shim = dmav3_host_shim
        adapter = quiet(shim, Master=master, DmaAddressWidth=bits if master else 24)
        assert info_of(adapter).DmaAddressWidth == bits
        _, mdl = described(shim, 8 * PAGE)
        places = [1 << n for n in (28, 30, 31, 32, 33, 39, 40, 50)]
        place_pages(shim, mdl, [place // PAGE for place in places])
        bench = Bench(shim, adapter, mdl, 8)
        assert bench.map() == (OK, mdl.size)
        given = bench.list if master else list(shim.programs()[0].elements)
        reached = [place for place in places if place < 1 << bits]
        assert all(address + length <= 1 << bits for address, length in given)
        assert [address for address, _ in given if address in places] == reached
        assert sum(length for _, length in given) == mdl.size

    @pytest.mark.dmav3_rule("GAI-11")
    @pytest.mark.parametrize("master", [0, 1])
    def test_the_answer_stays(self, shim: Shim, master: int) -> None:
        """In every state of a request, whatever others do, and with other limits."""
        _, mdl = described(shim, 4 * PAGE, region="scatter")
        adapter = quiet(shim, Master=master, MaximumLength=8 * PAGE)
        answers = [info_of(adapter)]
        bench = Bench(shim, adapter, mdl, 4)
        answers.append(info_of(adapter))
        assert bench.map() == (OK, mdl.size)
        answers.append(info_of(adapter))
        if not master:
            assert adapter.CancelMappedTransfer(bench.context) == OK
            answers.append(info_of(adapter))
        assert bench.flush(mdl.size) == OK
        answers.append(info_of(adapter))
        adapter.FreeAdapterObject(IoAllocationAction.DeallocateObject)
        quiet(shim, Master=1 - master, DmaAddressWidth=40).PutDmaAdapter()
        shim.layer.limits(map_registers=4, registers_per_request=2, list_elements=1)
        answers.append(info_of(adapter))
        assert set(answers) == {answers[0]}

    @pytest.mark.dmav3_rule("GAI-08", "GAI-12")
    @pytest.mark.parametrize(
        "member",
        [{}, {"AutoInitialize": 1}, {"Master": 1}, {"Master": 1, "ScatterGather": 0}],
        ids=str,
    )
    @pytest.mark.parametrize("before", [0x00, 0xFF])
    def test_no_flag_is_set(self, shim: Shim, member: Any, before: int) -> None:
        """Neither those that newer versions define nor others, whatever was there before."""
        layout = shim.dma.struct("DMA_ADAPTER_INFO")
        place = Pointer(shim.request("allocate", layout.size).number("address"))
        shim.request("fill", place, layout.size, before)
        shim.request("poke", place, "32", 1)
        assert quiet(shim, **member).GetDmaAdapterInfo(AdapterInfo=place).status == OK
        flags = layout.read(shim.memory.look(place, layout.size))["V1"]["Flags"]
        assert (flags, flags & NEWER_FLAGS) == (0, 0)


class TestTransferInfo:
    """GetDmaTransferInfo."""

    @pytest.mark.dmav3_rule("GTI-01", "GTI-05", "GTI-06", "GTI-08")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize(
        ("offset", "size", "write_only", "elements", "registers"),
        [
            (0, 4096, False, 1, 0),
            (0, 3 * PAGE, False, 1, 0),
            (4, 4096, False, 3, 2),
            (4, 4096, True, 1, 0),
            (64, 128, False, 1, 0),
            (0, 100, False, 2, 1),
            (8, 16, False, 1, 1),
        ],
    )
    @pytest.mark.parametrize("master", [0, 1])
    def test_the_figures_count_bounced_edges_of_a_read(
        self,
        shim: Shim,
        offset: int,
        size: int,
        elements: int,
        registers: int,
        master: int,
        *,
        write_only: bool,
    ) -> None:
        """Partial lines cost an element and a register each."""
        adapter, (_, mdl) = quiet(shim, Master=master), described(shim, size, offset=offset)
        head, element = sizes(shim)
        info = adapter.GetDmaTransferInfo(mdl, WriteOnly=write_only)
        assert info == TransferInfo(OK, registers, elements, head + elements * element, Version=1)

    @pytest.mark.dmav3_rule("GTI-01", "GTI-04", "GTI-05", "GTI-07", "GTI-12")
    @pytest.mark.parametrize("seed", range(6))
    def test_a_range_of_a_chain(self, shim: Shim, seed: int) -> None:
        """The figures are those of its mapping, just enough for it; the MDLs stay as they are."""
        random = Random(seed)  # noqa: S311 - repeatable, not secret
        buffers = [
            shim.memory.allocate(
                random.randint(1, 9 * PAGE),
                region=random.choice(("arena", "scatter")),
                align=PAGE,
                offset=random.randrange(PAGE),
            )
            for _ in range(3)
        ]
        mdl = chained(shim, *buffers)
        second = shim.dma.mdl_fields(mdl).Next
        before = [shim.dma.mdl_fields(one) for one in (mdl, second)]
        offset = random.randrange(mdl.size)
        length = random.randint(1, mdl.size - offset)
        adapter = bus_master(shim)
        info = adapter.GetDmaTransferInfo(mdl, offset, length, WriteOnly=True)
        expected = elements_of(buffers, offset, length)
        head, element = sizes(shim)
        assert info == (OK, 0, len(expected), head + len(expected) * element, 1)
        bench = Bench(shim, adapter, mdl, info.MapRegisterCount)
        for short in (0, element):
            mapped = bench.map(
                offset, length, ScatterGatherBufferLength=info.ScatterGatherListSize - short
            )
            assert (mapped == (OK, length)) == (not short)
            if mapped.status == OK:
                assert bench.flush(mapped.Length, offset) == OK
        assert [shim.dma.mdl_fields(one) for one in (mdl, second)] == before

    @pytest.mark.dmav3_rule("GTI-07")
    @pytest.mark.parametrize(("scatter_gather", "elements"), [(0, 1), (1, 3)])
    def test_what_is_gathered_is_one_element(
        self, shim: Shim, scatter_gather: int, elements: int
    ) -> None:
        """Of several MDLs, for a device without lists; the mapping has as many."""
        buffers = [shim.memory.allocate(2 * PAGE, align=PAGE) for _ in range(3)]
        adapter, mdl = bus_master(shim, ScatterGather=scatter_gather), chained(shim, *buffers[::-1])
        info = adapter.GetDmaTransferInfo(mdl, WriteOnly=True)
        assert info.ScatterGatherElementCount == elements
        bench = Bench(shim, adapter, mdl, info.MapRegisterCount)
        assert bench.map() == (OK, 6 * PAGE)
        assert len(bench.list) == elements

    @pytest.mark.dmav3_rule("GTI-09")
    @pytest.mark.parametrize("master", [0, 1])
    def test_asking_changes_nothing(self, shim: Shim, master: int) -> None:
        """It allocates nothing, maintains nothing, calls nobody, and may be repeated."""
        adapter = quiet(shim, Master=master)
        _, mdl = described(shim, 5 * PAGE, offset=7, region="scatter")
        first = adapter.GetDmaTransferInfo(mdl)
        before, held = shim.layer.counters(), shim.dma.allocate_context()
        shim.request("release", held)
        position = len(shim.evidence.events.all())
        with entries(shim) as entered:
            for _ in range(50):
                assert adapter.GetDmaTransferInfo(mdl) == first
        assert set(entered) == {"GetDmaTransferInfo"}
        assert maintenance(shim, position) == 0
        assert (shim.layer.counters(), shim.dma.allocate_context()) == (before, held)

    @pytest.mark.dmav3_rule("GTI-03", "GEN-06")
    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, 0), (0, 257), (256, 1), (255, 2), (1 << 40, 1), ((1 << 64) - 1, 1), (0, 0xFFFFFFFF)],
    )
    def test_a_range_outside_of_the_chain(self, shim: Shim, offset: int, length: int) -> None:
        """STATUS_INVALID_PARAMETER, and nothing is written."""
        _, mdl = described(shim, 256)
        info = quiet(shim).GetDmaTransferInfo(mdl, offset, length)
        assert info == TransferInfo(INVALID, UNWRITTEN, UNWRITTEN, UNWRITTEN, Version=1)

    @pytest.mark.dmav3_rule("GTI-03")
    def test_no_mdl(self, shim: Shim) -> None:
        """NULL, and what cannot be an MDL, are refused."""
        for address in (0, 1, 0x40000000):
            assert quiet(shim).GetDmaTransferInfo(Mdl(address, 64)).status == INVALID
