# SPDX-License-Identifier: Apache-2.0
"""What `dmav3 run` says about cache lines, call by call, against the rules of chapter CCH."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, build_image
from dmav3.devices.stream import Control
from dmav3.job.journal import Journal
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.job.subordinate import Piece, Transfer
from dmav3.wdm import DmaWidth

if TYPE_CHECKING:
    from pathlib import Path

    from dmav3 import Buffer
    from dmav3.job.journal import Step

LINE = 64
MAINTAIN = {"MapTransferEx", "FlushAdapterBuffersEx"}


def touched(buffer: Buffer, offset: int, length: int) -> int:
    """Return how many lines a range touches; buffers here start at a page."""
    first, last = buffer.address + offset, buffer.address + offset + length - 1
    return last // LINE - first // LINE + 1


def inside(buffer: Buffer, offset: int, length: int) -> int:
    """Return how many lines lie wholly inside a range."""
    start, end = buffer.address + offset, buffer.address + offset + length
    return max(0, end // LINE - -(-start // LINE))


def transfer(board: Board, buffer: Buffer, offset: int, length: int, *, write: bool) -> list[Step]:
    """Move one piece through a 32-bit adapter; return the calls."""
    journal, stream = Journal(board), board.machine.stream
    mdl = board.dma.IoAllocateMdl(buffer.address, buffer.size)
    board.dma.MmBuildMdlForNonPagedPool(mdl)
    adapter = journal.call(
        None,
        board.IoGetDmaAdapter,
        DmaWidth=DmaWidth.Width32Bits,
        DmaRequestLine=stream.transmit if write else stream.receive,
        DeviceAddress=stream.base,
    )
    assert adapter is not None
    request = Control.TRANSMIT_REQUEST if write else Control.RECEIVE_REQUEST
    if not write:
        board.stream.receive_put(bytes(range(256)) * (length // 256 + 1))
    Transfer(
        board,
        journal,
        adapter,
        Piece(buffer, mdl, offset, length, write),
        arm=lambda: board.request("poke", stream.base + 8, "32", request | Control.frame(4)),
        advance=lambda _: None,
    ).run()
    journal.call(None, adapter.PutDmaAdapter)
    names = {value: name for name, value in board.image.enum("oplog_id").items()}
    return journal.steps(
        {value: name.removeprefix("OPLOG_") for value, name in names.items()}, complete=True
    )


def total(steps: list[Step], routine: str, field: str) -> int:
    """Return the sum of a counter over all calls of a routine."""
    return sum(getattr(step, field) for step in steps if step.routine == routine)


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 4096), (0, 10_000), (4, 8000), (60, 8), (20, 40)]
)
@pytest.mark.dmav3_cache(schedule="lru")  # no line is written back by itself
def test_a_write_cleans_the_range_rounded_out(board: Board, offset: int, length: int) -> None:
    """CCH-02, CCH-13: MapTransferEx cleans each line of the range, nothing else does anything."""
    buffer = board.memory.allocate(12_288, region="scatter", align=4096)
    board.fill(buffer, 1)
    steps = transfer(board, buffer, offset, length, write=True)
    assert total(steps, "MapTransferEx", "lines_cleaned") == touched(buffer, offset, length)
    assert total(steps, "MapTransferEx", "lines_written_back") == touched(buffer, offset, length)
    assert total(steps, "MapTransferEx", "lines_invalidated") == 0
    for step in steps:
        others = (step.lines_invalidated, step.lines_other)
        assert others == (0, 0)
        assert step.routine == "MapTransferEx" or step.lines_cleaned == 0
    assert board.findings() == []


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 4096), (0, 10_000), (4, 8000), (60, 8), (20, 40)]
)
def test_a_read_treats_whole_lines_and_bounces_edges(
    board: Board, offset: int, length: int
) -> None:
    """CCH-03, CCH-04, CCH-12, CCH-15: whole lines twice, partial ones through a bounce page."""
    buffer = board.memory.allocate(12_288, region="scatter", align=4096)
    board.fill(buffer, 1)
    steps = transfer(board, buffer, offset, length, write=False)
    whole, edges = inside(buffer, offset, length), touched(buffer, offset, length)
    edges -= whole
    assert total(steps, "MapTransferEx", "lines_cleaned") == whole
    assert total(steps, "MapTransferEx", "lines_invalidated") == whole
    assert total(steps, "MapTransferEx", "lines_other") == edges
    assert total(steps, "FlushAdapterBuffersEx", "lines_invalidated") == whole
    assert total(steps, "FlushAdapterBuffersEx", "lines_cleaned") == 0
    assert total(steps, "FlushAdapterBuffersEx", "lines_other") == edges
    for step in steps:
        if step.routine not in MAINTAIN:
            assert (step.lines_cleaned, step.lines_invalidated, step.lines_other) == (0, 0, 0)
    expected = (bytes(range(256)) * (length // 256 + 1))[:length]
    assert board.read(buffer, length, offset) == expected
    assert board.read(buffer, offset) == b"\1" * offset
    assert board.findings() == []


@pytest.mark.dmav3_cache(schedule="lru")  # no line is written back by itself
def test_states_after_each_call(board: Board) -> None:
    """Dirty until the map of a write; stale from a device's write to the flush of a read.

    When MapTransferEx has returned, the device has begun, and goes on.
    """
    buffer = board.memory.allocate(4096, region="scatter", align=4096)
    board.fill(buffer, 1)
    steps = transfer(board, buffer, 0, 4096, write=True)
    by_routine = {step.routine: step for step in steps}
    assert by_routine["GetDmaTransferInfo"].lines_dirty == 64
    assert by_routine["MapTransferEx"].lines_dirty == 0
    steps = transfer(board, buffer, 0, 4096, write=False)
    by_routine = {step.routine: step for step in steps}
    assert 0 < by_routine["MapTransferEx"].lines_stale < 64
    assert by_routine["FlushAdapterBuffersEx"].lines_stale == 0


@pytest.mark.dmav3_machine("virt-a53-coherent")
@pytest.mark.dmav3_rule("CCH-06")
def test_a_coherent_machine_maintains_nothing(board: Board) -> None:
    """Every line counter is zero and the digests are equal."""
    data = bytes(range(251)) * 300
    job = MainJob(StreamPeripheral(board, 32))
    outcome = job.run(io.BytesIO(data))
    assert len({digest.hexdigest() for digest in outcome.digests.values()}) == 1
    for step in job.steps():
        counters = [value for name, value in vars(step).items() if name.startswith("lines_")]
        assert counters == [0] * len(counters)


def test_a_buffer_of_many_pages_goes_in_several_parts(board: Board) -> None:
    """Pattern E: what one list cannot hold is mapped in parts that add up."""
    data = bytes(range(256)) * 4096
    job = MainJob(StreamPeripheral(board, 32))
    job.run(io.BytesIO(data))
    maps = [step for step in job.steps() if step.routine == "MapTransferEx"]
    assert len(maps) > 2
    assert max(step.elements for step in maps) > 8
    assert sum(step.bytes for step in maps) == 2 * len(data)


def redundant(board: Board) -> dict[str, int]:
    """Return, by function, how many lines were maintained for nothing."""
    return {cost["function"]: cost["lines"] for cost in board.evidence.costs()}


@pytest.mark.dmav3_cache(schedule="lru")
@pytest.mark.dmav3_rule("CCH-10")
@pytest.mark.parametrize("flushed", [0, 1, 40, 64])
def test_what_a_driver_flushes_by_hand_is_a_cost(board: Board, flushed: int) -> None:
    """The routine cleans every line all the same: for those cleaned before it is in vain."""
    buffer = board.memory.allocate(4096, region="scatter", align=4096)
    board.fill(buffer, 1)
    if flushed:
        board.request("clean", buffer.address, flushed * LINE)
    transfer(board, buffer, 0, 4096, write=True)
    assert redundant(board) == ({"MapTransferEx": flushed} if flushed else {})
    board.request("clean", buffer.address, 4096)
    assert redundant(board)["cache_clean"] == 64


def test_the_probe_memory_never_grows(board: Board) -> None:
    """It has the size that probe.h says, also when more happened than it can hold."""
    size = os.fstat(board.qemu.process.probe).st_size
    lines = board.evidence.probe.ram_size // board.evidence.probe.line_size
    assert size == (1 << 20) + lines + 65_536 * 64
    board.qmp.set("trace-instructions", 1_000_000)
    MainJob(StreamPeripheral(board, 8)).run(io.BytesIO(bytes(40_000)))
    assert board.evidence.events.lost > 0
    assert os.fstat(board.qemu.process.probe).st_size == size


MANY = """
#include <dmav3.h>

static UCHAR Line[64] __attribute__((aligned(64)));

static NTSTATUS Many(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    __asm__ volatile(".rept 1200\\n dc cvac, %0\\n .endr\\n dsb sy" : : "r"(Line) : "memory");
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(many, "", Many);
"""


def test_costs_of_more_instructions_than_there_is_room_for(tmp_path: Path) -> None:
    """None is lost: those that find no room are one entry, until the reset."""
    source = tmp_path / "many.c"
    source.write_text(MANY)
    with Board(image=build_image(source, output=tmp_path / "many.elf")) as board:
        for _ in range(2):
            board.reset()
            board.call("many")
            board.call("many")
            costs = {cost["function"]: cost["operations"] for cost in board.evidence.costs()}
            assert sum(costs.values()) == 2400
            assert 300 < costs["(instructions that found no room)"] < 400
