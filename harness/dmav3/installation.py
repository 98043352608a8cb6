# SPDX-License-Identifier: Apache-2.0
"""Where the built files lie: in the package, or in the checkout of an editable installation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .errors import NotBuiltError, UsageError

#: A built file must not be older than any file of these kinds.
_SOURCES = ("*.c", "*.h", "*.S", "*.ld", "*.patch", "Makefile", "*.mk")


@dataclass(frozen=True)
class Layout:
    """One place that holds everything.

    :ivar machines: folder of the descriptions.
    :ivar built: folder of `dmav3.so`, `firmware/`, `seeded/`, and `include/` in a package.
    :ivar checkout: root of the sources; None where there are none (an installed wheel).
    """

    machines: Path
    built: Path
    checkout: Path | None = None

    @property
    def headers(self) -> Path:
        """Folder of the public headers."""
        return self.checkout / "firmware" / "include" if self.checkout else self.built / "include"

    @staticmethod
    @cache
    def find() -> Layout:
        """Prefer what lies in the package."""
        package = Path(__file__).resolve().parent
        if (data := package / "data").is_dir():
            return Layout(data / "machines", data)
        root = package.parents[1]
        return Layout(root / "qemu-machines", root / "build", root)


@dataclass(frozen=True)
class Link:
    """What somebody's own C files are compiled and linked with, for one firmware.

    :ivar library: the shim; all its members are needed.
    :ivar driver: what else files that have a `DriverEntry` are linked with.
    :ivar compile_flags, link_flags: files that the compiler takes as `@FILE`.
    """

    headers: Path
    library: Path
    driver: Path
    script: Path
    compile_flags: Path
    link_flags: Path


def build_remedy() -> str:
    """Return what helps where a built file is missing, old or damaged."""
    if Layout.find().checkout:
        return "run ci/build"
    return "install dmav3 again, such as by pip install --force-reinstall dmav3"


def qemu_remedy() -> str:
    """Return what helps where there is no QEMU that can be used."""
    if Layout.find().checkout:
        return "run ci/setup, or name a QEMU in $DMAV3_QEMU"
    return (
        "install one, such as by apt install qemu-system-arm (Debian 12: from bookworm-backports), "
        "or name it in $DMAV3_QEMU"
    )


@cache
def machines() -> dict[str, Path]:
    """Return the descriptions that come with dmav3, by name."""
    return {path.stem: path for path in sorted(Layout.find().machines.glob("*.yaml"))}


def tree() -> Path:
    """Return the template of a guest's device tree."""
    return Layout.find().machines / "virt.dts"


def extension() -> Path:
    """Return the QEMU extension; raises `NotBuiltError`."""
    layout = Layout.find()
    return _fresh(layout, layout.built / "dmav3.so", "qemu-machines/ext")


def firmware(name: str) -> Path:
    """Return a firmware image by its name in a machine's description.

    :raises UsageError: there is no such firmware, but others.
    :raises NotBuiltError: it has not been built.
    """
    layout = Layout.find()
    folder = layout.built / "firmware"
    links = {path.name for path in folder.glob("link/*")}  # which are there without the image, too
    known = {path.stem for path in folder.glob("*.elf")} | links | {f"{it}-nvme" for it in links}
    if known and name not in known:
        msg = f"unknown firmware {name!r}; known are: {', '.join(sorted(known))}"
        raise UsageError(msg)
    return _fresh(layout, folder / f"{name}.elf", *_sources(name))


def _sources(name: str) -> tuple[str, ...]:
    return ("firmware", "examples/nvme") if name.endswith("-nvme") else ("firmware",)


def check_whole() -> None:
    """Raise `NotBuiltError` if a file of the installed package is gone, or has another size.

    A checkout has no list of its files.
    """
    import csv  # noqa: PLC0415 - takes time, and few ask for it
    from importlib import metadata  # noqa: PLC0415 - the same

    if Layout.find().checkout:
        return
    installed = metadata.distribution("dmav3")
    # Its `files` leaves out what is not there, from Python 3.12 on.
    for name, _, recorded in csv.reader((installed.read_text("RECORD") or "").splitlines()):
        path = Path(str(installed.locate_file(name)))
        if path.suffix == ".pyc":
            continue
        if not path.exists():
            raise NotBuiltError(path, "is missing", build_remedy())
        if recorded not in {"", size := str(path.stat().st_size)}:
            raise NotBuiltError(path, f"has {size} bytes instead of {recorded}", build_remedy())


def rule_tests() -> list[Path]:
    """Return the programs for this computer that decide rules; raises `NotBuiltError`."""
    layout = Layout.find()
    found = sorted((layout.built / "conformance").glob("test_*"))
    if not found:
        raise NotBuiltError(layout.built / "conformance", "is missing", build_remedy())
    return [_fresh(layout, path, "firmware", "tests/c") for path in found]


def host_shim() -> Path:
    """Return the shim for this computer, with sanitizers in a checkout; raises `NotBuiltError`."""
    layout = Layout.find()
    folder = layout.built / ("host" if layout.checkout else "conformance")
    return _fresh(layout, folder / "shim", "firmware", "tests/c", "tests/host")


def link(name: str) -> Link:
    """Return what is linked with the firmware `name`; raises `NotBuiltError`."""
    layout = Layout.find()
    folder = layout.built / "firmware" / "link" / name
    library = _fresh(layout, folder / f"libdmav3-{name}.a", "firmware")
    return Link(
        layout.headers,
        library,
        folder / "libdmav3-driver.a",
        folder / "image.ld",
        folder / "compile.flags",
        folder / "link.flags",
    )


def seeded(bug: str, name: str) -> Path:
    """Return the image `name` with one known bug.

    :raises UsageError: there is no such bug, the message lists the known ones; or it is in other
        images only.
    :raises NotBuiltError: it is known, but not built.
    """
    layout = Layout.find()
    known = {path.name for path in (layout.built / "seeded").glob("*") if path.is_dir()}
    if layout.checkout:
        known |= {path.stem for path in (layout.checkout / "tests" / "seeded").glob("*.patch")}
    if bug not in known:
        msg = f"unknown bug {bug!r}; known are: {', '.join(sorted(known)) or 'none'}"
        raise UsageError(msg)
    image = layout.built / "seeded" / bug / f"{name}.elf"
    others = sorted(path.stem for path in image.parent.glob("*.elf"))
    if others and not image.is_file():
        msg = f"the bug {bug} is not in {name}, but in {', '.join(others)}"
        raise UsageError(msg)
    return _fresh(layout, image, *_sources(name), "tests/seeded")


def _fresh(layout: Layout, path: Path, *sources: str) -> Path:
    """Check that `path` is there and that no source is younger than the last build.

    The last run of make counts (build/stamp), not the age of the file: a header that a file does
    not include does not make it old.
    """
    if layout.checkout is None:
        if not path.is_file():
            raise NotBuiltError(path, "is missing", build_remedy())
        return path
    if not path.is_file():
        raise NotBuiltError(path, "is missing", build_remedy())
    stamp = layout.built / "stamp"
    built = max(file.stat().st_mtime_ns for file in (path, stamp) if file.exists())
    for folder in sources:
        for pattern in _SOURCES:
            for source in (layout.checkout / folder).rglob(pattern):
                if source.stat().st_mtime_ns > built:
                    raise NotBuiltError(path, f"is older than {source}", build_remedy())
    return path
