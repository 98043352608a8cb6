# SPDX-License-Identifier: Apache-2.0
"""The private folder of this user, `${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}/dmav3-UID/`.

Each running board that a person may attach to has a folder in it. The process that started the
board holds a lock (flock) on that folder, and the lock goes with the process, however that ends: a
folder that is not locked is a dead board's, and any process that locks it may remove it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dmav3.errors import PrivateFolderError

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHERS = 0o077


def root() -> Path:
    """Return where the private folder is, whether it is there or not."""
    parent = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - checked below
    return Path(parent).absolute() / f"dmav3-{os.geteuid()}"


def check(path: Path) -> None:
    """Make sure that an existing private folder is ours alone.

    :raises PrivateFolderError: it is a link, no folder, another user's, or open to others.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise PrivateFolderError(path, "is a symbolic link")
    if not stat.S_ISDIR(found.st_mode):
        raise PrivateFolderError(path, "is not a folder")
    if found.st_uid != os.geteuid():
        raise PrivateFolderError(path, f"belongs to user {found.st_uid}, not to {os.geteuid()}")
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise PrivateFolderError(path, f"is open to others (mode {mode:04o}, 0700 is needed)")


def sweep() -> list[Path]:
    """Return the folders of running boards, and remove those of dead ones.

    :raises PrivateFolderError: the private folder is not ours.
    """
    path = root()
    if not path.is_symlink() and not path.exists():
        return []
    check(path)
    living = [folder for folder in sorted(path.iterdir()) if not _removed(folder)]
    with suppress(OSError):  # somebody's board is in it
        path.rmdir()
    return living


class Folder:
    """The folder of one board from its start to its end; a context manager.

    :ivar path: the folder; its name is the board's.
    """

    def __init__(self, name: str) -> None:
        """Create the folder `name`, or `name-2` and so on where boards of that name run.

        :raises PrivateFolderError: the private folder is not ours, or cannot be made.
        """
        sweep()
        with ExitStack() as resources:
            self.path = self._claim(name, resources)
            self._resources = resources.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder with all that is in it, and the private folder if it is empty."""
        with self._resources:
            shutil.rmtree(self.path, ignore_errors=True)
            with suppress(OSError):  # not empty
                self.path.parent.rmdir()

    def let_go(self) -> None:
        """In a forked child: drop the lock, which is the parent's as well."""
        os.close(self._lock)

    def _claim(self, name: str, resources: ExitStack) -> Path:
        for path in _names(root(), name):
            try:
                _make(path.parent)
                path.mkdir(mode=0o700)
                fd = _locked(path)
            except (FileExistsError, FileNotFoundError):
                continue  # taken; or the private folder was removed because it was empty
            except OSError as error:
                raise PrivateFolderError(path, f"cannot be made: {error.strerror}") from error
            if fd is not None:
                self._lock = fd
                resources.callback(os.close, fd)
                return path
        raise AssertionError


def _names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    yield from (folder / f"{name}-{number}" for number in count(2))


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        check(path)
    except OSError as error:
        raise PrivateFolderError(path, f"cannot be made: {error.strerror}") from error


def _locked(path: Path) -> int | None:
    """Lock a folder; None if somebody else has locked it, or removed it meanwhile."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with ExitStack() as resources:
        resources.callback(os.close, fd)
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), path.stat()):
                resources.pop_all()
                return fd
    return None


def _removed(path: Path) -> bool:
    """Remove the folder of a dead board; False if the board lives."""
    try:
        fd = _locked(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # a stranger's file or link is not ours to remove
    if fd is None:
        return False
    shutil.rmtree(path, ignore_errors=True)
    os.close(fd)
    return True
