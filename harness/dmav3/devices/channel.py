# SPDX-License-Identifier: Apache-2.0
"""One channel of the board's DMA controller: hold its transfers, step them, let them take time."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from dmav3.elf.image import read_extension
from dmav3.evidence.trace import checked_channel
from dmav3.qemu.qmp import BOARD


class Properties(Protocol):
    """What reads and writes properties of a board: `Monitor`, or that of another process's."""

    def get(self, name: str, path: str = ...) -> Any:
        """Read one."""

    def set(self, name: str, value: object, path: str = ..., *, lasting: bool = ...) -> None:
        """Write one; `MonitorError` at a wrong moment or for a wrong value."""


class Registers(NamedTuple):
    """What there is to see of a channel.

    :ivar state: in the words of the manual (DDI 0424, CSR), such as "waiting for peripheral".
    :ivar pc: address of the next instruction.
    :ivar bursts: how many it has begun since it was started.
    """

    state: str
    pc: int
    sar: int
    dar: int
    ccr: int
    bursts: int


class Channel:
    """What the extension can do to a channel; `qemu-machines/ext/pl330/controller.h` has the rules.

    A burst is one load by the controller (or a store of zeroes), whatever its size.

    :ivar number: 0 to 7.
    """

    def __init__(self, qmp: Properties, number: int) -> None:
        """Use `Board.channel`; `UsageError` if there is no such channel."""
        self.number = checked_channel(number)
        self._qmp, self._path = qmp, f"{BOARD}/channel[{number}]"

    @property
    def hold_at_burst(self) -> int:
        """Hold the channel before its n-th burst, from 1; 0: no such hold, as after it has come.

        :raises MonitorError: when set: the channel has come past that already.
        """
        return self._get("hold-at-burst")

    @hold_at_burst.setter
    def hold_at_burst(self, burst: int) -> None:
        self._qmp.set("hold-at-burst", burst, self._path)

    @property
    def hold_at_byte(self) -> int:
        """Hold the channel before the first burst that would move more bytes; 0: no such hold.

        :raises MonitorError: when set: the channel has moved as many already.
        """
        return self._get("hold-at-byte")

    @hold_at_byte.setter
    def hold_at_byte(self, count: int) -> None:
        self._qmp.set("hold-at-byte", count, self._path)

    @property
    def burst_interval_ns(self) -> int:
        """Model time that the channel takes for a burst, at most one second; 0: none."""
        return self._get("burst-interval-ns")

    @burst_interval_ns.setter
    def burst_interval_ns(self, interval: int) -> None:
        self._qmp.set("burst-interval-ns", interval, self._path)

    @property
    def held(self) -> bool:
        """True while the channel is held because a person or a test wished it."""
        return bool(self._get("held"))

    def registers(self) -> Registers:
        """Return what the channel does now, and its registers."""
        states = {number: name for name, number in read_extension().enum("engine_state").items()}
        state = self._get("state")
        name = states.get(state, f"state {state}").removeprefix("STATE_")
        numbers = (self._get(one) for one in Registers._fields[1:])
        return Registers(name.replace("_", " ").lower(), *numbers)

    def step(self) -> None:
        """Let a held channel execute one burst, now and in no model time.

        It is held again before the next burst, or has ended, or waits for its device.

        :raises MonitorError: the channel is not held.
        """
        self._qmp.set("step", 1, self._path, lasting=True)

    def release(self) -> None:
        """Let a held channel go on as soon as model time passes.

        :raises MonitorError: the channel is not held.
        """
        self._qmp.set("release", 1, self._path, lasting=True)

    def _get(self, name: str) -> int:
        return int(self._qmp.get(name, self._path))
