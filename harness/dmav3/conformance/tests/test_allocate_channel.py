# SPDX-License-Identifier: Apache-2.0
"""AllocateAdapterChannelEx: what it takes, whom it calls and when, and what is owned afterwards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import UNWRITTEN64, Pointer
from dmav3.evidence.probe import Kind
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction, NtStatus

from .driver import (
    Bench,
    bus_master,
    context_for,
    described,
    entries,
    free_channel,
    granted,
    granted_with,
    quiet,
)

if TYPE_CHECKING:
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
CANCELLED = NtStatus.STATUS_CANCELLED
KEEP, DEALLOCATE, KEEP_REGISTERS = IoAllocationAction
#: What is no context: nothing, odd, unmapped, a device, plain memory.
GARBAGE = (0, 1, 0x40000000, 0xFFFF_FFFF_FFFF_FFFF, 0x40800000)


class Grants:
    """An AdapterControl that remembers how it was called."""

    def __init__(self, shim: Shim, action: int = KEEP) -> None:
        """Return `action`, which may be changed."""
        self.shim, self.action = shim, action
        self.calls: list[tuple[int, int, int, object]] = []
        self.levels: list[int] = []

    def __call__(self, device: int, irp: int, base: int, context: object) -> int:
        """Note the call."""
        self.calls.append((device, irp, base, context))
        self.levels.append(self.shim.request("KeGetCurrentIrql").number("irql"))
        return self.action


class TestArguments:
    """What is refused, and what is not."""

    @pytest.mark.dmav3_rule("AAX-01", "AAX-07", "AAX-13", "GEN-06")
    @pytest.mark.parametrize(
        ("flags", "routine", "handle", "accepted"),
        [
            (0, False, False, False),
            (0, False, True, False),
            (0, True, False, True),
            (0, True, True, False),
            (1, False, False, False),
            (1, False, True, True),
            (1, True, False, True),
            (1, True, True, True),
            (2, True, False, False),
            (3, True, False, False),
            (0x80000000, True, False, False),
        ],
    )
    def test_the_table_of_arguments(
        self, shim: Shim, *, flags: int, routine: bool, handle: bool, accepted: bool
    ) -> None:
        """Every combination of flag, routine and handle; a refusal calls and writes nothing."""
        adapter, grants = quiet(shim), Grants(shim)
        context = context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            status, base = adapter.AllocateAdapterChannelEx(
                context, 1, flags, grants if routine else None, MapRegisterBase=handle
            )
            assert status == (OK if accepted else INVALID)
            assert len(grants.calls) == (accepted and routine)
            assert (base not in {0, UNWRITTEN64}) == (accepted and handle)
            assert not (handle and grants.calls) or grants.calls[0][2] == base
            with shim.evidence.expect_violations(*([] if accepted else [0x04])):
                adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("AAX-12", "AAX-15", "STM-02")
    def test_a_context_that_is_not_idle(self, shim: Shim) -> None:
        """STATUS_INVALID_PARAMETER: garbage, raw, copied, in use, used up, freed."""
        adapter = quiet(shim)

        def attempt(context: int) -> NtStatus:
            return adapter.AllocateAdapterChannelEx(
                context, 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            ).status

        idle, copied = context_for(shim, adapter), shim.dma.allocate_context()
        shim.request("copy", copied, idle, 128)
        with shim.dma.irql(DISPATCH_LEVEL):
            for context in (*GARBAGE, shim.dma.allocate_context(), copied):
                assert attempt(context) == INVALID
            assert attempt(idle) == OK
            with shim.evidence.expect_violations(0x40):
                assert attempt(idle) == INVALID
            adapter.FreeAdapterChannel()
            assert attempt(idle) == INVALID
        freed = context_for(shim, adapter)
        shim.request("fill", freed, 128, 0xEE)
        shim.request("release", freed)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert attempt(freed) == INVALID
        assert shim.layer.counters().requests == 0

    @pytest.mark.dmav3_rule("AAX-15")
    @pytest.mark.parametrize("flags", [0, DMA_SYNCHRONOUS_CALLBACK])
    def test_no_device_object(self, shim: Shim, flags: int) -> None:
        """It is handed back as NULL, with Irp NULL; without a routine nobody misses it."""
        adapter, grants = quiet(shim), Grants(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            found = adapter.AllocateAdapterChannelEx(
                context_for(shim, adapter), 1, flags, grants, "mine", DeviceObject=0
            )
            assert found.status == OK
            ((device, irp, base, context),) = grants.calls
            assert (device, irp, context) == (0, 0, "mine")
            assert base
            adapter.FreeAdapterChannel()
        assert granted_with(shim, adapter, context_for(shim, adapter), device=0)

    @pytest.mark.dmav3_rule("AAX-06", "QUE-05")
    @pytest.mark.parametrize("flags", [0, DMA_SYNCHRONOUS_CALLBACK])
    def test_more_registers_than_the_maximum(self, shim: Shim, flags: int) -> None:
        """They are refused at once, with violation 0x0C; the maximum itself is granted."""
        adapter, grants = quiet(shim, MaximumLength=4096), Grants(shim)
        most, context = adapter.NumberOfMapRegisters, context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x0C):
                refused = adapter.AllocateAdapterChannelEx(context, most + 1, flags, grants)
            assert (refused.status, grants.calls) == (NO_RESOURCES, [])
            assert adapter.AllocateAdapterChannelEx(context, most, flags, grants).status == OK
        assert len(grants.calls) == 1


class TestGrant:
    """Who is called when."""

    @pytest.mark.dmav3_rule("AAX-02", "AAX-03", "AAX-05", "GEN-08")
    @pytest.mark.parametrize("flags", [0, DMA_SYNCHRONOUS_CALLBACK])
    @pytest.mark.parametrize("master", [0, 1])
    def test_everything_is_free(self, shim: Shim, flags: int, master: int) -> None:
        """The routine runs inside the call, once, at DISPATCH_LEVEL."""
        adapter, grants = quiet(shim, Master=master), Grants(shim)
        context = context_for(shim, adapter)
        position = len(shim.evidence.events.all())
        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, 1, flags, grants).status == OK
        assert grants.levels == [DISPATCH_LEVEL]
        ids = shim.image.enum("oplog_id")
        outer, inner = ids["OPLOG_AllocateAdapterChannelEx"], ids["OPLOG_AdapterControl"]
        seen = [
            (one.kind, one.id)
            for one in shim.evidence.events.since(position)
            if one.id in {outer, inner}
        ]
        assert [one for one in seen if one[0] in {Kind.ENTER, Kind.EXIT}] == [
            (Kind.ENTER, outer),
            (Kind.ENTER, inner),
            (Kind.EXIT, inner),
            (Kind.EXIT, outer),
        ]

    @pytest.mark.dmav3_rule("AAX-02", "AAX-04", "AAX-05", "STM-04", "PAT-B2", "GEN-06")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("missing", ["channel", "registers"])
    def test_something_is_missing(self, shim: Shim, missing: str, master: int) -> None:
        """A synchronous request fails and leaves nothing; an asynchronous one waits its turn."""
        adapter, grants = quiet(shim, Master=master), Grants(shim)
        owner = adapter if missing == "channel" else quiet(shim, Master=master, DmaChannel=1)
        most = owner.NumberOfMapRegisters
        granted(shim, owner, 1 if missing == "channel" else most)
        before, context = shim.layer.counters(), context_for(shim, adapter)
        attempt = partial(adapter.AllocateAdapterChannelEx, context, 1)
        with shim.dma.irql(DISPATCH_LEVEL):
            for routine in (grants, None):
                refused = attempt(DMA_SYNCHRONOUS_CALLBACK, routine, MapRegisterBase=True)
                assert refused == (NO_RESOURCES, UNWRITTEN64)
                assert shim.layer.counters() == before
            assert attempt(0, grants).status == OK
            assert (grants.calls, shim.layer.counters().requests) == ([], before.requests + 1)
            owner.FreeAdapterChannel()
            assert len(grants.calls) == 1
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("AAX-16", "QUE-09")
    def test_several_contexts_wait_on_one_adapter(self, shim: Shim) -> None:
        """They own the channel one after the other; never two at once, so no violation 0x0B."""
        adapter, grants, order = bus_master(shim), Grants(shim), []
        granted(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            for name in range(5):
                context = context_for(shim, adapter)
                assert adapter.AllocateAdapterChannelEx(context, 1, 0, grants, name).status == OK
            assert shim.layer.channel_state(adapter).waiting == 5
            for _ in range(6):
                order.append([context for *_, context in grants.calls])
                adapter.FreeAdapterChannel()
        assert order == [list(range(n)) for n in range(6)]
        assert shim.violations() == []

    @pytest.mark.dmav3_rule("AAX-18")
    @pytest.mark.parametrize("master", [0, 1])
    def test_no_controller_is_touched(self, shim: Shim, master: int) -> None:
        """At most its back end is told whose channel it is; a request that waits tells nobody."""
        adapter, grants = quiet(shim, Master=master), Grants(shim)
        first, second = context_for(shim, adapter), context_for(shim, adapter)
        position = len(shim.evidence.events.all())
        with shim.dma.irql(DISPATCH_LEVEL), entries(shim) as entered:
            assert adapter.AllocateAdapterChannelEx(first, 2, 0, grants).status == OK
            assert adapter.AllocateAdapterChannelEx(second, 2, 0, grants).status == OK
        routine, told = "AllocateAdapterChannelEx", [] if master else ["ConfigureChannel"]
        assert entered == [routine, *told, "AdapterControl", routine]
        kinds = {record.kind for record in shim.evidence.events.since(position)}
        assert not kinds & {Kind.DMAGO, Kind.INSTRUCTION}

    @pytest.mark.dmav3_rule("AAX-11", "AAX-07")
    def test_a_request_cancelled_in_advance(self, shim: Shim) -> None:
        """STATUS_CANCELLED: nobody is called, nothing is written or held."""
        adapter, grants = quiet(shim), Grants(shim)
        context, before = context_for(shim, adapter), shim.layer.counters()
        assert adapter.CancelAdapterChannel(context)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, 1, 0, grants).status == CANCELLED
            refused = adapter.AllocateAdapterChannelEx(
                context, 1, DMA_SYNCHRONOUS_CALLBACK, grants, MapRegisterBase=True
            )
        assert refused == (CANCELLED, UNWRITTEN64)
        assert (grants.calls, shim.layer.counters()) == ([], before)


def held(shim: Shim, adapter: DmaAdapter) -> tuple[bool, int]:
    """Return whether the channel is owned, and how many map registers are taken."""
    taken = 64 - shim.layer.counters().free_map_registers
    return bool(shim.layer.channel_state(adapter).owner), taken


class TestOwnership:
    """What is held after the call, and how it is given back."""

    @pytest.mark.dmav3_rule("AAX-08", "ADC-03", "ADC-04", "ADC-05")
    @pytest.mark.parametrize("flags", [0, DMA_SYNCHRONOUS_CALLBACK])
    @pytest.mark.parametrize(
        ("action", "expected"),
        [(KEEP, (True, 3)), (DEALLOCATE, (False, 0)), (KEEP_REGISTERS, (False, 3))],
    )
    def test_the_action_decides(
        self, shim: Shim, action: int, expected: tuple[bool, int], flags: int
    ) -> None:
        """Channel and registers are kept, given back, or only the registers are kept."""
        adapter, grants = bus_master(shim), Grants(shim, action)
        with shim.dma.irql(DISPATCH_LEVEL):
            context = context_for(shim, adapter)
            assert adapter.AllocateAdapterChannelEx(context, 3, flags, grants).status == OK
            assert held(shim, adapter) == expected
            if action == KEEP_REGISTERS:
                adapter.FreeMapRegisters(grants.calls[0][2], 3)
            elif action == KEEP:
                adapter.FreeAdapterChannel()
            assert held(shim, adapter) == (False, 0)

    @pytest.mark.dmav3_rule("AAX-09", "AAX-03")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("routine", [False, True])
    @pytest.mark.parametrize("end", ["FreeAdapterObject", "FreeAdapterChannel"])
    def test_without_a_routine_all_is_kept(
        self, shim: Shim, end: str, master: int, *, routine: bool
    ) -> None:
        """As if one had returned KeepObject, until the driver ends the request in either way."""
        adapter, grants = quiet(shim, Master=master), Grants(shim)
        with shim.dma.irql(DISPATCH_LEVEL), entries(shim) as entered:
            found = adapter.AllocateAdapterChannelEx(
                context_for(shim, adapter),
                3,
                DMA_SYNCHRONOUS_CALLBACK,
                grants if routine else None,
                MapRegisterBase=True,
            )
            assert found.status == OK
            state = shim.layer.channel_state(adapter)
            assert (state.owner, state.handle) == (adapter.address, found.MapRegisterBase)
            assert held(shim, adapter) == (True, 3)
            getattr(adapter, end)(*([DEALLOCATE] if end == "FreeAdapterObject" else []))
            assert held(shim, adapter) == (False, 0)
        assert ("AdapterControl" in entered) == routine

    @pytest.mark.dmav3_rule("AAX-07", "AAX-17")
    def test_the_handle_is_the_driver_s(self, shim: Shim) -> None:
        """Every later call takes it by value; the memory it was written to is not looked at."""
        place = Pointer(shim.request("allocate", 64).number("address"))
        adapter, (buffer, mdl) = bus_master(shim), described(shim, 256)
        context = context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.AllocateAdapterChannelEx(
                context, 2, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=place
            )
        base = int.from_bytes(shim.memory.look(place, 8), "little")
        shim.request("fill", place, 64, 0x77)
        bench = Bench(shim, quiet(shim), mdl)  # a request of its own, whose list is used
        bench.adapter, bench.base = adapter, base
        assert bench.map() == (OK, 256)
        assert bench.flush(256) == OK
        piece = adapter.MapTransfer(mdl, base, buffer.address, 256, WriteToDevice=True)
        assert piece.Length == 256
        assert adapter.FlushAdapterBuffers(mdl, base, buffer.address, 256, WriteToDevice=True)
        adapter.FreeAdapterObject(KEEP_REGISTERS)
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeMapRegisters(base, 2)
        assert shim.memory.look(place, 64) == b"\x77" * 64
        shim.request("release", place)


@pytest.mark.dmav3_rule("AAX-10", "AAX-20")
def test_what_the_older_form_cannot(shim: Shim) -> None:
    """AllocateAdapterChannel waits where this one can fail at once, and cannot be cancelled."""
    adapter, old, new = quiet(shim), Grants(shim), Grants(shim)
    granted(shim, adapter)
    context = context_for(shim, adapter)
    other: Any = shim.dma.allocate_device()
    with shim.dma.irql(DISPATCH_LEVEL):
        assert adapter.AllocateAdapterChannel(1, old, DeviceObject=other) == OK
        assert adapter.AllocateAdapterChannelEx(context, 1, 0, new).status == OK
        synchronous = adapter.AllocateAdapterChannelEx(
            context_for(shim, adapter), 1, DMA_SYNCHRONOUS_CALLBACK, new
        )
        assert synchronous.status == NO_RESOURCES
    assert not adapter.CancelAdapterChannel(0, DeviceObject=other)
    assert adapter.CancelAdapterChannel(context)
    assert shim.layer.channel_state(adapter).waiting == 1
    for _ in range(2):
        free_channel(shim, adapter)
    assert (len(old.calls), new.calls) == (1, [])
