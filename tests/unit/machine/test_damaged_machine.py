# SPDX-License-Identifier: Apache-2.0
"""Damaged machine descriptions: each is accepted, or refused with its line, in bounded time."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from dmav3 import installation
from dmav3.errors import MachineFileError
from dmav3.machine.description import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    Bounded = Callable[[str], AbstractContextManager[None]]

GOOD = installation.machines()["virt-a53"].read_text(encoding="utf-8")
#: What is put into a description.
PIECES = (
    *("\x00", "\x07", "\x1b[2J", "\x7f", "\x85", "\ufeff", "\u202e", '"\\e[31m"', '"\\0"', "\t"),
    *("&a ", "*a", "&a [*a]", "<<: *a", "? [a]\n: b", "? {a: b}\n", "!!python/object:os.system ''"),
    *("!!int x", "!!float x", "!!timestamp x", "!!binary x", "!!set {a}", "!!map x"),
    *("9" * 5000, "0x" + "f" * 5000, "1e999", ".nan", "-0", "1:" * 2000 + "1", "2001-99-99", "0b"),
    *(
        "[" * 3000,
        "{a: " * 3000,
        "- " * 3000,
        "? " * 3000,
        "'" * 3000,
        "[[], {}]",
        "---\n",
        "...\n",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "#",
        "|",
        ">",
        "%",
        "@",
        "`",
        "-",
        "\n",
        " ",
        "~",
        "null",
        "no",
    ),
)
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}]\n" for n in range(30)
)


def damaged(seed: int) -> str:
    """Return the description with pieces put in, taken out or doubled."""
    chance, text = random.Random(seed), GOOD  # noqa: S311 - to be repeatable
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(text))
        match chance.randrange(4):
            case 0:
                text = text[:at] + text[at + chance.randrange(1, 20) :]
            case 1:
                text = text[:at] + text[at : at + 40] + text[at:]
            case _:
                text = text[:at] + chance.choice(PIECES) + text[at:]
    return text


def is_accepted(path: Path, bounded: Bounded) -> bool:
    """Load a file; what refuses it has its line, and nothing that a terminal obeys."""
    with bounded(str(path)):
        try:
            load(path)
        except MachineFileError as error:
            text = str(error)
            place_is_named = text.startswith(f"{path}:{error.line}: ")
            is_harmless = all(one.isprintable() or one == "\n" for one in text)
            return not (place_is_named and is_harmless and len(text) < 2000) and bool(text)
    return True


def refuse_each(tmp_path: Path, bounded: Bounded, seeds: range) -> int:
    """Load as many damaged files; return how many were refused as they should be."""
    refused = 0
    for seed in seeds:
        path = tmp_path / "damaged.yaml"
        path.write_text(damaged(seed), encoding="utf-8")
        if is_accepted(path, bounded):
            assert load(path).board == "virt", seed
        else:
            refused += 1
    return refused


def test_a_damaged_description_is_accepted_or_refused(tmp_path: Path, bounded: Bounded) -> None:
    """With file and line, and no exception of a library's."""
    assert refuse_each(tmp_path, bounded, range(100)) > 50


@pytest.mark.soak
def test_a_thousand_damaged_descriptions_are_accepted_or_refused(
    tmp_path: Path, bounded: Bounded
) -> None:
    """The same with other seeds."""
    refuse_each(tmp_path, bounded, range(1000, 2000))


@pytest.mark.parametrize("text", [*PIECES, BOMB, *(GOOD + piece for piece in PIECES)])
def test_a_piece_of_a_description_is_refused(tmp_path: Path, bounded: Bounded, text: str) -> None:
    """Control bytes, recursion, huge numbers, a tower of aliases, and behind a description, too."""
    path = tmp_path / "piece.yaml"
    path.write_text(text, encoding="utf-8")
    if is_accepted(path, bounded):
        assert load(path) == load("virt-a53")


@pytest.mark.parametrize("value", ['"a\\e[31mb"', '"a\\0b"', '"a\\nb"', "'\u202e'"])
@pytest.mark.parametrize("key", ["{model: edu, options: [%s]}", "{model: nvme, disk: %s}"])
def test_what_qemu_cannot_be_given_is_refused(tmp_path: Path, key: str, value: str) -> None:
    """Control bytes in what goes to QEMU's command line."""
    path = tmp_path / "controls.yaml"
    path.write_text(GOOD + f"devices: [{key % value}]\n", encoding="utf-8")
    with pytest.raises(MachineFileError, match=r"controls\.yaml:19: devices\.0\."):
        load(path)


def test_a_description_has_an_end(tmp_path: Path, bounded: Bounded) -> None:
    """A pipe is not waited for, a device and a huge file are not read to their end."""
    pipe, link, huge = tmp_path / "pipe.yaml", tmp_path / "zero.yaml", tmp_path / "huge.yaml"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    huge.touch()
    os.truncate(huge, 1 << 40)
    for path in (pipe, link, huge):
        assert not is_accepted(path, bounded)
