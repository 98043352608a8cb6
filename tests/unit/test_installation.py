# SPDX-License-Identifier: Apache-2.0
"""Where built files are looked for, and when they are too old."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dmav3 import installation
from dmav3.errors import NotBuiltError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a checkout with one source, one image and one bug, built in this order of time."""
    for name, age in (
        ("firmware/hal/a.c", 10),
        ("tests/seeded/no-clean.patch", 20),
        ("build/firmware/virt-a64.elf", 30),
        ("build/seeded/no-clean/virt-a64.elf", 40),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (age, age))
    layout = installation.Layout(tmp_path / "qemu-machines", tmp_path / "build", tmp_path)
    monkeypatch.setattr(installation.Layout, "find", staticmethod(lambda: layout))
    return tmp_path


def test_fresh_file_is_found(checkout: Path) -> None:
    """It is younger than its sources."""
    assert installation.firmware("virt-a64") == checkout / "build/firmware/virt-a64.elf"
    assert installation.seeded("no-clean", "virt-a64").parent.name == "no-clean"


def test_missing_file_is_not_built(checkout: Path) -> None:
    """The message says what to run."""
    with pytest.raises(NotBuiltError, match="missing: run ci/build") as caught:
        installation.extension()
    assert caught.value.path == checkout / "build/dmav3.so"


def test_missing_file_of_an_installed_package_is_not_built_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no ci/build to run."""
    layout = installation.Layout(tmp_path, tmp_path)
    monkeypatch.setattr(installation.Layout, "find", staticmethod(lambda: layout))
    with pytest.raises(NotBuiltError, match=r"dmav3\.so is missing: install dmav3 again"):
        installation.extension()


def test_file_older_than_a_source_is_not_built(checkout: Path) -> None:
    """The source is named; a later build that left the file alone makes it good again."""
    source = checkout / "firmware/hal/a.c"
    os.utime(source, (50, 50))
    with pytest.raises(NotBuiltError, match=r"older than .*a\.c"):
        installation.firmware("virt-a64")
    stamp = checkout / "build/stamp"
    stamp.touch()
    os.utime(stamp, (60, 60))
    installation.firmware("virt-a64")


def test_headers_are_in_the_checkout_or_in_the_package(checkout: Path) -> None:
    """What is linked with one's own files lies beside the firmware."""
    with pytest.raises(NotBuiltError, match=r"libdmav3-virt-a64\.a is missing"):
        installation.link("virt-a64")
    library = checkout / "build/firmware/link/virt-a64/libdmav3-virt-a64.a"
    library.parent.mkdir(parents=True)
    library.touch()
    assert installation.link("virt-a64").headers == checkout / "firmware/include"
    assert installation.Layout(checkout, checkout / "data").headers == checkout / "data/include"


def test_unknown_bug_lists_the_known(checkout: Path) -> None:
    """Those with a patch count as well as those that are built."""
    (checkout / "tests/seeded/other.patch").touch()
    with pytest.raises(UsageError, match="'x'; known are: no-clean, other"):
        installation.seeded("x", "virt-a64")
    with pytest.raises(NotBuiltError, match="other"):
        installation.seeded("other", "virt-a64")
