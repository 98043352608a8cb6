# SPDX-License-Identifier: Apache-2.0
"""`dmav3 doctor` and `dmav3 machines`: each thing that is missing is named, with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dmav3 import installation
from dmav3.command.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let dmav3 use a copy of what is built, and a private folder of its own."""
    built = tmp_path / "built"
    (built / "firmware").mkdir(parents=True)
    shutil.copy(ROOT / "build/dmav3.so", built)
    shutil.copy(ROOT / "build/firmware/virt-a64.elf", built / "firmware")
    copy = installation.Layout(ROOT / "qemu-machines", built)
    monkeypatch.setattr(installation.Layout, "find", staticmethod(lambda: copy))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return built


def doctor() -> tuple[int, list[str]]:
    """Return the exit status, and the lines about what is missing."""
    result = CliRunner().invoke(app, ["doctor"])
    return result.exit_code, [line for line in result.stdout.splitlines() if "MISSING" in line]


def only(commands: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a PATH on which there is nothing but `commands`."""
    folder.mkdir()
    for name, target in commands.items():
        (folder / name).symlink_to(target)
    monkeypatch.setenv("PATH", str(folder))


def programs() -> dict[str, str]:
    """Return what doctor looks for on the path."""
    names = ("qemu-system-aarch64", "clang-19", "ld.lld-19")
    return {name: path for name in names if (path := shutil.which(name))}


@pytest.mark.usefixtures("layout")
def test_all_right(tmp_path: Path) -> None:
    """Status 0, and versions; nothing is left of the board that it started."""
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.stdout
    assert "MISSING" not in result.stdout
    for words in ("QEMU: /", "clang-19: /", "pydantic: 2", "answers `hello`", "functions: all "):
        assert words in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["built"]


@pytest.mark.usefixtures("layout")
def test_missing_qemu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the package to install; what cannot be tried without it says so."""
    commands = programs()
    del commands["qemu-system-aarch64"]
    only(commands, tmp_path / "bin", monkeypatch)
    status, (qemu, functions, start) = doctor()
    assert status == 3
    assert "QEMU: no program qemu-system-aarch64 -> apt-get install qemu-system-arm" in qemu
    assert "cannot be compared without QEMU" in functions
    assert "cannot start qemu-system-aarch64" in start


@pytest.mark.usefixtures("layout")
def test_old_qemu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found and needed version."""
    qemu = tmp_path / "qemu"
    qemu.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 7.2.9"\nexit 1')
    qemu.chmod(0o755)
    monkeypatch.setenv("DMAV3_QEMU", str(qemu))
    status, missing = doctor()
    assert status == 3
    assert f"QEMU: {qemu}, 7.2.9; 10.0 or later is needed -> apt-get" in missing[0]


@pytest.mark.usefixtures("layout")
@pytest.mark.parametrize("command", ["clang-19", "ld.lld-19"])
def test_missing_compiler_is_named(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is missing then."""
    commands = programs()
    del commands[command]
    only(commands, tmp_path / "bin", monkeypatch)
    status, (line,) = doctor()
    assert status == 3
    assert f"{command}: no such program on the path" in line
    assert f"apt-get install {command.removeprefix('ld.')}" in line


def test_missing_extension_is_named(layout: Path) -> None:
    """The path that was looked for."""
    (layout / "dmav3.so").unlink()
    status, (extension, functions, start) = doctor()
    assert status == 3
    assert f"extension: {layout}/dmav3.so is missing" in extension
    assert "cannot be compared without the extension" in functions
    assert "dmav3.so is missing" in start


def test_missing_image_is_named(layout: Path) -> None:
    """By its name in the machines' descriptions."""
    (layout / "firmware/virt-a64.elf").unlink()
    status, (image, start) = doctor()
    assert status == 3
    assert f"firmware virt-a64: {layout}/firmware/virt-a64.elf is missing" in image
    assert "virt-a64.elf is missing" in start


def test_missing_function_of_qemu_is_named(layout: Path) -> None:
    """An extension that needs one that no QEMU has; a start is refused for the same reason."""
    shutil.copy(ROOT / "build/tests/dmav3-missing-symbol.so", layout / "dmav3.so")
    status, (functions, start) = doctor()
    assert status == 3
    assert "lacks qemu_function_for_the_test -> use a Debian build of QEMU" in functions
    assert "exit status 1" in start


def test_extension_that_qemu_cannot_load_is_found_by_starting_it(layout: Path) -> None:
    """A file of that name is not enough."""
    (layout / "dmav3.so").write_bytes(b"no ELF")
    status, (functions, start) = doctor()
    assert status == 3
    assert "cannot be read" in functions
    assert "dmav3.so is damaged, or not dmav3's: is not an ELF file" in start


@pytest.mark.usefixtures("layout")
def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not installed, and one that is too old."""
    needed = ["no-such-package>=1", "pyyaml>=99", "x; extra == 'test'"]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: needed)
    status, (absent, old) = doctor()
    assert status == 3
    assert "no-such-package: not installed -> pip install 'no-such-package>=1'" in absent
    assert "-> pip install 'pyyaml>=99'" in old


@pytest.mark.usefixtures("layout")
def test_private_folder_of_others_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start for a test does not need it, so only this is missing."""
    (other := tmp_path / "other").touch()
    monkeypatch.setattr("dmav3.qemu.private_folder.root", lambda: other)
    status, (line,) = doctor()
    assert status == 3
    assert f"private folder: {other} is not a folder: remove it" in line


def test_machines_are_listed() -> None:
    """The same for a person and as JSON; the default comes first."""
    shown = CliRunner().invoke(app, ["machines"]).stdout.splitlines()
    assert shown[0].split() == ["name", "board", "cpu", "cache", "view"]
    rows = json.loads(CliRunner().invoke(app, ["machines", "--json"]).stdout)
    assert [line.split()[0] for line in shown[1:]] == [row["name"] for row in rows]
    assert rows[0] == {
        "name": "virt-a53",
        "board": "virt",
        "cpu": "cortex-a53",
        "cache": {"level": 2, "line": 64, "sets": 1024, "ways": 16},
        "view": "dma",
    }
    caches = {row["name"]: row["cache"] for row in rows}
    assert caches["virt-a53-coherent"] is None
