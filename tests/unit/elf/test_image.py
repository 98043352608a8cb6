# SPDX-License-Identifier: Apache-2.0
"""Symbols, lines and layouts out of an object that clang has just compiled."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from dmav3.elf.image import Elf
from dmav3.elf.layout import Scalar
from dmav3.errors import ImageError, UsageError
from dmav3.machine.description import load

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """\
#include <stdint.h>
enum colour { RED = 1, GREEN, BLUE = 9 };
struct point { uint8_t x; int32_t y; };
typedef struct { uint16_t only; } named;
struct everything {
    enum colour colour;
    const volatile uint64_t wide;
    struct point points[2][3];
    void *pointer;
    union { uint32_t word; uint8_t bytes[4]; };
    named inner;
};
struct everything everything = { .colour = BLUE };
int twice(int n)
{
    return n + n;
}
__attribute__((section(".text.far"))) int thrice(int n)
{
    return n + twice(n);
}
static inline __attribute__((always_inline)) void store(volatile int *at)
{
    *at = 7;
}
static inline __attribute__((always_inline)) void stores(volatile int *at)
{
    store(at);
    store(at + 1);
}
void outer(volatile int *at)
{
    stores(at);
}
"""


@pytest.fixture(scope="module", params=["-gdwarf-4", "-gdwarf-5"])
def elf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Elf:
    """Compile and link the source for bare AArch64."""
    folder = tmp_path_factory.mktemp("elf")
    (folder / "small.c").write_text(SOURCE)
    command = ["clang-19", "--target=aarch64-none-elf", request.param, "-O1", "-ffreestanding"]
    command += ["-nostdlib", "-fuse-ld=lld-19", "-Wl,--build-id,-e,twice", "small.c"]
    subprocess.run([*command, "-o", "small.elf"], cwd=folder, check=True)
    return Elf(folder / "small.elf", "EM_AARCH64")


def test_symbol_has_address_and_size(elf: Elf) -> None:
    """A variable's size is its structure's."""
    assert elf.symbol("everything").size == elf.struct("everything").size
    with pytest.raises(ImageError, match="no symbol `nothing`"):
        elf.symbol("nothing")


def test_function_is_found_by_any_of_its_instructions(elf: Elf) -> None:
    """The first and the last instruction belong to it, the next byte does not."""
    function = elf.symbol("twice")
    assert elf.function(function.address) == "twice"
    assert elf.function(function.address + function.size - 1) == "twice"
    assert elf.function(function.address - 1) != "twice"
    assert elf.function(0) is None


def test_variable_is_found_by_any_of_its_bytes(elf: Elf) -> None:
    """Its last byte too; a function is none."""
    variable = elf.symbol("everything")
    assert elf.variable(variable.address + variable.size - 1) == variable
    assert elf.variable(variable.address + variable.size) is None
    assert elf.variable(elf.symbol("twice").address) is None


def test_place_is_function_file_and_line(elf: Elf) -> None:
    """As much as is known."""
    assert elf.place(elf.symbol("twice").address).startswith("twice (small.c:1")
    assert not elf.place(0)


def test_inlined_functions_are_named_with_what_they_are_inlined_in(elf: Elf) -> None:
    """The innermost function first, each at its own line."""
    outer = elf.symbol("outer")
    places = {elf.place(pc) for pc in range(outer.address, outer.address + outer.size, 4)}
    chain = "inlined in stores (small.c:{}), inlined in outer (small.c:33)"
    for call in (28, 29):
        assert f"store (small.c:24), {chain.format(call)}" in places
    assert "outer (small.c:34)" in places
    assert {elf.function(pc) for pc in range(outer.address, outer.address + outer.size, 4)} == {
        "store",
        "outer",
    }


def test_without_debug_information_the_symbol_is_the_place(tmp_path: Path) -> None:
    """Then neither files and lines are known, nor what is inlined."""
    (tmp_path / "small.c").write_text(SOURCE)
    command = ["clang-19", "--target=aarch64-none-elf", "-O1", "-ffreestanding", "-nostdlib"]
    command += ["-fuse-ld=lld-19", "-Wl,-e,twice", "small.c", "-o", "small.elf"]
    subprocess.run(command, cwd=tmp_path, check=True)
    elf = Elf(tmp_path / "small.elf", "EM_AARCH64")
    outer = elf.symbol("outer").address
    assert (elf.place(outer), elf.function(outer), elf.line(outer)) == ("outer", "outer", None)


def test_line_is_that_of_the_source(elf: Elf) -> None:
    """The file is relative to where the compiler ran; unknown addresses have no line."""
    for name, last in (("twice", 16), ("thrice", 20)):
        line = elf.line(elf.symbol(name).address)
        assert line is not None
        assert line.file == "small.c"
        assert last - 2 <= line.line <= last
    assert elf.line(0) is None
    assert elf.line(1 << 40) is None


def test_enumeration_has_its_members_in_order(elf: Elf) -> None:
    """Explicit and counted values."""
    assert elf.enum("colour") == {"RED": 1, "GREEN": 2, "BLUE": 9}


def test_layout_names_nested_members(elf: Elf) -> None:
    """Offsets add up through arrays, structures and anonymous unions."""
    layout = elf.struct("everything")
    assert layout.member("wide").offset == 8
    assert layout.member("points.1.2.y").offset == 16 + 5 * 8 + 4
    assert layout.member("points.1.2.y").type == Scalar(4, signed=True)
    assert layout.member("word").offset == layout.member("bytes").offset == 72
    assert layout.member("pointer").type == Scalar(8)
    with pytest.raises(UsageError, match=r"no member `points.2.0`"):
        layout.member("points.2.0")


def test_structure_is_read_by_name(elf: Elf) -> None:
    """A buffer becomes numbers, lists and dictionaries."""
    layout = elf.struct("everything")
    buffer = bytearray(layout.size)
    struct.pack_into("<Q", buffer, layout.member("wide").offset, 1 << 63)
    struct.pack_into("<i", buffer, layout.member("points.0.1.y").offset, -5)
    struct.pack_into("<I", buffer, layout.member("word").offset, 0x04030201)
    value = layout.read(b"xx" + buffer, 2)
    assert value["wide"] == 1 << 63
    assert value["points"][0][1] == {"x": 0, "y": -5}
    assert value["bytes"] == [1, 2, 3, 4]


def test_members_are_written_by_their_paths(elf: Elf) -> None:
    """Lowest bytes first, also of negative numbers; all other bytes stay."""
    layout = elf.struct("everything")
    buffer = bytearray(b"\xa5" * layout.size)
    layout.write(buffer, {"wide": (1 << 64) + 7, "points.0.1.y": -5})
    value = layout.read(buffer)
    assert (value["wide"], value["points"][0][1]["y"]) == (7, -5)
    assert buffer.count(0xA5) == layout.size - 12
    with pytest.raises(UsageError, match="`points` of struct everything is no number"):
        layout.write(buffer, {"points": 1})


def test_plain_structures_are_read_as_records(elf: Elf) -> None:
    """Gaps between members are skipped; what is not plain is refused."""
    data = struct.pack("<B3xiB3xi", 1, -2, 3, -4)
    assert [tuple(point) for point in elf.struct("point").records(data)] == [(1, -2), (3, -4)]
    with pytest.raises(UsageError, match="no plain number"):
        list(elf.struct("everything").records(b""))


def test_typedef_of_a_nameless_structure_has_a_layout(elf: Elf) -> None:
    """Its name is the typedef's."""
    assert elf.struct("named").member("only").offset == 0


