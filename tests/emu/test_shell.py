# SPDX-License-Identifier: Apache-2.0
"""The shell and its protocol (firmware/PROTOCOL.md) on the emulated board, byte by byte."""

from __future__ import annotations

import random
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rawline import PROMPT, RawLine

from dmav3.conformance.tests.driver import Flight, adapter_for, arm, context_for, described
from dmav3.deadlines import deadline
from dmav3.errors import DeadlineError, FaultError, RefusedError, UsageError
from dmav3.wdm import (
    DISPATCH_LEVEL,
    DMA_SYNCHRONOUS_CALLBACK,
    PASSIVE_LEVEL,
    IoAllocationAction,
    NtStatus,
)
from dmav3.wire.frame import Ok, Refusal, Request, checksum, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3 import Board
    from dmav3.dma import DmaAdapter

FIRMWARE = Path(__file__).parents[2] / "firmware"
PROTOCOL, HEADER = FIRMWARE / "PROTOCOL.md", FIRMWARE / "include" / "wdm_dma.h"
PING = encode(Request(7, ("ping",)))
#: Model time that the shell itself may take around a command: reading, checking, answering.
OVERHEAD_NS = 50_000
#: In the 2 MiB below the image, which stay unmapped.
UNMAPPED = "0x40000000"


@pytest.fixture
def line(board: Board) -> RawLine:
    """Return the serial line of a fresh board."""
    return RawLine(board)


def code(answer: Ok | Refusal) -> str:
    """Return the CODE of a refusal."""
    assert isinstance(answer, Refusal), answer
    return answer.code


def framed(text: bytes) -> bytes:
    """Return a line with a checksum that holds, whatever is in it."""
    return text + f" *{checksum(text)}\n".encode()


