# SPDX-License-Identifier: Apache-2.0
"""Each violation has words, which name its numbers, and say what to do."""

from __future__ import annotations

import pytest

from dmav3.evidence.mistakes import CODES, MISTAKES, explain


@pytest.mark.parametrize("key", MISTAKES, ids=str)
def test_a_text_is_a_sentence_with_a_remedy(key: int | tuple[int, int]) -> None:
    """Whatever its numbers are."""
    mistake = MISTAKES[key]
    for number in (0, 1, 0xFFFF_FFFF_FFFF_FFFF):
        said = mistake.explain(number, number)
        assert not set("{}") & set(said)
        assert mistake.remedy in said
        assert said.endswith(f"({mistake.rule})" if mistake.rule else mistake.remedy)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0x13, 1, 0), "the IRQL is PASSIVE_LEVEL, and must be DISPATCH_LEVEL"),
        ((0x13, 2, 5), "the IRQL is a device's level, 5, which is above"),
        ((0x48, 1, 0), "says from memory to the device, and the mapping was made from the device"),
        ((0x45, 2, 0), "returned DeallocateObject: return KeepObject"),
        ((0x46, 9, 0), "the IO_ALLOCATION_ACTION is 9, which is none"),
        ((0x4D, 0, 0), "MapRegisterBase NULL is no live handle"),
        ((0x0E, 64, 3), "0x40 is freed, and is no MDL of IoAllocateMdl, or no longer"),
        ((0x53, 32, 64), "the flush names 32 bytes of a transfer that completed with 64"),
        ((0x1F, 3, 99), "a transfer of 99 bytes leaves the MDL"),
        ((0x99, 1, 2), "not known here (p2=0x1, p3=0x2)"),
    ],
)
def test_numbers_are_spelled_by_what_they_are(numbers: tuple[int, int, int], said: str) -> None:
    """Levels, directions and actions by name, addresses in hexadecimal, counts as they are."""
    assert said in explain(*numbers)


def test_every_case_belongs_to_a_code() -> None:
    """A code has one text, or one for each case."""
    for key in MISTAKES:
        assert (key if isinstance(key, int) else key[0]) in CODES
        assert isinstance(key, int) or key[0] not in MISTAKES
