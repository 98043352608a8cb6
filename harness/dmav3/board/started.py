# SPDX-License-Identifier: Apache-2.0
"""The start of a board: attributes that exist from then on, and what this computer may refuse."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Self, TypeVar, overload

from dmav3.errors import InfrastructureError, NotStartedError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


@contextmanager
def this_computer(what: str) -> Iterator[None]:
    """Make an `InfrastructureError` of what the operating system refuses at a start."""
    try:
        yield
    except OSError as error:
        msg = f"this computer refuses to start {what}: {error}"
        raise InfrastructureError(msg) from error


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
