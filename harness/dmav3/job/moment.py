# SPDX-License-Identifier: Apache-2.0
"""Words for moments of a run, such as "finding:2"."""

from __future__ import annotations

_MOST_DIGITS = 18  # what is longer is no number of 64 bits, or counts what no run has


def number(text: str) -> int:
    """Return a number from 1 on; 0: the text is none."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
