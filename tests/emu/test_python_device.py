# SPDX-License-Identifier: Apache-2.0
"""Devices written in Python, in a test (harness/dmav3/devices/device.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from microcode import Controller, copy

from dmav3 import Board, BusError, Device, HandlerError, Kind, deadline
from dmav3.errors import FaultError, MonitorError, QemuDiedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS, LENGTH, GO, STATUS = 0x00, 0x08, 0x0C, 0x10
BUSY, DONE = 1, 2


class Inverter(Device):
    """Inverts bytes in memory, a microsecond after it was told to."""

    SIZE, DOORBELLS = 0x14, (GO,)

    def reset(self) -> None:
        """Forget everything."""
        self.registers = dict.fromkeys((ADDRESS, LENGTH, GO, STATUS), 0)

    def read(self, offset: int, size: int) -> int:
        """Return a register; the status takes the interrupt down."""
        value = self.registers[offset] & ((1 << 8 * size) - 1)
        if offset == STATUS:
            self.interrupt(level=False)
            self.registers[STATUS] &= ~DONE
        return value

    def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
        """Store a register; the doorbell begins the work."""
        self.registers[offset] = value
        if offset == GO:
            self.registers[STATUS] = BUSY
            self.after(1000, self.work)

    def work(self) -> None:
        """Do it, and interrupt."""
        address, length = self.registers[ADDRESS], self.registers[LENGTH]
        data = self.dma_read(address, length)
        self.dma_write(address, bytes(byte ^ 0xFF for byte in data))
        self.registers[STATUS] = DONE
        self.interrupt()


def poke(board: Board, device: Device, offset: int, value: int, bits: str = "32") -> None:
    """Let the CPU store to a register."""
    board.request("poke", device.base + offset, bits, value)


def peek(board: Board, device: Device, offset: int, bits: str = "32") -> int:
    """Let the CPU load a register."""
    return board.request("peek", device.base + offset, bits).number("value")


def go(board: Board, device: Device, address: int, length: int) -> None:
    """Let the inverter invert."""
    poke(board, device, ADDRESS, address, "64")
    poke(board, device, LENGTH, length)
    poke(board, device, GO, 1)


def test_it_moves_memory_when_model_time_has_passed() -> None:
    """Not before: registers keep their values, and bytes are as the device sees them."""
    with Board(devices=[Inverter()]) as board:
        (device,) = board.devices
        staging = board.memory.staging.start
        board.request("poke", staging, "64", 0x0123456789ABCDEF)
        go(board, device, staging, 8)
        assert peek(board, device, STATUS) in {BUSY, DONE}
        board.wait(2000)
        assert peek(board, device, ADDRESS, "64") == staging
        assert board.dram.read(staging, 8) == (0xFEDCBA9876543210).to_bytes(8, "little")


def test_runs_are_equal() -> None:
    """With everything that the device did: registers, memory, its interrupt, all at model times."""
    logs = []
    for _ in range(2):
        with Board(devices=[Inverter()]) as board:
            (device,) = board.devices
            for _ in range(2):
                go(board, device, board.memory.staging.start, 200)
                board.wait(5000)
                peek(board, device, STATUS)
                logs.append(board.evidence.events.complete())
                board.reset()
    assert all(log == logs[0] for log in logs)
    own = [
        (record.kind, record.a, record.b, record.c, record.d)
        for record in logs[0]
        if record.kind in {Kind.DEVICE_REGISTER, Kind.DEVICE_ACCESS, Kind.DEVICE_INTERRUPT}
    ]
    staging = own[0][3]
    assert own == [
        (Kind.DEVICE_REGISTER, ADDRESS, 8, staging, 1),
        (Kind.DEVICE_REGISTER, LENGTH, 4, 200, 1),
        (Kind.DEVICE_REGISTER, GO, 4, 1, 1),
        (Kind.DEVICE_ACCESS, staging, 200, 0, 0),
        (Kind.DEVICE_ACCESS, staging, 200, 0, 1),
        (Kind.DEVICE_INTERRUPT, 1, 0, 0, 0),
        (Kind.DEVICE_INTERRUPT, 0, 0, 0, 0),
        (Kind.DEVICE_REGISTER, STATUS, 4, DONE, 0),
    ]
    times = [record.time_ns for record in logs[0] if record.kind == Kind.DEVICE_ACCESS]
    start = next(
        record.time_ns for record in logs[0] if record[3:8] == (*own[2][:1], False, 0, GO, 4)
    )
    assert times == [start + 1000] * 2


def test_what_is_not_cleaned_is_found() -> None:
    """By the name of its class, whether bytes were wrong or not."""
    with Board(devices=[Inverter()]) as board:
        (device,) = board.devices
        buffer = board.memory.allocate(64, name="mine")
        board.fill(buffer, 0x55)
        with board.expect("stale-device-read"), board.expect("lost-device-write"):
            go(board, device, buffer.address, 64)
            board.wait(2000)
        finding = board.findings()[0]
        assert finding.device is not None
        assert finding.device.name == "Inverter"
        assert "the device was Inverter" in finding.text
        assert finding.buffer is not None
        assert finding.buffer.name == "mine"


@pytest.mark.parametrize("machine", ["virt-a53", "virt-a53-coherent"])
def test_a_large_block_and_low_memory(machine: str) -> None:
    """Many pieces of the socket, on either machine; the CPU sees what came where it looks."""
    with Board(machine, devices=[Inverter()]) as board:
        (device,) = board.devices
        start = board.memory.staging.start
        go(board, device, start, 300_001)
        board.wait(2000)
        assert board.dram.read(start, 300_002) == b"\xff" * 300_001 + b"\0"
        go(board, device, 0x0F000000, 4)
        board.wait(2000)
        assert board.request("peek", 0x0F000000, "64").number("value") == 0xFFFFFFFF


class Failing(Device):
    """Does one wrong thing, when its register is read or written."""

    SIZE = 8

    def __init__(self, wrong: Callable[[Failing], object]) -> None:
        """Do this."""
        self.wrong = wrong

    def read(self, offset: int, size: int) -> int:  # noqa: ARG002
        """Return what is wrong, at offset 4."""
        return self.wrong(self) if offset else 7  # type: ignore[return-value]

    def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
        """Do what is wrong, or have it done later."""
        if offset:
            self.after(100, lambda: self.wrong(self))
        else:
            self.wrong(self)


def provoke(board: Board, how: str) -> None:
    """Have the device do it: at a write, at a read, or later."""
    (device,) = board.devices
    if how == "read":
        peek(board, device, 4)
    else:
        poke(board, device, 4 if how == "after" else 0, 1)
        board.wait(1000)


def raises(device: Failing) -> None:
    """Raise something of the test's own."""
    msg = f"the firmware wrote too early to {device}"
    raise AssertionError(msg)


