# SPDX-License-Identifier: Apache-2.0
"""Mistakes with the kernel around a driver: each is told with what, where, and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, FindingsError, build_image
from dmav3.evidence.mistakes import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("kernel_mistakes.c")
TEXT = SOURCE.read_text()
NUMBERS = {
    name: n for n, name in enumerate(re.findall(r"\bX\((\w+)\)", TEXT.partition("static")[0]))
}
FIRST = 0x58
#: How what is said begins, and a part of what to do.
CAUGHT = {
    "FreeTwice": ("violation 0x5b in ExFreePool", "give each block back once"),
    "Overrun": ("violation 0x5c in ExAllocatePool2", "write no more than was allocated"),
    "Underrun": ("violation 0x5c in ExAllocatePool2", "nothing in front of it"),
    "WrongTag": ("violation 0x5d in ExFreePoolWithTag", "'klsM' is given back with the tag 'rehO'"),
    "NoBytes": ("violation 0x5e in ExAllocatePool2", "ask for 1 byte or more"),
    "NoKind": ("violation 0x5e in ExAllocatePool2", "exactly one of POOL_FLAG_NON_PAGED"),
    "WriteFreed": ("violation 0x5f in ExFreePool", "at its byte 3, after it was given back"),
    "NoBlock": ("violation 0x60 in ExFreePool", "as it is"),
    "Leak": ("violation 0x54: a block of pool is left", "end it by ExFreePoolWithTag"),
    "RawLookaside": ("violation 0x6d in ExAllocateFromNPagedLookasideList", "initialise it before"),
    "Assertion": ("violation 0x5a in RtlAssert", "look at the condition"),
    "BrokenList": ("violation 0x6c in LIST_ENTRY", "hold one lock for all"),
    "LockTwice": ("violation 0x61 in KeAcquireSpinLockRaiseToDpc", "in every way out of the code"),
    "UnlockTwice": ("violation 0x62 in KeReleaseSpinLock", "release each lock once"),
    "LeaveLock": ("violation 0x54: a spin lock is left", "end it by KeReleaseSpinLock"),
    "WaitInDpc": ("violation 0x58 in KeWaitForSingleObject", "the highest for this routine is APC"),
    "WaitForever": ("violation 0x63 in KeWaitForSingleObject", "look at who should have"),
    "RawEvent": ("violation 0x6d in KeSetEvent", "initialise it before"),
    "SemaphoreLimit": ("violation 0x64 in KeReleaseSemaphore", "release what was taken"),
    "ForeignMutex": ("violation 0x64 in KeReleaseMutex", "a mutex in the thread that has it"),
    "LeaveTimer": ("violation 0x54: a timer that is set is left", "end it by KeCancelTimer"),
    "LeaveThread": ("violation 0x54: a thread is left", "end it by PsTerminateSystemThread in it"),
    "RaiseInDpc": ("violation 0x42 in DeferredRoutine", "lower or raise the IRQL"),
    "QueueTwice": ("violation 0x65 in ExQueueWorkItem", "when its routine has been called"),
    "LockPagesTwice": ("violation 0x66 in MmProbeAndLockPages", "once, and unlock them once"),
    "UnlockUnlocked": ("violation 0x66 in MmUnlockPages", "once, and unlock them once"),
    "UnmapLength": ("violation 0x67 in MmUnmapIoSpace", "with the length of the mapping"),
    "LeaveMapping": ("violation 0x54: a mapping of registers is left", "end it by MmUnmapIoSpace"),
    "LeaveInterrupt": ("violation 0x54: a connected interrupt", "end it by IoDisconnectInterrupt"),
    "CompleteTwice": ("violation 0x68 in IofCompleteRequest", "complete a request once"),
    "Unmarked": ("violation 0x69 in DispatchRoutine", "never one without the other"),
    "MarkedOnly": ("violation 0x69 in DispatchRoutine", "never one without the other"),
    "CancelLeft": ("violation 0x6a in IofCompleteRequest", "IoSetCancelRoutine with NULL"),
    "NoLocation": ("violation 0x6b in IofCallDriver", "with the StackSize of the device"),
    "LeaveIrp": ("violation 0x54: a request is left", "end it by IoFreeIrp"),
    "LeaveDevice": ("violation 0x54: a device object is left", "end it by IoDeleteDevice"),
    "CsqTwice": ("violation 0x65 in IoCsqInsertIrp", "when it was taken out"),
    "RawCsq": ("violation 0x6d in IoCsqRemoveNextIrp", "initialise it before"),
    "CsqRelease": ("violation 0x42 in CsqReleaseLock", "lower or raise the IRQL"),
    "ReleaseFree": ("violation 0x62 in IoReleaseRemoveLock", "release each lock once"),
    "ReleaseTag": ("violation 0x62 in IoReleaseRemoveLock", "the tag of its acquisition"),
    "RawRemoveLock": ("violation 0x6d in IoAcquireRemoveLock", "initialise it before"),
    "LeaveRemoveLock": ("violation 0x54: a remove lock is left", "end it by IoReleaseRemoveLock"),
    "RemoveTooEarly": ("violation 0x63 in IoReleaseRemoveLockAndWait", "look at who should have"),
    "FreeQueued": ("violation 0x6e in IoFreeWorkItem", "in its routine, or after"),
    "WorkTwice": ("violation 0x65 in IoQueueWorkItem", "when its routine has been called"),
    "LeaveWorkItem": ("violation 0x54: a work item is left", "end it by IoFreeWorkItem"),
    "NoStartIo": ("violation 0x6d in IoStartPacket", "initialise it before"),
    "RaiseInStartIo": ("violation 0x42 in StartIoRoutine", "lower or raise the IRQL"),
    "StartTwice": ("violation 0x65 in KeInsertDeviceQueue", "when it was taken out"),
    "RawDeviceQueue": ("violation 0x6d in KeRemoveEntryDeviceQueue", "initialise it before"),
    "FreePagesTwice": ("violation 0x60 in MmFreeContiguousMemory", "as it is, once"),
    "LeaveContiguous": ("violation 0x54: contiguous memory is left", "MmFreeContiguousMemory"),
    "LeavePages": (
        "violation 0x54: a run of pages of an MDL is left",
        "end it by MmFreePagesFromMdl",
    ),
    "LeaveLink": ("violation 0x54: a symbolic link is left", "end it by IoDeleteSymbolicLink"),
    "RawInterrupt": ("violation 0x6d in IoDisconnectInterruptEx", "initialise it before"),
    "LockTooLow": ("violation 0x59 in KeAcquireSpinLockAtDpcLevel", "raise the IRQL before"),
    "PagedCode": ("violation 0x58 in PAGED_CODE", "call it at that level or below"),
}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Start one board with the driver for all tests, each of which resets it."""
    image = build_image(SOURCE, output=tmp_path_factory.mktemp("mistakes") / "driver.elf")
    with Board(image=image) as board:
        yield board


