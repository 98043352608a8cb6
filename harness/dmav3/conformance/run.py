# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of the rules, in a process of their own, and hears how each ended."""

from __future__ import annotations

import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dmav3 import installation
from dmav3.elf.image import host_machine, read_elf, read_extension, read_own
from dmav3.errors import Dmav3Error, ImageError, InfrastructureError, UsageError
from dmav3.files import write_output
from dmav3.machine.description import load
from dmav3.machine.schedule import checked_schedule, checked_seed
from dmav3.rules.rules import rules

from .transcript import Line
from .verdicts import Circumstances, Ended, RuleReport, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.rules.rules import Rule

#: Folder of the tests.
TESTS = Path(__file__).with_name("tests")
#: Seconds in which some test has to end, and pytest itself to start or end.
PATIENCE = 300.0
_PACKAGE = f"{__package__}.tests"
_CPU = "EM_AARCH64"
_SHELL = "rpc_serve"  # what a firmware with a shell never returns from
_SAID = 2000  # characters of pytest's own output that an error quotes
#: What would let other plugins and options into the process.
_FOREIGN_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
_RAN = (0, 1, 5)  # pytest's exit statuses: all passed, some failed, there were none


@dataclass(frozen=True)
class ConformanceOptions:
    """What the command line says.

    :ivar rules: ids, or beginnings of ids; all rules if there are none.
    :ivar seed, schedule: for the tests that choose none.
    :ivar junit: file for pytest's own report.
    """

    machine: str = "virt-a53"
    image: Path | None = None
    rules: tuple[str, ...] = ()
    seed: int = 1
    schedule: str | None = None
    junit: Path | None = None

    def selected(self) -> list[Rule]:
        """Return the rules that are asked for; `UsageError` if there are none."""
        for prefix in self.rules:
            if not prefix or not any(rule.startswith(prefix) for rule in rules().rules):
                given = prefix or repr(prefix)
                msg = f"--rule {given}: no rule begins so; such as --rule MTX, --rule MTX-07"
                raise UsageError(msg)
        return [rule for rule in rules().rules.values() if rule.id.startswith(self.rules or "")]


def run_tests(
    options: ConformanceOptions, begin: Callable[[int], Callable[[int], object]]
) -> RuleReport:
    """Run the tests and reach the verdicts.

    :param begin: is told how many tests there are and gives what is told of each that ended.
    :raises UsageError: the options are wrong; nothing was started.
    """
    selected, machine = options.selected(), load(options.machine)
    seed, schedule = checked_seed(options.seed), checked_schedule(machine, options.schedule)
    if options.image is not None:
        _check_shell(options.image)
    began = time.monotonic()
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    image = str(options.image or machine.firmware)
    version = metadata.version("dmav3")
    circumstances = Circumstances(machine.name, image, "", seed, schedule, now, dmav3=version)
    tests: list[Ended] = []
    trouble = None
    try:
        build, extension = _check_built(options.image, machine.firmware)
        circumstances = replace(circumstances, build=build, extension=extension)
        for message in _messages(options):
            if "collected" in message:
                advance = begin(len(message["collected"]))
            elif "qemu" in message:
                circumstances = replace(circumstances, qemu=message["qemu"])
            else:
                tests.append(_test(options, message))
                advance(1)
    except Dmav3Error as error:
        trouble = str(error)
    circumstances = replace(circumstances, seconds=round(time.monotonic() - began, 1))
    return RuleReport(circumstances, decide(rules(), selected, tests, trouble), trouble)


def _check_shell(image: Path) -> None:
    """Raise `ImageError` for firmware that answers no request."""
    if not read_elf(image, _CPU).exports(_SHELL):
        problem = (
            f"has no shell (no symbol `{_SHELL}`), and the tests talk to the shell: give an image "
            "that `dmav3 build` made, with its symbols"
        )
        raise ImageError(image, problem)


def _check_built(image: Path | None, firmware: str) -> tuple[str, str]:
    """Return the build ids of firmware and extension.

    :raises NotBuiltError: once instead of once a test.
    """
    extension = read_extension()
    installation.check_whole()
    installation.rule_tests()
    read_own(installation.host_shim(), host_machine())
    built = read_elf(image, _CPU) if image else read_own(installation.firmware(firmware), _CPU)
    return built.build_id, extension.build_id


