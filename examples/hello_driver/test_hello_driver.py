# SPDX-License-Identifier: Apache-2.0
"""The driver in hello_driver.c on an emulated board: the right bytes, and no cache bug."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, build_image

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVER = Path(__file__).with_name("hello_driver.c")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    """Build the driver, start a board with it, and let no finding of the cache model pass."""
    with Board(image=build_image(DRIVER, output=tmp_path / "hello.elf")) as running:
        yield running
        if findings := running.findings():
            pytest.fail("\n".join(finding.text for finding in findings), pytrace=False)


def test_the_greeting_arrives(board: Board) -> None:
    """The device receives what the driver stored."""
    board.call("hello_send", 5)
    board.wait(1_000_000)  # nanoseconds of model time
    assert board.stream.sent_take() == b"hello"


def test_received_bytes_are_added_up(board: Board) -> None:
    """The driver reads what the device wrote."""
    board.stream.receive_put(bytes(range(64)))
    board.call("hello_receive")
    board.wait(1_000_000)
    assert board.call("hello_sum") == {"status": 0, "sum": sum(range(64))}
