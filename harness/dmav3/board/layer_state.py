# SPDX-License-Identifier: Apache-2.0
"""The layer under test from outside its routines: what a test may see of it, and set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmav3.dma import DmaAdapter
    from dmav3.wire.rpc import Reply

#: The most of everything that `Layer.limits` can set.
MOST = 64


class Counters(NamedTuple):
    """What the layer has now.

    :ivar requests: requests that live, granted or waiting.
    :ivar mappings: mappings that are not flushed.
    :ivar lists: lists that are not put.
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
    """Which request has a channel.

    :ivar owner: address of the adapter whose request has it, or 0.
    :ivar handle: MapRegisterBase of that request.
    :ivar waiting: how many requests wait in its queue.
    """

    owner: int
    handle: int
    waiting: int


class Layer:
    """The layer under test, seen from outside its routines."""

    def __init__(self, request: Callable[..., Reply]) -> None:
        """Ask the shim by `request`."""
        self._request = request

    def counters(self) -> Counters:
        """Return what the layer has now, to be compared before and after."""
        reply = self._request("counters")
        return Counters(*(reply.number(name) for name in Counters._fields))

    def channel_state(self, channel: int | DmaAdapter) -> ChannelState:
        """Return which request has a channel, named by its number or by an adapter.

        :raises RefusedError: there is no such channel or adapter.
        """
        if isinstance(channel, int):
            reply = self._request("channel", channel)
        else:
            reply = self._request("channel_of", channel.address)
        return ChannelState(*(reply.number(name) for name in ChannelState._fields))

    def limits(
        self,
        *,
        map_registers: int = MOST,
        registers_per_request: int = MOST,
        list_elements: int = MOST,
        checked: bool = True,
    ) -> None:
        """Set how much there is of everything, for adapters and mappings made from now on.

        What is not named becomes as it is after a reset.

        :param map_registers: in the pool, 2 to 64.
        :param registers_per_request: what IoGetDmaAdapter gives at most, 2 to 64.
        :param list_elements: of a mapping for which the driver gives no list, 1 to 64.
        :param checked: False for plain mode, in which no violation is recorded.
        :raises RefusedError: a number is out of range, or map registers are in use.
        """
        self._request("limits", map_registers, registers_per_request, list_elements)
        self._request("checked", int(checked))
