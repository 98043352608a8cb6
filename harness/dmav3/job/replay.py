# SPDX-License-Identifier: Apache-2.0
"""A recorded run, again: on the same image, machine, seed and schedule, all that reached the board.

What comes of it is compared with the event log that the run had left. Equal logs mean that whatever
was found can be looked at again, as often as one likes.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dmav3.board.board import Board
from dmav3.board.recorded import IMAGE, events, lines_of, machine_of, read
from dmav3.deadlines import deadline
from dmav3.devices.device import Device
from dmav3.errors import DeadlineError, InfrastructureError, LinkError, UsageError
from dmav3.evidence.callers import FIRST_CALLBACK
from dmav3.machine.argv import Acts, Stop, Watch
from dmav3.wire.frame import Event, decode_answer

from .access import before_access
from .moment import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dmav3.board.recorded import Made, PythonDevice, Recorded
    from dmav3.board.recording import Entry

#: Seconds of real time between two looks whether the machine has stopped.
_LISTENING_SECONDS = 0.05
#: Seconds of real time for what an entry sets off. A run that hung hangs again.
_PATIENCE_SECONDS = 10.0
NOWHERE, NOTHING, FREELY = Stop(), Watch(), Acts()
#: What can be stopped before, and whether a record tells of it.
_KINDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "finding": lambda event: event["kind"] == "finding",
    "violation": lambda event: event["kind"] == "violation",
    "call": lambda event: event["kind"] == "enter" and event["id"] < FIRST_CALLBACK,
}
#: Records before the first that differs that are shown.
_BEFORE = 3


@dataclass(frozen=True)
class Outcome:
    """What came of a replay.

    :ivar records: how many records are equal.
    :ivar difference: the number of the first that is not, from 0; None: there is none.
    :ivar recorded, now: the records from a few before it on, up to it; "" where a log ends.
    :ivar inconclusive: why equal or different logs prove nothing; "" if they do.
    """

    records: int
    difference: int | None
    recorded: list[str]
    now: list[str]
    inconclusive: str

    @property
    def exit_status(self) -> int:
        """0: identical; 1: not; 3: inconclusive."""
        if self.inconclusive:
            return 3
        return 0 if self.difference is None else 1

    def text(self) -> str:
        """Return it for a person."""
        if self.inconclusive:
            return f"inconclusive: {self.inconclusive}"
        if self.difference is None:
            return f"identical: {self.records} records"
        sides = ("recorded", self.recorded), ("now", self.now)
        shown = [f"{name:8} {line}" for name, lines in sides for line in lines]
        return "\n".join([f"different from record {self.difference} on:", *shown])


def replay(folder: Path, files: Sequence[Path] = ()) -> Outcome:
    """Run what a folder has recorded again, and compare the event logs.

    :param files: large disks as they were before the run, which are not in the folder.
    :raises UsageError: it is no such folder, or the run cannot be had again.
    :raises InfrastructureError: this computer has another QEMU or extension.
    """
    recorded = read(folder, files)
    if recorded.made.gaps:
        return Outcome(0, None, [], [], "; ".join(recorded.made.gaps))
    with again(recorded) as board:
        return compare(recorded, board)


@contextmanager
def stopped(
    folder: Path, until: str, back: int = 0, *, files: Sequence[Path] = ()
) -> Iterator[tuple[Board, str]]:
    """Run it again and stop just before something; the board stands there, inside the block.

    :param until: "finding:1", "violation:2", "call:17", each counted as in the folder's files; or
        "time:NS", model time; or "access:ADDRESS[:N]" (dmav3.job.access).
    :param back: so many calls of the interface earlier, or accesses.
    :param files: as of `replay`.
    :return: the board, with sockets for a person's monitor and gdb, and where its CPU is.
    :raises UsageError: there is no such moment in the run.
    """
    recorded = read(folder, files)
    if recorded.made.gaps:
        raise UsageError("; ".join(recorded.made.gaps))
    stop = _stop(recorded, until, back)
    with again(recorded, stop, sockets=True) as board:
        if not board.qmp.stopped:
            msg = f"--until {until}: the run ended before"
            raise UsageError(msg)
        yield board, board.qemu.place()


@contextmanager
def again(
    recorded: Recorded,
    stop: Stop = NOWHERE,
    *,
    watch: Watch = NOTHING,
    acts: Acts = FREELY,
    sockets: bool = False,
) -> Iterator[Board]:
    """Run it again, to the end or to where it stops; the board is there inside the block.

    :param watch: bytes of which `board.qemu.watched()` tells then what was done to them.
    :param acts: of the cache, to be logged or followed.
    """
    made = recorded.made
    with TemporaryDirectory(prefix="dmav3-replay-") as disks:
        board = Board(
            machine_of(recorded, Path(disks)),
            image=recorded.folder / IMAGE,
            seed=made.seed,
            schedule=made.schedule,
            trace=made.trace,
            sockets=sockets,
            devices=[_stand_in(one) for one in made.devices],
            judge=False,
        )
        board.play_devices(recorded.script)
        board.qemu.stop = replace(stop, run=min(made.resets, 1))
        board.qemu.watch = watch
        board.qemu.acts = acts
        with board:
            _check_same(made, board)
            _begin(board, made)
            for entry in recorded.entries:
                if not _play(board, entry):
                    break
            yield board


def _stand_in(recorded: PythonDevice) -> Device:
    """Return a device with the same registers, which does nothing of its own."""
    members = {
        "SIZE": recorded.size,
        "DOORBELLS": tuple(recorded.doorbells),
        "PCI_ID": recorded.pci_id,
        "PCI_CLASS": recorded.pci_class,
        "MSI": recorded.msi,
    }
    stand_in: Device = type(recorded.name, (Device,), members)()
    return stand_in


def _stop(recorded: Recorded, until: str, back: int) -> Stop:
    """Return where the machine has to stop."""
    kind, _, text = until.partition(":")
    if kind == "access":
        return before_access(recorded, until, back, again)
    nth, events = number(text), recorded.events
    if kind not in {"time", *_KINDS} or not nth:
        msg = (
            f"--until {until}: it is finding:1, violation:2, call:17, time:3000 or "
            "access:rx_buffer:2, for example"
        )
        raise UsageError(msg)
    if kind == "time":
        at, index = nth, len([it for it in events if it["time_ns"] < nth])
    else:
        found = _places(events, kind)
        if nth > len(found):
            msg = f"--until {until}: the run has {len(found)} of these, from 1 on"
            raise UsageError(msg)
        index = found[nth - 1]
        at = events[index]["time_ns"] - 1
    if back:
        calls = _places(events[:index], "call")
        if back > len(calls):
            msg = f"--back {back}: before {until} the run has {len(calls)} calls"
            raise UsageError(msg)
        at = events[calls[-back]]["time_ns"] - 1
    elif kind == "finding":
        return _before_finding(recorded, nth)
    return Stop(ns=at)


def _places(events: Sequence[dict[str, Any]], kind: str) -> list[int]:
    """Return where in the log something of a kind is told."""
    return [index for index, event in enumerate(events) if _KINDS[kind](event)]


def _before_finding(recorded: Recorded, nth: int) -> Stop:
    """Find out what makes the finding: an access of a device, or the n-th of an instruction."""
    with again(recorded) as board:
        raw = board.evidence.probe.findings()[nth - 1]
    if raw["by_device"] or not raw["cpu_pc"]:
        return Stop(ns=raw["time_ns"] - 1)
    counting = Stop(pc=raw["cpu_pc"], finding=nth)
    with again(recorded, counting) as board:
        return Stop(pc=raw["cpu_pc"], nth=board.qmp.get("stop-counted"))


def _check_same(made: Made, board: Board) -> None:
    for what, then, now in (
        ("QEMU", made.qemu, board.qemu.version),
        ("an extension of build", made.extension, board.qemu.extension.build_id),
    ):
        if then != now:
            msg = f"the run was made with {what} {then}, here is {now}: a replay proves nothing"
            raise InfrastructureError(msg)


def _begin(board: Board, made: Made) -> None:
    """Set what had been set, and reset where that was done: then all is as it was."""
    for path, name, value in made.kept:
        board.qmp.set(name, value, path, lasting=True)
    if made.resets:
        board.reset()


def _play(board: Board, entry: Entry) -> bool:
    """Let one thing reach the board again; False where it does not stand still afterwards."""
    try:
        _wait(board, board.qemu.probe.settle)
        if board.qmp.stopped:
            return False
        with deadline(_PATIENCE_SECONDS):
            if entry.kind == "line":
                board.qemu.link.drain()  # a callback's return has two answers
                board.qemu.link.send(entry.data)
                _await_answer(board, entry.data)
            elif entry.kind == "stage":
                board.stage(entry.arguments["address"], entry.data)
            elif entry.kind == "put":
                board.stream.receive_put(entry.data)
            elif entry.kind == "take":
                board.stream.sent_take()
            else:
                arguments = {key.replace("-", "_"): one for key, one in entry.arguments.items()}
                board.qmp.execute(entry.name, **arguments)
    except LinkError:
        return False
    return True


def _await_answer(board: Board, line: bytes) -> None:
    """Return when the firmware has answered, or waits for the return of a callback."""

    def listen() -> None:
        while True:
            frame = decode_answer(board.qemu.link.receive(line.decode("latin-1").strip()))
            if not isinstance(frame, Event) or frame.id or frame.name == "fault":
                return

    _wait(board, listen)


def _wait(board: Board, until: Callable[[], None]) -> None:
    """Wait, at most as long as patience lasts; no longer where the machine stops."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not board.qmp.stopped:
        try:
            with deadline(_LISTENING_SECONDS):
                until()
        except DeadlineError:
            if time.monotonic() > end:
                raise
        else:
            return


