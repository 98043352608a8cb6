# SPDX-License-Identifier: Apache-2.0
"""`dmav3 gdb`: gdb on a running board, with commands for the layer's objects (`in_gdb.py`)."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from dmav3 import installation
from dmav3.errors import InfrastructureError
from dmav3.qemu.running import find

if TYPE_CHECKING:
    from collections.abc import Sequence

_GDB = "gdb-multiarch"
_HELPER = Path(__file__).with_name("in_gdb.py")


def gdb_command(image: Path, socket: Path) -> str:
    """Return the command that attaches gdb, for a shell."""
    return shlex.join(_words(image, socket))


def run_gdb(board: str | None, commands: Sequence[str]) -> None:
    """Become gdb, attached to a running board.

    :param board: its name; None: the only one.
    :param commands: of gdb, after which it ends; empty: it talks to the terminal.
    :raises UsageError: there is no such board, or no only one.
    :raises InfrastructureError: there is no gdb.
    """
    card = find(board)
    program = which(_GDB)
    if program is None:
        msg = f"{_GDB} is not here: apt-get install {_GDB}"
        raise InfrastructureError(msg)
    words = _words(Path(card.image), Path(card.gdb))
    batch = [word for one in commands for word in ("-ex", one)]
    os.execv(program, [*words, "-batch" if batch else "-q", *batch])  # noqa: S606 - no shell


def _words(image: Path, socket: Path) -> list[str]:
    checkout = installation.Layout.find().checkout
    sources = ["-d", str(checkout)] if checkout else []
    attach = ("-ex", f"target remote {socket}")
    return [_GDB, *sources, "-x", str(_HELPER), str(image), *attach]
