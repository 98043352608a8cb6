# SPDX-License-Identifier: Apache-2.0
"""The calling patterns A to H: whole drivers, and what their logs look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dmav3 import HostShim
from dmav3.dma import DmaAdapter, Mdl, Pointer
from dmav3.guest.memory import Buffer
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    DmaCompletionStatus,
    DmaWidth,
    IoAllocationAction,
    NtStatus,
)

from .driver import (
    PAGE,
    Bench,
    Completions,
    adapter_for,
    arm,
    bus_master,
    chained,
    context_for,
    described,
    entries,
    finished,
    free_channel,
    granted,
    maintenance,
    moved,
    place_pages,
    quiet,
    sizes,
)
from .owner import Owner, memory_port
from .prefix import Limits, longest_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dmav3 import Board
    from dmav3.board.shim import Shim
    from dmav3.dma import MdlFields

OK = NtStatus.STATUS_SUCCESS
CANCELLED = NtStatus.STATUS_CANCELLED
KEEP, DEALLOCATE, KEEP_REGISTERS = IoAllocationAction
#: Pages further on that no device with addresses of 32 bits reaches.
FAR = 1 << 20
#: The routines of a driver, as the log of calls names them.
CALLBACKS = {"AdapterControl", "AdapterListControl", "DmaCompletionRoutine"}
#: What the log calls the entries of a back end that work on a channel.
BACK_END = {
    *("ConfigureChannel", "QueryMaxFragments", "ProgramChannel", "HandleInterrupt"),
    *("FlushChannel", "CancelTransfer"),
}


def nothing() -> None:
    """Do nothing at a point where something may happen."""


@dataclass
class Packet:
    """A driver of a subordinate device that moves a buffer in as many mappings as it takes.

    :ivar configure: called before each mapping.
    :ivar stepping: the device is memory, so each mapping begins where the last one ended.
    :ivar at: called at every point where something may come between two of its steps.
    :ivar parts: bytes of each mapping.
    :ivar ends: with what its completion routine was called.
    :ivar results: how the packet was finished: once, if the driver is right.
    """

    shim: Shim
    adapter: DmaAdapter
    mdl: Mdl
    write: bool = True
    registers: int = 8
    capacity: int = 100
    stepping: bool = False
    configure: Callable[[], object] = nothing
    at: Callable[[], object] = nothing
    parts: list[int] = field(default_factory=list)
    ends: list[DmaCompletionStatus] = field(default_factory=list)
    results: list[NtStatus] = field(default_factory=list)
    context: int = field(init=False)
    memory: int = field(init=False)
    length: Pointer = field(init=False)

    def __post_init__(self) -> None:
        """Have a context, and memory for a list and for Length."""
        self.context = context_for(self.shim, self.adapter)
        self.memory = self.shim.request("allocate", 4096).number("address")
        self.length = Pointer(self.shim.request("allocate", 64).number("address"))
        self._done = Completions(self.shim)
        self._mapped = False

    @property
    def done(self) -> int:
        """Bytes that have been flushed."""
        return sum(self.parts[:-1]) if self._mapped else sum(self.parts)

    @property
    def length_now(self) -> int:
        """Length, as it is in memory."""
        return self.shim.request("peek", self.length, "32").number("value")

    def start(self) -> None:
        """Ask for the channel; whoever cancels before that finishes the packet."""
        with self.shim.dma.irql(DISPATCH_LEVEL):
            self.at()
            found = self.adapter.AllocateAdapterChannelEx(
                self.context, self.registers, 0, self._control
            )
            assert found.status in {OK, CANCELLED}
            self.at()

    def run(self) -> None:
        """Let it come to its end."""
        while not self.results:
            calls = len(self._done.calls)
            finished(self.shim, self._done, calls + 1)
            assert len(self._done.calls) > calls

    def cancel(self) -> None:
        """Cancel as any driver can (PAT-H2)."""
        if self.adapter.CancelAdapterChannel(self.context):
            self.results.append(CANCELLED)
        else:
            self.adapter.CancelMappedTransfer(self.context)

    def _control(self, _device: int, _irp: int, base: int, _context: object) -> int:
        self._base = base
        self._done.then = self._complete
        self._map()
        return KEEP

    def _map(self) -> None:
        head, element = sizes(self.shim)
        self.at()
        start = self.done
        self.configure()
        self.shim.request("poke", self.length, "32", self.mdl.size - start)
        status = self.adapter.MapTransferEx(
            self.mdl,
            self._base,
            start,
            start if self.stepping else 0,
            self.length,
            WriteToDevice=self.write,
            ScatterGatherBuffer=self.memory,
            ScatterGatherBufferLength=head + self.capacity * element,
            DmaCompletionRoutine=self._done,
        ).status
        if status != OK:  # no routine will be called, PAT-H3
            self._finish(status)
            return
        self._mapped = True
        self.parts.append(self.length_now)
        self.at()

    def _complete(self) -> None:
        status = self._done.calls[-1][3]
        self.ends.append(status)
        self.at()
        flushed = self.adapter.FlushAdapterBuffersEx(
            self.mdl, self._base, self.done, self.length_now, WriteToDevice=self.write
        )
        assert flushed == OK
        self._mapped = False
        self.at()
        if status != DmaCompletionStatus.DmaComplete:
            self._finish(CANCELLED)
        elif self.done < self.mdl.size:
            self._map()
        else:
            self._finish(OK)

    def _finish(self, status: NtStatus) -> None:
        self.adapter.FreeAdapterChannel()
        self.results.append(status)
        self.at()


def of_back_end(entered: Sequence[str]) -> list[str]:
    """Return of a log what concerns a channel."""
    return [name for name in entered if name in BACK_END]


class TestBusMaster:
    """Patterns A to C. The device is the test."""

    @pytest.mark.dmav3_rule("PAT-A2", "STM-06")
    @pytest.mark.parametrize("capacity", [1, 3, 100])
    def test_asynchronous_packet(self, shim: Shim, capacity: int) -> None:
        """One AdapterControl, no completion; nothing is left, however it is split."""
        before = shim.layer.counters()
        _, mdl = described(shim, 12 * PAGE, region="scatter")
        adapter = bus_master(shim, MaximumLength=mdl.size)
        bases: list[int] = []
        needed = adapter.GetDmaTransferInfo(mdl, WriteOnly=True)
        count = min(needed.MapRegisterCount, adapter.NumberOfMapRegisters)
        (head, element), memory = sizes(shim), shim.request("allocate", 4096).number("address")
        parts: list[int] = []

        def map_rest() -> None:
            status, length = adapter.MapTransferEx(
                mdl,
                bases[0],
                sum(parts),
                WriteToDevice=True,
                ScatterGatherBuffer=memory,
                ScatterGatherBufferLength=head + capacity * element,
            )
            assert (status, length > 0) == (OK, True)
            parts.append(length)

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            bases.append(base)
            map_rest()
            return KEEP_REGISTERS

        context = context_for(shim, adapter)
        with entries(shim) as entered, shim.dma.irql(DISPATCH_LEVEL):
            assert adapter.AllocateAdapterChannelEx(context, count, 0, control).status == OK
            while True:  # the device's interrupts
                status = adapter.FlushAdapterBuffersEx(
                    mdl, bases[0], sum(parts[:-1]), parts[-1], WriteToDevice=True
                )
                assert status == OK
                if sum(parts) == mdl.size:
                    break
                map_rest()
            adapter.FreeMapRegisters(bases[0], count)
            adapter.PutDmaAdapter()
        assert [name for name in entered if name in CALLBACKS] == ["AdapterControl"]
        assert len(parts) == -(-needed.ScatterGatherElementCount // capacity)
        assert of_back_end(entered) == []
        assert shim.layer.counters() == before

    @pytest.mark.dmav3_rule("PAT-B1")
    @pytest.mark.parametrize("end", ["FreeAdapterObject", "FreeAdapterChannel"])
    def test_synchronous_packet(self, shim: Shim, end: str) -> None:
        """The driver goes on when the call returns; none of its routines is ever called."""
        before = shim.layer.counters()
        with entries(shim) as entered:
            bench = Bench(shim, bus_master(shim), described(shim, 6 * PAGE, region="scatter")[1])
            offset = 0
            while offset < bench.mdl.size:
                status, length = bench.map(offset, capacity=2)
                assert status == OK
                shim.wait(10_000)
                assert bench.flush(length, offset) == OK
                offset += length
            with shim.dma.irql(DISPATCH_LEVEL):
                getattr(bench.adapter, end)(*([DEALLOCATE] if end == "FreeAdapterObject" else []))
            shim.wait(1_000_000)
            bench.adapter.PutDmaAdapter()
        assert not CALLBACKS & set(entered)
        assert entered.count("MapTransferEx") > 1
        assert shim.layer.counters() == before

    @pytest.mark.dmav3_rule("PAT-B2")
    def test_a_held_adapter(self, shim: Shim) -> None:
        """A second synchronous attempt fails, a second asynchronous one waits."""
        bench, entered = Bench.of_master(shim), []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            entered.append(base)
            return DEALLOCATE

        assert bench.map() == (OK, 256)
        context = context_for(shim, bench.adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            refused = bench.adapter.AllocateAdapterChannelEx(
                context, 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
            assert refused.status == NtStatus.STATUS_INSUFFICIENT_RESOURCES
            assert bench.adapter.AllocateAdapterChannelEx(context, 1, 0, control).status == OK
            assert bench.flush(256) == OK
            assert entered == []
            bench.adapter.FreeAdapterObject(DEALLOCATE)
        assert len(entered) == 1

    @pytest.mark.dmav3_rule("PAT-C1")
    def test_common_buffer(self, board: Board) -> None:
        """CPU and device see each other's data; the adapter is asked for nothing but the buffer."""
        position = len(board.evidence.events.all())
        master = bus_master(board)
        common = master.AllocateCommonBufferEx(PAGE)
        shared = Buffer("common", common.LogicalAddress, PAGE, ((common.LogicalAddress, PAGE),))
        device = Owner(board, memory_port(shared))  # its address is all that the device gets
        buffer, mdl = described(board, PAGE)
        for seed in (1, 2):
            board.write(buffer, moved(PAGE, seed))
            device.map(mdl, write=True)
            device.finish()
            assert board.memory.cpu_load(common.VirtualAddress, PAGE) == moved(PAGE, seed)
            board.memory.cpu_store(common.VirtualAddress, moved(PAGE, seed + 10))
            device.map(mdl, write=False)
            device.finish()
            assert board.read(buffer) == moved(PAGE, seed + 10)
        master.FreeCommonBuffer(*common)
        master.PutDmaAdapter()
        ids = {value: name for name, value in board.image.enum("oplog_id").items()}
        asked = {
            ids[one.id] for one in board.evidence.events.since(position) if one.a == master.address
        }
        assert asked - {"OPLOG_IoGetDmaAdapter"} == {
            "OPLOG_AllocateCommonBufferEx",
            "OPLOG_FreeCommonBuffer",
            "OPLOG_PutDmaAdapter",
        }
        assert board.findings() == []

    @pytest.mark.dmav3_rule("PAT-C2")
    @pytest.mark.parametrize("size", [64, 3 * PAGE])
    def test_common_buffer_without_a_cache(self, shim: Shim, size: int) -> None:
        """From its allocation to its end nothing is done to caches."""
        position = len(shim.evidence.events.all())
        master = bus_master(shim)
        common = master.AllocateCommonBufferEx(size, CacheEnabled=False)
        assert common.VirtualAddress
        shim.memory.cpu_store(common.VirtualAddress, moved(size))
        assert shim.memory.cpu_load(common.VirtualAddress, size) == moved(size)
        master.FreeCommonBuffer(*common)
        master.PutDmaAdapter()
        assert len(shim.evidence.events.since(position)) > 0
        assert maintenance(shim, position) == 0


