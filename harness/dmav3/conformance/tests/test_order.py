# SPDX-License-Identifier: Apache-2.0
"""What is ordered before the start of a device, and behind its end, by the routines alone.

The driver's stores, the routine and the doorbell are commands of one line, so no barrier is between
them but the routine's own. A device of the PCI bus starts with a plain store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import pytest

from dmav3.devices.edu import Edu
from dmav3.dma import Element
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction

from .driver import PAGE, Bench, bus_master, context_for, described, moved
from .owner import OK, Owner, stream_port, uncached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dmav3 import Board, Buffer
    from dmav3.dma import DmaAdapter, Mdl
    from dmav3.dma.target import Words

pytestmark = pytest.mark.dmav3_machine("virt-a53")

#: `edu`, which reaches all of RAM; where its BAR is found (ECAM, slot 1), and its registers.
WIDE = "edu,dma_mask=0xffffffff"
_BAR0 = 0x3F008010
_FROM, _TO, _BYTES, _COMMAND = 0x80, 0x88, 0x90, 0x98
_START, _TO_MEMORY = 1, 2
_OWN = 0x40000  # address of its buffer
#: Its transfers take 100 ms, which it counts in whole milliseconds. While the shell waits for a
#: line they end at once, for its clock is not the board's.
_ALMOST, _REST = 98_900_000, 2_000_000
SIZE = 256


class Beside(TypedDict, total=False):
    """What of `directly` is given."""

    before: Sequence[Words]
    after: Sequence[Words]


class Doorbell:
    """An `edu` that a driver starts by one store, and whose end it sees by loads."""

    def __init__(self, board: Board) -> None:
        """Switch it on, and find its registers."""
        self.edu, self._board = Edu(board), board
        self._base = board.request("peek", _BAR0, "32").number("value") & ~0xF

    def prepare(self, address: int, size: int, *, to_memory: bool) -> Words:
        """Say what it will move; return the store that starts it."""
        source, target = (_OWN, address) if to_memory else (address, _OWN)
        for register, value in ((_FROM, source), (_TO, target), (_BYTES, size)):
            self._board.request("poke", self._base + register, "32", value)
        return "poke", self._base + _COMMAND, "32", _START | _TO_MEMORY * to_memory

    def content(self, size: int) -> bytes:
        """Return what is in its buffer."""
        memory = uncached(self._board, size)
        self.edu.write([Element(memory.address, size)])
        return self._board.dram.read(memory.address, size)

    def fill(self, data: bytes) -> None:
        """Put `data` into its buffer."""
        memory = uncached(self._board, len(data))
        self._board.write(memory, data)
        self.edu.read([Element(memory.address, len(data))])


class ByMap:
    """MapTransferEx and FlushAdapterBuffersEx, which may be called at any level."""

    def __init__(self, board: Board, adapter: DmaAdapter, mdl: Mdl) -> None:
        """Own what they need."""
        self.board, self.bench = board, Bench(board, adapter, mdl, registers=4)

    def map(self, beside: Beside, *, write: bool) -> None:
        """Give the buffer to the device."""
        with self.board.dma.directly(**beside):
            assert self.bench.map(write=write) == (OK, SIZE)

    def flush(self, beside: Beside, *, write: bool) -> None:
        """Take it back."""
        with self.board.dma.directly(**beside):
            assert self.bench.flush(SIZE, write=write) == OK


class ByList:
    """GetScatterGatherListEx and PutScatterGatherList, at DISPATCH_LEVEL."""

    def __init__(self, board: Board, adapter: DmaAdapter, mdl: Mdl) -> None:
        """Prepare a context."""
        self.board, self.adapter, self.mdl = board, adapter, mdl
        self.context, self.address = context_for(board, adapter), 0

    def map(self, beside: Beside, *, write: bool) -> None:
        """Give the buffer to the device."""
        with self.board.dma.irql(DISPATCH_LEVEL):
            with self.board.dma.directly(**beside):
                status, self.address = self.adapter.GetScatterGatherListEx(
                    self.context,
                    self.mdl,
                    Flags=DMA_SYNCHRONOUS_CALLBACK,
                    WriteToDevice=write,
                    ScatterGatherList=True,
                )
            assert status == OK
            self.adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)

    def flush(self, beside: Beside, *, write: bool) -> None:
        """Take it back."""
        with self.board.dma.irql(DISPATCH_LEVEL), self.board.dma.directly(**beside):
            self.adapter.PutScatterGatherList(self.address, WriteToDevice=write)


@pytest.mark.dmav3_devices(WIDE)
class TestBusMaster:
    """Its buffer, and its bounce page."""

    @pytest.mark.dmav3_rule("CCH-01", "CCH-08")
    @pytest.mark.parametrize("way", [ByMap, ByList], ids=["map", "list"])
    def test_a_write(self, board: Board, way: type[ByMap | ByList]) -> None:
        """What the driver has just stored is ordered before the doorbell behind the map."""
        doorbell, (buffer, mdl) = Doorbell(board), described(board, SIZE)
        mapping = way(board, bus_master(board), mdl)
        start = doorbell.prepare(buffer.address, SIZE, to_memory=False)
        with board.dma.reference(moved(SIZE)) as data:
            store = "copy", buffer.address, data.address, SIZE
            mapping.map({"before": [store], "after": [start]}, write=True)
        board.wait(_ALMOST + _REST)
        mapping.flush({}, write=True)
        assert board.findings() == []
        assert doorbell.content(SIZE) == moved(SIZE)

    @pytest.mark.dmav3_rule("CCH-01", "CCH-04", "CCH-08")
    @pytest.mark.parametrize("way", [ByMap, ByList], ids=["map", "list"])
    def test_the_map_of_a_read(self, board: Board, way: type[ByMap | ByList]) -> None:
        """The maintenance of what the driver has just stored is ordered before the doorbell."""
        doorbell, (buffer, mdl) = Doorbell(board), described(board, SIZE)
        doorbell.fill(moved(SIZE))
        mapping = way(board, bus_master(board), mdl)
        start = doorbell.prepare(buffer.address, SIZE, to_memory=True)
        store = "fill", buffer.address, SIZE, 0x22
        mapping.map({"before": [store], "after": [start]}, write=False)
        board.wait(_ALMOST + _REST)
        mapping.flush({}, write=False)
        assert board.read(buffer) == moved(SIZE)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("CCH-01", "CCH-03", "CCH-09")
    @pytest.mark.parametrize(
        "way",
        [
            pytest.param(ByMap, id="map"),
            pytest.param(ByList, id="list", marks=pytest.mark.dmav3_rule("PSL-08")),
        ],
    )
    def test_the_flush_of_a_read(self, board: Board, way: type[ByMap | ByList]) -> None:
        """It is ordered behind the end that the driver has just seen; loads behind it are new.

        The driver sees it by a flag: the last byte before the buffer, which is uncached.
        """
        doorbell, (buffer, mdl) = Doorbell(board), described(board, SIZE)
        flag = board.memory.cells.end - 1
        assert flag == buffer.address - 1
        doorbell.fill(b"\x01" + moved(SIZE))
        mapping = way(board, bus_master(board), mdl)
        board.fill(buffer, 0x22)
        mapping.map({}, write=False)
        moves = [
            ("poke", flag, "8", 0),
            doorbell.prepare(flag, 1 + SIZE, to_memory=True),
            ("wait", _ALMOST),
            ("peek_until", flag, "8", 1, 1, _REST),
        ]
        with board.dma.reference(bytes(SIZE)) as loaded:
            load = "copy", loaded.address, buffer.address, SIZE
            mapping.flush({"before": moves, "after": [load]}, write=False)
            assert loaded.bytes == moved(SIZE)
        assert board.findings() == []

    def bounced(self, board: Board, *, write: bool) -> tuple[ByMap, Element, Buffer]:
        """Return a mapping, where its bounce page is, and its buffer, in two pages."""
        # Pages of the region are contiguous in groups of four.
        board.memory.allocate(3 * PAGE, region="scatter")
        buffer, mdl = described(board, SIZE, region="scatter", offset=PAGE - 16)
        pages = board.dma.mdl_fields(mdl).pages
        assert pages[1] != pages[0] + 1
        mapping = ByMap(board, bus_master(board, ScatterGather=0), mdl)
        mapping.map({}, write=write)
        (element,) = mapping.bench.list
        mapping.flush({}, write=write)
        return mapping, element, buffer

    @pytest.mark.dmav3_rule("CCH-08", "CCH-16", "MR-10")
    def test_a_bounced_write(self, board: Board) -> None:
        """The copy to the bounce page is ordered before the doorbell, too."""
        doorbell = Doorbell(board)
        mapping, element, buffer = self.bounced(board, write=True)
        start = doorbell.prepare(element.Address, SIZE, to_memory=False)
        with board.dma.reference(moved(SIZE)) as data:
            store = "copy", buffer.address, data.address, SIZE
            mapping.map({"before": [store], "after": [start]}, write=True)
        assert mapping.bench.list == [element]
        board.wait(_ALMOST + _REST)
        mapping.flush({}, write=True)
        assert board.findings() == []
        assert doorbell.content(SIZE) == moved(SIZE)

    @pytest.mark.dmav3_rule("CCH-16", "MR-11")
    def test_a_bounced_read(self, board: Board) -> None:
        """The caller's buffer is as it was until the flush, and then has the device's data."""
        doorbell = Doorbell(board)
        doorbell.fill(moved(SIZE))
        mapping, element, buffer = self.bounced(board, write=False)
        start = doorbell.prepare(element.Address, SIZE, to_memory=True)
        board.fill(buffer, 0x22)
        mapping.map({"after": [start]}, write=False)
        board.wait(_ALMOST + _REST)
        seen = b"".join(board.cpu.read(address, size) for address, size in buffer.ranges)
        assert seen == b"\x22" * SIZE
        mapping.flush({}, write=False)
        assert board.read(buffer) == moved(SIZE)
        assert board.findings() == []


class TestSubordinate:
    """A channel, which the routines start and stop themselves."""

    @pytest.mark.dmav3_rule("CCH-01", "CCH-08", "CCH-21")
    def test_a_write(self, board: Board) -> None:
        """What the driver has just stored is ordered before the start, and so is microcode."""
        buffer, mdl = described(board, SIZE)
        owner = Owner(board, stream_port(board, 32, write=True))
        with board.dma.reference(moved(SIZE)) as data:
            store = "copy", buffer.address, data.address, SIZE
            with board.dma.directly(before=[store]):
                owner.map(mdl, write=True)
        owner.finish()
        board.wait(1_000_000)
        assert board.stream.sent_take() == moved(SIZE)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("CCH-01", "CCH-03", "CCH-04", "CCH-09")
    def test_a_read(self, board: Board) -> None:
        """Old stores do not come over the device's bytes, and loads behind the flush get these."""
        buffer, mdl = described(board, SIZE)
        owner = Owner(board, stream_port(board, 32, write=False))
        board.stream.receive_put(moved(SIZE))
        with board.dma.directly(before=[("fill", buffer.address, SIZE, 0x22)]):
            owner.map(mdl, write=False)
        owner.run()
        with board.dma.reference(bytes(SIZE)) as loaded:
            load = "copy", loaded.address, buffer.address, SIZE
            with board.dma.directly(after=[load]):
                owner.flush()
            assert loaded.bytes == moved(SIZE)
        assert board.findings() == []
