# SPDX-License-Identifier: Apache-2.0
"""A person for a test, who leaves nothing behind, and a board for them to look at."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from person import Person

from dmav3 import Board

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell starts what runs in the background with Ctrl-C ignored, nohup with SIGHUP, and so would
# our children be.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Return somebody at a terminal; afterwards no process and no socket of theirs may be left."""
    with tempfile.TemporaryDirectory(prefix="dmav3-") as runtime:
        someone = Person(Path(runtime), tmp_path)
        try:
            yield someone
            left = someone.processes()
        finally:
            someone.leave()
        assert left == []
        assert list(Path(runtime).iterdir()) == []


@pytest.fixture
def seen(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """Return a board of this process that others can look at."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.runtime))
    with Board(sockets=True, judge=False) as board:
        yield board
