# SPDX-License-Identifier: Apache-2.0
"""The command line without a board: exit status and message of every kind of bad call."""

from __future__ import annotations

import json
import re
from importlib import metadata
from typing import TYPE_CHECKING, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from dmav3 import Board, UsageError
from dmav3.command.cli import app
from dmav3.command.tables import wide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Stands in for a QEMU of some version that ends at once.
_OLD_QEMU = '#!/bin/sh\n[ "$1" = --version ] && echo "QEMU emulator version 7.2.0"\nexit 1\n'


def dmav3(*arguments: object) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Make a file to move."""
    path = tmp_path / "data"
    path.write_bytes(b"data")
    return path


def test_version_is_printed() -> None:
    """That of the installed package."""
    result = dmav3("--version")
    assert (result.exit_code, result.stdout) == (0, f"dmav3 {metadata.version('dmav3')}\n")


def test_a_dumb_terminal_gets_the_whole_table() -> None:
    """As any other, however narrow it says it is."""
    console = Console(force_terminal=True, _environ={"TERM": "dumb", "COLUMNS": "40"})
    assert wide(console).width == 130


@pytest.mark.usefixtures("fake_build")
@pytest.mark.parametrize(
    "use",
    [
        lambda board: board.request("ping"),
        lambda board: board.cpu,
        lambda board: board.qemu.running,
        lambda board: board.evidence.trace(),
        lambda board: board.reset(),
    ],
)
def test_a_board_that_was_not_started_says_so(use: Callable[[Board], object]) -> None:
    """And how to start it; it is an AttributeError too, so that `hasattr` works."""
    board = Board()
    with pytest.raises(UsageError, match=r"not running, .* by `with Board\(\) as board:`"):
        use(board)
    assert not hasattr(board, "cpu")


@pytest.mark.usefixtures("fake_build")
@pytest.mark.parametrize("seed", [-1, 1 << 64, True, 1.0, "1"])
def test_a_seed_is_a_number_of_64_bits(seed: object) -> None:
    """Anything else is echoed."""
    with pytest.raises(UsageError, match=re.escape(f"seed {seed!r} is not in 0 to")):
        Board(seed=cast("int", seed))


def test_input_is_needed() -> None:
    """Typer's own usage errors exit with 2 too."""
    assert dmav3("run").exit_code == 2


def test_missing_input_is_named(tmp_path: Path) -> None:
    """The path and the reason."""
    result = dmav3("run", "--input", tmp_path / "none")
    assert result.exit_code == 2
    assert "none cannot be read: No such file" in result.stderr


def test_unreadable_input_is_named(tmp_path: Path) -> None:
    """A folder is unreadable even for root."""
    result = dmav3("run", "--input", tmp_path)
    assert result.exit_code == 2
    assert "cannot be read: Is a directory" in result.stderr


def test_unknown_machine_lists_the_known(data: Path) -> None:
    """Value and choices."""
    result = dmav3("run", "--input", data, "--machine", "vax")
    assert result.exit_code == 2
    assert "'vax'; known are: virt-a53, virt-a53-coherent" in result.stderr


def test_broken_machine_file_is_named_with_its_line(data: Path, tmp_path: Path) -> None:
    """File and line."""
    path = tmp_path / "m.yaml"
    path.write_text("name: x\nname: y\n")
    result = dmav3("run", "--input", data, "--machine", path)
    assert result.exit_code == 2
    assert "m.yaml:2: name: is there twice" in result.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--width", "0"), "0 is none of 8, 16, 32, 64"),
        (("--width", "24"), "24 is none of 8, 16, 32, 64"),
        (("--width", "x"), "'x' is no number, such as 7 or 0x7"),
        (("--seed", "1e3"), "'1e3' is no number, such as 7 or 0x7"),
        (("--seed", "9" * 5000), "9' is no number, such as 7 or 0x7"),
    ],
)
def test_a_wrong_number_is_echoed(data: Path, option: tuple[str, str], words: str) -> None:
    """With one that would work."""
    done = dmav3("run", "--input", data, *option)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", "").split())


@pytest.mark.usefixtures("fake_build")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--schedule", "sometimes"), "known are: lru, speculative, never, eager"),
        (("--schedule", "lru", "--machine", "virt-a53-coherent"), "has no cache model"),
        (("--seed", "-1"), "seed -1"),
        (("--firmware-bug", "no-such"), "unknown bug 'no-such'; known are"),
        (("--firmware-bug", ""), "unknown bug ''; known are"),
        (("--firmware-bug", "x", "--image", "y"), "exclude each other"),
        (("--image", "no.elf"), "no.elf: cannot be read"),
        (("--image", "/bin/sh"), "is an ELF for EM_X86_64, EM_AARCH64 is needed"),
        (("--image", __file__), "is not an ELF file"),
    ],
)
def test_wrong_option_is_explained(data: Path, arguments: tuple[str, ...], words: str) -> None:
    """Nothing is started; the message has the value and what would work."""
    result = dmav3("run", "--input", data, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not result.stdout


@pytest.mark.usefixtures("fake_build")
def test_missing_qemu_is_inconclusive(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 3, and the JSON object says why, with nothing in it that was not seen."""
    monkeypatch.setenv("DMAV3_QEMU", "no-such-qemu")
    result = dmav3("run", "--input", data, "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert report["verdict"] == "inconclusive"
    assert "no-such-qemu" in report["reason"]
    assert report["sha256"] == {"input": None, "device": None, "returned": None}
    assert (report["steps"], report["findings"], report["costs"]) == ([], [], [])
    assert (report["machine"], report["seed"], report["schedule"]) == ("virt-a53", 1, "speculative")


@pytest.mark.usefixtures("fake_build")
def test_old_qemu_is_inconclusive(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that was found and the one that is needed."""
    qemu = tmp_path / "qemu"
    qemu.write_text(_OLD_QEMU)
    qemu.chmod(0o755)
    monkeypatch.setenv("DMAV3_QEMU", str(qemu))
    result = dmav3("run", "--input", data)
    assert result.exit_code == 3
    assert "7.2 is too old, 10.0" in result.stdout


def test_missing_build_says_what_to_do(
    data: Path, fake_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the caller's mistake: 3."""
    monkeypatch.setattr(
        "dmav3.installation.firmware", lambda _: fake_build / "firmware/virt-a64.elf"
    )
    (hidden := fake_build / "hidden").unlink(missing_ok=True)
    (fake_build / "dmav3.so").rename(hidden)
    try:
        result = dmav3("run", "--input", data)
    finally:
        hidden.rename(fake_build / "dmav3.so")
    assert result.exit_code == 3
    assert "dmav3.so is missing: install dmav3 again" in result.stdout
