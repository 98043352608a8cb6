# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: one clear message, the right exit status, and no QEMU left behind."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dmav3 import Board, build_image
from dmav3.deadlines import deadline
from dmav3.errors import (
    DeadlineError,
    InfrastructureError,
    MonitorError,
    PeerError,
    PowerError,
    QemuDiedError,
    QemuRefusedError,
    QemuStuckError,
    UsageError,
)
from dmav3.installation import Layout
from dmav3.machine.argv import arguments
from dmav3.machine.description import Device
from dmav3.wire.frame import Ok, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dmav3.machine.argv import Descriptors, Start
    from dmav3.machine.description import Machine

CLANG = "clang-19"
#: Seconds of real time for what must happen at all.
SECONDS = 60.0
MARK = "DMAV3_TEST_MARK"


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark every process that a test starts; at its end none of them runs."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    yield value
    assert marked(value) == []


def marked(value: str) -> list[str]:
    """Return the command lines of the running processes that carry a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={value}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def command(*arguments: object) -> list[str]:
    """Return `dmav3 run` with arguments."""
    return [sys.executable, "-m", "dmav3", "run", *map(str, arguments)]


def dmav3(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `dmav3 run` to its end."""
    return subprocess.run(
        command(*arguments), capture_output=True, check=False, text=True, timeout=SECONDS
    )


def is_inconclusive(run: subprocess.CompletedProcess[str]) -> str:
    """Check exit status and JSON of a run that shows nothing; return the reason."""
    assert run.returncode == 3, run
    report = json.loads(run.stdout)
    assert report["verdict"] == "inconclusive"
    assert report["sha256"] == {"input": None, "device": None, "returned": None}
    assert "Traceback" not in run.stderr
    reason: str = report["reason"]
    return reason


def is_refused(run: subprocess.CompletedProcess[str]) -> str:
    """Check exit status and streams of a call that is wrong; return the message."""
    assert (run.returncode, run.stdout) == (2, ""), run
    assert "Traceback" not in run.stderr
    return run.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Make a small file to move."""
    path = tmp_path / "data"
    path.write_bytes(b"some data")
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Make a file that keeps a run busy for minutes, without using the disk."""
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 4 << 30)
    return path


