# SPDX-License-Identifier: Apache-2.0
"""Requests for a channel and map registers: who waits, who is called and how, how they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    bus_master,
    context_for,
    described,
    entries,
    finished,
    free_channel,
    granted,
    quiet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
#: All map registers that there are.
ALL = 64
PAGE = 4096
KEEP, DEALLOCATE, KEEP_REGISTERS = IoAllocationAction
IRP = 0x1230


@dataclass
class Control:
    """An AdapterControl that remembers how it was called.

    :ivar calls: (device, irp, MapRegisterBase, context) of each call.
    :ivar levels: the IRQL in it.
    """

    shim: Shim
    action: int = KEEP
    then: Callable[[], object] = lambda: None
    calls: list[tuple[int, int, int, object]] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)

    def __call__(self, device: int, irp: int, base: int, context: object) -> int:
        """Note the call."""
        self.calls.append((device, irp, base, context))
        self.levels.append(self.shim.request("KeGetCurrentIrql").number("irql"))
        self.then()
        return self.action

    @property
    def contexts(self) -> list[object]:
        """The context of each call."""
        return [call[3] for call in self.calls]

    @property
    def base(self) -> int:
        """The handle of the last call."""
        return self.calls[-1][2]


def ask(
    shim: Shim, adapter: DmaAdapter, control: Control, context: object = None, registers: int = 1
) -> int:
    """Make an asynchronous request; return its transfer context."""
    made = context_for(shim, adapter)
    with shim.dma.irql(DISPATCH_LEVEL):
        status = adapter.AllocateAdapterChannelEx(made, registers, 0, control, context).status
    assert status == OK
    return made


def ask_now(shim: Shim, adapter: DmaAdapter, registers: int = 1) -> NtStatus:
    """Make a synchronous request."""
    with shim.dma.irql(DISPATCH_LEVEL):
        return adapter.AllocateAdapterChannelEx(
            context_for(shim, adapter), registers, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
        ).status


class TestQueue:
    """Who waits for whom."""

    @pytest.mark.dmav3_rule("QUE-11")
    def test_adapters_of_one_channel_share_it(self, shim: Shim) -> None:
        """While one owns it another one waits, or is refused; that of another channel does not."""
        first, second, control = quiet(shim), quiet(shim, DmaRequestLine=1), Control(shim)
        granted(shim, first)
        assert ask_now(shim, second) == NO_RESOURCES
        ask(shim, second, control)
        assert (control.calls, shim.layer.channel_state(0).waiting) == ([], 1)
        assert ask_now(shim, quiet(shim, DmaChannel=1)) == OK
        free_channel(shim, first)
        assert len(control.calls) == 1
        assert shim.layer.channel_state(0).owner == second.address
        assert ask_now(shim, first) == NO_RESOURCES

    @pytest.mark.dmav3_rule("QUE-15")
    @pytest.mark.parametrize("master", [0, 1])
    def test_each_request_is_called_once_or_cancelled(self, shim: Shim, master: int) -> None:
        """Never both, never neither, whichever of those that wait are cancelled."""
        adapter, control = quiet(shim, Master=master), Control(shim)
        granted(shim, adapter)
        contexts = [ask(shim, adapter, control, number) for number in range(6)]
        cancelled = {n for n in (0, 3, 5) if adapter.CancelAdapterChannel(contexts[n])}
        assert cancelled == {0, 3, 5}
        for called in (1, 2, 3):
            free_channel(shim, adapter)
            assert len(control.calls) == called
        free_channel(shim, adapter)
        assert control.contexts == [1, 2, 4]
        assert not any(adapter.CancelAdapterChannel(contexts[n]) for n in (1, 2, 4))
        shim.wait(1_000_000)
        assert len(control.calls) == 3

    @pytest.mark.dmav3_rule("FMR-06")
    def test_freed_registers_are_for_who_waits(self, shim: Shim) -> None:
        """Before FreeMapRegisters returns."""
        keeper, waiting = bus_master(shim), Control(shim)
        kept = Control(shim, KEEP_REGISTERS)
        ask(shim, keeper, kept, registers=ALL)
        ask(shim, quiet(shim), waiting, registers=ALL)
        assert waiting.calls == []
        with shim.dma.irql(DISPATCH_LEVEL), entries(shim) as entered:
            keeper.FreeMapRegisters(kept.base, ALL)
            assert len(waiting.calls) == 1
        assert entered[:2] == ["FreeMapRegisters", "AdapterControl"]


class TestVersion1:
    """AllocateAdapterChannel."""

    @pytest.mark.dmav3_rule("AAC-03")
    @pytest.mark.parametrize(("pages", "careful"), [(1, True), (2, True), (9, True), (9, False)])
    def test_the_registers_to_ask_for(self, shim: Shim, pages: int, *, careful: bool) -> None:
        """The fewer of those needed and the maximum; with more there is no grant at all."""
        adapter, control = quiet(shim, MaximumLength=4 * PAGE), Control(shim)
        buffer, mdl = described(shim, pages * PAGE)
        asked = min(pages, adapter.NumberOfMapRegisters) if careful else pages
        with (
            shim.dma.irql(DISPATCH_LEVEL),
            shim.evidence.expect_violations(*([] if careful else [0x0C])),
        ):
            status = adapter.AllocateAdapterChannel(asked, control)
        assert (status, len(control.calls)) == ((OK, 1) if careful else (NO_RESOURCES, 0))
        if careful:
            size = min(pages, 5) * PAGE
            piece = adapter.MapTransfer(mdl, control.base, buffer.address, size, WriteToDevice=True)
            assert piece.Length == size

    @pytest.mark.dmav3_rule("AAC-04")
    @pytest.mark.parametrize("master", [0, 1])
    def test_a_request_of_several_mappings(self, shim: Shim, master: int) -> None:
        """Nobody else has its channel and registers before, between and after them."""
        adapter, control = quiet(shim, Master=master), Control(shim)
        other = bus_master(shim)
        buffer, mdl = described(shim, 3 * PAGE)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannel(ALL, control) == OK
        for at in range(0, 3 * PAGE, PAGE):
            assert ask_now(shim, adapter, 0) == NO_RESOURCES
            assert ask_now(shim, other) == NO_RESOURCES
            where = buffer.address + at
            piece = adapter.MapTransfer(mdl, control.base, where, PAGE, WriteToDevice=True)
            assert piece.Length == PAGE
            assert ask_now(shim, adapter, 0) == NO_RESOURCES
            assert ask_now(shim, other) == NO_RESOURCES
            with shim.evidence.expect_violations(*([] if master else [0x23])):
                assert adapter.FlushAdapterBuffers(
                    mdl, control.base, where, PAGE, WriteToDevice=True
                )
        free_channel(shim, adapter)
        assert ask_now(shim, other, ALL) == OK

    @pytest.mark.dmav3_rule("AAC-08")
    def test_a_request_without_a_context_cannot_be_cancelled(self, shim: Shim) -> None:
        """No context names it: neither NULL nor any other does."""
        adapter, control, other = quiet(shim), Control(shim), Control(shim)
        granted(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannel(1, control) == OK
        waiting = ask(shim, adapter, other)
        raw = shim.dma.allocate_context()
        results = [adapter.CancelAdapterChannel(one) for one in (0, shim.dma.device, raw, waiting)]
        assert results == [False, False, False, True]
        free_channel(shim, adapter)
        assert (len(control.calls), other.calls) == (1, [])


class TestRoutine:
    """AdapterControl and AdapterListControl."""

    @pytest.mark.dmav3_rule("ADC-01", "ADC-02")
    @pytest.mark.parametrize("v1", [False, True])
    @pytest.mark.parametrize("waits", [False, True])
    @pytest.mark.parametrize("irp", [0, IRP])
    def test_what_it_gets(self, shim: Shim, irp: int, *, waits: bool, v1: bool) -> None:
        """Device object, its CurrentIrp as of the request, a live handle, the context; once."""
        adapter, control = quiet(shim), Control(shim)
        if waits:
            granted(shim, adapter)
        device = shim.dma.allocate_device(CurrentIrp=irp)
        context = context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            if v1:
                adapter.AllocateAdapterChannel(2, control, "mine", DeviceObject=device)
            else:
                adapter.AllocateAdapterChannelEx(
                    context, 2, 0, control, "mine", DeviceObject=device
                )
        shim.dma.set_current_irp(device, 0x4560)
        if waits:
            assert control.calls == []
            free_channel(shim, adapter)
        assert control.calls == [(device, irp, control.base, "mine")]
        assert control.base == shim.layer.channel_state(0).handle != 0
        assert control.levels == [DISPATCH_LEVEL]

    @pytest.mark.dmav3_rule("ALC-02", "ALC-04", "GEN-08")
    @pytest.mark.parametrize("irp", [0, IRP])
    def test_what_the_list_routine_gets(self, shim: Shim, irp: int) -> None:
        """The Irp of a driver that has one; at DISPATCH_LEVEL, in whoever's call made room."""
        adapter, (buffer, mdl) = bus_master(shim), described(shim, 256)
        device, calls = shim.dma.allocate_device(CurrentIrp=irp), list[tuple[int, int, int]]()

        def control(device: int, irp: int, made: int, _context: object) -> None:
            assert shim.dma.read_list(made) == [(buffer.address, 256)]
            calls.append((device, irp, shim.request("KeGetCurrentIrql").number("irql")))

        assert ask_now(shim, adapter) == OK
        with shim.dma.irql(DISPATCH_LEVEL):
            status = adapter.GetScatterGatherList(
                mdl, buffer.address, 256, control, WriteToDevice=True, DeviceObject=device
            )
        assert (status, calls) == (OK, [])
        with entries(shim) as entered:
            adapter.FreeAdapterObject(DEALLOCATE)
        assert calls == [(device, irp, DISPATCH_LEVEL)]
        assert entered[:2] == ["FreeAdapterObject", "AdapterListControl"]

    @pytest.mark.dmav3_rule("ADC-07")
    @pytest.mark.parametrize("action", [KEEP, KEEP_REGISTERS])
    def test_what_a_bus_master_returns(self, shim: Shim, action: int) -> None:
        """It maps either way; with KeepObject no other request comes between."""
        bench, control = Bench.of_master(shim), Control(shim, action)
        free_channel(shim, bench.adapter)
        ask(shim, bench.adapter, control)
        assert ask_now(shim, bench.adapter) == (NO_RESOURCES if action == KEEP else OK)
        bench.base = control.base
        assert bench.map() == (OK, 256)
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("ADC-12")
    def test_the_handle_that_it_saves(self, shim: Shim) -> None:
        """It maps, flushes and frees what its own request was given; another's does not."""
        bench, control = Bench.of_master(shim), Control(shim, KEEP_REGISTERS)
        free_channel(shim, bench.adapter)
        for _ in range(2):
            ask(shim, bench.adapter, control, registers=2)
        first, second = (call[2] for call in control.calls)
        bench.base = first
        assert bench.map() == (OK, 256)
        bench.base = second
        with shim.evidence.expect_violations(0x16):
            bench.flush(256)
        assert shim.layer.counters().mappings == 1
        bench.base = first
        assert bench.flush(256) == OK
        assert shim.layer.counters().mappings == 0
        with shim.dma.irql(DISPATCH_LEVEL):
            for left, handle in ((ALL - 2, first), (ALL, second)):
                bench.adapter.FreeMapRegisters(handle, 2)
                assert shim.layer.counters().free_map_registers == left


