# SPDX-License-Identifier: Apache-2.0
"""The driver of a serial port, whole: what it does right, and classic mistakes in it."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dmav3 import (
    Board,
    FaultError,
    FindingsError,
    NtStatus,
    NtStatusError,
    PendingError,
    build_image,
    ctl_code,
)
from dmav3.wdm import DevicePower

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
FILES = ("uart_driver.c", "uart_dma.c")
SERIAL_PORT = 0x1B
SET_MODES, GET_COUNTERS, PURGE, WAIT_FOR_DATA = (
    ctl_code(SERIAL_PORT, number) for number in range(0x800, 0x804)
)
DATA = bytes(n % 251 for n in range(10_000))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the driver."""
    output = tmp_path_factory.mktemp("uart") / "uart.elf"
    return build_image(*(HERE / file for file in FILES), output=output)


@pytest.fixture(params=["speculative", "lru", "eager", "never"])
def board(image: Path, request: pytest.FixtureRequest) -> Iterator[Board]:
    """Start a board; what the driver does wrong, or leaves behind, fails the test."""
    with Board(image=image, schedule=request.param) as running:
        yield running


def test_bytes_go_both_ways(board: Board) -> None:
    """From pages that are anywhere in memory, and to such pages."""
    with board.driver("stream") as uart:
        assert uart.write(DATA) == len(DATA)
        assert board.stream.sent_take() == DATA
        board.stream.receive_put(DATA)
        assert uart.read(len(DATA)) == DATA
        received, sent, _, errors = struct.unpack("<QQII", uart.ioctl(GET_COUNTERS, b"", 24))
        assert (received, sent, errors) == (len(DATA), len(DATA), 0)


def test_reads_wait_in_a_queue(board: Board) -> None:
    """The first and the second are cancelled, the third gets what comes; a purge ends the rest."""
    with board.driver("stream") as uart:
        first, second, third, fourth = (uart.begin_read(100) for _ in range(4))
        assert second.cancel()
        assert first.cancel()
        board.stream.receive_put(b"x" * 100)
        assert third.wait() == b"x" * 100
        uart.ioctl(PURGE)
        ended = [one.status for one in (first, second, fourth)]
        assert ended == [NtStatus.STATUS_CANCELLED] * 3


def test_a_read_ends_with_what_has_come(board: Board) -> None:
    """After the time that was set, and the interrupt says when there is more."""
    with board.driver("stream") as uart:
        uart.ioctl(SET_MODES, struct.pack("<I", 500))
        board.stream.receive_put(b"part")
        assert uart.read(10) == b"part"
        waiting = uart.begin_ioctl(WAIT_FOR_DATA)
        assert not waiting.done
        board.stream.receive_put(b"more")
        waiting.wait()
        assert uart.read(4) == b"more"


def test_the_device_is_stopped_and_started(board: Board) -> None:
    """It is put to sleep and woken, goes by surprise, and comes back."""
    with board.driver("stream") as uart:
        uart.stop()
        with pytest.raises(NtStatusError, match="STATUS_DEVICE_NOT_READY"):
            uart.write(b"x")
        uart.start()
        uart.set_power(DevicePower.PowerDeviceD3)
        uart.set_power(DevicePower.PowerDeviceD0)
        pending = uart.begin_read(1)
        with pytest.raises(NtStatusError, match="STATUS_DEVICE_BUSY"):
            uart.stop()
        uart.surprise_remove()
        assert pending.status == NtStatus.STATUS_DELETE_PENDING
        uart.start()
        assert uart.write(DATA) == len(DATA)


def test_a_start_without_resources_fails(board: Board) -> None:
    """The driver says why, and leaves nothing behind."""
    with pytest.raises(NtStatusError, match=r"IRP_MN_START_DEVICE: .*CONFIGURATION_ERROR"):
        board.driver().start()


class Mistake(NamedTuple):
    """A mistake, and what is said of it.

    :ivar right, wrong: what stands in the driver, and what instead of it.
    :ivar kind: how what is said begins.
    :ivar at: the text of the line that it names.
    :ivar remedy: a part of what to do.
    """

    right: str
    wrong: str
    kind: str
    at: str
    remedy: str


