# SPDX-License-Identifier: Apache-2.0
"""Where a driver called a routine, from what the operation log says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dmav3.elf.image import Elf

#: Ids of the operation log: routines of the layer, callbacks, entries of the back end, routines of
#: the kernel around a driver.
FIRST_CALLBACK, FIRST_BACK_END, FIRST_KERNEL = 80, 96, 128
#: Where the shell is: what it calls is called by a test, not by a driver in C.
_SHELL = "firmware/rpc/"


def place(image: Elf, oplog_id: int, caller: int) -> str:
    """Return function, file and line of the driver; empty where it is a test, or not known.

    :param caller: a return address; of a callback the driver's routine itself.
    """
    is_routine = oplog_id < FIRST_CALLBACK or oplog_id >= FIRST_KERNEL
    pc = caller - is_routine  # a return address is behind the call
    frames = image.frames(pc) if caller else []
    is_known = any(frame.line and not frame.line.file.startswith(_SHELL) for frame in frames)
    return image.place(pc) if is_known else ""
