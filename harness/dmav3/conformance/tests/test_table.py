# SPDX-License-Identifier: Apache-2.0
"""The table of routines: which it is, where its members are, how long it may be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import UNWRITTEN64, Mdl
from dmav3.errors import CrashError
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, NtStatus

from .driver import Bench, Completions, bus_master, context_for, described, granted, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim
    from dmav3.dma import DeviceDescription, DmaAdapter

OK = NtStatus.STATUS_SUCCESS
PAGE = 4096
#: The members of version 3 behind `Size`, in their order.
MEMBERS = [
    "PutDmaAdapter",
    "AllocateCommonBuffer",
    "FreeCommonBuffer",
    "AllocateAdapterChannel",
    "FlushAdapterBuffers",
    "FreeAdapterChannel",
    "FreeMapRegisters",
    "MapTransfer",
    "GetDmaAlignment",
    "ReadDmaCounter",
    "GetScatterGatherList",
    "PutScatterGatherList",
    "CalculateScatterGatherList",
    "BuildScatterGatherList",
    "BuildMdlFromScatterGatherList",
    "GetDmaAdapterInfo",
    "GetDmaTransferInfo",
    "InitializeDmaTransferContext",
    "AllocateCommonBufferEx",
    "AllocateAdapterChannelEx",
    "ConfigureAdapterChannel",
    "CancelAdapterChannel",
    "MapTransferEx",
    "GetScatterGatherListEx",
    "BuildScatterGatherListEx",
    "FlushAdapterBuffersEx",
    "FreeAdapterObject",
    "CancelMappedTransfer",
]
#: What later versions put behind them.
LATER = [
    "AllocateDomainCommonBuffer",
    "FlushDmaBuffer",
    "JoinDmaDomain",
    "LeaveDmaDomain",
    "GetDmaDomain",
    "AllocateCommonBufferWithBounds",
    "AllocateCommonBufferVector",
    "GetCommonBufferFromVectorByIndex",
    "FreeCommonBufferFromVector",
    "FreeCommonBufferVector",
    "CreateCommonBufferFromMdl",
]
#: Bytes of the tables of versions 1 to 3, by those of a pointer.
SIZES = {4: (0x34, 0x40, 0x74), 8: (0x68, 0x80, 0xE8)}


def operations(shim: Shim, adapter: DmaAdapter) -> int:
    """Return the address of an adapter's table."""
    layout = shim.dma.struct("DMA_ADAPTER")
    address: int = layout.read(shim.memory.look(adapter.address, layout.size))["DmaOperations"]
    return address


def table(shim: Shim, adapter: DmaAdapter) -> list[int]:
    """Return `Size` of an adapter's table and its routines: what `Size` says there is, no more."""
    address, pointer = operations(shim, adapter), shim.dma.pointer_size
    size = int.from_bytes(shim.memory.look(address, 4), "little")
    raw = memoryview(shim.memory.look(address, size))[pointer:]
    return [size, *raw.cast("I" if pointer == 4 else "Q")]


class TestVersion:
    """Which table a driver gets."""

    @pytest.mark.dmav3_rule("TBL-02", "GEN-02")
    @pytest.mark.parametrize("members", [{}, {"Master": 1}], ids=str)
    @pytest.mark.parametrize("version", range(4))
    def test_it_is_the_one_that_was_asked_for_or_none(
        self, shim: Shim, version: int, members: DeviceDescription
    ) -> None:
        """NULL alone says that a version is not there: the adapter says 1 whichever it is."""
        first, second, third = SIZES[shim.dma.pointer_size]
        asked: DeviceDescription = {**members, "Version": version}
        adapter = shim.IoGetDmaAdapter(**asked)
        if adapter is None and version != 3:
            pytest.skip(f"version {version} is not there, and need not be")
        assert adapter
        assert table(shim, adapter)[0] == (first, first, second, third)[version]
        assert int.from_bytes(shim.memory.look(adapter.address, 2), "little") == 1

    @pytest.mark.dmav3_rule("TBL-08")
    def test_version_3_alone_gives_a_subordinate_many_fragments(self, shim: Shim) -> None:
        """MapTransferEx gives each in its list, MapTransfer one address and all bytes at it."""
        buffer, mdl = described(shim, 8 * PAGE, region="scatter")
        assert len(buffer.ranges) > 1
        bench = Bench(shim, quiet(shim), mdl, registers=9)
        assert bench.map() == (OK, mdl.size)
        assert [tuple(one) for one in bench.list] == list(buffer.ranges)
        with shim.evidence.expect_violations(0x23):
            assert bench.flush(mdl.size) == OK
        piece = bench.adapter.MapTransfer(
            mdl, bench.base, buffer.address, mdl.size, WriteToDevice=True
        )
        assert piece.Length == mdl.size
        with shim.evidence.expect_violations(0x0D):
            more = bench.adapter.MapTransfer(
                mdl, bench.base, buffer.address, PAGE, WriteToDevice=True
            )
        assert more.Length == 0


