# SPDX-License-Identifier: Apache-2.0
"""Any BOOLEAN that is not zero is TRUE: each parameter and each flag of a description."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, NtStatus

from .driver import (
    PAGE,
    Bench,
    bus_master,
    context_for,
    described,
    granted,
    moved,
    place_pages,
    quiet,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dmav3 import Board
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter, Mdl

pytestmark = pytest.mark.dmav3_rule("GEN-11")

OK = NtStatus.STATUS_SUCCESS
#: One bit each, none of them that of 1, and all.
TRUES = pytest.mark.parametrize("true", [2, 0x80, 0xFE], ids=hex)
FAR = 1 << 20  # a page number above 4 GiB


def ended_by_both(shim: Shim, map_it: Callable[[int], None], flush: Callable[[int], bool]) -> None:
    """Map with one TRUE, flush with another: they are the same direction, and it is a write."""
    map_it(2)
    assert flush(0x80)
    map_it(1)
    assert flush(0xFE)
    assert shim.violations() == []
    assert shim.layer.counters().mappings == 0


class TestDirections:
    """WriteToDevice, in each routine that has it."""

    def test_of_version_3(self, shim: Shim) -> None:
        """MapTransferEx and FlushAdapterBuffersEx."""
        bench = Bench.of_master(shim)

        def map_it(true: int) -> None:
            assert bench.map(write=true) == (OK, 256)  # type: ignore[arg-type]

        def flush(true: int) -> bool:
            return bench.flush(256, write=true) == OK  # type: ignore[arg-type]

        ended_by_both(shim, map_it, flush)

    def test_of_version_1(self, shim: Shim) -> None:
        """MapTransfer and FlushAdapterBuffers."""
        adapter, (buffer, mdl) = bus_master(shim), described(shim, 256)
        base, at = granted(shim, adapter), buffer.address

        def map_it(true: int) -> None:
            piece = adapter.MapTransfer(mdl, base, at, 256, WriteToDevice=true)  # type: ignore[arg-type]
            assert piece.Length == 256

        def flush(true: int) -> bool:
            return adapter.FlushAdapterBuffers(mdl, base, at, 256, WriteToDevice=true)  # type: ignore[arg-type]

        ended_by_both(shim, map_it, flush)

    @pytest.mark.parametrize("form", ["get", "build", "old get", "old build"])
    def test_of_lists(self, shim: Shim, form: str) -> None:
        """Each of the four that make one, and PutScatterGatherList."""
        adapter, (buffer, mdl) = bus_master(shim), described(shim, 256)
        memory = shim.request("allocate", PAGE).number("address")
        lists: list[int] = []

        def control(keys: Mapping[str, str]) -> int:
            lists.append(int(keys["list"], 16))
            return 0

        def map_it(true: int) -> None:
            more = [memory, PAGE] if "build" in form else []
            direct = [adapter.address, shim.dma.device]
            cookie = shim.dma.callback(control)
            if "old" in form:
                name = "BuildScatterGatherList" if more else "GetScatterGatherList"
                words = [*direct, mdl.address, buffer.address, 256, 1, cookie, true, *more]
            else:
                name = "BuildScatterGatherListEx" if more else "GetScatterGatherListEx"
                words = [*direct, context_for(shim, adapter), mdl.address, 0, 256]
                words += [DMA_SYNCHRONOUS_CALLBACK, 1, cookie, true, *more, 0, 0, 0]
            with shim.dma.irql(DISPATCH_LEVEL):
                assert shim.request(name, *words).number("status") == OK

        def flush(true: int) -> bool:
            with shim.dma.irql(DISPATCH_LEVEL):
                adapter.PutScatterGatherList(lists.pop(), WriteToDevice=true)  # type: ignore[arg-type]
            return True

        ended_by_both(shim, map_it, flush)

    @TRUES
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_cache(schedule="never")
    def test_it_is_a_write(self, board: Board, true: int) -> None:
        """What the CPU stored is in memory, and its lines stay valid, as they do not for a read."""
        buffer, mdl = described(board, 256)
        board.write(buffer, moved(256))
        bench = Bench(board, bus_master(board), mdl)
        assert bench.map(write=true) == (OK, 256)  # type: ignore[arg-type]
        assert board.dram.read(buffer.address, 256) == moved(256)
        assert board.lines(buffer).valid == 4
        assert bench.flush(256) == OK
        assert board.lines(buffer).valid == 4


@TRUES
@pytest.mark.dmav3_machine("virt-a53")
def test_write_only(board: Board, true: int) -> None:
    """GetDmaTransferInfo: a write needs no register for the edges, which a read does."""
    adapter, (_, mdl) = bus_master(board), described(board, 200, offset=10)
    figures = [
        adapter.GetDmaTransferInfo(mdl, WriteOnly=only).MapRegisterCount  # type: ignore[arg-type]
        for only in (0, 1, true)
    ]
    assert figures == [2, 0, 0]


@TRUES
@pytest.mark.dmav3_machine("virt-a53")
@pytest.mark.dmav3_cache(schedule="never")
def test_read_operation(board: Board, true: int) -> None:
    """KeFlushIoBuffers: its lines are invalid afterwards."""
    buffer, mdl = described(board, 256)
    board.write(buffer, moved(256))
    board.request("KeFlushIoBuffers", mdl.address, true, true)
    assert board.lines(buffer).valid == 0
    assert board.dram.read(buffer.address, 256) == moved(256)


@TRUES
@pytest.mark.dmav3_machine("virt-a53-coherent")
def test_cache_enabled(board: Board, true: int) -> None:
    """A common buffer of a coherent device is cached if it is asked for, and freed likewise."""
    adapter = bus_master(board)
    base = [adapter.AllocateCommonBufferEx(PAGE, CacheEnabled=one) for one in (False, True)]
    found = adapter.AllocateCommonBufferEx(PAGE, CacheEnabled=true)  # type: ignore[arg-type]
    regions = [one.VirtualAddress >> 21 for one in (*base, found)]
    assert regions[0] != regions[1] == regions[2]
    adapter.FreeCommonBuffer(*found._replace(CacheEnabled=True))
    for one in base:
        adapter.FreeCommonBuffer(*one)
    assert board.violations() == []


class TestDescription:
    """Flags of DEVICE_DESCRIPTION."""

    def list_of(self, shim: Shim, adapter: DmaAdapter, mdl: Mdl) -> list[int]:
        """Return the bytes of each element of a whole mapping."""
        bench = Bench(shim, adapter, mdl, registers=8)
        assert bench.map() == (OK, mdl.size)
        return [element.Length for element in bench.list]

    @TRUES
    def test_master(self, shim: Shim, true: int) -> None:
        """A bus master has no counter and no channel of the controller."""
        adapter = quiet(shim, Master=true)
        info = adapter.GetDmaAdapterInfo()
        assert info == bus_master(shim).GetDmaAdapterInfo()
        assert info != quiet(shim).GetDmaAdapterInfo()

    @TRUES
    def test_scatter_gather(self, shim: Shim, true: int) -> None:
        """A bus master with it gets as many elements as there are runs."""
        _, mdl = described(shim, 6 * PAGE, region="scatter")
        without = self.list_of(shim, bus_master(shim, ScatterGather=0), mdl)
        with_it = self.list_of(shim, bus_master(shim, ScatterGather=true), mdl)
        assert (len(without), len(with_it) > 1) == (1, True)

    @TRUES
    def test_auto_initialize(self, shim: Shim, true: int) -> None:
        """A loop is told by a flush while it runs, which is no mistake."""
        adapter = quiet(shim, AutoInitialize=true)
        memory = adapter.AllocateCommonBuffer(PAGE)
        mdl = shim.dma.IoAllocateMdl(memory.VirtualAddress, PAGE)
        shim.dma.MmBuildMdlForNonPagedPool(mdl)
        bench = Bench(shim, adapter, mdl)
        assert bench.map() == (OK, PAGE)
        assert bench.flush(PAGE) == OK
        assert shim.violations() == []

    @TRUES
    def test_reserved1(self, shim: Shim, true: int) -> None:
        """It is refused."""
        assert shim.IoGetDmaAdapter(Reserved1=true) is None

    @TRUES
    def test_ignore_count(self, board: Board, true: int) -> None:
        """All of a bounce page is delivered, however little was moved."""
        kept = []
        for flag in (0, true):
            adapter = quiet(board, IgnoreCount=flag, write=False)
            buffer, mdl = described(board, 64, region="scatter")
            place_pages(board, mdl, [FAR])
            board.fill(buffer, 0x11)
            bench = Bench(board, adapter, mdl)
            assert bench.map(write=False) == (OK, 64)
            assert adapter.CancelMappedTransfer(bench.context) == OK
            assert bench.flush(64, write=False) == OK
            kept.append(board.read(buffer))
            with board.dma.irql(DISPATCH_LEVEL):
                adapter.FreeAdapterChannel()
        assert kept == [b"\x11" * 64, bytes(64)]
