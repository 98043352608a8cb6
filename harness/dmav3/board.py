# SPDX-License-Identifier: Apache-2.0
"""The board: the one object that a user meets.

::

    with Board() as board:
        buffer = board.memory.allocate(4096)
        board.write(buffer, b"...")        # by ordinary stores of the guest's CPU
        board.dram.read(...)               # what a device would see

Time passes on the board only inside requests; between them everything stands still and may be
looked at.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import ExitStack, contextmanager
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from . import files
from .argv import Start
from .channel import Channel, check_number
from .deadline import deadline
from .dma import Cells
from .doors import Card, Doors
from .errors import (
    ClosedError,
    DeadlineError,
    Dmav3Error,
    FaultError,
    HangError,
    NotStartedError,
    PeerError,
    QemuStuckError,
    UsageError,
)
from .events import EventLog
from .expectation import Observed
from .link import SocketLink
from .machine import Machine, load
from .memory import Memory
from .probe import LAYOUTS, Lines, Probe
from .process import Process, qemu_binary
from .qmp import Monitor
from .report import LIMITS, POISONED, Finding, costs, kinds, resolve
from .rpc import Reply, Rpc
from .shim import Shim
from .stream import Stream
from .symbols import read_elf, read_extension
from .trace import lines as trace_lines
from .views import Mapping, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .errors import QemuError
    from .machine import Device
    from .memory import Buffer
    from .probe import Access
    from .violation import Violation

SCHEDULES = ("lru", "speculative", "never", "eager")
_PROTOCOL_LEVEL = 1
#: Real time that the monitor has to say where the core is.
_MONITOR_SECONDS = 2.0
#: Real time after which an access to a device's register, which takes microseconds, is the device's
#: fault. On a busy computer QEMU may have to wait for its turn in the middle of one.
_ACCESS_SECONDS = 0.5
_LAST_SEED = (1 << 64) - 1


class Board(Shim):
    """An emulated board with the shim on it, from start to stop; a context manager.

    :ivar machine: its description.
    :ivar image: the firmware's symbols.
    :ivar qmp: QEMU's monitor.
    :ivar cpu, dram: memory as the CPU and as devices see it.
    :ivar probe: line states, counters, findings as the extension writes them.
    :ivar events: the event log since the last reset.
    :ivar stream: the host side of the stream peripheral.
    :ivar memory: buffers for tests.
    :ivar doors: where a person's monitor and gdb attach; None unless asked for.
    """

    def __init__(
        self,
        machine: str | Path | Machine = "virt-a53",
        *,
        image: Path | str | None = None,
        seed: int = 1,
        schedule: str | None = None,
        log: Path | None = None,
        doors: bool = False,
        trace: bool = True,
        devices: Iterable[Device | str] = (),
    ) -> None:
        """Check every argument and file; start nothing yet.

        :param machine: name or YAML file of a machine, or a machine.
        :param image: firmware; None: the machine's own.
        :param seed: of the schedule, 64 bits.
        :param schedule: when the cache acts of its own accord, "speculative" (the default) or
            "lru", "never" or "eager"; cannot be named for a machine without a cache model.
        :param log: file that keeps QEMU's error output; None: it is kept as long as the board.
        :param trace: record what the channels of the DMA controller execute in the event log, the
            first 16,384 instructions of each run (`trace-instructions`).
        :param devices: PCI devices of QEMU's own, behind those of the machine, on slots from 1 on;
            a text is a model with its options, such as "edu,dma_mask=0xffffffff".
        :param doors: open a second monitor and a gdb socket in this user's private folder.
        :raises UsageError: an argument, or a file that one names, is wrong.
        :raises NotBuiltError: firmware or extension have not been built.
        """
        super().__init__()
        described = machine if isinstance(machine, Machine) else load(machine)
        self.machine = described.with_devices(devices)
        self.seed, self.schedule = checked_seed(seed), checked_schedule(self.machine, schedule)
        self.image = read_elf(
            Path(image) if image else files.firmware(self.machine.firmware), "EM_AARCH64"
        )
        self._flat = self.image.flat(self.machine.image_memory)
        self.extension = read_extension()
        self._log, self._with_doors, self._trace = log, doors, trace
        self._resources = ExitStack()
        self._paused = self._crashed = False
        self._findings = Observed(
            self._raw_findings, lambda raw: resolve(raw, self.image, self.memory)
        )
        self._version: str | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        """Start QEMU and wait for the shim's first word.

        :raises QemuError: QEMU is missing, too old, or refused. Nothing is left running.
        :raises PeerError: what answers is not the image that was started.
        """
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End QEMU, by force if need be, and remove everything."""
        self._resources.close()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Refuse what only a board has that was started."""
            if "_process" in vars(self) or name.startswith("__"):
                raise AttributeError(name)
            raise NotStartedError(name.removeprefix("_"))

    @property
    def running(self) -> bool:
        """True while QEMU runs."""
        return self._process.running

    @property
    def qemu_version(self) -> str:
        """Version of the QEMU that runs, such as "10.0.2"."""
        if self._version is None:
            version = self.qmp.execute("query-version")["qemu"]
            self._version = "{major}.{minor}.{micro}".format(**version)
        return self._version

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self._process.pid

    def death(self) -> QemuError:
        """Explain why nobody answers any more: QEMU ended, or the extension stopped it for good."""
        return (self._limit() if self.probe.limit else None) or self._process.death()

    def fault(self, report: dict[str, str]) -> FaultError:
        """Explain a fault line of the shim, with function, file and line.

        From then on the core sleeps, so memory counts as standing still until the next reset.
        """
        self._crashed = True
        return FaultError(report, self._place(report))

    # Conversation

    def request(self, *words: str | int) -> Reply:
        """Send one request of firmware/PROTOCOL.md and serve callbacks until it is answered.

        :raises RefusedError: the shim answered `error`; nothing was done.
        :raises FaultError: the firmware crashed; only `reset` helps.
        :raises HangError: it did not answer in time, though QEMU does; only `reset` helps.
        :raises QemuDiedError: QEMU ended.
        :raises QemuStuckError: it did not answer in time, because QEMU does not.
        :raises QemuLimitError: QEMU's model of the PL330 is at its end; only a fresh board helps.
        :raises LinkError: no or no sensible answer; only `reset` helps.
        """
        try:
            return self.rpc.call(*words)
        except ClosedError as error:
            raise self.death() from error
        except FaultError as error:
            raise self.fault(error.report) from error
        except (HangError, QemuStuckError):
            raise
        except DeadlineError as error:
            raise self._silence(error) from error

    def channel(self, number: int) -> Channel:
        """Return a channel of the DMA controller, 0 to 7; `UsageError` if there is no such."""
        return Channel(self.qmp, number)

    def trace(self, channel: int | None = None) -> list[str]:
        """Return what the DMA controller did since the last reset, a line each, for a person.

        :param channel: of this one only, 0 to 7.
        """
        if channel is not None:
            check_number(channel)
        return list(trace_lines(self.events, channel))

    # Memory and evidence

    @property
    def time_ns(self) -> int:
        """Model time."""
        self.probe.settle()
        return self.probe.time_ns

    def load(self, address: int, size: int) -> bytes:
        """Return guest memory as the CPU sees it, without an access; identity mapped only."""
        return self.cpu.read(address, size)

    def stage(self, address: int, data: bytes) -> None:
        """Put bytes into the staging window, in both views."""
        self.probe.settle()
        for fd in {self._process.ram, self._process.dram}:
            os.pwrite(fd, data, address - self.probe.ram_base)

    def lines(self, buffer: Buffer) -> Lines:
        """Count the cache lines that a buffer touches, by state."""
        self.probe.settle()
        return self.probe.count(buffer.ranges)

    def findings(self) -> list[Finding]:
        """Return what the cache model has found since the last reset, explained."""
        return self._findings.all()

    def costs(self) -> list[dict[str, Any]]:
        """Return how much maintenance since the last reset changed nothing (`report.costs`)."""
        self.probe.settle()
        return costs(self.probe.costs(), self.image)

    def unexpected(self) -> list[Finding | Violation]:
        """Return the findings and violations that no `expect` has consumed."""
        return [*self._findings.unexpected(), *super().unexpected()]

    @property
    def violation_count(self) -> int:
        """Violations since the last reset, also those that the event log has lost."""
        self.probe.settle()
        return self.probe.violations

    @property
    def lost(self) -> int:
        """Findings and violations that had no room."""
        return super().lost + self.probe.findings_lost

    def kinds(self) -> list[str]:
        """Return the kinds that `expect` knows."""
        return [*kinds(), *super().kinds()]

    def _observed(self, kind: str) -> Observed[Any]:
        return self._findings if kind in kinds() else super()._observed(kind)

    def _raw_findings(self) -> list[dict[str, Any]]:
        self.probe.settle()
        return self.probe.findings()

    # Run control

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the machine inside the block, whatever it is doing."""
        if self.probe.limit:
            yield
            return
        self.qmp.execute("stop")
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            self.qmp.execute("cont")

    def reset(self, *, seed: int | None = None, schedule: str | None = None) -> None:
        """Reset the machine and wait for the shim's first word; buffers and callbacks are gone.

        :param seed, schedule: from now on; None: as before.
        :raises QemuLimitError: a reset cannot make QEMU's model of the PL330 as good as new.
        """
        self._check_limit()
        self._crashed = True  # whatever it does, nobody waits for it any more
        if seed is not None and checked_seed(seed) != self.seed:
            self.qmp.set("seed", seed, lasting=True)
            self.seed = seed
        if schedule is not None and checked_schedule(self.machine, schedule) != self.schedule:
            self.qmp.set("schedule", schedule, lasting=True)
            self.schedule = schedule
        self._crashed = False
        before = self.probe.ring_reset
        since = len(self.qmp.events)
        self.qmp.wait_event("RESET", since, doing=lambda: self.qmp.execute("system_reset"))
        while self.probe.ring_reset == before:
            self.probe.settle()
        self.probe.settle()
        self._check_limit()
        self.rpc.forget()
        self.memory.free_all()
        self._findings.forget()
        self._forget()
        self._hello()

    def forget_logs(self) -> None:
        """Empty the logs of the serial line and of the monitor."""
        self.link.log.clear()
        self.qmp.log.clear()
        self._log_start = self._process.log_size()

    def qemu_log(self) -> str:
        """Return what QEMU has written to its error output since `forget_logs`."""
        return self._process.log(self._log_start)

    # Start

    def _start(self, resources: ExitStack) -> None:
        # The shim prints it: always all digits, so that this always takes the same time.
        self._nonce = 1 << 63 | secrets.randbits(63)
        start = Start(
            qemu=qemu_binary(),
            extension=self.extension.path,
            image=self._flat,
            nonce=self._nonce,
            seed=self.seed,
            schedule=self.schedule,
        )
        self.doors = resources.enter_context(Doors(self.machine.name)) if self._with_doors else None
        inherited = self.doors.descriptors() if self.doors else None
        process = Process(self.machine, start, self._log, inherited)
        self._process = resources.enter_context(process)
        if self.doors:
            self.doors.handed_over()
        self.qmp = resources.enter_context(Monitor(self._process.monitor, self._settle))
        resources.callback(self._process.quit, lambda: self.qmp.execute("quit"))
        self.link = SocketLink(self._process.serial)
        self.rpc = Rpc(self.link)
        self._read_layouts()
        try:
            self._hello()
        except ClosedError as error:
            raise self._process.early_end() from error
        self._map(resources)
        if not self._trace:
            self.qmp.set("trace", 0, lasting=True)
        if self.doors:
            self.doors.announce(self._card(self.doors))

    def _card(self, doors: Doors) -> Card:
        process = self._process
        return Card(
            board=doors.name,
            pid=process.pid,
            machine=self.machine.name,
            seed=self.seed,
            schedule=self.schedule,
            image=str(self.image.path.absolute()),
            qmp=str(doors.qmp),
            gdb=str(doors.gdb),
            probe=f"/proc/{process.pid}/fd/{process.probe}",
            cpu_view=f"/proc/{process.pid}/fd/{process.ram}",
            dram=f"/proc/{process.pid}/fd/{process.dram}",
        )

    def _read_layouts(self) -> None:
        """Read what will be needed while QEMU starts, on another core if there is one."""
        for name in LAYOUTS:
            self.extension.struct(name)
        self.image.function(0)

    def _map(self, resources: ExitStack) -> None:
        def view(fd: int, *, writable: bool = False) -> memoryview:
            return resources.enter_context(Mapping(fd, writable=writable)).view

        self.probe = Probe(view(self._process.probe), self.extension, self._stands_still)
        self.events = EventLog(self.probe)
        settle, base = self.probe.settle, self.probe.ram_base
        self.cpu = Window("CPU view", view(self._process.ram), base, settle)
        self.dram = Window("DRAM", view(self._process.dram), base, settle)
        rings = view(self._process.stream, writable=True)
        self.stream = Stream(rings, self.extension, settle)
        self.memory = Memory(self.image, self.cpu.read)
        cells = self.memory.cells
        self.cells = Cells(cells.start, cells.end, self.stage, self.cpu.read)

    def _hello(self) -> None:
        """Make sure that what answers is the image that we started, just now."""
        reply = self.rpc.call("hello")
        if reply.number("level") != _PROTOCOL_LEVEL:
            msg = f"the shim speaks protocol level {reply['level']}, {_PROTOCOL_LEVEL} is needed"
            raise PeerError(msg)
        if reply.number("nonce") != self._nonce:
            msg = f"another emulator answers: nonce {reply['nonce']} instead of {self._nonce:#x}"
            raise PeerError(msg)
        build = f"{reply.number('build'):016x}"
        if self.image.build_id and not self.image.build_id.startswith(build):
            msg = (
                f"another image answers: build {build}, {self.image.path} is {self.image.build_id}"
            )
            raise PeerError(msg)

    def _settle(self) -> None:
        self.probe.settle()

    def _stands_still(self) -> bool:
        return self._paused or self._crashed or not self._process.running

    def _silence(self, error: DeadlineError) -> DeadlineError:
        """Tell a firmware that hangs from a QEMU that does: ask the monitor where the core is.

        A device that does not come back from an access to its register keeps QEMU from answering,
        and may come back while it is asked; so that is looked at first.
        """
        if access := self._lasting_access():
            return self._process.stuck(error, access)

        def registers() -> str:
            with deadline(_MONITOR_SECONDS):
                return str(
                    self.qmp.execute("human-monitor-command", **{"command-line": "info registers"})
                )

        try:
            pc = re.search(r"PC=([0-9a-f]+)", Context().run(registers))
        except DeadlineError:
            return self._process.stuck(error)
        except Dmav3Error:
            return error
        at = int(pc[1], 16) if pc else 0
        return HangError(error, self.image.place(at) or f"{at:#x}")

    def _lasting_access(self) -> Access | None:
        """Return the access to a device's register that takes uncommonly long, if there is one."""
        if access := self.probe.register_access:
            time.sleep(_ACCESS_SECONDS)
        return access if access == self.probe.register_access else None

    def _place(self, report: dict[str, str]) -> str:
        """Name the place of a fault; after a jump to nowhere, where it came from."""
        caller = self.image.place(int(report.get("x30", "4"), 0) - 4)
        if "elr" not in report:
            return caller
        pc = int(report["elr"], 0)
        return self.image.place(pc) or (f"a jump to {pc:#x} by {caller}" if caller else "")

    def _limit(self) -> QemuError | None:
        """Explain what has come to its end in QEMU's model of the PL330, if anything has."""
        if limit := self.probe.limit:
            return self._process.limit(LIMITS[limit[0]].format(channel=limit[1]))
        if spoiled := self.probe.spoiled:
            channel = (spoiled & -spoiled).bit_length() - 1
            return self._process.limit(POISONED.format(channel=channel))
        return None

    def _check_limit(self) -> None:
        if error := self._limit():
            raise error


def checked_seed(seed: int) -> int:
    """Return `seed`; `UsageError` if it does not fit."""
    if type(seed) is not int or not 0 <= seed <= _LAST_SEED:
        msg = f"seed {seed!r} is not in 0 to {_LAST_SEED}"
        raise UsageError(msg)
    return seed


def checked_schedule(machine: Machine, schedule: str | None) -> str | None:
    """Return the schedule that a machine gets for a wish; `UsageError` if it cannot be met."""
    if machine.cache is None:
        if schedule is not None:
            msg = f"schedule {schedule!r} makes no sense: {machine.name} has no cache model"
            raise UsageError(msg)
        return None
    if schedule is not None and schedule not in SCHEDULES:
        msg = f"unknown schedule {schedule!r}; known are: {', '.join(SCHEDULES)}"
        raise UsageError(msg)
    return schedule or "speculative"