def line(name: str) -> int:
    """Return the line that is marked with a name."""
    (number,) = (
        n
        for n, text in enumerate(TEXT.splitlines(), 1)
        if re.search(rf"/\*.*\b{name}\b.*\*/$", text)
    )
    return number


def test_every_code_is_provoked() -> None:
    """From the first one on that is about the kernel around a driver."""
    named = {int(code, 16) for begin, _ in CAUGHT.values() for code in re.findall("0x..", begin)}
    assert {code for code in CODES if code >= FIRST} <= named


def test_a_right_driver_is_not_told_off(board: Board) -> None:
    """What is allocated and given back leaves no word."""
    board.call("mistake", NUMBERS["Nothing"])
    board.reset()


@pytest.mark.parametrize("name", CAUGHT)
def test_a_mistake_is_told_at_its_line(board: Board, name: str) -> None:
    """Once, with the routine, the line of the call, and what to do."""
    board.call("mistake", NUMBERS[name])
    with pytest.raises(FindingsError) as caught:
        board.reset()
    (found,) = caught.value.findings
    begin, remedy = CAUGHT[name]
    said = found.line()
    assert said.startswith(begin)
    assert remedy in said
    assert f"{SOURCE.name}:{line(name)}" in said


def test_a_failed_assertion_is_printed(board: Board) -> None:
    """The text of the condition is what a person looks for."""
    board.call("mistake", NUMBERS["Assertion"])
    assert "assertion failed: count == 0 (" in board.printed
    with pytest.raises(FindingsError):
        board.reset()
    assert board.printed == ""
