# SPDX-License-Identifier: Apache-2.0
"""What the extension found, in words that a driver engineer can act on.

The extension knows numbers: program counters, trace ids, physical addresses. Here they become
functions and lines, routines and rules, buffers and offsets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from .probe import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dmav3.elf.image import Elf
    from dmav3.guest.memory import Memory

#: Ids of the operation log: routines come first, then callbacks, then entries of the back end.
FIRST_CALLBACK, FIRST_BACK_END = 80, 96
_NO_CHANNEL = 0xFFFFFFFF
#: In the place of a channel, above the number of a PCI device (ACCESSOR_PCI in the extension).
_PCI = 0x10000
#: In the same place, above the id of a virtio device that is not on PCI; alone: fw_cfg.
_OTHER = 0x20000
#: How QEMU calls these devices, by their id in the virtio standard.
_VIRTIO = {
    1: "virtio-net-device",
    2: "virtio-blk-device",
    3: "virtio-serial-device",
    4: "virtio-rng-device",
    5: "virtio-balloon-device",
    8: "virtio-scsi-device",
    9: "virtio-9p-device",
    16: "virtio-gpu-device",
    18: "virtio-input device",
    19: "vhost-vsock-device",
    20: "virtio-crypto-device",
}
#: Kinds of finding that are no hazard of the cache.
_BUS_ERROR = 8
_BYPASSING_DEVICE = 9
#: What makes a QEMU process useless, with the channel to be filled in.
POISONED = (
    "channel {channel} of the PL330 was killed, or faulted, with bytes on their way, and QEMU's "
    "model does not recover from that, not even by a reset"
)
#: Why the extension stopped the machine for good.
LIMITS = {
    Limit.BUS_ERROR: "a bus error came while channel {channel} of the PL330 ran and another had "
    "bytes on their way: QEMU's model does not tell whose it was, so neither can be faulted",
    Limit.POISONED: "channel {channel} of the PL330 was started, or ran, after one was killed, or "
    "faulted, with bytes on their way: QEMU's model would move wrong bytes from now on",
    Limit.BLOCKED: "channel {channel} of the PL330 locked up in QEMU's model, though not in "
    "silicon, because another one that waits has bytes in the FIFO",
}


@dataclass(frozen=True)
class _Kind:
    """What a kind of finding is called, which rule of which routine was owed, and what it means.

    `remedy` is for the routine; `misuse` for a driver that touched the buffer while it was mapped.
    """

    name: str
    rules: Mapping[str, str]
    meaning: str
    remedy: str
    misuse: str


_KINDS = {
    1: _Kind(
        "stale-cpu-read",
        {"FlushAdapterBuffersEx": "CCH-03"},
        "the CPU read bytes that the device had written to memory, without an invalidate between: "
        "it may have got what its cache held from before",
        "must invalidate the lines of the range after the transfer",
        "had not ended the mapping (not called yet, or refused), so the buffer was still the "
        "device's: call it first",
    ),
    2: _Kind(
        "stale-device-read",
        {"MapTransferEx": "CCH-02"},
        "the device read bytes that the CPU had stored, without a clean between: "
        "it may have got what memory held before the stores",
        "must clean the lines of the range before it starts the device",
        "had been called before that store, so the buffer was the device's already: store first",
    ),
    3: _Kind(
        "lost-device-write",
        {"MapTransferEx": "CCH-04"},
        "a device wrote bytes that were dirty in the cache: a write-back at any moment puts the "
        "CPU's old bytes over them",
        "must clean and invalidate the lines of the range before it starts the device",
        "had been called before that store, so the buffer was the device's already: store first",
    ),
    4: _Kind(
        "lost-cpu-write",
        {"FlushAdapterBuffersEx": "CCH-15"},
        "bytes were read that the CPU had stored and an invalidate had then discarded",
        "must not invalidate a line that holds other data: only lines wholly inside the range",
        "had not ended the mapping when that was stored, so the buffer was still the device's: "
        "call it first",
    ),
    5: _Kind(
        "shared-line",
        {"MapTransferEx": "CCH-12"},
        "the CPU and a device wrote different bytes of one cache line: a write-back or an "
        "invalidate of the line loses one of them",
        "must bounce a line that the buffer shares with other data",
        "had been called before that store, so the buffer was the device's already: store first",
    ),
    6: _Kind(
        "missing-barrier",
        {"MapTransferEx": "CCH-08", "FlushAdapterBuffersEx": "CCH-09"},
        "there was no barrier between the maintenance, or the store, and the access that relied on "
        "it: it may not have been complete",
        "must issue a DSB behind its maintenance",
        "",
    ),
    7: _Kind(
        "mismatched-alias",
        {},
        "a line that is in the cache was reached through a mapping that is not cacheable: what "
        "such an access gives is not defined",
        "",
        "",
    ),
    _BUS_ERROR: _Kind(
        "bus-error",
        {},
        "a channel of the PL330 accessed what answers with an error, which channel cannot be told, "
        "so there was no fault and the machine was stopped",
        "",
        "",
    ),
    _BYPASSING_DEVICE: _Kind(
        "bypassing-device",
        {},
        "the CPU started a device that QEMU lets past the memory that devices see: what it reads "
        "is what the CPU sees, and what it writes may be lost with the cache line",
        "",
        "",
    ),
}
#: The first kind where a bounce page stands in for the buffer; a driver that reads too early breaks
#: the same rule there.
_BOUNCED_MISUSE = replace(
    _KINDS[1],
    meaning="the CPU read bytes that the device had written to a bounce page and that nobody had "
    "copied from there: it got what its memory held from before",
)
_PCI_BUS_ERROR = replace(
    _KINDS[_BUS_ERROR],
    meaning="a device accessed what answers with an error; not every device of QEMU's notices",
)
_NOT_COPIED = replace(
    _BOUNCED_MISUSE,
    rules={"FlushAdapterBuffersEx": "MR-12"},
    remedy="must copy what the device has written out of the bounce page",
)


@dataclass(frozen=True)
class Cpu:
    """The access by the CPU that raced; what is not known is None."""

    pc: str
    function: str | None
    file: str | None
    line: int | None


@dataclass(frozen=True)
class Device:
    """The access by a device on the other side.

    :ivar name: "pl330", or "pci" and bus, device and function, such as "pci 00:01.0"; of one that
        is not on PCI what it is and where, such as "virtio-rng-device at 0xa003e00".
    :ivar channel, microcode, burst: of the PL330 only.
    """

    name: str
    channel: int | None = None
    microcode: str | None = None
    burst: int | None = None


@dataclass(frozen=True)
class Place:
    """A byte of a buffer of the test, or of a variable of the firmware."""

    name: str
    offset: int


@dataclass(frozen=True)
class Finding:
    """One root cause; every field but `count` is of its first case.

    :ivar time_ns: model time.
    :ivar routine, rule: what owed the maintenance, and by which rule; None where that is not known.
    :ivar text: for a person.
    """

    kind: str
    count: int
    time_ns: int
    command: int
    seq: int
    address: str
    cpu: Cpu | None
    device: Device | None
    buffer: Place | None
    routine: str | None
    rule: str | None
    text: str

    def json(self) -> dict[str, Any]:
        """Return the object of `dmav3 run --json`."""
        return asdict(self)

    def line(self) -> str:
        """Return all that a person needs, on one line."""
        times = f", {self.count} times" if self.count > 1 else ""
        return f"{self.kind} at {self.address}{times}: {self.text}"


def kinds() -> list[str]:
    """Return the name of every kind of finding."""
    return [kind.name for kind in _KINDS.values()]


def routine_names(image: Elf) -> dict[int, str]:
    """Return the names of the operation log's ids, from the firmware's own enumeration."""
    return {value: name.removeprefix("OPLOG_") for name, value in image.enum("oplog_id").items()}


def resolve(raw: Mapping[str, int], image: Elf, memory: Memory) -> Finding:
    """Explain one `struct probe_finding`."""
    kind = _kind(raw)
    routine = routine_names(image).get(raw["routine"]) if raw["routine"] else None
    rule = kind.rules.get(routine) if routine else None
    buffer = _buffer(raw["address"], image, memory)
    cpu, device = _cpu(raw["cpu_pc"], image), _device(raw)
    return Finding(
        kind=kind.name,
        count=raw["count"],
        time_ns=raw["time_ns"],
        command=raw["command"],
        seq=raw["seq"],
        address=f"{raw['address']:#x}",
        cpu=cpu,
        device=device,
        buffer=buffer,
        routine=routine,
        rule=rule,
        text=_text(
            kind,
            routine,
            rule,
            cpu,
            device,
            buffer,
            raw["address"],
            while_mapped=bool(raw["while_mapped"]),
        ),
    )


def costs(raw: Iterable[Mapping[str, int]], image: Elf) -> list[dict[str, Any]]:
    """Sum up maintenance that changed nothing, by function.

    :return: `function` is the routine or callback whose part it was, outside of them the function
        of the instruction; `operations` is how many it executed, `lines` how many of them found
        nothing to do (one instruction acts on one line). Functions without any are left out.
    """
    sums: dict[str, list[int]] = {}
    routines = routine_names(image)
    for cost in raw:
        name = routines.get(cost["routine"]) or image.function(cost["pc"]) or f"{cost['pc']:#x}"
        total = sums.setdefault(name, [0, 0])
        total[0] += cost["operations"]
        total[1] += cost["redundant"]
    return [
        {
            "function": name,
            "kind": "redundant-maintenance",
            "operations": operations,
            "lines": redundant,
        }
        for name, (operations, redundant) in sorted(sums.items())
        if redundant
    ]


def _kind(raw: Mapping[str, int]) -> _Kind:
    if raw["bounced"]:
        return _BOUNCED_MISUSE if raw["while_mapped"] else _NOT_COPIED
    if raw["kind"] == _BUS_ERROR and _is_pci(raw["channel"]):
        return _PCI_BUS_ERROR
    return _KINDS.get(raw["kind"]) or _Kind(f"kind-{raw['kind']}", {}, "not known here", "", "")


def _buffer(physical: int, image: Elf, memory: Memory) -> Place | None:
    if place := memory.locate(physical):
        return Place(place[0].name, place[1])
    if variable := image.variable(physical):  # the image is mapped where it lies
        return Place(variable.name, physical - variable.address)
    return None


def _cpu(pc: int, image: Elf) -> Cpu | None:
    if not pc:
        return None
    line = image.line(pc)
    return Cpu(
        f"{pc:#x}", image.function(pc), line.file if line else None, line.line if line else None
    )


def pci_address(requester: int) -> str:
    """Return bus, device and function of a PCI device as people write them, such as "00:01.0"."""
    return f"{requester >> 8 & 0xFF:02x}:{requester >> 3 & 0x1F:02x}.{requester & 7}"


def _is_pci(channel: int) -> bool:
    return channel != _NO_CHANNEL and bool(channel & _PCI)


def _other_name(virtio_id: int) -> str:
    if not virtio_id:
        return "fw_cfg"
    return _VIRTIO.get(virtio_id, f"virtio device {virtio_id}")


def _device(raw: Mapping[str, int]) -> Device | None:
    if raw["channel"] == _NO_CHANNEL:
        return None
    if _is_pci(raw["channel"]):
        return Device(f"pci {pci_address(raw['channel'])}")
    if raw["channel"] & _OTHER:
        return Device(f"{_other_name(raw['channel'] ^ _OTHER)} at {raw['address']:#x}")
    return Device("pl330", raw["channel"], f"{raw['microcode']:#x}", raw["burst"])


def _access(device: Device, address: int) -> str:
    if device.microcode is None:
        return f"the device was {device.name}"
    if int(device.microcode, 0) == address:
        return f"channel {device.channel} fetched its program there"
    return f"the device's was burst {device.burst} of channel {device.channel}"


def _text(
    kind: _Kind,
    routine: str | None,
    rule: str | None,
    cpu: Cpu | None,
    device: Device | None,
    buffer: Place | None,
    address: int,
    *,
    while_mapped: bool,
) -> str:
    parts = [kind.meaning]
    if buffer:
        parts.append(f"at byte {buffer.offset} of {buffer.name}")
    if cpu:
        where = f" ({cpu.file}:{cpu.line})" if cpu.file else ""
        parts.append(f"the CPU's access was in {cpu.function or cpu.pc}{where}")
    if device:
        parts.append(_access(device, address))
    if routine:
        what = kind.misuse if while_mapped else kind.remedy
        parts.append(f"{routine} {what}" + (f" ({rule})" if rule else ""))
    elif kind.rules:
        parts.append("no mapping covers the address, so no routine owed anything")
    return "; ".join(parts)