def script(path: Path, text: str) -> str:
    """Write a program; return its path."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


class TestQemu:
    """The QEMU that is named, or not there."""

    @pytest.mark.parametrize("name", ["no-such-qemu", "/no/such/qemu", "/etc/passwd", "/"])
    def test_a_missing_one_is_named(
        self, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """The message says what was tried and what would work."""
        monkeypatch.setenv("DMAV3_QEMU", name)
        reason = is_inconclusive(dmav3("--input", data, "--json"))
        assert f"cannot start {name}: " in reason
        assert "$DMAV3_QEMU" in reason

    def test_one_that_is_too_old_is_named_with_its_version(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The version that was found and the one that is needed, with what it said."""
        old = script(
            tmp_path / "qemu",
            '[ "$1" = --version ] && { echo "QEMU emulator version 7.2.15 (Debian)"; exit 0; }\n'
            'echo "$0: -icount shift=0,sleep=off: invalid" >&2\nexit 1',
        )
        monkeypatch.setenv("DMAV3_QEMU", old)
        reason = is_inconclusive(dmav3("--input", data, "--json"))
        assert "QEMU 7.2 is too old, 10.0 or later is needed" in reason
        assert "sleep=off: invalid" in reason

    @pytest.mark.parametrize("options", [(), ("--json",)])
    def test_nothing_that_it_says_reaches_the_terminal_raw(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
    ) -> None:
        """Control bytes are spelled out."""
        says = "printf '\\033[2J\\007\\233' >&2; exit 1"
        monkeypatch.setenv("DMAV3_QEMU", script(tmp_path / "qemu", says))
        done = dmav3("--input", data, *options)
        assert done.returncode == 3
        assert "x1b[2J" in done.stdout
        assert not {"\x1b", "\x07", "\x9b"} & set(done.stdout + done.stderr)

    @pytest.mark.parametrize("status", [0, 1, 2])
    def test_something_else_is_not_taken_for_qemu(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        """A program that names no version, whatever its exit status would mean of QEMU."""
        monkeypatch.setenv("DMAV3_QEMU", script(tmp_path / "qemu", f"exit {status}"))
        reason = is_inconclusive(dmav3("--input", data, "--json"))
        assert "is not QEMU" in reason


class TestImage:
    """What is given as firmware."""

    def test_what_is_no_elf_is_refused(self, data: Path) -> None:
        """The file is named."""
        message = is_refused(dmav3("--input", data, "--image", data))
        assert f"{data}: is not an ELF file" in message

    def test_an_elf_for_another_machine_is_refused(self, data: Path, tmp_path: Path) -> None:
        """The machine that was found and the one that is needed."""
        image = build(tmp_path, "", target="arm-none-eabi")
        message = is_refused(dmav3("--input", data, "--image", image))
        assert f"{image}: is an ELF for EM_ARM, EM_AARCH64 is needed" in message

    def test_the_extension_is_no_firmware(self, data: Path) -> None:
        """A library of this computer."""
        extension = Layout.find().built / "dmav3.so"
        assert f"{extension}: " in is_refused(dmav3("--input", data, "--image", extension))

    @pytest.mark.parametrize(
        "sent", [b"\x80\xffgarbage\n", b"U-Boot 2026.01\n", b"@1 ok\n", b"\n", b"x" * 2000 + b"\n"]
    )
    def test_garbage_on_the_serial_line_is_quoted(
        self, data: Path, tmp_path: Path, sent: bytes
    ) -> None:
        """Exit status 3, and the bytes as they came."""
        image = build(tmp_path, sends(sent))
        reason = is_inconclusive(dmav3("--input", data, "--image", image, "--json"))
        assert "garbage on the serial line" in reason
        assert repr(sent[:512].rstrip(b"\n")) in reason

    @pytest.mark.parametrize("loop", ["wfi\n\tb 1b", "b 1b"])
    def test_an_image_that_answers_nothing_runs_into_the_deadline(
        self, tmp_path: Path, loop: str
    ) -> None:
        """Asleep or busy: the request is named, and QEMU is gone."""
        image = build(tmp_path, f'__asm__ volatile("1:\\t{loop}");'.replace("\n", "\\n"))
        with (
            deadline(1.0),
            pytest.raises(DeadlineError, match="no answer to `hello`"),
            Board(image=image),
        ):
            pass

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"level": "2", "build": "0x0", "nonce": "0x123"}, "another emulator answers"),
            ({"level": "3", "build": "0x0", "nonce": "0x123"}, "protocol level 3, 2 is needed"),
            ({"level": "2"}, "the reply has no `nonce`"),
        ],
    )
    def test_a_stranger_is_not_talked_to(
        self, tmp_path: Path, values: dict[str, str], words: str
    ) -> None:
        """Another nonce, another protocol level, no nonce at all."""
        image = build(tmp_path, sends(encode(Ok(1, values))))
        with pytest.raises(PeerError, match=words), Board(image=image):
            pass


def sends(data: bytes) -> str:
    """Return C that writes bytes to the command UART."""
    values = ", ".join(map(str, data))
    return (
        f"static const unsigned char bytes[] = {{{values}}};\n"
        "for (unsigned i = 0; i < sizeof bytes; i++)\n"
        "    *(volatile unsigned *)0x0b030000 = bytes[i];\n"
    )


