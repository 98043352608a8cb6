# SPDX-License-Identifier: Apache-2.0
"""CancelMappedTransfer, in each state of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.board.host_shim import CANCELLED as INTERRUPT_CANCELLED
from dmav3.board.host_shim import COMPLETION, ERROR
from dmav3.wdm import (
    DISPATCH_LEVEL,
    PASSIVE_LEVEL,
    DmaCompletionStatus,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    Flight,
    arm,
    context_for,
    described,
    entries,
    finished,
    free_channel,
    granted_with,
    moved,
    quiet,
)

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
CANCELLED = NtStatus.STATUS_CANCELLED


def keep(_device: int, _irp: int, _base: int, _context: object) -> int:
    """Return KeepObject: the least that an AdapterControl can do."""
    return IoAllocationAction.KeepObject


class TestStates:
    """What there is to cancel."""

    @pytest.mark.dmav3_rule("CMT-01")
    def test_a_bus_master(self, shim: Shim) -> None:
        """STATUS_INVALID_PARAMETER and violation 0x4F: its driver stops its device itself."""
        bench = Bench.of_master(shim)
        assert bench.map() == (OK, 256)
        with shim.evidence.expect_violations(0x4F):
            assert bench.adapter.CancelMappedTransfer(bench.context) == INVALID
        assert bench.flush(256) == OK
        assert bench.map() == (OK, 256)

    @pytest.mark.dmav3_rule("CMT-03", "CMT-04", "CMT-08")
    def test_a_running_transfer(self, shim: Shim) -> None:
        """It is stopped; its routine is called once, with DmaCancelled, and it is to be flushed."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        with entries(shim) as entered:
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert entered[:2] == ["CancelMappedTransfer", "CancelTransfer"]
        shim.wait(1_000_000)
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaCancelled]
        with shim.evidence.expect_violations(0x0D):
            assert not bench.map().status.success
        with entries(shim) as entered:
            assert bench.flush(256) == OK
        assert entered == ["FlushAdapterBuffersEx", "FlushChannel"]
        shim.wait(1_000_000)
        assert len(done.calls) == 1

    @pytest.mark.dmav3_rule("CMT-04", "CMP-04", "CMP-05")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize(
        ("reported", "status"),
        [
            (COMPLETION, DmaCompletionStatus.DmaComplete),
            (ERROR, DmaCompletionStatus.DmaError),
            (INTERRUPT_CANCELLED, DmaCompletionStatus.DmaCancelled),
        ],
    )
    def test_a_transfer_that_interrupts_already(
        self, scripted: HostShim, reported: int, status: DmaCompletionStatus
    ) -> None:
        """What the controller reports is what the routine gets, once."""
        bench, done = Bench.of_subordinate(scripted), Completions(scripted)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        scripted.script(cancel_result=0)
        scripted.report(0, reported)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        scripted.wait(1_000_000)
        assert [call[3] for call in done.calls] == [status]

    @pytest.mark.dmav3_rule("CMT-08", "FBX-17")
    def test_a_cancelled_transfer_that_is_not_flushed(self, shim: Shim) -> None:
        """Freeing its channel is a mistake, violation 0x10."""
        bench = Bench.of_subordinate(shim)
        assert bench.map() == (OK, 256)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        with shim.evidence.expect_violations(0x10):
            free_channel(shim, bench.adapter)
        assert Bench(shim, bench.adapter, bench.mdl).map() == (OK, 256)

    @pytest.mark.dmav3_rule("CMT-02")
    def test_the_mark(self, shim: Shim) -> None:
        """Nothing is mapped any more with the context, until it is initialised again."""
        bench = Bench.of_subordinate(shim)
        assert bench.map() == (OK, 256)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(256) == OK
        for _ in range(2):
            assert bench.map() == (CANCELLED, 256)
        free_channel(shim, bench.adapter)
        assert bench.adapter.InitializeDmaTransferContext(bench.context) == OK
        bench.base = granted_with(shim, bench.adapter, bench.context)
        assert bench.map() == (OK, 256)

    @pytest.mark.dmav3_rule("CMT-05")
    def test_a_request_without_a_mapping(self, shim: Shim) -> None:
        """It is marked, and no routine is ever called."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        with entries(shim) as entered:
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            assert bench.map(DmaCompletionRoutine=done) == (CANCELLED, 256)
            shim.wait(1_000_000)
        assert (entered, done.calls) == (["CancelMappedTransfer", "MapTransferEx"], [])

    @pytest.mark.dmav3_rule("CMT-05", "CMT-17")
    def test_a_waiting_request(self, shim: Shim) -> None:
        """It is marked and waits on; its routine is called as usual, and maps nothing."""
        owner, adapter = Bench.of_subordinate(shim), quiet(shim)
        context, results = context_for(shim, adapter), []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            results.append(adapter.MapTransferEx(owner.mdl, base, WriteToDevice=True))
            return IoAllocationAction.KeepObject

        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, 1, 0, control).status == OK
        assert adapter.CancelMappedTransfer(context) == OK
        assert results == []
        free_channel(shim, owner.adapter)
        assert results == [(CANCELLED, 256)]

    @pytest.mark.dmav3_rule("CMT-17")
    def test_a_waiting_request_that_is_marked(self, shim: Shim) -> None:
        """CancelAdapterChannel still removes it."""
        owner, adapter = Bench.of_subordinate(shim), quiet(shim)
        context = context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, 1, 0, keep).status == OK
        assert adapter.CancelMappedTransfer(context) == OK
        assert adapter.CancelAdapterChannel(context)
        with entries(shim) as entered:
            free_channel(shim, owner.adapter)
        assert entered == ["FreeAdapterChannel"]

    @pytest.mark.dmav3_rule("CMT-06")
    @pytest.mark.parametrize(
        "state", ["Idle", "PreCancelled", "PendingCancelled", "GrantedCancelled", "Stopped"]
    )
    def test_nothing_to_cancel(self, shim: Shim, state: str) -> None:
        """It fails, and changes nothing."""
        bench = Bench.of_subordinate(shim)
        context = context_for(shim, bench.adapter)
        if state == "PreCancelled":
            assert bench.adapter.CancelAdapterChannel(context)
        elif state == "PendingCancelled":
            with shim.dma.irql(DISPATCH_LEVEL):
                assert bench.adapter.AllocateAdapterChannelEx(context, 1, 0, keep).status == OK
            assert bench.adapter.CancelMappedTransfer(context) == OK
        elif state != "Idle":
            context = bench.context
            if state == "Stopped":
                assert bench.map() == (OK, 256)
            assert bench.adapter.CancelMappedTransfer(context) == OK
        with entries(shim) as entered:
            assert not bench.adapter.CancelMappedTransfer(context).success
        assert entered == ["CancelMappedTransfer"]
        if state == "Idle":
            free_channel(shim, bench.adapter)
            bench.base = granted_with(shim, bench.adapter, context)
            assert bench.map() == (OK, 256)

    @pytest.mark.dmav3_rule("CMT-06")
    def test_a_finished_request(self, shim: Shim) -> None:
        """It fails."""
        bench = Bench.of_subordinate(shim)
        free_channel(shim, bench.adapter)
        assert not bench.adapter.CancelMappedTransfer(bench.context).success

    @pytest.mark.dmav3_rule("CMT-07")
    def test_a_transfer_that_has_ended(self, board: Board) -> None:
        """Success, the mark, and no second call; its data is all there."""
        flight = Flight.start(board, 256, write=False)
        board.stream.receive_put(moved(256))
        finished(board, flight.done)
        with entries(board) as entered:
            assert flight.adapter.CancelMappedTransfer(flight.context) == OK
            board.wait(1_000_000)
        assert (entered, len(flight.done.calls)) == (["CancelMappedTransfer"], 1)
        assert flight.flush() == OK
        assert board.read(flight.buffer) == moved(256)
        again = flight.adapter.MapTransferEx(flight.mdl, flight.base, WriteToDevice=False)
        assert again == (CANCELLED, 256)

    @pytest.mark.dmav3_rule("CMT-10")
    def test_a_mapping_without_a_routine(self, shim: Shim) -> None:
        """It is stopped silently."""
        bench = Bench.of_subordinate(shim)
        assert bench.map() == (OK, 256)
        with entries(shim) as entered:
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            shim.wait(1_000_000)
        assert entered == ["CancelMappedTransfer", "CancelTransfer"]
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("CMT-11")
    def test_what_is_no_context(self, shim: Shim) -> None:
        """NULL, what was never initialised, what cannot be one: STATUS_INVALID_PARAMETER."""
        adapter = quiet(shim)
        for context in (0, 1, 0x40000000, shim.dma.allocate_context()):
            assert adapter.CancelMappedTransfer(context) == INVALID

    @pytest.mark.dmav3_rule("CMT-11")
    def test_the_context_of_another_adapter(self, shim: Shim) -> None:
        """It fails with violation 0x4C, and the transfer runs on."""
        bench, other = Bench.of_subordinate(shim), quiet(shim, DmaChannel=1)
        assert bench.map() == (OK, 256)
        with shim.evidence.expect_violations(0x4C), entries(shim) as entered:
            assert not other.CancelMappedTransfer(bench.context).success
        assert entered == ["CancelMappedTransfer"]
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK


class TestSequence:
    """What may come before and after."""

    @pytest.mark.dmav3_rule("CMT-09", "FBX-22")
    def test_cancel_flush_and_free_in_a_row(self, shim: Shim) -> None:
        """It is legal at PASSIVE_LEVEL; the call with DmaCancelled comes once all the same."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        assert shim.request("KeGetCurrentIrql").number("irql") == PASSIVE_LEVEL
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(256) == OK
        bench.adapter.FreeAdapterObject(IoAllocationAction.DeallocateObject)
        shim.wait(1_000_000)
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaCancelled]

    @pytest.mark.dmav3_rule("FBX-22", "CMP-08")
    def test_a_flush_before_the_call(self, shim: Shim) -> None:
        """At DISPATCH_LEVEL all is over before the routine is called, once."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            assert bench.flush(256) == OK
            bench.adapter.FreeAdapterChannel()
            assert done.calls == []
        shim.wait(1_000_000)
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaCancelled]

    @pytest.mark.dmav3_rule("CMT-15")
    def test_in_adapter_control(self, shim: Shim) -> None:
        """Of the request itself, and of one on another channel."""
        running, adapter = Bench.of_subordinate(shim), quiet(shim, DmaChannel=1)
        assert running.map() == (OK, 256)
        context, results = context_for(shim, adapter), []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            results.append(adapter.MapTransferEx(running.mdl, base, WriteToDevice=True).status)
            results.append(adapter.CancelMappedTransfer(context))
            results.append(running.adapter.CancelMappedTransfer(running.context))
            return IoAllocationAction.KeepObject

        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.AllocateAdapterChannelEx(context, 2, 0, control)
        assert results == [OK, OK, OK]
        assert running.flush(256) == OK

    @pytest.mark.dmav3_rule("CMT-15")
    def test_in_the_completion_routine_of_another_channel(self, board: Board) -> None:
        """It stops the one, while the other one's end is being handled."""
        ending = Flight.start(board, 256, write=False, channel=1)
        running, stopped = Bench.of_subordinate(board), Completions(board)
        running.adapter = quiet(board, DmaChannel=2)
        running = Bench(board, running.adapter, running.mdl)
        assert running.map(DmaCompletionRoutine=stopped) == (OK, 256)
        results: list[NtStatus] = []
        ending.done.then = lambda: results.append(
            running.adapter.CancelMappedTransfer(running.context)
        )
        board.stream.receive_put(bytes(256))
        finished(board, stopped)
        assert results == [OK]
        assert [call[3] for call in stopped.calls] == [DmaCompletionStatus.DmaCancelled]
        ending.end()


