# SPDX-License-Identifier: Apache-2.0
"""`dmav3 run` without its terminal: a file and options in, a report out."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from . import files
from .board import Board
from .edujob import DEVICE as EDU
from .edujob import EduPeripheral
from .errors import Dmav3Error, UsageError
from .machine import Device, load
from .mainjob import MainJob
from .nvmejob import NvmeJob
from .streamjob import StreamPeripheral
from .verdict import Evidence, Report, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

#: Bytes of a block of the images that are made here, and of the smallest one.
_BLOCK, _SMALLEST_DISK = 512, 1 << 20


@dataclass(frozen=True)
class Options:
    """What the command line says.

    :ivar device: what the file is moved to and from: "stream", "edu" or "nvme".
    :ivar disk: image for "nvme"; None: one is made, and removed.
    :ivar width: bits of the device's data register.
    :ivar firmware_bug: name of a known bug; excludes `image`.
    :ivar trace: file for what the DMA controller executed; None: it is not written.
    """

    machine: str
    input: Path
    schedule: str | None = None
    seed: int = 1
    width: int = 32
    firmware_bug: str | None = None
    image: Path | None = None
    trace: Path | None = None
    device: str = "stream"
    disk: Path | None = None


def run(options: Options, begin: Callable[[int], Callable[[int], object]]) -> Report:
    """Run the main job.

    :param begin: is told how many bytes will be moved and gives what is told of each part.
    :raises UsageError: the options, or a file in them, are wrong; nothing was started.
    """
    try:
        file = options.input.open("rb")
    except OSError as error:
        msg = f"the input {options.input} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    size = options.input.stat().st_size
    with file, _opened(options.trace) as trace, _disk(options, size) as disk:
        try:
            board = _board(options, disk)
        except UsageError:
            raise
        except Dmav3Error as error:
            evidence = Evidence(options.machine, options.seed, options.schedule, options.device)
            return judge(evidence, error)
        evidence = Evidence(board.machine.name, board.seed, board.schedule, options.device)
        try:
            with board:
                job = _job(board, options, disk, begin(2 * size))
                return _report(evidence, board, job, _attempt(lambda: job.run(file)), trace)
        except UsageError:
            raise
        except Dmav3Error as error:
            return judge(evidence, error)


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO | None]:
    """Open a file for writing before anything else is done."""
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        msg = f"the trace {path} cannot be written: {error.strerror}"
        raise UsageError(msg) from error
    with file:
        yield file


@contextmanager
def _disk(options: Options, size: int) -> Iterator[Path | None]:
    """Give the image for a controller, with room for `size` bytes; None: there is no controller."""
    if options.device != "nvme":
        if options.disk is not None:
            msg = f"the image {options.disk} needs a controller: --device nvme"
            raise UsageError(msg)
        yield None
    elif options.disk is not None:
        _check_disk(options.disk, size)
        yield options.disk
    else:
        with TemporaryDirectory(prefix="dmav3-") as folder:
            image = Path(folder) / "nvme.img"
            with image.open("wb") as file:
                file.truncate(max(_SMALLEST_DISK, -(-size // _BLOCK) * _BLOCK))
            yield image


def _check_disk(disk: Path, size: int) -> None:
    try:
        with disk.open("r+b") as file:
            room = file.seek(0, os.SEEK_END)
    except OSError as error:
        msg = f"the image {disk} cannot be written: {error.strerror}"
        raise UsageError(msg) from error
    if room < size:
        needed = -(-size // _BLOCK) * _BLOCK
        msg = (
            f"the image {disk} has {room} bytes, too few for the {size} of the input; "
            f"`truncate --size={needed} {disk}` would make it large enough"
        )
        raise UsageError(msg)


def _board(options: Options, disk: Path | None) -> Board:
    machine = load(options.machine)
    name = machine.firmware if disk is None else f"{machine.firmware}-nvme"
    if options.firmware_bug is not None and options.image is not None:
        msg = "--image and --firmware-bug exclude each other: both name the firmware"
        raise UsageError(msg)
    if disk is None and (options.firmware_bug or "").startswith("nvme-"):
        msg = f"the bug {options.firmware_bug} is one of the driver: it needs --device nvme"
        raise UsageError(msg)
    image = options.image or (
        files.seeded(options.firmware_bug, name) if options.firmware_bug else files.firmware(name)
    )
    devices: list[Device | str] = [EDU] if options.device == "edu" else []
    if disk is not None:
        devices = [Device(model="nvme", options=("serial=dmav3",), disk=disk)]
    return Board(
        machine, image=image, seed=options.seed, schedule=options.schedule, devices=devices
    )


def _job(
    board: Board, options: Options, disk: Path | None, advance: Callable[[int], object]
) -> MainJob | NvmeJob:
    if disk is not None:
        return NvmeJob(board, disk, advance)
    if options.device == "edu":
        return MainJob(EduPeripheral(board, advance))
    return MainJob(StreamPeripheral(board, options.width, advance))


def _attempt(work: Callable[[], object]) -> Dmav3Error | None:
    try:
        work()
    except Dmav3Error as error:
        return error
    return None


def _report(
    evidence: Evidence,
    board: Board,
    job: MainJob | NvmeJob,
    error: Dmav3Error | None,
    trace: TextIO | None,
) -> Report:
    """Judge with all the evidence that can be had; after an error, that may be less."""
    outcome = job.outcome
    digests = {name: digest.hexdigest() for name, digest in outcome.digests.items()}
    evidence = replace(evidence, bytes=outcome.bytes, digests=digests if outcome.complete else {})
    try:
        with board.paused() if error and board.running else nullcontext():
            evidence = replace(
                evidence,
                findings=tuple(board.findings()),
                costs=tuple(board.costs()),
                steps=tuple(job.steps()),
                lost=board.events.lost + board.probe.findings_lost,
                untraced=board.events.untraced,
            )
            if trace is not None:
                trace.writelines(f"{line}\n" for line in board.trace())
    except Dmav3Error as second:
        error = error or second
    return judge(evidence, error)
