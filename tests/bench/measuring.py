# SPDX-License-Identifier: Apache-2.0
"""What the bench measures with: sides in turns, and the CPU time of QEMU for a program."""

from __future__ import annotations

import io
import os
import random
import resource
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dmav3 import Board, installation
from dmav3.elf.image import read_elf
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.machine.argv import Start
from dmav3.machine.description import load
from dmav3.qemu.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dmav3 import Device
    from dmav3.machine.description import Machine

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
QEMU = "qemu-system-aarch64"
CPU = "cortex-a53"
MACHINE = "virt,highmem=off"
TCG = ["-accel", "tcg,thread=single"]
ICOUNT = ["-icount", "shift=0,sleep=off"]
MIB = 1 << 20


def in_turns(rounds: int, *work: Callable[[], float]) -> list[list[float]]:
    """Run each N times, in the order A B B A; return what each gave."""
    values: list[list[float]] = [[] for _ in work]
    for turn in range(rounds):
        order = range(len(work)) if turn % 2 == 0 else reversed(range(len(work)))
        for which in order:
            values[which].append(work[which]())
    return values


def children_time() -> float:
    """Return the CPU time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def command_time(*command: str, folder: Path | None = None) -> float:
    """Return the CPU time of a command of this environment, and of all that it starts."""
    before = children_time()
    program, *rest = command
    words = [str(Path(sys.executable).with_name(program)), *rest]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)
    return children_time() - before


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
        if status := process.exit_status():
            sys.exit(f"{program} on {machine}: QEMU ended with {status}: {process.log_tail()}")
    return children_time() - before


def main_job(
    machine: str | Machine,
    instructions: int = 0,
    size: int = MIB,
    devices: Sequence[Device] = (),
) -> float:
    """Return QEMU's CPU time for the main job, without its start.

    :param instructions: of the PL330 that the trace records.
    :param size: of the data, bytes.
    :param devices: written in Python, beside it on the board.
    """
    data = random.Random(1).randbytes(size)  # noqa: S311 - to be repeatable
    with Board(machine, trace=instructions > 0, devices=devices, judge=False) as board:
        if instructions:
            board.qmp.set("trace-instructions", instructions)
        before = process_time(board.qemu.process.pid)
        MainJob(StreamPeripheral(board, 32)).run(io.BytesIO(data))
        return process_time(board.qemu.process.pid) - before


def process_time(pid: int) -> float:
    """Return the CPU time of a running process: to the nanosecond, unlike /proc/PID/stat."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
