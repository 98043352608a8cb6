# SPDX-License-Identifier: Apache-2.0
"""Why a recorded run came to a finding: the run again, with a watch on the finding's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dmav3.board.recorded import read
from dmav3.errors import UsageError
from dmav3.evidence.findings import (
    CHANGED_PROGRAM,
    FIRST_OF_MICROCODE,
    SHARED_LINE,
    routine_names,
)
from dmav3.evidence.story import Story, Teller, steps
from dmav3.machine.argv import Watch

from .moment import number
from .replay import Outcome, again, compare

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dmav3.board.board import Board
    from dmav3.board.recorded import Recorded


def why(
    folder: Path, what: str = "finding:1", files: Sequence[Path] = ()
) -> tuple[Outcome, Story | None]:
    """Run what a folder has recorded again, and tell the story of a finding's bytes.

    :param what: such as "finding:2", counted as the event log counts them.
    :param files: as of `replay`.
    :return: how the runs compare; the story if they are the same, so that it is one of both.
    :raises UsageError: it is no such folder, there is no such finding, or it is not about memory.
    :raises InfrastructureError: this computer has another QEMU or extension.
    """
    wanted, recorded = _wanted(what), read(folder, files)
    if recorded.made.gaps:
        return Outcome(0, None, [], [], "; ".join(recorded.made.gaps)), None
    raw, watch = _watch(recorded, wanted)
    with again(recorded, watch=watch) as board:
        outcome = compare(recorded, board)
        told = _story(board, raw, wanted, watch) if outcome.exit_status == 0 else None
    return outcome, told


def _wanted(what: str) -> int:
    """Return which finding it is, from 1 on."""
    kind, _, text = what.partition(":")
    if kind != "finding" or not number(text):
        msg = f"--why {what}: it is finding:1, for example"
        raise UsageError(msg)
    return number(text)


def _watch(recorded: Recorded, wanted: int) -> tuple[dict[str, Any], Watch]:
    """Return a finding of the run, and which bytes are its own."""
    found = [event for event in recorded.events if event["kind"] == "finding"]
    if wanted > len(found):
        msg = f"--why finding:{wanted}: the run has {len(found)} of these, from 1 on"
        raise UsageError(msg)
    with again(recorded) as board:
        probe = board.evidence.probe
        raw, line, ram = probe.findings()[wanted - 1], probe.line_size, range(0)
        if board.machine.cache is not None:
            ram = range(probe.ram_base, probe.ram_base + probe.ram_size)
        kind = board.evidence.explain(raw).kind
    of_program = raw["kind"] >= FIRST_OF_MICROCODE and raw["kind"] != CHANGED_PROGRAM
    address = raw["microcode"] if of_program else raw["address"]
    if address not in ram:
        msg = (
            f"--why finding:{wanted}: this {kind} is about {address:#x}, which is in no memory "
            "that is seen through a cache, so there is nothing to tell"
        )
        raise UsageError(msg)
    if raw["kind"] == SHARED_LINE:
        return raw, Watch(address // line * line, line)
    return raw, Watch(address, 1)


def _story(board: Board, raw: dict[str, Any], wanted: int, watch: Watch) -> Story:
    size = board.evidence.probe.line_size
    line = range(watch.address // size * size, (watch.address // size + 1) * size)
    of = range(watch.address, watch.address + watch.bytes)
    names = [str(device) for device in board.devices]
    teller = Teller(board.image, routine_names(board.image), names, of, line)
    return Story(
        number=wanted,
        finding=board.evidence.explain(raw),
        address=watch.address,
        bytes=watch.bytes,
        steps=steps(raw, wanted, board.evidence.events.all(), board.qemu.watched(), teller),
        lost=board.qmp.get("watch-lost"),
    )
