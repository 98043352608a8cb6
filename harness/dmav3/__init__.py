# SPDX-License-Identifier: Apache-2.0
"""Tests, with caches that hold data, for code that uses the version-3 DMA operations interface."""

from .board import Board
from .build import build_image
from .deadline import deadline
from .dma import Allocated, DmaAdapter, Mapped, Mdl, TransferInfo
from .errors import (
    BuildError,
    Dmav3Error,
    FaultError,
    InfrastructureError,
    LinkError,
    RefusedError,
    TargetError,
    UsageError,
)
from .machine import Machine, load
from .memory import Buffer
from .probe import Kind, Lines, Record
from .report import Finding
from .verdict import Report
from .wdm import DmaCompletionStatus, DmaWidth, InterfaceType, IoAllocationAction, NtStatus

__all__ = (  # noqa: RUF022 - from most to least important
    "Board",
    "build_image",
    "DmaAdapter",
    "Mdl",
    "Buffer",
    "NtStatus",
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
    "TargetError",
    "RefusedError",
    "FaultError",
    "LinkError",
    "InfrastructureError",
)
