# SPDX-License-Identifier: Apache-2.0
"""Attributes that exist only while a board runs."""

from __future__ import annotations

from typing import Generic, Self, TypeVar, overload

from dmav3.errors import NotStartedError

T = TypeVar("T")


class Started(Generic[T]):
    """Declares a part that the start of a board sets: `memory = Started[Memory]()`.

    Reading it before the start raises `NotStartedError`, which names the part.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name of the attribute."""
        self._name = name

    @overload
    def __get__(self, board: None, owner: type) -> Self: ...

    @overload
    def __get__(self, board: object, owner: type) -> T: ...

    def __get__(self, board: object | None, owner: type) -> Self | T:
        """Return the part; from the class, the declaration itself."""
        if board is None:
            return self
        try:
            part: T = vars(board)[self._name]
        except KeyError:
            raise NotStartedError(self._name.removeprefix("_")) from None
        return part

    def __set__(self, board: object, part: T) -> None:
        """Set the part, at the start."""
        vars(board)[self._name] = part


def forget_parts(board: object) -> None:
    """Take the parts away again, at the end."""
    for kind in type(board).__mro__:
        for name, part in vars(kind).items():
            if isinstance(part, Started):
                vars(board).pop(name, None)
