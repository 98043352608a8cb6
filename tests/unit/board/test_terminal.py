# SPDX-License-Identifier: Apache-2.0
"""The agent of a guest, run by this computer's shell."""

from __future__ import annotations

import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from dmav3.board.terminal import Result, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Return a terminal with the agent at its other end."""
    with ExitStack() as resources:
        ours, theirs = socket.socketpair()
        end, command = theirs.fileno(), ["/bin/sh", str(Terminal.AGENT)]
        resources.callback(ours.close)
        agent = resources.enter_context(
            subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
        )
        theirs.close()
        resources.callback(agent.kill)
        console = resources.enter_context(Terminal(ours))
        resources.callback(ours.shutdown, socket.SHUT_RDWR)
        yield console


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("true", Result(0, "")),
        ("exit 7", Result(7, "")),
        ("echo one; echo two >&2", Result(0, "one\ntwo\n")),
        ("printf 'without an end'", Result(0, "without an end")),
        ("echo 'dmav3-end 0123 5'; false", Result(1, "dmav3-end 0123 5\n")),
        ('cat; echo "it\'s \\"so\\" $((1 + 1))\nä"', Result(0, 'it\'s "so" 2\nä\n')),
        ("kill -9 $$", Result(137, "Killed\n")),
    ],
)
def test_a_command_comes_to_its_status_and_output(
    terminal: Terminal, command: str, result: Result
) -> None:
    """Whatever it prints, reads or does to its own shell; and the next one does, too."""
    assert terminal.run(command) == result
    assert terminal.run("echo next") == Result(0, "next\n")
