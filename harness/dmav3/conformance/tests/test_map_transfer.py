# SPDX-License-Identifier: Apache-2.0
"""MapTransferEx: what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    Flight,
    bus_master,
    context_for,
    described,
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
    from dmav3 import Board
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
CANCELLED = NtStatus.STATUS_CANCELLED
PAGE, LINE = 4096, 64
#: Numbers that are no object of the layer: nothing, odd, unmapped, a device, plain memory.
UNREADABLE, ZEROES = (1, 0x40000000, 0xFFFF_FFFF_FFFF_FFFF), 0x40800000
GARBAGE = (0, *UNREADABLE, ZEROES)


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
            with shim.evidence.expect_violations(0x23):  # its device asks for nothing
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
        with shim.evidence.expect_violations(*([] if master else [0x23])):
            assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("MTX-09", "MTX-48")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("elements", [0, 1])
    def test_a_list_that_is_not_in_memory(self, shim: Shim, master: int, elements: int) -> None:
        """Two elements are needed: STATUS_INVALID_PARAMETER, and the handle maps all the same."""
        _, mdl = described(shim, 2 * PAGE)
        place_pages(shim, mdl, [0x40900, 0x40902])
        bench = Bench(shim, quiet(shim, Master=master), mdl)
        head, element = sizes(shim)
        last = shim.memory.region("scatter").end - head - elements * element
        assert bench.map(ScatterGatherBuffer=last) == (INVALID, 2 * PAGE)
        assert shim.layer.counters().mappings == 0
        assert bench.map() == (OK, 2 * PAGE)

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
        with shim.evidence.expect_violations(0x4D, 0x4D):
            assert adapter.MapTransferEx(mdl, base, WriteToDevice=True) == (INVALID, 256)
            assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=True) == INVALID

    @pytest.mark.dmav3_rule("MTX-13")
    def test_the_handle_of_another_or_an_ended_request(self, shim: Shim) -> None:
        """A handle belongs to one adapter and dies with its request."""
        bench = Bench.of_subordinate(shim)
        other = quiet(shim, DmaChannel=1)
        granted(shim, other)
        with shim.evidence.expect_violations(0x4D, 0x4D, 0x4D):
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
        with shim.evidence.expect_violations(0x0D), entries(shim) as entered:
            assert bench.map(64, 64) == (INVALID, 64)
        assert (bench.list, entered) == (before, ["MapTransferEx"])
        if not master:
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(256) == OK
        with shim.evidence.expect_violations(0x16):
            assert bench.flush(256) == OK
        assert bench.map() == ((OK, 256) if master else (CANCELLED, 256))

    @pytest.mark.dmav3_rule("MTX-14")
    def test_the_transfer_of_a_mapping_that_was_not_flushed(self, board: Board) -> None:
        """It is undisturbed by the refused one, and ends well."""
        flight = Flight.start(board, 256, write=False)
        with board.evidence.expect_violations(0x0D):
            again = flight.adapter.MapTransferEx(flight.mdl, flight.base, WriteToDevice=False)
        assert again == (INVALID, 256)
        board.stream.receive_put(moved(256))
        finished(board, flight.done)
        flight.end()
        assert board.read(flight.buffer) == moved(256)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("MTX-14")
    def test_a_mapping_that_has_ended(self, board: Board) -> None:
        """It must be flushed all the same: the refused one does not take its place."""
        flight = Flight.start(board, 256, write=False)
        board.stream.receive_put(moved(256))
        finished(board, flight.done)
        with board.evidence.expect_violations(0x0D):
            again = flight.adapter.MapTransferEx(flight.mdl, flight.base, WriteToDevice=False)
        assert again == (INVALID, 256)
        flight.end()
        assert board.read(flight.buffer) == moved(256)

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
        with shim.dma.irql(DISPATCH_LEVEL):
            refused = other.AllocateAdapterChannelEx(
                context_for(shim, other), 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
        assert refused.status == NO_RESOURCES
        with shim.evidence.expect_violations(0x0D):
            assert bench.map() == (INVALID, 256)
        with shim.evidence.expect_violations(0x10, 0x4D):
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
        assert shim.memory.look(bench.memory, 256) == b"\x77" * 256
        free_channel(shim, bench.adapter)

    @pytest.mark.dmav3_rule("MTX-18")
    @pytest.mark.parametrize("master", [0, 1])
    def test_nothing_is_mapped(self, shim: Shim, master: int) -> None:
        """Success, an empty list, nothing started, violation 0x21; its flush is accepted."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 256)[1])
        shim.request("fill", bench.memory, 256, 0xFF)
        done = None if master else Completions(shim)
        with shim.evidence.expect_violations(0x21), entries(shim) as entered:
            assert bench.map(0, 0, DmaCompletionRoutine=done) == (OK, 0)
            shim.wait(1_000_000)
        assert (entered, bench.list) == (["MapTransferEx"], [])
        assert bench.flush(0) == OK
        assert bench.map(64, 64) == (OK, 64)
