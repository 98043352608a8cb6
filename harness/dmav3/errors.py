# SPDX-License-Identifier: Apache-2.0
"""Every error of the harness, by whose fault it is.

::

    Dmav3Error
    ├── UsageError              the call, or a file that it names, is wrong      exit status 2
    │   ├── DataFileError       a YAML file is not accepted
    │   │   └── MachineFileError    a machine description
    │   ├── WrongCacheError     it describes another cache than the CPU has
    │   ├── ImageError          a file is not an ELF for the machine
    │   ├── NotStartedError     a board is used outside of its `with`
    │   ├── HandlerError        a handler of a device written in Python does not end
    │   └── BuildError          C files do not compile, or do not link
    ├── TargetError             the firmware                                     exit status 1
    │   ├── RefusedError        it answered `error CODE`
    │   ├── FaultError          it crashed and said so
    │   ├── PowerError          it switched the machine off, or reset it
    │   ├── CrashError          its process on this computer ended
    │   ├── HangError           it does not answer, but QEMU does (a DeadlineError as well)
    │   ├── TransferError       it answered, but the transfer did not do what it should
    │   ├── BusError            a device written in Python accessed what answers with an error
    │   ├── NtStatusError       a driver has ended a request with a status that is no success
    │   ├── PendingError        a driver has not ended a request in time
    │   └── FindingsError       findings or violations are not those that were expected
    ├── LinkError               the serial line or the monitor                   exit status 3
    │   ├── GarbageError        bytes that are no line of the protocol
    │   ├── DeadlineError       no answer in time
    │   ├── ClosedError         the other side is gone
    │   ├── PeerError           another program answers than was started
    │   └── MonitorError        QEMU's monitor refused a command
    └── InfrastructureError     this computer                                    exit status 3
        ├── NotBuiltError       nothing in build/, or it is older than its sources
        ├── PrivateFolderError  the folder for sockets is not ours alone
        ├── CompilerMissingError    there is none, or no linker
        └── QemuError           QEMU cannot be used:
            ├── QemuMissingError    there is none
            ├── QemuTooOldError     older than the extension can live in
            ├── QemuRefusedError    it, or the extension in it, refused to start
            ├── QemuDiedError       it ended without being asked to
            └── QemuStuckError      it does not answer (a DeadlineError as well)

A failing test is no error: it is a verdict (`dmav3.job.verdict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .wdm import NtStatus


#: Exit status of a command that Ctrl-C ended, as shells report it.
INTERRUPTED = 130


class Explained(Protocol):
    """A finding or a violation, as far as a message needs it."""

    def summary(self) -> str:
        """Return what it is and where, in a few words."""

    def line(self) -> str:
        """Return all that a person needs, on one line."""


def printable(text: str) -> str:
    """Spell out control characters, and what else has no shape, except the ends of lines."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


class Dmav3Error(Exception):
    """The root. Its text is one message for a person; subclasses add evidence as attributes."""

    #: What `dmav3 run` exits with.
    exit_status: ClassVar[int] = 3

    def __str__(self) -> str:
        """Return the text with every character spelled out that a terminal might obey."""
        return printable(super().__str__())


class UsageError(Dmav3Error):
    """The caller asked for something that cannot be. Nothing was done."""

    exit_status = 2


class DataFileError(UsageError):
    """A YAML file is not accepted.

    :ivar path: the file.
    :ivar line: counted from 1.
    :ivar key: dotted path of the key, empty for the file as a whole.
    """

    def __init__(self, path: Path, line: int, key: str, problem: str, example: str = "") -> None:
        """Echo the place, what is wrong there and, if given, what would be accepted."""
        where = f"{path}:{line}: " + (f"{key}: " if key else "")
        super().__init__(where + problem + (f" (accepted would be: {example})" if example else ""))
        self.path, self.line, self.key = path, line, key


class MachineFileError(DataFileError):
    """A machine description is not accepted."""


class WrongCacheError(UsageError):
    """The cache that a machine describes is not the one that its CPU's registers describe."""


class ImageError(UsageError):
    """A file cannot be used as firmware image or extension; `path` is the file."""

    def __init__(self, path: Path, problem: str) -> None:
        """Name the file and say what it is and what is needed."""
        super().__init__(f"{path}: {problem}")
        self.path = path


class NotStartedError(UsageError, AttributeError):
    """A board has been made, but not started."""

    def __init__(self, name: str) -> None:
        """Say what was asked for, and how to start a board."""
        super().__init__(
            f"the board is not running, so it has no {name}: start it by `with Board() as board:`"
        )


