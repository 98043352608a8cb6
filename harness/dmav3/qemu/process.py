# SPDX-License-Identifier: Apache-2.0
"""The QEMU process: started with inherited descriptors only, and gone at the end, always.

Nothing of it outlives the harness: it holds one end of the lifeline, a socketpair whose other
end is here, and the extension ends the process when that closes, however we die.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dmav3 import installation
from dmav3.deadlines import deadline
from dmav3.errors import (
    Dmav3Error,
    QemuDiedError,
    QemuError,
    QemuMissingError,
    QemuRefusedError,
    QemuStuckError,
    QemuTooOldError,
    UsageError,
    WrongCacheError,
)
from dmav3.machine.argv import Descriptors, Start, arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.errors import DeadlineError
    from dmav3.machine.description import Machine

#: The oldest QEMU with every function that the extension uses.
OLDEST_QEMU = (10, 0)
#: Seconds of real time that each rung of `stop` gets.
_RUNG_SECONDS = 2.0
#: Exit status of the extension when the guest's registers contradict `cache-…` (ext/ident.h).
_WRONG_CACHE = 2
_LOG_TAIL_BYTES = 4_000
#: What QEMU says of an option for a device of ours, or for its disk (machine/argv.py).
_REFUSED_DEVICE = re.compile(
    r"-(device|blockdev) .*\b(id|node-name)=pci(?P<slot>\d+)\b.*?: (?P<said>.*)"
)
#: Where a process is that does not answer, by its state in /proc.
_PLACES = {
    "T": "a stop by a signal",
    "t": "the hands of a debugger",
    "D": "a wait for this computer's disk",
}
#: The header's page and two rings of 4 MiB.
_STREAM_BYTES = 4096 + 2 * (4 << 20)


def qemu_binary() -> str:
    """Return the QEMU to start: `$DMAV3_QEMU`, or the one on the path."""
    return os.environ.get("DMAV3_QEMU") or "qemu-system-aarch64"


class Process:
    """A running QEMU, and the ends of its connections that are ours.

    A context manager: leaving it ends QEMU within a few seconds, whatever state it is in.

    :ivar ram, dram, probe, stream: descriptors of the shared memories (`dram` is `ram` where
        there is one view); `probe` gets its size from the extension.
    :ivar watch: file of what is done to bytes that are watched; None: none are.
    :ivar serial, monitor: connected sockets.
    :ivar remote: a connected socket for devices written in Python; None: there are none.
    :ivar argv: the command line.
    """

    def __init__(
        self,
        machine: Machine,
        start: Start,
        log: Path | None = None,
        sockets: tuple[int, int] | None = None,
    ) -> None:
        """Start QEMU.

        :param sockets: listening sockets for a person's monitor and gdb, which stay the caller's.
        :param log: file for its error output; None: memory that is gone with us.
        :raises QemuMissingError: there is nothing to start. Nothing is left behind.
        """
        self._said, self._stopped = b"", False
        with ExitStack() as resources, ExitStack() as theirs:
            self._log = _memory(resources, "dmav3-log") if log is None else _file(resources, log)
            size = machine.memory_mib << 20
            self.ram = _memory(resources, "dmav3-ram", size)
            one_view = machine.cache is None
            self.dram = self.ram if one_view else _memory(resources, "dmav3-dram", size)
            self.probe = _memory(resources, "dmav3-probe")
            self.stream = _memory(resources, "dmav3-stream", _STREAM_BYTES)
            self.watch = _memory(resources, "dmav3-watch") if start.watch.bytes else None
            image = _memory(resources, "dmav3-image", data=start.image.data)
            self.serial, serial = _pair(resources, theirs)
            self.monitor, monitor = _pair(resources, theirs)
            self._lifeline, lifeline = _pair(resources, theirs)
            self.remote: socket.socket | None = None
            remote: socket.socket | None = None
            if start.remote:
                self.remote, remote = _pair(resources, theirs)
            fds = Descriptors(
                ram=self.ram,
                dram=None if one_view else self.dram,
                probe=self.probe,
                stream=self.stream,
                image=image,
                serial=serial.fileno(),
                monitor=monitor.fileno(),
                lifeline=lifeline.fileno(),
                sockets=sockets,
                remote=remote.fileno() if remote else None,
                watch=self.watch,
            )
            self.argv = arguments(machine, start, fds)
            self._machine = machine.name
            self._devices = machine.devices
            slots = enumerate(machine.devices, 1)
            self._models = " or ".join(f"{device.model} (pci{slot})" for slot, device in slots)
            self._child = self._spawn(fds)
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop QEMU."""
        self.stop()

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self._child.poll() is None

    def log_size(self) -> int:
        """Return how many bytes QEMU has written to its error output, also after `stop`."""
        return len(self._said) if self._stopped else os.fstat(self._log).st_size

    def log(self, since: int = 0) -> str:
        """Return what QEMU wrote to its error output from byte `since` on, also after `stop`."""
        if self._stopped:
            return self._said[since:].decode(errors="replace")
        return os.pread(self._log, self.log_size() - since, since).decode(errors="replace")

    def log_tail(self) -> str:
        """Return the end of what QEMU wrote to its error output."""
        return self.log(max(0, self.log_size() - _LOG_TAIL_BYTES)).strip()

    def quit(self, ask: Callable[[], object]) -> None:
        """Let `ask` make QEMU end, the first rung of a stop; its errors do not matter."""
        if self.running:
            with suppress(Dmav3Error), deadline(_RUNG_SECONDS):
                ask()
                self._ended_within(_RUNG_SECONDS)

    def stop(self) -> None:
        """End QEMU: cut the lifeline, then SIGKILL; closes every descriptor. Repeatable."""
        with self._resources:
            self._lifeline.close()
            if not self._ended_within(_RUNG_SECONDS):
                self._child.kill()
                self._child.wait()
            if not self._stopped:
                self._said = os.pread(self._log, self.log_size(), 0)
                self._stopped = True

    def let_go(self) -> None:
        """In a forked child: close the connections, which are the parent's."""
        for end in (self.serial, self.monitor, self._lifeline, self.remote):
            if end:
                end.close()

    def stuck(self, silence: DeadlineError, access: str = "") -> QemuStuckError:
        """Explain that QEMU runs, but does not answer.

        :param access: what the CPU does to a PCI device that does not come back from it, such as
            "store to its register at 0x10000014".
        """
        place = _PLACES.get(self._state(), "work that keeps its monitor from answering")
        if access and place not in _PLACES.values():
            place = f"{self._models}, in the CPU's {access}"
        version = self._version()
        qemu = "QEMU " + ".".join(map(str, version)) if version else "QEMU"
        return QemuStuckError(silence, qemu, place, self.argv, self.log_tail())

    def _state(self) -> str:
        """Return the letter by which /proc tells what the process does; nothing if it has gone."""
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return ""

    def early_end(self) -> QemuError | UsageError:
        """Explain why QEMU closed its connections before the shim's first word."""
        self._ended_within(_RUNG_SECONDS)
        _, ours, said = self.log_tail().rpartition("dmav3: ")
        if ours and self._child.poll() == _WRONG_CACHE:
            return WrongCacheError(f"machine {self._machine}: wrong `cache`: {said}")
        if refused := _REFUSED_DEVICE.search(self.log()):
            slot, said = int(refused["slot"]), refused["said"]
            device = ",".join([self._devices[slot - 1].model, *self._devices[slot - 1].options])
            return UsageError(f"PCI device {slot} of {self._machine} ({device}): {said}")
        version = self._version()
        if version is None:
            text = f"{self.argv[0]} is not QEMU: `--version` names no version"
            return QemuRefusedError(text, self.argv, self.log_tail())
        found = ".".join(map(str, version[:2]))
        if version < OLDEST_QEMU:
            needed = ".".join(map(str, OLDEST_QEMU))
            remedy = installation.qemu_remedy()
            text = f"QEMU {found} is too old, {needed} or later is needed; {remedy}"
            return QemuTooOldError(text, self.argv, self.log_tail())
        text = f"QEMU {found} did not start ({self._how_it_ended()})"
        return QemuRefusedError(text, self.argv, self.log_tail())

    def death(self) -> QemuDiedError:
        """Explain that QEMU ended in the middle of the work."""
        self._ended_within(_RUNG_SECONDS)
        text = f"QEMU ended in mid-run ({self._how_it_ended()})"
        return QemuDiedError(text, self.argv, self.log_tail())

    def exit_status(self) -> int | None:
        """Return its exit status, or minus a signal's number; None if it does not end in time."""
        self._ended_within(_RUNG_SECONDS)
        return self._child.poll()

    def bad_end(self) -> QemuDiedError | None:
        """Explain how it ended of its own accord, if not well; nobody does so by SIGKILL."""
        if self._child.poll() in {None, 0, -signal.SIGKILL}:
            return None
        text = f"QEMU ended badly when it was to quit ({self._how_it_ended()})"
        return QemuDiedError(text, self.argv, self.log_tail())

    def _spawn(self, fds: Descriptors) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - the user's own choice of QEMU
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=fds.all(),
                process_group=0,  # Ctrl-C on a terminal is ours to handle
            )
        except OSError as error:
            text = f"cannot start {self.argv[0]}: {error.strerror}; {installation.qemu_remedy()}"
            raise QemuMissingError(text, self.argv) from error

    def _ended_within(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        return not self.running

    def _how_it_ended(self) -> str:
        status = self._child.poll()
        if status is None:
            return "it still runs, but closed its connections"
        return f"killed by signal {-status}" if status < 0 else f"exit status {status}"

    def _version(self) -> tuple[int, ...] | None:
        with suppress(OSError, subprocess.SubprocessError):
            shown = subprocess.run(  # noqa: S603 - the same program as before
                [self.argv[0], "--version"],
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=10,
            ).stdout.decode(errors="replace")
            if found := re.search(r"version (\d+(?:\.\d+)+)", shown):
                return tuple(map(int, found[1].split(".")))
        return None


def _memory(resources: ExitStack, name: str, size: int = 0, data: bytes = b"") -> int:
    fd = os.memfd_create(name)
    resources.callback(os.close, fd)
    os.ftruncate(fd, max(size, len(data)))
    os.pwrite(fd, data, 0)
    return fd


def _file(resources: ExitStack, path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    resources.callback(os.close, fd)
    return fd


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    mine, other = socket.socketpair()
    return ours.enter_context(mine), theirs.enter_context(other)
