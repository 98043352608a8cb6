# SPDX-License-Identifier: Apache-2.0
"""The shim on this computer: that it is the board's where it should be, and says what happened."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import CrashError, HostShim, Kind, RefusedError, UsageError, deadline
from dmav3.board.host_shim import CANCELLED, COMPLETION, ERROR
from dmav3.conformance.tests.driver import Completions, context_for, described, granted, quiet
from dmav3.errors import HangError
from dmav3.wdm import DISPATCH_LEVEL, DmaCompletionStatus, DmaWidth, NtStatus

if TYPE_CHECKING:
    from dmav3.dma import DmaAdapter, Mdl

OK = NtStatus.STATUS_SUCCESS
PAGE = 4096


@pytest.fixture
def shim(dmav3_host_shim: HostShim) -> HostShim:
    """Return a shim that has just started."""
    return dmav3_host_shim


def mapped(shim: HostShim, size: int = 256) -> tuple[DmaAdapter, Mdl, int, Completions]:
    """Start a write of a fresh buffer on channel 0."""
    adapter, (_, mdl), done = quiet(shim), described(shim, size), Completions(shim)
    base = granted(shim, adapter)
    assert adapter.MapTransferEx(mdl, base, WriteToDevice=True, DmaCompletionRoutine=done) == (
        OK,
        size,
    )
    return adapter, mdl, base, done


class TestBackEnd:
    """It does what the test says."""

    def test_a_program_is_kept_whole(self, shim: HostShim) -> None:
        """Channel, line, width, device address, direction, and every element."""
        adapter = quiet(
            shim,
            DmaChannel=3,
            DmaRequestLine=5,
            DmaWidth=DmaWidth.Width16Bits,
            DeviceAddress=0x1000,
        )
        buffer, mdl = described(shim, 5 * PAGE, region="scatter")
        base = granted(shim, adapter)
        assert adapter.MapTransferEx(mdl, base, DeviceOffset=8, WriteToDevice=True).status == OK
        (program,) = shim.programs()
        assert program[:6] == (3, 5, DmaWidth.Width16Bits, 0x1008, True, False)
        assert program.elements == buffer.ranges

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            (COMPLETION, DmaCompletionStatus.DmaComplete),
            (ERROR, DmaCompletionStatus.DmaError),
            (CANCELLED, DmaCompletionStatus.DmaCancelled),
        ],
    )
    def test_an_end_interrupts(
        self, shim: HostShim, kind: int, status: DmaCompletionStatus
    ) -> None:
        """The completion routine runs inside the request, at DISPATCH_LEVEL."""
        _, _, _, done = mapped(shim)
        assert done.calls == []
        shim.end(0, kind)
        assert [call[3:] for call in done.calls] == [(status, DISPATCH_LEVEL)]

    def test_at_dispatch_level_the_routine_waits(self, shim: HostShim) -> None:
        """As on the board: the interrupt is taken, its call is queued."""
        _, _, _, done = mapped(shim)
        with shim.dma.irql(DISPATCH_LEVEL):
            shim.end(0)
            assert done.calls == []
        assert len(done.calls) == 1

    def test_a_report_waits_for_the_next_question(self, shim: HostShim) -> None:
        """Without an interrupt nobody asks."""
        _, _, _, done = mapped(shim)
        shim.report(0)
        shim.wait(1_000_000)
        assert done.calls == []
        shim.end(1)
        assert len(done.calls) == 1

    def test_what_it_answers_can_be_set(self, shim: HostShim) -> None:
        """Fragments, residue, the end at once; ConfigureChannel keeps what it was given."""
        shim.script(max_fragments=2, bytes_left=4, ends_at_once=True, configure_result=0x103)
        adapter, done = quiet(shim), Completions(shim)
        buffer, mdl = described(shim, 8 * PAGE, region="scatter")
        base = granted(shim, adapter)
        assert adapter.ConfigureAdapterChannel(0x8001, 0x1234) == NtStatus.STATUS_PENDING
        assert shim.configured() == (1, 0, 0x8001, 0x1234)
        result = adapter.MapTransferEx(mdl, base, WriteToDevice=True, DmaCompletionRoutine=done)
        assert result == (OK, sum(length for _, length in buffer.ranges[:2]))
        assert len(done.calls) == 1

    def test_wrong_words_are_refused(self, shim: HostShim) -> None:
        """Each with what it takes; nothing is changed."""
        for words in (("script", "fragments", 1), ("end", 8, 0), ("end", 0, 3), ("program", 0)):
            with pytest.raises(RefusedError, match="ARGUMENT"):
                shim.request(*words)


class TestMachine:
    """What the process has instead of a board."""

    def test_memory_lies_where_the_board_has_it(self, shim: HostShim) -> None:
        """Arena, heap and scatter window, through the firmware's own tables."""
        arena, scattered = (
            shim.memory.allocate(100),
            shim.memory.allocate(3 * PAGE, region="scatter"),
        )
        for buffer in (arena, scattered):
            shim.write(buffer, bytes(range(100)))
            assert shim.read(buffer, 100) == bytes(range(100))
            assert shim.dram.read(buffer.ranges[0][0], 100) == bytes(range(100))
        assert arena.address == 0x40800000
        for nowhere in (0, 0x40000000, 0x42000000, 1 << 32, (1 << 64) - 8):
            with pytest.raises(RefusedError, match="MEMORY"):
                shim.request("peek", nowhere, "8")

    def test_pages_can_be_given_other_addresses(self, shim: HostShim) -> None:
        """As the layer and the harness see them; the data stays."""
        shim.name_pages(0, [0x100000, 0x100001, 7])
        buffer, mdl = described(shim, 3 * PAGE, region="scatter")
        assert buffer.ranges == ((0x1_0000_0000, 2 * PAGE), (7 * PAGE, PAGE))
        assert shim.dma.mdl_fields(mdl).pages == (0x100000, 0x100001, 7)
        shim.write(buffer, b"x" * buffer.size)
        with pytest.raises(RefusedError, match="ARGUMENT"):
            shim.name_pages(1024, [0])

    def test_time_passes_only_in_wait(self, shim: HostShim) -> None:
        """And jumps there."""
        shim.request("ping")
        assert shim.evidence.time_ns == 0
        assert shim.wait(10**12) == "time"
        assert 10**12 <= shim.evidence.time_ns < 10**12 + 10
        with pytest.raises(RefusedError, match="EIRQL"), shim.dma.irql(DISPATCH_LEVEL):
            shim.wait(1, "callback")

    def test_the_log_has_everything_in_order(self, shim: HostShim) -> None:
        """The routine, its maintenance with its barrier, then the start of the controller."""
        adapter, (buffer, mdl) = quiet(shim), described(shim, 100)
        base = granted(shim, adapter)
        position = len(shim.evidence.events.all())
        adapter.MapTransferEx(mdl, base, WriteToDevice=True)
        records = [record for record in shim.evidence.events.since(position) if record.seq]
        kinds = [record.kind for record in records]
        names = shim.image.enum("oplog_id")
        assert records[0].id == names["OPLOG_MapTransferEx"]
        clean = kinds.index(Kind.CLEAN)
        assert (records[clean].a, records[clean].b) == (buffer.address, 100)
        assert kinds[clean + 1] == Kind.BARRIER
        assert records[clean + 2].id == names["OPLOG_ProgramChannel"]

    def test_a_coherent_platform_has_no_maintenance(self) -> None:
        """CCH-06: told by the identification page."""
        with HostShim(coherent=True, judge=False) as shim:
            mapped(shim)
            assert not {Kind.CLEAN, Kind.INVALIDATE} & {
                one.kind for one in shim.evidence.events.all()
            }

    def test_the_registration_can_be_chosen(self) -> None:
        """IGA-20: a controller for devices of 8 bits."""
        with HostShim(SupportedPortWidths=2, judge=False) as shim:
            assert shim.IoGetDmaAdapter(DmaWidth=DmaWidth.Width32Bits) is None
            assert shim.IoGetDmaAdapter(DmaWidth=DmaWidth.Width8Bits) is not None

    def test_what_cannot_be_chosen_is_refused(self) -> None:
        """With what can."""
        with pytest.raises(UsageError, match="Width cannot be chosen; such as DmaAddressWidth, "):
            HostShim(Width=8)

    def test_a_device_may_store(self, shim: HostShim) -> None:
        """MR-11: what it put into the bounce page is the buffer's after the flush."""
        adapter, (buffer, mdl) = quiet(shim), described(shim, 8, offset=4)
        shim.fill(buffer, 0x11)
        base = granted(shim, adapter)
        assert adapter.MapTransferEx(mdl, base, WriteToDevice=False) == (OK, 8)
        ((address, length),) = shim.programs()[0].elements
        assert address not in range(buffer.address - 4, buffer.address + 8)
        shim.store_as_device(address, b"received")
        shim.end(0)
        assert shim.read(buffer) == b"\x11" * 8
        assert adapter.FlushAdapterBuffersEx(mdl, base, 0, 8, WriteToDevice=False) == OK
        assert (shim.read(buffer), length) == (b"received", 8)


