# SPDX-License-Identifier: Apache-2.0
"""What layer and back end owe each other, whichever back end it is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dmav3 import Board, Buffer, HostShim
from dmav3.board.host_shim import ERROR
from dmav3.evidence.probe import Kind, Memory
from dmav3.wdm import DISPATCH_LEVEL, PASSIVE_LEVEL, DmaCompletionStatus, NtStatus

from .driver import (
    Bench,
    Completions,
    Flight,
    adapter_for,
    arm,
    bus_master,
    described,
    entries,
    finished,
    free_channel,
    moved,
    place_pages,
    quiet,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.board.shim import Shim

OK = NtStatus.STATUS_SUCCESS
HIGH_LEVEL = 15
#: The entries that a driver's calls and interrupts lead to, as the event log calls them.
ENTRIES = {
    "ValidateRequestLineBinding",
    "QueryMaxFragments",
    "ProgramChannel",
    "ConfigureChannel",
    "FlushChannel",
    "HandleInterrupt",
    "BackendReadDmaCounter",
    "CancelTransfer",
}
#: Routines of a driver that the layer calls.
CALLBACKS = {"AdapterControl", "AdapterListControl", "DmaCompletionRoutine"}


def nested(shim: Shim, position: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each entered routine, entry and callback since then, and within which others."""
    names = {n: name.removeprefix("OPLOG_") for name, n in shim.image.enum("oplog_id").items()}
    stack: list[str] = []
    for record in shim.evidence.events.since(position):
        if record.kind == Kind.ENTER:
            yield names[record.id], tuple(stack)
            stack.append(names[record.id])
        elif record.kind == Kind.EXIT:
            assert stack.pop() == names[record.id]


class TestLevels:
    """At which interrupt levels the entries are called."""

    @pytest.mark.dmav3_rule("HBE-03", "BMT-02")
    @pytest.mark.parametrize("level", [PASSIVE_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL])
    def test_every_entry(self, shim: Shim, level: int) -> None:
        """They work at any level, which is the same afterwards; a routine's own limit is told."""
        bench = Bench.of_subordinate(shim)
        calls: tuple[Callable[[], NtStatus], ...] = (
            lambda: bench.map().status,
            lambda: NtStatus(bench.adapter.ReadDmaCounter() * 0),
            lambda: bench.adapter.CancelMappedTransfer(bench.context),
            lambda: bench.flush(256),
        )
        with shim.dma.irql(level), entries(shim) as entered:
            for call in calls:
                with shim.evidence.expect_violations(*([0x13] if level > DISPATCH_LEVEL else [])):
                    assert call() == OK
                assert shim.request("KeGetCurrentIrql").number("irql") == level
        assert [name for name in entered if name in ENTRIES] == [
            "QueryMaxFragments",
            "ProgramChannel",
            "BackendReadDmaCounter",
            "CancelTransfer",
            "FlushChannel",
        ]

    @pytest.mark.dmav3_rule("HBE-03")
    def test_validation(self, shim: Shim) -> None:
        """A binding is validated when the adapter is made, at PASSIVE_LEVEL, and never again."""
        position = len(shim.evidence.events.all())
        assert shim.request("KeGetCurrentIrql").number("irql") == PASSIVE_LEVEL
        bench = Bench.of_subordinate(shim)
        assert bench.map() == (OK, 256)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(256) == OK
        within = [
            around
            for name, around in nested(shim, position)
            if name == "ValidateRequestLineBinding"
        ]
        assert within == [("IoGetDmaAdapter",)]


