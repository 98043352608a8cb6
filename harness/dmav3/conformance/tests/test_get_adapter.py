# SPDX-License-Identifier: Apache-2.0
"""IoGetDmaAdapter: which descriptions are served, and what of them counts."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.board.host_shim import ERROR
from dmav3.dma import NULL, Mdl, Pointer
from dmav3.errors import RefusedError
from dmav3.evidence.probe import Kind
from dmav3.wdm import DISPATCH_LEVEL, DmaWidth, InterfaceType, NtStatus

from .driver import (
    Bench,
    Completions,
    bus_master,
    described,
    device_of,
    entries,
    finished,
    granted,
    moved,
    place_pages,
    quiet,
)
from .owner import READY_LINE, uncached

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim
    from dmav3.dma import DeviceDescription

OK = NtStatus.STATUS_SUCCESS
PAGE = 4096
FOUR_GIB = 1 << 32
#: Bytes of DMA_OPERATIONS of Windows 8 on a 64-bit target.
TABLE_SIZE = 0xE8
SYSTEM: DeviceDescription = {"MaximumLength": 8 * PAGE}
MASTER: DeviceDescription = {"Master": 1, "MaximumLength": 8 * PAGE}


def behaviour(shim: Shim, mdl: Mdl, description: DeviceDescription) -> list[Any]:
    """Return what a driver sees of a fresh adapter, the list of a mapping included."""
    adapter = quiet(shim, **description)
    bench = Bench(shim, adapter, mdl, registers=8)
    mapped = bench.map()
    seen = [
        adapter.NumberOfMapRegisters,
        adapter.GetDmaAlignment(),
        adapter.GetDmaAdapterInfo(),
        adapter.GetDmaTransferInfo(mdl),
        mapped,
        bench.list,
    ]
    if not description.get("Master"):
        assert adapter.CancelMappedTransfer(bench.context) == OK
    assert bench.flush(mapped.Length) == OK
    with shim.dma.irql(DISPATCH_LEVEL):
        adapter.FreeAdapterChannel()
    adapter.PutDmaAdapter()
    return seen


@pytest.fixture
def mdl(shim: Shim) -> Mdl:
    """Return the MDL of scattered pages."""
    return described(shim, 6 * PAGE, region="scatter")[1]


class TestVersion:
    """What `Version` of the description asks for."""

    @pytest.mark.dmav3_rule("IGA-01", "IGA-02")
    @pytest.mark.parametrize(
        ("version", "violated"), [(0, []), (1, []), (2, []), (4, [0x25]), (0xFFFFFFFF, [0x25])]
    )
    def test_another_version_gives_null(
        self, shim: Shim, version: int, violated: list[int]
    ) -> None:
        """Above 3 it is a mistake as well; the number of registers is not written."""
        registers = Pointer(shim.request("allocate", 64).number("address"))
        shim.request("fill", registers, 64, 0x77)
        with shim.evidence.expect_violations(*violated):
            got = shim.IoGetDmaAdapter(Version=version, NumberOfMapRegisters=registers)
        assert got is None
        assert shim.memory.look(registers, 4) == b"\x77" * 4

    @pytest.mark.dmav3_rule("IGA-02", "IGA-05", "IGA-06")
    @pytest.mark.parametrize("description", [SYSTEM, MASTER], ids=["system", "master"])
    def test_version_3_gives_the_table_of_version_3(
        self, shim: Shim, description: DeviceDescription
    ) -> None:
        """The adapter itself says version 1, as of every interface version."""
        layout = shim.dma.struct("DMA_ADAPTER")
        adapter = layout.read(shim.memory.look(quiet(shim, **description).address, layout.size))
        assert adapter["Version"] == 1
        assert adapter["Size"] >= layout.size
        table = shim.memory.look(adapter["DmaOperations"], shim.dma.pointer_size)
        assert int.from_bytes(table[:4], "little") == TABLE_SIZE

    @pytest.mark.dmav3_rule("IGA-01")
    def test_no_more_adapters_give_null(self, shim: Shim) -> None:
        """Until one is released."""
        adapters = []
        while (adapter := shim.IoGetDmaAdapter()) is not None:
            adapters.append(adapter)
            assert len(adapters) < 1000
        adapters[7].PutDmaAdapter()
        assert shim.IoGetDmaAdapter() is not None
        assert shim.IoGetDmaAdapter() is None


class TestDescription:
    """How the description is read."""

    @pytest.mark.dmav3_rule("IGA-03", "IGA-10")
    @pytest.mark.parametrize("needed", [{}, {"Master": 1, "DmaAddressWidth": 32}], ids=str)
    def test_members_that_are_not_used_may_be_zero(
        self, shim: Shim, needed: dict[str, int]
    ) -> None:
        """As they are in a description that was zero-filled before its members were set."""
        zeroes = dict.fromkeys(shim.dma.struct("DEVICE_DESCRIPTION").members, 0)
        description: Any = zeroes | {"Version": 3} | needed
        assert shim.IoGetDmaAdapter(**description) is not None

    @pytest.mark.dmav3_rule("IGA-04")
    def test_a_change_after_the_call_has_no_effect(self, shim: Shim, mdl: Mdl) -> None:
        """The description is read only during the call."""
        memory = Pointer(shim.request("allocate", 64).number("address"))
        shim.memory.cpu_store(memory, shim.dma.describe(**MASTER))
        adapter = shim.IoGetDmaAdapter(DeviceDescription=memory)
        assert adapter is not None
        shim.request("fill", memory, 64, 0xFF)
        bench = Bench(shim, adapter, mdl, registers=8)
        assert bench.map() == (OK, mdl.size)
        assert [bench.adapter.GetDmaTransferInfo(mdl), bench.list] == [
            behaviour(shim, mdl, MASTER)[at] for at in (3, 5)
        ]

    @pytest.mark.dmav3_rule("IGA-26")
    def test_no_description_and_no_place_give_null(self, shim: Shim) -> None:
        """Neither may be NULL."""
        assert shim.IoGetDmaAdapter(DeviceDescription=NULL) is None
        assert shim.IoGetDmaAdapter(NumberOfMapRegisters=False) is None
        assert shim.layer.counters().adapters == 0

    @pytest.mark.dmav3_rule("IGA-17")
    def test_reserved1_must_be_false(self, shim: Shim) -> None:
        """Anything else gives NULL."""
        assert shim.IoGetDmaAdapter(Reserved1=1) is None
        assert shim.IoGetDmaAdapter(Reserved1=0) is not None

    @pytest.mark.dmav3_rule("IGA-13", "IGA-15", "IGA-17")
    @pytest.mark.parametrize(
        "member",
        [
            *({name: 1} for name in ("Dma32BitAddresses", "Dma64BitAddresses", "DemandMode")),
            *({name: 7} for name in ("DmaSpeed", "BusNumber", "DmaPort", "DmaControllerInstance")),
            {"AutoInitialize": 1},
            {"DmaWidth": DmaWidth.Width8Bits},
            {"DmaWidth": 77},
            {"DmaChannel": 99},
            {"DmaRequestLine": 99},
            {"DeviceAddress": 0xDEAD0001},
        ],
        ids=str,
    )
    def test_a_bus_master_ignores_it(self, shim: Shim, mdl: Mdl, member: Any) -> None:
        """It behaves as without."""
        assert behaviour(shim, mdl, MASTER | member) == behaviour(shim, mdl, MASTER)

    @pytest.mark.dmav3_rule("IGA-13", "IGA-16", "IGA-17")
    @pytest.mark.parametrize(
        "member",
        [
            *({name: 1} for name in ("Dma32BitAddresses", "Dma64BitAddresses", "DemandMode")),
            *({name: 7} for name in ("DmaSpeed", "BusNumber", "DmaPort", "DmaControllerInstance")),
            {"ScatterGather": 0},
            *({"DmaAddressWidth": bits} for bits in (0, 1, 16, 64, 0xFFFFFFFF)),
        ],
        ids=str,
    )
    def test_a_subordinate_ignores_it(self, shim: Shim, mdl: Mdl, member: Any) -> None:
        """It behaves as without: what the controller can do counts."""
        assert behaviour(shim, mdl, SYSTEM | member) == behaviour(shim, mdl, SYSTEM)

    @pytest.mark.dmav3_rule("IGA-13")
    @pytest.mark.parametrize("member", ["Dma32BitAddresses", "Dma64BitAddresses"])
    @pytest.mark.parametrize("bits", [0, 32, 64])
    def test_what_it_reaches(self, shim: Shim, bits: int, member: str) -> None:
        """DmaAddressWidth says it, or its controller; no flag widens or narrows it."""
        buffer, mdl = described(shim, 256)
        place_pages(shim, mdl, [FOUR_GIB // PAGE])
        kind = {"Master": 1, "DmaAddressWidth": bits} if bits else {}
        flags: list[DeviceDescription] = [{}, {member: 1}, {"DmaSpeed": 3, "DemandMode": 1}]  # type: ignore[misc]
        registers = []
        for flag in flags:
            adapter = quiet(shim, **SYSTEM | kind | flag)  # type: ignore[arg-type]
            registers.append(adapter.GetDmaTransferInfo(mdl, WriteOnly=True).MapRegisterCount)
        assert registers == [bits != 64] * 3
        assert buffer.size == 256


class TestRegisters:
    """The most map registers that one request may own."""

    @pytest.mark.dmav3_rule("IGA-07", "IGA-08", "IGA-09", "IGA-10")
    @pytest.mark.parametrize("master", [False, True])
    @pytest.mark.parametrize(
        ("maximum", "registers"),
        [(0, 64), (1, 2), (4096, 2), (4097, 3), (65_536, 17), (1 << 20, 64), (0xFFFFFFFF, 64)],
    )
    def test_they_follow_the_length(
        self, shim: Shim, maximum: int, registers: int, *, master: bool
    ) -> None:
        """Its pages and one more, at most what there is, also where nothing is ever bounced."""
        adapter = quiet(shim, Master=int(master), DmaAddressWidth=64, MaximumLength=maximum)
        assert adapter.NumberOfMapRegisters == registers

    @pytest.mark.dmav3_rule("IGA-07")
    def test_a_small_platform_gives_fewer(self, shim: Shim) -> None:
        """The largest number that it has."""
        shim.layer.limits(map_registers=9)
        assert quiet(shim, MaximumLength=65_536).NumberOfMapRegisters == 9
        assert quiet(shim, MaximumLength=4096).NumberOfMapRegisters == 2

    @pytest.mark.dmav3_rule("IGA-08")
    @pytest.mark.parametrize("most", range(4))
    def test_no_platform_gives_less_than_two(self, shim: Shim, most: int) -> None:
        """A limit below two is refused, and changes nothing."""
        with pytest.raises(RefusedError) if most < 2 else nullcontext():
            shim.layer.limits(registers_per_request=most)
        assert quiet(shim, MaximumLength=1).NumberOfMapRegisters == 2

    @pytest.mark.dmav3_host
    @pytest.mark.dmav3_rule("IGA-09")
    @pytest.mark.parametrize("dmav3_host_shim", [{"coherent": True}], indirect=True, ids=["it"])
    def test_a_coherent_platform_gives_as_many(self, dmav3_host_shim: HostShim) -> None:
        """Although it bounces nothing."""
        assert quiet(dmav3_host_shim, MaximumLength=65_536).NumberOfMapRegisters == 17

    @pytest.mark.dmav3_rule("IGA-10")
    def test_length_zero_sets_no_limit_of_bytes(self, shim: Shim) -> None:
        """A mapping may be as long as its buffer."""
        bench = Bench.of_subordinate(shim, 1 << 20)
        assert bench.map() == (OK, 1 << 20)


class TestBusMaster:
    """What only a bus master's description has."""

    @pytest.mark.dmav3_rule("IGA-11", "IGA-12")
    @pytest.mark.parametrize("bits", [0, 1, 23, 65, 128, 0xFFFFFFFF])
    def test_an_address_width_that_cannot_be_gives_null(self, shim: Shim, bits: int) -> None:
        """Below 24 and above 64 bits."""
        assert shim.IoGetDmaAdapter(Master=1, DmaAddressWidth=bits) is None

    @pytest.mark.dmav3_rule("IGA-11")
    @pytest.mark.parametrize("bits", [24, 32, 33, 64])
    def test_the_address_width_is_the_adapter_s(self, shim: Shim, bits: int) -> None:
        """As GetDmaAdapterInfo tells."""
        assert bus_master(shim, DmaAddressWidth=bits).GetDmaAdapterInfo().DmaAddressWidth == bits

    @pytest.mark.dmav3_rule("IGA-27")
    def test_without_scatter_gather_a_mapping_is_one_element(self, shim: Shim, mdl: Mdl) -> None:
        """Scattered pages are gathered in map registers."""
        bench = Bench(shim, bus_master(shim, ScatterGather=0), mdl, registers=8)
        assert bench.map() == (OK, mdl.size)
        ((_, length),) = bench.list
        assert length == mdl.size