class TestMembers:
    """Where they are."""

    @pytest.mark.dmav3_rule("TBL-04", "TBL-06")
    @pytest.mark.parametrize("members", [{}, {"Master": 1}], ids=str)
    def test_each_is_in_its_place(self, shim: Shim, members: DeviceDescription) -> None:
        """Behind `Size` and its gap every routine follows the one before it."""
        size, *routines = table(shim, quiet(shim, **members))
        assert size == SIZES[shim.dma.pointer_size][-1]
        assert routines == [shim.image.symbol(name).address for name in MEMBERS]

    @pytest.mark.dmav3_rule("TBL-05")
    def test_what_lies_behind_size_is_no_part_of_it(self, board: Board) -> None:
        """A driver that compares ends of members with `Size` finds all of version 3, none later."""
        adapter = quiet(board)
        size, place = table(board, adapter)[0], operations(board, adapter)
        step = board.dma.pointer_size
        ends = {name: step * number for number, name in enumerate(MEMBERS + LATER, start=2)}
        assert [name for name, end in ends.items() if end <= size] == MEMBERS
        variable = board.image.variable(place)
        assert variable is not None
        assert (variable.address, variable.size) == (place, size)

    @pytest.mark.dmav3_rule("GEN-01")
    def test_no_routine_can_be_linked_with(self, shim: Shim) -> None:
        """Debuggers know them by name, linkers do not; IoGetDmaAdapter is where they come from."""
        assert shim.image.exports("IoGetDmaAdapter")
        assert [name for name in MEMBERS if shim.image.exports(name)] == []


class TestLife:
    """From IoGetDmaAdapter to PutDmaAdapter."""

    @pytest.mark.dmav3_rule("TBL-07", "PDA-01")
    def test_the_table_lives_as_long_as_its_adapter(self, shim: Shim) -> None:
        """Whatever comes and goes besides; a released adapter serves nothing any more."""
        adapter, other = quiet(shim), bus_master(shim)
        before, live = table(shim, adapter), shim.layer.counters().adapters
        granted(shim, adapter)
        granted(shim, other)
        with shim.evidence.expect_violations(0x08, 0x09):
            other.PutDmaAdapter()
        assert table(shim, adapter) == before
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeAdapterChannel()
        adapter.PutDmaAdapter()
        assert shim.layer.counters().adapters == live - 2
        with shim.evidence.expect_violations(0x18, 0x18, 0x18):
            assert adapter.GetDmaAlignment() == 0
            assert adapter.GetDmaAdapterInfo().status == NtStatus.STATUS_INVALID_PARAMETER
            adapter.PutDmaAdapter()

    @pytest.mark.dmav3_rule("TBL-07")
    def test_a_driver_that_writes_it_ends(self, scripted: HostShim) -> None:
        """Where memory can be protected; a board's program may write all that it consists of."""
        place = operations(scripted, quiet(scripted))
        with pytest.raises(CrashError):
            scripted.request("poke", place + 8, "64", 0)

    @pytest.mark.dmav3_rule("PDA-04")
    @pytest.mark.parametrize("careful", [True, False])
    def test_a_driver_whose_device_comes_and_goes(self, shim: Shim, *, careful: bool) -> None:
        """Releasing the adapter whenever it stops works for ever; else there is none left soon."""
        got = []
        for _ in range(100):
            got.append(shim.IoGetDmaAdapter())
            if got[-1] is None:
                break
            if careful:
                got[-1].PutDmaAdapter()
        assert (got[-1] is not None) == careful
        assert (shim.layer.counters().adapters == 0) == careful


