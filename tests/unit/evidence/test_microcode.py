# SPDX-License-Identifier: Apache-2.0
"""Instructions of the PL330 in text, and the trace for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from typer.testing import CliRunner

from dmav3.command.cli import app
from dmav3.evidence.microcode import control, decode, disassemble, listing, program

if TYPE_CHECKING:
    from pathlib import Path
from dmav3.evidence.probe import Kind, Record
from dmav3.evidence.trace import executed, lines

if TYPE_CHECKING:
    from dmav3.evidence.events import EventLog

AT = 0x1000
#: By hand, from DDI 0424, 4.3.
INSTRUCTIONS = {
    "00": "DMAEND",
    "01": "DMAKILL",
    "04": "DMALD",
    "05": "DMALDS",
    "07": "DMALDB",
    "08": "DMAST",
    "09": "DMASTS",
    "0b": "DMASTB",
    "0c": "DMASTZ",
    "12": "DMARMB",
    "13": "DMAWMB",
    "18": "DMANOP",
    "20 07": "DMALP LC0, 8",
    "22 ff": "DMALP LC1, 256",
    "25 08": "DMALDPS P1",
    "27 f8": "DMALDPB P31",
    "29 00": "DMASTPS P0",
    "2b 10": "DMASTPB P2",
    "2c 02": "DMALPEND 0xffe",
    "38 03": "DMALPEND LC0, 0xffd",
    "3c 10": "DMALPEND LC1, 0xff0",
    "3d 10": "DMALPENDS LC1, 0xff0",
    "30 08": "DMAWFP P1, single",
    "31 08": "DMAWFP P1, periph",
    "32 08": "DMAWFP P1, burst",
    "34 48": "DMASEV E9",
    "35 28": "DMAFLUSHP P5",
    "36 10": "DMAWFE E2",
    "36 12": "DMAWFE E2, invalid",
    "54 10 01": "DMAADDH SAR, 0x110",
    "56 00 80": "DMAADDH DAR, 0x8000",
    "5c f0 ff": "DMAADNH SAR, 0xfff0",
    "5e f0 ff": "DMAADNH DAR, 0xfff0",
    "a0 03 78 56 34 12": "DMAGO C3, 0x12345678",
    "a2 07 00 00 00 40": "DMAGO C7, 0x40000000, ns",
    "bc 00 78 56 34 12": "DMAMOV SAR, 0x12345678",
    "bc 02 00 00 00 41": "DMAMOV DAR, 0x41000000",
    "bc 01 37 c0 0d 00": "DMAMOV CCR, SAI SS64 SB4 DAI DS64 DB4",
    "ff": ".byte 0xff",
    "06": "DMALD?",
}


@pytest.mark.parametrize("code", INSTRUCTIONS)
def test_an_instruction_has_its_text_and_length(code: str) -> None:
    """What follows it does not matter."""
    raw = bytes.fromhex(code)
    text, length = decode(raw + b"\xaa\xbb", AT)
    assert (text, length) == (INSTRUCTIONS[code], len(raw))


def test_what_is_cut_off_is_bytes() -> None:
    """Nothing is made up."""
    assert decode(b"\xbc\x00\x01", AT) == (".byte 0xbc", 1)
    assert decode(b"", AT) == (".byte ", 1)


def test_the_control_register_is_spelt_as_the_assembler_does() -> None:
    """With its optional parts only where they are not 0."""
    assert control(0x00800200) == "SAF SS8 SB1 SP2 DAF DS8 DB1 DP2"
    assert control(0x23FDF8F4) == "SAF SS32 SB16 SC7 DAI DS64 DB16 DP7 DC1 ES32"


class Log:
    """An event log of given records."""

    def __init__(self, *records: Record, lost: int = 0, untraced: int = 0) -> None:
        """Say what was lost."""
        self.lost, self.untraced, self._records = lost, untraced, records

    def all(self) -> list[Record]:
        """Return the records."""
        return list(self._records)


def text(log: Log, channel: int | None = None) -> list[str]:
    """Return the trace without its heading."""
    return list(lines(cast("EventLog", log), channel))[1:]


def record(kind: Kind, a: int, b: int = 0, c: int = 0, d: int = 0, e: int = 0) -> Record:
    """Return a record of channel 2."""
    return Record(90, 3, 0, kind, ungated=False, id=2, a=a, b=b, c=c, d=d, e=e)


def test_each_line_says_when_which_channel_where_and_what() -> None:
    """Instructions, bursts, interrupts, and what happened to the channel."""
    log = Log(
        record(Kind.DMAGO, AT),
        record(Kind.INSTRUCTION, AT, 0x04, c=0x41000000, d=64),
        record(Kind.INSTRUCTION, AT + 1, 0x0829, c=0x0B010000, d=4),
        record(Kind.INSTRUCTION, AT + 3, 0x4834, e=1),
        record(Kind.ENTER, 7),
        record(Kind.HELD, AT, 3, 192),
        record(Kind.CHANNEL_FAULT, AT, 1 << 18 | 1 << 30, 0x10, 0x20),
        record(Kind.DMAKILL, AT),
    )
    head = "          90        3   2  0x0000100"
    assert text(log) == [
        head + "0  -- DMAGO starts it",
        head + "0  DMALD                   reads 64 bytes at 0x41000000",
        head + "1  DMASTPS P1              writes 4 bytes at 0xb010000",
        head + "3  DMASEV E9               interrupts the CPU",
        head + "0  -- held after 3 bursts, 192 bytes",
        head + "0  -- faults: data_read_err, dbg_instr; SAR 0x10, DAR 0x20",
        head + "0  -- DMAKILL ends it",
    ]
    assert text(log, 1) == []
    assert text(log, 2) == text(log)


def test_what_is_missing_is_said() -> None:
    """Records that were overwritten, instructions that were not recorded."""
    first, last = text(Log(lost=5, untraced=7))
    assert first.startswith("... 5 records")
    assert last.startswith("... 7 more instructions")


def test_a_program_is_shown_with_its_loops_indented(tmp_path: Path) -> None:
    """By address, with its bytes; one loop inside the other, and one without an end."""
    program = tmp_path / "program.bin"
    program.write_bytes(bytes.fromhex("20 03 22 01 04 08 3c 02 38 06 13 28 01 00 ff"))
    done = CliRunner().invoke(app, ["disasm", str(program), "--at", "0x40601000"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "0x40601000  20 03              DMALP LC0, 4",
        "0x40601002  22 01                DMALP LC1, 2",
        "0x40601004  04                     DMALD",
        "0x40601005  08                     DMAST",
        "0x40601006  3c 02                DMALPEND LC1, 0x40601004",
        "0x40601008  38 06              DMALPEND LC0, 0x40601002",
        "0x4060100a  13                   DMAWMB",
        "0x4060100b  28 01              DMALPEND 0x4060100a",
        "0x4060100d  00                 DMAEND",
        "0x4060100e  ff                 .byte 0xff",
    ]


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its name."""
    done = CliRunner().invoke(app, ["disasm", str(tmp_path / "none")])
    assert (done.exit_code, "none cannot be read: No such file" in done.stderr) == (2, True)


