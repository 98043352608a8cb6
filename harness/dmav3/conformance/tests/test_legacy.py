# SPDX-License-Identifier: Apache-2.0
"""MapTransfer, FlushAdapterBuffers, KeFlushIoBuffers: the older calls, on adapters of version 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction, NtStatus

from .driver import (
    PAGE,
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
    free_channel,
    granted,
    maintenance,
    moved,
    place_pages,
    quiet,
)

if TYPE_CHECKING:
    from dmav3 import Board, Buffer, HostShim
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter, Mdl

OK = NtStatus.STATUS_SUCCESS
KEEP = IoAllocationAction.KeepObject
FOUR_GIB = 1 << 32


@dataclass
class OldDriver:
    """A driver of a subordinate device that uses the calls of version 1 alone, one MDL at a time.

    :ivar registers: it asks for; they limit what is mapped at once.
    """

    board: Board
    adapter: DmaAdapter
    registers: int = 3

    def move(self, mdls: list[Mdl], *, write: bool) -> int:
        """Move all the memory of some MDLs; return in how many mappings."""
        board, bases = self.board, []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            bases.append(base)
            return KEEP

        with board.dma.irql(DISPATCH_LEVEL):
            assert self.adapter.AllocateAdapterChannel(self.registers, control) == OK
        count = sum(self._move_one(mdl, bases[0], write=write) for mdl in mdls)
        free_channel(board, self.adapter)
        return count

    def _move_one(self, mdl: Mdl, base: int, *, write: bool) -> int:
        fields = self.board.dma.mdl_fields(mdl)
        at, count = fields.StartVa + fields.ByteOffset, 0
        end = at + fields.ByteCount
        while at < end:
            length = min(end - at, self.registers * PAGE - at % PAGE)
            piece = self.adapter.MapTransfer(mdl, base, at, length, WriteToDevice=write)
            assert piece.Length == length  # its address is nobody's business, MPT-03
            while self.adapter.ReadDmaCounter():
                self.board.wait(100_000)
            self.board.wait(10_000)
            assert self.adapter.FlushAdapterBuffers(mdl, base, at, length, WriteToDevice=write)
            at, count = at + length, count + 1
        return count


class TestOldForm:
    """Drivers of versions 1 and 2."""

    def pieces(self, board: Board) -> tuple[list[Buffer], list[Mdl]]:
        """Return three scattered buffers, and their MDLs."""
        buffers = [
            board.memory.allocate(size, region="scatter", align=PAGE, offset=at)
            for size, at in ((5 * PAGE + 100, 20), (64, 0), (2 * PAGE, 100))
        ]
        mdls = [board.dma.IoAllocateMdl(one.address, one.size) for one in buffers]
        for mdl in mdls:
            board.dma.MmBuildMdlForNonPagedPool(mdl)
        return buffers, mdls

    @pytest.mark.dmav3_rule("PAT-I1", "MPT-03", "MPT-05")
    @pytest.mark.parametrize("write", [True, False])
    def test_the_data_is_that_of_the_newer_form(self, board: Board, *, write: bool) -> None:
        """Piece by piece, MDL by MDL, the same buffer gives the same bytes, whatever it is told."""
        buffers, mdls = self.pieces(board)
        adapter = adapter_for(board, write=write)
        content, arrived = moved(sum(one.size for one in buffers)), []
        arm(board, write=write)
        for old in (True, False):
            at = 0
            for buffer in buffers:
                board.write(buffer, content[at : at + buffer.size] if write else bytes(buffer.size))
                at += buffer.size
            if not write:
                board.stream.receive_put(content)
            if old:
                assert OldDriver(board, adapter).move(mdls, write=write) > len(mdls)
            else:
                chain, done = chained(board, *buffers), Completions(board)
                bench = Bench(board, adapter, chain, 8)
                assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, chain.size)
                finished(board, done)
                assert bench.flush(chain.size, write=write) == OK
            board.wait(1_000_000)
            read = b"".join(board.read(one) for one in buffers)
            arrived.append(board.stream.sent_take() if write else read)
        assert arrived == [content, content]
        assert board.unexpected() == []

    @pytest.mark.dmav3_rule("PAT-I1")
    def test_a_bus_master_gets_the_same_list(self, shim: Shim) -> None:
        """What MapTransfer gives piece by piece is what MapTransferEx lists, MDL by MDL."""
        buffers = [
            shim.memory.allocate(size, region="scatter", align=PAGE, offset=at)
            for size, at in ((5 * PAGE, 20), (64, 0), (2 * PAGE, 100))
        ]
        bench = Bench(shim, bus_master(shim), chained(shim, *buffers), 8)
        assert bench.map() == (OK, bench.mdl.size)
        listed = bench.list
        assert bench.flush(bench.mdl.size) == OK
        found, mdl = [], bench.mdl.address
        for buffer in buffers:
            at, end = buffer.address, buffer.address + buffer.size
            while at < end:
                piece = bench.adapter.MapTransfer(mdl, bench.base, at, end - at, WriteToDevice=True)
                found.append(tuple(piece))
                at += piece.Length
            assert bench.adapter.FlushAdapterBuffers(
                mdl, bench.base, buffer.address, buffer.size, WriteToDevice=True
            )
            mdl = shim.dma.mdl_fields(mdl).Next
        assert found == listed == elements_of(buffers, 0, bench.mdl.size)

    @pytest.mark.dmav3_rule("PAT-I2")
    @pytest.mark.parametrize("master", [0, 1])
    def test_one_queue_for_both_forms(self, shim: Shim, master: int) -> None:
        """Requests of one adapter are granted in the order in which they came."""
        adapter, order = quiet(shim, Master=master), []

        def control(_device: int, _irp: int, base: int, context: object) -> int:
            order.append((context, base))
            return KEEP

        granted(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            for number in range(6):
                if number % 2:
                    context = context_for(shim, adapter)
                    status = adapter.AllocateAdapterChannelEx(context, 1, 0, control, number).status
                else:
                    status = adapter.AllocateAdapterChannel(
                        1, control, number, DeviceObject=shim.dma.allocate_device()
                    )
                assert (status, order) == (OK, [])
            refused = adapter.AllocateAdapterChannelEx(
                context_for(shim, adapter), 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
            assert refused.status == NtStatus.STATUS_INSUFFICIENT_RESOURCES
            for number in range(6):
                adapter.FreeAdapterChannel()
                assert [one for one, _ in order] == list(range(number + 1))
            adapter.FreeAdapterChannel()
        assert len({base for _, base in order}) == 6


class TestMapTransfer:
    """What MapTransfer returns."""

    @pytest.mark.dmav3_rule("MPT-03", "MPT-01")
    @pytest.mark.parametrize("far", [False, True])
    def test_the_address_for_a_bus_master(self, shim: Shim, *, far: bool) -> None:
        """Where the device finds the byte at CurrentVa: in its page, or in a map register."""
        buffer, mdl = described(shim, 512, offset=100)
        (page,) = shim.dma.mdl_fields(mdl).pages
        if far:
            place_pages(shim, mdl, [FOUR_GIB // PAGE])
        bench = Bench(shim, bus_master(shim), mdl)
        address, length = bench.adapter.MapTransfer(
            mdl, bench.base, buffer.address + 28, 484, WriteToDevice=True
        )
        assert (address % PAGE, length) == (128, 484)
        assert (address // PAGE == page) == (not far)
        assert 0 < address < FOUR_GIB
        assert bench.adapter.FlushAdapterBuffers(
            mdl, bench.base, buffer.address + 28, 484, WriteToDevice=True
        )

    @pytest.mark.dmav3_rule("MPT-03")
    def test_the_address_for_a_subordinate(self, scripted: HostShim) -> None:
        """It says nothing of where the data is: the controller has a list of its own."""
        buffer, mdl = described(scripted, 8 * PAGE, region="scatter")
        adapter = quiet(scripted)
        base = granted(scripted, adapter, 8)
        piece = adapter.MapTransfer(mdl, base, buffer.address, buffer.size, WriteToDevice=True)
        assert piece.Length == buffer.size
        (program,) = scripted.programs()
        assert list(program.elements) == elements_of([buffer], 0, buffer.size)
        assert len(program.elements) > 1


class TestFlush:
    """FlushAdapterBuffers is owed."""

    @pytest.mark.dmav3_rule("FAB-02")
    @pytest.mark.parametrize("master", [0, 1])
    def test_before_the_registers_are_freed(self, shim: Shim, master: int) -> None:
        """Else it is violation 0x10; and a subordinate's next mapping before it is 0x0D."""
        for flushed in (True, False):
            adapter, (buffer, mdl) = quiet(shim, Master=master), described(shim, 256)
            base, where = granted(shim, adapter), (mdl, buffer.address)
            mdl_address, at = where
            assert adapter.MapTransfer(mdl, base, at, 256, WriteToDevice=True).Length == 256
            if not master:
                with shim.evidence.expect_violations(0x0D):
                    again = adapter.MapTransfer(mdl_address, base, at, 256, WriteToDevice=True)
                assert again == (0, 0)
            if flushed:
                with shim.evidence.expect_violations(*([] if master else [0x23])):
                    assert adapter.FlushAdapterBuffers(mdl, base, at, 256, WriteToDevice=True)
            with shim.evidence.expect_violations(*([] if flushed else [0x10])):
                free_channel(shim, adapter)

    @pytest.mark.dmav3_rule("FAB-02")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize("flushed", [True, False])
    def test_before_the_data_is_used(self, board: Board, *, flushed: bool) -> None:
        """Else the CPU reads what is still the device's, which is found."""
        adapter, (buffer, mdl) = adapter_for(board, write=False), described(board, 256)
        board.fill(buffer, 0x5A)
        base = granted(board, adapter)
        arm(board, write=False)
        adapter.MapTransfer(mdl, base, buffer.address, 256, WriteToDevice=False)
        board.stream.receive_put(moved(256))
        board.wait(1_000_000)
        assert adapter.ReadDmaCounter() == 0
        if not flushed:
            with board.expect("not-your-buffer", routine="FlushAdapterBuffers"):
                board.read(buffer)
        assert adapter.FlushAdapterBuffers(mdl, base, buffer.address, 256, WriteToDevice=False)
        assert board.read(buffer) == moved(256)
        assert board.unexpected() == []


