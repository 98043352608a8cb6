# SPDX-License-Identifier: Apache-2.0
"""What public drivers do compiles and works, and a level that is too high is noticed."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from idioms import DATA, c_file, owner, read

from dmav3 import Board, build_image, installation

if TYPE_CHECKING:
    from idioms import Idiom

    from dmav3.evidence.violations import Violation

IDIOMS, ABSENT = read()
#: The code of a routine that is called above its highest level.
ABOVE = 0x58
#: The level above which there is none: a routine with this limit may be called at any.
HIGH_LEVEL = 15
#: Names that may be missing; idioms that there are; those whose limit is tried.
MOST_ABSENT, FEWEST, FEWEST_WITH_LIMIT = 10, 300, 200
#: `{0}` stands for a whole structure.
ZEROED = ("-Wno-missing-braces", "-Wno-missing-field-initializers")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All idioms in one C file."""
    path = tmp_path_factory.mktemp("idioms") / "idioms.c"
    path.write_text(c_file(IDIOMS))
    return path


def test_each_idiom_has_one_name_and_a_source() -> None:
    """A failure names one idiom; each is taken from a public driver, which is named."""
    names = [idiom.name for idiom in IDIOMS]
    assert len(names) >= FEWEST
    assert sum(one.is_asserted and one.limit is not None for one in IDIOMS) >= FEWEST_WITH_LIMIT
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [idiom.name for idiom in IDIOMS if ": " not in idiom.source] == []


def test_what_is_not_provided_is_in_no_header() -> None:
    """It is a short list, with a reason for each, and says the truth."""
    headers = installation.Layout.find().headers
    text = "".join(path.read_text() for path in headers.rglob("*.h"))
    assert len(ABSENT) <= MOST_ABSENT
    assert [name for name in ABSENT if re.search(rf"\b{name}\b", text)] == []
    assert all(ABSENT.values())


@pytest.mark.parametrize(("suffix", "level"), [(".c", 1), (".cpp", 2)], ids=["c-O1", "c++-O2"])
def test_idioms_do_what_they_should_and_know_their_level(
    source: Path, suffix: str, level: int
) -> None:
    """Each leaves nothing wrong behind it; the limit is right, and a level above is told."""
    said: list[str] = []
    file = source.with_suffix(suffix)
    file.write_bytes(source.read_bytes())
    image = build_image(file, output=file.with_suffix(".elf"), optimise=level, say=said.append)
    assert "".join(said) == ""
    with Board(image=image, judge=False) as board:
        wrong = [_failure(one, board.call("idiom", one.number)["line"]) for one in IDIOMS]
        wrong += [
            _failure(one, board.call("at_level", one.number, one.limit[1])["line"])
            for one in IDIOMS
            if one.limit and not one.misuse
        ]
        wrong += [f"{_owner(one)}: {one.line()}" for one in board.violations()]
        first = len(board.violations())
        for idiom in IDIOMS:
            if idiom.limit and idiom.limit[1] < HIGH_LEVEL:
                board.call("at_level", idiom.number, idiom.limit[1] + 1)
        told: dict[tuple[str, int] | None, list[Violation]] = defaultdict(list)
        for violation in board.violations()[first:]:
            told[owner(violation.place)].append(violation)
        left = [notice.values for notice in board.request("live").notices]
    wrong += [
        f"{idiom.name}: {[one.line() for one in told['level', idiom.number]]}, not {idiom.limit}"
        for idiom in IDIOMS
        if idiom.limit and not _is_told(told["level", idiom.number], *idiom.limit)
    ]
    assert [*filter(None, wrong), *left] == []


def _failure(idiom: Idiom, line: int) -> str:
    return f"{idiom.name}: {DATA.name}:{line}" if line else ""


def _owner(violation: Violation) -> str:
    key = owner(violation.place)
    return IDIOMS[key[1]].name if key else "?"


def _is_told(found: list[Violation], routine: str, highest: int) -> bool:
    numbers = {(one.code, one.p2, one.p3) for one in found if one.routine == routine}
    return numbers == ({(ABOVE, highest, highest + 1)} if highest < HIGH_LEVEL else set())


@pytest.mark.parametrize("flags", [(), ("-x", "c++")], ids=["c", "c++"])
def test_idioms_compile_under_the_data_model_of_windows(
    source: Path, flags: tuple[str, ...]
) -> None:
    """`long` has 32 bits there; sizes and layouts that our headers assert hold."""
    headers = installation.Layout.find().headers
    options = ("-fsyntax-only", "-ffreestanding", "-nostdlibinc", f"-isystem{headers}")
    warnings = ("-Wall", "-Wextra", "-Werror", *ZEROED, f"-isystem{headers / 'crt'}")
    target = "--target=aarch64-pc-windows-msvc"
    layout = Path(__file__).parents[2] / "firmware/nt/layout.c"
    command = ["clang-19", target, *options, *warnings, *flags, str(source), str(layout)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
