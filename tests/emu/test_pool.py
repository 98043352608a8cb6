# SPDX-License-Identifier: Apache-2.0
"""A board that was used and reset is as good as a fresh one, or is not handed out again."""

from __future__ import annotations

import io
import os
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from microcode import (
    CSR0,
    DSR,
    END,
    FAULTING,
    SAR0,
    STOPPED,
    WAITING_EVENT,
    WAITING_PERIPHERAL,
    Controller,
    copy,
    mov,
    send_event,
    wait_event,
    wait_for,
)

from dmav3.job.main import MainJob
from dmav3.job.stream import StreamPeripheral
from dmav3.machine.description import load
from dmav3.testing.marks import Wanted
from dmav3.testing.pool import Pool
from dmav3.wdm import DISPATCH_LEVEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3 import Board

STREAM = "/machine/peripheral/dmav3/stream"
MACHINES = ("virt-a53", "virt-a53-coherent")
GICD, GICC = 0x08000000, 0x08010000
PAGE = 4096

#: Registers that reading does not change: of the GIC, the PL330, the stream, our page's nonce.
GIC_REGISTERS = [
    *(GICD + offset for offset in (0x000, 0x004)),
    *(GICD + group + 4 * n for group in (0x080, 0x100, 0x200, 0x300) for n in range(9)),
    *(GICD + group + 4 * n for group in (0x400, 0x800) for n in range(72)),
    *(GICD + 0xC00 + 4 * n for n in range(18)),
    *(GICC + offset for offset in (0x00, 0x04, 0x08, 0x14, 0x18)),
]
PL330_REGISTERS = [
    *(0x000, 0x004, 0x020, 0x024, 0x028, 0x030, 0x034, 0x038),
    *(0x040 + 4 * n for n in range(8)),
    *(0x100 + 4 * n for n in range(16)),
    *(0x400 + 0x20 * n + offset for n in range(8) for offset in (0x0, 0x4, 0x8, 0xC, 0x10)),
    *(0xD00, 0xE00, 0xE04, 0xE08, 0xE0C, 0xE10, 0xE14),
]
STREAM_REGISTERS = (0x04, 0x08, 0x0C, 0x10)


@dataclass(frozen=True)
class State:
    """What a test can tell two boards apart by, as far as they stand still."""

    cpu: list[bytes]
    dram: list[bytes]
    lines: bytes
    findings: int
    time_ns: int
    log: list[object]
    registers: dict[int, int]


def pages(data: bytes) -> list[bytes]:
    """Cut into pages, so that a difference has a place."""
    return [data[at : at + PAGE] for at in range(0, len(data), PAGE)]


def state(board: Board) -> State:
    """Look at everything: first from outside, then through the guest's CPU."""
    base, size = board.evidence.probe.ram_base, board.evidence.probe.ram_size
    stood = State(
        cpu=pages(board.cpu.read(base, size)),
        dram=pages(board.dram.read(base, size)),
        lines=board.evidence.probe.states(),
        findings=len(board.findings()),
        time_ns=board.evidence.probe.time_ns,
        log=[record for record in board.evidence.events.all() if not record.ungated],
        registers={},
    )
    pl330, stream = board.machine.pl330[0].base, board.machine.stream.base
    for address in (
        *GIC_REGISTERS,
        *(pl330 + offset for offset in PL330_REGISTERS),
        *(stream + offset for offset in STREAM_REGISTERS),
    ):
        stood.registers[address] = board.request("peek", address, "32").number("value")
    return stood


