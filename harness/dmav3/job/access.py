# SPDX-License-Identifier: Apache-2.0
"""Where a recorded run accesses a byte of memory for the N-th time: `--until access:ADDRESS[:N]`.

One run with a watch on the byte says what makes the access. Of an instruction of the CPU a second
one counts how often it had been executed by then; a device's access is a moment of model time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dmav3.board.recorded import IMAGE, MACHINE
from dmav3.elf.image import read_elf
from dmav3.errors import ImageError, UsageError
from dmav3.machine.argv import Stop, Watch
from dmav3.machine.description import RAM_BASE, load_file

from .moment import number

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from dmav3.board.board import Board
    from dmav3.board.recorded import Recorded
    from dmav3.machine.description import Machine

    Again = Callable[..., AbstractContextManager[Board]]

_EXAMPLE = "it is access:0x41280000, access:rx_buffer+4 or access:rx_buffer:2, for example"


class Access(NamedTuple):
    """The `nth` access to the byte at `address`, physical, from 1 on."""

    address: int
    nth: int


def parse(until: str, image: Path) -> Access:
    """Read "access:ADDRESS[:N]", where an address may be a symbol of the image, with an offset.

    :raises UsageError: it is no such word, or the image has no such symbol.
    """
    _, _, text = until.partition(":")
    where, colon, count = text.partition(":")
    nth = number(count) if colon else 1
    if not where or not nth:
        raise UsageError(_refusal(until))
    return Access(_address(until, where, image), nth)


def _address(until: str, where: str, image: Path) -> int:
    """Return the address that a number is, or a symbol with an offset."""
    try:
        return int(where, 0)
    except ValueError:
        name, _, offset = where.partition("+")
    try:
        return read_elf(image, "EM_AARCH64").symbol(name).address + int(offset or "0", 0)
    except (ImageError, ValueError):
        raise UsageError(_refusal(until, f"{where} is no address, and no symbol: ")) from None


def _refusal(until: str, problem: str = "") -> str:
    return f"--until {until}: {problem}{_EXAMPLE}"


def _check(until: str, address: int, machine: Machine) -> None:
    ram = range(RAM_BASE, RAM_BASE + (machine.memory_mib << 20))
    if address not in ram:
        problem = f"{address:#x} is not in RAM ({ram.start:#x} to {ram.stop - 1:#x}): "
        raise UsageError(_refusal(until, problem))
    if machine.cache is None:
        msg = f"--until {until}: {machine.name} has no cache that is modelled, so nobody watches"
        raise UsageError(msg)


def before_access(recorded: Recorded, until: str, back: int, again: Again) -> Stop:
    """Return where the machine has to stop, just before an access.

    :param back: so many accesses of the byte earlier.
    :param again: runs it again (`dmav3.job.replay.again`).
    :raises UsageError: there is no such access in the run, or of such a byte.
    """
    wanted = parse(until, recorded.folder / IMAGE)
    _check(until, wanted.address, load_file(recorded.folder / MACHINE))
    watch = Watch(wanted.address, 1)
    with again(recorded, watch=watch) as board:
        found = [one for one in board.qemu.watched() if one.is_access]
    if wanted.nth > len(found):
        msg = f"--until {until}: the run has {len(found)} of these accesses, from 1 on"
        raise UsageError(msg)
    if back >= wanted.nth:
        msg = f"--back {back}: before {until} the run has {wanted.nth - 1} accesses of that byte"
        raise UsageError(msg)
    nth = wanted.nth - back
    one = found[nth - 1]
    if one.by_device:
        return Stop(ns=one.time_ns - 1)
    with again(recorded, Stop(pc=one.pc, access=nth), watch=watch) as board:
        return Stop(pc=one.pc, nth=board.qmp.get("stop-counted"))
