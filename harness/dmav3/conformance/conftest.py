# SPDX-License-Identifier: Apache-2.0
"""What the tests of the rules are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dmav3 import Board


@pytest.fixture
def board(dmav3_board: Board) -> Board:
    """Return a board with the PL330, for rules about real DMA."""
    return dmav3_board


@pytest.fixture
def shim(dmav3_board: Board) -> Board:
    """Return the shim, on one back end after the other."""
    return dmav3_board
