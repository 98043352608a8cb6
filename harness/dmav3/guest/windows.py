# SPDX-License-Identifier: Apache-2.0
"""The machine's memory as the CPU and as devices see it, mapped read-only.

What is read is consistent while the gate is closed or the machine is stopped; `Board.cpu` and
`Board.dram` wait for that before each read.
"""

from __future__ import annotations

import mmap
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from dmav3.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


class Mapping:
    """A shared memory, mapped; a context manager."""

    def __init__(self, fd: int, *, writable: bool = False) -> None:
        """Map all of the file `fd`, which stays the caller's."""
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._map = mmap.mmap(fd, os.fstat(fd).st_size, access=access)
        self.view = memoryview(self._map)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Unmap it; where somebody still holds a slice of `view`, when that is gone."""
        with suppress(BufferError):
            self.view.release()
            self._map.close()


class Window:
    """RAM from one side, by physical address."""

    def __init__(
        self, name: str, view: memoryview, base: int, settle: Callable[[], object]
    ) -> None:
        """Show `view` at physical address `base`.

        :param name: for messages.
        :param settle: called before every read; returns when memory stands still.
        """
        self.name, self.base, self.size = name, base, len(view)
        self._view = view
        self._settle = settle

    def read(self, physical: int, length: int) -> bytes:
        """Return a copy of `length` bytes.

        :raises UsageError: they are not all in RAM.
        """
        offset = physical - self.base
        if length < 0 or offset < 0 or offset + length > self.size:
            msg = (
                f"{length} bytes at {physical:#x} are not in RAM, which is "
                f"{self.base:#x} to {self.base + self.size - 1:#x}"
            )
            raise UsageError(msg)
        self._settle()
        return bytes(self._view[offset : offset + length])
