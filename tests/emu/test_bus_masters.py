# SPDX-License-Identifier: Apache-2.0
"""Bus masters on the PCI bus: QEMU's `edu`, which nobody here wrote, moves packets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dmav3 import Board, Kind, NtStatus, UsageError, build_image, installation
from dmav3.conformance.tests.driver import bus_master, context_for, described, granted, moved
from dmav3.devices.edu import ADDRESS_BITS, PACKET, Edu
from dmav3.dma.results import Element
from dmav3.errors import TransferError
from dmav3.evidence.findings import Place
from dmav3.guest.memory import LINE
from dmav3.job.journal import Journal
from dmav3.job.master import PacketTransfer
from dmav3.job.run import RunOptions, run_main_job
from dmav3.job.subordinate import Piece
from dmav3.machine.schedule import SCHEDULES
from dmav3.wdm import DISPATCH_LEVEL, DMA_SYNCHRONOUS_CALLBACK, IoAllocationAction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3.dma import DmaAdapter
    from dmav3.guest.memory import Buffer
    from dmav3.job.verdict import Report

#: What reaches all of RAM, and what reaches none of it.
WIDE, NARROW = "edu,dma_mask=0xffffffff", "edu"
LOW_RAM = range(0x0F000000, 0x0F100000)
OK = NtStatus.STATUS_SUCCESS


@pytest.fixture
def board(dmav3_board: Board) -> Iterator[Board]:
    """Return a board with the devices of the test's mark, which must leave no finding."""
    yield dmav3_board
    assert dmav3_board.findings() == []


def transfer(
    board: Board, adapter: DmaAdapter, buffer: Buffer, *, write: bool, edu: Edu
) -> list[list[Element]]:
    """Move a whole buffer by pattern A; return the lists."""
    mdl = board.dma.IoAllocateMdl(buffer.address, buffer.size)
    board.dma.MmBuildMdlForNonPagedPool(mdl)

    def move(elements: list[Element], _offset: int) -> None:
        (edu.read if write else edu.write)(elements)

    packets = PacketTransfer(
        board, Journal(board), adapter, Piece(buffer, mdl, 0, buffer.size, write), move=move
    )
    packets.run()
    return packets.packets


def there_and_back(board: Board, adapter: DmaAdapter, size: int = PACKET) -> list[list[Element]]:
    """Move a packet to the device and back by pattern A; return both lists."""
    edu, data = Edu(board), moved(size)
    source = board.memory.allocate(size, region="scatter", align=4096, offset=100)
    destination = board.memory.allocate(size, region="scatter", align=4096, offset=2020)
    board.write(source, data)
    lists = transfer(board, adapter, source, write=True, edu=edu)
    board.fill(destination, 0xA5)
    lists += transfer(board, adapter, destination, write=False, edu=edu)
    assert board.read(destination) == data
    return lists


@pytest.mark.dmav3_devices(WIDE)
class TestPackets:
    """A device that reaches all of RAM."""

    @pytest.mark.parametrize("message", [True, False], ids=["message", "pin"])
    def test_its_interrupt_comes(self, board: Board, *, message: bool) -> None:
        """By a message through GICv2m, or by its pin, once for each packet."""
        edu, staging = Edu(board, message=message), board.memory.staging.start
        for n in range(1, 4):
            edu.read([Element(staging, 16)])
            assert edu.interrupts == n

    def test_a_packet_goes_there_and_back(self, board: Board) -> None:
        """Pattern A: the list names the pages themselves, but for lines that others share."""
        write, read = there_and_back(board, bus_master(board))
        assert write == [Element(0x41000000 + 31 * 0x4000 + 100, PACKET)]
        assert sum(element.Length for element in read) == PACKET
        assert not any(element.Address in LOW_RAM for element in write + read)

    def test_a_driver_that_waits_needs_no_callback(self, board: Board) -> None:
        """Pattern B: synchronous, map, move, flush."""
        adapter, edu = bus_master(board), Edu(board)
        buffer, mdl = described(board, PACKET)
        board.write(buffer, moved(PACKET))
        base, memory = granted(board, adapter), board.request("allocate", 4096).number("address")
        for write in (True, False):
            mapped = adapter.MapTransferEx(
                mdl,
                base,
                WriteToDevice=write,
                ScatterGatherBuffer=memory,
                ScatterGatherBufferLength=4096,
            )
            assert mapped == (OK, PACKET)
            (edu.read if write else edu.write)(board.dma.read_list(memory))
            flushed = adapter.FlushAdapterBuffersEx(mdl, base, 0, PACKET, WriteToDevice=write)
            assert flushed == OK
            assert board.read(buffer) == moved(PACKET)
            board.fill(buffer, 0)
        with board.dma.irql(DISPATCH_LEVEL):
            adapter.FreeAdapterObject(IoAllocationAction.DeallocateObject)

    def test_lists(self, board: Board) -> None:
        """Pattern G: GetScatterGatherListEx maps and makes the list, PutScatterGatherList ends."""
        adapter, edu = bus_master(board), Edu(board)
        buffer, mdl = described(board, PACKET, region="scatter", offset=1000)
        board.write(buffer, moved(PACKET))
        for write in (True, False):
            with board.dma.irql(DISPATCH_LEVEL):
                status, address = adapter.GetScatterGatherListEx(
                    context_for(board, adapter),
                    mdl,
                    Flags=DMA_SYNCHRONOUS_CALLBACK,
                    WriteToDevice=write,
                    ScatterGatherList=True,
                )
                assert status == OK
                adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
                (edu.read if write else edu.write)(board.dma.read_list(address))
                adapter.PutScatterGatherList(address, WriteToDevice=write)
            assert board.read(buffer) == moved(PACKET)
            board.fill(buffer, 0)

    def test_the_log_is_that_of_the_same_run(self, board: Board) -> None:
        """Whenever the run before ended, though the device counts milliseconds of QEMU's clock."""
        logs = []
        for _ in range(3):
            board.reset()
            there_and_back(board, bus_master(board))
            logs.append(board.evidence.events.all())
            board.wait(234_567)
        assert logs[0] == logs[1] == logs[2]
        accesses = [record for record in logs[0] if record.kind == Kind.PCI_ACCESS]
        assert {record.ungated for record in accesses} == {True}
        assert {record.id for record in accesses} == {1 << 3}
        assert sum(record.b for record in accesses) == 2 * PACKET


