# SPDX-License-Identifier: Apache-2.0
"""The routines of the interface on the board, rule by rule, through real DMA."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from dmav3.conformance.tests.driver import (
    Completions,
    Flight,
    adapter_for,
    arm,
    context_for,
    described,
    finished,
    free_channel,
    granted,
)
from dmav3.devices.stream import Register
from dmav3.dma import DmaAdapter, Mdl
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    DmaWidth,
    IoAllocationAction,
    NtStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board


OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
PAGE = 4096
#: Numbers that are no object of the layer: nothing, odd, unmapped, a device, plain memory.
UNREADABLE, ZEROES = (1, 0x40000000, 0xFFFF_FFFF_FFFF_FFFF), 0x40800000
GARBAGE = (0, *UNREADABLE, ZEROES)


def data(size: int, seed: int = 1) -> bytes:
    """Return random bytes."""
    return Random(seed).randbytes(size)  # noqa: S311 - repeatable, not secret


def test_adapters_come_back(board: Board) -> None:
    """PDA-05: getting and releasing leaves nothing behind."""
    for _ in range(100):
        adapter_for(board, write=True).PutDmaAdapter()


def keep(_device: int, _irp: int, _base: int, _context: object) -> int:
    """Return KeepObject: the least that an AdapterControl can do."""
    return IoAllocationAction.KeepObject


class TestAllocateAdapterChannelEx:
    """The channel and the map registers."""

    def test_queued_requests_are_served_in_the_order_of_arrival(self, board: Board) -> None:
        """QUE-03, AAX-05, FAC-07: each free hands the channel to the next one before it returns."""
        owner = adapter_for(board, write=True)
        waiting = [adapter_for(board, write=False), adapter_for(board, write=True)]
        order: list[str] = []

        def control(name: str, _device: int, _irp: int, _base: int, _context: object) -> int:
            order.append(name)
            return IoAllocationAction.KeepObject

        granted(board, owner)
        with board.dma.irql(DISPATCH_LEVEL):
            for name, adapter in zip(("first", "second"), waiting, strict=True):
                status = adapter.AllocateAdapterChannelEx(
                    context_for(board, adapter), 1, 0, partial(control, name)
                ).status
                assert (status, order) == (OK, [])
            owner.FreeAdapterChannel()
            assert order == ["first"]
            waiting[0].FreeAdapterChannel()
            assert order == ["first", "second"]
            waiting[1].FreeAdapterChannel()

    def test_adapters_of_different_channels_do_not_wait(self, board: Board) -> None:
        """GEN-16, QUE-11: only who shares a channel shares it."""
        for number in range(8):
            assert granted(board, adapter_for(board, write=True, channel=number))


def mapped(
    board: Board, size: int = 256, *, write: bool = True, registers: int = 2
) -> tuple[DmaAdapter, Mdl, int]:
    """Return an adapter, the MDL of a fresh buffer, and the handle of a granted request."""
    adapter = adapter_for(board, write=write)
    _, mdl = described(board, size)
    return adapter, mdl, granted(board, adapter, registers)


class TestMapTransferEx:
    """Refusals."""

    def test_an_mdl_that_was_not_built_is_refused(self, board: Board) -> None:
        """MDL-08: STATUS_INVALID_PARAMETER and violation 0x0E."""
        adapter, _, base = mapped(board)
        buffer = board.memory.allocate(256)
        mdl = board.dma.IoAllocateMdl(buffer.address, 256)
        with board.evidence.expect_violations(0x0E):
            assert adapter.MapTransferEx(mdl, base, WriteToDevice=True) == (INVALID, 256)


class TestEdges:
    """Reads into buffers that share a line with what the CPU uses."""

    def unbounced(self, board: Board, meddle: bytes) -> bytes:
        """Read 256 bytes in the middle of 384 without registers; return what is there."""
        whole = board.memory.allocate(384, align=64)
        board.fill(whole, 0x11)
        mdl = board.dma.IoAllocateMdl(whole.address + 68, 256)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        adapter = adapter_for(board, write=False)
        base, done = granted(board, adapter, registers=0), Completions(board)
        arm(board, write=False)
        result = adapter.MapTransferEx(mdl, base, WriteToDevice=False, DmaCompletionRoutine=done)
        assert result == (OK, 256)
        board.write(whole, meddle, 64)
        board.stream.receive_put(data(256))
        finished(board, done)
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=False) == OK
        return board.cpu.read(whole.address, whole.size)

    def test_edges_without_registers_share_their_lines(self, board: Board) -> None:
        """CCH-12 b: both sides are right as long as the CPU leaves the lines alone."""
        with board.evidence.expect_violations(0x1F, 0x1F):
            assert self.unbounced(board, b"") == b"\x11" * 68 + data(256) + b"\x11" * 60
        assert board.findings() == []

    def test_a_store_to_a_shared_line_is_reported(self, board: Board) -> None:
        """CCH-12 b: violation 0x51, and the neighbour has what the CPU stored."""
        with board.expect("shared-line"), board.evidence.expect_violations(0x1F, 0x1F, 0x51):
            seen = self.unbounced(board, b"\x22")
        assert seen[64:68] == b"\x22\x11\x11\x11"

    def test_until_the_flush_a_bounced_buffer_is_unchanged(self, board: Board) -> None:
        """MR-11: the data waits in the bounce page."""
        flight = Flight.start(board, 8, write=False, offset=4)
        before = board.cpu.read(flight.buffer.address, 8)
        board.stream.receive_put(data(8))
        finished(board, flight.done)
        assert board.cpu.read(flight.buffer.address, 8) == before
        flight.end()
        assert board.read(flight.buffer) == data(8)

    @pytest.mark.parametrize(
        ("size", "offset", "wanted"),
        [
            pytest.param(8, 4, 4, id="in a bounce page"),
            pytest.param(256, 0, 64, id="in the buffer"),
        ],
    )
    def test_what_lies_behind_the_flushed_length_is_the_device_s(
        self, board: Board, size: int, offset: int, wanted: int
    ) -> None:
        """FBX-03: nobody has given it back, and reading it is a hazard."""
        flight = Flight.start(board, size, write=False, offset=offset)
        board.stream.receive_put(data(size))
        finished(board, flight.done)
        with board.evidence.expect_violations(0x53):
            assert flight.flush(wanted) == OK
        assert board.read(flight.buffer, wanted) == data(size)[:wanted]
        assert board.findings() == []
        with board.expect("stale-cpu-read", routine="FlushAdapterBuffersEx"):
            board.read(flight.buffer, 4, wanted)
        (finding,) = board.findings()
        assert "with too small a length" in finding.text

    def test_a_bounced_buffer_is_the_device_s_until_the_flush(self, board: Board) -> None:
        """A touch is found, whether the device has written there or not; beside it all is free."""
        flight = Flight.start(board, 8, write=False, offset=4)
        board.request("peek", flight.buffer.address - 4, "32")
        assert board.findings() == []
        with board.expect("not-your-buffer", routine="FlushAdapterBuffersEx"):
            board.read(flight.buffer)
        with board.expect("not-your-buffer", routine="MapTransferEx"):
            board.fill(flight.buffer, 7)
        board.stream.receive_put(data(4))
        board.wait(1_000_000)
        with board.expect("not-your-buffer", routine="FlushAdapterBuffersEx"):
            board.read(flight.buffer, 4)
        assert [finding.rule for finding in board.findings()] == ["CCH-03", "CCH-04"]
        board.stream.receive_put(data(8)[4:])
        finished(board, flight.done)
        flight.end()
        assert board.read(flight.buffer) == data(8)

    def test_a_new_mapping_waits_for_new_bytes(self, board: Board) -> None:
        """What a transfer that was given up left in its bounce page is stale until the next one."""
        flight = Flight.start(board, 8, write=False, offset=4)
        board.stream.receive_put(data(8))
        finished(board, flight.done)
        with board.evidence.expect_violations(0x10):
            free_channel(board, flight.adapter)
        with board.expect("stale-cpu-read", routine="FlushAdapterBuffersEx"):
            board.read(flight.buffer)
        base = granted(board, flight.adapter)
        assert flight.adapter.MapTransferEx(flight.mdl, base, WriteToDevice=False).status == OK
        with board.expect("not-your-buffer"):  # and nothing stale is in it
            board.read(flight.buffer)
        assert len(board.findings()) == 2


class TestMisuse:
    """Whatever is handed in, the shim survives and says what the rules say."""

    @pytest.mark.parametrize("address", GARBAGE, ids=hex)
    def test_what_is_no_adapter_is_refused(self, board: Board, address: int) -> None:
        """GEN-04, GEN-05: by every routine, with a violation."""
        refuse_everything(board, DmaAdapter(board.dma, address), 0x18 if address else 0x19)

    def test_a_released_adapter_is_refused(self, board: Board) -> None:
        """GEN-05: also by those that come after it in the same place."""
        adapter = adapter_for(board, write=True)
        adapter.PutDmaAdapter()
        adapter_for(board, write=True)
        refuse_everything(board, adapter, 0x18)

    def test_a_channel_freed_twice_has_no_effect(self, board: Board) -> None:
        """FAC-05: violation 0x04; the channel of another one is not touched."""
        adapter, _, _ = mapped(board)
        other = adapter_for(board, write=True)
        with board.dma.irql(DISPATCH_LEVEL):
            with board.evidence.expect_violations(0x04):
                other.FreeAdapterChannel()
            adapter.FreeAdapterChannel()
            with board.evidence.expect_violations(0x04):
                adapter.FreeAdapterChannel()

    def test_a_channel_freed_while_mapped_is_stopped(self, board: Board) -> None:
        """FAC-04: violation 0x10, no callback, and the channel serves the next request."""
        flight = Flight.start(board, 256, write=False)
        with board.evidence.expect_violations(0x10):
            free_channel(board, flight.adapter)
        board.stream.receive_put(data(64))
        board.wait(1_000_000)
        assert flight.done.calls == []
        assert granted(board, flight.adapter)

    def test_an_adapter_released_while_in_use_gives_all_back(self, board: Board) -> None:
        """PDA-02, PDA-03: what it held is reclaimed, its transfer stopped."""
        flight = Flight.start(board, 256, write=False)
        with board.evidence.expect_violations(0x08, 0x09, 0x10):
            flight.adapter.PutDmaAdapter()
        assert granted(board, adapter_for(board, write=False))
        assert flight.done.calls == []

    @pytest.mark.parametrize(
        ("address", "violated"),
        [*((address, []) for address in (*UNREADABLE, ZEROES)), (0, [0x1F])],
        ids=str,
    )
    def test_what_is_no_mdl_is_refused(
        self, board: Board, address: int, violated: list[int]
    ) -> None:
        """MTX-01, MDL-08: a mapping of it is refused; the shim lives on."""
        adapter, _, base = mapped(board)
        with board.evidence.expect_violations(*violated):
            result = adapter.MapTransferEx(address, base, Length=64, WriteToDevice=True)
        assert result == (INVALID, 64)
        board.request("ping")

    @pytest.mark.parametrize("address", [*UNREADABLE, ZEROES, 0], ids=str)
    def test_what_is_no_mdl_is_neither_built_nor_freed(self, board: Board, address: int) -> None:
        """Routines without a status say so by violation 0x0E, and nothing is touched."""
        with board.evidence.expect_violations(0x0E, 0x0E, 0x0E):
            board.dma.MmBuildMdlForNonPagedPool(Mdl(address, 64))
            board.dma.IoFreeMdl(Mdl(address, 64))
            board.dma.KeFlushIoBuffers(address, ReadOperation=True, DmaOperation=True)

    def test_an_mdl_is_freed_once(self, board: Board) -> None:
        """What is freed twice, or what only looks like an MDL, is not freed again."""
        _, mdl = described(board, 64)
        board.dma.IoFreeMdl(mdl)
        with board.evidence.expect_violations(0x0E):
            board.dma.IoFreeMdl(mdl)

    def test_an_mdl_freed_while_mapped_is_missed_at_the_flush(self, board: Board) -> None:
        """GEN-12: violation 0x43; its memory is not touched."""
        flight = Flight.start(board, 64, write=True)
        finished(board, flight.done)
        board.dma.IoFreeMdl(flight.mdl)
        with board.evidence.expect_violations(0x43):
            flight.end()


def refuse_everything(board: Board, adapter: DmaAdapter, code: int) -> None:
    """Call every routine of an adapter that is none; each refuses, or does nothing."""
    _, mdl = described(board, 64)
    context = board.dma.allocate_context()
    calls: list[Callable[[], object]] = [
        lambda: adapter.GetDmaTransferInfo(mdl).status,
        lambda: adapter.InitializeDmaTransferContext(context),
        lambda: (
            adapter.AllocateAdapterChannelEx(
                context, 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            ).status
        ),
        lambda: adapter.MapTransferEx(mdl, 1, WriteToDevice=True).status,
        lambda: adapter.FlushAdapterBuffersEx(mdl, 1, 0, 64, WriteToDevice=True),
        adapter.FreeAdapterChannel,
        adapter.PutDmaAdapter,
    ]
    with board.dma.irql(DISPATCH_LEVEL):
        for call in calls:
            with board.expect("violation", code=code):
                assert call() in {INVALID, None}
    board.request("ping")


def test_the_device_address_may_come_with_the_mapping(board: Board) -> None:
    """IGA-22, MTX-33: DeviceAddress and DeviceOffset are added."""
    adapter = board.IoGetDmaAdapter(
        DmaWidth=DmaWidth.Width32Bits, DmaRequestLine=board.machine.stream.transmit
    )
    assert adapter is not None
    buffer, mdl = described(board, 256)
    board.write(buffer, data(256))
    base, done = granted(board, adapter), Completions(board)
    arm(board, write=True)
    register = board.machine.stream.base + Register.DATA
    result = adapter.MapTransferEx(
        mdl, base, DeviceOffset=register, WriteToDevice=True, DmaCompletionRoutine=done
    )
    assert result == (OK, 256)
    finished(board, done)
    board.wait(1_000_000)
    assert board.stream.sent_take() == data(256)
