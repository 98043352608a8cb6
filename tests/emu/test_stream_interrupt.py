# SPDX-License-Identifier: Apache-2.0
"""The interrupt of the stream device, as a driver takes it (stream_interrupt.c)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from dmav3 import NtStatus
from dmav3.devices.stream import Control, Register, Status
from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.qemu.qmp import BOARD

if TYPE_CHECKING:
    from dmav3 import Board

STREAM = f"{BOARD}/stream"
pytestmark = pytest.mark.dmav3_image("stream_interrupt.c")


def peek(board: Board, register: Register) -> int:
    """Return what the CPU reads from a register."""
    return board.request("peek", board.machine.stream.base + register, "32").number("value")


def poke(board: Board, register: Register, value: int) -> None:
    """Let the CPU write a register."""
    board.request("poke", board.machine.stream.base + register, "32", value)


def listen(board: Board, causes: Status, *, takes_data: bool = True) -> None:
    """Let the driver connect the interrupt and enable what causes it."""
    assert board.call("listen", causes, takes_data) == {"status": NtStatus.STATUS_SUCCESS}


def test_received_data_interrupts(board: Board) -> None:
    """The level stands until the data is read and the cause acknowledged; then it is quiet."""
    listen(board, Status.RECEIVE_DATA)
    poke(board, Register.CONTROL, Control.RECEIVE_REQUEST)
    assert board.call("seen")["interrupts"] == 0
    board.stream.receive_put(b"abc")
    assert board.wait(1_000_000, "irq") == "irq"
    seen = board.call("seen")
    assert (seen["bytes"], seen["sum"]) == (3, sum(b"abc"))
    assert seen["causes"] & Status.RECEIVE_DATA
    assert not peek(board, Register.INTERRUPT_STATUS) & Status.RECEIVE_DATA
    assert board.wait(1_000_000, "irq") == "time"


def test_each_frame_interrupts_at_its_time(board: Board) -> None:
    """A frame each interval: as many interrupts, none of them before its frame."""
    board.qmp.set("word-interval-ns", 1_000_000, STREAM)
    listen(board, Status.RECEIVE_DATA)
    poke(board, Register.CONTROL, Control.RECEIVE_REQUEST)
    board.stream.receive_put(b"xyz")
    assert board.wait(900_000, "irq") == "time"
    for count in (1, 2, 3):
        assert board.wait(1_000_000, "irq") == "irq"
        assert board.call("seen")["bytes"] == count
    assert board.wait(2_000_000, "irq") == "time"


def test_what_is_not_enabled_is_only_noted(board: Board) -> None:
    """Of an underrun the status stays, and interrupts as soon as it is enabled."""
    board.request("peek", board.machine.stream.base, "8")
    assert peek(board, Register.INTERRUPT_STATUS) & Status.UNDERRUN
    assert board.wait(1000, "irq") == "time"
    listen(board, Status.UNDERRUN)
    assert board.wait(1000, "irq") == "time"  # it has been taken inside of the command
    seen = board.call("seen")
    assert (seen["interrupts"], seen["causes"] & Status.UNDERRUN) == (1, Status.UNDERRUN)
    assert not (peek(board, Register.STATUS) | peek(board, Register.INTERRUPT_STATUS)) & (
        Status.UNDERRUN
    )


def test_a_cause_that_lasts_cannot_be_acknowledged(board: Board) -> None:
    """There is room, so it is pending again at once; unknown bits are not kept."""
    poke(board, Register.INTERRUPT_STATUS, Status.TRANSMIT_ROOM)
    assert peek(board, Register.INTERRUPT_STATUS) == Status.TRANSMIT_ROOM
    poke(board, Register.INTERRUPT_ENABLE, 0xFFFFFFF0)
    assert peek(board, Register.INTERRUPT_ENABLE) == 0


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(name, marks=pytest.mark.dmav3_machine(name))
        for name in ("virt-a53", "virt-a53-coherent")
    ],
)
def test_it_comes_while_a_channel_runs(board: Board, machine: str) -> None:
    """A transfer through the device interrupts the CPU all the time, and runs are equal."""
    assert board.machine.name == machine
    logs = []
    for _ in range(2):
        board.qmp.set("word-interval-ns", 700, STREAM)
        listen(board, Status.RECEIVE_DATA, takes_data=False)
        outcome = MainJob(StreamPeripheral(board, 8)).run(io.BytesIO(bytes(range(256)) * 8))
        assert len({digest.hexdigest() for digest in outcome.digests.values()}) == 1
        assert board.call("seen")["interrupts"] > 100
        logs.append([record for record in board.evidence.events.all() if not record.ungated])
        board.reset()
    assert logs[0] == logs[1]
