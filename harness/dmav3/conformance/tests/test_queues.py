# SPDX-License-Identifier: Apache-2.0
"""Who waits for a channel and for map registers, who is granted when, and who gives up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.dma import Mdl
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction, NtStatus

from .driver import bus_master, context_for, described, entries, granted, granted_with, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
NO_RESOURCES = NtStatus.STATUS_INSUFFICIENT_RESOURCES
KEEP = IoAllocationAction.KeepObject
GIVE_BACK = IoAllocationAction.DeallocateObject
KEEP_REGISTERS = IoAllocationAction.DeallocateObjectKeepRegisters
#: Map registers in all.
ALL = 64


@dataclass
class Requests:
    """Requests by name, and what their routines were called with.

    :ivar ran: names, in the order in which the routines were called.
    :ivar bases, levels, irps: of each, by name.
    """

    shim: Shim
    ran: list[str] = field(default_factory=list)
    bases: dict[str, int] = field(default_factory=dict)
    contexts: dict[str, int] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    irps: dict[str, int] = field(default_factory=dict)

    def ask(
        self,
        adapter: DmaAdapter,
        name: str,
        registers: int = 1,
        *,
        action: int = KEEP,
        synchronous: bool = False,
        inside: Callable[[], object] = lambda: None,
    ) -> NtStatus:
        """AllocateAdapterChannelEx with a context of its own."""
        self.contexts[name] = context_for(self.shim, adapter)
        return self.again(
            adapter, name, registers, action=action, synchronous=synchronous, inside=inside
        )

    def again(
        self,
        adapter: DmaAdapter,
        name: str,
        registers: int = 1,
        *,
        action: int = KEEP,
        synchronous: bool = False,
        inside: Callable[[], object] = lambda: None,
    ) -> NtStatus:
        """Do the same with the context that it has already."""
        flags = DMA_SYNCHRONOUS_CALLBACK if synchronous else 0
        control = self._control(name, action, inside)
        return adapter.AllocateAdapterChannelEx(
            self.contexts[name], registers, flags, control
        ).status

    def ask_old(
        self,
        adapter: DmaAdapter,
        name: str,
        registers: int = 1,
        *,
        action: int = KEEP,
        device: int | None = None,
        inside: Callable[[], object] = lambda: None,
    ) -> NtStatus:
        """AllocateAdapterChannel."""
        control = self._control(name, action, inside)
        return adapter.AllocateAdapterChannel(registers, control, DeviceObject=device)

    def _control(
        self, name: str, action: int, inside: Callable[[], object]
    ) -> Callable[[int, int, int, object], int]:
        def control(_device: int, irp: int, base: int, _context: object) -> int:
            self.ran.append(name)
            self.bases[name], self.irps[name] = base, irp
            self.levels[name] = self.shim.request("KeGetCurrentIrql").number("irql")
            inside()
            return action

        return control


def holds(shim: Shim, registers: int) -> DmaAdapter:
    """Return a bus master that owns so many map registers."""
    adapter = bus_master(shim)
    granted(shim, adapter, registers)
    return adapter


class TestGrants:
    """When a request is granted."""

    @pytest.mark.dmav3_rule("QUE-01")
    def test_with_both(self, shim: Shim) -> None:
        """The routine runs when the channel is there and the registers are, not before."""
        pool, owner, adapter = holds(shim, ALL), quiet(shim), quiet(shim)
        granted(shim, owner, 0)
        requests = Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "mine") == OK
            assert requests.ran == []
            owner.FreeAdapterChannel()
            assert requests.ran == []
            pool.FreeAdapterChannel()
            assert requests.ran == ["mine"]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-02")
    def test_who_waits_for_registers_has_the_channel(self, shim: Shim) -> None:
        """Another request for it waits, although it needs no register; a synchronous one fails."""
        pool, first, second = holds(shim, ALL), quiet(shim), quiet(shim)
        requests = Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(first, "first") == OK
            assert requests.ask(second, "second", 0) == OK
            assert requests.ask(second, "third", 0, synchronous=True) == NO_RESOURCES
            assert requests.ran == []
            pool.FreeAdapterChannel()
            first.FreeAdapterChannel()
            assert requests.ran == ["first", "second"]
            second.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-03")
    @pytest.mark.parametrize("master", [0, 1])
    def test_of_one_channel(self, shim: Shim, master: int) -> None:
        """They are served as they have come."""
        adapter, requests = quiet(shim, Master=master), Requests(shim)
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            for name in "abcd":
                assert requests.ask(adapter, name, ord(name) % 3) == OK
            for count in range(1, 5):
                adapter.FreeAdapterChannel()
                assert requests.ran == list("abcd")[:count]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-04")
    def test_of_the_pool(self, shim: Shim) -> None:
        """One that would fit does not overtake one that does not yet."""
        pool, large, small = holds(shim, ALL - 4), bus_master(shim), bus_master(shim)
        requests = Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(large, "large", 8) == OK
            assert requests.ask(small, "small", 1) == OK
            assert requests.ran == []
            pool.FreeAdapterChannel()
            assert requests.ran == ["large", "small"]
            large.FreeAdapterChannel()
            small.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-06")
    def test_more_than_is_free(self, shim: Shim) -> None:
        """Queued if asynchronous, else it fails, and nothing of it stays."""
        pool, adapter, requests = holds(shim, ALL - 4), bus_master(shim), Requests(shim)
        before = shim.layer.counters()
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "now", 5, synchronous=True) == NO_RESOURCES
            assert shim.layer.counters() == before
            assert requests.ask(adapter, "later", 5) == OK
            assert requests.ran == []
            pool.FreeAdapterChannel()
            assert requests.ran == ["later"]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-07")
    def test_a_synchronous_one_does_not_overtake_in_the_pool(self, shim: Shim) -> None:
        """It fails while another waits for more than is free; without any it does not."""
        pool, waiting, adapter = holds(shim, ALL - 4), bus_master(shim), bus_master(shim)
        requests = Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(waiting, "waiting", 8) == OK
            assert requests.ask(adapter, "now", 1, synchronous=True) == NO_RESOURCES
            assert requests.ask(adapter, "none", 0, synchronous=True) == OK
            assert requests.ran == ["none"]
            adapter.FreeAdapterChannel()
            pool.FreeAdapterChannel()
            waiting.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-07")
    def test_a_synchronous_one_does_not_overtake_on_a_channel(self, shim: Shim) -> None:
        """It fails while another waits for the channel, which its owner has just given back."""
        adapter, other, requests = quiet(shim), quiet(shim, DmaChannel=1), Requests(shim)
        statuses = []

        def inside() -> None:
            """Nobody is granted before this routine has returned, so the channel is idle."""
            adapter.FreeAdapterChannel()
            statuses.append(requests.ask(adapter, "now", 0, synchronous=True))

        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "waiting", 0) == OK
            assert requests.ask(other, "another", 0, inside=inside) == OK
            assert statuses == [NO_RESOURCES]
            assert requests.ran == ["another", "waiting"]
            adapter.FreeAdapterChannel()
            other.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("GEN-16")
    def test_of_other_channels(self, shim: Shim) -> None:
        """A request that waits for one does not hold up another channel's."""
        first, second, requests = quiet(shim), quiet(shim, DmaChannel=1), Requests(shim)
        granted(shim, first, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(first, "waiting", 0) == OK
            assert requests.ask(second, "another") == OK
            assert requests.ran == ["another"]
            first.FreeAdapterChannel()
            first.FreeAdapterChannel()
            second.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-13")
    def test_many(self, shim: Shim) -> None:
        """They are granted one after the other, none inside another's routine, in any number."""
        adapter, requests, inside = bus_master(shim), Requests(shim), []
        names = [str(n) for n in range(120)]

        def routine() -> None:
            inside.append(shim.request("counters").number("requests"))

        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL), entries(shim) as entered:
            for name in names:
                assert requests.ask(adapter, name, 1, action=GIVE_BACK, inside=routine) == OK
            adapter.FreeAdapterChannel()
        assert requests.ran == names
        assert inside == list(range(len(names), 0, -1))
        assert entered.count("AdapterControl") == len(names)

    @pytest.mark.dmav3_rule("QUE-14")
    @pytest.mark.parametrize("synchronous", [False, True])
    @pytest.mark.parametrize("gives_back", [False, True])
    def test_inside_a_routine(self, shim: Shim, *, gives_back: bool, synchronous: bool) -> None:
        """A request of the same channel is queued, also if the routine has freed it."""
        adapter, other, requests = quiet(shim), quiet(shim), Requests(shim)
        during: list[str] = []

        def inside() -> None:
            assert requests.ask(other, "inner", 0) == OK
            if gives_back:
                adapter.FreeAdapterChannel()
            during.extend(requests.ran)

        with shim.dma.irql(DISPATCH_LEVEL):
            asked = requests.ask(adapter, "outer", inside=inside, synchronous=synchronous)
            assert asked == OK
            assert during == ["outer"]
            if not gives_back:
                assert requests.ran == ["outer"]
                adapter.FreeAdapterChannel()
            assert requests.ran == ["outer", "inner"]
            other.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-15")
    def test_each_ends_once(self, shim: Shim) -> None:
        """It is called, once, or it was cancelled and is not."""
        adapter, requests = bus_master(shim), Requests(shim)
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            for name in "abcdef":
                assert requests.ask(adapter, name) == OK
            cancelled = [n for n in "bcf" if adapter.CancelAdapterChannel(requests.contexts[n])]
            for _ in range(4):
                adapter.FreeAdapterChannel()
            assert cancelled == list("bcf")
            assert requests.ran == list("ade")
            assert not any(adapter.CancelAdapterChannel(requests.contexts[n]) for n in "ade")
        assert shim.layer.counters().requests == 0

    @pytest.mark.dmav3_rule("QUE-16")
    def test_of_an_adapter_that_goes(self, shim: Shim) -> None:
        """Those that wait are dropped without a call, each as violation 0x08; others go on."""
        adapter, other, requests = quiet(shim), quiet(shim), Requests(shim)
        before = shim.layer.counters()
        granted(shim, other, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            for name in "ab":
                assert requests.ask(adapter, name) == OK
            assert requests.ask(other, "other") == OK
        with shim.evidence.expect_violations(0x08, 0x08):
            adapter.PutDmaAdapter()
        for _ in range(2):
            other.FreeAdapterObject(GIVE_BACK)
        assert requests.ran == ["other"]
        assert shim.layer.counters() == before._replace(adapters=before.adapters - 1)


class TestWhatGrants:
    """Whatever gives a channel or registers back grants before it returns, at DISPATCH_LEVEL."""

    def check(self, shim: Shim, requests: Requests, adapter: DmaAdapter) -> None:
        """Make sure that the one request that waited has been granted."""
        assert (requests.ran, requests.levels) == (["waiting"], {"waiting": DISPATCH_LEVEL})
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("QUE-12", "FAC-07")
    def test_free_adapter_channel(self, shim: Shim) -> None:
        """Of the channel."""
        adapter, requests = quiet(shim), Requests(shim)
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "waiting") == OK
            adapter.FreeAdapterChannel()
            assert requests.ran == ["waiting"]
        self.check(shim, requests, adapter)

    @pytest.mark.dmav3_rule("QUE-12", "FAO-08")
    @pytest.mark.parametrize("action", [GIVE_BACK, KEEP_REGISTERS])
    def test_free_adapter_object(self, shim: Shim, action: int) -> None:
        """At PASSIVE_LEVEL: the routine is called at its own all the same."""
        adapter, requests = bus_master(shim), Requests(shim)
        base = granted(shim, adapter, 1)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "waiting") == OK
        adapter.FreeAdapterObject(action)
        self.check(shim, requests, adapter)
        if action == KEEP_REGISTERS:
            with shim.dma.irql(DISPATCH_LEVEL):
                adapter.FreeMapRegisters(base, 1)

    @pytest.mark.dmav3_rule("QUE-12", "FMR-06")
    def test_free_map_registers(self, shim: Shim) -> None:
        """Of the pool."""
        pool, adapter, requests = bus_master(shim), bus_master(shim), Requests(shim)
        base = granted(shim, pool, ALL)
        pool.FreeAdapterObject(KEEP_REGISTERS)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "waiting") == OK
            assert requests.ran == []
            pool.FreeMapRegisters(base, ALL)
            assert requests.ran == ["waiting"]
        self.check(shim, requests, adapter)

    @pytest.mark.dmav3_rule("QUE-12", "ADC-04")
    def test_the_action_of_a_routine(self, shim: Shim) -> None:
        """DeallocateObject, when the routine has returned."""
        adapter, requests = bus_master(shim), Requests(shim)

        def inside() -> None:
            assert requests.ask(adapter, "waiting") == OK
            requests.ran.clear()
            requests.levels.clear()

        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "first", action=GIVE_BACK, inside=inside) == OK
            assert requests.ran == ["waiting"]
        self.check(shim, requests, adapter)

    @pytest.mark.dmav3_rule("QUE-12", "CAC-08")
    def test_the_cancel_of_who_has_a_channel(self, shim: Shim) -> None:
        """It waited for registers, and the one behind it needs none."""
        pool, first, adapter = holds(shim, ALL), quiet(shim), quiet(shim)
        requests = Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(first, "first") == OK
            assert requests.ask(adapter, "waiting", 0) == OK
            assert shim.layer.counters().waiting_for_registers == 1
            assert first.CancelAdapterChannel(requests.contexts["first"])
            assert requests.ran == ["waiting"]
            pool.FreeAdapterChannel()
        self.check(shim, requests, adapter)

    @pytest.mark.dmav3_rule("QUE-12", "PSL-07")
    def test_put_scatter_gather_list(self, shim: Shim) -> None:
        """Of the registers of a list."""
        lists: list[int] = []
        adapter = bus_master(shim, ScatterGather=0, MaximumLength=1 << 18)
        _, mdl = described(shim, (ALL - 1) * 4096, region="scatter", offset=0)
        with shim.dma.irql(DISPATCH_LEVEL):
            status = adapter.GetScatterGatherListEx(
                context_for(shim, adapter),
                mdl,
                ExecutionRoutine=lambda _d, _i, address, _c: lists.append(address),
                WriteToDevice=True,
            ).status
            assert (status, len(lists)) == (OK, 1)
        other, requests = bus_master(shim), Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(other, "waiting", 8) == OK
            assert requests.ran == []
            adapter.PutScatterGatherList(lists[0], WriteToDevice=True)
            assert requests.ran == ["waiting"]
        self.check(shim, requests, other)


