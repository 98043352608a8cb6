# SPDX-License-Identifier: Apache-2.0
"""A driver's source under the data model of Windows, where a `long` has 32 bits.

Here it has 64, and bit-fields are packed otherwise. The compiler reads each file once more for a
target of that model, and lists how every structure is laid out: what differs is a warning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Lists layouts, on the standard output.
LIST = ("-Xclang", "-fdump-record-layouts-complete")
#: Reads a file as a compiler for Windows does. Macros that say so would choose other code.
READ = ("--target=aarch64-pc-windows-msvc", "-fsyntax-only", "-U_WIN32", "-U_WIN64", "-U_MSC_VER")
_HEADING = "*** Dumping AST Record Layout\n"
_ROW = re.compile(r" *([\d:-]+) \| +(.*\S)")
_SIZE = re.compile(r"\[sizeof=(\d+)")
_UNNAMED = re.compile(r"\(unnamed (?:\w+ )?at (.+):(\d+):\d+\)")
_COMPILERS_OWN = "/lib/clang/"
_DEFINED = re.compile(
    r"RecordDecl 0x\w+ (?:\w+ 0x\w+ )*<([^:>]+):(\d+):.* definition$", re.MULTILINE
)


class _Layout(NamedTuple):
    """The layout of a structure.

    :ivar rows: offset (of a bit-field: byte and bits) and declaration of each member, in order.
    """

    size: int
    rows: list[tuple[str, str]]


def _layouts(listed: str) -> dict[str, _Layout]:
    """Return the layout of each structure, by its name with `struct`, or where it stands."""
    found = {}
    for block in listed.split(_HEADING)[1:]:
        (_, name), *rows = _ROW.findall(block)
        if size := _SIZE.search(block):
            found[name] = _Layout(int(size[1]), rows)
    return found


def differences(here: str, there: str, ask: Callable[[str], str]) -> Iterator[str]:
    """Return a warning for each structure whose layout differs.

    :param here, there: what LIST gives for the board, and for Windows.
    :param ask: returns what the compiler knows of a name (`-ast-dump-filter`).
    """
    theirs = _layouts(there)
    for name, ours in _layouts(here).items():
        other = theirs.get(name, ours)
        if ours == other or _COMPILERS_OWN in name:
            continue
        place = _UNNAMED.search(name) or _DEFINED.search(ask(name.split()[-1].split("::")[-1]))
        where = f"{place[1]}:{place[2]}: " if place else ""
        what = "a structure" if _UNNAMED.search(name) else name
        size = f"{ours.size} bytes here and {other.size}"
        yield (
            f"{where}warning: {what} is laid out otherwise on Windows, where a long has 32 bits: "
            f"{size} there{_first_member(ours, other)}\n"
        )


def _first_member(ours: _Layout, other: _Layout) -> str:
    """Say which member is the first elsewhere; nothing, if only the end of the structure is."""
    for (here, member), (there, _) in zip(ours.rows, other.rows, strict=False):
        if here != there:
            return f", `{member}` at {here} here and {there} there"
    return ""
