# SPDX-License-Identifier: Apache-2.0
"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "examples" / "hello_driver" / "hello_driver.c"
README = (ROOT / "README.md").read_text()


EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", [text for text in EXAMPLES if "def test_" not in text])
def test_its_python_runs(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python example runs as it stands, in the root of the project."""
    monkeypatch.chdir(ROOT)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - that is the test


@pytest.mark.parametrize("example", [text for text in EXAMPLES if "def test_" in text])
def test_its_tests_pass(pytester: pytest.Pytester, example: str) -> None:
    """Every example of a test passes in a folder that has no more than the driver."""
    shutil.copy(DRIVER, pytester.path)
    pytester.makepyfile(example)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


#: Each mistake of the README's driver example, and what the finding must say.
MISTAKES = re.findall(
    r"^    (sed .* good\.c >hello_driver\.c)\n    pytest\n\n((?:    .*\n)+)", README, re.MULTILINE
)


@pytest.mark.parametrize(("command", "said"), MISTAKES, ids=["early read", "late store"])
def test_its_mistakes_are_found(pytester: pytest.Pytester, command: str, said: str) -> None:
    """Each change gives the finding that the README shows, with file and line."""
    shutil.copy(DRIVER, pytester.path / "good.c")
    shutil.copy(DRIVER.with_name("test_hello_driver.py"), pytester.path)
    subprocess.run(command, shell=True, check=True, cwd=pytester.path)  # noqa: S602 - as shown
    result = pytester.runpytest_subprocess()
    assert result.ret != 0
    output = " ".join(result.stdout.str().split())
    for part in " ".join(said.split()).split(" … "):
        assert part.strip("… ") in output


def test_its_older_call_is_in_vain() -> None:
    """The command with KeFlushIoBuffers passes, and says in the README's words what it cost."""
    command, said = re.findall(
        r"^ +\.venv/bin/dmav3 (run .*--keflush)\n\n((?:    .*\n)+)", README, re.MULTILINE
    )[0]
    done = subprocess.run(
        [sys.executable, "-m", "dmav3", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    output = " ".join(done.stdout.split())
    for part in " ".join(said.split()).split(" … "):
        assert part.strip("…:") in output


def test_its_bug_is_found() -> None:
    """The command with the known bug fails, and says what the README says."""
    (command,) = re.findall(r"^ +\.venv/bin/dmav3 (run .*--firmware-bug .*)$", README, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", "dmav3", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "finding stale-cpu-read" in said
    assert "must invalidate the lines of the range after the transfer (CCH-03)" in said
    assert "fail: the digests of input, device and returned bytes differ" in said
