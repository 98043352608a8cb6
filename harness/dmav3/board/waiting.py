# SPDX-License-Identifier: Apache-2.0
"""What has not happened yet on a machine that stands still, and who would have to act."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.devices.stream import Control, Register
from dmav3.wdm import DISPATCH_LEVEL

from .leftovers import NO_CHANNEL, Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dmav3.devices.channel import Channel
    from dmav3.machine.description import Machine
    from dmav3.wire.rpc import Reply

    from .leftovers import Live

#: The status register of a channel, CSRn, and the state in it.
_CSR, _CSR_STEP, _STATE = 0x100, 8, 0xF
_STOPPED, _WAITS_FOR_PERIPHERAL = 0, 7


def requests_wait(live: Sequence[Live], level: int) -> list[str]:
    """Return a sentence for each request that waits for its channel, or for map registers.

    :param level: the IRQL: completion routines wait for a low one.
    """
    found = [text for one in live if (text := _request_waits(one, live))]
    if level >= DISPATCH_LEVEL and any(one.kind == "mapping" for one in live):
        found.append(f"the IRQL is {level}: completion routines wait until it is below 2")
    return found


class Onlooker:
    """Sees what transfers wait for, by registers and by what QEMU's monitor says."""

    def __init__(
        self,
        machine: Machine,
        request: Callable[..., Reply],
        channel: Callable[[int], Channel],
    ) -> None:
        """Look at a board through these."""
        self._machine, self._request, self._channel = machine, request, channel

    def transfers_wait(self, live: Sequence[Live]) -> list[str]:
        """Return a sentence for each transfer that has not ended."""
        return [
            f"the transfer of {one.made()} has not ended: {self._why(one.channel, one.line)}"
            for one in live
            if one.waits == Waits.DEVICE
        ]

    def _why(self, number: int, line: int) -> str:
        channel, name = self._channel(number), f"channel {number}"
        is_bare = self._machine.pl330[0].is_bare
        if not is_bare and channel.held:
            return f"{name} is held on request until board.channel({number}).release()"
        status = self._peek(self._machine.pl330[0].base + _CSR + _CSR_STEP * number)
        if status & _STATE == _WAITS_FOR_PERIPHERAL:
            return f"{name} waits for {self._peripheral(line)}"
        if status & _STATE == _STOPPED:
            return f"{name} is done, and its interrupt has not been taken yet: let time pass"
        if not is_bare and (interval := channel.burst_interval_ns):
            return f"{name} moves a burst every {interval} ns of model time: wait longer"
        return f"{name} runs: wait longer"

    def _peripheral(self, number: int) -> str:
        stream = self._machine.stream
        if number not in (stream.receive, stream.transmit):
            return f"peripheral {number}, of which nothing is known: it has to ask for DMA"
        receives = number == stream.receive
        name = f"the stream device's request to {'receive' if receives else 'transmit'}"
        bit = Control.RECEIVE_REQUEST if receives else Control.TRANSMIT_REQUEST
        if not self._peek(stream.base + Register.CONTROL) & bit:
            flag = "DMAV3_STREAM_RECEIVE" if receives else "DMAV3_STREAM_SEND"
            return f"{name}, which is off: the driver has to set {flag} in DMAV3_STREAM_CONTROL"
        if receives:
            return f"{name}, which has no bytes left: board.stream.receive_put(), or `put`"
        return f"{name}, which has no room left: board.stream.sent_take(), or `take`"

    def _peek(self, address: int) -> int:
        return self._request("peek", address, "32").number("value")


def _request_waits(one: Live, live: Sequence[Live]) -> str:
    if one.waits == Waits.CHANNEL:
        holders = [
            other.made()
            for other in live
            if other.kind == "channel" and other.channel == one.channel != NO_CHANNEL
        ]
        holder = f"the request of {holders[0]} has it" if holders else "another request has it"
        return (
            f"the request of {one.made()} waits for its channel: {holder}, and has to call "
            "FreeAdapterChannel"
        )
    if one.waits == Waits.REGISTERS:
        holders = [
            f"{other.made()} has {other.registers}"
            for other in live
            if other.kind in ("channel", "map_registers", "list")
            and other.registers
            and other.waits == Waits.NOTHING
        ]
        held = ", ".join(holders) or "requests before it are to get them first"
        return f"the request of {one.made()} waits for {one.registers} map registers: {held}"
    return ""
