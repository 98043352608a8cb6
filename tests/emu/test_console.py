# SPDX-License-Identifier: Apache-2.0
"""What the console shows of its own accord, and the commands that are its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmav3 import build_image
from dmav3.errors import printable

HELLO = Path(__file__).parents[2] / "examples" / "hello_driver" / "hello_driver.c"
#: A driver with the name of a command of the console's own.
DRIVER = """
#include <dmav3.h>

static NTSTATUS Take(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(take, "", Take);
"""


def console(*lines: str, options: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """Give the console these lines from a pipe; return its exit status and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "dmav3", "console", *options],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_violations_are_shown_as_they_come() -> None:
    """Each once, behind the answer, and again when they are asked for."""
    status, said = console("KeFlushIoBuffers 0 1 1", "ping", "violations")
    answer, told, pong, again = said
    assert (status, answer, pong, again) == (1, "ok", "ok", told)
    assert told.startswith("violation 0x0e in KeFlushIoBuffers")


def test_what_is_left_is_shown_at_the_end() -> None:
    """The exit status says it as well."""
    status, said = console("IoAllocateMdl 0x41000000 64 0")
    assert status == 1
    assert said[1].startswith("violation 0x54: an MDL is left, made by IoAllocateMdl")


def test_calls_say_what_came_of_them() -> None:
    """The status has a name; nothing is found in a run that is right."""
    status, said = console("KeRaiseIrql 2", "GetDmaAlignment 0", "calls", "findings", "costs")
    assert status == 1
    assert any(line.startswith("GetDmaAlignment, ") for line in said)
    assert said[-2:] == ["none", "none"]


def test_the_stream_device_can_be_fed_and_emptied(tmp_path: Path) -> None:
    """By text, digits and files, in both directions."""
    (source := tmp_path / "in").write_bytes(b"x" * 60)
    image, wait = build_image(HELLO, output=tmp_path / "hello.elf"), "wait 1000000"
    sent = ("hello_send 5", wait, "take", "hello_send 6", wait, "take hex", "hello_send 7", wait)
    status, said = console(
        *("put text h o", "put hex ff", f"put file {source}"),
        *("hello_receive", wait, "hello_sum"),
        *(*sent, f"take file {tmp_path / 'out'}"),
        options=("--image", str(image)),
    )
    assert status == 0
    assert said[:3] == [f"{count} bytes wait for the device" for count in (3, 1, 60)]
    assert said[5] == f"ok sum={sum(b'h o' + bytes([0xFF]) + b'x' * 60):#x} status=0x0"
    assert said[8::3] == [
        "5 bytes: b'hello'",
        "6 bytes: 68656c6c6f2c",
        f"7 bytes are in {tmp_path / 'out'}",
    ]
    assert (tmp_path / "out").read_bytes() == b"hello, "


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("put", "'' is no way to give bytes: put text WORD…, "),
        ("put hex 0", "'0' is not hexadecimal"),
        ("put file /nowhere", "/nowhere: No such file"),
        ("take all", "'all' is no way to take bytes: take, "),
        ("take file", "'file' is no way to take bytes: take, "),
        ("take file /nowhere/at/all", "/nowhere/at/all: No such file"),
    ],
)
def test_a_wrong_command_is_refused(line: str, said: str) -> None:
    """The message says what would work."""
    status, (answer,) = console(line)
    assert status == 1
    assert answer.startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("command", "name", "said"),
    [
        ("put", "pipe", "it is no regular file"),
        ("put", "/dev/zero", "it is no regular file"),
        ("put", "huge", "it has 1099511627776 bytes, more than"),
        ("put", ".", "Is a directory"),
        ("put", "\0", "no name has a zero byte"),
        ("take", "pipe", "No such device or address"),
        ("take", ".", "Is a directory"),
        ("take", "\0", "no name has a zero byte"),
    ],
)
def test_a_file_without_an_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str, said: str
) -> None:
    """It is named, is neither read to its end nor waited for, and the board goes on."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 1 << 40)
    status, (refused, answer) = console(f"{command} file {name}", "ping")
    assert (status, answer) == (1, "ok")
    assert refused.startswith(f"error: {printable(name)}: {said}")


def test_a_command_of_the_driver_comes_first(tmp_path: Path) -> None:
    """Its image was there before us."""
    (source := tmp_path / "take.c").write_text(DRIVER)
    image = build_image(source, output=tmp_path / "take.elf")
    assert console("take", options=("--image", str(image))) == (0, ["ok status=0x0"])