class HandlerError(UsageError):
    """A handler of a device written in Python does not end; only a fresh board helps."""

    exit_status = 1


class BuildError(UsageError):
    """C files do not compile or link; `output` is what compiler or linker said, unchanged."""

    def __init__(self, problem: str, output: str) -> None:
        """Say what is wrong, then quote the tool."""
        super().__init__(f"{problem}\n{output.rstrip()}")
        self.output = output


class TargetError(Dmav3Error):
    """The firmware did not do what it should."""

    exit_status = 1


class RefusedError(TargetError):
    """The shim refused a request; nothing was done.

    :ivar request: the words that were sent.
    :ivar code: the word after `error`, as in firmware/PROTOCOL.md.
    :ivar text: the rest of the reply.
    """

    def __init__(self, request: Sequence[str], code: str, text: str) -> None:
        """Keep request and reply."""
        super().__init__(f"the shim refused `{' '.join(request)}`: {code} {text}".rstrip())
        self.request, self.code, self.text = tuple(request), code, text


class FaultError(TargetError):
    """The firmware crashed; the shim is stopped and answers nothing until a reset.

    :ivar report: the keys of the fault line (`kind`, `esr`, `elr`, `far`, `x30`), as sent.
    :ivar place: function, file and line of it; empty if they are not known.
    """

    def __init__(self, report: Mapping[str, str], place: str = "", words: str = "") -> None:
        """Say where and in words what happened, then quote the report."""
        quoted = " ".join(f"{key}={value}" for key, value in report.items())
        where = f" in {place}" if place else ""
        super().__init__(
            f"the firmware crashed{where}: " + (f"{words} ({quoted})" if words else quoted)
        )
        self.report, self.place = dict(report), place


class PowerError(TargetError):
    """The firmware switched the machine off, or reset it; `reason` is QEMU's word for that."""

    def __init__(self, what: str, reason: str) -> None:
        """Say what it did."""
        super().__init__(f"the firmware {what} (QEMU says: {reason})")
        self.reason = reason


class CrashError(TargetError):
    """The shim's process on this computer ended; only a new one helps.

    :ivar status: its exit status, or minus the number of the signal.
    :ivar said: what it wrote to its error output, such as a report of the address sanitizer.
    """

    def __init__(self, status: int, said: str) -> None:
        """Quote what it said."""
        super().__init__(f"the shim's process ended with status {status}:\n{said.strip()}")
        self.status, self.said = status, said


class TransferError(TargetError):
    """A routine failed, or a transfer did not end as it should; the state is as the text says."""


class NtStatusError(TargetError):
    """A driver has refused or ended a request with a status that is no success.

    :ivar status: the status.
    :ivar information: IoStatus.Information: of a transfer the bytes that were moved.
    """

    def __init__(self, what: str, status: NtStatus, information: int = 0) -> None:
        """Name the request and the status, which has a name and a number."""
        super().__init__(f"{what}: the driver answered {status}, Information {information}")
        self.status, self.information = status, information


class PendingError(TargetError):
    """A driver has a request, and has not ended it in time. It still has it.

    :ivar request: of a driver's requests, the number.
    :ivar since_ns: when it was sent, model time.
    :ivar place: where the driver marked it pending, or the dispatch routine that has it.
    """

    def __init__(
        self,
        what: str,
        request: int,
        since_ns: int,
        now_ns: int,
        place: str,
        waiting: Sequence[str],
    ) -> None:
        """Say which request it is, since when it waits, who has it, and what is waited for."""
        kept = f": {place}" if place else ""
        super().__init__(
            f"{what} (request {request}) is pending since {since_ns:,} ns of model time, and is "
            f"not completed at {now_ns:,} ns{kept}; let the driver call IoCompleteRequest, or "
            "give wait() more time" + "".join(f"; waiting: {one}" for one in waiting)
        )
        self.request, self.since_ns, self.place = request, since_ns, place


class BusError(TargetError):
    """The bus answered an access of a device written in Python with an error.

    :ivar address: of the first byte that was not moved; those before it were.
    """

    def __init__(
        self, device: str, what: str, address: int, why: str = "no memory answers there"
    ) -> None:
        """Say which access."""
        super().__init__(f"{what} of {device} at {address:#x}: a bus error: {why}")
        self.address = address


