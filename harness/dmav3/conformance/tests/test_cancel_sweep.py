# SPDX-License-Identifier: Apache-2.0
"""Both ways to cancel, in every state of a context: what they return, and that nothing leaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from dmav3 import HostShim
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction, NtStatus

from .driver import (
    Bench,
    Completions,
    adapter_for,
    arm,
    described,
    free_channel,
    granted_with,
)

if TYPE_CHECKING:
    from dmav3.board.shim import Shim
    from dmav3.dma import DmaAdapter, Mdl

OK = NtStatus.STATUS_SUCCESS
INVALID = NtStatus.STATUS_INVALID_PARAMETER
FAILED = NtStatus.STATUS_UNSUCCESSFUL
ALL = 64

#: By state: what CancelAdapterChannel and CancelMappedTransfer return (STM-01).
STATES: Final = {
    "Raw": (False, INVALID),
    "Idle": (True, FAILED),
    "PreCancelled": (True, FAILED),
    "Pending": (True, OK),
    "Granted": (False, OK),
    "GrantedCancelled": (False, FAILED),
    "Running": (False, OK),
    "Done": (False, OK),
    "Stopped": (False, FAILED),
    "Finished": (False, FAILED),
}
OWNS = ("Granted", "GrantedCancelled", "Running", "Done", "Stopped")


@dataclass
class Request:
    """One that is brought into a state, cancelled, and given up.

    :ivar holder: has the channel while the request waits.
    :ivar calls: of its AdapterControl.
    """

    shim: Shim
    adapter: DmaAdapter
    mdl: Mdl
    context: int
    holder: Bench | None = None
    calls: list[int] = field(default_factory=list)
    base: int = 0

    def enter(self, state: str) -> None:
        """Bring it there."""
        if state == "Raw":
            return
        assert self.adapter.InitializeDmaTransferContext(self.context) == OK
        if state == "PreCancelled":
            assert self.adapter.CancelAdapterChannel(self.context)
        elif state == "Pending":
            self._wait_in_the_queue()
        elif state != "Idle":
            self.base = granted_with(self.shim, self.adapter, self.context)
        if state == "GrantedCancelled":
            assert self.adapter.CancelMappedTransfer(self.context) == OK
        elif state in ("Running", "Done", "Stopped"):
            self._map(state)
        elif state == "Finished":
            free_channel(self.shim, self.adapter)

    def leave(self, state: str, *, stopped: bool) -> None:
        """Give back all that it has.

        :param stopped: CancelMappedTransfer was called.
        """
        still_waits = state == "Pending" and stopped  # it is marked, and stays in the queue
        if state == "Running" and not stopped:
            assert self.adapter.CancelMappedTransfer(self.context) == OK
        if state in ("Running", "Done", "Stopped"):
            flushed = self.adapter.FlushAdapterBuffersEx(
                self.mdl, self.base, 0, self.mdl.size, WriteToDevice=True
            )
            assert flushed == OK
        if self.holder:
            free_channel(self.shim, self.holder.adapter)
            assert len(self.calls) == still_waits
        if state in OWNS or still_waits:
            free_channel(self.shim, self.adapter)

    def _wait_in_the_queue(self) -> None:
        self.holder = Bench(self.shim, adapter_for(self.shim, write=True), self.mdl)

        def control(_device: int, _irp: int, base: int, _context: object) -> int:
            self.calls.append(base)
            return IoAllocationAction.KeepObject

        with self.shim.dma.irql(DISPATCH_LEVEL):
            assert self.adapter.AllocateAdapterChannelEx(self.context, 1, 0, control).status == OK
        assert self.calls == []

    def _map(self, state: str) -> None:
        done = Completions(self.shim)
        if state == "Done":
            arm(self.shim, write=True)
        mapped = self.adapter.MapTransferEx(
            self.mdl, self.base, WriteToDevice=True, DmaCompletionRoutine=done
        )
        assert mapped == (OK, self.mdl.size)
        if state == "Stopped":
            assert self.adapter.CancelMappedTransfer(self.context) == OK
        elif state == "Done":
            if isinstance(self.shim, HostShim):
                self.shim.end(0)
            self.shim.dma.run_until(lambda: bool(done.calls), 1_000_000_000)


@pytest.mark.dmav3_rule("STM-01")
@pytest.mark.parametrize("routine", ["CancelAdapterChannel", "CancelMappedTransfer"])
@pytest.mark.parametrize("state", STATES)
def test_a_cancel(shim: Shim, state: str, routine: str) -> None:
    """It returns what the table says; afterwards registers, channel and context are free."""
    request = Request(
        shim, adapter_for(shim, write=True), described(shim, 256)[1], shim.dma.allocate_context()
    )
    before = shim.layer.counters()
    request.enter(state)
    transfer = routine == "CancelMappedTransfer"
    assert getattr(request.adapter, routine)(request.context) == STATES[state][transfer]
    request.leave(state, stopped=transfer)
    if request.holder:
        request.holder.adapter.PutDmaAdapter()
    assert shim.layer.counters() == before
    assert shim.layer.channel_state(0) == (0, 0, 0)
    assert request.adapter.InitializeDmaTransferContext(request.context) == OK
    granted_with(shim, request.adapter, request.context, ALL)
