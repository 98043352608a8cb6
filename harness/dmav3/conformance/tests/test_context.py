# SPDX-License-Identifier: Apache-2.0
"""InitializeDmaTransferContext: the opaque buffer of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.wdm import DISPATCH_LEVEL, DMA_TRANSFER_CONTEXT_SIZE_V1, IoAllocationAction, NtStatus

from .driver import (
    Completions,
    adapter_for,
    bus_master,
    context_for,
    described,
    finished,
    free_channel,
    granted_with,
    moved,
)

if TYPE_CHECKING:
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
#: Bytes behind a context that belong to somebody else.
GUARD = 64


def keep(_device: int, _irp: int, _base: int, _context: object) -> int:
    """Return KeepObject: the least that an AdapterControl can do."""
    return IoAllocationAction.KeepObject


def raw_context(shim: Shim, contents: bytes = b"") -> int:
    """Return memory of a context's size that nobody has initialised, and a guard behind it."""
    block = shim.request("allocate", DMA_TRANSFER_CONTEXT_SIZE_V1 + GUARD).number("address")
    shim.memory.cpu_store(
        block, contents.ljust(DMA_TRANSFER_CONTEXT_SIZE_V1, b"\xff") + b"\x77" * GUARD
    )
    return block


def contents(shim: Shim, context: int) -> bytes:
    """Return what is in a context."""
    return shim.memory.look(context, DMA_TRANSFER_CONTEXT_SIZE_V1)


@pytest.mark.dmav3_rule("ITC-01", "ITC-06")
@pytest.mark.parametrize(
    "before", [bytes(128), b"\xff" * 128, moved(128)], ids=["zeroes", "ones", "random"]
)
def test_a_buffer_is_filled_whatever_was_in_it(shim: Shim, before: bytes) -> None:
    """Its contents change, and a request can be made with it."""
    adapter, context = adapter_for(shim, write=True), raw_context(shim, before)
    assert adapter.InitializeDmaTransferContext(context) == OK
    assert contents(shim, context) != before
    assert granted_with(shim, adapter, context)


@pytest.mark.dmav3_rule("ITC-06", "STM-03")
def test_a_context_that_was_used_can_be_used_again(shim: Shim) -> None:
    """Any number of times, each after it was initialised."""
    adapter, context = adapter_for(shim, write=True), raw_context(shim)
    for _ in range(3):
        assert adapter.InitializeDmaTransferContext(context) == OK
        assert granted_with(shim, adapter, context)
        free_channel(shim, adapter)


@pytest.mark.dmav3_rule("ITC-02")
def test_nothing_behind_a_context_is_written(shim: Shim) -> None:
    """By no routine that takes one: they are 128 bytes on a 64-bit target."""
    assert shim.dma.pointer_size == 8
    adapter, master = adapter_for(shim, write=True), bus_master(shim)
    context, (_, mdl) = raw_context(shim), described(shim, 256)
    assert adapter.InitializeDmaTransferContext(context) == OK
    granted_with(shim, adapter, context)
    assert not adapter.CancelAdapterChannel(context)
    assert adapter.CancelMappedTransfer(context) == OK
    free_channel(shim, adapter)
    assert adapter.InitializeDmaTransferContext(context) == OK
    assert adapter.CancelAdapterChannel(context)
    assert master.InitializeDmaTransferContext(context) == OK
    with shim.dma.irql(DISPATCH_LEVEL):
        built = master.GetScatterGatherListEx(
            context, mdl, Flags=1, WriteToDevice=True, ScatterGatherList=True
        )
        assert built.status == OK
        master.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        master.PutScatterGatherList(built.ScatterGatherList, WriteToDevice=True)
    assert shim.memory.look(context + DMA_TRANSFER_CONTEXT_SIZE_V1, GUARD) == b"\x77" * GUARD


@pytest.mark.dmav3_rule("ITC-03")
def test_null_is_refused(shim: Shim) -> None:
    """STATUS_INVALID_PARAMETER."""
    assert adapter_for(shim, write=True).InitializeDmaTransferContext(0) == INVALID