class TestFreeAdapterChannel:
    """How a request ends that kept its channel."""

    @pytest.mark.dmav3_rule("FAC-01", "FAC-02")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("as_object", [False, True])
    def test_everything_is_given_back(self, shim: Shim, master: int, *, as_object: bool) -> None:
        """Channel and all registers, as by FreeAdapterObject with DeallocateObject."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 64)[1], registers=ALL)
        assert shim.layer.channel_state(bench.adapter)[:2] == (bench.adapter.address, bench.base)
        with shim.dma.irql(DISPATCH_LEVEL):
            if as_object:
                bench.adapter.FreeAdapterObject(DEALLOCATE)
            else:
                bench.adapter.FreeAdapterChannel()
        assert shim.layer.channel_state(bench.adapter) == (0, 0, 0)
        counters = shim.layer.counters()
        assert (counters.free_map_registers, counters.requests) == (ALL, 0)
        with shim.evidence.expect_violations(0x4D):
            assert bench.map().status == INVALID

    @pytest.mark.dmav3_rule("FAC-03", "FAC-06")
    @pytest.mark.parametrize("action", [None, KEEP, DEALLOCATE, KEEP_REGISTERS])
    def test_it_is_for_who_kept_the_channel(self, shim: Shim, action: int | None) -> None:
        """By KeepObject, or a synchronous request without a routine; else violation 0x04."""
        adapter, control = bus_master(shim), Control(shim, action or KEEP)
        if action is None:
            assert ask_now(shim, adapter) == OK
        else:
            ask(shim, adapter, control)
        with shim.evidence.expect_violations(*([] if action in {None, KEEP} else [0x04])):
            free_channel(shim, adapter)
        assert shim.layer.counters().requests == (action == KEEP_REGISTERS)

    @pytest.mark.dmav3_rule("FAC-04")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("flushed", [True, False])
    def test_the_last_flush_comes_first(self, shim: Shim, master: int, *, flushed: bool) -> None:
        """Else violation 0x10; a transfer is stopped before its channel is free."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 256)[1])
        assert bench.map() == (OK, 256)
        if flushed:
            if not master:
                assert bench.adapter.CancelMappedTransfer(bench.context) == OK
            assert bench.flush(256) == OK
        with (
            shim.evidence.expect_violations(*([] if flushed else [0x10])),
            entries(shim) as entered,
        ):
            free_channel(shim, bench.adapter)
        assert ("CancelTransfer" in entered) == (not flushed and not master)
        assert shim.layer.counters().mappings == 0
        assert Bench(shim, bench.adapter, bench.mdl).map() == (OK, 256)


