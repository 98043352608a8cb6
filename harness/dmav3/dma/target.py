# SPDX-License-Identifier: Apache-2.0
"""The shim as the routines need it, and the guest memory by which they give and take values."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmav3.errors import UsageError
from dmav3.wire.rpc import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from dmav3.elf.image import Elf
    from dmav3.elf.layout import Struct
    from dmav3.guest.memory import Memory
    from dmav3.wire.rpc import Handler

    #: The words of a request.
    Words = Sequence[str | int]

#: What memory holds that a routine may write, until it does.
PATTERN = 0xA5
#: What is left of it in a 32-bit and in a 64-bit value: the routine wrote none (GEN-06).
UNWRITTEN, UNWRITTEN64 = 0xA5A5A5A5, 0xA5A5A5A5_A5A5A5A5
_ALIGN = 16


class Pointer(int):
    """A guest address in place of a value that is passed by reference.

    The routine gets it as it is. What it writes there is for the caller to read; the result says 0.
    """

    __slots__ = ()


#: The null pointer, for every parameter that is a pointer.
NULL = Pointer(0)

#: For a result that comes through a pointer. True: provide a place, full of `PATTERN`, and return
#: what is there after the call. False: NULL.
Place = bool | Pointer


@dataclass
class Mdl:
    """A memory descriptor list in the guest: its address there, and the bytes of its chain."""

    address: int
    size: int


class Cells:
    """A stack of small pieces of guest memory, in a range that no cache holds.

    A piece is given up when the call that needed it has returned, and then holds `PATTERN`: who
    keeps a pointer into it longer than the interface allows reads nonsense.
    """

    def __init__(
        self,
        start: int,
        end: int,
        write: Callable[[int, bytes], None],
        read: Callable[[int, int], bytes],
    ) -> None:
        """Use the range; `write` and `read` work on guest addresses, without the guest's CPU."""
        self._next, self._end = start, end
        self._write, self._read = write, read

    @contextmanager
    def hold(self, data: bytes) -> Iterator[Cell]:
        """Put `data` into a piece of its own, inside the block."""
        address, after = self._next, self._next + -(-len(data) // _ALIGN) * _ALIGN
        if after > self._end:
            msg = f"{len(data)} more bytes of parameters do not fit: calls are nested too deeply"
            raise UsageError(msg)
        self._next = after
        self._write(address, data)
        try:
            yield Cell(address, len(data), self._read)
        finally:
            self._write(address, bytes([PATTERN]) * len(data))
            self._next = address


@dataclass(frozen=True)
class Cell:
    """A piece of guest memory for one parameter."""

    address: int
    size: int
    read: Callable[[int, int], bytes]

    @property
    def number(self) -> int:
        """What is in it now."""
        return int.from_bytes(self.bytes, "little")

    @property
    def bytes(self) -> bytes:
        """The bytes that are in it now."""
        return self.read(self.address, self.size)


class Target:
    """The shim as the routines need it: the way of requests, and the memory for parameters.

    :ivar request: sends a request, serves callbacks, returns the reply.
    :ivar routine: does so with one that is a routine of the interface.
    :ivar callback: registers a function for callbacks; returns its cookie.
    """

    def __init__(
        self,
        request: Callable[..., Reply],
        callback: Callable[[Handler], int],
        time_ns: Callable[[], int],
        waiting: Callable[[], list[str]],
        image: Elf,
        memory: Memory,
    ) -> None:
        """Keep what is needed; ask nothing yet."""
        self.request, self.callback, self._time_ns = request, callback, time_ns
        self._waiting = waiting
        self.routine = request
        self._image, self._memory = image, memory
        where = memory.cells
        self._cells = Cells(where.start, where.end, memory.stage, memory.look)
        self._device: int | None = None

    @property
    def device(self) -> int:
        """The device object of calls that name none; made when it is first needed."""
        if self._device is None:
            self._device = self.allocate_device()
        return self._device

    def allocate_device(self, CurrentIrp: int = 0) -> int:
        """Return the address of a new device object; `set_current_irp` changes what it has."""
        device = self.request("allocate", self.struct("DEVICE_OBJECT").size).number("address")
        self.set_current_irp(device, CurrentIrp)
        return device

    def set_current_irp(self, device: int, irp: int) -> None:
        """Let the CPU store a device object's CurrentIrp."""
        member = self.struct("DEVICE_OBJECT").member("CurrentIrp")
        self.request("poke", device + member.offset, str(8 * member.type.size), irp)

    def batch(self, *requests: Words) -> list[Reply]:
        """Send requests that the shim executes back to back, without a barrier between them.

        Those of memory are `peek`, `poke`, `peek_until`, `copy` and `fill` (firmware/PROTOCOL.md).

        :return: the reply to each.
        :raises UsageError: there is none, or they do not fit into one line.
        :raises RefusedError: one was refused. None was executed if it is unknown or has wrong
            arguments; otherwise those before it were.
        """
        if not requests:
            msg = 'a batch needs a request, such as ["peek", 0x40000000, "32"]'
            raise UsageError(msg)
        if len(requests) == 1:
            return [self.request(*requests[0])]
        first, *others = requests
        values = self.request(*first, *(word for one in others for word in (";", *one))).values
        return [Reply(_of_number(values, n)) for n in range(1, len(requests) + 1)]

    @contextmanager
    def directly(
        self, *, before: Sequence[Words] = (), after: Sequence[Words] = ()
    ) -> Iterator[list[Reply]]:
        """Let the first routine that the block calls be one of a `batch`, with these beside it.

        ::

            with board.dma.directly(after=[("poke", doorbell, "32", 1)]):
                adapter.MapTransferEx(mdl, base, WriteToDevice=True)

        :return: their replies, when the routine has returned.
        :raises UsageError: the block has called none.
        """
        replies = list[Reply]()

        def batched(*words: str | int) -> Reply:
            self.routine = self.request
            replies.extend(self.batch(*before, words, *after))
            return replies.pop(len(before))

        self.routine = batched
        try:
            yield replies
            if self.routine is batched:
                msg = "no routine was called, so nothing was sent"
                raise UsageError(msg)
        finally:
            self.routine = self.request

    def forget(self) -> None:
        """Know no object of the guest any more, after a reset."""
        self._device = None

    def struct(self, name: str) -> Struct:
        """Return the layout of a structure of wdm_dma.h; `UsageError` if there is none."""
        return self._image.struct(f"_{name}")  # by its tag: not every typedef is used

    @property
    def pointer_size(self) -> int:
        """Bytes of a pointer in the guest."""
        return self.struct("DMA_ADAPTER").member("DmaOperations").type.size

    @contextmanager
    def reference(self, value: int | bytes, size: int = 0) -> Iterator[Cell]:
        """Pass bytes, or a number of `size` bytes, by reference inside the block.

        A `Pointer` is a reference already, to `size` bytes.
        """
        if isinstance(value, Pointer):
            yield Cell(value, size, lambda _address, size: bytes(size))
        else:
            data = value if isinstance(value, bytes) else to_bytes(value, size)
            with self._cells.hold(data) as cell:
                yield cell

    def place(self, wanted: Place, size: int) -> AbstractContextManager[Cell]:
        """Provide a place for a result of `size` bytes inside the block."""
        if isinstance(wanted, Pointer) or not wanted:
            return self.reference(Pointer(wanted), size)
        return self.reference(bytes([PATTERN]) * size)

    def structure(self, name: str, wanted: Place, **members: int) -> AbstractContextManager[Cell]:
        """Provide a place for a structure inside the block, with these members and the pattern."""
        layout = self.struct(name)
        if isinstance(wanted, Pointer) or not wanted:
            return self.place(wanted, layout.size)
        data = bytearray([PATTERN]) * layout.size
        layout.write(data, members)
        return self.reference(bytes(data))


def to_bytes(value: int, size: int) -> bytes:
    """Return the lowest `size` bytes of a number as they lie in guest memory."""
    return (value % (1 << 8 * size)).to_bytes(size, "little")


def _of_number(values: dict[str, str], number: int) -> dict[str, str]:
    """Return the values of one command of several, without its number."""
    mine = f"{number}."
    return {key.removeprefix(mine): value for key, value in values.items() if key.startswith(mine)}
