# SPDX-License-Identifier: Apache-2.0
"""The QEMU of a board: its process, monitor and command line, and why it does not answer."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager, nullcontext, suppress
from contextvars import Context
from typing import TYPE_CHECKING

from dmav3.deadlines import VARIABLE, deadline
from dmav3.elf.image import ours, read_extension
from dmav3.errors import (
    DeadlineError,
    Dmav3Error,
    HangError,
    InfrastructureError,
    PowerError,
    PrivateFolderError,
    UsageError,
)
from dmav3.evidence.probe import LAYOUTS, Probe
from dmav3.evidence.watched import watched
from dmav3.guest.windows import Mapping
from dmav3.machine.argv import Acts, Function, Registers, Start, Stop, Watch
from dmav3.machine.doorbells import check_doorbells
from dmav3.machine.schedule import checked_schedule, checked_seed
from dmav3.qemu.process import Process, qemu_binary
from dmav3.qemu.qmp import BOARD, Monitor
from dmav3.qemu.sockets import BoardCard, Sockets
from dmav3.wire.link import SocketLink

from .contents import contents_of
from .fault_report import explain_fault
from .recording import Recording
from .started import Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from dmav3.devices.device import Device
    from dmav3.devices.remote import Remote
    from dmav3.elf.image import Elf
    from dmav3.errors import FaultError
    from dmav3.evidence.probe import Access
    from dmav3.evidence.watched import Watched
    from dmav3.machine.description import Machine

    from .contents import Contents

#: Real time that the monitor has to say where the core is.
_MONITOR_SECONDS = 2.0
#: Real time after which an access to a device's register, which takes microseconds, is the device's
#: fault. On a busy computer QEMU may have to wait for its turn in the middle of one.
_ACCESS_SECONDS = 0.5


class Emulator:
    """The QEMU of one board: `Board.qemu`.

    :ivar schedule: when the cache acts of its own accord; None where no cache is modelled.
    :ivar seed: of the schedule, 64 bits; `Board.reset` changes both.
    :ivar extension: symbols of the QEMU extension.
    :ivar nonce: what the shim must answer to `hello`, so that no other emulator is talked to.
    :ivar process: the process, and the files of the shared memories.
    :ivar monitor: QEMU's monitor.
    :ivar link: the serial line that commands travel on.
    :ivar probe: what the extension tells.
    :ivar recording: what has reached the board, with which the run can be had again.
    :ivar stop: where the machine is to stop; set before the start.
    :ivar acts: of the cache, to be logged or followed; set before the start.
    :ivar watch: the bytes that are watched; set before the start.
    :ivar sockets: where a person's monitor and gdb attach; None: nowhere.
    """

    process = Started[Process]()
    monitor = Started[Monitor]()
    link = Started[SocketLink]()
    probe = Started[Probe]()
    sockets = Started[Sockets | None]()

    def __init__(
        self,
        machine: Machine,
        image: Elf,
        log: Path | None,
        *,
        seed: int,
        schedule: str | None,
        remote: Remote,
    ) -> None:
        """Check that the image fits into the machine; start nothing yet.

        :param log: file that keeps QEMU's error output; None: it is kept as long as the board.
        :param remote: the devices written in Python.
        :raises UsageError: it does not.
        :raises NotBuiltError: the extension has not been built.
        """
        self._machine, self._image, self._log, self._remote = machine, image, log, remote
        self.seed, self.schedule = seed, schedule
        self._flat = image.flat(machine.image_memory)
        self.extension = read_extension()
        # The shim prints it: always all digits, so that this always takes the same time.
        self.nonce = 0
        self._paused = self._crashed = False
        self._version: str | None = None
        self._log_start = self._events_before = self._commands_before = 0
        self.recording = Recording(self._now, self.disks)
        self.stop, self.watch = Stop(), Watch()
        self.acts = Acts()

    def start(self, resources: ExitStack, *, sockets: bool | None) -> None:
        """Start QEMU; `resources` ends it.

        :param sockets: as of `Board`.
        """
        self._resources = resources
        self.nonce = 1 << 63 | secrets.randbits(63)
        start = Start(
            qemu=qemu_binary(),
            extension=self.extension.path,
            image=self._flat,
            nonce=self.nonce,
            seed=self.seed,
            schedule=self.schedule,
            stop=self.stop,
            watch=self.watch,
            acts=self.acts,
            remote=tuple(map(_registers, self._remote.devices)),
        )
        self.sockets = None
        if sockets is not False:
            with nullcontext() if sockets else suppress(PrivateFolderError):
                self.sockets = resources.enter_context(Sockets(self._machine.name))
        inherited = self.sockets.descriptors() if self.sockets else None
        process = Process(self._machine, start, self._log, inherited)
        self.process = resources.enter_context(process)
        if self.sockets:
            self.sockets.handed_over()
        self.monitor = resources.enter_context(
            Monitor(process.monitor, self._settle, self.recording.command)
        )
        resources.push(self._quit)
        if any(device.doorbells for device in self._machine.devices):
            bars = self.monitor.execute("qom-get", path=BOARD, property="doorbell-bars")
            check_doorbells(self._machine, bars)
        self.link = SocketLink(process.serial, self.recording.line)
        if process.remote:
            resources.enter_context(
                self._remote.start(
                    process.remote,
                    self._set_due,
                    lambda: self.probe.time_ns,
                    self.recording.of_devices,
                )
            )
        self._read_layouts()

    def map(self) -> None:
        """Map what the extension tells, once it has told it."""
        mapping = self._resources.enter_context(Mapping(self.process.probe))
        self._resources.callback(lambda: vars(self).pop("probe"))
        self.probe = Probe(mapping.view, self.extension, self._stands_still)

    def disks(self) -> dict[int, Contents]:
        """Return what the disks have in them now, by the slots of their devices."""
        devices = enumerate(self._machine.devices, 1)
        return {slot: contents_of(device.disk) for slot, device in devices if device.disk}

    def watched(self) -> list[Watched]:
        """Return what was done to the bytes that are watched since the last reset."""
        if self.process.watch is None:
            return []
        size = os.fstat(self.process.watch).st_size
        return watched(os.pread(self.process.watch, size, 0), self.extension)

    def announce(self) -> None:
        """Say in `board.json` what runs, if a person may attach."""
        if self.sockets is None:
            return
        process = self.process
        card = BoardCard(
            board=self.sockets.name,
            pid=process.pid,
            machine=self._machine.name,
            seed=self.seed,
            schedule=self.schedule,
            image=str(self._image.path.absolute()),
            qmp=str(self.sockets.qmp),
            gdb=str(self.sockets.gdb),
            probe=f"/proc/{process.pid}/fd/{process.probe}",
            cpu_view=f"/proc/{process.pid}/fd/{process.ram}",
            dram=f"/proc/{process.pid}/fd/{process.dram}",
        )
        self.sockets.announce(card)

    def let_go(self) -> None:
        """In a forked child: close what keeps QEMU, and the folder of its sockets, alive."""
        if "process" in vars(self):
            self.process.let_go()
        if sockets := vars(self).get("sockets"):
            sockets.let_go()

    @property
    def running(self) -> bool:
        """True while QEMU runs."""
        return self.process.running

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self.process.pid

    @property
    def version(self) -> str:
        """Version of the QEMU that runs, such as "10.0.2"."""
        if self._version is None:
            version = self.monitor.execute("query-version")["qemu"]
            self._version = "{major}.{minor}.{micro}".format(**version)
        return self._version

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the machine inside the block, whatever it is doing."""
        self.monitor.execute("stop")
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            self.monitor.execute("cont")

    def reset(self, *, seed: int | None = None, schedule: str | None = None) -> None:
        """Reset the machine and wait until the reset is over.

        :param seed, schedule: from now on; None: as before.
        :raises UsageError: the machine has QEMU's own PL330.
        """
        self._check_resettable()
        self._crashed = True  # whatever the firmware does, nothing waits for it any more
        if seed is not None and checked_seed(seed) != self.seed:
            self.monitor.set("seed", seed, lasting=True)
            self.seed = seed
        if schedule is not None and checked_schedule(self._machine, schedule) != self.schedule:
            self.monitor.set("schedule", schedule, lasting=True)
            self.schedule = schedule
        self._crashed = False
        before = self.probe.ring_reset
        since = len(self.monitor.events)
        self.monitor.wait_event("RESET", since, doing=lambda: self.monitor.execute("system_reset"))
        self._events_before = len(self.monitor.events)
        self._commands_before = len(self.monitor.log)
        while self.probe.ring_reset == before:
            self.probe.settle()
        self.probe.settle()

    @property
    def was_stopped(self) -> bool:
        """Whether somebody else has stopped the machine since the last reset, as gdb does."""
        stops = sum(it["event"] == "STOP" for it in self.monitor.events[self._events_before :])
        log = self.monitor.log[self._commands_before :]
        commands = [content["execute"] for kind, content in log if kind == "command"]
        return bool(stops > commands.count("stop"))

    # Logs

    def log(self) -> str:
        """Return what QEMU has written to its error output since `forget_logs`."""
        return self.process.log(self._log_start)

    def forget_logs(self) -> None:
        """Empty the logs of the serial line and of the monitor."""
        self.link.log.clear()
        self.monitor.log.clear()
        self._commands_before = 0
        self._log_start = self.process.log_size()

    # What went wrong

    def death(self) -> Dmav3Error:
        """Explain why nothing answers any more."""
        if off := self._power("SHUTDOWN", "switched the machine off"):
            return off
        if not self._is_mapped:
            return self.process.early_end()
        return self.process.death()

    def fault(self, report: dict[str, str]) -> FaultError:
        """Explain a fault line of the shim, with function, file and line.

        From then on the core sleeps, so memory counts as standing still until the next reset.
        """
        self._crashed = True
        return explain_fault(report, self._image)

    def silence(self, error: DeadlineError) -> Dmav3Error:
        """Tell a firmware that hangs from a QEMU that does, and from a slow computer.

        The monitor is asked where the core is; an answer that comes meanwhile was only late.

        A device that does not come back from an access to its register keeps QEMU from answering,
        and may come back while it is asked; so that is looked at first.
        """
        if not self._is_mapped:
            with suppress(ValueError, InfrastructureError):  # QEMU has not come so far
                self.map()
        if not self._is_mapped:
            return self.process.stuck(error)
        if access := self._lasting_access():
            return self.process.stuck(error, str(access))

        try:
            place = Context().run(self.place)
        except DeadlineError:
            return self.process.stuck(error)
        except Dmav3Error:
            return error
        if reset := self._power("RESET", "reset the machine"):
            return reset
        return self._late(error) or HangError(error, place)

    def place(self) -> str:
        """Return where the core is: functions, files and lines as far as known, else the address.

        :raises DeadlineError: QEMU does not answer.
        """
        return where(self.monitor, self._image)

    def finish_log_of_acts(self) -> None:
        """Bring the file of `acts` up to date, whatever the machine is doing.

        :raises DeadlineError: QEMU does not answer.
        """
        with deadline(_MONITOR_SECONDS):
            self.monitor.execute("qom-get", path=BOARD, property="acts-logged")

    def _late(self, error: DeadlineError) -> DeadlineError | None:
        """Return the same error, explained, if the answer is there now or comes soon."""
        if not self.link.hears(_MONITOR_SECONDS):
            return None
        hint = f"give this computer more time, such as {VARIABLE}=120"
        error.args = (f"{error}, but later: {hint}",)
        return error

    @property
    def _is_mapped(self) -> bool:
        return "probe" in vars(self)

    def _quit(self, kind: type[BaseException] | None, *_: object) -> None:
        """End QEMU; raises `QemuDiedError` if it ends badly and nothing else is wrong."""
        lives = self.process.running
        self.process.quit(lambda: self.monitor.execute("quit"))
        judged = lives and kind is None and not self._ends_badly
        if judged and (error := self.process.bad_end()):
            raise error

    @property
    def _ends_badly(self) -> bool:
        """QEMU is known to (qemu-machines/README.md, PCI devices)."""
        return any(device.model == "nvme" for device in self._machine.devices)

    def _power(self, event: str, what: str) -> PowerError | None:
        """Return what the firmware asked QEMU for, if it did since the harness last reset it."""
        if event == "SHUTDOWN" and self.process.exit_status() != 0:
            return None

        def wait() -> None:
            with deadline(_MONITOR_SECONDS):
                self.monitor.wait_event(event, self._events_before)

        with suppress(Dmav3Error):
            Context().run(wait)
        for told in self.monitor.events[self._events_before :]:
            if told["event"] == event and told["data"]["guest"]:
                return PowerError(what, told["data"]["reason"])
        return None

    def _lasting_access(self) -> Access | None:
        """Return the access to a device's register that takes uncommonly long, if there is one."""
        if access := self.probe.register_access:
            time.sleep(_ACCESS_SECONDS)
        return access if access == self.probe.register_access else None

    def _check_resettable(self) -> None:
        if self._machine.pl330[0].is_bare:
            msg = (
                f"the machine {self._machine.name} has QEMU's own PL330, which keeps faults, waits "
                "and bytes over a reset: start a fresh board"
            )
            raise UsageError(msg)

    def _settle(self) -> None:
        """Return when memory stands still; the probe is mapped later than the monitor is opened."""
        self.probe.settle()

    def _now(self) -> int:
        probe: Probe | None = vars(self).get("probe")
        return probe.time_ns if probe else 0

    def _set_due(self, time_ns: int) -> None:
        """Say when devices written in Python want to act of their own accord."""
        self.monitor.set("remote-due", time_ns, lasting=True)

    def _stands_still(self) -> bool:
        return (
            self._paused
            or self._crashed
            or self._remote.is_handling  # the CPU waits for this thread
            or not self.process.running
        )

    def _read_layouts(self) -> None:
        """Read what will be needed while QEMU starts, on another core if there is one."""
        with ours(self.extension.path):
            for name in LAYOUTS:
                self.extension.struct(name)
        self._image.function(0)


def where(monitor: Monitor, image: Elf) -> str:
    """Return where the core is, as `Emulator.place` does."""
    with deadline(_MONITOR_SECONDS):
        pc = monitor.program_counter()
    return image.place(pc) or f"{pc:#x}"


def _registers(device: Device) -> Registers:
    """Return what QEMU has to know of a device written in Python."""
    function = device.PCI_ID and Function(device.PCI_ID, device.PCI_CLASS, device.MSI)
    return Registers(device.SIZE, device.DOORBELLS, function)
