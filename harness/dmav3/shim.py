# SPDX-License-Identifier: Apache-2.0
"""A running shim, whatever it runs on: what `Board` and the host's shim have in common.

Time passes only inside requests; between them everything stands still and may be looked at.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .controls import MOST, ChannelState, Counters
from .dma import Routines
from .errors import (
    ClosedError,
    DeadlineError,
    Dmav3Error,
    FaultError,
    InfrastructureError,
    TargetError,
    UsageError,
)
from .expectation import Observed
from .report import routine_names
from .violation import VIOLATION, Violation, violations
from .wdm import NtStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from .dma import DmaAdapter
    from .events import EventLog
    from .layout import Struct
    from .memory import Buffer, Memory
    from .rpc import Handler, Rpc
    from .symbols import Elf

#: Model time that `run_until` allows unless told otherwise: 10 s.
RUN_NS = 10_000_000_000


class Shim(Routines):
    """Conversation, guest memory and evidence of a running shim.

    :ivar image: its symbols.
    :ivar rpc: the conversation.
    :ivar memory: buffers for tests.
    :ivar events: the event log since the last reset.
    """

    image: Elf
    rpc: Rpc
    memory: Memory
    events: EventLog

    def __init__(self) -> None:
        """Know of no evidence yet."""
        self._violations = Observed(self._raw_violations, lambda raw: raw["violation"])
        self._device: int | None = None

    @property
    @abstractmethod
    def time_ns(self) -> int:
        """Model time."""

    @property
    @abstractmethod
    def violation_count(self) -> int:
        """Violations since the last reset, also those that the event log has lost."""

    @abstractmethod
    def stage(self, address: int, data: bytes) -> None:
        """Put bytes into the staging window, without the guest's CPU."""

    # Conversation

    def call(self, command: str, *arguments: int) -> dict[str, int]:
        """Run a command of one's own driver (firmware/include/dmav3.h).

        :return: what its routine returned as `status`, an `NtStatus`; then its values by key.
        :raises RefusedError: there is no such command, or it takes other arguments.
        :raises FaultError: the driver crashed; only `reset` helps.
        """
        reply = self.request(command, *arguments)
        values = {key: reply.number(key) for key in reply.values}
        return {"status": NtStatus(values.pop("status", 0)), **values}

    def callback(self, handler: Handler) -> int:
        """Register a Python function for the shim's callbacks; returns its cookie."""
        return self.rpc.cookie(handler)

    def wait(self, ns: int, until: str | None = None) -> str:
        """Let model time pass.

        :param ns: at most so much, in nanoseconds.
        :param until: "irq" or "callback": end at the first one; "held": end when a channel of the
            DMA controller is held, at once if one is already.
        :return: what ended it: "time", "irq", "callback" or "held".
        """
        return self.request("wait", ns, *([until] if until else []))["ended"]

    def run_until(self, condition: Callable[[], bool], deadline_ns: int = RUN_NS) -> None:
        """Let model time pass, callback by callback, until `condition()` is true.

        PASSIVE_LEVEL, outside callbacks.

        :raises TargetError: it was still false after `deadline_ns` of model time.
        """
        end = self.time_ns + deadline_ns
        while not condition():
            left = end - self.time_ns
            if left <= 0:
                msg = f"nothing more happened within {deadline_ns} ns of model time"
                raise TargetError(msg)
            self.wait(left, "callback")

    @contextmanager
    def irql(self, level: int) -> Iterator[None]:
        """Raise the IRQL to `level` inside the block, then restore it, however the block ends."""
        before = self.request("KeRaiseIrql", level).number("irql")
        try:
            yield
        except (DeadlineError, ClosedError, FaultError, InfrastructureError):
            raise  # nobody is there to lower it
        except BaseException:
            with suppress(Dmav3Error):  # what the block raised is what counts
                self.request("KeLowerIrql", before)
            raise
        self.request("KeLowerIrql", before)

    # The layer under test

    def counters(self) -> Counters:
        """Return what the layer has now, to be compared before and after."""
        reply = self.request("counters")
        return Counters(*(reply.number(name) for name in Counters._fields))

    def channel_state(self, channel: int | DmaAdapter) -> ChannelState:
        """Return who has a channel, by its number or by an adapter.

        :raises RefusedError: there is no such channel or adapter.
        """
        if isinstance(channel, int):
            reply = self.request("channel", channel)
        else:
            reply = self.request("channel_of", channel.address)
        return ChannelState(*(reply.number(name) for name in ChannelState._fields))

    def limits(
        self,
        *,
        map_registers: int = MOST,
        registers_per_request: int = MOST,
        list_elements: int = MOST,
        checked: bool = True,
    ) -> None:
        """Set how much there is of everything, for adapters and mappings made from now on.

        What is not named becomes as it is after a reset.

        :param map_registers: in the pool, 2 to 64.
        :param registers_per_request: what IoGetDmaAdapter gives at most, 2 to 64.
        :param list_elements: of a mapping for which the driver gives no list, 1 to 64.
        :param checked: False for plain mode, in which no violation is recorded.
        :raises RefusedError: a number is out of range, or map registers are in use.
        """
        self.request("limits", map_registers, registers_per_request, list_elements)
        self.request("checked", int(checked))

    # What Routines needs

    @property
    def device(self) -> int:
        """A device object for calls that name none; made when it is first needed."""
        if self._device is None:
            self._device = self.allocate_device()
        return self._device

    def struct(self, name: str) -> Struct:
        """Return the layout of a structure of wdm_dma.h; `UsageError` if there is none."""
        return self.image.struct(f"_{name}")  # by its tag: not every typedef is used

    # Memory

    def store(self, address: int, data: bytes) -> None:
        """Let the guest's CPU store `data` at a virtual address, through its cache."""
        staging = self.memory.staging
        step = staging.end - staging.start
        for done in range(0, len(data), step):
            piece = data[done : done + step]
            self.stage(staging.start, piece)
            self.request("copy", address + done, staging.start, len(piece))

    def fetch(self, address: int, length: int) -> bytes:
        """Return what the guest's CPU loads from a virtual address, through its cache."""
        staging = self.memory.staging
        step = staging.end - staging.start
        data = bytearray()
        while len(data) < length:
            count = min(step, length - len(data))
            self.request("copy", staging.start, address + len(data), count)
            data += self.load(staging.start, count)
        return bytes(data)

    def write(self, buffer: Buffer, data: bytes, offset: int = 0) -> None:
        """Let the guest's CPU store `data` into a buffer, through its cache.

        :raises UsageError: it does not fit.
        """
        _check_inside(buffer, offset, len(data))
        self.store(buffer.address + offset, data)

    def read(self, buffer: Buffer, length: int | None = None, offset: int = 0) -> bytes:
        """Return what the guest's CPU loads from a buffer, through its cache.

        :param length: bytes; None: all from `offset` on.
        """
        length = buffer.size - offset if length is None else length
        _check_inside(buffer, offset, length)
        return self.fetch(buffer.address + offset, length)

    def fill(self, buffer: Buffer, byte: int) -> None:
        """Let the guest's CPU store one byte value all over a buffer."""
        self.request("fill", buffer.address, buffer.size, byte)

    # Evidence

    def violations(self) -> list[Violation]:
        """Return the driver's mistakes since the last reset, in order."""
        return self._violations.all()

    def unexpected(self) -> list[Any]:
        """Return the evidence that no `expect` has consumed: violations."""
        return self._violations.unexpected()

    def expect(
        self, kind: str, *, routine: str | None = None, code: int | None = None, count: int = 1
    ) -> AbstractContextManager[None]:
        """Let the block cause exactly these findings or violations, and consume them.

        :param kind: "violation", or the kind of a finding, such as "stale-cpu-read".
        :param routine: that owed the maintenance, or in which the violation was noticed; None:
            whichever, or nobody.
        :param code: of a violation, such as 0x40; required for it.
        :param count: how many; of findings that is root causes, however often each was seen.
        :raises FindingsError: there were fewer or more; none is consumed.
        :raises UsageError: there is no such kind, code or routine, or `count` is below 1.
        """
        self._check_expectation(kind, routine, code, count)
        wanted = {"kind": kind, "routine": routine, "code": code}
        named = {name: value for name, value in wanted.items() if value is not None}

        def matches(one: object) -> bool:
            return all(getattr(one, name) == value for name, value in named.items())

        text = kind if code is None else f"{kind} {code:#04x}"
        if routine:
            text += f" in {routine}" if kind == VIOLATION else f" owed by {routine}"
        return self._observed(kind).expect(matches, count, text)

    @property
    def lost(self) -> int:
        """Findings and violations that had no room."""
        return self.violation_count - len(self.violations())

    def complaint(self) -> str | None:
        """Return what is wrong with the evidence; None if all of it was expected.

        :raises InfrastructureError: some had no room, so that the rest proves nothing.
        """
        if found := self.unexpected():
            return "\n".join(["unexpected findings:", *(one.line() for one in found)])
        if lost := self.lost:
            msg = f"{lost} findings had no room: it is not known whether they were expected"
            raise InfrastructureError(msg)
        return None

    @contextmanager
    def expect_violations(self, *codes: int) -> Iterator[None]:
        """Let the block cause exactly these violations, in whatever order, and consume them."""
        with ExitStack() as all_of_them:
            for code, count in Counter(codes).items():
                all_of_them.enter_context(self.expect(VIOLATION, code=code, count=count))
            yield

    def kinds(self) -> list[str]:
        """Return the kinds that `expect` knows."""
        return [VIOLATION]

    def _observed(self, _kind: str) -> Observed[Any]:
        return self._violations

    def _forget(self) -> None:
        """After a reset: what was made and seen is gone."""
        self._violations.forget()
        self._device = None

    @cached_property
    def _routine_names(self) -> dict[int, str]:
        return routine_names(self.image)

    def _raw_violations(self) -> list[dict[str, Any]]:
        if not self.violation_count:
            return []
        found = violations(self.events.all(), self._routine_names)
        return [{"count": 1, "violation": one} for one in found]

    def _check_expectation(
        self, kind: str, routine: str | None, code: int | None, count: int
    ) -> None:
        if kind not in self.kinds():
            msg = f"unknown kind of finding {kind!r}; known are: {', '.join(self.kinds())}"
            raise UsageError(msg)
        if routine is not None and routine not in (known := self._routine_names.values()):
            msg = f"unknown routine {routine!r}; known are: {', '.join(known)}"
            raise UsageError(msg)
        if (kind == VIOLATION) != (code is not None):
            msg = f"code={code}: a violation has one, a finding none; such as code=0x40"
            raise UsageError(msg)
        if count < 1:
            msg = f"count={count}: an expectation is of at least 1 finding, such as count=1"
            raise UsageError(msg)


def _check_inside(buffer: Buffer, offset: int, length: int) -> None:
    if offset < 0 or length < 0 or offset + length > buffer.size:
        msg = f"{length} bytes from {offset} on are not all in {buffer.name} ({buffer.size})"
        raise UsageError(msg)
