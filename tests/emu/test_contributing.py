# SPDX-License-Identifier: Apache-2.0
"""What CONTRIBUTING.md shows works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(
    r"^```sh\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_commands_succeed(example: str) -> None:
    """Every block of commands runs as it stands, in the root of the project."""
    command = ["bash", "-euc", example]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
