# SPDX-License-Identifier: Apache-2.0
"""The PL330 back end on the emulated controller, through the layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from dmav3.dma import Pointer
from dmav3.evidence.probe import Kind
from dmav3.wdm import DISPATCH_LEVEL, DmaWidth, NtStatus

from .driver import Bench, Completions, adapter_for, arm, chained, described, moved
from .owner import OK, Owner, is_clean, memory_port, stream_port, uncached
from .sweeps import all_at_once, cancel_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3 import Board, Buffer
    from dmav3.dma import Mdl

#: Registers of the controller.
DSR, CCR0, DBGCMD, DBGINST0, DBGINST1 = 0x000, 0x408, 0xD04, 0xD08, 0xD0C
#: Above all interrupts.
HIGH_LEVEL = 15
STREAM = "/machine/peripheral/dmav3/stream"
#: By enum pl330_policy.
POLICIES = {"single": 0, "burst": 1, "peripheral": 2}


def register(board: Board, offset: int) -> int:
    """Return a register of the controller."""
    address = board.machine.pl330[0].base + offset
    return board.request("peek", address, "32").number("value")


class TestStream:
    """A device with a FIFO, behind a data register."""

    @pytest.mark.dmav3_rule("PLB-02", "PLB-04", "PLB-22")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("bits", [8, 16, 32, 64])
    def test_every_width_and_burst(self, board: Board, bits: int, *, write: bool) -> None:
        """Aligned or not, by each kind of request, over ends of pages."""
        for beats in (1, 2, 3, 4, 8, 16):
            owner = Owner(board, stream_port(board, bits, write=write))
            assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
            for policy, number in POLICIES.items():
                assert owner.configure("PL330_SET_REQUEST_POLICY", number) == OK
                size = 64 * beats * bits // 8  # whole lines, of which none is bounced
                stream_port(board, bits, write=write, beats=1 if policy == "single" else beats)
                owner.move(size, write=write, seed=beats)
                # What the end of a page or line leaves of a burst comes as singles.
                stream_port(board, bits, write=write)
                owner.move(size, write=write, offset=4096 - 24 + beats % 2)
            owner.release()
        assert is_clean(board)

    @pytest.mark.dmav3_rule("PLB-17", "PLB-20", "MTX-34")
    def test_the_device_is_accessed_by_whole_beats_at_its_register(self, board: Board) -> None:
        """Whatever the alignment of the memory, whose beats are narrower."""
        port = stream_port(board, 32, write=True, beats=4)
        owner = Owner(board, port)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == OK
        board.qmp.set("trace", 1)
        owner.move(64, write=True, offset=1)
        assert stores(board) == [(port.address, 16)] * 4
        # From 16 bytes, incrementing, to 4 words at one address.
        assert register(board, CCR0) == 0x000D00F1

    @pytest.mark.dmav3_rule("PLB-08", "BMT-05")
    def test_a_transfer_may_be_over_before_the_map_returns(self, board: Board) -> None:
        """The completion routine, entered during the call or soon after, sees the final Length."""
        bench = Bench(
            board, adapter_for(board, write=True), described(board, 65536, region="scatter")[1]
        )
        done, seen = Completions(board), list[int]()
        arm(board, write=True)
        with board.dma.reference(65536, 4) as length:
            done.then = lambda: seen.append(length.number)
            bench.map(length=Pointer(length.address), capacity=1, DmaCompletionRoutine=done)
            board.dma.run_until(lambda: bool(seen), 1_000_000_000)
            assert seen == [length.number]
        assert 0 < seen[0] < 65536

    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_a_fifo_is_neither_overrun_nor_underrun(self, board: Board, *, write: bool) -> None:
        """A slow device is accessed only when it has room, or data, for a burst."""
        board.qmp.set("word-interval-ns", 1000, STREAM)
        owner = Owner(board, stream_port(board, 32, write=write, beats=8))
        assert owner.configure("PL330_SET_BURST_BEATS", 8) == OK
        owner.move(256, write=write)
        assert is_clean(board)


def stores(board: Board) -> list[tuple[int, int]]:
    """Return address and bytes of what the controller stored to a peripheral."""
    records = [record for record in board.evidence.events.all() if record.kind == Kind.INSTRUCTION]
    return [(record.c, record.d) for record in records if record.b & 0xFF in (0x29, 0x2B)]


class TestMemory:
    """Devices that are as memory is, and always ready."""

    @pytest.mark.dmav3_rule("PLB-02", "PLB-17", "MTX-34")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    @pytest.mark.parametrize("offset", range(8))
    def test_an_address_advances_with_the_data(
        self, board: Board, offset: int, *, write: bool
    ) -> None:
        """At every alignment of both sides, in bursts or not; nothing beside it."""
        for device_offset in (offset, 0, 1, 4, 7):
            memory = uncached(board, 600, offset=device_offset)
            owner = Owner(board, memory_port(memory))
            for beats, size in ((1, 300), (4, 599), (16, 5)):
                assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
                buffer, mdl = described(board, size, offset=4096 - 40 + offset, region="scatter")
                content, before = moved(size), b"\x5a" * memory.size
                board.write(memory, before if write else content)
                board.write(buffer, content if write else before[:size])
                assert owner.map(mdl, write=write) == size
                owner.finish()
                if write:
                    arrived = board.dram.read(memory.address, memory.size)
                    assert arrived == content + before[size:]
                else:
                    assert board.read(buffer) == content
                board.memory.free(buffer)
            owner.release()
        assert board.findings() == []

    @pytest.mark.dmav3_rule("PLB-02", "MTX-34")
    def test_a_register_of_64_bits_is_read_and_written_whole(self, board: Board) -> None:
        """The address stays, and every beat has the register's width."""
        memory = uncached(board, 16)
        owner = Owner(board, replace(memory_port(memory), width=DmaWidth.Width64Bits))
        assert owner.configure("PL330_SET_BURST_BEATS", 16) == OK
        buffer, mdl = described(board, 1024, region="scatter")
        content = moved(1024)
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
        return buffer, chained(board, buffer)

    def notices(self, owner: Owner, count: int) -> None:
        """Let time pass until so many notices have come, and no other call."""
        owner.run(count)
        assert owner.ends == ["DmaComplete"] * count

    def stop(self, owner: Owner, notices: int) -> None:
        """Cancel; the last call says so (CMP-14)."""
        assert owner.cancel() == OK
        owner.board.wait(1_000_000)
        assert owner.ends == ["DmaComplete"] * notices + ["DmaCancelled"]

    def ten_rounds(self, owner: Owner, every: int) -> Iterator[bytes]:
        """Receive each part of each round, up to its notice; yield the round's bytes so far."""
        parts = [every] * (self.SIZE // every) if every else []
        parts += [self.SIZE - sum(parts)] if sum(parts) < self.SIZE else []
        count = 0
        for number in range(10):
            content, done = moved(self.SIZE, number), 0
            for part in parts:
                owner.board.stream.receive_put(content[done : done + part])
                count, done = count + 1, done + part
                self.notices(owner, count)
                yield content[:done]

    @pytest.mark.dmav3_rule("CMP-14", "IGA-23", "MTX-41", "PAT-F2", "PAT-F3")
    @pytest.mark.parametrize("every", [0, 64, 96], ids="notices {}".format)
    def test_ten_rounds_of_a_read(self, board: Board, every: int) -> None:
        """Notices and data of each part of each round."""
        owner = Owner(board, stream_port(board, 32, write=False), loop=True)
        assert owner.configure("PL330_SET_NOTICE_BYTES", every) == OK
        buffer, mdl = self.common(board)
        assert owner.map(mdl, write=False) == self.SIZE
        for content in self.ten_rounds(owner, every):
            assert board.dram.read(buffer.address, len(content)) == content
        self.stop(owner, len(owner.ends))
        owner.flush()
        owner.release()
        assert is_clean(board)

    @pytest.mark.dmav3_rule("HBE-15", "RDC-03", "PAT-F1")
    @pytest.mark.parametrize("every", [0, 64, 96], ids="notices {}".format)
    def test_what_is_left_of_each_round(self, board: Board, every: int) -> None:
        """All of it when it begins; fewer with each part, also when it is cut short."""
        owner = Owner(board, stream_port(board, 32, write=False), loop=True)
        assert owner.configure("PL330_SET_NOTICE_BYTES", every) == OK
        owner.map(self.common(board)[1], write=False)
        for content in self.ten_rounds(owner, every):
            assert owner.left == (self.SIZE - len(content) or self.SIZE)
        board.stream.receive_put(bytes(20))
        board.wait(1_000_000)
        self.stop(owner, len(owner.ends))
        assert owner.left == self.SIZE - 20
        owner.flush()

    @pytest.mark.dmav3_rule("CMP-14", "CMT-16", "PAT-F3")
    def test_ten_rounds_of_a_write(self, board: Board) -> None:
        """What is sent has neither gap nor duplication, and every notice comes."""
        owner = Owner(board, stream_port(board, 32, write=True, beats=4), loop=True)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == OK
        assert owner.configure("PL330_SET_NOTICE_BYTES", 128) == OK
        buffer, mdl = self.common(board)
        content = moved(self.SIZE)
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

    @pytest.mark.dmav3_rule("PLB-15", "HBE-15")
    def test_a_round_may_have_many_elements(self, board: Board) -> None:
        """Its code is longer than a jump of the PL330; and held anywhere it knows where it is."""
        pieces = [uncached(board, 40, offset=n % 3) for n in range(16)]
        owner = Owner(board, stream_port(board, 16, write=False), loop=True)
        size = 40 * len(pieces)
        assert owner.map(chained(board, *pieces), write=False) == size
        for number in range(3):
            content = moved(size, number)
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

    @pytest.mark.dmav3_rule("CMP-16")
    def test_notices_that_come_too_fast_are_one(self, board: Board) -> None:
        """At DISPATCH_LEVEL they wait, and are one call then."""
        owner = Owner(board, stream_port(board, 32, write=False), loop=True)
        _, mdl = self.common(board)
        owner.map(mdl, write=False)
        with board.dma.irql(DISPATCH_LEVEL):
            for _ in range(3):
                board.stream.receive_put(bytes(self.SIZE))
                board.wait(100_000)
        self.notices(owner, 1)
        self.stop(owner, 1)

    @pytest.mark.dmav3_rule("PLB-09")
    def test_a_device_that_is_always_ready_does_not_stop_the_machine(self, board: Board) -> None:
        """The CPU goes on, notices come, a cancel ends it."""
        owner = Owner(board, memory_port(uncached(board, self.SIZE)), loop=True)
        _, mdl = self.common(board)
        owner.channel.burst_interval_ns = 1000
        owner.map(mdl, write=False)
        owner.run(5)
        assert owner.cancel() == OK
        before = len(owner.ends)
        board.wait(1_000_000)
        assert len(owner.ends) <= before + 2
        assert (owner.ends[0], owner.ends[-1]) == ("DmaComplete", "DmaCancelled")
        owner.flush()

    @pytest.mark.dmav3_rule("HBE-21")
    def test_an_error_ends_a_loop(self, board: Board) -> None:
        """After its notices DmaError, once."""
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
    """ConfigureAdapterChannel: PLB-22."""

    WRONG: ClassVar = [
        ("PL330_SET_BURST_BEATS", 0),
        ("PL330_SET_BURST_BEATS", 17),
        ("PL330_SET_NOTICE_BYTES", 6),
        ("PL330_SET_REQUEST_POLICY", 3),
        ("PL330_INJECT_FAULT", 4),
    ]

    @pytest.mark.dmav3_rule("PLB-22", "CFG-08")
    @pytest.mark.parametrize(("function", "value"), WRONG)
    def test_a_wrong_value_is_refused(self, board: Board, function: str, value: int) -> None:
        """So is NULL; the channel goes on as before."""
        owner = Owner(board, stream_port(board, 32, write=True))
        assert owner.configure(function, value) == NtStatus.STATUS_INVALID_PARAMETER
        number = board.image.enum("pl330_function")[function]
        null = owner.adapter.ConfigureAdapterChannel(number, 0)
        assert null == NtStatus.STATUS_INVALID_PARAMETER
        owner.move(256, write=True)

    @pytest.mark.dmav3_rule("PLB-22", "CFG-02")
    @pytest.mark.parametrize("number", [0, 4, 0xFF, 0x101, 0xFFFFFFFF], ids=hex)
    def test_an_unknown_function_is_not_implemented(self, board: Board, number: int) -> None:
        """0 is between layer and back end."""
        owner = Owner(board, stream_port(board, 32, write=True))
        status = owner.adapter.ConfigureAdapterChannel(number, 0)
        assert status == NtStatus.STATUS_NOT_IMPLEMENTED

    @pytest.mark.dmav3_rule("PLB-22", "CFG-07")
    def test_nothing_is_set_while_the_channel_runs(self, board: Board) -> None:
        """STATUS_INVALID_DEVICE_STATE, and the transfer is not disturbed."""
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 256, region="scatter")
        owner.map(mdl, write=False)
        for function, value in (("PL330_SET_BURST_BEATS", 4), *self.WRONG[2:]):
            assert owner.configure(function, value) == NtStatus.STATUS_INVALID_DEVICE_STATE
        board.stream.receive_put(moved(256))
        owner.finish()
        assert board.read(buffer) == moved(256)

    @pytest.mark.dmav3_rule("CFG-05")
    def test_the_moment_for_settings(self, board: Board) -> None:
        """Between grant and mapping, for each mapping again; before and after it is refused."""
        refused = NtStatus.STATUS_INVALID_DEVICE_STATE
        owner = Owner(board, stream_port(board, 32, write=True))
        board.qmp.set("trace", 1)
        for beats in (4, 2, 8):
            assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
            before = len(stores(board))
            owner.move(64, write=True)
            assert [size for _, size in stores(board)[before:]] == [4 * beats] * (16 // beats)
        owner.free()
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == refused
        owner.own()
        owner.channel.hold_at_burst = 1
        owner.map(described(board, 64)[1], write=True)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == refused
        owner.channel.release()
        owner.finish()

    @pytest.mark.dmav3_rule("CFG-04", "CFG-09")
    def test_settings_are_those_of_the_owner(self, board: Board) -> None:
        """They outlast a transfer, and not the request."""
        port = stream_port(board, 32, write=True)
        owner = Owner(board, port)
        board.qmp.set("trace", 1)
        assert owner.configure("PL330_SET_BURST_BEATS", 4) == OK
        owner.move(64, write=True)
        owner.move(64, write=True)
        owner.free()
        owner.own()
        owner.move(64, write=True)
        assert stores(board) == [(port.address, 16)] * 8 + [(port.address, 4)] * 16


class TestFaults:
    """What ends in DmaError, what is left then, and that the channel works afterwards."""

    SIZE = 4096

    @pytest.mark.dmav3_rule("PLB-11", "PLB-12", "PAT-D3")
    @pytest.mark.parametrize("done", [0, 1024, SIZE - 4])
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_the_memory_answers_with_an_error(
        self, board: Board, done: int, *, write: bool
    ) -> None:
        """DmaError once, the counter says where, and all works again."""
        owner = Owner(board, stream_port(board, 32, write=write))
        buffer = board.memory.allocate(self.SIZE, align=4096)
        board.fill(buffer, 0x33)
        board.qmp.set("fault-base", buffer.address + done)
        board.qmp.set("fault-size", 4)
        if not write:
            board.stream.receive_put(moved(done + 4))
        owner.map(chained(board, buffer), write=write)
        owner.run()
        assert owner.left == self.SIZE - done
        assert fault_type(board) == (1 << 18 if write else 1 << 17)
        owner.finish("DmaError")
        board.qmp.set("fault-size", 0)
        if write:
            assert board.stream.sent_take() == b"\x33" * done
        else:
            assert board.read(buffer)[:done] == moved(done + 4)[:done]
        owner.move(256, write=write)
        assert is_clean(board)

    @pytest.mark.dmav3_rule("PLB-11", "PLB-15")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_the_device_answers_with_an_error(self, board: Board, *, write: bool) -> None:
        """Nothing has been moved, and the counter says so, also for a store that failed."""
        port = stream_port(board, 32, write=write)
        owner = Owner(board, port)
        _, mdl = described(board, 256, region="scatter")
        board.stream.receive_put(moved(256))
        board.qmp.set("fault-base", port.address)
        board.qmp.set("fault-size", 4)
        owner.map(mdl, write=write)
        owner.run()
        assert owner.left == 256
        owner.finish("DmaError")
        board.qmp.set("fault-size", 0)
        owner.map(mdl, write=write)
        owner.finish()

    @pytest.mark.dmav3_rule("PLB-11", "PLB-12")
    def test_the_program_answers_with_an_error(self, board: Board) -> None:
        """An instruction fetch that fails: nothing has been moved."""
        owner = Owner(board, stream_port(board, 32, write=True))
        buffer, mdl = described(board, 256, region="scatter")
        owner.move(256, write=True)
        (*_, go) = [record for record in board.evidence.events.all() if record.kind == Kind.DMAGO]
        board.qmp.set("fault-base", go.a)
        board.qmp.set("fault-size", 4)
        owner.map(mdl, write=True)
        owner.run()
        assert (owner.left, fault_type(board)) == (256, 1 << 16)
        owner.finish("DmaError")
        board.qmp.set("fault-size", 0)
        board.write(buffer, moved(256))
        owner.map(mdl, write=True)
        owner.finish()
        assert board.stream.sent_take()[-256:] == moved(256)

    @pytest.mark.dmav3_rule("PLB-11", "PLB-22")
    @pytest.mark.parametrize(("kind", "fault"), [(1, 1 << 0), (2, 1 << 1)])
    def test_a_fault_may_be_injected(self, board: Board, kind: int, fault: int) -> None:
        """The next program moves its data, then ends in the fault; no other does."""
        owner = Owner(board, stream_port(board, 32, write=True))
        buffer, mdl = described(board, 256, region="scatter")
        board.write(buffer, moved(256))
        assert owner.configure("PL330_INJECT_FAULT", kind) == OK
        owner.map(mdl, write=True)
        owner.run()
        assert (owner.left, fault_type(board)) == (0, fault)
        owner.finish("DmaError")
        assert board.stream.sent_take() == moved(256)
        owner.move(256, write=True)

    @pytest.mark.dmav3_rule("PLB-11", "PLB-22")
    @pytest.mark.dmav3_fresh
    def test_a_lock_up_may_be_injected(self, board: Board) -> None:
        """DmaError, and a finding that says what the program did."""
        owner = Owner(board, stream_port(board, 32, write=True))
        _, mdl = described(board, 256, region="scatter")
        assert owner.configure("PL330_INJECT_FAULT", 3) == OK
        with board.expect("microcode-full-fifo"):
            owner.map(mdl, write=True)
            owner.run()
        assert (owner.left, fault_type(board)) == (0, 1 << 31)
        owner.finish("DmaError")
        board.evidence.probe.settle()

    @pytest.mark.dmav3_rule("PLB-12")
    def test_the_manager_recovers_from_a_fault(self, board: Board) -> None:
        """A channel that was started twice, by somebody else, goes on to its end."""
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 256, region="scatter")
        owner.map(mdl, write=False)
        for offset, value in ((DBGINST0, 0x00A00000), (DBGINST1, 0x40600000), (DBGCMD, 0)):
            board.request("poke", board.machine.pl330[0].base + offset, "32", value)
        board.wait(1000)
        assert register(board, DSR) & 0xF == 0
        assert owner.ends == []
        board.stream.receive_put(moved(256))
        owner.finish()
        assert board.read(buffer) == moved(256)
        owner.move(256, write=False)