class TestOrder:
    """What is called inside of what."""

    @pytest.mark.dmav3_rule("HBE-04")
    @pytest.mark.dmav3_host
    def test_an_interrupt_that_an_entry_causes(self, scripted: HostShim) -> None:
        """It waits for the end of ProgramChannel, and comes inside of the routine."""
        scripted.script(ends_at_once=1)
        bench, done = Bench.of_subordinate(scripted), Completions(scripted)
        position = len(scripted.evidence.events.all())
        assert bench.map(DmaCompletionRoutine=done) == (OK, 256)
        within = [
            around for name, around in nested(scripted, position) if name == "HandleInterrupt"
        ]
        assert within == [("MapTransferEx",)] * 2

    @pytest.mark.dmav3_rule("HBE-04")
    @pytest.mark.dmav3_host
    @pytest.mark.parametrize(
        ("entry", "name"),
        [
            ("SCRIPTED_PROGRAM", "ProgramChannel"),
            ("SCRIPTED_CONFIGURE", "ConfigureChannel"),
            ("SCRIPTED_FLUSH", "FlushChannel"),
            ("SCRIPTED_COUNTER", "BackendReadDmaCounter"),
            ("SCRIPTED_CANCEL", "CancelTransfer"),
        ],
    )
    def test_each_entry_is_alone(self, scripted: HostShim, entry: str, name: str) -> None:
        """An interrupt that becomes pending inside it is handled after its end."""
        scripted.script(interrupts_inside=1 << scripted.image.enum("scripted_entry")[entry])
        position = len(scripted.evidence.events.all())
        bench = Bench.of_subordinate(scripted)
        bench.adapter.ConfigureAdapterChannel(7, 0)
        assert bench.map() == (OK, 256)
        bench.adapter.ReadDmaCounter()
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert bench.flush(256) == OK
        free_channel(scripted, bench.adapter)
        found = list(nested(scripted, position))
        assert name in {one for one, _ in found}
        handled = [around for one, around in found if one == "HandleInterrupt"]
        assert handled
        assert not [around for around in handled if set(around) & (ENTRIES - {"HandleInterrupt"})]

    @pytest.mark.dmav3_rule("BMT-02", "BMT-04")
    def test_what_a_level_holds_back(self, board: Board) -> None:
        """At DISPATCH_LEVEL interrupts are handled and routines wait; above all, both wait."""
        for level, handled in ((DISPATCH_LEVEL, 2), (HIGH_LEVEL, 0)):
            flight = Flight.start(board, 256, write=False)
            with board.dma.irql(level), entries(board) as entered:
                board.stream.receive_put(moved(256))
                board.wait(1_000_000)
            assert entered.count("HandleInterrupt") == handled
            assert "DmaCompletionRoutine" not in entered
            assert len(flight.done.calls) == 1
            flight.end()

    @pytest.mark.dmav3_rule("BMT-06", "HBE-20")
    @pytest.mark.parametrize("level", [PASSIVE_LEVEL, DISPATCH_LEVEL])
    def test_from_interrupt_to_callback(self, shim: Shim, level: int) -> None:
        """HandleInterrupt until FALSE, then the routine at DISPATCH_LEVEL, which it is alone in."""
        adapter, done = adapter_for(shim, write=False), Completions(shim)
        bench = Bench(shim, adapter, described(shim, 256)[1])
        assert bench.map(write=False, DmaCompletionRoutine=done) == (OK, 256)
        position = len(shim.evidence.events.all())
        with shim.dma.irql(level):
            arm(shim, write=False)
            if isinstance(shim, Board):
                shim.stream.receive_put(moved(256))
            if isinstance(shim, HostShim):
                shim.end(0)
            shim.wait(1_000_000)
        assert [call[3:] for call in done.calls] == [
            (DmaCompletionStatus.DmaComplete, DISPATCH_LEVEL)
        ]
        found = list(nested(shim, position))
        assert [name for name, _ in found] == ["HandleInterrupt"] * 2 + ["DmaCompletionRoutine"]
        assert [around for _, around in found] == [()] * 3

    @pytest.mark.dmav3_rule("HBE-19")
    def test_a_transfer_s_life(self, shim: Shim) -> None:
        """The layer calls the same entries in the same order on either back end."""
        with entries(shim) as entered:
            adapter, done = adapter_for(shim, write=False), Completions(shim)
            bench = Bench(shim, adapter, described(shim, 256)[1])
            arm(shim, write=False)
            assert bench.map(write=False, DmaCompletionRoutine=done) == (OK, 256)
            assert adapter.ReadDmaCounter() == (256 if isinstance(shim, Board) else 0)
            if isinstance(shim, Board):
                shim.stream.receive_put(moved(256))
            finished(shim, done)
            assert bench.flush(256, write=False) == OK
            assert bench.map(write=False) == (OK, 256)
            assert adapter.CancelMappedTransfer(bench.context) == OK
            assert bench.flush(256, write=False) == OK
            free_channel(shim, adapter)
        assert [name for name in entered if name in ENTRIES | CALLBACKS] == [
            "ValidateRequestLineBinding",
            "ConfigureChannel",
            *("QueryMaxFragments", "ProgramChannel", "BackendReadDmaCounter"),
            *("HandleInterrupt", "HandleInterrupt", "DmaCompletionRoutine", "FlushChannel"),
            *("QueryMaxFragments", "ProgramChannel", "CancelTransfer"),
            *("BackendReadDmaCounter", "FlushChannel"),
        ]

    @pytest.mark.dmav3_rule("HBE-19")
    @pytest.mark.dmav3_host
    def test_what_a_script_controls(self, scripted: HostShim) -> None:
        """Fragment limits, what HandleInterrupt reports, and FALSE of CancelTransfer."""
        _, mdl = described(scripted, 32 * 4096, region="scatter")
        bench, done = Bench(scripted, quiet(scripted), mdl), Completions(scripted)
        scripted.script(max_fragments=2, cancel_result=0)
        status, length = bench.map(DmaCompletionRoutine=done)
        assert (status, len(bench.list)) == (OK, 2)
        assert len(scripted.programs()[-1].elements) == 2
        scripted.report(0, ERROR)
        assert bench.adapter.CancelMappedTransfer(bench.context) == OK
        assert [call[3] for call in done.calls] == [DmaCompletionStatus.DmaError]
        assert bench.flush(length) == OK


