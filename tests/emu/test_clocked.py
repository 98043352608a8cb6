# SPDX-License-Identifier: Apache-2.0
"""The PL330 with a clock: transfers take time while the CPU goes on, and can be held anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from microcode import (
    CCR0,
    COPY_64,
    CSR0,
    DAR0,
    DBGCMD,
    DBGINST0,
    DBGINST1,
    END,
    FAULTING,
    INTEN,
    INTMIS,
    LD,
    READ,
    SAR0,
    ST,
    STOPPED,
    WAITING_EVENT,
    WMB,
    Controller,
    copy,
    loop,
    mov,
    send_event,
    two,
    wait_event,
)

from dmav3.evidence.probe import Kind

if TYPE_CHECKING:
    from dmav3 import Board

SIZE, LONG = 4096, 1 << 14
HOLE = 0x0F800000
_SAR, _CCR, _DAR = 0, 1, 2


@pytest.fixture(name="board")
def _board(dmav3_board: Board) -> Board:
    return dmav3_board


def in_pairs(source: int, target: int, *, nonsecure: bool = False) -> bytes:
    """Return a program that copies SIZE bytes and has 128 bytes in the FIFO at times."""
    control = COPY_64 | nonsecure * 0x00800200
    setup = mov(_SAR, source) + mov(_DAR, target) + mov(_CCR, control)
    return setup + loop(SIZE // 128, LD + LD + ST + ST) + WMB + END


def test_a_transfer_goes_on_while_the_cpu_looks(board: Board) -> None:
    """Its registers move on from one look to the next, and the interrupt comes at the end."""
    source, target = two(board, LONG)
    controller = Controller(board)
    controller.write(INTEN, 1 << 9)
    board.channel(0).burst_interval_ns = 1000
    controller.begin(copy(source.address, target.address, LONG)[:-1] + send_event(9) + END)
    places = [controller.read(SAR0) for _ in range(3)]
    assert controller.state() != STOPPED
    assert source.address < places[0] < places[1] < places[2] < source.address + LONG
    assert controller.read(INTMIS) == 0
    controller.settle()
    assert controller.state() == STOPPED
    assert controller.read(INTMIS) == 1 << 9
    assert board.dram.read(target.address, LONG) == board.dram.read(source.address, LONG)


@pytest.mark.parametrize("at", [1, 63, 64, 65, 128, 2047, 2048, 4032, 4033, 4095])
def test_a_transfer_is_held_at_any_byte(board: Board, at: int) -> None:
    """What was stored is in memory, the rest is not; let go, it ends as if nothing had been."""
    source, target = two(board, SIZE)
    channel = board.channel(0)
    channel.hold_at_byte = at
    controller = Controller(board)
    controller.start(in_pairs(source.address, target.address))
    assert channel.held
    begun, stored = at // 64 * 64, at // 128 * 128
    assert controller.read(SAR0) == source.address + begun
    assert controller.read(DAR0) == target.address + stored
    moved = board.dram.read(source.address, stored)
    assert board.dram.read(target.address, SIZE) == moved + bytes(SIZE - stored)
    channel.release()
    controller.settle()
    assert controller.state() == STOPPED
    assert board.dram.read(target.address, SIZE) == board.dram.read(source.address, SIZE)


def test_each_step_executes_one_burst_in_no_time(board: Board) -> None:
    """Between two steps the gate is closed."""
    source, target = two(board, SIZE)
    channel = board.channel(0)
    channel.hold_at_burst = 1
    controller = Controller(board)
    controller.start(in_pairs(source.address, target.address))
    now = board.evidence.probe.time_ns
    for burst in range(1, SIZE // 64):
        channel.step()
        assert channel.held
        stored = (burst - burst % 2) * 64
        expected = board.dram.read(source.address, stored) + bytes(SIZE - stored)
        assert board.dram.read(target.address, SIZE) == expected
    assert board.evidence.probe.time_ns == now
    channel.step()
    controller.settle()
    assert controller.state() == STOPPED
    assert board.dram.read(target.address, SIZE) == board.dram.read(source.address, SIZE)


def test_a_killed_channel_is_as_good_as_new(board: Board) -> None:
    """Wherever it was, with bytes in the FIFO too; no process and no reset is needed."""
    controller, channel = Controller(board), board.channel(0)
    for burst in range(1, 20):
        source, target = two(board, SIZE)
        channel.hold_at_burst = burst
        controller.start(in_pairs(source.address, target.address))
        assert channel.held
        controller.kill()
        assert controller.state() == STOPPED
        source, target = two(board, SIZE)
        controller.start(in_pairs(source.address, target.address))
        assert controller.state() == STOPPED
        assert board.dram.read(target.address, SIZE) == board.dram.read(source.address, SIZE)


def test_a_bus_error_is_a_fault_of_its_channel(board: Board) -> None:
    """The other channel goes on, and after a kill so does this one."""
    controller = Controller(board)
    source, target = two(board, SIZE)
    controller.mask_abort()
    controller.start(wait_event(3) + END, 1)
    with board.expect("bus-error"):
        controller.start(in_pairs(HOLE, target.address))
    assert (controller.state(), controller.fault()) == (FAULTING, READ)
    assert controller.state(1) == WAITING_EVENT
    controller.kill()
    controller.start(in_pairs(source.address, target.address))
    assert controller.state() == STOPPED
    assert board.dram.read(target.address, SIZE) == board.dram.read(source.address, SIZE)


def test_a_reset_forgets_everything(board: Board) -> None:
    """Registers are those of a new controller, though it was reset in the middle of a transfer."""
    controller = Controller(board)
    source, target = two(board, SIZE)
    controller.begin(in_pairs(source.address, target.address))
    board.reset()
    controller = Controller(board)
    assert [controller.read(it) for it in (CSR0, SAR0, DAR0, CCR0)] == [0, 0, 0, 0x00800200]


def mistakes(source: int, target: int) -> dict[str, bytes]:
    """Return a program for each mistake, by the finding that it gives."""
    setup = mov(_SAR, source) + mov(_DAR, target) + mov(_CCR, COPY_64)
    back = mov(_SAR, target)
    words = mov(_SAR, target - 8) + mov(_DAR, target) + mov(_CCR, 0x0001C007)
    take = b"\x30\x48"  # DMAWFP S, of a line that always asks
    flush = b"\x35\x48"
    return {
        "microcode-early-event": setup + LD + ST + send_event(9) + END,
        "microcode-early-load": words + LD + ST + LD + WMB + back + END,
        "microcode-unused-request": setup + flush + take + b"\x07\x0b" + END,
        "microcode-old-request": setup + take + LD + ST + WMB + END,
        "microcode-full-fifo": setup + loop(33, LD) + loop(33, ST) + WMB + END,
    }


@pytest.mark.parametrize("kind", mistakes(8, 64))
def test_a_mistake_of_a_program_is_a_finding(board: Board, kind: str) -> None:
    """It names channel and instruction; the programs above have none."""
    source, target = two(board, SIZE)
    controller = Controller(board)
    controller.mask_abort()
    with board.expect(kind):
        controller.start(mistakes(source.address, target.address + 64)[kind])
    controller.kill()


def test_a_finding_of_a_program_shows_the_instruction(board: Board) -> None:
    """Disassembled, with its address."""
    source, target = two(board, SIZE)
    controller = Controller(board)
    with board.expect("microcode-early-event"):
        controller.start(mistakes(source.address, target.address)["microcode-early-event"])
        (finding,) = board.findings()
    assert f"channel 0: DMASEV E9 at {controller.program_at + 20:#x}" in finding.text


def test_a_program_that_is_changed_while_it_runs_is_a_finding(board: Board) -> None:
    """It goes on with what it has fetched; once it has ended it may be changed."""
    source, target = two(board, SIZE)
    controller, channel = Controller(board), board.channel(0)
    channel.hold_at_burst = 5
    controller.start(in_pairs(source.address, target.address))
    with board.expect("microcode-changed-program"):
        controller.put(END * 8)
        channel.release()
        controller.settle()
    assert board.dram.read(target.address, SIZE) == board.dram.read(source.address, SIZE)
    controller.start(in_pairs(source.address, target.address))
    controller.put(END * 8)
    controller.start(in_pairs(source.address, target.address))
    controller.kill()
    controller.put(END * 8)


def test_the_nonsecure_registers_show_and_change_nothing_that_is_secure(board: Board) -> None:
    """Neither the manager nor a secure channel; a non-secure channel they show, and kill."""
    source, target = two(board, SIZE)
    controller = Controller(board)
    base = board.machine.pl330[0].nonsecure_base
    assert base is not None

    def seen(register: int) -> int:
        return board.request("peek", base + register, "32").number("value")

    for nonsecure in (False, True):
        board.channel(0).hold_at_burst = 5
        controller.start(
            in_pairs(source.address, target.address, nonsecure=nonsecure), nonsecure=nonsecure
        )
        assert controller.read(SAR0) == source.address + 256
        assert seen(SAR0) == nonsecure * (source.address + 256)
        assert seen(CSR0) == nonsecure * controller.read(CSR0)
        for register, value in ((DBGINST0, 0x00010001), (DBGINST1, 0), (DBGCMD, 0)):
            board.request("poke", base + register, "32", value)
        assert (controller.state() == STOPPED) == nonsecure
        controller.kill()


def test_equal_commands_give_equal_logs(board: Board) -> None:
    """To the nanosecond, with a hold in the middle."""
    logs = []
    for _ in range(2):
        board.reset()
        source, target = two(board, SIZE)
        board.channel(0).hold_at_byte = 1000
        controller = Controller(board)
        controller.start(in_pairs(source.address, target.address))
        board.channel(0).release()
        controller.settle()
        records = board.evidence.events.all()
        assert any(record.kind == Kind.HELD for record in records)
        logs.append(records)
    assert logs[0] == logs[1]
