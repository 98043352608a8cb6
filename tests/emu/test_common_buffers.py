# SPDX-License-Identifier: Apache-2.0
"""Common buffers on the board: what the tables of the guest make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, FaultError, NtStatus, build_image

if TYPE_CHECKING:
    from pathlib import Path

DRIVER = """\
#include <dmav3.h>

static NTSTATUS Share(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3};
    PHYSICAL_ADDRESS logical = {0};
    ULONG registers;
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &description, &registers);
    PVOID memory = adapter->DmaOperations->AllocateCommonBufferEx(
        adapter, NULL, (ULONG)argument[0], &logical, argument[1] != 0, 0);

    dmav3_reply_value(reply, "address", (ULONG_PTR)memory);
    dmav3_reply_value(reply, "logical", (ULONGLONG)logical.QuadPart);
    return memory ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
DMAV3_COMMAND(share, "bytes cached", Share);

static NTSTATUS Load(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    dmav3_reply_value(reply, "value", *(volatile ULONG *)(ULONG_PTR)argument[0]);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(load, "address", Load);
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a driver that allocates, and loads 32 bits from anywhere."""
    folder = tmp_path_factory.mktemp("share")
    source = folder / "share.c"
    source.write_text(DRIVER)
    return build_image(source, output=folder / "share.elf")


def share(board: Board, size: int, *, cached: bool) -> int:
    """Return the address of a common buffer, for CPU and device the same."""
    reply = board.call("share", size, int(cached))
    assert reply["status"] == NtStatus.STATUS_SUCCESS
    assert reply["address"] == reply["logical"]
    return reply["address"]


def test_a_coherent_machine_caches_what_shall_be_cached(image: Path) -> None:
    """Misaligned accesses are fine there; an uncached buffer is device memory here as well."""
    with Board("virt-a53-coherent", image=image, judge=False) as board:
        assert board.call("load", share(board, 100, cached=True) + 2)["status"] == 0
        with pytest.raises(FaultError):
            board.call("load", share(board, 100, cached=False) + 2)
