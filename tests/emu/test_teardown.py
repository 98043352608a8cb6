# SPDX-License-Identifier: Apache-2.0
"""Whatever fails, and wherever in a test: the outcome is right, and the next test runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

#: Each test of these is about one thing that goes wrong; the docstring is the outcome, as the tags
#: of its test case in a JUnit file, none where it passes.
CASES = """
import os
import signal

import pytest

from dmav3 import Board

def kill(board):
    os.kill(board.qemu.pid, signal.SIGKILL)

def misuse(board):
    board.request("KeFlushIoBuffers", 0, 1, 1)

def leave(board):
    assert board.IoGetDmaAdapter(Master=1, DmaAddressWidth=32)

def fail(_board):
    raise AssertionError("on purpose")

WAYS = {"kill": kill, "misuse": misuse, "leave": leave, "fail": fail}

@pytest.fixture
def around(dmav3_board, request):
    moments = dict(one.split("-") for one in request.param.split(","))
    for moment in ("finalizer", "finalizer2"):
        if moment in moments:
            request.addfinalizer(lambda way=moments[moment]: WAYS[way](dmav3_board))
    if "setup" in moments:
        WAYS[moments["setup"]](dmav3_board)
    yield dmav3_board, moments.get("call")
    if "teardown" in moments:
        WAYS[moments["teardown"]](dmav3_board)

@pytest.mark.parametrize("around", CASES, indirect=True, ids=str)
def test_it(around):
    board, way = around
    if way:
        WAYS[way](board)
        board.request("ping")

@pytest.fixture
def own(request):
    with Board() as board:
        yield board
        if request.param:
            WAYS[request.param](board)

@pytest.mark.parametrize("own", ["", "kill", "misuse", "leave", "fail"], indirect=True)
def test_own(own):
    own.request("ping")

def test_keeps_a_view(dmav3_board):
    view = dmav3_board.evidence.probe._view[:10]
    fail(view)

@pytest.fixture
def broken(dmav3_board, monkeypatch):
    monkeypatch.setattr(type(dmav3_board.evidence), "findings", fail)

def test_saving_fails(dmav3_board, broken):
    fail(dmav3_board)

def test_last(dmav3_board):
    dmav3_board.request("ping")
"""

#: What goes wrong when, and what the report of the test must say.
OUTCOMES = {
    "call-fail": "failure",
    "call-fail,teardown-fail": "failure error",
    "call-fail,finalizer-fail": "failure error",
    "setup-fail": "error",
    "setup-fail,finalizer-fail": "error error",
    "teardown-fail": "error",
    "finalizer-fail": "error",
    "finalizer-fail,finalizer2-fail": "error",
    "teardown-fail,finalizer-fail": "error",
    "setup-kill": "error",
    "setup-kill,call-fail": "failure",
    "call-kill": "error",
    "teardown-kill": "error",
    "finalizer-kill": "error",
    "call-fail,teardown-kill": "failure",
    "call-misuse": "failure",
    "teardown-misuse": "failure",
    "finalizer-misuse": "failure",
    "call-misuse,teardown-misuse": "failure",
    "call-leave": "failure",
    "setup-leave": "failure",
    "teardown-leave": "failure",
    "teardown-misuse,finalizer-leave": "failure",
    "teardown-misuse,finalizer-fail": "error",
    "setup-fail,teardown-kill": "error",
}
#: The same of the tests that have no such name.
OTHERS = {
    "test_own[]": "",
    "test_own[kill]": "error",
    "test_own[misuse]": "failure",
    "test_own[leave]": "failure",
    "test_own[fail]": "error",
    "test_keeps_a_view": "failure",
    "test_saving_fails": "failure",
    "test_last": "",
}


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_the_outcome_is_right_wherever_it_fails(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    """A driver's mistake is a failure, the rest an error; no test keeps another from running."""
    pytester.makepyfile(CASES.replace("CASES", repr(list(OUTCOMES))))
    result = pytester.runpytest_subprocess("--junitxml=report.xml", *options)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    expected = {f"test_it[{name}]": tags for name, tags in OUTCOMES.items()} | OTHERS
    assert outcomes(pytester) == expected
    assert "not all of the artefacts could be saved: AssertionError" in result.stdout.str()


def outcomes(pytester: pytest.Pytester) -> dict[str, str]:
    """Return the tags of what went wrong, by test, in order."""
    found: dict[str, list[str]] = {}
    for case in ET.parse(pytester.path / "report.xml").iter("testcase"):  # noqa: S314 - ours
        tags = [child.tag for child in case if child.tag in {"failure", "error"}]
        found.setdefault(case.get("name", ""), []).extend(tags)
    return {name: " ".join(tags) for name, tags in found.items()}
