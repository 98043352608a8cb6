# SPDX-License-Identifier: Apache-2.0
"""The lines of firmware/PROTOCOL.md as values. Pure: no I/O, no state but the splitter's.

Golden vectors that this codec and the firmware's both run: tests/vectors/frames.json.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field

from dmav3.errors import GarbageError, UsageError

#: Most bytes of a line, with its LF.
LINE_BYTES = 512
#: Largest number a request can carry as its SEQ.
LAST_SEQ = 999_999_999

_CHECKED = re.compile(rb"(?P<text>[@!][\x20-\x7e]*) \*(?P<crc>[0-9a-f]{8})")
_HEAD = re.compile(r"(?P<mark>[@!])(?P<number>[0-9]{1,9})")


@dataclass(frozen=True)
class Request:
    """`@SEQ word…`: a command and its arguments."""

    seq: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class Ok:
    """`@SEQ ok key=value…`: the request was carried out."""

    seq: int
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """`@SEQ error CODE text…`: the request was refused; SEQ 0 if the line was damaged."""

    seq: int
    code: str
    text: str = ""


@dataclass(frozen=True)
class Event:
    """`!ID name key=value…`: a callback was entered (ID from 1), or a notice (ID 0)."""

    id: int
    name: str
    values: dict[str, str] = field(default_factory=dict)


Frame = Request | Ok | Refusal | Event
Answer = Ok | Refusal | Event


def checksum(text: bytes) -> str:
    """Eight lower-case digits: CRC-32 of ISO-HDLC over the line before ` *CRC`."""
    return f"{zlib.crc32(text):08x}"


def encode(frame: Frame) -> bytes:
    """Return the line with checksum and LF.

    :raises UsageError: it would be over-long, or a word is empty or holds anything but
        printable ASCII without spaces.
    """
    match frame:
        case Request(seq, given):
            head, words = f"@{seq}", given
        case Ok(seq, values):
            head, words = f"@{seq}", ("ok", *_pairs(values))
        case Refusal(seq, code, reason):
            head, words = f"@{seq}", ("error", code, *reason.split())
        case Event(number, name, values):
            head, words = f"!{number}", (name, *_pairs(values))
    for word in words:
        if not re.fullmatch(r"[\x21-\x7e]+", word):
            msg = f"{word!r} cannot be a word of a line: printable ASCII without spaces is needed"
            raise UsageError(msg)
    text = " ".join((head, *words)).encode()
    line = text + f" *{checksum(text)}\n".encode()
    if len(line) > LINE_BYTES:
        msg = f"a line of {len(line)} bytes is over-long, {LINE_BYTES} is the most: {text!r}"
        raise UsageError(msg)
    return line


def decode_request(line: bytes) -> Request:
    """Parse a line without LF as the shim does.

    :raises GarbageError: it is no request with a valid checksum.
    """
    mark, seq, words = _take_apart(line)
    if mark != "@" or not words:
        raise GarbageError(line, "not a request")
    return Request(seq, tuple(words))


def decode_answer(line: bytes) -> Answer:
    """Parse a line without LF that came from the shim.

    :raises GarbageError: it is no answer with a valid checksum.
    """
    mark, number, words = _take_apart(line)
    match mark, words:
        case "@", ["ok", *pairs]:
            return Ok(number, _values(line, pairs))
        case "@", ["error", code, *text]:
            return Refusal(number, code, " ".join(text))
        case "!", [name, *pairs]:
            return Event(number, name, _values(line, pairs))
    raise GarbageError(line, "neither `ok` nor `error` nor an event")


def parse_number(text: str) -> int:
    """Read a number as it travels: unsigned, decimal or with 0x.

    :raises ValueError: it is not one.
    """
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", text):
        msg = f"{text!r} is not a number of the protocol"
        raise ValueError(msg)
    return int(text, 16 if text[:2] in {"0x", "0X"} else 10)


class Splitter:
    """Cuts a stream of bytes, however it is divided, into lines without LF.

    A CR before the LF is dropped. What is over-long comes out once, cut to 512 bytes, and is
    then skipped up to its LF; `decode_answer` refuses it because its checksum is cut off.
    """

    def __init__(self) -> None:
        """Start with an empty line."""
        self._line = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes, in order."""
        lines: list[bytes] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece, lines)
            if not self._skipping:
                lines.append(bytes(self._line).removesuffix(b"\r"))
            self.clear()
        self._add(rest, lines)
        return lines

    def clear(self) -> None:
        """Forget the line that has begun."""
        self._line.clear()
        self._skipping = False

    def _add(self, piece: bytes, lines: list[bytes]) -> None:
        if self._skipping:
            return
        self._line += piece
        if len(self._line) >= LINE_BYTES:
            lines.append(bytes(self._line[:LINE_BYTES]))
            self._skipping = True


def _pairs(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in values.items())


def _take_apart(line: bytes) -> tuple[str, int, list[str]]:
    """Check the checksum; return the mark, the number behind it and the words."""
    if len(line) >= LINE_BYTES:
        raise GarbageError(line[:LINE_BYTES], "over-long")
    checked = _CHECKED.fullmatch(line)
    if checked is None:
        raise GarbageError(line, "no line of the protocol")
    if checksum(checked["text"]) != checked["crc"].decode():
        raise GarbageError(line, f"checksum should be {checksum(checked['text'])}")
    head, *words = checked["text"].decode().split(" ")
    numbered = _HEAD.fullmatch(head)
    if numbered is None:
        raise GarbageError(line, "no number of at most 9 digits behind the mark")
    return numbered["mark"], int(numbered["number"]), [word for word in words if word]


def _values(line: bytes, pairs: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise GarbageError(line, f"{pair!r} is not key=value")
        values[key] = value
    return values
