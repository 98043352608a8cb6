# SPDX-License-Identifier: Apache-2.0
"""Instructions of the PL330, as its assembler writes them (DDI 0424, 4.3 and 4.4). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Mask and value of the first byte, bytes of the instruction, its text.
_FORMS = (
    (0xFF, 0x00, 1, "DMAEND"),
    (0xFF, 0x01, 1, "DMAKILL"),
    (0xFC, 0x04, 1, "DMALD{condition}"),
    (0xFC, 0x08, 1, "DMAST{condition}"),
    (0xFF, 0x0C, 1, "DMASTZ"),
    (0xFF, 0x12, 1, "DMARMB"),
    (0xFF, 0x13, 1, "DMAWMB"),
    (0xFF, 0x18, 1, "DMANOP"),
    (0xFD, 0x20, 2, "DMALP LC{bit1}, {iterations}"),
    (0xFD, 0x25, 2, "DMALDP{condition} P{number}"),
    (0xFD, 0x29, 2, "DMASTP{condition} P{number}"),
    (0xF8, 0x28, 2, "DMALPEND{condition} {target}"),
    (0xF8, 0x38, 2, "DMALPEND{condition} LC{bit2}, {target}"),
    (0xFC, 0x30, 2, "DMAWFP P{number}, {request}"),
    (0xFF, 0x34, 2, "DMASEV E{number}"),
    (0xFF, 0x35, 2, "DMAFLUSHP P{number}"),
    (0xFF, 0x36, 2, "DMAWFE E{number}{invalid}"),
    (0xFD, 0x54, 3, "DMAADDH {address}, {half}"),
    (0xFD, 0x5C, 3, "DMAADNH {address}, {half}"),
    (0xFD, 0xA0, 6, "DMAGO C{channel}, {word}{nonsecure}"),
    (0xFF, 0xBC, 6, "DMAMOV {register}, {value}"),
)
_LONGEST = 6  # bytes
_CONDITIONS = ("", "S", "?", "B")
_REQUESTS = ("single", "periph", "burst", "?")
_REGISTERS = ("SAR", "CCR", "DAR")
_CONTROL = 1
#: How instructions begin that end a loop, that end a program, and whose operand is an address.
_LOOP, _ENDS, _GIVES = "DMALPEND", ("DMAEND", "DMAKILL"), ("DMAMOV SAR", "DMAMOV DAR", "DMAGO")


def _unnamed(_address: int) -> str:
    return ""


class Instruction(NamedTuple):
    """One instruction: its text, and its bytes."""

    text: str
    length: int


def decode(code: bytes, at: int) -> Instruction:
    """Return the instruction at the start of `code`, which lies at address `at`.

    :param code: at least as many bytes as the instruction has, or what there is of it.
    """
    for mask, value, length, text in _FORMS:
        if code[:1] and code[0] & mask == value and len(code) >= length:
            return Instruction(text.format_map(_operands(code[:length], at)), length)
    return Instruction(f".byte {', '.join(f'{byte:#04x}' for byte in code[:1])}", 1)


class Row(NamedTuple):
    """A line of a listing: an instruction's address, what stands before its text, and its text."""

    address: int
    lead: str
    text: str


def program(code: bytes, at: int) -> bytes:
    """Return what of `code`, at address `at`, is one program.

    It ends with DMAEND or DMAKILL, or before a byte that begins no instruction: nothing jumps
    over either.
    """
    offset = 0
    while offset < len(code):
        instruction = decode(code[offset : offset + _LONGEST], at + offset)
        if instruction.text.startswith("."):
            break
        offset += instruction.length
        if instruction.text in _ENDS:
            break
    return code[:offset]


def disassemble(
    code: bytes, at: int, named: Callable[[int], str] = _unnamed, *, brief: bool = False
) -> list[str]:
    """Return a line for each instruction of a program at address `at`: address, bytes, text.

    What a loop repeats is indented. A byte that begins no instruction is a line of its own.

    :param named: returns the name of what lies at an address; empty if it has none.
    :param brief: leave the bytes out.
    """
    rows, offset = [], 0
    while offset < len(code):
        text, length = decode(code[offset : offset + _LONGEST], at + offset)
        lead = "" if brief else f"{code[offset : offset + length].hex(' '):17}  "
        rows.append(Row(at + offset, lead, text))
        offset += length
    return listing(rows, named)


def listing(rows: Iterable[Row], named: Callable[[int], str] = _unnamed) -> list[str]:
    """Return a line for each row, in the order of addresses; what a loop repeats is indented.

    :param named: returns the name of what lies at an address; it stands behind a `;`.
    """
    rows = sorted(rows)
    loops = [(_address_in(row.text), row.address) for row in rows if row.text.startswith(_LOOP)]
    return [
        f"{address:#010x}  {lead}"
        f"{'  ' * sum(start <= address < end for start, end in loops)}{_commented(text, named)}"
        for address, lead, text in rows
    ]


def _commented(text: str, named: Callable[[int], str]) -> str:
    """Add the name of the address that an instruction gives to a register or a channel."""
    name = named(_address_in(text)) if text.startswith(_GIVES) else ""
    return f"{text:<24}; {name}" if name else text


def _address_in(text: str) -> int:
    """Return the last number of an instruction's text."""
    numbers = re.findall(r"0x[0-9a-f]+", text)
    return int(numbers[-1], 16) if numbers else 0


def _operands(code: bytes, at: int) -> dict[str, object]:
    opcode, second, rest = code[0], code[1] if len(code) > 1 else 0, code[2:]
    word = int.from_bytes(rest, "little")
    register = _REGISTERS[second] if second < len(_REGISTERS) else f"?{second}"
    return {
        "condition": _CONDITIONS[opcode & 3],
        "bit1": opcode >> 1 & 1,
        "bit2": opcode >> 2 & 1,
        "iterations": second + 1,
        "number": second >> 3,
        "target": f"{at - second:#x}",
        "request": _REQUESTS[opcode & 3],
        "invalid": ", invalid" if second & 2 else "",
        "address": "DAR" if opcode & 2 else "SAR",
        "half": f"{int.from_bytes(code[1:], 'little'):#x}",
        "channel": second & 7,
        "nonsecure": ", ns" if opcode & 2 else "",
        "register": register,
        "word": f"{word:#x}",
        "value": control(word) if second == _CONTROL else f"{word:#x}",
    }


def control(ccr: int) -> str:
    """Spell a value of CCR as the assembler does; what is 0 and optional is left out."""
    words = [*_side("S", ccr), *_side("D", ccr >> 14)]
    if swap := ccr >> 28 & 7:
        words.append(f"ES{8 << swap}")
    return " ".join(words)


def _side(letter: str, fields: int) -> list[str]:
    """Spell one half of CCR: `fields` begins with the bit "increments"."""
    words = [
        f"{letter}A{'I' if fields & 1 else 'F'}",
        f"{letter}S{8 << (fields >> 1 & 7)}",
        f"{letter}B{(fields >> 4 & 15) + 1}",
    ]
    if protection := fields >> 8 & 7:
        words.append(f"{letter}P{protection}")
    if cache := fields >> 11 & 7:
        words.append(f"{letter}C{cache}")
    return words
