# SPDX-License-Identifier: Apache-2.0
"""Puts one mutant after the other in place, and says which test notices it.

The tests of the mutant's rule run first, for all mutants. Where none of them fails, all that decide
rules run, then those of the firmware that decide none. Each time the first that fails ends it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from mutant_tree import ROOT, Tree
from mutants import FOLDERS, ON_HOST, Mutant, load, load_on_host
from rich.console import Console
from rich.table import Table

from dmav3.conformance.run import ConformanceOptions, collected
from dmav3.errors import Dmav3Error, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Where all of it happens, and what came of it: a line of JSON for each mutant.
HERE = ROOT / "build" / "mutants"
MATRIX = HERE / "matrix.jsonl"
#: What an outcome depends on, besides the mutant.
_INPUTS = ("firmware", "harness", "qemu-machines", "tests/c", "tests/host", "tests/emu")
_SUFFIXES = {".c", ".h", ".S", ".ld", ".mk", ".py", ".yaml"}
_COLUMNS = ("mutants", "equivalent", "killed", "by a test of the rule", "survived", "did not run")


@dataclass(frozen=True)
class Run:
    """What came of a mutant.

    :ivar inputs: digest of what the outcome depends on.
    :ivar killer: the test that failed; empty if it survived.
    :ivar reason: what pytest says of its failure, in one line.
    :ivar by_rule: that test names the rule.
    :ivar whole: all tests ran, up to the killer, and not only those of the rule.
    :ivar ran: outcome by test, of those that ran.
    """

    mutant: str
    inputs: str
    killer: str = ""
    reason: str = ""
    by_rule: bool = False
    whole: bool = False
    seconds: float = 0.0
    ran: dict[str, str] = field(default_factory=dict)


def run(tree: Tree, mutant: Mutant, tests: Sequence[str] | None, inputs: str = "") -> Run:
    """Find a test that notices the mutant; `UsageError` if it does not apply or compile.

    :param tests: ids of those of its rule; None: they have not noticed it, so try the others.
    """
    start = time.monotonic()
    with tree.mutated(mutant):
        if not mutant.rule:
            ended = tree.host_tests(mutant)
        elif tests is None:
            ended = tree.rule_tests(mutant)
            ended = ended if _noticed(ended) else ended + tree.other_tests(mutant)
        else:
            ended = tree.rule_tests(mutant, tests) if tests else []
    killer = next(iter(_noticed(ended)), {"id": ""})
    seconds = round(time.monotonic() - start, 1)
    ran = {test["id"]: test["outcome"] for test in ended}
    by_rule = mutant.rule in killer.get("rules", ())
    return Run(
        mutant=mutant.name,
        inputs=inputs,
        killer=killer["id"],
        reason=killer.get("reason", ""),
        by_rule=by_rule,
        whole=tests is None,
        seconds=seconds,
        ran=ran,
    )


def _noticed(ended: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [test for test in ended if test["outcome"] in {"failed", "error"}]


def ids_by_rule() -> dict[str, list[str]]:
    """Return the ids of the tests of each rule."""
    found: dict[str, list[str]] = {}
    for test, named in collected(ConformanceOptions()).items():
        for rule in named:
            found.setdefault(rule, []).append(test)
    return found


def run_all(mutants: Mapping[Mutant, str], jobs: int, console: Console) -> None:
    """Run mutants on as many copies as there are jobs, and write each outcome when it is known.

    :param mutants: with the digest of what the outcome depends on.
    """
    HERE.mkdir(parents=True, exist_ok=True)
    tests = ids_by_rule()
    trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for number in range(min(jobs, len(mutants))):
        trees.put(Tree(HERE / f"copy{number}"))

    def one(mutant: Mutant, tests: Sequence[str] | None) -> Run:
        tree = trees.get()
        try:
            return run(tree, mutant, tests, mutants[mutant])
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(jobs) as pool, MATRIX.open("a") as matrix:
        waiting = {
            pool.submit(one, mutant, tests.get(mutant.rule, ())): mutant for mutant in mutants
        }
        left = []
        try:
            for future in as_completed(waiting):
                if not future.result().killer:
                    left.append(waiting[future])
                _note(future.result(), matrix, console)
            for future in as_completed([pool.submit(one, mutant, None) for mutant in left]):
                _note(future.result(), matrix, console)
        finally:
            pool.shutdown(cancel_futures=True)


def _note(done: Run, matrix: TextIO, console: Console) -> None:
    print(json.dumps(asdict(done)), file=matrix, flush=True)
    said = f"{done.mutant}: {done.killer or 'survived the tests that ran'}"
    console.print(said, soft_wrap=True, highlight=False, markup=False)


# ---- what came of it ----


def digests(mutants: Iterable[Mutant]) -> dict[Mutant, str]:
    """Return, for each mutant, a digest of it and of every file that its outcome depends on."""
    files = hashlib.sha256()
    for folder in _INPUTS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in _SUFFIXES:
                files.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    found = {}
    for mutant in mutants:
        digest = files.copy()
        digest.update(mutant.model_dump_json().encode())
        found[mutant] = digest.hexdigest()
    return found


def read_matrix() -> dict[str, Run]:
    """Return the last run of each mutant, by name."""
    if not MATRIX.exists():
        return {}
    runs = (Run(**json.loads(line)) for line in MATRIX.read_text().splitlines())
    return {one.mutant: one for one in runs}


def fate(mutant: Mutant, done: Run | None) -> str:
    """Return the column that a mutant counts in."""
    if mutant.equivalent:
        return "equivalent"
    if done is not None and done.killer:
        return "killed"
    return "survived" if done is not None and done.whole else "did not run"


def show(mutants: Iterable[Mutant], runs: Mapping[str, Run], console: Console) -> bool:
    """Print the figures by folder, and each mutant that survived; True if none did."""
    counts: dict[str, Counter[str]] = {
        folder: Counter() for folder in (*FOLDERS, *ON_HOST.values(), "all")
    }
    survivors = []
    for mutant in mutants:
        done = runs.get(mutant.name)
        came_of_it = fate(mutant, done)
        by_rule = ["by a test of the rule"] if done and done.by_rule else []
        for folder in (mutant.folder, "all"):
            counts[folder].update(["mutants", came_of_it, *by_rule])
        if came_of_it == "survived":
            survivors.append(mutant)
    table = Table("folder", *_COLUMNS)
    for folder, count in counts.items():
        table.add_row(folder, *(str(count[column]) for column in _COLUMNS))
    console.print(table)
    for mutant in survivors:
        text = f"survived: {mutant.name} in {mutant.file}: {mutant.find.strip()!r}"
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    return not survivors


def main() -> int:
    """Run what has not been run yet; return the exit status."""
    parser = argparse.ArgumentParser(prog="ci/mutants")
    parser.add_argument("what", nargs="*", help="rules or files, or how they begin; all without")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="copies of the tree")
    parser.add_argument("--again", action="store_true", help="also what ran with these sources")
    parser.add_argument(
        "--survivors", action="store_true", help="only what no test of its rule noticed"
    )
    options = parser.parse_args()
    whats = tuple(options.what) or ("",)
    every = [*load(), *load_on_host()]
    mutants = [one for one in every if one.name.startswith(whats) or one.file.startswith(whats)]
    if not mutants:
        msg = f"no mutant's rule or file begins with {' or '.join(whats)}; such as MTX-07"
        raise UsageError(msg)
    for mutant in mutants:
        mutant.applied((ROOT / mutant.file).read_text())
    before = read_matrix()
    wanted = {}
    for mutant, digest in digests(mutants).items():
        done = before.get(mutant.name)
        came_of_it = fate(mutant, done)
        stale = options.again or done is None or done.inputs != digest
        wants = not (done and done.by_rule) if options.survivors else stale
        if came_of_it == "did not run" or (wants and not mutant.equivalent):
            wanted[mutant] = digest
    console = Console()
    run_all(wanted, options.jobs, console)
    return 0 if show(mutants, read_matrix(), console) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Dmav3Error as error:
        sys.exit(f"ci/mutants: {error}")