class TestRefusals:
    """Every CODE of the protocol, and the shim answers the next line."""

    @pytest.mark.parametrize("at", range(1, len(PING) - 1))
    def test_a_frame_with_one_flipped_bit_is_damaged(self, line: RawLine, at: int) -> None:
        """A checksum finds a flipped bit wherever it is, and the reply carries SEQ 0."""
        damaged = PING[:at] + bytes([PING[at] ^ 1]) + PING[at + 1 :]
        answer = line.answer(damaged)
        assert (answer.seq, code(answer)) == (0, "CRC")
        assert line.ask("ping") == Ok(1001)

    @pytest.mark.parametrize(
        "damaged",
        [
            b"@1 ping\n",
            b"@\n",
            b"@1 ping *\n",
            b"@1 ping *00000000\n",
            PING[:-9] + PING[-9:].upper() if PING[-9:].upper() != PING[-9:] else b"@1 *ABCDEF01\n",
            PING.replace(b"\n", b" \n"),
            framed(b"@x ping"),
            framed(b"@1234567890 ping"),
            framed(b"@-1 ping"),
            framed(b"@1 \xff"),
            framed(b"@1 ping\0"),
        ],
    )
    def test_a_line_of_the_harness_without_a_valid_frame_is_damaged(
        self, line: RawLine, damaged: bytes
    ) -> None:
        """Whatever begins with @ and is no frame is answered with CRC and SEQ 0."""
        answer = line.answer(damaged)
        assert (answer.seq, code(answer)) == (0, "CRC")
        assert line.ask("ping") == Ok(1001)

    def test_a_frame_with_a_cr_before_its_lf_is_whole(self, line: RawLine) -> None:
        """The CR is dropped before the checksum is looked at."""
        assert line.answer(PING.replace(b"\n", b"\r\n")) == Ok(7)

    @pytest.mark.parametrize("size", [513, 514, 517, 600, 1025, 20_000])
    @pytest.mark.parametrize("first", [b"x", b"@"])
    def test_an_overlong_line_is_dropped_up_to_its_lf(
        self, line: RawLine, size: int, first: bytes
    ) -> None:
        """TOOLONG once, however long; the line behind it is served."""
        line.send(first + b"x" * (size - 2) + b"\n")
        line.until(rb"error TOOLONG [^\n]*\n")
        assert line.ask("ping") == Ok(1001)

    def test_a_line_of_512_bytes_is_served(self, line: RawLine) -> None:
        """With its LF the longest line that there is."""
        text = b"@7 ping" + b" " * (512 - 7 - 10 - 1)
        assert len(framed(text)) == 512
        assert line.answer(framed(text)) == Ok(7)

    @pytest.mark.parametrize("words", [("pin",), ("pingg",), ("PING",), ("x" * 400,), ("0",)])
    def test_an_unknown_command_is_named(self, line: RawLine, words: tuple[str, ...]) -> None:
        """COMMAND, with the word that was not understood."""
        answer = line.ask(*words)
        assert code(answer) == "COMMAND"
        assert isinstance(answer, Refusal)
        assert words[0] in answer.text
        assert line.ask("ping") == Ok(1002)

    def test_a_frame_without_a_command_is_refused(self, line: RawLine) -> None:
        """COMMAND, with the SEQ that was sent."""
        answer = line.answer(framed(b"@5 "))
        assert (answer.seq, code(answer)) == (5, "COMMAND")

    @pytest.mark.parametrize(
        "words",
        [
            ("ping", "1"),
            ("peek", "0x40800000"),
            ("peek", "0x40800000", "8", "1"),
            ("wait",),
            ("wait", "callback"),
            ("wait", "1", "2"),
            ("wait", "1", "time"),
            ("wait", "3600000000001"),
            ("wait", "1", "irq", "callback"),
            ("return", "1"),
            ("allocate", "x"),
            ("allocate", "-1"),
            ("allocate", "0x"),
            ("allocate", "1k"),
            ("allocate", "18446744073709551616"),
            ("peek", "0x40800000", "7"),
            ("peek", "0x40800001", "64"),
            ("poke", "0x40800001", "16", "0"),
            ("fill", "0x40800000", "1", "256"),
            ("IoAllocateMdl", "0x40800000", "64", "0x40800000"),
            ("IoAllocateMdl", "0x40800000", "64", UNMAPPED),
            ("IoAllocateMdl", "0x40800000", "64", "0x0b010000"),
            ("ping", *["1"] * 30),
            ("ping", *["1"] * 100),
            ("peek_until", "0x40800000", "32", "1", "1"),
            ("peek_until", "0x40800000", "12", "1", "1", "0"),
            ("peek_until", "0x40800000", "32", "1", "1", "1000000001"),
        ],
        ids=" ".join,
    )
    def test_wrong_arguments_are_refused(self, line: RawLine, words: tuple[str, ...]) -> None:
        """ARGUMENT for too few, too many, and what is no number or word of the command."""
        assert code(line.ask(*words)) == "ARGUMENT"
        assert line.ask("ping") == Ok(1002)

    @pytest.mark.parametrize(
        ("level", "words"),
        [
            (2, ("wait", "1000", "callback")),
            (15, ("wait", "1000", "callback")),
            (2, ("KeRaiseIrql", "1")),
            (0, ("KeRaiseIrql", "256")),
            (0, ("KeLowerIrql", "1")),
            (2, ("KeLowerIrql", "3")),
        ],
    )
    def test_what_the_level_forbids_is_refused(
        self, line: RawLine, level: int, words: tuple[str, ...]
    ) -> None:
        """EIRQL, and the level is what it was."""
        assert isinstance(line.ask("KeRaiseIrql", str(level)), Ok)
        assert code(line.ask(*words)) == "EIRQL"
        assert line.ask("KeGetCurrentIrql") == Ok(1003, {"irql": f"{level:#x}"})

    @pytest.mark.parametrize(
        "words",
        [
            ("peek", UNMAPPED, "8"),
            ("peek", "0xffffffffffffffff", "8"),
            ("peek", "0x100000000", "64"),
            ("poke", UNMAPPED, "32", "0"),
            ("copy", "0x40800000", UNMAPPED, "1"),
            ("copy", UNMAPPED, "0x40800000", "1"),
            ("copy", "0x40800000", "0x40ffff00", "0x100000000"),
            ("fill", "0", "1", "0"),
            ("fill", "0x40800000", "0xffffffffffffffff", "0"),
            ("fill", "0xfffffffffffff000", "0x1000", "0"),
            ("allocate", "0x10000000"),
            ("allocate", "0xffffffffffffffff"),
            ("allocate", "0xffffffffffffffc0"),
            ("IoAllocateMdl", "0x40800000", "0", "0"),
            ("IoAllocateMdl", "0x40800000", "0xffffffff", "0"),
            ("IoAllocateMdl", "0x40800000", "0x100000040", "0"),
        ],
        ids=" ".join,
    )
    def test_memory_that_is_not_there_is_refused(
        self, line: RawLine, words: tuple[str, ...]
    ) -> None:
        """MEMORY for what is not mapped and for what no heap has."""
        assert code(line.ask(*words)) == "MEMORY"
        assert line.ask("ping") == Ok(1002)

    @pytest.mark.parametrize("number", ["0", "1", "0xffffffff"])
    def test_return_outside_a_callback_is_refused(self, line: RawLine, number: str) -> None:
        """RETURN, whatever the ID."""
        assert code(line.ask("return", number, "1")) == "RETURN"
        assert line.ask("ping") == Ok(1002)


