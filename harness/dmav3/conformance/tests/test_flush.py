# SPDX-License-Identifier: Apache-2.0
"""FlushAdapterBuffersEx: the end of a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from dmav3.evidence.probe import Kind
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DmaCompletionStatus,
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
    described,
    entries,
    finished,
    free_channel,
    granted,
    moved,
    quiet,
    read_beside_the_cpu,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
PAGE, LINE = 4096, 64
#: Above all interrupts: what ends then has not been taken note of.
HIGH_LEVEL = 15


class Maintained(NamedTuple):
    """Lines that a flush has treated."""

    cleaned: int
    invalidated: int
    other: int


def flushed(board: Board, flush: Callable[[], NtStatus]) -> Maintained:
    """Flush, and return what that did to the caches."""
    position = len(board.evidence.events.all())
    assert flush() == OK
    number = board.image.enum("oplog_id")["OPLOG_FlushAdapterBuffersEx"]
    (record,) = (
        record
        for record in board.evidence.events.since(position)
        if record.kind == Kind.EXIT and record.id == number
    )
    low = 0xFFFFFFFF
    return Maintained(record.d & low, record.d >> 32, record.e >> 32)


class TestArguments:
    """What must be the mapping's, and what need not."""

    @pytest.mark.dmav3_rule("FBX-01", "FBX-02", "FBX-04", "FBX-18", "FBX-12")
    @pytest.mark.parametrize("master", [0, 1])
    def test_other_arguments_than_the_mapping_s(self, shim: Shim, master: int) -> None:
        """They are refused with a violation; the mapping is kept, and ends by its own."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 512)[1])
        assert bench.map(0, 256) == (OK, 256)
        other = described(shim, 512)[1]
        with shim.evidence.expect_violations(0x00, 0x00):
            assert bench.flush(257) == INVALID
            assert bench.flush(512) == INVALID
        with shim.evidence.expect_violations(0x16, 0x16):
            assert bench.flush(252, 4) == INVALID
            wrong = bench.adapter.FlushAdapterBuffersEx(
                other, bench.base, 0, 256, WriteToDevice=True
            )
            assert wrong == INVALID
        with shim.evidence.expect_violations(0x48):
            assert bench.flush(256, write=False) == INVALID
        with shim.evidence.expect_violations(0x0D):
            assert bench.map() == (INVALID, 512)
        with shim.evidence.expect_violations(*([] if master else [0x23])):
            assert bench.flush(256) == OK
        assert bench.map() == (OK, 512)

    @pytest.mark.dmav3_rule("FBX-02")
    def test_the_length_of_a_shortened_mapping(self, shim: Shim) -> None:
        """It is what was mapped, not what was asked for."""
        _, mdl = described(shim, 32 * PAGE, region="scatter")
        bench = Bench(shim, bus_master(shim), mdl)
        status, length = bench.map(capacity=1)
        assert (status, length < mdl.size) == (OK, True)
        with shim.evidence.expect_violations(0x00):
            assert bench.flush(mdl.size) == INVALID
        assert bench.flush(length) == OK

    @pytest.mark.dmav3_rule("FBX-03")
    @pytest.mark.parametrize("wanted", [0, 4, 64, 255])
    def test_a_shorter_length(self, board: Board, wanted: int) -> None:
        """It ends the whole mapping; so many bytes are given back, and that it is less is 0x53."""
        flight = Flight.start(board, 256, write=False)
        board.stream.receive_put(moved(256))
        finished(board, flight.done)
        with board.evidence.expect_violations(0x53):
            assert flight.flush(wanted) == OK
        (violation,) = board.violations()
        assert (violation.p2, violation.p3) == (wanted, 256)
        assert wanted == 0 or board.read(flight.buffer, wanted) == moved(256)[:wanted]
        with board.evidence.expect_violations(0x16):
            assert flight.flush() == OK
        again = flight.adapter.MapTransferEx(flight.mdl, flight.base, WriteToDevice=False)
        assert again == (OK, 256)

    @pytest.mark.dmav3_rule("FBX-03")
    @pytest.mark.dmav3_machine("virt-a53")
    def test_a_shorter_length_after_a_cancel(self, board: Board) -> None:
        """Any is right; what was moved and is not flushed is not given back."""
        flight = Flight.start(board, 256, write=False)
        board.stream.receive_put(moved(128))
        board.wait(1_000_000)
        assert flight.adapter.CancelMappedTransfer(flight.context) == OK
        finished(board, flight.done)
        assert flight.flush(64) == OK
        assert board.read(flight.buffer, 64) == moved(128)[:64]
        assert board.unexpected() == []
        with board.expect("stale-cpu-read", routine="FlushAdapterBuffersEx"):
            board.read(flight.buffer, 64, 64)

    @pytest.mark.dmav3_rule("FBX-20")
    @pytest.mark.parametrize("cancelled", [False, True])
    def test_nothing_mapped(self, shim: Shim, *, cancelled: bool) -> None:
        """Success without effect, violation 0x16."""
        bench = Bench.of_subordinate(shim)
        if cancelled:
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        with shim.evidence.expect_violations(0x16), entries(shim) as entered:
            assert bench.flush(256) == OK
        assert entered == ["FlushAdapterBuffersEx"]


class TestMaintenance:
    """Caches and bounce pages."""

    @pytest.mark.dmav3_rule("FBX-05")
    @pytest.mark.dmav3_machine("virt-a53-coherent")
    def test_a_read_on_a_coherent_machine(self, board: Board) -> None:
        """There is no cache to treat: the data is there, and nothing is done for it."""
        flight = Flight.start(board, 260, write=False, offset=4)
        board.stream.receive_put(moved(260))
        finished(board, flight.done)
        assert flushed(board, flight.flush) == (0, 0, 0)
        assert board.read(flight.buffer) == moved(260)

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("FBX-06", "FBX-11")
    def test_a_read(self, board: Board) -> None:
        """Each line of the range is invalidated, once, and the CPU reads what the device wrote."""
        flight = Flight.start(board, 4 * PAGE, write=False, region="scatter")
        board.stream.receive_put(moved(4 * PAGE))
        finished(board, flight.done)
        assert board.lines(flight.buffer).stale == 4 * PAGE // LINE
        done = flushed(board, flight.flush)
        assert (done.cleaned, done.invalidated) == (0, 4 * PAGE // LINE)
        assert board.lines(flight.buffer).stale == 0
        assert board.read(flight.buffer) == moved(4 * PAGE)

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("FBX-07", "FBX-11", "MR-11")
    @pytest.mark.parametrize(("offset", "size", "whole"), [(4, 8, 0), (4, 124, 1), (0, 100, 1)])
    def test_a_read_through_bounce_pages(
        self, board: Board, offset: int, size: int, whole: int
    ) -> None:
        """Data is copied when it is flushed, not before; only whole lines are invalidated."""
        flight = Flight.start(board, size, write=False, offset=offset)
        bounced = range(whole * LINE, size) if offset == 0 else range(min(size, LINE - offset))
        before = board.cpu.read(flight.buffer.address, size)
        board.stream.receive_put(moved(size))
        finished(board, flight.done)
        held = board.cpu.read(flight.buffer.address, size)
        assert [held[n] for n in bounced] == [before[n] for n in bounced]
        assert flushed(board, flight.flush).invalidated == whole
        assert board.read(flight.buffer) == moved(size)

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_cache(schedule="lru")  # no line is written back by itself
    @pytest.mark.dmav3_rule("FBX-08")
    @pytest.mark.parametrize(("offset", "region"), [(0, "arena"), (2, "scatter")])
    def test_a_write(self, board: Board, offset: int, region: Literal["arena", "scatter"]) -> None:
        """Nothing is done to caches or memory, also where it was bounced."""
        buffer, mdl = described(board, 4 * PAGE, offset=offset, region=region)
        board.write(buffer, moved(buffer.size))
        adapter, done = adapter_for(board, write=True), Completions(board)
        bench = Bench(board, adapter, mdl, 16)
        arm(board, write=True)
        assert bench.map(DmaCompletionRoutine=done) == (OK, mdl.size)
        finished(board, done)
        with board.expect("not-your-buffer", routine="MapTransferEx"):  # until the flush
            board.fill(buffer, 0x33)
        lines = board.lines(buffer)
        assert flushed(board, lambda: bench.flush(mdl.size)) == (0, 0, 0)
        assert board.lines(buffer) == lines
        assert board.read(buffer) == b"\x33" * buffer.size

    @pytest.mark.dmav3_rule("FBX-13", "CCH-12")
    @pytest.mark.parametrize(
        ("offset", "size"), [(4, 8), (4, 120), (60, 72), (4, 4096), (64, 100), (8, 56), (68, 60)]
    )
    def test_neighbours_in_a_shared_line(self, board: Board, offset: int, size: int) -> None:
        """What the CPU stores there meanwhile survives, and so does the data."""
        received, expected = read_beside_the_cpu(board, moved(size), offset)
        assert received == expected

    @pytest.mark.dmav3_rule("FBX-19", "MTX-52")
    def test_a_chain(self, board: Board) -> None:
        """One map and one flush are enough for all of its MDLs, and all is there."""
        sizes = (100, 5000, 64, 4096, 52)
        buffers = [board.memory.allocate(size) for size in sizes]
        for buffer in buffers:
            board.fill(buffer, 0x11)
        adapter, done = adapter_for(board, write=False), Completions(board)
        bench = Bench(board, adapter, chained(board, *buffers), 16)
        arm(board, write=False)
        assert bench.map(40, write=False, DmaCompletionRoutine=done) == (OK, sum(sizes) - 40)
        board.stream.receive_put(moved(sum(sizes))[40:])
        finished(board, done)
        assert bench.flush(sum(sizes) - 40, 40, write=False) == OK
        seen = b"".join(board.read(buffer) for buffer in buffers)
        assert seen == b"\x11" * 40 + moved(sum(sizes))[40:]


class TestChannel:
    """What becomes of the transfer."""

    @pytest.mark.dmav3_rule("FBX-09", "FBX-12")
    def test_each_mapping(self, board: Board) -> None:
        """FlushChannel is called once; then handle and channel serve the next one."""
        adapter = adapter_for(board, write=True)
        bench, done = Bench(board, adapter, described(board, 64)[1]), Completions(board)
        arm(board, write=True)
        with entries(board) as entered:
            for count in range(1, 4):
                assert bench.map(DmaCompletionRoutine=done) == (OK, 64)
                finished(board, done, count)
                assert bench.flush(64) == OK
        assert entered.count("FlushChannel") == entered.count("ProgramChannel") == 3

    @pytest.mark.dmav3_rule("FBX-10")
    @pytest.mark.parametrize("running", [True, False])
    def test_the_order(self, board: Board, *, running: bool) -> None:
        """The channel stops before memory is touched; the mapping lives until all is done."""
        flight = Flight.start(board, 256, write=False, offset=4)
        board.stream.receive_put(moved(192 if running else 256))
        board.wait(1_000_000)
        position = len(board.evidence.events.all())
        with board.evidence.expect_violations(*([0x23] if running else [])):
            assert flight.flush() == OK
        known = board.image.enum("oplog_id")
        told = {known[f"OPLOG_{name}"]: name for name in ("CancelTransfer", "FlushChannel")}
        steps = [
            told.get(record.id, record.kind.name)
            for record in board.evidence.events.since(position)
            if record.kind == Kind.UNMAPPED or (record.kind == Kind.ENTER and record.id in told)
        ]
        assert steps == ["CancelTransfer"] * running + ["FlushChannel", "UNMAPPED"]
        count = 192 if running else 256
        assert board.read(flight.buffer, count) == moved(256)[:count]

    @pytest.mark.dmav3_rule("FBX-06", "FBX-09", "FBX-10")
    @pytest.mark.dmav3_host
    def test_the_order_with_the_caches(self, scripted: HostShim) -> None:
        """Channel, then caches, then the mapping."""
        bench = Bench(scripted, quiet(scripted), described(scripted, 256)[1])
        assert bench.map(write=False) == (OK, 256)
        scripted.end(0)
        position = len(scripted.evidence.events.all())
        assert bench.flush(256, write=False) == OK
        known = scripted.image.enum("oplog_id")
        flush = known["OPLOG_FlushChannel"]
        steps = [
            record.kind
            for record in scripted.evidence.events.since(position)
            if record.id == flush or record.kind in {Kind.INVALIDATE, Kind.UNMAPPED}
        ]
        assert steps == [Kind.ENTER, Kind.EXIT, Kind.INVALIDATE, Kind.UNMAPPED]

    @pytest.mark.dmav3_rule("FBX-15")
    @pytest.mark.parametrize("count", [0, 64, 128])
    def test_a_running_transfer(self, board: Board, count: int) -> None:
        """It is stopped: success, violation 0x23, no call, and what was moved is kept."""
        flight = Flight.start(board, 256, write=False)
        board.stream.receive_put(moved(count))
        board.wait(1_000_000)
        with board.evidence.expect_violations(0x23):
            assert flight.flush() == OK
        board.wait(1_000_000)
        assert flight.done.calls == []
        assert board.read(flight.buffer, count) == moved(count) if count else True
        again = flight.adapter.MapTransferEx(
            flight.mdl, flight.base, WriteToDevice=False, DmaCompletionRoutine=flight.done
        )
        assert again == (OK, 256)
        board.stream.receive_put(moved(256, seed=2))
        finished(board, flight.done)
        flight.end()
        assert board.read(flight.buffer) == moved(256, seed=2)

    @pytest.mark.dmav3_rule("FBX-15", "CMP-06")
    def test_a_transfer_that_has_ended_unnoticed(self, board: Board) -> None:
        """It counts as ended: no violation 0x23, and its routine is called."""
        flight = Flight.start(board, 256, write=False)
        with board.dma.irql(HIGH_LEVEL):
            board.stream.receive_put(moved(256))
            board.wait(1_000_000)
            with entries(board) as entered, board.evidence.expect_violations(0x13):
                assert flight.flush() == OK
        assert entered.index("CancelTransfer") < entered.index("FlushChannel")
        finished(board, flight.done)
        board.wait(1_000_000)
        assert [call[3] for call in flight.done.calls] == [DmaCompletionStatus.DmaComplete]
        assert board.read(flight.buffer) == moved(256)

    @pytest.mark.dmav3_rule("FBX-21")
    def test_a_bus_master_whose_device_runs(self, shim: Shim) -> None:
        """Nobody notices: to stop the device first is the driver's business."""
        bench = Bench.of_master(shim)
        assert bench.map(write=False) == (OK, 256)
        with entries(shim) as entered:
            assert bench.flush(256, write=False) == OK
        assert entered == ["FlushAdapterBuffersEx"]


