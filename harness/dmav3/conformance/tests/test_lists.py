# SPDX-License-Identifier: Apache-2.0
"""Scatter/gather lists: how they are sized, made, waited for, handed over and put."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import NULL, Pointer
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    PASSIVE_LEVEL,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    PAGE,
    bus_master,
    chained,
    context_for,
    described,
    elements_of,
    entries,
    granted,
    maintenance,
    quiet,
    sizes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter, Mdl

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
TOO_SMALL = NtStatus.STATUS_BUFFER_TOO_SMALL
KEEP_REGISTERS = IoAllocationAction.DeallocateObjectKeepRegisters
#: What is true of one form is true of the other (BSX-01).
FORMS = ["get", pytest.param("build", marks=pytest.mark.dmav3_rule("BSX-01"))]
#: Map registers in all.
ALL = 64


@dataclass
class Lists:
    """A bus master that asks for lists, in each of the four forms.

    :ivar memory, size: the buffer of the forms that build.
    :ivar got: what the routine was called with: (list, context, IRQL).
    :ivar inside: what it does besides, with the list.
    """

    shim: Shim
    adapter: DmaAdapter
    memory: int = 0
    size: int = PAGE
    got: list[tuple[int, object, int]] = field(default_factory=list)
    inside: Callable[[int], object] = lambda _: None

    def __post_init__(self) -> None:
        """Have a buffer."""
        self.memory = self.shim.request("allocate", PAGE).number("address")

    def control(self, _device: int, _irp: int, address: int, context: object) -> None:
        """AdapterListControl."""
        irql = self.shim.request("KeGetCurrentIrql").number("irql")
        self.got.append((address, context, irql))
        self.inside(address)

    @property
    def lists(self) -> list[int]:
        """The lists that the routine got."""
        return [address for address, _, _ in self.got]

    def ask(
        self,
        form: str,
        mdl: Mdl | int,
        *,
        context: int | None = None,
        write: bool = True,
        **more: Any,
    ) -> tuple[NtStatus, int]:
        """Ask by version 3, without a routine unless `more` has one; return status and list."""
        context = context_for(self.shim, self.adapter) if context is None else context
        more = {"WriteToDevice": write, "ScatterGatherList": True} | more
        routine: Any = self.adapter.GetScatterGatherListEx
        if form == "build":
            more = {"ScatterGatherBuffer": self.memory, "ScatterGatherLength": self.size} | more
            routine = self.adapter.BuildScatterGatherListEx
        status, address = routine(context, mdl, **more)
        return status, address

    def now(self, form: str, mdl: Mdl | int, **more: Any) -> tuple[NtStatus, int]:
        """Ask synchronously."""
        return self.ask(form, mdl, Flags=DMA_SYNCHRONOUS_CALLBACK, **more)

    def later(self, form: str, mdl: Mdl | int, **more: Any) -> NtStatus:
        """Ask asynchronously; the routine gets the list."""
        status, _ = self.ask(
            form, mdl, ExecutionRoutine=self.control, ScatterGatherList=False, **more
        )
        return status

    def old(
        self,
        form: str,
        mdl: Mdl | int,
        va: int,
        length: int,
        *,
        write: bool = True,
        size: int = PAGE,
    ) -> NtStatus:
        """Ask by version 1."""
        if form == "get":
            return self.adapter.GetScatterGatherList(
                mdl, va, length, self.control, "mine", WriteToDevice=write
            )
        return self.adapter.BuildScatterGatherList(
            mdl,
            va,
            length,
            self.control,
            "mine",
            WriteToDevice=write,
            ScatterGatherBuffer=self.memory,
            ScatterGatherLength=size,
        )

    def put(self, address: int, *, write: bool = True) -> None:
        """End a list."""
        self.adapter.PutScatterGatherList(address, WriteToDevice=write)

    def let_go(self) -> None:
        """Give the adapter back and keep the list."""
        self.adapter.FreeAdapterObject(KEEP_REGISTERS)

    def holds_nothing(self) -> bool:
        """Return whether no request, mapping or list lives, and all registers are free."""
        now = self.shim.layer.counters()
        return (now.requests, now.mappings, now.lists, now.free_map_registers) == (0, 0, 0, ALL)


@pytest.fixture
def lists(shim: Shim) -> Lists:
    """Return one for a bus master with scatter/gather."""
    return Lists(shim, bus_master(shim))


class TestArguments:
    """Of the routines of version 3."""

    ROWS = (
        # synchronous, routine, place for the list -> accepted
        (False, False, False, False),
        (False, False, True, False),
        (False, True, False, True),
        (False, True, True, True),
        (True, False, False, False),
        (True, False, True, True),
        (True, True, False, True),
        (True, True, True, True),
    )

    @pytest.mark.dmav3_rule("GSX-01")
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("row", ROWS)
    def test_combinations(self, lists: Lists, form: str, row: tuple[bool, ...]) -> None:
        """Somebody must get the list, and a synchronous call needs no routine for it."""
        synchronous, routine, place, accepted = row
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.ask(
                form,
                mdl,
                Flags=DMA_SYNCHRONOUS_CALLBACK * synchronous,
                ExecutionRoutine=lists.control if routine else None,
                ScatterGatherList=place,
            )
            assert status == (OK if accepted else INVALID)
            assert len(lists.got) == (accepted and routine)
            if accepted:
                if not routine:
                    lists.let_go()
                lists.put(address if place else lists.lists[0])
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("GSX-01")
    @pytest.mark.parametrize("flags", [2, 3])
    def test_unknown_flags(self, lists: Lists, flags: int) -> None:
        """They are refused."""
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            status, _ = lists.ask("get", mdl, Flags=flags, ExecutionRoutine=lists.control)
        assert (status, lists.got) == (INVALID, [])

    @pytest.mark.dmav3_rule("GSX-06")
    @pytest.mark.parametrize(
        ("offset", "length", "violation"),
        [(0, 0, 0x21), (100, 1, 0x1F), (1, 100, 0x24), (0, 101, 0x24)],
    )
    @pytest.mark.parametrize("form", FORMS)
    def test_ranges(
        self, lists: Lists, form: str, offset: int, length: int, violation: int
    ) -> None:
        """What is not all in the chain, or is nothing, is refused."""
        _, mdl = described(lists.shim, 100, offset=1000)
        with lists.shim.dma.irql(DISPATCH_LEVEL), lists.shim.evidence.expect_violations(violation):
            assert lists.later(form, mdl, Offset=offset, Length=length) == INVALID
        assert lists.got == []
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("GSX-02")
    @pytest.mark.parametrize("form", FORMS)
    def test_a_subordinate(self, shim: Shim, form: str) -> None:
        """It gets no list of version 3: violation 0x4E, and nothing is written or held."""
        lists = Lists(shim, quiet(shim))
        _, mdl = described(shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x4E):
            status, address = lists.now(form, mdl)
        assert (status, hex(address)) == (INVALID, hex(0xA5A5A5A5_A5A5A5A5))
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("GSL-08")
    @pytest.mark.parametrize("form", FORMS)
    def test_a_subordinate_by_version_1(self, shim: Shim, form: str) -> None:
        """On an adapter of version 3 it gets none either."""
        lists, (buffer, mdl) = Lists(shim, quiet(shim)), described(shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x4E):
            assert lists.old(form, mdl, buffer.address, 64) == INVALID
        assert lists.got == []
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("BSX-06")
    def test_buffers(self, lists: Lists) -> None:
        """None, one that is not aligned for 64 bits, and one where no memory is, are refused."""
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            for memory in (0, lists.memory + 4, 0x100):
                found = lists.now("build", mdl, ScatterGatherBuffer=memory, ScatterGatherLength=256)
                assert found[0] == INVALID
        assert lists.holds_nothing()


class TestLists:
    """What is in them, and what they hold."""

    @pytest.mark.dmav3_rule("GSX-03", "GSX-15", "GSX-17")
    @pytest.mark.parametrize("form", FORMS)
    def test_of_a_part_of_a_chain(self, lists: Lists, form: str) -> None:
        """Offset and Length are bytes of the chain; the routine gets the list and its context."""
        shim = lists.shim
        buffers = [
            shim.memory.allocate(size, region="scatter", align=PAGE, offset=at)
            for size, at in ((2 * PAGE, 100), (64, 0), (PAGE, 40))
        ]
        mdl = chained(shim, *buffers)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert lists.later(form, mdl, Offset=200, Length=2 * PAGE, Context="mine") == OK
            ((address, context, irql),) = lists.got
            assert (context, irql) == ("mine", DISPATCH_LEVEL)
            assert shim.dma.read_list(address) == elements_of(buffers, 200, 2 * PAGE)
            lists.put(address)
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("GSX-09", "GSL-05")
    @pytest.mark.parametrize("old", [False, True])
    def test_after_the_routine(self, shim: Shim, *, old: bool) -> None:
        """The adapter is free; registers, mapping and list stay until the put."""
        lists = Lists(shim, bus_master(shim, ScatterGather=0))
        buffer, mdl = described(shim, 6 * PAGE, region="scatter", offset=PAGE // 2)
        with shim.dma.irql(DISPATCH_LEVEL):
            if old:
                assert lists.old("get", mdl, buffer.address, buffer.size) == OK
            else:
                assert lists.later("get", mdl) == OK
            now = shim.layer.counters()
            assert (now.mappings, now.lists, ALL - now.free_map_registers) == (1, 1, 7)
            assert shim.layer.channel_state(lists.adapter).owner == 0
            lists.put(lists.lists[0])
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("GSX-10")
    @pytest.mark.parametrize("form", FORMS)
    def test_without_a_routine(self, lists: Lists, form: str) -> None:
        """The adapter stays owned until it is freed; the list until the put."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now(form, mdl)
            assert status == OK
            assert shim.layer.channel_state(lists.adapter).owner == lists.adapter.address
            lists.let_go()
            assert shim.layer.channel_state(lists.adapter).owner == 0
            now = shim.layer.counters()
            assert (now.mappings, now.lists) == (1, 1)
            lists.put(address)
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("GSX-11")
    def test_an_adapter_that_is_freed_whole(self, lists: Lists) -> None:
        """That ends the mapping and frees the registers; the put frees the list and no more."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 100, offset=100)
        with shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now("get", mdl, write=False)
            assert status == OK
            lists.adapter.FreeAdapterObject(IoAllocationAction.DeallocateObject)
            now = shim.layer.counters()
            assert (now.mappings, now.lists, now.free_map_registers) == (0, 1, ALL)
            base = granted(shim, lists.adapter, 4)
            lists.put(address, write=False)
            assert shim.layer.channel_state(lists.adapter).handle == base
            assert shim.layer.counters().free_map_registers == ALL - 4
            lists.adapter.FreeAdapterChannel()
        assert lists.holds_nothing()
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("GSX-12")
    @pytest.mark.parametrize("form", FORMS)
    def test_a_synchronous_call_with_a_routine(self, lists: Lists, form: str) -> None:
        """It has run when the call returns, in the caller's context."""
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL), entries(lists.shim) as entered:
            status, address = lists.now(form, mdl, ExecutionRoutine=lists.control)
            assert (status, lists.lists) == (OK, [address])
            lists.put(address)
        name = f"{form.capitalize()}ScatterGatherListEx"
        assert entered[1:] == [name, "AdapterListControl", "PutScatterGatherList"]

    @pytest.mark.dmav3_rule("GSX-13")
    @pytest.mark.parametrize("synchronous", [True, False])
    @pytest.mark.parametrize("form", FORMS)
    def test_the_place_of_the_list(self, lists: Lists, form: str, *, synchronous: bool) -> None:
        """It is written before the routine is called, and not before the list exists."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 64)
        place, seen = Pointer(shim.request("allocate", 64).number("address")), []

        def look() -> int:
            return shim.request("peek", place, "64").number("value")

        lists.inside = lambda _: seen.append(look())
        with shim.dma.irql(DISPATCH_LEVEL):
            if not synchronous:
                granted(shim, lists.adapter, 0)
            status, _ = lists.ask(
                form,
                mdl,
                Flags=DMA_SYNCHRONOUS_CALLBACK * synchronous,
                ExecutionRoutine=lists.control,
                ScatterGatherList=place,
            )
            assert status == OK
            if not synchronous:
                assert (look(), seen) == (0, [])
                lists.adapter.FreeAdapterChannel()
            assert seen == lists.lists
            lists.put(lists.lists[0])

    @pytest.mark.dmav3_rule("GSX-14")
    @pytest.mark.parametrize("form", FORMS)
    def test_a_completion_routine(self, lists: Lists, form: str) -> None:
        """It is ignored."""
        called: list[object] = []
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now(
                form, mdl, DmaCompletionRoutine=lambda *_: called.append(1), CompletionContext=1
            )
            assert status == OK
            lists.let_go()
            lists.put(address)
        lists.shim.wait(1000)
        assert called == []

    @pytest.mark.dmav3_rule("GSL-06")
    def test_a_chain_by_version_1(self, lists: Lists) -> None:
        """It is one list."""
        shim = lists.shim
        buffers = [shim.memory.allocate(size, align=PAGE) for size in (128, 64)]
        mdl = chained(shim, *buffers)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert lists.old("get", mdl, buffers[0].address + 64, 128) == OK
            assert shim.dma.read_list(lists.lists[0]) == elements_of(buffers, 64, 128)
            lists.put(lists.lists[0])

    @pytest.mark.dmav3_rule("GSL-07")
    def test_of_a_device_without_scatter_gather(self, shim: Shim) -> None:
        """The list has one element."""
        lists = Lists(shim, bus_master(shim, ScatterGather=0))
        buffer, mdl = described(shim, 6 * PAGE, region="scatter")
        with shim.dma.irql(DISPATCH_LEVEL):
            assert lists.old("get", mdl, buffer.address, buffer.size) == OK
            (element,) = shim.dma.read_list(lists.lists[0])
            assert element.Length == buffer.size
            lists.put(lists.lists[0])

    @pytest.mark.dmav3_rule("GSX-08")
    @pytest.mark.parametrize("form", FORMS)
    def test_the_whole_or_nothing(self, shim: Shim, form: str) -> None:
        """More registers than the maximum: no list, violation 0x0C."""
        lists = Lists(shim, bus_master(shim, ScatterGather=0, MaximumLength=4 * PAGE))
        most = lists.adapter.NumberOfMapRegisters
        _, mdl = described(shim, 8 * PAGE, region="scatter", offset=0)
        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x0C):
                assert lists.now(form, mdl, Length=(most + 1) * PAGE)[0] == NO_RESOURCES
            assert lists.holds_nothing()
            status, address = lists.now(form, mdl, Length=most * PAGE)
            assert status == OK
            lists.let_go()
            lists.put(address)

    @pytest.mark.dmav3_rule("ALC-01", "ALC-03", "GSL-03")
    def test_the_pointer(self, lists: Lists) -> None:
        """The routine gets it, in memory of the layer's, and a put later takes it back."""
        shim, (buffer, mdl) = lists.shim, described(lists.shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert lists.old("get", mdl, buffer.address, 64) == OK
            assert lists.lists[0] not in range(lists.memory, lists.memory + PAGE)
            assert shim.layer.counters().lists == 1
            lists.put(lists.lists[0])
            assert shim.layer.counters().lists == 0
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("GEN-14")
    def test_the_routine_may_put_its_list(self, lists: Lists) -> None:
        """And the adapter is given back all the same."""
        lists.inside = lists.put
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            assert lists.later("get", mdl) == OK
        assert len(lists.got) == 1
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("BSX-02")
    def test_where_it_is_built(self, lists: Lists) -> None:
        """In the caller's buffer, whose address is what comes back."""
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            assert lists.now("build", mdl) == (OK, lists.memory)
            lists.let_go()
            lists.put(lists.memory)

    @pytest.mark.dmav3_rule("BSX-02")
    def test_where_it_is_built_later(self, lists: Lists) -> None:
        """The same, if the routine is called before the return."""
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            asked = lists.ask("build", mdl, ExecutionRoutine=lists.control)
            assert asked == (OK, lists.memory)
            lists.put(lists.memory)

    @pytest.mark.dmav3_rule("BSX-07", "BSL-03")
    def test_a_buffer_in_use(self, lists: Lists) -> None:
        """Another list cannot be built in it before the put, and can be after it."""
        _, mdl = described(lists.shim, 64)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            for _ in range(2):
                assert lists.now("build", mdl)[0] == OK
                lists.let_go()
                assert lists.now("build", mdl)[0] == INVALID
                lists.put(lists.memory)
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("PSL-06")
    def test_a_buffer_of_the_caller_s(self, lists: Lists) -> None:
        """A put leaves its contents."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert lists.now("build", mdl)[0] == OK
            lists.let_go()
            shim.request("fill", lists.memory, PAGE, 0x77)
            lists.put(lists.memory)
        assert shim.memory.cpu_load(lists.memory, PAGE) == b"\x77" * PAGE
        assert lists.holds_nothing()


class TestSizes:
    """How much memory a list needs."""

    @pytest.mark.dmav3_rule("BSX-03", "BSX-05")
    @pytest.mark.parametrize("write", [True, False])
    def test_of_version_3(self, lists: Lists, *, write: bool) -> None:
        """What GetDmaTransferInfo tells is enough; a byte less is refused at once."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 3 * PAGE, region="scatter", offset=10)
        size = lists.adapter.GetDmaTransferInfo(mdl, WriteOnly=write).ScatterGatherListSize
        with shim.dma.irql(DISPATCH_LEVEL):
            lists.size = size - 1
            assert lists.later("build", mdl, write=write) == TOO_SMALL
            assert lists.holds_nothing()
            lists.size = size
            assert lists.later("build", mdl, write=write) == OK
            lists.put(lists.memory, write=write)

    @pytest.mark.dmav3_rule("BSL-02", "BSL-04", "CSL-01", "CSL-06")
    @pytest.mark.parametrize("write", [True, False])
    def test_of_version_1(self, lists: Lists, *, write: bool) -> None:
        """What CalculateScatterGatherList tells is enough for both forms; a byte less is not."""
        shim, (buffer, mdl) = (
            lists.shim,
            described(lists.shim, 3 * PAGE, region="scatter", offset=10),
        )
        status, size, _ = lists.adapter.CalculateScatterGatherList(mdl, buffer.address, buffer.size)
        assert status == OK
        with shim.dma.irql(DISPATCH_LEVEL):
            where = mdl, buffer.address, buffer.size
            assert lists.old("build", *where, write=write, size=size - 1) == TOO_SMALL
            assert lists.got == []
            assert lists.old("build", *where, write=write, size=size) == OK
            lists.put(lists.memory, write=write)
            lists.size = size
            assert lists.later("build", mdl, write=write) == OK
            lists.put(lists.memory, write=write)

    @pytest.mark.dmav3_rule("CSL-01")
    @pytest.mark.parametrize(("length", "offset"), [(PAGE, 0), (100, 0), (3 * PAGE, 10)])
    def test_the_registers_that_are_told(self, lists: Lists, length: int, offset: int) -> None:
        """As many as the mapping of a read takes, and not as many as it has elements."""
        buffer, mdl = described(lists.shim, length, region="scatter", offset=offset)
        info = lists.adapter.GetDmaTransferInfo(mdl)
        told = lists.adapter.CalculateScatterGatherList(mdl, buffer.address, length)
        assert told == (OK, info.ScatterGatherListSize, info.MapRegisterCount)
        assert info.MapRegisterCount < info.ScatterGatherElementCount

    @pytest.mark.dmav3_rule("CSL-02", "CSL-05")
    @pytest.mark.parametrize("offset", [0, 1, 63, 64, 4095])
    def test_without_an_mdl(self, lists: Lists, offset: int) -> None:
        """The worst case of any buffer there: each that there is needs at most as much."""
        for length in (1, 100, PAGE, 2 * PAGE + 1):
            buffer, mdl = described(lists.shim, length, region="scatter", offset=offset)
            worst = lists.adapter.CalculateScatterGatherList(0, buffer.address, length)
            found = lists.adapter.CalculateScatterGatherList(mdl, buffer.address, length)
            assert worst.status == found.status == OK
            assert worst.ScatterGatherListSize >= found.ScatterGatherListSize
            assert worst.NumberOfMapRegisters >= found.NumberOfMapRegisters
            pages = -(-(offset + length) // PAGE)
            head, element = sizes(lists.shim)
            assert worst.ScatterGatherListSize >= head + pages * element

    @pytest.mark.dmav3_rule("CSL-03")
    def test_what_cannot_be(self, lists: Lists) -> None:
        """More than the maximum, more than the buffer, and nothing; no result is written."""
        shim, (buffer, mdl) = lists.shim, described(lists.shim, 100, offset=1000)
        calculate, most = (
            lists.adapter.CalculateScatterGatherList,
            lists.adapter.NumberOfMapRegisters,
        )
        rows: list[tuple[Mdl | int, int, int, NtStatus]] = [
            (0, 0, most * PAGE + 1, NO_RESOURCES),
            (mdl, buffer.address + 1, 100, TOO_SMALL),
            (mdl, buffer.address - 1, 1, INVALID),
            (mdl, buffer.address, 0, INVALID),
        ]
        for chain, va, length, wanted in rows:
            assert calculate(chain, va, length) == (wanted, 0xA5A5A5A5, 0xA5A5A5A5)
        assert calculate(mdl, buffer.address, 1, ScatterGatherListSize=NULL).status == INVALID
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("CSL-04")
    def test_of_the_maximum(self, lists: Lists) -> None:
        """It takes all the registers that the adapter may have."""
        most = lists.adapter.NumberOfMapRegisters
        found = lists.adapter.CalculateScatterGatherList(0, 0, most * PAGE)
        assert (found.status, found.NumberOfMapRegisters) == (OK, most)

    @pytest.mark.dmav3_rule("CSL-07")
    @pytest.mark.parametrize("level", [PASSIVE_LEVEL, DISPATCH_LEVEL, 7])
    def test_at_any_level(self, lists: Lists, level: int) -> None:
        """It may be asked."""
        buffer, mdl = described(lists.shim, 100)
        with lists.shim.dma.irql(level):
            status = lists.adapter.CalculateScatterGatherList(mdl, buffer.address, 100).status
        assert (status, lists.shim.violations()) == (OK, [])

    @pytest.mark.dmav3_rule("GSL-02")
    def test_ranges_of_version_1(self, lists: Lists) -> None:
        """Past the buffer's end it is STATUS_BUFFER_TOO_SMALL; other ranges are invalid."""
        shim, (buffer, mdl) = lists.shim, described(lists.shim, 100, offset=1000)
        rows = [
            (buffer.address + 1, 100, TOO_SMALL, [0x24]),
            (buffer.address - 1, 10, INVALID, [0x1B]),
            (buffer.address + 100, 1, INVALID, [0x1B]),
        ]
        for va, length, wanted, violations in rows:
            with (
                shim.dma.irql(DISPATCH_LEVEL),
                shim.evidence.expect_violations(*violations),
            ):
                assert lists.old("get", mdl, va, length) == wanted
        assert lists.got == []
        assert lists.holds_nothing()


class TestWaiting:
    """Lists that cannot be made yet."""

    @pytest.mark.dmav3_rule("GSX-04")
    @pytest.mark.parametrize("form", FORMS)
    def test_asynchronous(self, lists: Lists, form: str) -> None:
        """A success at once; the list is made when the adapter is free, and not before."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 64)
        granted(shim, lists.adapter, 0)
        position = len(shim.evidence.events.all())
        with shim.dma.irql(DISPATCH_LEVEL):
            assert lists.later(form, mdl) == OK
            assert lists.got == []
            assert maintenance(shim, position) == 0
            lists.adapter.FreeAdapterChannel()
            assert len(lists.got) == 1
            lists.put(lists.lists[0])

    @pytest.mark.dmav3_rule("GSX-05")
    @pytest.mark.parametrize("form", FORMS)
    def test_synchronous(self, lists: Lists, form: str) -> None:
        """It fails, no list is built or written, and the same context may ask again."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 64)
        context = context_for(shim, lists.adapter)
        granted(shim, lists.adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now(form, mdl, context=context)
            assert (status, address) == (NO_RESOURCES, 0xA5A5A5A5_A5A5A5A5)
            assert shim.layer.counters().lists == 0
            lists.adapter.FreeAdapterChannel()
            status, address = lists.now(form, mdl, context=context)
            assert status == OK
            lists.let_go()
            lists.put(address)

    @pytest.mark.dmav3_rule("GSL-04", "QUE-10")
    def test_several_of_a_device_object(self, lists: Lists) -> None:
        """By version 1 as well, beside one request for the channel."""
        shim, (buffer, mdl) = lists.shim, described(lists.shim, 64)
        granted(shim, lists.adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            for _ in range(3):
                assert lists.old("get", mdl, buffer.address, 64) == OK
            assert lists.later("get", mdl) == OK
            assert lists.got == []
            lists.adapter.FreeAdapterChannel()
            assert len(set(lists.lists)) == 4
            for address in lists.lists:
                lists.put(address)
        assert lists.holds_nothing()

    def exhaust(self, lists: Lists, mdl: Mdl, va: int) -> int:
        """Make lists until there is no memory for another one; return how many."""
        before = len(lists.got)
        while lists.old("get", mdl, va, mdl.size) == OK:
            assert len(lists.got) - before < 2000
        return len(lists.got) - before

    def many_elements(self, shim: Shim) -> tuple[Mdl, int]:
        """Return a chain whose list is long, and where it begins."""
        buffers = [shim.memory.allocate(64, align=128) for _ in range(60)]
        return chained(shim, *buffers), buffers[0].address

    @pytest.mark.dmav3_rule("GSX-07", "BMT-08", "PSL-01")
    def test_memory_for_lists(self, lists: Lists) -> None:
        """It is limited: then there is no list; after the puts there are as many again."""
        mdl, va = self.many_elements(lists.shim)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            made = self.exhaust(lists, mdl, va)
            assert made > 10
            assert lists.now("get", mdl)[0] == NO_RESOURCES
            for address in lists.lists:
                lists.put(address)
            assert self.exhaust(lists, mdl, va) == made

    @pytest.mark.dmav3_rule("BSX-04", "BSL-01")
    def test_without_memory_for_lists(self, lists: Lists) -> None:
        """A list can be built in a buffer of the caller's."""
        mdl, va = self.many_elements(lists.shim)
        with lists.shim.dma.irql(DISPATCH_LEVEL):
            self.exhaust(lists, mdl, va)
            assert lists.now("build", mdl) == (OK, lists.memory)
            lists.let_go()
            lists.put(lists.memory)
            assert lists.old("build", mdl, va, mdl.size) == OK
            lists.put(lists.memory)


class TestPut:
    """PutScatterGatherList."""

    @pytest.mark.dmav3_rule("PSL-01")
    def test_what_it_frees(self, shim: Shim) -> None:
        """Mapping, registers, and the list."""
        lists = Lists(shim, bus_master(shim, ScatterGather=0))
        _, mdl = described(shim, 6 * PAGE, region="scatter")
        with shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now("get", mdl)
            assert status == OK
            lists.let_go()
            now = shim.layer.counters()
            assert (now.mappings, now.lists, now.free_map_registers) == (1, 1, ALL - 6)
            lists.put(address)
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("PSL-02", "PSL-05")
    def test_twice(self, lists: Lists) -> None:
        """Violation 0x06, and no effect; so for what is no list of this adapter."""
        shim, other = lists.shim, bus_master(lists.shim)
        _, mdl = described(shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now("get", mdl)
            assert status == OK
            lists.let_go()
            with shim.evidence.expect_violations(0x06, 0x06, 0x06):
                other.PutScatterGatherList(address, WriteToDevice=True)
                lists.put(lists.memory)
                lists.put(0)
            assert shim.layer.counters().lists == 1
            lists.put(address)
            with shim.evidence.expect_violations(0x06):
                lists.put(address)
        assert lists.holds_nothing()

    @pytest.mark.dmav3_rule("PSL-03")
    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("old", [True, False])
    def test_lists_of_each_form(self, lists: Lists, form: str, *, old: bool) -> None:
        """All are ended by it."""
        shim, (buffer, mdl) = lists.shim, described(lists.shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL):
            asked = lists.old(form, mdl, buffer.address, 64) if old else lists.later(form, mdl)
            assert asked == OK
            lists.put(lists.lists[0])
        assert lists.holds_nothing()
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("PSL-04")
    @pytest.mark.parametrize("write", [True, False])
    def test_the_other_direction(self, lists: Lists, *, write: bool) -> None:
        """Violation 0x48; what was recorded counts, and the list is ended."""
        shim, (_, mdl) = lists.shim, described(lists.shim, 64)
        with shim.dma.irql(DISPATCH_LEVEL):
            status, address = lists.now("get", mdl, write=write)
            assert status == OK
            lists.let_go()
            with shim.evidence.expect_violations(0x48):
                lists.put(address, write=not write)
        assert lists.holds_nothing()