class TestPerson:
    """Lines without frame."""

    def test_a_line_is_echoed_and_answered_with_a_prompt(self, line: RawLine) -> None:
        """Neither SEQ nor checksum, and `> ` when the shim is ready."""
        assert line.person(b"ping\n") == b"ping\nok\n> "
        assert line.person(b"  peek 0x40800000   7 \n").startswith(
            b"  peek 0x40800000   7 \nerror ARGUMENT "
        )
        assert re.fullmatch(
            rb"KeGetCurrentIrql\nok irql=0x0\n> ", line.person(b"KeGetCurrentIrql\n")
        )

    def test_an_empty_line_gives_a_prompt(self, line: RawLine) -> None:
        """Also behind a frame, whose bytes are forgotten."""
        assert line.person(b"\n") == b"\n> "
        assert line.ask("ping") == Ok(1001)
        assert line.person(b"\n") == b"\n> "

    def test_help_has_no_checksums_for_a_person(self, line: RawLine) -> None:
        """What the harness gets framed, a person gets without SEQ and checksum."""
        answer = line.person(b"help\n")
        assert b"!0 help command=ping arguments=\n" in answer
        assert b"*" not in answer

    def test_unprintable_bytes_are_refused(self, line: RawLine) -> None:
        """COMMAND says which bytes a line may have."""
        for byte in (b"\0", b"\t", b"\x1b", b"\x7f", b"\xff"):
            assert b"\nerror COMMAND " in line.person(b"pi" + byte + b"ng\n")

    def test_a_line_may_come_byte_by_byte(self, line: RawLine) -> None:
        """Each byte alone, with a request's worth of model time in none of them."""
        for byte in b"ping\n":
            line.send(bytes([byte]))
        assert line.until(rb"\n> ") == b"ping\nok\n> "
        for byte in PING:
            line.send(bytes([byte]))
        assert line.until(rb"@7 ok[^\n]*\n").startswith(b"\n@7 ok *")

    def test_lines_that_come_together_are_answered_in_order(self, line: RawLine) -> None:
        """Nothing is lost when many lines come in one piece."""
        line.send(b"".join(encode(Request(number, ("ping",))) for number in range(1, 101)))
        text = line.until(rb"@100 ok[^\n]*\n")
        assert re.findall(rb"@(\d+) ok", text) == [b"%d" % number for number in range(1, 101)]


def garbage(random_: random.Random) -> bytes:
    """Return a line of bytes that means nothing, often almost something."""
    words = ["@", "@1", "*", "*00000000", "ping", "return", "0x", "-1", "peek", "wait", "!", " "]
    match random_.randrange(3):
        case 0:
            text = random_.randbytes(random_.randrange(700)).replace(b"\n", b"")
        case 1:
            text = " ".join(random_.choices(words, k=random_.randrange(40))).encode()
        case _:
            text = bytearray(PING[:-1])  # type: ignore[assignment]
            text[random_.randrange(len(text))] = random_.randrange(11, 256)  # type: ignore[index]
    return bytes(text) + b"\n"


@pytest.mark.parametrize("seed", range(4))
def test_garbage_never_hangs_the_shell(line: RawLine, seed: int) -> None:
    """After each of many lines of garbage a request is answered."""
    random_ = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for number in range(1, 101):
        sent = garbage(random_)
        line.send(sent)
        assert line.ask("ping") == Ok(1000 + number), sent


def documented() -> dict[str, int]:
    """Return how many arguments each command has by the table of PROTOCOL.md."""
    text = PROTOCOL.read_text(encoding="utf-8").split("\n## Commands\n")[1]
    commands: dict[str, int] = {}
    for row in re.findall(r"^\| (`.*?) \|(.*?)\|.*\|$", text, re.MULTILINE):
        arguments = re.sub(r"\(.*?\)", "", row[1]).strip()
        count = len(arguments.split(",")) if arguments else 0
        commands |= dict.fromkeys(re.findall(r"`(\w+)`", row[0]), count)
    return commands


