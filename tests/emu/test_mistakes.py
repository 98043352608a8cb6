# SPDX-License-Identifier: Apache-2.0
"""A driver's mistakes, in both directions: each is caught, whatever the driver is run by.

The message says what it is, at which line of the driver, and what to do.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from dmav3 import Board, FindingsError, build_image
from dmav3.errors import FaultError
from dmav3.installation import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SOURCE = Path(__file__).with_name("mistakes.c")
TEXT = SOURCE.read_text()
#: The driver's numbers.
NUMBERS = {name: n for n, name in enumerate(re.findall(r"\bX\((\w+)\)", TEXT.partition("enum")[0]))}
RECEIVE, SEND = 0, 1
BOTH = (RECEIVE, SEND)


class Caught(NamedTuple):
    """What is said of a mistake: how it begins, what to do; and in which directions it is one."""

    kind: str
    remedy: str
    directions: tuple[int, ...] = BOTH


CAUGHT = {
    "NO_FLUSH": Caught("violation 0x10", "call FlushAdapterBuffersEx before"),
    "EARLY_LOAD": Caught("not-your-buffer", "call it first", (RECEIVE,)),
    "LATE_STORE": Caught("not-your-buffer", "store first", (SEND,)),
    "OTHER_DIRECTION": Caught("violation 0x48", "give WriteToDevice as at the map"),
    "SHORT_FLUSH": Caught("violation 0x53", "flush all that was mapped"),
    "LONG_FLUSH": Caught("violation 0x00", "flush with the Offset"),
    "FLUSH_TWICE": Caught("violation 0x16", "flush each map once"),
    "FLUSH_ELSEWHERE": Caught("violation 0x16", "flush each map once"),
    "FLUSH_RUNNING": Caught("violation 0x23", "wait for the completion routine"),
    "MAP_NOTHING": Caught("violation 0x21", "map one byte or more"),
    "MAP_TOO_MUCH": Caught("violation 0x24", "map no more than the chain describes"),
    "MAP_BEHIND": Caught("violation 0x1f", "start inside of it"),
    "MAP_TWICE": Caught("violation 0x0d", "call FlushAdapterBuffersEx before the next map"),
    "NOT_BUILT": Caught("violation 0x0e", "call MmBuildMdlForNonPagedPool"),
    "OTHER_HANDLE": Caught("violation 0x4d", "pass what AdapterControl was given"),
    "LOW_IRQL": Caught("violation 0x13", "call KeRaiseIrql before"),
    "NOT_KEPT": Caught("violation 0x45", "return KeepObject"),
    "NO_ACTION": Caught("violation 0x46", "use KeepObject"),
    "FREE_TWICE": Caught("violation 0x04", "free it once"),
    "PUT_WITH_CHANNEL": Caught("violation 0x08", "flush and free the channel"),
    "PUT_TWICE": Caught("violation 0x18", "use it until PutDmaAdapter"),
    "NULL_ADAPTER": Caught("violation 0x19", "look at what IoGetDmaAdapter returned"),
    "LEAVE_ADAPTER": Caught("violation 0x54: an adapter is left", "end it by PutDmaAdapter"),
    "LEAVE_MDL": Caught("violation 0x54: an MDL is left", "end it by IoFreeMdl"),
    "FREE_MDL_TWICE": Caught("violation 0x0e", "give each thing back once"),
    "FREE_MDL_EARLY": Caught("violation 0x43", "leave MDLs as they are until the flush"),
    "RAISE_IN_CALLBACK": Caught("violation 0x42", "lower or raise the IRQL"),
    "RAISE_IN_COMMAND": Caught("violation 0x42", "lower or raise the IRQL"),
    "TOO_MANY_REGISTERS": Caught("violation 0x0c", "map in pieces"),
    "CONTEXT_TWICE": Caught("violation 0x40", "have a context of its own", (RECEIVE,)),
    "COMMON_TWICE": Caught("violation 0x03", "give each thing back once"),
    "COMMON_LENGTH": Caught("violation 0x44", "as at the allocation"),
    "COMMON_LEFT": Caught("violation 0x07", "free them before"),
    "COMMON_OVERRUN": Caught("violation 0x0f", "beyond the buffer's length"),
    "VERSION": Caught("violation 0x25", "set DEVICE_DESCRIPTION_VERSION3"),
    "RECIPE_UNDER_DEVICE": Caught("violation 0x50", "call it before the map", (RECEIVE,)),
    "WRONG_ADDRESS": Caught("bus-error at 0xf800000", "give IoGetDmaAdapter the DeviceAddress"),
    "WRONG_REGISTER": Caught("violation 0x56", "give IoGetDmaAdapter that DeviceAddress"),
    "IN_MEMORY": Caught("violation 0x56", "give IoGetDmaAdapter that DeviceAddress"),
    "OUT_OF_REACH": Caught("violation 0x55", "give IoGetDmaAdapter the DeviceAddress"),
    "OTHER_LINE": Caught("violation 0x57", "give IoGetDmaAdapter the line of that direction"),
    "NO_REQUEST": Caught(
        "waiting: the transfer of MapTransferEx", "the driver has to set DMAV3_STREAM"
    ),
    # What the firmware does not survive.
    "DEEP": Caught("the stack of 64 KiB is full", "look for an endless recursion"),
    "NULL_POINTER": Caught("a store to 0x0 (NULL", "where no memory is mapped"),
    "NO_ROUTINE": Caught("a jump to 0x0", "look at the pointer to the function"),
    "STORM": Caught(
        "interrupt 4 (SPI) came 10000 times", "acknowledge the interrupt in the device"
    ),
    "HEAP_OVERRUN": Caught("the heap is overwritten", "something wrote behind, or before, its own"),
    "BAD_POINTER": Caught("0x8 (NULL, or a member of a structure at NULL)", "no memory is mapped"),
    # What is refused: the status says so, and the reason is told with it.
    "RAW_CONTEXT": Caught("refused: AllocateAdapterChannelEx", "InitializeDmaTransferContext"),
    "WRONG_FLAGS": Caught("refused: AllocateAdapterChannelEx", "0 takes a routine and no"),
    "SMALL_LIST": Caught("refused: MapTransferEx", "list buffer of 8 bytes: 40 are needed"),
    "CANCELLED": Caught("refused: MapTransferEx", "CancelMappedTransfer was called"),
    "EMPTY_MDL": Caught("refused: IoAllocateMdl", "an MDL describes 1 byte or more"),
    "OLD_VERSION": Caught("refused: IoGetDmaAdapter", "only 3 is served"),
    "SYNCHRONOUS": Caught("refused: AllocateAdapterChannelEx", "does not wait for it"),
    "WRONG_LINE": Caught("refused: IoGetDmaAdapter", "no controller serves DmaRequestLine 99"),
}
#: A driver that is refused something says so by the status of its command.
REFUSED = list(CAUGHT)[list(CAUGHT).index("RAW_CONTEXT") :]
CASES = [
    pytest.param(name, direction, id=f"{name.lower()}-{('receive', 'send')[direction]}")
    for name, caught in CAUGHT.items()
    for direction in caught.directions
]
DMAV3 = (sys.executable, "-m", "dmav3")
#: What raises an interrupt.
DEVICE = "edu"
#: Bytes that the device gives, and nanoseconds that are enough for all.
DATA, WAIT = bytes(range(64)), 1_000_000


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the driver."""
    elf = tmp_path_factory.mktemp("mistakes") / "mistakes.elf"
    return build_image(SOURCE, output=elf, optimise=0)  # above, calls that are alike may become one


