# SPDX-License-Identifier: Apache-2.0
"""Commands for gdb, which loads this file: the layer's objects, by name.

| command | what it prints |
|---|---|
| `dmav3 adapters` | every adapter that lives |
| `dmav3 requests` | every allocation of a channel or a list that lives, in order of arrival |
| `dmav3 mappings` | every mapping that lives |
| `dmav3 mdls` | every MDL that lives, with its pages, and those of live mappings |
| `dmav3 lists` | every scatter/gather list of a request |

Members, their types and where they lie come from the firmware's debug information
(firmware/layer/objects.h). Nothing of dmav3 can be imported here: this is gdb's own Python.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import gdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Pages of an MDL, elements of a list: no more are shown.
_MOST = 64
_PAGE = 4096
_LEAST_COLUMNS = 20
_POINTER_BYTES = 8


def adapters() -> Iterator[str]:
    """Yield each adapter that lives."""
    table = _static("layer/adapter.c", "adapters")
    for n in range(table.type.range()[1] + 1):
        if table[n]["live"]:
            yield from _object("adapter", table[n])


def requests() -> Iterator[str]:
    """Yield each request that lives."""
    for request in _chain(_static("layer/request.c", "live_requests"), "next_live"):
        yield from _object("request", request)


def mappings() -> Iterator[str]:
    """Yield each mapping that lives."""
    for mapping in _live_mappings():
        yield from _object("mapping", mapping)


def mdls() -> Iterator[str]:
    """Yield each MDL that somebody allocated, and those of live mappings."""
    makers = _static("layer/mdl.c", "makers")
    rows = [makers[n] for n in range(makers.type.range()[1] + 1)]
    first = [row["mdl"] for row in rows if row["mdl"]]
    first += [mapping["range"]["chain"] for mapping in _live_mappings()]
    seen: set[int] = set()
    for pointer in first:
        for mdl in _chain(pointer, "Next"):
            if int(mdl.address) not in seen:
                seen.add(int(mdl.address))
                yield from _object("MDL", mdl)
                yield f"  pages = {_pages(mdl)}"


def lists() -> Iterator[str]:
    """Yield each scatter/gather list, with the request that it belongs to."""
    for request in _chain(_static("layer/request.c", "live_requests"), "next_live"):
        if request["list"]:
            found = request["list"].dereference()
            count = int(found["NumberOfElements"])
            yield f"list {_hex(found.address)} of request {_hex(request.address)}: {count} elements"
            for n in range(min(count, _MOST)):
                element = found["Elements"][n]
                where, length = int(element["Address"]["QuadPart"]), int(element["Length"])
                yield f"  {n}: {where:#x}, {length} bytes"
            if count > _MOST:
                yield f"  ... and {count - _MOST} more"


def _live_mappings() -> Iterator[Any]:
    return _chain(_static("layer/mapping.c", "live_mappings"), "next_live")


def _pages(mdl: Any) -> str:
    """Return the physical addresses of an MDL's pages, which follow it."""
    numbers = (mdl.address + 1).cast(gdb.lookup_type("PFN_NUMBER").pointer())
    count = (int(mdl["ByteOffset"]) + int(mdl["ByteCount"]) + _PAGE - 1) // _PAGE
    shown = [f"{int(numbers[n]) * _PAGE:#x}" for n in range(min(count, _MOST))]
    return ", ".join(shown) + (f" and {count - _MOST} more" if count > _MOST else "")


def _static(file: str, name: str) -> Any:
    """Return a variable that a file of the firmware keeps for itself."""
    for symbol in gdb.lookup_static_symbols(name):
        if symbol.symtab.filename.endswith(f"firmware/{file}"):
            return symbol.value()
    msg = f"the image has no `{name}` of {file}: is it dmav3's, with debug information?"
    raise gdb.GdbError(msg)


def _chain(pointer: Any, link: str) -> Iterator[Any]:
    """Yield what a pointer leads to, one behind the other; a chain that was overwritten ends."""
    seen: set[int] = set()
    while pointer:
        if int(pointer) in seen:
            msg = f"the chain comes back to {_hex(pointer)}: memory was overwritten"
            raise gdb.GdbError(msg)
        seen.add(int(pointer))
        one = pointer.dereference()
        yield one
        pointer = one[link]