MISTAKES = {
    "no flush": Mistake(
        "DmaAdapter->DmaOperations->FlushAdapterBuffersEx(DmaAdapter,",
        "(VOID)(DmaAdapter,",
        "violation 0x10",
        "DmaAdapter->DmaOperations->FreeAdapterChannel(DmaAdapter);",
        "call FlushAdapterBuffersEx before",
    ),
    "the other direction": Mistake(
        "UartInitializeChannel(Device, &Device->Transmit, TRUE);",
        "UartInitializeChannel(Device, &Device->Transmit, FALSE);",
        "violation 0x57",
        "Status = Adapter->DmaOperations->MapTransferEx(",
        "give IoGetDmaAdapter the line of that direction",
    ),
    "success for a request that is kept": Mistake(
        "    UartStartNext(Channel);\n    return STATUS_PENDING;",
        "    UartStartNext(Channel);\n    return STATUS_SUCCESS;",
        "violation 0x69",
        "UartDispatchWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp)\n{",
        "never one without the other",
    ),
    "a cancel routine that stays": Mistake(
        "    IoSetCancelRoutine(Irp, NULL);\n\n",
        "\n",
        "violation 0x6a",
        "    IoCompleteRequest(Irp, IO_NO_INCREMENT);",
        "call IoSetCancelRoutine with NULL",
    ),
    "a request that is completed twice": Mistake(
        "    UartFreeTransfer(Transfer);\n    UartCompleteRequest(Device, Irp, Status,",
        "    UartFreeTransfer(Transfer);\n    Irp->IoStatus.Status = Status;\n"
        "    IoCompleteRequest(Irp, IO_NO_INCREMENT);\n"
        "    UartCompleteRequest(Device, Irp, Status,",
        "violation 0x68",
        "Irp->IoStatus.Information = Information;\n    IoCompleteRequest(Irp, IO_NO_INCREMENT);",
        "complete a request once",
    ),
    "a request that is looked at when it is gone": Mistake(
        "    IoCompleteRequest(Irp, IO_NO_INCREMENT);\n    return Status;",
        "    IoCompleteRequest(Irp, IO_NO_INCREMENT);\n    return Irp->IoStatus.Status;",
        "completed-request at ",
        "    return Irp->IoStatus.Status;",
        "take what is needed of it before",
    ),
    "a lock that stays": Mistake(
        "    KeReleaseSpinLock(&Device->CounterLock, Irql);\n    *Information",
        "    KeLowerIrql(Irql);\n    *Information",
        "violation 0x61",
        "    KeAcquireSpinLock(&Device->CounterLock, &Irql);",
        "release it before, in every way out",
    ),
    "a wait in a deferred call": Mistake(
        "    UartStopCurrent((PUART_CHANNEL)DeferredContext, STATUS_TIMEOUT);\n",
        "    UartStopCurrent((PUART_CHANNEL)DeferredContext, STATUS_TIMEOUT);\n"
        "    KeWaitForSingleObject(&((PUART_CHANNEL)DeferredContext)->Idle, Executive, KernelMode,"
        " FALSE, NULL);\n",
        "violation 0x58",
        "    KeWaitForSingleObject(&((PUART_CHANNEL)DeferredContext)->Idle",
        "from a thread or a work item instead of a DPC",
    ),
    "an interrupt that is not acknowledged": Mistake(
        "Enabled & ~(Causes & UART_STATUS_DATA_IN)",
        "Enabled",
        "the firmware crashed",
        "UartInterrupt(PKINTERRUPT Interrupt, PVOID ServiceContext)\n{",
        "acknowledge the interrupt in the device",
    ),
    "a start that does not reach the device below": Mistake(
        "if (!IoForwardIrpSynchronously(Device->Below, Irp)) {",
        "Irp->IoStatus.Status = STATUS_SUCCESS;\n        if (Device->Below == NULL) {",
        "violation 0x74",
        "UartDispatchPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)\n{",
        "IoCallDriver with the device that IoAttachDeviceToDeviceStack returned",
    ),
    "memory that leaks": Mistake(
        "        ExFreePoolWithTag(Transfer->List, UART_TAG);\n",
        "        Transfer->List = NULL;\n",
        "violation 0x54: a block of pool is left",
        "ExAllocatePool2(POOL_FLAG_NON_PAGED, Transfer->ListSize, UART_TAG);",
        "end it by ExFreePoolWithTag",
    ),
    "an adapter that stays": Mistake(
        "            Adapter->DmaOperations->PutDmaAdapter(Adapter);\n",
        "",
        "violation 0x54: an adapter is left",
        "Channel->Adapter = IoGetDmaAdapter(",
        "end it by PutDmaAdapter",
    ),
    "an interrupt that stays connected": Mistake(
        "        IoDisconnectInterrupt(Device->Interrupt);\n",
        "",
        "violation 0x54: a connected interrupt is left",
        "    return IoConnectInterrupt(",
        "end it by IoDisconnectInterrupt",
    ),
    "a device that is deleted while it is attached": Mistake(
        "    IoDetachDevice(Below);\n",
        "",
        "violation 0x78",
        "    IoDeleteDevice(Device->Self);",
        "call IoDetachDevice before",
    ),
    "more bytes than there are": Mistake(
        "NT_SUCCESS(Status) ? Done : 0);",
        "NT_SUCCESS(Status) ? Done + 1 : 0);",
        "violation 0x76",
        "    IoCompleteRequest(Irp, IO_NO_INCREMENT);",
        "set IoStatus.Information to the bytes that were moved",
    ),
    "a purge that forgets those who wait": Mistake(
        "    UartEmptyQueue(&Device->Waits, Status);\n",
        "",
        "violation 0x54: a pending request is left",
        "        IoCsqInsertIrp(&Device->Waits.Csq, Irp, NULL);",
        "end it by IoCompleteRequest",
    ),
}


