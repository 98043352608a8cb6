# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/interface.md say what the headers say."""

from __future__ import annotations

import re
from pathlib import Path

from dmav3.evidence.mistakes import CODES
from dmav3.evidence.violations import LEFT_BEHIND

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "interface.md").read_text()
#: Codes of which the table says that another one is reported instead, or that none can be.
NEVER_REPORTED = {0x0B, 0x11, 0x20, 0x54}


def rows(number: int) -> list[list[str]]:
    """Return the cells of a table, without its heading."""
    (table,) = re.findall(rf"^\*\*Table {number}\. .*\n\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def header(name: str) -> str:
    """Return a header of the firmware, without its comments, wherever it lies."""
    (path,) = (ROOT / "firmware").rglob(name)
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def enumerators(body: str) -> dict[str, int]:
    """Return the values of the body of an enum."""
    values: dict[str, int] = {}
    following = 0
    for name, value in re.findall(r"(\w+)(?:\s*=\s*(-?\w+))?\s*(?:,|$)", body.strip()):
        values[name] = int(value, 0) if value else following
        following = values[name] + 1
    return values


def test_every_violation_is_in_its_table() -> None:
    """The codes are in order; those that are never recorded are in the table only."""
    (body,) = re.findall(r"enum violation \{(.*?)\}", header("violation.h"), re.DOTALL)
    codes = [int(code, 0) for code, *_ in rows(1)]
    assert codes == sorted({*CODES, LEFT_BEHIND})  # which have words
    assert codes == sorted({*enumerators(body).values(), *NEVER_REPORTED})
    for code, mistake, _ in rows(1):
        assert ("The layer" in mistake) == (int(code, 0) in NEVER_REPORTED)


def test_every_enumeration_has_the_values_of_the_header() -> None:
    """The table may leave values of a long one out, but none that it has is wrong."""
    text = header("wdm_dma.h") + header("dma_backend.h")
    for cell, values in rows(5):
        kind = cell.strip("`")
        (body,) = re.findall(rf"enum _{kind} \{{(.*?)\}} {kind};", text, re.DOTALL)
        for name, value in re.findall(r"(\w+) (-?\d+)", values):
            if not name.islower():
                assert enumerators(body)[name] == int(value), name
