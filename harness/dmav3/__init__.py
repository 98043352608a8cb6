# SPDX-License-Identifier: Apache-2.0
"""Tests, with caches that hold data, for code that uses the version-3 DMA operations interface.

Each name is imported when it is first used: pytest imports this package in every project of an
environment, and most of them start no board.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .deadlines import deadline  # at once: the module has the same name

if TYPE_CHECKING:
    from dmav3.board.board import Board
    from dmav3.board.driver import Driver, IoRequest
    from dmav3.board.guest import Guest
    from dmav3.board.host_shim import HostShim
    from dmav3.devices.device import Device
    from dmav3.evidence.findings import Finding
    from dmav3.evidence.probe import Kind, Lines, Record
    from dmav3.guest.memory import Buffer
    from dmav3.job.verdict import Report
    from dmav3.machine.build import build_image
    from dmav3.machine.description import Machine, load

    from .dma import Allocated, DmaAdapter, Mapped, Mdl, TransferInfo
    from .errors import (
        BuildError,
        BusError,
        CrashError,
        Dmav3Error,
        FaultError,
        FindingsError,
        HandlerError,
        InfrastructureError,
        LinkError,
        NtStatusError,
        PendingError,
        RefusedError,
        TargetError,
        UsageError,
    )
    from .wdm import (
        DmaCompletionStatus,
        DmaWidth,
        InterfaceType,
        IoAllocationAction,
        NtStatus,
        ctl_code,
    )

__all__ = (  # noqa: RUF022 - from most to least important
    "Board",
    "Guest",
    "HostShim",
    "Device",
    "Driver",
    "IoRequest",
    "build_image",
    "DmaAdapter",
    "Mdl",
    "Buffer",
    "NtStatus",
    "ctl_code",
    "DmaWidth",
    "IoAllocationAction",
    "DmaCompletionStatus",
    "InterfaceType",
    "TransferInfo",
    "Allocated",
    "Mapped",
    "Finding",
    "Lines",
    "Record",
    "Kind",
    "deadline",
    "Machine",
    "load",
    "Report",
    "Dmav3Error",
    "UsageError",
    "BuildError",
    "HandlerError",
    "TargetError",
    "RefusedError",
    "FaultError",
    "CrashError",
    "FindingsError",
    "BusError",
    "NtStatusError",
    "PendingError",
    "LinkError",
    "InfrastructureError",
)

_HOMES = {
    "board.board": ("Board",),
    "board.guest": ("Guest",),
    "board.driver": ("Driver", "IoRequest"),
    "dma": ("Allocated", "DmaAdapter", "Mapped", "Mdl", "TransferInfo"),
    "machine.build": ("build_image",),
    "errors": (
        "BuildError",
        "BusError",
        "CrashError",
        "Dmav3Error",
        "FaultError",
        "FindingsError",
        "HandlerError",
        "InfrastructureError",
        "LinkError",
        "NtStatusError",
        "PendingError",
        "RefusedError",
        "TargetError",
        "UsageError",
    ),
    "board.host_shim": ("HostShim",),
    "devices.device": ("Device",),
    "machine.description": ("Machine", "load"),
    "guest.memory": ("Buffer",),
    "evidence.probe": ("Kind", "Lines", "Record"),
    "evidence.findings": ("Finding",),
    "job.verdict": ("Report",),
    "wdm": (
        "DmaCompletionStatus",
        "DmaWidth",
        "InterfaceType",
        "IoAllocationAction",
        "NtStatus",
        "ctl_code",
    ),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f".{home}", __name__), name)
            globals()[name] = value
            return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
