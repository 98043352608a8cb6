# SPDX-License-Identifier: Apache-2.0
"""The bench: what the harness costs, beside bare QEMU and labgrid, measured in one run.

Ratios are of user and system CPU time of QEMU where the work is QEMU's, else of real time; the two
sides take turns (A B B A …), and the median counts, with the least and the greatest behind it.
Nothing here is asserted: the table shows each target beside what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from controllers_cost import OURS, THEIRS, cpu_beside, four_mib
from measuring import (
    BUILD,
    CPU,
    ICOUNT,
    MACHINE,
    MIB,
    QEMU,
    TCG,
    bare,
    command_time,
    extended,
    in_turns,
    main_job,
    started,
    stock,
)
from python_device_cost import beside, conversation
from rich.console import Console
from rich.table import Table

from dmav3 import Board

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = ("copy", "hits", "small", "chase", "misses")
EVERYTHING = 1_000_000_000
#: Bytes of a frame of 32 bits, the least that the main job moves.
FRAME = 4


@dataclass
class Row:
    """A line of the table.

    :ivar samples: all that was measured, in seconds.
    """

    what: str
    measured: str
    target: str
    detail: str
    samples: dict[str, list[float]]


def spread(values: list[float], unit: float = 1) -> str:
    """Return median, least and greatest of values, as multiples of a unit."""
    least, middle, most = min(values), statistics.median(values), max(values)
    return f"{middle / unit:.2f} ({least / unit:.2f} to {most / unit:.2f})"


def over(values: list[float], base: list[float]) -> str:
    """Return the spread of values as multiples of the median of others."""
    return spread(values, statistics.median(base))


def milliseconds(values: list[float]) -> str:
    """Return the spread of values in milliseconds."""
    return f"{spread(values, 0.001)} ms"


# ---- the rows ----


def cache_model(rounds: int, before: Path | None, plugin: Path | None) -> list[Row]:
    """Full fidelity and the coherent machine against bare QEMU, program by program."""
    sides: dict[str, Callable[[str], float]] = {
        "bare": lambda name: bare(name, *ICOUNT),
        "model": lambda name: extended(name, "virt-a53"),
        "coherent": lambda name: extended(name, "virt-a53-coherent"),
        "without icount": bare,
    }
    if before:
        sides["before"] = lambda name: extended(name, "virt-a53", before)
    if plugin:
        sides["plugin"] = lambda name: bare(name, *ICOUNT, "-plugin", str(plugin))
    values: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
    for name in PROGRAMS:
        calls = [lambda work=work, name=name: work(name) for work in sides.values()]
        for side, measured in zip(sides, in_turns(rounds, *calls), strict=True):
            values[side][name] = measured
    values["bare"]["main job"], values["model"]["main job"] = in_turns(
        rounds, lambda: main_job("virt-a53-coherent"), lambda: main_job("virt-a53")
    )

    def row(what: str, side: str, base: str, target: str) -> Row:
        both = [name for name in values[side] if name in values[base]]
        ratios = [
            statistics.median(values[side][name]) / statistics.median(values[base][name])
            for name in both
        ]
        return Row(
            what,
            f"{statistics.geometric_mean(ratios):.2f} (geometric mean)",
            target,
            ", ".join(f"{name} {over(values[side][name], values[base][name])}" for name in both),
            {f"{name}, {which}": values[which][name] for name in both for which in (side, base)},
        )

    bare_qemu = "CPU time over bare QEMU"
    rows = [
        row(f"cache model with findings, {bare_qemu}", "model", "bare", "at most 1.5, each 2.5"),
        row(f"coherent machine, {bare_qemu}", "coherent", "bare", "at most 1.05"),
        row("QEMU's icount, CPU time over none", "bare", "without icount", "(beside)"),
    ]
    if before:
        rows.append(row(f"the extension of before, {bare_qemu}", "before", "bare", "(beside)"))
    if plugin:
        rows.append(row(f"QEMU's own cache plugin, {bare_qemu}", "plugin", "bare", "(beside)"))
    return rows


def controllers(rounds: int) -> list[Row]:
    """Our model of the DMA controller beside QEMU's."""

    def row(what: str, target: str, *work: Callable[[], float]) -> Row:
        base, ours = in_turns(rounds, *work)
        return Row(
            what,
            over(ours, base),
            target,
            f"{spread(ours, 0.001)} ms against {spread(base, 0.001)} ms",
            {"ours": ours, "base": base},
        )

    return [
        row(
            "main job on the engine less one of a frame, CPU time over QEMU's PL330",
            "at most 0.25",
            lambda: main_job(THEIRS) - main_job(THEIRS, size=FRAME),
            lambda: main_job(OURS) - main_job(OURS, size=FRAME),
        ),
        row(
            "4 MiB from memory to memory, the same",
            "at most 0.1",
            lambda: four_mib(THEIRS),
            lambda: four_mib(OURS),
        ),
        row(
            "the CPU beside an idle engine, the same",
            "1",
            lambda: cpu_beside(THEIRS, held=False),
            lambda: cpu_beside(OURS, held=False),
        ),
        row(
            "the CPU beside a held channel, CPU time over an idle one",
            "1",
            lambda: cpu_beside(OURS, held=False),
            lambda: cpu_beside(OURS, held=True),
        ),
    ]


