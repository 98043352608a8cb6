# SPDX-License-Identifier: Apache-2.0
"""What a run has shown since the last reset, and which of it was expected: `Board.evidence`."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from dmav3.deadlines import deadline
from dmav3.errors import Dmav3Error, FindingsError, InfrastructureError, UsageError

from . import callers, findings
from .calls import Call, calls
from .events import EventLog, Ring
from .expectation import Observed
from .probe import Kind
from .trace import lines
from .violations import VIOLATION, Violation, violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from dmav3.elf.image import Elf

    from .findings import Finding
    from .probe import Probe


#: Seconds of real time for memory to stand still where something has gone wrong.
_PATIENCE_SECONDS = 1.0
#: So many refused calls are told with an exception.
_REFUSALS = 3


def _told(call: Call) -> str:
    return f"{'refused' if call.refused else 'failed'}: {call.line().strip()}"


def _nowhere(_command: int) -> str:
    return ""


class Log(Ring, Protocol):
    """The event ring with its counters: `Probe`, or `HostLog`."""

    @property
    def time_ns(self) -> int:
        """Model time."""

    @property
    def violations(self) -> int:
        """Violations since the last reset, also those whose records were overwritten."""


class Evidence:
    """Event log and violations: all that a shim shows that runs without a cache model.

    :ivar events: the event log since the last reset.
    """

    def __init__(self, log: Log, image: Elf, origin: Callable[[int], str] = _nowhere) -> None:
        """Read what is in `log` when it is asked for.

        :param origin: returns where in a test a command was sent, by its number; empty: not known.
        """
        self._log, self._image, self._origin = log, image, origin
        self.events = EventLog(log)
        self._violations = Observed(self._raw_violations, lambda raw: raw["violation"])

    @property
    def time_ns(self) -> int:
        """Model time, in nanoseconds since the last reset."""
        self._log.settle()
        return self._log.time_ns

    @property
    def violation_count(self) -> int:
        """Violations since the last reset, also those that the event log has lost."""
        self._log.settle()
        return self._log.violations

    @property
    def lost(self) -> int:
        """Findings and violations that had no room."""
        return self.violation_count - len(self.violations())

    def findings(self) -> list[Finding]:
        """Return what the cache model has found since the last reset, explained."""
        return []

    def violations(self) -> list[Violation]:
        """Return the driver's mistakes since the last reset, in order."""
        return self._violations.all()

    def calls(self) -> list[Call]:
        """Return the driver's calls since the last reset, with what came of each."""
        return calls(self.events.all(), self._image, self._routine_names, self._origin)

    def unexpected(self) -> list[Finding | Violation]:
        """Return the findings and violations that no `expect` has consumed."""
        return [*self._violations.unexpected()]

    def judge(self, left: Sequence[Violation] = (), hints: Sequence[str] = ()) -> None:
        """Return if there is nothing but what was expected.

        :param left: what was left behind, which counts as well.
        :param hints: lines for the message.
        :raises FindingsError: there is more.
        :raises InfrastructureError: some had no room, so that the rest proves nothing.
        """
        if found := [*self.unexpected(), *left]:
            more = f", and {len(found) - 1} more" if len(found) > 1 else ""
            problem = f"unexpected: {found[0].summary()}{more}"
            raise FindingsError(problem, found, [*self.hints(), *hints])
        if lost := self.lost:
            msg = f"{lost} findings had no room: it is not known whether they were expected"
            raise InfrastructureError(msg)

    def hints(self) -> list[str]:
        """Return what the last calls that did not succeed say beyond the violations."""
        return [_told(call) for call in self.calls() if call.in_vain][-_REFUSALS:]

    def annotate(self, error: BaseException) -> None:
        """Add notes to an exception, if memory stands still: what nobody expected, and refusals.

        Of the calls that were refused, or whose transfer failed, the last ones, which say why a
        status is not success.
        """
        with suppress(Dmav3Error), deadline(_PATIENCE_SECONDS):
            told = getattr(error, "findings", ())
            for one in self.unexpected():
                if one not in told:
                    error.add_note(f"unexpected: {one.line()}")
            failed = [call for call in self.calls() if call.refused or call.in_vain]
            for call in failed[-_REFUSALS:]:
                error.add_note(_told(call))

    def kinds(self) -> list[str]:
        """Return the kinds that `expect` knows."""
        return [VIOLATION]

    def expect(
        self, kind: str, *, routine: str | None = None, code: int | None = None, count: int = 1
    ) -> AbstractContextManager[None]:
        """Let the block cause exactly these findings or violations, and consume them.

        :param kind: "violation", or the kind of a finding, such as "stale-cpu-read".
        :param routine: the routine that owed the maintenance, or in which the violation was
            noticed; None: any, or none.
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

    @contextmanager
    def expect_violations(self, *codes: int) -> Iterator[None]:
        """Let the block cause exactly these violations, in whatever order, and consume them."""
        with ExitStack() as all_of_them:
            for code, count in Counter(codes).items():
                all_of_them.enter_context(self.expect(VIOLATION, code=code, count=count))
            yield

    def forget(self) -> None:
        """Forget what was expected, after a reset."""
        self._violations.forget()

    def _observed(self, _kind: str) -> Observed[Any]:
        return self._violations

    @cached_property
    def _routine_names(self) -> dict[int, str]:
        return findings.routine_names(self._image)

    def _raw_violations(self) -> list[dict[str, Any]]:
        if not self.violation_count:
            return []
        found = violations(self.events.all(), self._image, self._routine_names, self._origin)
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


class BoardEvidence(Evidence):
    """The evidence of a board: what the extension tells as well, findings, costs, line states.

    :ivar probe: line states, counters and findings as the extension writes them.
    """

    def __init__(
        self,
        probe: Probe,
        image: Elf,
        memory: findings.Ram,
        origin: Callable[[int], str],
        remote: Sequence[str],
    ) -> None:
        """Explain addresses by the symbols of `image` and the buffers in `memory`.

        :param remote: names of the devices written in Python.
        """
        super().__init__(probe, image, origin)
        self.probe = probe
        self._memory, self._remote = memory, remote
        self._findings = Observed(self._raw_findings, self.explain)

    @property
    def lost(self) -> int:
        """Findings and violations that had no room."""
        return super().lost + self.probe.findings_lost

    def findings(self) -> list[Finding]:
        """Return what the cache model has found since the last reset, explained."""
        return self._findings.all()

    def explain(self, raw: Mapping[str, int]) -> Finding:
        """Explain one of `probe.findings()`, which the event log counts one by one."""
        return findings.resolve(raw, self._image, self._memory, self._adapter_of, self._remote)

    def costs(self) -> list[dict[str, Any]]:
        """Return how much maintenance since the last reset changed nothing (`findings.costs`)."""
        self.probe.settle()
        return findings.costs(self.probe.costs(), self._image)

    def trace(self, channel: int | None = None) -> list[str]:
        """Return what the DMA controller did since the last reset, a line each, for a person.

        :param channel: 0 to 7, for the lines of this channel only.
        :raises UsageError: there is no such channel.
        """
        return lines(self.events, channel)

    def unexpected(self) -> list[Finding | Violation]:
        """Return the findings and violations that no `expect` has consumed."""
        return [*self._findings.unexpected(), *super().unexpected()]

    def kinds(self) -> list[str]:
        """Return the kinds that `expect` knows."""
        return [*findings.kinds(), *super().kinds()]

    def forget(self) -> None:
        """Forget what was expected, after a reset."""
        super().forget()
        self._findings.forget()

    def _observed(self, kind: str) -> Observed[Any]:
        return self._findings if kind in findings.kinds() else super()._observed(kind)

    def _adapter_of(self, channel: int, command: int) -> str:
        """Return where the adapter of a channel was made, up to a command; empty: there is none."""
        place, caller = "", 0
        for record in self.events.all():
            if record.command > command:
                break
            if record.kind == Kind.ENTER and record.id < callers.FIRST_BACK_END:
                caller = record.b
            elif record.kind == Kind.ADAPTER and record.id == channel:
                place = callers.place(self._image, 0, caller) or self._origin(record.command)
        return place

    def _raw_findings(self) -> list[dict[str, Any]]:
        self.probe.settle()
        return findings.by_cause(self.probe.findings(), self._image, self._memory)
