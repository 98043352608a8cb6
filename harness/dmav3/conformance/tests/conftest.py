# SPDX-License-Identifier: Apache-2.0
"""What the tests of the rules are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim


@pytest.fixture(autouse=True)
def leave(request: pytest.FixtureRequest) -> None:
    """Let a test end when its rule is decided, whatever lives then."""
    request.node.add_marker(pytest.mark.dmav3_leaves(anything=True))


@pytest.fixture
def board(dmav3_board: Board) -> Board:
    """Return a board with the PL330, for rules about real DMA."""
    return dmav3_board


SCRIPTED = pytest.param("dmav3_host_shim", id="scripted", marks=pytest.mark.dmav3_host)


@pytest.fixture(params=[SCRIPTED])
def scripted(request: pytest.FixtureRequest) -> HostShim:
    """Return the layer with a back end that does what the test says."""
    found: HostShim = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=[pytest.param("dmav3_board", id="pl330"), SCRIPTED])
def shim(request: pytest.FixtureRequest) -> Shim:
    """Return the layer on one back end after the other, for rules that need no data to move."""
    found: Shim = request.getfixturevalue(request.param)
    return found
