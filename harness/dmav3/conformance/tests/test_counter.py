# SPDX-License-Identifier: Apache-2.0
"""ReadDmaCounter while a transfer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .driver import described, moved
from .owner import OK, Owner, is_clean, stream_port

if TYPE_CHECKING:
    from dmav3 import Board

SIZE = 256


@pytest.mark.dmav3_rule("RDC-06", "RDC-10", "RDC-11")
@pytest.mark.parametrize("beats", [1, 4])
def test_it_follows_the_transfer(board: Board, beats: int) -> None:
    """Exactly, never upwards; however often it is read, data and end are as without."""
    owner = Owner(board, stream_port(board, 32, write=False, beats=beats))
    assert owner.adapter.GetDmaAdapterInfo().ReadDmaCounterAvailable == 1
    assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
    buffer, mdl = described(board, SIZE, region="scatter")
    assert owner.map(mdl, write=False) == SIZE
    step = 4 * beats
    seen = [owner.left]
    for at in range(0, SIZE, step):
        board.stream.receive_put(moved(SIZE)[at : at + step])
        seen += [owner.left for _ in range(3)]
        board.wait(10_000)
        seen += [owner.left for _ in range(3)]
        assert seen[-3:] == [SIZE - at - step] * 3
    assert seen == sorted(seen, reverse=True)
    owner.finish()
    assert board.read(buffer) == moved(SIZE)
    owner.release()
    assert is_clean(board)
