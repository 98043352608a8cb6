# SPDX-License-Identifier: Apache-2.0
"""The shim in a process of this computer, with a back end that does what the test says.

::

    with HostShim() as shim:
        adapter = shim.IoGetDmaAdapter()
        ...
        shim.script(max_fragments=2)
        shim.end(0)                         # channel 0 reports that its transfer is complete

Layer, shell and hal are the board's (tests/host/machine.h says what is not); caches and devices
there are none, so nothing is to be found in data: what the layer does is in the event log, cache
operations included. The address and undefined-behaviour sanitizers watch, in a checkout.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from dmav3 import installation
from dmav3.dma import Element
from dmav3.elf.image import host_machine, read_own
from dmav3.errors import ClosedError, CrashError, DeadlineError, HangError, PeerError, UsageError
from dmav3.evidence.evidence import Evidence
from dmav3.evidence.host_log import HostLog
from dmav3.guest.memory import check_bytes
from dmav3.guest.windows import Mapping, Window
from dmav3.machine.description import RAM_BASE
from dmav3.wdm import DmaWidth
from dmav3.wire.link import SocketLink
from dmav3.wire.rpc import Reply, Rpc

from .shim import Shim
from .started import Started

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

_PAGE = 4096
_PATIENCE_SECONDS = 5.0
#: What a test may choose of the controller.
REGISTRATION = (
    "DmaAddressWidth",
    "SupportedPortWidths",
    "MinimumTransferUnit",
    "MaximumTransferUnits",
    "CacheCoherent",
)
#: DMA_INTERRUPT_TYPE.
COMPLETION, ERROR, CANCELLED = range(3)


class Program(NamedTuple):
    """What one ProgramChannel was given."""

    channel: int
    request_line: int
    width: DmaWidth
    device_address: int
    write: bool
    loop: bool
    elements: tuple[Element, ...]


class Configured(NamedTuple):
    """What the last ConfigureChannel of a driver's function was given; `calls`: how many."""

    calls: int
    channel: int
    function: int
    context: int