def test_help_lists_what_the_protocol_documents(board: Board) -> None:
    """The same commands, each with as many arguments."""
    listed = {
        notice.values["command"]: len([a for a in notice.values["arguments"].split(",") if a])
        for notice in board.request("help").notices
    }
    assert listed == documented()
    assert len(listed) > 20


def prototypes() -> dict[str, list[str]]:
    """Return the parameters of every routine as wdm_dma.h declares it."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)

    def names(parameters: str) -> list[str]:
        return re.findall(r"(\w+)(?:,|$)", " ".join(parameters.split()))

    types = {
        name: names(rest) for name, rest in re.findall(r"\(\*(P\w+)\)\((.*?)\);", text, re.DOTALL)
    }
    table = text.partition("struct _DMA_OPERATIONS {")[2].partition("};")[0]
    routines = {member: types[kind] for kind, member in re.findall(r"(P\w+) (\w+);", table)}
    for name in ("IoGetDmaAdapter", "KeFlushIoBuffers"):
        found = re.search(rf"\b{name}\((.*?)\);", text, re.DOTALL)
        assert found
        routines[name] = names(found[1])
    return routines


def test_a_routine_s_command_takes_the_parameters_of_its_prototype(board: Board) -> None:
    """Every member of the table, by the names that wdm_dma.h gives them, in that order."""
    notices = [notice.values for notice in board.request("help").notices]
    listed = {one["command"]: one["arguments"].split(",") for one in notices}
    wanted = prototypes()
    assert len(wanted) == 30
    assert {name: listed.get(name) for name in wanted} == wanted


class TestSeveralCommands:
    """Of one line."""

    def test_each_has_its_keys(self, board: Board) -> None:
        """By the number of the command; those without a reply count as well."""
        at = board.memory.allocate(8).address
        stored, loaded, irql, half = board.dma.batch(
            ("poke", at, "32", 7, 8), ("peek", at, "64"), ("KeGetCurrentIrql",), ("peek", at, "16")
        )
        assert stored.values == {}
        assert (loaded.number("value"), half.number("value")) == (8 << 32 | 7, 7)
        assert irql.values == {"irql": "0x0"}

    def test_a_person_has_them_too(self, line: RawLine) -> None:
        """On a line without a frame."""
        line.send(b"ping ; KeGetCurrentIrql;\n")
        line.until(rb"error COMMAND command 2: unknown, try help: KeGetCurrentIrql;\n> ")
        line.send(b"ping ; KeGetCurrentIrql\n")
        line.until(rb"ok 2.irql=0x0\n> ")

    @pytest.mark.parametrize(
        ("wrong", "refusal"),
        [
            ("", "COMMAND command 2: none"),
            ("pin", "COMMAND command 2: unknown, try help: pin"),
            ("ping 1", "ARGUMENT command 2: too few or too many arguments, it takes: none"),
            ("peek x 8", "ARGUMENT command 2: neither 0x1f nor 31 nor a word that it knows"),
        ],
    )
    def test_of_a_line_that_cannot_be_read_nothing_runs(
        self, board: Board, line: RawLine, wrong: str, refusal: str
    ) -> None:
        """Not even what stands before the wrong command."""
        at = f"{board.memory.allocate(8).address:#x}"
        assert line.ask("poke", at, "64", "0") == Ok(1001)
        answer = line.ask(*f"poke {at} 8 1 ; {wrong} ; ping".split())
        assert isinstance(answer, Refusal)
        assert f"{answer.code} {answer.text}".startswith(refusal)
        assert line.ask("peek", at, "8") == Ok(1003, {"value": "0x0"})

    def test_those_behind_a_refused_one_do_not_run(self, board: Board, line: RawLine) -> None:
        """Those before it have."""
        at = f"{board.memory.allocate(8).address:#x}"
        assert line.ask("poke", at, "64", "0") == Ok(1001)
        words = f"poke {at} 8 1 ; peek {UNMAPPED} 8 ; poke {at} 8 2".split()
        assert line.ask(*words) == Refusal(1002, "MEMORY", "command 2: not mapped")
        assert line.ask("peek", at, "8") == Ok(1003, {"value": "0x1"})

    def test_replies_that_do_not_fit(self, line: RawLine) -> None:
        """REPLY, with the number of the command whose reply did not."""
        answer = line.ask(*" ; ".join(["KeGetCurrentIrql"] * 24).split())
        assert isinstance(answer, Ok)
        assert len(answer.values) == 24
        answer = line.ask(*" ; ".join(["hello"] * 8).split())
        assert isinstance(answer, Refusal)
        assert (answer.code, answer.text) == (
            "REPLY",
            "command 7: the replies do not fit into one line",
        )

    def test_nothing_divides_nothing(self, line: RawLine) -> None:
        """A divider alone is two commands that are not there."""
        assert line.ask(";") == Refusal(1001, "COMMAND", "command 1: none")

    def test_a_callback_in_the_middle(self, board: Board) -> None:
        """It is served, and returned from, before the next command runs."""
        adapter, seen = adapter_for(board, write=True), []
        at = board.memory.allocate(8).address
        board.request("poke", at, "64", 1)

        def control(*_: object) -> int:
            seen.append(board.request("peek", at, "8").number("value"))
            return IoAllocationAction.KeepObject

        context = context_for(board, adapter)
        with (
            board.dma.irql(DISPATCH_LEVEL),
            board.dma.directly(
                before=[("poke", at, "8", 2)],
                after=[("peek", at, "8"), ("poke", at, "8", 3), ("peek", at, "8")],
            ) as replies,
        ):
            status, _ = adapter.AllocateAdapterChannelEx(
                context, 1, DMA_SYNCHRONOUS_CALLBACK, control
            )
        assert (status, seen) == (NtStatus.STATUS_SUCCESS, [2])
        assert [reply.values for reply in replies] == [{}, {"value": "0x2"}, {}, {"value": "0x3"}]

    def test_a_batch_needs_a_request(self, board: Board) -> None:
        """Nothing is sent."""
        with pytest.raises(UsageError, match="a batch needs a request, such as"):
            board.dma.batch()
        with (
            pytest.raises(UsageError, match="no routine was called"),
            board.dma.directly(after=[("ping",)]),
        ):
            pass
        with pytest.raises(UsageError, match="over-long"):
            board.dma.batch(*[("poke", 0x40800000, "32", 0x12345678)] * 20)
        assert board.dma.batch(("ping",))[0].values == {}

    def test_polls(self, board: Board) -> None:
        """They end when the bits are as wanted, or at the end of their time."""
        at = board.memory.allocate(8).address
        board.request("poke", at, "64", 0x30)
        before = board.evidence.time_ns
        assert board.request("peek_until", at, "8", 0x30, 0x30, 1_000_000).number("value") == 0x30
        board.evidence.probe.settle()
        assert board.evidence.time_ns - before < OVERHEAD_NS
        assert board.request("peek_until", at, "8", 0x30, 0x10, 1_000_000).number("value") == 0x30
        board.evidence.probe.settle()
        assert 1_000_000 <= board.evidence.time_ns - before < 1_000_000 + 2 * OVERHEAD_NS


class TestTime:
    """Model time passes inside commands, and only there."""

    @pytest.mark.parametrize("ns", [0, 1, 999, 10_000, 1_000_000, 12_345_678_901, 3_600 * 10**9])
    def test_wait_takes_as_long_as_it_says(self, board: Board, ns: int) -> None:
        """At least so much, and no more than the shell's own work on top."""
        before = board.evidence.probe.time_ns
        reply = board.request("wait", ns)
        board.evidence.probe.settle()
        assert reply["ended"] == "time"
        assert ns <= reply.number("time") - before <= board.evidence.probe.time_ns - before
        assert board.evidence.probe.time_ns - before < ns + OVERHEAD_NS

    @pytest.mark.parametrize("event", ["irq", "callback", "held"])
    def test_wait_for_an_event_ends_by_time_when_none_comes(self, board: Board, event: str) -> None:
        """Its own alarm is no event."""
        assert board.wait(1_000_000, event) == "time"

    def test_no_time_passes_between_requests(self, board: Board) -> None:
        """However long Python takes in real time, the board's clock stands still."""
        board.request("ping")
        board.evidence.probe.settle()
        before = board.evidence.probe.time_ns
        threading.Event().wait(0.05)
        assert board.evidence.probe.time_ns == before
        board.request("ping")
        board.evidence.probe.settle()
        assert before < board.evidence.probe.time_ns < before + OVERHEAD_NS


