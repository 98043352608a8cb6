# SPDX-License-Identifier: Apache-2.0
"""Random scenarios (Hypothesis).

A program is a chain of pieces. Each is right by itself: what it loads it stores before it ends, it
stays in the channel's own memory, and it reads only what nobody writes meanwhile. So neither side
may fault, and how channels take turns makes no difference. An odd piece is one that is not right,
or that a bug in bugs.toml is about; a scenario has at most one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import lcm
from typing import TYPE_CHECKING, Any

from controllers import ASKING, SILENT
from hypothesis import strategies as st
from scenario import CHANNELS, CODE, SOURCE, TARGET, Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes that a piece moves at most, and how often its loop goes round.
_PIECE, _ROUNDS, _SEQUENCE = 512, 8, 12
#: Events of `DMAWFE`, each sent and waited for once; and those that interrupt the CPU.
_EVENTS, _INTERRUPTS = range(8), range(8, 16)
#: Bytes of a program that must be left for another piece.
_ROOM = 140
_SIZES = (1, 2, 4, 8)
_LOADS = ("DMALD", "DMALDS", "DMALDB", "DMALDPS P2", "DMALDPB P3")


@dataclass
class _Side:
    """One half of CCR."""

    size: int
    beats: int
    increments: bool = True

    @property
    def burst(self) -> int:
        return self.size * self.beats

    def spelled(self, letter: str) -> str:
        moves = "I" if self.increments else "F"
        return f"{letter}A{moves} {letter}S{8 * self.size} {letter}B{self.beats}"


@dataclass
class _Writer:
    """A channel's program while it is drawn.

    :ivar used: bytes of the target that are taken.
    :ivar written: of these, the ones that may be read again: a DMAWMB is behind them.
    """

    draw: Any
    channel: int
    nonsecure: bool = False
    lines: list[str] = field(default_factory=list)
    used: int = 0
    written: int = 0
    bytes: int = 0

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def put(self, *lines: str) -> None:
        lengths = {"DMAMOV": 6, "DMAADDH": 3, "DMAADNH": 3}
        self.bytes += sum(lengths.get(line.split()[0], 2 if " " in line else 1) for line in lines)
        self.lines += lines

    @property
    def full(self) -> bool:
        return self.bytes + _ROOM > CODE or self.used + 2 * _PIECE > TARGET

    def place(self, source: str, target: int) -> None:
        self.put(f"DMAMOV SAR, {source}", f"DMAMOV DAR, target+{target}")

    def control(self, source: _Side, target: _Side, more: str = "") -> None:
        side = f"{source.spelled('S')}{' SP2' * self.nonsecure} {target.spelled('D')}"
        protection = " DP2" * self.nonsecure
        self.put(f"DMAMOV CCR, {side}{protection}{more}")

    def looped(self, rounds: int, body: list[str]) -> None:
        """Put a loop, as one or two, or without an instruction for a single round."""
        if rounds == 1 and self.draw(st.booleans()):
            self.put(*body)
            return
        counter = self.pick(["LC0", "LC1"])
        inner = next((n for n in (2, 3) if rounds % n == 0), 0)
        if inner and self.draw(st.booleans()):
            other = "LC1" if counter == "LC0" else "LC0"
            body = [f"DMALP {other}, {inner}", *body, f"DMALPEND {other}"]
            rounds //= inner
        self.put(f"DMALP {counter}, {rounds}", *body, f"DMALPEND {counter}")

    def idle(self) -> list[str]:
        return list(
            self.draw(st.lists(st.sampled_from(["DMANOP", "DMARMB", "DMAWMB"]), max_size=2))
        )


def _aligned(number: int, to: int) -> int:
    return (number + to - 1) // to * to


def _interleaved(writer: _Writer, loads: int, stores: int, per: tuple[int, int]) -> list[str]:
    """Return loads and stores in any order in which no store lacks bytes."""
    body, loaded = [], 0
    while loads or stores:
        can_store = stores and loaded >= per[1]
        if can_store and (not loads or writer.draw(st.booleans())):
            body.append("DMAST")
            loaded, stores = loaded - per[1], stores - 1
        else:
            body.append("DMALD")
            loaded, loads = loaded + per[0], loads - 1
        if not writer.number(0, 9):
            body += writer.idle()
    return body


# ---- pieces that are right ----


def _copy(writer: _Writer) -> None:
    """Move whole bursts; widths and lengths of both sides may differ, and either may be fixed."""
    source = _Side(writer.pick(_SIZES), writer.number(1, 16), writer.number(0, 5) > 0)
    target = _Side(writer.pick(_SIZES), writer.number(1, 16), writer.number(0, 5) > 0)
    total = lcm(source.burst, target.burst)
    limit = _PIECE if target.increments else 128 * target.size
    if total > limit or total // min(source.burst, target.burst) > _SEQUENCE:
        target.size, target.beats, total = source.size, source.beats, source.burst
    rounds = writer.number(1, max(1, min(_ROUNDS, _PIECE // total)))
    body = _interleaved(
        writer, total // source.burst, total // target.burst, (source.burst, target.burst)
    )
    at = _aligned(writer.used, target.size)
    start = writer.number(0, (SOURCE - total * rounds) // source.size) * source.size
    place_late = writer.draw(st.booleans())
    if not place_late:
        writer.place(f"source+{start}", at)
    writer.control(source, target)
    if place_late:
        writer.place(f"source+{start}", at)
    writer.looped(rounds, body)
    writer.used = at + total * rounds if target.increments else at + target.size


def _unaligned(writer: _Writer) -> None:
    """Begin both sides at the same odd place of a beat."""
    side = _Side(writer.pick(_SIZES[1:]), writer.number(1, 16))
    odd, rounds = writer.number(1, side.size - 1), writer.number(1, _ROUNDS)
    rounds = max(1, min(rounds, _PIECE // side.burst))
    at = _aligned(writer.used, side.size)
    writer.control(side, side)
    writer.place(f"source+{8 * writer.number(0, 100) + odd}", at + odd)
    writer.looped(rounds, ["DMALD", "DMAST"])
    writer.used = at + side.burst * rounds


def _unaligned_source(writer: _Writer) -> None:
    """Begin the source alone in the middle of a beat, with one load more and a short last one."""
    side, unit = _Side(writer.pick([4, 8]), writer.number(2, 8)), writer.pick([1, 2])
    odd = unit * writer.number(1, side.size // unit - 1)
    rounds = writer.number(2, max(2, min(_ROUNDS, _PIECE // side.burst)))
    at = _aligned(writer.used, side.size)
    writer.control(side, side)
    writer.place(f"source+{8 * writer.number(0, 100) + odd}", at)
    writer.put("DMALD")
    writer.looped(rounds - 1, ["DMALD", "DMAST"])
    writer.control(_Side(unit, odd // unit), side)
    writer.put("DMALD", "DMAST")
    writer.used = at + side.burst * rounds


def _unaligned_target(writer: _Writer) -> None:
    """Begin the target alone in the middle of a beat, with a short last store."""
    side, unit = _Side(writer.pick([4, 8]), writer.number(2, 8)), writer.pick([1, 2])
    odd = unit * writer.number(1, side.size // unit - 1)
    rounds = writer.number(1, max(1, min(_ROUNDS, _PIECE // side.burst)))
    at = _aligned(writer.used, side.size)
    writer.control(side, side)
    writer.place(f"source+{8 * writer.number(0, 100)}", at + odd)
    writer.looped(rounds, ["DMALD", "DMAST"])
    writer.control(side, _Side(unit, odd // unit))
    writer.put("DMAST")
    writer.used = at + side.burst * rounds + odd


def _zeroes(writer: _Writer) -> None:
    """Store zeroes to aligned places, in bursts that QEMU does not stumble over."""
    side = _Side(writer.pick(_SIZES), writer.number(1, 16))
    rounds = writer.number(1, max(1, min(_ROUNDS, _PIECE // side.burst)))
    at = _aligned(writer.used, side.size)
    writer.put(f"DMAMOV DAR, target+{at}")
    writer.control(_Side(1, 1), side)
    writer.looped(rounds, ["DMASTZ", "DMAWMB"])
    writer.used = at + side.burst * rounds


def _move_on(writer: _Writer) -> None:
    """Change addresses by additions, and nothing else."""
    for _ in range(writer.number(1, 3)):
        word = writer.pick(["DMAADDH", "DMAADNH"])
        writer.put(f"{word} {writer.pick(['SAR', 'DAR'])}, {writer.number(0, 0xFFFF):#x}")


def _segments(writer: _Writer) -> None:
    """Go from place to place within the source by additions."""
    side = _Side(writer.pick(_SIZES), writer.number(1, 8))
    at, steps = _aligned(writer.used, side.size), writer.number(2, 4)
    step = _aligned(writer.number(0, 200), side.size)
    writer.control(side, side)
    writer.place("source+1024", at)
    back = writer.draw(st.booleans())
    for _ in range(steps):
        writer.put("DMALD", "DMAST")
        writer.put(f"DMAADNH SAR, {0x10000 - step:#x}" if back and step else f"DMAADDH SAR, {step}")
    writer.used = at + side.burst * steps


def _read_back(writer: _Writer) -> None:
    """Read what was written, behind a DMAWMB."""
    if writer.used < 64:
        return
    writer.put("DMAWMB")
    side, at = _Side(8, writer.number(1, 8)), _aligned(writer.used, 8)
    writer.control(side, side)
    writer.place(f"target+{8 * writer.number(0, max(0, (writer.used - side.burst) // 8))}", at)
    writer.put("DMALD", "DMAST")
    writer.used = at + side.burst


def _peripheral(writer: _Writer) -> None:
    """Wait for a peripheral that asks, and move what it asks for; other forms do nothing."""
    if writer.nonsecure:
        return
    line, request = writer.pick(ASKING), writer.pick(["single", "burst", "periph"])
    single = request == "single"
    side = _Side(writer.pick(_SIZES), 1 if single else writer.number(1, 16))
    letter, other = ("S", "B") if single else ("B", "S")
    load = writer.pick([f"DMALD{letter}", f"DMALDP{letter} P{line}", "DMALD"])
    store = writer.pick([f"DMAST{letter}", f"DMASTP{letter} P{line}", "DMAST"])
    nothing = writer.pick([f"DMALD{other}", f"DMAST{other}", f"DMALDP{other} P{line}"])
    at, rounds = _aligned(writer.used, side.size), writer.number(1, 4)
    rounds = max(1, min(rounds, _PIECE // side.burst))
    writer.control(_Side(side.size, side.beats), side)
    writer.place(f"source+{8 * writer.number(0, 100)}", at)
    body = [f"DMAWFP P{line}, {request}", load, nothing, store]
    if writer.draw(st.booleans()):
        body.insert(0, f"DMAFLUSHP P{line}")
    if writer.draw(st.booleans()):
        writer.put(f"DMALP LC0, {rounds}", *body, f"DMALPEND{letter} LC0")
    else:
        writer.looped(rounds, body)
    writer.used = at + side.burst * rounds


_PIECES = (
    *(_copy, _copy, _unaligned, _unaligned_source, _unaligned_target, _zeroes, _move_on),
    *(_segments, _read_back, _peripheral),
)


# ---- odd pieces ----


def _plain(writer: _Writer, more: str = "", source: str = "source", size: int = 8) -> int:
    """Set registers for a copy of one to eight beats; return where it goes."""
    side, at = _Side(size, writer.number(1, 8)), _aligned(writer.used, 16)
    writer.control(side, side, more)
    writer.place(source, at)
    writer.used = at + 8 * side.burst
    return at


def _swap(writer: _Writer) -> None:
    _plain(writer, f" ES{writer.pick([16, 32, 64])}")
    writer.put("DMALD", "DMAST")


def _wide(writer: _Writer) -> None:
    _plain(writer, size=16)
    writer.put("DMALD", "DMAST")


def _early_load(writer: _Writer) -> None:
    at = _plain(writer)
    writer.put(f"DMAMOV SAR, target+{at}", "DMALD", "DMAST", "DMALD", "DMAST")


def _many_loads(writer: _Writer) -> None:
    """Load 2,056 to 4,000 bytes, or more than both can take, before the first store."""
    writer.control(_Side(8, 16, increments=False), _Side(8, 16))
    writer.place("source", 0)
    count = writer.pick([17, 24, 31, 40])
    writer.put(f"DMALP LC0, {count}", "DMALD", "DMALPEND LC0")
    writer.put(f"DMALP LC0, {count}", "DMAST", "DMALPEND LC0")


def _leftover(writer: _Writer) -> None:
    _plain(writer)
    writer.put("DMALD", *["DMALD"] * writer.number(0, 2), "DMAST", "DMAEND")


def _no_data(writer: _Writer) -> None:
    _plain(writer)
    writer.put(*writer.pick([["DMAST"], ["DMALD", "DMAST", "DMAST"]]))


def _many_zeroes(writer: _Writer) -> None:
    side, at = _Side(8, writer.number(3, 8)), _aligned(writer.used, 8)
    writer.put(f"DMAMOV DAR, target+{at + writer.pick([0, 0, 4])}")
    writer.control(_Side(1, 1), side)
    writer.looped(writer.number(1, 24), ["DMASTZ"])
    writer.used = TARGET


def _single_store(writer: _Writer) -> None:
    _plain(writer)
    letter = writer.pick(["", "P"])
    writer.put("DMAWFP P2, single", "DMALDS", f"DMAST{letter}S{' P2' * bool(letter)}")


def _no_wait(writer: _Writer) -> None:
    _plain(writer)
    writer.put(
        *writer.pick([["DMALDS", "DMASTS"], ["DMALDB", "DMASTB"], ["DMALDPB P2", "DMASTPB P2"]])
    )


def _nowhere(writer: _Writer) -> None:
    _plain(writer, source=writer.pick(["source", "nowhere"]))
    if writer.lines[-2].endswith("source"):
        writer.put("DMAMOV DAR, nowhere")
    writer.put("DMALD", "DMAST")


def _kill(writer: _Writer) -> None:
    writer.put("DMAKILL")


def _undefined(writer: _Writer) -> None:
    """Put what no instruction begins with, on either side."""
    writer.put(
        f".byte {writer.pick([0x02, 0x06, 0x0A, 0x14, 0x33, 0x40, 0x60, 0x80, 0xC0, 0xFF]):#04x}"
    )


def _operand(writer: _Writer) -> None:
    """Put an operand that cannot be, on either side."""
    wrong = ("0x34, 0xa0", "0x34, 1", "0x36, 0xf8", "0x36, 1", "0xbc, 3, 0, 0, 0, 0", "0x35, 1")
    writer.put(f".byte {writer.pick(wrong)}", "DMANOP")


def _forever(writer: _Writer) -> None:
    """Wait for what never comes."""
    writer.put(f"DMAWFP P{writer.pick(SILENT)}, {writer.pick(['single', 'burst', 'periph'])}")


_ODD = (
    *(_swap, _wide, _early_load, _many_loads, _leftover, _no_data, _many_zeroes, _single_store),
    *(_no_wait, _nowhere, _kill, _undefined, _operand, _forever),
)


# ---- scenarios ----


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw what one to eight channels do."""
    odd = draw(st.sampled_from([None] * 40 + [*_ODD]))
    count = 1 if odd else draw(st.sampled_from([1, 1, 2, 2, 3, 4, 8]))
    channels = draw(st.permutations(range(CHANNELS)))[:count]
    nonsecure = draw(st.integers(0, 9)) == 0
    writers = [_Writer(draw, channel, nonsecure) for channel in channels]
    for writer in writers:
        for piece in draw(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5)):
            if not writer.full:
                piece(writer)
                writer.put(*writer.idle())
    if odd:
        odd(writers[0])
    if not nonsecure:
        _signals(draw, writers)
    for writer in writers:
        writer.put("DMAEND")
    steps = _starts(draw, writers) + ([] if odd else _signals_by_debug(draw, writers))
    return Scenario({it.channel: tuple(it.lines) for it in writers}, tuple(steps))


