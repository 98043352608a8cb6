# SPDX-License-Identifier: Apache-2.0
"""A copy of the sources, and of what is built, in which one mutant at a time is in place.

So a mutant costs the compilation of one file, and neither the sources nor build/ are touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmav3.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mutants import Mutant

ROOT = Path(__file__).parents[2]
_SOURCES = ("ci", "docs", "examples", "firmware", "harness", "qemu-machines", "tests")
_FILES = ("Makefile", "pyproject.toml")
_BUILT = ("ext", "firmware", "host", "conformance", "tests")
_TESTS = "harness/dmav3/conformance/tests"
#: The file that runs the programs in C.
_IN_C = "test_host_programs.py"
#: Tests of the firmware that name no rule.
_BOARD = ("backend", "bus_masters", "calls", "common_buffers", "routines", "selftest", "shell")
#: What a program is given: mutants of the model may need what few operations on a line bring about.
_ARGUMENTS = {"test_cache_reference": ["2000000"]}
_OTHERS = ("tests/c/test_host.py", "tests/host", *(f"tests/emu/test_{one}.py" for one in _BOARD))
#: Of these, tests with an image that has a known bug: none is built for a mutant.
_WITH_BUGS = "bugs_of_a_layer or many_lists"
#: Seconds after which a mutant hangs, and one program in C, of which none takes as long.
PATIENCE, _PATIENCE_IN_C = 900, 120


class Tree:
    """The copy.

    :ivar folder: its root.
    """

    def __init__(self, folder: Path) -> None:
        """Copy sources and built files with their times, so that nothing is built anew."""
        shutil.rmtree(folder, ignore_errors=True)
        ignored = shutil.ignore_patterns("__pycache__")
        for name in (*_SOURCES, *(f"build/{one}" for one in _BUILT)):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in (*_FILES, "build/dmav3.so", "build/stamp"):
            shutil.copy2(ROOT / name, folder / name)
        self.folder = folder

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Have the mutant in place inside the block; it is built when tests ask for it.

        :raises UsageError: it does not apply.
        """
        file = self.folder / mutant.file
        source = file.read_text()
        file.write_text(mutant.applied(source))
        try:
            yield
        finally:
            file.write_text(source)

    def _make(self, mutant: Mutant, *targets: str) -> None:
        """Build; `UsageError` if the mutant does not compile."""
        command = ["make", "--silent", "WARNINGS=-w", *targets]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            msg = f"the mutant {mutant.name} does not compile:\n{done.stderr.strip()}"
            raise UsageError(msg)
        (self.folder / "build" / "stamp").touch()

    def rule_tests(self, mutant: Mutant, tests: Iterable[str] = ()) -> list[dict[str, Any]]:
        """Run tests that decide rules, those in C before the others, up to the first that fails.

        Gives what the recorder of `dmav3 conformance` writes of each.

        :param tests: ids of those of the mutant's rule; without, all of every rule run.
        :raises InfrastructureError: pytest could not begin.
        """
        in_c = [test for test in tests if test.startswith(_IN_C)]
        ended = self._tests_in_c(mutant, in_c) if in_c else []
        others = sorted({test.partition("::")[0] for test in tests} - {_IN_C})
        if (tests and not others) or any(test["outcome"] == "failed" for test in ended):
            return ended
        return ended + self._tests_by_pytest(mutant, others)

    def _tests_in_c(self, mutant: Mutant, tests: Iterable[str]) -> list[dict[str, Any]]:
        """Run each in its program, as `test_host_programs.py` does."""
        named = {test: re.findall(r"\w+", test.partition("[")[2]) for test in tests}
        programs = sorted({f"build/conformance/test_{program}" for program, _ in named.values()})
        self._make(mutant, *programs)
        ended = []
        for test, (program, name) in named.items():
            said = self._failure_in_c(f"build/conformance/test_{program}", name)
            outcome = "failed" if said else "passed"
            ended.append({"id": test, "outcome": outcome, "reason": said, "rules": [mutant.rule]})
            if said:
                break
        return ended

    def _failure_in_c(self, program: str, *test: str) -> str:
        """Return what a program, or one test of it, says of its failure; nothing if it passes."""
        try:
            done = subprocess.run(
                [self.folder / program, *test],
                capture_output=True,
                text=True,
                check=False,
                timeout=_PATIENCE_IN_C,
            )
        except subprocess.TimeoutExpired as error:
            return f"no end in {error.timeout:g} seconds"
        ended = f"{program} ended with {done.returncode}" if done.returncode else ""
        return done.stderr.strip() or ended

    def _tests_by_pytest(self, mutant: Mutant, files: Sequence[str]) -> list[dict[str, Any]]:
        """Run those of the rule in the files; without files, all of every rule."""
        programs = () if files else sorted((ROOT / "build/conformance").iterdir())
        targets = (f"build/conformance/{program.name}" for program in programs)
        self._make(mutant, "image", "build/host/shim", *targets)
        with tempfile.TemporaryFile("w+") as file:
            arguments = (
                "-pdmav3.testing.plugin",
                "-pdmav3.conformance.recorder",
                f"--config-file={os.devnull}",
                f"--rootdir={_TESTS}",
                "-mnot soak",
                f"--dmav3-pipe={file.fileno()}",
                f"--dmav3-rule={mutant.rule if files else ''}",
                *(f"{_TESTS}/{name}" for name in files or (_IN_C, "")),
            )
            said = self._pytest(arguments, file.fileno())
            file.seek(0)
            messages = [json.loads(line) for line in file]
        if not messages:
            msg = f"the tests were not collected:\n{said.strip()}"
            raise InfrastructureError(msg)
        return [message for message in messages if "id" in message]

    def other_tests(self, mutant: Mutant) -> list[dict[str, Any]]:
        """Run the tests of the firmware that decide no rule, up to the first that fails."""
        self._make(mutant, "driver-image", "link", "bench", "tests")
        said = self._pytest(("-rfE", "-mnot soak", f"-knot ({_WITH_BUGS})", *_OTHERS))
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
        return [{"id": one, "outcome": "failed"} for one in failed]

    def host_tests(self, mutant: Mutant) -> list[dict[str, Any]]:
        """Run the host tests of the mutant's folder, up to the first program that fails."""
        folder = self.folder / "tests" / "c" / Path(mutant.folder).name
        programs = [path.stem for path in sorted(folder.glob("test_*.c"))]
        self._make(mutant, *(f"build/tests/c/{one}" for one in programs))
        told: list[dict[str, Any]] = []
        for one in programs:
            if self._failure_in_c(f"build/tests/c/{one}", *_ARGUMENTS.get(one, ())):
                return [*told, {"id": one, "outcome": "failed"}]
            told.append({"id": one, "outcome": "passed"})
        return told

    def _pytest(self, arguments: Sequence[str], pipe: int | None = None) -> str:
        """Run pytest on this copy; return what it printed, up to `PATIENCE`."""
        environment = os.environ | {
            "PYTHONPATH": str(self.folder / "harness"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if pipe is not None:
            environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-pno:cacheprovider", *arguments],
                cwd=self.folder,
                env=environment,
                pass_fds=() if pipe is None else (pipe,),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired as error:
            return f"ERROR no-end-in-{error.timeout:g}-seconds"
        return done.stdout + done.stderr
