# SPDX-License-Identifier: Apache-2.0
"""QMP is the one door for control; what is wrong there is refused, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from microcode import CPC0, CSR0, Controller, copy

from dmav3.errors import MonitorError, UsageError
from dmav3.qemu.qmp import BOARD

if TYPE_CHECKING:
    from dmav3 import Board

STREAM = f"{BOARD}/stream"
CHANNEL = f"{BOARD}/channel[2]"


def everything(board: Board) -> dict[tuple[str, str], Any]:
    """Return every property that can be read."""
    channels = [f"{BOARD}/channel[{n}]" for n in range(8)]
    return {
        (path, item["name"]): board.qmp.get(item["name"], path)
        for path in (BOARD, STREAM, *channels)
        for item in board.qmp.execute("qom-list", path=path)
        if item["name"] not in {"step", "release"} and item["type"] != "child<>"
    }


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (BOARD, "seed", 77),
        (BOARD, "schedule", "lru"),
        (BOARD, "trace", 1),
        (BOARD, "fault-base", 0xFFFFF000),
        (BOARD, "nvme-latency-ns", 0),
        (STREAM, "word-interval-ns", 1000),
        (STREAM, "rx-fifo-depth", 4),
        (STREAM, "tx-fifo-depth", 256),
        (CHANNEL, "burst-interval-ns", 1_000_000_000),
        (CHANNEL, "hold-at-burst", 1),
        (CHANNEL, "hold-at-byte", 1 << 40),
    ],
)
def test_a_property_is_read_back_as_it_was_set(
    board: Board, path: str, name: str, value: object
) -> None:
    """And no other has changed; a reset leaves it as it is."""
    wanted = everything(board) | {(path, name): value}
    board.qmp.set(name, value, path)
    assert everything(board) == wanted
    board.reset()
    assert everything(board) == wanted


@pytest.mark.parametrize(
    ("path", "name", "value", "said"),
    [
        (BOARD, "schedule", "sometimes", "schedule=sometimes.*lru, speculative, never or eager"),
        (BOARD, "seed", "many", "seed"),
        (BOARD, "cache-ways", 4, "cache-ways=4: can only be given at the start"),
        (BOARD, "findings", 1, "findings"),
        (BOARD, "trace", 2, "trace=2: 0 or 1"),
        (BOARD, "fault-base", 1 << 32, "fault-base=4294967296"),
        (BOARD, "fault-size", (1 << 32) + 1, "fault-size=4294967297"),
        (BOARD, "nvme-latency-ns", 10**10, "nvme-latency-ns=10000000000: at most one second"),
        (STREAM, "tx-fifo-depth", 0, "tx-fifo-depth=0: 1 to 256 frames"),
        (STREAM, "rx-fifo-depth", 257, "rx-fifo-depth=257: 1 to 256 frames"),
        (STREAM, "word-interval-ns", 10**12, "word-interval-ns=1000000000000: at most one second"),
        (STREAM, "overruns", 1, "overruns"),
        (CHANNEL, "burst-interval-ns", 10**10, "burst-interval-ns=10000000000: at most one second"),
        (CHANNEL, "hold-at-byte", "many", "hold-at-byte"),
        (CHANNEL, "held", 1, "held"),
        (CHANNEL, "step", 1, "step=1: channel 2 is not held"),
        (CHANNEL, "release", 1, "release=1: channel 2 is not held"),
        (f"{BOARD}/channel[8]", "hold-at-burst", 1, r"channel\[8\]"),
    ],
)
def test_a_wrong_value_is_refused(
    board: Board, path: str, name: str, value: object, said: str
) -> None:
    """The error names what was set, and what would do; every property is as it was."""
    before = everything(board)
    with pytest.raises(MonitorError, match=said):
        board.qmp.set(name, value, path)
    assert everything(board) == before


@pytest.mark.parametrize(
    ("path", "name", "value", "said"),
    [
        (STREAM, "tx-fifo-depth", 4, "tx-fifo-depth=4: the FIFOs hold data"),
        (CHANNEL, "hold-at-burst", 3, "hold-at-burst=3: channel 2 has come to 3"),
        (CHANNEL, "hold-at-byte", 128, "hold-at-byte=128: channel 2 has come to 128"),
        (CHANNEL, "step", 2, "step=2: 1"),
        (CHANNEL, "release", 0, "release=0: 1"),
        (f"{BOARD}/channel[3]", "step", 1, "step=1: channel 3 is not held"),
    ],
)
def test_a_wrong_moment_is_refused(
    board: Board, path: str, name: str, value: int, said: str
) -> None:
    """While channel 2 is held before its third burst, and the device has a byte to send."""
    source, target = board.memory.allocate(4096), board.memory.allocate(4096)
    controller, channel = Controller(board), board.channel(2)
    channel.hold_at_burst = 3
    controller.start(copy(source.address, target.address, 4096), channel=2)
    board.qmp.set("word-interval-ns", 1_000_000_000, STREAM)
    board.request("poke", board.machine.stream.base, "8", 1)
    before = everything(board), [controller.read(at + 2 * 8) for at in (CSR0, CPC0)]
    assert (channel.held, channel.hold_at_burst) == (True, 0)
    with pytest.raises(MonitorError, match=said):
        board.qmp.set(name, value, path)
    assert (everything(board), [controller.read(at + 2 * 8) for at in (CSR0, CPC0)]) == before


def test_a_ninth_channel_is_refused(board: Board) -> None:
    """Python does not ask the monitor."""
    with pytest.raises(UsageError, match="channel 8 does not exist: they are 0 to 7"):
        board.channel(8)


def test_a_negative_number_is_refused(board: Board) -> None:
    """QEMU would take it for a huge one."""
    with pytest.raises(UsageError, match=r"seed=-1: .* such as seed=1"):
        board.qmp.set("seed", -1)
    assert board.qmp.get("seed") == 1