class FindingsError(TargetError):
    """The findings, or violations, are not those that were expected.

    :ivar findings: those that the message names.
    :ivar hints: what else may help.
    """

    def __init__(
        self, problem: str, findings: Sequence[Explained], hints: Sequence[str] = ()
    ) -> None:
        """Say what is wrong, then each finding, and each hint, on a line of its own."""
        super().__init__("\n".join([problem, *(finding.line() for finding in findings), *hints]))
        self.findings, self.hints = tuple(findings), tuple(hints)


class LinkError(Dmav3Error):
    """The serial line or the monitor does not work; what the target has done is not known."""


class GarbageError(LinkError):
    """Bytes that are no line of the protocol; `line` holds them (the first 512)."""

    def __init__(self, line: bytes, problem: str) -> None:
        """Quote the bytes."""
        super().__init__(f"garbage on the serial line ({problem}): {line!r}")
        self.line = line


class DeadlineError(LinkError):
    """No answer in time; `request` is what was waited for, `seconds` how long."""

    def __init__(self, request: str, seconds: float) -> None:
        """Name what was waited for."""
        super().__init__(f"no answer to `{request}` within {seconds:g} s")
        self.request, self.seconds = request, seconds


class HangError(TargetError, DeadlineError):
    """The firmware does not answer, though QEMU runs and its monitor answers."""

    def __init__(self, silence: DeadlineError, place: str) -> None:
        """Say where the core is: a function, file and line."""
        DeadlineError.__init__(self, silence.request, silence.seconds)
        self.args = (f"{silence}; QEMU runs, and its CPU is in {place}",)
        self.place = place


class ClosedError(LinkError):
    """The other side closed the connection."""


class PeerError(LinkError):
    """What answers on the serial line is not the image that was started."""


class MonitorError(LinkError):
    """QEMU refused a monitor command, and nothing changed; `command`, `arguments`, `reason`."""

    def __init__(self, command: str, arguments: Mapping[str, object], reason: str) -> None:
        """Keep command and reason."""
        super().__init__(f"QEMU refused {command} {dict(arguments)}: {reason}")
        self.command, self.arguments, self.reason = command, dict(arguments), reason


class InfrastructureError(Dmav3Error):
    """Something on this computer is missing or broke; says nothing about the firmware."""


class NotBuiltError(InfrastructureError):
    """A built file is missing or older than its sources; `path` is the file."""

    def __init__(self, path: Path, problem: str, way_out: str) -> None:
        """Name the file and the way out."""
        super().__init__(f"{path} {problem}: {way_out}")
        self.path = path


class PrivateFolderError(InfrastructureError):
    """The folder for a person's sockets cannot be used; `path` is what is wrong."""

    def __init__(self, path: Path, problem: str) -> None:
        """Name the path and the way out."""
        super().__init__(f"{path} {problem}: remove it, or name another folder in $XDG_RUNTIME_DIR")
        self.path = path


class CompilerMissingError(InfrastructureError):
    """There is no compiler or no linker."""

    def __init__(self, problem: str, way_out: str) -> None:
        """Say what is missing and how to get it."""
        super().__init__(f"{problem} ({way_out})")


class QemuError(InfrastructureError):
    """QEMU cannot be used; `argv` is the command, `log` the end of what it said."""

    def __init__(self, problem: str, argv: Sequence[str], log: str = "") -> None:
        """Keep command and log; the log is part of the message."""
        super().__init__(problem + (f"; it said:\n{log}" if log else ""))
        self.argv, self.log = tuple(argv), log


class QemuMissingError(QemuError):
    """There is no QEMU to start."""


class QemuTooOldError(QemuError):
    """The QEMU found is older than the extension can live in."""


class QemuRefusedError(QemuError):
    """QEMU, or the extension in it, ended during the start."""


class QemuDiedError(QemuError):
    """QEMU ended without being asked to."""


class QemuStuckError(QemuError, DeadlineError):
    """QEMU itself does not answer, so nothing is known of the firmware; only a fresh board helps.

    :ivar place: what it is in, as far as that can be seen from outside.
    """

    def __init__(
        self, silence: DeadlineError, qemu: str, place: str, argv: Sequence[str], log: str
    ) -> None:
        """Say what was waited for, which QEMU is where, and quote its log."""
        DeadlineError.__init__(self, silence.request, silence.seconds)
        text = f"{silence}: {qemu} is in {place}, not the firmware; start a fresh board"
        self.args = (text + (f"; it said:\n{log}" if log else ""),)
        self.argv, self.log, self.place = tuple(argv), log, place
