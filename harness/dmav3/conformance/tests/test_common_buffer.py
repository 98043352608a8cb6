# SPDX-License-Identifier: Apache-2.0
"""Common buffers: memory that CPU and device use at any time, by either routine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from dmav3.dma import UNWRITTEN64, Pointer
from dmav3.errors import FaultError
from dmav3.guest.memory import Buffer
from dmav3.wdm import DISPATCH_LEVEL, NtStatus

from .driver import (
    SCRIPTED_DEVICE,
    Bench,
    bus_master,
    context_for,
    described,
    free_channel,
    granted,
    moved,
    quiet,
)
from .owner import Owner, memory_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim
    from dmav3.dma import DeviceDescription, DmaAdapter
    from dmav3.dma.results import CommonBuffer

OK = NtStatus.STATUS_SUCCESS
PAGE = 4096
LINE = 64
MASTER: DeviceDescription = {"Master": 1}
LOOPED: DeviceDescription = {"AutoInitialize": 1, "DeviceAddress": SCRIPTED_DEVICE}
#: Words of the table of version 3, to the end of CancelMappedTransfer.
TABLE_WORDS = 29

both_routines = pytest.mark.parametrize("extended", [False, True], ids=["v1", "Ex"])
both_kinds = pytest.mark.parametrize("members", [MASTER, LOOPED], ids=["master", "looped"])


def allocator(adapter: DmaAdapter, *, extended: bool) -> Callable[[int], CommonBuffer]:
    """Return AllocateCommonBuffer, or AllocateCommonBufferEx without a limit."""
    if extended:
        return partial(adapter.AllocateCommonBufferEx)
    return adapter.AllocateCommonBuffer


def lines(start: int, size: int) -> set[int]:
    """Return the numbers of the cache lines of a range."""
    return set(range(start // LINE, (start + size - 1) // LINE + 1))


class TestMemory:
    """What a driver gets."""

    @pytest.mark.dmav3_rule("ACX-01", "ACB-02", "ACB-03", "ACB-05", "ACB-11")
    @both_routines
    @both_kinds
    def test_it_is_for_nobody_else(
        self, shim: Shim, members: DeviceDescription, *, extended: bool
    ) -> None:
        """Pages of its own, within the adapter's reach, one after the other for CPU and device."""
        adapter = quiet(shim, **members)
        allocate = allocator(adapter, extended=extended)
        buffers = [allocate(size) for size in (1, 100, PAGE, PAGE + 1, 3 * PAGE)]
        for one in buffers:
            assert (one.VirtualAddress % PAGE, one.LogicalAddress % PAGE) == (0, 0)
            assert one.LogicalAddress + one.Length <= 1 << 32
        for start in ("VirtualAddress", "LogicalAddress"):
            owned = [lines(getattr(one, start), one.Length) for one in buffers]
            assert len(set.union(*owned)) == sum(map(len, owned))
        for number, one in enumerate(buffers):
            shim.memory.cpu_store(one.VirtualAddress, moved(one.Length, number))
        for number, one in enumerate(buffers):
            assert shim.memory.cpu_load(one.VirtualAddress, one.Length) == moved(one.Length, number)
            assert shim.memory.look(one.LogicalAddress, one.Length) == moved(one.Length, number)

    @pytest.mark.dmav3_rule("ACX-01", "ACB-01", "ACB-09", "ACB-10")
    @both_routines
    @pytest.mark.parametrize("length", [0, 0xFFFFFFFF], ids=hex)
    def test_what_cannot_be(self, shim: Shim, length: int, *, extended: bool) -> None:
        """NULL, and the place for the logical address keeps what it had."""
        made = allocator(bus_master(shim), extended=extended)(length)
        assert (made.VirtualAddress, made.LogicalAddress) == (0, 0xA5A5A5A5_A5A5A5A5)

    @pytest.mark.dmav3_rule("ACB-01")
    def test_as_many_as_there_can_be(self, shim: Shim) -> None:
        """The next is NULL, until one is freed."""
        adapter = bus_master(shim)
        made = [adapter.AllocateCommonBuffer(64) for _ in range(256)]
        assert all(one.VirtualAddress for one in made)
        assert adapter.AllocateCommonBuffer(64).VirtualAddress == 0
        adapter.FreeCommonBuffer(*made[100])
        assert adapter.AllocateCommonBuffer(64).VirtualAddress

    @pytest.mark.dmav3_rule("ACX-01", "ACB-04")
    @both_routines
    @pytest.mark.parametrize("behind", [0, 1, 63, 3995])
    def test_a_byte_behind_it(self, shim: Shim, behind: int, *, extended: bool) -> None:
        """It is off limits to the end of the page: violation 0x0F when the buffer is freed."""
        adapter = bus_master(shim)
        made = allocator(adapter, extended=extended)(100)
        shim.request("fill", made.VirtualAddress, 100, 0x77)
        place = made.VirtualAddress + 100 + behind
        shim.memory.cpu_store(place, bytes([shim.memory.cpu_load(place, 1)[0] ^ 0xFF]))
        with shim.evidence.expect_violations(0x0F):
            adapter.FreeCommonBuffer(*made)

    @pytest.mark.dmav3_rule("ACX-01", "ACB-13")
    @both_routines
    def test_what_is_in_it_at_first(self, shim: Shim, *, extended: bool) -> None:
        """Whatever was left there: who expects zeroes will be disappointed."""
        adapter = bus_master(shim)
        allocate = allocator(adapter, extended=extended)
        used, made = set[int](), allocate(1 << 19)
        while made.VirtualAddress not in used:  # an address comes back late
            used.add(made.VirtualAddress)
            shim.request("fill", made.VirtualAddress, 64, 0x5A)
            adapter.FreeCommonBuffer(*made)
            made = allocate(1 << 19)
        assert shim.memory.cpu_load(made.VirtualAddress, 64) != bytes(64)

    @pytest.mark.dmav3_rule("ACX-07")
    @pytest.mark.parametrize("node", [1, 7, 0x80000000, 0xFFFFFFFF])
    def test_a_preferred_node(self, shim: Shim, node: int) -> None:
        """It is accepted, and the buffer is as without."""
        adapter = bus_master(shim)
        plain = adapter.AllocateCommonBufferEx(100, 0xFFFFFFFF)
        made = adapter.AllocateCommonBufferEx(100, 0xFFFFFFFF, PreferredNode=node)
        assert made.VirtualAddress - plain.VirtualAddress == PAGE
        assert made.LogicalAddress - plain.LogicalAddress == PAGE
        adapter.FreeCommonBuffer(*made)
        adapter.FreeCommonBuffer(*plain)

    @pytest.mark.dmav3_rule("FCB-02")
    @both_routines
    @both_kinds
    def test_one_routine_frees_them_all(
        self, shim: Shim, members: DeviceDescription, *, extended: bool
    ) -> None:
        """Whichever allocated; what else could make one is not in the table."""
        adapter = quiet(shim, **members)
        made = allocator(adapter, extended=extended)(100)
        assert shim.layer.counters().common_buffers == 1
        adapter.FreeCommonBuffer(*made)
        assert shim.layer.counters().common_buffers == 0
        layout = shim.dma.struct("DMA_ADAPTER")
        table = layout.read(shim.memory.look(adapter.address, layout.size))["DmaOperations"]
        size = int.from_bytes(shim.memory.look(table, 4), "little")
        assert size == TABLE_WORDS * shim.dma.pointer_size

    @pytest.mark.dmav3_rule("ACX-01", "ACB-08")
    @pytest.mark.dmav3_machine("virt-a53")
    @both_routines
    def test_a_loop_needs_one(self, shim: Shim, *, extended: bool) -> None:
        """An adapter with AutoInitialize runs over it; over cached memory is violation 0x52."""
        adapter = quiet(shim, **LOOPED)
        made = allocator(adapter, extended=extended)(256)
        mdl = shim.dma.IoAllocateMdl(made.VirtualAddress, 256)
        shim.dma.MmBuildMdlForNonPagedPool(mdl)
        bench = Bench(shim, adapter, mdl)
        assert bench.map() == (OK, 256)
        assert bench.list == [(made.LogicalAddress, 256)]
        assert bench.flush(256) == OK
        bench.mdl = described(shim, 256)[1]
        with shim.evidence.expect_violations(0x52):
            bench.map()


