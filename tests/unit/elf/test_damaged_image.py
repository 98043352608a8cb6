# SPDX-License-Identifier: Apache-2.0
"""Damaged ELF files: each is used, or refused as an image, in bounded time."""

from __future__ import annotations

import random
import struct
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from dmav3.elf.image import Elf
from dmav3.errors import ImageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    Bounded = Callable[[str], AbstractContextManager[None]]

MEMORY = range(0x40100000, 0x44000000)
SOURCE = """
enum colour { RED = 1, GREEN };
typedef struct { enum colour colour; struct { short x, y[3]; } points[2]; void *next; } thing;
thing things[4];
static inline __attribute__((always_inline)) int once(int n) { return n * 3; }
int twice(int n) { return once(n) + once(n + 1); }
int main(void) { return twice(things[1].points[0].x); }
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Compile a small program for bare AArch64."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "whole.c").write_text(SOURCE)
    made = ["-o", str(folder / "whole.elf"), str(folder / "whole.c")]
    clang = ["clang-19", "--target=aarch64-none-elf", "-O1", "-g", "-ffreestanding", "-nostdlib"]
    linker = ["-fuse-ld=lld-19", "-Wl,-Ttext=0x40200000", "-Wl,--build-id", "-Wl,--entry=main"]
    subprocess.run([*clang, *linker, *made], check=True, timeout=60)
    return (folder / "whole.elf").read_bytes()


def damaged(whole: bytes, seed: int) -> bytes:
    """Return a file with a few bytes changed where it matters, or cut off, or filled up."""
    chance, data = random.Random(seed), bytearray(whole)  # noqa: S311 - to be repeatable
    (sections,) = struct.unpack_from("<Q", data, 40)
    where = [range(64), range(64, 400), range(sections, len(data)), range(len(data))]
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        at = chance.choice(chance.choice(where))
        data[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    match chance.randrange(12):
        case 0:
            del data[chance.randrange(len(data)) :]
        case 1:
            at = chance.randrange(len(data))
            data[at : at + 512] = chance.randbytes(512)
    return bytes(data)


def use(path: Path, bounded: Bounded) -> str:
    """Ask a file for all that the harness asks of one."""
    with bounded(str(path)):
        try:
            image = Elf(path, "EM_AARCH64")
            image.flat(MEMORY)
            assert isinstance(image.build_id, str)
            for pc in range(0x40200000, 0x40200080, 4):
                assert isinstance(image.place(pc), str)
                image.variable(pc)
            for layout in (image.struct, image.enum):
                for name in ("thing", "colour", "no_such_type"):
                    with suppress(UsageError):
                        layout(name)
            image.symbol("main")
        except ImageError as error:
            return "refused" if str(path) in str(error) else str(error)
    return "used"


def sweep(whole: bytes, tmp_path: Path, bounded: Bounded, seeds: range) -> dict[str, int]:
    """Use as many damaged files; return how many ended how."""
    counts = {"used": 0, "refused": 0}
    for seed in seeds:
        path = tmp_path / f"damaged-{seed}.elf"
        path.write_bytes(damaged(whole, seed))
        counts[use(path, bounded)] += 1
    return counts


def test_a_damaged_file_is_used_or_refused(whole: bytes, tmp_path: Path, bounded: Bounded) -> None:
    """No exception of a library's, and no loop."""
    counts = sweep(whole, tmp_path, bounded, range(100))
    assert min(counts.values()) > 10, counts


@pytest.mark.soak
@pytest.mark.parametrize("hundred", range(1, 11))
def test_a_thousand_damaged_files_are_used_or_refused(
    whole: bytes, tmp_path: Path, bounded: Bounded, hundred: int
) -> None:
    """The same with other seeds."""
    sweep(whole, tmp_path, bounded, range(100 * hundred, 100 * (hundred + 1)))
