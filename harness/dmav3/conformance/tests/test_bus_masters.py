# SPDX-License-Identifier: Apache-2.0
"""Bus masters that really move data: QEMU's `edu` on the PCI bus, through the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from dmav3.devices.edu import ADDRESS_BITS, PACKET, Edu
from dmav3.dma.results import Element
from dmav3.dma.target import NULL
from dmav3.evidence.probe import Kind
from dmav3.job.journal import Journal
from dmav3.job.master import PacketTransfer
from dmav3.job.subordinate import Piece
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction

from .driver import Bench, bus_master, chained, context_for, described, entries, moved
from .owner import OK, is_clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dmav3 import Board, Buffer
    from dmav3.dma import DmaAdapter, Mdl, Pointer
    from dmav3.dma.target import Target

#: What reaches all of RAM, and what reaches none of it.
WIDE, NARROW = "edu,dma_mask=0xffffffff", "edu"
#: Where its BARs and its configuration space are (ECAM, slot 1).
COMMAND, BAR0 = 0x04, 0x10
_CONFIGURATION = 0x3F008000


class Pieces(NamedTuple):
    """Where in guest memory the bytes of a packet lie."""

    buffers: tuple[Buffer, ...]
    mdl: Mdl


def scattered(board: Board, *places: tuple[int, int]) -> Pieces:
    """Return a chain of buffers, each of so many bytes and so far into its first page."""
    buffers = tuple(
        board.memory.allocate(size, region="scatter", align=4096, offset=offset)
        for size, offset in places
    )
    return Pieces(buffers, chained(board, *buffers))


def store(board: Board, pieces: Pieces, data: bytes) -> None:
    """Let the CPU store a packet."""
    for buffer in pieces.buffers:
        board.write(buffer, data[: buffer.size])
        data = data[buffer.size :]


def fetch(board: Board, pieces: Pieces) -> bytes:
    """Let the CPU load a packet."""
    return b"".join(board.read(buffer) for buffer in pieces.buffers)


def pattern_a(board: Board, adapter: DmaAdapter, edu: Edu, pieces: Pieces, *, write: bool) -> int:
    """Move a chain, and return in how many mappings."""

    def move(elements: list[Element], offset: int) -> None:
        (edu.read if write else edu.write)(elements, offset=offset)

    piece = Piece(pieces.buffers[0], pieces.mdl, 0, pieces.mdl.size, write)
    transfer = PacketTransfer(board, Journal(board), adapter, piece, move=move)
    transfer.run()
    return len(transfer.packets)


def give_null(target: Target, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the layer give NULL for MapRegisterBase, and take it; list the calls from now on."""
    calls: list[str] = []
    handles: list[int] = []
    routine, callback = target.routine, target.callback

    def call(name: str, *arguments: int) -> object:
        calls.append(name)
        if name in {"MapTransferEx", "FlushAdapterBuffersEx"}:
            adapter, mdl, base, *more = arguments
            assert base == 0
            return routine(name, adapter, mdl, handles[-1], *more)
        return routine(name, *arguments)

    def register(enter: Callable[[Mapping[str, str]], int]) -> int:
        def given_null(keys: Mapping[str, str]) -> int:
            handles.append(int(keys["base"], 0))
            return enter({**keys, "base": "0"})

        return callback(given_null)

    monkeypatch.setattr(target, "routine", call)
    monkeypatch.setattr(target, "callback", register)
    return calls