def use(board: Board) -> None:
    """Leave traces everywhere that a test can reach."""
    job = MainJob(StreamPeripheral(board, 16))
    job.run(io.BytesIO(random.Random(3).randbytes(50_000)))  # noqa: S311 - to be repeatable
    board.request("allocate", 100_000)
    board.request("KeRaiseIrql", DISPATCH_LEVEL)
    for region in ("arena", "scatter"):
        board.fill(board.memory.allocate(70_000, region=region), 0x77)
    for address in (0x40000000, 0x400FFF00, 0x40100000):  # where QEMU puts its device tree
        Controller(board).start(copy(board.memory.staging.start, address, 256))
    board.request("poke", GICD + 0x100 + 4 * 8, "32", 0xF0)
    board.qmp.set("word-interval-ns", 1_000_000, STREAM)
    board.qmp.set("seed", 99)
    board.request("poke", board.machine.stream.base, "32", 0x12345678)
    board.stream.receive_put(b"left over")
    board.qemu.link.send(b"@77 half a line")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """Return a pool whose boards all have the same nonce, which the guest can read."""
    monkeypatch.setattr("dmav3.board.emulator.secrets.randbits", lambda _: 0x1234567890ABCDEF)
    with Pool() as running:
        yield running


def kill_a_channel(board: Board) -> None:
    """End a channel that waits for a peripheral by DMAKILL; its request was a burst."""
    controller = Controller(board)
    controller.start(END, 3, nonsecure=True)
    controller.start(b"\x20\x07\x32\x08\x00", 2)  # LC0 = 7, wait for a burst
    assert controller.state(2) == WAITING_PERIPHERAL
    controller.kill(2)
    assert controller.state(2) == STOPPED


def wait_for_ever(board: Board) -> None:
    """Leave channels waiting for the stream, which is never ready, and for an event."""
    controller = Controller(board)
    controller.start(wait_for(1) + END)
    controller.program_at += 64
    controller.start(wait_event(9) + END, 1)
    assert (controller.state(0), controller.state(1)) == (WAITING_PERIPHERAL, WAITING_EVENT)


def hold(board: Board) -> None:
    """Leave a channel held before its second burst."""
    address = board.memory.allocate(4096).address
    board.channel(4).hold_at_burst = 2
    Controller(board).start(copy(address, address + 2048, 2048), 4)
    assert board.channel(4).held


def fault(board: Board) -> None:
    """Leave a channel and the manager faulting, and a program running that never ends."""
    controller = Controller(board)
    controller.mask_abort()
    controller.start(b"\x2c\x00", 1)
    controller.program_at += 64
    controller.start(b"\xff")
    controller.execute(0x00180000)
    assert (controller.state(), controller.read(DSR)) == (FAULTING, FAULTING)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("used", [use, kill_a_channel, wait_for_ever, hold, fault])
def test_a_used_board_is_as_a_fresh_one(
    pool: Pool, machine: str, used: Callable[[Board], object]
) -> None:
    """Image, bss, heap, all other RAM in both views, lines, log, time and registers are equal."""
    wanted = Wanted(load(machine))
    board = pool.take(wanted)
    fresh = state(board)
    used(board)
    pool.give_back(board, wanted)
    again = pool.take(wanted)
    assert again is board
    renewed = state(again)
    assert pool.started == 1
    for name, value in vars(fresh).items():
        assert getattr(renewed, name) == value, name


@pytest.mark.parametrize("machine", MACHINES)
def test_a_reset_brings_the_image_back(pool: Pool, machine: str) -> None:
    """Code that the guest has changed, and run so, does again what the image says."""
    wanted = Wanted(load(machine))
    board = pool.take(wanted)
    fresh = state(board)
    assert "irql" in board.request("KeGetCurrentIrql").values
    code = board.image.symbol("run_KeGetCurrentIrql").address
    board.request("poke", code, "32", 0xD2800000)  # mov x0, #0
    board.request("poke", code + 4, "32", 0xD65F03C0)  # ret
    board.request("clean", code, 8)
    assert "irql" not in board.request("KeGetCurrentIrql").values
    pool.give_back(board, wanted)
    again = pool.take(wanted)
    assert again is board
    renewed = state(again)
    assert (renewed.cpu, renewed.dram) == (fresh.cpu, fresh.dram)
    assert "irql" in again.request("KeGetCurrentIrql").values


def test_a_reset_forgets_the_event_that_was_waited_for(pool: Pool) -> None:
    """Also when the channel is started again."""
    wanted = Wanted(load("virt-a53"))
    for program in (send_event(9) + wait_event(9) + END, END):
        board = pool.take(wanted)
        Controller(board).start(program)
        shown = Controller(board).read(CSR0)
        pool.give_back(board, wanted)
    assert (pool.started, shown) == (1, 0)


