# SPDX-License-Identifier: Apache-2.0
"""A recording as files: what a run is had again from, on any computer with the same QEMU.

| file | what |
|---|---|
| `recording.jsonl` | on what the run was made, then what reached the board, an entry a line |
| `machine.yaml` | the machine, with its devices |
| `image.elf` | the firmware |
| `contents/` | bytes of entries, and disks as they were before, each file named by its SHA-256 |
| `events.jsonl` | the event log, the last records of the ring |

A folder may come from elsewhere. It is read with limits, nothing that it names is executed, and of
the monitor's commands it may only have those that change nothing outside of the board.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from pydantic import (
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from dmav3.errors import DataFileError, Dmav3Error, UsageError
from dmav3.evidence.findings import routine_names
from dmav3.evidence.probe import Kind, Record, record_of
from dmav3.files import read_regular
from dmav3.machine.description import load_file
from dmav3.qemu.qmp import BOARD

from .contents import copy_wanted, keep, kept
from .recording import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from dmav3.machine.description import Machine

    from .board import Board
    from .shim import Shim

M = TypeVar("M", bound=BaseModel)

FORMAT = 1
RECORDING, MACHINE, IMAGE, EVENTS = "recording.jsonl", "machine.yaml", "image.elf", "events.jsonl"
#: Longer bytes of an entry are a file of their own.
_INLINE = 4096
_ECHOED = 40  # characters of what is wrong in a file
_LONGEST = 256 << 20
#: Commands of the monitor that act on nothing but the board.
_COMMANDS = {"qom-set", "qom-get", "stop", "cont", "device_del", "inject-nmi"}
#: Kinds of entries of devices written in Python.
_EXCHANGED = ("from-board", "to-board")
#: Models of PCI devices that do nothing but at moments that model time fixes. (The last three do
#: nothing of their own accord at all.)
_IN_MODEL_TIME = {"edu", "nvme", "pci-testdev", "bochs-display", "pcie-root-port"}
#: Records whose id is that of a routine.
_NAMED = {Kind.ENTER, Kind.EXIT, Kind.MAPPING}


class PythonDevice(BaseModel):
    """A device written in Python, without its code: members of its class, and the class's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size: int
    doorbells: list[int]
    pci_id: tuple[int, int] | None
    pci_class: int
    msi: int


class Disk(BaseModel):
    """A raw image.

    :ivar slot: of its device.
    :ivar size: bytes, before the first entry and in the end.
    :ivar sha256: of what was in it before the first entry; up to 64 MiB of that are in the folder.
    :ivar ended: of what was in it in the end; "": it is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slot: int
    size: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    ended: str = Field(pattern="^([0-9a-f]{64})?$")

    @property
    def description(self) -> str:
        """What it is, for a person."""
        return f"the disk of pci{self.slot} as it was before the run, {self.size} bytes"


class Made(BaseModel):
    """On what a run was made: the first line of its recording.

    :ivar kept: path, name and value of each property that was set before the first entry.
    :ivar held: the board did not stand still in the end, so its last records are chance.
    :ivar lost: records of the event log that are missing.
    :ivar devices: those written in Python.
    :ivar disks: those with a problem, of which `gaps` tells, are left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    dmav3: str
    qemu: str
    extension: str
    build: str
    sha256: str
    seed: int
    schedule: str | None
    trace: bool
    resets: int = Field(ge=0)
    kept: list[tuple[str, str, Any]]
    gaps: list[str]
    held: bool
    lost: int
    devices: list[PythonDevice]
    disks: list[Disk] = []


