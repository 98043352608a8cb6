# SPDX-License-Identifier: Apache-2.0
"""A board for a test: fresh, on the default machine unless the test asks for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3 import Board

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def board() -> Iterator[Board]:
    """Return a running board: virt-a53, speculative, seed 1."""
    with Board() as running:
        yield running
