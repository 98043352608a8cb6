# SPDX-License-Identifier: Apache-2.0
"""A PCI function written in Python, and its driver, function.c."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, BusError, Device, HandlerError, Kind, NtStatus, build_image, deadline
from dmav3.errors import FaultError, QemuRefusedError, UsageError
from dmav3.evidence.probe import Message
from dmav3.machine.argv import Descriptors, Start, arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.machine.description import Machine

SOURCE = Path(__file__).with_name("function.c")
SEND, READ_AT, VALUE = 0x00, 0x08, 0x10
COMMAND, MEMORY, MASTER = 0x04, 2, 4
GONE = 0xFFFFFFFF
NOT_SUPPORTED, NO_SUCH_DEVICE = NtStatus.STATUS_NOT_SUPPORTED, NtStatus.STATUS_NO_SUCH_DEVICE


class Plain(Device):
    """Has no messages, and does nothing."""

    SIZE, PCI_ID = 0x1000, (0x1234, 0x5678)


class Single(Plain):
    """Has one message."""

    MSI = 1


class Function(Plain):
    """Sends messages and reads memory, as its registers say."""

    DOORBELLS = (READ_AT,)
    PCI_CLASS, MSI = 0x020000, 4

    def reset(self) -> None:
        """Forget everything."""
        self.value = 0

    def read(self, offset: int, size: int) -> int:
        """Return what is in the one register that keeps something."""
        return self.value & ((1 << 8 * size) - 1) if offset == VALUE else 0

    def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
        """Send a message, read a byte, or keep a value."""
        if offset == SEND:
            self.interrupt(vector=value)
        elif offset == READ_AT:
            self.dma_read(value, 1)
        else:
            self.value = value


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the driver."""
    return build_image(SOURCE, output=tmp_path_factory.mktemp("function") / "function.elf")


def enabled(board: Board, index: int = 0) -> int:
    """Find the function, switch it on, and return the address of its BAR."""
    assert board.call("find", index)["status"] == NtStatus.STATUS_SUCCESS
    reply = board.call("enable")
    assert reply["status"] == NtStatus.STATUS_SUCCESS
    bar: int = reply["bar"]
    return bar


def poke(board: Board, address: int, value: int, bits: str = "32") -> None:
    """Let the CPU store to a register."""
    board.request("poke", address, bits, value)


def peek(board: Board, address: int, bits: str = "32") -> int:
    """Let the CPU load a register."""
    return board.request("peek", address, bits).number("value")


def configuration(board: Board, offset: int) -> int:
    """Return a word of configuration space."""
    value: int = board.call("configuration", offset)["value"]
    return value


def messages(board: Board) -> list[tuple[int, int]]:
    """Return the vectors that were asked for, and what became of them."""
    return [
        (record.a, record.b)
        for record in board.evidence.events.all()
        if record.kind == Kind.DEVICE_MESSAGE
    ]


def counts(board: Board) -> list[int]:
    """Return how often each vector has interrupted the CPU."""
    reply = board.call("counts")
    return [reply[str(vector)] for vector in range(4)]


@pytest.mark.parametrize("machine", ["virt-a53", "virt-a53-coherent"])
def test_it_is_found_by_its_ids(image: Path, machine: str) -> None:
    """Behind QEMU's own devices; its registers, of any size, are where its driver puts the BAR."""
    with Board(machine, image=image, devices=[Plain(), "edu", Function()]) as board:
        assert [board.call("find", n)["slot"] for n in range(2)] == [2, 3]
        assert board.call("find", 2)["status"] == NO_SUCH_DEVICE
        assert board.call("find", 1)["class"] == Function.PCI_CLASS
        assert configuration(board, 0x2C) == 0x56781234
        assert configuration(board, COMMAND) & (MEMORY | MASTER) == 0
        bar = enabled(board, 1)
        assert bar % Function.SIZE == 0
        assert configuration(board, COMMAND) & (MEMORY | MASTER) == MEMORY | MASTER
        for bits in ("64", "32", "16", "8"):
            poke(board, bar + VALUE, 0x89ABCDEF01234567 % (1 << int(bits)), bits)
            assert peek(board, bar + VALUE, bits) == 0x89ABCDEF01234567 % (1 << int(bits))
        device = board.devices[1]
        assert (device.base, device.spi) == (0, 0)


def test_each_message_has_a_line_of_its_own(image: Path) -> None:
    """Connected as a deferred call, or as an interrupt routine at the line; one is not.

    Those of the second function are in a row that begins at a multiple of their number.
    """
    with Board(image=image, devices=[Single(), Function()]) as board:
        enabled(board)
        assert board.call("connect_one")["status"] == NtStatus.STATUS_SUCCESS
        bar = enabled(board, 1)
        for how, vector in (("vector", 0), ("vector", 1), ("line", 3)):
            assert board.call(f"connect_{how}", vector)["status"] == NtStatus.STATUS_SUCCESS
        assert board.call("connect_vector", 4)["status"] == NOT_SUPPORTED
        for vector in (0, 3, 3, 1, 2, 0, 3):
            poke(board, bar + SEND, vector)
        assert counts(board) == [2, 1, 0, 3]
        board.call("disconnect_line")
        assert {became for _, became in messages(board)} == {Message.SENT}


