# SPDX-License-Identifier: Apache-2.0
"""Devices written in Python, served: the other end of the extension's remote devices.

The extension asks on a socket (qemu-machines/ext/devices/remote.h), and its CPU waits, whatever the
test's thread is doing. So a thread answers that does nothing else: it runs handlers, one after the
other, and is over with the board.
"""

from __future__ import annotations

import functools
import heapq
import inspect
import itertools
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from dmav3.errors import BusError, HandlerError, UsageError

from .device import MOST, WINDOW, Device

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

#: struct remote_request, remote_order and remote_moved of the extension.
REQUEST, ORDER, MOVED = struct.Struct("<IIQQQQ"), struct.Struct("<IIQQQ"), struct.Struct("<QQ")
#: enum remote_request_kind, enum remote_order_kind, and the most that one order moves.
READ, WRITE, EVENTS = 1, 2, 3
DONE, DMA_READ, DMA_WRITE, INTERRUPT, MESSAGE, REMOVE = 1, 2, 3, 4, 5, 6
CHUNK = 0x10000
NEVER = (1 << 64) - 1
_NO_MASTER = (
    "its driver has not switched bus mastering on: dmav3_pci_enable(), or bit 2 of the command "
    "register"
)
#: Bytes of the smallest BAR, how many messages a function can have, and no vendor (PCI 3.0,
#: 6.2.5.1, 6.8.1.3, 6.2.1).
_LEAST_BAR, _MESSAGES, _NOBODY = 16, (0, 1, 2, 4, 8, 16, 32), 0xFFFF
#: Seconds of real time after which a handler that still runs is why nobody answers, and for which a
#: thread may end at the end of a board.
_ENDLESS_SECONDS, _JOIN_SECONDS = 0.5, 1.0


class _Event(NamedTuple):
    """What was given to `after`; those of one time come in the order in which they were given."""

    time_ns: int
    number: int
    device: Device
    function: Callable[[], object]


class _Handler(NamedTuple):
    """A handler that runs."""

    call: str
    since: float


class _AbandonedError(BaseException):
    """Ends a handler that does not end, or whose board has; it is no `Exception` on purpose."""


