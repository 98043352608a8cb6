# SPDX-License-Identifier: Apache-2.0
"""Where in somebody's Python a request was made."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

#: The package, and what enters the context managers of it.
_OURS = (str(Path(__file__).parents[1]) + os.sep, contextlib.__file__)
_COMMAND = str(Path(__file__).parents[1] / "command") + os.sep
#: Code of the package that is not the harness's own.
_TESTS = os.path.join("conformance", "tests")  # noqa: PTH118 - a part of a text


class Origins:
    """The places of the last requests, by their numbers."""

    #: So many are kept.
    MOST = 65_536

    def __init__(self) -> None:
        """Know of none."""
        self._places: dict[int, tuple[CodeType, int]] = {}

    def note(self, number: int) -> None:
        """Keep where the code outside of the package is that has led here."""
        frame = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every source file
        while _is_ours(frame.f_code):
            if frame.f_back is None or frame.f_code.co_filename.startswith(_COMMAND):
                return  # a person has typed it
            frame = frame.f_back
        self._places[number] = frame.f_code, frame.f_lineno
        self._places.pop(number - self.MOST, None)

    def place(self, number: int) -> str:
        """Return function, file and line; empty if it is not known."""
        if number not in self._places:
            return ""
        code, line = self._places[number]
        return f"{code.co_name} ({os.path.relpath(code.co_filename)}:{line})"

    def forget(self) -> None:
        """After a reset: numbers begin again."""
        self._places.clear()


def _is_ours(code: CodeType) -> bool:
    name = code.co_filename
    return name.startswith(_OURS) and _TESTS not in name
