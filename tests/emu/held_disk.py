# SPDX-License-Identifier: Apache-2.0
"""A disk that moves nothing until it may, on this computer's clock (`preloaded_held_disk.c`)."""

from __future__ import annotations

import fcntl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dmav3.installation import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest


def make_holdable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every QEMU that is started from now on respect `held`."""
    monkeypatch.setenv("LD_PRELOAD", str(Layout.find().built / "tests" / "preloaded_held_disk.so"))


@contextmanager
def held(image: Path) -> Iterator[Callable[[], None]]:
    """Hold all reads and writes of an image; calling what it gives, or its end, lets them go on."""
    with image.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def once(condition: Callable[[], object], then: Callable[[], None]) -> Iterator[None]:
    """Call `then` as soon as `condition` is true while the block runs; at the latest at its end."""
    ended = threading.Event()

    def watch() -> None:
        while not condition() and not ended.is_set():
            time.sleep(0)
        then()

    watcher = threading.Thread(target=watch, name="once")
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