def fault_type(board: Board, channel: int = 0) -> int:
    """Return what FTRn was when the channel faulted last, as the back end recorded it."""
    layout, place = board.image.struct("pl330"), board.image.symbol("pl330")
    channels = layout.read(board.cpu.read(place.address, layout.size))["channels"]
    return int(channels[channel]["fault_type"])


class TestCancel:
    """A transfer cancelled anywhere."""

    @pytest.mark.dmav3_rule("CMT-03", "CMT-12", "CMT-13", "PLB-10", "PLB-13", "PLB-14", "RDC-07")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_before_every_burst(self, board: Board, *, write: bool) -> None:
        """What was moved is moved, exactly, and nothing leaks: 64 bursts of 16 beats."""
        cancel_at(board, range(1, 65), 16, write=write)

    @pytest.mark.dmav3_rule("PLB-14", "PLB-15", "RDC-12")
    @pytest.mark.parametrize("write", [True, False], ids=["write", "read"])
    def test_before_some_beats(self, board: Board, *, write: bool) -> None:
        """The same by single beats, of which 1,024 are the transfer."""
        cancel_at(board, range(1, 1025, 93), 1, write=write)

    @pytest.mark.dmav3_rule("CMT-14", "PLB-10", "PLB-13", "RDC-05")
    def test_a_channel_that_waits_for_its_device(self, board: Board) -> None:
        """At every multiple of the FIFO; another channel is not disturbed."""
        other_memory = uncached(board, 256)
        other = Owner(board, memory_port(other_memory), channel=1)
        owner = Owner(board, stream_port(board, 32, write=False))
        buffer, mdl = described(board, 256, region="scatter")
        other_buffer, other_mdl = described(board, 256, region="scatter")
        board.write(other_buffer, moved(256))
        other.channel.hold_at_burst = 9
        other.map(other_mdl, write=True)
        for step in range(5):
            owner.map(mdl, write=False)
            assert owner.left == 256
            board.stream.receive_put(moved(16 * step, step))
            board.wait(100_000)
            assert owner.left == 256 - 16 * step
            assert owner.cancel() == OK
            owner.finish("DmaCancelled")
            assert board.read(buffer, 16 * step) == moved(16 * step, step)
            owner.free()
            owner.own()
        assert other.left == 256 - 8 * 8
        other.channel.release()
        other.finish()
        assert board.dram.read(other_memory.address, 256) == moved(256)