def test_a_driver_may_enable_one_message_for_all(image: Path) -> None:
    """The low bits of the vector that count are none then."""
    with Board(image=image, devices=[Function()]) as board:
        bar = enabled(board)
        assert board.call("connect_one")["status"] == NtStatus.STATUS_SUCCESS
        for vector in range(4):
            poke(board, bar + SEND, vector)
        assert counts(board) == [4, 0, 0, 0]


def test_a_message_that_is_not_enabled_goes_nowhere(image: Path) -> None:
    """The event log says which, and why: the driver has MSI off, or bus mastering."""
    with Board(image=image, devices=[Function()]) as board:
        (device,) = board.devices
        bar = enabled(board)
        poke(board, bar + SEND, 2)
        board.call("connect_vector", 1)
        board.call("disable")
        device.after(0, lambda: device.interrupt(vector=1))
        assert board.wait(1000, "irq") == "time"
        assert messages(board) == [(2, Message.NOT_ENABLED), (1, Message.NO_MASTER)]
        assert counts(board) == [0, 0, 0, 0]


def test_memory_is_out_of_reach_while_bus_mastering_is_off(image: Path) -> None:
    """The handler learns why, and it is a finding: the driver was to switch it on."""
    caught: list[BusError] = []

    def reach() -> None:
        try:
            device.dma_write(staging, b"x")
        except BusError as error:
            caught.append(error)

    with Board(image=image, devices=[Function()]) as board:
        (device,), staging = board.devices, board.memory.staging.start
        with board.expect("bus-error"):
            device.after(0, reach)
            board.wait(1000)
        assert "its driver has not switched bus mastering on: dmav3_pci_enable()" in str(caught[0])
        assert "has not switched bus mastering on" in board.findings()[0].text
        assert "Function" in board.findings()[0].text
        assert board.dram.read(staging, 1) == b"\0"
        enabled(board)
        device.after(0, reach)
        board.wait(1000)
        assert board.dram.read(staging, 1) == b"x"
        assert len(caught) == 1


def test_what_it_reads_is_judged(image: Path) -> None:
    """By its class, with the line of the driver's store; runs are equal, nothing is ungated."""
    (line,) = (n for n, text in enumerate(SOURCE.read_text().splitlines(), 1) if "RACE" in text)
    logs = []
    with Board(image=image, devices=[Function()]) as board:
        for _ in range(2):
            enabled(board)
            with board.expect("stale-device-read"):
                board.call("race")
            (finding,) = board.findings()
            assert finding.device
            assert finding.device.name == "Function"
            assert finding.cpu
            assert finding.cpu.line == line
            logs.append(board.evidence.events.complete())
            board.reset()
    assert logs[0] == logs[1]
    assert not any(record.ungated for record in logs[0])


def test_after_a_removal_nothing_answers(image: Path) -> None:
    """Configuration space and registers read as ones until a reset, and no message comes."""
    with Board(image=image, devices=[Function()]) as board:
        (device,) = board.devices
        bar = enabled(board)
        board.call("connect_vector", 0)
        poke(board, bar + VALUE, 5)
        device.after(500, device.interrupt)
        device.remove()
        assert board.wait(1000, "irq") == "time"
        assert configuration(board, 0) == GONE
        assert configuration(board, COMMAND) == GONE
        assert peek(board, bar + VALUE) == GONE
        board.call("disable")
        poke(board, bar + SEND, 0)
        assert board.call("enable")["status"] == NO_SUCH_DEVICE
        assert board.call("find", 0)["status"] == NO_SUCH_DEVICE
        assert messages(board) == []
        board.reset()
        bar = enabled(board)
        assert peek(board, bar + VALUE) == 0
        board.call("connect_vector", 0)
        poke(board, bar + SEND, 0)
        assert counts(board) == [1, 0, 0, 0]


def test_it_may_remove_itself(image: Path) -> None:
    """In the middle of an access; the next one finds nothing."""

    class Fleeting(Function):
        def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
            self.remove()

    with Board(image=image, devices=[Fleeting()]) as board:
        bar = enabled(board)
        poke(board, bar + VALUE, 1)
        assert peek(board, bar + VALUE) == GONE
        assert configuration(board, 0) == GONE


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda it: it.interrupt(vector=4), r"interrupt\(vector=4\) of Function: it has 0 to 3"),
        (lambda it: it.interrupt(vector=-1), r"interrupt\(vector=-1\) of Function: it has 0 to 3"),
        (lambda it: it.interrupt(vector="1"), r"interrupt\(vector='1'\)"),
        (lambda it: it.interrupt(False), r"interrupt\(False\) of Function, .* has no level"),  # noqa: FBT003
        (lambda it: it.interrupt(2), r"interrupt\(2\) of Function.*interrupt\(vector=0\)"),
    ],
)
def test_a_message_that_it_does_not_have(
    image: Path, wrong: Callable[[Device], object], words: str
) -> None:
    """The handler's error says which there are."""
    device = Function()
    with Board(image=image, devices=[device]) as board:
        device.after(0, lambda: wrong(device))
        with pytest.raises(UsageError, match=words):
            board.wait(1000)


