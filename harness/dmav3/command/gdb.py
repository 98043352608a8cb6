# SPDX-License-Identifier: Apache-2.0
"""`dmav3 gdb`: becomes gdb, attached to a running board."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from dmav3.errors import InfrastructureError
from dmav3.qemu.gdb import GDB, gdb_words
from dmav3.qemu.running import find

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_gdb(board: str | None, commands: Sequence[str]) -> None:
    """Become gdb, attached to a running board.

    :param board: its name; None: the only one.
    :param commands: of gdb, after which it ends; empty: it talks to the terminal.
    :raises UsageError: there is no such board, or no only one.
    :raises InfrastructureError: there is no gdb.
    """
    card = find(board)
    program = which(GDB)
    if program is None:
        msg = f"{GDB} is not here: apt-get install {GDB}"
        raise InfrastructureError(msg)
    words = gdb_words(Path(card.image), Path(card.gdb))
    batch = [word for one in commands for word in ("-ex", one)]
    os.execv(program, [*words, "-batch" if batch else "-q", *batch])  # noqa: S606 - no shell
