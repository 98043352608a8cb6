# SPDX-License-Identifier: Apache-2.0
"""The PL330's engine under libFuzzer: fuzz_engine.c says what must hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "build" / "tests" / "c" / "fuzz_engine"


def fuzz(folder: Path, *limits: str) -> None:
    """Run the fuzzer in `folder`, from an empty corpus and seed 1."""
    corpus = folder / "corpus"
    corpus.mkdir()
    done = subprocess.run(
        [PROGRAM, "-seed=1", "-max_len=400", *limits, corpus],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_engine_survives_four_thousand_random_programs(tmp_path: Path) -> None:
    """The sanitizers and the assertions have nothing to say."""
    fuzz(tmp_path, "-runs=4000")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_engine_survives_half_an_hour_of_random_programs(tmp_path: Path) -> None:
    """The same for as many as half an hour takes."""
    fuzz(tmp_path, "-max_total_time=1800")
