# SPDX-License-Identifier: Apache-2.0
"""YAML with the line of every key, and without silent duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.errors import DataFileError

    #: Makes the error for a line, a key, what is wrong there, and what would be accepted.
    Refuse = Callable[..., DataFileError]

#: Keys and list indices from the top of a document.
Place = tuple[str | int, ...]


def parse(text: str, refuse: Refuse) -> tuple[Any, dict[Place, int]]:
    """Parse one document.

    :param refuse: makes what is raised if it is no YAML, or a key is there twice or is no text.
    :return: the value, and the line (from 1) of each key and list item; `()` is the document.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        places: dict[Place, int] = {(): 1}
        value = None if node is None else _value(loader, node, refuse, (), places)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise refuse(line, "", f"is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise refuse(1, "", f"is not YAML: {error}") from error
    finally:
        loader.dispose()
    return value, places


def _value(
    loader: yaml.SafeLoader, node: yaml.Node, refuse: Refuse, place: Place, places: dict[Place, int]
) -> object:
    places.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(loader, item, refuse, (*place, index), places)
            for index, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    mapping: dict[str, object] = {}
    for key_node, value_node in node.value:
        key, line = key_node.value, key_node.start_mark.line + 1
        dotted = ".".join(str(part) for part in (*place, key))
        if not isinstance(key, str):
            raise refuse(line, "", "a key must be a word", "name: virt-a53")
        if key in mapping:
            first = places[*place, key]
            raise refuse(line, dotted, f"is there twice, first in line {first}")
        places[*place, key] = line
        mapping[key] = _value(loader, value_node, refuse, (*place, key), places)
    return mapping