def _signals(draw: st.DrawFn, writers: list[_Writer]) -> None:
    """Let channels wait for each other, and interrupt the CPU."""
    for event in draw(st.lists(st.sampled_from(_EVENTS), max_size=3, unique=True)):
        sends, waits = draw(st.sampled_from(writers)), draw(st.sampled_from(writers))
        sends.put("DMAWMB", f"DMASEV E{event}")
        waits.put(f"DMAWFE E{event}{draw(st.sampled_from(['', ', invalid']))}")
    for event in draw(st.lists(st.sampled_from(_INTERRUPTS), max_size=2)):
        draw(st.sampled_from(writers)).put("DMAWMB", f"DMASEV E{event}")


def _starts(draw: st.DrawFn, writers: list[_Writer]) -> list[str]:
    """Enable interrupts, and start the channels, together or one after the other."""
    security = " ns" * writers[0].nonsecure
    names = [str(writer.channel) for writer in writers]
    enabled = sum(1 << event for event in _INTERRUPTS if draw(st.booleans()))
    together = draw(st.booleans())
    starts = [f"start {it}{security}" for it in ([" ".join(names)] if together else names)]
    return [f"write INTEN {enabled:#x}", *starts]


def _signals_by_debug(draw: st.DrawFn, writers: list[_Writer]) -> list[str]:
    """Send events by the debug interface, and kill what waits, or has ended."""
    first = writers[0]
    choices = [f"debug M DMASEV E{event}" for event in (*_EVENTS[:2], *_INTERRUPTS[:2])]
    choices += [f"debug C{first.channel} DMASEV E9"] * (not first.nonsecure)
    steps = draw(st.lists(st.sampled_from(choices), max_size=2, unique=True))
    if draw(st.integers(0, 9)) == 0:
        steps += [f"debug C{writer.channel} DMAKILL" for writer in writers]
    return steps
