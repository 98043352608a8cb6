# SPDX-License-Identifier: Apache-2.0
"""The driver of examples/nvme with QEMU's own NVMe controller, on memory that is not coherent."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from held_disk import held, make_holdable
from unplug import take_away

from dmav3 import Board, build_image, deadline, installation
from dmav3.errors import QemuStuckError
from dmav3.evidence.probe import Kind
from dmav3.machine.description import Device
from dmav3.qemu.qmp import BOARD
from dmav3.wdm import NtStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dmav3 import Buffer
    from dmav3.evidence.probe import Record

DRIVER = Path(__file__).parents[2] / "examples" / "nvme"
BLOCK, BLOCKS = 512, 2048
#: Registers of what is in slot 1, and in which of its bits memory space is switched on.
COMMAND, FIRST_BAR = 0x3F000000 + (1 << 15) + 4, 0x10000000
#: A mask of interrupts that nothing uses here, and the doorbell of submissions for data.
MASK = FIRST_BAR + 0xC
DOORBELL = FIRST_BAR + 0x1008
#: Where the driver has the first of its queues and of its PRP lists: in the first common buffer.
QUEUES, PRP_LIST = 0x41400000, 0x41404000
#: In its pages: submissions and completions of reading and writing.
SUBMISSIONS, COMPLETIONS = QUEUES + 0x1000, QUEUES + 0x3000
#: A display has no interrupt; one without registers needs none.
NO_INTERRUPT = """
#include <dmav3_pci.h>

NTSTATUS dmav3_pci_connect_vector(const struct dmav3_pci *device, ULONG vector,
                                  DMAV3_PCI_INTERRUPT *routine, PVOID context)
{
    (void)device, (void)vector, (void)routine, (void)context;
    return STATUS_SUCCESS;
}
"""
GONE = NtStatus.STATUS_NO_SUCH_DEVICE
#: Of real time, for a transfer.
SECONDS = 20
#: Nanoseconds of model time in which a test does much.
LONG = 5_000_000


class Disk:
    """A board with the driver and a controller, and the image that it has."""

    def __init__(self, board: Board, image: Path) -> None:
        """Take a board that runs."""
        self.board, self.image = board, image

    def start(self) -> dict[str, int]:
        """Bring the controller up; it must come."""
        geometry = self.board.call("nvme_start")
        assert geometry.pop("status") == NtStatus.STATUS_SUCCESS
        return geometry

    def begin(self, command: str, block: int, buffer: Buffer, length: int | None = None) -> int:
        """Start a transfer and return its tag."""
        reply = self.board.call(command, block, buffer.address, length or buffer.size)
        assert reply["status"] == NtStatus.STATUS_PENDING
        return reply["tag"]

    def end(self, tag: int) -> int:
        """Return how a transfer ended."""
        limit = time.monotonic() + SECONDS
        while (status := self.board.call("nvme_result", tag)["status"]) == NtStatus.STATUS_PENDING:
            assert time.monotonic() < limit
            self.board.wait(100_000)
        return status

    def move(self, command: str, block: int, buffer: Buffer) -> int:
        """Transfer a whole buffer; return how that ended."""
        return self.end(self.begin(command, block, buffer))

    def buffer(self, name: str, size: int = 8 * BLOCK) -> Buffer:
        """Return a buffer of scattered pages, with random bytes that the CPU has stored."""
        made = self.board.memory.allocate(size, name=name, region="scatter", align=4096)
        self.board.write(made, random.Random(name).randbytes(size))  # noqa: S311 - to be repeatable
        return made

    def delay(self, ns: int) -> None:
        """Let a doorbell be so long on its way, in model time."""
        self.board.qmp.set("nvme-latency-ns", ns, BOARD)

    def now(self) -> int:
        """Return model time, which stands still."""
        self.board.evidence.probe.settle()
        return self.board.evidence.probe.time_ns

    def accesses(self) -> list[Record]:
        """Return what the controller has accessed in memory, in order."""
        return [one for one in self.board.evidence.events.all() if one.kind == Kind.PCI_ACCESS]


@contextmanager
def disk_of(
    folder: Path,
    *options: str,
    machine: str = "virt-a53",
    image: Path | None = None,
    read_only: bool = False,
    removable: bool = False,
) -> Iterator[Disk]:
    """Start a board; at the end everything must have been given back, and nothing been found."""
    path = folder / "disk.img"
    path.write_bytes(bytes(BLOCK * BLOCKS))
    options = ("serial=dmav3", *options)
    device = Device(
        model="nvme", options=options, disk=path, read_only=read_only, removable=removable
    )
    image = image or installation.firmware("virt-a64-nvme")
    with Board(machine, image=image, devices=[device]) as board:
        idle = board.layer.counters()
        yield Disk(board, path)
        if board.call("nvme_stop")["status"] != NtStatus.STATUS_INVALID_DEVICE_STATE:
            pytest.fail("the test has not stopped the controller")
        assert board.layer.counters() == idle
        assert board.unexpected() == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a board with the driver and a controller with an image of zeroes."""
    with disk_of(tmp_path) as made:
        yield made


