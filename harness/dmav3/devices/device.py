# SPDX-License-Identifier: Apache-2.0
"""A device written in Python: a bus master that QEMU does not have, in a test.

::

    class Adder(Device):
        SIZE, DOORBELLS = 0x10, (0x08,)

        def reset(self):
            self.address = 0

        def write(self, offset, size, value):
            if offset == 0x00:
                self.address = value
            elif offset == 0x08:
                self.after(500, self.add)

        def add(self):
            (number,) = self.dma_read(self.address, 1)
            self.dma_write(self.address, bytes([number + 1]))
            self.interrupt()

        def read(self, offset, size):
            self.interrupt(False)
            return self.address

    with Board(devices=[Adder()], image=...) as board:
        ...

With `PCI_ID = 0x1234, 0x5678` and `MSI = 1` in the class, the same is a PCI function: its registers
are behind BAR 0, and `interrupt()` sends a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

from dmav3.errors import BusError, UsageError
from dmav3.guest.memory import check_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

#: Where the registers of a board's first device are, how far apart those of two, how many there can
#: be, and the interrupt of the first (enum board_place and enum remote_size of the extension).
BASE, WINDOW, MOST, SPI = 0x0B040000, 0x10000, 8, 196


class Channel(Protocol):
    """A device's way to its board."""

    def now(self) -> int:
        """Return model time, in nanoseconds since the reset."""

    def move(self, device: Device, address: int, size: int, data: bytes | None) -> bytes:
        """Read, or write `data`, as bus master; return what was read; `BusError`."""

    def interrupt(self, device: Device, *, level: bool) -> None:
        """Drive the device's interrupt."""

    def message(self, device: Device, vector: int) -> None:
        """Send a PCI function's message."""

    def after(self, device: Device, ns: int, function: Callable[[], object]) -> None:
        """Call a function when so much model time has passed."""

    def remove(self, device: Device) -> None:
        """Forget what was to come, and take the interrupt down as soon as time passes."""


