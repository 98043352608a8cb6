# SPDX-License-Identifier: Apache-2.0
"""How a call travels from Python to a routine and back: references, places, handles, callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3 import UsageError
from dmav3.conformance.tests.driver import adapter_for, context_for, described, granted
from dmav3.dma import NULL, PATTERN, UNWRITTEN, Pointer
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction, NtStatus

if TYPE_CHECKING:
    from dmav3 import Board

INVALID = NtStatus.STATUS_INVALID_PARAMETER


def test_a_pointer_goes_to_the_routine_as_it_is(board: Board) -> None:
    """The routine reads and writes the caller's own memory, and the result says 0."""
    adapter = adapter_for(board, write=True)
    _, mdl = described(board, 256)
    length = board.request("allocate", 64).number("address")
    board.memory.cpu_store(length, (128).to_bytes(4, "little"))
    base = granted(board, adapter)
    with board.evidence.expect_violations(0x24):
        wrong = Pointer(board.request("allocate", 64).number("address"))
        board.memory.cpu_store(wrong, (260).to_bytes(4, "little"))
        assert adapter.MapTransferEx(mdl, base, Length=wrong, WriteToDevice=True) == (INVALID, 0)
    mapped = adapter.MapTransferEx(mdl, base, Length=Pointer(length), WriteToDevice=True)
    assert mapped == (NtStatus.STATUS_SUCCESS, 0)
    assert board.memory.look(length, 8) == (128).to_bytes(8, "little")


def test_null_is_a_pointer(board: Board) -> None:
    """For a length, for a structure, for a place: each is refused by the routine itself."""
    adapter = adapter_for(board, write=True)
    _, mdl = described(board, 256)
    base = granted(board, adapter)
    assert adapter.MapTransferEx(mdl, base, Length=NULL, WriteToDevice=True) == (INVALID, 0)
    assert adapter.GetDmaTransferInfo(mdl, TransferInfo=NULL).status == INVALID
    assert board.IoGetDmaAdapter(DeviceDescription=NULL) is None
    assert board.IoGetDmaAdapter(NumberOfMapRegisters=False) is None


def test_what_is_not_written_keeps_the_pattern(board: Board) -> None:
    """GEN-06: also in a place of the caller's."""
    registers = Pointer(board.request("allocate", 64).number("address"))
    board.request("fill", registers, 64, 0x77)
    assert board.IoGetDmaAdapter(Version=2, NumberOfMapRegisters=registers) is None
    assert board.memory.look(registers, 8) == b"\x77" * 8
    _, mdl = described(board, 256)
    info = adapter_for(board, write=True).GetDmaTransferInfo(mdl, Version=9)
    assert info == (NtStatus.STATUS_NOT_SUPPORTED, UNWRITTEN, UNWRITTEN, UNWRITTEN, 9)


def test_memory_of_a_call_is_gone_after_it(board: Board) -> None:
    """What a routine keeps a pointer into holds nonsense then."""
    with board.dma.reference(0x1234, 8) as outer, board.dma.reference(b"inner") as inner:
        assert (outer.number, inner.bytes) == (0x1234, b"inner")
        assert inner.address == outer.address + 16
    assert board.memory.look(outer.address, 32) == bytes([PATTERN] * 8) + bytes(8) + bytes(
        [PATTERN] * 5
    ) + bytes(11)
    with (
        pytest.raises(UsageError, match="calls are nested too deeply"),
        board.dma.reference(bytes(1 << 15)),
    ):
        pass


def test_every_member_of_a_description_has_a_name(board: Board) -> None:
    """They lie where the structure has them; another name is refused."""
    names = [
        name for name in board.dma.struct("DEVICE_DESCRIPTION").members if name != "DeviceAddress"
    ]
    description = board.dma.describe(**dict.fromkeys(names, 1), DeviceAddress=1 << 40)
    read = board.dma.struct("DEVICE_DESCRIPTION").read(description)
    assert [read[name] for name in names] == [1] * 19
    assert read["DeviceAddress"]["QuadPart"] == 1 << 40
    with pytest.raises(UsageError, match="no member `Speed`; it has Version, Master"):
        board.dma.describe(Speed=1)  # type: ignore[call-arg]


def test_the_device_object_carries_its_current_irp(board: Board) -> None:
    """ADC-02: as it was when the request was made."""
    adapter, device = adapter_for(board, write=True), board.dma.allocate_device(0x1230)
    seen: list[tuple[int, int]] = []

    def control(device: int, irp: int, _base: int, _context: object) -> int:
        seen.append((device, irp))
        return IoAllocationAction.KeepObject

    owner = adapter_for(board, write=False)
    context = context_for(board, adapter)
    granted(board, owner)
    with board.dma.irql(DISPATCH_LEVEL):
        adapter.AllocateAdapterChannelEx(context, 1, 0, control, DeviceObject=device)
        board.dma.set_current_irp(device, 0x5670)
        owner.FreeAdapterChannel()
    assert seen == [(device, 0x1230)]


def test_the_fields_of_an_mdl_can_be_read(board: Board) -> None:
    """MDL-03, MDL-04: bytes, offset, flags, chain, and the page of each."""
    buffer, mdl = described(board, 8192, offset=100, region="scatter")
    second = board.dma.IoAllocateMdl(buffer.address, 10, mdl)
    first = board.dma.mdl_fields(mdl)
    assert (first.Next, first.ByteCount, first.ByteOffset) == (second.address, 8192, 100)
    assert first.StartVa == buffer.address - 100
    assert first.MdlFlags == 4
    assert [page << 12 for page in first.pages] == [
        page
        for start, length in buffer.ranges
        for page in range(start & ~0xFFF, start + length, 4096)
    ]
    assert board.dma.mdl_fields(second).MdlFlags == 0


def test_an_unknown_length_has_to_be_named(board: Board) -> None:
    """Where the MDL is a number, nobody knows what it describes."""
    with pytest.raises(UsageError, match="the MDL 0x1 describes is not known; such as Length="):
        adapter_for(board, write=True).GetDmaTransferInfo(1)


@pytest.mark.dmav3_machine("virt-a53")
def test_a_call_says_what_it_mapped_and_maintained(board: Board) -> None:
    """Bytes, elements, lines, and which of them were dirty."""
    buffer, mdl = described(board, 256)
    board.write(buffer, bytes(256))
    adapter = adapter_for(board, write=True)
    base = granted(board, adapter)
    assert adapter.MapTransferEx(mdl, base, WriteToDevice=True).status.success
    call = board.evidence.calls()[-1]
    assert call.lines == (("lines cleaned", 4), ("lines written back", 4))
    said = "STATUS_SUCCESS (0x00000000), 256 bytes, 1 elements, 4 lines cleaned, 4 lines written"
    assert said in call.line()
