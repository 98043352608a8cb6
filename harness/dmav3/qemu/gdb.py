# SPDX-License-Identifier: Apache-2.0
"""gdb on a running board, with commands for the layer's objects (`in_gdb.py`)."""

from __future__ import annotations

import shlex
from pathlib import Path

from dmav3 import installation

GDB = "gdb-multiarch"
_HELPER = Path(__file__).with_name("in_gdb.py")


def gdb_words(image: Path, socket: Path) -> list[str]:
    """Return the command that attaches gdb to a board with this image, as words."""
    checkout = installation.Layout.find().checkout
    sources = ["-d", str(checkout)] if checkout else []
    attach = ("-ex", f"target remote {socket}")
    return [GDB, *sources, "-x", str(_HELPER), str(image), *attach]


def gdb_command(image: Path, socket: Path) -> str:
    """Return the command that attaches gdb, for a shell."""
    return shlex.join(gdb_words(image, socket))
