# SPDX-License-Identifier: Apache-2.0
"""A board that was used and reset is as good as a fresh one, or is not handed out again."""

from __future__ import annotations

import io
import os
import random
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from microcode import CSR0, Controller, copy, kill, mov, two, wait_for

from dmav3.machine import load
from dmav3.mainjob import MainJob
from dmav3.pool import Pool, Wanted
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
STREAM_REGISTERS = (0x04, 0x08)
#: QEMU's PL330 keeps these over a reset: what a channel waited for last, and its loop counters.
KEPT = {0x100 + 8 * n: 0x1F0 for n in range(8)} | {
    0x400 + 0x20 * n + offset: 0xFFFFFFFF for n in range(8) for offset in (0xC, 0x10)
}


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
    base, size = board.probe.ram_base, board.probe.ram_size
    stood = State(
        cpu=pages(board.cpu.read(base, size)),
        dram=pages(board.dram.read(base, size)),
        lines=board.probe.states(),
        findings=len(board.findings()),
        time_ns=board.probe.time_ns,
        log=[record for record in board.events.all() if not record.ungated],
        registers={},
    )
    pl330, stream = board.machine.pl330[0].base, board.machine.stream.base
    masks = dict.fromkeys(GIC_REGISTERS, 0)
    masks |= {pl330 + offset: KEPT.get(offset, 0) for offset in PL330_REGISTERS}
    masks |= {stream + offset: 0 for offset in STREAM_REGISTERS}
    for address, mask in masks.items():
        stood.registers[address] = board.request("peek", address, "32").number("value") & ~mask
    return stood


def use(board: Board) -> None:
    """Leave traces everywhere that a test can reach."""
    job = MainJob(board, 16)
    job.run(io.BytesIO(random.Random(3).randbytes(50_000)))  # noqa: S311 - to be repeatable
    board.request("allocate", 100_000)
    board.request("KeRaiseIrql", DISPATCH_LEVEL)
    for region in ("arena", "scatter"):
        board.fill(board.memory.allocate(70_000, region=region), 0x77)
    board.request("poke", GICD + 0x100 + 4 * 8, "32", 0xF0)
    board.qmp.set("word-interval-ns", 1_000_000, STREAM)
    board.qmp.set("seed", 99)
    board.request("poke", board.machine.stream.base, "32", 0x12345678)
    board.stream.receive_put(b"left over")
    board.link.send(b"@77 half a line")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """Return a pool whose boards all have the same nonce, which the guest can read."""
    monkeypatch.setattr("dmav3.board.secrets.randbits", lambda _: 0x1234567890ABCDEF)
    with Pool() as running:
        yield running


@pytest.mark.parametrize("machine", MACHINES)
def test_a_used_board_is_as_a_fresh_one(pool: Pool, machine: str) -> None:
    """Image, bss, heap, all other RAM in both views, lines, log, time and registers are equal."""
    wanted = Wanted(load(machine))
    board = pool.take(wanted)
    fresh = state(board)
    use(board)
    pool.give_back(board, wanted)
    again = pool.take(wanted)
    assert again is board
    renewed = state(again)
    assert pool.started == 1
    for name, value in vars(fresh).items():
        assert getattr(renewed, name) == value, name


def test_use_leaves_traces(pool: Pool) -> None:
    """The comparison above can fail: without the reset nothing is equal."""
    board = pool.take(Wanted(load("virt-a53")))
    fresh = state(board)
    use(board)
    board.link.send(b"\n")
    board.link.receive("the line that `use` has begun")
    used = state(board)
    for name in ("cpu", "dram", "lines", "time_ns", "log", "registers"):
        assert getattr(used, name) != getattr(fresh, name), name


