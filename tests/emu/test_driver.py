# SPDX-License-Identifier: Apache-2.0
"""A driver whole: what `Board.driver` sends, what comes back, and what a driver does wrong."""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import (
    Board,
    FindingsError,
    NtStatus,
    NtStatusError,
    PendingError,
    UsageError,
    build_image,
    ctl_code,
)
from dmav3.evidence.mistakes import CODES
from dmav3.wdm import METHOD_NEITHER, METHOD_OUT_DIRECT, DevicePower

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3 import Driver

SOURCE = Path(__file__).with_name("whole_driver.c")
TEXT = SOURCE.read_text()
NUMBERS = {name: n for n, name in enumerate(re.findall(r"\bX\((\w+)\)", TEXT.partition("enum")[0]))}
#: The first code that is about a driver as a whole; the type of the device.
FIRST, UNKNOWN = 0x74, 0x22
FACTS, OUT_DIRECT = ctl_code(UNKNOWN, 0x800), ctl_code(UNKNOWN, 0x801, METHOD_OUT_DIRECT)
NEITHER = ctl_code(UNKNOWN, 0x802, METHOD_NEITHER)
FLAGS, FAIL = ctl_code(UNKNOWN, 0x803), ctl_code(UNKNOWN, 0x804)
#: Flags of a device object.
WAYS = {"buffered": 0x04, "direct": 0x10, "neither": 0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start one board with the driver for all tests."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("driver") / "driver.elf", optimise=0)
    with Board(image=image) as board:
        yield board


@pytest.fixture
def board(running: Board) -> Iterator[Board]:
    """Return the board, as good as new."""
    yield running
    with suppress(FindingsError):
        running.reset()


@pytest.fixture
def driver(board: Board) -> Iterator[Driver]:
    """Start the driver, and remove it; whatever it does wrong fails the test."""
    with board.driver("stream") as driver:
        yield driver
    board.check()


def line(name: str) -> int:
    """Return the line that is marked with a name."""
    (number,) = (
        n
        for n, text in enumerate(TEXT.splitlines(), 1)
        if re.search(rf"/\*.*\b{name}\b.*\*/$", text)
    )
    return number


def facts(driver: Driver) -> tuple[int, ...]:
    """Return what the driver says of itself."""
    return struct.unpack("<5I", driver.ioctl(FACTS, output_size=20))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_written_is_read(driver: Driver, way: str) -> None:
    """Whether the device asks for buffers of the system, locked pages, or nothing."""
    driver.ioctl(FLAGS, struct.pack("<I", WAYS[way]))
    assert driver.write(b"hello") == 5
    assert driver.read(16) == b"hello"
    assert driver.write(b"") == 0
    assert driver.read(0) == b""


def test_a_start_names_the_resources(driver: Driver) -> None:
    """Registers, interrupt and request lines, translated, in a CM_RESOURCE_LIST."""
    assert facts(driver)[:4] == (0x0B010000, 0x1000, 195, 0x01)


@pytest.mark.parametrize("code", [OUT_DIRECT, NEITHER])
def test_a_control_code_says_how_memory_is_given(driver: Driver, code: int) -> None:
    """Input in a buffer of the system and output locked, or both as they are."""
    assert driver.ioctl(code, b"abcdef", output_size=4) == b"abcd"


def test_a_failure_is_raised_with_name_and_number(driver: Driver) -> None:
    """Of a request; the driver works on."""
    with pytest.raises(NtStatusError, match=r"0x2220.*STATUS_BUFFER_TOO_SMALL \(0xc0000023\)"):
        driver.ioctl(FACTS, output_size=4)
    with pytest.raises(NtStatusError, match="answered 0xcabba6e5") as caught:
        driver.ioctl(FAIL, struct.pack("<I", 0xCABBA6E5))
    assert caught.value.status == 0xCABBA6E5
    assert driver.write(b"x") == 1


def test_a_request_may_be_pending(driver: Driver) -> None:
    """Others run meanwhile, and one of them ends it."""
    pending = driver.begin_read(8)
    assert pending.returned == NtStatus.STATUS_PENDING
    assert not pending.done
    driver.write(b"late")
    assert pending.done
    assert pending.wait() == b"late"
    assert pending.status == NtStatus.STATUS_SUCCESS


def test_a_request_may_be_cancelled(driver: Driver) -> None:
    """The driver ends it by its cancel routine; the second time there is none to call."""
    pending = driver.begin_read(8)
    assert pending.cancel()
    with pytest.raises(NtStatusError) as caught:
        pending.wait()
    assert caught.value.status == NtStatus.STATUS_CANCELLED
    assert not pending.cancel()


def test_what_does_not_end_is_told(board: Board, driver: Driver) -> None:
    """After model time that the test gives: which request, since when, and where it was kept."""
    pending, began = driver.begin_read(8), board.evidence.time_ns
    with pytest.raises(PendingError) as caught:
        pending.wait(1_000_000)
    said = str(caught.value)
    assert "the read of 8 bytes" in said
    assert f"IoMarkIrpPending, called in Keep (tests/emu/whole_driver.c:{line('KEEPS')})" in said
    assert abs(caught.value.since_ns - began) < 1_000_000
    assert board.evidence.time_ns - began >= 1_000_000
    driver.close()  # the clean-up ends it
    assert pending.status == NtStatus.STATUS_CANCELLED


def test_a_device_is_stopped_and_started(driver: Driver) -> None:
    """The driver may refuse, and nothing has changed then."""
    pending = driver.begin_read(8)
    with pytest.raises(NtStatusError, match=r"IRP_MN_QUERY_STOP_DEVICE: .*STATUS_DEVICE_BUSY"):
        driver.stop()
    pending.cancel()
    driver.stop()
    driver.start()
    assert driver.write(b"x") == 1


def test_a_state_of_power_reaches_the_driver(driver: Driver) -> None:
    """As a question and as an order."""
    driver.set_power(DevicePower.PowerDeviceD3)
    assert facts(driver)[4] == 4


def test_a_device_that_goes_by_surprise(board: Board, driver: Driver) -> None:
    """The driver learns it, is closed, and goes; it can be loaded again."""
    driver.write(b"x")
    driver.surprise_remove()
    assert board.printed == "bye from \\Driver\\Driver\n"
    driver.start()


def test_a_device_that_cannot_be_added(board: Board) -> None:
    """The failure is that of AddDevice, the driver is unloaded, and may be loaded again."""
    board.call("mistake", NUMBERS["ADD_FAILS"])
    driver = board.driver("stream")
    with pytest.raises(NtStatusError, match=r"AddDevice: .*STATUS_INSUFFICIENT_RESOURCES"):
        driver.start()
    board.check()
    board.call("mistake", NUMBERS["NOTHING"])
    driver.start()
    driver.remove()


def test_a_driver_that_is_not_there(board: Board) -> None:
    """What cannot be asked for is refused, with what can be."""
    with pytest.raises(UsageError, match="call start"):
        board.driver().read(1)
    with pytest.raises(UsageError, match="no device 'disk' on the board, but stream"):
        board.driver("disk")
    with Board() as plain, pytest.raises(UsageError, match="has no DriverEntry"):
        plain.driver()


#: How what is said begins, a part of what to do; and whether it shows only at the end.
CAUGHT = {
    "NOT_PASSED_ON": ("violation 0x74 in DispatchRoutine", "IoSkipCurrentIrpStackLocation"),
    "NOT_ATTACHED": ("violation 0x75 in AddDevice", "IoAttachDeviceToDeviceStack"),
    "STILL_INITIALIZING": ("violation 0x75 in AddDevice", "clear the flag"),
    "TOO_MUCH": ("violation 0x76 in IofCompleteRequest", "the bytes that were moved"),
    "RETURNS_OTHER": ("violation 0x77 in DispatchRoutine", "from a variable"),
    "DELETES_ATTACHED": ("violation 0x78 in IoDeleteDevice", "call IoDetachDevice before"),
    "LEAVES_DEVICE": ("violation 0x54: a device object is left", "end it by IoDeleteDevice"),
    "FORGETS_REQUEST": ("violation 0x54: a pending request is left", "end it by IoCompleteRequest"),
    "COMPLETES_TWICE": ("violation 0x68 in IofCompleteRequest", "complete a request once"),
    "UNMARKED": ("violation 0x69 in DispatchRoutine", "never one without the other"),
    "MARKED_ONLY": ("violation 0x69 in DispatchRoutine", "never one without the other"),
    "TOUCHES": ("completed-request at ", "take what is needed of it before"),
    "TOUCHES_STACK": ("completed-request at ", "take what is needed of it before"),
    "RAISES": ("violation 0x42 in DispatchRoutine", "lower or raise the IRQL"),
}


def use(board: Board, name: str) -> None:
    """Let the driver do what it does wrong, on the way through its life."""
    with board.driver("stream") as driver, suppress(NtStatusError):
        if name in {"UNMARKED", "MARKED_ONLY"}:
            driver.begin_read(8)
        elif name == "FORGETS_REQUEST":
            driver.begin_read(8)
            with pytest.raises(PendingError, match="the read of 8 bytes"):
                driver.close()
            raise EndError
        else:
            driver.write(b"x")
            driver.read(1)


class EndError(Exception):
    """Nothing more can be done with the driver."""


@pytest.mark.parametrize("name", CAUGHT)
def test_a_mistake_is_told_at_its_line(board: Board, name: str) -> None:
    """Once, with the routine, the line of the driver, and what to do."""
    board.call("mistake", NUMBERS[name])
    with suppress(EndError):
        use(board, name)
    with pytest.raises(FindingsError) as caught:
        board.check()
    begin, remedy = CAUGHT[name]
    found = [one.line() for one in caught.value.findings if one.line().startswith(begin)]
    (said,) = found
    assert remedy in said
    assert f"{SOURCE.name}:{line(name)}" in said
    if name != "FORGETS_REQUEST":
        assert len(caught.value.findings) == 1


def test_each_mistake_has_a_row() -> None:
    """And each code from the first one on that is about a driver as a whole is provoked."""
    assert NUMBERS.keys() - {"NOTHING", "ADD_FAILS"} == CAUGHT.keys()
    named = {int(code, 16) for begin, _ in CAUGHT.values() for code in re.findall("0x..", begin)}
    assert {code for code in CODES if code >= FIRST} <= named