class TestKeFlushIoBuffers:
    """What drivers of version 3 need not call."""

    @pytest.mark.dmav3_rule("KFI-02", "KFI-03")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.parametrize("write", [True, False])
    def test_a_transfer_with_and_without_it(self, board: Board, *, write: bool) -> None:
        """The data is the same, and right, but the call takes model time; nothing is found."""
        durations = []
        for called in (False, True):
            buffer, mdl = described(board, 2048, offset=36)
            board.write(buffer, moved(2048) if write else bytes(2048))
            bench = Bench(board, adapter_for(board, write=write), mdl, 4)
            done = Completions(board)
            arm(board, write=write)
            before = board.evidence.time_ns
            if called:
                board.dma.KeFlushIoBuffers(mdl, ReadOperation=not write)
            durations.append(board.evidence.time_ns - before)
            assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, 2048)
            if not write:
                board.stream.receive_put(moved(2048))
            finished(board, done)
            assert bench.flush(2048, write=write) == OK
            if called:
                board.dma.KeFlushIoBuffers(mdl, ReadOperation=not write)
            board.wait(1_000_000)
            arrived = board.stream.sent_take() if write else board.read(buffer)
            assert arrived == moved(2048)
            free_channel(board, bench.adapter)
        assert durations[0] < durations[1]
        assert board.unexpected() == []

    @pytest.mark.dmav3_rule("KFI-03")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize("write", [True, False])
    def test_its_cache_operations(self, scripted: HostShim, *, write: bool) -> None:
        """They come on top of the transfer's own."""
        counts = []
        for called in (False, True):
            bench = Bench.of_subordinate(scripted, 4096)
            position = len(scripted.evidence.events.all())
            if called:
                scripted.dma.KeFlushIoBuffers(bench.mdl, ReadOperation=not write)
            assert bench.map(write=write) == (OK, 4096)
            scripted.end(0)
            assert bench.flush(4096, write=write) == OK
            counts.append(maintenance(scripted, position))
            free_channel(scripted, bench.adapter)
        assert 0 < counts[0] == counts[1] - 1

    @pytest.mark.dmav3_rule("KFI-02")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_cache(schedule="lru")
    def test_without_the_layer_it_is_what_the_data_needs(self, board: Board) -> None:
        """A device that is given memory by hand gets old bytes without it, and new ones with it."""
        buffer, mdl = described(board, 256)
        for called in (False, True):
            content = moved(256, 2 + called)
            board.write(buffer, content)
            with entries(board) as entered:
                if called:
                    board.dma.KeFlushIoBuffers(mdl, ReadOperation=False)
            assert (board.dram.read(buffer.address, 256) == content) == called
            assert entered == (["KeFlushIoBuffers"] if called else [])