def build(folder: Path, body: str, target: str = "aarch64-none-elf") -> Path:
    """Compile an image whose whole program is `body`; it then sleeps."""
    source, image = folder / "image.c", folder / "image.elf"
    text = f'void _start(void)\n{{\n{body}\nfor (;;)\n    __asm__ volatile("wfi");\n}}\n'
    source.write_text(text)
    subprocess.run(
        [
            CLANG,
            f"--target={target}",
            *("-O1", "-g", "-ffreestanding", "-nostdlib", "-fno-vectorize", "-fno-slp-vectorize"),
            *(["-mgeneral-regs-only"] if target.startswith("aarch64") else ["-march=armv7-a"]),
            *("-fuse-ld=lld-19", "-Wl,-Ttext=0x40200000", "-Wl,--build-id"),
            *("-o", str(image), str(source)),
        ],
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
    return image


class TestMachine:
    """What is given as machine, through the whole command."""

    def test_an_unknown_firmware_lists_the_known(self, data: Path, tmp_path: Path) -> None:
        """It is the description that is wrong, and not this computer."""
        text = (Layout.find().machines / "virt-a53.yaml").read_text()
        path = tmp_path / "m.yaml"
        path.write_text(text.replace("firmware: virt-a64", "firmware: nope"))
        message = is_refused(dmav3("--input", data, "--machine", path))
        assert "unknown firmware 'nope'; known are: virt-a64, virt-a64-nvme" in message

    def test_an_unknown_one_lists_the_known(self, data: Path) -> None:
        """Value and choices."""
        message = is_refused(dmav3("--input", data, "--machine", "vax"))
        known = "virt-a53, virt-a53-coherent"
        assert f"unknown machine 'vax'; known are: {known}" in message

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("cpu: cortex-a53\n", "cpu: [\n", "m.yaml:"),
            ("cpu: cortex-a53\n", "cpu: cortex-a53\ncppu: x\n", "cppu: unknown key"),
            ("cpu: cortex-a53\n", "cpu: cortex-a53\ncpu: x\n", "cpu: is there twice"),
            ("cpu: cortex-a53\n", "", "cpu: is missing"),
            ("memory_mib: 64", "memory_mib: lots", "memory_mib: "),
            ("line: 64", "line: 48", "cache: Value error, `line` is 48"),
            ("uart:", "devices: [{model: help}]\nuart:", "QEMU would print its help"),
        ],
    )
    def test_a_wrong_key_is_named_with_its_line(
        self, data: Path, tmp_path: Path, old: str, new: str, words: str
    ) -> None:
        """File, line, key."""
        text = (Layout.find().machines / "virt-a53.yaml").read_text()
        assert old in text
        path = tmp_path / "m.yaml"
        path.write_text(text.replace(old, new))
        message = is_refused(dmav3("--input", data, "--machine", path))
        assert re.search(r"m\.yaml:\d+: ", message)
        assert words in message

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("level: 2", "level: 1"),
            ("line: 64", "line: 32"),
            ("sets: 1024", "sets: 512"),
            ("ways: 16", "ways: 8"),
        ],
    )
    def test_another_cache_than_the_cpu_has_is_refused(
        self, data: Path, tmp_path: Path, old: str, new: str
    ) -> None:
        """What the CPU's registers say, and what was given; nothing is moved."""
        text = (Layout.find().machines / "virt-a53.yaml").read_text()
        path = tmp_path / "m.yaml"
        path.write_text(text.replace(old, new))
        message = " ".join(is_refused(dmav3("--input", data, "--machine", path)).split())
        own = "cache-level=2,cache-line=64,cache-sets=1024,cache-ways=16"
        key, value = new.split(": ")
        given = re.sub(f"cache-{key}=\\d+", f"cache-{key}={value}", own)
        assert "machine virt-a53: wrong `cache`: the CPU's CLIDR and CCSIDR (0x707fe07a)" in message
        assert f"say {own}, but {given} is what was given" in message


