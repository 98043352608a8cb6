# SPDX-License-Identifier: Apache-2.0
"""What this computer refuses the command line: one message, and the right exit status."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3.installation import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 120.0
README = Layout.find().machines.parent / "README.md"
#: Commands that end by themselves.
COMMANDS = {
    "run": ["run", "--input", str(README), "--json"],
    "conformance": ["conformance", "--rule", "TBL-01"],
    "untested": ["conformance", "--untested", "--rule", "TBL"],
    "console": ["console"],
    "trace": ["trace"],
    "boards": ["boards"],
    "machines": ["machines"],
    "doctor": ["doctor"],
    "version": ["--version"],
}
#: What they exit with, if not with 0: no board runs, and a computer may lack what is optional.
VERDICTS = {"trace": {2}, "doctor": {0, 3}}
#: Those that take seconds are for the soak.
EACH_COMMAND = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.soak] if name in {"conformance", "untested"} else [])
        for name in COMMANDS
    ],
)


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no other test's boards be seen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def dmav3(words: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end; whatever happens, it has no traceback and a status of ours."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        [sys.executable, "-m", "dmav3", *words], check=False, timeout=SECONDS, **(streams | options)
    )  # type: ignore[call-overload]
    said = (done.stderr or b"").decode()
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    assert done.returncode in {0, 2, 3}, (done.returncode, said)
    return done


def limited(which: int, value: int) -> Callable[[], None]:
    """Return what sets a limit in a child, before it becomes the command."""
    return lambda: resource.setrlimit(which, (value, value))


@EACH_COMMAND
def test_a_full_disk_is_said(name: str) -> None:
    """What cannot be written is no verdict."""
    if name in {"console", "trace"}:
        pytest.skip("prints nothing here")
    with Path("/dev/full").open("wb") as full:
        done = dmav3(COMMANDS[name], stdout=full)
    assert done.returncode == 3
    assert done.stderr == b"dmav3: the output cannot be written: No space left on device\n"


@EACH_COMMAND
def test_a_closed_output_changes_no_verdict(name: str) -> None:
    """There is nobody to tell."""
    done = dmav3(COMMANDS[name], stdout=None, preexec_fn=lambda: os.close(1))
    assert done.returncode in VERDICTS.get(name, {0})


@EACH_COMMAND
def test_a_reader_that_has_gone_changes_no_verdict(name: str) -> None:
    """As in `dmav3 … | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = dmav3(COMMANDS[name], stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode in VERDICTS.get(name, {0})


@EACH_COMMAND
def test_closed_standard_streams_change_no_verdict(name: str) -> None:
    """Input, output and errors: their numbers go to files of ours."""
    done = dmav3(
        COMMANDS[name], stdin=None, stdout=None, stderr=None, preexec_fn=lambda: os.closerange(0, 3)
    )
    assert done.returncode in VERDICTS.get(name, {0})


@pytest.mark.parametrize("count", [8, 12])
def test_a_board_without_enough_open_files_is_this_computers(count: int) -> None:
    """In Python, too."""
    code = (
        "import resource, sys\n"
        "from dmav3 import Board, InfrastructureError\n"
        "board = Board()\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({count}, {count}))\n"
        "try:\n"
        "    with board:\n"
        "        pass\n"
        "except InfrastructureError as error:\n"
        "    sys.exit('oo many open files' in str(error) and 7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=SECONDS)
    assert done.returncode == 7


@pytest.mark.parametrize("count", [6, 12, 16, 20])
@pytest.mark.parametrize("name", ["run", "console", "doctor"])
def test_too_few_open_files_are_said(name: str, count: int) -> None:
    """It is this computer that refused."""
    done = dmav3(COMMANDS[name], preexec_fn=limited(resource.RLIMIT_NOFILE, count))
    assert done.returncode in {0, 3}
    assert done.returncode == 0 or b"oo many open files" in done.stderr + done.stdout


@pytest.mark.parametrize("size", [0, 1 << 20])
@pytest.mark.parametrize("name", ["run", "console"])
def test_a_limit_on_the_size_of_files_is_said(name: str, size: int) -> None:
    """RAM is a file, too."""
    done = dmav3(COMMANDS[name], preexec_fn=limited(resource.RLIMIT_FSIZE, size))
    assert done.returncode == 3
    assert b"too large" in done.stderr + done.stdout


@pytest.mark.parametrize("option", ["--trace", "--html", "--junitxml"])
def test_a_result_that_has_no_room_is_said(tmp_path: Path, option: str) -> None:
    """The work is done, and its result is lost."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    command = COMMANDS["run" if option == "--trace" else "conformance"]
    done = dmav3([*command, option, str(full)])
    assert done.returncode == 3
    assert (
        f"{full} cannot be written: No space left on device".encode() in done.stderr + done.stdout
    )


class TestNames:
    """Files that are named twice, or are no files."""

    @pytest.mark.parametrize("link", [True, False])
    @pytest.mark.parametrize("victim", ["--input", "--image", "--machine", "--disk"])
    def test_a_result_is_not_written_over_what_is_read(
        self, tmp_path: Path, victim: str, *, link: bool
    ) -> None:
        """Not under another name either; the file is as before."""
        layout, path = Layout.find(), tmp_path / "named.yaml"
        data = {
            "--input": b"some data",
            "--image": (layout.built / "firmware" / "virt-a64.elf").read_bytes(),
            "--machine": (layout.machines / "virt-a53.yaml").read_bytes(),
            "--disk": bytes(1 << 20),
        }[victim]
        path.write_bytes(data)
        result = tmp_path / "result"
        result.symlink_to(path)
        target = str(result if link else path)
        given = ["--input", str(README)] if victim != "--input" else []
        given += [victim, str(path), *(["--device", "nvme"] if victim == "--disk" else [])]
        runs = [["run", *given, "--trace", target]]
        if victim in {"--image", "--machine"}:
            runs.append(["conformance", "--rule", "TBL-01", victim, str(path), "--html", target])
        for words in runs:
            done = dmav3(words)
            assert done.returncode == 2
            assert f"{target} cannot be written: it is what is read".encode() in done.stderr
            assert path.read_bytes() == data

    @pytest.mark.parametrize("device", ["stream", "edu", "nvme"])
    @pytest.mark.parametrize("kind", ["fifo", "zero", "proc", "folder"])
    def test_an_input_that_has_no_end_is_refused(
        self, tmp_path: Path, device: str, kind: str
    ) -> None:
        """It is not waited for."""
        path = tmp_path / "input"
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "zero":
                path.symlink_to("/dev/zero")
            case "proc":
                path.symlink_to("/proc/cpuinfo")
            case _:
                path.mkdir()
        done = dmav3(["run", "--input", str(path), "--device", device])
        assert done.returncode == 2
        assert f"the input {path} cannot be read: ".encode() in done.stderr

    @pytest.mark.parametrize("option", ["--image", "--disk", "--machine"])
    def test_another_file_that_has_no_end_is_refused(self, tmp_path: Path, option: str) -> None:
        """A pipe, wherever a file is named."""
        path = tmp_path / "pipe.yaml"
        os.mkfifo(path)
        extra = ["--device", "nvme"] if option == "--disk" else []
        done = dmav3(["run", "--input", str(README), option, str(path), *extra])
        assert done.returncode == 2
        assert str(path).encode() in done.stderr
        assert b"it is no regular file" in done.stderr

    @pytest.mark.parametrize("option", ["--trace", "--html", "--junitxml"])
    def test_a_result_is_not_written_where_nobody_reads(self, tmp_path: Path, option: str) -> None:
        """A pipe, for which a reader is not waited."""
        path = tmp_path / "pipe"
        os.mkfifo(path)
        command = COMMANDS["run" if option == "--trace" else "conformance"]
        done = dmav3([*command, option, str(path)])
        assert done.returncode == 2
        assert f"{path} cannot be written: ".encode() in done.stderr

    @pytest.mark.parametrize("device", ["stream", "edu", "nvme"])
    def test_an_input_that_grows_is_moved_as_it_was(self, tmp_path: Path, device: str) -> None:
        """What is appended meanwhile is left out."""
        path, ended = tmp_path / "growing", threading.Event()
        path.write_bytes(bytes(range(256)) * 16)

        def grow() -> None:
            with path.open("ab", buffering=0) as file:
                while not ended.wait(0.001):
                    file.write(b"more")

        with ThreadPoolExecutor(1) as pool:
            growing = pool.submit(grow)
            try:
                done = dmav3(["run", "--input", str(path), "--device", device, "--json"])
            finally:
                ended.set()
            growing.result()
        assert json.loads(done.stdout)["verdict"] == "pass"
        assert 4096 <= json.loads(done.stdout)["bytes"] < path.stat().st_size

    def test_an_image_that_is_larger_than_any_is_not_read(self, tmp_path: Path) -> None:
        """Whatever its beginning is."""
        path = tmp_path / "huge.elf"
        path.write_bytes((Layout.find().built / "firmware" / "virt-a64.elf").read_bytes())
        os.truncate(path, 1 << 40)
        done = dmav3(["run", "--input", str(README), "--image", str(path)])
        assert done.returncode == 2
        assert f"{path}: cannot be read: it has {1 << 40} bytes".encode() in done.stderr