def test_type_that_is_not_there_is_named(elf: Elf) -> None:
    """The message says what was looked for."""
    with pytest.raises(UsageError, match="no struct `absent`"):
        elf.struct("absent")
    with pytest.raises(UsageError, match="no enum `point`"):
        elf.enum("point")


def test_build_id_is_lower_case_digits(elf: Elf) -> None:
    """As the shim prints it."""
    assert len(elf.build_id) >= 16
    assert set(elf.build_id) <= set("0123456789abcdef")


def test_elf_for_another_machine_is_refused(elf: Elf) -> None:
    """What was found and what is needed."""
    with pytest.raises(ImageError, match=r"EM_AARCH64.*EM_ARM is needed"):
        Elf(elf.path, "EM_ARM")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 10])
def test_file_that_is_no_elf_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, cut off, something else."""
    path = tmp_path / "x.elf"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="not an ELF"):
        Elf(path, "EM_AARCH64")


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The reason is the operating system's."""
    with pytest.raises(ImageError, match="No such file"):
        Elf(tmp_path / "none.elf", "EM_AARCH64")


def test_what_is_loaded_into_memory_is_one_stretch(built: Path) -> None:
    """From the first byte in memory to the last; the ELF's own headers lie elsewhere."""
    elf = Elf(built / "firmware" / "virt-a64.elf", "EM_AARCH64")
    flat = elf.flat(load("virt-a53").image_memory)
    assert flat.base == elf.symbol("_start").address == flat.entry == 0x40200000
    assert 0 < len(flat.data) < 4096


@pytest.mark.parametrize("memory", [range(0x80000000, 0x80100000), range(0x40000000, 0x40200004)])
def test_what_does_not_fit_into_memory_is_refused(built: Path, memory: range) -> None:
    """The memory there is is said."""
    elf = Elf(built / "firmware" / "virt-a64.elf", "EM_AARCH64")
    with pytest.raises(ImageError, match=f"is not for memory from {memory.start:#x} to"):
        elf.flat(memory)
