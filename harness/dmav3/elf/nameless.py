# SPDX-License-Identifier: Apache-2.0
"""The image of a guest of which nothing is known: its findings have addresses only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .image import Elf

if TYPE_CHECKING:
    from .code import Frame, Line
    from .image import Symbol


class Nameless(Elf):
    """An image without symbols; answers what findings ask, each time that it does not know."""

    def __init__(self) -> None:
        """Read no file."""

    def frames(self, pc: int) -> list[Frame]:
        """Return no function."""
        del pc
        return []

    def line(self, pc: int) -> Line | None:
        """Return no line."""
        del pc
        return None

    def variable(self, address: int) -> Symbol | None:
        """Return no variable."""
        del address
        return None

    def exports(self, name: str) -> bool:
        """Return that there is no such symbol."""
        del name
        return False

    def enum(self, name: str) -> dict[str, int]:
        """Return no members."""
        del name
        return {}