class TestEnds:
    """However it ends, the test is told, and nothing is left."""

    def test_a_report_of_the_sanitizer_is_a_crash(self) -> None:
        """Its text is the message: a store behind a block of the heap."""
        with HostShim() as shim:
            block = shim.request("allocate", 10).number("address")
            with pytest.raises(CrashError, match="use-after-poison") as caught:
                shim.request("poke", block + 16, "8", 1)
            assert caught.value.status != 0

    def test_memory_that_was_released_is_unmapped_to_the_layer(self, shim: HostShim) -> None:
        """So misuse is refused where it can be, instead of ending the process."""
        adapter = quiet(shim)
        context = context_for(shim, adapter)
        shim.request("release", context)
        assert adapter.InitializeDmaTransferContext(context) == NtStatus.STATUS_INVALID_PARAMETER

    def test_silence_is_a_hang(self) -> None:
        """A stopped process does not answer; it is ended all the same."""
        with HostShim() as shim:
            os.kill(shim.pid, signal.SIGSTOP)
            with pytest.raises(HangError), deadline(0.2):
                shim.request("ping")

    def test_a_killed_process_is_a_crash(self) -> None:
        """Its status is the signal's."""
        with HostShim() as shim:
            os.kill(shim.pid, signal.SIGKILL)
            with pytest.raises(CrashError) as caught:
                shim.request("ping")
            assert caught.value.status == -signal.SIGKILL

    def test_nothing_is_left(self) -> None:
        """No process, no descriptor."""
        descriptors = Path("/proc/self/fd")
        before = len(list(descriptors.iterdir()))
        with HostShim() as shim:
            pid = shim.pid
        assert len(list(descriptors.iterdir())) == before
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
