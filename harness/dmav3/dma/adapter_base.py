# SPDX-License-Identifier: Apache-2.0
"""What every part of `DmaAdapter` builds on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dmav3.errors import UsageError
from dmav3.wdm import NtStatus

from .target import Mdl, Target

if TYPE_CHECKING:
    from dmav3.wire.rpc import Reply


@dataclass
class AdapterBase:
    """A DMA_ADAPTER of the guest.

    :ivar address: its address there; any number, for tests that misuse it.
    :ivar NumberOfMapRegisters: the most that one request may own.
    """

    target: Target = field(repr=False)
    address: int
    NumberOfMapRegisters: int = 0

    def _call(self, routine: str, *arguments: int) -> Reply:
        return self.target.routine(routine, self.address, *(int(one) for one in arguments))

    def _status(self, routine: str, *arguments: int) -> NtStatus:
        return NtStatus(self._call(routine, *arguments).number("status"))

    def _value(self, routine: str, *arguments: int) -> int:
        return self._call(routine, *arguments).number("value")

    def _device(self, given: int | None) -> int:
        return self.target.device if given is None else given


def mdl_address(mdl: Mdl | int) -> int:
    """Return the address of an MDL, or the number that stands for one."""
    return mdl.address if isinstance(mdl, Mdl) else mdl


def bytes_from(mdl: Mdl | int, offset: int, length: int | None) -> int:
    """Return `length`; where it is None, the bytes of the chain from `offset` on."""
    if length is not None:
        return length
    if isinstance(mdl, Mdl):
        return mdl.size - offset
    msg = f"the length of what the MDL {mdl:#x} describes is not known; such as Length=4096"
    raise UsageError(msg)
