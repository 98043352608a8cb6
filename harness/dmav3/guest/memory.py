# SPDX-License-Identifier: Apache-2.0
"""Guest memory for tests: where it is, what lies in it, and how bytes get there and back.

The regions come from the firmware's linker script:

- `arena`: cacheable, virtual address = physical address;
- `scatter`: cacheable, a virtual window whose pages lie in physical memory in permuted order,
  so that every page of a buffer is a fragment of its own;
- `staging`: non-cacheable, outside the cache model: the only guest memory that we write;
- `cells`: its end, for what routines take and give by reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from dmav3.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.elf.image import Elf

PAGE = 4096
#: Bytes of the region `cells`.
CELLS = 4 * PAGE
#: Alignment of buffers unless another is asked for: no line is then shared at the start.
LINE = 64

RegionName = Literal["arena", "scatter"]


@dataclass(frozen=True)
class Buffer:
    """A piece of guest memory.

    :ivar address: virtual, as the guest's CPU uses it.
    :ivar size: bytes.
    :ivar ranges: its physical (address, length) pieces in order of virtual addresses.
    """

    name: str
    address: int
    size: int
    ranges: tuple[tuple[int, int], ...]

    def offset_of(self, physical: int) -> int | None:
        """Return the offset in this buffer of a physical address; None if it is elsewhere."""
        offset = 0
        for start, length in self.ranges:
            if start <= physical < start + length:
                return offset + physical - start
            offset += length
        return None


@dataclass(frozen=True)
class Region:
    """A range of guest memory and how it translates."""

    name: str
    start: int
    end: int
    pages: tuple[int, ...] | None  # physical address of each page; None: identity

    def physical(self, address: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield the physical pieces of a virtual range, adjacent ones joined."""
        if self.pages is None:
            yield address, size
            return
        start, length = 0, 0
        while size:
            page, inside = divmod(address - self.start, PAGE)
            step = min(size, PAGE - inside)
            here = self.pages[page] + inside
            if length and here == start + length:
                length += step
            else:
                if length:
                    yield start, length
                start, length = here, step
            address, size = address + step, size - step
        if length:
            yield start, length


@dataclass(frozen=True)
class Access:
    """The ways to the guest's memory.

    :ivar look: returns bytes as the CPU sees them, by physical address, without an access.
    :ivar stage: puts bytes at a physical address of the staging window or the cells, into what the
        CPU sees and into what devices see, without an access.
    :ivar copy: lets the guest's CPU copy bytes: to this virtual address, from that one, so many.
    """

    look: Callable[[int, int], bytes]
    stage: Callable[[int, bytes], None]
    copy: Callable[[int, int, int], object]


def check_bytes(data: object) -> None:
    """Raise `UsageError` for what is no bytes."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        msg = f"bytes are needed, such as b'...', not {str(data)[:40]!r} ({type(data).__name__})"
        raise UsageError(msg)


class Memory:
    """Hands out buffers in the regions, finds the buffer at an address, and moves bytes.

    What begins with `cpu_` is done by loads and stores of the guest's CPU, through its cache;
    `look` and `stage` are no accesses of the guest.
    """

    def __init__(self, image: Elf, access: Access) -> None:
        """Take the regions from the image's symbols.

        The table of the scatter window's pages is read when that window is used first.
        """
        self._image, self._access = image, access
        self.look, self.stage = access.look, access.stage
        window = self._region("staging", None)
        self.staging = replace(window, end=window.end - CELLS)
        self.cells = replace(window, name="cells", start=self.staging.end)
        self._regions: dict[str, Region] = {"arena": self._region("arena", None)}
        self._buffers: list[Buffer] = []

    def region(self, name: RegionName) -> Region:
        """Return a region that buffers are taken from."""
        if name not in self._regions:
            self._regions[name] = self._region(name, "scatter_pages")
        return self._regions[name]

    def allocate(
        self,
        size: int,
        *,
        name: str | None = None,
        region: RegionName = "arena",
        align: int = LINE,
        offset: int = 0,
    ) -> Buffer:
        """Take a buffer; its contents are what was there before.

        :param size: bytes, at least 1.
        :param name: for findings; "buffer N" if not given.
        :param align, offset: the address will be `offset` bytes behind a multiple of `align`.
        :raises UsageError: no gap is large enough, or a parameter makes no sense.
        """
        if size < 1 or align < 1 or not 0 <= offset < align:
            msg = f"a buffer of {size} bytes, {offset} behind a multiple of {align}, cannot be"
            raise UsageError(msg)
        where = self.region(region)
        address = where.start - where.start % align + offset
        if address < where.start:
            address += align
        taken = (buffer for buffer in self._buffers if where.start <= buffer.address < where.end)
        for buffer in sorted(taken, key=lambda buffer: buffer.address):
            if address + size <= buffer.address:
                break
            while address < buffer.address + buffer.size:
                behind = buffer.address + buffer.size - offset
                address = -(-behind // align) * align + offset
        if address + size > where.end:
            msg = f"no {size} bytes are free in the {region}, which has {where.end - where.start}"
            raise UsageError(msg)
        label = name or f"buffer {len(self._buffers) + 1}"
        made = Buffer(label, address, size, tuple(where.physical(address, size)))
        self._buffers.append(made)
        return made

    def free(self, buffer: Buffer) -> None:
        """Give a buffer back; `UsageError` if it is none of ours."""
        if buffer not in self._buffers:
            msg = f"{buffer.name} at {buffer.address:#x} is not allocated"
            raise UsageError(msg)
        self._buffers.remove(buffer)

    def free_all(self) -> None:
        """Give every buffer back."""
        self._buffers.clear()

    def locate(self, physical: int) -> tuple[Buffer, int] | None:
        """Return the buffer that a physical address lies in, and the offset there."""
        for buffer in self._buffers:
            if (offset := buffer.offset_of(physical)) is not None:
                return buffer, offset
        return None

    def cpu_store(self, address: int, data: bytes) -> None:
        """Let the guest's CPU store `data` at a virtual address."""
        check_bytes(data)
        window, step = self.staging.start, self.staging.end - self.staging.start
        for done in range(0, len(data), step):
            piece = data[done : done + step]
            self.stage(window, piece)
            self._access.copy(address + done, window, len(piece))

    def cpu_load(self, address: int, length: int) -> bytes:
        """Return what the guest's CPU loads from a virtual address."""
        window, step = self.staging.start, self.staging.end - self.staging.start
        data = bytearray()
        while len(data) < length:
            count = min(step, length - len(data))
            self._access.copy(window, address + len(data), count)
            data += self.look(window, count)
        return bytes(data)

    def _region(self, name: str, table: str | None) -> Region:
        start = self._image.symbol(f"__{name}_start").address
        end = self._image.symbol(f"__{name}_end").address
        if table is None:
            return Region(name, start, end, None)
        count = (end - start) // PAGE
        raw = self.look(self._image.symbol(table).address, 8 * count)
        return Region(name, start, end, tuple(memoryview(raw).cast("Q")))