class Device:
    """A device with registers, and a bus master; subclass it, and put an object on a board.

    `read`, `write` and what was given to `after` are its handlers: the board calls them on a thread
    of their own while model time stands still. What one raises is raised again by the request of
    the test that has led there, and the CPU's access is answered by a bus error. A handler may look
    at `board.cpu` and `board.dram`, but not send requests.

    A class with a `PCI_ID` is a PCI function, on the slot of bus 0 behind the board's other PCI
    devices. It accesses memory only while its driver has bus mastering on.

    :cvar SIZE: bytes of its registers, 1 to 65,536; of a PCI function, of BAR 0, which has no
        other: a power of two from 16 on.
    :cvar DOORBELLS: offsets of the registers that start it: what the CPU has stored, or maintained,
        since the device's last access must be ordered before its store to one of them. Without any,
        its last store to a register is the start.
    :cvar PCI_ID: vendor and device, of the subsystem as well; None: it is no PCI function.
    :cvar PCI_CLASS: class << 16 | subclass << 8 | programming interface.
    :cvar MSI: messages that it can have, 0 or a power of two up to 32. It has no other interrupt.
    :ivar base: where its registers are; of a PCI function 0: its driver decides.
    :ivar spi: the number of its interrupt, a level: a shared one of the GIC; of a PCI function 0.
    :ivar removed: whether it has been taken away.
    """

    SIZE: ClassVar[int] = 4096
    DOORBELLS: ClassVar[tuple[int, ...]] = ()
    PCI_ID: ClassVar[tuple[int, int] | None] = None
    PCI_CLASS: ClassVar[int] = 0xFF0000  # that fits none of the others
    MSI: ClassVar[int] = 0

    base = spi = 0
    removed = False
    _channel: Channel | None = None

    # Handlers

    def reset(self) -> None:
        """Become as new: the board starts, or was reset; the interrupt is down.

        The test's thread calls it, and what the last run gave to `after` will not come.
        """

    def read(self, offset: int, size: int) -> int:  # noqa: ARG002 - to be overridden
        """Return what the CPU loads from a register: `size` bytes, 1, 2, 4 or 8."""
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Take what the CPU stores to a register."""

    # What a handler may do

    @property
    def now(self) -> int:
        """Model time, in nanoseconds since the last reset."""
        return self._board.now()

    def dma_read(self, address: int, size: int) -> bytes:
        """Read memory as devices see it. It is judged as the access of any device is.

        :raises BusError: there is no memory, or `fault-base`, `fault-size` has some of it; or it is
            a PCI function whose driver has bus mastering off.
        :raises UsageError: no handler is running, or there are no such bytes.
        """
        self._check_range("dma_read", address, size)
        return self._board.move(self, address, size, None)

    def dma_write(self, address: int, data: bytes) -> None:
        """Write memory as devices see it; else as `dma_read`."""
        check_bytes(data)
        self._check_range("dma_write", address, len(data))
        self._board.move(self, address, len(data), bytes(data))

    def interrupt(self, level: bool = True, *, vector: int = 0) -> None:  # noqa: FBT001, FBT002
        """Let the interrupt stand, or take it down; of a PCI function: send a message.

        A message that the driver has not enabled goes nowhere; the event log says so
        (`Kind.DEVICE_MESSAGE`). Where it has enabled fewer than there are, the low bits of the
        vector count.

        :param level: of a device that is no PCI function.
        :param vector: of a PCI function, 0 to `MSI` - 1.
        :raises UsageError: no handler is running, or it has no such interrupt.
        """
        if self.PCI_ID is None:
            self._check_level(level, vector)
            self._board.interrupt(self, level=bool(level))
        else:
            self._check_vector(level, vector)
            self._board.message(self, vector)

    def after(self, ns: int, function: Callable[[], object]) -> None:
        """Call a function of no arguments, as a handler, once so much model time has passed.

        A test may call this as well: of 0 ns the function is called when the next request begins.

        :raises UsageError: that is no time, or no function.
        """
        if not isinstance(ns, int) or ns < 0:
            msg = f"after({ns!r}, …) of {self}: a number of nanoseconds is needed, such as 500"
            raise UsageError(msg)
        if not callable(function):
            msg = f"after({ns}, {function!r}) of {self}: a function is needed, such as self.done"
            raise UsageError(msg)
        self._board.after(self, ns, function)

    def remove(self) -> None:
        """Take it away, as by surprise; from a test, or a handler.

        From now on its registers read as ones, what is written to them is lost, no function of
        `after` is called any more, and its interrupt goes down with the next request.
        """
        if not self.removed:
            self._board.remove(self)
            self.removed = True

    # The board's side

    def __str__(self) -> str:
        """Return the name by which findings call it: that of the class."""
        return type(self).__name__

    def attach(self, channel: Channel, number: int) -> None:
        """Put it on a board, as its `number`th from 0. For the board."""
        if self.PCI_ID is None:
            self.base, self.spi = BASE + number * WINDOW, SPI + number
        self._channel, self.removed = channel, False

    def detach(self) -> None:
        """Take it from its board. For the board."""
        self._channel = None

    @property
    def attached(self) -> bool:
        """Whether it is on a board that runs."""
        return self._channel is not None

    @property
    def _board(self) -> Channel:
        if self._channel is None:
            msg = f"{self} is on no board that runs: Board(devices=[{self}()])"
            raise UsageError(msg)
        return self._channel

    def _check_level(self, level: object, vector: object) -> None:
        if vector != 0 or level not in (0, 1):
            given = f"vector={vector!r}" if vector != 0 else repr(level)
            msg = (
                f"interrupt({given}) of {self}, which has one line: interrupt() lets it stand, "
                "interrupt(False) takes it down; with PCI_ID and MSI it would have messages"
            )
            raise UsageError(msg)

    def _check_vector(self, level: object, vector: object) -> None:
        """Raise unless it is the number of a message."""
        if level is not True:
            msg = (
                f"interrupt({level!r}) of {self}, a PCI function: a message has no level, and is "
                "named by its vector, as in interrupt(vector=0)"
            )
            raise UsageError(msg)
        if not isinstance(vector, int) or not 0 <= vector < self.MSI:
            has = (
                f"it has 0 to {self.MSI - 1}" if self.MSI else "its class has no messages: MSI = 1"
            )
            msg = f"interrupt(vector={vector!r}) of {self}: {has}"
            raise UsageError(msg)

    def _check_range(self, what: str, address: int, size: int) -> None:
        """Raise unless it is a range of addresses; `BusError` if the device has gone."""
        if not isinstance(size, int) or not 0 < size <= 1 << 30:
            msg = f"{what} of {self}: {size!r} is no number of bytes from 1 to 1 GiB"
            raise UsageError(msg)
        if not isinstance(address, int) or not 0 <= address < 1 << 64:
            given = hex(address) if isinstance(address, int) else repr(address)
            msg = f"{what} of {self}: {given} is no address, such as 0x40800000"
            raise UsageError(msg)
        if self.removed:
            raise BusError(str(self), what, address, "the device has been removed")