@pytest.mark.dmav3_devices(WIDE)
def test_a_finding_names_the_device(dmav3_board: Board) -> None:
    """By bus, slot and function, whichever side's access shows it."""
    edu = Edu(dmav3_board)
    buffer = dmav3_board.memory.allocate(PACKET)
    dmav3_board.write(buffer, moved(PACKET))
    with dmav3_board.expect("stale-device-read"):
        edu.read([Element(buffer.address, PACKET)])
    dmav3_board.request("clean_invalidate", buffer.address, PACKET)
    edu.write([Element(buffer.address, PACKET)])
    with dmav3_board.expect("stale-cpu-read"):
        dmav3_board.read(buffer)
    shown = [record for record in dmav3_board.evidence.events.all() if record.kind == Kind.FINDING]
    assert [record.ungated for record in shown] == [True, False]  # by the device, by the CPU
    for finding in dmav3_board.findings():
        assert finding.device is not None
        assert finding.device.name == "pci 00:01.0"
        assert "the device was pci 00:01.0" in finding.text


DOORBELL = """\
#include <dmav3.h>
#include <dmav3_pci.h>

static NTSTATUS Ring(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    volatile ULONG *memory = (volatile ULONG *)(ULONG_PTR)argument[0], *command;
    struct dmav3_pci edu;

    dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x11E8), 0, &edu);
    dmav3_pci_enable(&edu);
    command = (volatile ULONG *)(edu.bar[0] + 0x98);
    WRITE_REGISTER_ULONG((volatile ULONG *)(edu.bar[0] + 0x80), (ULONG)argument[0]);
    WRITE_REGISTER_ULONG((volatile ULONG *)(edu.bar[0] + 0x88), 0x40000);
    WRITE_REGISTER_ULONG((volatile ULONG *)(edu.bar[0] + 0x90), 4);
    *memory = 1;
    if (argument[1]) {
        WRITE_REGISTER_ULONG(command, 1);
    } else {
        *command = 1;
    }
    (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(ring, "memory barrier", Ring);
"""


def test_a_store_without_a_barrier_before_the_doorbell(tmp_path: Path) -> None:
    """A store to a BAR starts the device: what was stored to uncached memory may come too late."""
    source = tmp_path / "doorbell.c"
    source.write_text(DOORBELL)
    with Board(image=build_image(source, output=tmp_path / "app.elf"), devices=[WIDE]) as board:
        memory = board.memory.staging.start
        board.call("ring", memory, 1)
        board.wait(200_000_000)
        assert board.findings() == []
        with board.expect("missing-barrier"):
            board.call("ring", memory, 0)
            board.wait(200_000_000)
        (finding,) = board.findings()
        assert finding.cpu is not None
        assert finding.cpu.function == "Ring"
        assert finding.device is not None
        assert finding.device.name == "pci 00:01.0"


