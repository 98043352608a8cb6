# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of the rules, in a process of their own, and hears how each ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dmav3 import installation
from dmav3.elf.image import read_elf
from dmav3.errors import Dmav3Error, InfrastructureError, UsageError
from dmav3.machine.description import load
from dmav3.rules.rules import rules

from .transcript import Line
from .verdicts import Ended, RuleReport, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.rules.rules import Rule

#: Folder of the tests.
TESTS = Path(__file__).with_name("tests")
#: Seconds in which some test has to end, and pytest itself to start or end.
PATIENCE = 300.0
_SAID = 2000  # characters of pytest's own output that an error quotes
#: What would let other plugins and options into the process.
_FOREIGN_VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")
_RAN = (0, 1, 5)  # pytest's exit statuses: all passed, some failed, there were none


@dataclass(frozen=True)
class ConformanceOptions:
    """What the command line says.

    :ivar rules: ids, or beginnings of ids; all rules if there are none.
    """

    machine: str = "virt-a53"
    image: Path | None = None
    rules: tuple[str, ...] = ()

    def selected(self) -> list[Rule]:
        """Return the rules that are asked for; `UsageError` if there are none."""
        for prefix in self.rules:
            if not any(rule.startswith(prefix) for rule in rules().rules):
                msg = f"--rule {prefix}: no rule begins so; such as --rule MTX, --rule MTX-07"
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
    image = options.image
    if image is not None:
        read_elf(image, "EM_AARCH64")
    tests: list[Ended] = []
    trouble = None
    try:
        _check_built(image, machine.firmware)
        for message in _messages(options):
            if "collected" in message:
                advance = begin(len(message["collected"]))
            else:
                tests.append(_test(message))
                advance(1)
    except Dmav3Error as error:
        trouble = str(error)
    decisions = decide(rules(), selected, tests, trouble)
    return RuleReport(machine.name, str(image or machine.firmware), decisions, trouble)


def _check_built(image: Path | None, firmware: str) -> None:
    """Raise `NotBuiltError` once instead of once a test."""
    installation.extension()
    installation.rule_tests()
    if image is None:
        installation.firmware(firmware)


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
    with _pytest(options, more) as (process, pipe, said):
        for line in _lines(pipe):
            yield json.loads(line)
        status = process.wait(PATIENCE)
        if status not in _RAN:
            said.seek(0)
            text = said.read()[-_SAID:].strip()
            msg = f"the tests did not run to their end (pytest's status {status}):\n{text}"
            raise InfrastructureError(msg)


@contextmanager
def _pytest(
    options: ConformanceOptions, more: tuple[str, ...]
) -> Iterator[tuple[subprocess.Popen[str], int, IO[str]]]:
    """Start pytest, with our plugins and no others; it has ended when the block has.

    Gives the process, the pipe that its recorder writes to, and the file with what it says.
    """
    said = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed below
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "pytest", *_arguments(options, writing), *more]
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
    with said, process:
        try:
            yield process, reading, said
        finally:
            process.kill()
            os.close(reading)


def _arguments(options: ConformanceOptions, pipe: int) -> list[str]:
    plugins = ("dmav3.testing.plugin", "dmav3.conformance.recorder", "no:cacheprovider")
    given = {
        "--dmav3-pipe": pipe,
        "--dmav3-artefacts": "",  # its evidence is in the report
        "--dmav3-machine": options.machine,
        "--dmav3-image": options.image.resolve() if options.image else None,
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


def _test(message: dict[str, Any]) -> Ended:
    evidence = tuple(Line(**line) for line in message.pop("evidence"))
    return Ended(**message | {"rules": tuple(message["rules"]), "evidence": evidence})
