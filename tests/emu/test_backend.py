# SPDX-License-Identifier: Apache-2.0
"""The PL330 back end on the emulated controller, through the layer."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, ClassVar

import pytest
from microcode import Controller
from system_dma import (
    OK,
    Owner,
    Port,
    describe,
    described,
    memory_port,
    random_bytes,
    stream_port,
    uncached,
)

from dmav3.probe import Kind
from dmav3.stream import Control, Register
from dmav3.wdm import DISPATCH_LEVEL, DmaWidth, NtStatus

if TYPE_CHECKING:
    from dmav3 import Board, Buffer
    from dmav3.dma import Mdl

DSR, CCR0 = 0x000, 0x408
STREAM = "/machine/peripheral/dmav3/stream"
#: By enum pl330_policy.
POLICIES = {"single": 0, "burst": 1, "peripheral": 2}


def is_clean(board: Board) -> bool:
    """Return whether the device lost nothing and nothing raced."""
    lost = [board.qmp.get(name, STREAM) for name in ("overruns", "underruns")]
    return lost == [0, 0] and board.findings() == []


def move(owner: Owner, size: int, *, write: bool, offset: int = 0, seed: int = 1) -> None:
    """Move random bytes through the stream, and check that they arrive."""
    board, content = owner.board, random_bytes(size, seed)
    buffer, mdl = described(board, size, offset=offset)
    if write:
        board.write(buffer, content)
    else:
        board.stream.receive_put(content)
    assert owner.map(mdl, write=write) == size
    owner.finish()
    if write:
        board.wait(1_000_000)
        assert board.stream.sent_take() == content
    else:
        assert board.read(buffer) == content
    board.IoFreeMdl(mdl)
    board.memory.free(buffer)


class TestStream:
    """A device with a FIFO, behind a data register."""

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("bits", [8, 16, 32, 64])
    def test_every_width_and_burst(self, board: Board, bits: int, *, write: bool) -> None:
        """PLB-02, PLB-04, PLB-22: aligned or not, by each kind of request, over ends of pages."""
        for beats in (1, 2, 3, 4, 8, 16):
            owner = Owner(board, stream_port(board, bits, write=write))
            assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
            for policy, number in POLICIES.items():
                assert owner.configure("PL330_SET_REQUEST_POLICY", number) == OK
                size = 64 * beats * bits // 8  # whole lines, of which none is bounced
                stream_port(board, bits, write=write, beats=1 if policy == "single" else beats)
                move(owner, size, write=write, seed=beats)
                # What the end of a page or line leaves of a burst comes as singles.
                stream_port(board, bits, write=write)
                move(owner, size, write=write, offset=4096 - 24 + beats % 2)
            owner.release()
        assert is_clean(board)

    def test_the_device_is_accessed_by_whole_beats_at_its_register(self, board: Board) -> None:
        """PLB-17, PLB-20: whatever the alignment of the memory, whose beats are narrower."""
        port = stream_port(board, 32, write=True, beats=4)
        owner = Owner(board, port)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == OK
        board.qmp.set("trace", 1)
        move(owner, 64, write=True, offset=1)
        assert stores(board) == [(port.address, 16)] * 4
        # From 16 bytes, incrementing, to 4 words at one address.
        assert Controller(board).read(CCR0) == 0x000D00F1

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_a_fifo_is_neither_overrun_nor_underrun(self, board: Board, *, write: bool) -> None:
        """A slow device is accessed only when it has room, or data, for a burst."""
        board.qmp.set("word-interval-ns", 1000, STREAM)
        owner = Owner(board, stream_port(board, 32, write=write, beats=8))
        assert owner.configure("PL330_SET_BURST_BEATS", 8) == OK
        move(owner, 256, write=write)
        assert is_clean(board)


def stores(board: Board) -> list[tuple[int, int]]:
    """Return address and bytes of what the controller stored to a peripheral."""
    records = [record for record in board.events.all() if record.kind == Kind.INSTRUCTION]
    return [(record.c, record.d) for record in records if record.b & 0xFF in (0x29, 0x2B)]


class TestMemory:
    """Devices that are as memory is, and always ready."""

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("offset", range(8))
    def test_an_address_advances_with_the_data(
        self, board: Board, offset: int, *, write: bool
    ) -> None:
        """MTX-34, PLB-17: at every alignment of both sides, in bursts or not; nothing beside it."""
        for device_offset in (offset, 0, 1, 4, 7):
            memory = uncached(board, 600, offset=device_offset)
            owner = Owner(board, memory_port(memory))
            for beats, size in ((1, 300), (4, 599), (16, 5)):
                assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
                buffer, mdl = described(board, size, offset=4096 - 40 + offset)
                content, before = random_bytes(size), b"\x5a" * memory.size
                board.write(memory, before if write else content)
                board.write(buffer, content if write else before[:size])
                assert owner.map(mdl, write=write) == size
                owner.finish()
                if write:
                    moved = board.dram.read(memory.address, memory.size)
                    assert moved == content + before[size:]
                else:
                    assert board.read(buffer) == content
                board.memory.free(buffer)
            owner.release()
        assert board.findings() == []

    def test_a_register_of_64_bits_is_read_and_written_whole(self, board: Board) -> None:
        """MTX-34: the address stays, and every beat has the register's width."""
        memory = uncached(board, 16)
        owner = Owner(board, replace(memory_port(memory), width=DmaWidth.Width64Bits))
        assert owner.configure("PL330_SET_BURST_BEATS", 16) == OK
        buffer, mdl = described(board, 1024)
        content = random_bytes(1024)
        board.write(memory, bytes(16))
        board.write(buffer, content)
        owner.map(mdl, write=True)
        owner.finish()
        assert board.dram.read(memory.address, 16) == content[-8:] + bytes(8)
        owner.map(mdl, write=False)
        owner.finish()
        assert board.read(buffer) == content[-8:] * 128


