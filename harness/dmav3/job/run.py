# SPDX-License-Identifier: Apache-2.0
"""`dmav3 run` without its terminal: a file and options in, a report out."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from dmav3 import installation
from dmav3.board.artefacts import new_run, run_folder, save
from dmav3.board.board import Board
from dmav3.elf.image import read_own
from dmav3.errors import Dmav3Error, UsageError
from dmav3.files import check_output, open_regular, write_output
from dmav3.machine.description import Device, load

from .edu import DEVICE as EDU
from .edu import EduPeripheral
from .main import MainJob, Peripheral
from .nvme import NvmePeripheral, disk_for
from .stream import StreamPeripheral
from .verdict import Facts, Report, judge, with_keflush

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

#: What `device` may be, with the PCI devices that it needs; a disk is added in `_board`.
DEVICES: dict[str, tuple[str, ...]] = {"stream": (), "edu": (EDU,), "nvme": ()}


@dataclass(frozen=True)
class RunOptions:
    """What the command line says.

    :ivar device: what the file is moved to and from, one of `DEVICES`.
    :ivar disk: image for "nvme"; None: one is made, and removed.
    :ivar width: bits of the device's data register.
    :ivar firmware_bug: name of a known bug; excludes `image`.
    :ivar trace: file for what the DMA controller executed; None: it is not written.
    :ivar keflush: call KeFlushIoBuffers as older drivers do, and say what that cost.
    :ivar artefacts: where the folder of a run that does not pass is made; None: nowhere.
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
    keflush: bool = False
    artefacts: Path | None = None


def run_main_job(options: RunOptions, begin: Callable[[int], Callable[[int], object]]) -> Report:
    """Run the main job; with `keflush` twice, first without the calls.

    :param begin: is told how many bytes will be moved and gives what is told of each part.
    :raises UsageError: the options, or a file in them, are wrong; nothing was started.
    """
    if not options.keflush:
        return _run(options, begin)
    if options.device == "nvme":
        msg = "the driver for nvme, in C, makes its own calls; --keflush is for stream and edu"
        raise UsageError(msg)
    alone = _run(replace(options, keflush=False, trace=None), begin)
    return with_keflush(_run(options, begin), alone) if alone.verdict == "pass" else alone


def _run(options: RunOptions, begin: Callable[[int], Callable[[int], object]]) -> Report:
    try:
        file = open_regular(options.input)
    except OSError as error:
        msg = f"the input {options.input} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    size = os.fstat(file.fileno()).st_size
    if options.trace is not None:
        read = options.input, options.image, options.disk, Path(options.machine)
        check_output(options.trace, *read)
    with file, _disk(options, size) as disk:
        try:
            board = _board(options, disk)
        except UsageError:
            raise
        except Dmav3Error as error:
            facts = Facts(options.machine, options.seed, options.schedule, options.device)
            return judge(facts, error)
        facts = Facts(board.machine.name, board.qemu.seed, board.qemu.schedule, options.device)
        try:
            with board:
                facts = replace(facts, versions=_versions(board))
                job = MainJob(_peripheral(board, options, disk, begin(2 * size)))
                report = _report(facts, job, _attempt(lambda: job.run(file, size)), options.trace)
                return _with_folder(report, board, options.artefacts)
        except UsageError:
            raise
        except Dmav3Error as error:
            return judge(facts, error)


def _disk(options: RunOptions, size: int) -> AbstractContextManager[Path | None]:
    if options.device == "nvme":
        return disk_for(size, options.disk)
    if options.disk is not None:
        msg = f"the image {options.disk} needs a controller: --device nvme"
        raise UsageError(msg)
    return nullcontext()


def _board(options: RunOptions, disk: Path | None) -> Board:
    machine = load(options.machine)
    if options.trace is not None and machine.pl330[0].is_bare:
        msg = f"{machine.name} has QEMU's own PL330, which has no trace: leave --trace out"
        raise UsageError(msg)
    devices: list[str | Device] = list(DEVICES[options.device])
    if disk is not None:
        devices.append(Device(model="nvme", options=("serial=dmav3",), disk=disk))
    return Board(
        machine,
        image=_image(options, machine.firmware),
        seed=options.seed,
        schedule=options.schedule,
        devices=devices,
        judge=False,
        sockets=False,  # it is soon over
    )


def _image(options: RunOptions, firmware: str) -> Path:
    """Return the firmware; that for a disk has the driver of examples/nvme."""
    bug, with_disk = options.firmware_bug, options.device == "nvme"
    if bug is not None and options.image is not None:
        msg = "--image and --firmware-bug exclude each other: both name the firmware"
        raise UsageError(msg)
    if options.image is not None:
        return options.image
    name = f"{firmware}-nvme" if with_disk else firmware
    own = installation.firmware(name) if bug is None else installation.seeded(bug, name)
    return read_own(own, "EM_AARCH64").path


def _peripheral(
    board: Board, options: RunOptions, disk: Path | None, advance: Callable[[int], object]
) -> Peripheral:
    if disk is not None:
        return NvmePeripheral(board, disk, advance)
    peripheral = (
        EduPeripheral(board, advance)
        if options.device == "edu"
        else StreamPeripheral(board, options.width, advance)
    )
    peripheral.keflush = options.keflush
    return peripheral


def _versions(board: Board) -> dict[str, str]:
    return {
        "dmav3": metadata.version("dmav3"),
        "qemu": board.qemu.version,
        "build": board.image.build_id,
        "extension": board.qemu.extension.build_id,
    }


def _attempt(work: Callable[[], object]) -> Dmav3Error | None:
    try:
        work()
    except Dmav3Error as error:
        return error
    return None


def _with_folder(report: Report, board: Board, root: Path | None) -> Report:
    """Leave what there is of a run that did not pass."""
    if root is None or report.verdict == "pass" or not board.qemu.running:
        return report
    folder = run_folder(root, new_run()) / "run"
    try:
        save(board, folder, {"command": sys.argv, **report.facts.versions}, ())
    except OSError as error:
        return replace(report, folder=f"the run cannot be kept in {folder}: {error.strerror}")
    return replace(report, folder=str(folder))


def _report(facts: Facts, job: MainJob, error: Dmav3Error | None, trace: Path | None) -> Report:
    """Judge with all the facts that can be had; after an error, that may be less."""
    board, outcome = job.board, job.outcome
    digests = {name: digest.hexdigest() for name, digest in outcome.digests.items()}
    facts = replace(facts, bytes=outcome.bytes, digests=digests if outcome.complete else {})
    try:
        with board.qemu.paused() if error and board.qemu.running else nullcontext():
            facts = replace(
                facts,
                findings=tuple(board.findings()),
                costs=tuple(board.evidence.costs()),
                violations=tuple(board.violations()),
                steps=tuple(job.steps()),
                lost=board.evidence.events.lost + board.evidence.probe.findings_lost,
                untraced=board.evidence.events.untraced,
            )
            if trace is not None:
                write_output(trace, "".join(f"{line}\n" for line in board.evidence.trace()))
    except Dmav3Error as second:
        error = error or second
    return judge(facts, error)
