# SPDX-License-Identifier: Apache-2.0
"""Deadlines nest, and the earliest end counts."""

from __future__ import annotations

import pytest

from dmav3.deadlines import DEFAULT_SECONDS, allowance, deadline


def test_without_a_scope_the_default_counts() -> None:
    """Nobody waits for ever."""
    assert allowance() == DEFAULT_SECONDS


def test_inner_scope_cannot_outlast_the_outer() -> None:
    """A callee cannot take more time than its caller has."""
    with deadline(0.0), deadline(100.0):
        assert allowance() == 0.0
    assert allowance() == DEFAULT_SECONDS


def test_negative_deadline_is_a_mistake() -> None:
    """It is refused, not taken for "no limit"."""
    with pytest.raises(ValueError, match="past"), deadline(-1):
        pass
