# SPDX-License-Identifier: Apache-2.0
"""Files that a user names: what is read has an end, and what is written is none of what is read."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO

from .errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def open_regular(path: Path, access: int = os.O_RDONLY) -> BinaryIO:
    """Open a file for reading, or for what `access` says.

    :raises OSError: that cannot be; or it is a folder, or something that might never end: a pipe, a
        device, or what a system writes while it is read, which has no size.
    """
    with ExitStack() as resources:
        fd = os.open(path, access | os.O_NONBLOCK | os.O_CLOEXEC)
        resources.callback(os.close, fd)
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode) or (not found.st_size and os.read(fd, 1)):
            raise OSError(errno.EINVAL, "it is no regular file, so copy it into one", str(path))
        resources.pop_all()
    return os.fdopen(fd, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """Return what is in a file now; what is appended meanwhile is left out.

    :raises OSError: as `open_regular`, or it has more than `most` bytes.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"it has {size} bytes, more than {most}", str(path))
        return file.read(size)


def open_output(path: Path, how: int = os.O_TRUNC) -> BinaryIO:
    """Open a file for writing, emptied unless `how` says otherwise.

    :raises OSError: it cannot be written, or is a pipe that nobody reads.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(path, flags | how, 0o666)
    os.set_blocking(fd, True)
    return os.fdopen(fd, "wb")


def check_output(path: Path, *inputs: Path | None, other: Path | None = None) -> None:
    """Make sure, before the work, that its result can be written; leave no file that was not there.

    :param inputs: files that are read; the result must be none of them.
    :param other: another result, which must be in another file.
    :raises UsageError: it cannot, or it is one of these.
    """
    try:
        if any(one is not None and _is_same(path, one) for one in inputs):
            msg = f"{path} cannot be written: it is what is read"
            raise UsageError(msg)
        was_there = path.exists()
        open_output(path, os.O_APPEND).close()
        is_others = other is not None and _is_same(path, other) and path.is_file()
        if not was_there:
            path.unlink()
        if is_others:
            msg = f"{path} cannot be written: it is what another option names as well"
            raise UsageError(msg)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def write_output(path: Path, text: str) -> None:
    """Write a result; `InfrastructureError` if that fails after all."""
    try:
        with open_output(path) as file:
            file.write(text.encode())
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InfrastructureError(msg) from error


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except FileNotFoundError:
        return path.resolve() == other.resolve()