class TestDevice:
    """What a device does with it."""

    @pytest.mark.dmav3_rule("ACX-01", "ACX-10", "ACB-02", "ACB-12")
    @both_routines
    def test_it_needs_no_maintenance(self, board: Board, *, extended: bool) -> None:
        """By its logical address a device sees what the CPU stored, and the CPU what it stored."""
        made = allocator(bus_master(board), extended=extended)(256)
        board.memory.cpu_store(made.VirtualAddress, moved(256))
        assert moved_through(board, made.LogicalAddress, write=False) == moved(256)
        assert moved_through(board, made.LogicalAddress, moved(256, 2), write=True) == b""
        assert board.memory.cpu_load(made.VirtualAddress, 256) == moved(256, 2)
        assert board.findings() == []

    @pytest.mark.dmav3_rule("GEN-13", "ACB-12")
    @pytest.mark.dmav3_machine("virt-a53")
    @pytest.mark.dmav3_cache(schedule="lru")
    def test_a_translated_pointer_is_no_address_for_a_device(self, board: Board) -> None:
        """It works with none of the layer's help: the device reads what was there long ago."""
        buffer = board.memory.allocate(256, align=PAGE)
        board.write(buffer, moved(256))
        with board.expect("stale-device-read"):
            assert moved_through(board, buffer.ranges[0][0], write=False) != moved(256)

    @pytest.mark.dmav3_rule("GEN-13")
    @pytest.mark.parametrize("translated", [False, True])
    def test_the_list_says_where_the_device_stores(
        self, scripted: HostShim, *, translated: bool
    ) -> None:
        """Data stored there arrives; stored to the translated pointer it is lost."""
        shim = scripted
        buffer, mdl = described(shim, 16, offset=4)
        bench = Bench(shim, bus_master(shim), mdl)
        assert bench.map(write=False) == (OK, 16)
        ((address, length),) = bench.list
        assert length == 16
        page = shim.dma.mdl_fields(mdl).pages[0] * PAGE
        shim.store_as_device(address, bytes(16))
        shim.store_as_device(page + 4 if translated else address, moved(16))
        assert bench.flush(16, write=False) == OK
        assert (shim.read(buffer) == moved(16)) == (not translated)

    @pytest.mark.dmav3_rule("ACX-01", "ACX-05", "ACB-14")
    @pytest.mark.dmav3_machine("virt-a53")
    @both_routines
    @pytest.mark.parametrize("cached", [False, True])
    @pytest.mark.parametrize("offset", [0, 4, 1, 2, 3])
    def test_an_access_must_be_aligned(
        self, board: Board, offset: int, *, cached: bool, extended: bool
    ) -> None:
        """It is device memory: the CPU faults at a 32-bit load of any other address."""
        adapter = bus_master(board)
        allocate = adapter.AllocateCommonBufferEx if extended else adapter.AllocateCommonBuffer
        made = allocate(200, CacheEnabled=cached)
        board.memory.cpu_store(made.VirtualAddress + offset, board.dma.describe(Master=1))
        here = Pointer(made.VirtualAddress + offset)
        if offset % 4 == 0:
            assert board.IoGetDmaAdapter(DeviceDescription=here) is not None
        else:
            with pytest.raises(FaultError) as fault:
                board.IoGetDmaAdapter(DeviceDescription=here)
            assert fault.value.place.startswith(("is_served", "create", "IoGetDmaAdapter"))