class HostShim(Shim):
    """The shim in a process of this computer, from start to end; a context manager.

    :ivar cpu, dram: its RAM, by physical address: one view, for there are no caches.
    """

    evidence = Started[Evidence]()

    def __init__(
        self,
        *,
        coherent: bool = False,
        caching: bool = True,
        judge: bool = True,
        **registration: int,
    ) -> None:
        """Find the program; start nothing yet.

        :param coherent: what the platform says of DMA.
        :param caching: whether MMU and caches are on, as far as the shim is told.
        :param judge: let the end of the `with` block raise `FindingsError`, as that of a `Board`.
        :param registration: members of DMA_INITIALIZATION_BLOCK, those in `REGISTRATION`.
        :raises UsageError: another one is named.
        :raises NotBuiltError: it has not been built.
        """
        super().__init__()
        for name in registration:
            if name not in REGISTRATION:
                msg = f"{name} cannot be chosen; such as {', '.join(REGISTRATION)}"
                raise UsageError(msg)
        self.image = read_own(installation.host_shim(), host_machine())
        self._options = {"coherent": int(coherent), "caching": int(caching)} | registration
        self.judges = judge

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def request(self, *words: str | int) -> Reply:
        """Send one request of firmware/PROTOCOL.md and serve callbacks until it is answered.

        :raises RefusedError: the shim answered `error`; nothing was done.
        :raises CrashError: it ended: what it said is part of the message.
        :raises HangError: it did not answer in time, and was ended.
        """
        rpc = self._rpc
        self._check_owner()
        try:
            return rpc.call(*words)
        except ClosedError as error:
            self._answers = False
            raise self._death() from error
        except DeadlineError as error:
            self._answers = False
            self._process.kill()
            raise HangError(error, "the shim on this computer") from error

    def _lives(self) -> bool:
        return self.running

    # The back end

    def script(self, **answers: int) -> None:
        """Set what the back end answers from now on; what is not named stays.

        :param answers: max_fragments, of QueryMaxFragments; cancel_result, of CancelTransfer;
            bytes_left, of ReadDmaCounter; configure_result, of ConfigureChannel;
            ends_at_once: every transfer is complete before ProgramChannel returns;
            interrupts_inside: entries inside which the channel's interrupt becomes pending, the
            bits of `enum scripted_entry`.
        """
        for name, value in answers.items():
            self.request("script", name, int(value))

    def end(self, channel: int, kind: int = COMPLETION) -> None:
        """Let a channel interrupt and report COMPLETION, ERROR or CANCELLED."""
        self.request("end", channel, kind)

    def report(self, channel: int, kind: int = COMPLETION) -> None:
        """Let HandleInterrupt report that when it is asked next, without an interrupt."""
        self.request("report", channel, kind)

    def programs(self) -> list[Program]:
        """Return what ProgramChannel was given since the start, the last 64."""
        reply = self.request("programs")
        count, kept = reply.number("count"), reply.number("kept")
        return [self._program(number) for number in range(max(0, count - kept), count)]

    def configured(self) -> Configured:
        """Return what the driver configured last."""
        reply = self.request("configured")
        return Configured(*(reply.number(name) for name in Configured._fields))

    # Memory

    def store_as_device(self, physical: int, data: bytes) -> None:
        """Let a device store bytes to RAM, such as into a bounce page."""
        check_bytes(data)
        self._check_owner()
        os.pwrite(self._ram, data, physical - RAM_BASE)

    def name_pages(self, first: int, numbers: Sequence[int]) -> None:
        """Give pages of the scatter window other physical addresses, as the layer sees them.

        Before the region is used. No memory moves: the data stays where the CPU has it.

        :param first: index of the first page.
        :param numbers: physical page numbers, from that page on.
        """
        for index, number in enumerate(numbers, start=first):
            self.request("name_page", index, number * _PAGE)

    def said(self) -> str:
        """Return what the process wrote to its error output, also after its end."""
        if not self._errors.closed:
            self._errors.seek(0)
            self._said = self._errors.read().decode(errors="replace")
        return self._said

    def _program(self, number: int) -> Program:
        reply = self.request("program", number)
        layout = self.dma.struct("SCATTER_GATHER_ELEMENT")
        raw = self.memory.look(reply.number("elements"), reply.number("count") * layout.size)
        read = [layout.read(raw, at) for at in range(0, len(raw), layout.size)]
        return Program(
            reply.number("channel"),
            reply.number("request_line"),
            DmaWidth(reply.number("width")),
            reply.number("device_address"),
            bool(reply.number("write")),
            bool(reply.number("loop")),
            tuple(Element(one["Address"]["QuadPart"], one["Length"]) for one in read),
        )

    # Start and end

    def _start(self, resources: ExitStack) -> None:
        nonce = secrets.randbits(63)
        self._ram = _shared_memory(resources, "ram")
        log = _shared_memory(resources, "log")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        resources.callback(self._errors.close)
        ours, theirs = socket.socketpair()
        resources.callback(ours.close)
        self._line = ours
        options = [f"{key}={int(value)}" for key, value in self._options.items()]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [str(self.image.path), str(self._ram), str(log), str(nonce), *options],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors.fileno(),
                pass_fds=[self._ram, log],
            )
        resources.callback(self._stop, ours)
        self.link = SocketLink(ours)
        self._rpc = Rpc(self.link)
        if self.request("hello").number("nonce") != nonce:
            msg = "another process answers than the one that was started"
            raise PeerError(msg)
        view = resources.enter_context(Mapping(self._ram)).view
        self.cpu = self.dram = Window("RAM", view, RAM_BASE, self._check_owner)
        log_view = resources.enter_context(Mapping(log)).view
        self.evidence = Evidence(HostLog(log_view, self.image), self.image, self._rpc.origin)
        self._assemble(self._look, self.store_as_device)

    def _look(self, address: int, size: int) -> bytes:
        """Return RAM, or the shim's own variables, which only its CPU can load."""
        in_ram = address >= RAM_BASE and address + size <= RAM_BASE + self.cpu.size
        if in_ram:
            return self.cpu.read(address, size)
        return self.memory.cpu_load(address, size)

    def _let_go(self) -> None:
        self._line.close()

    def _stop(self, line: socket.socket) -> None:
        """Let it end by itself, as it does when the line is closed; it leaves its coverage then."""
        line.close()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.said()

    def _death(self) -> CrashError:
        try:
            status = self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            status = 0
        return CrashError(status, self.said())


def _shared_memory(resources: ExitStack, name: str) -> int:
    fd = os.memfd_create(f"dmav3-{name}")
    resources.callback(os.close, fd)
    return fd
