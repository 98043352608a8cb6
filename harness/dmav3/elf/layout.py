# SPDX-License-Identifier: Apache-2.0
"""C types as values: where each member lies, and reading them out of a buffer by name. Pure.

What builds these from an ELF's debug information is `dmav3.elf.image`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dmav3.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview

_LETTERS = {1: "b", 2: "h", 4: "i", 8: "q"}


@dataclass(frozen=True)
class Scalar:
    """A number of `size` bytes, little-endian: an integer, an enumeration or a pointer."""

    size: int
    signed: bool = False

    @property
    def letter(self) -> str:
        """Its letter in a `struct` format."""
        letter = _LETTERS[self.size]
        return letter if self.signed else letter.upper()

    def read(self, buffer: Buffer, offset: int = 0) -> int:
        """Return the number at `offset` of `buffer`."""
        value: int = struct.unpack_from("<" + self.letter, buffer, offset)[0]
        return value

    def write(self, buffer: bytearray, offset: int, value: int) -> None:
        """Put the lowest bytes of `value` at `offset` of `buffer`."""
        buffer[offset : offset + self.size] = (value % (1 << 8 * self.size)).to_bytes(
            self.size, "little"
        )


@dataclass(frozen=True)
class Array:
    """`count` elements of one type, without gaps."""

    element: Type
    count: int

    @property
    def size(self) -> int:
        """Bytes of the whole array."""
        return self.element.size * self.count

    def read(self, buffer: Buffer, offset: int = 0) -> list[Any]:
        """Return all elements."""
        step = self.element.size
        return [self.element.read(buffer, offset + step * n) for n in range(self.count)]


@dataclass(frozen=True)
class Member:
    """A member of a structure or union: its offset in bytes and its type."""

    offset: int
    type: Type


@dataclass(frozen=True)
class Struct:
    """A structure or union with named members."""

    name: str
    size: int
    members: Mapping[str, Member]

    def member(self, path: str) -> Member:
        """Find a member by a path such as `finding.2.address`.

        :return: its type, and its offset from the start of this structure.
        :raises UsageError: there is none; the message names those there are.
        """
        here: Type = self
        offset = 0
        for part in path.split("."):
            if isinstance(here, Array) and part.isdigit() and int(part) < here.count:
                offset, here = offset + int(part) * here.element.size, here.element
            elif isinstance(here, Struct) and part in here.members:
                offset, here = offset + here.members[part].offset, here.members[part].type
            else:
                msg = f"struct {self.name} has no member `{path}`; it has {', '.join(self.members)}"
                raise UsageError(msg)
        return Member(offset, here)

    def read(self, buffer: Buffer, offset: int = 0) -> dict[str, Any]:
        """Return all members by name, nested ones as dictionaries and lists."""
        return {
            name: member.type.read(buffer, offset + member.offset)
            for name, member in self.members.items()
        }

    def write(self, buffer: bytearray, values: Mapping[str, int]) -> None:
        """Put numbers into members, named by their paths; the other bytes stay."""
        for path, value in values.items():
            member = self.member(path)
            if not isinstance(member.type, Scalar):
                msg = f"`{path}` of struct {self.name} is no number"
                raise UsageError(msg)
            member.type.write(buffer, member.offset, value)

    def records(self, buffer: Buffer) -> Iterator[tuple[int, ...]]:
        """Read `buffer` as an array of this structure, quickly; its members must be numbers.

        :return: their values in order, for each `size` bytes.
        """
        return self._format.iter_unpack(buffer)

    @cached_property
    def _format(self) -> struct.Struct:
        text, end = "<", 0
        for name, member in self.members.items():
            if not isinstance(member.type, Scalar) or member.offset < end:
                msg = f"struct {self.name} cannot be read as records: `{name}` is no plain number"
                raise UsageError(msg)
            text += f"{member.offset - end}x{member.type.letter}"
            end = member.offset + member.type.size
        return struct.Struct(text + f"{self.size - end}x")


Type = Scalar | Array | Struct