class TestOldRequests:
    """AllocateAdapterChannel, which has no context."""

    @pytest.mark.dmav3_rule("AAC-01")
    def test_at_once_or_later(self, shim: Shim) -> None:
        """The routine runs before the return, or when the adapter is free; both are a success."""
        adapter, requests = quiet(shim), Requests(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask_old(adapter, "first") == OK
            assert requests.ran == ["first"]
            assert requests.ask_old(adapter, "second") == OK
            assert requests.ran == ["first"]
            adapter.FreeAdapterChannel()
            assert requests.ran == ["first", "second"]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("AAC-02")
    def test_too_many_registers(self, shim: Shim) -> None:
        """More than IoGetDmaAdapter has told is refused, and never called."""
        adapter, requests = bus_master(shim, MaximumLength=3 * 4096), Requests(shim)
        most = adapter.NumberOfMapRegisters
        assert most < ALL
        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x0C):
                assert requests.ask_old(adapter, "too many", most + 1) == NO_RESOURCES
            assert requests.ask_old(adapter, "most", most) == OK
            assert requests.ran == ["most"]
            adapter.FreeAdapterChannel()
            assert requests.ran == ["most"]

    @pytest.mark.dmav3_rule("AAC-05", "QUE-08")
    def test_one_of_a_device_object(self, shim: Shim) -> None:
        """A second one is refused until the routine of the first has returned."""
        adapter, requests = quiet(shim), Requests(shim)
        another = shim.dma.allocate_device()
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask_old(adapter, "first") == OK
            with shim.evidence.expect_violations(0x41):
                assert requests.ask_old(adapter, "second") == INVALID
            assert requests.ask_old(adapter, "other", device=another) == OK
            adapter.FreeAdapterChannel()
            assert requests.ask_old(adapter, "third") == OK
            for _ in range(3):
                adapter.FreeAdapterChannel()
        assert requests.ran == ["first", "other", "third"]

    @pytest.mark.dmav3_rule("AAC-06")
    def test_inside_adapter_control(self, shim: Shim) -> None:
        """It is refused, whatever the device object; the newer form is queued (ADC-09)."""
        adapter, requests, statuses = bus_master(shim), Requests(shim), []
        another = shim.dma.allocate_device()

        def inside() -> None:
            statuses.append(requests.ask_old(adapter, "old", device=another))

        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x41):
            assert requests.ask_old(adapter, "outer", inside=inside) == OK
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeAdapterChannel()
        assert (statuses, requests.ran) == ([INVALID], ["outer"])

    @pytest.mark.dmav3_rule("ADC-09")
    def test_the_newer_form_inside_adapter_control(self, shim: Shim) -> None:
        """It is accepted, and waits."""
        adapter, requests, statuses = bus_master(shim), Requests(shim), []
        during: list[str] = []

        def inside() -> None:
            statuses.append(requests.ask(adapter, "inner"))
            during.extend(requests.ran)

        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask_old(adapter, "outer", inside=inside) == OK
            assert (statuses, during, requests.ran) == ([OK], ["outer"], ["outer"])
            adapter.FreeAdapterChannel()
            assert requests.ran == ["outer", "inner"]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("AAC-07")
    def test_the_irp(self, shim: Shim) -> None:
        """It is the device object's at the time of the call, not at that of the grant."""
        adapter, requests = quiet(shim), Requests(shim)
        device = shim.dma.allocate_device(0x1230)
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask_old(adapter, "waiting", device=device) == OK
            shim.dma.set_current_irp(device, 0x4560)
            adapter.FreeAdapterChannel()
            adapter.FreeAdapterChannel()
        assert requests.irps == {"waiting": 0x1230}

    @pytest.mark.dmav3_rule("AAC-09")
    def test_one_queue_with_the_newer_form(self, shim: Shim) -> None:
        """Both are served in the order in which they came."""
        adapter, requests = quiet(shim), Requests(shim)
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "new") == OK
            assert requests.ask_old(adapter, "old") == OK
            assert requests.ask(adapter, "newer") == OK
            for _ in range(4):
                adapter.FreeAdapterChannel()
        assert requests.ran == ["new", "old", "newer"]

    @pytest.mark.dmav3_rule("AAC-10")
    def test_without_a_routine(self, shim: Shim) -> None:
        """It is refused, and holds nothing."""
        adapter, before = quiet(shim), shim.layer.counters()
        with shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannel(1, None) == INVALID
        assert shim.layer.counters()._replace(adapters=before.adapters) == before


