# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line for a machine. Pure."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dmav3.elf.image import Flat

    from .description import Device, Machine


@dataclass(frozen=True)
class Descriptors:
    """File descriptors that QEMU inherits; `dram` is None where there is one view of memory.

    :ivar image: the bytes of the firmware, or of a guest's device tree.
    :ivar sockets: listening sockets for a person's monitor and gdb.
    :ivar remote: socket on which devices written in Python are served.
    :ivar watch: file of what is done to bytes that are watched.
    """

    ram: int
    dram: int | None
    probe: int
    stream: int
    image: int
    serial: int
    monitor: int
    lifeline: int
    sockets: tuple[int, int] | None = None
    remote: int | None = None
    watch: int | None = None

    def all(self) -> tuple[int, ...]:
        """Return every descriptor, for `pass_fds`."""
        files = [self.ram, self.probe, self.stream, self.image]
        files += [fd for fd in (self.dram, self.remote, self.watch) if fd is not None]
        return (*files, self.serial, self.monitor, self.lifeline, *(self.sockets or ()))


@dataclass(frozen=True)
class Function:
    """A PCI function written in Python.

    :ivar pci_id: vendor and device.
    :ivar pci_class: class, subclass and programming interface, a byte each.
    :ivar messages: how many interrupts it has.
    """

    pci_id: tuple[int, int]
    pci_class: int
    messages: int


@dataclass(frozen=True)
class Registers:
    """Those of a device written in Python.

    :ivar size: bytes.
    :ivar doorbells: offsets of the registers that start it.
    :ivar function: they are behind the BAR of a PCI function.
    """

    size: int
    doorbells: tuple[int, ...] = ()
    function: Function | None = None


@dataclass(frozen=True)
class Stop:
    """Where the machine is to stop; of 0: nowhere.

    :ivar run: in which run: that after so many resets.
    :ivar ns: model time.
    :ivar pc, nth: an instruction, before it is executed for the n-th time; 0: only counted.
    :ivar finding, access: it is counted until there are so many findings, or accesses of what is
        watched.
    """

    run: int = 0
    ns: int = 0
    pc: int = 0
    nth: int = 0
    finding: int = 0
    access: int = 0


@dataclass(frozen=True)
class Watch:
    """Bytes of RAM of which it is recorded what is done to them; of `bytes` 0: none.

    :ivar address: physical.
    :ivar bytes: those beyond the cache line do not count.
    """

    address: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Acts:
    """Files of what the cache does of its own accord (`evidence.acts`); None: not wanted.

    :ivar log: is written.
    :ivar script: is followed; nothing else is done then.
    """

    log: Path | None = None
    script: Path | None = None


@dataclass(frozen=True)
class Boot:
    """What a guest is started with, where a board has its firmware.

    :ivar data: its device tree, flattened.
    :ivar kernel: an arm64 Image, or an ELF.
    :ivar initrd: the initial RAM disk; None: there is none.
    :ivar command_line: of the kernel.
    :ivar network: QEMU's own network is there as `netdev=net`; nothing of it reaches this computer.
    """

    data: bytes
    kernel: Path
    initrd: Path | None = None
    command_line: str = ""
    network: bool = False


@dataclass(frozen=True)
class Start:
    """What one start of a machine needs besides its description.

    :ivar image: the firmware of a board, or what a guest is started with.
    :ivar nonce: 64 random bits that the shim must repeat in `hello`.
    :ivar schedule: of the cache; None where nothing is modelled.
    :ivar remote: the devices written in Python.
    :ivar stop: where to stop.
    :ivar watch: what is watched.
    :ivar acts: of the cache, that are logged or followed.
    """

    qemu: str
    extension: Path
    image: Flat | Boot
    nonce: int
    seed: int
    schedule: str | None
    remote: tuple[Registers, ...] = ()
    stop: Stop = Stop()
    watch: Watch = Watch()
    acts: Acts = Acts()


