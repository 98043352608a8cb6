# SPDX-License-Identifier: Apache-2.0
"""What a test sees of the layer and sets: counters, channels, limits, plain mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dmav3.conformance.tests.driver import (
    Flight,
    adapter_for,
    context_for,
    described,
    finished,
    granted,
)
from dmav3.errors import RefusedError
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction, NtStatus

if TYPE_CHECKING:
    from dmav3 import Board


def test_counters_tell_what_a_transfer_holds(board: Board) -> None:
    """An adapter, a request with its registers, a mapping; and nothing when all is over."""
    before = board.layer.counters()
    flight = Flight.start(board, 64, write=False)
    assert board.layer.counters() == before._replace(
        free_map_registers=before.free_map_registers - 8, adapters=1, requests=1, mappings=1
    )
    board.stream.receive_put(bytes(64))
    finished(board, flight.done)
    flight.end()
    assert board.layer.counters() == before


def test_a_channel_has_an_owner_and_a_queue(board: Board) -> None:
    """By number and by adapter; other channels are free."""
    adapter = adapter_for(board, write=True, channel=3)
    base = granted(board, adapter)
    context = context_for(board, adapter)
    with board.dma.irql(DISPATCH_LEVEL):
        adapter.AllocateAdapterChannelEx(context, 1, 0, lambda *_: IoAllocationAction.KeepObject)
    assert (
        board.layer.channel_state(3)
        == board.layer.channel_state(adapter)
        == (adapter.address, base, 1)
    )
    assert board.layer.channel_state(2) == (0, 0, 0)
    with pytest.raises(RefusedError, match="no channel of that number"):
        board.layer.channel_state(8)


def test_limits_are_for_what_is_made_from_now_on(board: Board) -> None:
    """CT-1: the pool, the most a request may have, and back again."""
    board.layer.limits(map_registers=5, registers_per_request=3)
    assert board.layer.counters().free_map_registers == 5
    assert adapter_for(board, write=True).NumberOfMapRegisters == 3
    board.layer.limits()
    assert board.layer.counters().free_map_registers == 64
    assert adapter_for(board, write=True).NumberOfMapRegisters == 64


def test_a_mapping_without_a_list_has_as_many_elements_as_the_limit_says(board: Board) -> None:
    """CT-4: each of them is a run of scattered pages."""
    board.layer.limits(list_elements=2)
    adapter = adapter_for(board, write=True)
    buffer, mdl = described(board, 64 * 1024, region="scatter")
    mapped = adapter.MapTransferEx(mdl, granted(board, adapter), WriteToDevice=True)
    assert mapped == (NtStatus.STATUS_SUCCESS, sum(length for _, length in buffer.ranges[:2]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"map_registers": 1},
        {"map_registers": 65},
        {"registers_per_request": 1},
        {"registers_per_request": 65},
        {"list_elements": 0},
        {"list_elements": 65},
    ],
    ids=str,
)
def test_limits_that_cannot_be_are_refused(board: Board, wrong: dict[str, Any]) -> None:
    """ARGUMENT, and nothing is changed."""
    with pytest.raises(RefusedError, match="ARGUMENT out of range"):
        board.layer.limits(**wrong)
    assert adapter_for(board, write=True).NumberOfMapRegisters == 64


def test_the_pool_keeps_its_size_while_registers_are_in_use(board: Board) -> None:
    """ARGUMENT, which says so."""
    granted(board, adapter_for(board, write=True))
    with pytest.raises(RefusedError, match="in use"):
        board.layer.limits(map_registers=32)


def test_plain_mode_records_nothing_and_refuses_the_same(board: Board) -> None:
    """CT-5: the routine behaves the same, and its reason has the code."""
    board.layer.limits(checked=False)
    assert board.IoGetDmaAdapter(Version=4) is None
    assert board.violations() == []
    reasons = board.evidence.calls()[-1].reasons
    assert reasons[0] == "a mistake, which checked mode reports as violation 0x25"
    board.layer.limits()
    with board.evidence.expect_violations(0x25):
        assert board.IoGetDmaAdapter(Version=4) is None