def untested(options: ConformanceOptions) -> list[Rule]:
    """Return the selected rules that are in scope and no test names.

    :raises InfrastructureError: the tests cannot be collected.
    """
    tested = {rule for named in collected(options).values() for rule in named}
    return [
        rule
        for rule in options.selected()
        if rule.id not in tested and not rules().excluded(rule.id)
    ]


def collected(options: ConformanceOptions) -> dict[str, list[str]]:
    """Return the rules that each test names; raises as `untested`."""
    (message,) = _messages(options, "--collect-only")
    found: dict[str, list[str]] = message["collected"]
    return found


def _messages(options: ConformanceOptions, *more: str) -> Iterator[dict[str, Any]]:
    """Run pytest and give what its recorder writes.

    :raises InfrastructureError: pytest could not do its work, or nothing ended in time.
    """
    with _pytest(options, more) as (process, pipe, said, junit):
        for line in _lines(pipe):
            yield json.loads(line)
        status = process.wait(PATIENCE)
        if status not in _RAN:
            said.seek(0)
            text = said.read()[-_SAID:].strip()
            msg = f"the tests did not run to their end (pytest's status {status}):\n{text}"
            raise InfrastructureError(msg)
        if options.junit is not None:
            write_output(options.junit, junit.read())


@contextmanager
def _pytest(
    options: ConformanceOptions, more: tuple[str, ...]
) -> Iterator[tuple[subprocess.Popen[str], int, IO[str], IO[str]]]:
    """Start pytest, with our plugins and no others; it has ended when the block has.

    Gives the process, the pipe that its recorder writes to, and the files with what it says and
    with its report: pytest does not tell whether a report could be written.
    """
    said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed below
    junit = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - the same
    reading, writing = os.pipe()
    arguments = _arguments(options, writing, junit)
    command = [sys.executable, "-m", "pytest", *arguments, *more]
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN_VARIABLES}
    try:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=[writing],
            env=kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            text=True,
        )
    finally:
        os.close(writing)
    with said, junit, process:
        try:
            yield process, reading, said, junit
        finally:
            process.kill()
            os.close(reading)


def _arguments(options: ConformanceOptions, pipe: int, junit: IO[str]) -> list[str]:
    plugins = ("dmav3.testing.plugin", "dmav3.conformance.recorder", "no:cacheprovider")
    given = {
        "--dmav3-pipe": pipe,
        "--dmav3-artefacts": "",  # its evidence is in the report
        "--dmav3-machine": options.machine,
        "--dmav3-image": options.image.resolve() if options.image else None,
        "--dmav3-seed": options.seed,
        "--dmav3-schedule": options.schedule,
        "--junitxml": f"/proc/{os.getpid()}/fd/{junit.fileno()}",
    }
    return [
        *(f"-p{plugin}" for plugin in plugins),
        f"--rootdir={TESTS}",
        f"--config-file={os.devnull}",
        "--strict-markers",
        "-mnot soak",
        *(f"{key}={value}" for key, value in given.items() if value is not None),
        *(f"--dmav3-rule={prefix}" for prefix in options.rules),
        str(TESTS),
    ]


def _lines(pipe: int) -> Iterator[str]:
    """Give the lines of a pipe until it ends; each has to come in time."""
    left = b""
    while True:
        if not select.select([pipe], [], [], PATIENCE)[0]:
            msg = f"no test has ended for {PATIENCE:g} s"
            raise InfrastructureError(msg)
        new = os.read(pipe, 1 << 16)
        if not new:
            return
        *whole, left = (left + new).split(b"\n")
        yield from (line.decode() for line in whole)


def _test(options: ConformanceOptions, message: dict[str, Any]) -> Ended:
    lists = {key: tuple(message[key]) for key in ("rules", "arguments", "asserted")}
    evidence = tuple(Line(**line) for line in message["evidence"])
    command = _again(options, message["id"])
    return Ended(**message | lists | {"evidence": evidence, "command": command})


def _again(options: ConformanceOptions, test: str) -> str:
    """Return the command that runs one test again, alone."""
    file, _, name = test.partition("::")
    given = {
        "machine": options.machine,
        "image": options.image,
        "seed": options.seed if options.seed != 1 else None,
        "schedule": options.schedule,
    }
    chosen = [f"--dmav3-{key}={value}" for key, value in given.items() if value is not None]
    module = f"{_PACKAGE}.{Path(file).stem}::{name}"
    return shlex.join(["pytest", "--pyargs", module, *chosen])
