# SPDX-License-Identifier: Apache-2.0
"""The bench: what the harness costs, beside bare QEMU and labgrid, measured in one run.

Ratios are of user and system CPU time of QEMU where the work is QEMU's, else of real time; the two
sides take turns (A B B A …), and the median counts. Nothing here is asserted: the table shows each
target beside what was measured.

    python tests/bench/bench.py [--rounds N] [--labgrid PYTHON] [--before EXTENSION]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import select
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from dmav3 import Board, installation
from dmav3.elf.image import read_elf
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.machine.argv import Start
from dmav3.machine.description import load
from dmav3.qemu.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
QEMU = "qemu-system-aarch64"
CPU = "cortex-a53"
MACHINE = "virt,highmem=off"
TCG = ["-accel", "tcg,thread=single"]
ICOUNT = ["-icount", "shift=0,sleep=off"]
MIB = 1 << 20
PROGRAMS = ("copy", "hits", "small", "chase", "misses")
EVERYTHING = 1_000_000_000


@dataclass
class Row:
    """A line of the table."""

    what: str
    measured: str
    target: str
    detail: str


# ---- measuring ----


def all_in_turns(rounds: int, *work: Callable[[], float]) -> list[list[float]]:
    """Run each N times, in the order A B B A; return what each gave."""
    values: list[list[float]] = [[] for _ in work]
    for turn in range(rounds):
        order = range(len(work)) if turn % 2 == 0 else reversed(range(len(work)))
        for which in order:
            values[which].append(work[which]())
    return values


def in_turns(rounds: int, *work: Callable[[], float]) -> list[float]:
    """Run each N times, in the order A B B A; return the median of each."""
    return [statistics.median(each) for each in all_in_turns(rounds, *work)]


def spread(values: list[float], unit: float) -> str:
    """Return median, least and greatest of values, as multiples of a unit."""
    least, middle, most = min(values), statistics.median(values), max(values)
    return f"{middle / unit:.2f} ({least / unit:.2f} to {most / unit:.2f})"


def children_time() -> float:
    """Return the CPU time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def image(program: str) -> Path:
    """Return a program of the bench."""
    return BUILD / "bench" / f"{program}.elf"


def stock(program: str, *more: str) -> list[str]:
    """Return the command that runs a program on QEMU as it is."""
    kernel = ["-cpu", CPU, "-m", "64", "-kernel", str(image(program))]
    return [QEMU, "-M", MACHINE, *TCG, "-nodefaults", "-display", "none", *kernel, *more]


def bare(program: str, *more: str) -> float:
    """Return the CPU time of a program on QEMU as it is."""
    before = children_time()
    subprocess.run(stock(program, *more), check=True, stderr=subprocess.DEVNULL, timeout=120)
    return children_time() - before


def started(machine: str, program: str, extension: Path | None = None) -> Process:
    """Start a program on one of our machines, without the harness's own start."""
    described = load(machine)
    schedule = "speculative" if described.cache else None
    flat = read_elf(image(program), "EM_AARCH64").flat(described.image_memory)
    start = Start(QEMU, extension or installation.extension(), flat, 0, 1, schedule)
    return Process(described, start)


def extended(program: str, machine: str, extension: Path | None = None) -> float:
    """Return the CPU time of a program on one of our machines.

    :param extension: instead of the one that is installed.
    """
    before = children_time()
    with started(machine, program, extension) as process:
        ended = os.pidfd_open(process.pid)
        select.select([ended], [], [], 120)
        os.close(ended)
    return children_time() - before


def main_job(machine: str, instructions: int = 0) -> float:
    """Return QEMU's CPU time for the main job on 1 MiB, without its start.

    :param instructions: of the PL330 that the trace records.
    """
    data = random.Random(1).randbytes(MIB)  # noqa: S311 - to be repeatable
    with Board(machine, trace=instructions > 0) as board:
        if instructions:
            board.qmp.set("trace-instructions", instructions)
        before = process_time(board.qemu.process.pid)
        MainJob(StreamPeripheral(board, 32)).run(io.BytesIO(data))
        return process_time(board.qemu.process.pid) - before


