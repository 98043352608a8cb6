# SPDX-License-Identifier: Apache-2.0
"""What the extension found, in words that a driver engineer can act on.

The extension knows numbers: program counters, trace ids, physical addresses. Here they become
functions and lines, routines and rules, buffers and offsets.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from dmav3.errors import UsageError

from . import mappings, microcode
from .probe import BadRecord, BusErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dmav3.elf.image import Elf
    from dmav3.guest.memory import Buffer

_NO_CHANNEL = 0xFFFFFFFF
#: In the place of a channel, above the number of a PCI device (ACCESSOR_PCI in the extension).
_PCI = 0x10000
#: In the same place, above the id of a virtio device that is not on PCI; alone: fw_cfg.
_OTHER = 0x20000
#: Bytes that a channel fetches of its program in one go.
_CODE_LINE = 32
#: In the place of a channel: QEMU's own PL330, which does not say which of its channels it is.
_RIVAL = 0x40000
#: In the same place, above its number: a device written in Python.
_REMOTE = 0x80000
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
_LOST_DEVICE_WRITE, LOST_CPU_WRITE, SHARED_LINE = 3, 4, 5
_OTHER_PLACES = "(instructions that found no room)"
#: Kinds of finding that are no hazard of the cache.
_BUS_ERROR = 8
_BYPASSING_DEVICE, _NOT_YOURS, _STRAY, _BAD_RECORD = 9, 10, 11, 12
#: What a program of the PL330 did wrong, from the first kind on: its name, and what it means.
FIRST_OF_MICROCODE, CHANGED_PROGRAM = 13, 18
#: The back end's table of what emitted which instruction (firmware/pl330/code.h).
_EMITTERS = "pl330_emitters"
_OF_MICROCODE = {
    "microcode-early-event": "a program raised an event, with no DMAWMB behind the last store that "
    "came before it: the bytes may not be in memory when the event is taken",
    "microcode-early-load": "a program loaded bytes that a store before it had not written yet: "
    "there is no DMAWMB between",
    "microcode-unused-request": "a program took a request of its peripheral and moved nothing for "
    "it: its loads and stores are for the other type of request",
    "microcode-old-request": "a program took a request that was there before it started, with no "
    "DMAFLUSHP between: it may be one that the transfer before has served",
    "microcode-full-fifo": "a program loaded more than the FIFO has room for before it stores: it "
    "locks up, unless another channel makes room",
    "microcode-changed-program": "memory is not what a program was fetched from when it ends: it "
    "was written to while the program ran, which goes on with what it has fetched",
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


#: Routines that give a buffer to the device, and that give it back.
_GIVING = (
    "MapTransferEx",
    "MapTransfer",
    "GetScatterGatherListEx",
    "GetScatterGatherList",
    "BuildScatterGatherListEx",
    "BuildScatterGatherList",
)
_TAKING = (
    "FlushAdapterBuffersEx",
    "FlushAdapterBuffers",
    "PutScatterGatherList",
    "FreeAdapterObject",
    "FreeAdapterChannel",
)
_ALLOCATORS = ("AllocateCommonBuffer", "AllocateCommonBufferEx")
#: What routines of all kinds owe: the rule, and what it asks for in place of a kind's remedy.
_UNCACHED = dict.fromkeys(_ALLOCATORS, "ACX-04")
_RECIPE = {"KeFlushIoBuffers": "KFI-01"}
_MICROCODE = {"ProgramChannel": "CCH-21"}
_REMEDIES = {
    **dict.fromkeys(
        _ALLOCATORS, "must give memory that is not cached, as the device is not coherent"
    ),
    "KeFlushIoBuffers": "must maintain the lines of its range, and had been called in time",
    "ProgramChannel": "must make its program visible to the controller before the start: memory "
    "that is not cached, or a clean, and a barrier",
}


def _each(routines: Iterable[str], rule: str) -> dict[str, str]:
    return dict.fromkeys(routines, rule)


_TOUCHED_TOO_LATE = (
    "had been called before that store, so the buffer was the device's already: store first"
)
_KINDS = {
    1: _Kind(
        "stale-cpu-read",
        _each(_TAKING, "CCH-03") | _RECIPE | _UNCACHED,
        "the CPU read bytes that the device had written to memory, without an invalidate between: "
        "it may have got what its cache held from before",
        "must invalidate the lines of the range after the transfer",
        "had not ended the mapping of these bytes (not called yet, refused, or with too small a "
        "length), so the buffer was still the device's: call it first",
    ),
    2: _Kind(
        "stale-device-read",
        _each(_GIVING, "CCH-02") | _RECIPE | _UNCACHED | _MICROCODE,
        "the device read bytes that the CPU had stored, without a clean between: "
        "it may have got what memory held before the stores",
        "must clean the lines of the range before it starts the device",
        _TOUCHED_TOO_LATE,
    ),
    3: _Kind(
        "lost-device-write",
        _each(_GIVING, "CCH-04") | _RECIPE | _UNCACHED,
        "a device wrote bytes that were dirty in the cache: a write-back at any moment puts the "
        "CPU's old bytes over them",
        "must clean and invalidate the lines of the range before it starts the device",
        _TOUCHED_TOO_LATE,
    ),
    4: _Kind(
        "lost-cpu-write",
        _each(_TAKING, "CCH-15") | _UNCACHED,
        "bytes were read that the CPU had stored and an invalidate had then discarded",
        "must not invalidate a line that holds other data: only lines wholly inside the range",
        "had not ended the mapping when that was stored, so the buffer was still the device's: "
        "call it first",
    ),
    5: _Kind(
        "shared-line",
        _each(_GIVING, "CCH-12") | _UNCACHED,
        "the CPU and a device wrote different bytes of one cache line: a write-back or an "
        "invalidate of the line loses one of them",
        "must bounce a line that the buffer shares with other data",
        _TOUCHED_TOO_LATE,
    ),
    6: _Kind(
        "missing-barrier",
        _each(_GIVING, "CCH-08") | _each(_TAKING, "CCH-09") | _MICROCODE,
        "a device read bytes that were stored, or accessed a line under maintenance, with no "
        "barrier that orders them between that and its start; or the CPU loaded a device's bytes "
        "whose invalidate no barrier ordered behind the device's write",
        "must issue a barrier between its maintenance and the start of the device, or between the "
        "device's last write and its invalidate: a DMB of loads and stores is enough, one of loads "
        "(LD) or of the domain NSH is not",
        "",
    ),
    7: _Kind(
        "mismatched-alias",
        {},
        "bytes that the CPU had stored through the cache, and not cleaned, were reached through a "
        "mapping that is not cacheable: what such an access gives, or leaves, is not defined",
        "",
        "",
    ),
    _BUS_ERROR: _Kind(
        "bus-error",
        {},
        "QEMU's own PL330 accessed what answers with an error, which it ignores: silicon's faults",
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
    _NOT_YOURS: _Kind(
        "not-your-buffer",
        _each(_TAKING, "CCH-03"),
        "the CPU loaded from a buffer that was the device's",
        "",
        "had not ended the mapping of these bytes (not called yet, refused, or with too small a "
        "length), so the buffer was still the device's: call it first",
    ),
    _STRAY: _Kind(
        "stray-device-access",
        {},
        "a device read memory that nothing had given it: no live mapping for that direction, no "
        "common buffer, no memory of the layer's own",
        "",
        "",
    ),
    _BAD_RECORD: _Kind("bad-record", {}, "the image's operation log said what cannot be", "", ""),
    **{
        number: _Kind(name, {}, meaning, "", "")
        for number, (name, meaning) in enumerate(_OF_MICROCODE.items(), FIRST_OF_MICROCODE)
    },
}
#: Stores where a kind is of loads.
_STORED = replace(
    _KINDS[_NOT_YOURS],
    rules=_each(_GIVING, "CCH-02"),
    meaning="the CPU stored to a buffer that was the device's",
    misuse=_TOUCHED_TOO_LATE,
)
#: Where what was touched is a request, by the routine that gave it back.
_COMPLETION = "IofCompleteRequest"
_COMPLETED = _Kind(
    "completed-request",
    {},
    "the CPU accessed a request after it was completed",
    "",
    "had given the request back, which may be gone by now: take what is needed of it before",
)
_STORED_TO_READ = replace(_STORED, rules=_each(_GIVING, "CCH-04"))
_STRAY_WRITE = replace(_KINDS[_STRAY], meaning=_KINDS[_STRAY].meaning.replace("read", "wrote"))
_WRONG_ADDRESS = (
    "the channel's adapter was made in {}: give IoGetDmaAdapter the DeviceAddress of the device's "
    "data register, and MapTransferEx memory that there is"
)
_BAD_RECORDS = {
    BadRecord.NOT_RAM: "bytes, from {address:#x} on, that are not in RAM, or none at all",
    BadRecord.UNKNOWN: "the end of {address:#x}, which never began, or has ended",
    BadRecord.TOO_MANY: "more at a time than there is room for, with {address:#x}",
}
#: The first kind where a bounce page stands in for the buffer; a driver that reads too early breaks
#: the same rule there.
_BOUNCED_MISUSE = replace(
    _KINDS[1],
    meaning="the CPU read bytes that the device had written to a bounce page and that nobody had "
    "copied from there: it got what its memory held from before",
)
_FAULT = replace(
    _KINDS[_BUS_ERROR],
    meaning="a channel of the PL330 loaded from where nothing answers, or only with an error, so "
    "its transfer ended with DmaError",
)
_FAULT_OF_STORE = replace(_FAULT, meaning=_FAULT.meaning.replace("loaded from", "stored to"))
_MASTER_BUS_ERROR = replace(
    _KINDS[_BUS_ERROR],
    meaning="a device accessed what answers with an error; not every device of QEMU's notices",
)
_NO_MASTER = replace(
    _KINDS[_BUS_ERROR],
    meaning="a PCI device was to access memory, but its driver has not switched bus mastering on, "
    "or has switched it off too early: dmav3_pci_enable(), or bit 2 of the command register",
)
_NOT_COPIED = replace(
    _BOUNCED_MISUSE,
    rules=_each(_TAKING, "MR-12"),
    remedy="must copy what the device has written out of the bounce page",
)


@dataclass(frozen=True)
class Cpu:
    """The access by the CPU that raced; what is not known is None.

    :ivar function: the innermost one, if it was inlined; `Finding.text` says into what. Where no
        barrier orders the clean of what was stored, the innermost that has that clean in it too.
    """

    pc: str
    function: str | None
    file: str | None
    line: int | None


@dataclass(frozen=True)
class Device:
    """The access by a device on the other side.

    :ivar name: "pl330", or "pci" and bus, device and function, such as "pci 00:01.0"; of one that
        is not on PCI what it is and where, such as "virtio-rng-device at 0xa003e00"; of one written
        in Python the name of its class.
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

    def summary(self) -> str:
        """Return what it is and where, in a few words."""
        cpu, device, buffer = self.cpu, self.device, self.buffer
        if cpu and cpu.function:
            return f"{self.kind} in {cpu.function}" + (
                f" ({cpu.file}:{cpu.line})" if cpu.file else ""
            )
        at = f"byte {buffer.offset} of {buffer.name}" if buffer else self.address
        return f"{self.kind} at {at}" + (f" by {device.name}" if device else "")

    def line(self) -> str:
        """Return all that a person needs, on one line."""
        times = f", {self.count} times" if self.count > 1 else ""
        return f"{self.kind} at {self.address}{times}: {self.text}"


