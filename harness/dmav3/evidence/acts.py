# SPDX-License-Identifier: Apache-2.0
"""What the cache did of its own accord, and wrong bytes: qemu-machines/ext/evidence/acts.h.

An *act* is a fill, an eviction or a write-back that no instruction asked for. Each is legal at its
moment, and would be legal left out; what bytes come of it is what maintenance should have settled.
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: `struct act_record`; the four bytes at its end are of no use.
_RECORD = struct.Struct("<QIHHQQQIII4x")


class ActKind(enum.IntEnum):
    """What the cache did; WRONG: bytes were read otherwise than they had been written last."""

    FILL = 1
    SPECULATIVE_FILL = 2
    EVICTION = 3
    WRITE_BACK = 4
    WRONG = 16

    def __str__(self) -> str:
        """Return it as a person reads it, such as "speculative fill"."""
        return self.name.lower().replace("_", " ")


class Act(NamedTuple):
    """A record of the log.

    :ivar number: of the CPU's access, or of the part of a device's write, that it comes with.
    :ivar line: of RAM, from 0.
    :ivar by_device: it comes with an access of the device `channel`, else of the CPU at `pc`.
    :ivar time_ns: model time.
    :ivar wrong: of WRONG: a bit for each byte of the line, from its first in bit 0.
    :ivar finding: of WRONG: its number, from 1; 0: it had no room.
    :ivar hazard: of WRONG: the kind, as `probe_finding.kind`.
    """

    number: int
    line: int
    kind: ActKind
    by_device: int
    time_ns: int
    pc: int
    wrong: int
    channel: int
    finding: int
    hazard: int


def read_acts(path: Path) -> list[Act]:
    """Return the records of a log in order."""
    data = path.read_bytes()
    whole = memoryview(data)[: len(data) - len(data) % _RECORD.size]
    found = map(Act._make, _RECORD.iter_unpack(whole))
    return [act._replace(kind=ActKind(act.kind)) for act in found]


def write_acts(path: Path, acts: Iterable[Act]) -> None:
    """Write a script: what the cache shall do, in this order."""
    path.write_bytes(b"".join(_RECORD.pack(*act) for act in acts))
