# SPDX-License-Identifier: Apache-2.0
"""Requests, callbacks and what goes wrong with them, against a scripted shim on a socketpair.

The script is data: what the shim expects and what it then says. It runs in a thread that ends
with the test.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dmav3.deadlines import allowance, deadline
from dmav3.errors import (
    ClosedError,
    DeadlineError,
    FaultError,
    GarbageError,
    PeerError,
    RefusedError,
    TargetError,
)
from dmav3.wire.frame import Event, Frame, Ok, Refusal, Splitter, decode_request, encode
from dmav3.wire.link import SocketLink
from dmav3.wire.rpc import Rpc

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What the shim waits for (words of a request), and then sends (frames, or raw bytes).
Script = list[tuple[str, list[Frame | bytes]]]


@contextmanager
def shim(script: Script) -> Iterator[Rpc]:
    """Run a script; afterwards, all of it must have been played."""
    mine, other = socket.socketpair()
    played: list[str] = []

    def play() -> None:
        splitter = Splitter()
        lines: list[bytes] = []
        for expected, answers in script:
            while not lines:
                data = other.recv(4096)
                if not data:
                    return
                lines += splitter.feed(data)
            played.append(" ".join(decode_request(lines.pop(0)).words))
            assert played[-1] == expected
            for answer in answers:
                other.sendall(answer if isinstance(answer, bytes) else encode(answer))

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield Rpc(SocketLink(mine))
    finally:
        mine.close()
        thread.join()
        other.close()
    assert played == [expected for expected, _ in script]


def test_reply_has_its_keys() -> None:
    """Values are text by key and numbers on request; numbers travel in hexadecimal."""
    with shim([("peek 0x10 32", [Ok(1, {"value": "0x2a"})])]) as rpc:
        reply = rpc.call("peek", 16, "32")
        assert (reply["value"], reply.number("value")) == ("0x2a", 42)
        with pytest.raises(PeerError, match="no `other`"):
            reply.number("other")


def test_refusal_names_request_and_code() -> None:
    """An error reply is the target's, and leaves the line usable."""
    script: Script = [
        ("wait 0x1 callback", [Refusal(1, "EIRQL", "at DISPATCH_LEVEL")]),
        ("ping", [Ok(2)]),
    ]
    with shim(script) as rpc:
        with pytest.raises(RefusedError, match="EIRQL at DISPATCH_LEVEL") as caught:
            rpc.call("wait", 1, "callback")
        assert (caught.value.code, caught.value.request) == ("EIRQL", ("wait", "0x1", "callback"))
        rpc.call("ping")


def test_callback_is_served_inside_the_request() -> None:
    """The function gets the event's keys; its value is returned before the reply is awaited."""
    seen: list[Mapping[str, str]] = []

    def adapter_control(keys: Mapping[str, str]) -> int:
        seen.append(keys)
        return 3

    event = Event(7, "AdapterControl", {"cookie": "0x1", "base": "0x5"})
    script: Script = [("Allocate", [event]), ("return 7 0x3", [Ok(2), Ok(1, {"status": "0x0"})])]
    with shim(script) as rpc:
        assert rpc.cookie(adapter_control) == 1
        assert rpc.call("Allocate").number("status") == 0
    assert seen == [event.values]


def test_callbacks_nest_to_any_depth() -> None:
    """A callback may call, and be called back, before it returns."""
    with shim(
        [
            ("outer", [Event(1, "A", {"cookie": "1"})]),
            ("inner", [Event(2, "B", {"cookie": "2"})]),
            ("ping", [Ok(3)]),
            ("return 2 0x0", [Ok(4), Ok(2, {"x": "1"})]),
            ("return 1 0x1", [Ok(5), Ok(1, {"y": "2"})]),
        ]
    ) as rpc:
        rpc.cookie(lambda _: rpc.call("inner").number("x"))
        rpc.cookie(lambda _: len(rpc.call("ping").values))
        assert rpc.call("outer").number("y") == 2


def test_exception_in_a_callback_returns_neutral_and_comes_out_of_the_outermost_call() -> None:
    """KeepObject is returned for AdapterControl; nested calls go on to their ends first."""
    error, reached = KeyError("mine"), []

    def inner(_: Mapping[str, str]) -> int:
        raise error

    with shim(
        [
            ("outer", [Event(1, "DmaCompletionRoutine", {"cookie": "1"})]),
            ("inner", [Event(2, "AdapterControl", {"cookie": "2"})]),
            ("return 2 0x1", [Ok(3), Ok(2)]),
            ("return 1 0x0", [Ok(4), Ok(1)]),
            ("ping", [Ok(5)]),
        ]
    ) as rpc:

        def outer(_: Mapping[str, str]) -> int:
            rpc.call("inner")
            reached.append("behind the inner call")
            return 0

        rpc.cookie(outer)
        rpc.cookie(inner)
        with pytest.raises(KeyError) as caught:
            rpc.call("outer")
        assert caught.value is error
        assert reached
        rpc.call("ping")