class Ram(Protocol):
    """What is asked of memory: of a board's, or of a guest's, of whose buffers none is known."""

    def locate(self, physical: int) -> tuple[Buffer, int] | None:
        """Return the buffer that a physical address lies in, and the offset there."""

    def look(self, physical: int, length: int) -> bytes:
        """Return bytes as the CPU sees them, without an access."""


def kinds() -> list[str]:
    """Return the name of every kind of finding."""
    return [kind.name for kind in (*_KINDS.values(), _COMPLETED)]


def kind_name(kind: int) -> str:
    """Return what `probe_finding.kind` is called, such as "stale-cpu-read"."""
    return _KINDS[kind].name


def routine_names(image: Elf) -> dict[int, str]:
    """Return the names of the operation log's ids, from the firmware's own enumeration.

    Empty where it has none, as a guest without the layer.
    """
    try:
        names = image.enum("oplog_id")
    except UsageError:
        return {}
    return {value: name.removeprefix("OPLOG_") for name, value in names.items()}


def resolve(
    raw: Mapping[str, int],
    image: Elf,
    memory: Ram,
    adapter_of: Callable[[int, int], str],
    remote: Sequence[str] = (),
) -> Finding:
    """Explain one `struct probe_finding`.

    :param adapter_of: returns where the adapter of a channel was made, up to a command.
    :param remote: names of the devices written in Python.
    """
    names = routine_names(image)
    kind, routine = _blame(raw, names)
    rule = kind.rules.get(routine) if routine else None
    buffer = _buffer(raw["address"], image, memory)
    pc, device = raw["cpu_pc"], device_of(raw, remote)

    def named(address: int) -> str:
        place = _buffer(address, image, memory)
        return place.name if place else ""

    parts = [kind.meaning]
    if buffer:
        parts.append(f"at byte {buffer.offset} of {buffer.name}")
    of_program = raw["kind"] >= FIRST_OF_MICROCODE
    parts += [_instruction(raw, image, memory)] if of_program else _accesses(raw, image, device)
    if routine:
        parts.append(remedy(raw, names))
        if raw["while_mapped"] and (made := mappings.made(raw, names, image)):
            parts.append(made)
    elif raw["kind"] == _STRAY:
        parts.append(mappings.nearest(raw, names, image, named))
    elif raw["kind"] == _BUS_ERROR and raw["reason"] == BusErrorKind.FAULTED:
        if made := adapter_of(raw["channel"], raw["command"]):
            parts.append(_WRONG_ADDRESS.format(made))
    elif raw["kind"] == _BAD_RECORD:
        parts.append(_BAD_RECORDS[BadRecord(raw["reason"])].format(**raw))
    elif kind.rules and raw["has_layer"]:
        parts.append("no mapping covers the address, so no routine owed anything")
    return Finding(
        kind=kind.name,
        count=raw["count"],
        time_ns=raw["time_ns"],
        command=raw["command"],
        seq=raw["seq"],
        address=f"{raw['address']:#x}",
        cpu=_cpu(pc, raw["clean_pc"], image),
        device=device,
        buffer=buffer,
        routine=routine,
        rule=rule,
        text="; ".join(parts),
    )


