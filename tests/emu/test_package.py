# SPDX-License-Identifier: Apache-2.0
"""The wheel, in an environment of its own, outside the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from dmav3.elf.image import host_machine, read_elf

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
#: More would be worth a look. Most of it are images, one a known bug, with debug information.
LARGEST = 11 << 20


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


def run(
    environment: Path, folder: Path, *command: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a folder, with nothing of ours in its variables."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder)} | variables
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
        described = archive.read(info).decode()
    assert names >= NEEDED
    assert not [name for name in names if name.endswith((".c", ".o", ".d", ".patch"))]
    assert "License-Expression: Apache-2.0 AND GPL-2.0-or-later\n" in described
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {
        "Apache-2.0.txt",
        "GPL-2.0-or-later.txt",
    }


def test_it_works_in_an_empty_folder(environment: Path, tmp_path: Path) -> None:
    """`dmav3 run`, which says on what it ran, `conformance`, and a known bug that is found."""
    where = run(environment, tmp_path, "python", "-c", "import dmav3; print(dmav3.__file__)")
    assert where.stdout.startswith(str(environment))
    (tmp_path / "input").write_bytes(bytes(range(256)) * 16)
    moved = run(environment, tmp_path, "dmav3", "run", "--input", "input", "--json")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    (data,) = environment.glob("lib/python*/site-packages/dmav3/data")
    versions = json.loads(moved.stdout)["versions"]
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", versions.pop("qemu"))
    assert versions == {
        "dmav3": metadata.version("dmav3"),
        "build": read_elf(data / "firmware/virt-a64.elf", "EM_AARCH64").build_id,
        "extension": read_elf(data / "dmav3.so", host_machine()).build_id,
    }
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
    assert (built.returncode, built.stdout) == (0, "built app.elf\n")
    assert [line.split()[0] for line in built.stderr.splitlines()] == 3 * ["clang-19"]
    tested = run(environment, tmp_path, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout


RUN = ("dmav3", "run", "--input", "/etc/hostname")
CONSOLE = ("dmav3", "console")
BUILD = ("dmav3", "build", "driver.c", "-o", "app.elf")
DOCTOR = ("dmav3", "doctor")
CONFORMANCE = ("dmav3", "conformance", "--rule", "IGA-22")
AGAIN, QEMU = "pip install --force-reinstall dmav3", r"apt(-get)? install qemu-system-arm"
#: What is missing, or cut off, in an installed package; the command that needs it; what it advises.
LACKS = {
    "extension": ("dmav3.so", RUN, AGAIN),
    "extension, doctor": ("dmav3.so", DOCTOR, AGAIN),
    "firmware": ("firmware/virt-a64.elf", CONSOLE, AGAIN),
    "firmware, doctor": ("firmware/virt-a64.elf", DOCTOR, AGAIN),
    "library": ("firmware/link/virt-a64/libdmav3-virt-a64.a", BUILD, AGAIN),
    "shim": ("conformance/shim", CONFORMANCE, AGAIN),
    "tests in C": ("conformance/test_adapter", CONFORMANCE, AGAIN),
    "a table": ("../rules/rules.yaml", DOCTOR, AGAIN),
    "tests": ("../conformance/tests/test_caches.py", CONFORMANCE, AGAIN),
}


def told(environment: Path, folder: Path, *command: str, **variables: str) -> str:
    """Return what a command says that cannot do its work; nothing of it is for a checkout."""
    (folder / "driver.c").write_text("int Nothing;\n")
    done = run(environment, folder, *command, **variables)
    said = done.stdout + done.stderr
    assert done.returncode not in {0, 1, 2}, said
    assert "ci/" not in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("lack", "damage"),
    [(lack, "missing") for lack in LACKS]
    + [(lack, "cut off") for lack in LACKS if lack != "library"],
)
def test_a_file_of_the_package_that_is_bad(
    environment: Path, tmp_path: Path, lack: str, damage: str
) -> None:
    """The remedy is for who has installed a package: there is nothing to build."""
    name, command, advice = LACKS[lack]
    (file,) = environment.glob(f"lib/python*/site-packages/dmav3/data/{name}")
    content = file.read_bytes()
    try:
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes(content[:200])
        assert re.search(advice, told(environment, tmp_path, *command))
    finally:
        file.write_bytes(content)


@pytest.mark.parametrize(
    ("command", "advice"),
    [(RUN, QEMU), (CONSOLE, QEMU), (DOCTOR, QEMU), (BUILD, "apt-get install clang-19 lld-19")],
    ids=["run", "console", "doctor", "build"],
)
def test_a_program_that_is_not_there(
    environment: Path, tmp_path: Path, command: tuple[str, ...], advice: str
) -> None:
    """QEMU, or the compiler, as on a computer that has neither."""
    assert re.search(advice, told(environment, tmp_path, *command, PATH=str(tmp_path)))


@pytest.mark.parametrize("command", [RUN, DOCTOR], ids=["run", "doctor"])
def test_a_qemu_that_is_too_old(
    environment: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Its version is named, and which one is needed."""
    old = tmp_path / "qemu"
    old.write_text("#!/bin/sh\necho QEMU emulator version 7.2.17\nexit 1\n")
    old.chmod(0o755)
    said = told(environment, tmp_path, *command, DMAV3_QEMU=str(old))
    assert re.search(QEMU, said)