class TestData:
    """What the controller does."""

    @pytest.mark.dmav3_rule("CMT-03", "CMT-12", "CMT-13")
    @pytest.mark.parametrize("count", [0, 64, 192])
    def test_a_read_that_is_cut_short(self, board: Board, count: int) -> None:
        """What was moved stays, and its count is known; nothing is written after the return."""
        flight = Flight.start(board, 256, write=False)
        board.stream.receive_put(moved(count))
        board.wait(1_000_000)
        assert flight.adapter.CancelMappedTransfer(flight.context) == OK
        assert flight.mapped.Length - flight.adapter.ReadDmaCounter() == count
        before = board.dram.read(flight.buffer.address, 256)
        assert before[:count] == moved(count)
        board.stream.receive_put(moved(256, seed=2))
        arm(board, write=False)
        board.wait(1_000_000)
        assert board.dram.read(flight.buffer.address, 256) == before
        assert flight.flush(count) == OK
        assert board.read(flight.buffer, count) == moved(count) if count else True

    @pytest.mark.dmav3_rule("CMT-14")
    def test_another_channel(self, board: Board) -> None:
        """Its transfer runs on to its end."""
        flight = Flight.start(board, 256, write=False, channel=1)
        board.stream.receive_put(moved(256)[:64])
        board.wait(1_000_000)
        for number in (0, 2):
            other = Bench(board, quiet(board, DmaChannel=number), described(board, 64)[1])
            assert other.map() == (OK, 64)
            assert other.adapter.CancelMappedTransfer(other.context) == OK
        board.stream.receive_put(moved(256)[64:])
        finished(board, flight.done)
        flight.end()
        assert board.read(flight.buffer) == moved(256)