@pytest.mark.dmav3_rule("ITC-04")
@pytest.mark.parametrize("offset", [1, 2, 4, 7])
def test_a_misaligned_buffer_is_refused(shim: Shim, offset: int) -> None:
    """STATUS_INVALID_PARAMETER, and nothing is written: it must be aligned for 64 bits."""
    adapter, context = adapter_for(shim, write=True), raw_context(shim)
    before = contents(shim, context)
    assert adapter.InitializeDmaTransferContext(context + offset) == INVALID
    assert contents(shim, context) == before


@pytest.mark.dmav3_rule("ITC-04")
@pytest.mark.parametrize("address", [0x40000000, 0xFFFF_FFFF_FFFF_FFF8])
def test_what_is_no_memory_is_refused(shim: Shim, address: int) -> None:
    """STATUS_INVALID_PARAMETER."""
    assert adapter_for(shim, write=True).InitializeDmaTransferContext(address) == INVALID


@pytest.mark.dmav3_rule("ITC-05", "STM-02")
def test_concurrent_requests_need_a_context_each(shim: Shim) -> None:
    """The second with the same one is refused with violation 0x40; with its own it is not."""
    first, second = (adapter_for(shim, write=True, channel=number) for number in (0, 1))
    context = context_for(shim, first)
    granted_with(shim, first, context)
    with shim.dma.irql(DISPATCH_LEVEL):
        with shim.evidence.expect_violations(0x40):
            refused = second.AllocateAdapterChannelEx(context, 1, 0, keep)
        assert refused.status == INVALID
    assert granted_with(shim, second, context_for(shim, second))


@pytest.mark.dmav3_rule("ITC-07", "CAC-12")
def test_initialising_again_clears_a_cancelled_allocation(shim: Shim) -> None:
    """Until then the context is refused, time and again."""
    adapter = adapter_for(shim, write=True)
    context = context_for(shim, adapter)
    assert adapter.CancelAdapterChannel(context)
    with shim.dma.irql(DISPATCH_LEVEL):
        for _ in range(2):
            refused = adapter.AllocateAdapterChannelEx(context, 1, 0, keep)
            assert refused.status == NtStatus.STATUS_CANCELLED
    assert adapter.InitializeDmaTransferContext(context) == OK
    assert granted_with(shim, adapter, context)


@pytest.mark.dmav3_rule("ITC-07", "CMT-02")
def test_initialising_again_clears_the_mark_of_a_cancelled_transfer(shim: Shim) -> None:
    """The next request of the context maps."""
    adapter, (_, mdl) = adapter_for(shim, write=True), described(shim, 256)
    context = context_for(shim, adapter)
    base = granted_with(shim, adapter, context)
    assert adapter.CancelMappedTransfer(context) == OK
    refused = adapter.MapTransferEx(mdl, base, WriteToDevice=True)
    assert refused == (NtStatus.STATUS_CANCELLED, 256)
    free_channel(shim, adapter)
    assert adapter.InitializeDmaTransferContext(context) == OK
    base = granted_with(shim, adapter, context)
    assert adapter.MapTransferEx(mdl, base, WriteToDevice=True) == (OK, 256)


