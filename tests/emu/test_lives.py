# SPDX-License-Identifier: Apache-2.0
"""The life of a board: once, by one process, by one thread at a time; and nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from dmav3 import Board
from dmav3.board.host_shim import HostShim
from dmav3.deadlines import deadline
from dmav3.errors import NotStartedError, UsageError
from dmav3.installation import Layout

SECONDS = 60.0
RUNNING = [Board, HostShim]


@pytest.mark.parametrize("kind", RUNNING)
def test_a_board_is_started_once_at_a_time(kind: type[Board | HostShim]) -> None:
    """`with` inside of `with` is refused, and the board goes on."""
    with kind() as board:
        with pytest.raises(UsageError, match="is running already"), board:
            pass
        board.request("ping")


@pytest.mark.parametrize("kind", RUNNING)
def test_a_board_that_has_ended_says_so(kind: type[Board | HostShim]) -> None:
    """Each part of it, a request, and a buffer's bytes."""
    with kind() as board:
        memory = board.memory
        buffer = memory.allocate(64)
    for use in (
        lambda: board.request("ping"),
        lambda: board.write(buffer, b"data"),
        lambda: board.cpu.read(buffer.address, 4),
        board.findings,
        lambda: memory.cpu_load(buffer.address, 4),
    ):
        with pytest.raises(NotStartedError, match="start it by `with"):
            use()


def test_a_board_may_be_started_again() -> None:
    """After its end; it is another board."""
    board = Board()
    pids = set()
    for _ in range(2):
        with board:
            board.request("ping")
            pids.add(board.qemu.pid)
    assert len(pids) == 2


def test_one_board_belongs_to_one_thread_at_a_time() -> None:
    """A request from a second thread, while one is under way, is refused; the first goes on."""
    with Board() as board, ThreadPoolExecutor(1) as other:
        entered, refused = threading.Event(), threading.Event()

        def ask() -> None:
            assert entered.wait(SECONDS)
            try:
                with pytest.raises(UsageError, match="another thread"):
                    board.request("ping")
            finally:
                refused.set()

        asked = other.submit(ask)
        with board._rpc._turn():  # as in a callback
            entered.set()
            assert refused.wait(SECONDS)
        asked.result(SECONDS)
        board.request("ping")


def test_boards_start_from_several_threads() -> None:
    """All at once, with what they share read for the first time."""
    code = (
        "import threading\n"
        "from dmav3 import Board\n"
        "failed, gate = [], threading.Barrier(6)\n"
        "def start():\n"
        "    try:\n"
        "        gate.wait()\n"
        "        with Board() as board:\n"
        "            board.IoGetDmaAdapter(DmaChannel=0).PutDmaAdapter()\n"
        "            assert board.image.place(board.image.symbol('main').address)\n"
        "            assert board.findings() == []\n"
        "    except BaseException as error:\n"
        "        failed.append(error)\n"
        "threads = [threading.Thread(target=start) for _ in range(6)]\n"
        "[one.start() for one in threads]\n"
        "[one.join() for one in threads]\n"
        "assert not failed, failed\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=SECONDS, stderr=-1)
    assert done.returncode == 0, done.stderr.decode()


def test_a_board_starts_in_a_process_with_many_files() -> None:
    """More than `select` can watch."""
    code = (
        "import os, resource\n"
        "from dmav3 import Board\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n"
        "many = [os.dup(0) for _ in range(1100)]\n"
        "with Board() as board:\n"
        "    board.request('ping')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=SECONDS, stderr=-1)
    assert done.returncode == 0, done.stderr.decode()


def ended(pid: int) -> bool:
    """Wait until a process, which need not be a child, has ended."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        threading.Event().wait(0.01)
    return False


def test_a_forked_child_does_not_keep_qemu() -> None:
    """Its parent dies; the child, which lives on, holds nothing of the board."""
    code = (
        "import os, sys, time\n"
        "from dmav3 import Board\n"
        "with Board() as board:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        time.sleep(600)\n"
        "    print(board.qemu.pid, child, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout
        qemu, child = map(int, parent.stdout.readline().split())
        try:
            assert ended(qemu)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_forked_child_that_ends_leaves_the_board_alone() -> None:
    """It has no board; its parent goes on with it."""
    with Board() as board:
        child = os.fork()
        if child == 0:
            try:
                board.request("ping")
            except UsageError as error:
                os._exit(0 if "another process" in str(error) else 2)
            finally:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        board.request("ping")


def conformance_child(parent: int) -> tuple[int, int]:
    """Wait for the child of a conformance run, and for its QEMU; return both.

    Before it is QEMU, it is a copy of the child, which stands still if that is stopped.
    """
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for child in text:
            for board in Path(f"/proc/{child}/task/{child}/children").read_text().split():
                with suppress(OSError):
                    if Path(f"/proc/{board}/comm").read_text().startswith("qemu"):
                        return int(child), int(board)
        threading.Event().wait(0.01)
    raise AssertionError


def test_a_conformance_run_that_is_killed_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process with the tests ends at once, whatever it waits for, and its QEMU with it."""
    monkeypatch.setenv("DMAV3_DEADLINE", "1000")
    with subprocess.Popen(
        [sys.executable, "-m", "dmav3", "conformance", "--rule", "MTX"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        child, qemu = conformance_child(run.pid)
        os.kill(qemu, signal.SIGSTOP)  # the child gets no answer any more
        try:
            run.kill()
            run.wait(SECONDS)
            assert ended(child)
        finally:
            with suppress(ProcessLookupError):
                os.kill(qemu, signal.SIGCONT)
        assert ended(qemu)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_disk_that_was_made_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """However the run ends; after SIGKILL by the next start."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    large = tmp_path / "large"
    large.touch()
    os.truncate(large, 1 << 30)
    command = [sys.executable, "-m", "dmav3", "run", "--device", "nvme", "--input"]
    with subprocess.Popen([*command, str(large)], stderr=subprocess.DEVNULL) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        end = time.monotonic() + SECONDS
        while not children.read_text() and time.monotonic() < end:
            threading.Event().wait(0.01)
        run.send_signal(number)
        run.wait(SECONDS)
    if number == signal.SIGKILL:
        readme = Layout.find().machines / "README.md"
        subprocess.run([*command, str(readme)], check=True, timeout=SECONDS, stdout=-3)
    assert list(tmp_path.iterdir()) == [large]


def test_a_build_that_is_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    """The next build in the folder removes what it left."""
    left = tmp_path / ".dmav3-99999999-left"
    left.mkdir()
    (left / "0.o").write_bytes(b"")
    source = tmp_path / "driver.c"
    source.write_text("#include <dmav3.h>\n")
    with deadline(SECONDS):
        command = [sys.executable, "-m", "dmav3", "build", str(source), "-o"]
        subprocess.run([*command, str(tmp_path / "driver.elf")], check=True, stdout=-3)
    assert {path.name for path in tmp_path.iterdir()} == {"driver.c", "driver.elf"}