class Remote:
    """The Python devices of one board.

    :ivar devices: in the order of their windows.
    :ivar serves: whether one has acted since the reset, or is to: handlers may run after a reply.
    """

    def __init__(self, devices: Iterable[Device]) -> None:
        """Check them; nothing runs yet.

        :raises UsageError: one has no such registers, or is on a board already, or they are too
            many.
        """
        self.devices: Sequence[Device] = tuple(devices)
        for device in self.devices:
            _check(device)
        if len(self.devices) > MOST:
            msg = f"{len(self.devices)} devices written in Python are more than a board has: {MOST}"
            raise UsageError(msg)
        if len(set(map(id, self.devices))) != len(self.devices):
            msg = "one device is given twice: each object is one device"
            raise UsageError(msg)
        self.serves, self._started, self._given_up = False, False, ""
        self._events: list[_Event] = []
        self._numbers = itertools.count()
        self._failures: list[BaseException] = []
        self._handler: _Handler | None = None
        self._now = 0
        #: What a run before has recorded: the thread says the same again, and no handler runs.
        self.script: Sequence[tuple[bool, bytes]] | None = None

    def start(
        self,
        sock: socket.socket,
        due: Callable[[int], None],
        now: Callable[[], int],
        note: Callable[[bool, bytes], object],
    ) -> Self:
        """Serve them on a connected socket, which stays the caller's; a context manager ends that.

        :param due: sets the model time of the next event while nothing is asked.
        :param now: returns model time while nothing is asked.
        :param note: is given what the board has said (True), and what it was told.
        """
        self._socket, self._due, self._board_now, self._note = sock, due, now, note
        for device in self.devices:
            if device.attached:
                msg = f"{device} is on a board already: give each board an object of its own"
                raise UsageError(msg)
        for number, device in enumerate(self.devices):
            device.attach(self, number)
        self._thread = threading.Thread(target=self._serve, name="dmav3-devices", daemon=True)
        self._thread.start()
        return self

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread; a handler that does not end is left to itself, and its devices go."""
        self._hang_up()
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():
            self._interrupt_handler()
        for device in self.devices:
            device.detach()

    def reset(self) -> None:
        """Tell the devices that the machine has started, or was reset."""
        self.serves, self._started = False, True
        self._events.clear()
        self._failures.clear()
        for device in self.devices:
            device.removed = False
            device.reset()

    def check_serves(self) -> None:
        """Raise `HandlerError` if a handler was given up."""
        if self._given_up:
            msg = f"{self._given_up} was given up: start a fresh board"
            raise HandlerError(msg)

    @property
    def is_handling(self) -> bool:
        """Whether the calling thread runs a handler."""
        return self._handler is not None and threading.current_thread() is self._thread

    def raise_failures(self, instead_of: BaseException | None = None) -> None:
        """Raise what the first handler that failed has raised; the others are its notes."""
        if self._failures:
            first, *others = self._failures
            self._failures.clear()
            for other in others:
                first.add_note(f"a later handler failed as well: {other!r}")
            raise first from (first.__cause__ or instead_of)

    def endless(self, seconds: float) -> HandlerError | None:
        """Explain a silence of the board by a handler that does not end; it is given up then."""
        handler = self._handler
        if handler is None or time.monotonic() - handler.since < _ENDLESS_SECONDS:
            return None
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - of the thread
        place = _place(frame, self.devices) if frame else "an unknown place"
        self._given_up = handler.call
        self._hang_up()
        self._interrupt_handler()
        return HandlerError(
            f"{handler.call} has not returned within {seconds:g} s: it is in {place}"
        )

    # For a device: `Channel`

    def now(self) -> int:
        """Return model time."""
        return self._now if self._handler else self._board_now()

    def move(self, device: Device, address: int, size: int, data: bytes | None) -> bytes:
        """Read or write memory, in pieces."""
        self._check_handling(device, "dma_read" if data is None else "dma_write")
        pieces = []
        for at in range(0, size, CHUNK):
            count = min(CHUNK, size - at)
            kind = DMA_READ if data is None else DMA_WRITE
            self._send(ORDER.pack(kind, self._number(device), 0, address + at, count))
            if data is not None:
                self._send(data[at : at + count])
            moved, refused = MOVED.unpack(self._receive(MOVED.size))
            pieces.append(self._receive(moved) if data is None else b"")
            if moved < count:
                what = "dma_read" if data is None else "dma_write"
                why = (_NO_MASTER,) if refused else ()
                raise BusError(str(device), what, address + at + moved, *why)
        return b"".join(pieces)

    def interrupt(self, device: Device, *, level: bool) -> None:
        """Drive the device's interrupt."""
        self._check_handling(device, "interrupt")
        self._send(ORDER.pack(INTERRUPT, self._number(device), level, 0, 0))

    def message(self, device: Device, vector: int) -> None:
        """Send a PCI function's message."""
        self._check_handling(device, "interrupt")
        self._send(ORDER.pack(MESSAGE, self._number(device), vector, 0, 0))

    def after(self, device: Device, ns: int, function: Callable[[], object]) -> None:
        """Call a function later; a test's thread says at once when that is."""
        event = _Event(self.now() + ns, next(self._numbers), device, function)
        heapq.heappush(self._events, event)
        self.serves = self._started
        if not self.is_handling:
            self._due(self._next_event())

    def remove(self, device: Device) -> None:
        """Forget what the device had asked for, and take its interrupt, or the function, away."""
        self._events = [event for event in self._events if event.device is not device]
        heapq.heapify(self._events)
        kind = INTERRUPT if device.PCI_ID is None else REMOVE
        order = ORDER.pack(kind, self._number(device), 0, 0, 0)
        self.after(device, 0, functools.partial(self._send, order))

    # The thread

    def _serve(self) -> None:
        with suppress(_AbandonedError):
            if self.script is not None:
                self._say_again(self.script)
            while True:
                self._answer(*REQUEST.unpack(self._receive(REQUEST.size)))

    def _say_again(self, script: Sequence[tuple[bool, bytes]]) -> None:
        """Follow a script as long as the board does; then it hears nothing more."""
        for by_board, data in script:
            if not by_board:
                self._send(data)
            elif self._receive(len(data)) != data:
                break
        self._receive(1)  # until something else is asked, or the board ends
        self._hang_up()
        raise _AbandonedError

    def _answer(self, kind: int, number: int, offset: int, size: int, value: int, now: int) -> None:
        self._now = now
        device, failed, result = self.devices[number], False, 0
        try:
            if kind == EVENTS:
                self._run_events()
            else:
                result = self._access(device, kind, offset, size, value)
        except _AbandonedError:
            raise
        except BaseException as error:  # noqa: BLE001 - the test's thread raises it again
            error.add_note(f"raised in {self._handler.call if self._handler else device}")
            self._failures.append(error)
            failed = True
        finally:
            self._handler = None
        self._send(ORDER.pack(DONE, number, result, self._next_event(), failed))

    def _access(self, device: Device, kind: int, offset: int, size: int, value: int) -> int:
        ones = (1 << 8 * size) - 1
        if device.removed:
            return ones
        if kind == WRITE:
            self._begin(f"{device}.write({offset:#x}, {size}, {value:#x})")
            device.write(offset, size, value)
            return 0
        self._begin(f"{device}.read({offset:#x}, {size})")
        given = device.read(offset, size)
        if not isinstance(given, int) or not 0 <= given <= ones:
            shown = hex(given) if isinstance(given, int) else repr(given)
            msg = (
                f"{device}.read({offset:#x}, {size}) returned {shown}, which is no number of "
                f"{size} bytes ({_home(device.read)})"
            )
            raise UsageError(msg)
        return int(given)

    def _run_events(self) -> None:
        while self._events and self._events[0].time_ns <= self._now:
            event = heapq.heappop(self._events)
            name = getattr(event.function, "__qualname__", "a function")
            self._begin(f"{name}(), which {event.device} had asked for with `after`")
            event.function()

    def _begin(self, call: str) -> None:
        self._handler = _Handler(call, time.monotonic())
        self.serves = self._started

    def _next_event(self) -> int:
        return self._events[0].time_ns if self._events else NEVER

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self._socket.recv(size - len(data))
            except OSError:
                piece = b""
            if not piece:
                raise _AbandonedError
            data += piece
        self._note(True, bytes(data))  # noqa: FBT003 - of the board
        return bytes(data)

    def _send(self, data: bytes) -> None:
        self._note(False, data)  # noqa: FBT003 - to the board
        try:
            self._socket.sendall(data)
        except OSError:
            raise _AbandonedError from None

    # What both threads use

    def _number(self, device: Device) -> int:
        return next(number for number, one in enumerate(self.devices) if one is device)

    def _check_handling(self, device: Device, what: str) -> None:
        if not self.is_handling:
            msg = (
                f"{what} of {device}: time stands still, so no device acts; let it with "
                f"`after(0, …)` when time passes"
            )
            raise UsageError(msg)

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(2)

    def _interrupt_handler(self) -> None:
        """Raise in the thread, which may spin for ever, and would take time from other tests."""
        import ctypes  # noqa: PLC0415 - few handlers never end, and every start would pay for it

        ident = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_AbandonedError))