def test_later_exceptions_are_noted_on_the_first() -> None:
    """Nothing that a callback raised is lost."""
    with shim(
        [
            ("wait", [Event(1, "X", {"cookie": "1"})]),
            ("return 1 0x0", [Ok(2), Event(2, "X", {"cookie": "1"})]),
            ("return 2 0x0", [Ok(3), Ok(1)]),
        ]
    ) as rpc:
        failures = iter([ValueError("first"), ValueError("second")])

        def fail(_: Mapping[str, str]) -> int:
            raise next(failures)

        rpc.cookie(fail)
        with pytest.raises(ValueError, match="first") as caught:
            rpc.call("wait")
    assert any("second" in note for note in caught.value.__notes__)


def test_callback_that_nobody_gave_is_an_error_of_the_target() -> None:
    """An unknown cookie gets the neutral return, and the call fails."""
    event = Event(1, "AdapterControl", {"cookie": "99"})
    with (
        shim([("x", [event]), ("return 1 0x1", [Ok(2), Ok(1)])]) as rpc,
        pytest.raises(TargetError, match="nobody gave"),
    ):
        rpc.call("x")


def test_notices_come_with_the_reply() -> None:
    """Events with ID 0 wait for no return."""
    notices = [Event(0, "help", {"command": "ping"}), Event(0, "help", {"command": "peek"})]
    with shim([("help", [*notices, Ok(1)])]) as rpc:
        assert rpc.call("help").notices == tuple(notices)


def test_crash_of_the_firmware_is_reported_even_inside_a_callback() -> None:
    """A fault ends all calls at once: there is nobody to return to."""
    report = {"kind": "sync", "elr": "0x40080000"}
    script: Script = [("x", [Event(1, "A", {"cookie": "1"})]), ("y", [Event(0, "fault", report)])]
    with shim(script) as rpc:
        rpc.cookie(lambda _: int(rpc.call("y")["z"]))
        with pytest.raises(FaultError, match="elr=0x40080000") as caught:
            rpc.call("x")
    assert caught.value.report == report


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\x00\n", b"@1 ok *00000000\n", b"x" * 600 + b"\n"])
def test_garbage_is_quoted(rubbish: bytes) -> None:
    """What is no line of the protocol ends the call, and is shown."""
    with shim([("ping", [rubbish])]) as rpc, pytest.raises(GarbageError, match="garbage") as caught:
        rpc.call("ping")
    assert rubbish.startswith(caught.value.line)


def test_line_that_arrived_damaged_is_said_so() -> None:
    """A refusal with SEQ 0 is about the line, not the request."""
    answer = Refusal(0, "CRC", "bad")
    with shim([("ping", [answer])]) as rpc, pytest.raises(GarbageError, match="damaged"):
        rpc.call("ping")


def test_reply_to_another_request_is_no_reply() -> None:
    """Numbers must match."""
    with shim([("ping", [Ok(77)])]) as rpc, pytest.raises(PeerError, match="request 77"):
        rpc.call("ping")


def test_silence_ends_at_the_callers_deadline() -> None:
    """The scope around the call bounds it, and the error names the request."""
    with (
        shim([("ping 0x5", [])]) as rpc,
        pytest.raises(DeadlineError, match="`ping 0x5`"),
        deadline(0.05),
    ):
        rpc.call("ping", 5)


def test_partial_line_does_not_reset_the_deadline() -> None:
    """Bytes that make no line are no answer."""
    with shim([("ping", [b"@1 o"])]) as rpc, pytest.raises(DeadlineError), deadline(0.05):
        rpc.call("ping")


def test_closed_line_is_known_at_once() -> None:
    """End of file is not a matter of deadlines."""
    mine, other = socket.socketpair()
    other.close()
    with mine, pytest.raises(ClosedError):
        Rpc(SocketLink(mine)).call("ping")


def test_forget_drops_what_is_on_its_way() -> None:
    """After a reset, bytes of the time before do not count, and cookies start anew."""
    mine, other = socket.socketpair()
    with mine, other:
        rpc = Rpc(SocketLink(mine))
        rpc.cookie(lambda _: 0)
        other.sendall(b"half a line")
        rpc.forget()
        assert rpc.cookie(lambda _: 0) == 1
        other.sendall(encode(Ok(1)))
        assert rpc.call("ping").values == {}


class Chatter:
    """A link to a shim that sends one line for ever, and to a clock of its own.

    :ivar seconds: between two lines.
    """

    def __init__(self, line: Frame, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the clock."""
        self._line, self._seconds, self._now = encode(line)[:-1], seconds, 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self._now)

    def send(self, line: bytes) -> None:
        """Take a line."""

    def receive(self, waiting_for: str) -> bytes:
        """Return the line, if there is time for it."""
        if allowance() < self._seconds:
            raise DeadlineError(waiting_for, allowance())
        self._now += self._seconds
        return self._line

    def drain(self) -> None:
        """Have nothing."""


def test_a_request_has_one_deadline_however_many_lines_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Notices do not begin it anew; the whole time is in the message."""
    rpc = Rpc(Chatter(Event(0, "busy"), 1.0, monkeypatch))
    with deadline(5.0), pytest.raises(DeadlineError, match="`ping` within 5 s"):
        rpc.call("ping")


def test_notices_without_an_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast they come."""
    rpc = Rpc(Chatter(Event(0, "busy"), 0.0, monkeypatch))
    with pytest.raises(PeerError, match="more than 10000 notices"):
        rpc.call("ping")