@pytest.mark.parametrize("how", ["write", "read", "after"])
def test_what_a_handler_raises_is_the_tests_failure(how: str) -> None:
    """The request that led there raises it, with where it was; QEMU was answered and goes on."""
    with Board(devices=[Failing(raises)], judge=False) as board:
        with pytest.raises(AssertionError, match="too early to Failing") as caught:
            provoke(board, how)
        assert any(entry.name == "raises" for entry in caught.traceback)
        (note,) = caught.value.__notes__
        assert note.startswith("raised in ")
        if how != "after":
            assert isinstance(caught.value.__cause__, FaultError)
        board.reset()
        assert peek(board, board.devices[0], 0) == 7


def spins(_device: Failing) -> None:
    """Never end."""
    while True:
        pass


@pytest.mark.parametrize("how", ["write", "after"])
def test_a_handler_that_never_ends_is_named(how: str) -> None:
    """With where it is; QEMU does not hang, and nothing but a fresh board helps."""
    with Board(devices=[Failing(spins)], judge=False) as board:
        words = r"has not returned within .* s: it is in spins \(.*test_python_device.py:\d+\)"
        with pytest.raises(HandlerError, match=words), deadline(2.0):
            provoke(board, how)
        with pytest.raises(HandlerError, match="was given up: start a fresh board"):
            board.reset()
        assert board.qmp.execute("query-status")["running"]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda it: it.dma_read(0x40600000, 0), UsageError, "0 is no number of bytes"),
        (lambda it: it.dma_read(0x40600000, "4"), UsageError, "'4' is no number of bytes"),
        (lambda it: it.dma_read(-1, 4), UsageError, "-0x1 is no address"),
        (lambda it: it.dma_write(0x40600000, "abc"), UsageError, "bytes are needed"),
        (lambda it: it.after(-5, print), UsageError, r"after\(-5, …\) of Failing"),
        (lambda it: it.after(5, 7), UsageError, "a function is needed"),
        (lambda _: 1 << 32, UsageError, "returned 0x100000000, which is no number of 4 bytes"),
        (lambda _: None, UsageError, r"returned None, .*test_python_device.py:\d+"),
    ],
)
def test_wrong_arguments(wrong: Callable[[Failing], object], error: type, words: str) -> None:
    """Are told in a sentence, as errors of the handler."""
    device = Failing(wrong)
    with Board(devices=[device], judge=False) as board, pytest.raises(error, match=words):
        peek(board, device, 4)


