# SPDX-License-Identifier: Apache-2.0
"""A disk that moves nothing until it may, on this computer's clock (`preloaded_held_disk.c`)."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dmav3.installation import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


def make_holdable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every QEMU that is started from now on respect `held`."""
    monkeypatch.setenv("LD_PRELOAD", str(Layout.find().built / "tests" / "preloaded_held_disk.so"))


@contextmanager
def held(image: Path) -> Iterator[None]:
    """Hold all reads and writes of an image inside the block."""
    with image.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