def run(*options: str | Path) -> tuple[int, str, str]:
    """Run `dmav3 run --device nvme`; return exit status, output, errors."""
    command = [sys.executable, "-m", "dmav3", "run", "--device", "nvme", *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


class TestMainJob:
    """`dmav3 run --device nvme`."""

    @pytest.mark.parametrize("schedule", ["speculative", "lru", "never", "eager"])
    def test_16_mib_go_to_the_image_and_back(self, tmp_path: Path, schedule: str) -> None:
        """The image, read here, and what comes back are equal to the file, and nothing is found."""
        data = random.Random(schedule).randbytes(16 << 20)  # noqa: S311 - to be repeatable
        file, image = tmp_path / "file", tmp_path / "image"
        file.write_bytes(data)
        image.write_bytes(bytes(len(data) + BLOCK))
        status, output, _ = run("--json", "--input", file, "--disk", image, "--schedule", schedule)
        report = json.loads(output)
        assert (status, report["verdict"], report["findings"]) == (0, "pass", []), report["reason"]
        assert len(set(report["sha256"].values())) == 1
        assert report["reason"] == "the digests are equal and there is no finding"
        assert image.read_bytes() == data + bytes(BLOCK)

    @pytest.mark.parametrize("size", [0, 1, 513, 300_001])
    def test_any_size(self, tmp_path: Path, size: int) -> None:
        """What fills no block is moved with the rest of its block."""
        file = tmp_path / "file"
        file.write_bytes(bytes(n % 251 for n in range(size)))
        status, output, _ = run("--json", "--input", file)
        report = json.loads(output)
        assert (status, report["bytes"]) == (0, size), report["reason"]

    def test_a_coherent_machine_passes(self, tmp_path: Path) -> None:
        """The same image, with barriers only."""
        file = tmp_path / "file"
        file.write_bytes(bytes(4096))
        status, output, _ = run("--json", "--input", file, "--machine", "virt-a53-coherent")
        assert status == 0
        assert {step["lines_cleaned"] for step in json.loads(output)["steps"]} == {0}

    def test_each_call_of_the_driver_is_a_step(self, tmp_path: Path) -> None:
        """The lines of the buffer are cleaned for the write, and invalidated for the read."""
        file = tmp_path / "file"
        file.write_bytes(bytes(4096))
        _, output, _ = run("--json", "--input", file)
        steps = json.loads(output)["steps"]
        lines = {
            name: [
                (step["lines_cleaned"], step["lines_invalidated"])
                for step in steps
                if step["routine"] == name
            ]
            for name in ("GetScatterGatherListEx", "PutScatterGatherList")
        }
        assert lines["GetScatterGatherListEx"] == [(64, 0), (64, 64)]
        assert lines["PutScatterGatherList"] == [(0, 0), (0, 64)]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (
                ("--disk", "short.img"),
                "has room for 512 bytes, the input has 1024; `truncate --size=1048576",
            ),
            (("--disk", "absent.img"), "absent.img cannot be written: No such file"),
            (("--disk", "/proc/version"), "/proc/version cannot be written: "),
            (("--disk", "short.img", "--device", "stream"), "needs a controller: --device nvme"),
            (
                ("--firmware-bug", "no-barrier"),
                "no-barrier is not in virt-a64-nvme, but in virt-a64",
            ),
            (
                ("--device", "stream", "--firmware-bug", "nvme-no-barrier"),
                "nvme-no-barrier is not in virt-a64, but in virt-a64-nvme",
            ),
            (("--device", "floppy"), "'floppy' is none of stream, edu, nvme"),
        ],
    )
    def test_a_wrong_call_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
    ) -> None:
        """Exit status 2 and what would be right; nothing is started."""
        monkeypatch.chdir(tmp_path)
        Path("file").write_bytes(bytes(1024))
        Path("short.img").write_bytes(bytes(512))
        status, _, errors = run("--input", "file", *options)
        assert (status, said in " ".join(errors.split())) == (2, True), errors


