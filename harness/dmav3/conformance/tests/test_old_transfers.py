# SPDX-License-Identifier: Apache-2.0
"""MapTransfer, FlushAdapterBuffers and what gives channel and registers back, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dmav3.devices.edu import PACKET, Edu
from dmav3.dma import Element
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction, NtStatus

from .driver import (
    PAGE,
    Bench,
    Flight,
    adapter_for,
    arm,
    bus_master,
    chained,
    described,
    entries,
    free_channel,
    granted,
    moved,
    place_pages,
    quiet,
)
from .owner import Owner, stream_port

if TYPE_CHECKING:
    from dmav3 import Board, Buffer
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter, MappedPiece, Mdl

OK = NtStatus.STATUS_SUCCESS
KEEP_REGISTERS = IoAllocationAction.DeallocateObjectKeepRegisters
ALL = 64
WIDE = "edu,dma_mask=0xffffffff"
FAR = 1 << 20  # a page number above 4 GiB


@dataclass
class Old:
    """A granted request, and one MDL that is mapped by version 1."""

    adapter: DmaAdapter
    mdl: Mdl
    buffer: Buffer
    base: int

    @staticmethod
    def of(
        shim: Shim,
        adapter: DmaAdapter,
        size: int = 256,
        registers: int = 2,
        *,
        offset: int = 0,
        scattered: bool = False,
    ) -> Old:
        """Return one for a fresh buffer."""
        region = "scatter" if scattered else "arena"
        buffer, mdl = described(shim, size, offset=offset, region=region)  # type: ignore[arg-type]
        return Old(adapter, mdl, buffer, granted(shim, adapter, registers))

    def map(self, at: int, length: int, *, write: bool = True) -> MappedPiece:
        """Map so many bytes from there in the buffer."""
        va = self.buffer.address + at
        return self.adapter.MapTransfer(self.mdl, self.base, va, length, WriteToDevice=write)

    def flush(self, at: int, length: int, *, write: bool = True) -> bool:
        """End what was mapped so."""
        va = self.buffer.address + at
        return self.adapter.FlushAdapterBuffers(
            self.mdl, self.base, va, length, WriteToDevice=write
        )


class TestMapTransfer:
    """MapTransfer."""

    @pytest.mark.dmav3_rule("MPT-02")
    def test_the_length_for_a_bus_master(self, shim: Shim) -> None:
        """It is that of the run at CurrentVa."""
        old = Old.of(shim, bus_master(shim), 8 * PAGE, scattered=True)
        first = old.buffer.ranges[0][1]
        assert first < old.buffer.size
        assert old.map(0, old.buffer.size) == (old.buffer.ranges[0][0], first)
        assert old.map(first, PAGE // 2) == (old.buffer.ranges[1][0], PAGE // 2)
        assert old.flush(0, first + PAGE // 2)

    @pytest.mark.dmav3_rule("MPT-02")
    @pytest.mark.parametrize("master", [0, 1])
    def test_the_length_for_others(self, shim: Shim, master: int) -> None:
        """It stays: a subordinate's controller has a list, others have bounce pages."""
        adapter = quiet(shim, Master=master, ScatterGather=0)
        old = Old.of(shim, adapter, 6 * PAGE, 8, scattered=True)
        assert old.map(0, old.buffer.size).Length == old.buffer.size
        with shim.evidence.expect_violations(*([] if master else [0x23])):
            assert old.flush(0, old.buffer.size)

    @pytest.mark.dmav3_rule("MPT-04")
    def test_a_chain(self, shim: Shim) -> None:
        """The MDL behind is not looked at: past the first one it is violation 0x1F."""
        buffers = [shim.memory.allocate(64, align=PAGE) for _ in range(2)]
        mdl, adapter = chained(shim, *buffers), quiet(shim)
        base = granted(shim, adapter)
        with shim.evidence.expect_violations(0x1F):
            piece = adapter.MapTransfer(mdl, base, buffers[0].address, 128, WriteToDevice=True)
        assert piece == (0, 0)
        with shim.evidence.expect_violations(0x1B):
            piece = adapter.MapTransfer(mdl, base, buffers[1].address, 64, WriteToDevice=True)
        assert piece == (0, 0)

    @pytest.mark.dmav3_rule("MPT-04")
    def test_without_a_request(self, shim: Shim) -> None:
        """It is violation 0x4D, and nothing is mapped."""
        adapter, (buffer, mdl) = quiet(shim), described(shim, 64)
        with shim.evidence.expect_violations(0x4D):
            piece = adapter.MapTransfer(mdl, 0, buffer.address, 64, WriteToDevice=True)
        assert piece == (0, 64)
        assert shim.layer.counters().mappings == 0

    @pytest.mark.dmav3_rule("MPT-06")
    def test_a_list_by_hand(self, shim: Shim) -> None:
        """Piece by piece until the registers are used up, each in a register of its own."""
        old = Old.of(shim, bus_master(shim), 5 * PAGE)
        here = shim.dma.mdl_fields(old.mdl).pages
        for page in (0, 2, 4):
            place_pages(shim, old.mdl, [FAR + page], page)
        first = old.map(0, 5 * PAGE)
        assert first.Length == PAGE
        assert old.map(PAGE, 4 * PAGE) == (here[1] * PAGE, PAGE)
        assert old.map(2 * PAGE, 3 * PAGE) == (first.LogicalAddress + PAGE, PAGE)
        assert old.map(3 * PAGE, 2 * PAGE) == (here[3] * PAGE, PAGE)
        assert old.map(4 * PAGE, PAGE) == (0, 0)
        assert old.flush(0, 4 * PAGE)
        assert old.map(4 * PAGE, PAGE) == (first.LogicalAddress, PAGE)
        assert old.flush(4 * PAGE, PAGE)
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("MPT-06", "FAB-06")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_devices(WIDE)
    def test_two_bounced_pieces(self, board: Board) -> None:
        """A head and a tail that share lines each have a page: the device's bytes do not meet."""
        edu, data = Edu(board), moved(PACKET)
        size = PAGE + 32
        whole = board.memory.allocate(size + 64, align=PAGE)
        board.fill(whole, 0x70)
        source, _ = described(board, PACKET)
        board.write(source, data)
        board.request("clean", source.address, PACKET)
        edu.read([Element(source.address, PACKET)])
        mdl = board.dma.IoAllocateMdl(whole.address + 4, size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        buffer = type(whole)("part", whole.address + 4, size, ((whole.address + 4, size),))
        adapter = bus_master(board)
        old = Old(adapter, mdl, buffer, granted(board, adapter, 4))
        pieces, at = [], 0
        while at < size:
            piece = old.map(at, size - at, write=False)
            pieces.append(piece)
            at += piece.Length
        bounced = [
            p.LogicalAddress for p in pieces if p.LogicalAddress // PAGE != whole.address // PAGE
        ]
        assert len({address // PAGE for address in bounced if address < whole.address}) == 2
        expected = b""
        for number, piece in enumerate(pieces):
            start = 100 * number
            length = min(piece.Length, PACKET - start)
            edu.write([Element(piece.LogicalAddress, length)], offset=start)
            expected += data[start : start + length] + b"\x70" * (piece.Length - length)
        assert old.flush(0, size, write=False)
        assert board.read(whole, size, 4)[: pieces[0].Length] == expected[: pieces[0].Length]
        tail = pieces[-1].Length
        assert board.read(whole, size, 4)[-tail:] == expected[-tail:]
        assert board.unexpected() == []

    @pytest.mark.dmav3_rule("MPT-07")
    @pytest.mark.parametrize("master", [0, 1])
    def test_more_than_the_registers_cover(self, shim: Shim, master: int) -> None:
        """Without scatter/gather, or of a subordinate, it is refused: violation 0x00."""
        adapter = quiet(shim, Master=master, ScatterGather=0)
        old = Old.of(shim, adapter, 6 * PAGE, 3, offset=0, scattered=True)
        with shim.evidence.expect_violations(0x00):
            assert old.map(0, 3 * PAGE + 4) == (0, 0)
        assert old.map(0, 3 * PAGE).Length == 3 * PAGE
        with shim.evidence.expect_violations(*([] if master else [0x23])):
            assert old.flush(0, 3 * PAGE)

    @pytest.mark.dmav3_rule("MPT-08", "RDC-01")
    def test_the_end_of_a_subordinate_s(self, board: Board) -> None:
        """Nobody is called; the counter says it, and the device has all."""
        adapter = adapter_for(board, write=True)
        old = Old.of(board, adapter, 256)
        board.write(old.buffer, moved(256))
        with entries(board) as entered:
            assert old.map(0, 256).Length == 256
            assert adapter.ReadDmaCounter() == 256
            arm(board, write=True)
            board.wait(1_000_000)
            assert adapter.ReadDmaCounter() == 0
        assert "DmaCompletionRoutine" not in entered
        assert board.stream.sent_take() == moved(256)
        assert old.flush(0, 256)

    @pytest.mark.dmav3_rule("MPT-09")
    @pytest.mark.dmav3_machine("virt-a53")
    def test_its_maintenance(self, board: Board) -> None:
        """On an adapter of version 3 it cleans, so the device needs no KeFlushIoBuffers."""
        old = Old.of(board, adapter_for(board, write=True), 256)
        board.write(old.buffer, moved(256))
        assert old.map(0, 256).Length == 256
        assert board.dram.read(old.buffer.address, 256) == moved(256)
        with board.evidence.expect_violations(0x23):
            assert old.flush(0, 256)

    @pytest.mark.dmav3_rule("MPT-10")
    @pytest.mark.parametrize(
        ("at", "length", "violation"),
        [(-1, 10, 0x1B), (100, 1, 0x1B), (1, 100, 0x1F), (0, 101, 0x1F)],
    )
    def test_outside_of_the_mdl(self, shim: Shim, at: int, length: int, violation: int) -> None:
        """It returns 0, and the length is 0."""
        old = Old.of(shim, quiet(shim), 100, offset=1000)
        with shim.evidence.expect_violations(violation):
            assert old.map(at, length) == (0, 0)
        assert shim.layer.counters().mappings == 0

    @pytest.mark.dmav3_rule("MPT-11")
    def test_nothing(self, shim: Shim) -> None:
        """A length of 0 is violation 0x21."""
        old = Old.of(shim, quiet(shim))
        with shim.evidence.expect_violations(0x21):
            assert old.map(0, 0) == (0, 0)


class TestFlushAdapterBuffers:
    """FlushAdapterBuffers."""

    @pytest.mark.dmav3_rule("FAB-01")
    @pytest.mark.parametrize("write", [True, False])
    def test_it_is_true(self, board: Board, *, write: bool) -> None:
        """When it is, all data has arrived."""
        old = Old.of(board, adapter_for(board, write=write), 256)
        board.write(old.buffer, moved(256) if write else bytes(256))
        arm(board, write=write)
        assert old.map(0, 256, write=write).Length == 256
        board.stream.receive_put(b"" if write else moved(256))
        board.wait(1_000_000)
        assert old.flush(0, 256, write=write)
        seen = board.stream.sent_take() if write else board.read(old.buffer)
        assert seen == moved(256)

    @pytest.mark.dmav3_rule("FAB-03")
    def test_where_it_begins(self, shim: Shim) -> None:
        """Only what MapTransfer was given ends a mapping; else it is violation 0x16."""
        old = Old.of(shim, bus_master(shim), 256)
        assert old.map(64, 64).Length == 64
        for at in (0, 65, 128):
            with shim.evidence.expect_violations(0x16):
                assert not old.flush(at, 63)
        assert shim.layer.counters().mappings == 1
        assert old.flush(64, 64)

    @pytest.mark.dmav3_rule("FAB-04")
    def test_a_chain(self, shim: Shim) -> None:
        """Each MDL has a call of its own: another's does not end a mapping."""
        buffers = [shim.memory.allocate(64, align=PAGE) for _ in range(2)]
        mdl, adapter = chained(shim, *buffers), bus_master(shim)
        old = Old(adapter, mdl, buffers[0], granted(shim, adapter))
        assert old.map(0, 64).Length == 64
        behind = shim.dma.mdl_fields(mdl).Next
        with shim.evidence.expect_violations(0x16):
            assert not adapter.FlushAdapterBuffers(
                behind, old.base, buffers[1].address, 64, WriteToDevice=True
            )
        assert old.flush(0, 64)

    @pytest.mark.dmav3_rule("FAB-05", "HBE-10")
    def test_what_still_runs(self, shim: Shim) -> None:
        """It is stopped, which is violation 0x23 of a transfer that does not repeat."""
        old = Old.of(shim, quiet(shim), 128)
        assert old.map(0, 128).Length == 128
        with entries(shim) as entered, shim.evidence.expect_violations(0x23):
            assert old.flush(0, 128)
        assert entered.index("CancelTransfer") < entered.index("FlushChannel")
        assert entered.count("FlushChannel") == 1

    @pytest.mark.dmav3_rule("FAB-06")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize("bounced", [False, True])
    def test_the_data_of_a_read(self, board: Board, *, bounced: bool) -> None:
        """The CPU reads the device's bytes, and its own beside them."""
        offset, size = (100, 156) if bounced else (64, 128)
        whole = board.memory.allocate(320, align=PAGE)
        board.fill(whole, 0x11)
        mdl = board.dma.IoAllocateMdl(whole.address + offset, size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        part = type(whole)("part", whole.address + offset, size, ((whole.address + offset, size),))
        adapter = adapter_for(board, write=False)
        old = Old(adapter, mdl, part, granted(board, adapter))
        arm(board, write=False)
        assert old.map(0, size, write=False).Length == size
        board.stream.receive_put(moved(size))
        board.wait(1_000_000)
        assert old.flush(0, size, write=False)
        expected = b"\x11" * offset + moved(size) + b"\x11" * (320 - offset - size)
        assert board.read(whole) == expected
        assert board.unexpected() == []

    @pytest.mark.dmav3_rule("FAB-07")
    def test_after_a_cancel(self, shim: Shim) -> None:
        """It ends the mapping as FlushAdapterBuffersEx does."""
        flight = Flight.start(shim, 256, write=True, armed=False)
        assert flight.adapter.CancelMappedTransfer(flight.context) == OK
        assert flight.adapter.FlushAdapterBuffers(
            flight.mdl, flight.base, flight.buffer.address, 256, WriteToDevice=True
        )
        assert shim.layer.counters().mappings == 0
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("FAB-08")
    def test_nothing_mapped(self, shim: Shim) -> None:
        """TRUE, and violation 0x16."""
        old = Old.of(shim, quiet(shim))
        with shim.evidence.expect_violations(0x16):
            assert old.flush(0, 64)


class TestFreeAdapterChannel:
    """FreeAdapterChannel."""

    @pytest.mark.dmav3_rule("FAC-05")
    def test_without_a_request(self, shim: Shim) -> None:
        """Violation 0x04, and no effect on who has the channel."""
        adapter, owner = quiet(shim), quiet(shim)
        base = granted(shim, owner)
        with shim.evidence.expect_violations(0x04):
            free_channel(shim, adapter)
        assert shim.layer.channel_state(owner).handle == base

    @pytest.mark.dmav3_rule("FAC-08")
    def test_registers_that_were_kept(self, shim: Shim) -> None:
        """Those of an earlier request stay."""
        adapter = bus_master(shim)
        kept = granted(shim, adapter, 3)
        adapter.FreeAdapterObject(KEEP_REGISTERS)
        granted(shim, adapter, 2)
        assert shim.layer.counters().free_map_registers == ALL - 5
        free_channel(shim, adapter)
        assert shim.layer.counters().free_map_registers == ALL - 3
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeMapRegisters(kept, 3)
        assert shim.violations() == []


class TestFreeMapRegisters:
    """FreeMapRegisters."""

    def kept(self, shim: Shim, registers: int = 3) -> tuple[DmaAdapter, int]:
        """Return an adapter that owns registers alone, and their handle."""
        adapter = bus_master(shim)
        base = granted(shim, adapter, registers)
        adapter.FreeAdapterObject(KEEP_REGISTERS)
        assert shim.layer.counters().free_map_registers == ALL - registers
        return adapter, base

    @pytest.mark.dmav3_rule("FMR-01", "MR-15", "ADC-05")
    def test_they_return(self, shim: Shim) -> None:
        """All of them, and the request is over."""
        adapter, base = self.kept(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeMapRegisters(base, 3)
        now = shim.layer.counters()
        assert (now.free_map_registers, now.requests) == (ALL, 0)
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("FMR-02")
    @pytest.mark.parametrize("count", [0, 2, 4])
    def test_another_count(self, shim: Shim, count: int) -> None:
        """Violation 0x05; as many are released as were allocated."""
        adapter, base = self.kept(shim)
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x05):
            adapter.FreeMapRegisters(base, count)
        assert shim.layer.counters().free_map_registers == ALL

    @pytest.mark.dmav3_rule("FMR-03")
    def test_before_the_flush(self, shim: Shim) -> None:
        """Violation 0x10."""
        bench = Bench.of_master(shim)
        bench.adapter.FreeAdapterObject(KEEP_REGISTERS)
        assert bench.map() == (OK, 256)
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x10):
            bench.adapter.FreeMapRegisters(bench.base, 2)
        now = shim.layer.counters()
        assert (now.mappings, now.free_map_registers) == (0, ALL)

    @pytest.mark.dmav3_rule("FMR-04")
    def test_no_handle(self, shim: Shim) -> None:
        """Ignored, and violation 0x05."""
        adapter, base = self.kept(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x05):
                adapter.FreeMapRegisters(0, 3)
            assert shim.layer.counters().free_map_registers == ALL - 3
            adapter.FreeMapRegisters(base, 3)

    @pytest.mark.dmav3_rule("FMR-05")
    def test_twice(self, shim: Shim) -> None:
        """Violation 0x05, and no effect; so while the channel is held with them."""
        adapter, base = self.kept(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeMapRegisters(base, 3)
            with shim.evidence.expect_violations(0x05):
                adapter.FreeMapRegisters(base, 3)
        held = granted(shim, adapter, 3)
        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x05):
                adapter.FreeMapRegisters(held, 3)
            assert shim.layer.counters().free_map_registers == ALL - 3
            adapter.FreeAdapterChannel()
        assert shim.layer.counters().free_map_registers == ALL


class TestCounter:
    """ReadDmaCounter."""

    @pytest.mark.dmav3_rule("RDC-02")
    def test_of_a_bus_master(self, shim: Shim) -> None:
        """0, and violation 0x47."""
        bench = Bench.of_master(shim)
        assert bench.map() == (OK, 256)
        with shim.evidence.expect_violations(0x47):
            assert bench.adapter.ReadDmaCounter() == 0
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("RDC-04")
    def test_of_several_elements(self, board: Board) -> None:
        """It counts the bytes of all, not those of the one under way."""
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 5 * PAGE, region="scatter")
        assert len(buffer.ranges) > 1
        owner.map(mdl, write=False)
        assert owner.left == buffer.size
        first = buffer.ranges[0][1]
        board.stream.receive_put(moved(first + 64))
        board.wait(10_000_000)
        assert owner.left == buffer.size - first - 64
        board.stream.receive_put(moved(buffer.size - first - 64))
        owner.finish()

    @pytest.mark.dmav3_rule("RDC-08")
    def test_without_a_mapping(self, shim: Shim) -> None:
        """0, before the first and after the last."""
        adapter = quiet(shim)
        assert adapter.ReadDmaCounter() == 0
        old = Old.of(shim, adapter, 128)
        assert adapter.ReadDmaCounter() == 0
        assert old.map(0, 128).Length == 128
        with shim.evidence.expect_violations(0x23):
            assert old.flush(0, 128)
        assert adapter.ReadDmaCounter() == 0


class TestAlignment:
    """GetDmaAlignment."""

    @pytest.mark.dmav3_rule("GDA-01", "GDA-03")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize("master", [0, 1])
    def test_of_a_device_that_is_not_coherent(self, board: Board, master: int) -> None:
        """It is the line of the data cache, which the board's cache has, too."""
        adapter = quiet(board, Master=master)
        assert adapter.GetDmaAlignment() == board.evidence.probe.line_size

    @pytest.mark.dmav3_rule("GDA-02", "GDA-04")
    @pytest.mark.dmav3_machine("virt-a53-coherent")
    @pytest.mark.parametrize("bits", [8, 16, 32, 64])
    def test_of_one_that_is(self, board: Board, bits: int) -> None:
        """It is what the device moves at once, which is a power of two; of a master 1."""
        adapter = adapter_for(board, write=True, width=bits)
        unit = adapter.GetDmaAdapterInfo().MinimumTransferUnit
        assert adapter.GetDmaAlignment() == max(1, unit)
        assert bus_master(board).GetDmaAlignment() == 1


class TestKeFlushIoBuffers:
    """KeFlushIoBuffers."""

    @pytest.mark.dmav3_rule("KFI-01")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_cache(schedule="never")
    @pytest.mark.parametrize("read", [0, 1, 2])
    def test_one_mdl(self, board: Board, read: int) -> None:
        """What the CPU stored is in memory, but not that of the rest of the chain."""
        buffers = [board.memory.allocate(256, align=PAGE) for _ in range(2)]
        mdl = chained(board, *buffers)
        for buffer in buffers:
            board.write(buffer, moved(256))
        board.request("KeFlushIoBuffers", mdl.address, read, 1)
        cleaned = [board.dram.read(one.address, 256) == moved(256) for one in buffers]
        assert cleaned == [True, False]
        assert board.lines(buffers[0]).dirty == 0
        assert (board.lines(buffers[0]).valid == 0) == bool(read)

    @pytest.mark.dmav3_rule("KFI-04")
    @pytest.mark.parametrize("write", [True, False])
    def test_under_a_mapping(self, shim: Shim, *, write: bool) -> None:
        """Of a read it is violation 0x50, of a write it is not."""
        bench = Bench(shim, bus_master(shim), described(shim, 128, offset=64)[1])
        assert bench.map(write=write) == (OK, 128)
        with shim.evidence.expect_violations(*([] if write else [0x50])):
            shim.dma.KeFlushIoBuffers(bench.mdl, ReadOperation=True)
        assert bench.flush(128, write=write) == OK
        shim.dma.KeFlushIoBuffers(bench.mdl, ReadOperation=True)
        assert len(shim.violations()) == (not write)

    @pytest.mark.dmav3_rule("KFI-05")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize("dma", [False, True])
    def test_programmed_input(self, board: Board, *, dma: bool) -> None:
        """It does its work whatever DmaOperation says."""
        buffer, mdl = described(board, 256)
        board.write(buffer, moved(256))
        board.dma.KeFlushIoBuffers(mdl, ReadOperation=True, DmaOperation=dma)
        assert board.dram.read(buffer.address, 256) == moved(256)
        assert board.lines(buffer).valid == 0
