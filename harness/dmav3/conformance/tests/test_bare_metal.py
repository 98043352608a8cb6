# SPDX-License-Identifier: Apache-2.0
"""What is different where there is no operating system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.elf.image import read_elf
from dmav3.errors import ImageError, TargetError
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DmaCompletionStatus,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    bus_master,
    context_for,
    described,
    entries,
    free_channel,
    granted_with,
    quiet,
)
from .owner import uncached

if TYPE_CHECKING:
    from pathlib import Path

    from dmav3 import Board
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
CHANNELS = 8
#: Map registers in all, and bytes of an ELF's e_ident that say which end is first.
ALL = 64
EI_DATA, BIG_ENDIAN = 5, 2


class TestRequests:
    """One core: nothing happens between two lines of the layer."""

    @pytest.mark.dmav3_rule("BMT-03")
    def test_a_request_is_queued_or_granted(self, shim: Shim) -> None:
        """Cancelled while it is queued: TRUE; once its routine is entered: FALSE."""
        owner, adapter = Bench.of_subordinate(shim), quiet(shim)
        contexts = [context_for(shim, adapter) for _ in range(2)]
        seen: list[tuple[int, bool]] = []

        def control(_device: int, _irp: int, _base: int, index: object) -> int:
            assert isinstance(index, int)
            seen.append((index, adapter.CancelAdapterChannel(contexts[index])))
            return IoAllocationAction.KeepObject

        with shim.dma.irql(DISPATCH_LEVEL):
            for index, context in enumerate(contexts):
                status, _ = adapter.AllocateAdapterChannelEx(context, 1, 0, control, index)
                assert status == OK
        assert adapter.CancelAdapterChannel(contexts[0])
        free_channel(shim, owner.adapter)
        assert seen == [(1, False)]
        free_channel(shim, adapter)

    @pytest.mark.dmav3_rule("BMT-12")
    def test_what_a_callback_finds(self, shim: Shim) -> None:
        """All is as it will stay: owner, counters, transfer; and it may end all, and begin anew."""
        adapter, (_, mdl) = quiet(shim), described(shim, 256)
        first, second = (context_for(shim, adapter) for _ in range(2))
        idle, done = shim.layer.counters(), Completions(shim)
        states = []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            state = shim.layer.channel_state(adapter)
            assert (state.owner, state.handle, state.waiting) == (adapter.address, base, 0)
            states.append(shim.layer.counters())
            assert adapter.MapTransferEx(
                mdl, base, WriteToDevice=True, DmaCompletionRoutine=done
            ) == (OK, 256)
            states.append(shim.layer.counters())
            assert adapter.CancelMappedTransfer(first) == OK
            flushed = adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=True)
            assert flushed == OK
            adapter.FreeAdapterChannel()
            assert shim.layer.counters() == idle
            assert adapter.AllocateAdapterChannelEx(second, 2, 0, again).status == OK
            states.append(shim.layer.counters())
            return IoAllocationAction.KeepObject

        def again(*_: object) -> int:
            states.append(shim.layer.counters())
            return IoAllocationAction.KeepObject

        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(first, 2, 0, control).status == OK
        shim.wait(1_000_000)
        kept = idle._replace(free_map_registers=idle.free_map_registers - 2, requests=1)
        assert states == [kept, kept._replace(mappings=1), idle._replace(requests=1), kept]
        assert shim.layer.counters() == kept
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaCancelled]
        free_channel(shim, adapter)
        assert shim.layer.counters() == idle

    @pytest.mark.dmav3_rule("BMT-09")
    def test_the_pool(self, shim: Shim) -> None:
        """It has what it had at the start: who wants more waits for who gives back."""
        first, second = bus_master(shim), bus_master(shim)
        contexts = [context_for(shim, first), context_for(shim, second)]
        assert shim.layer.counters().free_map_registers == ALL
        granted_with(shim, first, contexts[0], ALL)
        assert shim.layer.counters().free_map_registers == 0
        with entries(shim) as entered, shim.dma.irql(DISPATCH_LEVEL):
            status, _ = second.AllocateAdapterChannelEx(
                contexts[1], 1, 0, lambda *_: IoAllocationAction.DeallocateObject
            )
            assert status == OK
        shim.wait(1_000_000_000)
        assert entered == ["AllocateAdapterChannelEx"]
        now = shim.layer.counters()
        assert (now.free_map_registers, now.waiting_for_registers) == (0, 1)
        free_channel(shim, first)
        assert shim.layer.counters().free_map_registers == ALL


class TestCompletion:
    """Deferred calls."""

    @pytest.mark.dmav3_rule("BMT-07")
    @pytest.mark.parametrize("rounds", [2, 4])
    def test_all_channels_end_before_any_routine_runs(self, shim: Shim, rounds: int) -> None:
        """However many have ended before the level drops, each has its call, and in order."""
        adapters = [quiet(shim, DmaChannel=channel) for channel in range(CHANNELS)]
        _, mdl = described(shim, 64)
        done = Completions(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            for adapter in adapters * rounds:
                context = context_for(shim, adapter)
                base = granted_with(shim, adapter, context, 0)
                mapped = adapter.MapTransferEx(
                    mdl, base, WriteToDevice=True, DmaCompletionRoutine=done
                )
                assert mapped == (OK, 64)
                assert adapter.CancelMappedTransfer(context) == OK
                flushed = adapter.FlushAdapterBuffersEx(mdl, base, 0, 64, WriteToDevice=True)
                assert flushed == OK
                adapter.FreeAdapterChannel()
            assert done.calls == []
        assert [call[0] for call in done.calls] == adapters * rounds
        assert {call[3] for call in done.calls} == {DmaCompletionStatus.DmaCancelled}

    @pytest.mark.dmav3_rule("BMT-10")
    def test_what_never_ends(self, shim: Shim) -> None:
        """A wait for it is bounded in model time, and then an error of the target."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        before = shim.evidence.time_ns
        with pytest.raises(TargetError, match="within 5000000 ns"):
            shim.dma.run_until(lambda: bool(done.calls), 5_000_000)
        assert 5_000_000 <= shim.evidence.time_ns - before < 50_000_000


class TestCore:
    """The processor."""

    @pytest.mark.dmav3_rule("BMT-13")
    def test_copies_to_device_memory(self, board: Board) -> None:
        """They keep to aligned accesses at any start and length: none faults, all is there."""
        buffer = uncached(board, 10_000)
        board.fill(buffer, 0)
        board.request("fill", buffer.address + 1, 4_098, 7)
        board.request("copy", buffer.address + 5_003, buffer.address, 3)
        assert board.dram.read(buffer.address, 4_100) == bytes([0, *[7] * 4_098, 0])
        assert board.dram.read(buffer.address + 5_002, 5) == bytes([0, 0, 7, 7, 0])
        for start in range(8):
            for length in range(1, 18):
                board.request("copy", buffer.address + 8_000 + start, buffer.address, length)

    @pytest.mark.dmav3_rule("BMT-17")
    def test_a_big_endian_image(self, board: Board, tmp_path: Path) -> None:
        """It is refused by name; the same one, little-endian, runs."""
        content = bytearray(board.image.path.read_bytes())
        assert content[EI_DATA] != BIG_ENDIAN
        content[EI_DATA] = BIG_ENDIAN
        image = tmp_path / "big.elf"
        image.write_bytes(content)
        with pytest.raises(ImageError, match=r"big\.elf"):
            read_elf(image, "EM_AARCH64")
