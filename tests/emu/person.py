# SPDX-License-Identifier: Apache-2.0
"""Somebody at a terminal: commands with folders of their own, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
#: What the line editor sends to the terminal besides text.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\x07\x08]")


class Person:
    """Runs commands with a private folder, a home and a history of their own.

    :ivar runtime: parent of the private folder; short, because sockets lie in it.
    """

    def __init__(self, runtime: Path, home: Path) -> None:
        """Use two folders that exist."""
        self.runtime, self.home = runtime, home
        (home / ".inputrc").write_text("set enable-bracketed-paste off\n")
        self.environment = os.environ | {
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_STATE_HOME": str(home / "state"),
            "HOME": str(home),
            "TERM": "vt100",
        }
        self._children: list[pexpect.spawn[str]] = []

    def terminal(self, program: str, *arguments: str, columns: int = 80) -> pexpect.spawn[str]:
        """Start a program on a terminal."""
        child: pexpect.spawn[str] = pexpect.spawn(
            program,
            list(arguments),
            env=self.environment,
            encoding="utf-8",
            timeout=SECONDS,
            dimensions=(24, columns),
        )
        child.delaybeforesend = None
        self._children.append(child)
        return child

    def dmav3(self, *arguments: str, columns: int = 80) -> pexpect.spawn[str]:
        """Start `dmav3` on a terminal."""
        return self.terminal(sys.executable, "-m", "dmav3", *arguments, columns=columns)

    def console(self, *arguments: str, columns: int = 80) -> pexpect.spawn[str]:
        """Start a console and wait for its prompt."""
        child = self.dmav3("console", *arguments, columns=columns)
        child.expect_exact("Ctrl-D ends")
        child.expect("\n> ")
        return child

    def piped(self, *arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
        """Run `dmav3` to its end with `lines` on a pipe."""
        return subprocess.run(
            [sys.executable, "-m", "dmav3", *arguments],
            env=self.environment,
            input=lines,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def boards(self) -> list[dict[str, Any]]:
        """Return what `dmav3 boards --json` says."""
        found: list[dict[str, Any]] = json.loads(self.piped("boards", "--json").stdout)
        return found

    def leave(self) -> None:
        """Close every terminal that is still open."""
        for child in self._children:
            child.close(force=True)

    def processes(self) -> list[str]:
        """Return the command lines of the processes that live with our folders."""
        mark = f"XDG_RUNTIME_DIR={self.runtime}".encode()
        return [" ".join(command) for environment, command in _processes() if mark in environment]


def ask(child: pexpect.spawn[str], line: str, prompt: str = "\n> ") -> str:
    """Type a line; return what was shown before the next prompt, without the echo."""
    child.sendline(line)
    child.expect(prompt)
    shown = _ESCAPES.sub("", child.before or "").replace("\r", "")
    return shown.partition("\n")[2].strip()


def value(answer: str, key: str) -> str:
    """Return the value of `key=` in an answer."""
    found = re.search(rf"\b{key}=(\S+)", answer)
    assert found, answer
    return found[1]


def adapter_of(console: pexpect.spawn[str]) -> str:
    """Describe a device by hand; return the address of its adapter."""
    description = int(value(ask(console, "allocate 128"), "address"), 0)
    words = "3 0x100 0 0 0 17 2 0 65536 0 32 0 1 0 0x0b010000"
    assert ask(console, f"poke {description:#x} 32 {words}") == "ok"
    got = ask(console, f"IoGetDmaAdapter 0 {description:#x} {description + 64:#x}")
    return value(got, "value")


def status(child: pexpect.spawn[str]) -> int | None:
    """Wait for the end of a program; return its exit status, or minus the signal's number."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus if child.signalstatus is None else -child.signalstatus


def _processes() -> Iterator[tuple[list[bytes], list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended, or is somebody else's
        yield environment, command
