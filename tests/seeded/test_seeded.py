# SPDX-License-Identifier: Apache-2.0
"""Known bugs of the firmware must be caught at their place; correct firmware gives nothing.

Each bug is a patch with a header: `Finding:`, `Routine:`, `Rule:` and `Place:` are what must be
reported, `Bytes:` says whether the bug shows in the bytes as well: where it does is up to size and
schedule. It shows in the main job or, with `Workload: edges`, in a buffer that shares its first and
its last cache line with what the CPU stores. With `Workload: nvme` it is one of the driver in
examples/nvme, and `Line:` is the text of the lines that must be named; where QEMU's controller then
goes wrong, and whether it answers at all, differs. With `Workload: microcode` it is in a program of
the PL330, `Instruction:` is what is named, and `Emitter:` what emitted that.
"""

from __future__ import annotations

import io
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dmav3 import Board, installation
from dmav3.conformance.tests.driver import read_beside_the_cpu
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral

#: Which routine of lists does what the header's routine does.
LISTS = {
    "GetScatterGatherListEx": "MapTransferEx",
    "PutScatterGatherList": "FlushAdapterBuffersEx",
}
#: How many different digests a run may give, by what the header says of the bytes.
BYTES = {"right": {1}, "wrong": {2, 3}, "either": {1, 2, 3}}
SIZES = {"65,537 bytes": 65_537, "1 MiB": 1 << 20}
#: Three bytes in a first line, a whole line, three bytes in a last line.
EDGE_OFFSET, EDGE_DATA = 61, bytes(range(70))
FULL_SIZES = {"0": 0, "1": 1, "63": 63, **SIZES, "5,000,011": 5_000_011}


def header(patch: Path) -> dict[str, str]:
    """Return the `Key: value` lines before the diff."""
    text = patch.read_text().split("\n--- ", 1)[0]
    return dict(re.findall(r"^([A-Z][\w-]*): (.*)$", text, re.MULTILINE))


PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
MAIN_JOB = [patch for patch in PATCHES if "Workload" not in header(patch)]
NVME = [patch for patch in PATCHES if header(patch).get("Workload") == "nvme"]
MICROCODE = [patch for patch in PATCHES if header(patch).get("Workload") == "microcode"]
EDGES = [patch for patch in PATCHES if header(patch).get("Workload") == "edges"]


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


def caught(folder: Path, patch: Path, size: int, seed: int, *options: str) -> None:
    """Check that a run on the patched firmware fails for the reason that the header names."""
    expected = header(patch)
    if "nvme" in options:  # a bus master's transfers are lists
        for of_lists, routine in LISTS.items():
            expected["Routine"] = expected["Routine"].replace(routine, of_lists)
    bug = ("--firmware-bug", patch.stem, "--seed", seed)
    status, report = run(folder, size, *bug, *options)
    assert (status, report["verdict"]) == (1, "fail")
    assert len(set(report["sha256"].values())) in BYTES[expected["Bytes"]]
    named(report["findings"], expected)
    for finding in report["findings"]:
        if finding["buffer"]:
            assert finding["buffer"]["name"] in ("source", "destination")


def named(findings: list[dict[str, Any]], expected: dict[str, str]) -> None:
    """Check that findings have the kinds, routines, rules and places of a header, and no other."""
    for key in ("Routine", "Rule"):
        found = {finding[key.lower()] for finding in findings} - {None}
        assert found == set(expected.get(key, "").split(", ")) - {""}
    assert {finding["kind"] for finding in findings} == set(expected["Finding"].split(", "))
    for finding in findings:
        cpu = finding["cpu"]
        assert cpu["file"] in expected["Place"]
        assert cpu["function"] in expected["Place"]
        assert cpu["line"] > 0


def passes(folder: Path, size: int, width: int, *options: str | int) -> None:
    """Check that a run on the correct firmware passes with equal digests and no finding."""
    status, report = run(folder, size, "--width", width, *options)
    assert (status, report["verdict"], report["findings"]) == (0, "pass", []), report["reason"]
    assert len(set(report["sha256"].values())) == 1
    assert report["bytes"] == size


@pytest.mark.parametrize("patch", MAIN_JOB, ids=lambda patch: patch.stem)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_known_bug_is_caught(tmp_path: Path, patch: Path, seed: int) -> None:
    """Different digests, and findings that name kind, routine and source line, and nothing else."""
    caught(tmp_path, patch, 65_537, seed)


def caught_in_the_driver(folder: Path, patch: Path, *options: str | int) -> None:
    """Check that a run on the patched driver fails, with findings at the lines of the header."""
    expected = header(patch)
    bug = ("--device", "nvme", "--firmware-bug", patch.stem)
    status, report = run(folder, 65_537, *bug, *options)
    assert (status, report["verdict"]) == (1, "fail")
    kinds = expected["Finding"].split(", ")
    found = {finding["kind"] for finding in report["findings"]}
    assert kinds[0] in found <= set(kinds)
    for finding in report["findings"]:
        assert finding["device"]["name"] == "pci 00:01.0"
        assert finding["cpu"]["function"] in expected["Place"]
        assert finding["cpu"]["file"] in expected["Place"]
        if "Line" in expected:
            assert any(text in line(patch, finding["cpu"]) for text in expected["Line"].split("; "))