class TestCancel:
    """CancelAdapterChannel."""

    @pytest.mark.dmav3_rule("CAC-02")
    def test_a_routine_that_runs_or_has_run(self, shim: Shim) -> None:
        """FALSE, and it goes on as if nothing had been."""
        adapter, results = quiet(shim), list[bool]()
        control = Control(shim, then=lambda: results.append(adapter.CancelAdapterChannel(context)))
        granted(shim, adapter)
        context = ask(shim, adapter, control)
        free_channel(shim, adapter)
        assert results == [False]
        assert not adapter.CancelAdapterChannel(context)
        assert shim.layer.channel_state(0).handle == control.base
        mdl = described(shim, 256)[1]
        assert adapter.MapTransferEx(mdl, control.base, WriteToDevice=True) == (OK, 256)

    @pytest.mark.dmav3_rule("CAC-02")
    def test_a_routine_that_is_about_to_be_called(self, shim: Shim) -> None:
        """What it waited for is free, another one has to return first: FALSE if it then runs."""
        first, second = quiet(shim), quiet(shim, DmaChannel=1)
        later, results = Control(shim), list[bool]()

        def make_room() -> None:
            free_channel(shim, second)
            results.append(second.CancelAdapterChannel(context))

        granted(shim, first)
        granted(shim, second)
        context = ask(shim, second, later)
        ask(shim, first, Control(shim, then=make_room))
        free_channel(shim, first)
        shim.wait(1_000_000)
        assert [not later.calls] == results

    @pytest.mark.dmav3_rule("CAC-04")
    def test_a_request_to_come(self, shim: Shim) -> None:
        """TRUE; it is refused and never called, until the context is initialised again."""
        adapter, control = quiet(shim), Control(shim)
        context = context_for(shim, adapter)
        assert adapter.CancelAdapterChannel(context)
        with shim.dma.irql(DISPATCH_LEVEL):
            for flags in (0, DMA_SYNCHRONOUS_CALLBACK):
                refused = adapter.AllocateAdapterChannelEx(context, 1, flags, control).status
                assert not refused.success
            assert control.calls == []
            assert adapter.InitializeDmaTransferContext(context) == OK
            assert adapter.AllocateAdapterChannelEx(context, 1, 0, control).status == OK
        assert len(control.calls) == 1

    @pytest.mark.dmav3_rule("CAC-11")
    def test_a_mapping(self, shim: Shim) -> None:
        """FALSE; its transfer goes on, ends as it would have, and is flushed."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        with entries(shim) as entered:
            assert not bench.adapter.CancelAdapterChannel(bench.context)
            shim.wait(1_000_000)
        assert (entered, done.calls) == (["CancelAdapterChannel"], [])
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        finished(shim, done)
        assert bench.flush(256) == OK