@pytest.mark.dmav3_devices(NARROW)
class TestNarrow:
    """A device of 28 bits, with all of RAM above them."""

    def test_a_packet_goes_through_bounce_pages(self, board: Board) -> None:
        """They are in low RAM, are counted, and given back; wide ones stay for others."""
        adapter = bus_master(board, DmaAddressWidth=ADDRESS_BITS)
        before = board.layer.counters()
        assert before.free_low_map_registers == 64
        lists = there_and_back(board, adapter)
        assert all(element.Address in LOW_RAM for packet in lists for element in packet)
        assert board.layer.counters() == before
        bounced = [r for r in board.evidence.events.all() if r.kind == Kind.RANGE and r.id == 1]
        assert sum(record.c for record in bounced) == 2 * PACKET

    def test_pages_are_counted_while_they_are_in_use(self, board: Board) -> None:
        """Each request of a narrow device takes its own."""
        adapter = bus_master(board, DmaAddressWidth=ADDRESS_BITS)
        granted(board, adapter, registers=5)
        assert board.layer.counters().free_low_map_registers == 59
        assert board.layer.counters().free_map_registers == 64

    def test_with_no_page_free_there_is_a_status(self, board: Board) -> None:
        """AAX-04: STATUS_INSUFFICIENT_RESOURCES now; a request that may wait gets them later."""
        board.layer.limits(map_registers=2, registers_per_request=2)
        first = bus_master(board, DmaAddressWidth=ADDRESS_BITS)
        second = bus_master(board, DmaAddressWidth=ADDRESS_BITS)
        bases: list[int] = []

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            bases.append(base)
            return IoAllocationAction.KeepObject

        granted(board, first)
        assert board.layer.counters().free_low_map_registers == 0
        with board.dma.irql(DISPATCH_LEVEL):
            refused = second.AllocateAdapterChannelEx(
                context_for(board, second), 1, DMA_SYNCHRONOUS_CALLBACK, MapRegisterBase=True
            )
            assert refused.status == NtStatus.STATUS_INSUFFICIENT_RESOURCES
            assert (
                second.AllocateAdapterChannelEx(context_for(board, second), 1, 0, control).status
                == OK
            )
            assert bases == []
            first.FreeAdapterChannel()
            assert len(bases) == 1

    def test_few_pages_split_a_transfer(self, board: Board) -> None:
        """MR-16: two pages at offset 100 take 8092 bytes, so packets are what the device takes."""
        board.layer.limits(map_registers=2, registers_per_request=2)
        adapter, edu = bus_master(board, DmaAddressWidth=ADDRESS_BITS), Edu(board)
        buffer = board.memory.allocate(3 * PACKET, region="scatter", align=4096, offset=100)
        board.write(buffer, moved(3 * PACKET))
        packets = transfer(board, adapter, buffer, write=True, edu=edu)
        assert [sum(e.Length for e in packet) for packet in packets] == [PACKET] * 3
        assert {packet[0].Address for packet in packets} <= {LOW_RAM.start + 100}

    def test_what_was_not_copied_from_a_page_is_found(self, dmav3_board: Board) -> None:
        """The CPU reads the buffer while the device's bytes are in a bounce page only."""
        adapter, edu = bus_master(dmav3_board, DmaAddressWidth=ADDRESS_BITS), Edu(dmav3_board)
        buffer, mdl = described(dmav3_board, 256)
        base = granted(dmav3_board, adapter)
        memory = dmav3_board.request("allocate", 4096).number("address")
        adapter.MapTransferEx(
            mdl,
            base,
            WriteToDevice=False,
            ScatterGatherBuffer=memory,
            ScatterGatherBufferLength=4096,
        )
        edu.write(dmav3_board.dma.read_list(memory))
        with dmav3_board.expect("not-your-buffer", routine="FlushAdapterBuffersEx"):
            dmav3_board.read(buffer)


class TestMainJob:
    """`dmav3 run --device edu`."""

    def report(self, **options: Any) -> Report:
        """Run it with a file of three packets."""
        given = RunOptions("virt-a53", Path(__file__), device="edu", **options)
        return run_main_job(given, lambda _: lambda _: None)

    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_passes_under_every_schedule(self, schedule: str) -> None:
        """The digests are equal, there is no finding, and what does not repeat is said."""
        report = self.report(schedule=schedule, seed=7)
        assert report.verdict == "pass"
        assert "another run has the same records at other times" in report.reason
        assert report.facts.bytes == Path(__file__).stat().st_size
        elements = [step.elements for step in report.facts.steps if step.elements > 1]
        assert elements  # packets lie in several pages

    @pytest.mark.parametrize(
        ("bug", "kind", "routine"),
        [
            ("no-clean", "stale-device-read", "MapTransferEx"),
            ("no-invalidate", "stale-cpu-read", "FlushAdapterBuffersEx"),
        ],
    )
    def test_finds_the_bugs_of_a_layer(self, bug: str, kind: str, routine: str) -> None:
        """With the device as the other side."""
        report = self.report(firmware_bug=bug)
        assert report.verdict == "fail"
        found = {(finding.kind, finding.routine) for finding in report.facts.findings}
        assert (kind, routine) in found
        assert {f.device.name for f in report.facts.findings if f.device} == {"pci 00:01.0"}


