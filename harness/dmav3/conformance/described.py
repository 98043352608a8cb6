# SPDX-License-Identifier: Apache-2.0
"""What a test says and asserts, read off its source, and which arguments it was given."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

#: Characters of one line, and lines of one test.
_WIDTH, _LINES = 200, 60


def sentence(item: pytest.Item) -> str:
    """Return what the test's docstring says, without its line breaks."""
    said = inspect.getdoc(getattr(item, "function", None)) or ""
    return " ".join(said.split())


def arguments(item: pytest.Item) -> list[str]:
    """Return what the test was given, such as `version=3`."""
    given: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return [_short(f"{name}={getattr(value, 'name', value)!s}") for name, value in given.items()]


def assertions(item: pytest.Item) -> list[str]:
    """Return what the test asserts itself, and what it expects to be found or raised.

    A test in C gives its checks as properties, because its source is not there.
    """
    named = [str(value) for name, value in item.user_properties if name == "asserted"]
    found = named or [text for _, text in sorted(_asserted(getattr(item, "function", None)))]
    return [_short(text) for text in dict.fromkeys(found)][:_LINES]


def _asserted(function: Callable[..., object] | None) -> Iterator[tuple[int, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(function)) if function else ""
    except OSError:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert):
            yield node.lineno, ast.unparse(node.test)
        elif isinstance(node, ast.With):
            for item in node.items:
                text = ast.unparse(item.context_expr)
                if ".expect" in text or text.startswith("pytest.raises"):
                    yield node.lineno, text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