class _Line(BaseModel):
    """An entry: its bytes are `text` of a line, `base64`, or a file that `sha256` names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_ns: int
    kind: Literal["line", "stage", "put", "take", "monitor", "from-board", "to-board"]
    name: str = ""
    arguments: dict[str, Any] = {}
    text: str = ""
    base64: Base64Bytes = b""
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")

    @model_validator(mode="after")
    def _is_whole_and_harmless(self) -> _Line:
        for kind, key in (("stage", "address"), ("take", "count")):
            if self.kind == kind and not isinstance(self.arguments.get(key), int):
                msg = f"`{key}` is no number"
                raise ValueError(msg)
        if self.kind == "monitor" and self.name not in _COMMANDS:
            known = ", ".join(sorted(_COMMANDS))
            msg = f"the command {self.name!r} is not given to QEMU again; these are: {known}"
            raise ValueError(msg)
        path = str(self.arguments.get("path", BOARD))
        if not path.startswith(BOARD):
            msg = f"{self.name} is for {BOARD}, not for {path!r}"
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Recorded:
    """A recording that was read.

    :ivar files: what a person has named to look for disks in.
    :ivar script: what the board and its devices in Python have said to each other.
    :ivar events: the event log, as `events` gives it.
    """

    folder: Path
    files: Sequence[Path]
    made: Made
    entries: list[Entry]
    script: list[tuple[bool, bytes]]
    events: list[dict[str, Any]]


def events(shim: Shim) -> Iterator[dict[str, Any]]:
    """Return the event log as `events.jsonl` has it."""
    names = routine_names(shim.image)
    for record in shim.evidence.events.all():
        named = {"name": names[record.id]} if record.kind in _NAMED and record.id in names else {}
        yield record._asdict() | {"kind": record.kind.name.lower()} | named


def record_in(event: dict[str, Any]) -> Record:
    """Return the record that a line of `events.jsonl` is; `UsageError` if it is none."""
    try:
        fields = {**event, "kind": Kind[event["kind"].upper()]}
        return record_of(tuple(int(fields[name]) for name in Record._fields))
    except (KeyError, ValueError, TypeError, AttributeError):
        msg = f"{EVENTS} has {str(event)[:_ECHOED]!r}..., which is no record of an event log"
        raise UsageError(msg) from None


def write(board: Board, folder: Path, *, held: bool) -> None:
    """Write all but the event log into a folder that is there.

    :param held: the board does not stand still.
    :raises OSError: a file cannot be written.
    """
    recording, image = board.qemu.recording, board.image.path.read_bytes()
    made = Made(
        format=FORMAT,
        dmav3=metadata.version("dmav3"),
        qemu=board.qemu.version,
        extension=board.qemu.extension.build_id,
        build=board.image.build_id,
        sha256=hashlib.sha256(image).hexdigest(),
        seed=board.qemu.seed,
        schedule=board.qemu.schedule,
        trace=board.traces,
        resets=recording.resets,
        kept=[(path, name, value) for (path, name), value in recording.kept.items()],
        gaps=[*recording.gaps, *_gaps(board)],
        held=held,
        lost=board.evidence.events.lost,
        devices=[
            PythonDevice(
                name=type(one).__name__,
                size=one.SIZE,
                doorbells=list(one.DOORBELLS),
                pci_id=one.PCI_ID,
                pci_class=one.PCI_CLASS,
                msi=one.MSI,
            )
            for one in board.devices
        ],
        disks=_disks(board, folder),
    )
    (folder / IMAGE).write_bytes(image)
    described = board.machine.model_dump(mode="json", exclude_none=True)
    (folder / MACHINE).write_text(yaml.safe_dump(described, sort_keys=False))
    entries = [*recording.entries, *map(_of_device, list(recording.devices))]
    lines = [made.model_dump(), *(_line(entry, folder) for entry in entries)]
    (folder / RECORDING).write_text("".join(json.dumps(one) + "\n" for one in lines))


def _gaps(board: Board) -> Iterator[str]:
    """Return why a run of this board cannot be had again, whatever reached it."""
    for slot, device in enumerate(board.machine.devices, 1):
        if device.model not in _IN_MODEL_TIME:
            yield f"what {device.model} (pci{slot}) does is done when the host gets to it"
    for slot, disk in board.qemu.recording.disks.items():
        if disk.problem:
            yield f"the disk of pci{slot} {disk.problem}"
    if _is_touched(board):
        yield "somebody has changed the machine by `dmav3 qmp`, which is not recorded"
    if board.qemu.was_stopped:
        yield "gdb or another monitor has stopped it: what that has changed is not recorded"


def _is_touched(board: Board) -> bool:
    with suppress(Dmav3Error):  # of one that does not answer it is not known
        return bool(board.qmp.get("touched"))
    return False


def _disks(board: Board, folder: Path) -> list[Disk]:
    """Keep what the disks had in them, if it is not too much, and say what they have now."""
    now, disks = board.qemu.disks(), []
    for slot, disk in board.qemu.recording.disks.items():
        if disk.data is not None:
            keep(folder, disk.data)
        if not disk.problem:
            size, digest = disk.size, disk.sha256
            disks.append(Disk(slot=slot, size=size, sha256=digest, ended=now[slot].sha256))
    return disks


def _of_device(exchanged: tuple[bool, bytes]) -> Entry:
    by_board, data = exchanged
    return Entry(0, "from-board" if by_board else "to-board", data=data)


def _line(entry: Entry, folder: Path) -> dict[str, Any]:
    line: dict[str, Any] = {"time_ns": entry.time_ns, "kind": entry.kind}
    if entry.name:
        line["name"] = entry.name
    if entry.arguments:
        line["arguments"] = entry.arguments
    if entry.kind == "line":
        line["text"] = entry.data.decode("latin-1")
    elif len(entry.data) > _INLINE:
        line["sha256"] = keep(folder, entry.data)
    elif entry.data:
        line["base64"] = base64.b64encode(entry.data).decode()
    return line


def read(folder: Path, files: Sequence[Path] = ()) -> Recorded:
    """Read a folder that `write` has made.

    :param files: what is not in the folder, if it is needed: large disks.
    :raises UsageError: it is none, a file is missing, damaged, or of another format.
    """
    path = folder / RECORDING
    first, *others = _lines(path) or [(1, {})]
    if first[1].get("format", FORMAT) != FORMAT:
        msg = f"{path} has format {first[1]['format']!r}; this dmav3 reads format {FORMAT}"
        raise UsageError(msg)
    made = _validated(Made, path, *first)
    entries = [_entry(path, number, line) for number, line in others]
    if hashlib.sha256(_bytes(folder / IMAGE)).hexdigest() != made.sha256:
        msg = f"{folder / IMAGE} is not the image of the run: its SHA-256 is another one"
        raise UsageError(msg)
    return Recorded(
        folder=folder,
        files=files,
        made=made,
        entries=[one for one in entries if one.kind not in _EXCHANGED],
        script=[(one.kind == _EXCHANGED[0], one.data) for one in entries if one.kind in _EXCHANGED],
        events=[line for _, line in _lines(folder / EVENTS)],
    )


def machine_of(recorded: Recorded, into: Path) -> Machine:
    """Return the machine of a run, with copies of the disks as they were before it.

    :param into: the folder of the copies; the run writes to them.
    :raises UsageError: the machine's file is damaged, or a disk missing or damaged.
    """
    machine = load_file(recorded.folder / MACHINE)
    disks = {disk.slot: disk for disk in recorded.made.disks}
    with_disk = {slot for slot, device in enumerate(machine.devices, 1) if device.disk}
    if with_disk != set(disks):
        msg = (
            f"{recorded.folder / MACHINE} has disks on slots {sorted(with_disk)}, {RECORDING} "
            f"tells of {sorted(disks)}"
        )
        raise UsageError(msg)
    wanted = {f"pci{disk.slot}": (disk.sha256, disk.description) for disk in disks.values()}
    copies = copy_wanted(wanted, recorded.folder, recorded.files, into)
    devices = [
        device.model_copy(update={"disk": copies.get(f"pci{slot}")})
        for slot, device in enumerate(machine.devices, 1)
    ]
    return machine.model_copy(update={"devices": tuple(devices)})


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path, _LONGEST)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}; is the folder that of a test or a run?"
        raise UsageError(msg) from error


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects of a file with the numbers of their lines."""
    text, found = _bytes(path).decode(errors="replace"), []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        try:
            one = json.loads(line)
        except (ValueError, RecursionError) as error:
            cut = "" if line.endswith("\n") else ": the file was cut off"
            raise DataFileError(path, number, "", f"is no JSON{cut} ({error})") from error
        if not isinstance(one, dict):
            raise DataFileError(path, number, "", "is no object of JSON")
        found.append((number, one))
    return found


def _validated(model: type[M], path: Path, number: int, line: dict[str, Any]) -> M:
    try:
        return model.model_validate(line)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise DataFileError(path, number, key, problem["msg"]) from error


def _entry(path: Path, number: int, line: dict[str, Any]) -> Entry:
    one = _validated(_Line, path, number, line)
    if one.sha256:
        data = _bytes(kept(path.parent, one.sha256))
        if hashlib.sha256(data).hexdigest() != one.sha256:
            raise DataFileError(path, number, "sha256", f"contents/{one.sha256} is damaged")
    else:
        data = one.text.encode("latin-1", "replace") or one.base64
    return Entry(one.time_ns, one.kind, one.name, one.arguments, data)


def lines_of(objects: Iterable[dict[str, Any]]) -> str:
    """Return objects as JSON, one a line."""
    return "".join(json.dumps(one, default=str) + "\n" for one in objects)
