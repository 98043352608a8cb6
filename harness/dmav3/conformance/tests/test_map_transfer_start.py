# SPDX-License-Identifier: Apache-2.0
"""MapTransferEx: what it starts, in which order, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dmav3.devices.stream import Control, Register
from dmav3.dma import NULL, Element, Mapped, Mdl, Pointer
from dmav3.evidence.probe import Kind
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DmaCompletionStatus,
    DmaWidth,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    adapter_for,
    arm,
    bus_master,
    chained,
    context_for,
    described,
    elements_of,
    entries,
    finished,
    moved,
    place_pages,
    quiet,
)

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
PAGE, LINE = 4096, 64
FOUR_GIB = 1 << 32
#: Numbers that are no object of the layer: nothing, odd, unmapped, a device, plain memory.
UNREADABLE, ZEROES = (1, 0x40000000, 0xFFFF_FFFF_FFFF_FFFF), 0x40800000
#: A request line that is nobody's, and always asks for data.
READY_LINE = 9
#: Model time between two units of a loop.
UNIT_NS = 1000


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
        position = len(scripted.evidence.events.all())
        with scripted.evidence.expect_violations(0x55):
            assert bench.map(DeviceOffset=0x2000) == (OK, 5 * PAGE)
        (program,) = scripted.programs()
        assert list(program.elements) == bench.list
        assert program.device_address == 0x1_0000_1000
        number = scripted.image.enum("oplog_id")["OPLOG_ProgramChannel"]
        records = scripted.evidence.events.since(position)
        start = next(at for at, one in enumerate(records) if one.id == number)
        before = [one.kind for one in records[:start] if one.kind != Kind.VIOLATION]
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
        with board.evidence.expect_violations(0x55):
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
        with board.dma.irql(level):
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
        board.memory.cpu_store(memory.VirtualAddress, moved(size))
        mdl = board.dma.IoAllocateMdl(memory.VirtualAddress, size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
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
        next_mdl = board.dma.struct("MDL").member("Next")
        board.request("poke", first.address + next_mdl.offset, "64", second.address)
        bench.mdl = Mdl(first.address, 192)
        assert bench.map(capacity=1) == (OK, 128)
        assert self.sent_within(board, 3 * 32 + 8)[:384] == moved(128) * 3
        assert bench.flush(128) == OK

    @pytest.mark.dmav3_rule("MTX-43")
    def test_a_loop_that_needs_a_bounce(self, board: Board) -> None:
        """It is refused, however many registers there are."""
        _, mdl = described(board, 8, offset=PAGE - 2)
        place_pages(board, mdl, [board.dma.mdl_fields(mdl).pages[0] + 5], 1)
        assert self.loop(board, mdl, registers=8).map() == (NO_RESOURCES, 8)

    @pytest.mark.dmav3_rule("MTX-43")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize("write", [True, False])
    def test_the_end_of_a_round(self, scripted: HostShim, *, write: bool) -> None:
        """Nothing is done to caches, whatever the direction."""
        bench = Bench(scripted, quiet(scripted, AutoInitialize=1), described(scripted, 64)[1])
        done = Completions(scripted)
        with scripted.evidence.expect_violations(0x52):
            assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, 64)
        position = len(scripted.evidence.events.all())
        for _ in range(3):
            scripted.end(0)
        kinds = {record.kind for record in scripted.evidence.events.since(position)}
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
        with board.evidence.expect_violations(0x52):
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
        with board.dma.irql(DISPATCH_LEVEL):  # so that it does not end before its length is known
            map_next()
        board.dma.run_until(lambda: len(done.calls) == len(parts) and sum(parts) == size)
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
        mdls: list[Mdl | int] = [bench.mdl, shim.dma.mdl_fields(bench.mdl).Next]
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
        with shim.dma.irql(DISPATCH_LEVEL):
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
        bench = Bench(shim, quiet(shim, write=False), mdl, 0)
        shim.request("fill", bench.memory, 4096, 0x77)
        position = len(shim.evidence.events.all())
        with shim.evidence.expect_violations(*violated):
            status, length = bench.map(**wrong)
        assert not status.success
        assert length == (wrong.get("length") or 0) or "length" not in wrong
        records = shim.evidence.events.since(position)
        assert not any(record.kind == Kind.RANGE for record in records)
        exits = {record.id: record for record in records if record.kind == Kind.EXIT}
        assert all((record.d, record.e) == (0, 0) for record in exits.values())
        assert shim.image.enum("oplog_id")["OPLOG_ProgramChannel"] not in exits
        assert shim.memory.look(bench.memory, 256) == b"\x77" * 256
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
            with board.evidence.expect_violations(0x48):
                assert bench.flush(256, write=not write) == INVALID
            assert bench.flush(256, write=write) == OK
        assert board.stream.sent_take() == moved(256)
        assert board.read(flights[False][2]) == moved(256, seed=2)
