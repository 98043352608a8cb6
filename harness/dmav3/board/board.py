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
from pathlib import Path
from typing import TYPE_CHECKING

from dmav3 import installation
from dmav3.devices.channel import Channel
from dmav3.devices.device import Device as PythonDevice
from dmav3.devices.remote import Remote
from dmav3.devices.stream import Stream
from dmav3.elf.image import read_elf, read_own
from dmav3.errors import (
    ClosedError,
    DeadlineError,
    Dmav3Error,
    FaultError,
    HangError,
    LinkError,
    PeerError,
    QemuStuckError,
    UsageError,
)
from dmav3.evidence.evidence import BoardEvidence
from dmav3.guest.memory import check_bytes
from dmav3.guest.windows import Mapping, Window
from dmav3.machine.description import Machine, load
from dmav3.machine.schedule import checked_schedule, checked_seed
from dmav3.wire.rpc import Reply, Rpc

from .driver import Driver, Resource, Way
from .emulator import Emulator
from .shim import Shim
from .started import Started
from .waiting import Onlooker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import ExitStack

    from dmav3.evidence.probe import Lines
    from dmav3.guest.memory import Buffer
    from dmav3.machine.description import Device
    from dmav3.qemu.qmp import Monitor

_PROTOCOL_LEVEL = 2
_CPU = "EM_AARCH64"
#: Bytes of the stream's registers.
_STREAM_SIZE = 0x1000


