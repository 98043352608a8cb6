# SPDX-License-Identifier: Apache-2.0
"""Includes of the firmware point one way: main, rpc, pci, dma, hal, boot; headers go down only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
#: From top to bottom. A file may include what stands in its own layer or below.
LAYERS = ["rpc", "pci", "dma", "hal", "boot"]
FILES = sorted(path for layer in LAYERS for path in (FIRMWARE / layer).glob("*.[chS]"))
BACK_END = sorted((FIRMWARE / "dma").glob("pl330*"))
BELOW = re.compile(r'#include (<[a-z_]+\.h>|"dma/(pl330|dma_backend)|"hal/(mmio|cache|string))')
INCLUDE = re.compile(r'^#include "([a-z0-9]+)/', re.MULTILINE)


def depth(folder: str) -> int:
    """Return the position of a layer, 0 at the top."""
    return LAYERS.index(folder)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_includes_point_down(file: Path) -> None:
    """No file includes a header of a layer above its own."""
    for folder in INCLUDE.findall(file.read_text()):
        assert depth(folder) >= depth(file.parent.name), folder


@pytest.mark.parametrize("file", BACK_END, ids=lambda file: file.name)
def test_the_back_end_knows_no_driver_side(file: Path) -> None:
    """HBE-18: the PL330 code includes its own headers, the back-end contract and hal, no more."""
    for line in file.read_text().splitlines():
        assert not line.startswith("#include") or BELOW.match(line), line
