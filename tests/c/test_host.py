# SPDX-License-Identifier: Apache-2.0
"""The C programs that run on the host, built with sanitizers by `ci/build`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path.stem for path in Path(__file__).parent.rglob("test_*.c"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_host_program(program: str) -> None:
    """Every check of the program holds, and the sanitizers have nothing to say."""
    done = subprocess.run(
        [ROOT / "build" / "tests" / "c" / program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("ok ")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_million_random_operations_agree_with_the_reference() -> None:
    """Model and reference never differ: five million under `lru`, as many under `never`."""
    program = ROOT / "build" / "tests" / "c" / "test_cache_reference"
    subprocess.run([program, "5000000"], check=True, timeout=3000)