def process_time(pid: int) -> float:
    """Return the CPU time of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- the rows ----


def cache_model(rounds: int, before: Path | None) -> list[Row]:
    """Full fidelity and the coherent machine against bare QEMU, program by program."""
    full, coherent, icount, earlier, detail = [], [], [], [], []
    for name in PROGRAMS:
        values = all_in_turns(
            rounds,
            lambda name=name: bare(name, *ICOUNT),  # type: ignore[misc]
            lambda name=name: extended(name, "virt-a53"),  # type: ignore[misc]
            lambda name=name: extended(name, "virt-a53-coherent"),  # type: ignore[misc]
            lambda name=name: bare(name),  # type: ignore[misc]
            *([lambda name=name: extended(name, "virt-a53", before)] if before else []),
        )
        stock, model, single, free = (statistics.median(each) for each in values[:4])
        full.append(model / stock)
        coherent.append(single / stock)
        icount.append(stock / free)
        detail.append(f"{name} {spread(values[1], stock)}")
        earlier += [f"{name} {spread(each, stock)}" for each in values[4:]]
    stock, model = in_turns(
        rounds, lambda: main_job("virt-a53-coherent"), lambda: main_job("virt-a53")
    )
    full.append(model / stock)
    detail.append(f"main job {model / stock:.2f}")
    rows = [
        Row(
            "cache model with findings, CPU time over bare QEMU",
            f"{statistics.geometric_mean(full):.2f} (geometric mean)",
            "at most 1.5, each 2.5",
            ", ".join(detail),
        ),
        Row(
            "coherent machine, CPU time over bare QEMU",
            f"{statistics.geometric_mean(coherent):.2f}",
            "at most 1.05",
            ", ".join(f"{n} {r:.2f}" for n, r in zip(PROGRAMS, coherent, strict=True)),
        ),
        Row(
            "icount itself, CPU time over QEMU without it",
            f"{statistics.geometric_mean(icount):.2f}",
            "(beside)",
            ", ".join(f"{n} {r:.2f}" for n, r in zip(PROGRAMS, icount, strict=True)),
        ),
    ]
    if earlier:
        rows.insert(1, Row("the extension of before", "", "(beside)", ", ".join(earlier)))
    return rows


def trace(rounds: int) -> Row:
    """Measure the main job, nearly all of it DMA, with and without a trace of every instruction."""
    without, traced = in_turns(
        rounds, lambda: main_job("virt-a53"), lambda: main_job("virt-a53", EVERYTHING)
    )
    return Row(
        "trace of the whole main job, CPU time over none",
        f"{traced / without:.2f}",
        "at most 1.3",
        f"{traced:.2f} s against {without:.2f} s",
    )


def first_byte() -> float:
    """Return the seconds from QEMU's start to the first byte on its UART."""
    ours, theirs = socket.socketpair()
    console = ["-chardev", f"socket,id=c,fd={theirs.fileno()}", "-serial", "chardev:c"]
    start = time.perf_counter()
    with (
        ours,
        subprocess.Popen(
            stock("copy", *ICOUNT, *console),
            pass_fds=[theirs.fileno()],
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        theirs.close()
        ours.recv(1)
        seconds = time.perf_counter() - start
        process.kill()
    return seconds


def cold_start() -> float:
    """Return the seconds from nothing to the shim's first reply."""
    board = Board()
    start = time.perf_counter()
    with board:
        return time.perf_counter() - start


def starting(rounds: int, labgrid: str | None) -> list[Row]:
    """Cold start, and a reset between tests, against bare QEMU and labgrid."""
    stock, ours = in_turns(rounds, first_byte, cold_start)
    with Board() as board:

        def reset() -> float:
            start = time.perf_counter()
            board.reset()
            return time.perf_counter() - start

        (again,) = in_turns(10 * rounds, reset)
    rows = [
        Row(
            "cold start to the first reply, over bare QEMU to its first UART byte",
            f"{ours / stock:.2f}",
            "at most 1.25",
            f"{1000 * ours:.0f} ms against {1000 * stock:.0f} ms",
        )
    ]
    theirs = labgrid_seconds(labgrid, rounds) if labgrid else None
    rows.append(
        Row(
            "isolated board per test: reset to the first reply",
            f"{1000 * again:.1f} ms" + (f", {theirs / again:.0f} times faster" if theirs else ""),
            "3 ms, 20 times",
            f"labgrid's QEMU driver {1000 * theirs:.0f} ms" if theirs else "labgrid not measured",
        )
    )
    return rows


def labgrid_seconds(python: str, rounds: int) -> float:
    """Return the median that labgrid takes to start an image on the same QEMU."""
    extra = " ".join(["-nodefaults", *TCG, *ICOUNT])
    script = Path(__file__).with_name("labgrid_start.py")
    done = subprocess.run(
        [python, script, QEMU, BUILD / "bench" / "copy.elf", MACHINE, CPU, str(rounds), extra],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(seconds)


def round_trip(rounds: int) -> Row:
    """Measure a `ping` against an echo of as many bytes over the same UART."""
    line = b"x" * len(b"@123 ping *00000000") + b"\n"
    with Board() as board, started("virt-a53", "echo") as echo:
        console = echo.serial.makefile("rwb", buffering=0)

        def bounce() -> float:
            start = time.perf_counter()
            for _ in range(100):
                console.write(line)
                assert console.readline() == line
            return (time.perf_counter() - start) / 100

        def ping() -> float:
            start = time.perf_counter()
            for _ in range(100):
                board.request("ping")
            return (time.perf_counter() - start) / 100

        bare_echo, rpc = in_turns(rounds, bounce, ping)
    return Row(
        "RPC round trip over a bare echo of as many bytes",
        f"{rpc / bare_echo:.2f}",
        "at most 3",
        f"{1e6 * rpc:.0f} µs against {1e6 * bare_echo:.0f} µs",
    )


def verifying(rounds: int) -> Row:
    """Measure a comparison of 8 MiB of the guest's memory against `pmemsave` and the same."""
    with Board() as board, tempfile.TemporaryDirectory() as folder:
        start, size = board.memory.region("arena").start, 8 * MIB
        expected, file = board.dram.read(start, size), Path(folder) / "memory"

        def mapped() -> float:
            begin = time.perf_counter()
            assert board.dram.read(start, size) == expected
            return time.perf_counter() - begin

        def saved() -> float:
            begin = time.perf_counter()
            board.qmp.execute("pmemsave", val=start, size=size, filename=str(file))
            assert file.read_bytes() == expected
            return time.perf_counter() - begin

        pmemsave, ours = in_turns(rounds, saved, mapped)
    return Row(
        "verifying memory",
        f"{size / ours / (1 << 30):.1f} GiB/s, {pmemsave / ours:.0f} times pmemsave",
        "1 GiB/s, 5 times",
        f"8 MiB in {1000 * ours:.1f} ms against {1000 * pmemsave:.1f} ms",
    )


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="how often each side runs")
    parser.add_argument("--labgrid", metavar="PYTHON", help="interpreter that has labgrid")
    parser.add_argument("--before", metavar="EXTENSION", type=Path, help="another dmav3.so, beside")
    options = parser.parse_args()
    rows = [
        *starting(options.rounds, options.labgrid),
        *cache_model(options.rounds, options.before),
        trace(options.rounds),
        round_trip(options.rounds),
        verifying(options.rounds),
    ]
    table = Table("what", "measured", "target", "in detail", title="dmav3 bench")
    for row in rows:
        table.add_row(row.what, row.measured, row.target, row.detail)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