def test_where_nothing_answers_is_a_bus_error() -> None:
    """What comes before was moved; a device may catch it, and it is a finding of the driver's."""
    caught: list[BusError] = []

    def reach(device: Failing) -> int:
        try:
            device.dma_read(0x44000000 - 100, 200)
        except BusError as error:
            caught.append(error)
        return 1

    with Board(devices=[Failing(reach)]) as board:
        with board.expect("bus-error"):
            assert peek(board, board.devices[0], 4) == 1
        assert caught[0].address == 0x44000000
        assert "dma_read of Failing at 0x44000000: a bus error" in str(caught[0])
        assert "Failing" in board.findings()[0].text


def test_a_handler_may_look_but_not_ask() -> None:
    """Memory stands still for it; a request would need the CPU, which waits for it."""
    seen: list[bytes] = []

    def look(device: Failing) -> int:
        seen.append(board.dram.read(board.memory.staging.start, 1))
        assert device.now > 0
        board.request("ping")
        return 0

    with Board(devices=[Failing(look)], judge=False) as board:
        with pytest.raises(UsageError, match="the CPU, which waits for the handler"):
            peek(board, board.devices[0], 4)
        assert seen == [b"\0"]


def test_it_sees_what_the_controller_has_done_by_then() -> None:
    """The PL330 runs behind the CPU, and is brought to now before a handler looks at memory."""
    seen: list[int] = []
    device = Failing(lambda it: seen.append(it.dma_read(target, 4096).count(0x77)))
    with Board(devices=[device]) as board:
        start = board.memory.staging.start
        source, target = start + 0x2000, start + 0x3000
        board.request("fill", source, 4096, 0x77)
        board.channel(0).burst_interval_ns = 100_000
        Controller(board).start(copy(source, target, 4096))
        for ns in range(130_000, 910_000, 130_000):
            device.after(ns, lambda: device.wrong(device))
        board.wait(1_000_000)
        assert len(seen) == 6
        assert seen == sorted(set(seen))  # more each time


def test_a_test_acts_when_time_passes() -> None:
    """Between requests a device does nothing, and can be asked to do something in the next."""
    with Board(devices=[Inverter(), Failing(lambda _: 3)]) as board:
        inverter, other = board.devices
        with pytest.raises(UsageError, match="time stands still, so no device acts"):
            inverter.interrupt()
        order: list[str] = []
        other.after(50_000, lambda: order.append("later"))
        inverter.after(0, lambda: order.append("first"))
        assert order == []
        board.wait(10_000)
        assert order == ["first"]
        board.wait(50_000)
        assert order == ["first", "later"]
        assert peek(board, other, 4) == 3


