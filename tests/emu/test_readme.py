# SPDX-License-Identifier: Apache-2.0
"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_its_python_runs() -> None:
    """Every Python example runs as it stands."""
    examples = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - that is the test


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
