# SPDX-License-Identifier: Apache-2.0
"""The fewest acts of the cache that make a finding's bytes wrong.

A recorded run is had again and again, each time with some of the acts that the cache had done of
its own accord (`evidence.acts`), and no others. What is left in the end is 1-minimal: without any
one of these acts the bytes are right. Those on the line of the wrong bytes are tried first, because
mostly they are enough, so that hundreds of thousands of others are dismissed by one run.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dmav3.board.recorded import read
from dmav3.deadlines import deadline
from dmav3.errors import DeadlineError, LinkError, TargetError, UsageError
from dmav3.evidence.acts import ActKind, read_acts, write_acts
from dmav3.evidence.findings import device_name, kind_name
from dmav3.machine.argv import Acts

from .fewest import Fewest
from .moment import number
from .replay import again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dmav3.board.recorded import Recorded
    from dmav3.elf.image import Elf
    from dmav3.evidence.acts import Act

#: Runs, and seconds of real time, after which a search ends with what it has.
MOST_RUNS, MOST_SECONDS = 500, 300.0
#: Seconds of real time that a device may be busy after the last entry.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """An act of the cache, or a read that got wrong bytes, for a person.

    :ivar number: of an act: among all acts of the run, from 1.
    :ivar time_ns: model time.
    :ivar kind: "fill", "speculative fill", "eviction", "write back"; of a read its finding's.
    :ivar address: of the line, physical; of a read: of the first wrong byte.
    :ivar cause: the access that it came with: the device, or the CPU's function and line. Of a read
        by a device also the CPU's store.
    """

    number: int
    time_ns: int
    kind: str
    address: int
    cause: str


@dataclass(frozen=True)
class Minimal:
    """What a search has found.

    :ivar finding: number of the finding, from 1.
    :ivar wrong: the read that gets wrong bytes with these acts.
    :ivar kept: the acts.
    :ivar of: how many acts the run had before that read.
    :ivar runs: how many runs it took.
    :ivar complete: without any one of them the bytes are right; else the search was cut short.
    """

    finding: int
    wrong: Event
    kept: tuple[Event, ...]
    of: int
    runs: int
    complete: bool


class Rerun:
    """A recorded run, as often as one likes, with the acts that one likes.

    A run that goes astray without the others ends there.

    :ivar acts: of the run as it was, by number, up to the first read that got wrong bytes.
    :ivar wrong: that read.
    :ivar runs: how many there were.
    """

    def __init__(self, recorded: Recorded, finding: int, folder: Path) -> None:
        """Have the run once as it was.

        :param finding: whose reads are meant; 0: of any.
        :param folder: for files, empty.
        :raises UsageError: there is no such read.
        """
        self._recorded, self._folder, self.runs = recorded, folder, 0
        self._image: Elf | None = None
        self._line = self._base = 0
        log = self._run(None)
        wrong = [
            index
            for index, act in enumerate(log)
            if act.kind == ActKind.WRONG and act.finding and finding in {0, act.finding}
        ]
        if not wrong:
            raise _nothing_wrong(recorded, finding)
        before = [act for act in log[: wrong[0]] if act.kind != ActKind.WRONG]
        self.wrong, self.acts = log[wrong[0]], dict(enumerate(before, 1))

    def is_wrong(self, numbers: Sequence[int]) -> bool:
        """Tell whether with these acts, and no others, the same finding has the same byte wrong."""
        script = self._folder / "script"
        write_acts(script, [self.acts[number] for number in sorted(numbers)])
        wrong, byte = self.wrong, self.wrong.wrong & -self.wrong.wrong
        return any(
            act.wrong & byte
            and (act.line, act.hazard, act.pc) == (wrong.line, wrong.hazard, wrong.pc)
            and (act.by_device, act.channel) == (wrong.by_device, wrong.channel)
            for act in self._run(script)
        )

    def log(self) -> list[Act]:
        """Return acts and wrong bytes of the latest run."""
        return read_acts(self._folder / "log")

    def event(self, number: int) -> Event:
        """Return an act for a person."""
        act = self.acts[number]
        address = self._base + act.line * self._line
        return Event(number, act.time_ns, str(act.kind), address, self._cause(act))

    def wrong_event(self) -> Event:
        """Return the read that got wrong bytes for a person."""
        wrong = self.wrong
        first = (wrong.wrong & -wrong.wrong).bit_length() - 1
        address = self._base + wrong.line * self._line + first
        return Event(0, wrong.time_ns, kind_name(wrong.hazard), address, self._cause(wrong))

    def _cause(self, act: Act) -> str:
        place = (self._image.place(act.pc) if self._image else "") or f"{act.pc:#x}"
        if not act.by_device:
            return place
        device = device_name(act.channel, [one.name for one in self._recorded.made.devices])
        return f"{device}, of what {place} stored" if act.pc else device

    def _run(self, script: Path | None) -> list[Act]:
        self.runs += 1
        log = self._folder / "log"
        log.write_bytes(b"")
        with (
            suppress(LinkError, TargetError),
            again(self._recorded, acts=Acts(log, script)) as board,
        ):
            self._image, probe = board.image, board.qemu.probe
            self._line, self._base = probe.line_size, probe.ram_base
            with suppress(DeadlineError), deadline(_PATIENCE_SECONDS):
                probe.settle()
            board.qemu.finish_log_of_acts()
        return self.log()


def minimise(
    folder: Path,
    what: str = "",
    files: Sequence[Path] = (),
    *,
    runs: int = MOST_RUNS,
    seconds: float = MOST_SECONDS,
) -> Minimal:
    """Return the fewest acts of the cache with which the bytes of a finding are wrong.

    :param what: "finding:2", counted as in the folder's event log; "": the first with wrong bytes.
    :param files: large disks as they were before the run, which are not in the folder.
    :param runs, seconds: at most so many runs, of real time; then the search is cut short.
    :raises UsageError: it is no such folder, the run cannot be had again, it has no such finding,
        or no byte of it is wrong.
    :raises InfrastructureError: this computer has another QEMU or extension.
    """
    recorded = read(folder, files)
    finding = _finding(recorded, what)
    with TemporaryDirectory(prefix="dmav3-minimise-") as scratch:
        rerun = Rerun(recorded, finding, Path(scratch))
        everything = tuple(rerun.acts)
        if not rerun.is_wrong(everything):
            msg = (
                f"finding:{rerun.wrong.finding}: its bytes are not wrong again although the cache "
                "does the same, so nothing can be left out"
            )
            raise UsageError(msg)
        search = Fewest(everything, rerun.is_wrong, trials=runs, seconds=seconds)
        line = rerun.wrong.line
        search.search(tuple(n for n in everything if rerun.acts[n].line == line))
        return Minimal(
            finding=rerun.wrong.finding,
            wrong=rerun.wrong_event(),
            kept=tuple(rerun.event(number) for number in search.kept),
            of=len(everything),
            runs=rerun.runs,
            complete=search.complete,
        )


def _finding(recorded: Recorded, what: str) -> int:
    """Return which finding is meant, 0 for the first that will do."""
    kind, _, text = what.partition(":")
    wanted = number(text)
    if what and (kind != "finding" or not wanted):
        msg = f"--minimise {what}: it is finding:1, for example"
        raise UsageError(msg)
    if recorded.made.gaps:
        raise UsageError("; ".join(recorded.made.gaps))
    if recorded.made.schedule is None:
        msg = (
            f"{recorded.folder} is of a coherent machine, whose caches make no byte wrong; "
            "--minimise is for one such as virt-a53"
        )
        raise UsageError(msg)
    there = sum(event["kind"] == "finding" for event in recorded.events)
    if not there:
        msg = f"{recorded.folder} has no finding; --minimise is for a run with wrong bytes"
        raise UsageError(msg)
    if wanted > there:
        msg = f"--minimise {what}: the run has {there} of these, from finding:1 on"
        raise UsageError(msg)
    return wanted


def _nothing_wrong(recorded: Recorded, finding: int) -> UsageError:
    which = f"finding:{finding}" if finding else "every finding"
    return UsageError(
        f"{recorded.folder}: the bytes of {which} were read as they had been written last, or were "
        "not read at all, so there is nothing to minimise; another schedule or seed may have it"
    )