class TestLiveRequest:
    """The context of a request that lives is not overwritten, in whatever state it is."""

    def refused(self, shim: Shim, adapter: DmaAdapter, context: int) -> None:
        """Try, and see the violation and the same contents."""
        before = contents(shim, context)
        with shim.expect("violation", code=0x40, routine="InitializeDmaTransferContext"):
            assert adapter.InitializeDmaTransferContext(context) == INVALID
        assert contents(shim, context) == before

    @pytest.mark.dmav3_rule("ITC-08")
    def test_while_it_waits(self, shim: Shim) -> None:
        """It waits for the channel, and is granted afterwards."""
        owner, adapter = adapter_for(shim, write=True), adapter_for(shim, write=False)
        granted_with(shim, owner, context_for(shim, owner))
        context = context_for(shim, adapter)
        entered: list[int] = []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            entered.append(base)
            return IoAllocationAction.KeepObject

        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, 1, 0, control).status == OK
        self.refused(shim, adapter, context)
        free_channel(shim, owner)
        assert len(entered) == 1

    @pytest.mark.dmav3_rule("ITC-08")
    def test_from_the_grant_to_the_end(self, shim: Shim) -> None:
        """Granted, running, ended and not flushed; free of it, it can be initialised."""
        adapter, (_, mdl) = adapter_for(shim, write=True), described(shim, 256)
        context, done = context_for(shim, adapter), Completions(shim)
        base = granted_with(shim, adapter, context)
        self.refused(shim, adapter, context)
        mapped = adapter.MapTransferEx(mdl, base, WriteToDevice=True, DmaCompletionRoutine=done)
        assert mapped == (OK, 256)
        self.refused(shim, adapter, context)
        assert adapter.CancelMappedTransfer(context) == OK
        self.refused(shim, adapter, context)
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 256, WriteToDevice=True) == OK
        self.refused(shim, adapter, context)
        free_channel(shim, adapter)
        assert adapter.InitializeDmaTransferContext(context) == OK

    @pytest.mark.dmav3_rule("ITC-08")
    def test_when_its_transfer_has_ended(self, scripted: Shim) -> None:
        """Done, until it is flushed and its channel freed."""
        adapter, (_, mdl) = adapter_for(scripted, write=True), described(scripted, 256)
        context, done = context_for(scripted, adapter), Completions(scripted)
        base = granted_with(scripted, adapter, context)
        adapter.MapTransferEx(mdl, base, WriteToDevice=True, DmaCompletionRoutine=done)
        finished(scripted, done)
        self.refused(scripted, adapter, context)

    @pytest.mark.dmav3_rule("ITC-08")
    @pytest.mark.parametrize("byte", [0x00, 0xA5, 0xFF], ids=hex)
    def test_whose_memory_was_overwritten(self, shim: Shim, byte: int) -> None:
        """It is known by its address, not by what is in it."""
        adapter = adapter_for(shim, write=True)
        context = context_for(shim, adapter)
        granted_with(shim, adapter, context)
        shim.request("fill", context, DMA_TRANSFER_CONTEXT_SIZE_V1, byte)
        self.refused(shim, adapter, context)

    @pytest.mark.dmav3_rule("ITC-08")
    def test_memory_that_only_looks_like_it(self, shim: Shim) -> None:
        """A copy of a live context is not live: it can be initialised, and the request goes on."""
        adapter = adapter_for(shim, write=True)
        context = context_for(shim, adapter)
        granted_with(shim, adapter, context)
        copy = raw_context(shim, contents(shim, context))
        assert adapter.InitializeDmaTransferContext(copy) == OK
        self.refused(shim, adapter, context)


@pytest.mark.dmav3_rule("ITC-09")
def test_a_context_serves_any_adapter(shim: Shim) -> None:
    """Initialised by one, used by another; a cancel names the adapter of the request."""
    first, second = adapter_for(shim, write=True), adapter_for(shim, write=False)
    context, owned = context_for(shim, first), context_for(shim, first)
    granted_with(shim, first, owned)
    with shim.dma.irql(DISPATCH_LEVEL):
        assert second.AllocateAdapterChannelEx(context, 1, 0, keep).status == OK
    with shim.evidence.expect_violations(0x4C):
        assert not first.CancelAdapterChannel(context)
    assert second.CancelAdapterChannel(context)


@pytest.mark.dmav3_rule("ITC-10")
def test_an_idle_context_holds_nothing(shim: Shim) -> None:
    """It may simply be forgotten."""
    adapter = adapter_for(shim, write=True)
    before = shim.layer.counters()
    for _ in range(50):
        shim.request("release", context_for(shim, adapter))
    assert shim.layer.counters() == before