class TestActions:
    """What AdapterControl returns."""

    @pytest.mark.dmav3_rule("ADC-06")
    @pytest.mark.parametrize("action", [GIVE_BACK, KEEP_REGISTERS])
    def test_of_a_subordinate(self, shim: Shim, action: int) -> None:
        """Anything but KeepObject is violation 0x45, and obeyed; a transfer is stopped first."""
        adapter, requests = quiet(shim), Requests(shim)
        _, mdl = described(shim, 256)

        def inside() -> None:
            mapped = adapter.MapTransferEx(mdl, requests.bases["mine"], WriteToDevice=True)
            assert mapped == (OK, 256)

        before = shim.layer.counters()
        with (
            shim.evidence.expect_violations(0x45, 0x10),
            entries(shim) as entered,
            shim.dma.irql(DISPATCH_LEVEL),
        ):
            assert requests.ask(adapter, "mine", 2, action=action, inside=inside) == OK
        assert "CancelTransfer" in entered
        kept = 2 if action == KEEP_REGISTERS else 0
        now = shim.layer.counters()
        assert now.free_map_registers == before.free_map_registers - kept
        assert shim.layer.channel_state(adapter).owner == 0
        with shim.evidence.expect_violations(*([0x09] if kept else [])):
            adapter.PutDmaAdapter()

    @pytest.mark.dmav3_rule("ADC-08")
    @pytest.mark.parametrize("action", [0, 4, 9])
    def test_an_unknown_one(self, shim: Shim, action: int) -> None:
        """It counts as KeepObject, and is violation 0x46."""
        adapter, requests = quiet(shim), Requests(shim)
        free = shim.layer.counters().free_map_registers
        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x46):
                assert requests.ask(adapter, "mine", 3, action=action) == OK
            assert shim.layer.counters().free_map_registers == free - 3
            assert shim.layer.channel_state(adapter).owner == adapter.address
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("ADC-10")
    @pytest.mark.parametrize("whole", [True, False])
    def test_the_routine_frees_itself(self, shim: Shim, *, whole: bool) -> None:
        """The request ends once: KeepObject then keeps nothing, nor what the next one has."""
        adapter, requests = quiet(shim), Requests(shim)

        def inside() -> None:
            if whole:
                adapter.FreeAdapterObject(GIVE_BACK)
            else:
                adapter.FreeAdapterChannel()

        before = shim.layer.counters()
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "first", 2, inside=inside) == OK
            assert shim.layer.counters() == before
            assert requests.ask(adapter, "second", 1) == OK
            assert shim.layer.channel_state(adapter).handle == requests.bases["second"]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("ADC-11")
    def test_a_mapping_that_is_left(self, shim: Shim) -> None:
        """DeallocateObject while a bus master's is not flushed is violation 0x10."""
        adapter, requests = bus_master(shim), Requests(shim)
        _, mdl = described(shim, 256)
        memory = shim.request("allocate", 256).number("address")

        def inside() -> None:
            mapped = adapter.MapTransferEx(
                mdl,
                requests.bases["mine"],
                WriteToDevice=True,
                ScatterGatherBuffer=memory,
                ScatterGatherBufferLength=256,
            )
            assert mapped == (OK, 256)

        with shim.evidence.expect_violations(0x10), shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "mine", action=GIVE_BACK, inside=inside) == OK
        assert shim.layer.counters().mappings == 0

    @pytest.mark.dmav3_rule("GEN-09")
    def test_the_level_that_it_leaves(self, shim: Shim) -> None:
        """Lower than it was entered is violation 0x42, and restored."""
        adapter, requests = bus_master(shim), Requests(shim)

        def lower() -> None:
            shim.request("KeLowerIrql", 0)

        with shim.dma.irql(DISPATCH_LEVEL):
            with shim.evidence.expect_violations(0x42):
                assert requests.ask(adapter, "mine", action=GIVE_BACK, inside=lower) == OK
            assert shim.request("KeGetCurrentIrql").number("irql") == DISPATCH_LEVEL


