# SPDX-License-Identifier: Apache-2.0
"""Types, as clang describes them in DWARF (versions 4 and 5).

They are indexed compilation unit by compilation unit, the small ones first, until the wanted name
has come by: that is several times faster than reading them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dmav3.errors import UsageError

from .layout import Array, Member, Scalar, Struct, Type

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRANSPARENT = {
    "DW_TAG_typedef",
    "DW_TAG_const_type",
    "DW_TAG_volatile_type",
    "DW_TAG_atomic_type",
    "DW_TAG_restrict_type",
}
_LONGEST_CHAIN = 64  # of them: one of a damaged file may have no end
_COMPOSED = {"DW_TAG_structure_type", "DW_TAG_union_type"}
_SIGNED = {5, 6, 13}  # DW_ATE_signed, DW_ATE_signed_char, and the fixed-point signed form
#: Types that are an address whatever they point at.
_ADDRESSES = {"DW_TAG_pointer_type", "DW_TAG_subroutine_type"}


class Types:
    """The named structures and enumerations of one file."""

    def __init__(self, info: Any) -> None:
        """Read nothing yet."""
        self._entries = self._walk(info)
        self._found: dict[tuple[str, str], Any] = {}

    def struct(self, name: str) -> Struct:
        """Return `struct name`, or the structure behind a typedef of that name."""
        entry = self._find("struct", name)
        result = _type(entry)
        if not isinstance(result, Struct):
            msg = f"`{name}` is no structure"
            raise UsageError(msg)
        return result

    def enum(self, name: str) -> dict[str, int]:
        """Return the enumerators of `enum name` in order of declaration."""
        entry = self._find("enum", name)
        return {
            _text(child): child.attributes["DW_AT_const_value"].value
            for child in entry.iter_children()
        }

    def _find(self, kind: str, name: str) -> Any:
        while (kind, name) not in self._found:
            try:
                key, entry = next(self._entries)
            except StopIteration:
                msg = f"the debug information has no {kind} `{name}`"
                raise UsageError(msg) from None
            self._found.setdefault(key, entry)
        return self._found[kind, name]

    @staticmethod
    def _walk(info: Any) -> Iterator[tuple[tuple[str, str], Any]]:
        for unit in sorted(info.iter_CUs(), key=lambda unit: unit["unit_length"]):
            for entry in unit.iter_DIEs():
                if entry.tag is None or "DW_AT_name" not in entry.attributes:
                    continue
                if "DW_AT_declaration" in entry.attributes:
                    continue
                if entry.tag in _COMPOSED or entry.tag == "DW_TAG_typedef":
                    yield ("struct", _text(entry)), entry
                elif entry.tag == "DW_TAG_enumeration_type":
                    yield ("enum", _text(entry)), entry


def _type(entry: Any) -> Type:
    for _ in range(_LONGEST_CHAIN):
        if entry.tag in _TRANSPARENT:
            entry = entry.get_DIE_from_attribute("DW_AT_type")
    attributes = entry.attributes
    if entry.tag in _COMPOSED:
        name = _text(entry) if "DW_AT_name" in attributes else ""
        return Struct(name, attributes["DW_AT_byte_size"].value, dict(_members(entry)))
    if entry.tag == "DW_TAG_array_type":
        return _array(entry)
    if entry.tag in _ADDRESSES:
        return Scalar(entry.cu["address_size"])
    encoding = attributes.get("DW_AT_encoding")
    return Scalar(attributes["DW_AT_byte_size"].value, bool(encoding and encoding.value in _SIGNED))


def _members(entry: Any) -> Iterator[tuple[str, Member]]:
    for child in entry.iter_children():
        if child.tag != "DW_TAG_member":
            continue
        where = child.attributes.get("DW_AT_data_member_location")
        offset = where.value if where else 0
        member = _type(child.get_DIE_from_attribute("DW_AT_type"))
        if "DW_AT_name" in child.attributes:
            yield _text(child), Member(offset, member)
        elif isinstance(member, Struct):  # an anonymous one: its members count as ours
            for name, inner in member.members.items():
                yield name, Member(offset + inner.offset, inner.type)


def _array(entry: Any) -> Array:
    counts = [
        child.attributes["DW_AT_count"].value
        if "DW_AT_count" in child.attributes
        else child.attributes["DW_AT_upper_bound"].value + 1
        for child in entry.iter_children()
        if child.tag == "DW_TAG_subrange_type"
        and {"DW_AT_count", "DW_AT_upper_bound"} & child.attributes.keys()
    ]
    result = _type(entry.get_DIE_from_attribute("DW_AT_type"))
    for count in reversed(counts or [0]):
        result = Array(result, count)
    assert isinstance(result, Array)  # noqa: S101 - one dimension at least
    return result


def _text(entry: Any) -> str:
    name: bytes = entry.attributes["DW_AT_name"].value
    return name.decode()
