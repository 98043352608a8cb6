# SPDX-License-Identifier: Apache-2.0
"""Programs for the PL330 that no driver should write: they fault, end or wait, and QEMU goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from microcode import (
    COPY_64,
    CPC0,
    END,
    FAULTING,
    FETCH,
    LD,
    LOCK_UP,
    NO_DATA,
    NOP,
    OPERAND,
    READ,
    ST,
    STOPPED,
    STZ,
    UNDEFINED,
    WAITING_EVENT,
    WAITING_PERIPHERAL,
    WMB,
    WRITE,
    Controller,
    loop,
    mov,
    wait_event,
    wait_for,
)

from dmav3 import Board
from dmav3.errors import FaultError, MachineFileError
from dmav3.installation import machines
from dmav3.machine.description import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MACHINE = "virt-a53"
END_OF_RAM = 0x44000000
_SAR, _CCR, _DAR = 0, 1, 2
#: What a program may come to, with FTRn.
OUTCOMES = {(state, 0) for state in (STOPPED, WAITING_EVENT, WAITING_PERIPHERAL)} | {
    (FAULTING, fault) for fault in (UNDEFINED, OPERAND, NO_DATA, READ, WRITE)
}


@pytest.fixture(scope="module", name="board")
def _board() -> Iterator[Board]:
    """Return a board that is not judged: bus errors are findings."""
    with Board(MACHINE, judge=False) as board:
        yield board


@pytest.fixture
def controller(board: Board) -> Controller:
    """Return a controller whose faults the firmware does not see."""
    board.reset()
    controller = Controller(board)
    controller.mask_abort()
    return controller


def ended(controller: Controller, program: bytes) -> tuple[int, int]:
    """Run a program; return the state and FTRn that it comes to. A kill must stop it."""
    controller.start(program)
    state, fault = controller.state(), controller.fault()
    controller.kill()
    controller.settle()
    assert controller.state() == STOPPED
    return state, fault


def copies(source: int, target: int) -> bytes:
    """Return the three DMAMOV of a copy."""
    return mov(_SAR, source) + mov(_DAR, target) + mov(_CCR, COPY_64)


def test_every_first_byte_faults_ends_or_waits(controller: Controller) -> None:
    """With zeroes behind it; two of them are loops that do not end, and can be killed."""
    running = {0x2C, 0x2D}
    for opcode in set(range(256)) - running:
        state, fault = ended(controller, bytes([opcode]) + bytes(7))
        assert (state, fault) in OUTCOMES, hex(opcode)
    for opcode in running:
        assert ended(controller, bytes([opcode]) + bytes(7))[0] not in {STOPPED, FAULTING}


@pytest.mark.parametrize("thread", [0, 1 | 3 << 8], ids=["manager", "channel 3"])
def test_every_debug_instruction_leaves_the_interface_usable(
    controller: Controller, thread: int
) -> None:
    """What it refuses faults the thread, and a kill ends that."""
    for opcode in range(256):
        controller.execute(0xFF << 24 | opcode << 16 | thread, 0xFFFFFFFF)
        controller.execute(0x00010000)
        controller.kill(3)
        assert controller.state(3) == STOPPED
    controller.start(END)
    assert controller.state() == STOPPED


@pytest.mark.parametrize(
    ("source", "target", "fault"),
    [
        (END_OF_RAM - 32, None, READ),
        (None, END_OF_RAM - 32, WRITE),
        (0xFFFFFFF0, None, READ),
        (None, 0xFFFFFFF0, WRITE),
    ],
)
def test_a_burst_over_the_end_of_memory_faults(
    board: Board, controller: Controller, source: int | None, target: int | None, fault: int
) -> None:
    """Neither beside it nor at address 0 is anything touched."""
    free = board.memory.staging.start + 4096
    program = copies(source or free, target or free) + LD + ST + WMB + END
    assert ended(controller, program) == (FAULTING, fault)


def test_a_program_that_runs_off_memory_faults(controller: Controller) -> None:
    """At the address where there is no instruction."""
    controller.execute(0x00A00000, END_OF_RAM)
    controller.settle()
    assert (controller.state(), controller.fault()) == (FAULTING, FETCH)
    assert controller.read(CPC0) == END_OF_RAM


def test_programs_that_do_not_end_leave_the_cpu_its_time(
    board: Board, controller: Controller
) -> None:
    """On all channels at once; a kill ends each."""
    controller.put(NOP + b"\x2c\x01")
    for channel in range(8):
        controller.execute(0x00A00000 | channel << 24, controller.program_at)
    board.wait(1_000_000)
    for channel in range(8):
        assert controller.state(channel) not in {STOPPED, FAULTING}
        controller.kill(channel)
        assert controller.state(channel) == STOPPED


def test_what_never_comes_is_waited_for(controller: Controller) -> None:
    """Until a kill."""
    assert ended(controller, wait_event(3) + END) == (WAITING_EVENT, 0)
    assert ended(controller, wait_for(1) + END) == (WAITING_PERIPHERAL, 0)


def test_a_program_may_overwrite_itself(controller: Controller) -> None:
    """What was in the instruction cache is executed, and the next start takes the new bytes."""
    at = controller.program_at
    program = mov(_DAR, at) + mov(_CCR, COPY_64) + STZ + WMB + END
    assert ended(controller, program) == (STOPPED, 0)
    controller.execute(0x00A00000, at)
    controller.settle()
    assert (controller.state(), controller.read(CPC0)) == (STOPPED, at + 1)


def test_a_program_cannot_steer_its_own_controller(board: Board, controller: Controller) -> None:
    """Its registers are not on its bus: an access faults, and QEMU does not wait for itself."""
    free, registers = board.memory.staging.start + 4096, board.machine.pl330[0].base
    words = 1 | 2 << 1 | (1 | 2 << 1) << 14
    for source, target, fault in ((registers, free, READ), (free, registers + 0xD04, WRITE)):
        program = mov(_SAR, source) + mov(_DAR, target) + mov(_CCR, words) + LD + ST + WMB + END
        assert ended(controller, program) == (FAULTING, fault)


def test_a_loop_of_loads_without_stores_locks_up(controller: Controller) -> None:
    """It does not take memory for ever."""
    free = controller.program_at + 4096
    program = copies(free, free) + loop(256, LD) + END
    assert ended(controller, program) == (FAULTING, LOCK_UP)


@pytest.mark.parametrize("bits", ["8", "16", "64"])
@pytest.mark.parametrize("access", [("peek",), ("poke", 1)], ids=["load", "store"])
def test_registers_take_32_bits_only(
    board: Board, controller: Controller, bits: str, access: tuple[str | int, ...]
) -> None:
    """Other accesses abort, and nothing is changed."""
    word, *value = access
    with pytest.raises(FaultError, match=f"run_{word}"):
        board.request(word, board.machine.pl330[0].base + 0x20, bits, *value)
    board.reset()
    assert controller.state() == STOPPED


@pytest.mark.parametrize("clock", [0, 999, 1_000_000_001, -1])
def test_a_clock_that_cannot_be_is_refused(tmp_path: Path, clock: int) -> None:
    """With the value, and what may be."""
    path = tmp_path / "board.yaml"
    path.write_text(
        machines()[MACHINE].read_text().replace("clock_hz: 200000000", f"clock_hz: {clock}")
    )
    with pytest.raises(MachineFileError, match=rf"clock_hz: .* 1000(000000)?, not {clock}$"):
        load(path)
