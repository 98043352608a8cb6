# SPDX-License-Identifier: Apache-2.0
"""Known bugs of the firmware must be caught at their place; correct firmware gives nothing.

Each bug is a patch with a header: `Finding:`, `Routine:` and `Place:` are what must be reported,
`Bytes:` says whether the bug shows in the bytes as well: where it does is up to size and schedule.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: How many different digests a run may give, by what the header says of the bytes.
BYTES = {"right": {1}, "wrong": {2, 3}, "either": {1, 2, 3}}
PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
SIZES = {"65,537 bytes": 65_537, "1 MiB": 1 << 20}
FULL_SIZES = {"0": 0, "1": 1, "63": 63, **SIZES, "5,000,011": 5_000_011}


def header(patch: Path) -> dict[str, str]:
    """Return the `Key: value` lines before the diff."""
    text = patch.read_text().split("\n--- ", 1)[0]
    return dict(re.findall(r"^([A-Z][\w-]*): (.*)$", text, re.MULTILINE))


def run(folder: Path, size: int, *options: str | int) -> tuple[int, dict[str, Any]]:
    """Run `dmav3 run --json` on a file of random bytes; return exit status and report."""
    file = folder / "input"
    file.write_bytes(random.Random(size).randbytes(size))  # noqa: S311 - to be repeatable
    done = subprocess.run(
        [sys.executable, "-m", "dmav3", "run", "--json", "--input", file, *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def caught(folder: Path, patch: Path, size: int, seed: int) -> None:
    """Check that a run on the patched firmware fails for the reason that the header names."""
    expected = header(patch)
    status, report = run(folder, size, "--firmware-bug", patch.stem, "--seed", seed)
    assert (status, report["verdict"]) == (1, "fail")
    assert len(set(report["sha256"].values())) in BYTES[expected["Bytes"]]
    assert {finding["kind"] for finding in report["findings"]} == {expected["Finding"]}
    routines = {finding["routine"] for finding in report["findings"]}
    assert expected.get("Routine") in routines
    for finding in report["findings"]:
        cpu = finding["cpu"]
        assert cpu["file"] in expected["Place"]
        assert cpu["function"] in expected["Place"]
        assert cpu["line"] > 0
        if finding["routine"]:
            assert finding["buffer"]["name"] in ("source", "destination")


def passes(folder: Path, size: int, width: int, *options: str | int) -> None:
    """Check that a run on the correct firmware passes with equal digests and no finding."""
    status, report = run(folder, size, "--width", width, *options)
    assert (status, report["verdict"], report["findings"]) == (0, "pass", []), report["reason"]
    assert len(set(report["sha256"].values())) == 1
    assert report["bytes"] == size


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_known_bug_is_caught(tmp_path: Path, patch: Path, seed: int) -> None:
    """Different digests, and findings that name kind, routine and source line, and nothing else."""
    caught(tmp_path, patch, 65_537, seed)


@pytest.mark.parametrize(
    ("size", "width", "options"),
    [
        (0, 32, ()),
        (1, 32, ("--seed", 3)),
        (63, 16, ("--seed", 4)),
        (65_537, 8, ("--seed", 5)),
        (65_537, 32, ("--schedule", "lru")),
        (65_537, 32, ("--machine", "virt-a53-coherent")),
    ],
)
def test_the_correct_firmware_passes(
    tmp_path: Path, size: int, width: int, options: tuple[str | int, ...]
) -> None:
    """Equal digests and no finding."""
    passes(tmp_path, size, width, *options)


@pytest.mark.soak
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("seed", range(1, 21))
def test_a_known_bug_is_caught_under_every_seed(
    tmp_path: Path, patch: Path, size: int, seed: int
) -> None:
    """As above, for 20 seeds."""
    caught(tmp_path, patch, size, seed)


@pytest.mark.soak
@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("size", FULL_SIZES.values(), ids=FULL_SIZES)
@pytest.mark.parametrize("seed", range(21), ids=lambda seed: f"seed{seed}" if seed else "lru")
def test_the_correct_firmware_passes_under_every_schedule(
    tmp_path: Path, width: int, size: int, seed: int
) -> None:
    """As above, for 20 seeds of `speculative`, and for `lru`."""
    passes(tmp_path, size, width, *(("--seed", seed) if seed else ("--schedule", "lru")))