def arguments(machine: Machine, start: Start, fds: Descriptors) -> list[str]:
    """Return the command with its arguments, ready for `subprocess`."""
    size, ram = f"{machine.memory_mib}M", f"mem-path=/proc/self/fd/{fds.ram}"
    # fmt: off
    return [
        start.qemu,
        "-M", "virt,highmem=off,memory-backend=ram0,dtb-randomness=off,acpi=off",
        "-cpu", machine.cpu,
        "-m", str(machine.memory_mib),
        "-object", f"memory-backend-file,id=ram0,share=on,size={size},{ram}",
        "-nodefaults", "-no-user-config", "-display", "none",
        "-chardev", f"socket,id=command,fd={fds.serial}",
        "-chardev", f"socket,id=monitor,fd={fds.monitor}",
        "-mon", "chardev=monitor,mode=control",
        "-plugin", f"{_escape(str(start.extension))},view={machine.view}",
        "-device", _device(machine, start, fds),
        *(_guest(start.image, fds) if isinstance(start.image, Boot) else _firmware(start.image)),
        *(word for slot, it in enumerate(machine.devices, 1) for word in _pci_device(slot, it)),
        *(_sockets(*fds.sockets) if fds.sockets else ()),
    ]
    # fmt: on


def _firmware(image: Flat) -> list[str]:
    # fmt: off
    return [
        # An image fits many times over, and a small buffer for its translation is soon made.
        "-accel", "tcg,thread=single,tb-size=32",
        "-icount", "shift=0,sleep=off",
        "-device", f"loader,cpu-num=0,addr={image.entry:#x}",
    ]
    # fmt: on


def _guest(boot: Boot, fds: Descriptors) -> list[str]:
    initrd = ["-initrd", str(boot.initrd)] if boot.initrd else []
    # fmt: off
    return [
        "-accel", "tcg,thread=single,tb-size=128",
        # A guest that waits for a disk, which works in a thread of QEMU's, must not be taken to its
        # next timer meanwhile.
        "-icount", "shift=0,sleep=on",
        # What has ended stands still, and can be looked at.
        "-no-reboot", "-no-shutdown",
        "-serial", "chardev:command",
        "-kernel", str(boot.kernel), *initrd,
        "-append", boot.command_line,
        "-dtb", f"/proc/self/fd/{fds.image}",
        *(("-netdev", "user,id=net,restrict=on") if boot.network else ()),
    ]
    # fmt: on


def _sockets(monitor: int, gdb: int) -> list[str]:
    # fmt: off
    return [
        "-chardev", f"socket,id=person,fd={monitor},server=on,wait=off",
        "-mon", "chardev=person,mode=control",
        "-chardev", f"socket,id=gdb,fd={gdb},server=on,wait=off",
        "-gdb", "chardev:gdb",
    ]
    # fmt: on


def _device(machine: Machine, start: Start, fds: Descriptors) -> str:
    options: dict[str, object] = {
        "id": "dmav3",
        "probe-fd": fds.probe,
        "lifeline-fd": fds.lifeline,
        "seed": start.seed,
    }
    if not isinstance(start.image, Boot):
        options |= {
            "stream-fd": fds.stream,
            "image-fd": fds.image,
            "image-base": start.image.base,
            "command": "command",
            "nonce": start.nonce,
        }
    if not machine.pl330[0].is_bare:
        options["pl330-clock-hz"] = machine.pl330[0].clock_hz
        options["pl330-quantum-ns"] = machine.pl330[0].quantum_ns
    if machine.cache is not None:
        options |= {
            "dram-fd": fds.dram,
            "schedule": start.schedule,
            "cache-level": machine.cache.level,
            "cache-line": machine.cache.line,
            "cache-sets": machine.cache.sets,
            "cache-ways": machine.cache.ways,
        }
        if doorbells := _doorbells(machine.devices, start.remote):
            options["doorbells"] = doorbells
    options |= {f"stop-{name}": value for name, value in asdict(start.stop).items() if value}
    if start.watch.bytes:
        options |= {f"watch-{name}": value for name, value in asdict(start.watch).items()}
        options["watch-fd"] = fds.watch
    options |= {f"acts-{it}": _escape(str(at)) for it, at in asdict(start.acts).items() if at}
    if start.remote:
        options["remote-fd"] = fds.remote
        options["remote"] = _remote(start.remote, 1 + len(machine.devices))
    return "dmav3-board," + ",".join(f"{key}={value}" for key, value in options.items())


