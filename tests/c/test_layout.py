# SPDX-License-Identifier: Apache-2.0
"""Structures and constants of the interface, for 32 and 64 bits: asserted at their declaration."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
FOLDERS = ("layer", "routines", "pl330")
LAYER = sorted(path for folder in FOLDERS for path in (FIRMWARE / folder).glob("*.c"))
TARGETS = ["aarch64-none-elf", "armv7a-none-eabi"]


def compile_for(target: str, *sources: Path, include: Path = FIRMWARE / "include") -> str:
    """Return what the compiler has to say about files."""
    options = [f"--target={target}", "-std=c11", "-ffreestanding", "-nostdlibinc", "-fsyntax-only"]
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    folders = [f"-I{include}", f"-I{FIRMWARE / 'include'}", f"-I{FIRMWARE}", "-fshort-wchar"]
    command = ["clang-19", *options, *warnings, *folders, *map(str, sources)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.dmav3_rule("STR-01")
@pytest.mark.parametrize("target", TARGETS)
def test_the_layer_compiles_for_both_sizes_of_a_pointer(target: str) -> None:
    """Every size, offset and value of the header holds, and nothing relies on 64 bits."""
    assert len(LAYER) > 10
    assert compile_for(target, *LAYER) == ""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ULONG ByteCount;", "ULONGLONG ByteCount;", "offset of MDL.ByteOffset"),
        ("    ULONG DmaPort;\n", "", "offset of DEVICE_DESCRIPTION.DmaAddressWidth"),
        ("    DmaAborted, /* never reported */\n", "", "value of DmaCancelled"),
        ("    PFREE_MAP_REGISTERS FreeMapRegisters;\n", "", "size of DMA_OPERATIONS"),
    ],
)
def test_a_change_is_noticed(tmp_path: Path, target: str, old: str, new: str, said: str) -> None:
    """A member or a constant that is not as documented does not compile."""
    header = (FIRMWARE / "include/wdm_dma.h").read_text()
    assert old in header
    (tmp_path / "wdm_dma.h").write_text(header.replace(old, new))
    source = tmp_path / "driver.c"
    source.write_text("#include <wdm_dma.h>\n")
    assert said in compile_for(target, source, include=tmp_path)
