# SPDX-License-Identifier: Apache-2.0
"""What this computer refuses the command line: one message, and the right exit status."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3.installation import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 120.0
README = Layout.find().machines.parent / "README.md"
#: Commands that end by themselves, and what they exit with where nothing is wrong.
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
    dmav3(COMMANDS[name], stdout=None, preexec_fn=lambda: os.close(1))


@EACH_COMMAND
def test_a_reader_that_has_gone_changes_no_verdict(name: str) -> None:
    """As in `dmav3 … | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        dmav3(COMMANDS[name], stdout=writing)
    finally:
        os.close(writing)


@EACH_COMMAND
def test_closed_standard_streams_change_no_verdict(name: str) -> None:
    """Input, output and errors: their numbers go to files of ours."""
    dmav3(
        COMMANDS[name], stdin=None, stdout=None, stderr=None, preexec_fn=lambda: os.closerange(0, 3)
    )


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


@pytest.mark.parametrize("option", ["--trace", "--html"])
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
    @pytest.mark.parametrize("kind", ["fifo", "zero", "folder"])
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
