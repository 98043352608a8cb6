# SPDX-License-Identifier: Apache-2.0
"""Which rules a test of the board decides, and why the others have none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from dmav3.conformance.run import TESTS
from dmav3.rules.rules import rules

#: Prints the rules of the tests that are not only programs of this computer.
PLUGIN = """
import json
from dmav3.testing.marks import rules_of

def pytest_configure(config):
    config.addinivalue_line("markers", "soak: full counts, which take minutes")

def pytest_collection_finish(session):
    items = [item for item in session.items if not item.get_closest_marker("dmav3_host")]
    print("RULES", json.dumps(sorted({rule for item in items for rule in rules_of(item)})))
"""


@pytest.fixture(scope="module")
def on_the_board(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Collect the tests of the rules."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "board_rules.py").write_text(PLUGIN, encoding="utf-8")
    options = ["--collect-only", "-q", f"--rootdir={TESTS}", f"--config-file={os.devnull}"]
    plugins = ["-pdmav3.testing.plugin", "-pboard_rules", "-pno:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, str(TESTS)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    (line,) = (one for one in done.stdout.splitlines() if one.startswith("RULES "))
    return set(json.loads(line.removeprefix("RULES ")))


def test_every_other_rule_says_why(on_the_board: set[str]) -> None:
    """A rule has a reason if no test of the board decides it, and only then."""
    known = rules()
    in_scope = {rule for rule in known.rules if not known.excluded(rule)}
    assert {rule for rule in in_scope if known.rules[rule].host} == in_scope - on_the_board


def test_most_are_decided_there(on_the_board: set[str]) -> None:
    """The silicon decides; the programs of this computer only what it cannot."""
    known = rules()
    decided = {rule for rule in on_the_board if not known.excluded(rule)}
    assert len(decided) >= 550