def test_a_reset_forgets_the_type_of_request(pool: Pool) -> None:
    """A program with conditional loads does what it does on a fresh board, whatever came before."""
    wanted = Wanted(load("virt-a53"))
    moved = []
    for before in (END, b"\x32\x48" + END):  # nothing; a burst from a line that is ready
        board = pool.take(wanted)
        Controller(board).start(before)
        pool.give_back(board, wanted)
        board = pool.take(wanted)
        at = board.memory.allocate(128).address
        single, burst = b"\x05\x09", b"\x07\x0b\x07\x0b"
        program = mov(0, at) + mov(2, at + 64) + mov(1, 0x0001C007) + single + burst + END
        Controller(board).start(program)
        moved.append(Controller(board).read(SAR0) - at)
        pool.give_back(board, wanted)
    assert pool.started == 1
    assert moved == [8, 8]


def test_use_leaves_traces(pool: Pool) -> None:
    """The comparison above can fail: without the reset nothing is equal."""
    board = pool.take(Wanted(load("virt-a53")))
    fresh = state(board)
    use(board)
    board.qemu.link.send(b"\n")
    board.qemu.link.receive("the line that `use` has begun")
    used = state(board)
    for name in ("cpu", "dram", "lines", "time_ns", "log", "registers"):
        assert getattr(used, name) != getattr(fresh, name), name


def test_seed_and_schedule_change_without_a_new_process(pool: Pool) -> None:
    """A used board with another seed does what a fresh one with that seed does."""
    other = Wanted(load("virt-a53"), seed=2)
    logs = []
    for wanted in (Wanted(load("virt-a53"), seed=1, schedule="lru"), other):
        board = pool.take(wanted)
        MainJob(StreamPeripheral(board, 16)).run(io.BytesIO(bytes(9_000)))
        logs.append(board.evidence.events.all())
        pool.give_back(board, wanted)
    assert pool.started == 1
    board = pool.take(Wanted(load("virt-a53"), seed=2, fresh=True))
    MainJob(StreamPeripheral(board, 16)).run(io.BytesIO(bytes(9_000)))
    assert logs[1] == board.evidence.events.all() != logs[0]
    assert pool.started == 2


def stop(board: Board) -> None:
    """Stop the machine and leave it so."""
    board.qmp.execute("stop")
    board.qmp.wait_event("STOP", 0)


@pytest.mark.parametrize(
    "spoil",
    [
        stop,
        lambda board: board.qmp.execute("human-monitor-command", command_line="info jit"),
        lambda board: os.kill(board.qemu.process.pid, signal.SIGKILL),
    ],
    ids=["stopped", "monitor", "dead"],
)
def test_what_a_reset_does_not_repair_is_not_used_again(
    pool: Pool, spoil: Callable[[Board], object]
) -> None:
    """The next board is a fresh process, and works."""
    wanted = Wanted(load("virt-a53"))
    board = pool.take(wanted)
    spoil(board)
    pool.give_back(board, wanted)
    again = pool.take(wanted)
    again.request("ping")
    assert pool.started == 2


def test_an_answer_that_nobody_took_does_no_harm(pool: Pool) -> None:
    """What is on the line at the reset belongs to nobody afterwards."""
    wanted = Wanted(load("virt-a53"))
    board = pool.take(wanted)
    board.qemu.link.send(b"@1 ping *00000000\n")
    pool.give_back(board, wanted)
    pool.take(wanted).request("ping")
    assert pool.started == 1


def test_the_longest_unused_board_has_to_go(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a few boards wait."""
    monkeypatch.setattr(Pool, "IDLE", 1)
    boards = {name: pool.take(Wanted(load(name))) for name in MACHINES}
    for name, board in boards.items():
        pool.give_back(board, Wanted(load(name)))
    assert [board.qemu.running for board in boards.values()] == [False, True]
