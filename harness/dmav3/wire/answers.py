# SPDX-License-Identifier: Apache-2.0
"""The shim's answers as text, for a program that reads a pipe and for a person. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .frame import Event, Ok, Refusal

if TYPE_CHECKING:
    from .frame import Answer

#: A terminal that claims to be narrower does not know: serial lines say 0.
_LEAST_COLUMNS, _USUAL_COLUMNS = 20, 80


def plain(answer: Answer) -> str:
    """Return one line: the answer as it travels, without number of the request and checksum."""
    match answer:
        case Ok(_, values):
            words = ["ok", *_pairs(values)]
        case Refusal(_, code, text):
            words = ["error", code, text]
        case Event(number, name, values):
            words = [f"!{number}", name, *_pairs(values)]
    return " ".join(words).rstrip()


def readable(answer: Answer, columns: int) -> str:
    """Return the answer in lines that are no wider than `columns` where words allow."""
    match answer:
        case Event(0, "help", values):
            arguments = values.get("arguments", "").replace(",", " ")
            return fold(f"{values.get('command', '?')} {arguments}".rstrip(), columns)
        case Event(0, "print", values):
            return unquote(values.get("text", "")).rstrip("\n")
        case Event(number) if number:
            hint = f"the driver's callback waits: return {number} VALUE"
            return "\n".join(fold(line, columns) for line in (plain(answer), hint))
    return fold(plain(answer), columns)


def fold(text: str, columns: int) -> str:
    """Return a text in lines that are no wider than `columns` where words allow."""
    return textwrap.fill(
        text,
        columns if columns >= _LEAST_COLUMNS else _USUAL_COLUMNS,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pairs(values: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
