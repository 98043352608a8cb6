# SPDX-License-Identifier: Apache-2.0
"""A running shim, whatever it runs on: what `Board` and `HostShim` have in common.

Time passes only inside requests; between them everything stands still and may be looked at.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import ExitStack, nullcontext, suppress
from typing import TYPE_CHECKING, Self, Unpack
from weakref import WeakSet

from dmav3.deadlines import deadline
from dmav3.dma import Routines
from dmav3.errors import (
    Dmav3Error,
    FindingsError,
    InfrastructureError,
    LinkError,
    NotStartedError,
    UsageError,
)
from dmav3.guest.memory import Access, Memory, check_bytes
from dmav3.guest.windows import Window
from dmav3.wdm import NtStatus
from dmav3.wire.rpc import Rpc

from .layer_state import Layer
from .leftovers import Leftovers
from .started import Started, forget_parts
from .waiting import requests_wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from dmav3.dma import DeviceDescription, DmaAdapter
    from dmav3.dma.target import Place, Pointer
    from dmav3.elf.image import Elf
    from dmav3.evidence.evidence import Evidence
    from dmav3.evidence.findings import Finding
    from dmav3.evidence.violations import Violation
    from dmav3.guest.memory import Buffer
    from dmav3.wire.rpc import Reply


#: Seconds of real time for a shim that does not answer to stand still, at a reset.
_PATIENCE_SECONDS = 1.0


class Shim(ABC):
    """The parts of a running shim, and what tests do with it most.

    :ivar image: its symbols.
    :ivar memory: buffers for tests, and loads and stores of the guest's CPU.
    :ivar cpu, dram: RAM as the CPU and as devices see it, looked at without an access.
    :ivar dma: the routines of the interface, MDLs, the IRQL.
    :ivar layer: counters and limits of the layer under test.
    :ivar evidence: event log, violations, findings, and what was expected of them.
    :ivar judges: whether leaving it, and a reset, raise what was not expected.
    """

    image: Elf
    judges = True
    memory = Started[Memory]()
    cpu = Started[Window]()
    dram = Started[Window]()
    dma = Started[Routines]()
    layer = Started[Layer]()
    _rpc = Started[Rpc]()
    _left = Started[Leftovers]()
    _answers = True  # as far as is known

    def __init__(self) -> None:
        """Not running yet."""
        self._resources = ExitStack()
        self._owner: int | None = None

    @abstractmethod
    def _start(self, resources: ExitStack) -> None:
        """Start it; `resources` ends it."""

    @abstractmethod
    def _let_go(self) -> None:
        """In a forked child: close what keeps it running."""

    def __enter__(self) -> Self:
        """Start it and wait for the shim's first word; nothing is left running after a failure.

        :raises UsageError: it runs already.
        :raises InfrastructureError: this computer refuses it.
        """
        if self._owner is not None:
            msg = "it is running already: one `with` starts it, for as long as the block lasts"
            raise UsageError(msg)
        with ExitStack() as resources:
            resources.callback(self._ended)
            self._owner = os.getpid()
            _RUNNING.add(self)
            try:
                self._start(resources)
            except OSError as error:
                msg = f"this computer refuses to start it: {error}"
                raise InfrastructureError(msg) from error
            self._resources = resources.pop_all()
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """End it, by force if need be, remove everything, and judge (`check`).

        Where an exception is on its way, the findings are its notes. What is known not to answer is
        not judged.

        :raises FindingsError: as `check`.
        :raises Dmav3Error: it has ended, and nobody has noticed, so there is no judgement.
        """
        with self._resources:
            self._conclude(error)

    def _ended(self) -> None:
        self._owner = None
        _RUNNING.discard(self)
        forget_parts(self)

    def _check_owner(self) -> None:
        """Raise `UsageError` unless it runs, and was started by this process."""
        if self._owner is None:
            part = "memory"
            raise NotStartedError(part)
        if self._owner != os.getpid():
            msg = f"it was started by another process, {self._owner}, whose fork this one is"
            raise UsageError(msg)

    def _forked(self) -> None:
        """In a forked child: it is the parent's, so end nothing and keep nothing alive."""
        self._resources.pop_all()
        self._let_go()

    @property
    @abstractmethod
    def evidence(self) -> Evidence:
        """What the run has shown."""

    @abstractmethod
    def request(self, *words: str | int) -> Reply:
        """Send one request of firmware/PROTOCOL.md and serve callbacks until it is answered.

        :raises RefusedError: the shim answered `error`; nothing was done.
        """

    def call(self, command: str, *arguments: int) -> dict[str, int]:
        """Run a command of one's own driver (firmware/include/dmav3.h).

        :return: what its routine returned as `status`, an `NtStatus`; then its values by key.
        :raises RefusedError: there is no such command, or it takes other arguments.
        :raises FaultError: the driver crashed; only `reset` helps.
        """
        reply = self.request(command, *arguments)
        values = {key: reply.number(key) for key in reply.values}
        return {"status": NtStatus(values.pop("status", 0)), **values}

    def wait(self, ns: int, until: str | None = None) -> str:
        """Let model time pass.

        :param ns: at most so much, in nanoseconds.
        :param until: "irq" or "callback": end at the first one; "held": end when a channel of the
            DMA controller is held, at once if one is already.
        :return: what ended it: "time", "irq", "callback" or "held".
        """
        return self.request("wait", ns, *([until] if until else []))["ended"]

    @property
    def printed(self) -> str:
        """What drivers have printed with DbgPrint and its kin since the last reset."""
        return self._rpc.printed

    def IoGetDmaAdapter(  # noqa: N802 - the interface's own spelling
        self,
        *,
        PhysicalDeviceObject: int = 0,  # noqa: N803
        DeviceDescription: Pointer | None = None,  # noqa: N803
        NumberOfMapRegisters: Place = True,  # noqa: N803
        **members: Unpack[DeviceDescription],
    ) -> DmaAdapter | None:
        """Create an adapter, as `Routines.IoGetDmaAdapter` does."""
        return self.dma.IoGetDmaAdapter(
            PhysicalDeviceObject=PhysicalDeviceObject,
            DeviceDescription=DeviceDescription,
            NumberOfMapRegisters=NumberOfMapRegisters,
            **members,
        )

    def write(self, buffer: Buffer, data: bytes, offset: int = 0) -> None:
        """Let the guest's CPU store `data` into a buffer, through its cache.

        :raises UsageError: it does not fit.
        """
        check_bytes(data)
        _check_inside(buffer, offset, len(data))
        self.memory.cpu_store(buffer.address + offset, data)

    def read(self, buffer: Buffer, length: int | None = None, offset: int = 0) -> bytes:
        """Return what the guest's CPU loads from a buffer, through its cache.

        :param length: bytes; None: all from `offset` on.
        """
        length = buffer.size - offset if length is None else length
        _check_inside(buffer, offset, length)
        return self.memory.cpu_load(buffer.address + offset, length)

    def fill(self, buffer: Buffer, byte: int) -> None:
        """Let the guest's CPU store one byte value all over a buffer."""
        self.request("fill", buffer.address, buffer.size, byte)

    def findings(self) -> list[Finding]:
        """Return what the cache model has found since the last reset, explained."""
        return self.evidence.findings()

    def violations(self) -> list[Violation]:
        """Return the driver's mistakes since the last reset, in order."""
        return self.evidence.violations()

    def unexpected(self) -> list[Finding | Violation]:
        """Return the findings and violations that no `expect` has consumed."""
        return self.evidence.unexpected()

    def expect(
        self, kind: str, *, routine: str | None = None, code: int | None = None, count: int = 1
    ) -> AbstractContextManager[None]:
        """Let the block cause exactly these findings or violations (`Evidence.expect`)."""
        return self.evidence.expect(kind, routine=routine, code=code, count=count)

    def expect_left(self, *, anything: bool = False, **counts: int) -> None:
        """Expect that objects of the layer still live whenever the run is judged from now on.

        :param counts: of each kind exactly so many: adapter, channel, map_registers, request, list,
            mapping, common_buffer, mdl; of those that are not named, none.
        :param anything: True: whatever lives is right.
        :raises UsageError: there is no such kind.
        """
        self._left.expect(counts, anything=anything)

    def check(self, *, left: bool = True) -> None:
        """Judge what has happened since the last reset, as the end of the `with` block does.

        :param left: whether what lives counts as left behind; False where the driver is at work.
        :raises FindingsError: there are findings or violations that nobody expected, or something
            is left behind, or less than was expected. Nothing is consumed.
        :raises InfrastructureError: some findings had no room, so the rest proves nothing.
        """
        found = self._left.unexpected() if left and self._answers else []
        waiting = [f"waiting: {text}" for text in self.waiting()] if found else []
        self.evidence.judge(found, waiting)

    def waiting(self) -> list[str]:
        """Return what has not happened yet, and who would have to act, a sentence for each."""
        level = self.request("KeGetCurrentIrql").number("irql")
        return requests_wait(self._left.live(), level)

    def annotate(self, error: BaseException) -> None:
        """Add notes to an exception: findings, refusals, and what is waited for."""
        self.evidence.annotate(error)
        if self._answers and self._lives():
            with suppress(Dmav3Error), deadline(_PATIENCE_SECONDS):
                for text in self.waiting():
                    error.add_note(f"waiting: {text}")

    def _conclude(self, error: BaseException | None) -> None:
        """Judge at the end of the `with` block; findings become notes of what is on its way."""
        if not self.judges:
            return
        if error is not None:
            self.annotate(error)
        elif self._answers:
            if not self._lives():
                raise self._death()
            self.check()

    def _verdict(self) -> FindingsError | None:
        """Return what `check` would raise; None, too, where nothing can be known any more."""
        try:
            with nullcontext() if self._answers else deadline(_PATIENCE_SECONDS):
                self.check()
        except FindingsError as error:
            return error
        except LinkError:
            if self._answers:
                raise
        return None

    @abstractmethod
    def _lives(self) -> bool:
        """Return whether it can be asked anything."""

    @abstractmethod
    def _death(self) -> Dmav3Error:
        """Explain why it cannot."""

    def _assemble(
        self, look: Callable[[int, int], bytes], stage: Callable[[int, bytes], None]
    ) -> None:
        """Make the parts that need only the conversation and the ways to memory."""

        def copy(to: int, source: int, length: int) -> object:
            return self.request("copy", to, source, length)

        self.memory = Memory(self.image, Access(look, stage, copy))
        self.dma = Routines(
            self.request,
            self._rpc.cookie,
            lambda: self.evidence.time_ns,
            self.waiting,
            self.image,
            self.memory,
        )
        self.layer = Layer(self.request)
        self._left = Leftovers(self.request, self.image, self._rpc.origin)


#: Those that run now.
_RUNNING: WeakSet[Shim] = WeakSet()


def _forked() -> None:
    for shim in list(_RUNNING):
        shim._forked()  # noqa: SLF001 - of this file


os.register_at_fork(after_in_child=_forked)


def _check_inside(buffer: Buffer, offset: int, length: int) -> None:
    if offset < 0 or length < 0 or offset + length > buffer.size:
        msg = f"{length} bytes from {offset} on are not all in {buffer.name} ({buffer.size})"
        raise UsageError(msg)