class TestSystemDma:
    """Pattern D."""

    @pytest.mark.dmav3_rule("PAT-D1", "PAT-D4")
    @pytest.mark.parametrize("capacity", [1, 2, 100])
    @pytest.mark.parametrize("configured", [False, True])
    def test_a_packet(self, shim: Shim, capacity: int, *, configured: bool) -> None:
        """As many mappings as flushes as completions; each enters the back end in one order."""
        _, mdl = described(shim, 6 * PAGE, region="scatter")
        adapter = adapter_for(shim, write=True)
        packet = Packet(shim, adapter, mdl, capacity=capacity)
        if isinstance(shim, HostShim):
            shim.script(configure_result=OK)
        if configured:
            packet.configure = lambda: set_beats(shim, adapter)
        arm(shim, write=True)
        with entries(shim) as entered:
            packet.start()
            packet.run()
        assert packet.results == [OK]
        names = ("MapTransferEx", "FlushAdapterBuffersEx", "DmaCompletionRoutine", "FlushChannel")
        counts = {entered.count(name) for name in names}
        assert counts == {len(packet.parts)}
        assert len(packet.parts) == -(-len(described_runs(shim, mdl)) // min(capacity, 64))
        rounds = " ".join(of_back_end(entered)).split("FlushChannel")
        assert rounds.pop().strip() in {"", "ConfigureChannel"}
        for one in rounds:
            words = one.split()
            assert words.count("ConfigureChannel") >= configured
            while words[0] == "ConfigureChannel":
                words.pop(0)
            assert words[:2] == ["QueryMaxFragments", "ProgramChannel"]
            assert set(words[2:]) == {"HandleInterrupt"}

    @pytest.mark.dmav3_rule("PAT-D2", "PAT-D1")
    @pytest.mark.parametrize("capacity", [1, 3])
    def test_length_is_what_was_moved(self, board: Board, capacity: int) -> None:
        """In each completion routine, exactly so many bytes are where the device has them."""
        size = 7 * PAGE + 52
        target = board.memory.allocate(size + PAGE, align=PAGE, name="device")
        board.fill(target, 0x55)
        board.request("clean_invalidate", target.address, target.size)
        adapter = quiet(
            board,
            DmaRequestLine=9,
            DmaWidth=DmaWidth.WidthNoWrap,
            DeviceAddress=target.address,
        )
        buffer, mdl = described(board, size, region="scatter")
        board.write(buffer, moved(size))
        packet = Packet(board, adapter, mdl, capacity=capacity, stepping=True)
        seen: list[int] = []

        def look() -> None:
            if len(packet.ends) > len(seen):
                end = packet.done + packet.length_now
                there = board.dram.read(target.address, target.size)
                assert there == moved(size)[:end] + b"\x55" * (target.size - end)
                seen.append(packet.length_now)

        packet.at = look
        packet.start()
        packet.run()
        assert (seen, sum(seen)) == (packet.parts, size)
        assert set(packet.ends) == {DmaCompletionStatus.DmaComplete}
        assert len(seen) > 1


def set_beats(shim: Shim, adapter: DmaAdapter) -> None:
    """Call ConfigureAdapterChannel: the PL330 moves one beat a burst."""
    with shim.dma.reference(1, 4) as value:
        assert adapter.ConfigureAdapterChannel(0x0001, value.address) == OK


def described_runs(shim: Shim, mdl: Mdl) -> list[int]:
    """Return where each run of adjacent pages of an MDL begins."""
    pages = shim.dma.mdl_fields(mdl).pages
    return [n for n, page in enumerate(pages) if n == 0 or page != pages[n - 1] + 1]


def chain_fields(shim: Shim, mdl: Mdl) -> list[MdlFields]:
    """Return what is in each MDL of a chain."""
    fields = [shim.dma.mdl_fields(mdl)]
    while fields[-1].Next:
        fields.append(shim.dma.mdl_fields(fields[-1].Next))
    return fields


def mappings(bench: Bench, limits: Limits, capacity: int, end: Callable[[], object]) -> int:
    """Map a chain in a loop, as the model says; return in how many mappings.

    :param capacity: of the list.
    :param end: ends the transfer of each mapping.
    """
    before = chain_fields(bench.shim, bench.mdl)
    offset, count = 0, 0
    while offset < bench.mdl.size:
        expected = longest_prefix(before, offset, bench.mdl.size - offset, limits)
        status, length = bench.map(offset, capacity=capacity)
        assert (status, [element.Length for element in bench.list]) == (OK, expected)
        assert length == sum(expected) > 0
        end()
        assert bench.flush(length, offset) == OK
        offset, count = offset + length, count + 1
    assert chain_fields(bench.shim, bench.mdl) == before
    return count


class TestLoop:
    """Pattern E: one chain, in as many mappings as it takes."""

    def count(
        self,
        scripted: HostShim,
        *,
        capacity: int = 100,
        registers: int = 16,
        fragments: int = 64,
        width: int = 8,
        far: Sequence[int] = (),
    ) -> int:
        """Return how many mappings twelve scattered pages take, two bytes behind a boundary."""
        scripted.script(max_fragments=fragments, ends_at_once=1)
        _, mdl = described(scripted, 12 * PAGE - 4, offset=2)
        place_pages(scripted, mdl, [0x50000 - 2 * n + (n in far) * FAR for n in range(12)])
        bench = Bench(scripted, quiet(scripted, DmaWidth=DmaWidth.of_bits(width)), mdl, registers)
        limits = Limits(min(capacity, fragments), registers, width // 8)
        return mappings(bench, limits, capacity, nothing)

    @pytest.mark.dmav3_rule("PAT-E1", "PAT-E2", "PAT-E3", "MTX-26")
    @pytest.mark.parametrize(
        ("ample", "limit", "expected"),
        [
            ({}, {"capacity": 5}, 3),
            ({"far": range(12)}, {"registers": 3}, 4),
            ({}, {"fragments": 4}, 3),
            ({"registers": 2}, {"width": 32}, 11),
            ({"registers": 1}, {"far": (3, 7)}, 2),
            (
                {},
                {"capacity": 9, "registers": 5, "fragments": 7, "width": 32, "far": (3, 7)},
                None,
            ),
        ],
        ids=["list", "registers", "controller", "unit", "page", "mixed"],
    )
    def test_a_limit_that_forces_a_split(
        self,
        scripted: HostShim,
        ample: dict[str, Any],
        limit: dict[str, Any],
        expected: int | None,
    ) -> None:
        """Without it one mapping is enough; with it each is as long as the model says."""
        assert self.count(scripted, **ample) == 1
        free_channel(scripted, DmaAdapter(scripted.dma, scripted.layer.channel_state(0).owner))
        found = self.count(scripted, **(ample | limit))
        assert found > 1
        assert expected in {None, found}

    @pytest.mark.dmav3_host
    @pytest.mark.dmav3_rule("PAT-E3")
    @pytest.mark.parametrize("dmav3_host_shim", [{"MaximumTransferUnits": 1000}], indirect=True)
    @pytest.mark.parametrize("width", [8, 32])
    def test_a_controller_of_few_units(self, dmav3_host_shim: HostShim, width: int) -> None:
        """It moves no more of them in a mapping."""
        dmav3_host_shim.script(ends_at_once=1)
        adapter = quiet(dmav3_host_shim, DmaWidth=DmaWidth.of_bits(width))
        bench = Bench(dmav3_host_shim, adapter, described(dmav3_host_shim, 2 * PAGE)[1])
        assert bench.map() == (OK, 1000 * width // 8)

    @pytest.mark.dmav3_rule("PAT-E1", "PAT-E2", "PAT-E3", "MTX-26")
    @pytest.mark.parametrize("seed", range(8))
    def test_all_limits_at_random(self, shim: Shim, seed: int) -> None:
        """A bus master's chain of scattered and unreachable pages goes on as the model says."""
        random = Random(seed)  # noqa: S311 - repeatable, not secret
        buffers = [
            shim.memory.allocate(
                random.randint(1, 9 * PAGE), align=PAGE, offset=random.randrange(PAGE)
            )
            for _ in range(3)
        ]
        chain = chained(shim, *buffers)
        at = chain.address
        for fields in chain_fields(shim, chain):
            pages = [page + random.choice((0, 0, 7, FAR)) for page in fields.pages]
            place_pages(shim, Mdl(at, 0), pages)
            at = fields.Next
        registers, capacity = random.randint(1, 6), random.randint(1, 6)
        bench = Bench(shim, bus_master(shim), chain, registers)
        assert mappings(bench, Limits(capacity, registers), capacity, nothing) > 0

    @pytest.mark.dmav3_rule("PAT-E4", "PAT-E1", "MR-12")
    @pytest.mark.parametrize("write", [True, False])
    @pytest.mark.parametrize(("width", "capacity"), [(8, 1), (16, 2), (32, 2)])
    def test_the_data(self, board: Board, width: int, capacity: int, *, write: bool) -> None:
        """All of it arrives, and what lies beside each fragment stays as it is."""
        unit, sizes_of = width // 8, (PAGE + 600, 64, 2 * PAGE - 200)
        around = [board.memory.allocate(4 * PAGE, region="scatter", align=PAGE) for _ in sizes_of]
        mdls: list[Mdl] = []
        for n, (whole, size) in enumerate(zip(around, sizes_of, strict=True)):
            board.fill(whole, 0x11 + n)
            start = whole.address + 36 + 4 * n
            mdls.append(board.dma.IoAllocateMdl(start, size, mdls[-1] if mdls else None))
            board.dma.MmBuildMdlForNonPagedPool(mdls[-1])
        chain = Mdl(mdls[0].address, sum(sizes_of))
        content, at = moved(chain.size), 0
        expected = []
        for n, (whole, size) in enumerate(zip(around, sizes_of, strict=True)):
            inside, rest = content[at : at + size], bytes([0x11 + n]) * whole.size
            begin = 36 + 4 * n
            expected.append(rest[:begin] + inside + rest[begin + size :])
            if write:
                board.write(whole, inside, begin)
            at += size
        if not write:
            board.stream.receive_put(content)
        assert chain.size % unit == 0
        adapter = adapter_for(board, write=write, width=width)
        arm(board, write=write, width=width)
        packet = Packet(board, adapter, chain, write, registers=4, capacity=capacity)
        packet.start()
        packet.run()
        assert (packet.results, len(packet.parts) > 1) == ([OK], True)
        assert [board.read(whole) for whole in around] == expected
        if write:
            board.wait(1_000_000)
            assert board.stream.sent_take() == content
        assert board.findings() == []


class CancelAt:
    """Cancels a packet at its n-th point."""

    def __init__(self, packet: Packet, point: int) -> None:
        """Watch it."""
        self.packet, self.point, self.passed = packet, point, 0
        packet.at = self.pass_by

    def pass_by(self) -> None:
        """Note one more point."""
        self.passed += 1
        if self.passed == self.point:
            self.packet.cancel()


class TestCancel:
    """Pattern H: where the request is, and what a cancel does to it."""

    @pytest.mark.dmav3_rule("PAT-H1")
    def test_before_the_request(self, shim: Shim) -> None:
        """CancelAdapterChannel is TRUE, and the allocation returns STATUS_CANCELLED."""
        packet = Packet(shim, quiet(shim), described(shim, 256)[1])
        packet.cancel()
        packet.start()
        assert (packet.results, packet.parts) == ([CANCELLED], [])
        assert shim.layer.counters().requests == 0

    @pytest.mark.dmav3_rule("PAT-H1")
    def test_while_it_waits(self, shim: Shim) -> None:
        """CancelAdapterChannel is TRUE, and its routine is never called."""
        owner = quiet(shim)
        granted(shim, owner)
        packet = Packet(shim, quiet(shim), described(shim, 256)[1])
        packet.start()
        packet.cancel()
        with entries(shim) as entered:
            free_channel(shim, owner)
            shim.wait(1_000_000)
        assert (packet.results, entered) == ([CANCELLED], ["FreeAdapterChannel"])

    @pytest.mark.dmav3_rule("PAT-H1", "PAT-H3")
    def test_before_it_maps(self, shim: Shim) -> None:
        """Only CancelMappedTransfer helps: nothing is mapped or called, and no flush is owed.

        A driver that then does not finish the request itself has it for ever.
        """
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert not bench.adapter.CancelAdapterChannel(bench.context)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.map(DmaCompletionRoutine=done) == (CANCELLED, 256)
        shim.wait(1_000_000)
        assert (done.calls, shim.layer.counters().requests) == ([], 1)
        free_channel(shim, bench.adapter)
        assert (shim.violations(), shim.layer.counters().requests) == ([], 0)
        forgetful = Bench.of_subordinate(shim)
        assert forgetful.adapter.CancelMappedTransfer(forgetful.context) == OK
        assert forgetful.map(DmaCompletionRoutine=done).status == CANCELLED
        with shim.evidence.expect_violations(0x08, 0x09):
            forgetful.adapter.PutDmaAdapter()

    @pytest.mark.dmav3_rule("PAT-H1")
    def test_while_it_runs(self, shim: Shim) -> None:
        """Only CancelMappedTransfer helps; the routine is called once, and a flush is owed."""
        bench, done = Bench.of_subordinate(shim), Completions(shim)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        assert not bench.adapter.CancelAdapterChannel(bench.context)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        shim.wait(1_000_000)
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaCancelled]
        assert bench.flush(256) == OK
        free_channel(shim, bench.adapter)
        shim.wait(1_000_000)
        assert len(done.calls) == 1

    @pytest.mark.dmav3_rule("PAT-H1")
    @pytest.mark.parametrize("level", [0, DISPATCH_LEVEL])
    def test_when_its_transfer_has_ended(self, scripted: HostShim, level: int) -> None:
        """Success, whether or not the routine has run: it is called once, and maps no more."""
        bench, done = Bench.of_subordinate(scripted), Completions(scripted)
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        with scripted.dma.irql(level):
            scripted.end(0)
            assert len(done.calls) == (level == 0)
            assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        scripted.wait(1_000_000)
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaComplete]
        assert bench.flush(256) == OK
        assert bench.map() == (CANCELLED, 256)
        free_channel(scripted, bench.adapter)

    @pytest.mark.dmav3_rule("PAT-H1")
    def test_between_two_parts(self, shim: Shim) -> None:
        """Success, and the next part is not mapped; a second cancel fails and does nothing."""
        _, mdl = described(shim, 6 * PAGE, region="scatter")
        adapter = adapter_for(shim, write=True)
        arm(shim, write=True)
        packet, results = Packet(shim, adapter, mdl, capacity=1), []

        def cancel_twice() -> None:
            if packet.parts and packet.done == packet.parts[0] and not packet.results:
                results.append(adapter.CancelMappedTransfer(packet.context).success)

        packet.at = cancel_twice
        packet.start()
        packet.run()
        assert results == [True, False]
        assert (packet.results, len(packet.parts)) == ([CANCELLED], 1)

    @pytest.mark.dmav3_rule("PAT-H1")
    def test_a_bus_master_that_runs(self, shim: Shim) -> None:
        """The layer cannot help: its driver stops its device, then flushes and frees."""
        bench = Bench.of_master(shim)
        assert bench.map() == (OK, 256)
        assert not bench.adapter.CancelAdapterChannel(bench.context)
        with shim.evidence.expect_violations(0x4F):
            assert not bench.adapter.CancelMappedTransfer(bench.context).success
        assert bench.flush(256) == OK
        free_channel(shim, bench.adapter)
        assert shim.layer.counters().requests == 0

    @pytest.mark.dmav3_rule("PAT-H2", "PAT-H3", "QUE-15")
    @pytest.mark.parametrize("waits", [False, True])
    def test_at_every_point(self, shim: Shim, *, waits: bool) -> None:
        """A driver that cancels there finishes its request once, and has nothing left."""
        owner, adapter = adapter_for(shim, write=True), adapter_for(shim, write=True)
        _, mdl = described(shim, 6 * PAGE, region="scatter")
        arm(shim, write=True)
        results: list[NtStatus] = []
        for point in range(1, 100):
            before = shim.layer.counters()
            packet = Packet(shim, adapter, mdl, capacity=1)
            watch = CancelAt(packet, point)
            if waits:
                granted(shim, owner)
            packet.start()
            if waits:
                free_channel(shim, owner)
            packet.run()
            shim.wait(1_000_000)
            assert (len(packet.results), shim.layer.counters()) == (1, before)
            results += packet.results
            if watch.passed < point:
                break
        assert results[-1] == OK
        assert 0 < results.count(OK) < results.count(CANCELLED)
        assert shim.violations() == []
