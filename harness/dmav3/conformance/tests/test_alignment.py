# SPDX-License-Identifier: Apache-2.0
"""GetDmaAlignment, and buffers that follow it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.wdm import DmaWidth, NtStatus

from .driver import Bench, bus_master, described, moved, quiet, read_beside_the_cpu

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS


@pytest.mark.dmav3_host
@pytest.mark.dmav3_rule("GDA-02")
@pytest.mark.parametrize(
    ("dmav3_host_shim", "master", "width", "alignment"),
    [
        ({"coherent": True}, 1, 2, 1),
        ({"coherent": True}, 1, 0, 1),
        ({"CacheCoherent": 1}, 0, 0, 1),
        ({"CacheCoherent": 1}, 0, 1, 2),
        ({"CacheCoherent": 1}, 0, 2, 4),
        ({"CacheCoherent": 1, "MinimumTransferUnit": 16}, 0, 2, 16),
        ({}, 0, 0, 64),
        ({}, 1, 2, 64),
    ],
    indirect=["dmav3_host_shim"],
    ids=str,
)
def test_it_is_a_power_of_two(
    dmav3_host_shim: HostShim, master: int, width: int, alignment: int
) -> None:
    """So that one less is a mask; 1 where nothing is needed."""
    adapter = quiet(dmav3_host_shim, Master=master, DmaWidth=DmaWidth(width))
    assert adapter.GetDmaAlignment() == alignment
    assert alignment & (alignment - 1) == 0


@pytest.mark.dmav3_rule("GDA-05")
@pytest.mark.parametrize("needed", [1, 256, 1024])
@pytest.mark.parametrize("write", [False, True])
def test_a_driver_may_raise_it(shim: Shim, needed: int, *, write: bool) -> None:
    """What the buffer is aligned to, its device sees: of more than the value nobody else knows."""
    adapter = bus_master(shim)
    value = adapter.GetDmaAlignment()
    for alignment in (max(value, needed), value):
        bench = Bench(shim, adapter, described(shim, 2 * alignment, offset=alignment)[1])
        assert bench.map(write=write) == (OK, 2 * alignment)
        ((address, _),) = bench.list
        assert (address % max(value, needed) == 0) == (alignment >= needed)
        assert bench.flush(2 * alignment, write=write) == OK
        adapter.FreeAdapterObject(2)


@pytest.mark.dmav3_rule("GDA-06")
@pytest.mark.parametrize("offset", [1, 4, 60, 63])
@pytest.mark.parametrize("size", [1, 64, 203])
def test_it_is_advice(board: Board, offset: int, size: int) -> None:
    """A buffer that ignores it gets its data, and its neighbours keep theirs."""
    seen, expected = read_beside_the_cpu(board, moved(size), offset, 8)
    assert seen == expected
    assert board.findings() == []
