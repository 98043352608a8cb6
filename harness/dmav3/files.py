# SPDX-License-Identifier: Apache-2.0
"""Files that a user names: what is read has an end, and what is written is none of what is read."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from .errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading.

    :raises OSError: it cannot be read, or is a folder, a pipe or a device, which might never end.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is no regular file, so copy it into one", str(path))


def check_output(path: Path, *inputs: Path | None) -> None:
    """Make sure, before the work, that its result can be written.

    :param inputs: files that are read; the result must be none of them.
    :raises UsageError: it cannot, or it is one of these.
    """
    if any(one is not None and one.exists() and _is_same(path, one) for one in inputs):
        msg = f"{path} cannot be written: it is what is read"
        raise UsageError(msg)
    try:
        path.open("a").close()
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def write_output(path: Path, text: str) -> None:
    """Write a result; `InfrastructureError` if that fails after all."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InfrastructureError(msg) from error


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and path.samefile(other)
