# SPDX-License-Identifier: Apache-2.0
"""A driver's routines as Python functions, and how they and their contexts travel.

Each is entered at DISPATCH_LEVEL, during the request that names it or a later one, and may call
the interface. A request names a routine by 1, or by 0 if there is none, and its context by the
cookie of the function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dmav3.wdm import DmaCompletionStatus
from dmav3.wire.frame import parse_number

from .adapter_base import AdapterBase

#: The class of the adapters, `DmaAdapter`, which this file must not know.
Adapter = TypeVar("Adapter", bound=AdapterBase)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .target import Target

    #: (DeviceObject, Irp, MapRegisterBase, Context) -> IoAllocationAction
    DriverControl = Callable[[int, int, int, object], int]
    #: (DeviceObject, Irp, ScatterGather, Context)
    DriverListControl = Callable[[int, int, int, object], object]
    #: (DmaAdapter, DeviceObject, CompletionContext, Status)
    DmaCompletionRoutine = Callable[[Adapter, int, object, DmaCompletionStatus], object]


def control(target: Target, routine: DriverControl | None, context: object) -> tuple[int, int]:
    """Return AdapterControl and its context as arguments of a request."""
    if routine is None:
        return 0, _alone(context)

    def enter(keys: Mapping[str, str]) -> int:
        return routine(*_numbers(keys, "device", "irp", "base"), context)

    return 1, target.callback(enter)


def list_control(
    target: Target, routine: DriverListControl | None, context: object
) -> tuple[int, int]:
    """Return AdapterListControl and its context as arguments of a request."""
    if routine is None:
        return 0, _alone(context)

    def enter(keys: Mapping[str, str]) -> int:
        routine(*_numbers(keys, "device", "irp", "list"), context)
        return 0

    return 1, target.callback(enter)


def completion(
    mine: Adapter, routine: DmaCompletionRoutine[Adapter] | None, context: object
) -> tuple[int, int]:
    """Return a completion routine and its context as arguments of a request.

    :param mine: the adapter that makes the request; what is called gets this one back.
    """
    if routine is None:
        return 0, _alone(context)

    def enter(keys: Mapping[str, str]) -> int:
        address, device, status = _numbers(keys, "adapter", "device", "status")
        adapter = mine if address == mine.address else type(mine)(mine.target, address, 0)
        routine(adapter, device, context, DmaCompletionStatus(status))
        return 0

    return 1, mine.target.callback(enter)


def _alone(context: object) -> int:
    """Return what travels as the context of no routine: a number as it is."""
    return context if isinstance(context, int) else 0


def _numbers(keys: Mapping[str, str], *names: str) -> tuple[int, int, int]:
    first, second, third = (parse_number(keys[name]) for name in names)
    return first, second, third