class TestPatternA:
    """The assembled data equals the source, however the transfer is split."""

    def there_and_back(self, board: Board, *, bits: int, scatter_gather: int = 1) -> int:
        """Move a chain of four pieces to the device and back; return in how many mappings."""
        adapter = bus_master(board, DmaAddressWidth=bits, ScatterGather=scatter_gather)
        edu, data = Edu(board), moved(PACKET)
        source = scattered(board, (1000, 4000), (5, 63), (2000, 100), (1091, 3072))
        target = scattered(board, (64, 0), (1936, 4032), (2096, 2000))
        store(board, source, data)
        before = board.layer.counters()
        parts = pattern_a(board, adapter, edu, source, write=True)
        store(board, target, bytes(PACKET))
        parts += pattern_a(board, adapter, edu, target, write=False)
        assert fetch(board, target) == data
        assert board.layer.counters() == before
        assert is_clean(board)
        return parts

    @pytest.mark.dmav3_rule("MR-04")
    @pytest.mark.dmav3_devices(WIDE)
    def test_a_layer_that_gives_null(self, board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
        """The driver takes it for a grant, and does not free it."""
        adapter, data = bus_master(board), moved(PACKET)
        source = scattered(board, (1000, 4000), (3096, 64))
        store(board, source, data)
        calls = give_null(adapter.target, monkeypatch)
        sent: list[Element] = []

        def move(elements: list[Element], _offset: int) -> None:
            sent.extend(elements)

        piece = Piece(source.buffers[0], source.mdl, 0, PACKET, write=True)
        PacketTransfer(board, Journal(board), adapter, piece, move=move).run()
        assert b"".join(board.dram.read(one.Address, one.Length) for one in sent) == data
        assert calls[-1] == "FlushAdapterBuffersEx"

    @pytest.mark.dmav3_rule("PAT-A1", "PAT-A2", "MTX-45", "MTX-26")
    @pytest.mark.dmav3_devices(WIDE)
    @pytest.mark.parametrize("registers", [2, 3, 64])
    def test_of_a_device_that_reaches_all(self, board: Board, registers: int) -> None:
        """Whatever the number of map registers, which are for shared lines only."""
        board.layer.limits(map_registers=max(registers, 2), registers_per_request=registers)
        assert self.there_and_back(board, bits=32) >= 2

    @pytest.mark.dmav3_rule("PAT-A1", "MR-07", "MR-10", "MR-11", "MR-16", "BMT-16")
    @pytest.mark.dmav3_devices(NARROW)
    @pytest.mark.parametrize(("registers", "mappings"), [(2, 4), (3, 3), (64, 2)])
    def test_of_a_device_that_reaches_none(
        self, board: Board, registers: int, mappings: int
    ) -> None:
        """Every byte is bounced, so few registers split the transfer."""
        board.layer.limits(map_registers=registers, registers_per_request=registers)
        assert self.there_and_back(board, bits=ADDRESS_BITS) >= mappings

    @pytest.mark.dmav3_rule("PAT-A1", "MTX-27", "MR-09")
    @pytest.mark.dmav3_devices(WIDE)
    def test_of_a_device_without_lists(self, board: Board) -> None:
        """One element each time, gathered in bounce pages."""
        assert self.there_and_back(board, bits=32, scatter_gather=0) >= 2


@pytest.mark.dmav3_devices(WIDE)
class TestPatternG:
    """The routines of lists."""

    def asynchronous(self, board: Board, adapter: DmaAdapter, mdl: Mdl, *, write: bool) -> int:
        """Return the list that AdapterListControl got."""
        lists: list[int] = []

        def control(_device: int, _irp: int, address: int, _context: object) -> None:
            lists.append(address)

        context = context_for(board, adapter)
        status = adapter.GetScatterGatherListEx(
            context, mdl, ExecutionRoutine=control, WriteToDevice=write
        ).status
        assert status == OK
        board.dma.run_until(lambda: bool(lists))
        return lists[0]

    def synchronous(self, board: Board, adapter: DmaAdapter, mdl: Mdl, *, write: bool) -> int:
        """Return the list of a call without a routine."""
        status, address = adapter.GetScatterGatherListEx(
            context_for(board, adapter),
            mdl,
            Flags=DMA_SYNCHRONOUS_CALLBACK,
            WriteToDevice=write,
            ScatterGatherList=True,
        )
        assert status == OK
        adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        return address

    def built(self, board: Board, adapter: DmaAdapter, mdl: Mdl, *, write: bool) -> int:
        """Return the list in memory of our own."""
        size = adapter.GetDmaTransferInfo(mdl, WriteOnly=write).ScatterGatherListSize
        memory = board.request("allocate", size).number("address")
        with board.dma.irql(DISPATCH_LEVEL):
            status, address = adapter.BuildScatterGatherListEx(
                context_for(board, adapter),
                mdl,
                Flags=DMA_SYNCHRONOUS_CALLBACK,
                WriteToDevice=write,
                ScatterGatherBuffer=memory,
                ScatterGatherLength=size,
                ScatterGatherList=True,
            )
            assert (status, address) == (OK, memory)
            adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        return address

    @pytest.mark.dmav3_rule("PAT-G1", "GSX-16", "PSL-01")
    @pytest.mark.parametrize("get", [asynchronous, synchronous, built])
    def test_moves_the_data(self, board: Board, get: Callable[..., int]) -> None:
        """There and back, without a flush of the driver's; the counters are what they were."""
        adapter, edu, data = bus_master(board), Edu(board), moved(PACKET)
        pieces = scattered(board, (1000, 4000), (2000, 100), (1096, 3000))
        store(board, pieces, data)
        before = board.layer.counters()
        with entries(board) as called:
            for write in (True, False):
                address = get(self, board, adapter, pieces.mdl, write=write)
                (edu.read if write else edu.write)(board.dma.read_list(address))
                with board.dma.irql(DISPATCH_LEVEL):
                    adapter.PutScatterGatherList(address, WriteToDevice=write)
                assert fetch(board, pieces) == data
                store(board, pieces, bytes(PACKET))
        assert "FlushAdapterBuffersEx" not in called
        assert board.layer.counters() == before
        assert is_clean(board)


@pytest.mark.dmav3_rule("KFI-02", "KFI-03", "GSL-01")
@pytest.mark.dmav3_devices(WIDE)
@pytest.mark.parametrize("flush", [True, False], ids=["flushed", "not flushed"])
def test_the_recipe_of_versions_1_and_2(board: Board, *, flush: bool) -> None:
    """KeFlushIoBuffers before each transfer, and GetScatterGatherList: the data is the same."""
    adapter, edu, data = bus_master(board), Edu(board), moved(PACKET)
    buffer, mdl = described(board, PACKET, region="scatter", offset=1024)
    lists: list[int] = []

    def control(_device: int, _irp: int, address: int, _context: object) -> None:
        lists.append(address)

    board.write(buffer, data)
    for write in (True, False):
        if flush:
            board.dma.KeFlushIoBuffers(mdl, ReadOperation=not write)
        with board.dma.irql(DISPATCH_LEVEL):
            status = adapter.GetScatterGatherList(
                mdl, buffer.address, PACKET, control, WriteToDevice=write
            )
            assert status == OK
            (edu.read if write else edu.write)(board.dma.read_list(lists[-1]))
            adapter.PutScatterGatherList(lists[-1], WriteToDevice=write)
        assert board.read(buffer) == data
        board.fill(buffer, 0)
    assert len(lists) == 2
    assert is_clean(board)


@pytest.mark.dmav3_rule("FBX-21")
@pytest.mark.dmav3_machine("virt-a53")
@pytest.mark.dmav3_devices(WIDE)
def test_a_flush_before_the_device_has_stopped_loses_data(board: Board) -> None:
    """The layer cannot know: it says success, and what comes later the CPU does not get."""
    edu = Edu(board)
    buffer, mdl = described(board, PACKET)
    bench = Bench(board, bus_master(board), mdl)
    edu.read([Element(board.memory.staging.start, PACKET)])
    board.fill(buffer, 0xA5)
    assert bench.map(write=False) == (OK, PACKET)
    (element,) = bench.list
    edu.write([Element(element.Address, PACKET // 2)])
    assert bench.flush(PACKET, write=False) == OK
    assert board.violations() == []
    board.read(buffer, 16, PACKET // 2)  # the line is in the cache now
    rest = Element(element.Address + PACKET // 2, PACKET // 2)
    with board.expect("stray-device-access"):
        edu.write([rest], offset=PACKET // 2)
        assert board.read(buffer, 16, PACKET // 2) == bytes([0xA5]) * 16


@pytest.mark.dmav3_rule("FBX-03")
@pytest.mark.dmav3_machine("virt-a53")
@pytest.mark.dmav3_devices(WIDE)
def test_a_flush_of_less_than_the_device_wrote(board: Board) -> None:
    """The layer cannot know what a bus master moved; who reads the rest is found."""
    edu, data = Edu(board), moved(PACKET)
    source, _ = described(board, PACKET)
    board.write(source, data)
    board.request("clean", source.address, PACKET)
    edu.read(
        [Element(source.address, PACKET)]
    )  # before there is an adapter, nobody asks whose it is
    buffer, mdl = described(board, PACKET)
    bench = Bench(board, bus_master(board), mdl)
    assert bench.map(write=False) == (OK, PACKET)
    edu.write(bench.list)
    assert bench.flush(PACKET // 2, write=False) == OK
    assert board.read(buffer, PACKET // 2) == data[: PACKET // 2]
    assert board.unexpected() == []
    with board.expect("stale-cpu-read", routine="FlushAdapterBuffersEx"):
        board.read(buffer, 64, PACKET // 2)


@pytest.mark.dmav3_rule("BMT-15")
@pytest.mark.dmav3_devices(WIDE)
def test_the_layer_leaves_the_bus_to_the_driver(board: Board) -> None:
    """Neither BARs nor bus mastering are touched by a mapping; its addresses are the bus's."""

    def register(offset: int) -> int:
        return board.request("peek", _CONFIGURATION + offset, "32").number("value") & 0xFFFF

    data = moved(PACKET)
    buffer, mdl = described(board, PACKET, region="scatter", offset=1000)
    bench = Bench(board, bus_master(board), mdl)
    board.write(buffer, data)
    assert bench.map() == (OK, PACKET)
    assert (register(COMMAND) & 7, register(BAR0)) == (0, 0)
    edu = Edu(board)  # the driver's own work
    assert register(COMMAND) & 6 == 6
    assert bench.list == [Element(address, length) for address, length in buffer.ranges]
    edu.read(bench.list)
    assert bench.flush(PACKET) == OK
    edu.write([Element(board.memory.staging.start, PACKET)])
    assert board.memory.look(board.memory.staging.start, PACKET) == data
    assert is_clean(board)


@pytest.mark.dmav3_devices(WIDE)
class TestCommonBuffers:
    """Pattern C: CPU and device use one memory, without map, flush or maintenance."""

    @pytest.mark.dmav3_rule("ACB-02", "ACB-06", "ACB-12", "PAT-C1")
    @pytest.mark.parametrize("cached", [False, True])
    def test_of_the_first_routine(self, board: Board, *, cached: bool) -> None:
        """AllocateCommonBuffer, which does not ask what caching is wanted."""
        self.use(board, lambda adapter: adapter.AllocateCommonBuffer(PACKET, CacheEnabled=cached))

    @pytest.mark.dmav3_rule("ACX-01", "ACX-03", "ACX-04", "ACX-10", "PAT-C1", "PAT-C2")
    @pytest.mark.parametrize("cached", [False, True])
    @pytest.mark.parametrize("limit", [NULL, 0x4FFFFFFF])
    def test_of_the_second(self, board: Board, limit: int | Pointer, *, cached: bool) -> None:
        """AllocateCommonBufferEx, with a highest address and without."""
        self.use(
            board,
            lambda adapter: adapter.AllocateCommonBufferEx(PACKET, limit, CacheEnabled=cached),
        )

    def use(
        self, board: Board, allocate: Callable[[DmaAdapter], tuple[int, int, int, bool]]
    ) -> None:
        """Let CPU and device take turns on the whole buffer, and on parts of one line."""
        adapter, edu = bus_master(board), Edu(board)
        buffer = allocate(adapter)
        _, logical, address, _ = buffer
        assert 0 not in (logical, address)
        before = len(board.evidence.events.all())
        for seed in (1, 2):
            board.memory.cpu_store(address, moved(PACKET, seed))
            edu.read([Element(logical, PACKET)])
            board.request("fill", address, PACKET, 0)
            edu.write([Element(logical, PACKET)])
            assert board.memory.cpu_load(address, PACKET) == moved(PACKET, seed)
        edu.write([Element(logical + 4, 8)], offset=100)
        board.request("poke", address + 16, "32", 0x12345678)
        edu.read([Element(logical, 64)])
        edu.write([Element(board.memory.staging.start, 64)])
        assert board.memory.look(board.memory.staging.start, 64) == board.memory.cpu_load(
            address, 64
        )
        assert [r for r in board.evidence.events.since(before) if r.kind == Kind.ENTER] == []
        assert board.evidence.costs() == []
        adapter.FreeCommonBuffer(*buffer)
        assert is_clean(board)