def line(patch: Path, cpu: dict[str, Any]) -> str:
    """Return the text of a line of a patched file."""
    root = installation.seeded(patch.stem, "virt-a64-nvme").parent / "src"
    text: str = (root / cpu["file"]).read_text().splitlines()[cpu["line"] - 1]
    return text


@pytest.mark.parametrize("patch", MICROCODE, ids=lambda patch: patch.stem)
def test_a_known_bug_of_a_program_is_caught(tmp_path: Path, patch: Path) -> None:
    """Findings of that kind only, which name the instruction and, if it is there, its emitter."""
    expected = header(patch)
    options = ("--firmware-bug", patch.stem, "--machine", "virt-a53")
    status, report = run(tmp_path, 4096, *options)
    assert (status, report["verdict"]) == (1, "fail")
    assert {finding["kind"] for finding in report["findings"]} == {expected["Finding"]}
    texts = [finding["text"] for finding in report["findings"]]
    assert all(expected["Instruction"] in text for text in texts)
    if emitter := expected.get("Emitter"):
        place = rf"emitted in {emitter} \(firmware/pl330/program\.c:\d+\)"
        assert all(re.search(place, text) for text in texts), texts


@pytest.mark.parametrize("bug", ["no-clean", "no-invalidate", "no-read-preparation"])
def test_a_known_bug_is_caught_by_a_disk(tmp_path: Path, bug: str) -> None:
    """As above, where QEMU's controller moves the data."""
    patch = Path(__file__).with_name(f"{bug}.patch")
    caught(tmp_path, patch, 65_536, 1, "--device", "nvme")


@pytest.mark.parametrize("patch", NVME, ids=lambda patch: patch.stem)
@pytest.mark.parametrize("schedule", ["speculative", "never"])
def test_a_known_bug_of_the_nvme_driver_is_caught(
    tmp_path: Path, patch: Path, schedule: str
) -> None:
    """Findings that name the controller, the kind and the source line, and nothing else."""
    caught_in_the_driver(tmp_path, patch, "--schedule", schedule)


@pytest.mark.soak
@pytest.mark.parametrize("patch", NVME, ids=lambda patch: patch.stem)
@pytest.mark.parametrize("schedule", ["speculative", "never", "eager", "lru"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_known_bug_of_the_nvme_driver_is_caught_under_every_schedule(
    tmp_path: Path, patch: Path, schedule: str, seed: int
) -> None:
    """As above, for 3 seeds."""
    caught_in_the_driver(tmp_path, patch, "--schedule", schedule, "--seed", seed)


@pytest.mark.parametrize("patch", EDGES, ids=lambda patch: patch.stem)
def test_a_known_bug_at_the_edges_is_caught(patch: Path) -> None:
    """As above, for 20 seeds."""
    expected = header(patch)
    with Board(image=installation.seeded(patch.stem, "virt-a64"), judge=False) as board:
        for seed in range(1, 21):
            board.reset(seed=seed)
            received, right = read_beside_the_cpu(board, EDGE_DATA, EDGE_OFFSET, width=8)
            assert (received != right) == (expected["Bytes"] == "wrong")
            findings = [finding.json() for finding in board.findings()]
            named(findings, expected)
            assert {finding["buffer"]["name"] for finding in findings} == {"neighbourhood"}


def test_the_correct_firmware_passes_at_the_edges() -> None:
    """Equal bytes and no finding, for 20 seeds."""
    with Board(judge=False) as board:
        for seed in range(1, 21):
            board.reset(seed=seed)
            received, right = read_beside_the_cpu(board, EDGE_DATA, EDGE_OFFSET, width=8)
            assert (received == right, board.findings()) == (True, [])


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


@pytest.mark.parametrize("bug", [None, "no-invalidate"])
def test_a_hundred_seeds(bug: str | None) -> None:
    """The correct firmware passes under each, with `no-invalidate` bytes and findings are wrong."""
    data = random.Random(1).randbytes(4000)  # noqa: S311 - to be repeatable
    with Board(image=installation.seeded(bug, "virt-a64") if bug else None, judge=False) as board:
        for seed in range(1, 101):
            board.reset(seed=seed)
            outcome = MainJob(StreamPeripheral(board, 32)).run(io.BytesIO(data))
            digests = {digest.hexdigest() for digest in outcome.digests.values()}
            assert len(digests) == (1 if bug is None else 2)
            assert [finding.kind for finding in board.findings()] == ["stale-cpu-read"] * bool(bug)


@pytest.mark.soak
@pytest.mark.parametrize("patch", MAIN_JOB, ids=lambda patch: patch.stem)
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
