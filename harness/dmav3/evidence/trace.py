# SPDX-License-Identifier: Apache-2.0
"""What the channels of the DMA controller did, for a person: a line for each thing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dmav3.errors import UsageError

from .microcode import Row, decode
from .probe import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .events import EventLog
    from .probe import Record

#: Channels of the PL330.
CHANNELS = 8
_START = "-- DMAGO starts it"
#: A line of the trace: channel, address, instruction or what happened; two spaces end it.
_LINE = re.compile(r" *\d+ +\d+ +([0-7])  (0x[0-9a-f]{8})  (\S+(?: \S+)*)", re.ASCII)
_HEADING = f"{'time ns':>12} {'command':>8} {'ch':>3}  {'address':<10}  instruction"
#: Bits of FTRn: their names in DDI 0424, and what the channel tried, `{}` for an address.
_FAULTS = {
    0: ("undef_instr", "an instruction that there is none of"),
    1: ("operand_invalid", "an operand that it must not have"),
    5: ("ch_evnt_err", "an event that is not for it"),
    6: ("ch_periph_err", "a peripheral that is not for it"),
    7: ("ch_rdwr_err", "an access that is not for it"),
    12: ("mfifo_err", "more bytes than the FIFO has room for"),
    13: ("st_data_unavailable", "a store of more than it had loaded"),
    16: ("instr_fetch_err", "a fetch of its program from {}, where nothing answers"),
    17: ("data_write_err", "a store to {}, which was answered by an error"),
    18: ("data_read_err", "a load from {}, which was answered by an error"),
    30: ("dbg_instr", "an instruction of the debug interface"),
    31: ("lockup_err", "to go on, and could not: the FIFO was full, or it waited for ever"),
}


def checked_channel(number: int) -> int:
    """Return the number of a channel of the PL330; `UsageError` if there is no such."""
    if not isinstance(number, int) or not 0 <= number < CHANNELS:
        msg = f"channel {number!r} does not exist: they are 0 to {CHANNELS - 1}"
        raise UsageError(msg)
    return number


def lines(events: EventLog, channel: int | None = None) -> list[str]:
    """Spell the event log since the last reset, as far as it is about the DMA controller.

    :param channel: 0 to 7, for the lines of this channel only.
    :raises UsageError: there is no such channel.
    """
    if channel is not None:
        checked_channel(channel)
    records = [
        record for record in events.all() if record.kind in _TEXTS and channel in {None, record.id}
    ]
    spelled = [_HEADING]
    if events.lost:
        spelled.append(
            f"... {events.lost} records of the event log were overwritten; some are missing here"
        )
    spelled += map(_line, records)
    if events.untraced:
        spelled.append(
            f"... {events.untraced} more instructions were not recorded: "
            "the property trace-instructions says how many are"
        )
    return spelled


@dataclass
class Executed:
    """A program as a channel executed it, in as many starts as it was the same.

    :ivar at: where it was started; None: the trace begins in the midst of it.
    :ivar starts: how often.
    :ivar instructions: by its address, each instruction's text, and how often it was executed.
    """

    channel: int
    at: int | None
    starts: int = 1
    instructions: dict[int, tuple[str, int]] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """Return its listing, with the counts."""
        return [
            Row(address, f"{count:>6}x  ", text)
            for address, (text, count) in self.instructions.items()
        ]

    def heading(self) -> str:
        """Say which it is."""
        started = "" if self.at is None else f", started at {self.at:#010x}"
        times = f" {self.starts} times" if self.starts > 1 else ""
        return f"channel {self.channel}{started}{times}"


def executed(text: Iterable[str]) -> list[Executed]:
    """Return the programs of a trace in text, as `lines` spells it; other lines do not count."""
    now: dict[int, Executed] = {}
    found: list[Executed] = []
    for matched in filter(None, map(_LINE.match, text)):
        channel, address, did = int(matched[1]), int(matched[2], 16), matched[3]
        if did == _START:
            now[channel] = Executed(channel, address)
            found.append(now[channel])
        elif did.startswith("DMA"):
            if channel not in now:
                now[channel] = Executed(channel, None)
                found.append(now[channel])
            _, count = now[channel].instructions.get(address, ("", 0))
            now[channel].instructions[address] = did, count + 1
    return _together(found)


def _together(found: Iterable[Executed]) -> list[Executed]:
    """Count starts of one program as one, if the same of it was executed."""
    alike: dict[tuple[object, ...], Executed] = {}
    for one in found:
        texts = tuple((at, text) for at, (text, _) in sorted(one.instructions.items()))
        first = alike.setdefault((one.channel, one.at, texts), one)
        if first is not one:
            first.starts += 1
            for at, (text, count) in one.instructions.items():
                first.instructions[at] = text, first.instructions[at][1] + count
    return list(alike.values())


def _line(record: Record) -> str:
    head = f"{record.time_ns:>12} {record.command:>8} {record.id:>3}  {record.a:#010x}  "
    return head + _TEXTS[record.kind](record)


def _instruction(record: Record) -> str:
    text = decode(record.b.to_bytes(8, "little"), record.a).text
    if record.d:
        does = "reads" if text.startswith("DMALD") else "writes"
        text = f"{text:<24}{does} {record.d} bytes at {record.c:#x}"
    return f"{text:<24}interrupts the CPU" if record.e else text


def _fault(record: Record) -> str:
    names = [name for name, _ in _faults(record)]
    return f"-- faults: {', '.join(names)}; SAR {record.c:#x}, DAR {record.d:#x}"


def fault_words(record: Record) -> str:
    """Return where and in which access a channel faulted, as its record says."""
    tried = " and ".join(f"{words} ({name})" for name, words in _faults(record))
    return (
        f"channel {record.id} of the PL330 faulted at microcode {record.a:#x}; it had tried "
        + tried.format(f"{record.e:#x}" if record.e else "somewhere")
    )


def _faults(record: Record) -> list[tuple[str, str]]:
    return [names for bit, names in _FAULTS.items() if record.b >> bit & 1]


_TEXTS: dict[Kind, Callable[[Record], str]] = {
    Kind.DMAGO: lambda _: _START,
    Kind.DMAKILL: lambda _: "-- DMAKILL ends it",
    Kind.INSTRUCTION: _instruction,
    Kind.HELD: lambda record: f"-- held after {record.b} bursts, {record.c} bytes",
    Kind.CHANNEL_FAULT: _fault,
}
