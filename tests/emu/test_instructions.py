# SPDX-License-Identifier: Apache-2.0
"""Every instruction that the firmware emits does on the emulated controller what its name says."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from emitter import (
    ALWAYS,
    BURST,
    CCR,
    DAR,
    IF_BURST,
    IF_SINGLE,
    LC0,
    LC1,
    NO_REGISTER,
    PERIPHERAL,
    SAR,
    SINGLE,
    Program,
)
from microcode import (
    CPC0,
    CSR0,
    FTR0,
    INT_EVENT_RIS,
    INTCLR,
    INTEN,
    Controller,
    two,
)

from dmav3.devices.stream import Control, Register

if TYPE_CHECKING:
    from dmav3 import Board

SAR0, DAR0, CCR0, INTMIS = 0x400, 0x404, 0x408, 0x028
STOPPED, EXECUTING, UPDATING_PC, WAITING_FOR_EVENT = 0, 1, 3, 4
WAITING_FOR_PERIPHERAL, FAULTING = 7, 15
#: Request lines: nobody's, and so always ready; the stream's, which is busy until it is enabled.
READY, BUSY = 9, 1
#: The finding of a program that takes a request and moves nothing for it.
UNUSED = "microcode-unused-request"
#: An event that is no interrupt of the firmware's.
EVENT = 9
#: 4 bytes a beat, one beat; the same in bursts of 4: both sides incrementing.
WORDS, WORD_BURSTS = 0x00014005, 0x000D4035
#: The abort interrupt of the PL330, 176 + 32, in the distributor's ICENABLER.
DISABLE_ABORT = (0x08000180 + 4 * 6, "32", 1 << 16)


class Bench:
    """A controller, four kilobytes to load, and as much to store to."""

    def __init__(self, board: Board) -> None:
        """Let no fault reach the firmware, which would clear it."""
        self.board, self.controller = board, Controller(board)
        source, target = two(board, 4096)
        self.source, self.target = source.address, target.address
        self.data = board.dram.read(self.source, 4096)
        board.request("poke", *DISABLE_ABORT)

    def program(self, control: int = WORDS) -> Program:
        """Return a program that has set its registers."""
        begun = Program().emit("move", SAR, self.source).emit("move", DAR, self.target)
        return begun.emit("move", CCR, control)

    def run(self, program: Program, channel: int = 0) -> None:
        """Start it; it runs until it ends or waits."""
        self.controller.start(bytes(program), channel)

    def state(self, channel: int = 0) -> int:
        """Return the state of a channel."""
        return self.controller.read(CSR0 + 8 * channel) & 0xF

    def at(self, channel: int = 0) -> int:
        """Return the offset in the program of the next instruction."""
        return self.controller.read(CPC0 + 8 * channel) - self.controller.program_at

    def loaded(self) -> int:
        """Return the bytes by which the source has advanced."""
        return self.controller.read(SAR0) - self.source

    def stored(self) -> int:
        """Return the bytes by which the target has advanced."""
        return self.controller.read(DAR0) - self.target

    def has_copied(self, size: int) -> bool:
        """Return whether the target has so many bytes of the source, and no more."""
        target = self.board.dram.read(self.target, 4096)
        return target == self.data[:size] + bytes(4096 - size)


@pytest.fixture
def bench(board: Board) -> Bench:
    """Return a bench."""
    return Bench(board)


def test_end_stops_the_channel(bench: Bench) -> None:
    """DMAEND: what is behind it is not executed."""
    bench.run(Program().emit("end").emit("undefined"))
    assert (bench.state(), bench.at()) == (STOPPED, 1)


def test_kill_stops_the_channel(bench: Bench) -> None:
    """DMAKILL, by the debug interface: a channel that waits has stopped."""
    bench.run(Program().emit("wait_event", EVENT, False).emit("end"))  # noqa: FBT003 - an operand
    assert bench.state() == WAITING_FOR_EVENT
    bench.controller.execute_code(bytes(Program().emit("kill")), channel=0)
    assert bench.state() == STOPPED


def test_nop_does_nothing(bench: Bench) -> None:
    """DMANOP: the next instruction follows."""
    bench.run(bench.program().emit("nop").emit("nop").emit("end"))
    assert (bench.state(), bench.at()) == (STOPPED, 21)
    assert bench.has_copied(0)


@pytest.mark.parametrize(
    ("name", "operands", "fault"),
    [("undefined", (), 1 << 0), ("move", (NO_REGISTER, 1), 1 << 1)],
)
def test_what_is_no_instruction_faults(
    bench: Bench, name: str, operands: tuple[int, ...], fault: int
) -> None:
    """An undefined opcode and an operand that cannot be: FTR says which; a kill clears it."""
    bench.run(Program().emit("nop").emit(name, *operands).emit("end"))
    assert (bench.state(), bench.controller.read(FTR0)) == (FAULTING, fault)
    bench.controller.kill()
    assert (bench.state(), bench.controller.read(FTR0)) == (STOPPED, 0)


def test_move_sets_each_register(bench: Bench) -> None:
    """DMAMOV SAR, CCR, DAR."""
    values = {SAR: 0x12345678, CCR: 0x003DC0F7, DAR: 0x9ABCDEF0}
    program = Program()
    for register, value in values.items():
        program.emit("move", register, value)
    bench.run(program.emit("end"))
    seen = [bench.controller.read(register) for register in (SAR0, CCR0, DAR0)]
    assert seen == list(values.values())


def test_add_and_subtract_change_addresses(bench: Bench) -> None:
    """DMAADDH and DMAADNH, SAR and DAR, smallest and largest."""
    program = bench.program().emit("add", SAR, 0xFFFF).emit("add", DAR, 1)
    bench.run(program.emit("end"))
    assert (bench.loaded(), bench.stored()) == (0xFFFF, 1)
    program = bench.program().emit("subtract", SAR, 1).emit("subtract", DAR, 0x10000)
    bench.run(program.emit("end"))
    assert (bench.loaded(), bench.stored()) == (-1, -0x10000)


@pytest.mark.parametrize("control", [WORDS, WORD_BURSTS])
def test_load_and_store_move_a_burst(bench: Bench, control: int) -> None:
    """DMALD and DMAST: as many beats as the control register says; barriers let them finish."""
    program = bench.program(control).emit("load", ALWAYS).emit("read_barrier")
    bench.run(program.emit("store", ALWAYS).emit("write_barrier").emit("end"))
    size = 4 if control == WORDS else 16
    assert (bench.loaded(), bench.stored(), bench.state()) == (size, size, STOPPED)
    assert bench.has_copied(size)


@pytest.mark.parametrize("request_type", [SINGLE, PERIPHERAL, BURST])
@pytest.mark.parametrize("of_peripheral", [False, True])
def test_conditions_are_those_of_the_request(
    bench: Bench, request_type: int, *, of_peripheral: bool
) -> None:
    """S moves a beat after a single request, B a burst after another one; else nothing.

    On this controller a request that the peripheral decides is a burst.
    """
    suffix, line = ("_peripheral", (READY,)) if of_peripheral else ("", ())
    for condition, size in ((IF_SINGLE, 4), (IF_BURST, 16)):
        applies = (condition == IF_SINGLE) == (request_type == SINGLE)
        program = bench.program(WORDS if condition == IF_SINGLE else WORD_BURSTS)
        program.emit("flush_peripheral", READY).emit("wait_peripheral", request_type, READY)
        program.emit("load" + suffix, condition, *line).emit("store" + suffix, condition, *line)
        with nullcontext() if applies else bench.board.expect(UNUSED):
            bench.run(program.emit("end"))
        moved = size if applies else 0
        assert (bench.loaded(), bench.stored(), bench.state()) == (moved, moved, STOPPED)


def test_a_single_load_is_of_one_beat(bench: Bench) -> None:
    """DMALDS after a single request: one beat, whatever the length of a burst."""
    program = bench.program(0x00014035)  # loads of 4 beats, stores of 1
    program.emit("flush_peripheral", READY).emit("wait_peripheral", SINGLE, READY)
    program.emit("load", IF_SINGLE).emit("store", ALWAYS)
    bench.run(program.emit("end"))
    assert (bench.loaded(), bench.stored(), bench.state()) == (4, 4, STOPPED)


def test_store_zeroes_clears(bench: Bench) -> None:
    """DMASTZ: zeroes of a burst, without a load."""
    bench.run(
        bench.program(WORD_BURSTS)
        .emit("load", ALWAYS)
        .emit("store", ALWAYS)
        .emit("move", DAR, bench.target)
        .emit("store_zeroes")
        .emit("write_barrier")
        .emit("end")
    )
    assert (bench.loaded(), bench.stored()) == (16, 16)
    assert bench.has_copied(0)


@pytest.mark.parametrize("request_type", [SINGLE, PERIPHERAL, BURST])
def test_wait_peripheral_waits_for_its_line(bench: Bench, request_type: int) -> None:
    """DMAWFP: at a busy line the channel stands at it, and goes on when the line is ready."""
    stream = bench.board.machine.stream.base + Register.CONTROL
    program = bench.program().emit("wait_peripheral", request_type, BUSY)
    bench.run(program.emit("add", SAR, 8).emit("end"))
    assert (bench.state(), bench.at(), bench.loaded()) == (WAITING_FOR_PERIPHERAL, 18, 0)
    with bench.board.expect(UNUSED):
        bench.board.request("poke", stream, "32", Control.TRANSMIT_REQUEST)
        bench.board.wait(1000)
    assert (bench.state(), bench.loaded()) == (STOPPED, 8)


def test_flush_peripheral_passes(bench: Bench) -> None:
    """DMAFLUSHP: nothing is seen of it where there is no request to drop."""
    program = bench.program().emit("flush_peripheral", BUSY).emit("add", SAR, 8)
    bench.run(program.emit("end"))
    assert (bench.state(), bench.loaded()) == (STOPPED, 8)


def test_send_event_is_an_event_or_an_interrupt(bench: Bench) -> None:
    """DMASEV: pending, and an interrupt if INTEN says so."""
    controller = bench.controller
    bench.run(Program().emit("send_event", EVENT).emit("end"))
    assert (controller.read(INT_EVENT_RIS), controller.read(INTMIS)) == (1 << EVENT, 0)
    enabled = controller.read(INTEN)
    controller.write(INTEN, enabled | 1 << (EVENT + 1))
    controller.execute_code(bytes(Program().emit("send_event", EVENT + 1)))  # by the manager
    assert controller.read(INTMIS) == 1 << (EVENT + 1)
    controller.write(INTCLR, 1 << (EVENT + 1))
    controller.write(INTEN, enabled)
    assert controller.read(INTMIS) == 0


@pytest.mark.parametrize("invalidate", [0, 1])
def test_wait_event_waits_for_its_event(bench: Bench, invalidate: int) -> None:
    """DMAWFE: until the event is sent, which takes it."""
    program = bench.program().emit("wait_event", EVENT, invalidate).emit("add", SAR, 8)
    bench.run(program.emit("end"))
    assert (bench.state(), bench.loaded()) == (WAITING_FOR_EVENT, 0)
    assert bench.controller.read(CSR0) >> 4 & 0x1F == EVENT
    bench.controller.execute_code(bytes(Program().emit("send_event", EVENT)))
    assert (bench.state(), bench.loaded()) == (STOPPED, 8)
    assert bench.controller.read(INT_EVENT_RIS) == 0


@pytest.mark.parametrize("counter", [LC0, LC1])
@pytest.mark.parametrize("rounds", [1, 2, 256])
def test_a_loop_is_counted(bench: Bench, counter: int, rounds: int) -> None:
    """DMALP and DMALPEND: so many rounds, with either counter."""
    program = bench.program().emit("loop", counter, rounds)
    body = len(program)
    program.emit("add", SAR, 3).emit("loop_end", counter, ALWAYS, body).emit("end")
    bench.run(program)
    assert (bench.state(), bench.loaded()) == (STOPPED, 3 * rounds)


@pytest.mark.parametrize("counter", [LC0, LC1])
@pytest.mark.parametrize("condition", [IF_SINGLE, IF_BURST])
@pytest.mark.parametrize("request_type", [SINGLE, BURST])
def test_a_loop_end_may_have_a_condition(
    bench: Bench, counter: int, condition: int, request_type: int
) -> None:
    """DMALPENDS and DMALPENDB go back after that request only, and count only then."""
    program = bench.program().emit("flush_peripheral", READY)
    program.emit("wait_peripheral", request_type, READY).emit("loop", counter, 5)
    body = len(program)
    program.emit("add", SAR, 3).emit("loop_end", counter, condition, body).emit("end")
    with bench.board.expect(UNUSED):
        bench.run(program)
    applies = (condition == IF_SINGLE) == (request_type == SINGLE)
    assert (bench.state(), bench.loaded()) == (STOPPED, 15 if applies else 3)


@pytest.mark.parametrize("condition", [ALWAYS, IF_SINGLE, IF_BURST])
@pytest.mark.parametrize("request_type", [SINGLE, BURST])
def test_an_endless_loop_ends_by_its_condition_only(
    bench: Bench, condition: int, request_type: int
) -> None:
    """DMALPEND of DMALPFE goes back for ever, with S or B after that request only."""
    program = bench.program().emit("flush_peripheral", READY)
    program.emit("wait_peripheral", request_type, READY)
    body = len(program)
    program.emit("add", SAR, 3).emit("endless_loop_end", condition, body).emit("end")
    applies = condition == ALWAYS or (condition == IF_SINGLE) == (request_type == SINGLE)
    with nullcontext() if applies else bench.board.expect(UNUSED):
        bench.run(program)
    if applies:
        assert bench.state() in {EXECUTING, UPDATING_PC}
        before = bench.loaded()
        bench.board.wait(100_000)
        assert bench.loaded() > before
        bench.controller.kill()
    else:
        assert (bench.state(), bench.loaded()) == (STOPPED, 3)


def test_go_starts_a_channel(bench: Bench) -> None:
    """DMAGO: the channel it names, secure or not, at the address."""
    go = bytes(Program().emit("wait_event", EVENT, 0).emit("end"))
    for channel, nonsecure in ((0, 0), (7, 1)):
        bench.controller.put(go)
        program = Program().emit("go", channel, nonsecure, bench.controller.program_at)
        bench.controller.execute_code(bytes(program))
        # A non-secure channel has no event here, and faults at it.
        state = FAULTING if nonsecure else WAITING_FOR_EVENT
        assert bench.state(channel) == state
        assert bench.controller.read(CSR0 + 8 * channel) >> 21 & 1 == nonsecure
        bench.controller.kill(channel)
        bench.controller.program_at += 64