def test_after_a_removal_there_is_nothing() -> None:
    """Registers read as ones, writes are lost, and it moves nothing any more."""
    device = Inverter()
    with Board(devices=[device]) as board:
        go(board, device, board.memory.staging.start, 8)
        device.remove()
        board.wait(5000)
        assert peek(board, device, ADDRESS, "64") == (1 << 64) - 1
        assert peek(board, device, STATUS) == 0xFFFFFFFF
        poke(board, device, LENGTH, 5)
        assert device.registers[LENGTH] == 8
        assert board.dram.read(board.memory.staging.start, 8) == bytes(8)
        board.reset()
        assert peek(board, device, LENGTH) == 0


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([Inverter], "Inverter is a class: give an object of it, Inverter()"),
        ([3], "3 is no device"),
        ([Inverter() for _ in range(9)], "9 devices written in Python are more than .*: 8"),
        ([type("Large", (Device,), {"SIZE": 65537})()], "SIZE of Large is 65537"),
        ([type("Off", (Device,), {"SIZE": 8, "DOORBELLS": (8,)})()], "DOORBELLS of Off has 0x8"),
        ([Inverter()] * 2, "one device is given twice"),
    ],
)
def test_what_is_no_device(devices: list[object], words: str) -> None:
    """Is refused before anything starts."""
    with pytest.raises(UsageError, match=words):
        Board(devices=devices)  # type: ignore[arg-type]


def test_one_device_is_on_one_board() -> None:
    """It is refused by a second one while the first runs, and works on it afterwards."""
    device = Failing(lambda _: 3)
    with pytest.raises(UsageError, match=r"is on no board that runs: Board\(devices="):
        device.after(0, print)
    again = pytest.raises(UsageError, match="Failing is on a board already")
    with Board(devices=[device]), again:
        Board(devices=[device]).__enter__()
    with Board(devices=[device]) as board:
        assert peek(board, device, 4) == 3


@pytest.mark.dmav3_devices(Inverter, "edu")
def test_a_mark_gives_a_board_devices_of_its_own(dmav3_board: Board) -> None:
    """An object of each class, for this test only."""
    (device,) = dmav3_board.devices
    assert isinstance(device, Inverter)
    assert [other.model for other in dmav3_board.machine.devices] == ["edu"]
    go(dmav3_board, device, dmav3_board.memory.staging.start, 8)
    dmav3_board.wait(2000)
    assert peek(dmav3_board, device, STATUS) == DONE


def test_qemu_may_end_while_a_handler_runs() -> None:
    """The request says so; the handler ends when it wants to move memory."""
    ended = threading.Event()

    def kill(device: Failing) -> object:
        os.kill(board.qemu.pid, signal.SIGKILL)
        try:
            while True:
                device.dma_read(0x40600000, 4)
        finally:
            ended.set()

    with Board(devices=[Failing(kill)], judge=False) as board:
        with pytest.raises(QemuDiedError, match="killed by signal 9"):
            peek(board, board.devices[0], 4)
        assert ended.wait(10)


KILLED = """
import os, signal
from dmav3 import Board, Device

class Last(Device):
    def read(self, offset, size):
        print(board.qemu.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

with Board(devices=[Last()]) as board:
    board.request("peek", board.devices[0].base, "32")
"""


def test_what_runs_a_board_may_end_while_a_handler_runs() -> None:
    """QEMU, whose CPU waits for the handler, ends as well."""
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    left = Path(f"/proc/{int(done.stdout)}")
    end = time.monotonic() + 10
    while left.exists() and left.joinpath("stat").read_text().split()[2] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_board_without_such_devices_has_no_socket() -> None:
    """Nor a thread; its extension refuses to wait for what nobody asks for."""
    with Board() as board:
        assert not any("remote" in word for word in board.qemu.process.argv)
        assert "dmav3-devices" not in {thread.name for thread in threading.enumerate()}
        with pytest.raises(MonitorError, match="there are no remote devices"):
            board.qmp.set("remote-due", 1)