def live(board: Board) -> None:
    """Let the driver live a whole life."""
    with board.driver("stream") as uart:
        uart.write(DATA[:100])
        uart.ioctl(SET_MODES, struct.pack("<I", 500))
        board.stream.receive_put(b"part")
        uart.read(10)
        uart.begin_read(10).cancel()
        waiting = uart.begin_ioctl(WAIT_FOR_DATA)
        board.stream.receive_put(b"more")
        waiting.wait()
        uart.read(4)
        uart.begin_ioctl(WAIT_FOR_DATA)
        uart.ioctl(GET_COUNTERS, b"", 24)
        uart.ioctl(GET_COUNTERS, b"", 24)


def change(folder: Path, mistake: Mistake, suffix: str = ".c") -> tuple[list[Path], str]:
    """Write the driver with a mistake into a folder; return its files, and `FILE:LINE` of it."""
    texts = {file: (HERE / file).read_text() for file in FILES}
    (changed,) = (file for file, text in texts.items() if mistake.right in text)
    assert texts[changed].count(mistake.right) == 1
    texts[changed] = texts[changed].replace(mistake.right, mistake.wrong)
    (folder / "uart.h").write_text((HERE / "uart.h").read_text())
    paths = {file: (folder / file).with_suffix(suffix) for file in texts}
    for file, text in texts.items():
        paths[file].write_text(text)
    (named,) = (file for file, text in texts.items() if mistake.at in text)
    number = texts[named].partition(mistake.at)[0].count("\n") + 1 + mistake.at.count("\n")
    return list(paths.values()), f"{paths[named].name}:{number}"


def said(image: Path) -> list[str]:
    """Let a driver live, and return what is said of it."""
    with (
        pytest.raises((FindingsError, FaultError)) as caught,
        Board(image=image) as board,
        suppress(NtStatusError, PendingError),
    ):
        live(board)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found(tmp_path: Path, mistake: Mistake) -> None:
    """By what it is, with file and line of the driver, and what to do."""
    paths, place = change(tmp_path, mistake)
    lines = said(build_image(*paths, output=tmp_path / "wrong.elf"))
    assert any(
        mistake.kind in line and mistake.remedy in line and f"{place})" in line for line in lines
    ), lines


@pytest.mark.parametrize("name", ["no flush", "a request that is looked at when it is gone"])
def test_a_finding_does_not_depend_on_the_compiler(tmp_path: Path, name: str) -> None:
    """As C and as C++, at each level of optimisation, the line is the same."""
    mistake = MISTAKES[name]
    for suffix in (".c", ".cpp"):
        paths, place = change(tmp_path, mistake, suffix)
        for level in (0, 2, 3):
            image = build_image(*paths, output=tmp_path / "wrong.elf", optimise=level)
            lines = said(image)
            assert any(mistake.kind in one and f"{place})" in one for one in lines), lines
