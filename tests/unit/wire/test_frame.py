# SPDX-License-Identifier: Apache-2.0
"""The codec of the wire, on the vectors that the firmware's codec runs too, and on random ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmav3.errors import GarbageError, UsageError
from dmav3.wire.frame import (
    LAST_SEQ,
    LINE_BYTES,
    Event,
    Frame,
    Ok,
    Refusal,
    Request,
    Splitter,
    checksum,
    decode_answer,
    decode_request,
    encode,
    parse_number,
)

_FILE = Path(__file__).parents[2] / "vectors" / "frames.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
VALID = [vector for vector in VECTORS if vector["valid"]]
INVALID = [vector for vector in VECTORS if not vector["valid"]]

words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
keys = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=8)
values = st.dictionaries(keys, words, max_size=6)
numbers = st.integers(0, LAST_SEQ)


def _frame(vector: dict[str, Any]) -> Frame:
    match vector["kind"]:
        case "request":
            return Request(vector["seq"], tuple(vector["words"]))
        case "ok":
            return Ok(vector["seq"], vector["values"])
        case "error":
            return Refusal(vector["seq"], vector["code"], vector["text"])
        case _:
            return Event(vector["id"], vector["name"], vector["values"])


def _decode(line: bytes, frame: Frame) -> Frame:
    return decode_request(line) if isinstance(frame, Request) else decode_answer(line)


@pytest.mark.parametrize("vector", VALID, ids=lambda vector: vector["line"][:24])
def test_valid_vector_means_what_it_says(vector: dict[str, Any]) -> None:
    """A golden line decodes to its frame, and the frame encodes to the line."""
    line, frame = vector["line"].encode(), _frame(vector)
    assert _decode(line, frame) == frame
    if vector.get("canonical", True):
        assert encode(frame) == line + b"\n"


@pytest.mark.parametrize("vector", INVALID, ids=lambda vector: vector["why"])
def test_invalid_vector_is_garbage(vector: dict[str, Any]) -> None:
    """What is no line of the protocol is refused by both decoders, which quote it."""
    line = vector["line"].encode("latin-1")
    for decode in (decode_request, decode_answer):
        with pytest.raises(GarbageError) as caught:
            decode(line)
        assert caught.value.line == line[:LINE_BYTES]


@pytest.mark.parametrize("line", [b"@1 okay", b"@1 error", b"!1", b"@1 ok novalue", b"@1 ok =x"])
def test_well_formed_line_that_is_no_answer_is_garbage(line: bytes) -> None:
    """A valid checksum does not make an answer."""
    checked = line + f" *{checksum(line)}".encode()
    with pytest.raises(GarbageError):
        decode_answer(checked)


@given(numbers, st.lists(words, min_size=1, max_size=8))
def test_request_survives_the_wire(seq: int, given_words: list[str]) -> None:
    """Encoding and decoding a request gives it back."""
    request = Request(seq, tuple(given_words))
    assert decode_request(encode(request)[:-1]) == request


@given(st.one_of(st.builds(Ok, numbers, values), st.builds(Event, numbers, keys, values)))
def test_answer_survives_the_wire(frame: Ok | Event) -> None:
    """Encoding and decoding an answer gives it back."""
    assert decode_answer(encode(frame)[:-1]) == frame


@given(st.lists(st.builds(Ok, numbers, values), max_size=5), st.data())
def test_splitter_does_not_mind_how_bytes_arrive(frames: list[Ok], data: st.DataObject) -> None:
    """Any division of the stream gives the same lines."""
    stream = b"".join(encode(frame) for frame in frames)
    splitter, lines = Splitter(), []
    while stream:
        count = data.draw(st.integers(1, len(stream)))
        lines += splitter.feed(stream[:count])
        stream = stream[count:]
    assert [decode_answer(line) for line in lines] == frames


def test_splitter_gives_a_line_at_its_lf_when_fed_byte_by_byte() -> None:
    """A line is there with its LF, not before."""
    splitter, line = Splitter(), encode(Request(1, ("ping",)))
    assert [splitter.feed(line[n : n + 1]) for n in range(len(line))] == [
        *([[]] * (len(line) - 1)),
        [line[:-1]],
    ]


def test_splitter_keeps_trailing_bytes_for_the_next_line() -> None:
    """What follows an LF belongs to the next line; a CR before an LF is dropped."""
    splitter = Splitter()
    assert splitter.feed(b"one\r\ntw") == [b"one"]
    assert splitter.feed(b"o\n") == [b"two"]


def test_splitter_cuts_an_over_long_line_and_goes_on_behind_it() -> None:
    """An over-long line comes out once, cut; memory does not grow; the next line is whole."""
    splitter = Splitter()
    lines = splitter.feed(b"x" * 5_000)
    lines += splitter.feed(b"x" * 5_000 + b"\nnext\n")
    assert lines == [b"x" * LINE_BYTES, b"next"]


@pytest.mark.parametrize("word", ["", "a b", "ä", "a\n", "\x7f"])
def test_word_that_cannot_travel_is_refused(word: str) -> None:
    """Words are printable ASCII without spaces."""
    with pytest.raises(UsageError, match="word"):
        encode(Request(1, (word,)))


def test_request_that_is_too_long_is_refused() -> None:
    """Nothing that the shim would drop is sent."""
    with pytest.raises(UsageError, match="over-long"):
        encode(Request(1, ("a" * LINE_BYTES,)))


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("010", 10), ("0x1F", 31), ("0X1f", 31)])
def test_number_is_decimal_or_hexadecimal(text: str, value: int) -> None:
    """Leading zeroes do not make it octal."""
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "-1", "0x", "1_000", "0b1", "1.5"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """Python's other spellings are none of the protocol's."""
    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)