class TestLoop:
    """Looped transfers: pattern F of the interface."""

    SIZE = 256

    def common(self, board: Board) -> tuple[Buffer, Mdl]:
        """Return a common buffer of zeroes, and its MDL."""
        buffer = uncached(board, self.SIZE)
        board.fill(buffer, 0)
        return buffer, describe(board, buffer)

    def notices(self, owner: Owner, count: int) -> None:
        """Let time pass until so many notices have come, and no other call."""
        owner.board.run_until(lambda: len(owner.ends) >= count, 1_000_000_000)
        assert owner.ends == ["DmaComplete"] * count

    def stop(self, owner: Owner, notices: int) -> None:
        """Cancel; the last call says so (CMP-14)."""
        assert owner.cancel() == OK
        owner.board.wait(1_000_000)
        assert owner.ends == ["DmaComplete"] * notices + ["DmaCancelled"]

    @pytest.mark.parametrize("every", [0, 64, 96], ids="notices {}".format)
    def test_ten_rounds_of_a_read(self, board: Board, every: int) -> None:
        """HBE-15, CMP-14, PAT-F: notices, residue and data of each part of each round."""
        owner = Owner(board, stream_port(board, 32, write=False), loop=True)
        assert owner.configure("PL330_SET_NOTICE_BYTES", every) == OK
        buffer, mdl = self.common(board)
        assert owner.map(mdl, write=False) == self.SIZE
        parts = [every] * (self.SIZE // every) if every else []
        parts += [self.SIZE - sum(parts)] if sum(parts) < self.SIZE else []
        count = 0
        for number in range(10):
            content, done = random_bytes(self.SIZE, number), 0
            for part in parts:
                board.stream.receive_put(content[done : done + part])
                count, done = count + 1, done + part
                self.notices(owner, count)
                assert owner.left == (self.SIZE - done or self.SIZE)
                assert board.dram.read(buffer.address, done) == content[:done]
        board.stream.receive_put(bytes(20))
        board.wait(1_000_000)
        self.stop(owner, count)
        assert owner.left == self.SIZE - 20
        owner.flush()
        owner.release()
        assert is_clean(board)

    def test_ten_rounds_of_a_write(self, board: Board) -> None:
        """PAT-F3: what is sent has neither gap nor duplication, and every notice comes."""
        owner = Owner(board, stream_port(board, 32, write=True, beats=4), loop=True)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == OK
        assert owner.configure("PL330_SET_NOTICE_BYTES", 128) == OK
        buffer, mdl = self.common(board)
        content = random_bytes(self.SIZE)
        board.write(buffer, content)
        owner.channel.burst_interval_ns = 100_000
        assert owner.map(mdl, write=True) == self.SIZE
        self.notices(owner, 20)
        left = owner.left
        assert left % 16 == 0
        assert owner.cancel() == OK
        sent = board.stream.sent_take()
        assert len(sent) // self.SIZE >= 10
        assert sent == (content * 12)[: len(sent)]
        board.wait(1_000_000)
        assert owner.ends[-1] == "DmaCancelled"
        assert owner.ends[:-1] == ["DmaComplete"] * (len(sent) // 128)
        assert (self.SIZE - owner.left) % self.SIZE == len(sent) % self.SIZE
        assert board.stream.sent_take() == b""
        owner.flush()
        owner.release()
        assert board.findings() == []

    def test_a_round_may_have_many_elements(self, board: Board) -> None:
        """Its code is longer than a jump of the PL330; and held anywhere it knows where it is."""
        pieces = [uncached(board, 40, offset=n % 3) for n in range(16)]
        owner = Owner(board, stream_port(board, 16, write=False), loop=True)
        size = 40 * len(pieces)
        assert owner.map(describe(board, *pieces), write=False) == size
        for number in range(3):
            content = random_bytes(size, number)
            board.stream.receive_put(content)
            self.notices(owner, number + 1)
            assert b"".join(board.dram.read(one.address, 40) for one in pieces) == content
        owner.channel.hold_at_burst = 3 * size // 2 + 1
        board.stream.receive_put(bytes(size))
        for burst in range(0, size // 2, 7):
            board.wait(10_000)
            assert owner.channel.held
            assert owner.left == size - 2 * burst
            owner.channel.hold_at_burst = 3 * size // 2 + burst + 8
            owner.channel.release()
        board.wait(10_000)
        assert owner.left == size
        self.stop(owner, 4)
        owner.flush()

    def test_notices_that_come_too_fast_are_one(self, board: Board) -> None:
        """CMP-16: at DISPATCH_LEVEL they wait, and are one call then."""
        owner = Owner(board, stream_port(board, 32, write=False), loop=True)
        _, mdl = self.common(board)
        owner.map(mdl, write=False)
        with board.irql(DISPATCH_LEVEL):
            for _ in range(3):
                board.stream.receive_put(bytes(self.SIZE))
                board.wait(100_000)
        self.notices(owner, 1)
        self.stop(owner, 1)

    def test_a_device_that_is_always_ready_does_not_stop_the_machine(self, board: Board) -> None:
        """An unpaced loop is sliced: the CPU goes on, notices come, a cancel ends it."""
        owner = Owner(board, memory_port(uncached(board, self.SIZE)), loop=True)
        _, mdl = self.common(board)
        board.qmp.set("slice-instructions", 10_000)
        owner.map(mdl, write=False)
        board.run_until(lambda: len(owner.ends) >= 5, 1_000_000_000)
        assert owner.cancel() == OK
        before = len(owner.ends)
        board.wait(1_000_000)
        assert len(owner.ends) <= before + 2
        assert (owner.ends[0], owner.ends[-1]) == ("DmaComplete", "DmaCancelled")
        owner.flush()

    def test_an_error_ends_a_loop(self, board: Board) -> None:
        """HBE-21: after its notices DmaError, once."""
        owner = Owner(board, stream_port(board, 32, write=False), loop=True)
        buffer, mdl = self.common(board)
        owner.map(mdl, write=False)
        board.stream.receive_put(bytes(self.SIZE))
        self.notices(owner, 1)
        board.qmp.set("fault-base", buffer.address + 64)
        board.qmp.set("fault-size", 4)
        board.stream.receive_put(bytes(2 * self.SIZE))
        board.wait(1_000_000)
        assert owner.ends == ["DmaComplete", "DmaError"]
        assert owner.left == self.SIZE - 64
        owner.flush()


class TestSettings:
    """ConfigureAdapterChannel: spec 7.5."""

    WRONG: ClassVar = [
        ("PL330_SET_BURST_BEATS", 0),
        ("PL330_SET_BURST_BEATS", 17),
        ("PL330_SET_NOTICE_BYTES", 6),
        ("PL330_SET_REQUEST_POLICY", 3),
        ("PL330_INJECT_FAULT", 4),
    ]

    @pytest.mark.parametrize(("function", "value"), WRONG)
    def test_a_wrong_value_is_refused(self, board: Board, function: str, value: int) -> None:
        """PLB-22, CFG-08: so is NULL; the channel goes on as before."""
        owner = Owner(board, stream_port(board, 32, write=True))
        assert owner.configure(function, value) == NtStatus.STATUS_INVALID_PARAMETER
        number = board.image.enum("pl330_function")[function]
        null = owner.adapter.ConfigureAdapterChannel(number, 0)
        assert null == NtStatus.STATUS_INVALID_PARAMETER
        move(owner, 256, write=True)

    @pytest.mark.parametrize("number", [0, 4, 0xFF, 0x101, 0xFFFFFFFF], ids=hex)
    def test_an_unknown_function_is_not_implemented(self, board: Board, number: int) -> None:
        """CFG-02; 0 is between layer and back end."""
        owner = Owner(board, stream_port(board, 32, write=True))
        status = owner.adapter.ConfigureAdapterChannel(number, 0)
        assert status == NtStatus.STATUS_NOT_IMPLEMENTED

    def test_nothing_is_set_while_the_channel_runs(self, board: Board) -> None:
        """CFG-07: STATUS_INVALID_DEVICE_STATE, and the transfer is not disturbed."""
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 256)
        owner.map(mdl, write=False)
        for function, value in (("PL330_SET_BURST_BEATS", 4), *self.WRONG[2:]):
            assert owner.configure(function, value) == NtStatus.STATUS_INVALID_DEVICE_STATE
        board.stream.receive_put(random_bytes(256))
        owner.finish()
        assert board.read(buffer) == random_bytes(256)

    def test_settings_are_those_of_the_owner(self, board: Board) -> None:
        """CFG-04, CFG-09: they outlast a transfer, and not the request."""
        port = stream_port(board, 32, write=True)
        owner = Owner(board, port)
        board.qmp.set("trace", 1)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == OK
        move(owner, 64, write=True)
        move(owner, 64, write=True)
        owner.free()
        owner.own()
        move(owner, 64, write=True)
        assert stores(board) == [(port.address, 16)] * 8 + [(port.address, 4)] * 16


class TestFaults:
    """What ends in DmaError, what is left then, and that the channel works afterwards."""

    SIZE = 4096

    @pytest.mark.parametrize("done", [0, 1024, SIZE - 4])
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_the_memory_answers_with_an_error(
        self, board: Board, done: int, *, write: bool
    ) -> None:
        """PLB-11, PLB-12, PAT-D3: DmaError once, the counter says where, and all works again."""
        owner = Owner(board, stream_port(board, 32, write=write))
        buffer = board.memory.allocate(self.SIZE, align=4096)
        board.fill(buffer, 0x33)
        board.qmp.set("fault-base", buffer.address + done)
        board.qmp.set("fault-size", 4)
        if not write:
            board.stream.receive_put(random_bytes(done + 4))
        owner.map(describe(board, buffer), write=write)
        board.run_until(lambda: owner.ends != [], 1_000_000_000)
        assert owner.left == self.SIZE - done
        assert fault_type(board) == (1 << 18 if write else 1 << 17)
        owner.finish("DmaError")
        board.qmp.set("fault-size", 0)
        if write:
            assert board.stream.sent_take() == b"\x33" * done
        else:
            assert board.read(buffer)[:done] == random_bytes(done + 4)[:done]
        move(owner, 256, write=write)
        assert is_clean(board)

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_the_device_answers_with_an_error(self, board: Board, *, write: bool) -> None:
        """Nothing has been moved, and the counter says so, also for a store that failed."""
        port = stream_port(board, 32, write=write)
        owner = Owner(board, port)
        _, mdl = described(board, 256)
        board.stream.receive_put(random_bytes(256))
        board.qmp.set("fault-base", port.address)
        board.qmp.set("fault-size", 4)
        owner.map(mdl, write=write)
        board.run_until(lambda: owner.ends != [], 1_000_000_000)
        assert owner.left == 256
        owner.finish("DmaError")
        board.qmp.set("fault-size", 0)
        owner.map(mdl, write=write)
        owner.finish()

    def test_the_program_answers_with_an_error(self, board: Board) -> None:
        """An instruction fetch that fails: nothing has been moved."""
        owner = Owner(board, stream_port(board, 32, write=True))
        buffer, mdl = described(board, 256)
        move(owner, 256, write=True)
        (*_, go) = [record for record in board.events.all() if record.kind == Kind.DMAGO]
        board.qmp.set("fault-base", go.a)
        board.qmp.set("fault-size", 4)
        owner.map(mdl, write=True)
        board.run_until(lambda: owner.ends != [], 1_000_000_000)
        assert (owner.left, fault_type(board)) == (256, 1 << 16)
        owner.finish("DmaError")
        board.qmp.set("fault-size", 0)
        board.write(buffer, random_bytes(256))
        owner.map(mdl, write=True)
        owner.finish()
        assert board.stream.sent_take()[-256:] == random_bytes(256)

    @pytest.mark.parametrize(("kind", "fault"), [(1, 1 << 0), (2, 1 << 1)])
    def test_a_fault_may_be_injected(self, board: Board, kind: int, fault: int) -> None:
        """PLB-22: the next program moves its data, then ends in the fault; no other does."""
        owner = Owner(board, stream_port(board, 32, write=True))
        buffer, mdl = described(board, 256)
        board.write(buffer, random_bytes(256))
        assert owner.configure("PL330_INJECT_FAULT", kind) == OK
        owner.map(mdl, write=True)
        board.run_until(lambda: owner.ends != [], 1_000_000_000)
        assert (owner.left, fault_type(board)) == (0, fault)
        owner.finish("DmaError")
        assert board.stream.sent_take() == random_bytes(256)
        move(owner, 256, write=True)

    @pytest.mark.dmav3_fresh
    def test_a_lock_up_may_be_injected(self, board: Board) -> None:
        """PLB-11: DmaError; QEMU's model keeps bytes in its FIFO, so the board is spoiled."""
        owner = Owner(board, stream_port(board, 32, write=True))
        _, mdl = described(board, 256)
        assert owner.configure("PL330_INJECT_FAULT", 3) == OK
        owner.map(mdl, write=True)
        board.run_until(lambda: owner.ends != [], 1_000_000_000)
        assert fault_type(board) == 1 << 31
        owner.finish("DmaError")
        board.probe.settle()
        assert board.probe.spoiled

    def test_the_manager_recovers_from_a_fault(self, board: Board) -> None:
        """PLB-12: a channel that was started twice, by somebody else, goes on to its end."""
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 256)
        owner.map(mdl, write=False)
        controller = Controller(board)
        controller.execute_code(b"\xa0\x00" + controller.program_at.to_bytes(4, "little"))
        board.wait(1000)
        assert controller.read(DSR) & 0xF == 0
        assert owner.ends == []
        board.stream.receive_put(random_bytes(256))
        owner.finish()
        assert board.read(buffer) == random_bytes(256)
        assert not board.probe.spoiled
        move(owner, 256, write=False)


def fault_type(board: Board, channel: int = 0) -> int:
    """Return what FTRn was when the channel faulted last, as the back end recorded it."""
    layout, place = board.image.struct("pl330"), board.image.symbol("pl330")
    channels = layout.read(board.cpu.read(place.address, layout.size))["channels"]
    return int(channels[channel]["fault_type"])


class TestCancel:
    """A transfer cancelled at every burst."""

    SIZE = 4096

    def sweep(self, board: Board, bursts: range, beats: int, *, write: bool) -> None:
        """Cancel it before each of these bursts, from 1; nothing leaks."""
        port = stream_port(board, 32, write=write)
        owner = Owner(board, port)
        buffer, mdl = described(board, self.SIZE)
        content = random_bytes(self.SIZE * 2 * len(bursts))
        board.stream.receive_put(content if not write else b"")
        owner.free()
        before, done = board.counters(), 0
        for burst in bursts:
            moved = (burst - 1) * beats * 4
            board.write(buffer, content[done : done + self.SIZE] if write else b"\x5a" * self.SIZE)
            self.cancel(owner, mdl, burst, beats, moved=moved, write=write)
            arrived = content[done : done + moved]
            if write:
                assert board.stream.sent_take() == arrived
            else:
                assert board.read(buffer) == arrived + b"\x5a" * (self.SIZE - moved)
            done += moved
        assert board.counters() == before
        assert board.findings() == []
        assert not board.probe.spoiled

    def cancel(
        self, owner: Owner, mdl: Mdl, burst: int, beats: int, *, moved: int, write: bool
    ) -> None:
        """Own the channel, cancel a transfer there, give everything back."""
        owner.own()
        assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
        owner.channel.hold_at_burst = burst
        assert owner.map(mdl, write=write) == self.SIZE
        assert owner.channel.held
        assert owner.left == self.SIZE - moved
        assert owner.cancel() == OK
        assert owner.left == self.SIZE - moved
        owner.board.wait(10_000)
        assert owner.left == self.SIZE - moved
        owner.finish("DmaCancelled")
        owner.free()

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_before_every_burst(self, board: Board, *, write: bool) -> None:
        """CMT-03, CMT-12, CMT-13, PLB-13, PLB-14, RDC-07: what was moved is moved, exactly."""
        self.sweep(board, range(1, 65), 16, write=write)

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_before_some_beats(self, board: Board, *, write: bool) -> None:
        """The same by single beats, of which 1,024 are the transfer."""
        self.sweep(board, range(1, 1025, 93), 1, write=write)

    @pytest.mark.soak
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_before_every_beat(self, board: Board, *, write: bool) -> None:
        """All of them."""
        for first in range(1, 1025, 64):
            self.sweep(board, range(first, first + 64), 1, write=write)

    def test_a_channel_that_waits_for_its_device(self, board: Board) -> None:
        """RDC-05, CMT-14: at every multiple of the FIFO; another channel is not disturbed."""
        other_memory = uncached(board, 256)
        other = Owner(board, memory_port(other_memory), channel=1)
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 256)
        other_buffer, other_mdl = described(board, 256)
        board.write(other_buffer, random_bytes(256))
        other.channel.hold_at_burst = 9
        other.map(other_mdl, write=True)
        for step in range(5):
            owner.map(mdl, write=False)
            assert owner.left == 256
            board.stream.receive_put(random_bytes(16 * step, step))
            board.wait(100_000)
            assert owner.left == 256 - 16 * step
            assert owner.cancel() == OK
            owner.finish("DmaCancelled")
            assert board.read(buffer, 16 * step) == random_bytes(16 * step, step)
            owner.free()
            owner.own()
        assert other.left == 256 - 8 * 8
        other.channel.release()
        other.finish()
        assert board.dram.read(other_memory.address, 256) == random_bytes(256)
        assert not board.probe.spoiled


