# SPDX-License-Identifier: Apache-2.0
"""The serial line of a guest, with pexpect's interface."""

from __future__ import annotations

import base64
import codecs
import secrets
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from pexpect import EOF, TIMEOUT
from pexpect.spawnbase import SpawnBase

from dmav3.deadlines import allowance
from dmav3.errors import UsageError

if TYPE_CHECKING:
    import re
    import socket

_PIECE = 2000  # bytes, as pexpect reads them
#: Of a command in base64: a line of a terminal has 4,096 bytes.
_LONGEST_COMMAND = 2_900


class Result(NamedTuple):
    """What a command in a guest came to: its exit status, and what it printed."""

    status: int
    output: str


class Terminal(SpawnBase):  # type: ignore[type-arg]  # at run time it has no argument
    """What a guest prints, and what is typed; a context manager.

    A thread takes what the guest prints, whether anybody waits for it or not: the CPU of a guest
    waits at its UART for a line that is full.
    """

    #: The script that runs commands in a guest, for its initial RAM disk.
    AGENT = Path(__file__).with_name("agent.sh")

    def __init__(self, sock: socket.socket) -> None:
        """Talk over a connected socket, which stays the caller's."""
        super().__init__(timeout=None, encoding="utf-8")
        self._taken, self._has_agent = bytearray(), False
        self._characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._socket, self._pieces = sock, SimpleQueue[bytes]()
        self._thread = threading.Thread(target=self._take, name="dmav3-terminal", daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the end of what is printed, which the end of QEMU brings."""
        self._thread.join()

    @property
    def transcript(self) -> str:
        """All that the guest has printed so far, also what nobody has waited for."""
        return self._taken.decode(errors="replace")

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> str:
        """Return what has come, as pexpect asks for it; raises its `TIMEOUT` or `EOF`.

        :param timeout: seconds; None: as many as `dmav3.deadline` gives.
        """
        del size  # a piece is what one asks for
        seconds = allowance() if timeout is None else timeout
        try:
            piece = self._pieces.get(timeout=seconds)
        except Empty:
            raise TIMEOUT(self.transcript[-_PIECE:]) from None
        if not piece:
            self._pieces.put(piece)
            self.flag_eof = True
            raise EOF(self.transcript[-_PIECE:])
        return self._characters.decode(piece)

    def send(self, text: str) -> int:
        """Type a text; return how many bytes it has."""
        data = text.encode()
        self._socket.sendall(data)
        return len(data)

    def sendline(self, text: str = "") -> int:
        """Type a text and the end of its line; return how many bytes that is."""
        return self.send(text + "\n")

    def run(self, command: str) -> Result:
        """Let the agent run a command; raises pexpect's `TIMEOUT` or `EOF`.

        :raises UsageError: it is too long.
        """
        if (length := len(command.encode())) > _LONGEST_COMMAND:
            msg = (
                f"a command of {length} bytes is longer than {_LONGEST_COMMAND}: put it into a "
                "script in the initial RAM disk"
            )
            raise UsageError(msg)
        if not self._has_agent:  # what is typed before it listens is lost
            self.expect("dmav3-agent\r?\n")
            self._has_agent = True
        mark = secrets.token_hex(8)
        self.sendline(f"dmav3 {mark} {base64.b64encode(command.encode()).decode()}")
        self.expect(f"dmav3-begin {mark}\r?\n")
        self.expect(rf"dmav3-end {mark} (\d+)\r?\n")
        return Result(
            int(cast("re.Match[str]", self.match)[1]), str(self.before).replace("\r\n", "\n")
        )

    def _take(self) -> None:
        piece = b"-"
        while piece:
            try:
                piece = self._socket.recv(_PIECE)
            except OSError:  # QEMU has gone
                piece = b""
            self._taken += piece
            self._pieces.put(piece)
