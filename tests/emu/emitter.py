# SPDX-License-Identifier: Apache-2.0
"""The firmware's own emitter of microcode, on the host: what tests let the controller execute."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

_LIBRARY = Path(__file__).parents[2] / "build/tests/pl330_code.so"
_CAPACITY = 256

# The constants of firmware/pl330/code.h.
ALWAYS, IF_SINGLE, IF_BURST = 0, 1, 3
SINGLE, PERIPHERAL, BURST = 0, 1, 2
SAR, CCR, DAR, NO_REGISTER = 0, 1, 2, 7
LC0, LC1 = 0, 1


class _Code(ctypes.Structure):
    """`struct pl330_code`."""

    _fields_ = (
        ("bytes", ctypes.c_void_p),
        ("capacity", ctypes.c_size_t),
        ("length", ctypes.c_size_t),
        ("overflow", ctypes.c_bool),
    )


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(_LIBRARY))


class Program:
    """A program under construction; the offset of the next instruction is `len(program)`."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._memory = (ctypes.c_uint8 * _CAPACITY)()
        self._code = _Code(ctypes.addressof(self._memory), _CAPACITY, 0, overflow=False)

    def emit(self, instruction: str, *operands: int) -> Program:
        """Append what `pl330_emit_` with this name gives."""
        function = getattr(_library(), f"pl330_emit_{instruction}")
        function(ctypes.byref(self._code), *map(ctypes.c_size_t, operands))
        assert not self._code.overflow
        return self

    def __len__(self) -> int:
        """Return the bytes so far."""
        return int(self._code.length)

    def __bytes__(self) -> bytes:
        """Return the program."""
        return bytes(self._memory[: len(self)])
