# SPDX-License-Identifier: Apache-2.0
"""What the tests of the rules are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3 import Board, HostShim
    from dmav3.board.shim import Shim


@pytest.fixture(autouse=True)
def leave(request: pytest.FixtureRequest) -> None:
    """Let a test end when its rule is decided, whatever lives then."""
    request.node.add_marker(pytest.mark.dmav3_leaves(anything=True))


@pytest.fixture
def board(dmav3_board: Board) -> Board:
    """Return a board with the PL330, for rules about real DMA."""
    return dmav3_board


SCRIPTED = pytest.param("dmav3_host_shim", id="scripted", marks=pytest.mark.dmav3_host)


@pytest.fixture(params=[SCRIPTED])
def scripted(request: pytest.FixtureRequest) -> HostShim:
    """Return the layer with a back end that does what the test says."""
    found: HostShim = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=[pytest.param("dmav3_board", id="pl330"), SCRIPTED])
def shim(request: pytest.FixtureRequest) -> Shim:
    """Return the layer on one back end after the other, for rules that need no data to move."""
    found: Shim = request.getfixturevalue(request.param)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test in which a routine refused something and did not say why."""
    yield
    given: dict[str, object] = getattr(item, "funcargs", {})
    for name in ("dmav3_board", "dmav3_host_shim"):
        shim = cast("Shim | None", given.get(name))
        if shim is not None:
            silent = [call.line() for call in shim.evidence.calls() if call.silent]
            assert silent == [], "no reason is recorded"
