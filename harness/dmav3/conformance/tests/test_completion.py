# SPDX-License-Identifier: Apache-2.0
"""The completion routine: when it is called, with what, and what it may do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pytest

from dmav3.board.host_shim import COMPLETION
from dmav3.board.host_shim import ERROR as FAULT
from dmav3.devices.stream import Control, Register
from dmav3.wdm import (
    DISPATCH_LEVEL,
    PASSIVE_LEVEL,
    DmaCompletionStatus,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    Flight,
    adapter_for,
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
    from collections.abc import Mapping

    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
COMPLETE, ERROR, CANCELLED = (
    DmaCompletionStatus.DmaComplete,
    DmaCompletionStatus.DmaError,
    DmaCompletionStatus.DmaCancelled,
)
#: Above all interrupts: what ends then has not been taken note of.
HIGH_LEVEL = 15
#: Functions of ConfigureAdapterChannel.
NOTICE_BYTES, INJECT_FAULT = 0x0002, 0x0100
#: Model time between two units of a loop.
UNIT_NS = 1000


def statuses(done: Completions) -> list[DmaCompletionStatus]:
    """Return with what a routine was called, in order."""
    return [call[3] for call in done.calls]


def configure(board: Board, adapter: DmaAdapter, function: int, value: int) -> None:
    """Hand a number to a function of the controller's own."""
    memory = board.request("allocate", 64).number("address")
    board.request("poke", memory, "32", value)
    assert adapter.ConfigureAdapterChannel(function, memory) == OK


