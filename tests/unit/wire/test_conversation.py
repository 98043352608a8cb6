# SPDX-License-Identifier: Apache-2.0
"""A person's requests, with a script in the shim's place; and what answers look like."""

from __future__ import annotations

import pytest

from dmav3.errors import DeadlineError, PeerError, UsageError
from dmav3.wire.answers import plain, readable
from dmav3.wire.conversation import Conversation
from dmav3.wire.frame import Event, Frame, Ok, Refusal, encode
from dmav3.wire.rpc import MOST_NOTICES


class Script:
    """A link that answers what it was told to, whatever is asked."""

    def __init__(self, *answers: Frame | None) -> None:
        """Take answers in order; None: nothing came in time."""
        self._answers = list(answers)
        self.sent: list[bytes] = []
        self.drained = 0

    def send(self, line: bytes) -> None:
        """Keep it."""
        self.sent.append(line)

    def receive(self, waiting_for: str) -> bytes:
        """Give the next answer."""
        answer = self._answers.pop(0)
        if answer is None:
            raise DeadlineError(waiting_for, 1)
        return encode(answer).rstrip(b"\n")

    def drain(self) -> None:
        """Count."""
        self.drained += 1


def test_request_ends_with_its_answer() -> None:
    """Notices come before it."""
    talk = Conversation(Script(Event(0, "help", {"command": "ping"}), Ok(1)), patient=False)
    assert list(talk.ask(" help ")) == [Event(0, "help", {"command": "ping"}), Ok(1)]


def test_notices_without_an_end_are_an_error() -> None:
    """A request has an answer, or ends all the same."""
    talk = Conversation(Script(*[Event(0, "busy")] * (MOST_NOTICES + 1)), patient=True)
    with pytest.raises(PeerError, match="more than 10000 lines came before the answer to"):
        list(talk.ask("help"))


def test_callbacks_nest_until_they_are_returned_from() -> None:
    """After `return` the answer of the request that led there comes, or its next callback."""
    talk = Conversation(
        Script(
            Event(1, "AdapterControl"),
            Event(2, "AdapterControl"),
            *(Refusal(3, "RETURN"), Ok(4), Ok(2, {"b": "2"})),
            *(Ok(5), Event(3, "AdapterControl")),
            *(Ok(6), Ok(1, {"a": "1"})),
        ),
        patient=False,
    )
    list(talk.ask("outer"))
    list(talk.ask("inner"))
    assert talk.callbacks == [1, 2]
    assert list(talk.ask("return 1 0")) == [Refusal(3, "RETURN")]
    assert list(talk.ask("return 2 0")) == [Ok(4), Ok(2, {"b": "2"})]
    assert talk.callbacks == [1]
    assert list(talk.ask("return 1 0")) == [Ok(5), Event(3, "AdapterControl")]
    assert talk.callbacks == [3]
    assert list(talk.ask("return 3 0")) == [Ok(6), Ok(1, {"a": "1"})]
    assert talk.callbacks == []


def test_over_long_line_is_not_sent() -> None:
    """512 bytes with the frame is the most; one more is refused."""
    link = Script(Ok(1))
    talk = Conversation(link, patient=False)
    list(talk.ask("x" * 498))
    assert len(link.sent[0]) == 512
    with pytest.raises(UsageError, match="over-long: 513 bytes with its frame"):
        list(talk.ask("x" * 499))
    assert len(link.sent) == 1


def test_only_the_patient_wait_on() -> None:
    """Somebody at a terminal decides for himself when it has been long enough."""
    assert list(Conversation(Script(None, None, Ok(1)), patient=True).ask("ping")) == [Ok(1)]
    with pytest.raises(DeadlineError, match="no answer to `ping 1`"):
        list(Conversation(Script(None), patient=False).ask("ping  1\n"))


def test_strange_answer_is_an_error() -> None:
    """Another request's number."""
    with pytest.raises(PeerError, match="answer to request 9"):
        list(Conversation(Script(Ok(9)), patient=False).ask("ping"))


def test_fault_is_the_last_word() -> None:
    """No answer follows; after `forget` nothing is open."""
    link = Script(Event(1, "AdapterControl"), Event(0, "fault", {"kind": "sync"}))
    talk = Conversation(link, patient=False)
    list(talk.ask("outer"))
    assert list(talk.ask("inner")) == [Event(0, "fault", {"kind": "sync"})]
    talk.forget()
    assert (talk.callbacks, link.drained) == ([], 1)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Ok(7), "ok"),
        (Ok(7, {"a": "1", "b": "0x2"}), "ok a=1 b=0x2"),
        (Refusal(7, "COMMAND", "unknown: x"), "error COMMAND unknown: x"),
        (Refusal(7, "CRC"), "error CRC"),
        (Event(3, "AdapterControl", {"cookie": "1"}), "!3 AdapterControl cookie=1"),
    ],
)
def test_plain_is_one_line_as_it_travels(answer: Ok | Refusal | Event, line: str) -> None:
    """Without number of the request and checksum."""
    assert plain(answer) == line


def test_readable_fits_the_terminal() -> None:
    """Folded between words, later lines indented; one that says 0 columns has 80."""
    answer = Ok(1, {"address": "0x1234", "length": "0x5678", "status": "0x0"})
    assert readable(answer, 26) == "ok address=0x1234\n    length=0x5678\n    status=0x0"
    assert readable(answer, 0) == plain(answer)


def test_readable_help_shows_arguments_as_words() -> None:
    """A command a line."""
    line = Event(0, "help", {"command": "wait", "arguments": "nanoseconds,[irq|callback]"})
    assert readable(line, 80) == "wait nanoseconds [irq|callback]"
    assert readable(Event(0, "help", {"command": "ping", "arguments": ""}), 80) == "ping"
