# SPDX-License-Identifier: Apache-2.0
"""The driver of examples/uart_driver is one for Windows: other compilers and headers take it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dmav3 import installation

FOLDER = Path(__file__).parents[2] / "examples" / "uart_driver"
#: The device and its requests; the transfers, by version 3 of the interface.
DRIVER, TRANSFERS = FOLDER / "uart_driver.c", FOLDER / "uart_dma.c"
#: Headers of the driver interface that nobody here wrote; they lack version 3, and ExAllocatePool2.
MINGW = Path("/usr/share/mingw-w64/include")
LEAST_LINES = 400


def said(*arguments: str | Path) -> str:
    """Return what the compiler says of it."""
    command = ["clang-19", "-fsyntax-only", "-ffreestanding", "-Wall", "-Wextra", "-Werror"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.stderr


def test_it_is_a_driver_of_some_size() -> None:
    """As a whole driver is."""
    assert len(DRIVER.read_text().splitlines()) >= LEAST_LINES


@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("source", [DRIVER, TRANSFERS], ids=lambda source: source.name)
def test_it_compiles_under_the_data_model_of_windows(source: Path, language: str) -> None:
    """Against our headers, where `long` has 32 bits."""
    headers = installation.Layout.find().headers
    target = "--target=aarch64-pc-windows-msvc"
    folders = ("-nostdlibinc", f"-isystem{headers}", f"-isystem{headers / 'crt'}")
    assert said(target, *folders, "-x", language, source) == ""


def test_it_compiles_against_the_headers_of_others() -> None:
    """Those that mingw-w64 has."""
    target = "--target=x86_64-w64-windows-gnu"
    folders = (f"-isystem{MINGW}", f"-isystem{MINGW / 'ddk'}")
    assert said(target, *folders, "-Wno-#warnings", DRIVER) == ""