def remedy(raw: Mapping[str, int], names: Mapping[int, str]) -> str:
    """Return what the routine that owed something must do, and the rule.

    :param names: of the routines (`routine_names`).
    :return: of a program of the PL330 what it lacks; empty: nobody owed anything.
    """
    kind, routine = _blame(raw, names)
    if not routine:
        return kind.meaning if raw["kind"] >= FIRST_OF_MICROCODE else ""
    what = kind.misuse if raw["while_mapped"] else _REMEDIES.get(routine, kind.remedy)
    rule = kind.rules.get(routine)
    return f"{routine} {what}" + (f" ({rule})" if rule else "")


def by_cause(raw: Iterable[Mapping[str, int]], image: Elf, memory: Ram) -> list[dict[str, int]]:
    """Count those together that have one cause: the extension knows instructions, not functions.

    :return: the first case of each, in their order, with the sum of the counts.
    """
    causes: dict[tuple[object, ...], dict[str, int]] = {}
    for one in raw:
        same = causes.setdefault(_cause(one, image, memory), {**one, "count": 0})
        same["count"] += one["count"]
    _fold_shared_lines(causes)
    return list(causes.values())


def _fold_shared_lines(causes: dict[tuple[object, ...], dict[str, int]]) -> None:
    """Count what a device wrote beside a store as its write over that store, if it is both.

    It writes a line in pieces, and may come to the byte that was stored in a later one.
    """
    for cause, beside in list(causes.items()):
        over = causes.get((_LOST_DEVICE_WRITE, *cause[1:]))
        if cause[0] == SHARED_LINE and beside["by_device"] and not beside["routine"] and over:
            over["count"] += causes.pop(cause)["count"]


