# SPDX-License-Identifier: Apache-2.0
"""`dmav3 doctor`: what is here, in which version, and what to do about what is not.

Each check looks for itself and never raises for what it finds missing: one thing that is missing
must not hide another.
"""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from dmav3 import installation
from dmav3.board.board import Board
from dmav3.deadlines import deadline
from dmav3.errors import Dmav3Error
from dmav3.machine.description import load
from dmav3.qemu import private_folder
from dmav3.qemu.process import OLDEST_QEMU, qemu_binary

from .tables import machines

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION_SECONDS = 10
_START_SECONDS = 20.0
#: The section of the extension that holds the names of QEMU's functions (qemu_abi.c).
_NAMES = "qemu_functions"
#: Where some of them come from: QEMU itself is linked with it.
_GLIB = "libglib-2.0.so.0"
_COMPILERS = {"clang-19": "clang-19", "ld.lld-19": "lld-19"}
_INSTALL_QEMU = (
    "apt-get install qemu-system-arm (Debian 12: from backports), or name one in $DMAV3_QEMU"
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    :ivar found: what is here, or what is wrong with it.
    :ivar advice: what to do; empty where all is right.
    """

    name: str
    found: str
    advice: str = ""

    @property
    def right(self) -> bool:
        """True if nothing has to be done."""
        return not self.advice

    def __str__(self) -> str:
        """One line."""
        mark = "ok     " if self.right else "MISSING"
        return f"{mark}  {self.name}: {self.found}" + (f" -> {self.advice}" if self.advice else "")


def examine() -> Iterator[Check]:
    """Make every check, one after the other; the last one starts a board."""
    yield _python()
    yield from _packages()
    yield _files()
    yield from (_compiler(command) for command in _COMPILERS)
    yield _qemu()
    yield _extension()
    yield _functions()
    yield from _images()
    yield _private_folder()
    yield _start()


def _python() -> Check:
    return Check("Python", platform.python_version())


def _packages() -> Iterator[Check]:
    for requirement in metadata.requires("dmav3") or ():
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check(name, "not installed", f"pip install '{requirement}'")
            continue
        least = re.search(r"[>~]=\s*([\d.]+)", requirement)
        old = least and _numbers(found) < _numbers(least[1])
        yield Check(name, found, f"pip install '{requirement}'" if old else "")


def _files() -> Check:
    try:
        installation.check_whole()
    except Dmav3Error as error:
        return Check("files", str(error), installation.build_remedy())
    return Check("files", "all are there, and whole")


def _compiler(command: str) -> Check:
    path = shutil.which(command)
    if path is None:
        advice = f"apt-get install {_COMPILERS[command]}"
        return Check(command, "no such program on the path (firmware is built with it)", advice)
    return Check(command, f"{path}, {_version(path) or 'of unknown version'}")


def _qemu() -> Check:
    path = shutil.which(qemu_binary())
    if path is None:
        return Check("QEMU", f"no program {qemu_binary()}", _INSTALL_QEMU)
    version = _version(path)
    if version is None:
        return Check("QEMU", f"{path} is not QEMU: it names no version", _INSTALL_QEMU)
    needed = ".".join(map(str, OLDEST_QEMU))
    old = _numbers(version) < OLDEST_QEMU
    found = f"{path}, {version}" + (f"; {needed} or later is needed" if old else "")
    return Check("QEMU", found, _INSTALL_QEMU if old else "")


def _extension() -> Check:
    try:
        return Check("extension", str(installation.extension()))
    except Dmav3Error as error:
        return Check("extension", str(error), installation.build_remedy())


def _functions() -> Check:
    """Compare what the extension looks up by name with what QEMU exports."""
    name = "QEMU's functions"
    qemu, extension = shutil.which(qemu_binary()), installation.Layout.find().built / "dmav3.so"
    if qemu is None or not extension.is_file():
        absent = "QEMU" if qemu is None else "the extension"
        return Check(name, f"cannot be compared without {absent}", f"first see to {absent}")
    try:
        wanted = needed_functions(extension)
        missing = [each for each in _not_exported(Path(qemu), wanted) if not _in_glib(each)]
    except (OSError, ELFError, LookupError) as error:
        return Check(name, f"cannot be read: {error}", _INSTALL_QEMU)
    if missing:
        found = f"{qemu} lacks {', '.join(missing)}"
        return Check(name, found, "use a Debian build of QEMU: " + _INSTALL_QEMU)
    return Check(name, f"all {len(wanted)} that the extension needs are exported")


def needed_functions(extension: Path) -> list[str]:
    """Return the names that the extension looks up in QEMU when it is loaded.

    :raises LookupError: the file does not say.
    """
    with extension.open("rb") as file:
        section: Any = ELFFile(file).get_section_by_name(_NAMES)
        if section is None:
            msg = f"{extension} has no section {_NAMES}"
            raise LookupError(msg)
        return [name.decode() for name in section.data().split(b"\0") if name]


def _not_exported(qemu: Path, names: list[str]) -> list[str]:
    """Return those names that the linker would not find; its own hash table finds them at once."""
    with qemu.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".gnu.hash")
        return [name for name in names if table is None or table.get_symbol(name) is None]


def _in_glib(name: str) -> bool:
    with suppress(OSError):
        return hasattr(ctypes.CDLL(_GLIB), name)
    return False


def _images() -> Iterator[Check]:
    names = {load(row["name"]).firmware for row in machines()}
    for name in sorted(names):
        try:
            yield Check(f"firmware {name}", str(installation.firmware(name)))
        except Dmav3Error as error:
            yield Check(f"firmware {name}", str(error), installation.build_remedy())


def _private_folder() -> Check:
    try:
        boards = private_folder.sweep()
    except Dmav3Error as error:
        return Check("private folder", str(error), "see there")
    return Check("private folder", f"{private_folder.root()}, {len(boards)} boards in it")


def _start() -> Check:
    """Start QEMU with extension and firmware, as every command does."""
    try:
        with deadline(_START_SECONDS), Board(judge=False) as board:
            found = f"{board.machine.name} answers `hello`"
    except Dmav3Error as error:
        return Check("a start", str(error), "see there")
    return Check("a start", found)


def _version(program: str) -> str | None:
    with suppress(OSError, subprocess.SubprocessError):
        shown = subprocess.run(  # noqa: S603 - programs that we start anyway
            [program, "--version"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_SECONDS,
        ).stdout.decode(errors="replace")
        if found := re.search(r"(?:version|LLD) (\d+(?:\.\d+)+)", shown):
            return found[1]
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