class TestDevices:
    """PCI devices, which only QEMU knows."""

    @pytest.mark.parametrize(
        ("device", "words"),
        [
            ("edu,colour=red", "Property 'edu.colour' not found"),
            ("edu,dma_mask=lots", "dma_mask"),
            ("no-such-device", "'no-such-device' is not a valid device model name"),
            ("nvme", "serial"),
            (Device(model="nvme", options=("serial=1",), disk=Path("/dev/zero")), "/dev/zero"),
            (Device(model="nvme", disk=Path("/no/such/disk")), "/no/such/disk"),
        ],
    )
    def test_a_wrong_option_is_the_callers(self, device: Device | str, words: str) -> None:
        """The device is named as it was given, and QEMU's own words are quoted."""
        model = device if isinstance(device, str) else device.model
        said = r"^PCI device 1 of virt-a53"
        with pytest.raises(UsageError, match=said) as caught, Board(devices=[device]):
            pass
        assert model in str(caught.value)
        assert words in str(caught.value)

    @pytest.mark.parametrize("device", ["help", "edu,help", "edu,addr=3,?"])
    def test_a_question_to_qemu_is_no_device(self, device: str) -> None:
        """It would print an answer, and not start."""
        with pytest.raises(UsageError, match="is no device; such as 'edu'"):
            Board(devices=[device])

    def test_a_description_with_a_wrong_option_is_a_wrong_call(
        self, data: Path, tmp_path: Path
    ) -> None:
        """Exit status 2."""
        text = (Layout.find().machines / "virt-a53.yaml").read_text()
        path = tmp_path / "m.yaml"
        path.write_text(text + "devices: [{model: edu, options: [colour=red]}]\n")
        assert "edu.colour" in is_refused(dmav3("--input", data, "--machine", path))


class TestBytes:
    """What is no bytes, where bytes are moved."""

    @pytest.fixture
    def board(self, mark: str) -> Iterator[Board]:
        """Start one that ends with the test, as all that it starts must."""
        assert mark
        with Board() as board:
            yield board

    @pytest.mark.parametrize("data", ["text", 17, None, [1, 2]])
    def test_what_is_no_bytes_is_refused(self, board: Board, data: Any) -> None:
        """It is named, nothing has been moved, and the board goes on."""
        buffer = board.memory.allocate(64)
        memory = board.memory
        said = r"bytes are needed, such as b'\.\.\.', not"
        with pytest.raises(UsageError, match=said):
            board.write(buffer, data)
        with pytest.raises(UsageError, match=said):
            memory.cpu_store(buffer.address, data)
        with pytest.raises(UsageError, match=said):
            memory.stage(memory.staging.start, data)
        with pytest.raises(UsageError, match=said):
            board.stream.receive_put(data)
        assert board.stream.receive_pending == 0
        board.request("ping")


class TestExtensionFile:
    """A dmav3.so that is damaged, or somebody else's."""

    @pytest.mark.parametrize("kind", ["cut", "garbage", "noise", "foreign", "empty"])
    def test_it_is_this_computers_fault(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """Whatever QEMU says to it, the file is named, and what would work."""
        whole = Layout.find().built.joinpath("dmav3.so").read_bytes()
        half = len(whole) // 2
        foreign = Layout.find().built / "tests" / "preloaded_late_select.so"
        path = tmp_path / "dmav3.so"
        path.write_bytes(
            {
                "cut": whole[:half],
                "garbage": b"garbage",
                "noise": whole[:half] + bytes(half // 2) + whole[half + half // 2 :],
                "foreign": foreign.read_bytes(),
                "empty": b"",
            }[kind]
        )
        monkeypatch.setattr("dmav3.installation.extension", lambda: path)
        with pytest.raises(InfrastructureError) as caught, Board():
            pass
        assert str(path) in str(caught.value)


class TestExtension:
    """Options that the extension refuses when it is loaded; the option is echoed."""

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("view=dma", "view=bogus", ["view=bogus", "view=none"]),
            ("view=dma", "view=dma,foo=1", ["foo=1"]),
            ("view=dma", "view=", ["view="]),
            ("schedule=speculative", "schedule=sometimes", ["schedule=sometimes", "lru"]),
            ("cache-sets=1024", "cache-sets=3", ["3"]),
            ("cache-sets=1024", "cache-sets=0", ["cache-sets"]),
            ("cache-ways=16", "cache-ways=0", ["cache-ways"]),
            ("cache-line=64", "cache-line=48", ["cache-line=48", "32 or 64"]),
            (",dram-fd=", ",seed=1,nonce=", ["dram-fd"]),
            (",dram-fd=", ",dram-fd=9", ["dram-fd"]),
            ("view=dma", "view=none", ["dram-fd"]),
            (",probe-fd=", ",probe-fd=9", ["probe-fd"]),
            (",seed=1", ",seed=x", ["seed"]),
            (",seed=1", ",seed=1,colour=red", ["colour"]),
            ("-nodefaults", "-nodefaults -smp 2", ["more than one CPU"]),
            ("cortex-a53", "max", ["FEAT_MOPS", "cortex-a53"]),
        ],
    )
    def test_a_wrong_option_stops_the_load(
        self, monkeypatch: pytest.MonkeyPatch, old: str, new: str, words: list[str]
    ) -> None:
        """QEMU ends during the start, and its log says which option it was."""

        def changed(machine: Machine, start: Start, fds: Descriptors) -> list[str]:
            argv = arguments(machine, start, fds)
            wrong = [part for word in argv for part in word.replace(old, new).split(" ")]
            assert wrong != argv
            return wrong

        monkeypatch.setattr("dmav3.qemu.process.arguments", changed)
        with pytest.raises(QemuRefusedError) as caught, Board():
            pass
        for word in words:
            assert word in caught.value.log
            assert word in str(caught.value)

    def test_migration_is_refused(self) -> None:
        """The reason is said, and the board goes on."""
        with Board() as board:
            with pytest.raises(MonitorError, match="cannot be migrated"):
                board.qmp.execute("migrate", uri="exec:cat >/dev/null")
            board.request("ping")

    def test_a_qemu_without_a_function_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The version of QEMU and the name of the function."""
        extension = Layout.find().built / "tests" / "dmav3-missing-symbol.so"
        monkeypatch.setattr("dmav3.installation.extension", lambda: extension)
        with pytest.raises(QemuRefusedError) as caught, Board():
            pass
        assert re.search(
            r"dmav3: QEMU \d+\.\d+\S* does not have the function '\w+'", caught.value.log
        )


def until(condition: Callable[[], bool]) -> None:
    """Look at a condition until it is true; fail if that is not so in time."""
    end, never = time.monotonic() + SECONDS, threading.Event()
    while not condition():
        assert time.monotonic() < end
        never.wait(0.01)


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def position(pid: int, file: Path) -> int:
    """Return how far a process has read a file; 0 if it has not opened it."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if link.readlink() == file:
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
                return int(info.split()[1])
    return 0