class Round:
    """Eight transfers at once, of different data, sizes, bursts, directions and paces."""

    def __init__(self, board: Board) -> None:
        """Own all channels: two of the stream, the others of memory that is a device."""
        self.board = board
        stream = board.machine.stream
        both = Control.TRANSMIT_REQUEST | Control.RECEIVE_REQUEST | Control.frame(4)
        board.request("poke", stream.base + Register.CONTROL, "32", both)
        data, width = stream.base + Register.DATA, DmaWidth.Width32Bits
        self.memories = [uncached(board, 2048, offset=n) for n in range(6)]
        ports = [Port(stream.transmit, data, width), Port(stream.receive, data, width)]
        ports += [memory_port(memory, 2 + n) for n, memory in enumerate(self.memories)]
        self.owners = [Owner(board, port, n) for n, port in enumerate(ports)]

    def run(self, random: Random) -> None:
        """Start all, hold all, let all go on together, and check every byte."""
        transfers = [Trip(self, n, random) for n in range(len(self.owners))]
        for trip in transfers:
            trip.start()
        assert all(owner.channel.held for owner in self.owners)
        for owner in self.owners:
            owner.channel.burst_interval_ns = random.randrange(100, 1000)
            owner.channel.release()
        for trip in transfers:
            trip.end()