class TestSubordinate:
    """What only the description of a subordinate device has."""

    @pytest.mark.dmav3_rule("IGA-18")
    @pytest.mark.parametrize("master", [False, True])
    @pytest.mark.parametrize("bus", [*range(-1, 20), 0x7FFFFFFF])
    def test_four_buses_are_served(self, shim: Shim, bus: int, *, master: bool) -> None:
        """Internal, PCIBus, ACPIBus and undefined; any other gives NULL."""
        got = shim.IoGetDmaAdapter(Master=int(master), InterfaceType=bus)
        assert (got is not None) == (bus % (1 << 32) in set(InterfaceType))

    @pytest.mark.dmav3_rule("IGA-19")
    @pytest.mark.parametrize(
        "wrong",
        [
            {"DmaRequestLine": 32},
            {"DmaRequestLine": 0xFFFFFFFF},
            {"DmaChannel": 8},
            {"DmaChannel": 0xFFFFFFFF},
        ],
        ids=str,
    )
    def test_what_no_controller_has_gives_null(self, shim: Shim, wrong: DeviceDescription) -> None:
        """A request line or a channel that is not there."""
        assert shim.IoGetDmaAdapter(**wrong) is None

    @pytest.mark.dmav3_rule("IGA-19")
    def test_what_the_back_end_refuses_gives_null(self, scripted: HostShim) -> None:
        """It is asked about line and channel, and says no to the last line."""
        position = len(scripted.evidence.events.all())
        assert scripted.IoGetDmaAdapter(DmaRequestLine=27) is None
        validate = scripted.image.enum("oplog_id")["OPLOG_ValidateRequestLineBinding"]
        asked = [one for one in scripted.evidence.events.since(position) if one.id == validate]
        assert [(one.kind, one.b) for one in asked] == [(Kind.ENTER, 0), (Kind.EXIT, 0)]

    @pytest.mark.dmav3_host
    @pytest.mark.dmav3_rule("IGA-20")
    @pytest.mark.parametrize(
        ("dmav3_host_shim", "served"),
        [
            ({"SupportedPortWidths": 2}, {0}),
            ({"SupportedPortWidths": 4 | 8}, {1, 2}),
            ({"SupportedPortWidths": 16}, {3}),
            ({"SupportedPortWidths": 1 | 8}, {2, 4}),
        ],
        indirect=["dmav3_host_shim"],
        ids=str,
    )
    def test_the_width_must_be_one_of_the_controller_s(
        self, dmav3_host_shim: HostShim, served: set[int]
    ) -> None:
        """WidthNoWrap needs a controller whose width is unlimited."""
        for width in (*range(6), 0xFFFFFFFF):
            got = dmav3_host_shim.IoGetDmaAdapter(DmaWidth=width)
            assert (got is not None) == (width in served)

    @pytest.mark.dmav3_rule("IGA-22", "IGA-23")
    @pytest.mark.parametrize("looped", [0, 1])
    @pytest.mark.parametrize(("address", "offset"), [(0x0B010000, 0), (0x1000, 8), (0, 0x0B010000)])
    def test_the_controller_gets_register_width_and_loop(
        self, scripted: HostShim, address: int, offset: int, looped: int
    ) -> None:
        """The address may come with the mapping, as its device offset."""
        adapter = quiet(
            scripted,
            DeviceAddress=address,
            DmaWidth=DmaWidth.Width16Bits,
            AutoInitialize=looped,
            DmaRequestLine=3,
        )
        buffer = adapter.AllocateCommonBuffer(PAGE)
        mdl = scripted.dma.IoAllocateMdl(buffer.VirtualAddress, PAGE)
        scripted.dma.MmBuildMdlForNonPagedPool(mdl)
        base = granted(scripted, adapter)
        mapped = adapter.MapTransferEx(mdl, base, DeviceOffset=offset, WriteToDevice=True)
        assert mapped == (OK, PAGE)
        (program,) = scripted.programs()
        assert program.device_address == address + offset
        assert (program.width, program.request_line) == (DmaWidth.Width16Bits, 3)
        assert program.loop == bool(looped)

    @pytest.mark.dmav3_rule("IGA-21")
    @pytest.mark.parametrize("address", [0xFFFFFFFC, FOUR_GIB, (1 << 63) + 4], ids=hex)
    def test_a_register_anywhere(self, scripted: HostShim, address: int) -> None:
        """All 64 bits of its address come to the controller; beyond its own it is 0x55."""
        bench = Bench(scripted, quiet(scripted, DeviceAddress=address), described(scripted, 64)[1])
        with scripted.evidence.expect_violations(*[0x55] * (address >= FOUR_GIB)):
            assert bench.map() == (OK, 64)
        (program,) = scripted.programs()
        assert program.device_address == address

    @pytest.mark.dmav3_rule("IGA-21")
    def test_a_register_that_is_left(self, board: Board) -> None:
        """With WidthNoWrap the second byte goes to what is behind it."""
        adapter = quiet(board, DmaWidth=DmaWidth.WidthNoWrap)
        with board.evidence.expect_violations(0x56):
            assert Bench(board, adapter, described(board, 64)[1]).map() == (OK, 64)

    @pytest.mark.parametrize(
        "whole",
        [
            pytest.param(False, marks=pytest.mark.dmav3_rule("IGA-21")),
            pytest.param(True, marks=pytest.mark.dmav3_rule("IGA-22")),
        ],
        ids=["address", "offset"],
    )
    @pytest.mark.parametrize("bits", [8, 16, 32, 64])
    def test_the_register_and_its_width(self, board: Board, bits: int, *, whole: bool) -> None:
        """Each unit of data comes there, as wide as that is, whoever tells the address."""
        memory, data = uncached(board, 256), moved(64)
        board.fill(memory, 0x11)
        board.write(memory, bytes(8), 136)
        buffer, mdl = described(board, 64)
        board.write(buffer, data)
        adapter = quiet(
            board,
            DeviceAddress=0 if whole else memory.address + 136,
            DmaWidth=DmaWidth.of_bits(bits),
            DmaRequestLine=READY_LINE,
        )
        base, done = granted(board, adapter), Completions(board)
        offset = memory.address + 136 if whole else 0
        assert adapter.MapTransferEx(
            mdl, base, 0, offset, WriteToDevice=True, DmaCompletionRoutine=done
        ) == (OK, 64)
        finished(board, done)
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 64, WriteToDevice=True) == OK
        unit = bits // 8
        expected = b"\x11" * 136 + data[-unit:] + bytes(8 - unit) + b"\x11" * 112
        assert board.dram.read(memory.address, 256) == expected

    @pytest.mark.dmav3_rule("IGA-14", "MR-13")
    @pytest.mark.parametrize(("ignored", "kept"), [(0, b"\x11" * 64), (1, bytes(64))])
    def test_a_bounce_page_of_which_little_was_moved(
        self, board: Board, ignored: int, kept: bytes
    ) -> None:
        """What the counter says is delivered, or all of it, if the counter does not count."""
        adapter = quiet(board, IgnoreCount=ignored, write=False)
        buffer, mdl = described(board, 64)
        place_pages(board, mdl, [FOUR_GIB // PAGE])
        board.fill(buffer, 0x11)
        bench = Bench(board, adapter, mdl)
        assert bench.map(write=False) == (OK, 64)
        assert adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(64, write=False) == OK
        assert board.read(buffer) == kept

    @pytest.mark.dmav3_rule("IGA-14", "MR-13")
    @pytest.mark.parametrize(("ignored", "kept"), [(0, b"11111111"), (1, bytes(8))])
    def test_a_counter_that_is_not_trusted(
        self, scripted: HostShim, ignored: int, kept: bytes
    ) -> None:
        """A read that ended early gives what was moved; else all of a page that was zeroed."""
        adapter, done = quiet(scripted, IgnoreCount=ignored), Completions(scripted)
        buffer, mdl = described(scripted, 16, offset=4)
        scripted.fill(buffer, ord("1"))
        base = granted(scripted, adapter)
        scripted.script(bytes_left=8)
        adapter.MapTransferEx(mdl, base, WriteToDevice=False, DmaCompletionRoutine=done)
        ((bounced, _),) = scripted.programs()[0].elements
        scripted.store_as_device(bounced, b"received")
        scripted.end(0, ERROR)
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 16, WriteToDevice=False) == OK
        assert scripted.read(buffer) == b"received" + kept


@pytest.mark.dmav3_rule("IGA-24")
def test_a_device_may_have_several_adapters(shim: Shim, mdl: Mdl) -> None:
    """Of the same physical device object, each of its own, in use at the same time."""
    device = shim.dma.allocate_device()
    members: list[DeviceDescription] = [{"DmaChannel": 0}, {"DmaChannel": 1}, {"Master": 1}]
    adapters = [
        shim.IoGetDmaAdapter(PhysicalDeviceObject=device, **device_of(shim, write=True) | one)
        for one in members
    ]
    assert len({adapter.address for adapter in adapters if adapter}) == 3
    for adapter in adapters:
        assert adapter is not None
        assert Bench(shim, adapter, mdl).map() == (OK, mdl.size)


@pytest.mark.dmav3_rule("IGA-25")
@pytest.mark.parametrize("description", [SYSTEM, MASTER], ids=["system", "master"])
def test_only_a_validation_reaches_the_back_end(shim: Shim, description: DeviceDescription) -> None:
    """No channel is programmed, and for a bus master nobody is asked."""
    with entries(shim) as entered:
        assert shim.IoGetDmaAdapter(**description) is not None
    asked = [] if description.get("Master") else ["ValidateRequestLineBinding"]
    assert entered == ["IoGetDmaAdapter", *asked]