@pytest.mark.dmav3_rule("HBE-05")
def test_private_memory(board: Board) -> None:
    """Each channel has its own from the start, and no line of it is ever in a cache."""
    given = [record for record in board.evidence.events.all() if record.kind == Kind.MEMORY]
    blocks = [(one.b, one.c) for one in given if one.id == Memory.PRIVATE]
    assert len(blocks) == 8
    assert {one.command for one in given} == {0}
    assert all(start + size <= later for (start, size), (later, _) in pairwise(sorted(blocks)))
    for channel in range(len(blocks)):
        flight = Flight.start(board, 256, write=True, channel=channel)
        finished(board, flight.done)
        flight.end()
    assert board.lines(Buffer("private", *blocks[0], tuple(blocks))).valid == 0


@pytest.mark.dmav3_rule("HBE-07")
@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_controller_of_few_fragments(scripted: HostShim, limit: int) -> None:
    """MapTransferEx maps as many as it answers, none if that is 0; MapTransfer all or nothing."""
    buffer, mdl = described(scripted, 3 * 4096)
    place_pages(scripted, mdl, [0x50000, 0x50002, 0x50004])
    bench = Bench(scripted, quiet(scripted), mdl, 4)
    scripted.script(max_fragments=limit)
    status, length = bench.map()
    assert (status == OK) == (limit != 0)
    if limit:
        assert len(scripted.programs()[-1].elements) == limit
        scripted.end(0)
        assert bench.flush(length) == OK
    with entries(scripted) as entered:
        mapped = bench.adapter.MapTransfer(
            mdl, bench.base, buffer.address, 3 * 4096, WriteToDevice=True
        )
    assert mapped == (0, 0)
    assert "ProgramChannel" not in entered


@pytest.mark.dmav3_rule("HBE-09")
@pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
def test_the_list_after_the_call(board: Board, *, write: bool) -> None:
    """A running transfer goes on right although the memory of its list has other contents."""
    buffer, mdl = described(board, 8 * 4096, region="scatter")
    content = moved(buffer.size)
    bench = Bench(board, bus_master(board), described(board, 64)[1])
    adapter, done = adapter_for(board, write=write, channel=2), Completions(board)
    running = Bench(board, adapter, mdl)
    board.channel(2).hold_at_burst = 1
    if write:
        board.write(buffer, content)
    else:
        board.stream.receive_put(content)
    arm(board, write=write)
    assert running.map(write=write, DmaCompletionRoutine=done) == (OK, buffer.size)
    assert len(running.list) > 1
    board.request("fill", running.memory, 4096, 0xEE)
    assert bench.map() == (OK, 64)  # a list of the layer's own is used again
    board.channel(2).release()
    finished(board, done)
    assert running.flush(buffer.size, write=write) == OK
    board.wait(1000)
    assert (board.stream.sent_take() if write else board.read(buffer)) == content