class TestIrql:
    """Board.irql restores the level."""

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_a_block_that_raises_lowers_it_all_the_same(
        self, board: Board, error: type[BaseException]
    ) -> None:
        """And what it raised comes out."""
        with pytest.raises(error), board.dma.irql(DISPATCH_LEVEL):
            raise error
        assert board.request("KeGetCurrentIrql").number("irql") == PASSIVE_LEVEL

    def test_a_block_that_has_lowered_it_raises_what_it_raised(self, board: Board) -> None:
        """That it cannot be lowered again does not matter any more."""

        def lower() -> None:
            board.request("KeLowerIrql", PASSIVE_LEVEL)
            raise ValueError

        board.request("KeRaiseIrql", DISPATCH_LEVEL)
        with pytest.raises(ValueError), board.dma.irql(DISPATCH_LEVEL):  # noqa: PT011 - it is ours
            lower()
        assert board.request("KeGetCurrentIrql").number("irql") == PASSIVE_LEVEL

    def test_of_a_crash_the_crash_is_reported_at_once(self, board: Board) -> None:
        """Nobody is there to lower the level."""
        with deadline(5), pytest.raises(FaultError), board.dma.irql(DISPATCH_LEVEL):
            board.request("peek", 0x0C000000, "32")


def allocate(
    board: Board, adapter: DmaAdapter, inside: Callable[[int], object], flags: int = 0
) -> NtStatus:
    """Ask for the adapter's channel, at DISPATCH_LEVEL; `inside` gets the MapRegisterBase."""

    def control(_device: int, _irp: int, base: int, _context: object) -> int:
        inside(base)
        return IoAllocationAction.KeepObject

    return adapter.AllocateAdapterChannelEx(
        context_for(board, adapter), 2, flags, ExecutionRoutine=control
    ).status


