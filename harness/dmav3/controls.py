# SPDX-License-Identifier: Apache-2.0
"""What a test may see of the layer under test besides its routines, and set."""

from __future__ import annotations

from typing import NamedTuple

#: The most of everything that `Shim.limits` can set.
MOST = 64


class Counters(NamedTuple):
    """What the layer has now.

    :ivar requests: that live, granted or waiting.
    :ivar mappings: that are not flushed.
    :ivar lists: that are not put.
    """

    free_map_registers: int
    free_low_map_registers: int
    adapters: int
    requests: int
    waiting_for_registers: int
    mappings: int
    lists: int
    common_buffers: int


class ChannelState(NamedTuple):
    """Who has a channel.

    :ivar owner: address of the adapter whose request has it, or 0.
    :ivar handle: MapRegisterBase of that request.
    :ivar waiting: requests in its queue.
    """

    owner: int
    handle: int
    waiting: int
