# SPDX-License-Identifier: Apache-2.0
"""`dmav3 run --keflush`: what the call of older drivers costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from dmav3.command.cli import app

if TYPE_CHECKING:
    from pathlib import Path

LINE, SIZE = 64, 1 << 16


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file to move."""
    path = tmp_path / "input"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    return path


def run(file: Path, *arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["run", "--input", str(file), *arguments])


def report(file: Path, *arguments: str) -> dict[str, Any]:
    """Return what --json prints."""
    found: dict[str, Any] = json.loads(run(file, "--json", *arguments).stdout)
    return found


@pytest.mark.parametrize("device", ["stream", "edu"])
def test_what_it_costs(file: Path, device: str) -> None:
    """It treats every line, so MapTransferEx has nothing to do; the data is the same without it."""
    alone = report(file, "--device", device, "--schedule", "never")
    older = report(file, "--device", device, "--schedule", "never", "--keflush")
    assert (alone["verdict"], older["verdict"]) == ("pass", "pass")
    assert older["sha256"] == alone["sha256"]
    assert "keflush" not in alone
    idle = {
        one: sum(cost["lines"] for cost in run["costs"])
        for one, run in (("alone", alone), ("older", older))
    }
    routines = [step["routine"] for step in older["steps"]]
    assert older["keflush"] == {
        "calls": routines.count("KeFlushIoBuffers"),
        "lines": 2 * SIZE // LINE,
        "idle": idle["older"],
        "idle_alone": idle["alone"],
    }
    assert idle["older"] - idle["alone"] == 2 * SIZE // LINE


def test_on_a_coherent_machine(file: Path) -> None:
    """It did nothing, and the command says so."""
    shown = run(file, "--keflush", "--machine", "virt-a53-coherent")
    assert shown.exit_code == 0
    assert "KeFlushIoBuffers, called 2 times, did nothing: DMA is coherent" in shown.stdout


def test_a_bug_is_found_before_it(file: Path) -> None:
    """Where the version-3 routines alone fail, there is nothing to compare."""
    shown = run(file, "--keflush", "--firmware-bug", "no-invalidate")
    assert shown.exit_code == 1
    assert "keflush " not in shown.stdout


def test_a_driver_in_c_makes_its_own_calls(file: Path) -> None:
    """Refused, with what would work."""
    refused = run(file, "--keflush", "--device", "nvme")
    assert refused.exit_code == 2
    assert "--keflush is for stream and edu" in refused.stderr
