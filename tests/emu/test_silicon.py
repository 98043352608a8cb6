# SPDX-License-Identifier: Apache-2.0
"""The emulated silicon itself: caches, controller, stream, time. The DMA layer is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from microcode import CSR0, FTR0, Controller, copy, mov, wait_for

from dmav3 import Board
from dmav3.devices.stream import Control, Register, Status
from dmav3.errors import FindingsError
from dmav3.evidence.probe import LineState
from dmav3.qemu.qmp import BOARD

if TYPE_CHECKING:
    from dmav3 import Buffer

SIZE = 4096
STREAM = f"{BOARD}/stream"


def two(board: Board) -> tuple[Buffer, Buffer]:
    """Return a source and a target, both clean and out of the cache, holding 0x11 and 0x22."""
    buffers = board.memory.allocate(SIZE, name="source"), board.memory.allocate(SIZE, name="target")
    for buffer, byte in zip(buffers, (0x11, 0x22), strict=True):
        board.fill(buffer, byte)
        board.request("clean_invalidate", buffer.address, buffer.size)
    return buffers


def dma(board: Board, source: Buffer, target: Buffer) -> None:
    """Let the controller copy one buffer to the other."""
    controller = Controller(board)
    controller.start(copy(source.address, target.address, SIZE))
    assert (controller.read(CSR0), controller.read(FTR0)) == (0, 0)


@pytest.mark.dmav3_cache(schedule="lru")
class TestCache:
    """Two views of memory, and what moves bytes between them."""

    def test_a_store_stays_in_the_cache_until_it_is_cleaned(self, board: Board) -> None:
        """The CPU reads its own store; DRAM keeps the old bytes until a clean."""
        buffer, _ = two(board)
        board.fill(buffer, 0x33)
        assert board.cpu.read(buffer.address, SIZE) == b"\x33" * SIZE
        assert board.dram.read(buffer.address, SIZE) == b"\x11" * SIZE
        assert board.lines(buffer).dirty == SIZE // 64
        board.request("clean", buffer.address, SIZE)
        assert board.dram.read(buffer.address, SIZE) == b"\x33" * SIZE
        assert (board.lines(buffer).dirty, board.lines(buffer).valid) == (0, SIZE // 64)

    def test_without_a_clean_the_device_moves_old_bytes(self, board: Board) -> None:
        """A missing clean gives wrong data, and one finding that says where the bytes are from."""
        source, target = two(board)
        board.fill(source, 0x33)
        with board.expect("stale-device-read"):
            dma(board, source, target)
        board.request("invalidate", target.address, SIZE)
        assert board.read(target) == b"\x11" * SIZE
        (finding,) = board.findings()
        assert (finding.kind, finding.count) == ("stale-device-read", SIZE // 64)
        assert finding.buffer is not None
        assert (finding.buffer.name, finding.buffer.offset) == ("source", 0)
        assert finding.cpu is not None
        assert (finding.cpu.function, finding.cpu.file) == ("memset", "firmware/hal/string.c")
        assert finding.device is not None
        assert (finding.device.channel, finding.device.burst) == (0, 1)

    def test_a_cached_line_hides_what_the_device_wrote(self, board: Board) -> None:
        """A missing invalidate gives old bytes where the line was cached, and a finding."""
        source, target = two(board)
        assert board.read(target) == b"\x22" * SIZE  # now the target is cached
        dma(board, source, target)
        assert board.dram.read(target.address, SIZE) == b"\x11" * SIZE
        assert board.lines(target).stale == SIZE // 64
        with board.expect("stale-cpu-read"):
            assert board.read(target) == b"\x22" * SIZE
        board.request("invalidate", target.address, SIZE)
        assert board.read(target) == b"\x11" * SIZE

    def test_a_missing_invalidate_is_found_where_luck_gives_right_bytes(self, board: Board) -> None:
        """The line was not cached, so the bytes are right; the finding comes all the same."""
        source, target = two(board)
        dma(board, source, target)
        with board.expect("stale-cpu-read"):
            assert board.read(target) == b"\x11" * SIZE

    @pytest.mark.dmav3_cache(schedule="speculative")
    def test_correct_maintenance_gives_right_bytes_and_no_finding(self, board: Board) -> None:
        """Clean, transfer, invalidate: right under speculation too."""
        source, target = two(board)
        board.fill(source, 0x44)
        board.request("clean", source.address, SIZE)
        dma(board, source, target)
        board.request("invalidate", target.address, SIZE)
        assert board.read(target) == b"\x44" * SIZE
        assert board.findings() == []

    def test_an_invalidate_loses_stores(self, board: Board) -> None:
        """What was stored and not cleaned is gone."""
        buffer, _ = two(board)
        board.fill(buffer, 0x33)
        board.request("invalidate", buffer.address, SIZE)
        with board.expect("lost-cpu-write"):
            assert board.read(buffer) == b"\x11" * SIZE

    def test_a_device_write_onto_dirty_bytes_is_told_at_once(self, board: Board) -> None:
        """Without maintenance before it, a write-back may destroy what the device wrote."""
        source, target = two(board)
        board.fill(target, 0x33)
        with board.expect("lost-device-write"):
            dma(board, source, target)

    def test_one_line_written_from_both_sides_is_told(self, board: Board) -> None:
        """The device writes the buffer, the CPU a neighbour in the same line."""
        source, _ = two(board)
        both = board.memory.allocate(SIZE + 64, name="both")
        board.request("clean_invalidate", both.address, both.size)
        neighbour = both.address + 8
        board.request("poke", neighbour, "64", 1)
        with board.expect("shared-line"):
            Controller(board).start(copy(source.address, both.address + 16, 64, beats=1))

    def test_different_bytes_of_a_line_with_nothing_lost_are_nobodys_fault(
        self, board: Board
    ) -> None:
        """The CPU only reads its own bytes of a line that a device writes elsewhere."""
        source, _ = two(board)
        both = board.memory.allocate(128)
        board.request("clean_invalidate", both.address, both.size)
        Controller(board).start(copy(source.address, both.address, 64, beats=1))
        assert board.request("peek", both.address + 64, "64").number("value") == 0
        assert board.findings() == []

    def test_a_dirty_receive_buffer_may_be_discarded(self, board: Board) -> None:
        """Stores that nobody reads any more may be invalidated before the device writes."""
        source, target = two(board)
        board.fill(target, 0x33)
        board.request("invalidate", target.address, SIZE)
        dma(board, source, target)
        board.request("invalidate", target.address, SIZE)
        assert board.read(target) == b"\x11" * SIZE
        assert board.findings() == []

    @pytest.mark.parametrize("schedule", ["lru", "never", "eager", "speculative"])
    def test_a_missing_clean_is_found_under_every_schedule(self, schedule: str) -> None:
        """Whether bytes come out wrong is a matter of the schedule; the finding is not."""
        with Board(schedule=schedule) as board:
            source, target = two(board)
            board.fill(source, 0x33)
            with board.expect("stale-device-read"):
                dma(board, source, target)

    @pytest.mark.dmav3_cache(schedule="eager")
    def test_under_eager_a_missing_preparation_destroys_what_the_device_wrote(
        self, board: Board
    ) -> None:
        """Dirty lines go down over the device's bytes: found under each seed, seen under some."""
        destroyed = 0
        for seed in range(8):
            board.reset(seed=seed)
            source, target = two(board)
            board.fill(target, 0x33)
            with board.expect("lost-device-write"):
                dma(board, source, target)
            destroyed += board.dram.read(target.address, SIZE) != b"\x11" * SIZE
        assert destroyed

    @pytest.mark.dmav3_cache(schedule="lru", seed=1)
    def test_a_full_set_evicts_its_oldest_line(self, board: Board) -> None:
        """Seventeen lines of a set that the shim leaves alone: the first goes down to DRAM."""
        cache = board.machine.cache
        assert cache is not None
        stride = cache.line * cache.sets
        buffer = board.memory.allocate(stride * (cache.ways + 1), align=stride)
        board.fill(buffer, 0)  # all else goes down, but for what the command needs
        board.request("poke", buffer.address, "64", 0)
        states = bytearray(board.evidence.probe.states())
        start = (buffer.address - board.evidence.probe.ram_base) // cache.line
        states[start : start + buffer.size // cache.line] = bytes(buffer.size // cache.line)
        used = {i % cache.sets for i, state in enumerate(states) if state & LineState.VALID}
        unused = min(set(range(cache.sets)) - used)
        first = buffer.address + unused * cache.line
        for way in range(cache.ways):
            board.request("poke", first + way * stride, "64", way + 1)
        assert board.dram.read(first, 1) == b"\0"
        board.request("poke", first + cache.ways * stride, "64", 99)
        assert board.dram.read(first, 1) == b"\1"

    def test_a_virtual_window_is_translated(self, board: Board) -> None:
        """Stores through the scattered window reach the physical pages that it maps."""
        buffer = board.memory.allocate(3 * 4096, region="scatter", align=4096)
        data = bytes(range(256)) * 48
        board.write(buffer, data)
        assert board.lines(buffer).dirty == 3 * 64
        board.request("clean", buffer.address, buffer.size)
        assert b"".join(board.dram.read(*piece) for piece in buffer.ranges) == data
        assert len(buffer.ranges) >= 1

    def test_an_access_over_a_line_boundary_touches_both_lines(self, board: Board) -> None:
        """A copy of unaligned bytes dirties every line that it touches and no other."""
        buffer = board.memory.allocate(256)
        board.request("clean_invalidate", buffer.address, 256)
        board.request("copy", buffer.address + 60, board.memory.staging.start, 8)
        assert board.lines(buffer).dirty == 2

    def test_uncached_memory_needs_no_maintenance(self, board: Board) -> None:
        """A store to the staging window is in DRAM at once."""
        address = board.memory.staging.start
        board.request("poke", address, "64", 0x1122334455667788)
        assert board.dram.read(address, 8) == bytes.fromhex("8877665544332211")

    @pytest.mark.dmav3_cache(schedule="speculative")
    def test_speculation_fills_lines_during_a_transfer(self, board: Board) -> None:
        """Under `speculative` a forgotten invalidate gives wrong bytes even on an empty cache."""
        source, target = two(board)
        dma(board, source, target)
        with board.expect("stale-cpu-read"):
            assert board.read(target) != b"\x11" * SIZE

    @pytest.mark.dmav3_cache
    @pytest.mark.dmav3_machine("virt-a53-coherent")
    def test_a_coherent_machine_needs_no_maintenance(self, board: Board) -> None:
        """One view: the device sees stores at once, and there is nothing to find."""
        source, target = two(board)
        board.fill(source, 0x55)
        dma(board, source, target)
        assert board.read(target) == b"\x55" * SIZE
        assert board.findings() == []

    def test_reset_forgets_everything(self, board: Board) -> None:
        """After a reset memory, lines, findings, log and time are as at the start."""
        source, target = two(board)
        board.fill(source, 0x33)
        dma(board, source, target)
        board.read(target)
        with pytest.raises(FindingsError, match="stale-device-read"):
            board.reset()
        assert board.findings() == []
        assert board.evidence.probe.count([(source.address, SIZE)]).valid == 0
        assert (
            board.cpu.read(source.address, SIZE)
            == board.dram.read(source.address, SIZE)
            == bytes(SIZE)
        )


class TestStream:
    """The peripheral: data register, FIFOs, request lines, rings."""

    def register(self, board: Board, register: Register) -> int:
        """Return the address of a register."""
        return board.machine.stream.base + register

    @pytest.mark.parametrize(
        ("bits", "value"), [(8, 0x5A), (16, 0x5A6B), (32, 0x5A6B7C8D), (64, 0x5A6B7C8D9EAFB0C1)]
    )
    def test_an_access_moves_its_own_width(self, board: Board, bits: int, value: int) -> None:
        """A write of w bits sends w / 8 bytes, little-endian; a read takes as many."""
        data = self.register(board, Register.DATA)
        board.request("poke", data, str(bits), value)
        board.request("ping")
        sent = board.stream.sent_take()
        assert sent == value.to_bytes(bits // 8, "little")
        board.stream.receive_put(sent)
        board.request("poke", self.register(board, Register.CONTROL), "32", 2)
        assert board.request("peek", data, str(bits)).number("value") == value

    def test_a_read_without_data_is_an_underrun(self, board: Board) -> None:
        """It gives zeroes, is flagged until cleared by writing one, and counted."""
        assert board.request("peek", self.register(board, Register.DATA), "32").number("value") == 0
        status = self.register(board, Register.STATUS)
        assert board.request("peek", status, "32").number("value") & Status.UNDERRUN
        board.request("poke", status, "32", int(Status.UNDERRUN))
        assert not board.request("peek", status, "32").number("value") & Status.UNDERRUN
        assert board.qmp.get("underruns", STREAM) == 1

    def test_a_write_without_room_is_an_overrun(self, board: Board) -> None:
        """The word is dropped, those before it are kept."""
        board.qmp.set("word-interval-ns", 1_000_000, STREAM)
        board.qmp.set("tx-fifo-depth", 2, STREAM)
        for byte in b"abc":
            board.request("poke", self.register(board, Register.DATA), "8", byte)
        status = board.request("peek", self.register(board, Register.STATUS), "32").number("value")
        assert status & Status.OVERRUN
        assert not status & Status.TRANSMIT_ROOM
        assert board.qmp.get("overruns", STREAM) == 1
        board.wait(10_000_000)
        assert board.stream.sent_take() == b"ab"

    def test_words_leave_at_their_pace(self, board: Board) -> None:
        """One word an interval of model time, and none while the gate is closed."""
        board.qmp.set("word-interval-ns", 1_000_000, STREAM)
        for byte in b"abc":
            board.request("poke", self.register(board, Register.DATA), "8", byte)
        assert board.stream.sent_head == 0
        board.wait(1_500_000)
        assert board.stream.sent_head == 1
        board.wait(1_000_000)
        assert board.stream.sent_head == 2

    def test_a_channel_waits_until_the_stream_is_ready(self, board: Board) -> None:
        """DMAWFP stalls on a line whose requests are not enabled, and goes on when they are."""
        controller = Controller(board)
        data = self.register(board, Register.DATA)
        source = controller.program_at + 0x100
        board.request("poke", source, "8", 0x77)
        program = mov(0, source) + mov(2, data) + mov(1, 0) + wait_for(1) + b"\x04\x08\x13\x00"
        controller.start(program)
        assert controller.read(CSR0) & 0xF == 7  # waiting for a peripheral
        assert board.stream.sent_head == 0
        board.request("poke", self.register(board, Register.CONTROL), "32", 1)
        board.wait(1000)
        assert controller.read(CSR0) & 0xF == 0
        assert board.stream.sent_take() == b"\x77"

    def test_a_request_may_be_for_a_burst(self, board: Board) -> None:
        """The line is ready once there are so many frames."""
        controller = Controller(board)
        board.qmp.set("word-interval-ns", 1_000_000, STREAM)
        control = Control.RECEIVE_REQUEST | Control.frame(2) | Control.burst(4)
        board.request("poke", self.register(board, Register.CONTROL), "32", control)
        board.stream.receive_put(bytes(16))
        controller.start(wait_for(0) + b"\x00")
        board.wait(3_500_000)
        assert controller.read(CSR0) & 0xF == 7
        with board.expect("microcode-unused-request"):
            board.wait(1_000_000)
        assert controller.read(CSR0) & 0xF == 0

    def test_an_empty_ring_stalls_and_refilling_goes_on(self, board: Board) -> None:
        """The receive line is ready while there is data, and only then."""
        status = self.register(board, Register.STATUS)
        board.request("poke", self.register(board, Register.CONTROL), "32", 2)
        assert not board.request("peek", status, "32").number("value") & Status.RECEIVE_DATA
        board.stream.receive_put(b"x")
        assert board.request("peek", status, "32").number("value") & Status.RECEIVE_DATA


def test_nothing_of_ours_blocks_itself(board: Board) -> None:
    """QEMU never says that it blocked an access of one of our regions to another."""
    source, target = two(board)
    dma(board, source, target)
    assert "Blocked re-entrant IO" not in board.qemu.process.log_tail()