def compare(recorded: Recorded, board: Board) -> Outcome:
    """Compare the event log of a board, which has run it again, with the one that was recorded."""
    made = recorded.made
    try:
        with deadline(_PATIENCE_SECONDS):
            board.qemu.probe.settle()
            held = False
    except DeadlineError:
        held = True
    if held:
        with board.qemu.paused():
            now: list[dict[str, Any]] = [json.loads(line) for line in _lines(board)]
    else:
        now = [json.loads(line) for line in _lines(board)]
    then = recorded.events
    if made.held or held:
        then, now = then[: len(now)], now[: len(then)]
    pairs = list(zip_longest(then, now))
    different = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
    first = max(0, (different or 0) - _BEFORE)
    until = (different or 0) + 1
    gaps = [*made.gaps, *([f"{made.lost} records were lost"] if made.lost else [])]
    gaps += [] if held or made.held else _ended_otherwise(made, board)
    return Outcome(
        records=len(pairs) if different is None else different,
        difference=different,
        recorded=[json.dumps(one) for one in then[first:until]],
        now=[json.dumps(one) for one in now[first:until]],
        inconclusive="; ".join(gaps),
    )


def _ended_otherwise(made: Made, board: Board) -> list[str]:
    """Return which disks do not end as they did in the run; then equal logs are luck."""
    now = board.qemu.disks()
    return [
        f"the disk of pci{disk.slot} ends with other bytes: in the run somebody else wrote to it"
        for disk in made.disks
        if disk.ended and disk.ended != now[disk.slot].sha256
    ]


def _lines(board: Board) -> list[str]:
    return lines_of(events(board)).splitlines()