class TestCall:
    """One call for each mapping."""

    @pytest.mark.dmav3_rule("CMP-01", "CMP-03", "CMP-04", "CMP-06", "GEN-08")
    def test_a_transfer_that_completes(self, board: Board) -> None:
        """One call, from the interrupt, with adapter, device, context and DmaComplete."""
        flight = Flight.start(board, 256, write=False)
        with entries(board) as entered:
            board.stream.receive_put(bytes(256))
            finished(board, flight.done)
            board.wait(1_000_000)
        assert entered[0] == "HandleInterrupt"
        expected = (flight.adapter, board.dma.device, None, COMPLETE, DISPATCH_LEVEL)
        assert flight.done.calls == [expected]
        flight.end()
        board.wait(1_000_000)
        assert len(flight.done.calls) == 1

    @pytest.mark.dmav3_rule("CMP-03", "CMP-04", "CMP-06", "GEN-08")
    def test_the_arguments(self, shim: Shim) -> None:
        """The device is the allocation's, the context the mapping's; cancelled: DmaCancelled."""
        adapter, (_, mdl) = quiet(shim), described(shim, 256)
        device = shim.dma.allocate_device()
        bench, done = Bench(shim, adapter, mdl, device=device), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done, CompletionContext="mine") == (OK, 256)
        assert adapter.CancelMappedTransfer(bench.context) == OK
        shim.wait(1_000_000)
        assert done.calls == [(adapter, device, "mine", CANCELLED, DISPATCH_LEVEL)]

    @pytest.mark.dmav3_rule("CMP-02")
    def test_a_transfer_without_a_routine(self, board: Board) -> None:
        """It ends without a call; the driver finds out by other means."""
        flight = Flight.start(board, 256, write=False, routine=False)
        with entries(board) as entered:
            board.stream.receive_put(moved(256))
            board.wait(1_000_000)
            assert flight.adapter.ReadDmaCounter() == 0
        assert "DmaCompletionRoutine" not in entered
        flight.end()
        assert board.read(flight.buffer) == moved(256)

    @pytest.mark.dmav3_rule("CMP-04")
    @pytest.mark.parametrize("ending", [1, 2])
    def test_a_transfer_that_fails(self, board: Board, ending: int) -> None:
        """DmaError, once."""
        adapter, done = adapter_for(board, write=False), Completions(board)
        bench = Bench(board, adapter, described(board, 256)[1])
        configure(board, adapter, INJECT_FAULT, ending)
        arm(board, write=False)
        assert bench.map(write=False, DmaCompletionRoutine=done) == (OK, 256)
        board.stream.receive_put(bytes(256))
        finished(board, done)
        board.wait(1_000_000)
        assert statuses(done) == [ERROR]
        assert bench.flush(256, write=False) == OK

    @pytest.mark.dmav3_rule("CMP-05", "CMT-04")
    @pytest.mark.parametrize("level", [PASSIVE_LEVEL, DISPATCH_LEVEL])
    def test_a_transfer_that_is_cancelled(self, shim: Shim, level: int) -> None:
        """DmaCancelled, once, when the level allows it."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        with shim.dma.irql(level):
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            assert not (level and done.calls)
        shim.wait(1_000_000)
        assert statuses(done) == [CANCELLED]

    @pytest.mark.dmav3_rule("CMP-05", "CMT-04")
    @pytest.mark.parametrize(("ending", "status"), [(0, COMPLETE), (1, ERROR)])
    def test_a_transfer_that_ends_before_it_is_cancelled(
        self, board: Board, ending: int, status: DmaCompletionStatus
    ) -> None:
        """The end that the controller has not yet reported is what the routine gets."""
        adapter, done = adapter_for(board, write=False), Completions(board)
        bench = Bench(board, adapter, described(board, 256)[1])
        configure(board, adapter, INJECT_FAULT, ending)
        arm(board, write=False)
        assert bench.map(write=False, DmaCompletionRoutine=done) == (OK, 256)
        with board.dma.irql(HIGH_LEVEL):
            board.stream.receive_put(bytes(256))
            board.wait(1_000_000)
            with entries(board) as entered, board.evidence.expect_violations(0x13):
                assert adapter.CancelMappedTransfer(bench.context) == OK
        assert entered[:3] == ["CancelMappedTransfer", "CancelTransfer", "HandleInterrupt"]
        finished(board, done)
        board.wait(1_000_000)
        assert statuses(done) == [status]
        assert bench.flush(256, write=False) == OK

    @pytest.mark.dmav3_rule("CMP-13")
    @pytest.mark.parametrize("length", [3, 260])
    def test_a_mapping_that_is_refused(self, shim: Shim, length: int) -> None:
        """No call follows, also when the channel is used and cancelled afterwards."""
        bench, refused = Bench.of_subordinate(shim), Completions(shim)
        with shim.evidence.expect_violations(*([0x24] if length > 256 else [])):
            assert bench.map(0, length, DmaCompletionRoutine=refused) == (INVALID, length)
        assert bench.map() == (OK, 256)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        shim.wait(1_000_000)
        assert refused.calls == []


class TestMoment:
    """When it runs."""

    @pytest.mark.dmav3_rule("CMP-09", "BMT-11")
    def test_a_caller_at_dispatch_level(self, board: Board) -> None:
        """However much time passes, it runs only when the level drops."""
        flight = Flight.start(board, 256, write=False)
        with board.dma.irql(DISPATCH_LEVEL):
            board.stream.receive_put(bytes(256))
            board.wait(10_000_000)
            assert board.stream.receive_pending == 0
            assert flight.done.calls == []
        assert len(flight.done.calls) == 1
        flight.end()

    @pytest.mark.dmav3_rule("CMP-09", "CMP-07")
    def test_a_caller_below_dispatch_level(self, board: Board) -> None:
        """It may run before MapTransferEx returns, and runs as soon as the transfer has ended."""
        board.stream.receive_put(bytes(256))
        adapter, done = adapter_for(board, write=False), Completions(board)
        bench = Bench(board, adapter, described(board, 256)[1])
        arm(board, write=False)
        with entries(board) as entered:
            assert bench.map(write=False, DmaCompletionRoutine=done) == (OK, 256)
            board.dma.run_until(lambda: bool(done.calls), 1_000_000_000)
        assert statuses(done) == [COMPLETE]
        assert entered[-1] == "DmaCompletionRoutine"
        assert bench.flush(256, write=False) == OK

    @pytest.mark.dmav3_rule("CMP-08", "FBX-22", "STM-05")
    def test_a_channel_that_is_reused_before_it_runs(self, board: Board) -> None:
        """It gets what its own mapping gave, whatever has been flushed, freed and mapped since."""
        flight = Flight.start(board, 256, write=False)
        second, other = Completions(board), adapter_for(board, write=False)
        with board.dma.irql(DISPATCH_LEVEL):
            board.stream.receive_put(moved(256))
            board.wait(1_000_000)
            assert flight.flush() == OK
            flight.adapter.FreeAdapterChannel()
            bench = Bench(board, other, described(board, 256)[1])
            assert bench.map(write=False, DmaCompletionRoutine=second) == (OK, 256)
            assert flight.done.calls == []
        expected = (flight.adapter, board.dma.device, None, COMPLETE, DISPATCH_LEVEL)
        assert (flight.done.calls, second.calls) == ([expected], [])
        board.stream.receive_put(moved(256, seed=2))
        finished(board, second)
        assert len(flight.done.calls) == 1
        assert bench.flush(256, write=False) == OK

    @pytest.mark.dmav3_rule("STM-05")
    def test_a_context_that_is_renewed_before_it_runs(self, shim: Shim) -> None:
        """That succeeds, and so does a new request; the call that is due comes all the same."""
        flight = Flight.start(shim, 256, write=True, armed=False)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert flight.adapter.CancelMappedTransfer(flight.context) == OK
            assert flight.flush() == OK
            flight.adapter.FreeAdapterChannel()
            assert flight.adapter.InitializeDmaTransferContext(flight.context) == OK
            base = granted_with(shim, flight.adapter, flight.context)
            assert flight.done.calls == []
        assert statuses(flight.done) == [CANCELLED]
        mapped = flight.adapter.MapTransferEx(flight.mdl, base, WriteToDevice=True)
        assert mapped == (OK, 256)
        shim.wait(1000)
        assert statuses(flight.done) == [CANCELLED]

    @pytest.mark.dmav3_rule("CMP-08")
    def test_several_that_are_due_at_once(self, shim: Shim) -> None:
        """Each gets adapter, device object and context of its own mapping."""
        seen: list[tuple[int, int, int]] = []
        expected: list[tuple[int, int, int]] = []
        _, mdl = described(shim, 64)

        def routine(keys: Mapping[str, str]) -> int:
            who = int(keys["adapter"], 16), int(keys["device"], 16)
            seen.append((*who, cookies[keys["cookie"]]))
            return 0

        cookies: dict[str, int] = {}
        cancels = []
        for channel in range(4):
            adapter, device = quiet(shim, DmaChannel=channel), shim.dma.allocate_device()
            context = context_for(shim, adapter)
            base = granted_with(shim, adapter, context, 1, device)
            cookie = shim.dma.callback(routine)
            cookies[f"{cookie:#x}"] = channel
            expected.append((adapter.address, device, channel))
            with shim.dma.reference(64, 4) as length:
                words = [adapter.address, mdl.address, base, 0, 0, length.address]
                reply = shim.request("MapTransferEx", *words, 1, 0, 0, 1, cookie)
            assert reply.number("status") == OK
            cancels.append(partial(adapter.CancelMappedTransfer, context))
        with shim.dma.irql(DISPATCH_LEVEL):
            assert [cancel() for cancel in cancels] == [OK] * 4
            assert seen == []
        assert seen == expected

    @pytest.mark.dmav3_rule("CMP-10")
    def test_an_end_inside_of_another_one_s_routine(self, board: Board) -> None:
        """Its routine is called after the other one has returned."""
        first, second = both_directions(board)
        order: list[str] = []

        def outer() -> None:
            order.append("in")
            board.stream.receive_put(bytes(256))
            board.wait(1_000_000)
            assert board.stream.receive_pending == 0
            order.append("out")

        first.done.then = outer
        second.done.then = lambda: order.append("second")
        control = board.machine.stream.base + Register.CONTROL
        board.request("poke", control, "32", 3 | Control.frame(4))
        finished(board, second.done)
        assert order == ["in", "out", "second"]
        first.end()
        second.end()

    @pytest.mark.dmav3_rule("CMP-15")
    @pytest.mark.parametrize("write_first", [True, False])
    def test_ends_of_different_channels(self, board: Board, *, write_first: bool) -> None:
        """The routines are called in the order of the ends."""
        flights = dict(zip((True, False), both_directions(board), strict=True))
        order: list[bool] = []
        for write, flight in flights.items():
            flight.done.then = partial(order.append, write)
        board.stream.receive_put(bytes(256))
        with board.dma.irql(DISPATCH_LEVEL):
            for write in (write_first, not write_first):
                arm(board, write=write)
                board.wait(1_000_000)
            assert order == []
        assert order == [write_first, not write_first]
        for flight in flights.values():
            flight.end()


def both_directions(board: Board) -> tuple[Flight, Flight]:
    """Return a write and a read of a device that asks for nothing yet."""
    write = Flight.start(board, 256, write=True, armed=False)
    return write, Flight.start(board, 256, write=False, channel=1, armed=False)


class TestDriver:
    """What a driver does in it."""

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("CMP-11", "FBX-11", "FBX-14")
    @pytest.mark.parametrize("early", [True, False])
    def test_the_buffer_before_its_flush(self, board: Board, *, early: bool) -> None:
        """It must not be used, not in the routine either: what is read there may be old."""
        flight = Flight.start(board, 256, write=False)
        seen: list[bytes] = []

        def use() -> None:
            if not early:
                assert flight.flush() == OK
            seen.append(board.read(flight.buffer))

        flight.done.then = use
        board.stream.receive_put(moved(256))
        if early:
            with board.expect("not-your-buffer"):
                finished(board, flight.done)
            assert flight.flush() == OK
        else:
            finished(board, flight.done)
            assert seen == [moved(256)]
        assert board.read(flight.buffer) == moved(256)

    @pytest.mark.dmav3_rule("CMP-12", "MTX-46")
    def test_what_may_be_called(self, board: Board) -> None:
        """Flush, the next map, free, a new request, and its mapping."""
        flight = Flight.start(board, 256, write=False)
        steps: list[Bench | None] = []

        def map_again() -> None:
            assert flight.flush() == OK
            again = flight.adapter.MapTransferEx(
                flight.mdl, flight.base, WriteToDevice=False, DmaCompletionRoutine=flight.done
            )
            assert again == (OK, 256)
            flight.done.then = request_again
            steps.append(None)

        def request_again() -> None:
            assert flight.flush() == OK
            flight.adapter.FreeAdapterChannel()
            bench = Bench(board, flight.adapter, flight.mdl)
            assert bench.map(write=False, DmaCompletionRoutine=flight.done) == (OK, 256)
            flight.done.then = lambda: steps.append(None)
            steps.append(bench)

        flight.done.then = map_again
        for part in range(3):
            board.stream.receive_put(moved(256, seed=part))
            finished(board, flight.done, part + 1)
        assert len(steps) == 3
        bench = steps[1]
        assert bench is not None
        assert bench.flush(256, write=False) == OK
        free_channel(board, flight.adapter)
        assert board.read(flight.buffer) == moved(256, seed=2)
        assert statuses(flight.done) == [COMPLETE] * 3


class TestLoop:
    """AutoInitialize: notices."""

    def loop(self, board: Board, notice: int = 0) -> tuple[Bench, Completions]:
        """Return a loop over 256 bytes that runs, a round in 64 units of time."""
        stream = board.machine.stream
        adapter = quiet(
            board,
            AutoInitialize=1,
            DmaRequestLine=stream.transmit,
            DeviceAddress=stream.base + Register.DATA,
        )
        memory = adapter.AllocateCommonBuffer(256)
        mdl = board.dma.IoAllocateMdl(memory.VirtualAddress, 256)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        bench, done = Bench(board, adapter, mdl), Completions(board)
        if notice:
            configure(board, adapter, NOTICE_BYTES, notice)
        board.channel(0).burst_interval_ns = UNIT_NS
        arm(board, write=True)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        return bench, done

    @pytest.mark.dmav3_rule("CMP-14", "CMT-16")
    @pytest.mark.parametrize(("notice", "rounds"), [(0, 1), (128, 2), (64, 4)])
    def test_notices(self, board: Board, notice: int, rounds: int) -> None:
        """A call for each, and a last one with DmaCancelled after a cancel."""
        bench, done = self.loop(board, notice)
        while board.stream.sent_head < 3 * 256:
            board.wait(8 * UNIT_NS)
        due = rounds * board.stream.sent_head // 256  # 16 more frames may wait in the device
        assert due - 1 <= len(done.calls) <= due + 1
        assert set(statuses(done)) == {COMPLETE}
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        sent, count = board.stream.sent_head, len(done.calls)
        board.wait(1_000_000)
        assert board.stream.sent_head == sent
        assert statuses(done)[-1] == CANCELLED
        assert statuses(done).count(CANCELLED) == 1
        assert len(done.calls) <= count + 1
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("CMP-14")
    def test_a_mapping_after_the_first_notice(self, board: Board) -> None:
        """It has a routine of its own, and every later notice comes to the loop's."""
        stream = board.machine.stream
        bench, done = self.loop(board)
        other = quiet(
            board,
            DmaChannel=1,
            DmaRequestLine=stream.receive,
            DeviceAddress=stream.base + Register.DATA,
        )
        finished(board, done)
        flight, second = Bench(board, other, described(board, 256)[1]), Completions(board)
        assert flight.map(write=False, DmaCompletionRoutine=second) == (OK, 256)
        finished(board, done, 4)
        assert second.calls == []
        assert all(call[0] == bench.adapter for call in done.calls)
        assert flight.adapter.CancelMappedTransfer(flight.context) == OK
        board.wait(1000)
        assert statuses(second) == [CANCELLED]
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        board.wait(1_000_000)
        assert statuses(done)[-1] == CANCELLED

    @pytest.mark.dmav3_rule("CMP-16")
    def test_rounds_that_end_while_no_routine_can_run(self, board: Board) -> None:
        """They become one call, not none."""
        bench, done = self.loop(board)
        with board.dma.irql(DISPATCH_LEVEL):
            board.wait(5 * 64 * UNIT_NS)
            assert board.stream.sent_head >= 4 * 256
            assert done.calls == []
        assert 1 <= len(done.calls) <= 2
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        board.wait(1_000_000)
        assert statuses(done)[-1] == CANCELLED

    @pytest.mark.dmav3_rule("FBX-16")
    def test_a_flush(self, board: Board) -> None:
        """It ends the loop without a violation, and without a last call."""
        bench, done = self.loop(board)
        board.wait(3 * 64 * UNIT_NS)
        assert bench.flush(256) == OK
        board.wait(0)
        sent, count = board.stream.sent_head, len(done.calls)
        board.wait(1_000_000)
        assert (board.stream.sent_head, len(done.calls)) == (sent, count)
        assert set(statuses(done)) == {COMPLETE}
        assert bench.map() == (OK, 256)


