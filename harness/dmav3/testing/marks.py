# SPDX-License-Identifier: Apache-2.0
"""Options and marks, checked, and the board that a test wants by them."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dmav3.devices.device import Device
from dmav3.elf.image import read_elf
from dmav3.errors import UsageError
from dmav3.evidence.violations import LEFT
from dmav3.machine.build import build_image
from dmav3.machine.description import load
from dmav3.machine.schedule import checked_schedule, checked_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dmav3.machine.description import Machine

_DEFAULT_MACHINE, _DEFAULT_SEED = "virt-a53", 1
#: The option with which gdb comes where a test has failed.
ON_FAILURE = "dmav3_gdb_on_failure"
#: The name of the run, the same in every process of it.
RUN = pytest.StashKey[str]()
_BOARD_OPTIONS = ("machine", "schedule", "seed", "image")
_BUILD_OPTIONS = {"include", "define", "optimise"}
_EXAMPLES = {
    "dmav3_fresh": "dmav3_fresh",
    "dmav3_cache": 'dmav3_cache(schedule="lru", seed=7)',
    "dmav3_machine": 'dmav3_machine("virt-a53")',
    "dmav3_devices": 'dmav3_devices("edu")',
    "dmav3_rule": 'dmav3_rule("MTX-07")',
    "dmav3_image": 'dmav3_image("driver.c")',
    "dmav3_leaves": "dmav3_leaves(adapter=1)",
    "dmav3_host": "dmav3_host",
}


@dataclass(frozen=True)
class Wanted:
    """A board that somebody wants; as the parameters of `Board`.

    :ivar fresh: of a QEMU that has done nothing yet.
    :ivar python: classes of devices written in Python. They live as long as their board, which is
        for one test only.
    """

    machine: Machine
    image: Path | None = None
    seed: int = 1
    schedule: str | None = None
    fresh: bool = False
    python: tuple[type[Device], ...] = ()


def check_options(config: pytest.Config) -> None:
    """Check every option that was given; `pytest.UsageError` names the value and one that works."""
    _try("--dmav3-machine", "virt-a53", lambda: _machine(config))
    _try("--dmav3-seed", "1", lambda: _seed(config))
    schedule = config.getoption("dmav3_schedule")
    default = load(_DEFAULT_MACHINE)
    _try("--dmav3-schedule", "lru", lambda: checked_schedule(default, schedule))
    _try("--dmav3-image", "build/app.elf", lambda: _image(config))
    if config.getoption("dmav3_gdb") or config.getoption(ON_FAILURE):
        if config.getoption("numprocesses", None):
            msg = "--dmav3-gdb waits for a person, so all tests run in one process: such as -n 0"
            raise pytest.UsageError(msg)
        if config.getoption(ON_FAILURE) and not (sys.__stdout__ and sys.__stdout__.isatty()):
            msg = "--dmav3-gdb=on-failure gives the terminal to gdb, and here is none"
            raise pytest.UsageError(msg)


def check_mark(node: pytest.Item | pytest.Collector, mark: pytest.Mark) -> None:
    """Check one of our marks; `pytest.UsageError` names test, value and one that works."""
    try:
        _check(mark)
    except (UsageError, TypeError, ValueError) as error:
        words = [*map(repr, mark.args), *(f"{key}={value!r}" for key, value in mark.kwargs.items())]
        given = f"{mark.name}({', '.join(words)})"
        example = _EXAMPLES.get(mark.name, ", ".join(_EXAMPLES.values()))
        msg = f"{node.nodeid}: {given}: {error}; such as {example}"
        raise pytest.UsageError(msg) from None


def other_machine(item: pytest.Item) -> str | None:
    """Return the name of the machine that a test asks for, if the option names another."""
    asked = _machine_of(item).name
    return asked if asked != _machine(item.config).name else None


def wanted(item: pytest.Item, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    """Return the board for a test: marks come before options.

    :raises BuildError: the driver that it names does not compile or link.
    """
    config = item.config
    cache = item.get_closest_marker("dmav3_cache")
    given: dict[str, Any] = dict(cache.kwargs) if cache else {}
    chosen = _machine_of(item)
    devices = item.get_closest_marker("dmav3_devices")
    python, others = _sorted(devices.args if devices else ())
    chosen = chosen.with_devices(others)
    # An option is for all tests, so it cannot be wrong for the coherent machine of some.
    schedule = config.getoption("dmav3_schedule") if chosen.cache else None
    return Wanted(
        machine=chosen,
        image=_driver(item, chosen, tmp_path_factory) or _image(config),
        seed=given.get("seed", _seed(config)),
        schedule=checked_schedule(chosen, given.get("schedule", schedule)),
        fresh=item.get_closest_marker("dmav3_fresh") is not None,
        python=python,
    )


def artefacts_root(config: pytest.Config) -> Path | None:
    """Return the folder for artefacts; None: pytest's own for temporary files."""
    given: str | None = config.getoption("dmav3_artefacts")
    if given is None:
        return config.rootpath / ".dmav3"
    return Path(config.invocation_params.dir, given) if given else None


