# SPDX-License-Identifier: Apache-2.0
"""Measure what having dmav3 installed costs a project that does not use it.

Runs 2,000 empty tests with and without the plugin, in turns, and prints the medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS, ROUNDS = 2_000, 5


def seconds(folder: Path, *options: str) -> float:
    """Return how long pytest takes for the tests in `folder`."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Print one line a variant, then the difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tests = "".join(f"def test_{n}():\n    pass\n" for n in range(TESTS))
        (folder / "test_empty.py").write_text(tests)
        variants = {"with": (), "without": ("-p", "no:dmav3")}
        times: dict[str, list[float]] = {variant: [] for variant in variants}
        for _ in range(ROUNDS):
            for variant, options in variants.items():
                times[variant].append(seconds(folder, *options))
    medians = {variant: statistics.median(times[variant]) for variant in variants}
    for variant, median in medians.items():
        spread = f"{min(times[variant]):.3f} to {max(times[variant]):.3f}"
        print(f"{variant:8} dmav3: {median:.3f} s ({spread})")
    print(f"difference: {1000 * (medians['with'] - medians['without']):+.0f} ms")


if __name__ == "__main__":
    main()