class Board(Shim):
    """An emulated board with the shim on it, from start to stop; a context manager.

    Its start raises a `QemuError` if QEMU is missing, too old, or refused, and a `PeerError` if
    what answers is not the image that was started. A board belongs to the process that started it,
    and to one thread at a time.

    :ivar machine: its description.
    :ivar image: the firmware's symbols.
    :ivar memory: buffers for tests, and loads and stores of the guest's CPU.
    :ivar cpu, dram: RAM as the CPU and as devices see it, looked at without an access.
    :ivar stream: the host side of the stream peripheral.
    :ivar dma: the routines of the interface, MDLs, the IRQL.
    :ivar layer: counters and limits of the layer under test.
    :ivar evidence: event log, findings, violations, costs, trace.
    :ivar devices: the devices written in Python, in the order in which they were given.
    :ivar traces: whether the event log has what the channels of the DMA controller execute.
    :ivar qemu: QEMU's process, the schedule of the cache model, logs, and what is wrong with it.
    """

    stream = Started[Stream]()
    evidence = Started[BoardEvidence]()

    def __init__(
        self,
        machine: str | Path | Machine = "virt-a53",
        *,
        image: Path | str | None = None,
        seed: int = 1,
        schedule: str | None = None,
        log: Path | None = None,
        sockets: bool | None = None,
        trace: bool = True,
        devices: Iterable[Device | PythonDevice | str] = (),
        judge: bool = True,
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
            a text is a model with its options, such as "edu,dma_mask=0xffffffff". An object of
            a class made of `dmav3.Device` is a device written in Python.
        :param judge: let the end of the `with` block, and each reset, raise `FindingsError` for
            findings and violations that nobody expected, and for what is left behind.
        :param sockets: open a second monitor and a gdb socket in this user's private folder, by
            which `dmav3 boards`, `qmp`, `trace` and `gdb` find it; None: where that can be done.
        :raises UsageError: an argument, or a file that one names, is wrong.
        :raises NotBuiltError: firmware or extension have not been built.
        """
        super().__init__()
        described = machine if isinstance(machine, Machine) else load(machine)
        python, others = _sorted(devices)
        self._remote = Remote(python)
        self.devices = self._remote.devices
        functions = sum(device.PCI_ID is not None for device in self.devices)
        self.machine = described.with_devices(others, functions=functions)
        schedule, seed = checked_schedule(self.machine, schedule), checked_seed(seed)
        self.image = (
            read_elf(Path(image), _CPU)
            if image
            else read_own(installation.firmware(self.machine.firmware), _CPU)
        )
        self.qemu = Emulator(
            self.machine, self.image, log, seed=seed, schedule=schedule, remote=self._remote
        )
        self._with_sockets, self.traces, self.judges = sockets, trace, judge

    @property
    def qmp(self) -> Monitor:
        """QEMU's monitor."""
        self._check_not_handling()
        return self.qemu.monitor

    def play_devices(self, script: Sequence[tuple[bool, bytes]]) -> None:
        """Let the devices written in Python say what they have said in a run before.

        Before the start; their handlers do not run.
        """
        self._remote.script = script

    def request(self, *words: str | int) -> Reply:
        """Send one request of firmware/PROTOCOL.md and serve callbacks until it is answered.

        :raises RefusedError: the shim answered `error`; nothing was done.
        :raises FaultError: the firmware crashed; only `reset` helps.
        :raises HangError: it did not answer in time, though QEMU does; only `reset` helps.
        :raises PowerError: it switched the machine off, or reset it.
        :raises QemuDiedError: QEMU ended.
        :raises QemuStuckError: it did not answer in time, because QEMU does not.
        :raises LinkError: no or no sensible answer; only `reset` helps.
        :raises HandlerError: a handler of a device written in Python does not end.
        :raises Exception: whatever such a handler raised.
        """
        rpc = self._rpc
        self._check_owner()
        self._check_not_handling()
        try:
            reply = rpc.call(*words)
            if self._remote.serves:  # what comes after the reply may run handlers as well
                self.qemu.probe.settle()
        except (LinkError, FaultError) as error:
            self._answers = False
            self._remote.raise_failures(error)
            if explained := self._explained(error):
                raise explained from error
            raise
        self._remote.raise_failures()
        return reply

    def channel(self, number: int) -> Channel:
        """Return a channel of the DMA controller, 0 to 7; `UsageError` if there is no such."""
        return Channel(self.qmp, number)

    def driver(self, device: str | PythonDevice | None = None) -> Driver:
        """Return the driver whose `DriverEntry` is in the image, to be started.

        :param device: whose resources a start names: "stream", or a device written in Python, or
            its name; None: it has none. Those of a PCI function the driver finds by dmav3_pci.h.
        :raises UsageError: the image has no `DriverEntry`, or the board no such device.
        """
        if not self.image.exports("DriverEntry"):
            msg = (
                f"{self.image.path} has no DriverEntry: build_image('driver.c', …) of one that has"
            )
            raise UsageError(msg)
        way = Way(self.call, self.memory, self._left.live, self.waiting)
        return Driver(way, str(device), self._resources_of(device))

    def _resources_of(self, device: str | PythonDevice | None) -> list[Resource]:
        if device is None:
            return []
        if device == "stream" and (stream := self.machine.stream):
            lines = (stream.receive, stream.transmit)
            return [
                Resource.memory(stream.base, _STREAM_SIZE),
                Resource.interrupt(stream.irq),
                *(Resource.dma(line, channel) for channel, line in enumerate(lines)),
            ]
        for one in self.devices:
            if device in (one, str(one)):
                if one.PCI_ID:
                    return []
                return [Resource.memory(one.base, one.SIZE), Resource.interrupt(one.spi)]
        names = ["stream", *map(str, self.devices)]
        msg = f"there is no device {str(device)!r} on the board, but {', '.join(names)}"
        raise UsageError(msg)

    def lines(self, buffer: Buffer) -> Lines:
        """Count the cache lines that a buffer touches, by state."""
        self.evidence.probe.settle()
        return self.evidence.probe.count(buffer.ranges)

    def reset(self, *, seed: int | None = None, schedule: str | None = None) -> None:
        """Reset the machine and wait for the shim's first word; buffers and callbacks are gone.

        Properties that were set stay as they are (qemu-machines/README.md); holds end.

        :param seed, schedule: from now on; None: as before.
        :raises FindingsError: as `check`, if the board judges; the machine has been reset.
        :raises UsageError: the machine has QEMU's own PL330, which keeps things over a reset.
        :raises HandlerError: a device written in Python was given up.
        """
        self._remote.check_serves()
        verdict = self._verdict() if self.judges else None
        self.qemu.reset(seed=seed, schedule=schedule)
        self._rpc.forget()
        self.memory.free_all()
        self.evidence.forget()
        self.dma.forget()
        self._hello()
        self.qemu.recording.restart(altered=self.qmp.altered)
        self._remote.reset()
        self._answers = True
        if verdict:
            raise verdict

    def check(self, *, left: bool = True) -> None:
        """Judge as `Shim.check` does, after raising what a handler of a device has raised."""
        self._remote.raise_failures()
        super().check(left=left)

    def waiting(self) -> list[str]:
        """Return what has not happened yet, and who would have to act, a sentence for each."""
        onlooker = Onlooker(self.machine, self.request, self.channel)
        return [*super().waiting(), *onlooker.transfers_wait(self._left.live())]

    def _explained(self, error: LinkError | FaultError) -> Dmav3Error | None:
        """Return what is known beyond an error of the conversation; None: nothing."""
        if isinstance(error, ClosedError):
            return self._death()
        if isinstance(error, FaultError):
            return self.qemu.fault(error.report)
        if isinstance(error, DeadlineError) and not isinstance(error, (HangError, QemuStuckError)):
            if endless := self._remote.endless(error.seconds):
                return endless
            return self.qemu.silence(error)
        return None

    def _check_not_handling(self) -> None:
        if self._remote.is_handling:
            msg = (
                "a handler of a device asks its board for what the CPU, which waits for the "
                "handler, would have to do; board.cpu and board.dram may be looked at"
            )
            raise UsageError(msg)

    def _lives(self) -> bool:
        return self.qemu.running

    def _death(self) -> Dmav3Error:
        return self.qemu.death()

    def _start(self, resources: ExitStack) -> None:
        self.qemu.start(resources, sockets=self._with_sockets)
        self._rpc = Rpc(self.qemu.link)
        self._hello()
        self.qemu.map()
        self._map(resources)
        if not self.traces:
            self.qmp.set("trace", 0, lasting=True)
        self.qemu.recording.begin()
        self._remote.reset()
        self.qemu.announce()

    def _let_go(self) -> None:
        self.qemu.let_go()

    def _settle(self) -> None:
        """Return when memory stands still."""
        self._check_owner()
        self.qemu.probe.settle()

    def _map(self, resources: ExitStack) -> None:
        process, probe = self.qemu.process, self.qemu.probe

        def view(fd: int, *, writable: bool = False) -> memoryview:
            return resources.enter_context(Mapping(fd, writable=writable)).view

        self.cpu = Window("CPU view", view(process.ram), probe.ram_base, self._settle)
        self.dram = Window("DRAM", view(process.dram), probe.ram_base, self._settle)
        rings = view(process.stream, writable=True)
        self.stream = Stream(rings, self.qemu.extension, self._settle, self.qemu.recording)
        self._assemble(self.cpu.read, self.stage)
        names = [str(device) for device in self.devices]
        self.evidence = BoardEvidence(probe, self.image, self.memory, self._rpc.origin, names)

    def stage(self, address: int, data: bytes) -> None:
        """Put bytes into the staging window, in both views; the firmware is to take them there."""
        check_bytes(data)
        self._settle()
        process, probe = self.qemu.process, self.qemu.probe
        self.qemu.recording.staged(address, data)
        for fd in {process.ram, process.dram}:
            os.pwrite(fd, data, address - probe.ram_base)

    def _hello(self) -> None:
        """Make sure that what answers is the image that was started, just now."""
        reply = self.request("hello")
        if reply.number("level") != _PROTOCOL_LEVEL:
            msg = f"the shim speaks protocol level {reply['level']}, {_PROTOCOL_LEVEL} is needed"
            raise PeerError(msg)
        if reply.number("nonce") != self.qemu.nonce:
            msg = (
                f"another emulator answers: nonce {reply['nonce']} instead of {self.qemu.nonce:#x}"
            )
            raise PeerError(msg)
        build = f"{reply.number('build'):016x}"
        if self.image.build_id and not self.image.build_id.startswith(build):
            msg = (
                f"another image answers: build {build}, {self.image.path} is {self.image.build_id}"
            )
            raise PeerError(msg)


def _sorted(
    devices: Iterable[Device | PythonDevice | str],
) -> tuple[list[PythonDevice], Iterable[Device | str]]:
    """Return the devices written in Python, and the others."""
    if isinstance(devices, str):
        return [], devices
    python: list[PythonDevice] = []
    others: list[Device | str] = []
    for device in devices:
        if isinstance(device, PythonDevice):
            python.append(device)
        elif isinstance(device, type) and issubclass(device, PythonDevice):
            msg = f"{device.__name__} is a class: give an object of it, {device.__name__}()"
            raise UsageError(msg)
        else:
            others.append(device)
    return python, others