@pytest.fixture(scope="module")
def running(image: Path) -> Iterator[Board]:
    """Start a board with the driver, for one case after the other."""
    with Board(image=image, devices=[DEVICE]) as board:
        yield board


def transfer(board: Board, name: str, direction: int) -> int:
    """Let the driver do it, and return the status of its command."""
    board.stream.receive_put(DATA)
    status = board.call("transfer", NUMBERS[name], direction)["status"]
    board.wait(WAIT)
    return status


def provoke(board: Board, name: str, direction: int) -> None:
    """Let the driver do it, and fail as a test does that looks at the status, or ends."""
    assert transfer(board, name, direction) == 0 or name not in REFUSED
    board.reset()


def assert_told(message: str, name: str) -> None:
    """Fail if the message does not say what it is, at which line of the driver, what to do."""
    kind, remedy, _ = CAUGHT[name]
    lines = [line for line in message.splitlines() if kind in line and remedy in line]
    assert lines, message
    marked = [
        TEXT.count("\n", 0, comment.end()) + 1
        for comment in re.finditer(r"/\*.*?\*/", TEXT, re.DOTALL)
        if re.search(rf"\b{name}\b", comment.group())
    ]
    places = {int(place) for line in lines for place in re.findall(r"mistakes\.c:(\d+)", line)}
    nearby = {place - n for place in places for n in marked}
    assert nearby & {0, 1}, (marked, places, message)  # the line, or that behind the comment


def test_there_are_enough() -> None:
    """Each of the driver's mistakes has a row, and none has two."""
    assert NUMBERS.keys() - {"NONE"} == CAUGHT.keys()
    assert len(CAUGHT) >= 35


