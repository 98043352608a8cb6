# SPDX-License-Identifier: Apache-2.0
"""Who treats which cache line, and when: by the operation log, and on the board by data."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from random import Random
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import pytest

from dmav3 import Buffer
from dmav3.evidence.probe import Kind
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, NtStatus

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
    finished,
    free_channel,
    granted,
    moved,
    quiet,
)
from .owner import READY_LINE, Owner, memory_port, stream_port, uncached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3 import Board, HostShim
    from dmav3.dma import DeviceDescription, Mdl

OK = NtStatus.STATUS_SUCCESS
LINE = 64
OPERATIONS = (Kind.CLEAN, Kind.INVALIDATE, Kind.CLEAN_INVALIDATE)
COPIES = (Kind.COPY_TO_DEVICE, Kind.COPY_FROM_DEVICE)
COHERENT = [pytest.param({"coherent": True}, id="coherent")]


class Operation(NamedTuple):
    """One operation on a range of lines."""

    kind: str
    address: int
    size: int


def operations(shim: HostShim, position: int) -> list[Operation]:
    """Return the cache operations since then, without barriers."""
    return [
        Operation(record.kind.name, record.a, record.b)
        for record in shim.evidence.events.since(position)
        if record.kind in OPERATIONS
    ]


def steps(shim: HostShim, act: Callable[[], object]) -> list[str]:
    """Return what happens to caches, bounce pages and channel until a routine has returned."""
    position = len(shim.evidence.events.all())
    act()
    known = shim.image.enum("oplog_id")
    told = {known[f"OPLOG_{name}"]: name for name in ("ProgramChannel", "FlushChannel")}
    found = []
    for record in shim.evidence.events.since(position):
        if record.kind in (*OPERATIONS, *COPIES, Kind.BARRIER):
            found.append(record.kind.name)
        elif record.kind == Kind.ENTER and record.id in told:
            found.append(told[record.id])
    return found


@pytest.mark.dmav3_host
class TestMoments:
    """The table of CCH-01, by the operation log."""

    BEFORE: ClassVar = {True: ["CLEAN", "BARRIER"], False: ["CLEAN_INVALIDATE", "BARRIER"]}
    AFTER: ClassVar = {True: ["BARRIER"], False: ["BARRIER", "INVALIDATE", "BARRIER"]}

    @pytest.mark.dmav3_rule("CCH-01")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("master", [0, 1], ids=["subordinate", "master"])
    def test_a_mapping(self, scripted: HostShim, master: int, *, write: bool) -> None:
        """Before the channel starts or the call returns, and after the channel has ended."""
        bench = Bench(scripted, quiet(scripted, Master=master), described(scripted, 256)[1])
        before = steps(scripted, lambda: bench.map(write=write))
        if not master:
            scripted.end(0)
        after = steps(scripted, lambda: bench.flush(256, write=write))
        assert before == self.BEFORE[write] + ["ProgramChannel"] * (1 - master)
        assert after == ["FlushChannel"] * (1 - master) + self.AFTER[write]

    @pytest.mark.dmav3_rule("MR-10", "MR-11")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_a_bounced_piece(self, scripted: HostShim, *, write: bool) -> None:
        """It is copied before the barrier that the start is behind, or behind that after the end.

        The buffer begins in the middle of a line, which a read must not share with the device.
        """
        buffer, mdl = described(scripted, 100, offset=LINE // 2)
        if write:  # what a device of 28 bits cannot reach
            scripted.name_pages(0, [0x100000])
            buffer, mdl = described(scripted, 100, region="scatter")
        bench = Bench(scripted, bus_master(scripted, DmaAddressWidth=32), mdl)
        position = len(scripted.evidence.events.all())
        before = steps(scripted, lambda: bench.map(write=write))
        after = steps(scripted, lambda: bench.flush(100, write=write))
        if write:
            assert (before, after) == (["COPY_TO_DEVICE", "BARRIER"], ["BARRIER"])
        else:
            assert before == ["CLEAN_INVALIDATE", "BARRIER"]
            assert after == [
                "BARRIER",
                "INVALIDATE",
                "BARRIER",
                "COPY_FROM_DEVICE",
                "COPY_FROM_DEVICE",
            ]
        copied = [r for r in scripted.evidence.events.since(position) if r.kind in COPIES]
        assert copied[0].a == buffer.address
        assert sum(record.b for record in copied) == (100 if write else 36)
        assert {record.c % PAGE for record in copied} == {record.a % PAGE for record in copied}

    @pytest.mark.dmav3_rule("CCH-01")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("build", [True, False], ids=["build", "get"])
    def test_a_list(self, scripted: HostShim, *, write: bool, build: bool) -> None:
        """The same for lists, which PutScatterGatherList ends."""
        adapter, (_, mdl) = bus_master(scripted), described(scripted, 256)
        context, lists = context_for(scripted, adapter), list[int]()
        memory = scripted.request("allocate", PAGE).number("address")
        more = {"ScatterGatherBuffer": memory, "ScatterGatherLength": PAGE} if build else {}
        call = adapter.BuildScatterGatherListEx if build else adapter.GetScatterGatherListEx

        def make() -> None:
            status, built = call(
                context,
                mdl,
                Flags=DMA_SYNCHRONOUS_CALLBACK,
                WriteToDevice=write,
                ScatterGatherList=True,
                **more,  # type: ignore[arg-type]
            )
            assert status == OK
            lists.append(built)

        with scripted.dma.irql(DISPATCH_LEVEL):
            before = steps(scripted, make)
            (built,) = lists
            after = steps(
                scripted, lambda: adapter.PutScatterGatherList(built, WriteToDevice=write)
            )
        assert (before, after) == (self.BEFORE[write], self.AFTER[write])

    @pytest.mark.dmav3_rule("CCH-01")
    @pytest.mark.parametrize("dmav3_host_shim", COHERENT, indirect=True)
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("common", [True, False], ids=["common buffer", "buffer"])
    def test_a_coherent_device(
        self, dmav3_host_shim: HostShim, *, write: bool, common: bool
    ) -> None:
        """Barriers are all that it needs, and a cached common buffer as well."""
        assert self.treated(dmav3_host_shim, write=write, common=common, cached=True) == 0

    @pytest.mark.dmav3_rule("CCH-01")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_an_uncached_common_buffer(self, scripted: HostShim, *, write: bool) -> None:
        """No operation ever, although its neighbours in a chain are treated."""
        assert self.treated(scripted, write=write, common=True, cached=False) == 0
        assert self.treated(scripted, write=write, common=False, cached=False) == 2 - write

    def treated(self, shim: HostShim, *, write: bool, common: bool, cached: bool) -> int:
        """Map and flush; return how many operations there were, besides the barriers."""
        adapter = bus_master(shim)
        _, mdl = described(shim, 256)
        if common:
            memory = adapter.AllocateCommonBufferEx(256, CacheEnabled=cached)
            mdl = shim.dma.IoAllocateMdl(memory.VirtualAddress, 256)
            shim.dma.MmBuildMdlForNonPagedPool(mdl)
        bench = Bench(shim, adapter, mdl)
        before = steps(shim, lambda: bench.map(write=write))
        after = steps(shim, lambda: bench.flush(256, write=write))
        assert before[-1] == "BARRIER"
        assert after[0] == "BARRIER"
        return sum(step != "BARRIER" for step in before + after)


@pytest.mark.dmav3_host
class TestRanges:
    """Which lines."""

    @pytest.mark.dmav3_rule("CCH-05")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_a_mapping_that_was_shortened(self, scripted: HostShim, *, write: bool) -> None:
        """Only what was mapped is treated, its end rounded up to a line."""
        buffer, mdl = described(scripted, 8 * PAGE, region="scatter")
        bench = Bench(scripted, bus_master(scripted), mdl)
        position = len(scripted.evidence.events.all())
        status, length = bench.map(write=write, capacity=1)
        assert (status, length < buffer.size) == (OK, True)
        assert bench.flush(length, write=write) == OK
        done = operations(scripted, position)
        assert {(one.address, one.size) for one in done} == {(buffer.address, length)}

    @pytest.mark.dmav3_rule("CCH-17")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_the_addresses(self, scripted: HostShim, *, write: bool) -> None:
        """They are those of the CPU's mapping, whatever pages the MDL names."""
        scripted.name_pages(0, [0x50000, 0x50001, 0x48000, 0x44000])
        buffer, mdl = described(scripted, 4 * PAGE, region="scatter")
        bench = Bench(scripted, bus_master(scripted), mdl)
        position = len(scripted.evidence.events.all())
        assert bench.map(write=write) == (OK, buffer.size)
        assert [one.Address for one in bench.list] == [0x50000000, 0x48000000, 0x44000000]
        treated = [(one.address, one.size) for one in operations(scripted, position)]
        starts = [buffer.address, buffer.address + 2 * PAGE, buffer.address + 3 * PAGE]
        assert treated == list(zip(starts, [2 * PAGE, PAGE, PAGE], strict=True))

    @pytest.mark.dmav3_rule("CCH-18")
    @pytest.mark.parametrize("pages", [1, 4, 16, 64])
    def test_the_cost(self, scripted: HostShim, pages: int) -> None:
        """As many lines as the range has, in ranges: no operation is on more than that."""
        buffer, mdl = described(scripted, pages * PAGE)
        bench = Bench(scripted, bus_master(scripted), mdl)
        position = len(scripted.evidence.events.all())
        assert bench.map(write=False) == (OK, buffer.size)
        assert bench.flush(buffer.size, write=False) == OK
        whole = buffer.address, buffer.size
        expected = [Operation("CLEAN_INVALIDATE", *whole), Operation("INVALIDATE", *whole)]
        assert operations(scripted, position) == expected

    @pytest.mark.dmav3_rule("CCH-15", "CCH-25")
    @pytest.mark.parametrize("seed", range(4))
    def test_whole_lines_only(self, scripted: HostShim, seed: int) -> None:
        """Nothing is invalidated but lines that lie wholly in the buffer."""
        random = Random(seed)  # noqa: S311 - repeatable, not secret
        for _ in range(8):
            size, offset = random.randrange(1, 3 * PAGE), random.randrange(PAGE)
            buffer, mdl = described(scripted, size, offset=offset, region="scatter")
            bench = Bench(scripted, bus_master(scripted), mdl, registers=8)
            position = len(scripted.evidence.events.all())
            assert bench.map(write=False) == (OK, size)
            assert bench.flush(size, write=False) == OK
            first, last = -(-buffer.address // LINE) * LINE, (buffer.address + size) // LINE * LINE
            done = operations(scripted, position)
            assert all(one.address % LINE == one.size % LINE == 0 for one in done)
            invalidated = sum(one.size for one in done if one.kind == "INVALIDATE")
            assert invalidated == max(0, last - first)
            assert all(first <= one.address <= one.address + one.size <= last for one in done)
            free_channel(scripted, bench.adapter)

    @pytest.mark.dmav3_rule("CCH-22")
    @pytest.mark.parametrize("address", [0x0B010000, 0x40000040, 0x7FFFFFC0], ids=hex)
    def test_the_device_s_register(self, scripted: HostShim, address: int) -> None:
        """The back end gets the address as it is, and no cache operation is on it."""
        bench = Bench(scripted, quiet(scripted, DeviceAddress=address), described(scripted, 256)[1])
        position = len(scripted.evidence.events.all())
        assert bench.map() == (OK, 256)
        scripted.end(0)
        assert bench.flush(256) == OK
        (program,) = scripted.programs()
        assert program.device_address == address
        (one,) = operations(scripted, position)
        assert one == ("CLEAN", scripted.dma.mdl_fields(bench.mdl).StartVa, 256)


@pytest.mark.dmav3_machine("virt-a53")
@pytest.mark.dmav3_cache(schedule="never")
class TestLinesOfTheBoard:
    """The same, by what became of the lines of the board's cache."""

    def dirty(self, board: Board, pages: int) -> Buffer:
        """Return scattered pages of which the CPU has just stored every byte."""
        buffer = board.memory.allocate(pages * PAGE, region="scatter", align=PAGE)
        board.fill(buffer, 0x22)
        return buffer

    def part(self, board: Board, whole: Buffer, at: int, size: int) -> Mdl:
        """Return the MDL of a part."""
        mdl = board.dma.IoAllocateMdl(whole.address + at, size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        return mdl

    def treated(self, board: Board, act: Callable[[], object]) -> tuple[int, int]:
        """Return how many lines a routine has cleaned and invalidated by its own maintenance."""
        position = len(board.evidence.events.all())
        act()
        exits = [r for r in board.evidence.events.since(position) if r.kind == Kind.EXIT]
        half = (1 << 32) - 1
        return sum(r.d & half for r in exits), sum(r.d >> 32 for r in exits)

    @pytest.mark.dmav3_rule("CCH-05")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_a_mapping_that_was_shortened(self, board: Board, *, write: bool) -> None:
        """What was not mapped is still dirty."""
        buffer = self.dirty(board, 8)
        bench = Bench(board, bus_master(board), self.part(board, buffer, 0, 8 * PAGE))
        status, length = bench.map(write=write, capacity=1)
        assert (status, length < buffer.size) == (OK, True)
        assert board.lines(buffer).dirty == (buffer.size - length) // LINE
        assert bench.flush(length, write=write) == OK

    @pytest.mark.dmav3_rule("CCH-18")
    @pytest.mark.parametrize(
        ("at", "size"),
        [(0, 64), (0, PAGE), (4, 56), (60, 8), (100, 5000), (PAGE - 4, 8), (0, 8 * PAGE)],
    )
    def test_the_cost_of_a_write(self, board: Board, at: int, size: int) -> None:
        """Each line that the range touches is cleaned once, and no other one."""
        buffer = self.dirty(board, 8)
        bench = Bench(board, bus_master(board), self.part(board, buffer, at, size))
        lines = -(-(at + size) // LINE) - at // LINE
        assert self.treated(board, bench.map) == (lines, 0)
        assert board.lines(buffer).dirty == 8 * PAGE // LINE - lines
        assert self.treated(board, lambda: bench.flush(size)) == (0, 0)

    @pytest.mark.dmav3_rule("CCH-18", "CCH-17")
    @pytest.mark.parametrize("pages", [1, 3, 8])
    def test_the_cost_of_a_read(self, board: Board, pages: int) -> None:
        """Each line once at the map and once at the flush, by the CPU's addresses of its pages."""
        buffer = self.dirty(board, pages)
        bench = Bench(board, bus_master(board), self.part(board, buffer, 0, pages * PAGE))
        lines = pages * PAGE // LINE
        assert self.treated(board, lambda: bench.map(write=False)) == (lines, lines)
        assert board.lines(buffer).valid == 0
        flush = self.treated(board, lambda: bench.flush(pages * PAGE, write=False))
        assert flush == (0, lines)

    @pytest.mark.dmav3_rule("CCH-15", "CCH-25")
    @pytest.mark.parametrize(("at", "size"), [(4, 200), (60, 72), (63, 2), (1, 63), (64, 100)])
    def test_lines_that_are_shared(self, board: Board, at: int, size: int) -> None:
        """Bytes of others that are dirty there are kept, at the map and at the flush."""
        buffer = self.dirty(board, 1)
        bench = Bench(board, bus_master(board), self.part(board, buffer, at, size), registers=4)
        assert bench.map(write=False) == (OK, size)
        board.write(buffer, b"\x33" * at)
        board.write(buffer, b"\x44" * (512 - at - size), at + size)
        assert bench.flush(size, write=False) == OK
        seen = board.read(buffer, 512)
        assert seen[:at] == b"\x33" * at
        assert seen[at + size :] == b"\x44" * (512 - at - size)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("CCH-14")
    @pytest.mark.parametrize(
        ("at", "size", "pieces"), [(0, 256, 1), (4, 252, 2), (0, 252, 2), (4, 248, 3), (4, 50, 1)]
    )
    def test_elements_of_edges(self, board: Board, at: int, size: int, pieces: int) -> None:
        """At most two more, and as many registers."""
        buffer = board.memory.allocate(256, align=PAGE)
        adapter, mdl = bus_master(board), self.part(board, buffer, at, size)
        bench = Bench(board, adapter, mdl)
        assert bench.map(write=False) == (OK, size)
        assert len(bench.list) == pieces
        edges = (at != 0) + (at + size != 256 and size > 50)
        assert adapter.GetDmaTransferInfo(mdl).MapRegisterCount == edges
        assert bench.flush(size, write=False) == OK

    @pytest.mark.dmav3_rule("CCH-22")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_the_device_s_register(self, board: Board, *, write: bool) -> None:
        """One that is in cached memory is not maintained by the layer: its line stays as it is."""
        register = board.memory.allocate(64, align=PAGE)
        board.write(register, b"\x55" * 64)
        board.request("clean", register.address, 64)
        adapter = quiet(board, DeviceAddress=register.address, DmaRequestLine=READY_LINE)
        buffer = self.dirty(board, 1)
        bench, done = Bench(board, adapter, self.part(board, buffer, 0, 64)), Completions(board)
        mapped = self.treated(board, lambda: bench.map(write=write, DmaCompletionRoutine=done))
        assert mapped == (1, not write)
        finished(board, done)
        assert self.treated(board, lambda: bench.flush(64, write=write)) == (0, not write)
        assert board.lines(register).valid == 1

    @pytest.mark.dmav3_rule("ACX-11")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_an_uncached_common_buffer(self, board: Board, *, write: bool) -> None:
        """It can be mapped, without any operation."""
        adapter = bus_master(board)
        memory = adapter.AllocateCommonBuffer(PAGE)
        mdl = board.dma.IoAllocateMdl(memory.VirtualAddress, PAGE)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        bench = Bench(board, adapter, mdl)
        assert self.treated(board, lambda: bench.map(write=write)) == (0, 0)
        assert [one.Address for one in bench.list] == [memory.LogicalAddress]
        assert self.treated(board, lambda: bench.flush(PAGE, write=write)) == (0, 0)

    @pytest.mark.dmav3_rule("CCH-20")
    def test_a_loop_in_cached_memory(self, board: Board) -> None:
        """It is violation 0x52, and none in an uncached common buffer."""
        adapter = quiet(board, AutoInitialize=1)
        memory = adapter.AllocateCommonBuffer(256)
        mdl = board.dma.IoAllocateMdl(memory.VirtualAddress, 256)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        for one, codes in ((described(board, 256)[1], [0x52]), (mdl, [])):
            bench = Bench(board, adapter, one)
            with board.evidence.expect_violations(*codes):
                assert bench.map() == (OK, 256)
            assert bench.flush(256) == OK
            free_channel(board, adapter)


@pytest.mark.dmav3_machine("virt-a53-coherent")
class TestCoherentPlatform:
    """Where devices see what the CPU stores."""

    @pytest.mark.dmav3_rule("CCH-06", "CCH-07")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_no_maintenance(self, board: Board, master: int, *, write: bool) -> None:
        """There is no element for an edge, no register, and no line is treated."""
        adapter = quiet(board, Master=master, write=write)
        whole = board.memory.allocate(256, align=PAGE)
        mdl = board.dma.IoAllocateMdl(whole.address + 4, 200)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        info = adapter.GetDmaTransferInfo(mdl)
        assert (info.MapRegisterCount, info.ScatterGatherElementCount) == (0, 1)
        bench = Bench(board, adapter, mdl)
        assert bench.map(write=write) == (OK, 200)
        assert bench.list == [(whole.address + 4, 200)]
        assert board.evidence.costs() == []


@pytest.mark.dmav3_host
@pytest.mark.dmav3_rule("CCH-07", "BMT-14")
@pytest.mark.parametrize(
    ("dmav3_host_shim", "treated"),
    [
        pytest.param({"coherent": False, "CacheCoherent": 0}, {0: True, 1: True}, id="none"),
        pytest.param({"coherent": False, "CacheCoherent": 1}, {0: False, 1: True}, id="controller"),
        pytest.param({"coherent": True, "CacheCoherent": 0}, {0: False, 1: False}, id="platform"),
        pytest.param({"caching": False, "CacheCoherent": 0}, {0: False, 1: False}, id="uncached"),
    ],
    indirect=["dmav3_host_shim"],
)
@pytest.mark.parametrize("flags", [{}, {"Dma64BitAddresses": 1, "IgnoreCount": 1, "DemandMode": 1}])
def test_who_is_coherent(
    dmav3_host_shim: HostShim, treated: dict[int, bool], flags: DeviceDescription
) -> None:
    """Platform and controller say so, not the driver; without caches on, everybody is."""
    for master, expected in treated.items():
        members: DeviceDescription = {**flags, "Master": master}
        adapter = quiet(dmav3_host_shim, **members)
        bench = Bench(dmav3_host_shim, adapter, described(dmav3_host_shim, 256)[1])
        assert ("CLEAN" in steps(dmav3_host_shim, bench.map)) == expected


class TestEdges:
    """Lines that a buffer shares with others."""

    #: Where a buffer begins in two pages, and its bytes.
    SHARED: ClassVar = {"head": (100, 156), "tail": (64, 100), "both in one line": (72, 20)}

    @pytest.mark.dmav3_rule("CCH-12")
    @pytest.mark.parametrize("moment", ["before", "during"])
    @pytest.mark.parametrize("edge", SHARED)
    def test_a_read(self, board: Board, edge: str, moment: str) -> None:
        """Data survives, and what the CPU stores beside the buffer, before or during the read."""
        offset, size = self.SHARED[edge]
        whole = board.memory.allocate(320, align=PAGE)
        expected = bytearray(b"\x11" * whole.size)
        board.fill(whole, 0x11)
        mdl = board.dma.IoAllocateMdl(whole.address + offset, size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        adapter = adapter_for(board, write=False)
        base, done = granted(board, adapter), Completions(board)
        arm(board, write=False)

        def store() -> None:
            for at in (offset - 1, offset + size):
                board.write(whole, b"\x22", at)
                expected[at] = 0x22

        if moment == "before":
            store()
        mapped = adapter.MapTransferEx(mdl, base, WriteToDevice=False, DmaCompletionRoutine=done)
        assert mapped == (OK, size)
        board.stream.receive_put(moved(size)[: size // 8 * 4])
        board.wait(10_000)
        if moment == "during":
            store()
        board.stream.receive_put(moved(size)[size // 8 * 4 :])
        finished(board, done)
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, size, WriteToDevice=False) == OK
        expected[offset : offset + size] = moved(size)
        assert board.read(whole) == expected
        assert board.findings() == []

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("CCH-12")
    @pytest.mark.parametrize("at", [67, 188], ids=["before", "behind"])
    def test_a_store_beside_a_read_without_registers(self, board: Board, at: int) -> None:
        """What the CPU stores in a shared line that nothing bounces is reported, and survives."""
        whole = board.memory.allocate(192, align=LINE)
        board.fill(whole, 0x11)
        mdl = board.dma.IoAllocateMdl(whole.address + 68, 120)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        adapter = adapter_for(board, write=False)
        base, done = granted(board, adapter, registers=0), Completions(board)
        arm(board, write=False)
        with board.expect("shared-line"), board.evidence.expect_violations(0x1F, 0x1F, 0x51):
            mapped = adapter.MapTransferEx(
                mdl, base, WriteToDevice=False, DmaCompletionRoutine=done
            )
            assert mapped == (OK, 120)
            board.write(whole, b"\x22", at)
            board.stream.receive_put(moved(120))
            finished(board, done)
            assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 120, WriteToDevice=False) == OK
        assert board.read(whole)[at] == 0x22

    @pytest.mark.dmav3_rule("CCH-12", "CCH-19")
    @pytest.mark.parametrize("first_ends_first", [True, False])
    def test_two_reads_that_share_a_line(self, board: Board, *, first_ends_first: bool) -> None:
        """Each treats it as another's: whichever ends first, both have their data."""
        whole = board.memory.allocate(256, align=PAGE)
        board.fill(whole, 0x11)
        parts = [
            Buffer("part", whole.address + at, 100, ((whole.address + at, 100),)) for at in (0, 100)
        ]
        memory = uncached(board, 100)
        board.write(memory, moved(100, seed=2))
        owners = [
            Owner(board, stream_port(board, 32, write=False), 0),
            Owner(board, memory_port(memory), 1),
        ]
        owners[1].channel.hold_at_burst = 5
        for owner, part in zip(owners, parts, strict=True):
            assert owner.map(chained(board, part), write=False) == 100
        board.write(whole, b"\x22", 200)

        def end(n: int) -> None:
            if n:
                owners[1].channel.release()
            else:
                board.stream.receive_put(moved(100))
            owners[n].finish()

        end(int(not first_ends_first))
        board.write(whole, b"\x33", 201)
        end(int(first_ends_first))
        assert board.read(whole, 202) == moved(100) + moved(100, seed=2) + b"\x22\x33"
        assert board.findings() == []

    @pytest.mark.dmav3_rule("CCH-13")
    @pytest.mark.parametrize(("offset", "size"), [(4, 8), (60, 200), (4, 60)])
    def test_a_write(self, board: Board, offset: int, size: int) -> None:
        """Its lines are cleaned as a whole, nothing is bounced, and neighbours stay as they are."""
        whole = board.memory.allocate(512, align=PAGE)
        board.write(whole, moved(512))
        mdl = board.dma.IoAllocateMdl(whole.address + offset, size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        bench, done = Bench(board, adapter_for(board, write=True), mdl), Completions(board)
        assert bench.map(DmaCompletionRoutine=done) == (OK, size)
        assert bench.list == [(whole.address + offset, size)]
        start, end = offset // LINE * LINE, -(-(offset + size) // LINE) * LINE
        assert board.dram.read(whole.address + start, end - start) == moved(512)[start:end]
        board.write(whole, b"\x22", offset - 1)
        arm(board, write=True)
        finished(board, done)
        assert bench.flush(size) == OK
        board.wait(1000)
        assert board.stream.sent_take() == moved(512)[offset : offset + size]
        expected = moved(512)[: offset - 1] + b"\x22" + moved(512)[offset:]
        assert board.read(whole) == expected
        assert board.findings() == []

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("CCH-11", "GDA-06")
    @pytest.mark.parametrize("master", [0, 1])
    @pytest.mark.parametrize("past", [(0, 0), (4, 0), (0, 4), (4, 4)])
    def test_the_alignment_that_is_advised(
        self, board: Board, past: tuple[int, int], master: int
    ) -> None:
        """Ends that keep to it are the device's own; others are shared, and bounced."""
        adapter = quiet(board, Master=master, write=False)
        alignment = adapter.GetDmaAlignment()
        assert alignment == LINE
        start, end = alignment + past[0], 5 * alignment - past[1]
        buffer, mdl = described(board, end - start, offset=start)
        bench = Bench(board, adapter, mdl)
        assert bench.map(write=False) == (OK, buffer.size)
        pages = [one.Address // PAGE == buffer.address // PAGE for one in bench.list]
        assert pages == [False] * (past[0] != 0) + [True] + [False] * (past[1] != 0)
        with board.evidence.expect_violations(*([] if master else [0x23])):
            assert bench.flush(buffer.size, write=False) == OK


class TestBouncePages:
    """Where they are."""

    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_rule("CCH-16")
    @pytest.mark.dmav3_cache(schedule="speculative", seed=3)
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_no_cache_holds_them(self, board: Board, *, write: bool) -> None:
        """Transfer after transfer through the same page each has its own bytes."""
        adapter = adapter_for(board, write=write)
        # Of a write: two bytes at the end of a page, two in another, so no unit lies in either.
        before = board.memory.allocate(4 * PAGE - 2 if write else 4, region="scatter", align=PAGE)
        buffer = board.memory.allocate(4, region="scatter", align=1)
        assert buffer.address == before.address + before.size
        mdl = chained(board, buffer)
        bench = Bench(board, adapter, mdl)
        arm(board, write=write)
        for seed in range(8):
            done = Completions(board)
            if write:
                board.write(buffer, moved(4, seed))
            assert bench.map(write=write, DmaCompletionRoutine=done) == (OK, 4)
            (element,) = bench.list
            page = Buffer("bounce page", element.Address, 4, ((element.Address, 4),))
            if not write:
                board.stream.receive_put(moved(4, seed))
            finished(board, done)
            assert board.lines(page).valid == 0
            assert bench.flush(4, write=write) == OK
            board.wait(1000)
            seen = board.stream.sent_take() if write else board.read(buffer)
            assert seen == moved(4, seed)
        assert board.findings() == []


#: What of SYS instructions is maintenance: by address to the point of coherency, of data.
MAINTENANCE = {0xD50B7A20: "DC CVAC", 0xD5087620: "DC IVAC", 0xD50B7E20: "DC CIVAC"}


def maintenance_instructions(board: Board) -> set[int]:
    """Return the cache maintenance instructions of the image, without their register."""
    start, size = board.evidence.probe.ram_base, board.evidence.probe.ram_size
    code = memoryview(board.image.flat(range(start, start + size)).data)
    words = code[: len(code) // 4 * 4].cast("I")
    system = (word for word in words if word >> 19 == 0xD5080000 >> 19)
    # CRn 7 is caches and address translation; CRm 8 the latter.
    return {word & ~0x1F for word in system if word >> 12 & 0xF == 7 and word >> 8 & 0xF != 8}


@pytest.mark.dmav3_rule("CCH-18", "CCH-23")
def test_the_instructions(board: Board) -> None:
    """There is none for a whole cache, by set and way, and none for an instruction cache."""
    assert maintenance_instructions(board) == MAINTENANCE.keys()


class TestLegacyRecipe:
    """Drivers that do what versions 1 and 2 wanted."""

    @pytest.mark.dmav3_rule("CCH-10", "CCH-24")
    @pytest.mark.parametrize("recipe", [True, False], ids=["by the recipe", "without"])
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_key_flush_io_buffers(self, board: Board, *, write: bool, recipe: bool) -> None:
        """KeFlushIoBuffers first and FlushAdapterBuffers last is right; without the first, too."""
        buffer, mdl = described(board, 256)
        board.write(buffer, moved(256))
        adapter = adapter_for(board, write=write)
        base = granted(board, adapter)
        if recipe:
            board.dma.KeFlushIoBuffers(mdl, ReadOperation=not write)
        arm(board, write=write)
        mapped = adapter.MapTransfer(mdl, base, buffer.address, 256, WriteToDevice=write)
        assert mapped.Length == 256
        board.stream.receive_put(b"" if write else moved(256, seed=2))
        board.wait(1_000_000)
        assert adapter.ReadDmaCounter() == 0
        assert adapter.FlushAdapterBuffers(mdl, base, buffer.address, 256, WriteToDevice=write)
        assert board.read(buffer) == moved(256, seed=1 if write else 2)
        assert board.stream.sent_take() == (moved(256) if write else b"")
        assert board.findings() == []


#: What the CPU has stored before a transfer.
OLD = b"\x22" * 252


@contextmanager
def expected(board: Board, found: set[str]) -> Iterator[None]:
    """Let the block cause one finding of each kind."""
    with ExitStack() as all_of_them:
        for kind in found:
            all_of_them.enter_context(board.expect(kind))
        yield
    assert {finding.kind for finding in board.findings()} == found


@pytest.mark.dmav3_machine("virt-a53")
class TestWithoutMaintenance:
    """The same transfers with and without the operations: an MDL says that its memory is uncached.

    It is cached all the same, so the layer leaves out what it would need, and no page is bounced.
    """

    IO_SPACE = 0x0800

    def described(self, board: Board, buffer: Buffer, *, maintained: bool) -> Mdl:
        """Return the MDL of a buffer, which lies or does not."""
        mdl = board.dma.IoAllocateMdl(buffer.address, buffer.size)
        board.dma.MmBuildMdlForNonPagedPool(mdl)
        if not maintained:
            at = mdl.address + board.dma.struct("MDL").member("MdlFlags").offset
            flags = board.request("peek", at, "16").number("value")
            board.request("poke", at, "16", flags | self.IO_SPACE)
        return mdl

    def move(
        self,
        board: Board,
        *,
        write: bool,
        maintained: bool,
        neighbour: bytes = b"",
        prepared: str = "",
        meddle: str = "",
    ) -> tuple[bytes, bytes]:
        """Move 252 bytes, beginning 4 behind the start of a line, over what the CPU has stored.

        :param neighbour: what it has stored before the first of them.
        :param prepared: a request on the whole lines before the map.
        :param meddle: one during the transfer; "store": by the CPU, to the first 4 bytes.
        :return: what the device got, and what the CPU reads in the end.
        """
        whole = board.memory.allocate(256, align=PAGE)
        board.fill(whole, 0x11)
        board.request("clean_invalidate", whole.address, 256)
        board.write(whole, OLD, 4)
        board.write(whole, neighbour)
        if prepared:
            board.request(prepared, whole.address, 256)
        buffer = Buffer("buffer", whole.address + 4, 252, ((whole.address + 4, 252),))
        owner = Owner(board, stream_port(board, 32, write=write))
        owner.map(self.described(board, buffer, maintained=maintained), write=write)
        board.stream.receive_put(b"" if write else moved(252))
        board.wait(1_000_000)
        if meddle == "store":
            board.write(whole, b"\x33\x33\x33\x33")
        elif meddle:
            board.request(meddle, whole.address, 256)
        owner.finish()
        return board.stream.sent_take(), board.read(whole)

    @pytest.mark.dmav3_rule("CCH-02", "CCH-30", "CCH-31", "CCH-32")
    @pytest.mark.dmav3_cache(schedule="never")
    @pytest.mark.parametrize("maintained", [True, False], ids=["with", "without"])
    def test_a_write(self, board: Board, *, maintained: bool) -> None:
        """The device reads new bytes; without the clean old ones, and that is found."""
        with expected(board, set() if maintained else {"stale-device-read"}):
            sent, _ = self.move(board, write=True, maintained=maintained)
        assert sent == (OLD if maintained else b"\x11" * 252)

    READS: ClassVar = [
        pytest.param("", "clean", {"lost-device-write"}, id="a dirty line is evicted"),
        pytest.param("clean", "", {"stale-cpu-read"}, id="a line is filled"),
        pytest.param(
            "", "store", {"lost-device-write", "shared-line", "stale-cpu-read"}, id="neighbour"
        ),
    ]

    @pytest.mark.dmav3_rule("CCH-03", "CCH-04", "CCH-12", "CCH-30", "CCH-31", "CCH-32")
    @pytest.mark.dmav3_cache(schedule="never")
    @pytest.mark.parametrize("maintained", [True, False], ids=["with", "without"])
    @pytest.mark.parametrize(("prepared", "meddle", "found"), READS)
    def test_a_read(
        self, board: Board, prepared: str, meddle: str, found: set[str], *, maintained: bool
    ) -> None:
        """The CPU sees the device's bytes and its own beside them; without, old or lost ones."""
        with expected(board, set() if maintained else found):
            _, seen = self.move(
                board, write=False, maintained=maintained, prepared=prepared, meddle=meddle
            )
        assert seen[4:] == (moved(252) if maintained else OLD)
        assert seen[:4] == (b"\x33" if meddle == "store" else b"\x11") * 4

    @pytest.mark.dmav3_rule("CCH-15", "CCH-31")
    @pytest.mark.dmav3_cache(schedule="never")
    @pytest.mark.parametrize("alone", [False, True], ids=["with", "without"])
    def test_a_line_that_is_shared(self, board: Board, *, alone: bool) -> None:
        """What the CPU has stored beside the buffer is kept; an invalidate alone loses it."""
        with expected(board, {"lost-cpu-write"} if alone else set()):
            _, seen = self.move(
                board,
                write=False,
                maintained=True,
                neighbour=b"\x33" * 4,
                prepared="invalidate" if alone else "",
            )
        assert seen == (b"\x11" if alone else b"\x33") * 4 + moved(252)

    @pytest.mark.dmav3_rule("CCH-16", "CCH-31")
    @pytest.mark.dmav3_cache(schedule="never")
    @pytest.mark.parametrize("maintained", [True, False], ids=["with", "without"])
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_a_bounce_page_that_is_cached(
        self, board: Board, *, write: bool, maintained: bool
    ) -> None:
        """The driver's own is cleaned and invalidated; without that it gives old bytes."""
        page, buffer = (board.memory.allocate(256, align=PAGE) for _ in range(2))
        board.fill(page, 0x11)
        board.request("clean_invalidate", page.address, 256)
        board.write(buffer, moved(256, seed=1))
        found = {"stale-device-read"} if write else {"lost-device-write", "stale-cpu-read"}
        with expected(board, set() if maintained else found):
            board.request("copy", page.address, buffer.address, 256)
            owner = Owner(board, stream_port(board, 32, write=write))
            owner.map(self.described(board, page, maintained=maintained), write=write)
            board.stream.receive_put(b"" if write else moved(256, seed=2))
            owner.finish()
            board.wait(1000)
            board.request("copy", buffer.address, page.address, 256)
            sent, seen = board.stream.sent_take(), board.read(buffer)
        new = sent if write else seen
        assert (new == moved(256, seed=1 if write else 2)) == maintained

    @pytest.mark.dmav3_rule("CCH-32")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_an_uncached_common_buffer(self, board: Board, *, write: bool) -> None:
        """CPU and device agree on it, without any operation."""
        buffer = uncached(board, 252, offset=4)
        board.write(buffer, OLD)
        owner = Owner(board, stream_port(board, 32, write=write))
        owner.map(chained(board, buffer), write=write)
        board.stream.receive_put(b"" if write else moved(252))
        owner.finish()
        board.wait(1000)
        assert board.stream.sent_take() == (OLD if write else b"")
        expected = OLD if write else moved(252)
        assert board.read(buffer) == board.dram.read(buffer.address, 252) == expected
        assert (board.findings(), board.evidence.costs()) == ([], [])