class TestBadInput:
    """What cannot be is a status, or an error that says what would work; nothing hangs."""

    def test_no_device_is_there(self, board: Board) -> None:
        """Neither on the bus nor behind its driver."""
        with pytest.raises(TransferError, match="edu_open 0x1 failed with STATUS_NO_SUCH_DEVICE"):
            Edu(board)
        moved = board.call("edu_move", 0x40800000, 16, 0, 0)
        assert moved["status"] == NtStatus.STATUS_INVALID_DEVICE_STATE

    @pytest.mark.dmav3_devices(WIDE)
    @pytest.mark.parametrize(
        ("bytes_", "offset"), [(0, 0), (4097, 0), (4096, 1), (1, 4096), (1, 1 << 63), (1 << 63, 1)]
    )
    def test_nothing_beyond_the_device_s_buffer(
        self, board: Board, bytes_: int, offset: int
    ) -> None:
        """QEMU 10.0.2 would corrupt its heap: the driver does not ask for it."""
        Edu(board)
        moved = board.call("edu_move", 0x40600000, bytes_, offset, 1)
        assert moved["status"] == NtStatus.STATUS_INVALID_PARAMETER

    @pytest.mark.dmav3_devices(NARROW)
    def test_no_memory_satisfies_the_mask(self, board: Board) -> None:
        """BMT-16: 24 bits. The adapter can be had, a common buffer and a mapping cannot."""
        adapter = bus_master(board, DmaAddressWidth=24)
        assert adapter.AllocateCommonBuffer(4096).VirtualAddress == 0
        base, memory = granted(board, adapter), board.request("allocate", 4096).number("address")
        _, mdl = described(board, 256)
        for write in (True, False):
            mapped = adapter.MapTransferEx(
                mdl,
                base,
                WriteToDevice=write,
                ScatterGatherBuffer=memory,
                ScatterGatherBufferLength=4096,
            )
            assert mapped.status == NtStatus.STATUS_INSUFFICIENT_RESOURCES

    def test_a_device_that_qemu_does_not_know(self) -> None:
        """QEMU's own words are in the error."""
        with pytest.raises(UsageError, match="'no-such-device' is not a valid device model"):
            Board(devices=["no-such-device"]).__enter__()

    @pytest.mark.parametrize("text", ["", "Edu", "edu dma_mask=1"])
    def test_what_is_no_device(self, text: str) -> None:
        """The error shows one that is."""
        with pytest.raises(UsageError, match="is no device; such as 'edu'"):
            Board(devices=[text])

    def test_too_many_devices(self) -> None:
        """The bus has so many slots."""
        with pytest.raises(UsageError, match="32 PCI devices are more than the 31 slots"):
            Board(devices=["edu"] * 32)


@pytest.mark.parametrize("count", [200, 1000, pytest.param(5000, marks=pytest.mark.soak)])
def test_of_many_lists_the_first_is_named(count: int) -> None:
    """A missing clean in the first of many live mappings is told with its routine and buffer."""
    image = installation.seeded("no-clean", "virt-a64")
    with Board(image=image, devices=[WIDE], judge=False) as board:
        adapter, edu = bus_master(board), Edu(board)
        buffer = board.memory.allocate(count * LINE)
        lists = []
        board.write(buffer, bytes(buffer.size))
        with board.dma.irql(DISPATCH_LEVEL):
            for at in range(buffer.address, buffer.address + buffer.size, LINE):
                mdl = board.dma.IoAllocateMdl(at, LINE)
                board.dma.MmBuildMdlForNonPagedPool(mdl)
                made = adapter.GetScatterGatherListEx(
                    context_for(board, adapter),
                    mdl,
                    Flags=DMA_SYNCHRONOUS_CALLBACK,
                    WriteToDevice=True,
                    ScatterGatherList=True,
                )
                assert made[0] == OK
                adapter.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
                lists.append(made[1])
        assert board.layer.counters().mappings == count
        edu.read(board.dma.read_list(lists[0]))
        (finding,) = board.findings()
        assert finding.kind == "stale-device-read"
        assert (finding.routine, finding.rule) == ("GetScatterGatherListEx", "CCH-02")
        assert finding.buffer == Place(buffer.name, 0)
