# SPDX-License-Identifier: Apache-2.0
"""The serial line of a board as raw bytes, for tests of the shell that trust no codec."""

from __future__ import annotations

import re
import select
import time
from typing import TYPE_CHECKING

from dmav3.wire.frame import Ok, Refusal, Request, decode_answer, encode

if TYPE_CHECKING:
    from dmav3 import Board

#: Seconds of real time that the shim gets for each answer.
SECONDS = 10.0
PROMPT = b"> "


class RawLine:
    """Sends and collects bytes on the serial socket of a board, past its `SocketLink`."""

    def __init__(self, board: Board) -> None:
        """Use the board's socket; nothing else may talk on it meanwhile."""
        self._socket = board.qemu.process.serial
        self._received = b""
        self._seq = 1000

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        end = time.monotonic() + SECONDS
        while data:
            assert select.select([], [self._socket], [], max(0.0, end - time.monotonic()))[1]
            data = data[self._socket.send(data) :]

    def until(self, pattern: bytes) -> bytes:
        """Return all bytes up to the end of the first match of a pattern."""
        end = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self._received, re.DOTALL)):
            left = max(0.0, end - time.monotonic())
            assert select.select([self._socket], [], [], left)[0], self._received
            data = self._socket.recv(65536)
            assert data, "the serial line is closed"
            self._received += data
        taken, self._received = (
            self._received[: found.end()],
            self._received[found.end() :],
        )
        return taken

    def person(self, line: bytes) -> bytes:
        """Type a line as a person does; return all bytes up to the next prompt, with it."""
        self.send(line)
        return self.until(rb"(?:^|\n)> ")

    def answer(self, line: bytes) -> Refusal | Ok:
        """Send a line and return the next framed answer, whatever its SEQ."""
        self.send(line)
        text = self.until(rb"@\d+ [^\n]*\n")
        answer = decode_answer(text[text.rindex(b"@") :].removesuffix(b"\n"))
        assert isinstance(answer, Ok | Refusal)
        return answer

    def ask(self, *words: str) -> Refusal | Ok:
        """Send a request with its checksum and return its answer, skipping what came before."""
        self._seq += 1
        self.send(encode(Request(self._seq, words)))
        text = self.until(rb"@%d [^\n]*\n" % self._seq)
        answer = decode_answer(text[text.rindex(b"@") :].removesuffix(b"\n"))
        assert isinstance(answer, Ok | Refusal)
        return answer
