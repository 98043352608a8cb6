# SPDX-License-Identifier: Apache-2.0
"""The wheel, in an environment of its own, outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = {
    "dmav3/command/cli.py",
    "dmav3/conformance/page.html.j2",
    "dmav3/rules/rules.yaml",
    "dmav3/conformance/tests/test_host_programs.py",
    "dmav3/py.typed",
    "dmav3/data/conformance/test_transfer",
    "dmav3/data/dmav3.so",
    "dmav3/data/firmware/virt-a64.elf",
    "dmav3/data/firmware/virt-a64-nvme.elf",
    "dmav3/data/firmware/link/virt-a64/compile.flags",
    "dmav3/data/firmware/link/virt-a64/image.ld",
    "dmav3/data/firmware/link/virt-a64/libdmav3-virt-a64.a",
    "dmav3/data/conformance/shim",
    "dmav3/data/firmware/link/virt-a64/link.flags",
    "dmav3/data/include/dma_backend.h",
    "dmav3/data/include/dmav3.h",
    "dmav3/data/include/dmav3_board.h",
    "dmav3/data/include/dmav3_pci.h",
    "dmav3/data/include/wdm_dma.h",
    "dmav3/data/machines/virt-a53.yaml",
    "dmav3/data/seeded/no-clean/virt-a64.elf",
}
#: More would be worth a look.
LARGEST = 8 << 20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `pip install .` does, with the hatchling that is here."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *options, ROOT], check=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install it into a new environment, which borrows the packages that it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(environment: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a folder, with nothing of ours in its variables."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [environment / "bin" / command[0], *command[1:]],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_wheel_holds(wheel: Path) -> None:
    """All that is needed, both licences, for one platform, and no sources of the build."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-py3-none-{platform}.whl")
    assert wheel.stat().st_size < LARGEST
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (info,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(info).decode()
    assert names >= NEEDED
    assert not [name for name in names if name.endswith((".c", ".o", ".d", ".patch"))]
    assert "License-Expression: Apache-2.0 AND GPL-2.0-or-later\n" in metadata
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {
        "Apache-2.0.txt",
        "GPL-2.0-or-later.txt",
    }


def test_it_works_in_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    """`dmav3 run` and `conformance`, and one's own driver: built, run, its mistake found."""
    where = run(environment, tmp_path, "python", "-c", "import dmav3; print(dmav3.__file__)")
    assert where.stdout.startswith(str(environment))
    (tmp_path / "input").write_bytes(bytes(range(256)) * 16)
    moved = run(environment, tmp_path, "dmav3", "run", "--input", "input")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    decided = run(environment, tmp_path, "dmav3", "conformance", "--rule", "MTX-01", "--json")
    assert json.loads(decided.stdout)["rules"][0]["verdict"] == "pass", decided
    buggy = ("--input", "input", "--firmware-bug", "no-clean")
    assert run(environment, tmp_path, "dmav3", "run", *buggy).returncode == 1


def test_the_example_passes_outside(environment: Path, tmp_path: Path) -> None:
    """The folder of the example is all that a user copies."""
    for file in (ROOT / "examples/hello_driver").iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    built = run(environment, tmp_path, "dmav3", "build", "hello_driver.c", "-o", "app.elf")
    assert (built.returncode, built.stdout, built.stderr) == (0, "built app.elf\n", "")
    tested = run(environment, tmp_path, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
