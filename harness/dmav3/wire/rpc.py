# SPDX-License-Identifier: Apache-2.0
"""Requests to the shim, and its callbacks into Python, as one stack of calls.

While a request is under way the shim may enter a driver's callback: it sends an event and then
serves requests *inside the callback* until `return`. So a call here waits for its own reply and
serves every event that comes before it; the served function may call again, to any depth.

The target has one deadline (`dmav3.deadlines`) for each request, however many lines it sends; the
time that Python spends inside a callback does not count. Where the bytes travel is the business of
the `Link`.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dmav3.deadlines import allowance, deadline
from dmav3.errors import (
    DeadlineError,
    FaultError,
    GarbageError,
    InfrastructureError,
    LinkError,
    PeerError,
    RefusedError,
    TargetError,
    UsageError,
)

from .frame import LAST_SEQ, Event, Ok, Refusal, Request, decode_answer, encode, parse_number
from .origins import Origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .link import Link

    #: Gets the event's keys, gives the value of `return`.
    Handler = Callable[[Mapping[str, str]], int]

#: What is returned for a callback whose Python function failed: the adapter stays owned
#: (KeepObject), so that the caller can still look at it.
NEUTRAL = {"AdapterControl": 1}


#: Most events with ID 0 before one reply: what an image sends without an end is not kept.
MOST_NOTICES = 10_000


class Reply:
    """The keys of an `ok`, as text by `[...]` and as numbers by `number()`.

    :ivar values: all keys as sent.
    :ivar notices: events with ID 0 that came before the reply (`help` sends them).
    """

    def __init__(self, values: Mapping[str, str], notices: tuple[Event, ...] = ()) -> None:
        """Keep what was received."""
        self.values = dict(values)
        self.notices = notices

    def __getitem__(self, key: str) -> str:
        """Return the text of `key`; `PeerError` if the reply has none."""
        try:
            return self.values[key]
        except KeyError:
            msg = f"the reply has no `{key}`: {self.values}"
            raise PeerError(msg) from None

    def number(self, key: str) -> int:
        """Return `key` as an unsigned number; `PeerError` if it is none."""
        try:
            return parse_number(self[key])
        except ValueError as error:
            msg = f"`{key}` of the reply: {error}"
            raise PeerError(msg) from None


class Rpc:
    """One conversation with one shim, since its last reset."""

    def __init__(self, link: Link) -> None:
        """Talk over `link`, which stays the caller's."""
        self._link = link
        self._numbers = self._count()
        self._cookies: dict[int, Handler] = {}
        self._depth = 0
        self._lock = threading.RLock()
        self._failures: list[Exception] = []
        self._origins = Origins()
        #: What drivers have printed since the last reset.
        self.printed = ""

    def call(self, *words: str | int) -> Reply:
        """Send a request and serve callbacks until its reply is there.

        :param words: the command and its arguments; numbers travel as 0x….
        :raises RefusedError: the shim answered `error`; nothing was done.
        :raises UsageError: another thread is in a request; nothing was sent.
        :raises FaultError: the firmware crashed; only a reset helps.
        :raises LinkError: what the target did is not known; only a reset helps.
        :raises Exception: whatever a callback raised, from the outermost call, after its reply.
        """
        request = Request(next(self._numbers), tuple(_word(word) for word in words))
        with self._turn():
            self._origins.note(request.seq)
            self._link.send(encode(request))
            self._depth += 1
            try:
                answer, notices = self._until_answered(request)
            finally:
                self._depth -= 1
        if self._depth == 0 and self._failures:
            self._raise_failures()
        if isinstance(answer, Refusal):
            raise RefusedError(request.words, answer.code, answer.text)
        return Reply(answer.values, notices)

    def cookie(self, handler: Handler) -> int:
        """Register a function for callbacks; returns the number that requests name it by.

        It stays registered until `forget()`: the shim may call it as long as it knows it.
        """
        number = len(self._cookies) + 1
        self._cookies[number] = handler
        return number

    def origin(self, command: int) -> str:
        """Return where in a test a request was made, by its number; empty if it is not known."""
        return self._origins.place(command)

    def forget(self) -> None:
        """After a reset: drop pending replies and callbacks."""
        self._origins.forget()
        self._numbers = self._count()
        self._cookies.clear()
        self._failures.clear()
        self.printed = ""
        self._link.drain()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Keep other threads out: a conversation is one stack of calls."""
        if not self._lock.acquire(blocking=False):
            msg = "another thread is in a request to this board: let each thread have a board"
            raise UsageError(msg)
        try:
            yield
        finally:
            self._lock.release()

    @staticmethod
    def _count() -> Iterator[int]:
        while True:
            yield from range(1, LAST_SEQ + 1)

    def _until_answered(self, request: Request) -> tuple[Ok | Refusal, tuple[Event, ...]]:
        notices: list[Event] = []
        left = whole = allowance()
        while True:
            began = time.monotonic()
            frame = decode_answer(self._receive(request, left, whole))
            left = max(0.0, left - (time.monotonic() - began))
            if isinstance(frame, Event) and frame.id:
                self._serve(frame)
            elif isinstance(frame, Event) and frame.name == "fault":
                raise FaultError(frame.values)
            elif isinstance(frame, Event) and frame.name == "print":
                self.printed += unquote(frame.values.get("text", ""))
            elif isinstance(frame, Event):
                notices.append(frame)
                if len(notices) > MOST_NOTICES:
                    msg = f"more than {MOST_NOTICES} notices came before the answer to {request}"
                    raise PeerError(msg)
            elif frame.seq == request.seq:
                return frame, tuple(notices)
            elif frame.seq == 0 and isinstance(frame, Refusal):
                raise GarbageError(
                    encode(request), f"the shim received it damaged, {frame.code} {frame.text}"
                )
            else:
                msg = f"a reply to request {frame.seq} where {request} was to be answered: {frame}"
                raise PeerError(msg)

    def _receive(self, request: Request, left: float, whole: float) -> bytes:
        waiting_for = " ".join(request.words)
        try:
            with deadline(left):
                return self._link.receive(waiting_for)
        except DeadlineError as error:
            raise DeadlineError(waiting_for, whole) from error

    def _serve(self, event: Event) -> None:
        """Run the Python function of a callback and return its value to the shim.

        A function that raises returns the neutral value; what it raised waits for the outermost
        call. After an error of the link, a crash or QEMU's end there is no shim to return to.
        """
        value = NEUTRAL.get(event.name, 0)
        try:
            value = int(self._handler(event)(event.values))
        except (LinkError, FaultError, InfrastructureError):
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again by the outermost call
            self._failures.append(error)
        self.call("return", str(event.id), value)

    def _handler(self, event: Event) -> Handler:
        cookie = parse_number(event.values.get("cookie", "0"))
        if cookie not in self._cookies:
            msg = f"the shim entered a callback that nobody gave it: {event}"
            raise TargetError(msg)
        return self._cookies[cookie]

    def _raise_failures(self) -> None:
        first, *others = self._failures
        self._failures = []
        for other in others:
            first.add_note(f"a later callback failed as well: {other!r}")
        raise first


def _word(word: str | int) -> str:
    return word if isinstance(word, str) else f"{word:#x}"