class TestDriver:
    """What a flush must precede."""

    @pytest.mark.dmav3_rule("FBX-14", "FBX-17")
    @pytest.mark.parametrize("ending", ["complete", "error", "cancelled"])
    @pytest.mark.parametrize("right", [True, False])
    def test_the_release_of_the_channel(self, board: Board, ending: str, *, right: bool) -> None:
        """However the transfer has ended; without the flush it is violation 0x10."""
        adapter, done = adapter_for(board, write=False), Completions(board)
        bench = Bench(board, adapter, described(board, 256)[1])
        if ending == "error":
            one = board.request("allocate", 64).number("address")
            board.request("poke", one, "32", 1)
            assert adapter.ConfigureAdapterChannel(0x0100, one) == OK
        arm(board, write=False)
        assert bench.map(write=False, DmaCompletionRoutine=done) == (OK, 256)
        if ending == "cancelled":
            assert adapter.CancelMappedTransfer(bench.context) == OK
        else:
            board.stream.receive_put(bytes(256))
        finished(board, done)
        if right:
            assert bench.flush(256, write=False) == OK
        with board.evidence.expect_violations(*([] if right else [0x10])):
            free_channel(board, adapter)

    @pytest.mark.dmav3_rule("FBX-14")
    @pytest.mark.parametrize("right", [True, False])
    def test_the_release_of_the_registers(self, shim: Shim, *, right: bool) -> None:
        """Without the flush it is violation 0x10."""
        bench = Bench.of_master(shim)
        bench.adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        assert bench.map() == (OK, 256)
        if right:
            assert bench.flush(256) == OK
        with (
            shim.dma.irql(DISPATCH_LEVEL),
            shim.evidence.expect_violations(*([] if right else [0x10])),
        ):
            bench.adapter.FreeMapRegisters(bench.base, 2)

    @pytest.mark.dmav3_rule("FBX-14")
    @pytest.mark.parametrize("right", [True, False])
    def test_the_next_mapping(self, shim: Shim, *, right: bool) -> None:
        """Without the flush it is violation 0x0D."""
        bench = Bench.of_master(shim)
        assert bench.map(0, 64) == (OK, 64)
        if right:
            assert bench.flush(64) == OK
        with shim.evidence.expect_violations(*([] if right else [0x0D])):
            assert bench.map(64, 64) == ((OK, 64) if right else (INVALID, 64))

    @pytest.mark.dmav3_rule("FBX-23")
    def test_a_packet_of_map_transfer(self, board: Board) -> None:
        """Its mapping is one like any other, and may be ended by this routine."""
        buffer, mdl = described(board, 256)
        board.write(buffer, moved(256))
        adapter = adapter_for(board, write=True)
        base = granted(board, adapter)
        arm(board, write=True)
        piece = adapter.MapTransfer(mdl, base, buffer.address, 256, WriteToDevice=True)
        assert piece.Length == 256
        board.wait(1_000_000)
        assert board.stream.sent_take() == moved(256)
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=True) == OK
        free_channel(board, adapter)