def leaves(item: pytest.Item) -> dict[str, Any]:
    """Return what a test means to leave behind, as the arguments of `Shim.expect_left`."""
    mark = item.get_closest_marker("dmav3_leaves")
    return dict(mark.kwargs) if mark else {}


def options_again(config: pytest.Config) -> list[str]:
    """Return the options for boards that were given, as they have to be given again."""
    given = {name: config.getoption(f"dmav3_{name}") for name in _BOARD_OPTIONS}
    return [f"--dmav3-{name}={value}" for name, value in given.items() if value]


def rules_of(item: pytest.Item) -> list[str]:
    """Return the rules that a test decides, in the order of its marks, outermost first."""
    marks = reversed(list(item.iter_markers("dmav3_rule")))
    return list(dict.fromkeys(rule for mark in marks for rule in mark.args))


def _check(mark: pytest.Mark) -> None:
    match mark.name:
        case "dmav3_fresh" | "dmav3_host":
            _no_more(mark.args, mark.kwargs)
        case "dmav3_cache":
            _no_more(mark.args, mark.kwargs.keys() - {"schedule", "seed"})
            checked_seed(mark.kwargs.get("seed", _DEFAULT_SEED))
            checked_schedule(load(_DEFAULT_MACHINE), mark.kwargs.get("schedule"))
        case "dmav3_machine":
            _no_more(mark.args[1:], mark.kwargs)
            load(_text(*mark.args[:1]))
        case "dmav3_devices":
            _no_more(mark.kwargs)
            _, others = _sorted(mark.args)
            load(_DEFAULT_MACHINE).with_devices(map(_text, others))
        case "dmav3_rule":
            from dmav3.rules.rules import rules  # noqa: PLC0415 - most tests have no such mark

            _no_more(mark.kwargs)
            for rule in mark.args or (None,):
                rules().in_scope(_text(rule))
        case "dmav3_image":
            _no_more(mark.kwargs.keys() - _BUILD_OPTIONS)
            for file in mark.args or (None,):
                _text(file)
        case "dmav3_leaves":
            _no_more(mark.args, mark.kwargs.keys() - LEFT.keys() - {"anything"})
        case _:
            msg = "there is no such mark"
            raise UsageError(msg)


def _sorted(devices: Iterable[Any]) -> tuple[tuple[type[Device], ...], list[Any]]:
    """Return the classes of devices written in Python, and the other devices."""
    given = list(devices)
    python = [it for it in given if isinstance(it, type) and issubclass(it, Device)]
    return tuple(python), [it for it in given if it not in python]


def _text(given: object = None) -> str:
    if not isinstance(given, str):
        msg = "it needs a text"
        raise UsageError(msg)
    return given


def _no_more(*left: object) -> None:
    for some in left:
        if some:
            msg = "it does not take these arguments"
            raise UsageError(msg)


def _machine_of(item: pytest.Item) -> Machine:
    named = item.get_closest_marker("dmav3_machine")
    return load(named.args[0]) if named else _machine(item.config)


def _machine(config: pytest.Config) -> Machine:
    return load(config.getoption("dmav3_machine") or _DEFAULT_MACHINE)


def _seed(config: pytest.Config) -> int:
    return checked_seed(int(config.getoption("dmav3_seed") or str(_DEFAULT_SEED), 0))


def _driver(
    item: pytest.Item, machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> Path | None:
    """Return the image of the test's own driver, built once a session; None: no driver."""
    mark = item.get_closest_marker("dmav3_image")
    if mark is None:
        return None
    files: list[Path] = [item.path.parent / file for file in mark.args]
    if len(files) == 1 and files[0].suffix not in {".c", ".S"}:
        return files[0]
    options: dict[str, Any] = dict(mark.kwargs)
    options["include"] = [item.path.parent / folder for folder in mark.kwargs.get("include", ())]
    digest = hashlib.sha256(repr((machine.firmware, files, options)).encode())
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"")
    image = tmp_path_factory.getbasetemp() / f"dmav3-{digest.hexdigest()[:16]}.elf"
    if not image.exists():
        build_image(*files, output=image, machine=machine, **options)
    return image


def _image(config: pytest.Config) -> Path | None:
    given = config.getoption("dmav3_image")
    if not given:
        return None
    path = Path(config.invocation_params.dir, given)
    read_elf(path, "EM_AARCH64")
    return path


def _try(option: str, example: str, check: Callable[[], object]) -> None:
    try:
        check()
    except (UsageError, ValueError) as error:
        msg = f"{option}: {error}; such as {option} {example}"
        raise pytest.UsageError(msg) from None