@pytest.mark.parametrize("direction", BOTH)
def test_without_a_mistake_there_is_silence(running: Board, direction: int) -> None:
    """Nothing is found, nothing is left."""
    transfer(running, "NONE", direction)
    running.reset()


@pytest.mark.parametrize(("name", "direction"), CASES)
def test_a_board_catches_it(running: Board, name: str, direction: int) -> None:
    """At once where the firmware crashes, by a note where it is refused, else at the reset."""
    try:
        with pytest.raises((FindingsError, FaultError, AssertionError)) as caught:
            provoke(running, name, direction)
        running.annotate(caught.value)
        assert_told("\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())]), name)
    finally:
        with suppress(FindingsError):
            running.reset()


TESTS = """
import pytest

pytestmark = [pytest.mark.dmav3_image("mistakes.c", optimise=0), pytest.mark.dmav3_devices("edu")]

@pytest.mark.parametrize(("name", "number", "direction"), CASES)
def test_it(dmav3_board, name, number, direction):
    dmav3_board.stream.receive_put(bytes(range(64)))
    assert dmav3_board.call("transfer", number, direction)["status"] == 0 or name not in REFUSED
    dmav3_board.wait(1_000_000)
"""


def test_the_fixture_catches_each(pytester: pytest.Pytester) -> None:
    """As a failure of its test, with the same message; the one without a mistake passes."""
    shutil.copy(SOURCE, pytester.path)
    given = [case.values for case in CASES] + [("NONE", way) for way in BOTH]
    cases = [(name, NUMBERS[str(name)], way) for name, way in given]
    pytester.makepyfile(TESTS.replace("CASES", repr(cases)).replace("REFUSED", repr(REFUSED)))
    result = pytester.runpytest_subprocess("-n2", "--junitxml=report.xml", "-p", "no:cacheprovider")
    assert result.ret == 1
    failures = sections(pytester.path / "report.xml")
    assert len(failures) == len(given)
    files = pytester.path.glob(".dmav3/*/*/findings.json")
    saved = [one for file in files for one in json.loads(file.read_text())]
    for name, way in given:
        message = failures[f"test_it[{name}-{NUMBERS[str(name)]}-{way}]"]
        if name == "NONE":
            assert message is None
        else:
            assert message is not None
            assert_told(message, str(name))
            assert_saved(saved, message, str(name))


def assert_saved(saved: Sequence[Mapping[str, Any]], message: str, name: str) -> None:
    """Fail if findings.json does not have what the message says: kind, code, words and place."""
    kind, *code = CAUGHT[name].kind.replace(":", "").split()[:2]
    if kind not in {"violation", "not-your-buffer", "bus-error"}:
        return  # a crash, something that is refused, or that does not happen
    told = [one for one in saved if one["kind"] == kind and one["text"] in message]
    if kind == "violation":
        told = [one for one in told if one["code"] == int(code[0], 16)]
    places = [one.get("place") or one["text"] for one in told if not one["expected"]]
    assert any("mistakes.c:" in place for place in places), message


def sections(report: Path) -> dict[str, str | None]:
    """Return what failed by test, None where nothing did; an error is none of these."""
    import xml.etree.ElementTree as ET  # noqa: PLC0415

    found: dict[str, str | None] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - ours
        assert case.find("error") is None
        failure = case.find("failure")
        found[case.get("name", "")] = None if failure is None else failure.text
    return found


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        pytest.param(*case.values, id=case.id, marks=[pytest.mark.soak] * (n % 20 > 0))
        for n, case in enumerate(sorted(CASES, key=lambda case: case.values[0] != "NO_REQUEST"))
    ],
)
def test_the_console_catches_it(image: Path, tmp_path: Path, name: str, direction: int) -> None:
    """It shows the message, and says so in its exit status."""
    machine = tmp_path / "with-a-device.yaml"
    default = (Layout.find().machines / "virt-a53.yaml").read_text()
    machine.write_text(f"{default}devices: [{{model: {DEVICE}}}]\n")
    commands = ("put hex " + DATA.hex(), f"transfer {NUMBERS[name]} {direction}", f"wait {WAIT}")
    lines = "\n".join([*commands, f"wait {WAIT} irq", ""])
    done = subprocess.run(
        [*DMAV3, "console", "--image", str(image), "--machine", str(machine)],
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (name not in REFUSED)
    assert_told(done.stdout + done.stderr, name)
    assert name != "NO_REQUEST" or done.stdout.count("waiting: ") == 2  # at once, and at the end
