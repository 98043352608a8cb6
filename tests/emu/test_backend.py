# SPDX-License-Identifier: Apache-2.0
"""The PL330 back end on the emulated controller, through the layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from microcode import Controller
from system_dma import (
    OK,
    Owner,
    describe,
    described,
    memory_port,
    random_bytes,
    stream_port,
    uncached,
)

from dmav3.probe import Kind
from dmav3.wdm import DISPATCH_LEVEL, DmaWidth

if TYPE_CHECKING:
    from dmav3 import Board, Buffer
    from dmav3.dma import Mdl

CCR0 = 0x408
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
