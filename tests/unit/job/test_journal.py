# SPDX-License-Identifier: Apache-2.0
"""Which records of the operation log are calls of the driver."""

from __future__ import annotations

from dmav3.evidence.probe import Kind, Record
from dmav3.job.journal import calls_of_driver

ALLOCATE, MAP, FLUSH, FREE_OBJECT, CONTROL, PROGRAM = 20, 23, 26, 27, 80, 99


def _record(kind: Kind, number: int) -> Record:
    return Record(0, 1, 0, kind, ungated=False, id=number, a=0, b=0, c=0, d=0, e=0)


def _log(*entries: int) -> list[Record]:
    """Make records: a number enters, its negative exits."""
    return [_record(Kind.ENTER if n > 0 else Kind.EXIT, abs(n)) for n in entries]


def _ids(*entries: int) -> list[int | None]:
    return [record.id if record else None for record in calls_of_driver(_log(*entries))]


def test_calls_come_in_order_of_entry() -> None:
    """One that is made in a callback comes after the one that led there."""
    log = (ALLOCATE, CONTROL, MAP, -MAP, -CONTROL, -ALLOCATE, FLUSH, -FLUSH)
    assert _ids(*log) == [ALLOCATE, MAP, FLUSH]


def test_what_the_layer_calls_itself_is_left_out() -> None:
    """Back-end entries, and routines that routines use."""
    log = (MAP, PROGRAM, -PROGRAM, FREE_OBJECT, -FREE_OBJECT, -MAP)
    assert _ids(*log) == [MAP]


def test_call_that_has_not_returned_keeps_its_place() -> None:
    """So that samples and records still belong together."""
    assert _ids(ALLOCATE, CONTROL, MAP, -MAP) == [None, MAP]
