# SPDX-License-Identifier: Apache-2.0
"""A firmware image out of somebody's own driver: their C files, linked with the shim.

Their files are compiled against `wdm_dma.h` and `dmav3.h` as the shim is, with -O1 unless another
level of optimisation is asked for. Findings and faults name the function of the source at every
level, inlined or not; above 1, more instructions are of no line in particular.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dmav3 import installation
from dmav3.elf.image import Elf
from dmav3.errors import BuildError, CompilerMissingError, ImageError, UsageError

from . import data_model
from .description import Machine, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COMPILER, _LINKER = "clang-19", "lld-19"
_WAY_OUT = f"apt-get install {_COMPILER} {_LINKER}, or name another clang in the variable CC"
_SUFFIXES = (".c", ".cpp", ".S")
#: MSVC's own words (`__declspec`, `__int64`, members without a name) are understood; what it takes
#: with a shrug, a pointer to another kind of function, is a warning. `{0}` for a whole structure is
#: what every driver says.
_ZEROED = ("-Wno-missing-braces", "-Wno-missing-field-initializers")
#: A call at the end of a function stays a call, so that a violation names who made it.
_KEPT = "-fno-optimize-sibling-calls"
_FLAGS = ("-Wall", "-Wextra", *_ZEROED, "-fms-extensions", "-Wno-microsoft", _KEPT)
_LAX = ("-Wno-error=incompatible-function-pointer-types", "-Wno-error=incompatible-pointer-types")
_LANGUAGES = {
    ".c": ("-std=gnu11", *_LAX),
    ".cpp": ("-std=gnu++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"),
    ".S": (),
}
_WITH_TYPES = (".c", ".cpp")
#: What a driver has that can be driven whole (`Board.driver`).
_WHOLE_DRIVER, _CPU = "DriverEntry", "EM_AARCH64"
#: Levels of optimisation.
LEVELS = range(4)
_MACRO = re.compile(r"[A-Za-z_]\w*(\(.*\))?(=|$)", re.ASCII)
_UNKNOWN = re.compile(
    r"(?:call to undeclared function|use of undeclared identifier|unknown type name) '(\w+)'"
    r"|'(\S+\.h)' file not found"
)
_EXCEPTIONS = re.compile(r"'?__(?:try|except|finally|leave)\b'?.* not supported")
_TWICE = re.compile(r"duplicate symbol: dmav3_command_(\w+)")


def build_image(
    *sources: Path | str,
    output: Path | str,
    machine: str | Path | Machine = "virt-a53",
    include: Sequence[Path | str] = (),
    define: Sequence[str] = (),
    optimise: int = 1,
    say: Callable[[str], object] = sys.stderr.write,
    show: Callable[[str], object] = lambda _: None,
) -> Path:
    """Compile C files and link them with the shim of a machine.

    Debug information names files below the current folder relative to it, others as they are
    given. The compiler is clang-19, or what the environment variable CC says. It reads files in C
    and C++ under the data model of Windows as well; what it says only there is a warning.

    :param output: the image; it is replaced as a whole or, after an error, not touched.
    :param include: folders for `#include`, behind those of the files themselves.
    :param define: macros, `NAME` or `NAME=VALUE`.
    :param optimise: 0 to 3, as in the compiler's -O2.
    :param say: is given warnings.
    :param show: is given each command line before it is run.
    :return: `output`, good for `Board(image=…)` and `dmav3 run --image`.
    :raises BuildError: a file does not compile, or the image does not link.
    :raises UsageError: a file cannot be read or written, or there is no such machine or level.
    :raises CompilerMissingError: there is no compiler or no linker.
    :raises NotBuiltError: the shim has not been built.
    """
    paths, image = [Path(source) for source in sources], Path(output)
    described = machine if isinstance(machine, Machine) else load(machine)
    link = installation.link(described.firmware)
    _check(paths, image)
    _check_folders(include)
    _check_level(optimise)
    _check_macros(define)
    tools = _Tools.find(say, show)
    options = [f"-I{folder}" for folder in include] + [f"-D{macro}" for macro in define]
    options.append(f"-O{optimise}")
    with _workshop(image) as folder:
        objects = tools.compile(link, paths, options, Path(folder))
        made = tools.link(link, objects, Path(folder))
        _put(made, image)
    return image


@dataclass(frozen=True)
class _Tools:
    """Compiler and linker."""

    compiler: list[str]
    linker: str
    say: Callable[[str], object]
    show: Callable[[str], object]

    @staticmethod
    def find(say: Callable[[str], object], show: Callable[[str], object]) -> _Tools:
        """Take clang-19 and its linker, or CC and the linker that it finds."""
        named = os.environ.get("CC", "")
        try:
            compiler = shlex.split(named) or [_COMPILER]
        except ValueError as error:
            msg = f"CC={named}: {error}; such as CC={_COMPILER}"
            raise UsageError(msg) from None
        return _Tools(compiler, _LINKER if compiler == [_COMPILER] else "lld", say, show)

    def compile(
        self, link: installation.Link, sources: list[Path], options: list[str], folder: Path
    ) -> list[Path]:
        """Compile every file, also after an error in one, and give the objects."""
        names = [f"-ffile-prefix-map={Path.cwd()}/=", "-fdebug-compilation-dir=."]
        names += [f"-ffile-prefix-map={link.headers}=firmware/include"]
        headers = [f"-isystem{link.headers}", f"-isystem{link.headers / 'crt'}"]
        flags = [f"@{link.compile_flags}", *_FLAGS, *names, *options, *headers]
        objects, said = [], {}
        for number, source in enumerate(sources):
            objects.append(folder / f"{number}.o")
            reading = [*flags, *_LANGUAGES[source.suffix]]
            listing = data_model.LIST if source.suffix in _WITH_TYPES else ()
            done = self._run([*reading, *listing, "-c", "-o", str(objects[-1]), "--", str(source)])
            if done.returncode:
                said[source] = done.stderr
                continue
            self.say(done.stderr)
            if listing:
                self._read_as_on_windows(reading, source, done)
        if said:
            text = "".join(said.values())
            which = ", ".join(str(source) for source in said)
            problem = f"{which}: does not compile{_what_is_missing(text)}"
            raise BuildError(problem, text)
        return objects

    def _read_as_on_windows(
        self, reading: list[str], source: Path, here: subprocess.CompletedProcess[str]
    ) -> None:
        """Tell what the compiler says only there, and which structures differ."""
        command = [*reading, *data_model.READ]
        there = self._run([*command, *data_model.LIST, "--", str(source)])
        if there.returncode:
            self.say(f"{source} does not compile for Windows, where a long has 32 bits:\n")
        if there.stderr != here.stderr:
            self.say(there.stderr)

        def ask(name: str) -> str:
            only = ("-Xclang", "-ast-dump", "-Xclang", f"-ast-dump-filter={name}")
            return self._run([*command, *only, "--", str(source)]).stdout

        for warning in data_model.differences(here.stdout, there.stdout, ask):
            self.say(warning)

    def link(self, link: installation.Link, objects: list[Path], folder: Path) -> Path:
        """Link with all of the shim: its commands are found by their section, not by name."""
        image = folder / "image.elf"
        libraries = [link.library, *([link.driver] if _are_whole_driver(objects) else [])]
        library = ["-Wl,--whole-archive", *map(str, libraries), "-Wl,--no-whole-archive"]
        where = [f"-fuse-ld={self.linker}", "-T", str(link.script), "-o", str(image)]
        done = self._run([f"@{link.link_flags}", *where, *map(str, objects), *library])
        if "invalid linker name" in done.stderr:
            problem = f"there is no linker {self.linker}"
            raise CompilerMissingError(problem, _WAY_OUT)
        if done.returncode:
            raise BuildError(_why_not_linked(done.stderr), done.stderr)
        if not image.is_file():
            problem = f"the compiler {self.compiler[0]} has made nothing"
            raise CompilerMissingError(problem, _WAY_OUT)
        self.say(done.stderr)
        return image

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        command = [*self.compiler, *arguments]
        self.show(shlex.join(command))
        try:
            return subprocess.run(  # noqa: S603 - the compiler that the user chose
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            problem = f"the compiler {self.compiler[0]} cannot be started: {error.strerror}"
            raise CompilerMissingError(problem, _WAY_OUT) from error


def _are_whole_driver(objects: list[Path]) -> bool:
    """Return whether one of them has a `DriverEntry`; what cannot be read is for the linker."""
    try:
        return any(Elf(one, _CPU).exports(_WHOLE_DRIVER) for one in objects)
    except ImageError:
        return False


def _check(sources: list[Path], image: Path) -> None:
    if not sources:
        msg = "no C file is named"
        raise UsageError(msg)
    for source in sources:
        if not source.is_file():
            msg = f"{source} is no file" if source.exists() else f"{source}: there is no such file"
            raise UsageError(msg)
        if source.suffix not in _SUFFIXES:
            msg = f"{source} is no C file: its name does not end in .c or .cpp, as driver.c does"
            raise UsageError(msg)
        if image.exists() and image.samefile(source):
            msg = f"{image} would overwrite the source that it is made of"
            raise UsageError(msg)
    if image.exists() and not image.is_file():
        kind = "a folder" if image.is_dir() else "no regular file, and would be replaced by one"
        msg = f"the image {image} cannot be written: it is {kind}; such as -o driver.elf"
        raise UsageError(msg)


def _check_folders(include: Sequence[Path | str]) -> None:
    for folder in include:
        if not Path(folder).is_dir():
            msg = f"the folder {folder} for headers is not there; one that is would be: -I ."
            raise UsageError(msg)


def _check_level(optimise: int) -> None:
    if optimise not in LEVELS:
        msg = f"{optimise!r} is no level of optimisation: they are 0 to {LEVELS[-1]}, as in -O 2"
        raise UsageError(msg)


def _check_macros(define: Sequence[str]) -> None:
    for macro in define:
        if not _MACRO.match(macro):
            msg = f"{macro!r} is no macro: NAME or NAME=VALUE is needed, as in -D DEBUG=1"
            raise UsageError(msg)


def _workshop(image: Path) -> tempfile.TemporaryDirectory[str]:
    """Make a folder beside the image, from which it can be moved to its place in one step."""
    try:
        for left in image.parent.glob(".dmav3-*-*"):
            if not Path("/proc", left.name.split("-")[1]).exists():
                shutil.rmtree(left, ignore_errors=True)  # of a build that was killed
        return tempfile.TemporaryDirectory(prefix=f".dmav3-{os.getpid()}-", dir=image.parent)
    except OSError as error:
        msg = f"the image {image} cannot be written: {image.parent}: {error.strerror}"
        raise UsageError(msg) from error


def _put(made: Path, image: Path) -> None:
    try:
        made.replace(image)
    except OSError as error:
        msg = f"the image {image} cannot be written: {error.strerror}"
        raise UsageError(msg) from error


def _what_is_missing(said: str) -> str:
    """Name the first thing of the driver interface that our headers do not have."""
    if _EXCEPTIONS.search(said):
        return ": structured exceptions are not provided: look at a pointer before it is used"
    found = _UNKNOWN.search(said)
    if not found:
        return ""
    if found[2]:
        return f": {found[2]} is not provided, and in no folder of -I: include wdm.h or ntddk.h"
    return f": {found[1]} of wdm.h is not provided: leave it out, or declare it in a header (-I)"


def _why_not_linked(said: str) -> str:
    """Say it in a sentence where the linker's words need to be known."""
    if twice := sorted(set(_TWICE.findall(said))):
        names = ", ".join(f"`{name}`" for name in twice)
        return f"there are two commands {names}: a command's name can be taken once"
    return "the image does not link"
