# SPDX-License-Identifier: Apache-2.0
"""The driver in hello_driver.c on an emulated board: the right bytes, and no cache bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dmav3 import Board

#: It is built once. A finding, a violation, or what the driver leaves behind fails a test.
pytestmark = pytest.mark.dmav3_image("hello_driver.c")


def test_the_greeting_arrives(dmav3_board: Board) -> None:
    """The device receives what the driver stored."""
    dmav3_board.call("hello_send", 5)
    dmav3_board.wait(1_000_000)  # nanoseconds of model time
    assert dmav3_board.stream.sent_take() == b"hello"


def test_received_bytes_are_added_up(dmav3_board: Board) -> None:
    """The driver reads what the device wrote."""
    dmav3_board.stream.receive_put(bytes(range(64)))
    dmav3_board.call("hello_receive")
    dmav3_board.wait(1_000_000)
    assert dmav3_board.call("hello_sum") == {"status": 0, "sum": sum(range(64))}