def _cause(raw: Mapping[str, int], image: Elf, memory: Ram) -> tuple[object, ...]:
    """Return what cases of one cause share: a routine that owed something, or else a function.

    A function that loads and stores in a buffer of the device has one cause, whichever came first.
    """
    if raw["kind"] == _STRAY:
        near = (raw["near"], raw["maker"], mappings.caller(raw, image))
        return _STRAY, raw["channel"], raw["is_write"], near
    if raw["routine"] and not raw["while_mapped"]:
        return raw["kind"], raw["routine"], raw["bounced"]
    function = image.function(raw["cpu_pc"]) or raw["cpu_pc"]
    device = raw["channel"] if raw["by_device"] or raw["kind"] == _BYPASSING_DEVICE else None
    buffer = _buffer(raw["address"], image, memory)
    name = buffer.name if buffer else None
    routine = None if raw["kind"] == _NOT_YOURS else raw["routine"]
    return raw["kind"], routine, raw["bounced"], raw["reason"], function, device, name


def costs(raw: Iterable[Mapping[str, int]], image: Elf) -> list[dict[str, Any]]:
    """Sum up maintenance that changed nothing, by function.

    :return: `function` is the routine or callback whose part it was, outside of them the function
        of the instruction, the innermost one if it was inlined; `operations` is how many it
        executed, `lines` how many of them found nothing to do (one instruction acts on one line).
        Functions without any are left out. For instructions beyond the first 1023 there is no
        room: they are in one entry, whose `function` says so.
    """
    sums: dict[str, list[int]] = {}
    routines = routine_names(image)
    for cost in raw:
        place = f"{cost['pc']:#x}" if cost["pc"] else _OTHER_PLACES
        name = routines.get(cost["routine"]) or image.function(cost["pc"]) or place
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