class Trip:
    """One of them."""

    def __init__(self, all_of_them: Round, n: int, random: Random) -> None:
        """Fill what it reads, and clear what it writes."""
        self.board, self.owner = all_of_them.board, all_of_them.owners[n]
        self.memory = all_of_them.memories[n - 2] if n > 1 else None
        self.write = n % 2 == 0
        self.content = random.randbytes(4 * random.randrange(16, 300))
        assert self.owner.configure("PL330_SET_BURST_BEATS", random.randrange(1, 17)) == OK
        self.buffer, self.mdl = described(
            self.board, len(self.content), offset=4 * random.randrange(1024)
        )
        if self.write:
            self.board.write(self.buffer, self.content)
        elif self.memory:
            self.board.write(self.memory, self.content)
        else:
            self.board.stream.receive_put(self.content)

    def start(self) -> None:
        """Start it; it is held before its first burst."""
        self.owner.channel.burst_interval_ns = 0
        self.owner.channel.hold_at_burst = 1
        assert self.owner.map(self.mdl, write=self.write) == len(self.content)

    def end(self) -> None:
        """Wait for the end, and check what arrived."""
        self.owner.finish()
        size = len(self.content)
        if not self.write:
            arrived = self.board.read(self.buffer)
        elif self.memory:
            arrived = self.board.dram.read(self.memory.address, size)
        else:
            self.board.wait(1000)
            arrived = self.board.stream.sent_take()
        assert arrived == self.content
        self.board.IoFreeMdl(self.mdl)
        self.board.memory.free(self.buffer)


def run_rounds(board: Board, rounds: int) -> None:
    """Run so many, which all differ, and find nothing wrong."""
    all_of_them = Round(board)
    for number in range(rounds):
        all_of_them.run(Random(number))  # noqa: S311 - to be repeatable
    assert is_clean(board)


SCHEDULES = [
    pytest.param(name, marks=pytest.mark.dmav3_cache(schedule=name, seed=3), id=name)
    for name in ("lru", "never", "eager", "speculative")
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_channels_at_once(board: Board, schedule: str) -> None:
    """PLB-21: none disturbs another, whatever the caches do."""
    assert board.qmp.get("schedule") == schedule
    run_rounds(board, 2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_channels_at_once_a_hundred_times(board: Board, schedule: str) -> None:
    """PLB-21: a hundred rounds."""
    assert board.qmp.get("schedule") == schedule
    run_rounds(board, 100)