@contextmanager
def under_way(large: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Give a run that moves its second chunk, and a descriptor of its QEMU."""
    with subprocess.Popen(
        command("--input", large, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        try:
            until(lambda: run.poll() is not None or position(run.pid, large) >= 2 << 20)
            assert run.poll() is None, run.communicate()
            (qemu,) = children(run.pid)
            handle = os.pidfd_open(qemu)
            try:
                yield run, handle
                assert select.select([handle], [], [], SECONDS)[0], "QEMU still runs"
            finally:
                os.close(handle)
        finally:
            run.kill()


class TestDeath:
    """One of the two processes dies in the middle of the work."""

    def test_qemu_killed_in_mid_run_is_inconclusive(self, large: Path) -> None:
        """Exit status 3; the reason says what became of QEMU."""
        with under_way(large) as (run, qemu):
            signal.pidfd_send_signal(qemu, signal.SIGKILL)
            output, errors = run.communicate(timeout=SECONDS)
        reason = is_inconclusive(
            subprocess.CompletedProcess(run.args, run.returncode, output, errors)
        )
        assert "QEMU ended in mid-run (killed by signal 9)" in reason

    def test_qemu_that_is_stopped_is_no_firmware_that_hangs(self) -> None:
        """The error says what QEMU is in; its exit status is that of a wrong environment."""
        with Board() as board:
            os.kill(board.qemu.pid, signal.SIGSTOP)
            said = r"`ping` within .* QEMU 10\.\d+\.\d+ is in a stop by a signal, not the firmware"
            with deadline(0.5), pytest.raises(QemuStuckError, match=said) as caught:
                board.request("ping")
            os.kill(board.qemu.pid, signal.SIGCONT)
        assert caught.value.exit_status == 3

    def test_no_qemu_outlives_a_killed_harness(self, large: Path) -> None:
        """The lifeline closes with the harness, however that dies."""
        with under_way(large) as (run, _):
            run.kill()
            assert run.wait(SECONDS) == -signal.SIGKILL

    def test_no_qemu_outlives_an_interrupted_harness(self, large: Path) -> None:
        """Ctrl-C ends both, with the status that shells use."""
        with under_way(large) as (run, _):
            run.send_signal(signal.SIGINT)
            assert run.wait(SECONDS) == 130

    def test_no_qemu_outlives_a_terminated_harness(self, large: Path) -> None:
        """SIGTERM ends both."""
        with under_way(large) as (run, _):
            run.terminate()
            assert run.wait(SECONDS) == -signal.SIGTERM


class TestOutput:
    """Where the report goes decides nothing about the verdict."""

    def test_a_reader_that_stops_early_changes_no_status(self, data: Path) -> None:
        """`dmav3 run | head -1` passes."""
        command = f"set -o pipefail; {sys.executable} -m dmav3 run --input {data} | head -n 1"
        assert subprocess.run(["/bin/bash", "-c", command], check=False).returncode == 0

    def test_a_full_disk_is_no_failure_of_the_firmware(self, data: Path) -> None:
        """Exit status 3 and one line."""
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "dmav3", "run", "--input", data],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 3
        assert done.stderr == "dmav3: the output cannot be written: No space left on device\n"


class TestPower:
    """What the firmware may ask of QEMU, and firmware that hangs at once."""

    @pytest.mark.parametrize(
        ("function", "words"),
        [
            (0x84000008, r"the firmware switched the machine off .*guest-shutdown"),
            (0x84000009, r"the firmware reset the machine .*guest-reset"),
        ],
    )
    def test_what_the_firmware_does_to_the_machine_is_the_firmwares(
        self, tmp_path: Path, function: int, words: str
    ) -> None:
        """PSCI: a failure, not a QEMU that died."""
        source = tmp_path / "power.c"
        source.write_text(
            "#include <dmav3.h>\n"
            "static NTSTATUS Power(const ULONGLONG *argument, struct dmav3_reply *reply)\n"
            "{\n"
            '    register ULONGLONG function __asm__("x0") = *argument;\n'
            "    (void)reply;\n"
            '    __asm__ volatile("hvc #0" : "+r"(function) : : "memory");\n'
            "    return STATUS_SUCCESS;\n"
            "}\n"
            'DMAV3_COMMAND(power, "function", Power);\n'
        )
        image = build_image(source, output=tmp_path / "power.elf")
        with Board(image=image) as board:
            with deadline(5.0), pytest.raises(PowerError, match=words) as caught:
                board.call("power", function)
            assert caught.value.exit_status == 1

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("spin: goto spin;", r"its CPU is in _start \(.*image\.c:\d\)"),
            ("", r"its CPU is in _start \(.*image\.c:\d\)"),
        ],
    )
    def test_firmware_that_hangs_before_its_first_word_fails(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
    ) -> None:
        """With the place where it hangs."""
        monkeypatch.setenv("DMAV3_DEADLINE", "3")
        done = dmav3("--input", data, "--image", build(tmp_path, body), "--json")
        assert done.returncode == 1, done
        assert re.search(words, json.loads(done.stdout)["reason"])

    def test_an_answer_that_is_late_is_this_computers(self) -> None:
        """It is there when it has been found out where the core is."""
        with Board(judge=False) as board:
            os.kill(board.qemu.pid, signal.SIGSTOP)
            threading.Timer(0.5, os.kill, (board.qemu.pid, signal.SIGCONT)).start()
            with deadline(0.1), pytest.raises(DeadlineError, match="no answer to `ping`") as caught:
                board.request("ping")
            assert caught.value.exit_status == 3

    def test_a_qemu_that_aborts_when_it_quits_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its exit status, and what it said; but not over another error."""
        monkeypatch.setattr(
            "dmav3.qemu.qmp.Monitor.execute",
            lambda monitor, *_, **__: os.kill(monitor.pid, signal.SIGABRT),
        )
        board = Board()
        with (
            pytest.raises(QemuDiedError, match=r"when it was to quit \(killed by signal 6\)"),
            board,
        ):
            board.qemu.monitor.pid = board.qemu.pid  # type: ignore[attr-defined]