def _object(kind: str, value: Any) -> Iterator[str]:
    yield f"{kind} {_hex(value.address)}"
    yield from _members(value, "  ")


def _members(value: Any, indent: str) -> Iterator[str]:
    for field in value.type.strip_typedefs().fields():
        member = value[field]
        kind = member.type.strip_typedefs()
        if kind.tag == "routine_place":
            yield f"{indent}{field.name} = {_place(member)}"
        elif kind.code == gdb.TYPE_CODE_STRUCT:
            yield f"{indent}{field.name}"
            yield from _members(member, indent + "  ")
        elif kind.code == gdb.TYPE_CODE_UNION:
            yield f"{indent}{field.name} = {int(member['QuadPart']):#x}"
        else:
            yield f"{indent}{field.name} = {_spelled(member, kind)}"


def _spelled(value: Any, kind: Any) -> str:
    """Spell a scalar: pointers and wide numbers in hexadecimal, functions by their names."""
    if kind.code == gdb.TYPE_CODE_INT and kind.sizeof == _POINTER_BYTES:
        return f"{int(value):#x}"
    if kind.code == gdb.TYPE_CODE_PTR:
        at = value.format_string(format="a", symbols=True)
        return "NULL" if not value else at
    return str(value.format_string(symbols=True))


def _place(place: Any) -> str:
    """Spell which routine of the interface it was, and where it was called."""
    name = str(place["id"]).removeprefix("OPLOG_")
    caller = int(place["caller"])
    if not caller:
        return name
    found = gdb.find_pc_line(caller - 1)  # a return address is behind the call
    function = gdb.block_for_pc(caller - 1)
    while function is not None and function.function is None:
        function = function.superblock
    inside = function.function.name if function is not None else f"{caller:#x}"
    line = f" ({found.symtab.filename}:{found.line})" if found.symtab else ""
    return f"{name}, called in {inside}{line}"


def _hex(value: Any) -> str:
    return f"{int(value):#x}"


def _printable(text: str) -> str:
    """Spell out every character that a terminal might obey."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _fold(line: str) -> str:
    """Break a line that is wider than the terminal, between words."""
    columns = gdb.parameter("width") or 0
    if columns < _LEAST_COLUMNS:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(
        line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


class _Group(gdb.Command):  # type: ignore[misc]  # gdb has no types
    """Look at the objects of dmav3's layer: dmav3 adapters, requests, mappings, mdls, lists."""

    def __init__(self) -> None:
        super().__init__("dmav3", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, prefix=True)


class _Listing(gdb.Command):  # type: ignore[misc]  # the same
    """One of the commands; its help is what its function says."""

    def __init__(self, walk: Callable[[], Iterator[str]]) -> None:
        self.__doc__ = (walk.__doc__ or "").replace("Yield", "Print")
        self._walk, self._name = walk, walk.__name__
        super().__init__(f"dmav3 {self._name}", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument: str, from_tty: bool) -> None:  # noqa: ARG002, FBT001 - gdb calls it
        """Print them all, or that there are none."""
        if argument.strip():
            msg = f"dmav3 {self._name} takes no {argument.strip()!r}: give it alone"
            raise gdb.GdbError(_printable(msg))
        if gdb.selected_thread() is None:
            msg = "no board is attached: `dmav3 gdb` attaches one, or `target remote`"
            raise gdb.GdbError(msg)
        language = gdb.parameter("language")
        gdb.execute("set language c", to_string=True)  # the core may stand in assembly
        try:
            self._print()
        except gdb.MemoryError as error:
            msg = f"the layer's memory cannot be read: {error}"
            raise gdb.GdbError(_printable(msg)) from error
        finally:
            gdb.execute(f"set language {language}", to_string=True)

    def _print(self) -> None:
        """Print each line when it is known: what comes behind it may not be readable."""
        line = None
        for line in self._walk():
            gdb.write(_fold(_printable(line)) + "\n")
        if line is None:
            gdb.write("none\n")


_Group()
for _walk in (adapters, requests, mappings, mdls, lists):
    _Listing(_walk)
