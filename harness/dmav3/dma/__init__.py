# SPDX-License-Identifier: Apache-2.0
"""The routines of the interface, callable from Python, in the interface's spelling.

Names, parameters and their meaning are the interface's; what it returns through pointers comes
back in a result value. Numbers travel unchecked, so that tests can misuse every routine: what
they are allowed to be is decided by the layer under test, and every handle may be any number.
Required IRQLs are the caller's duty (`Routines.irql`). Everything here raises as `Board.request`
does.

Parameters that the interface passes by reference are passed by value here: an MDL's length, say.
A `Pointer` in its place goes to the routine as it is; `NULL` is one.
"""

from .adapter import DmaAdapter
from .results import (
    AdapterInfo,
    Allocated,
    BuiltList,
    BuiltMdl,
    CommonBuffer,
    Element,
    ListSize,
    Mapped,
    MappedPiece,
    MdlFields,
    TransferInfo,
)
from .routines import DeviceDescription, Routines
from .target import NULL, PATTERN, UNWRITTEN, UNWRITTEN64, Cells, Mdl, Place, Pointer, Target

__all__ = (
    "NULL",
    "PATTERN",
    "UNWRITTEN",
    "UNWRITTEN64",
    "AdapterInfo",
    "Allocated",
    "BuiltList",
    "BuiltMdl",
    "Cells",
    "CommonBuffer",
    "DeviceDescription",
    "DmaAdapter",
    "Element",
    "ListSize",
    "Mapped",
    "MappedPiece",
    "Mdl",
    "MdlFields",
    "Place",
    "Pointer",
    "Routines",
    "Target",
    "TransferInfo",
)
