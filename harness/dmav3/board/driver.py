# SPDX-License-Identifier: Apache-2.0
"""A driver whole: the one whose `DriverEntry` is in the image, as Windows would drive it.

::

    with Board(image=image) as board, board.driver("stream") as driver:
        board.stream.receive_put(b"hello")
        assert driver.read(5) == b"hello"
        pending = driver.begin_read(16)
        pending.cancel()

Requests go to the top of the device's stack, with the caller's memory buffered, locked or as it is,
by the device's flags or the control code. Time passes while a request is sent, and in `wait`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

from dmav3.errors import NtStatusError, PendingError, UsageError
from dmav3.guest.memory import check_bytes
from dmav3.wdm import (
    CmResourceTypeDma,
    CmResourceTypeInterrupt,
    CmResourceTypeMemory,
    DevicePower,
    Major,
    NtStatus,
    Pnp,
    Power,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dmav3.guest.memory import Buffer, Memory

    from .leftovers import Live

T = TypeVar("T")

#: Nanoseconds of model time that a request may take unless another limit is given.
PATIENCE_NS = 100_000_000
#: Which routine a status of `driver_load` is of.
_STEPS = ("a second start, without a removal", "DriverEntry", "AddDevice")
#: How the firmware tells of a request that a driver has; what says that a state is the device's.
_KEPT, _OF_DEVICE = "pending_irp", 0x100


class Resource(NamedTuple):
    """What a device has, as a start names it.

    :ivar type: CmResourceTypeMemory, …Interrupt or …Dma.
    :ivar first: the address; the shared interrupt of the GIC; the request line.
    :ivar second: bytes; 1 if latched, else 0; the channel.
    """

    type: int
    first: int
    second: int

    @staticmethod
    def memory(start: int, size: int) -> Resource:
        """Return registers."""
        return Resource(CmResourceTypeMemory, start, size)

    @staticmethod
    def interrupt(spi: int, *, latched: bool = False) -> Resource:
        """Return an interrupt, a level unless it is latched."""
        return Resource(CmResourceTypeInterrupt, spi, int(latched))

    @staticmethod
    def dma(line: int, channel: int) -> Resource:
        """Return a request line, and a channel of the DMA controller."""
        return Resource(CmResourceTypeDma, line, channel)


class Way(NamedTuple):
    """The way to the board that a driver is on.

    :ivar call: runs a command of the image.
    :ivar live: returns what lives.
    :ivar waiting: returns what has not happened yet.
    """

    call: Callable[..., dict[str, int]]
    memory: Memory
    live: Callable[[], list[Live]]
    waiting: Callable[[], list[str]]


class IoRequest(Generic[T]):
    """A request that a driver was sent; `wait` gives what came of it.

    :ivar what: what it is, in words.
    :ivar number: by which the firmware knows it.
    :ivar returned: what the dispatch routine returned.
    """

    def __init__(
        self,
        way: Way,
        what: str,
        words: tuple[int, ...],
        buffers: list[Buffer],
        result: Callable[[int], T],
    ) -> None:
        """Send it.

        :param words: the arguments of `driver_send`.
        :param buffers: memory of the caller's, which is given back at the end.
        :param result: makes what `wait` returns out of IoStatus.Information.
        """
        self.what, self._way, self._buffers, self._result = what, way, buffers, result
        reply = way.call("driver_send", *words)
        if "request" not in reply:
            self._free()
            unsent = f"{what} cannot be sent"
            raise NtStatusError(unsent, NtStatus(reply["status"]))
        self.number, self._irp = reply["request"], reply["irp"]
        self.returned = NtStatus(reply["status"])
        self._ended: tuple[NtStatus, int, T] | None = None

    def __repr__(self) -> str:
        """Return what it is, and how it stands."""
        return f"<{self.what} (request {self.number}), {self.status or 'pending'}>"

    @property
    def status(self) -> NtStatus | None:
        """The status with which it has ended; None: a driver has it."""
        if self._ended is None:
            with suppress(PendingError):
                self._end(0)
        return self._ended and self._ended[0]

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.status is not None

    def wait(self, ns: int = PATIENCE_NS) -> T:
        """Let model time pass until it has ended.

        :param ns: at most so much, in nanoseconds.
        :return: of a read, or a control code, the bytes; of a write, how many were taken.
        :raises NtStatusError: it has ended, and not with success.
        :raises PendingError: it has not ended; it may be waited for again.
        """
        status, information, result = self._end(ns)
        if not status.success:
            raise NtStatusError(self.what, status, information)
        return result

    def cancel(self) -> bool:
        """Ask the driver to end it (IoCancelIrp); whether a cancel routine was called."""
        if self._ended is not None:
            return False
        return bool(self._way.call("driver_cancel", self.number).get("called", 0))

    def _end(self, ns: int) -> tuple[NtStatus, int, T]:
        if self._ended is None:
            reply = self._way.call("driver_wait", self.number, ns)
            status = NtStatus(reply["status"])
            if "since" not in reply:
                msg = f"the board does not know {self.what} any more: it was reset"
                raise UsageError(msg)
            if status == NtStatus.STATUS_PENDING:
                raise self._pending(reply["since"], reply["until"], ns)
            information = reply["information"]
            self._ended = status, information, self._result(information)
            self._way.call("driver_forget", self.number)
            self._free()
        return self._ended

    def _pending(self, since_ns: int, now_ns: int, ns: int) -> PendingError:
        place, waiting = "", list[str]()
        if ns:
            made = [one.made() for one in self._way.live() if self._is(one)]
            place, waiting = f"kept by {made[0]}" if made else "", self._way.waiting()
        return PendingError(self.what, self.number, since_ns, now_ns, place=place, waiting=waiting)

    def _is(self, one: Live) -> bool:
        return one.kind == _KEPT and one.thing == self._irp

    def _free(self) -> None:
        for buffer in self._buffers:
            self._way.memory.free(buffer)
        self._buffers.clear()


class Driver:
    """The driver in a board's image, with one device; `Board.driver` makes it.

    `with` starts the device, and removes it at the end of the block, unless that ends by an
    exception. The first request that needs an opening sends IRP_MJ_CREATE. After a reset of the
    board another is to be made.

    What the driver does wrong is a violation, as with any other: it fails to pass a request on to
    the device below, returns one thing and says another, leaves its device behind.
    """

    def __init__(self, way: Way, name: str, resources: Iterable[Resource]) -> None:
        """Load nothing yet."""
        self._way, self._name, self._resources = way, name, list(resources)[::-1]
        self._loaded = self._opened = False
        self._sent: list[IoRequest[object]] = []

    def __enter__(self) -> Self:
        """Start the device."""
        self.start()
        return self

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        """Remove the device, unless that has been done, or an exception is on its way."""
        if kind is None and self._loaded:
            self.remove()

    # Plug and Play, power

    def start(self) -> None:
        """Load the driver, if it is not, and start the device with its resources.

        DriverEntry and AddDevice come first, then IRP_MN_START_DEVICE.

        :raises NtStatusError: one of them has failed. The device is removed then, the driver is
            unloaded.
        """
        if not self._loaded:
            self._load()
        try:
            self._pnp(Pnp.IRP_MN_START_DEVICE)
        except NtStatusError:
            self._remove()
            raise

    def stop(self) -> None:
        """Stop the device, so that it may be started again: QUERY_STOP, then STOP.

        :raises NtStatusError: the driver refuses; the device is as before.
        """
        self._ask(Pnp.IRP_MN_QUERY_STOP_DEVICE, Pnp.IRP_MN_CANCEL_STOP_DEVICE)
        self._pnp(Pnp.IRP_MN_STOP_DEVICE)

    def remove(self) -> None:
        """Close what is open, and remove device and driver: QUERY_REMOVE, REMOVE, DriverUnload.

        :raises NtStatusError: the driver refuses; the device is as before, but closed.
        :raises PendingError: it has a request that it does not end.
        """
        self.close()
        self._ask(Pnp.IRP_MN_QUERY_REMOVE_DEVICE, Pnp.IRP_MN_CANCEL_REMOVE_DEVICE)
        self._remove()

    def surprise_remove(self) -> None:
        """Tell the driver that its device has gone, close what is open, remove both.

        :raises PendingError: it has a request that it does not end.
        """
        self._pnp(Pnp.IRP_MN_SURPRISE_REMOVAL)
        self.close()
        self._remove()

    def set_power(self, state: DevicePower) -> None:
        """Ask whether the device may be in a state of power, and let it.

        :raises NtStatusError: the driver refuses.
        """
        for minor in (Power.IRP_MN_QUERY_POWER, Power.IRP_MN_SET_POWER):
            words = (Major.IRP_MJ_POWER, minor, _OF_DEVICE | state, 0, 0, 0, 0)
            self._begin(f"{minor.name} {DevicePower(state).name}", words).wait()

    # Requests of an application

    def open(self) -> None:
        """Open the device, IRP_MJ_CREATE; nothing happens if it is open."""
        if not self._opened:
            self._check_loaded()
            self._begin("the opening", (Major.IRP_MJ_CREATE, 0, 0, 0, 0, 0, 0)).wait()
            self._opened = True

    def close(self) -> None:
        """Close the device: IRP_MJ_CLEANUP, the end of what is pending, IRP_MJ_CLOSE.

        Nothing happens if it is not open.

        :raises PendingError: the driver has a request that the clean-up did not end.
        """
        if not self._opened:
            return
        self._begin("the clean-up", (Major.IRP_MJ_CLEANUP, 0, 0, 0, 0, 0, 0)).wait()
        for request in self._sent:
            request._end(PATIENCE_NS)  # noqa: SLF001 - of this file
        self._sent.clear()
        self._begin("the closing", (Major.IRP_MJ_CLOSE, 0, 0, 0, 0, 0, 0)).wait()
        self._opened = False

    def read(self, size: int, *, offset: int = 0) -> bytes:
        """Read up to `size` bytes; as `begin_read`, then `wait`."""
        return self.begin_read(size, offset=offset).wait()

    def write(self, data: bytes, *, offset: int = 0) -> int:
        """Write bytes; returns how many were taken. As `begin_write`, then `wait`."""
        return self.begin_write(data, offset=offset).wait()

    def ioctl(self, code: int, data: bytes = b"", output_size: int = 0) -> bytes:
        """Send a control code, with input; returns the output. As `begin_ioctl`, then `wait`."""
        return self.begin_ioctl(code, data, output_size).wait()

    def begin_read(self, size: int, *, offset: int = 0) -> IoRequest[bytes]:
        """Send IRP_MJ_READ, for at most `size` bytes, from an offset on.

        :raises NtStatusError: the device cannot be opened, or there is no memory.
        """
        what = f"the read of {size} bytes"
        output = self._allocate(what, size)
        words = (Major.IRP_MJ_READ, 0, offset, 0, 0, *_words(output))
        return self._request(what, words, [output], self._loader(output))

    def begin_write(self, data: bytes, *, offset: int = 0) -> IoRequest[int]:
        """Send IRP_MJ_WRITE; as `begin_read`."""
        what = f"the write of {len(data)} bytes"
        buffer = self._store(what, data)
        words = (Major.IRP_MJ_WRITE, 0, offset, *_words(buffer), 0, 0)
        return self._request(what, words, [buffer], int)

    def begin_ioctl(self, code: int, data: bytes = b"", output_size: int = 0) -> IoRequest[bytes]:
        """Send IRP_MJ_DEVICE_CONTROL; `ctl_code` makes codes."""
        what = f"the control code {code:#x}"
        source = self._store(f"input of {what}", data)
        output = self._allocate(f"output of {what}", output_size)
        words = (Major.IRP_MJ_DEVICE_CONTROL, 0, code, *_words(source), *_words(output))
        return self._request(what, words, [source, output], self._loader(output))

    # Inside

    def _check_loaded(self) -> None:
        if not self._loaded:
            msg = f"the driver of {self._name} is not loaded: call start() before"
            raise UsageError(msg)

    def _load(self) -> None:
        while self._resources:
            self._way.call("driver_resource", *self._resources.pop())
        reply = self._way.call("driver_load")
        status = NtStatus(reply["status"])
        if not status.success:
            raise NtStatusError(_STEPS[reply["step"]], status)
        self._loaded = True

    def _pnp(self, minor: Pnp) -> None:
        self._check_loaded()
        self._begin(minor.name, (Major.IRP_MJ_PNP, minor, 0, 0, 0, 0, 0)).wait()

    def _ask(self, minor: Pnp, instead: Pnp) -> None:
        """Send a question, and what takes it back where the answer is no."""
        try:
            self._pnp(minor)
        except NtStatusError:
            self._pnp(instead)
            raise

    def _remove(self) -> None:
        self._pnp(Pnp.IRP_MN_REMOVE_DEVICE)
        status = NtStatus(self._way.call("driver_unload")["status"])
        if not status.success:
            what = "the unloading (set DriverUnload of the driver object in DriverEntry)"
            raise NtStatusError(what, status)
        self._loaded = False

    def _begin(self, what: str, words: tuple[int, ...]) -> IoRequest[int]:
        return IoRequest(self._way, what, words, [], int)

    def _request(
        self,
        what: str,
        words: tuple[int, ...],
        buffers: list[Buffer | None],
        result: Callable[[int], T],
    ) -> IoRequest[T]:
        self.open()
        there = [buffer for buffer in buffers if buffer]
        request = IoRequest(self._way, what, words, there, result)
        self._sent = [one for one in self._sent if one._ended is None]  # noqa: SLF001
        self._sent.append(request)  # type: ignore[arg-type]
        return request

    def _allocate(self, name: str, size: int) -> Buffer | None:
        """Take memory of the caller's, whose pages are anywhere, as those of an application are."""
        if size < 0:
            msg = f"{name}: a size is 0 or more, not {size}"
            raise UsageError(msg)
        return self._way.memory.allocate(size, name=name, region="scatter") if size else None

    def _store(self, name: str, data: bytes) -> Buffer | None:
        check_bytes(data)
        buffer = self._allocate(name, len(data))
        if buffer:
            self._way.memory.cpu_store(buffer.address, data)
        return buffer

    def _loader(self, output: Buffer | None) -> Callable[[int], bytes]:
        def load(information: int) -> bytes:
            if output is None:
                return b""
            return self._way.memory.cpu_load(output.address, min(information, output.size))

        return load


def _words(buffer: Buffer | None) -> tuple[int, int]:
    return (buffer.address, buffer.size) if buffer else (0, 0)
