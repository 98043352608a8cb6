# SPDX-License-Identifier: Apache-2.0
"""`dmav3 build`: somebody's own driver on the board, and what bad input gets."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dmav3 import Board, FaultError, NtStatus, RefusedError, build_image, deadline
from dmav3.command.cli import app
from dmav3.elf.image import Elf
from dmav3.errors import HangError, UsageError

EXAMPLE = Path(__file__).parents[2] / "examples/hello_driver/hello_driver.c"
HEAD = "#include <dmav3.h>\n"
#: A driver whose commands do what commands may do wrong.
ODD = """\
#include <dmav3.h>

static NTSTATUS Add(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    dmav3_reply_value(reply, "sum", argument[0] + argument[1]);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(add, "left right", Add);

static NTSTATUS Refuse(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return STATUS_NOT_SUPPORTED;
}
DMAV3_COMMAND(refuse, "", Refuse);

static NTSTATUS Last(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    dmav3_reply_value(reply, "last", argument[18]);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(last, "a b c d e f g h i j k l m n o p q r s", Last);

static NTSTATUS Values(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    for (ULONG i = 0; i < argument[0]; i++) {
        dmav3_reply_value(reply, "value", ~0ull);
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(values, "count", Values);

static NTSTATUS Key(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    dmav3_reply_value(reply, "two words", 1);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(key, "", Key);

static NTSTATUS Crash(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    *(volatile ULONG *)(ULONG_PTR)argument[0] = 1;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(crash, "address", Crash);

static NTSTATUS Jump(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ((void (*)(void))(ULONG_PTR)argument[0])();
    (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(jump, "address", Jump);
"""


def dmav3(*arguments: object) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def odd(folder: Path) -> Path:
    """Build the odd driver."""
    (folder / "odd.c").write_text(ODD)
    return build_image("odd.c", output=folder / "odd.elf")


def line_of(source: str, text: str) -> int:
    """Return the number of the one line that holds `text`."""
    (number,) = (n for n, line in enumerate(source.splitlines(), 1) if text in line)
    return number


def moved(source: str, piece: str, before: str) -> str:
    """Return the source with a piece of it moved to where `before` is."""
    assert source.count(piece) == source.count(before) == 1
    return source.replace(piece, "").replace(before, piece + before)


# What works


def test_the_image_still_does_the_main_job(folder: Path) -> None:
    """A driver adds its commands and takes nothing away."""
    (folder / "input").write_bytes(bytes(range(256)))
    built = dmav3("build", EXAMPLE, "-o", "app.elf")
    assert (built.exit_code, built.stdout) == (0, "built app.elf\n"), built.stderr
    assert dmav3("run", "--input", "input", "--image", "app.elf").exit_code == 0


def test_commands_take_and_give_numbers(odd: Path) -> None:
    """Values by key, the routine's status as a status, up to 19 arguments; `help` knows them."""
    with Board("virt-a53-coherent", image=odd) as board:
        assert board.call("add", 2, 40) == {"status": 0, "sum": 42}
        assert board.call("refuse") == {"status": NtStatus.STATUS_NOT_SUPPORTED}
        assert board.call("last", *range(1, 20))["last"] == 19
        assert board.call("values", 10) == {"status": 0, "value": (1 << 64) - 1}
        helped = {event.values["command"]: event for event in board.request("help").notices}
        assert helped["add"].values["arguments"] == "left,right"


@pytest.mark.parametrize(
    ("request_line", "words"),
    [
        (("add", 1), "ARGUMENT too few or too many arguments, it takes: left right"),
        (("refuse", 1), "ARGUMENT too few or too many arguments, it takes: none"),
        (("add", "x", 1), "ARGUMENT neither 0x1f nor 31 nor a word that it knows"),
        (("values", 100), "REPLY the driver's values do not fit into one line"),
        (("key",), "REPLY the driver's key is not made of letters, digits and _"),
        (("subtract", 1, 2), "COMMAND unknown"),
    ],
)
def test_a_wrong_command_is_refused(
    odd: Path, request_line: tuple[str | int, ...], words: str
) -> None:
    """By the shim's own words, and the board goes on."""
    with Board(image=odd) as board:
        with pytest.raises(RefusedError, match=words):
            board.request(*request_line)
        assert board.call("add", 1, 1)["sum"] == 2


def test_headers_and_macros_of_ones_own(folder: Path) -> None:
    """`-I` and `-D`, several files, and a header beside the file."""
    (folder / "more").mkdir()
    (folder / "more" / "far.h").write_text("#define FAR 1\n")
    (folder / "near.h").write_text("ULONG near(void);\n")
    (folder / "near.c").write_text(HEAD + '#include "near.h"\nULONG near(void) { return 2; }\n')
    row = ODD[: ODD.index("\n\nstatic NTSTATUS Refuse")]
    text = row.replace("argument[1]", "near() + FAR + GIVEN").replace("left right", "left")
    (folder / "a.c").write_text(HEAD + '#include "near.h"\n#include "far.h"\n' + text)
    built = dmav3("build", "a.c", "near.c", "-o", "a.elf", "-I", "more", "-D", "GIVEN=4")
    assert built.exit_code == 0, built.stderr
    with Board(image=Path("a.elf")) as board:
        assert board.call("add", 8)["sum"] == 15


def test_a_level_of_optimisation(folder: Path) -> None:
    """`-O 2` is the compiler's; a level that it does not have is refused."""
    (folder / "odd.c").write_text(ODD)
    for level in (0, 2):
        built = dmav3("build", "odd.c", "-o", f"{level}.elf", f"-O{level}")
        assert built.exit_code == 0, built.stderr
    assert (
        Elf(folder / "0.elf", "EM_AARCH64").symbol("Add").size
        > Elf(folder / "2.elf", "EM_AARCH64").symbol("Add").size
    )
    assert dmav3("build", "odd.c", "-o", "4.elf", "-O4").exit_code == 2
    with pytest.raises(UsageError, match="4 is no level of optimisation: they are 0 to 3"):
        build_image("odd.c", output="4.elf", optimise=4)


def test_any_build_id_is_known_again(folder: Path) -> None:
    """The board says its build id without leading zeros."""
    (folder / "a.c").write_text(ODD)
    image = build_image("a.c", output="a.elf")
    build_id = bytes.fromhex(Elf(image, "EM_AARCH64").build_id)
    image.write_bytes(image.read_bytes().replace(build_id, b"\x01" + build_id[1:]))
    with Board(image=image) as board:
        assert board.image.build_id.startswith("01")


# The two mistakes, each found at its line


def test_a_map_call_before_the_store_is_found(folder: Path) -> None:
    """The buffer is the device's already: the driver's store is named."""
    store = '    if (Sending) {\n        RtlCopyMemory(Buffer, "hello, device", Length);\n    }\n'
    source = moved(EXAMPLE.read_text(), store, "    WRITE_REGISTER_ULONG(")
    (folder / "driver.c").write_text(source)
    with Board(image=build_image("driver.c", output="app.elf"), judge=False) as board:
        board.call("hello_send", 5)
        board.wait(1_000_000)
        assert board.stream.sent_take() != b"hello"
        (finding,) = board.findings()
    assert (finding.kind, finding.routine) == ("not-your-buffer", "MapTransferEx")
    assert finding.cpu is not None
    assert (finding.cpu.function, finding.cpu.file) == ("Ready", "driver.c")
    assert finding.cpu.line == line_of(source, "RtlCopyMemory")
    assert "MapTransferEx had been called before that store" in finding.text
    assert finding.buffer is not None
    assert (finding.buffer.name, finding.buffer.offset) == ("Buffer", 0)


@pytest.mark.parametrize("schedule", ["lru", "speculative"])
def test_a_read_before_the_flush_is_found(folder: Path, schedule: str) -> None:
    """The buffer is still the device's: the driver's load is named."""
    example = EXAMPLE.read_text()
    flush = example[example.index("    adapter->DmaOperations->Flush") :].partition("\n")[0] + "\n"
    source = moved(example, flush, "    adapter->DmaOperations->FreeAdapterChannel")
    (folder / "driver.c").write_text(source)
    image = build_image("driver.c", output="app.elf")
    with Board(image=image, schedule=schedule, judge=False) as board:
        board.stream.receive_put(bytes(range(64)))
        board.call("hello_receive")
        board.wait(1_000_000)
        (finding,) = board.findings()
    assert (finding.kind, finding.routine) == ("not-your-buffer", "FlushAdapterBuffersEx")
    assert finding.cpu is not None
    assert (finding.cpu.function, finding.cpu.file) == ("Done", "driver.c")
    assert finding.cpu.line == line_of(source, "Sum += Buffer[i]")
    assert "FlushAdapterBuffersEx had not ended the mapping" in finding.text


def test_without_its_map_call_nothing_moves(folder: Path) -> None:
    """Only mapping starts the device, so there is nothing to race; the compiler sees it first."""
    example = EXAMPLE.read_text()
    call = example[example.index("    Adapter->DmaOperations->MapTransferEx") :].partition("\n")[0]
    (folder / "driver.c").write_text(example.replace(call, ""))
    built = dmav3("build", "driver.c", "-o", "app.elf")
    line = line_of(example, "static VOID Done(")
    assert f"driver.c:{line}:13: warning: unused function 'Done'" in built.stderr
    with Board(image=Path("app.elf"), judge=False) as board:
        board.call("hello_send", 5)
        board.wait(1_000_000)
        assert board.stream.sent_take() == b""
        assert board.call("hello_sum")["status"] == NtStatus.STATUS_PENDING
        assert board.call("hello_send", 5)["status"] == NtStatus.STATUS_DEVICE_BUSY


def test_a_driver_that_hangs_is_named_by_its_place(tmp_path: Path) -> None:
    """Not the environment's fault: QEMU answers, and says where its CPU is."""
    source = tmp_path / "spin.c"
    source.write_text(
        HEAD
        + """
static NTSTATUS Spin(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    for (volatile ULONG i = 0;; i++) {
        (void)argument, (void)reply;
    }
}
DMAV3_COMMAND(spin, "", Spin);
"""
    )
    with Board(image=build_image(source, output=tmp_path / "spin.elf")) as board:
        with deadline(1), pytest.raises(HangError, match=r"its CPU is in Spin \(.*spin\.c:\d+\)"):
            board.call("spin")
        board.reset()
        board.request("ping")


# Crashes


def test_a_crash_names_the_line(odd: Path) -> None:
    """Function, file and line of the user's own source; a reset helps."""
    with Board(image=odd) as board:
        with pytest.raises(FaultError) as fault:
            board.call("crash", 0)
        line = line_of(ODD, "*(volatile ULONG *)")
        assert fault.value.place == f"Crash (odd.c:{line})"
        assert f"crashed in Crash (odd.c:{line}): " in str(fault.value)
        board.reset()
        assert board.call("add", 1, 1)["sum"] == 2


def test_a_jump_to_nowhere_names_where_it_came_from(odd: Path) -> None:
    """A NULL function pointer is called: the caller is known."""
    with Board(image=odd) as board, pytest.raises(FaultError) as fault:
        board.call("jump", 0)
    line = line_of(ODD, "((void (*)(void))")
    assert fault.value.place == f"a jump to 0x0 by Jump (odd.c:{line})"


# What does not build


def test_compiler_errors_are_shown_and_the_image_stays(folder: Path) -> None:
    """Those of every file, in the compiler's words; nothing else lies around."""
    (folder / "app.elf").write_text("as it was")
    (folder / "good.c").write_text(ODD)
    (folder / "one.c").write_text("int one(void) { return missing; }\n")
    (folder / "two.c").write_text("#include <windows.h>\n")
    built = dmav3("build", "one.c", "good.c", "two.c", "-o", "app.elf")
    assert built.exit_code == 2
    assert "one.c, two.c: does not compile" in built.stderr
    assert "one.c:1:24: error: use of undeclared identifier 'missing'" in built.stderr
    assert "two.c:1:10: fatal error: 'windows.h' file not found" in built.stderr
    assert (folder / "app.elf").read_text() == "as it was"
    assert sorted(path.name for path in folder.iterdir()) == [
        "app.elf", "good.c", "one.c", "two.c"
    ]  # fmt: skip


def test_warnings_are_shown(folder: Path) -> None:
    """They do not stop the build."""
    (folder / "a.c").write_text(HEAD + "static int unused;\n")
    built = dmav3("build", "a.c", "-o", "a.elf")
    assert built.exit_code == 0
    assert "a.c:2:12: warning: unused variable 'unused'" in built.stderr


LONG = """
struct registers { long control; ULONG status; };
typedef struct { UCHAR first : 3; ULONG second : 9; } BITS;
struct same { LONG control; struct { USHORT low, high; } status; };

static NTSTATUS Sizes(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    unsigned long mask = 0x100000000;

    dmav3_reply_value(reply, "bytes", sizeof(struct registers) + sizeof(BITS));
    dmav3_reply_value(reply, "mask", (mask & *argument) + sizeof(struct same));
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(sizes, "mask", Sizes);
"""


@pytest.mark.parametrize("name", ["long.c", "long.cpp"])
def test_what_a_long_of_32_bits_changes_is_a_warning(folder: Path, name: str) -> None:
    """A structure's layout, with its line and first member, and what the compiler says there."""
    (folder / name).write_text(HEAD + LONG)
    built = dmav3("build", name, "-o", "long.elf")
    assert built.exit_code == 0
    said = [line for line in built.stderr.splitlines() if "warning: " in line]
    text = HEAD + LONG
    where = [f"{name}:{line_of(text, part)}" for part in ("mask = ", "registers {", "BITS;")]
    otherwise = "is laid out otherwise on Windows, where a long has 32 bits:"
    assert said[0].startswith(f"{where[0]}:26: warning: implicit conversion from 'long long'")
    assert said[1:] == [
        (
            f"{where[1]}: warning: struct registers {otherwise} 16 bytes here and 8 there, "
            "`ULONG status` at 8 here and 4 there"
        ),
        (
            f"{where[2]}: warning: a structure {otherwise} 4 bytes here and 8 there, "
            "`ULONG second` at 0:3-11 here and 4:0-8 there"
        ),
    ]


def test_what_does_not_compile_for_windows_is_said(folder: Path) -> None:
    """The image is built: it is right for the board."""
    (folder / "a.c").write_text(ODD + '_Static_assert(sizeof(long) == 8, "a long");\n')
    built = dmav3("build", "a.c", "-o", "a.elf")
    assert built.exit_code == 0
    assert "a.c does not compile for Windows, where a long has 32 bits:\na.c:" in built.stderr


def test_the_commands_are_shown(folder: Path) -> None:
    """Each can be run again by hand; a caller in Python sees them where it asks for it."""
    (folder / "a.c").write_text(ODD)
    built = dmav3("build", "a.c", "-o", "a.elf", "-O", "2", "-D", "X='a b'")
    compiled, read, linked = (shlex.split(line) for line in built.stderr.splitlines())
    assert [compiled[0], compiled[-1], read[-1]] == ["clang-19", "a.c", "a.c"]
    assert {"-O2", "-DX='a b'", "-c"} <= set(compiled)
    assert "--target=aarch64-pc-windows-msvc" in read
    assert "-fuse-ld=lld-19" in linked


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"a.c": ODD, "b.c": ODD.replace("add", "new").replace("refuse", "other")},
            ("two commands `crash`, `jump`", "a.c:", "b.c:"),
        ),
        (
            {"a.c": ODD.replace("(add,", "(ping,")},
            ("two commands `ping`", "a.c:8", "firmware/rpc/commands.c:"),
        ),
        ({"a.c": HEAD + "int main(void) { return 0; }\n"}, ("duplicate symbol: main", "a.c:2")),
        (
            {"a.c": HEAD + "void other(void);\n" + ODD.replace("(void)reply;", "other();")},
            ("undefined symbol: other",),
        ),
        (
            {"a.c": HEAD + "UCHAR large[2 << 20];\n" + ODD.replace("argument[1]", "large[0]")},
            ("code and data are too large: they must leave 256 KiB for the heap",),
        ),
    ],
    ids=["two of one name", "the shim's name", "main", "undefined", "too large"],
)
def test_linker_errors_are_shown(
    folder: Path, files: dict[str, str], words: tuple[str, ...]
) -> None:
    """With both places where there are two; no image is made."""
    for name, text in files.items():
        (folder / name).write_text(text)
    built = dmav3("build", *files, "-o", "app.elf")
    assert built.exit_code == 2
    for word in words:
        assert word in built.stderr
    assert not (folder / "app.elf").exists()


def test_two_of_one_name_in_one_file(folder: Path) -> None:
    """That is the compiler's to say."""
    (folder / "a.c").write_text(ODD.replace("(refuse,", "(add,"))
    built = dmav3("build", "a.c", "-o", "app.elf")
    assert built.exit_code == 2
    assert "redefinition of 'dmav3_command_add'" in built.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.c", "-o", "app.elf"), "none.c: there is no such file"),
        (("folder", "-o", "app.elf"), "folder is no file"),
        (("a.md", "-o", "app.elf"), "a.md is no C file: its name does not end in .c"),
        (("a.c", "-o", "app.elf", "-I", "none"), "the folder none for headers is not there"),
        (("a.c", "-o", "none/app.elf"), "none/app.elf cannot be written: none: No such file"),
        (("a.c", "-o", "folder"), "folder cannot be written: it is a folder"),
        (("a.c", "-o", "pipe"), "pipe cannot be written: it is no regular file, and would be"),
        (("a.c", "-o", "a.c"), "a.c would overwrite the source"),
        (("a.c", "-o", "app.elf", "-D", ""), "'' is no macro: NAME or NAME=VALUE is needed"),
        (("a.c", "-o", "app.elf", "-D", "1x"), "'1x' is no macro: NAME or NAME=VALUE is needed"),
        (("a.c", "-o", "app.elf", "-O", "9"), "9 is none of 0, 1, 2, 3"),
        (("a.c", "-o", "app.elf", "--machine", "vax"), "unknown machine 'vax'; known are"),
    ],
)
def test_wrong_arguments_are_named(folder: Path, arguments: tuple[str, ...], words: str) -> None:
    """The value, and what is wrong with it."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    for name in ("a.c", "a.md"):
        (folder / name).write_text(ODD)
    built = dmav3("build", *arguments)
    assert built.exit_code == 2
    assert words in built.stderr
    assert (folder / "a.c").read_text() == ODD
    assert (folder / "pipe").is_fifo()


def test_a_missing_compiler_is_not_the_callers_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 3, and what to install."""
    (folder / "a.c").write_text(ODD)
    monkeypatch.setenv("CC", "no-such-clang")
    built = dmav3("build", "a.c", "-o", "app.elf")
    assert built.exit_code == 3
    assert "no-such-clang cannot be started: No such file" in built.stderr
    assert "apt-get install clang-19 lld-19" in built.stderr


@pytest.mark.parametrize(
    ("compiler", "status", "words"),
    [
        ("true", 3, "the compiler true has made nothing (apt-get install clang-19 lld-19"),
        ('clang "', 2, 'CC=clang ": No closing quotation; such as CC=clang-19'),
    ],
)
def test_what_is_no_compiler_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, compiler: str, status: int, words: str
) -> None:
    """A program that does nothing, and no words of a command."""
    (folder / "a.c").write_text(ODD)
    monkeypatch.setenv("CC", compiler)
    built = dmav3("build", "a.c", "-o", "app.elf")
    assert built.exit_code == status
    assert words in built.stderr


def test_a_missing_linker_is_not_the_callers_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the other half."""
    (folder / "a.c").write_text(ODD)
    monkeypatch.setattr("dmav3.machine.build._LINKER", "lld-none")
    built = dmav3("build", "a.c", "-o", "app.elf")
    assert built.exit_code == 3
    assert "there is no linker lld-none (apt-get install clang-19 lld-19" in built.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("NTSTATUS F(void) { return IoNothing(1); }", "IoNothing of wdm.h is not provided"),
        ("KNOTHING Thing;", "KNOTHING of wdm.h is not provided"),
        ("#include <wdfnothing.h>", "wdfnothing.h is not provided, and in no folder of -I"),
        ("void F(void) { __try { } __except (1) { } }", "look at a pointer before it is used"),
    ],
)
def test_the_first_name_that_is_not_provided_is_told(folder: Path, line: str, said: str) -> None:
    """In a sentence, before what the compiler says."""
    (folder / "driver.c").write_text(f"#include <ntddk.h>\n{line}\n")
    built = dmav3("build", "driver.c", "-o", "driver.elf")
    assert built.exit_code == 2
    assert said in next(line for line in built.stderr.splitlines() if line.startswith("dmav3: "))
    assert built.stderr.index(said) < built.stderr.index("driver.c:2:")
