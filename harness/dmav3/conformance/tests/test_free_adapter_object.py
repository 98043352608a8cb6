# SPDX-License-Identifier: Apache-2.0
"""FreeAdapterObject: what each action gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    PASSIVE_LEVEL,
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
    quiet,
    sizes,
)

if TYPE_CHECKING:
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
#: All map registers that there are.
ALL = 64
KEEP, DEALLOCATE, KEEP_REGISTERS = IoAllocationAction


def request_is_granted(shim: Shim, adapter: DmaAdapter, registers: int) -> bool:
    """Tell whether a synchronous request has all that it needs, now; it gives it back."""
    with shim.dma.irql(DISPATCH_LEVEL):
        status = adapter.AllocateAdapterChannelEx(
            context_for(shim, adapter), registers, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
        ).status
        if status == OK:
            adapter.FreeAdapterChannel()
    assert status in {OK, NO_RESOURCES}
    return status == OK


class TestActions:
    """The table."""

    @pytest.mark.dmav3_rule("FAO-01")
    @pytest.mark.parametrize("master", [0, 1])
    def test_deallocate_object(self, shim: Shim, master: int) -> None:
        """Adapter and registers are free; the handle is none any more."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 64)[1], registers=ALL)
        other = bus_master(shim)
        assert not request_is_granted(shim, other, 1)
        bench.adapter.FreeAdapterObject(DEALLOCATE)
        assert request_is_granted(shim, bench.adapter, ALL)
        assert request_is_granted(shim, other, ALL)
        with shim.evidence.expect_violations(0x4D):
            assert bench.map().status == INVALID

    @pytest.mark.dmav3_rule("FAO-02")
    @pytest.mark.parametrize("master", [0, 1])
    def test_deallocate_object_keep_registers(self, shim: Shim, master: int) -> None:
        """The adapter is free, its registers only after FreeMapRegisters."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 64)[1], registers=ALL - 1)
        bench.adapter.FreeAdapterObject(KEEP_REGISTERS)
        assert request_is_granted(shim, bench.adapter, 1)
        assert not request_is_granted(shim, bench.adapter, 2)
        with shim.dma.irql(DISPATCH_LEVEL):
            bench.adapter.FreeMapRegisters(bench.base, ALL - 1)
        assert request_is_granted(shim, bench.adapter, ALL)

    @pytest.mark.dmav3_rule("FAO-03")
    @pytest.mark.parametrize("master", [0, 1])
    def test_keep_object(self, shim: Shim, master: int) -> None:
        """Nothing changes, owned or not, mapped or not."""
        bench = Bench(shim, quiet(shim, Master=master), described(shim, 64)[1], registers=ALL)
        bench.adapter.FreeAdapterObject(KEEP)
        assert not request_is_granted(shim, bench.adapter, 0)
        assert bench.map() == (OK, 64)
        with entries(shim) as entered:
            bench.adapter.FreeAdapterObject(KEEP)
        assert entered == ["FreeAdapterObject"]
        with shim.evidence.expect_violations(*([] if master else [0x23])):
            assert bench.flush(64) == OK
        bench.adapter.FreeAdapterObject(DEALLOCATE)
        bench.adapter.FreeAdapterObject(KEEP)

    @pytest.mark.dmav3_rule("FAO-06")
    @pytest.mark.parametrize("action", [0, 4, 0xFFFFFFFF])
    def test_an_unknown_action(self, shim: Shim, action: int) -> None:
        """Violation 0x46, and no effect."""
        bench = Bench.of_subordinate(shim)
        with shim.evidence.expect_violations(0x46):
            bench.adapter.FreeAdapterObject(action)
        assert not request_is_granted(shim, bench.adapter, 0)
        assert bench.map() == (OK, 256)

    @pytest.mark.dmav3_rule("FAO-05")
    @pytest.mark.parametrize("action", [DEALLOCATE, KEEP_REGISTERS])
    def test_an_adapter_that_nobody_holds(self, shim: Shim, action: int) -> None:
        """Violation 0x04; whoever holds the channel with another adapter keeps it."""
        bench, other = Bench.of_subordinate(shim), quiet(shim)
        with shim.evidence.expect_violations(0x04):
            other.FreeAdapterObject(action)
        assert bench.map() == (OK, 256)
        with shim.evidence.expect_violations(0x04, 0x10):
            bench.adapter.FreeAdapterObject(action)
            bench.adapter.FreeAdapterObject(action)


class TestRequests:
    """Which requests it ends, and who comes next."""

    @pytest.mark.dmav3_rule("FAO-04", "FAO-02")
    @pytest.mark.parametrize("build", [False, True])
    def test_a_list_request(self, shim: Shim, *, build: bool) -> None:
        """One without a routine holds the adapter until then; its list is put afterwards."""
        adapter, (buffer, mdl) = bus_master(shim), described(shim, 256)
        head, element = sizes(shim)
        memory = shim.request("allocate", 256).number("address")
        context = context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            if build:
                result = adapter.BuildScatterGatherListEx(
                    context,
                    mdl,
                    Flags=DMA_SYNCHRONOUS_CALLBACK,
                    WriteToDevice=True,
                    ScatterGatherBuffer=memory,
                    ScatterGatherLength=head + element,
                    ScatterGatherList=True,
                )
            else:
                result = adapter.GetScatterGatherListEx(
                    context,
                    mdl,
                    Flags=DMA_SYNCHRONOUS_CALLBACK,
                    WriteToDevice=True,
                    ScatterGatherList=True,
                )
            assert result.status == OK
            assert not request_is_granted(shim, adapter, 0)
            adapter.FreeAdapterObject(KEEP_REGISTERS)
            assert shim.dma.read_list(result.ScatterGatherList) == [(buffer.address, 256)]
            assert request_is_granted(shim, adapter, 0)
            adapter.PutScatterGatherList(result.ScatterGatherList, WriteToDevice=True)
        assert request_is_granted(shim, adapter, ALL)

    @pytest.mark.dmav3_rule("FAO-04")
    def test_a_request_without_a_routine(self, shim: Shim) -> None:
        """It holds the adapter until then, although nothing else says so."""
        bench = Bench.of_master(shim)
        assert not request_is_granted(shim, bench.adapter, 0)
        bench.adapter.FreeAdapterObject(DEALLOCATE)
        assert request_is_granted(shim, bench.adapter, 0)

    @pytest.mark.dmav3_rule("FAO-07")
    @pytest.mark.parametrize("action", [DEALLOCATE, KEEP_REGISTERS])
    def test_a_transfer_that_was_not_flushed(self, shim: Shim, action: int) -> None:
        """It is stopped without a call, violation 0x10; the channel serves the next one."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        with shim.evidence.expect_violations(0x10), entries(shim) as entered:
            bench.adapter.FreeAdapterObject(action)
            shim.wait(1_000_000)
        assert entered == ["FreeAdapterObject", "CancelTransfer", "FlushChannel"]
        assert done.calls == []
        again = Bench(shim, bench.adapter, bench.mdl)
        assert again.map() == (OK, 256)

    @pytest.mark.dmav3_rule("FAO-08")
    @pytest.mark.parametrize("level", [PASSIVE_LEVEL, DISPATCH_LEVEL])
    @pytest.mark.parametrize("action", [DEALLOCATE, KEEP_REGISTERS])
    def test_a_waiting_request(self, shim: Shim, level: int, action: int) -> None:
        """It is granted before the return, and its routine entered at DISPATCH_LEVEL."""
        bench = Bench.of_master(shim)
        levels: list[int] = []

        def control(_device: int, _irp: int, _base: int, _context: object) -> int:
            levels.append(shim.request("KeGetCurrentIrql").number("irql"))
            return KEEP

        with shim.dma.irql(DISPATCH_LEVEL):
            bench.adapter.AllocateAdapterChannelEx(context_for(shim, bench.adapter), 1, 0, control)
        assert levels == []
        with shim.dma.irql(level):
            bench.adapter.FreeAdapterObject(action)
            assert levels == [DISPATCH_LEVEL]
            assert shim.request("KeGetCurrentIrql").number("irql") == level

    @pytest.mark.dmav3_rule("FAO-09")
    @pytest.mark.parametrize("flushed", [True, False])
    def test_a_mapping_that_outlives_the_adapter(self, shim: Shim, *, flushed: bool) -> None:
        """It must be flushed before its registers are freed, else violation 0x10."""
        bench = Bench.of_master(shim)
        assert bench.map() == (OK, 256)
        bench.adapter.FreeAdapterObject(KEEP_REGISTERS)
        if flushed:
            assert bench.flush(256) == OK
        with (
            shim.dma.irql(DISPATCH_LEVEL),
            shim.evidence.expect_violations(*([] if flushed else [0x10])),
        ):
            bench.adapter.FreeMapRegisters(bench.base, 2)
        assert request_is_granted(shim, bench.adapter, ALL)

    @pytest.mark.dmav3_rule("STM-06")
    def test_registers_without_a_channel(self, shim: Shim) -> None:
        """A subordinate's can only be freed: the channel is somebody else's."""
        bench = Bench.of_subordinate(shim)
        bench.adapter.FreeAdapterObject(KEEP_REGISTERS)
        with entries(shim) as entered, shim.evidence.expect_violations(0x4D):
            assert bench.map() == (INVALID, 256)
        assert entered == ["MapTransferEx"]
        with shim.dma.irql(DISPATCH_LEVEL):
            bench.adapter.FreeMapRegisters(bench.base, 2)
        assert shim.layer.counters().requests == 0

    @pytest.mark.dmav3_rule("FAO-10")
    def test_the_adapter_itself(self, shim: Shim) -> None:
        """It lives on, until PutDmaAdapter."""
        bench = Bench.of_subordinate(shim)
        for _ in range(3):
            bench.adapter.FreeAdapterObject(DEALLOCATE)
            bench = Bench(shim, bench.adapter, bench.mdl)
        bench.adapter.FreeAdapterObject(DEALLOCATE)
        bench.adapter.PutDmaAdapter()
        with shim.evidence.expect_violations(0x18):
            bench.adapter.FreeAdapterObject(DEALLOCATE)
