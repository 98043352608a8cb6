# SPDX-License-Identifier: Apache-2.0
"""Machines: a description in YAML (qemu-machines/) becomes a frozen, checked value."""

from __future__ import annotations

import difflib
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dmav3 import installation
from dmav3.errors import MachineFileError, UsageError
from dmav3.files import read_regular

from .yaml_lines import Place, brief, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

Address = Annotated[int, Field(ge=0, lt=1 << 32)]  # below 4 GiB: `highmem=off`
Interrupt = Annotated[int, Field(ge=0, le=987)]  # number of a shared peripheral interrupt
#: What goes to QEMU's command line.
Printable = Annotated[str, Field(pattern=r"^[\x20-\x7e]+$")]
PowerOfTwo = Annotated[int, Field(gt=0, le=1 << 16)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Cache(_Part):
    """The cache level that is modelled: the last before the point of coherency."""

    level: Annotated[int, Field(ge=1, le=3)]
    line: PowerOfTwo  # bytes
    sets: PowerOfTwo
    ways: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _powers_of_two(self) -> Cache:
        for key in ("line", "sets"):
            if getattr(self, key).bit_count() != 1:
                msg = f"`{key}` is {getattr(self, key)}, which is not a power of two"
                raise ValueError(msg)
        return self


class Pl330(_Part):
    """One DMA controller: its registers, interrupts and number of request lines.

    :ivar nonsecure_base: of the registers as the non-secure world sees them; "dmav3" only.
    :ivar model: "dmav3" is the extension's own, which takes time; "qemu" is QEMU's, bare.
    :ivar clock_hz: of the clock of "dmav3".
    :ivar quantum_ns: on a machine with one view, how long at most the CPU does not see what "dmav3"
        stores if it looks at no register.
    """

    base: Address
    nonsecure_base: Address | None = None
    abort_irq: Interrupt
    event_irqs: Annotated[tuple[Interrupt, ...], Field(min_length=1, max_length=32, strict=False)]
    request_lines: Annotated[int, Field(ge=1, le=32)]
    model: Literal["dmav3", "qemu"] = "dmav3"
    clock_hz: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 200_000_000
    quantum_ns: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 100_000

    @property
    def is_bare(self) -> bool:
        """Whether it is QEMU's, which has no pace, no holds and no trace, and is not reset."""
        return self.model == "qemu"

    @model_validator(mode="after")
    def _has_what_it_says(self) -> Pl330:
        if self.nonsecure_base is not None and self.is_bare:
            msg = "`nonsecure_base` is given, but QEMU's own PL330 has one view of its registers"
            raise ValueError(msg)
        return self


class Stream(_Part):
    """The peripheral with a data register: registers, controller, request lines, interrupt."""

    base: Address
    pl330: Annotated[int, Field(ge=0)]  # index in `pl330` of the machine
    receive: Annotated[int, Field(ge=0, le=31)]
    transmit: Annotated[int, Field(ge=0, le=31)]
    irq: Interrupt = 195


class Uart(_Part):
    """The UART on which the shim takes commands."""

    kind: Literal["dmav3"]
    base: Address
    irq: Interrupt


#: What QEMU answers in place of a device.
_QUESTIONS = {"help", "?"}


class Device(_Part):
    """A PCI device of QEMU's own: what `-device MODEL,OPTIONS` makes, on a slot of its own.

    :ivar options: as QEMU takes them, such as "dma_mask=0xffffffff".
    :ivar disk: file that its option `drive` is to name, a raw image; None: it has no disk.
    :ivar read_only: the image is not to be written.
    :ivar removable: it sits behind a root port, on a bus of its own: `device_del` can take it.
    :ivar doorbells: offsets in BAR 0 of the registers that start it. Then only a store to one of
        these is a start, and all since the device's last access count; without, the last store to
        any of its BARs is the start.
    """

    model: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    options: Annotated[tuple[Printable, ...], Field(strict=False)] = ()
    disk: Annotated[Path | None, Field(strict=False)] = None
    read_only: bool = False
    removable: bool = False
    doorbells: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=1 << 32)], ...], Field(max_length=64, strict=False)
    ] = ()

    @field_validator("model", "options")
    @classmethod
    def _is_wanted(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        words = [given] if isinstance(given, str) else ",".join(given).split(",")
        if not _QUESTIONS.isdisjoint(words):
            msg = "QEMU would print its help instead of starting"
            raise ValueError(msg)
        return given

    @field_validator("disk")
    @classmethod
    def _printable(cls, disk: Path | None) -> Path | None:
        if disk is not None and not str(disk).isprintable():
            msg = "a path of printable characters is needed"
            raise ValueError(msg)
        return disk


#: Options of QEMU's devices that name files of the computer that it runs on, or what leads to them.
_OF_THE_HOST = {
    *("romfile", "drive", "chardev", "netdev", "memdev", "fsdev", "audiodev", "cryptodev"),
    *("host", "sysfsdev", "fd", "vhostfd", "vhost", "file", "filename", "path", "iommufd"),
}

RAM_BASE = 0x40000000  # of `virt`
_LONGEST = 1 << 16  # bytes of a description
_SLOTS = 31  # of its PCI bus, behind the host bridge's


class Machine(_Part):
    """A board that QEMU can be made to emulate.

    `view` is "dma" where DMA masters see DRAM behind the modelled cache, "none" where there is
    one coherent view and no cache model. The extension places its devices on `virt` itself, at
    the addresses that a description repeats for its reader.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    board: Literal["virt"]
    cpu: Literal["cortex-a53"]
    memory_mib: Annotated[int, Field(ge=16, le=1024)]
    view: Literal["dma", "none"]
    firmware: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    cache: Cache | None = None
    pl330: Annotated[tuple[Pl330, ...], Field(min_length=1, max_length=1, strict=False)]
    stream: Stream
    uart: Uart
    #: On slots from 1 on.
    devices: Annotated[tuple[Device, ...], Field(max_length=_SLOTS, strict=False)] = ()

    @property
    def image_memory(self) -> range:
        """Where an image may lie: RAM except its first MiB, where QEMU puts a device tree."""
        return range(RAM_BASE + (1 << 20), RAM_BASE + (self.memory_mib << 20))

    @model_validator(mode="after")
    def _parts_fit(self) -> Machine:
        if (self.cache is None) != (self.view == "none"):
            msg = f"view {self.view!r} needs {'a' if self.cache is None else 'no'} `cache`"
            raise ValueError(msg)
        if self.stream.pl330 >= len(self.pl330):
            msg = f"`stream.pl330` is {self.stream.pl330}, but the list `pl330` ends before that"
            raise ValueError(msg)
        if refused := self._past_the_views(self.devices):
            raise ValueError(refused)
        return self

    def _past_the_views(self, devices: Iterable[Device]) -> str:
        """Return why one of the devices cannot be on this machine; empty: each can."""
        outside = [it.model for it in devices if it.model.startswith("vhost-")]
        if self.view == "none" or not outside:
            return ""
        return (
            f"{outside[0]!r} does its work outside of QEMU and would go past the memory that "
            "devices see; such as 'virtio-rng-pci', or a machine with `view: none`"
        )

    def with_devices(self, devices: Iterable[Device | str], *, functions: int = 0) -> Machine:
        """Return the same machine with these PCI devices behind its own.

        :param devices: text is a model with its options, such as "edu,dma_mask=0xffffffff".
        :param functions: how many slots behind them others will take.
        :raises UsageError: a text is none, there are too many, or one goes past the views.
        """
        if isinstance(devices, str):
            msg = f"{devices!r} is no list of PCI devices; such as [{devices!r}]"
            raise UsageError(msg)
        more = tuple(it if isinstance(it, Device) else _device(it) for it in devices)
        if (count := len(self.devices) + len(more) + functions) > _SLOTS:
            msg = f"{count} PCI devices are more than the {_SLOTS} slots"
            raise UsageError(msg)
        if refused := self._past_the_views(more):
            raise UsageError(refused)
        return self.model_copy(update={"devices": (*self.devices, *more)})


#: What the extension builds on a board: a description repeats it and cannot choose it. (Whether its
#: `cache` is the CPU's is checked against the CPU, when the machine starts.)
_BUILT: dict[Place, int] = {
    ("pl330", 0, "base"): 0x0B000000,
    ("pl330", 0, "nonsecure_base"): 0x0B001000,
    ("pl330", 0, "abort_irq"): 176,
    ("pl330", 0, "request_lines"): 32,
    **{("pl330", 0, "event_irqs", n): 177 + n for n in range(16)},
    ("stream", "base"): 0x0B010000,
    ("stream", "pl330"): 0,
    ("stream", "receive"): 0,
    ("stream", "transmit"): 1,
    ("stream", "irq"): 195,
    ("uart", "base"): 0x0B030000,
    ("uart", "irq"): 193,
}

#: A description that is accepted, for error messages.
_EXAMPLE: dict[str, Any] = {
    "name": "virt-a53",
    "board": "virt",
    "cpu": "cortex-a53",
    "memory_mib": 64,
    "view": "dma",
    "firmware": "virt-a64",
    "cache": {"level": 2, "line": 64, "sets": 1024, "ways": 16},
    "pl330": {
        "base": "0x0B000000",
        "abort_irq": 176,
        "event_irqs": [177, 178],
        "request_lines": 32,
    },
    "stream": {"base": "0x0B010000", "pl330": 0, "receive": 0, "transmit": 1, "irq": 195},
    "uart": {"kind": "dmav3", "base": "0x0B030000", "irq": 193},
    "devices": [
        {
            "model": "edu",
            "options": ["dma_mask=0xffffffff"],
            "disk": "disk.img",
            "doorbells": ["0x98"],
        }
    ],
}


def load(name_or_path: str | Path, *, host_files: bool = False) -> Machine:
    """Read a machine's description.

    :param name_or_path: the name of a machine that comes with dmav3, or the path of a YAML file
        (anything with a `/` or ending in `.yaml`).
    :param host_files: let options of devices name what is this computer's, such as `romfile=`;
        else a description from elsewhere could have QEMU read any file.
    :raises UsageError: there is no such machine; the message lists the known ones.
    :raises MachineFileError: the file is unreadable or not accepted.
    """
    text = str(name_or_path)
    if "/" in text or text.endswith((".yaml", ".yml")):
        return load_file(Path(text), host_files=host_files)
    known = installation.machines()
    if text not in known:
        msg = (
            f"unknown machine {text!r}; known are: {', '.join(sorted(known))}, "
            "and a description by its path, such as ./mine.yaml"
        )
        raise UsageError(msg)
    return load_file(known[text])


def _device(text: str) -> Device:
    try:
        model, *options = text.split(",")
        return Device(model=model, options=tuple(options))
    except (AttributeError, ValidationError) as error:
        msg = (
            f"{text!r} is no device; such as 'edu', 'edu,dma_mask=0xffffffff', or an object of a "
            "class made of dmav3.Device"
        )
        raise UsageError(msg) from error


def load_file(path: Path, *, host_files: bool = False) -> Machine:
    """Read one file; raises as `load`."""
    try:
        data = read_regular(path, _LONGEST)
        text = data.decode()
    except OSError as error:
        raise MachineFileError(path, 1, "", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MachineFileError(path, line, "", f"cannot be read: {error}") from error
    return _machine(path, text, host_files)


@lru_cache(maxsize=32)
def _machine(path: Path, text: str, host_files: bool) -> Machine:  # noqa: FBT001 - as of load_file
    """Make one of what a file says: most tests of a run use the same."""
    value, places = parse(text, partial(MachineFileError, path))
    try:
        machine = Machine.model_validate(value)
    except ValidationError as error:
        raise _explain(path, places, error) from error
    _check_built(path, places, value)
    if not host_files:
        _check_options(path, places, machine)
    return machine


def _check_options(path: Path, places: dict[Place, int], machine: Machine) -> None:
    """Refuse options that name what is this computer's."""
    for number, device in enumerate(machine.devices):
        for index, option in enumerate(device.options):
            for key, _, named in (part.partition("=") for part in option.split(",")):
                if key.strip() in _OF_THE_HOST and named:
                    place: Place = ("devices", number, "options", index)
                    problem = (
                        f"{key}={named} names what is this computer's; to allow that in Python"
                    )
                    dotted = ".".join(map(str, place))
                    accepted = f"load({str(path)!r}, host_files=True)"
                    raise MachineFileError(path, places[place], dotted, problem, accepted)


def _check_built(path: Path, places: dict[Place, int], value: object) -> None:
    """Refuse what contradicts the hardware."""
    for place in sorted(places, key=lambda place: places[place]):
        if place not in _BUILT:
            continue
        given: Any = value
        for part in place:
            given = given[part]
        if given != _BUILT[place]:
            spell = hex if str(place[-1]).endswith("base") and given is not None else str
            built = spell(_BUILT[place])
            key = ".".join(str(part) for part in place)
            problem = f"is {spell(given)} here, {built} on this board"
            raise MachineFileError(path, places[place], key, problem, built)


def _explain(path: Path, places: dict[Place, int], error: ValidationError) -> MachineFileError:
    """Turn the first problem into one that names file, line, key and an accepted example."""
    problem = error.errors(include_url=False)[0]
    place: Place = problem["loc"]
    # Pydantic's place of a missing key is the key itself; its line is that of what should hold it.
    known = next(place[:n] for n in range(len(place), -1, -1) if place[:n] in places)
    key = ".".join(str(part) for part in place)
    example = _example(place)
    match problem["type"]:
        case "extra_forbidden":
            holder = _example(place[:-1])
            keys = list(holder) if isinstance(holder, dict) else []
            near = difflib.get_close_matches(str(place[-1]), keys, n=1)
            text, example = "unknown key", near[0] if near else ", ".join(keys)
        case "missing":
            text = "is missing"
        case _:
            given = "" if isinstance(problem["input"], dict) else f", not {brief(problem['input'])}"
            text = problem["msg"] + given
    return MachineFileError(path, places[known], key, text, _spell(example))


def _example(place: Place) -> object:
    value: object = _EXAMPLE
    for part in place:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part, "")
        elif isinstance(value, list):
            value = value[0]
    return value


def _spell(example: object) -> str:
    if isinstance(example, dict):
        return "{" + ", ".join(f"{key}: {_spell(value)}" for key, value in example.items()) + "}"
    return str(example)