class TestEveryRoutine:
    """What they have in common."""

    @pytest.mark.dmav3_rule("GEN-03")
    def test_a_wrong_parameter_has_one_status(self, shim: Shim) -> None:
        """0xC000000D, from each routine whose description names the plural of it."""
        adapter, master, (_, mdl) = quiet(shim), bus_master(shim), described(shim, 256)
        base, raw, idle = (
            granted(shim, adapter),
            shim.dma.allocate_context(),
            context_for(shim, adapter),
        )
        none = Mdl(0, 64)
        listed: dict[str, Any] = {"Flags": 1, "WriteToDevice": True, "ScatterGatherList": True}
        memory: dict[str, Any] = {"ScatterGatherBuffer": 0, "ScatterGatherLength": 0}
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x24, 0x1F, 0x1F):
            got = [
                adapter.InitializeDmaTransferContext(0),
                adapter.GetDmaAdapterInfo(AdapterInfo=False).status,
                adapter.GetDmaTransferInfo(mdl, 0, 257).status,
                adapter.AllocateAdapterChannelEx(idle, 1, 2, MapRegisterBase=True).status,
                adapter.AllocateAdapterChannelEx(raw, 1, 1, MapRegisterBase=True).status,
                adapter.MapTransferEx(mdl, base, Length=260, WriteToDevice=True).status,
                adapter.MapTransferEx(none, base, WriteToDevice=True).status,
                adapter.CancelMappedTransfer(raw),
                master.GetScatterGatherListEx(raw, mdl, **listed).status,
                master.GetScatterGatherListEx(idle, none, **listed).status,
                master.BuildScatterGatherListEx(raw, mdl, **memory, **listed).status,
            ]
        assert got == [0xC000000D] * len(got)

    @pytest.mark.dmav3_rule("BMS-03")
    def test_one_need_not_be_implemented(self, shim: Shim) -> None:
        """BuildMdlFromScatterGatherList says so, makes no MDL, and leaves the list as it is."""
        adapter, (buffer, mdl) = bus_master(shim), described(shim, 256)
        with shim.dma.irql(DISPATCH_LEVEL):
            made = adapter.GetScatterGatherListEx(
                context_for(shim, adapter),
                mdl,
                Flags=DMA_SYNCHRONOUS_CALLBACK,
                WriteToDevice=True,
                ScatterGatherList=True,
            ).ScatterGatherList
            built = adapter.BuildMdlFromScatterGatherList(made, mdl)
            assert built == (NtStatus.STATUS_NOT_IMPLEMENTED, UNWRITTEN64)
            assert shim.dma.read_list(made) == [(buffer.address, 256)]
            adapter.PutScatterGatherList(made, WriteToDevice=True)

    @pytest.mark.dmav3_rule("CFG-10", "HBE-16")
    @pytest.mark.parametrize("status", [0, 0x103, 0xC0000001, 0xE1234567], ids=hex)
    def test_what_a_function_means_is_the_controller_s_business(
        self, scripted: HostShim, status: int
    ) -> None:
        """Number, data and status pass as they are, also a pointer to nothing."""
        adapter = quiet(scripted, DmaChannel=3)
        granted(scripted, adapter)
        scripted.script(configure_result=status)
        for calls, (function, data) in enumerate(
            [(1, 0), (0x8001, 1), (0x7FFFFFFF, 0xDEAD0001), (0xFFFFFFFE, (1 << 64) - 1)], start=1
        ):
            assert adapter.ConfigureAdapterChannel(function, data) == status
            assert scripted.configured() == (calls, 3, function, data)

    @pytest.mark.dmav3_rule("GEN-10")
    @pytest.mark.parametrize(
        "last", ["FlushAdapterBuffersEx", "CancelMappedTransfer", "FreeAdapterChannel", "Put"]
    )
    def test_none_waits_for_a_transfer(self, shim: Shim, last: str) -> None:
        """Of a device that asks for nothing, which would take for ever; nor does time pass."""
        bench, done, other = Bench.of_subordinate(shim), Completions(shim), bus_master(shim)
        queued = context_for(shim, bench.adapter)
        start = shim.evidence.time_ns
        ends: dict[str, tuple[Callable[[], object], list[int]]] = {
            "FlushAdapterBuffersEx": (lambda: bench.flush(256), [0x23]),
            "CancelMappedTransfer": (lambda: bench.adapter.CancelMappedTransfer(bench.context), []),
            "FreeAdapterChannel": (bench.adapter.FreeAdapterChannel, [0x10]),
            "Put": (bench.adapter.PutDmaAdapter, [0x08, 0x09, 0x10]),
        }
        end, violated = ends[last]
        with shim.dma.irql(DISPATCH_LEVEL):
            assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
            with shim.evidence.expect_violations(0x0D):
                assert not bench.map().status.success
            bench.adapter.ReadDmaCounter()
            assert bench.adapter.GetDmaTransferInfo(bench.mdl).status == OK
            late = bench.adapter.AllocateAdapterChannelEx(
                queued, 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
            assert not late.status.success
            assert not bench.adapter.CancelAdapterChannel(bench.context)
            made = other.GetScatterGatherListEx(
                context_for(shim, other),
                bench.mdl,
                Flags=DMA_SYNCHRONOUS_CALLBACK,
                WriteToDevice=True,
                ScatterGatherList=True,
            )
            other.PutScatterGatherList(made.ScatterGatherList, WriteToDevice=True)
            with shim.evidence.expect_violations(*violated):
                end()
            assert shim.evidence.time_ns - start < 100_000_000
            assert done.calls == []