def _blame(raw: Mapping[str, int], names: Mapping[int, str]) -> tuple[_Kind, str | None]:
    """Return what it is, and the routine that owed something; None: none did."""
    if raw["kind"] == _NOT_YOURS and names.get(raw["maker"]) == _COMPLETION:
        return _COMPLETED, _COMPLETION
    return _kind(raw), names.get(raw["routine"]) if raw["routine"] else None


def _kind(raw: Mapping[str, int]) -> _Kind:
    if raw["bounced"]:
        return _BOUNCED_MISUSE if raw["while_mapped"] else _NOT_COPIED
    if raw["kind"] == _BUS_ERROR and _is_master(raw["channel"]):
        return _NO_MASTER if raw["reason"] == BusErrorKind.NO_MASTER else _MASTER_BUS_ERROR
    if raw["kind"] == _BUS_ERROR and raw["reason"] == BusErrorKind.FAULTED:
        return _FAULT_OF_STORE if raw["is_write"] else _FAULT
    if raw["kind"] == _NOT_YOURS and raw["is_write"]:
        return _STORED if raw["for_write"] else _STORED_TO_READ
    if raw["kind"] == _STRAY and raw["is_write"]:
        return _STRAY_WRITE
    return _KINDS.get(raw["kind"]) or _Kind(f"kind-{raw['kind']}", {}, "not known here", "", "")


def _buffer(physical: int, image: Elf, memory: Ram) -> Place | None:
    if place := memory.locate(physical):
        return Place(place[0].name, place[1])
    if variable := image.variable(physical):  # the image is mapped where it lies
        return Place(variable.name, physical - variable.address)
    return None


def _cpu(pc: int, clean_pc: int, image: Elf) -> Cpu | None:
    if not pc:
        return None
    frames = image.frames(pc)
    cleaning = {frame.function for frame in image.frames(clean_pc)}
    both = [frame for frame in frames if frame.function in cleaning]
    function, line = next(iter(both or frames), (None, image.line(pc)))
    return Cpu(f"{pc:#x}", function, line and line.file, (line and line.line) or None)


