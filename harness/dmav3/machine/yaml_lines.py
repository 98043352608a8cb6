# SPDX-License-Identifier: Apache-2.0
"""YAML with the line of every key, without silent duplicates, and without aliases.

A few aliases can stand for more values than there is memory for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.errors import DataFileError

    #: Makes the error for a line, a key, what is wrong there, and what would be accepted.
    Refuse = Callable[..., DataFileError]

#: Keys and list indices from the top of a document.
Place = tuple[str | int, ...]

_BRIEF = 100  # characters


def parse(text: str, refuse: Refuse) -> tuple[Any, dict[Place, int]]:
    """Parse one document.

    :param refuse: makes what is raised if it is no YAML, or a key is there twice or is no text.
    :return: the value, and the line (from 1) of each key and list item; `()` is the document.
    """
    places: dict[Place, int] = {(): 1}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = None if node is None else _value(loader, node, refuse, (), places)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise refuse(line, "", f"is not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise refuse(line, "", f"is not YAML: character {error.character:#x}") from error
    except RecursionError as error:
        raise refuse(max(places.values()), "", "is nested too deeply") from error
    return value, places


class _Loader(yaml.SafeLoader):
    """Refuses aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias, which is not taken", mark)
        return super().compose_node(parent, index)


def _value(
    loader: yaml.SafeLoader, node: yaml.Node, refuse: Refuse, place: Place, places: dict[Place, int]
) -> object:
    line = places.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(loader, item, refuse, (*place, index), places)
            for index, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(loader, node, partial(refuse, line, ".".join(map(str, place))))
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        key, line = key_node.value, key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise refuse(line, "", "a key must be a word", "name: virt-a53")
        dotted = ".".join(str(part) for part in (*place, key))
        if key in mapping:
            first = places[*place, key]
            raise refuse(line, dotted, f"is there twice, first in line {first}")
        places[*place, key] = line
        mapping[key] = _value(loader, value_node, refuse, (*place, key), places)
    return mapping


def _scalar(loader: yaml.SafeLoader, node: yaml.Node, refuse: Callable[[str], Exception]) -> object:
    """Return a value without parts; numbers, times and what a tag says may be none."""
    try:
        return loader.construct_object(node)
    except yaml.MarkedYAMLError:
        raise
    except Exception as error:
        msg = f"{brief(node.value)} is no {node.tag.rpartition(':')[2]}"
        raise refuse(msg) from error


def brief(value: object) -> str:
    """Spell a value for a message, however long it is."""
    try:
        text = repr(value)
    except ValueError:  # Python's own limit, for numbers
        return "a huge number"
    return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}..."
