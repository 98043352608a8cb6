# SPDX-License-Identifier: Apache-2.0
"""The ways of using a board, as commands, each in a place of its own where nothing may be left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from dmav3.installation import Layout

#: Seconds: for one command, and for the end of what a dead one has started.
COMMAND, END = 300.0, 60.0
#: Somebody's own program.
PROGRAM = """
import sys
from dmav3 import Board
from dmav3.errors import Dmav3Error

try:
    with Board() as board:
        buffer = board.memory.allocate(64)
        for byte in range(20):
            board.fill(buffer, byte)
        assert board.read(buffer) == bytes([19]) * 64
except Dmav3Error as error:
    print(type(error).__name__)
    sys.exit(error.exit_status)
"""
TESTS = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_moves(dmav3_board, n):
    buffer = dmav3_board.memory.allocate(64)
    for byte in range(8):
        dmav3_board.fill(buffer, byte)
    assert dmav3_board.read(buffer) == bytes([7]) * 64

def test_without_a_board():
    pass
"""
#: What a person says to the console.
LINES = "ping\nhelp\nallocate 64\n" + "ping\n" * 20
WAYS = ["Board", "run", "console", "conformance", "pytest"]


class Place:
    """Where one command runs.

    :ivar data: some file.
    :ivar qemu: program that breaks off.
    :ivar environment: of the command, and of all that it starts.
    """

    def __init__(self, folder: Path, fault: str = "none", at: int = 0) -> None:
        """Make a folder, in which QEMU breaks off at that request.

        :param fault: how, as `preloaded_faults.c` has it.
        :param at: counted from 1 for each QEMU; 0: it does not.
        """
        folder.mkdir(parents=True)
        self._folder, self._log = folder, folder / "log"
        self._tmp = Path(tempfile.mkdtemp(prefix="dmav3-"))  # a socket's path must be short
        self._log.touch()
        self.data = folder / "data"
        self.data.write_bytes(bytes(range(256)) * 64)
        (folder / "test_moves.py").write_text(TESTS)
        preloaded = Layout.find().built / "tests" / "preloaded_faults.so"
        given = f"DMAV3_FAULT={fault} DMAV3_FAULT_AT={at} DMAV3_FAULT_LOG={self._log}"
        self.qemu = folder / "qemu"
        script = f'#!/bin/sh\n{given} LD_PRELOAD={preloaded} exec qemu-system-aarch64 "$@"\n'
        # Written by another process: what another thread starts just then would hold the file open,
        # and a file that is open for writing cannot be executed.
        write = ["sh", "-c", 'printf %s "$1" >"$2" && chmod 755 "$2"', "sh", script, str(self.qemu)]
        subprocess.run(write, check=True)
        self._mark = f"DMAV3_FAULT_LOG={self._log}"
        self.environment = os.environ | {
            "DMAV3_QEMU": str(self.qemu),
            "DMAV3_FAULT_LOG": str(self._log),
            "TMPDIR": str(self._tmp),
        }
        self.environment.pop("XDG_RUNTIME_DIR", None)

    @property
    def touched(self) -> bool:
        """True if a QEMU has broken off."""
        return self._log.stat().st_size > 0

    def words(self, way: str) -> list[str]:
        """Return the command by which a board is used that way."""
        command, folder = [sys.executable, "-m"], self._folder
        tests = folder / "test_moves.py"
        return {
            "Board": [sys.executable, "-c", PROGRAM],
            "run": [*command, "dmav3", "run", "--input", str(self.data), "--json"],
            "console": [*command, "dmav3", "console"],
            "conformance": [*command, "dmav3", "conformance", "--rule", "AAX-17", "--json"],
            "pytest": [
                *(*command, "pytest", "-q", "-p", "no:cacheprovider", str(tests)),
                *(f"--rootdir={folder}", f"--basetemp={folder / 'base'}"),
            ],
        }[way]

    def run(self, way: str) -> subprocess.CompletedProcess[str]:
        """Use a board that way, to the end, which comes in time."""
        return subprocess.run(
            self.words(way),
            env=self.environment,
            input=LINES,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND,
        )

    def left(self) -> list[str]:
        """Return what is left of what has ended, when it had time to end, and another has begun.

        Pytest keeps the folders of its last three runs. What was temporary is removed then.
        """
        end = time.monotonic() + END
        while (left := self._processes()) and time.monotonic() < end:
            threading.Event().wait(0.02)
        if any(self._files()):
            next_one = [sys.executable, "-m", "dmav3", "boards"]
            subprocess.run(next_one, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        left += self._files()
        shutil.rmtree(self._tmp)
        return left

    def _processes(self) -> list[str]:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
        return found

    def _files(self) -> list[str]:
        return [str(path) for path in self._tmp.iterdir() if "pytest-of-" not in path.name]