def test_a_program_ends_where_nothing_goes_on() -> None:
    """With DMAEND or DMAKILL, before what is no instruction, or before one that is cut off."""
    loop = bytes.fromhex("20 03 04 08 38 02")
    assert program(loop + b"\x00\x04", AT) == loop + b"\x00"
    assert program(loop + b"\x01\x04", AT) == loop + b"\x01"
    assert program(loop + b"\xff\x00", AT) == loop
    assert program(loop + b"\xbc\x00", AT) == loop
    assert program(b"\xff", AT) == b""


def test_addresses_have_their_names_behind_them() -> None:
    """Those that registers and channels are given; a control register's value is none."""
    code = bytes.fromhex("bc 00 00 00 00 41 bc 01 00 00 00 41 a0 03 00 00 00 41 bc 02 01 00 00 41")
    names = {0x41000000: "message", AT: "never shown"}
    shown = disassemble(code, AT, lambda address: names.get(address, ""), brief=True)
    assert shown == [
        "0x00001000  DMAMOV SAR, 0x41000000  ; message",
        "0x00001006  DMAMOV CCR, SAF SS8 SB1 DAF DS8 DB1 DP4 ES128",
        "0x0000100c  DMAGO C3, 0x41000000    ; message",
        "0x00001012  DMAMOV DAR, 0x41000001",
    ]


def test_a_trace_in_text_has_the_programs() -> None:
    """Each as often as it was started the same, on its channel; other lines do not count."""
    start = record(Kind.DMAGO, AT)
    one = (record(Kind.INSTRUCTION, AT, 0x04, c=0x41000000, d=64), record(Kind.INSTRUCTION, AT + 1))
    other = record(Kind.INSTRUCTION, AT, 0x18)
    spelled = lines(cast("EventLog", Log(*one, start, *one, start, *one, start, other, untraced=3)))
    found = executed([*spelled, "no line of a trace", "", "  x"])
    assert [(it.heading(), it.instructions) for it in found] == [
        ("channel 2", {AT: ("DMALD", 1), AT + 1: ("DMAEND", 1)}),
        (
            "channel 2, started at 0x00001000 2 times",
            {AT: ("DMALD", 2), AT + 1: ("DMAEND", 2)},
        ),
        ("channel 2, started at 0x00001000", {AT: ("DMANOP", 1)}),
    ]
    assert listing(found[1].rows()) == [
        "0x00001000       2x  DMALD",
        "0x00001001       2x  DMAEND",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one program is needed: dmav3 disasm program.bin; "),
        (["a", "--trace", "b"], "one program is needed: "),
        (["--board", "b"], "one program is needed: "),
        (["--board", "b", "--trace", "c"], "one program is needed: "),
        (["--trace", "none"], "none cannot be read: No such file"),
        (["--trace", "empty"], "empty shows no program: a trace is needed, as `dmav3 trace`"),
        (["--trace", "folder"], "folder/trace.txt cannot be read: No such file"),
        (["empty", "--image", "empty"], "empty: is not an ELF file"),
    ],
)
def test_what_shows_no_program_is_refused(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one sentence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    done = CliRunner().invoke(app, ["disasm", *arguments])
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_hostile_trace_reaches_no_terminal(tmp_path: Path) -> None:
    """Its control bytes are spelled out, and numbers that are none do not count."""
    file = tmp_path / "trace"
    bad = "DMALPEND 0xzz", "DMA\x1b[2J", "DMALPEND 0x" + "f" * 5000
    file.write_text("".join(f"1 1 2  0x0000100{n}  {text}\n" for n, text in enumerate(bad)))
    done = CliRunner().invoke(app, ["disasm", "--trace", str(file)])
    assert done.exit_code == 0
    assert "\x1b" not in done.stdout
    assert "DMA\\x1b[2J" in done.stdout
