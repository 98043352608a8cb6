# SPDX-License-Identifier: Apache-2.0
"""Adapters: what is refused without one, at which level, and what is left when one is released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import NULL, DmaAdapter
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    PASSIVE_LEVEL,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    PAGE,
    Bench,
    Completions,
    Flight,
    bus_master,
    context_for,
    described,
    entries,
    finished,
    free_channel,
    granted,
    granted_with,
    quiet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.shim import Shim
    from dmav3.dma import Mdl

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NOT_SUPPORTED = NtStatus.STATUS_NOT_SUPPORTED
KEEP, DEALLOCATE, KEEP_REGISTERS = IoAllocationAction
ALL = 64
#: What a place holds that was not written.
UNTOUCHED = 0xA5A5A5A5_A5A5A5A5


def every_routine(shim: Shim, adapter: DmaAdapter) -> dict[str, tuple[Callable[[], Any], Any]]:
    """Return a call of each routine of the table, and what it returns if the adapter is none."""
    buffer, mdl = described(shim, 64)
    context = shim.dma.allocate_context()
    memory = shim.request("allocate", PAGE).number("address")
    where: Any = {"ScatterGatherBuffer": memory, "ScatterGatherLength": PAGE}
    write: Any = {"WriteToDevice": True}
    now: Any = {"Flags": DMA_SYNCHRONOUS_CALLBACK, "ScatterGatherList": True} | write
    va, a = buffer.address, adapter

    def routine(*_: object) -> int:
        return KEEP

    return {
        "PutDmaAdapter": (a.PutDmaAdapter, None),
        "AllocateCommonBuffer": (lambda: a.AllocateCommonBuffer(64).VirtualAddress, 0),
        "FreeCommonBuffer": (lambda: a.FreeCommonBuffer(64, va, va, CacheEnabled=False), None),
        "AllocateAdapterChannel": (lambda: a.AllocateAdapterChannel(1, routine), INVALID),
        "FlushAdapterBuffers": (lambda: a.FlushAdapterBuffers(mdl, 1, va, 64, **write), False),
        "FreeAdapterChannel": (a.FreeAdapterChannel, None),
        "FreeMapRegisters": (lambda: a.FreeMapRegisters(1, 1), None),
        "MapTransfer": (lambda: a.MapTransfer(mdl, 1, va, 64, **write), (0, 64)),
        "GetDmaAlignment": (a.GetDmaAlignment, 0),
        "ReadDmaCounter": (a.ReadDmaCounter, 0),
        "GetScatterGatherList": (
            lambda: a.GetScatterGatherList(mdl, va, 64, routine, **write),
            INVALID,
        ),
        "PutScatterGatherList": (lambda: a.PutScatterGatherList(memory, **write), None),
        "CalculateScatterGatherList": (
            lambda: a.CalculateScatterGatherList(mdl, va, 64).status,
            INVALID,
        ),
        "BuildScatterGatherList": (
            lambda: a.BuildScatterGatherList(mdl, va, 64, routine, **write, **where),
            INVALID,
        ),
        "BuildMdlFromScatterGatherList": (
            lambda: a.BuildMdlFromScatterGatherList(memory, mdl).status,
            INVALID,
        ),
        "GetDmaAdapterInfo": (lambda: a.GetDmaAdapterInfo().status, INVALID),
        "GetDmaTransferInfo": (lambda: a.GetDmaTransferInfo(mdl).status, INVALID),
        "InitializeDmaTransferContext": (
            lambda: a.InitializeDmaTransferContext(context),
            INVALID,
        ),
        "AllocateCommonBufferEx": (lambda: a.AllocateCommonBufferEx(64).VirtualAddress, 0),
        "AllocateAdapterChannelEx": (
            lambda: tuple(
                a.AllocateAdapterChannelEx(
                    context, 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
                )
            ),
            (INVALID, UNTOUCHED),
        ),
        "ConfigureAdapterChannel": (lambda: a.ConfigureAdapterChannel(1, memory), INVALID),
        "CancelAdapterChannel": (lambda: a.CancelAdapterChannel(context), False),
        "MapTransferEx": (lambda: a.MapTransferEx(mdl, 1, **write), (INVALID, 64)),
        "GetScatterGatherListEx": (
            lambda: tuple(a.GetScatterGatherListEx(context, mdl, **now)),
            (INVALID, UNTOUCHED),
        ),
        "BuildScatterGatherListEx": (
            lambda: tuple(a.BuildScatterGatherListEx(context, mdl, **now, **where)),
            (INVALID, UNTOUCHED),
        ),
        "FlushAdapterBuffersEx": (lambda: a.FlushAdapterBuffersEx(mdl, 1, 0, 64, **write), INVALID),
        "FreeAdapterObject": (lambda: a.FreeAdapterObject(KEEP), None),
        "CancelMappedTransfer": (lambda: a.CancelMappedTransfer(context), INVALID),
    }


#: The level at which a routine may be called; PASSIVE_LEVEL if it is not here.
LEVELS = dict.fromkeys(
    (
        "AllocateAdapterChannel",
        "FreeAdapterChannel",
        "FreeMapRegisters",
        "GetScatterGatherList",
        "PutScatterGatherList",
        "BuildScatterGatherList",
        "AllocateAdapterChannelEx",
        "BuildScatterGatherListEx",
    ),
    DISPATCH_LEVEL,
)


class TestNoAdapter:
    """Each of the 28 routines."""

    def check(self, shim: Shim, adapter: DmaAdapter, violation: int) -> None:
        """Call each at its level: it is refused, by its type, and holds nothing."""
        _ = shim.dma.device
        calls = every_routine(shim, adapter)
        assert {"Size", *calls} == {*shim.dma.struct("DMA_OPERATIONS").members}
        before = shim.layer.counters()
        for name, (call, refused) in calls.items():
            with (
                shim.dma.irql(LEVELS.get(name, PASSIVE_LEVEL)),
                shim.evidence.expect_violations(violation),
            ):
                assert (name, call()) == (name, refused)
        assert shim.layer.counters() == before

    @pytest.mark.dmav3_rule("GEN-04")
    def test_null(self, shim: Shim) -> None:
        """Violation 0x19."""
        self.check(shim, DmaAdapter(shim.dma, 0), 0x19)

    @pytest.mark.dmav3_rule("GEN-05")
    def test_one_that_was_released(self, shim: Shim) -> None:
        """Violation 0x18."""
        adapter = quiet(shim)
        adapter.PutDmaAdapter()
        self.check(shim, adapter, 0x18)


class TestLevels:
    """IRQL limits."""

    PASSIVE = ("GetDmaAlignment", "AllocateCommonBuffer", "AllocateCommonBufferEx")

    @pytest.mark.dmav3_rule("GEN-07")
    @pytest.mark.parametrize("name", PASSIVE)
    def test_passive_level(self, shim: Shim, name: str) -> None:
        """Above it, violation 0x13; the routine works all the same."""
        adapter = bus_master(shim)
        call, refused = every_routine(shim, adapter)[name]
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x13):
            found = call()
        assert found is None or found != refused

    @pytest.mark.dmav3_rule("GEN-07")
    def test_dispatch_level(self, shim: Shim) -> None:
        """Below it, violation 0x13; the routine works all the same."""
        adapter = bus_master(shim)
        granted(shim, adapter)
        with shim.evidence.expect_violations(0x13):
            adapter.FreeAdapterChannel()
        assert shim.layer.counters().requests == 0

    @pytest.mark.dmav3_rule("GEN-07")
    def test_at_most_dispatch_level(self, shim: Shim) -> None:
        """Above it, violation 0x13; the routine works all the same."""
        bench = Bench.of_master(shim)
        for level, violations in ((0, []), (DISPATCH_LEVEL, []), (DISPATCH_LEVEL + 1, [0x13])):
            with shim.dma.irql(level):
                with shim.evidence.expect_violations(*violations):
                    assert bench.map() == (OK, 256)
                with shim.evidence.expect_violations(*violations):
                    assert bench.flush(256) == OK


class TestRelease:
    """PutDmaAdapter with something left."""

    def leave(self, shim: Shim, what: str) -> DmaAdapter:
        """Return an adapter that has this."""
        if what == "common buffer":
            adapter = bus_master(shim)
            assert adapter.AllocateCommonBuffer(64).VirtualAddress
        elif what == "channel":
            adapter = quiet(shim)
            granted(shim, adapter, 0)
        elif what == "registers":
            adapter = bus_master(shim)
            granted(shim, adapter, 3)
            adapter.FreeAdapterObject(KEEP_REGISTERS)
        else:
            adapter, (_, mdl) = bus_master(shim), described(shim, 64)
            with shim.dma.irql(DISPATCH_LEVEL):
                status = adapter.GetScatterGatherListEx(
                    context_for(shim, adapter),
                    mdl,
                    Flags=DMA_SYNCHRONOUS_CALLBACK,
                    WriteToDevice=True,
                    ScatterGatherList=True,
                ).status
                assert status == OK
                adapter.FreeAdapterObject(DEALLOCATE if what == "list alone" else KEEP_REGISTERS)
        return adapter

    @pytest.mark.dmav3_rule("PDA-02")
    @pytest.mark.parametrize(
        ("what", "violation"),
        [
            ("common buffer", 0x07),
            ("channel", 0x08),
            ("registers", 0x09),
            ("list", 0x0A),
            ("list alone", 0x0A),
        ],
    )
    def test_each_is_told(self, shim: Shim, what: str, violation: int) -> None:
        """By a code of its own, once."""
        adapter = self.leave(shim, what)
        with shim.evidence.expect_violations(violation):
            adapter.PutDmaAdapter()

    @pytest.mark.dmav3_rule("PDA-03")
    @pytest.mark.parametrize("what", ["channel", "registers", "list"])
    def test_plain_mode_takes_it_back(self, shim: Shim, what: str) -> None:
        """Channel, registers and list are free, and nothing is recorded."""
        shim.layer.limits(checked=False)
        before = shim.layer.counters()
        self.leave(shim, what).PutDmaAdapter()
        assert shim.layer.counters() == before
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("PDA-03")
    def test_plain_mode_leaves_common_buffers(self, shim: Shim) -> None:
        """A device may still use them: their memory is not given to anybody else."""
        shim.layer.limits(checked=False)
        adapter, other = bus_master(shim), bus_master(shim)
        left = adapter.AllocateCommonBuffer(PAGE)
        adapter.PutDmaAdapter()
        assert shim.layer.counters().common_buffers == 1
        taken = {other.AllocateCommonBuffer(PAGE).VirtualAddress for _ in range(20)}
        assert left.VirtualAddress not in taken

    @pytest.mark.dmav3_rule("PDA-03")
    def test_plain_mode_stops_what_runs(self, shim: Shim) -> None:
        """The channel is stopped, and its completion routine is not called."""
        shim.layer.limits(checked=False)
        before = shim.layer.counters()
        flight = Flight.start(shim, 256, write=True, armed=False)
        with entries(shim) as entered:
            flight.adapter.PutDmaAdapter()
        assert entered.index("CancelTransfer") < entered.index("FlushChannel")
        shim.wait(1_000_000)
        assert flight.done.calls == []
        assert shim.layer.counters() == before
        again = Flight.start(shim, 256, write=True)
        finished(shim, again.done)
        again.end()

    @pytest.mark.dmav3_rule("PDA-05")
    @pytest.mark.parametrize("master", [0, 1])
    def test_many(self, shim: Shim, master: int) -> None:
        """They come and go without a trace."""
        before = shim.layer.counters()
        for _ in range(150):
            adapter = quiet(shim, Master=master)
            granted(shim, adapter, 1)
            free_channel(shim, adapter)
            adapter.FreeCommonBuffer(*adapter.AllocateCommonBuffer(64))
            adapter.PutDmaAdapter()
        assert shim.layer.counters() == before


class TestDeviceObjects:
    """What is done with a DeviceObject."""

    @pytest.mark.dmav3_rule("GEN-15")
    @pytest.mark.parametrize(
        "device", [0, 0x1008, 0xFFFF_8000_0000_1230, 0xFFFF_FFFF_FFFF_FFF8], ids=hex
    )
    def test_one_that_is_no_memory(self, shim: Shim, device: int) -> None:
        """It is not looked into, and handed back as it was given, without an IRP."""
        adapter, seen = quiet(shim), []
        context = context_for(shim, adapter)
        memory = shim.dma.callback(
            lambda keys: seen.append((int(keys["device"], 16), int(keys["irp"], 16))) or KEEP  # type: ignore[func-returns-value]
        )
        with shim.dma.irql(DISPATCH_LEVEL):
            for flags in (0, DMA_SYNCHRONOUS_CALLBACK):
                assert adapter.InitializeDmaTransferContext(context) == OK
                reply = shim.request(
                    "AllocateAdapterChannelEx",
                    *(adapter.address, device, context, 1, flags, 1, memory, 0),
                )
                assert reply.number("status") == OK
                adapter.FreeAdapterChannel()
        assert seen == [(device, 0)] * 2

    @pytest.mark.dmav3_rule("GEN-15")
    def test_its_other_bytes(self, shim: Shim) -> None:
        """Whatever they are, they count for nothing, and stay."""
        size = shim.dma.struct("DEVICE_OBJECT").size
        results = []
        for byte in (0x00, 0xFF, 0x5A):
            device = shim.request("allocate", size).number("address")
            shim.request("fill", device, size, byte)
            shim.dma.set_current_irp(device, 0x1230)
            content = shim.memory.cpu_load(device, size)
            adapter, done = quiet(shim, DmaChannel=1), Completions(shim)
            context = context_for(shim, adapter)
            base = granted_with(shim, adapter, context, 1, device)
            _, mdl = described(shim, 64)
            assert adapter.MapTransferEx(
                mdl, base, WriteToDevice=True, DmaCompletionRoutine=done
            ) == (OK, 64)
            assert adapter.CancelMappedTransfer(context) == OK
            shim.wait(1000)
            assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 64, WriteToDevice=True) == OK
            free_channel(shim, adapter)
            results.append([call[1] == device for call in done.calls])
            assert shim.memory.cpu_load(device, size) == content
        assert results == [[True]] * 3


class TestInsideCallbacks:
    """Callbacks may call what may be called at DISPATCH_LEVEL."""

    def everything(self, shim: Shim, adapters: tuple[DmaAdapter, DmaAdapter], mdl: Mdl) -> None:
        """Let two adapters of other channels do all that a transfer may need."""
        subordinate, master = adapters
        context = context_for(shim, subordinate)
        asked = subordinate.AllocateAdapterChannelEx(
            context, 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
        )
        assert asked.status == OK
        base = asked.MapRegisterBase
        assert subordinate.MapTransferEx(mdl, base, WriteToDevice=True) == (OK, mdl.size)
        assert subordinate.ReadDmaCounter() in range(mdl.size + 1)
        assert subordinate.CancelMappedTransfer(context) == OK
        flushed = subordinate.FlushAdapterBuffersEx(mdl, base, 0, mdl.size, WriteToDevice=True)
        assert flushed == OK
        subordinate.FreeAdapterChannel()
        assert master.GetDmaAdapterInfo().status == OK
        assert master.GetDmaTransferInfo(mdl).status == OK
        context = context_for(shim, master)
        built = master.GetScatterGatherListEx(
            context,
            mdl,
            Flags=DMA_SYNCHRONOUS_CALLBACK,
            WriteToDevice=True,
            ScatterGatherList=True,
        )
        assert built.status == OK
        master.FreeAdapterObject(KEEP_REGISTERS)
        master.PutScatterGatherList(built.ScatterGatherList, WriteToDevice=True)

    @pytest.mark.dmav3_rule("GEN-14")
    @pytest.mark.parametrize("callback", ["AdapterControl", "AdapterListControl", "completion"])
    def test_a_whole_transfer(self, shim: Shim, callback: str) -> None:
        """Of another adapter, inside each of the three; nothing is left, nothing is a mistake."""
        adapters, (_, mdl) = (quiet(shim, DmaChannel=5), bus_master(shim)), described(shim, 128)
        outer = bus_master(shim) if callback == "AdapterListControl" else quiet(shim)
        context, inside = context_for(shim, outer), list[str]()
        before = shim.layer.counters()

        def act(*arguments: Any) -> int:
            self.everything(shim, adapters, mdl)
            inside.append(callback)
            if callback == "AdapterListControl":
                outer.PutScatterGatherList(arguments[2], WriteToDevice=True)
            return KEEP

        if callback == "completion":
            base = granted_with(shim, outer, context)
            assert outer.MapTransferEx(mdl, base, WriteToDevice=True, DmaCompletionRoutine=act) == (
                OK,
                128,
            )
            assert outer.CancelMappedTransfer(context) == OK
            shim.wait(1000)
            assert outer.FlushAdapterBuffersEx(mdl, base, 0, 128, WriteToDevice=True) == OK
            free_channel(shim, outer)
        with shim.dma.irql(DISPATCH_LEVEL):
            if callback == "AdapterControl":
                assert outer.AllocateAdapterChannelEx(context, 1, 0, act).status == OK
                outer.FreeAdapterChannel()
            if callback == "AdapterListControl":
                assert (
                    outer.GetScatterGatherListEx(
                        context, mdl, ExecutionRoutine=act, WriteToDevice=True
                    ).status
                    == OK
                )
        assert inside == [callback]
        assert shim.layer.counters() == before
        assert shim.violations() == []


class TestInformation:
    """GetDmaAdapterInfo and GetDmaTransferInfo, by what they refuse and say."""

    @pytest.mark.dmav3_rule("GAI-01")
    @pytest.mark.parametrize("master", [0, 1])
    def test_success(self, shim: Shim, master: int) -> None:
        """Every member is written."""
        info = quiet(shim, Master=master).GetDmaAdapterInfo()
        assert info.status == OK
        assert 0xA5A5A5A5 not in info

    @pytest.mark.dmav3_rule("GAI-02")
    @pytest.mark.parametrize("version", [0, 2, 0xFFFFFFFF])
    def test_another_version_of_adapter_info(self, shim: Shim, version: int) -> None:
        """It is refused, and nothing is written."""
        info = quiet(shim).GetDmaAdapterInfo(version)
        assert info == (NOT_SUPPORTED, *[0xA5A5A5A5] * 5, version)

    @pytest.mark.dmav3_rule("GTI-02")
    @pytest.mark.parametrize("version", [0, 2, 0xFFFFFFFF])
    def test_another_version_of_transfer_info(self, shim: Shim, version: int) -> None:
        """It is refused, and nothing is written."""
        info = quiet(shim).GetDmaTransferInfo(described(shim, 64)[1], Version=version)
        assert info == (NOT_SUPPORTED, *[0xA5A5A5A5] * 3, version)

    @pytest.mark.dmav3_rule("GAI-10")
    def test_no_place(self, shim: Shim) -> None:
        """It is refused."""
        assert quiet(shim).GetDmaAdapterInfo(AdapterInfo=NULL).status == INVALID

    @pytest.mark.dmav3_rule("GAI-04", "GAI-05")
    def test_of_a_bus_master(self, shim: Shim) -> None:
        """No counter, any number of elements, its own width, single bytes."""
        for bits in (28, 32, 64):
            info = bus_master(shim, DmaAddressWidth=bits).GetDmaAdapterInfo()
            assert info == (OK, 0, 0xFFFFFFFF, bits, 0, 1, 1)

    @pytest.mark.dmav3_rule("GAI-04", "GAI-05", "GAI-09")
    def test_of_a_subordinate(self, shim: Shim) -> None:
        """A counter that counts; the unit is that of its width."""
        for width, unit in enumerate((1, 2, 4)):
            info = quiet(shim, DmaWidth=width).GetDmaAdapterInfo()
            assert (info.status, info.ReadDmaCounterAvailable) == (OK, 1)
            assert info.MinimumTransferUnit == unit
            assert info.ScatterGatherLimit in range(1, 1 << 16)

    @pytest.mark.dmav3_rule("GTI-10")
    def test_elements_without_scatter_gather(self, shim: Shim) -> None:
        """One, however many runs there are."""
        _, mdl = described(shim, 6 * PAGE, region="scatter")
        info = bus_master(shim, ScatterGather=0).GetDmaTransferInfo(mdl)
        assert (info.status, info.ScatterGatherElementCount) == (OK, 1)


class TestConfigure:
    """ConfigureAdapterChannel, before it comes to the controller."""

    @pytest.mark.dmav3_rule("CFG-03")
    def test_of_a_bus_master(self, shim: Shim) -> None:
        """Violation 0x4B; the controller is not asked."""
        with shim.evidence.expect_violations(0x4B), entries(shim) as entered:
            status = bus_master(shim).ConfigureAdapterChannel(1, 0)
        assert status == NtStatus.STATUS_NOT_IMPLEMENTED
        assert "ConfigureChannel" not in entered

    @pytest.mark.dmav3_rule("CFG-06")
    def test_without_the_channel(self, shim: Shim) -> None:
        """Before it is granted, after it is freed, and while another adapter has it."""
        adapter, other = quiet(shim), quiet(shim)
        for owner in (None, other):
            if owner:
                granted(shim, owner)
            with entries(shim) as entered:
                status = adapter.ConfigureAdapterChannel(1, 0)
            assert status == NtStatus.STATUS_INVALID_DEVICE_STATE
            assert "ConfigureChannel" not in entered

    @pytest.mark.dmav3_rule("CFG-01")
    def test_with_it(self, shim: Shim) -> None:
        """The controller gets number and context, once a call."""
        adapter = quiet(shim)
        granted(shim, adapter)
        with entries(shim) as entered:
            adapter.ConfigureAdapterChannel(0x7777, 0)
        assert entered == ["ConfigureAdapterChannel", "ConfigureChannel"]


@pytest.mark.dmav3_rule("TBL-01", "TBL-03")
@pytest.mark.parametrize("master", [0, 1])
def test_the_table(shim: Shim, master: int) -> None:
    """It has 28 routines behind its size, each somewhere in the image, and no more bytes."""
    layout, pointer = shim.dma.struct("DMA_ADAPTER"), shim.dma.pointer_size
    adapter = layout.read(shim.memory.look(quiet(shim, Master=master).address, layout.size))
    start = adapter["DmaOperations"]
    size = int.from_bytes(shim.memory.look(start, 4), "little")
    assert size == 29 * pointer == shim.dma.struct("DMA_OPERATIONS").size
    raw = shim.memory.look(start + pointer, 28 * pointer)
    members = [int.from_bytes(raw[n : n + pointer], "little") for n in range(0, len(raw), pointer)]
    assert 0 not in members
    assert len(set(members)) == 28
