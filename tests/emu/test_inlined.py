# SPDX-License-Identifier: Apache-2.0
"""Places in inlined code: the function that was written, then what it is inlined in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, FaultError, build_image, deadline
from dmav3.conformance.tests.driver import adapter_for, arm, granted
from dmav3.errors import HangError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = """\
#include <dmav3.h>

static inline VOID put(volatile UCHAR *at, UCHAR value)
{
    *at = value; /* put */
}
"""
DRIVER = """\
#include "ring.h"

static UCHAR Buffer[64] __attribute__((aligned(64)));

static VOID fill(volatile UCHAR *to, ULONG count, UCHAR value)
{
    for (ULONG i = 0; i < count; i++) {
        put(&to[i], value); /* fill */
    }
}

static NTSTATUS Where(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    dmav3_reply_value(reply, "at", (ULONG_PTR)Buffer);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(where, "", Where);

static NTSTATUS Go(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    fill(Buffer, sizeof Buffer, (UCHAR)argument[0]); /* Go */
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(go, "value", Go);

static NTSTATUS Crash(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    fill((volatile UCHAR *)(ULONG_PTR)argument[0], 1, 2); /* Crash */
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(crash, "address", Crash);

static VOID spin(ULONG step)
{
    for (volatile ULONG i = 0;; i += step) { /* spin */
    }
}

static NTSTATUS Hang(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    spin((ULONG)argument[0]); /* Hang */
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(hang, "step", Hang);

static VOID drop(volatile VOID *line)
{
    __asm__ volatile("dc civac, %0" : : "r"(line) : "memory");
}

static NTSTATUS Twice(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    drop(Buffer);
    drop(Buffer);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(twice, "", Twice);
"""


def line_of(name: str, source: str = DRIVER) -> int:
    """Return the number of the line that is marked with the function's name."""
    (line,) = (n for n, text in enumerate(source.splitlines(), 1) if f"/* {name} */" in text)
    return line


def chain(outermost: str) -> str:
    """Return the place of the store of `put`."""
    return (
        f"put (ring.h:{line_of('put', HEADER)}), inlined in fill (driver.c:{line_of('fill')}), "
        f"inlined in {outermost} (driver.c:{line_of(outermost)})"
    )


@pytest.fixture(scope="module", params=[1, 2], ids="-O{}".format)
def board(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    """Start the driver, compiled at one level of optimisation after the other."""
    folder: Path = tmp_path_factory.mktemp("inlined")
    (folder / "ring.h").write_text(HEADER)
    (folder / "driver.c").write_text(DRIVER)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        image = build_image("driver.c", output=folder / "app.elf", optimise=request.param)
    with Board(image=image, judge=False) as board:
        yield board


@pytest.fixture(autouse=True)
def _fresh(board: Board) -> None:
    """Begin each test with a reset."""
    board.reset()


def test_a_finding_names_the_innermost_function_and_the_chain(board: Board) -> None:
    """The store that a device missed is in `put`, wherever that went."""
    mdl = board.dma.IoAllocateMdl(board.call("where")["at"], 64)
    board.dma.MmBuildMdlForNonPagedPool(mdl)
    adapter = adapter_for(board, write=True)
    adapter.MapTransferEx(mdl, granted(board, adapter), WriteToDevice=True)
    board.call("go", 7)
    with board.expect("not-your-buffer", routine="MapTransferEx"):
        arm(board, write=True)
    (finding,) = board.findings()
    assert finding.cpu is not None
    assert (finding.cpu.function, finding.cpu.file, finding.cpu.line) == (
        "put",
        "ring.h",
        line_of("put", HEADER),
    )
    assert f"the CPU's access was in {chain('Go')};" in finding.text


def test_a_fault_names_the_chain(board: Board) -> None:
    """The place of the error is the innermost function, then its callers by line."""
    with pytest.raises(FaultError) as fault:
        board.call("crash", 0)
    assert fault.value.place == chain("Crash")


def test_a_hang_names_the_chain(board: Board) -> None:
    """The CPU is in the loop of an inlined function."""
    with deadline(1), pytest.raises(HangError) as hang:
        board.call("hang", 1)
    place = rf"its CPU is in spin \(driver\.c:{line_of('spin')}\), inlined in Hang \(driver\.c:"
    assert re.search(rf"{place}{line_of('Hang')}\)", str(hang.value))


def test_costs_are_those_of_the_innermost_function(board: Board) -> None:
    """Maintenance that changed nothing, where no routine is around it."""
    board.call("twice")
    costs = {cost["function"]: cost["operations"] for cost in board.evidence.costs()}
    assert costs["drop"] == 2