class TestReports:
    """What a controller reports without a reason, on a back end that does so."""

    pytestmark: ClassVar = [pytest.mark.dmav3_rule("HBE-12"), pytest.mark.dmav3_host]

    @pytest.mark.parametrize("kind", [COMPLETION, FAULT])
    def test_of_a_channel_without_a_mapping(self, scripted: HostShim, kind: int) -> None:
        """Nobody is called, and a mapping made later is not over."""
        bench, done = Bench.of_subordinate(scripted), Completions(scripted)
        scripted.end(0, kind)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        scripted.wait(1000)
        assert done.calls == []
        scripted.end(0)
        scripted.wait(1000)
        assert statuses(done) == [COMPLETE]

    @pytest.mark.parametrize("kind", [COMPLETION, FAULT])
    def test_of_a_mapping_that_has_ended(self, scripted: HostShim, kind: int) -> None:
        """Its end is the first one, and the routine has been called."""
        bench, done = Bench.of_subordinate(scripted), Completions(scripted)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        scripted.script(bytes_left=100)
        for _ in range(2):
            scripted.end(0, kind)
            scripted.end(0, COMPLETION + FAULT - kind)
        scripted.wait(1000)
        assert statuses(done) == [ERROR if kind == FAULT else COMPLETE]
        assert bench.adapter.ReadDmaCounter() == (100 if kind == FAULT else 0)
        assert bench.flush(256) == OK

    def test_of_another_channel(self, scripted: HostShim) -> None:
        """It does not end what runs."""
        bench, done = Bench.of_subordinate(scripted), Completions(scripted)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        for channel in range(1, 8):
            scripted.end(channel, FAULT)
        scripted.wait(1000)
        assert done.calls == []