def moved_through(board: Board, address: int, content: bytes = b"", *, write: bool) -> bytes:
    """Let a channel move 256 bytes to (write) or from a device at this address, beside the layer.

    :return: what it read.
    """
    owner = Owner(board, memory_port(Buffer("device", address, 256, ((address, 256),))))
    buffer, mdl = described(board, 256, region="scatter")
    board.write(buffer, content if write else bytes(256))
    assert owner.map(mdl, write=write) == 256
    owner.finish()
    owner.release()
    return b"" if write else board.read(buffer)


class TestLimits:
    """AllocateCommonBufferEx with a highest address."""

    @pytest.mark.dmav3_rule("ACX-02", "ACX-06")
    @pytest.mark.parametrize("pages", [1, 3])
    def test_the_last_byte(self, shim: Shim, pages: int) -> None:
        """It may be used; with one less there is no buffer, and no address is written."""
        adapter = bus_master(shim)
        start = adapter.AllocateCommonBufferEx(pages * PAGE)
        adapter.FreeCommonBuffer(*start)
        last = start.LogicalAddress + pages * PAGE - 1
        refused = adapter.AllocateCommonBufferEx(pages * PAGE, last - 1)
        assert (refused.VirtualAddress, refused.LogicalAddress) == (0, UNWRITTEN64)
        taken = adapter.AllocateCommonBufferEx(pages * PAGE, last)
        assert taken.LogicalAddress == start.LogicalAddress
        adapter.FreeCommonBuffer(*taken)

    @pytest.mark.dmav3_rule("STR-02")
    @pytest.mark.parametrize("maximum", [(1 << 64) - 1, 1 << 63, (1 << 63) - 1], ids=hex)
    def test_an_address_has_no_sign(self, shim: Shim, maximum: int) -> None:
        """The highest ones are no limit, and do not lift that of the adapter."""
        adapter, narrow = bus_master(shim), bus_master(shim, DmaAddressWidth=24)
        buffer = adapter.AllocateCommonBufferEx(64, maximum)
        assert buffer.VirtualAddress
        adapter.FreeCommonBuffer(*buffer)
        assert narrow.AllocateCommonBufferEx(64, maximum).VirtualAddress == 0

    @pytest.mark.dmav3_rule("ACX-08")
    def test_of_a_subordinate(self, shim: Shim) -> None:
        """It gets what its controller reaches, and that is all below 4 GiB."""
        adapter = quiet(shim, **LOOPED)
        buffer = adapter.AllocateCommonBufferEx(PAGE, (1 << 64) - 1)
        assert buffer.VirtualAddress
        assert buffer.LogicalAddress + PAGE <= 1 << adapter.GetDmaAdapterInfo().DmaAddressWidth
        adapter.FreeCommonBuffer(*buffer)


