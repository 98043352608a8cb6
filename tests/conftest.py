# SPDX-License-Identifier: Apache-2.0
"""A board for a test: the plugin's, under a shorter name. Nothing fails for being slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from dmav3 import Board

pytest_plugins = [
    "pytester",
    "pair",  # tests/differential
]

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def leave(request: pytest.FixtureRequest) -> None:
    """Let a test leave anything behind, unless it says itself what it leaves."""
    request.node.add_marker(pytest.mark.dmav3_leaves(anything=True))


@pytest.fixture
def board(dmav3_board: Board) -> Board:
    """Return a board as the test's marks say: virt-a53, speculative, seed 1 without any."""
    return dmav3_board
