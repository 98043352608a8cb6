# SPDX-License-Identifier: Apache-2.0
"""A person's requests to the shim, where callbacks are answered by hand as well.

`Rpc` serves callbacks with Python functions. Here a person does: when the shim enters a callback,
its event is shown, and the request that led there stays open until the person has answered
`return ID VALUE`.
"""

from __future__ import annotations

import itertools
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

from dmav3.deadlines import allowance, deadline
from dmav3.errors import DeadlineError, PeerError, UsageError

from .frame import LAST_SEQ, LINE_BYTES, Event, Ok, Request, decode_answer, encode
from .rpc import MOST_NOTICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .frame import Answer
    from .link import Link

_SUM_BYTES = len(" *12345678\n")


class Conversation:
    """One conversation since the last reset.

    :ivar callbacks: IDs of the callbacks that wait for their `return`, the innermost last.
    """

    def __init__(self, link: Link, *, patient: bool) -> None:
        """Talk over `link`, which stays the caller's.

        :param patient: wait for answers as long as it takes; somebody may press Ctrl-C.
        """
        self._link, self._patient = link, patient
        self._numbers = itertools.cycle(range(1, LAST_SEQ + 1))
        self._open: list[Request] = []
        self.callbacks: list[int] = []

    def ask(self, line: str) -> Iterator[Answer]:
        """Send a command; give each answer as it comes, until the shim takes the next line.

        :raises UsageError: it cannot be a line of the protocol; nothing was sent.
        :raises LinkError: the other side is gone, or what comes is not an answer, or has no end.
        """
        request = Request(next(self._numbers), tuple(line.split()))
        data = _encode(request)
        self._link.send(data)
        self._open.append(request)
        end = time.monotonic() + allowance()
        for _ in range(MOST_NOTICES):
            with nullcontext() if self._patient else deadline(max(0.0, end - time.monotonic())):
                answer = decode_answer(self._receive(" ".join(request.words)))
            ready = self._take(answer)
            yield answer
            if ready:
                return
        msg = f"more than {MOST_NOTICES} lines came before the answer to {request}"
        raise PeerError(msg)

    def forget(self) -> None:
        """After a reset or a crash: nothing is open any more."""
        self._open.clear()
        self.callbacks.clear()
        self._link.drain()

    def _take(self, answer: Answer) -> bool:
        """Note what an answer ends; True if the shim waits for a line now."""
        if isinstance(answer, Event):
            if answer.id:
                self.callbacks.append(answer.id)
            return bool(answer.id) or answer.name == "fault"
        if answer.seq != self._open[-1].seq:
            msg = f"an answer to request {answer.seq} where {self._open[-1]} was to be answered"
            raise PeerError(msg)
        request = self._open.pop()
        if request.words[0] != "return" or not isinstance(answer, Ok):
            return True
        self.callbacks.pop()
        return not self._open

    def _receive(self, waiting_for: str) -> bytes:
        while True:
            try:
                return self._link.receive(waiting_for)
            except DeadlineError:
                if not self._patient:
                    raise


def _encode(request: Request) -> bytes:
    size = len(f"@{request.seq} {' '.join(request.words)}".encode(errors="replace")) + _SUM_BYTES
    if size > LINE_BYTES:
        msg = f"over-long: {size} bytes with its frame, {LINE_BYTES} is the most; nothing was sent"
        raise UsageError(msg)
    return encode(request)
