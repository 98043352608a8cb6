# SPDX-License-Identifier: Apache-2.0
"""What the tests of the rules are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.shim import Shim


@pytest.fixture
def board(dmav3_board: Board) -> Board:
    """Return a board with the PL330, for rules about real DMA."""
    return dmav3_board


@pytest.fixture
def scripted(dmav3_host_shim: HostShim) -> HostShim:
    """Return the layer with a back end that does what the test says; mark it dmav3_host."""
    return dmav3_host_shim


@pytest.fixture(params=["pl330", pytest.param("scripted", marks=pytest.mark.dmav3_host)])
def shim(request: pytest.FixtureRequest) -> Shim:
    """Return the layer on one back end after the other, for rules that need no data to move."""
    fixtures = {"pl330": "dmav3_board", "scripted": "dmav3_host_shim"}
    found: Shim = request.getfixturevalue(fixtures[request.param])
    return found
