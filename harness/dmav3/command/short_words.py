# SPDX-License-Identifier: Apache-2.0
"""Short words of `dmav3 qmp`: a board's channels, caches, findings and calls, for a person.

What only looks reads the files that `board.json` names, so it changes nothing of a run; channels
are reached through the monitor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dmav3.board.elsewhere import BoardElsewhere
from dmav3.devices.channel import Channel
from dmav3.errors import ImageError, MonitorError, UsageError, printable
from dmav3.evidence.microcode import control, decode
from dmav3.evidence.probe import LineState
from dmav3.evidence.trace import CHANNELS
from dmav3.wire.answers import fold

from . import cache_text
from .cache_text import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dmav3.devices.channel import Properties, Registers
    from dmav3.qemu.sockets import BoardCard

_PIPE_COLUMNS = 80
#: Bursts of one `step`; the last that a channel can be held before.
_MOST_STEPS, _LAST_BURST = 1000, (1 << 63) - 1
_LONGEST_INSTRUCTION = 6  # bytes
_STOPPED = "stopped"


@dataclass(frozen=True)
class _Word:
    """One word: its arguments as help spells them, one that works, and what it does."""

    arguments: str
    example: str
    meaning: str
    run: Callable[[Sequence[str]], list[str]]

    def takes(self, given: int) -> bool:
        """Return whether it can have so many arguments."""
        names = self.arguments.split()
        return len([one for one in names if one[0] != "["]) <= given <= len(names)

    def shown(self, name: str) -> str:
        """Return a line that works."""
        return f"{name} {self.example}".rstrip()


class ShortWords:
    """The words, for one running board."""

    def __init__(self, card: BoardCard, properties: Properties, columns: int | None) -> None:
        """Look at nothing yet.

        :param properties: of the board, through its monitor.
        :param columns: of the terminal; None: it is a pipe, and what is one thing is one line.
        """
        self._card, self._properties, self._columns = card, properties, columns
        self._words = {
            "pl330": _Word("", "", "what each channel of the DMA controller does", self._pl330),
            "cache": _Word(
                "ADDR [LEN]",
                "0x41280000 64",
                "states of cache lines, and their bytes as the CPU and as devices see them: a * "
                "marks those that differ; ADDR is physical, or a variable of the firmware",
                self._cache,
            ),
            "dirty": _Word("", "", "lines that are newer in the cache", self._dirty),
            "stale": _Word("", "", "lines that a device has written behind the cache", self._stale),
            "findings": _Word("", "", "what the cache model has found", self._findings),
            "calls": _Word("", "", "the driver's calls, and what came of each", self._calls),
            "hold": _Word(
                "CHANNEL [BURST]",
                "0 3",
                "hold a channel before that burst since its start, or before its next one",
                self._hold,
            ),
            "step": _Word("CHANNEL [COUNT]", "0", "let a held channel do one burst", self._step),
            "release": _Word("CHANNEL", "0", "let a held channel go on", self._release),
            "help": _Word("[WORD]", "cache", "these words, or one of them", self._help),
        }

    @property
    def names(self) -> list[str]:
        """The words."""
        return list(self._words)

    def knows(self, line: str) -> bool:
        """Return whether a line begins with such a word."""
        words = line.split(maxsplit=1)
        return bool(words) and words[0] in self._words

    def run(self, line: str) -> list[str]:
        """Carry out a line and return its answer, in lines that fit the terminal.

        :raises UsageError: an argument is wrong, or QEMU refuses it; nothing was done.
        :raises ClosedError: the board has ended.
        """
        name, *arguments = line.split()
        word = self._words[name]
        if not word.takes(len(arguments)):
            msg = f"{line.strip()!r}: it is `{_spelled(name, word)}`, such as `{word.shown(name)}`"
            raise UsageError(msg)
        try:
            found = word.run(arguments) or ["none"]
        except MonitorError as error:
            msg = f"{' '.join([name, *arguments])}: {error.reason}"
            raise UsageError(msg) from error
        return [part for one in found for part in self._folded(printable(one))]

    def _folded(self, text: str) -> list[str]:
        return [text] if self._columns is None else fold(text, self._columns).split("\n")

    def _look(self) -> BoardElsewhere:
        return BoardElsewhere(self._card)

    # Help

    def _help(self, arguments: Sequence[str]) -> list[str]:
        for name in arguments:
            if name not in self._words:
                msg = f"help {name!r}: the words are {', '.join(self._words)}; try help cache"
                raise UsageError(msg)
        return [
            f"{_spelled(name, word)}: {word.meaning}"
            for name, word in self._words.items()
            if name in (arguments or self._words)
        ] + [f"such as `{self._words[name].shown(name)}`" for name in arguments]

    # The DMA controller

    def _pl330(self, _: Sequence[str]) -> list[str]:
        with self._look() as board:
            found = [self._channel(board, Channel(self._properties, n)) for n in range(CHANNELS)]
        lines = [line for one in found for line in one]
        unused = [str(n) for n, one in enumerate(found) if not one]
        return [*lines, *([f"not started yet: {', '.join(unused)}"] if unused else [])]

    def _channel(self, board: BoardElsewhere, channel: Channel) -> list[str]:
        """Spell one; empty: it has done nothing since the reset."""
        seen, held = channel.registers(), ", held" if channel.held else ""
        if seen.state == _STOPPED and not (seen.bursts or seen.sar or seen.dar):
            return []
        named = board.named
        return [
            f"channel {channel.number}: {seen.state}{held}",
            f"  pc  {seen.pc:#010x}  {self._next(board, seen)}".rstrip(),
            f"  SAR {seen.sar:#010x}  {named(seen.sar)}".rstrip(),
            f"  DAR {seen.dar:#010x}  {named(seen.dar)}".rstrip(),
            f"  CCR {control(seen.ccr)}",
            f"  {seen.bursts} bursts begun",
        ]

    @staticmethod
    def _next(board: BoardElsewhere, seen: Registers) -> str:
        """Return the instruction that comes next; empty where there is none."""
        inside = seen.pc - board.probe.ram_base
        if seen.state == _STOPPED or not 0 <= inside <= board.probe.ram_size - _LONGEST_INSTRUCTION:
            return ""
        return decode(board.dram.read(seen.pc, _LONGEST_INSTRUCTION), seen.pc).text

    def _hold(self, arguments: Sequence[str]) -> list[str]:
        channel = self._named_channel("hold", arguments)
        if arguments[1:]:
            burst = _number("hold: BURST", arguments[1], 1, _LAST_BURST, "hold 0 3")
        else:
            seen = channel.registers()
            burst = 1 if seen.state == _STOPPED else seen.bursts + channel.held + 1
        channel.hold_at_burst = burst
        return [f"channel {channel.number} will be held before burst {burst}"]

    def _step(self, arguments: Sequence[str]) -> list[str]:
        channel = self._held_channel("step", arguments)
        given = arguments[1] if arguments[1:] else "1"
        count = _number("step: COUNT", given, 1, _MOST_STEPS, "step 0 2")
        for _ in range(count):
            if channel.held:
                channel.step()
        with self._look() as board:
            return self._channel(board, channel)

    def _release(self, arguments: Sequence[str]) -> list[str]:
        channel = self._held_channel("release", arguments)
        channel.release()
        return [f"channel {channel.number} goes on when model time passes"]

    def _held_channel(self, word: str, arguments: Sequence[str]) -> Channel:
        channel = self._named_channel(word, arguments)
        if not channel.held:
            msg = (
                f"{word} {arguments[0]}: channel {channel.number} is not held; "
                f"`hold {channel.number}` holds it before its next burst"
            )
            raise UsageError(msg)
        return channel

    def _named_channel(self, word: str, arguments: Sequence[str]) -> Channel:
        number = _number(f"{word}: CHANNEL", arguments[0], 0, CHANNELS - 1, f"{word} 0")
        return Channel(self._properties, number)

    # The cache

    def _cache(self, arguments: Sequence[str]) -> list[str]:
        with self._look() as board:
            size = board.probe.line_size or 1
            address = _address(board, arguments[0])
            rest = size - address % size
            given = arguments[1] if arguments[1:] else str(rest)
            example = f"cache {arguments[0]} 64"
            length = _number("cache: LEN", given, 1, MOST_BYTES, example)
            return cache_text.lines_of(board, address, length, self._columns or _PIPE_COLUMNS)

    def _dirty(self, _: Sequence[str]) -> list[str]:
        with self._look() as board:
            return cache_text.ranges_that_are(board, LineState.DIRTY)

    def _stale(self, _: Sequence[str]) -> list[str]:
        with self._look() as board:
            return cache_text.ranges_that_are(board, LineState.STALE)

    # What happened

    def _findings(self, _: Sequence[str]) -> list[str]:
        with self._look() as board:
            return [one.line() for one in board.evidence.findings()]

    def _calls(self, _: Sequence[str]) -> list[str]:
        with self._look() as board:
            return [one.line() for one in board.evidence.calls()]


def _spelled(name: str, word: _Word) -> str:
    return f"{name} {word.arguments}".rstrip()


def _address(board: BoardElsewhere, text: str) -> int:
    """Return a physical address; the firmware is mapped where it lies."""
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return board.image.symbol(text).address
    except ImageError:
        msg = (
            f"cache: {text!r} is neither an address, such as 0x41280000, nor a variable of the "
            "firmware"
        )
        raise UsageError(msg) from None


def _number(what: str, text: str, least: int, most: int, example: str) -> int:
    """Return an argument that is a number in a range."""
    try:
        number = int(text, 0)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        msg = f"{what} is {text!r}: a number from {least} to {most}, such as `{example}`"
        raise UsageError(msg)
    return number
