# SPDX-License-Identifier: Apache-2.0
"""What the PL330's code may include is less than what the rules of folders allow."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
BACK_END = sorted((FIRMWARE / "pl330").glob("*.[ch]"))
PUBLIC = r"<(dma_backend|wdm_dma|std[a-z]+)\.h>"
PRIVATE = r'"(pl330/[a-z0-9]+|hal/(mmio|cache|string))\.h"'
BELOW = re.compile(f"#include ({PUBLIC}|{PRIVATE})")


@pytest.mark.parametrize("file", BACK_END, ids=lambda file: file.name)
def test_the_back_end_knows_no_driver_side(file: Path) -> None:
    """HBE-18: the PL330 code includes its own headers, the back-end contract and hal, no more."""
    for line in file.read_text().splitlines():
        assert not line.startswith("#include") or BELOW.match(line), line
