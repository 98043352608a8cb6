# SPDX-License-Identifier: Apache-2.0
"""Sweeps over the channels of the PL330, in counts that the caller chooses."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from dmav3.devices.stream import Control, Register
from dmav3.wdm import DmaWidth

from .driver import described, moved
from .owner import OK, Owner, Port, is_clean, memory_port, stream_port, uncached

if TYPE_CHECKING:
    from dmav3 import Board
    from dmav3.dma import Mdl

#: Bytes of a transfer that is cancelled.
CANCELLED = 4096


def cancel_at(board: Board, bursts: range, beats: int, *, write: bool) -> None:
    """Cancel a transfer before each of these bursts, from 1: what was moved is moved, no more.

    :param beats: of a burst, of 32 bits each.
    """
    owner = Owner(board, stream_port(board, 32, write=write))
    buffer, mdl = described(board, CANCELLED, region="scatter")
    content = moved(sum(burst - 1 for burst in bursts) * beats * 4 + CANCELLED)
    board.stream.receive_put(b"" if write else content)
    owner.free()
    before, at = board.layer.counters(), 0
    for burst in bursts:
        size = (burst - 1) * beats * 4
        board.write(buffer, content[at : at + CANCELLED] if write else b"\x5a" * CANCELLED)
        _cancel(owner, mdl, burst, beats, write=write)
        if write:
            assert board.stream.sent_take() == content[at : at + size]
        else:
            rest = b"\x5a" * (CANCELLED - size)
            assert board.read(buffer) == content[at : at + size] + rest
        at += size
    assert board.layer.counters() == before
    assert board.findings() == []


def _cancel(owner: Owner, mdl: Mdl, burst: int, beats: int, *, write: bool) -> None:
    """Own the channel, cancel a transfer there, give everything back."""
    left = CANCELLED - (burst - 1) * beats * 4
    owner.own()
    assert owner.configure("PL330_SET_BURST_BEATS", beats) == OK
    owner.channel.hold_at_burst = burst
    assert owner.map(mdl, write=write) == CANCELLED
    owner.board.wait(1_000_000, "held")
    assert owner.channel.held
    assert owner.left == left
    assert not owner.cancel_request()
    assert owner.cancel() == OK
    assert owner.left == left
    owner.board.wait(10_000)
    assert owner.left == left
    owner.finish("DmaCancelled")
    owner.free()
    assert owner.board.layer.channel_state(0) == (0, 0, 0)


class AllChannels:
    """Owners of all eight: two of the stream, the others of memory that is a device."""

    def __init__(self, board: Board) -> None:
        """Own them."""
        self.board = board
        stream = board.machine.stream
        both = Control.TRANSMIT_REQUEST | Control.RECEIVE_REQUEST | Control.frame(4)
        board.request("poke", stream.base + Register.CONTROL, "32", both)
        data, width = stream.base + Register.DATA, DmaWidth.Width32Bits
        self.memories = [uncached(board, 2048, offset=n) for n in range(6)]
        ports = [Port(stream.transmit, data, width), Port(stream.receive, data, width)]
        ports += [memory_port(memory, 2 + n) for n, memory in enumerate(self.memories)]
        self.owners = [Owner(board, port, n) for n, port in enumerate(ports)]

    def move(self, random: Random) -> None:
        """Move different data by all at once: start all, held; let all go on together; check."""
        trips = [_Trip(self, n, random) for n in range(len(self.owners))]
        for trip in trips:
            trip.start()
        assert all(owner.channel.held for owner in self.owners)
        for owner in self.owners:
            owner.channel.burst_interval_ns = random.randrange(100, 1000)
            owner.channel.release()
        for trip in trips:
            trip.end()


class _Trip:
    """One of eight transfers."""

    def __init__(self, channels: AllChannels, n: int, random: Random) -> None:
        """Fill what it reads."""
        self.board, self.owner = channels.board, channels.owners[n]
        self.memory = channels.memories[n - 2] if n > 1 else None
        self.write = n % 2 == 0
        self.content = random.randbytes(4 * random.randrange(16, 300))
        assert self.owner.configure("PL330_SET_BURST_BEATS", random.randrange(1, 17)) == OK
        self.buffer, self.mdl = described(
            self.board,
            len(self.content),
            offset=4 * random.randrange(1024),
            region="scatter",
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
        if not self.write:
            arrived = self.board.read(self.buffer)
        elif self.memory:
            arrived = self.board.dram.read(self.memory.address, len(self.content))
        else:
            self.board.wait(1000)
            arrived = self.board.stream.sent_take()
        assert arrived == self.content
        self.board.dma.IoFreeMdl(self.mdl)
        self.board.memory.free(self.buffer)


def all_at_once(board: Board, rounds: int) -> None:
    """Move data by all channels at once so many times, each time other data, in another way."""
    channels = AllChannels(board)
    for number in range(rounds):
        channels.move(Random(number))  # noqa: S311 - to be repeatable
    assert is_clean(board)