def test_seed_and_schedule_change_without_a_new_process(pool: Pool) -> None:
    """A used board with another seed does what a fresh one with that seed does."""
    other = Wanted(load("virt-a53"), seed=2)
    logs = []
    for wanted in (Wanted(load("virt-a53"), seed=1, schedule="lru"), other):
        board = pool.take(wanted)
        MainJob(board, 16).run(io.BytesIO(bytes(9_000)))
        logs.append(board.events.all())
        pool.give_back(board, wanted)
    assert pool.started == 1
    board = pool.take(Wanted(load("virt-a53"), seed=2, fresh=True))
    MainJob(board, 16).run(io.BytesIO(bytes(9_000)))
    assert logs[1] == board.events.all() != logs[0]
    assert pool.started == 2


#: A byte is loaded, from the start of the program itself, and not stored.
LOAD = mov(0, 0x40600000) + mov(1, 0) + b"\x04"


def wait_for_ever(board: Board, before: bytes = b"") -> None:
    """Leave a channel waiting for the stream, which is never ready."""
    controller = Controller(board)
    controller.start(before + wait_for(1) + b"\0")
    assert controller.read(CSR0) & 0xF == 7


def kill_a_channel(board: Board, before: bytes = b"") -> None:
    """End a channel that waits for a peripheral by DMAKILL."""
    controller = Controller(board)
    wait_for_ever(board, before)
    kill(controller)
    assert controller.read(CSR0) & 0xF == 0


def fault(board: Board, before: bytes = b"") -> None:
    """Let a channel execute what is no instruction; the shim's interrupt routine ends it."""
    controller = Controller(board)
    controller.start(before + b"\xff")
    assert controller.read(CSR0) & 0xF == 0


def fault_of_the_manager(board: Board) -> None:
    """Start a channel that runs; the shim's interrupt routine ends the manager's fault."""
    controller = Controller(board)
    wait_for_ever(board)
    controller.execute(b"\xa0\0" + bytes(4))
    assert controller.read(0) & 0xF == 0


def stop(board: Board) -> None:
    """Stop the machine and leave it so."""
    board.qmp.execute("stop")
    board.qmp.wait_event("STOP", 0)


@pytest.mark.parametrize(
    "spoil",
    [
        partial(kill_a_channel, before=LOAD),
        partial(wait_for_ever, before=LOAD),
        partial(fault, before=LOAD),
        stop,
        lambda board: board.qmp.execute("human-monitor-command", command_line="info jit"),
        lambda board: os.kill(board._process.pid, signal.SIGKILL),
    ],
    ids=["kill", "running channel", "fault", "stopped", "monitor", "dead"],
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


@pytest.mark.parametrize("end", [kill_a_channel, wait_for_ever, fault, fault_of_the_manager])
def test_a_channel_that_had_stored_all_it_had_loaded_is_used_again(
    pool: Pool, end: Callable[[Board], object]
) -> None:
    """A reset is enough: the channel copies, and its faults are heard, as before."""
    wanted = Wanted(load("virt-a53"))
    board = pool.take(wanted)
    end(board)
    pool.give_back(board, wanted)
    again = pool.take(wanted)
    source, target = two(again, 256)
    Controller(again).start(copy(source.address, target.address, 256))
    assert again.dram.read(target.address, 256) == again.dram.read(source.address, 256)
    fault(again)
    assert pool.started == 1


def test_an_answer_that_nobody_took_does_no_harm(pool: Pool) -> None:
    """What is on the line at the reset belongs to nobody afterwards."""
    wanted = Wanted(load("virt-a53"))
    board = pool.take(wanted)
    board.link.send(b"@1 ping *00000000\n")
    pool.give_back(board, wanted)
    pool.take(wanted).request("ping")
    assert pool.started == 1


def test_the_longest_unused_board_has_to_go(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a few boards wait."""
    monkeypatch.setattr(Pool, "IDLE", 1)
    boards = {name: pool.take(Wanted(load(name))) for name in MACHINES}
    for name, board in boards.items():
        pool.give_back(board, Wanted(load(name)))
    assert [board.running for board in boards.values()] == [False, True]