def pci_address(requester: int) -> str:
    """Return bus, device and function of a PCI device as people write them, such as "00:01.0"."""
    return f"{requester >> 8 & 0xFF:02x}:{requester >> 3 & 0x1F:02x}.{requester & 7}"


def _is_pci(channel: int) -> bool:
    return channel != _NO_CHANNEL and bool(channel & _PCI)


def _is_remote(channel: int) -> bool:
    return channel != _NO_CHANNEL and bool(channel & _REMOTE)


def _is_master(channel: int) -> bool:
    return _is_pci(channel) or _is_remote(channel)


def _other_name(virtio_id: int) -> str:
    if not virtio_id:
        return "fw_cfg"
    return _VIRTIO.get(virtio_id, f"virtio device {virtio_id}")


def device_of(raw: Mapping[str, int], remote: Sequence[str]) -> Device | None:
    """Return the device of `channel`, `microcode`, `burst` and `address`; None: none is known."""
    if raw["channel"] == _NO_CHANNEL:
        return None
    if _is_remote(raw["channel"]):
        return Device(remote[raw["channel"] ^ _REMOTE])
    if _is_pci(raw["channel"]):
        return Device(f"pci {pci_address(raw['channel'])}")
    if raw["channel"] & _OTHER:
        return Device(f"{_other_name(raw['channel'] ^ _OTHER)} at {raw['address']:#x}")
    if raw["channel"] == _RIVAL:
        return Device("QEMU's own pl330")
    return Device("pl330", raw["channel"], f"{raw['microcode']:#x}", raw["burst"])


def device_name(channel: int, remote: Sequence[str]) -> str:
    """Return what a device is called of which only its number is known, such as "pl330 channel 0".

    :param channel: as in `qemu-machines/ext/memory/accessor.h`.
    :param remote: the classes of the devices written in Python, in order.
    """
    raw = {"channel": channel, "address": 0, "microcode": 0, "burst": 0}
    device = device_of(raw, remote)
    if device is None:
        return "a device"
    return device.name if device.channel is None else f"{device.name} channel {device.channel}"


def _access(device: Device, address: int) -> str:
    if device.microcode is None:
        return f"the device was {device.name}"
    if 0 <= address - int(device.microcode, 0) < _CODE_LINE:
        return f"channel {device.channel} fetched its program there"
    return f"the device's was burst {device.burst} of channel {device.channel}"


def _emitter(raw: Mapping[str, int], length: int, image: Elf, memory: Ram) -> str:
    """Return where the back end emitted an instruction; empty where it did not, or not last."""
    if not image.exports(_EMITTERS):
        return ""
    at, entry, table = raw["microcode"], image.struct("pl330_emitter"), image.symbol(_EMITTERS)
    address = table.address + at % (table.size // entry.size) * entry.size
    emitter = entry.read(memory.look(address, entry.size))
    code = raw["code"].to_bytes(8, "little")[:length]
    if emitter["instruction"] != at or memory.look(at, length) != code:
        return ""
    return image.place(emitter["caller"] - 1)  # a return address is behind the call


def _instruction(raw: Mapping[str, int], image: Elf, memory: Ram) -> str:
    """Return the instruction of a program that a finding is about."""
    at = raw["microcode"]
    instruction = microcode.decode(raw["code"].to_bytes(8, "little"), at)
    other = "" if raw["address"] == at else f", the other {raw['address']:#x}"
    emitter = _emitter(raw, instruction.length, image, memory)
    emitted = f", emitted in {emitter}" if emitter else ""
    return f"channel {raw['channel']}: {instruction.text} at {at:#x}{emitted}{other}"


def _accesses(raw: Mapping[str, int], image: Elf, device: Device | None) -> list[str]:
    """Return the two sides of the race, as far as they are known."""
    there = " there" if raw["kind"] == _STRAY else ""
    parts = [
        f"{what} was in {image.place(pc) or hex(pc)}"
        for what, pc in (
            (f"the CPU's access{there}", raw["cpu_pc"]),
            ("the clean that no barrier orders", raw["clean_pc"]),
        )
        if pc
    ]
    if device:
        parts.append(_access(device, raw["address"]))
    return parts