class TestCallbacks:
    """A driver's routines in Python, entered by the shim."""

    @pytest.mark.parametrize("flags", [0, DMA_SYNCHRONOUS_CALLBACK])
    def test_a_callback_runs_at_dispatch_level(self, board: Board, flags: int) -> None:
        """Requests inside it are served at its level, and the caller's is kept."""
        levels: list[int] = []

        def inside(_base: int) -> None:
            levels.append(board.request("KeGetCurrentIrql").number("irql"))

        adapter = adapter_for(board, write=True)
        with board.dma.irql(DISPATCH_LEVEL):
            assert allocate(board, adapter, inside, flags).success
        assert levels == [DISPATCH_LEVEL]
        assert board.request("KeGetCurrentIrql").number("irql") == PASSIVE_LEVEL

    def test_routines_may_be_called_inside_a_callback(self, board: Board) -> None:
        """AdapterControl maps, flushes and frees; the bytes are at the device."""
        adapter = adapter_for(board, write=True)
        buffer, mdl = described(board, 64)
        board.write(buffer, bytes(range(64)))
        arm(board, write=True)
        statuses: list[NtStatus] = []

        def inside(base: int) -> None:
            statuses.append(adapter.MapTransferEx(mdl, base, WriteToDevice=True).status)
            board.wait(1_000_000)
            statuses.append(adapter.FlushAdapterBuffersEx(mdl, base, 0, 64, WriteToDevice=True))
            adapter.FreeAdapterChannel()

        with board.dma.irql(DISPATCH_LEVEL):
            assert allocate(board, adapter, inside).success
        assert statuses == [NtStatus.STATUS_SUCCESS] * 2
        assert board.stream.sent_take() == bytes(range(64))
        assert board.findings() == []

    def test_callbacks_nest_and_only_the_innermost_returns(self, board: Board) -> None:
        """IDs count up from 1; another one than the innermost is refused with RETURN."""
        first, second = (adapter_for(board, write=True, channel=n) for n in (0, 1))
        order: list[str] = []

        def inner(_base: int) -> None:
            for wrong in ("0", "1", "3"):
                with pytest.raises(RefusedError) as caught:
                    board.request("return", wrong, 1)
                assert caught.value.code == "RETURN"
            order.append("inner")

        def outer(_base: int) -> None:
            order.append("outer")
            assert allocate(board, second, inner, DMA_SYNCHRONOUS_CALLBACK).success
            with pytest.raises(RefusedError, match="RETURN"):
                board.request("return", 2, 1)
            order.append("outer again")

        with board.dma.irql(DISPATCH_LEVEL):
            assert allocate(board, first, outer, DMA_SYNCHRONOUS_CALLBACK).success
        assert order == ["outer", "inner", "outer again"]

    def test_an_exception_comes_out_of_the_outermost_call(self, board: Board) -> None:
        """The callback returns KeepObject, so the channel is still owned, and the board answers."""
        adapter = adapter_for(board, write=True)

        def inside(_base: int) -> None:
            msg = "a mistake of the test"
            raise ValueError(msg)

        with board.dma.irql(DISPATCH_LEVEL):
            with pytest.raises(ValueError, match="a mistake of the test"):
                allocate(board, adapter, inside)
            board.request("ping")
            status = allocate(board, adapter, inside, DMA_SYNCHRONOUS_CALLBACK)
            assert status == NtStatus.STATUS_INSUFFICIENT_RESOURCES
            adapter.FreeAdapterChannel()
        board.request("ping")

    def test_waiting_for_a_callback_is_refused_inside_one(self, board: Board) -> None:
        """EIRQL: at DISPATCH_LEVEL none could come."""

        def inside(_base: int) -> None:
            with pytest.raises(RefusedError, match="EIRQL"):
                board.wait(1_000, "callback")

        adapter = adapter_for(board, write=True)
        with board.dma.irql(DISPATCH_LEVEL):
            assert allocate(board, adapter, inside).success

    def test_wait_ends_with_the_callback(self, board: Board) -> None:
        """The one that came is served before the reply, and most of the time is left over."""
        flight = Flight.start(board, 64, write=False)
        board.stream.receive_put(bytes(64))
        before = board.evidence.probe.time_ns
        assert board.wait(1_000_000_000, "callback") == "callback"
        assert len(flight.done.calls) == 1
        board.evidence.probe.settle()
        assert board.evidence.probe.time_ns - before < 1_000_000
        flight.end()


