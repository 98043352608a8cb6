# SPDX-License-Identifier: Apache-2.0
"""What has reached a board from outside since it started, or was reset last.

A run is a function of that: of image, machine, seed and schedule, and of what was sent, put and set
at which moment. Everything else in it is the board's own doing. So these are enough to have the run
again, and they are kept always: a failure need not be provoked a second time to be recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .contents import Contents

#: Bytes of content that are kept; a run that is given more cannot be had again.
MOST_BYTES = 64 << 20


class Entry(NamedTuple):
    """One thing that reached the board.

    :ivar time_ns: model time, which stood still.
    :ivar kind: "line" (of the serial line), "stage" (bytes for memory, from which the firmware
        takes them), "put" and "take" (at the stream device), "monitor" (a command).
    :ivar name: of a monitor's command.
    :ivar arguments: of such a command; the address or the count of the others.
    :ivar data: their bytes.
    """

    time_ns: int
    kind: str
    name: str = ""
    arguments: Mapping[str, Any] = {}
    data: bytes = b""


class Recording:
    """Keeps the entries, and what of those before the last reset still counts.

    :ivar entries: since the start or the last reset, in order.
    :ivar devices: what the board has said (True) to devices written in Python, and they to it.
    :ivar disks: what each had in it then, by the slot of its device (a reset leaves it as it is).
    :ivar resets: how many there were.
    :ivar kept: the properties that had been set before the first entry: (path, name) to value.
    :ivar gaps: why a run by these entries would be another one; empty: it would be the same.
    """

    def __init__(self, now: Callable[[], int], look: Callable[[], Mapping[int, Contents]]) -> None:
        """Keep what is noted from now on.

        :param now: returns model time.
        :param look: returns what the disks have in them.
        """
        self._now, self._look, self._bytes = now, look, 0
        self.disks: Mapping[int, Contents] = {}
        self.entries: list[Entry] = []
        self.devices: list[tuple[bool, bytes]] = []
        self.resets = 0
        self.kept: dict[tuple[str, str], object] = {}
        self._properties: dict[tuple[str, str], object] = {}
        self.gaps: list[str] = []

    def line(self, data: bytes) -> None:
        """Note what was sent on the serial line."""
        self._add(Entry(self._now(), "line", data=data))

    def staged(self, address: int, data: bytes) -> None:
        """Note bytes that were put into memory."""
        self._add(Entry(self._now(), "stage", arguments={"address": address}, data=bytes(data)))

    def put(self, data: bytes) -> None:
        """Note bytes that the stream device was given."""
        self._add(Entry(self._now(), "put", data=bytes(data)))

    def taken(self, count: int) -> None:
        """Note how many bytes were taken from the stream device."""
        self._add(Entry(self._now(), "take", arguments={"count": count}))

    def command(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Note a command of the monitor; those that only ask are none."""
        if name.startswith(("query-", "qom-list")):
            return
        if name == "qom-set":
            self._properties[arguments["path"], arguments["property"]] = arguments["value"]
        self._add(Entry(self._now(), "monitor", name, dict(arguments)))

    def of_devices(self, by_board: bool, data: bytes) -> None:  # noqa: FBT001 - two directions
        """Note what is exchanged with devices written in Python."""
        if self._has_room(data):
            self.devices.append((by_board, bytes(data)))

    def restart(self, *, altered: bool) -> None:
        """Forget all that a reset has undone.

        :param altered: the board has been changed in a way that the reset does not undo.
        """
        if altered:
            self.gaps.append("the board was altered before its last reset")
        self.resets += 1
        self.begin()

    def begin(self) -> None:
        """Keep what is noted from now on: the firmware has said its first word."""
        self.entries.clear()
        self.devices.clear()
        self._bytes, self.kept = 0, dict(self._properties)
        self.disks = self._look()

    def touched(self, how: str) -> None:
        """Note that somebody has reached the board who is not recorded."""
        if how not in self.gaps:
            self.gaps.append(how)

    def _add(self, entry: Entry) -> None:
        if self._has_room(entry.data):
            self.entries.append(entry)

    def _has_room(self, data: bytes) -> bool:
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            self.touched(f"the run was given more than {MOST_BYTES} bytes")
        return self._bytes <= MOST_BYTES