class TestCancel:
    """CancelAdapterChannel."""

    @pytest.mark.dmav3_rule("CAC-01")
    def test_who_waits(self, shim: Shim) -> None:
        """It holds nothing any more, and is never called."""
        adapter, requests = quiet(shim), Requests(shim)
        granted(shim, adapter, 0)
        before = shim.layer.counters()
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "mine") == OK
            assert adapter.CancelAdapterChannel(requests.contexts["mine"])
            assert shim.layer.counters() == before
            adapter.FreeAdapterChannel()
        assert requests.ran == []

    @pytest.mark.dmav3_rule("CAC-03", "CAC-10")
    @pytest.mark.parametrize("form", ["get", "build"])
    def test_a_list_that_waits(self, shim: Shim, form: str) -> None:
        """It is cancelled as well, and its list goes with it, as often as one likes."""
        adapter, called = bus_master(shim), list[int]()
        _, mdl = described(shim, 64)
        memory = shim.request("allocate", 4096).number("address")
        before = shim.layer.counters()
        granted(shim, adapter, 0)
        context = shim.dma.allocate_context()

        def ask() -> NtStatus:
            more: dict[str, Any] = {
                "ExecutionRoutine": lambda *_: called.append(1),
                "WriteToDevice": True,
            }
            if form == "build":
                more |= {"ScatterGatherBuffer": memory, "ScatterGatherLength": 4096}
                return adapter.BuildScatterGatherListEx(context, mdl, **more).status
            return adapter.GetScatterGatherListEx(context, mdl, **more).status

        with shim.dma.irql(DISPATCH_LEVEL):
            for _ in range(8):
                assert adapter.InitializeDmaTransferContext(context) == OK
                assert ask() == OK
                assert adapter.CancelAdapterChannel(context)
                now = shim.layer.counters()
                assert (now.lists, now.mappings, now.requests) == (0, 0, 1)
            adapter.FreeAdapterChannel()
        assert (called, shim.layer.counters()) == ([], before)

    @pytest.mark.dmav3_rule("CAC-05")
    def test_twice(self, shim: Shim) -> None:
        """TRUE again."""
        adapter, context = quiet(shim), 0
        context = context_for(shim, adapter)
        assert adapter.CancelAdapterChannel(context)
        assert adapter.CancelAdapterChannel(context)

    @pytest.mark.dmav3_rule("CAC-06")
    def test_inside_its_own_routine(self, shim: Shim) -> None:
        """FALSE, and the request goes on."""
        adapter, requests, answers = quiet(shim), Requests(shim), []

        def inside() -> None:
            answers.append(adapter.CancelAdapterChannel(requests.contexts["mine"]))

        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "mine", inside=inside) == OK
            assert answers == [False]
            assert shim.layer.channel_state(adapter).owner == adapter.address
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("CAC-07")
    @pytest.mark.parametrize("wrong", ["adapter", "device"])
    def test_by_other_names(self, shim: Shim, wrong: str) -> None:
        """FALSE and violation 0x4C; the request waits on."""
        adapter, other, requests = quiet(shim), quiet(shim), Requests(shim)
        granted(shim, adapter, 0)
        device = shim.dma.allocate_device()
        with shim.dma.irql(DISPATCH_LEVEL):
            assert requests.ask(adapter, "mine") == OK
            context = requests.contexts["mine"]
            with shim.evidence.expect_violations(0x4C):
                if wrong == "adapter":
                    assert not other.CancelAdapterChannel(context)
                else:
                    assert not adapter.CancelAdapterChannel(context, DeviceObject=device)
            adapter.FreeAdapterChannel()
            assert requests.ran == ["mine"]
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("CAC-09")
    def test_the_others(self, shim: Shim) -> None:
        """They keep their order."""
        adapter, requests = quiet(shim), Requests(shim)
        granted(shim, adapter, 0)
        with shim.dma.irql(DISPATCH_LEVEL):
            for name in "abcd":
                assert requests.ask(adapter, name) == OK
            assert adapter.CancelAdapterChannel(requests.contexts["b"])
            for _ in range(4):
                adapter.FreeAdapterChannel()
        assert requests.ran == list("acd")

    @pytest.mark.dmav3_rule("CAC-13")
    def test_what_is_no_context(self, shim: Shim) -> None:
        """FALSE for none, and for memory that was never initialised."""
        adapter, raw = quiet(shim), shim.dma.allocate_context()
        assert not adapter.CancelAdapterChannel(0)
        assert not adapter.CancelAdapterChannel(raw)
        assert shim.violations() == []