def _remote(remote: Iterable[Registers], first_slot: int) -> str:
    """Return the extension's property, such as "4096/256+0x3+0x56781234+0xff0000+0x1"."""
    slots = itertools.count(first_slot)
    return "/".join(
        "+".join([str(one.size), *(_identity(one.function, slots) if one.function else ())])
        for one in remote
    )


def _identity(function: Function, slots: Iterator[int]) -> Iterator[str]:
    vendor, device = function.pci_id
    numbers = (next(slots), device << 16 | vendor, function.pci_class, function.messages)
    return map(hex, numbers)


def _doorbells(devices: Iterable[Device], remote: Iterable[Registers] = ()) -> str:
    """Return the extension's property, such as "pci1:0x98/remote0:0x1000+0x1008"."""
    named = {f"pci{slot}": device.doorbells for slot, device in enumerate(devices, 1)}
    named |= {f"remote{number}": one.doorbells for number, one in enumerate(remote)}
    return "/".join(
        f"{name}:" + "+".join(f"{offset:#x}" for offset in offsets)
        for name, offsets in named.items()
        if offsets
    )


def _pci_device(slot: int, device: Device) -> list[str]:
    name = f"pci{slot}"
    return [*_port(slot, device), *_disk(name, device), "-device", _function(slot, device)]


def _port(slot: int, device: Device) -> list[str]:
    """Give a device that can be unplugged a port of its own."""
    if not device.removable:
        return []
    port = f"pcie-root-port,id=port{slot},bus=pcie.0,chassis={slot},addr={slot:#x}"
    return ["-device", port]


def _disk(name: str, device: Device) -> list[str]:
    if device.disk is None:
        return []
    file = f"file.driver=file,file.filename={_escape(str(device.disk))}"
    mode = "on" if device.read_only else "off"
    return ["-blockdev", f"driver=raw,node-name={name}-disk,read-only={mode},{file}"]


#: Memory as devices see it is the extension's, so QEMU moves what a disk reads and writes through
#: buffers of its own. With the 4 KiB that a device may have of these, requests wait for each other
#: page by page, and where one waits so when an NVMe controller is reset, QEMU 10.0.13 never comes
#: back, and 10.0.2 aborts later: it cancels the request, and `dma_aio_cancel` does not end it.
_BOUNCE = "x-max-bounce-buffer-size=1G"


#: A virtio device of QEMU's accesses memory through the PCI bus only with this feature, which a
#: legacy device cannot have. Else it goes past the memory that devices see, and the extension
#: refuses it.
_ON_THE_BUS = "iommu_platform=on,disable-legacy=on"


#: Without doorbells in memory, which the CPU would store unseen, each command of NVMe comes by a
#: store to a register (ext/devices/nvme.h).
_BY_REGISTER = "dbcs=off"


def _function(slot: int, device: Device) -> str:
    where = f"bus=port{slot},addr=0" if device.removable else f"bus=pcie.0,addr={slot:#x}"
    drive = [] if device.disk is None else [f"drive=pci{slot}-disk"]
    own = [_ON_THE_BUS] if device.model.startswith("virtio-") else []
    own += [_BY_REGISTER] if device.model == "nvme" else []
    return ",".join([device.model, _BOUNCE, *own, *device.options, f"id=pci{slot}", where, *drive])


def _escape(text: str) -> str:
    """QEMU's option syntax doubles a comma that is meant."""
    return text.replace(",", ",,")