class TestFault:
    """A crash of the firmware is reported, once, and a reset helps."""

    def test_a_crash_names_function_file_and_line(self, board: Board) -> None:
        """Code that was overwritten faults where it is; the report says where."""
        board.request("fill", board.image.symbol("run_ping").address, 4, 0)
        with deadline(5), pytest.raises(FaultError, match="crashed in run_ping") as caught:
            board.request("ping")
        assert re.fullmatch(r"run_ping \(\S*commands\.c:\d+\)", caught.value.place)
        assert int(caught.value.report["elr"], 0) == board.image.symbol("run_ping").address
        assert caught.value.report["kind"] == "sync"

    def test_a_bus_error_is_reported(self, board: Board) -> None:
        """An address in the device window where no device is."""
        with deadline(5), pytest.raises(FaultError) as caught:
            board.request("peek", 0x0C000000, "32")
        assert int(caught.value.report["far"], 0) == 0x0C000000
        assert "commands.c:" in caught.value.place

    def test_after_a_crash_the_shim_answers_nothing(self, board: Board) -> None:
        """Every request runs into its deadline, and says so."""
        with pytest.raises(FaultError):
            board.request("peek", 0x0C000000, "32")
        with deadline(0.2), pytest.raises(DeadlineError, match="no answer to `ping`"):
            board.request("ping")

    def test_a_reset_brings_the_board_back(self, board: Board) -> None:
        """The image is loaded anew, so even overwritten code works again."""
        for _ in range(3):
            board.request("fill", board.image.symbol("run_ping").address, 4, 0)
            with pytest.raises(FaultError):
                board.request("ping")
            with deadline(10):
                board.reset()
            board.request("ping")
            assert board.findings() == []

    def test_a_crash_inside_a_callback_is_reported(self, board: Board) -> None:
        """It comes out of the call that led into the callback."""
        adapter = adapter_for(board, write=True)
        board.request("KeRaiseIrql", DISPATCH_LEVEL)
        with pytest.raises(FaultError):
            allocate(board, adapter, lambda _: board.request("peek", 0x0C000000, "32"))
        board.reset()
        board.request("ping")


def test_the_prompt_comes_after_each_answer(line: RawLine) -> None:
    """It is the last thing that a person sees, whatever was answered."""
    for typed in (b"\n", b"ping\n", b"nonsense\n", b"x" * 600 + b"\n"):
        assert line.person(typed).endswith(PROMPT)