class TestSynchronous:
    """AllocateAdapterChannelEx with DMA_SYNCHRONOUS_CALLBACK."""

    @pytest.mark.dmav3_rule("AAX-14")
    def test_no_registers(self, shim: Shim) -> None:
        """It is granted, and a mapping that needs a bounce page is refused."""
        adapter, mdl = bus_master(shim, DmaAddressWidth=30), Mdl(0, 0)
        base = granted_with(shim, adapter, context_for(shim, adapter), 0)
        _, mdl = described(shim, 256)
        memory = shim.request("allocate", 256).number("address")
        mapped = adapter.MapTransferEx(
            mdl,
            base,
            WriteToDevice=True,
            ScatterGatherBuffer=memory,
            ScatterGatherBufferLength=256,
        )
        assert mapped == (NO_RESOURCES, 256)
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeAdapterChannel()

    @pytest.mark.dmav3_rule("AAX-19")
    def test_at_passive_level(self, shim: Shim) -> None:
        """It is violation 0x13, works, and the routine is entered at DISPATCH_LEVEL."""
        adapter, requests = quiet(shim), Requests(shim)
        context = context_for(shim, adapter)
        requests.contexts["mine"] = context
        with shim.evidence.expect_violations(0x13):
            assert requests.again(adapter, "mine") == OK
        shim.wait(1000)
        assert requests.levels == {"mine": DISPATCH_LEVEL}
        assert shim.request("KeGetCurrentIrql").number("irql") == 0
        with shim.dma.irql(DISPATCH_LEVEL):
            adapter.FreeAdapterChannel()
