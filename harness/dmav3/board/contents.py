# SPDX-License-Identifier: Apache-2.0
"""Bytes that a recording names by their SHA-256: kept in its folder, or asked for if they are many.

What the folders of one run have in common is there once, by hard links: a folder that is copied is
whole all the same.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from dmav3.errors import UsageError
from dmav3.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: Bytes of a file that are kept; and of one whose SHA-256 is computed, a second or two.
MOST_KEPT, MOST_DIGESTED = 64 << 20, 1 << 30
#: Of a folder, the one with the files.
_CONTENTS = "contents"
#: Nanoseconds that a file must not have changed for, so that its time tells whether it changes.
_SETTLED_NS = 2_000_000_000


class Contents(NamedTuple):
    """What a file has in it.

    :ivar size: bytes.
    :ivar sha256: in hexadecimal; "": not known, and `problem` says why.
    :ivar data: the bytes; None: there are more than `MOST_KEPT`.
    """

    size: int
    sha256: str
    data: bytes | None
    problem: str = ""


def contents_of(path: Path) -> Contents:
    """Read a file; if it cannot be read, or has more than `MOST_DIGESTED` bytes, say so."""
    try:
        found = path.stat()
        if found.st_size > MOST_DIGESTED:
            problem = f"has {found.st_size} bytes, more than the {MOST_DIGESTED} that are looked at"
            return Contents(found.st_size, "", None, problem)
        identity = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        is_settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NS
        return _read(path, identity) if is_settled else _read.__wrapped__(path, identity)
    except OSError as error:
        return Contents(0, "", None, f"cannot be read: {error.strerror}")


@lru_cache(maxsize=2)
def _read(path: Path, identity: tuple[int, ...]) -> Contents:
    """Read a file; most boards of a run have the same."""
    del identity
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_KEPT:
            digest = _digest(file)
            return Contents(file.tell(), digest, None)
        data = file.read()
    return Contents(len(data), hashlib.sha256(data).hexdigest(), data)


def keep(folder: Path, data: bytes) -> str:
    """Put bytes into a folder, or a link to the same in a folder beside it; returns their SHA-256.

    :raises OSError: they cannot be written.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = folder / _CONTENTS / digest
    path.parent.mkdir(exist_ok=True)
    for other in folder.parent.glob(f"*/{_CONTENTS}/{digest}"):
        with suppress(OSError):  # a file system without links, say
            if other.read_bytes() == data:
                os.link(other, path)
                break
    if not path.exists():
        path.write_bytes(data)
    return digest


def kept(folder: Path, digest: str) -> Path:
    """Return where the bytes with a SHA-256 are in a folder, if they are."""
    return folder / _CONTENTS / digest


def copy_wanted(
    wanted: Mapping[str, tuple[str, str]], folder: Path, files: Iterable[Path], into: Path
) -> dict[str, Path]:
    """Copy files for a run to write to, from a recording's folder, or from what a person names.

    :param wanted: SHA-256 and description of each, by a name that the copy gets.
    :param files: those that the person names.
    :param into: the folder of the copies.
    :raises UsageError: one is missing or damaged, or cannot be copied.
    """
    given = {_digest_of(path): path for path in files}
    copies = {}
    for name, (digest, description) in wanted.items():
        source = given.get(digest, kept(folder, digest))
        if not source.exists():
            msg = (
                f"{folder} does not have {description}, with SHA-256 {digest}: give it by --file "
                "disk.img"
            )
            raise UsageError(msg)
        copies[name] = into / name
        try:
            shutil.copyfile(source, copies[name])
        except OSError as error:
            msg = f"{source} cannot be copied to {into}: {error.strerror}"
            raise UsageError(msg) from error
        if _digest_of(copies[name]) != digest:
            msg = f"{source} is damaged: its SHA-256 is another one; give {description} by --file"
            raise UsageError(msg)
    return copies


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def _digest_of(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return _digest(file)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