def trace(rounds: int) -> Row:
    """Measure the main job, nearly all of it DMA, with and without a trace of every instruction."""
    without, traced = in_turns(
        rounds, lambda: main_job("virt-a53"), lambda: main_job("virt-a53", EVERYTHING)
    )
    return Row(
        "trace of the whole main job, CPU time over none",
        over(traced, without),
        "at most 1.3",
        f"{spread(traced)} s against {spread(without)} s",
        {"traced": traced, "without": without},
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
    board = Board(judge=False)
    start = time.perf_counter()
    with board:
        return time.perf_counter() - start


def starting(rounds: int, labgrid: str | None) -> list[Row]:
    """Cold start against bare QEMU's and labgrid's, and a reset between tests against labgrid's."""
    qemu, ours = in_turns(rounds, first_byte, cold_start)
    with Board(judge=False) as board:

        def reset() -> float:
            start = time.perf_counter()
            board.reset()
            return time.perf_counter() - start

        (again,) = in_turns(10 * rounds, reset)
    samples = {"bare QEMU": qemu, "dmav3": ours}
    beside, faster, detail = "", "", "labgrid not measured"
    theirs = labgrid_seconds(labgrid, rounds) if labgrid else None
    if theirs:
        samples["labgrid"] = theirs["start"]
        beside = f", labgrid {milliseconds(theirs['start'])}"
        ratio = statistics.median(theirs["reset"]) / statistics.median(again)
        faster = f", {ratio:.1f} times faster"
        detail = f"labgrid's system_reset to the first byte {milliseconds(theirs['reset'])}"
    return [
        Row(
            "cold start to the first reply, over bare QEMU to its first UART byte",
            over(ours, qemu),
            "at most 1.2",
            f"{milliseconds(ours)} against {milliseconds(qemu)}{beside}",
            samples,
        ),
        Row(
            "isolated board per test: reset to the first reply",
            f"{milliseconds(again)}{faster}",
            "2.5 ms, 5 times",
            detail,
            {"dmav3": again} | ({"labgrid": theirs["reset"]} if theirs else {}),
        ),
    ]


def labgrid_seconds(python: str, rounds: int) -> dict[str, list[float]]:
    """Return what labgrid takes to start an image on the same QEMU, and to reset it."""
    extra = " ".join(["-nodefaults", *TCG, *ICOUNT])
    script = Path(__file__).with_name("labgrid_start.py")
    done = subprocess.run(
        [python, script, QEMU, BUILD / "bench" / "copy.elf", MACHINE, CPU, str(rounds), extra],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def a_test(rounds: int) -> Row:
    """Measure a test that asks for a board and does nothing, beside one that asks for nothing."""
    count = 200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for fixture in ("dmav3_board", "request"):
            tests = "".join(f"def test_{n}({fixture}):\n    pass\n\n\n" for n in range(count))
            (folder / f"test_{fixture}.py").write_text(tests)
        (folder / "test_one.py").write_text("def test_one(dmav3_board):\n    pass\n")

        def run(file: str) -> float:
            return command_time("pytest", "-p", "no:cacheprovider", file, folder=folder)

        with_board, without, one = in_turns(
            rounds,
            lambda: run("test_dmav3_board.py"),
            lambda: run("test_request.py"),
            lambda: run("test_one.py"),
        )
    start = statistics.median(one) - statistics.median(without)
    each = [(board - start - statistics.median(without)) / count for board in with_board]
    return Row(
        "fixture, CPU time of a test less one without, and of QEMU",
        milliseconds(each),
        "at most 4 ms",
        f"{count} tests {spread(with_board)} s against {spread(without)} s, one {spread(one)} s",
        {"with": with_board, "without": without, "one": one},
    )


#: A test that lets something of each kind reach its board.
RECORDED_TEST = """
def test_{number}(dmav3_board):
    dmav3_board.stream.receive_put(bytes(256))
    dmav3_board.write(dmav3_board.memory.allocate(4096), bytes(4096))
    dmav3_board.call("ping")


"""
#: For a conftest: nothing that reaches a board is kept.
FORGETFUL = """
from dmav3.board.recording import Recording

for name in ("line", "staged", "put", "taken", "command"):
    setattr(Recording, name, lambda *given, **named: None)
"""


def recording(rounds: int) -> Row:
    """Measure what it costs a test that all that reaches its board is kept for a replay."""
    count = 400  # five rounds: 2,000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, conftest in {"with": "", "without": FORGETFUL}.items():
            (folder / side).mkdir()
            (folder / side / "conftest.py").write_text(conftest)
            tests = "".join(RECORDED_TEST.format(number=n) for n in range(count))
            (folder / side / "test_recorded.py").write_text(tests)

        def run(side: str) -> float:
            return command_time("pytest", "-p", "no:cacheprovider", folder=folder / side)

        kept, forgotten = in_turns(rounds, lambda: run("with"), lambda: run("without"))
    each = [(one - statistics.median(forgotten)) / count for one in kept]
    return Row(
        "recording what reaches a board, CPU time of a test less one without",
        milliseconds(each),
        "at most 0.3 ms",
        f"{count} tests {spread(kept)} s against {spread(forgotten)} s",
        {"with": kept, "without": forgotten},
    )


def one_byte(rounds: int) -> Row:
    """Measure the command `dmav3 run` where it has next to nothing to do."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
        file.flush()
        (seconds,) = in_turns(rounds, lambda: command_time("dmav3", "run", "--input", file.name))
    return Row(
        "dmav3 run of one byte, CPU time with QEMU's",
        f"{spread(seconds)} s",
        "at most 0.6 s",
        "",
        {"dmav3": seconds},
    )


def round_trip(rounds: int) -> Row:
    """Measure a `ping` against an echo of as many bytes over the same UART."""
    line = b"x" * len(b"@123 ping *00000000") + b"\n"
    with Board(judge=False) as board, started("virt-a53", "echo") as echo:
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

        echoed, rpc = in_turns(rounds, bounce, ping)
    return Row(
        "RPC round trip over a bare echo of as many bytes",
        over(rpc, echoed),
        "at most 3",
        f"{milliseconds(rpc)} against {milliseconds(echoed)}",
        {"ping": rpc, "echo": echoed},
    )


def python_devices(rounds: int) -> list[Row]:
    """Measure what devices written in Python cost the others, and what a load from one costs."""
    job, job_beside = beside(rounds)
    ping, ping_beside, reset, reset_beside, load = conversation(rounds)

    def row(what: str, ours: list[float], base: list[float]) -> Row:
        detail = f"{milliseconds(ours)} against {milliseconds(base)}"
        return Row(what, over(ours, base), "1", detail, {"beside": ours, "alone": base})

    return [
        row("main job beside devices written in Python, CPU time over none", job_beside, job),
        row("RPC round trip beside them, over none", ping_beside, ping),
        row("reset to the first reply beside them, over none", reset_beside, reset),
        Row(
            "a load from a register of one",
            f"{spread(load, 0.000001)} us",
            "(beside)",
            "",
            {"load": load},
        ),
    ]


def verifying(rounds: int) -> Row:
    """Measure a comparison of 8 MiB of the guest's memory against `pmemsave` and the same."""
    with Board(judge=False) as board, tempfile.TemporaryDirectory() as folder:
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
    gibibytes = [size / seconds / (1 << 30) for seconds in ours]
    times = statistics.median(pmemsave) / statistics.median(ours)
    return Row(
        "verifying memory",
        f"{spread(gibibytes)} GiB/s, {times:.0f} times pmemsave",
        "1 GiB/s, 5 times",
        f"8 MiB in {milliseconds(ours)} against {milliseconds(pmemsave)}",
        {"dmav3": ours, "pmemsave": pmemsave},
    )


# ---- what is printed ----


def circumstances(labgrid: str | None) -> dict[str, str]:
    """Return where and when this was measured, and what with."""
    versions = [f"Python {platform.python_version()}", first_line(QEMU, "--version")]
    if labgrid:
        ask = "from importlib.metadata import version; print('labgrid', version('labgrid'))"
        versions.append(first_line(labgrid, "-c", ask))
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} x {model}",
        "versions": ", ".join(versions),
    }


