# SPDX-License-Identifier: Apache-2.0
"""QEMU dies, stops or hangs up at its n-th request, for n = 1, 2, 3, … until a run is untouched.

Whoever used it ends in time and says that this computer is to blame; no process is left, and no
file. The soak's table of counts is the property `faults` of each test in JUnit's report.
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest
from ways import Place

from dmav3 import Board
from dmav3.errors import InfrastructureError, LinkError
from dmav3.job.run import RunOptions, run_main_job

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from pathlib import Path

#: How QEMU breaks off.
FAULTS = ["kill", "hang-up", "stop"]
#: What the place of a thread is.
MINE = threading.local()


@pytest.fixture(autouse=True)
def _each_thread_has_its_own_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMAV3_DEADLINE", "10")  # what stops is waited for
    monkeypatch.setattr("dmav3.board.emulator.qemu_binary", lambda: str(MINE.place.qemu))


def use_board(place: Place) -> str:
    """Use a board from Python, here; return for what this computer is to blame, if it is."""
    MINE.place = place
    try:
        with Board() as board:
            buffer = board.memory.allocate(64)
            for byte in range(160):
                board.fill(buffer, byte)
            assert board.read(buffer) == bytes([159]) * 64
            board.findings()
    except (InfrastructureError, LinkError) as error:
        return str(error)
    return ""


def use_run(place: Place, device: str = "stream") -> str:
    """Do what `dmav3 run` does, here; return why it is inconclusive, if it is."""
    MINE.place = place
    options = RunOptions("virt-a53", place.data, device=device)
    report = run_main_job(options, lambda _: lambda _: None)
    assert report.verdict in {"pass", "inconclusive"}, report
    return report.reason if report.verdict == "inconclusive" else ""


def use_command(place: Place, way: str) -> str:
    """Use a board by a command; return what it says if this computer is to blame, as it must."""
    done = place.run(way)
    assert "Traceback (most recent call last)" not in done.stderr, done
    if done.returncode == 0:
        return ""
    if way == "pytest":
        pytest_blames_this_computer(done)
    else:
        assert done.returncode == 3, done
    return done.stdout + done.stderr


#: Ways that take no process of their own.
HERE: dict[str, Callable[[Place], str]] = {
    "Board": use_board,
    "run": use_run,
    "run edu": partial(use_run, device="edu"),
    "run nvme": partial(use_run, device="nvme"),
}


def pytest_blames_this_computer(done: subprocess.CompletedProcess[str]) -> None:
    """Check that tests ended in errors, and that others passed."""
    summary = done.stdout.splitlines()[-1]
    assert done.returncode == 1, done
    assert "failed" not in summary, done
    assert " passed" in summary, done
    assert "inconclusive: " in done.stdout, done


def breaks_off(folder: Path, way: str, fault: str, at: int) -> bool:
    """Let QEMU break off at a request and check what becomes of it; False: it was untouched.

    Pytest goes on with another board where it happens between two tests.
    """
    place = Place(folder / f"{way}-{fault}-{at}".replace(" ", "-"), fault, at)
    said = HERE[way](place) if way in HERE else use_command(place, way)
    assert bool(said) == place.touched or (not said and way == "pytest"), (way, fault, at, said)
    assert place.left() == [], (way, fault, at)
    return place.touched


def sweep(folder: Path, way: str, fault: str, requests: Iterable[int]) -> int:
    """Let it happen at each of these requests, until a run is untouched; count how often it did."""
    count, left = 0, iter(requests)
    # One that stops is waited for, and one that runs here takes little time otherwise.
    at_once = (8 if way in HERE else 3) * (3 if fault == "stop" else 1)
    with ThreadPoolExecutor(at_once) as pool:
        while batch := list(itertools.islice(left, at_once)):
            touched = list(pool.map(lambda at: breaks_off(folder, way, fault, at), batch))
            count += sum(touched)
            if not all(touched):
                break
    return count


#: Which requests in `ci/test`: 60 faults at least.
SAMPLE: dict[tuple[str, str], Iterable[int]] = {
    ("Board", "kill"): range(1, 29),
    ("Board", "hang-up"): range(1, 17),
    ("Board", "stop"): range(1, 5),
    ("run", "kill"): [1, 7],
    ("run", "hang-up"): [1, 7],
    ("run", "stop"): [5],
    ("console", "kill"): [1, 9],
    ("console", "hang-up"): [1, 9],
    ("console", "stop"): [5],
    **{("conformance", fault): [3] for fault in FAULTS},
    **{("pytest", fault): [5] for fault in FAULTS},
}


@pytest.mark.parametrize(("way", "fault"), SAMPLE)
def test_a_fault_is_this_computers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, fault: str
) -> None:
    """A sample of the sweep, a few at a time, so that less time is enough."""
    monkeypatch.setenv("DMAV3_DEADLINE", "5")
    requests = list(SAMPLE[way, fault])
    assert sweep(tmp_path, way, fault, requests) == len(requests)


def test_the_sample_is_large_enough() -> None:
    """As many as were promised."""
    assert sum(len(list(requests)) for requests in SAMPLE.values()) >= 60


#: How many requests each way makes at least: with three faults, more than 1,000 in all.
LEAST = {
    "Board": 160,
    "run": 48,
    "run edu": 150,
    "run nvme": 10,
    "console": 23,
    "conformance": 3,
    "pytest": 33,
}


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", LEAST)
def test_every_fault_is_this_computers(
    tmp_path: Path, record_property: Callable[[str, object], None], way: str, fault: str
) -> None:
    """At every request, until a run is untouched."""
    count = sweep(tmp_path, way, fault, itertools.count(1))
    record_property("faults", count)
    assert count >= LEAST[way]