class TestFree:
    """FreeCommonBuffer."""

    @pytest.mark.dmav3_rule("FCB-01")
    @pytest.mark.parametrize("extended", [False, True])
    @pytest.mark.parametrize(
        ("member", "change", "violation"),
        [
            ("Length", -1, 0x44),
            ("Length", 1, 0x44),
            ("LogicalAddress", PAGE, 0x44),
            ("VirtualAddress", PAGE, 0x03),
            ("VirtualAddress", 64, 0x03),
        ],
    )
    def test_of_something_else(
        self, shim: Shim, member: str, change: int, violation: int, *, extended: bool
    ) -> None:
        """Nothing is freed."""
        adapter = bus_master(shim)
        buffer = allocator(adapter, extended=extended)(2 * PAGE)
        wrong = buffer._replace(**{member: getattr(buffer, member) + change})
        with shim.evidence.expect_violations(violation):
            adapter.FreeCommonBuffer(*wrong)
        assert shim.layer.counters().common_buffers == 1
        adapter.FreeCommonBuffer(*buffer)
        assert shim.layer.counters().common_buffers == 0

    @pytest.mark.dmav3_rule("ACX-09")
    def test_of_the_second_routine_s(self, shim: Shim) -> None:
        """It is freed by the length and the caching that it was asked for."""
        adapter = bus_master(shim)
        for cached in (False, True):
            buffer = adapter.AllocateCommonBufferEx(100, CacheEnabled=cached)
            with shim.evidence.expect_violations(0x44):
                adapter.FreeCommonBuffer(*buffer._replace(CacheEnabled=not cached))
            adapter.FreeCommonBuffer(*buffer)
        assert shim.layer.counters().common_buffers == 0

    @pytest.mark.dmav3_rule("FCB-03")
    def test_twice(self, shim: Shim) -> None:
        """Violation 0x03, and no second effect: another's buffer stays."""
        adapter, other = bus_master(shim), bus_master(shim)
        buffer = adapter.AllocateCommonBuffer(64)
        adapter.FreeCommonBuffer(*buffer)
        again = other.AllocateCommonBuffer(64)
        with shim.evidence.expect_violations(0x03):
            adapter.FreeCommonBuffer(*buffer)
        assert shim.layer.counters().common_buffers == 1
        other.FreeCommonBuffer(*again)
        assert len(shim.violations()) == 1

    @pytest.mark.dmav3_rule("FCB-04")
    def test_what_is_free_again(self, shim: Shim) -> None:
        """As much as before, however often."""
        adapter = bus_master(shim)
        largest = 1 << 20
        while not (buffer := adapter.AllocateCommonBuffer(largest)).VirtualAddress:
            largest //= 2
        adapter.FreeCommonBuffer(*buffer)
        for _ in range(40):
            for size in (largest, 1, PAGE + 1):
                buffer = adapter.AllocateCommonBuffer(size)
                assert buffer.VirtualAddress
                adapter.FreeCommonBuffer(*buffer)

    @pytest.mark.dmav3_rule("ACB-07", "ACB-15")
    def test_while_requests_wait(self, shim: Shim) -> None:
        """They are not disturbed; it uses no register, since nothing is translated."""
        adapter = quiet(shim, **LOOPED)
        granted(shim, adapter, 3)
        before, called = shim.layer.counters(), list[int]()
        context = context_for(shim, adapter)
        with shim.dma.irql(DISPATCH_LEVEL):
            status = adapter.AllocateAdapterChannelEx(
                context,
                1,
                0,
                lambda *_: called.append(1) or 1,  # type: ignore[func-returns-value]
            ).status
            assert status == OK
        buffer = adapter.AllocateCommonBuffer(100)
        assert buffer.VirtualAddress
        assert called == []
        now = shim.layer.counters()
        assert now == before._replace(requests=before.requests + 1, common_buffers=1)
        free_channel(shim, adapter)
        assert called == [1]
        free_channel(shim, adapter)
        adapter.FreeCommonBuffer(*buffer)
