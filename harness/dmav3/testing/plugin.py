# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin: options, markers, and the fixture `dmav3_board`.

pytest loads this file in every project of an environment, so it imports nothing that a project
without our tests would have to wait for; what does the work is in the other `pytest_*` files.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dmav3.board.board import Board
    from dmav3.board.host_shim import HostShim

    from .pool import Pool

MARKERS = (
    "dmav3_fresh: the board is a QEMU process that no test has used before",
    "dmav3_cache(schedule=, seed=): when the cache acts of its own accord, instead of the options",
    "dmav3_machine(name): the machine, by name or YAML file, instead of the option",
    "dmav3_devices(*devices): devices on it: QEMU's own, such as 'edu', classes of dmav3.Device",
    'dmav3_rule(*rules): the rules that the test decides, such as dmav3_rule("MTX-07")',
    "dmav3_image(*files, **options): C files of a driver, or an ELF, beside the test's own file",
    "dmav3_leaves(adapter=1, anything=): what of the layer still lives at the end of the test",
    "dmav3_host: the test runs dmav3's own layer on this computer, whatever the image",
)
_ACTIVE = "dmav3-reports"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all with our prefix."""
    group = parser.getgroup(
        "dmav3",
        "dmav3: boards with a PL330 and caches that hold data. The options are for the fixture "
        "dmav3_board; a Board() in a test is as its own arguments say",
    )
    group.addoption("--dmav3-machine", metavar="NAME", help="machine (default: virt-a53)")
    group.addoption(
        "--dmav3-schedule",
        metavar="NAME",
        help="when the cache acts of its own accord (default: speculative)",
    )
    group.addoption("--dmav3-seed", metavar="N", help="seed of the schedule (default: 1)")
    group.addoption("--dmav3-image", metavar="ELF", help="firmware (default: the machine's own)")
    group.addoption(
        "--dmav3-keep", action="store_true", help="keep the artefacts of passed tests, too"
    )
    group.addoption(
        "--dmav3-artefacts",
        metavar="DIR",
        help="where the artefacts of the last ten runs stay (default: .dmav3 in the root folder; "
        "empty: with pytest's temporary files)",
    )
    group.addoption(
        "--dmav3-gdb",
        action="store_true",
        help="before each test, print how to attach gdb, and wait until it lets the board go on",
    )
    group.addoption(
        "--dmav3-gdb=on-failure",
        action="store_true",
        dest="dmav3_gdb_on_failure",
        help="where a test has failed, run gdb on its board, here on the terminal",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; check the options that were given."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    names = ("machine", "schedule", "seed", "image", "gdb", "gdb_on_failure")
    if any(config.getoption(f"dmav3_{name}") for name in names):
        from .marks import check_options  # noqa: PLC0415 - see above

        check_options(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check our marks, each once, before any test runs."""
    try:
        _check_marks(items)
    except pytest.UsageError as error:
        if not hasattr(config, "workerinput"):
            raise
        # pytest-xdist loses what a worker raises here, but not what its tests raise.
        config.pluginmanager.register(_Refusal(error))


class _Refusal:
    """Lets no test run."""

    def __init__(self, reason: pytest.UsageError) -> None:
        self._reason = reason

    def pytest_runtest_setup(self) -> None:
        """Say why."""
        raise self._reason


def _check_marks(items: list[pytest.Item]) -> None:
    seen: set[pytest.Item | pytest.Collector] = set()
    for item in items:
        node: pytest.Item | pytest.Collector | None = item
        while node is not None and node not in seen:
            seen.add(node)
            for mark in node.own_markers:
                if mark.name.startswith("dmav3_"):
                    from .marks import check_mark  # noqa: PLC0415 - see above

                    check_mark(node, mark)
            node = node.parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watch the reports if a test may have a board of its own."""
    if "dmav3.board.board" in sys.modules:
        _watch_reports(session.config)


@pytest.fixture(scope="session")
def dmav3_pool(pytestconfig: pytest.Config) -> Pool:
    """Keep the boards that wait for their next test; one pool a process."""
    from .pool import Pool  # noqa: PLC0415 - see above

    _watch_reports(pytestconfig)
    pool = Pool()
    # Not before the report of the last test's teardown, which may need its board.
    pytestconfig.add_cleanup(pool.close)
    return pool


@pytest.fixture
def dmav3_board(
    request: pytest.FixtureRequest,
    dmav3_pool: Pool,
    tmp_path_factory: pytest.TempPathFactory,
) -> Board:
    """Give a running board with nothing on it, as the options and the test's marks say.

    Findings and violations that the test does not expect (`Board.expect`) fail it, and what it
    leaves behind (`dmav3_leaves`), after the teardown of its fixtures.
    """
    from .lease import BoardLease  # noqa: PLC0415 - see above

    return BoardLease(request.node, tmp_path_factory, dmav3_pool).shim


@pytest.fixture
def dmav3_host_shim(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> HostShim:
    """Give dmav3's own layer in a process of this computer, with the scripted back end.

    It is judged as `dmav3_board` is. A parameter, given with
    `indirect`, is a dictionary of the arguments of `HostShim`.
    """
    from dmav3.board.host_shim import HostShim  # noqa: PLC0415 - see above

    from .lease import HostLease  # noqa: PLC0415 - see above

    _watch_reports(request.config)
    wanted = HostShim(**getattr(request, "param", {}))
    return HostLease(request.node, tmp_path_factory, wanted).shim


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give the run a name before pytest-xdist starts a process for it."""
    node.workerinput["dmav3_run"] = _run_name(node.config)


def _run_name(config: pytest.Config) -> str:
    from .marks import RUN  # noqa: PLC0415 - see above

    if RUN not in config.stash:
        own = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        config.stash[RUN] = getattr(config, "workerinput", {}).get("dmav3_run", own)
    return config.stash[RUN]


def _watch_reports(config: pytest.Config) -> None:
    """Register the hooks that act on every test, which is not before there is a board."""
    _run_name(config)
    if not config.pluginmanager.has_plugin(_ACTIVE):
        from .reports import Reports  # noqa: PLC0415 - see above

        config.pluginmanager.register(Reports(), _ACTIVE)
