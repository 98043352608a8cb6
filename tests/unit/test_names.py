# SPDX-License-Identifier: Apache-2.0
"""The package's names, and that a project which does not use them does not wait for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dmav3

#: What takes long to import, and what starts processes.
_HEAVY = (
    "pydantic",
    "elftools",
    "rich",
    "typer",
    "yaml",
    "qemu.qmp",
    "asyncio",
    "dmav3.board.board",
)


def test_every_public_name_is_there() -> None:
    """Names are imported when they are asked for, and each can be."""
    for name in dmav3.__all__:
        assert getattr(dmav3, name).__module__.startswith("dmav3."), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dmav3.nothing


def test_the_plugin_imports_nothing_that_takes_long() -> None:
    """The pytest of a project without our tests pays for one small file."""
    code = "import sys, dmav3.testing.plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split()) - set(_pytest_alone())
    assert not loaded & set(_HEAVY)


def _pytest_alone() -> list[str]:
    code = "import sys, pytest; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()
