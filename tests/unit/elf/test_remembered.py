# SPDX-License-Identifier: Apache-2.0
"""Layouts that are remembered: the same as those that are searched, and never in the way."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from dmav3.elf import dwarf
from dmav3.elf.image import Elf
from dmav3.elf.remembered import Remembered

if TYPE_CHECKING:
    from pathlib import Path

    from dmav3.elf.layout import Struct

SOURCE = """
typedef struct { unsigned char tag; short y[2][3]; union { int word; void *next; }; } thing;
thing one;
enum level { LOW, HIGH = 7 } level;
"""


@pytest.fixture
def path(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compile an ELF that nothing is remembered of."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home / tmp_path.name))
    (tmp_path / "one.c").write_text(SOURCE)
    command = ["clang-19", "--target=aarch64-none-elf", "-g", "-c", "one.c", "-o", "one.elf"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    return tmp_path / "one.elf"


def layout_of(path: Path) -> Struct:
    """Return the layout as another process would see it."""
    return Elf(path, "EM_AARCH64").struct("thing")


def files(path: Path, cache_home: Path) -> list[Path]:
    """Return what is remembered of all ELFs."""
    return list((cache_home / path.parent.name / "dmav3" / "layouts").iterdir())


def test_it_is_searched_once(path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time is equal and reads no debug information; other bytes are another ELF."""
    searched = layout_of(path)
    monkeypatch.setattr(dwarf.Types, "struct", lambda *_: pytest.fail("it was searched"))
    assert layout_of(path) == searched
    assert searched.read(bytes(range(24)))["next"] == 0x1716151413121110
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(pytest.fail.Exception, match="it was searched"):
        layout_of(path)
    assert len(files(path, cache_home)) == 1


def test_an_enumeration_is_searched_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is remembered beside a structure, and not taken for one."""
    layout = layout_of(path)
    assert Elf(path, "EM_AARCH64").enum("level") == {"LOW": 0, "HIGH": 7}
    monkeypatch.setattr(dwarf.Types, "_find", lambda *_: pytest.fail("it was searched"))
    assert Elf(path, "EM_AARCH64").enum("level") == {"LOW": 0, "HIGH": 7}
    assert layout_of(path) == layout


@pytest.mark.parametrize("content", [b"", b"{", b'{"struct thing": {"name": "thing"}}', b"\xff"])
def test_what_is_damaged_is_made_again(path: Path, cache_home: Path, content: bytes) -> None:
    """It is neither believed nor an error."""
    searched = layout_of(path)
    (file,) = files(path, cache_home)
    file.write_bytes(content)
    assert layout_of(path) == searched
    assert len(file.read_bytes()) > len(content)


def test_without_a_folder_nothing_is_remembered(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be made or read is no error."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert layout_of(path) == layout_of(path)


def test_the_last_hundred_are_kept(path: Path, cache_home: Path) -> None:
    """A user who builds a driver a thousand times does not fill the disk."""
    layout = layout_of(path)
    for number in range(120):
        Remembered(bytes([number])).add("thing", layout)
    assert len(files(path, cache_home)) == 100
    assert Remembered(bytes([119])).get("thing") == layout