def first_line(*command: str) -> str:
    """Return the first line that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def markdown(facts: dict[str, str], rows: list[Row]) -> str:
    """Return the table as a page of the documentation."""
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->", "# What the harness costs", ""]
    lines += ["Written by `ci/bench --markdown docs/speed.md`; each figure is the median, with the"]
    lines += ["least and the greatest in brackets.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| what | measured | target | in detail |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.measured} | {row.target} | {row.detail} |" for row in rows]
    return "\n".join(lines) + "\n"


def show(facts: dict[str, str], rows: list[Row]) -> None:
    """Print the table."""
    caption = "; ".join(facts.values())
    table = Table("what", "measured", "target", "in detail", title="dmav3 bench", caption=caption)
    for row in rows:
        table.add_row(row.what, row.measured, row.target, row.detail)
    Console(width=160).print(table)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="how often each side runs")
    parser.add_argument("--labgrid", metavar="PYTHON", help="interpreter that has labgrid")
    parser.add_argument("--before", metavar="EXTENSION", type=Path, help="another dmav3.so, beside")
    parser.add_argument("--cache-plugin", metavar="LIBCACHE", type=Path, help="QEMU's, beside")
    parser.add_argument("--json", action="store_true", help="print JSON, with all samples")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the table there, too")
    options = parser.parse_args()
    facts = circumstances(options.labgrid)
    rows = [
        *starting(options.rounds, options.labgrid),
        *cache_model(options.rounds, options.before, options.cache_plugin),
        *controllers(options.rounds),
        trace(options.rounds),
        a_test(options.rounds),
        recording(options.rounds),
        one_byte(options.rounds),
        round_trip(options.rounds),
        *python_devices(options.rounds),
        verifying(options.rounds),
    ]
    if options.markdown:
        options.markdown.write_text(markdown(facts, rows), encoding="utf-8")
    if options.json:
        print(json.dumps(facts | {"rows": [asdict(row) for row in rows]}, indent=2))
    else:
        show(facts, rows)


if __name__ == "__main__":
    main()