class TestReadme:
    """What examples/nvme/README.md shows is what happens."""

    TEXT = (DRIVER / "README.md").read_text()

    def test_its_python_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With the image that it builds, and a disk; nothing is found."""
        (tmp_path / "build").mkdir()
        (disk := tmp_path / "disk.img").write_bytes(bytes(BLOCK * BLOCKS))
        build_image(*DRIVER.glob("*.c"), output=tmp_path / "build" / "mine.elf")
        monkeypatch.chdir(tmp_path)
        (example,) = re.findall(r"^```python\n(.*?)^```", self.TEXT, re.MULTILINE | re.DOTALL)
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - that is the test
        assert disk.read_bytes()[:BLOCK] == (b"hello" * 100).ljust(BLOCK, b"\0")
        assert capsys.readouterr().out.endswith("[]\n")

    def test_its_bug_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command with the known bug says what the README says."""
        monkeypatch.chdir(DRIVER.parents[1])
        (command,) = re.findall(r"^ +\.venv.*run (.*--firmware-bug .*)$", self.TEXT, re.MULTILINE)
        (said,) = re.findall(r"^    (finding(?:.*\n)+?)\n", self.TEXT, re.MULTILINE)
        status, output, _ = run(*command.split()[2:])
        assert status == 1
        for part in " ".join(said.split()).split("…"):
            assert part.strip() in " ".join(output.split())