def _check(device: Device) -> None:
    if not isinstance(device.SIZE, int) or not 0 < device.SIZE <= WINDOW:
        msg = f"SIZE of {device} is {device.SIZE!r}: 1 to {WINDOW} bytes of registers are possible"
        raise UsageError(msg)
    for offset in device.DOORBELLS:
        if not 0 <= offset < device.SIZE:
            msg = (
                f"DOORBELLS of {device} has {offset:#x}, outside of its registers, which have "
                f"{device.SIZE:#x} bytes"
            )
            raise UsageError(msg)
    if device.PCI_ID is not None:
        _check_function(device)
    elif device.MSI:
        msg = f"MSI of {device} is {device.MSI!r}, but it has no PCI_ID, such as (0x1234, 0x5678)"
        raise UsageError(msg)


def _check_function(device: Device) -> None:
    """Raise unless it can be a PCI function."""
    if device.SIZE & (device.SIZE - 1) or device.SIZE < _LEAST_BAR:
        msg = (
            f"SIZE of {device} is {device.SIZE:#x}: a BAR has a power of two of bytes, from "
            f"{_LEAST_BAR} on; {max(_LEAST_BAR, 1 << device.SIZE.bit_length()):#x} would do"
        )
        raise UsageError(msg)
    if not _is_id(device.PCI_ID):
        msg = (
            f"PCI_ID of {device} is {_hexadecimal(device.PCI_ID)}: vendor and device are needed, "
            "such as (0x1234, 0x5678): 16 bits each, and 0xffff is no vendor"
        )
        raise UsageError(msg)
    if not isinstance(device.PCI_CLASS, int) or not 0 <= device.PCI_CLASS < 1 << 24:
        msg = (
            f"PCI_CLASS of {device} is {_hexadecimal(device.PCI_CLASS)}: 24 bits are needed, such "
            "as 0x020000, an Ethernet controller"
        )
        raise UsageError(msg)
    if device.MSI not in _MESSAGES:
        known = ", ".join(map(str, _MESSAGES))
        msg = f"MSI of {device} is {device.MSI!r}: the numbers of messages are {known}"
        raise UsageError(msg)


def _is_id(given: object) -> bool:
    """Whether it is a vendor and a device; a vendor of ones is how no device reads."""
    return (
        isinstance(given, tuple)
        and len(given) == len(("vendor", "device"))
        and all(isinstance(part, int) and 0 <= part < 1 << 16 for part in given)
        and given[0] != _NOBODY
    )


def _hexadecimal(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_hexadecimal, value))})"
    return hex(value) if isinstance(value, int) else repr(value)


def _home(function: Callable[..., object]) -> str:
    """Return file and line where a function is defined; of one of C its name."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def _place(frame: FrameType, devices: Sequence[Device]) -> str:
    """Return function, file and line of the innermost code of a device's own file."""
    files = {sys.modules[kind.__module__].__file__ for kind in map(type, devices)}
    inner: FrameType | None = frame
    while inner and inner.f_code.co_filename not in files:
        inner = inner.f_back
    at = inner or frame
    return f"{at.f_code.co_name} ({at.f_code.co_filename}:{at.f_lineno})"
