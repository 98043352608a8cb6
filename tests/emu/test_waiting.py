# SPDX-License-Identifier: Apache-2.0
"""What has not happened yet on a board: who waits for what, and who would have to act."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dmav3.conformance.tests.driver import (
    bus_master,
    context_for,
    described,
    granted,
    granted_with,
)
from dmav3.conformance.tests.owner import READY_LINE
from dmav3.devices.stream import Control, Register
from dmav3.errors import FindingsError, TargetError
from dmav3.wdm import DISPATCH_LEVEL, IoAllocationAction

if TYPE_CHECKING:
    from dmav3 import Board
    from dmav3.dma import DmaAdapter

#: As many as there are.
MAP_REGISTERS = 64
#: On `virt` there is nothing here.
HOLE = 0x0F800000


def receiver(board: Board, address: int | None = None) -> DmaAdapter:
    """Return an adapter for what the stream device receives, or an unknown device there."""
    data = board.machine.stream.base if address is None else address
    line = board.machine.stream.receive if address is None else READY_LINE
    adapter = board.IoGetDmaAdapter(DmaWidth=0, DmaRequestLine=line, DeviceAddress=data)
    assert adapter is not None
    return adapter


def ask(board: Board, control: int = Control.RECEIVE_REQUEST) -> None:
    """Let the stream device ask for DMA."""
    board.request("poke", board.machine.stream.base + Register.CONTROL, "32", control)


def begun(board: Board, adapter: DmaAdapter) -> None:
    """Map a read of 64 bytes."""
    _, mdl = described(board, 64)
    assert adapter.MapTransferEx(mdl, granted(board, adapter), WriteToDevice=False).status.success


def test_a_transfer_says_what_its_channel_waits_for(board: Board) -> None:
    """The device's request, its bytes, a hold, time; each with who has to act."""
    begun(board, receiver(board))
    (text,) = board.waiting()
    assert "of MapTransferEx, called in begun (tests/emu/test_waiting.py:" in text
    assert "the driver has to set DMAV3_STREAM_RECEIVE" in text
    ask(board)
    (text,) = board.waiting()
    assert "has no bytes left: board.stream.receive_put()" in text
    channel = board.channel(0)
    channel.hold_at_burst = 3
    board.stream.receive_put(bytes(64))
    board.wait(10_000)
    (text,) = board.waiting()
    assert "held on request until board.channel(0).release()" in text
    channel.burst_interval_ns = 100_000
    channel.release()
    board.wait(10)
    (text,) = board.waiting()
    assert "moves a burst every 100000 ns" in text
    channel.burst_interval_ns = 0
    board.wait(10_000_000)
    assert board.waiting() == []


def test_a_request_says_who_has_what_it_waits_for(board: Board) -> None:
    """The channel, and map registers; `run_until` says it as well."""
    begun(board, receiver(board))
    other = receiver(board)
    context = context_for(board, other)
    with board.dma.irql(DISPATCH_LEVEL):
        other.AllocateAdapterChannelEx(context, 1, 0, lambda *_: IoAllocationAction.KeepObject)
        assert any("completion routines wait until it is below 2" in it for it in board.waiting())
    first = board.waiting()[0]
    assert "waits for its channel: the request of AllocateAdapterChannelEx, called in gran" in first
    with pytest.raises(TargetError, match="nothing more happened") as caught:
        board.dma.run_until(lambda: False, 1000)
    assert first in str(caught.value)


def test_a_request_says_who_has_the_map_registers(board: Board) -> None:
    """How many it waits for, and where they were asked for."""
    holder, other = bus_master(board), receiver(board)
    granted_with(board, holder, context_for(board, holder), registers=MAP_REGISTERS)
    context = context_for(board, other)
    with board.dma.irql(DISPATCH_LEVEL):
        other.AllocateAdapterChannelEx(context, 2, 0, lambda *_: IoAllocationAction.KeepObject)
    (text,) = board.waiting()
    assert "(tests/emu/test_waiting.py:" in text.partition(" waits for 2 map registers: ")[0]
    held = text.partition(" waits for 2 map registers: ")[2]
    assert held.startswith("AllocateAdapterChannelEx, called in granted_with (")
    assert held.endswith(f" has {MAP_REGISTERS}")


def test_a_channel_that_faults_is_told_at_the_call_that_started_it(board: Board) -> None:
    """Address, access, bits and microcode; and the finding says where the adapter was made."""
    adapter = receiver(board, HOLE)
    with board.expect("bus-error"):
        begun(board, adapter)
        board.wait(100_000)
    (finding,) = board.findings()
    assert "a channel of the PL330 loaded from where nothing answers" in finding.text
    assert "the channel's adapter was made in receiver (tests/emu/test_waiting.py:" in finding.text
    call = board.evidence.calls()[-1].line()
    assert call.startswith("MapTransferEx(DmaAdapter=0x")
    assert ", Offset=0, DeviceOffset=0, Length=64, WriteToDevice=FALSE, ScatterGather" in call
    assert "ended with DmaError, because channel 0 of the PL330 faulted at microcode 0x40" in call
    assert "a load from 0xf800000, which was answered by an error (data_read_err)" in call


def test_what_is_left_behind_names_the_line_of_the_test(board: Board) -> None:
    """Of an adapter, a channel, a mapping, an MDL and a common buffer."""
    adapter = receiver(board)
    assert adapter.AllocateCommonBuffer(64, CacheEnabled=False) is not None
    begun(board, adapter)
    board.expect_left()
    with pytest.raises(FindingsError) as caught:
        board.check()
    board.expect_left(anything=True)
    places = [one.line() for one in caught.value.findings]
    assert len(places) == 5
    assert all(".py:" in place for place in places), places
    assert caught.value.hints[-1].startswith("waiting: the transfer of MapTransferEx")