class TestTransfers:
    """What is asked for is done."""

    def test_the_geometry_is_that_of_the_image(self, disk: Disk) -> None:
        """Blocks of QEMU's default size; the map registers limit what a transfer may have."""
        geometry = disk.start()
        assert (geometry["blocks"], geometry["block_bytes"]) == (BLOCKS, BLOCK)
        assert (geometry["maximum"], geometry["alignment"]) == (63 * 4096, 64)
        disk.board.call("nvme_stop")

    @pytest.mark.parametrize("options", [(), ("msix_qsize=1", "max_ioqpairs=1"), ("mdts=2",)])
    def test_blocks_come_back(self, tmp_path: Path, options: tuple[str, ...]) -> None:
        """From the place in the image where they were put, also with smaller controllers."""
        with disk_of(tmp_path, *options) as disk:
            maximum = disk.start()["maximum"]
            source, target = disk.buffer("source", maximum), disk.buffer("target", maximum)
            data = disk.board.read(source)
            assert disk.move("nvme_write", 5, source) == 0
            assert disk.image.read_bytes()[5 * BLOCK : 5 * BLOCK + maximum] == data
            assert disk.move("nvme_read", 5, target) == 0
            assert disk.board.read(target) == data
            disk.board.call("nvme_stop")

    @pytest.mark.parametrize("offset", [64, 2048, 4032])
    def test_a_buffer_may_begin_inside_a_page(self, disk: Disk, offset: int) -> None:
        """The first PRP has the offset, and no byte beside the buffer changes."""
        disk.start()
        around = disk.buffer("around", 5 * 4096)
        before = disk.board.read(around)
        disk.image.write_bytes(data := bytes(range(256)) * (BLOCK * BLOCKS // 256))
        reply = disk.board.call("nvme_read", 0, around.address + offset, 3 * 4096)
        assert disk.end(reply["tag"]) == 0
        after = before[:offset] + data[: 3 * 4096] + before[offset + 3 * 4096 :]
        assert disk.board.read(around) == after
        disk.board.call("nvme_stop")

    def test_eight_requests_are_under_way(self, disk: Disk) -> None:
        """Whatever their order at the end; a ninth is refused."""
        disk.start()
        disk.delay(LONG)
        buffers = [disk.buffer(f"buffer {n}") for n in range(8)]
        tags = [disk.begin("nvme_write", 8 * n, one) for n, one in enumerate(buffers)]
        assert disk.board.layer.counters().lists == len(tags)
        refused = disk.board.call("nvme_write", 0, buffers[0].address, BLOCK)
        assert refused == {"status": NtStatus.STATUS_DEVICE_BUSY}
        assert {disk.end(tag) for tag in tags} == {0}
        data = b"".join(disk.board.read(one) for one in buffers)
        assert disk.image.read_bytes()[: len(data)] == data
        disk.board.call("nvme_stop")

    def test_it_starts_again(self, disk: Disk) -> None:
        """After a stop, and after a reset of the board."""
        for again in range(3):
            disk.start()
            assert disk.board.call("nvme_start")["status"] == NtStatus.STATUS_DEVICE_BUSY
            assert disk.move("nvme_write", again, disk.buffer("source")) == 0
            assert disk.board.call("nvme_stop")["status"] == 0
            if again == 1:
                disk.board.reset()


class TestModelTime:
    """What the controller does, and when, is fixed by model time."""

    def test_a_command_comes_when_its_doorbell_has_been_on_its_way(self, disk: Disk) -> None:
        """Not before, and then it is done whole: data, its end, the interrupt."""
        disk.start()
        disk.delay(LONG)
        buffer = disk.buffer("buffer")
        before, begun = len(disk.accesses()), disk.now()
        tag = disk.begin("nvme_write", 0, buffer)
        rung = disk.now()
        disk.board.wait(LONG - 2 * (rung - begun))
        assert len(disk.accesses()) == before
        assert disk.board.call("nvme_result", tag)["status"] == NtStatus.STATUS_PENDING
        disk.board.wait(LONG)
        accesses = disk.accesses()[before:]
        (moment,) = {one.time_ns for one in accesses}
        assert begun + LONG < moment <= rung + LONG
        assert (accesses[0].a, accesses[-1].a) == (SUBMISSIONS, COMPLETIONS)
        assert disk.board.call("nvme_result", tag)["status"] == NtStatus.STATUS_SUCCESS
        disk.board.call("nvme_stop")

    def test_commands_of_one_doorbell_are_done_one_after_the_other(self, tmp_path: Path) -> None:
        """Each with its end, so the order of their ends is not the host's; also round the queue."""
        with disk_of(tmp_path, image=image_of_four(tmp_path)) as disk:
            disk.start()
            large, small = disk.buffer("large", 60 * 4096), disk.buffer("small")
            before = len(disk.accesses())
            for _ in range(20):  # the queue has 64 entries
                tags = [disk.begin("nvme_write", 0, one) for one in (large, small, small, large)]
                assert {disk.end(tag) for tag in tags} == {NtStatus.STATUS_SUCCESS}
            pages = [one.a & ~0xFFF for one in disk.accesses()[before:]]
            of_queues = [page for page in pages if page in (SUBMISSIONS, COMPLETIONS)]
            assert of_queues == [SUBMISSIONS, COMPLETIONS] * 80
            disk.board.call("nvme_stop")

    def test_a_command_is_judged_by_its_own_doorbell(self, tmp_path: Path) -> None:
        """A store to another register, behind a barrier, does not forgive that one was missing."""
        disk_image = tmp_path / "disk.img"
        disk_image.write_bytes(bytes(BLOCK * BLOCKS))
        device = Device(model="nvme", options=("serial=dmav3",), disk=disk_image)
        image = installation.seeded("nvme-no-barrier", "virt-a64-nvme")
        with Board(image=image, devices=[device], judge=False) as board:
            disk = Disk(board, disk_image)
            disk.start()
            (before,) = board.findings()
            disk.delay(LONG)
            tag = disk.begin("nvme_write", 0, disk.buffer("buffer"))
            board.request("poke", MASK, "32", 0)
            assert disk.end(tag) == NtStatus.STATUS_SUCCESS
            (found,) = board.findings()
            assert found.kind == "missing-barrier"
            assert found.count == before.count + 8  # the words of the entry

    @pytest.mark.parametrize("machine", ["virt-a53", "virt-a53-coherent"])
    def test_the_log_is_that_of_the_same_run(self, tmp_path: Path, machine: str) -> None:
        """To the nanosecond, whatever this computer does meanwhile."""
        logs = []
        for _ in range(3):
            with disk_of(tmp_path, machine=machine) as disk:
                disk.start()
                buffers = [disk.buffer(f"{n}", (n + 1) * 4096) for n in range(8)]
                for command in ("nvme_write", "nvme_read"):
                    tags = [disk.begin(command, 8 * n, one) for n, one in enumerate(buffers)]
                    assert {disk.end(tag) for tag in tags} == {NtStatus.STATUS_SUCCESS}
                disk.board.call("nvme_stop")
                logs.append(list(disk.board.evidence.events.all()))
        assert logs[0] == logs[1] == logs[2]
        assert len([one for one in logs[0] if one.kind == Kind.PCI_ACCESS]) > 4 * len(buffers)


class TestRefusals:
    """What cannot be is refused by a status, and nothing is left over."""

    @pytest.mark.parametrize(
        ("block", "offset", "length", "status"),
        [
            (0, 0, 0, NtStatus.STATUS_INVALID_PARAMETER),
            (0, 0, 511, NtStatus.STATUS_INVALID_PARAMETER),
            (0, 32, 512, NtStatus.STATUS_INVALID_PARAMETER),
            (0, 0, 64 * 4096, NtStatus.STATUS_INVALID_PARAMETER),
            (BLOCKS, 0, 512, NtStatus.STATUS_NONEXISTENT_SECTOR),
            (BLOCKS - 1, 0, 1024, NtStatus.STATUS_NONEXISTENT_SECTOR),
            ((1 << 64) - 1, 0, 512, NtStatus.STATUS_NONEXISTENT_SECTOR),
        ],
    )
    def test_a_transfer_that_cannot_be(
        self, disk: Disk, block: int, offset: int, length: int, status: NtStatus
    ) -> None:
        """No part of it is done."""
        disk.start()
        address = disk.buffer("buffer", 65 * 4096).address + offset
        assert disk.board.call("nvme_write", block, address, length) == {"status": status}
        assert disk.board.call("nvme_read", block, address, length) == {"status": status}
        assert disk.board.call("nvme_result", 0)["status"] == NtStatus.STATUS_INVALID_PARAMETER
        disk.board.call("nvme_stop")

    def test_nothing_works_before_the_start(self, disk: Disk) -> None:
        """STATUS_INVALID_DEVICE_STATE."""
        for command, *arguments in (("nvme_write", 0, 0, 512), ("nvme_stop",)):
            reply = disk.board.call(command, *arguments)
            assert reply == {"status": NtStatus.STATUS_INVALID_DEVICE_STATE}

    def test_there_is_no_controller(self) -> None:
        """STATUS_NO_SUCH_DEVICE."""
        with Board(image=installation.firmware("virt-a64-nvme")) as board:
            assert board.call("nvme_start") == {"status": GONE}

    def test_queues_are_too_small(self, tmp_path: Path) -> None:
        """CAP.MQES below what the driver wants: STATUS_NOT_SUPPORTED."""
        with disk_of(tmp_path, "mqes=15") as disk:
            assert disk.board.call("nvme_start") == {"status": NtStatus.STATUS_NOT_SUPPORTED}

    def test_the_image_may_only_be_read(self, tmp_path: Path) -> None:
        """QEMU's controller reports a write fault; reading goes on."""
        with disk_of(tmp_path, read_only=True) as disk:
            disk.start()
            buffer = disk.buffer("buffer")
            assert disk.move("nvme_write", 0, buffer) == NtStatus.STATUS_IO_DEVICE_ERROR
            assert disk.move("nvme_read", 0, buffer) == 0
            disk.board.call("nvme_stop")


class TestFailures:
    """A controller that does not do what it should ends nobody's patience."""

    def test_it_never_gets_ready(self, tmp_path: Path) -> None:
        """STATUS_DEVICE_NOT_READY: here the registers are mere memory, a display's."""
        connect = tmp_path / "connect.c"
        connect.write_text(NO_INTERRUPT)
        image = build_image(
            *DRIVER.glob("*.c"),
            connect,
            output=tmp_path / "image.elf",
            define=["NVME_CLASS=0x038000", "dmav3_pci_connect_vector=connect_nothing"],
        )
        display = Device(model="bochs-display", options=("vgamem=4M", "romfile="))
        with Board(image=image, devices=[display]) as board:
            assert board.call("nvme_start") == {"status": NtStatus.STATUS_NOT_SUPPORTED}
            board.request("poke", COMMAND, "32", 2)
            board.request("poke", FIRST_BAR, "32", 0xFFFF)  # CAP.MQES
            assert board.call("nvme_start") == {"status": NtStatus.STATUS_DEVICE_NOT_READY}
            assert board.layer.counters().adapters == 0
            assert board.unexpected() == []

    def test_it_is_unplugged(self, tmp_path: Path) -> None:
        """`device_del`: what follows is refused, and it is not found again."""
        with disk_of(tmp_path, removable=True) as disk:
            disk.start()
            buffer = disk.buffer("buffer")
            assert disk.move("nvme_write", 0, buffer) == 0
            take_away(disk.board)
            assert disk.board.call("nvme_read", 0, buffer.address, BLOCK) == {"status": GONE}
            assert disk.board.call("nvme_stop") == {"status": GONE}
            assert disk.board.call("nvme_start") == {"status": GONE}

    def test_it_is_unplugged_with_requests_under_way(self, tmp_path: Path) -> None:
        """They end, and none of them is done: their doorbells reach nobody."""
        with disk_of(tmp_path, removable=True) as disk:
            disk.start()
            disk.delay(LONG)
            buffers = [disk.buffer(f"buffer {n}") for n in range(3)]
            tags = [disk.begin("nvme_write", 0, buffer) for buffer in buffers]
            before = len(disk.accesses())
            take_away(disk.board)
            assert {disk.end(tag) for tag in tags} == {GONE}
            disk.board.wait(2 * LONG)
            assert len(disk.accesses()) == before
            assert disk.image.read_bytes() == bytes(BLOCK * BLOCKS)
            assert disk.board.call("nvme_stop") == {"status": GONE}

    def test_it_disappears(self, disk: Disk) -> None:
        """Its registers read as ones: what is under way ends, and what follows is refused."""
        disk.start()
        disk.delay(LONG)
        buffers = [disk.buffer(f"buffer {n}") for n in range(3)]
        tags = [disk.begin("nvme_read", 0, buffer) for buffer in buffers]
        disk.board.request("poke", COMMAND, "32", 0)
        assert {disk.end(tag) for tag in tags} == {GONE}
        refused = disk.board.call("nvme_read", 0, buffers[0].address, BLOCK)
        assert refused == {"status": GONE}
        assert disk.board.call("nvme_stop") == {"status": GONE}

    def test_it_is_stopped_in_the_middle(self, disk: Disk) -> None:
        """STATUS_CANCELLED for what it has not done."""
        disk.start()
        disk.delay(LONG)
        tags = [disk.begin("nvme_write", 0, disk.buffer(f"{n}", 15 * 4096)) for n in range(8)]
        assert disk.board.call("nvme_stop")["status"] == 0
        assert {disk.end(tag) for tag in tags} == {NtStatus.STATUS_CANCELLED}
        disk.board.wait(2 * LONG)
        assert disk.image.read_bytes() == bytes(BLOCK * BLOCKS)

    def test_it_is_stopped_when_it_has_done_a_part(self, disk: Disk) -> None:
        """STATUS_CANCELLED for what it has not done; what it has done is on the disk."""
        disk.start()
        size = 15 * 4096
        buffers = [disk.buffer(f"{n}", size) for n in range(8)]
        tags = []
        for n, buffer in enumerate(buffers):
            disk.delay(LONG if n == 3 else 0)  # those behind it come after it
            tags.append(disk.begin("nvme_write", n * size // BLOCK, buffer))
        assert disk.board.call("nvme_stop")["status"] == 0
        done, not_done = [NtStatus.STATUS_SUCCESS] * 3, [NtStatus.STATUS_CANCELLED] * 5
        assert [disk.end(tag) for tag in tags] == done + not_done
        data = b"".join(disk.board.read(buffer) for buffer in buffers[:3])
        assert disk.image.read_bytes() == data.ljust(BLOCK * BLOCKS, b"\0")
        disk.delay(0)
        stopped = disk.now()
        disk.start()
        assert disk.now() - stopped < LONG // 10  # nothing of before is on its way
        assert disk.move("nvme_write", 0, buffers[-1]) == 0
        assert disk.board.call("nvme_stop")["status"] == 0

    def test_its_disk_never_answers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """QEMU does not come back from the doorbell: no fault of the firmware."""
        make_holdable(monkeypatch)
        with pytest.raises(QemuStuckError) as caught, disk_of(tmp_path) as disk:
            write_while_held(disk)
        assert caught.value.exit_status == 3
        assert re.search(
            r"no answer to `wait \w+` within [\d.]+ s: QEMU 10\.\d+\.\d+ is in nvme \(pci1\), "
            rf"in the CPU's store to its register at {DOORBELL:#x}, not the firmware; start",
            str(caught.value),
        )

    def test_a_prp_list_is_out_of_its_reach(self, disk: Disk) -> None:
        """STATUS_DEVICE_DATA_ERROR; a transfer without a list goes on."""
        disk.start()
        long, short = disk.buffer("long", 3 * 4096), disk.buffer("short")
        fault(disk, PRP_LIST)
        for command in ("nvme_write", "nvme_read"):
            with disk.board.expect("bus-error"):
                assert disk.move(command, 0, long) == NtStatus.STATUS_DEVICE_DATA_ERROR
            assert disk.move(command, 0, short) == 0
        disk.board.call("nvme_stop")

    @pytest.mark.parametrize("command", ["nvme_write", "nvme_read"])
    def test_data_are_out_of_its_reach(self, disk: Disk, command: str) -> None:
        """QEMU's controller does not notice, so a finding says it, by the device's name."""
        disk.start()
        buffer = disk.buffer("data")
        fault(disk, buffer.ranges[0][0])
        with disk.board.expect("bus-error"):
            assert disk.move(command, 0, buffer) == 0
        (finding,) = disk.board.findings()
        assert "the device was pci 00:01.0" in finding.text
        assert "at byte 0 of data" in finding.text
        disk.board.call("nvme_stop")

    def test_its_queues_are_out_of_its_reach(self, disk: Disk) -> None:
        """CSTS.CFS: it has failed, and the driver says so at once."""
        fault(disk, QUEUES)
        with disk.board.expect("bus-error"):
            assert disk.board.call("nvme_start") == {"status": NtStatus.STATUS_IO_DEVICE_ERROR}


def image_of_four(folder: Path) -> Path:
    """Build the driver so that it rings the doorbell of reading and writing for four commands."""
    rings, text = "    ring_submissions(queue);\n", (DRIVER / "nvme.c").read_text()
    assert text.count(rings) == 1
    text = text.replace(rings, "    if (queue == ADMIN || at->tail % 4 == 0)\n    " + rings)
    (changed := folder / "nvme.c").write_text(text)
    others = [path for path in DRIVER.glob("*.c") if path.name != changed.name]
    for header in DRIVER.glob("*.h"):
        (folder / header.name).write_text(header.read_text())
    return build_image(changed, *others, output=folder / "image.elf")


def fault(disk: Disk, address: int) -> None:
    """Let a page answer with bus errors."""
    disk.board.qmp.set("fault-base", address, BOARD)
    disk.board.qmp.set("fault-size", 4096, BOARD)


def write_while_held(disk: Disk) -> None:
    """Begin a transfer that does not end, and wait for it."""
    disk.start()
    with held(disk.image):
        disk.begin("nvme_write", 0, disk.buffer("buffer"))
        with deadline(2):
            disk.board.wait(LONG)
