# SPDX-License-Identifier: Apache-2.0
"""How the cost grows: with mappings, findings, boards, bytes, working sets and channels.

Each figure is the least of a few rounds, of QEMU's CPU time unless it says otherwise. One page of
plots, FILE.svg and FILE.png, and the figures as FILE.json. A part that is measured alone takes its
place among the figures that are there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from measuring import MIB, process_time

from dmav3 import Board, build_image
from dmav3.job.run import RunOptions, run_main_job

if TYPE_CHECKING:
    from collections.abc import Callable

#: x to y of each curve.
Curves = dict[str, dict[int, float]]

MAPPINGS = (0, 200, 1000, 5000)
WORKING_SETS = tuple(1 << n for n in range(14, 24))
BOARDS = (1, 2, 4, 8, 16, 32)
SIZES = (0, 1 * MIB, 10 * MIB, 50 * MIB)
CHANNELS = range(1, 9)
ACCESSES = 40_000_000
ROUNDS = 3
BLOCKS = 48  # of 8 KiB, for each channel


def cpu(board: Board, work: Callable[[], object]) -> float:
    """Return QEMU's CPU seconds for some work."""
    before = process_time(board.qemu.process.pid)
    work()
    return process_time(board.qemu.process.pid) - before


def walking(board: Board, address: int, size: int) -> float:
    """Return the least nanoseconds of an access to memory of some size, half of them stores."""
    rounds = max(1, ACCESSES * 8 // 2 // size)
    walk = partial(board.call, "walk", address, size, rounds)
    return 1e9 * min(cpu(board, walk) for _ in range(ROUNDS)) / (rounds * size / 4)


def working_sets(image: Path) -> Curves:
    """Cost of an access against the memory that is walked over."""
    curves: Curves = {}
    for machine in ("virt-a53", "virt-a53-coherent"):
        with Board(machine, image=image, judge=False) as board:
            address = board.memory.allocate(max(WORKING_SETS), align=4096).address
            curves[machine] = {size: walking(board, address, size) for size in WORKING_SETS}
    return curves


def mappings(image: Path) -> Curves:
    """Cost of an access to other memory, behind so many live mappings, or so many findings."""
    curves: Curves = {"live mappings": {}, "findings": {}}
    for count in MAPPINGS:
        with Board(image=image, devices=["edu"], judge=False) as board:
            mapped, other = (board.memory.allocate(size).address for size in (MIB, 4 * MIB))
            assert board.call("map", mapped, count)["elements"] == count
            curves["live mappings"][count] = walking(board, other, 4 * MIB)
    for blocks in range(3):
        with Board(image=image, judge=False) as board:
            stored, other = (board.memory.allocate(size).address for size in (MIB, 4 * MIB))
            board.call("touch", stored)
            if blocks:
                board.call("copy_channels", stored, stored + MIB // 2, other, 1, blocks)
            found = sum(finding.count for finding in board.findings())
            curves["findings"][found] = walking(board, other, 4 * MIB)
    return curves


def boards(image: Path) -> Curves:
    """Real time until so many boards have started, and for a reset of each, in seconds a board."""
    curves: Curves = {"start": {}, "reset": {}}
    for count in BOARDS:
        with ExitStack() as stack:
            begin = time.perf_counter()
            started = [stack.enter_context(Board(image=image, judge=False)) for _ in range(count)]
            between = time.perf_counter()
            for board in started:
                board.reset()
            curves["start"][count] = (between - begin) / count
            curves["reset"][count] = (time.perf_counter() - between) / count
    return curves


def sizes(_: Path) -> Curves:
    """Real time of `dmav3 run` for a file of some size, for each device."""
    curves: Curves = {}
    with tempfile.NamedTemporaryFile() as file:
        for device in ("stream", "edu", "nvme"):
            curves[device] = {}
            for size in SIZES:
                file.truncate(size)
                options = RunOptions("virt-a53", Path(file.name), device=device)
                begin = time.perf_counter()
                report = run_main_job(options, lambda _: lambda _: None)
                assert report.verdict == "pass", report
                curves[device][size] = time.perf_counter() - begin
    return curves


def channels(image: Path) -> Curves:
    """Cost of a MiB that the PL330 copies within memory, by so many channels at once."""
    curves: Curves = {"virt-a53": {}}
    with Board(image=image, judge=False) as board:
        source, target = (board.memory.allocate(3 * MIB).address for _ in range(2))
        programs = board.memory.allocate(4096).address
        for count in CHANNELS:
            arguments = source, target, programs, count, BLOCKS
            seconds = cpu(board, partial(board.call, "copy_channels", *arguments))
            curves["virt-a53"][count] = seconds * MIB / (count * BLOCKS * 8192)
    return curves


PARTS: dict[str, Callable[[Path], Curves]] = {
    "working sets": working_sets,
    "mappings": mappings,
    "boards": boards,
    "sizes": sizes,
    "channels": channels,
}


def draw(figures: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Draw one plot for each kind of growth."""
    labels = {
        "working sets": ("bytes walked over", "ns of an access", 2),
        "mappings": ("live mappings, findings", "ns of an access", 1),
        "boards": ("boards on this machine", "seconds a board", 2),
        "sizes": ("bytes of the file", "seconds of `dmav3 run`", 1),
        "channels": ("channels at once", "CPU seconds a MiB", 1),
    }
    page = Figure(figsize=(15, 8), layout="constrained")
    axes = page.subplots(2, 3).flat
    for axis, (name, curves) in zip(axes, figures.items(), strict=False):
        x, y, base = labels[name]
        for label, points in curves.items():
            axis.plot([int(x) for x in points], list(points.values()), marker="o", label=label)
        axis.set(title=name, xlabel=x, ylabel=y)
        axis.set_ylim(bottom=0)
        if base > 1:
            axis.set_xscale("log", base=base)
        axis.legend()
    for suffix in (".svg", ".png"):
        page.savefig(path.with_suffix(suffix))


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", metavar="FILE", type=Path, default=Path("build/bench/growth"))
    parser.add_argument("--only", metavar="PART", choices=PARTS, nargs="+", default=list(PARTS))
    options = parser.parse_args()
    file = options.output.with_suffix(".json")
    figures = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        source, image = Path(__file__).with_name("growth.c"), Path(folder) / "growth.elf"
        build_image(source, output=image, say=lambda _: None)
        for name in options.only:
            begin = time.perf_counter()
            curves = PARTS[name](image).items()
            figures[name] = {
                label: {str(x): y for x, y in points.items()} for label, points in curves
            }
            print(f"{name}: measured in {time.perf_counter() - begin:.0f} s", flush=True)
            file.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    draw(figures, options.output)


if __name__ == "__main__":
    main()
