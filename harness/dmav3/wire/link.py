# SPDX-License-Identifier: Apache-2.0
"""The serial line as a socket: the only file that sends and receives its bytes."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Protocol

from dmav3.deadlines import allowance
from dmav3.errors import ClosedError, DeadlineError

from .frame import Splitter

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


#: What `poll` takes.
_LONGEST_MS = (1 << 31) - 1


class Link(Protocol):
    """Whole lines to and from the target."""

    def send(self, line: bytes) -> None:
        """Send one line with its LF."""

    def receive(self, waiting_for: str) -> bytes:
        """Return the next line without LF; `waiting_for` names the request in errors."""

    def drain(self) -> None:
        """Throw away what has been received and not been asked for."""


class SocketLink:
    """A `Link` over a connected stream socket, which it does not own.

    :ivar log: every line sent (`>`) and received (`<`), the last 2,000.
    """

    LOG_LINES = 2_000

    def __init__(
        self, sock: socket.socket, note: Callable[[bytes], object] = lambda _: None
    ) -> None:
        """Use `sock`; it is made non-blocking.

        :param note: is given each line before it is sent.
        """
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._note_sent = note
        self._socket = sock
        self._splitter = Splitter()
        self._lines: list[bytes] = []
        self.log: list[bytes] = []

    def send(self, line: bytes) -> None:
        """Send all of `line`.

        :raises ClosedError: the other side is gone.
        :raises DeadlineError: it took no bytes in time; a part may have been sent.
        """
        self._note(b"> ", line.rstrip(b"\n"))
        self._note_sent(line)
        rest = memoryview(line)
        while rest:
            self._wait("send", line.decode(errors="replace").strip())
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                msg = f"the serial line is closed: {error}"
                raise ClosedError(msg) from error

    def receive(self, waiting_for: str) -> bytes:
        """Return the next line.

        :raises ClosedError: the other side is gone.
        :raises DeadlineError: no whole line came in time; a partial one is kept.
        """
        end = time.monotonic() + allowance()
        while not self._lines:
            self._wait("receive", waiting_for, max(0.0, end - time.monotonic()))
            self._read()
        return self._lines.pop(0)

    def drain(self) -> None:
        """Throw away all that was received until now, a partial line included."""
        while self.hears(0.0):
            self._read()
        self._lines.clear()
        self._splitter.clear()

    def hears(self, seconds: float) -> bool:
        """Return whether anything comes in so many seconds, which is left where it is."""
        return self._is_ready(select.POLLIN, seconds)

    def _read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            msg = f"the serial line is closed: {error}"
            raise ClosedError(msg) from error
        if not data:
            msg = "the serial line is closed: end of file"
            raise ClosedError(msg)
        for line in self._splitter.feed(data):
            self._note(b"< ", line)
            self._lines.append(line)

    def _wait(self, direction: str, waiting_for: str, seconds: float | None = None) -> None:
        seconds = allowance() if seconds is None else seconds
        if not self._is_ready(select.POLLIN if direction == "receive" else select.POLLOUT, seconds):
            raise DeadlineError(waiting_for, seconds)

    def _is_ready(self, event: int, seconds: float) -> bool:
        """Wait; unlike `select`, in a process with however many open files."""
        poll = select.poll()
        poll.register(self._socket, event)
        return bool(poll.poll(min(seconds * 1000, _LONGEST_MS)))

    def _note(self, mark: bytes, line: bytes) -> None:
        self.log.append(mark + line)
        del self.log[: -self.LOG_LINES]
