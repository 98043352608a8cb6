# SPDX-License-Identifier: Apache-2.0
"""Checked mode: each mistake that has a code, made once."""

# ruff: noqa: D103 - a mistake is what the function that makes it is called

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from dmav3 import Board
from dmav3.dma import DeviceDescription, DmaAdapter
from dmav3.evidence.mistakes import CODES, explain
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    Bench,
    Completions,
    Flight,
    bus_master,
    context_for,
    described,
    device_of,
    finished,
    free_channel,
    granted_with,
    quiet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
KEEP, DEALLOCATE, KEEP_REGISTERS = IoAllocationAction
#: Any address that is no handle, and one that is no buffer.
NOWHERE = 0xDEAD0
DEVICE_LEVEL = 3

#: Codes of docs/interface.md, table 1, that no mistake can cause, and what the nearest one causes.
NEVER: Final[dict[int, int | None]] = {
    0x0B: None,  # a second channel of one adapter: the queue never grants it (AAX-16)
    0x11: 0x18,  # the one reference that IoGetDmaAdapter gives, given up twice
    0x20: 0x16,  # two codes of one row; the layer uses the first
}


# In the order of the codes. Each makes one mistake, and whatever right calls it takes before.


def flush_too_much(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    assert bench.map() == (OK, 256)
    assert bench.flush(257) == INVALID


def free_a_common_buffer_twice(shim: Shim) -> None:
    adapter = bus_master(shim)
    buffer = adapter.AllocateCommonBuffer(64)
    for _ in range(2):
        adapter.FreeCommonBuffer(*buffer)


def free_a_channel_that_is_not_owned(shim: Shim) -> None:
    free_channel(shim, quiet(shim))


def free_no_map_registers(shim: Shim) -> None:
    adapter = bus_master(shim)
    with shim.dma.irql(DISPATCH_LEVEL):
        adapter.FreeMapRegisters(0, 1)


def built_list(shim: Shim, adapter: DmaAdapter) -> int:
    """Return a list of a mapped buffer, at DISPATCH_LEVEL."""
    _, mdl = described(shim, 256)
    status, built = adapter.GetScatterGatherListEx(
        context_for(shim, adapter),
        mdl,
        Flags=DMA_SYNCHRONOUS_CALLBACK,
        WriteToDevice=True,
        ScatterGatherList=True,
    )
    assert status == OK
    return built


def put_a_list_twice(shim: Shim) -> None:
    adapter = bus_master(shim)
    with shim.dma.irql(DISPATCH_LEVEL):
        built = built_list(shim, adapter)
        for _ in range(2):
            adapter.PutScatterGatherList(built, WriteToDevice=True)


def release_with_a_common_buffer(shim: Shim) -> None:
    adapter = bus_master(shim)
    assert adapter.AllocateCommonBuffer(64).VirtualAddress
    adapter.PutDmaAdapter()


def release_with_the_channel(shim: Shim) -> None:
    bench = Bench(shim, quiet(shim), described(shim, 64)[1], registers=0)
    bench.adapter.PutDmaAdapter()


def release_with_map_registers(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    bench.adapter.FreeAdapterObject(KEEP_REGISTERS)
    bench.adapter.PutDmaAdapter()


def release_with_a_list(shim: Shim) -> None:
    adapter = bus_master(shim)
    with shim.dma.irql(DISPATCH_LEVEL):
        built_list(shim, adapter)
    adapter.PutDmaAdapter()


def ask_for_too_many_registers(shim: Shim) -> None:
    adapter = bus_master(shim)
    with shim.dma.irql(DISPATCH_LEVEL):
        status, _ = adapter.AllocateAdapterChannelEx(
            context_for(shim, adapter),
            adapter.NumberOfMapRegisters + 1,
            DMA_SYNCHRONOUS_CALLBACK,
            MapRegisterBase=True,
        )
    assert status == NtStatus.STATUS_INSUFFICIENT_RESOURCES


def map_twice_without_a_flush(shim: Shim) -> None:
    bench = Bench.of_subordinate(shim)
    assert bench.map() == (OK, 256)
    assert bench.map() == (INVALID, 256)


def map_an_mdl_that_was_not_built(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    bench.mdl = shim.dma.IoAllocateMdl(shim.memory.allocate(256).address, 256)
    assert bench.map() == (INVALID, 256)


def store_behind_a_common_buffer(shim: Shim) -> None:
    adapter = bus_master(shim)
    buffer = adapter.AllocateCommonBuffer(64)
    shim.request("poke", buffer.VirtualAddress + 64, "32", 0)
    adapter.FreeCommonBuffer(*buffer)


def free_a_channel_before_the_flush(shim: Shim) -> None:
    bench = Bench.of_subordinate(shim)
    assert bench.map() == (OK, 256)
    free_channel(shim, bench.adapter)


def call_at_the_wrong_level(shim: Shim) -> None:
    adapter = bus_master(shim)
    with shim.dma.irql(DISPATCH_LEVEL):
        adapter.GetDmaAlignment()


def hoard_map_registers(shim: Shim) -> None:
    shim.layer.limits(registers_per_request=2)
    bench = Bench.of_master(shim)
    bench.adapter.FreeAdapterObject(KEEP_REGISTERS)
    granted_with(shim, bench.adapter, context_for(shim, bench.adapter), 1)


def flush_nothing(shim: Shim) -> None:
    assert Bench.of_master(shim).flush(256) == OK


def use_a_released_adapter(shim: Shim) -> None:
    adapter = bus_master(shim)
    adapter.PutDmaAdapter()
    adapter.GetDmaAlignment()


def use_no_adapter(shim: Shim) -> None:
    DmaAdapter(shim.dma, 0).GetDmaAlignment()


def map_an_address_outside_of_the_mdl(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    mapped = bench.adapter.MapTransfer(bench.mdl, bench.base, NOWHERE, 64, WriteToDevice=True)
    assert mapped == (0, 0)


def read_into_one_range_twice(shim: Shim) -> None:
    first, second = Bench.of_master(shim), Bench.of_master(shim)
    second.mdl = first.mdl
    for bench in (first, second):
        assert bench.map(write=False) == (OK, 256)


def map_behind_the_mdl(shim: Shim) -> None:
    assert Bench.of_master(shim).map(256, 4) == (INVALID, 4)


def map_no_bytes(shim: Shim) -> None:
    assert Bench.of_master(shim).map(0, 0) == (OK, 0)


def flush_a_running_transfer(shim: Shim) -> None:
    bench = Bench.of_subordinate(shim)
    assert bench.map() == (OK, 256)
    assert bench.flush(256) == OK


def map_more_than_the_mdl(shim: Shim) -> None:
    assert Bench.of_master(shim).map(4, 256) == (INVALID, 256)


def describe_a_later_version(shim: Shim) -> None:
    assert shim.IoGetDmaAdapter(Version=4) is None


def initialise_a_context_in_use(shim: Shim) -> None:
    bench = Bench.of_subordinate(shim)
    assert bench.adapter.InitializeDmaTransferContext(bench.context) == INVALID


def keep(_device: int, _irp: int, _base: int, _context: object) -> int:
    """Return KeepObject: the least that an AdapterControl can do."""
    return KEEP


def allocate_twice_for_one_device(shim: Shim) -> None:
    adapter = Bench.of_subordinate(shim).adapter
    with shim.dma.irql(DISPATCH_LEVEL):
        assert adapter.AllocateAdapterChannel(1, keep) == OK
        assert adapter.AllocateAdapterChannel(1, keep) == INVALID


def return_at_another_level(shim: Shim) -> None:
    def control(*_: object) -> int:
        shim.request("KeRaiseIrql", DEVICE_LEVEL)
        return KEEP

    adapter = bus_master(shim)
    context = context_for(shim, adapter)
    with shim.dma.irql(DISPATCH_LEVEL):
        assert adapter.AllocateAdapterChannelEx(context, 1, 0, control).status == OK
        assert shim.request("KeGetCurrentIrql").number("irql") == DISPATCH_LEVEL


def change_the_chain(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    assert bench.map() == (OK, 256)
    member = shim.dma.struct("MDL").member("ByteCount")
    shim.request("poke", bench.mdl.address + member.offset, "32", 128)
    bench.flush(256)


def free_another_length(shim: Shim) -> None:
    adapter = bus_master(shim)
    buffer = adapter.AllocateCommonBuffer(64)
    adapter.FreeCommonBuffer(*buffer._replace(Length=128))


def allocate_with(shim: Shim, adapter: DmaAdapter, action: int) -> None:
    """Be granted a channel; AdapterControl returns `action`."""
    context = context_for(shim, adapter)
    with shim.dma.irql(DISPATCH_LEVEL):
        status, _ = adapter.AllocateAdapterChannelEx(context, 1, 0, lambda *_: action)
    assert status == OK


def let_go_of_a_subordinate(shim: Shim) -> None:
    allocate_with(shim, quiet(shim), DEALLOCATE)


def return_an_unknown_action(shim: Shim) -> None:
    allocate_with(shim, bus_master(shim), 4)


def ask_how_far_a_master_is(shim: Shim) -> None:
    assert bus_master(shim).ReadDmaCounter() == 0


def flush_the_other_direction(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    assert bench.map() == (OK, 256)
    assert bench.flush(256, write=False) == INVALID


def want_to_hear_of_a_master(shim: Shim) -> None:
    assert Bench.of_master(shim).map(DmaCompletionRoutine=Completions(shim)) == (OK, 256)


def give_a_master_a_device_offset(shim: Shim) -> None:
    assert Bench.of_master(shim).map(DeviceOffset=4) == (OK, 256)


def configure_a_master(shim: Shim) -> None:
    status = bus_master(shim).ConfigureAdapterChannel(0x100, NOWHERE)
    assert status == NtStatus.STATUS_NOT_IMPLEMENTED


def cancel_a_stranger_s_transfer(shim: Shim) -> None:
    bench = Bench.of_subordinate(shim)
    assert bench.map() == (OK, 256)
    assert not quiet(shim).CancelMappedTransfer(bench.context).success


def map_with_no_handle(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    bench.base = NOWHERE
    assert bench.map() == (INVALID, 256)


def ask_for_a_subordinate_s_list(shim: Shim) -> None:
    adapter, (_, mdl) = quiet(shim), described(shim, 64)
    context = context_for(shim, adapter)
    with shim.dma.irql(DISPATCH_LEVEL):
        status, _ = adapter.GetScatterGatherListEx(
            context, mdl, Flags=1, WriteToDevice=True, ScatterGatherList=True
        )
    assert status == INVALID


def cancel_a_master_s_transfer(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    assert bench.map() == (OK, 256)
    assert bench.adapter.CancelMappedTransfer(bench.context) == INVALID


def clean_under_a_read(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    assert bench.map(write=False) == (OK, 256)
    shim.dma.KeFlushIoBuffers(bench.mdl, ReadOperation=True)


def store_beside_an_unbounced_read(shim: Shim) -> None:
    whole = shim.memory.allocate(128, align=64)
    shim.fill(whole, 0)
    mdl = shim.dma.IoAllocateMdl(whole.address, 100)
    shim.dma.MmBuildMdlForNonPagedPool(mdl)
    bench = Bench(shim, bus_master(shim), mdl, registers=0)
    with shim.evidence.expect_violations(0x1F):  # its end is not that of a line
        assert bench.map(write=False) == (OK, 100)
    shim.write(whole, b"\1", 100)
    assert bench.flush(100, write=False) == OK


def loop_over_cached_memory(shim: Shim) -> None:
    bench = Bench(shim, quiet(shim, AutoInitialize=1), described(shim, 256)[1])
    assert bench.map() == (OK, 256)


def flush_less_than_was_moved(shim: Shim) -> None:
    flight = Flight.start(shim, 256, write=True)
    finished(shim, flight.done)
    assert flight.flush(252) == OK


def device_that_is_known(shim: Shim, *, write: bool) -> DeviceDescription:
    """Return line and register of a device that the board, or the scripted back end, knows."""
    if isinstance(shim, Board):
        return device_of(shim, write=write)
    return {"DmaRequestLine": 20 + write, "DeviceAddress": 0x0C000000}


def map_for(shim: Shim, device: DeviceDescription) -> None:
    assert Bench(shim, quiet(shim, **device), described(shim, 256)[1]).map() == (OK, 256)


def move_out_of_reach(shim: Shim) -> None:
    map_for(shim, {"DeviceAddress": 1 << 32})


def move_to_another_register(shim: Shim) -> None:
    device = device_that_is_known(shim, write=True)
    map_for(shim, device | {"DeviceAddress": device["DeviceAddress"] + 8})


def wait_for_the_other_line(shim: Shim) -> None:
    map_for(shim, device_that_is_known(shim, write=False))


PROVOKED: Final[dict[int, Callable[[Shim], None]]] = {
    0x00: flush_too_much,
    0x03: free_a_common_buffer_twice,
    0x04: free_a_channel_that_is_not_owned,
    0x05: free_no_map_registers,
    0x06: put_a_list_twice,
    0x07: release_with_a_common_buffer,
    0x08: release_with_the_channel,
    0x09: release_with_map_registers,
    0x0A: release_with_a_list,
    0x0C: ask_for_too_many_registers,
    0x0D: map_twice_without_a_flush,
    0x0E: map_an_mdl_that_was_not_built,
    0x0F: store_behind_a_common_buffer,
    0x10: free_a_channel_before_the_flush,
    0x13: call_at_the_wrong_level,
    0x15: hoard_map_registers,
    0x16: flush_nothing,
    0x18: use_a_released_adapter,
    0x19: use_no_adapter,
    0x1B: map_an_address_outside_of_the_mdl,
    0x1D: read_into_one_range_twice,
    0x1F: map_behind_the_mdl,
    0x21: map_no_bytes,
    0x23: flush_a_running_transfer,
    0x24: map_more_than_the_mdl,
    0x25: describe_a_later_version,
    0x40: initialise_a_context_in_use,
    0x41: allocate_twice_for_one_device,
    0x42: return_at_another_level,
    0x43: change_the_chain,
    0x44: free_another_length,
    0x45: let_go_of_a_subordinate,
    0x46: return_an_unknown_action,
    0x47: ask_how_far_a_master_is,
    0x48: flush_the_other_direction,
    0x49: want_to_hear_of_a_master,
    0x4A: give_a_master_a_device_offset,
    0x4B: configure_a_master,
    0x4C: cancel_a_stranger_s_transfer,
    0x4D: map_with_no_handle,
    0x4E: ask_for_a_subordinate_s_list,
    0x4F: cancel_a_master_s_transfer,
    0x50: clean_under_a_read,
    0x51: store_beside_an_unbounced_read,
    0x52: loop_over_cached_memory,
    0x53: flush_less_than_was_moved,
    0x55: move_out_of_reach,
    0x56: move_to_another_register,
    0x57: wait_for_the_other_line,
}


#: From here on they are about the kernel around a driver, of which no rule speaks.
FIRST_OF_KERNEL = 0x58


@pytest.mark.dmav3_host
def test_every_code_is_provoked(scripted: HostShim) -> None:
    """Those that the layer knows by one mistake each; the rest of the table cannot be provoked."""
    known = set(scripted.image.enum("violation").values())
    assert {code for code in known if code < FIRST_OF_KERNEL} == set(PROVOKED)
    assert {code for code in CODES if code < FIRST_OF_KERNEL} == PROVOKED.keys() | NEVER.keys()
    assert not PROVOKED.keys() & NEVER.keys()


#: The rule that makes it a mistake; of two codes there is none.
RULES: Final[dict[int, str]] = {
    0x00: "FBX-04",
    0x03: "FCB-03",
    0x04: "FAC-05",
    0x05: "FMR-04",
    0x06: "PSL-05",
    0x07: "PDA-02",
    0x08: "PDA-02",
    0x09: "PDA-02",
    0x0A: "PDA-02",
    0x0C: "AAX-06",
    0x0D: "MTX-14",
    0x0E: "MDL-08",
    0x0F: "ACB-04",
    0x10: "FAC-04",
    0x13: "GEN-07",
    0x16: "FBX-20",
    0x18: "GEN-05",
    0x19: "GEN-04",
    0x1B: "MPT-10",
    0x1F: "MTX-01",
    0x21: "MTX-18",
    0x23: "FBX-15",
    0x24: "MTX-02",
    0x25: "IGA-02",
    0x40: "STM-02",
    0x41: "QUE-08",
    0x42: "GEN-09",
    0x43: "GEN-12",
    0x44: "FCB-01",
    0x45: "ADC-06",
    0x46: "ADC-08",
    0x47: "RDC-02",
    0x48: "FBX-18",
    0x49: "MTX-10",
    0x4A: "MTX-12",
    0x4B: "CFG-03",
    0x4C: "CMT-11",
    0x4D: "MTX-13",
    0x4E: "GSX-02",
    0x4F: "CMT-01",
    0x50: "KFI-04",
    0x51: "CCH-12",
    0x52: "CCH-20",
    0x53: "FBX-03",
    0x55: "IGA-21",
    0x56: "IGA-21",
    0x57: "IGA-21",
}
#: Mistakes only where DMA is not coherent.
INCOHERENT = {0x51, 0x52}


def marks_of(code: int) -> list[pytest.MarkDecorator]:
    """Return the marks of a code's test."""
    marks = [pytest.mark.dmav3_machine("virt-a53")] * (code in INCOHERENT)
    return [*marks, pytest.mark.dmav3_rule(RULES[code])] if code in RULES else marks


CODES_PROVOKED = [pytest.param(code, marks=marks_of(code)) for code in PROVOKED]


@pytest.mark.parametrize("code", CODES_PROVOKED, ids="{:#04x}".format)
def test_a_mistake(shim: Shim, code: int) -> None:
    """It is recorded once, by its code, and nothing else is; its place and meaning are told."""
    with shim.evidence.expect_violations(code):
        PROVOKED[code](shim)
    (mistake,) = [one for one in shim.violations() if one.code == code]
    assert f"{Path(__file__).parent.name}/" in mistake.place
    assert mistake.line() == f"{mistake.summary()}: {explain(code, mistake.p2, mistake.p3)}"
    assert "not known here" not in mistake.line()


def hold_a_second_channel(shim: Shim) -> None:
    bench = Bench.of_subordinate(shim)
    with shim.dma.irql(DISPATCH_LEVEL):
        status, _ = bench.adapter.AllocateAdapterChannelEx(
            context_for(shim, bench.adapter), 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
        )
    assert status == NtStatus.STATUS_INSUFFICIENT_RESOURCES


def release_twice(shim: Shim) -> None:
    adapter = bus_master(shim)
    for _ in range(2):
        adapter.PutDmaAdapter()


def flush_what_is_no_more_mapped(shim: Shim) -> None:
    bench = Bench.of_master(shim)
    assert bench.map() == (OK, 256)
    for _ in range(2):
        assert bench.flush(256) == OK


NEAREST: Final[dict[int, Callable[[Shim], None]]] = {
    0x0B: hold_a_second_channel,
    0x11: release_twice,
    0x20: flush_what_is_no_more_mapped,
}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(0x0B, marks=pytest.mark.dmav3_rule("AAX-16")),
        pytest.param(0x11, marks=pytest.mark.dmav3_rule("GEN-05")),
        pytest.param(0x20, marks=pytest.mark.dmav3_rule("FBX-20")),
    ],
    ids="{:#04x}".format,
)
def test_a_mistake_that_cannot_be_made(shim: Shim, code: int) -> None:
    """The nearest one is refused, or has another code."""
    instead = NEVER[code]
    with shim.evidence.expect_violations(*([] if instead is None else [instead])):
        NEAREST[code](shim)
    assert code not in {violation.code for violation in shim.violations()}