SCHEDULES = [
    pytest.param(name, marks=pytest.mark.dmav3_cache(schedule=name, seed=3), id=name)
    for name in ("lru", "never", "eager", "speculative")
]


@pytest.mark.dmav3_machine("virt-a53")
@pytest.mark.dmav3_rule("PLB-21")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_all_channels_at_once(board: Board, schedule: str) -> None:
    """None disturbs another, whatever the caches do."""
    assert board.qmp.get("schedule") == schedule
    all_at_once(board, 2)


class TestEnds:
    """How transfers of several channels, and of one after the other, are told apart."""

    @pytest.mark.dmav3_rule("HBE-11")
    @pytest.mark.parametrize("broken", range(3))
    def test_an_error_of_one_channel(self, board: Board, broken: int) -> None:
        """Its own routine is told, and the transfers of the others go on to their end."""
        memories = [uncached(board, 256) for _ in range(3)]
        owners = [Owner(board, memory_port(memory), n + 1) for n, memory in enumerate(memories)]
        assert owners[broken].configure("PL330_INJECT_FAULT", 1) == OK
        for owner in owners:
            owner.channel.hold_at_burst = 3
        buffers = [described(board, 256) for _ in owners]
        for owner, (buffer, mdl) in zip(owners, buffers, strict=True):
            board.write(buffer, moved(256))
            assert owner.map(mdl, write=True) == 256
        for owner in owners:
            owner.channel.release()
        board.dma.run_until(lambda: all(owner.ends for owner in owners), 1_000_000_000)
        expected = [["DmaComplete"] for _ in owners]
        expected[broken] = ["DmaError"]
        assert [owner.ends for owner in owners] == expected
        for owner in owners:
            owner.flush()

    @pytest.mark.dmav3_rule("HBE-14")
    def test_an_event_that_is_pending_at_a_flush(self, board: Board) -> None:
        """It is the end of its own transfer; the next one ends when its own data is there."""
        owner = Owner(board, stream_port(board, 32, write=False))
        first, second = described(board, 256)[1], described(board, 256)[1]
        owner.map(first, write=False)
        early = owner.done
        with board.dma.irql(HIGH_LEVEL):
            board.stream.receive_put(moved(256))
            board.wait(1_000_000)
            with board.evidence.expect_violations(0x13):
                owner.flush()
            with board.evidence.expect_violations(0x13):
                owner.map(second, write=False)
        board.wait(1_000_000)
        assert ([call[3].name for call in early.calls], owner.ends) == (["DmaComplete"], [])
        assert owner.left == 256
        board.stream.receive_put(moved(256, seed=2))
        owner.finish()

    @pytest.mark.dmav3_rule("RDC-04")
    @pytest.mark.parametrize("around", [-4, 0, 4])
    def test_what_is_left_at_the_start_of_an_element(self, board: Board, around: int) -> None:
        """All of it, and of those behind it."""
        owner = Owner(board, stream_port(board, 32, write=False))
        pieces = [board.memory.allocate(size, align=4096) for size in (256, 128, 64)]
        for boundary in (256, 384):
            owner.map(chained(board, *pieces), write=False)
            sent = boundary + around
            board.stream.receive_put(moved(sent))
            board.wait(1_000_000)
            assert owner.left == 448 - sent
            board.stream.receive_put(moved(448 - sent))
            owner.finish()
