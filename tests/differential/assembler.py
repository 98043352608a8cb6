# SPDX-License-Identifier: Apache-2.0
"""An assembler for programs of the PL330, in the words of `dmav3.evidence.microcode`. Pure.

`DMALPEND LC0` ends the last `DMALP LC0`, and `DMALPEND` without a counter the last `DMALPFE`, which
is no instruction. `.byte 0xff` is what no instruction stands for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: First byte of each instruction, by its first word and, where that decides, its second.
_OPCODES = {
    "DMAEND": 0x00,
    "DMAKILL": 0x01,
    "DMALD": 0x04,
    "DMALDS": 0x05,
    "DMALDB": 0x07,
    "DMAST": 0x08,
    "DMASTS": 0x09,
    "DMASTB": 0x0B,
    "DMASTZ": 0x0C,
    "DMARMB": 0x12,
    "DMAWMB": 0x13,
    "DMANOP": 0x18,
    "DMALP LC0": 0x20,
    "DMALP LC1": 0x22,
    "DMALDPS": 0x25,
    "DMALDPB": 0x27,
    "DMASTPS": 0x29,
    "DMASTPB": 0x2B,
    "DMALPEND": 0x2C,
    "DMALPENDS": 0x2D,
    "DMALPENDB": 0x2F,
    "DMAWFP": 0x30,
    "DMASEV": 0x34,
    "DMAFLUSHP": 0x35,
    "DMAWFE": 0x36,
    "DMALPEND LC0": 0x38,
    "DMALPENDS LC0": 0x39,
    "DMALPENDB LC0": 0x3B,
    "DMALPEND LC1": 0x3C,
    "DMALPENDS LC1": 0x3D,
    "DMALPENDB LC1": 0x3F,
    "DMAADDH SAR": 0x54,
    "DMAADDH DAR": 0x56,
    "DMAADNH SAR": 0x5C,
    "DMAADNH DAR": 0x5E,
    "DMAGO": 0xA0,
    "DMAMOV": 0xBC,
}
_REGISTERS = {"SAR": 0, "CCR": 1, "DAR": 2}
_REQUESTS = {"single": 0, "periph": 1, "burst": 2}
_NONSECURE = 2
#: Where a field of CCR begins, and what its number counts from, by the words of the assembler.
_FIELDS = {"S": (1, 8), "B": (4, 1), "P": (8, 0), "C": (11, 0)}
_SIDES = {"S": 0, "D": 14}
_SWAP = 28


def assemble(program: Iterable[str], symbols: Mapping[str, int] | None = None) -> bytes:
    """Return the bytes of a program, an instruction each line.

    :param symbols: names that stand for numbers, such as `source` in `DMAMOV SAR, source+4`.
    """
    code = b""
    loops: dict[str, int] = {}
    for line in program:
        first, *rest = line.split(None, 1)
        operands = [word.strip() for word in rest[0].split(",")] if rest else []
        counter = operands[0] if operands and operands[0].startswith("LC") else ""
        if first.startswith("DMALPEND"):
            code += bytes([_OPCODES[f"{first} {counter}".strip()], len(code) - loops[counter]])
        else:
            code += _encoded(first, operands, symbols or {})
        if first in {"DMALP", "DMALPFE"}:
            loops[counter] = len(code)
    return code


def control(text: str) -> int:
    """Return the value of CCR that words such as `SAI SS64 SB4 DAI DS64 DB4` stand for."""
    value = 0
    for word in text.split():
        side, field, number = word[0], word[1], word[2:]
        if side == "E":
            value |= (int(number) // 8).bit_length() - 1 << _SWAP
        elif field == "A":
            value |= (number == "I") << _SIDES[side]
        else:
            shift, one = _FIELDS[field]
            scaled = (int(number) // one).bit_length() - 1 if field == "S" else int(number) - one
            value |= scaled << shift + _SIDES[side]
    return value


def _encoded(first: str, operands: list[str], symbols: Mapping[str, int]) -> bytes:
    if first == ".byte":
        return bytes(int(operand, 0) for operand in operands)
    if first == "DMALPFE":
        return b""
    if first in {"DMALP", "DMAADDH", "DMAADNH"}:
        value = int(operands[1], 0)
        opcode = _OPCODES[f"{first} {operands[0]}"]
        return bytes([opcode, value - 1] if first == "DMALP" else [opcode, *_bytes(value, 2)])
    if first == "DMAMOV":
        number = _number(operands[1], symbols)
        return bytes([_OPCODES[first], _REGISTERS[operands[0]], *_bytes(number, 4)])
    if first == "DMAGO":
        opcode = _OPCODES[first] | (_NONSECURE if "ns" in operands else 0)
        return bytes([opcode, int(operands[0][1:]), *_bytes(_number(operands[1], symbols), 4)])
    opcode = _OPCODES[first] | (_REQUESTS[operands[1]] if first == "DMAWFP" else 0)
    invalid = _NONSECURE if "invalid" in operands else 0
    return bytes([opcode, *(int(it[1:]) << 3 | invalid for it in operands[:1])])


def _bytes(value: int, count: int) -> bytes:
    return (value % (1 << 8 * count)).to_bytes(count, "little")


def _number(text: str, symbols: Mapping[str, int]) -> int:
    if re.match(r"[SDE][A-Z]", text):
        return control(text)
    total = 0
    for sign, word in re.findall(r"([+-]?)(\w+)", text):
        total += (-1 if sign == "-" else 1) * (symbols[word] if word in symbols else int(word, 0))
    return total
