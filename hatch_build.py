# SPDX-License-Identifier: Apache-2.0
"""Puts what ci/build makes into the wheel, where dmav3/files.py looks for it: dmav3/data.

An editable installation takes everything from the checkout and is not touched.
"""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator


class Data(BuildHookInterface[Any]):
    """The hook that hatchling finds here."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name every file with its place; the wheel is for this platform only."""
        if version == "editable":
            return
        root = Path(self.root)
        subprocess.run([root / "ci" / "build"], check=True)  # noqa: S603 - our own script
        build_data["force_include"] |= {
            str(source): f"dmav3/data/{place}" for source, place in _files(root)
        }
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    machines = root / "qemu-machines"
    for file in (*machines.glob("*.yaml"), *machines.glob("*.dts")):
        yield file, f"machines/{file.name}"
    headers = root / "firmware" / "include"
    for file in headers.rglob("*.h"):
        yield file, f"include/{file.relative_to(headers)}"
    built = root / "build"
    patterns = (
        "dmav3.so",
        "firmware/*.elf",
        "firmware/link/*/*",
        "conformance/*",
        "seeded/*/*.elf",
    )
    for pattern in patterns:
        found = list(built.glob(pattern))
        if not found:
            msg = f"ci/build has not made {built / pattern}"
            raise FileNotFoundError(msg)
        for file in found:
            if file.parent.name.startswith("microcode-"):
                continue  # for this repository's tests: the wheel is large enough
            yield file, str(file.relative_to(built))