@pytest.mark.parametrize(
    ("kind", "wrong", "words"),
    [
        (Plain, lambda it: it.interrupt(), "vector=0.*its class has no messages: MSI = 1"),
        (Device, lambda it: it.interrupt(vector=1), "of Device, which has one line: interrupt"),
        (Device, lambda it: it.interrupt(3), r"interrupt\(3\) of Device, which has one line"),
    ],
)
def test_an_interrupt_that_it_does_not_have(
    kind: type[Device], wrong: Callable[[Device], object], words: str
) -> None:
    """A line is no message, and a message is no line."""
    device = kind()
    with Board(devices=[device]) as board:
        device.after(0, lambda: wrong(device))
        with pytest.raises(UsageError, match=words):
            board.wait(1000)


def test_a_handler_behind_a_bar_may_raise(image: Path) -> None:
    """The CPU is answered by a bus error, and the test learns what was raised."""

    class Raising(Function):
        def read(self, offset: int, size: int) -> int:
            msg = f"nothing of {size} bytes at {offset:#x}"
            raise AssertionError(msg)

    with Board(image=image, devices=[Raising()], judge=False) as board:
        bar = enabled(board)
        with pytest.raises(AssertionError, match="nothing of 4 bytes at 0x10") as caught:
            peek(board, bar + VALUE)
        assert isinstance(caught.value.__cause__, FaultError)


def test_a_handler_behind_a_bar_that_never_ends_is_named(image: Path) -> None:
    """With its line; QEMU does not hang."""

    class Endless(Function):
        def write(self, offset: int, size: int, value: int) -> None:  # noqa: ARG002
            while True:
                pass

    with Board(image=image, devices=[Endless()], judge=False) as board:
        bar = enabled(board)
        words = r"Endless.write\(0x0, 4, 0x1\) has not returned .*test_python_function.py:\d+\)"
        with pytest.raises(HandlerError, match=words), deadline(2.0):
            poke(board, bar, 1)
        assert board.qmp.execute("query-status")["running"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"SIZE": 24}, "SIZE of Wrong is 0x18: a BAR has a power of two .* 16 on; 0x20 would do"),
        ({"SIZE": 8}, "SIZE of Wrong is 0x8: .*; 0x10 would do"),
        ({"PCI_ID": (0x12345, 1)}, r"PCI_ID of Wrong is \(0x12345, 0x1\): .* \(0x1234, 0x5678\)"),
        ({"PCI_ID": (-1, 1)}, r"PCI_ID of Wrong is \(-0x1, 0x1\)"),
        ({"PCI_ID": (0xFFFF, 1)}, "0xffff is no vendor"),
        ({"PCI_ID": 0x56781234}, "PCI_ID of Wrong is 0x56781234"),
        ({"PCI_CLASS": 1 << 24}, "PCI_CLASS of Wrong is 0x1000000: 24 bits"),
        ({"MSI": 3}, "MSI of Wrong is 3: the numbers of messages are 0, 1, 2, 4, 8, 16, 32"),
        ({"MSI": 64}, "MSI of Wrong is 64"),
        ({"MSI": 1, "PCI_ID": None}, r"MSI of Wrong is 1, but it has no PCI_ID, such as"),
    ],
)
def test_what_is_no_function(members: dict[str, object], words: str) -> None:
    """Is refused before anything starts, with what would do."""
    with pytest.raises(UsageError, match=words):
        Board(devices=[type("Wrong", (Plain,), members)()])


def test_there_is_a_slot_for_each() -> None:
    """QEMU's devices and functions written in Python share the slots of the bus."""
    with pytest.raises(UsageError, match="32 PCI devices are more than the 31 slots"):
        Board(devices=["edu"] * 30 + [Plain(), Plain()])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("highmem=off,", "", "no configuration space of slot 1 at 0x3f008000: .*highmem=off"),
        ("+0x1+", "+0x21+", "on slot 33 with a BAR of 4096 bytes"),
        ("=4096+", "=4095+", "a BAR of 4095 bytes and 4 messages: .* a power of two"),
        ("+0x4", "+0x5", "and 5 messages: .* a power of two up to 32"),
        ("=4096+", "=4096+x", r"remote=4096\+x0x1.*: 1 to 8 sizes"),
    ],
)
def test_what_the_extension_refuses(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, words: str
) -> None:
    """A machine whose configuration space is elsewhere, and what would make QEMU abort."""

    def changed(machine: Machine, start: Start, fds: Descriptors) -> list[str]:
        argv = [word.replace(old, new) for word in arguments(machine, start, fds)]
        assert argv != arguments(machine, start, fds)
        return argv

    monkeypatch.setattr("dmav3.qemu.process.arguments", changed)
    with pytest.raises(QemuRefusedError, match=words), Board(devices=[Function()]):
        pass
