# SPDX-License-Identifier: Apache-2.0
"""Map registers: what one covers, and the handle that names those of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction, NtStatus

from .driver import Bench, bus_master, described, granted, quiet

if TYPE_CHECKING:
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
PAGE = 4096


@pytest.mark.dmav3_rule("MR-01", "MR-02")
@pytest.mark.parametrize(
    ("offset", "length", "registers", "mapped"),
    [
        (0, PAGE, 1, PAGE),
        (0, PAGE + 1, 1, PAGE),
        (1, PAGE, 1, PAGE - 1),
        (PAGE - 1, 2, 1, 1),
        (PAGE - 1, 2, 2, 2),
        (PAGE - 1, PAGE + 2, 2, PAGE + 1),
        (PAGE - 1, PAGE + 2, 3, PAGE + 2),
        (2048, 2 * PAGE, 2, PAGE + 2048),
    ],
)
def test_one_covers_bytes_of_one_page_of_4096(
    shim: Shim, offset: int, length: int, registers: int, mapped: int
) -> None:
    """However few those are: what is left needs another one."""
    shim.memory.allocate(4 * PAGE, region="scatter")  # the next four are in falling order
    buffer, mdl = described(shim, length, offset=offset, region="scatter")
    assert len(buffer.ranges) == -(-(offset + length) // PAGE)
    bench = Bench(shim, bus_master(shim, ScatterGather=0), mdl, registers=registers)
    assert bench.map() == (OK, mapped)
    ((address, size),) = bench.list
    assert (address % PAGE, size) == (offset, mapped)


@pytest.mark.dmav3_rule("MR-06")
@pytest.mark.dmav3_machine("virt-a53")
def test_each_is_the_memory_itself_or_a_page_of_the_layer_s(shim: Shim) -> None:
    """Of a read the whole lines are where the MDL says, its ends elsewhere at the same offset."""
    buffer, mdl = described(shim, 256, offset=4)
    bench = Bench(shim, bus_master(shim), mdl)
    assert bench.map(write=False) == (OK, 256)
    first, middle, last = bench.list
    (page,) = shim.dma.mdl_fields(mdl).pages
    assert middle == (page * PAGE + 64, 192)
    for edge, offset, size in ((first, 4, 60), (last, 256, 4)):
        assert (edge.Address % PAGE, edge.Length) == (offset, size)
        assert edge.Address // PAGE not in {page, buffer.address // PAGE}
    assert bench.flush(256, write=False) == OK


class TestHandle:
    """MapRegisterBase."""

    @pytest.mark.dmav3_rule("MR-03")
    @pytest.mark.parametrize("distance", [-8, -1, 1, 2, 8, 4096])
    def test_what_is_computed_from_it_names_nothing(self, shim: Shim, distance: int) -> None:
        """Violation 0x4D, and nothing is mapped, flushed or freed with it."""
        bench = Bench.of_master(shim)
        near = (bench.base + distance) % (1 << 64)
        with shim.evidence.expect_violations(0x4D):
            assert bench.adapter.MapTransferEx(bench.mdl, near, WriteToDevice=True) == (
                INVALID,
                256,
            )
        assert bench.map() == (OK, 256)
        with shim.evidence.expect_violations(0x4D):
            flushed = bench.adapter.FlushAdapterBuffersEx(
                bench.mdl, near, 0, 256, WriteToDevice=True
            )
        assert flushed == INVALID
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x05):
            bench.adapter.FreeMapRegisters(near, 2)
        assert bench.flush(256) == OK

    @pytest.mark.dmav3_rule("MR-04")
    def test_each_request_has_its_own_also_without_a_register(self, shim: Shim) -> None:
        """It is never NULL here; a driver that gives NULL back is told."""
        master = bus_master(shim)
        adapters = [*(quiet(shim, DmaChannel=n) for n in range(4)), master]
        handles = [granted(shim, one, registers=n % 2) for n, one in enumerate(adapters)]
        master.FreeAdapterObject(IoAllocationAction.DeallocateObjectKeepRegisters)
        handles.append(granted(shim, master))
        assert 0 not in handles
        assert len(set(handles)) == len(handles)
        with shim.dma.irql(DISPATCH_LEVEL), shim.evidence.expect_violations(0x05):
            adapters[0].FreeMapRegisters(0, 0)
