# SPDX-License-Identifier: Apache-2.0
"""What several unit tests build on: an extension's debug information, and fake built files."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import installation
from dmav3.elf.image import Elf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

#: Seconds of this process's own time that reading one file may take.
SECONDS = 10
ROOT = Path(__file__).parents[2]
#: A library that holds the layouts of probe.h, as the real extension does.
_LAYOUTS = """\
#include "probe/probe.h"
struct probe one; struct probe_record record; struct stream_rings rings;
"""
#: Firmware that has the symbols and does nothing.
_FIRMWARE = """\
enum oplog_id { OPLOG_PutDmaAdapter = 1, OPLOG_MapTransferEx = 23, OPLOG_IoGetDmaAdapter = 64 };
enum oplog_id id;
void _start(void) { id = OPLOG_PutDmaAdapter; }
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that looks like `build/`, made in a second and good for nothing."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "layouts.c").write_text(_LAYOUTS)
    (folder / "firmware.c").write_text(_FIRMWARE)
    (folder / "firmware").mkdir()
    clang = ["clang-19", "-g", "-ffreestanding", "-nostdlib", "-fuse-ld=lld-19"]
    subprocess.run(
        [*clang, "-fPIC", "-shared", f"-I{ROOT}/qemu-machines/ext", "layouts.c", "-o", "dmav3.so"],
        cwd=folder,
        check=True,
    )
    elf = ["--target=aarch64-none-elf", "-Wl,-Ttext=0x40200000"]
    elf += ["firmware.c", "-o", "firmware/virt-a64.elf"]
    subprocess.run([*clang, *elf], cwd=folder, check=True)
    return folder


@pytest.fixture
def fake_build(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let dmav3 find its files in `built`, and the machines where they are."""
    layout = installation.Layout(ROOT / "qemu-machines", built)
    monkeypatch.setattr(installation.Layout, "find", staticmethod(lambda: layout))
    return built


@pytest.fixture(scope="session")
def extension(built: Path) -> Elf:
    """Return the layouts of the extension."""
    return Elf(built / "dmav3.so", "EM_X86_64" if os.uname().machine == "x86_64" else "EM_AARCH64")


@pytest.fixture
def bounded() -> Callable[[str], AbstractContextManager[None]]:
    """Return what fails a block, named by a text, that takes more than its share of time."""
    return _bounded


@contextmanager
def _bounded(what: str) -> Iterator[None]:
    def too_long(_number: int, _frame: FrameType | None) -> None:
        pytest.fail(f"{what} takes more than {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
