# SPDX-License-Identifier: Apache-2.0
"""What two sides of a contract both write down, compared: one changed value fails here.

Enumerations of C come from the debug information of what was built, macros from the preprocessor.
"""

from __future__ import annotations

import itertools
import re
import struct
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dmav3 import installation, wdm
from dmav3.board import layer_state
from dmav3.devices import device, remote, stream
from dmav3.elf.image import host_machine, read_elf, read_extension
from dmav3.evidence import callers, findings, probe, trace, watched
from dmav3.evidence.mistakes import CODES
from dmav3.machine import description
from dmav3.machine.schedule import SCHEDULES
from dmav3.qemu import process
from dmav3.wire import frame

if TYPE_CHECKING:
    import enum
    from collections.abc import Mapping

    from dmav3.elf.image import Elf

ROOT = Path(__file__).parents[2]
#: Numbers from here on are no counts.
ADDRESSES = 1 << 16
NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


@cache
def extension() -> Elf:
    """Return the extension's debug information."""
    return read_extension()


@cache
def firmware() -> Elf:
    """Return the shim's debug information."""
    return read_elf(installation.firmware("virt-a64"), "EM_AARCH64")


def members(image: Elf, name: str, prefix: str) -> dict[str, int]:
    """Return an enumeration of C, its members without their prefix."""
    return {member.removeprefix(prefix): value for member, value in image.enum(name).items()}


@cache
def macros(header: str, include: str = "firmware") -> Mapping[str, int]:
    """Return the macros of a header that are numbers, or sums of numbers."""
    command = ["clang-19", "-E", "-dM", f"-I{ROOT / include}", str(ROOT / header)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    defined = dict(re.findall(r"^#define (\w+) (.+)$", done.stdout, re.MULTILINE))
    values = {}
    for name, text in defined.items():
        spelled, before = text, ""
        while spelled != before:  # one macro names another
            before = spelled
            spelled = re.sub(r"\w+", lambda word: defined.get(word[0], word[0]), spelled)
        spelled = re.sub(rf"\b({NUMBER.pattern})[uU]?\b", r"\1", spelled)
        spelled = spelled.removeprefix("((NTSTATUS)").strip("()")
        if all(NUMBER.fullmatch(part) for part in spelled.split(" + ")):
            values[name] = sum(int(part, 0) for part in spelled.split(" + "))
    return values


def python(kind: type[enum.IntEnum | enum.IntFlag]) -> dict[str, int]:
    """Return an enumeration of Python."""
    return {member.name or "": member.value for member in kind}


def agree(*sides: tuple[str, Mapping[str, int]], subset: bool = False) -> None:
    """Compare two homes of the same facts; the message names each that differs, with both values.

    :param subset: the first may lack some.
    """
    (here, mine), (there, theirs) = sides
    wrong = [
        f"{name} is {spell(mine.get(name))} in {here}, but {spell(theirs.get(name))} in {there}"
        for name in (mine if subset else {**mine, **theirs})
        if mine.get(name) != theirs.get(name)
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def spell(value: int | None) -> str:
    """Return a value as sources write it: addresses are hexadecimal."""
    return "missing" if value is None else f"{value:#x}" if value >= ADDRESSES else f"{value:d}"


def test_kinds_of_records() -> None:
    """The event ring is written by the extension and read by the harness."""
    own = members(read_elf(installation.host_shim(), host_machine()), "log_kind", "LOG_")
    theirs = members(extension(), "probe_kind", "PROBE_")
    shown = {
        name: value
        for name, value in python(probe.Kind).items()
        if name in theirs or name not in own
    }
    del theirs["KINDS"]  # their number
    agree(("Kind (evidence/probe.py)", shown), ("enum probe_kind (probe/probe.h)", theirs))


def test_kinds_of_records_of_the_host_shim() -> None:
    """The shim on this computer records cache operations of its own."""
    theirs = members(read_elf(installation.host_shim(), host_machine()), "log_kind", "LOG_")
    shown = {name: value for name, value in python(probe.Kind).items() if name in theirs}
    agree(("Kind (evidence/probe.py)", shown), ("enum log_kind (tests/host/machine.h)", theirs))


def test_states_of_lines() -> None:
    """The model's states are the extension's, which asserts that, and the harness's."""
    theirs = members(extension(), "probe_line", "PROBE_LINE_")
    agree(
        ("LineState (evidence/probe.py)", python(probe.LineState)),
        ("enum probe_line (probe/probe.h)", theirs),
    )


def test_what_is_told_of_watched_bytes() -> None:
    """The extension writes a file that the harness reads as an array of numbers."""
    theirs = members(extension(), "watch_kind", "WATCH_")
    agree(
        ("Change (evidence/watched.py)", python(watched.Change)),
        ("enum watch_kind (machine/watch.h)", theirs),
    )
    fields = extension().struct("watch_record").members
    assert tuple(fields) == watched.Watched._fields


def test_kinds_of_findings() -> None:
    """Each kind has a name and an explanation."""
    mine = {kind.name: number for number, kind in findings._KINDS.items()}
    theirs = {
        name.lower().replace("_", "-"): value
        for name, value in members(extension(), "probe_finding_kind", "FINDING_").items()
    }
    agree(
        ("_KINDS (evidence/findings.py)", mine),
        ("enum probe_finding_kind (probe/probe.h)", theirs),
    )
    named = {
        "lost-cpu-write": findings.LOST_CPU_WRITE,
        "shared-line": findings.SHARED_LINE,
        "microcode-early-event": findings.FIRST_OF_MICROCODE,
        "microcode-changed-program": findings.CHANGED_PROGRAM,
    }
    agree(
        ("those that are told apart (evidence/findings.py)", named),
        ("enum probe_finding_kind (probe/probe.h)", theirs),
        subset=True,
    )


@pytest.mark.parametrize(
    ("mine", "name", "prefix"),
    [
        (probe.Near, "probe_near", "NEAR_"),
        (probe.Memory, "probe_memory", "MEMORY_"),
        (probe.BadRecord, "probe_bad_record", "BAD_RECORD_"),
        (probe.BusErrorKind, "probe_bus_error", "BUS_ERROR_"),
        (probe.Message, "probe_message", "MESSAGE_"),
    ],
)
def test_what_findings_say_of_mappings(mine: type[enum.IntEnum], name: str, prefix: str) -> None:
    """Where a stray access lies, what gives bytes to a device, why a record cannot be."""
    agree(
        (f"{mine.__name__} (evidence/probe.py)", python(mine)),
        (f"enum {name} (probe/probe.h)", members(extension(), name, prefix)),
    )


def test_what_is_in_the_place_of_a_channel() -> None:
    """Findings name a device by one number, which says of some that they are no channel."""
    theirs = macros("qemu-machines/ext/memory/accessor.h", "qemu-machines/ext")
    agree(
        (
            "_PCI and others (evidence/findings.py)",
            {
                "ACCESSOR_PCI": findings._PCI,
                "ACCESSOR_OTHER": findings._OTHER,
                "ACCESSOR_RIVAL": findings._RIVAL,
                "ACCESSOR_REMOTE": findings._REMOTE,
                "ACCESSOR_NO_CHANNEL": findings._NO_CHANNEL,
            },
        ),
        ("memory/accessor.h", {**theirs, **extension().enum("accessor_channel")}),
        subset=True,
    )


def test_how_the_shared_memory_begins() -> None:
    """The harness refuses an extension of another layout."""
    agree(
        (
            "MAGIC and LAYOUT (evidence/probe.py)",
            {"PROBE_MAGIC": probe.MAGIC, "PROBE_LAYOUT": probe.LAYOUT},
        ),
        ("probe/probe.h", macros("qemu-machines/ext/probe/probe.h", "qemu-machines/ext")),
        subset=True,
    )


def test_the_identification_page() -> None:
    """The shim writes and reads registers where the extension has them."""
    page = members(extension(), "ident_offset", "IDENT_")
    for name, home in (("ident_offset", "hal/ident.c"), ("oplog_offset", "hal/oplog.c")):
        agree(
            (f"enum {name} ({home})", firmware().enum(name)),
            ("enum ident_offset (machine/ident.h)", page),
            subset=True,
        )
    for name in ("ident_feature", "ident_records"):
        agree(
            (f"enum {name} (hal/ident.h)", firmware().enum(name)),
            (f"enum {name} (machine/ident.h)", extension().enum(name)),
        )


def test_the_operation_log() -> None:
    """Kinds of records and of ranges, and the routines that the extension knows by number."""
    agree(
        ("enum oplog_record (hal/oplog.c)", members(firmware(), "oplog_record", "RECORD_")),
        ("enum probe_kind (probe/probe.h)", members(extension(), "probe_kind", "PROBE_")),
        subset=True,
    )
    agree(
        ("enum oplog_range (hal/oplog.h)", members(firmware(), "oplog_range", "OPLOG_RANGE_")),
        ("enum range_kind (evidence/declared.h)", members(extension(), "range_kind", "RANGE_")),
    )
    agree(
        ("enum oplog_memory (hal/oplog.h)", members(firmware(), "oplog_memory", "OPLOG_MEMORY_")),
        ("enum probe_memory (probe/probe.h)", members(extension(), "probe_memory", "MEMORY_")),
        subset=True,
    )
    agree(
        ("enum routine_id (evidence/declared.h)", members(extension(), "routine_id", "ROUTINE_")),
        ("enum oplog_id (hal/oplog.h)", members(firmware(), "oplog_id", "OPLOG_")),
        subset=True,
    )


def test_where_callbacks_and_the_back_end_begin() -> None:
    """The ids of the operation log are in four parts."""
    ids = members(firmware(), "oplog_id", "OPLOG_")
    mine = {
        "AdapterControl": callers.FIRST_CALLBACK,
        "InitializeController": callers.FIRST_BACK_END,
        "PAGED_CODE": callers.FIRST_KERNEL,
    }
    agree(
        ("FIRST_… (evidence/findings.py)", mine),
        ("enum oplog_id (hal/oplog.h)", ids),
        subset=True,
    )


def test_where_things_are_on_the_board() -> None:
    """Addresses and interrupts of the shim are the extension's."""
    built = extension().enum("board_place")
    names = ("PL330_BASE", "IDENT_BASE", "UART_BASE", "PL330_ABORT_SPI", "UART_SPI", "ALARM_SPI")
    shared = {name: built[name] for name in names}
    agree(
        (
            "enum board_place (machine/board.c)",
            shared | {"PL330_EVENT_SPI": built["PL330_ABORT_SPI"] + 1},
        ),
        ("boot/memlayout.h", macros("firmware/boot/memlayout.h")),
        subset=True,
    )


def test_what_a_driver_is_told_of_the_board() -> None:
    """The public header has addresses, lines, interrupts and bits of the extension, no others."""
    built, lines = extension().enum("board_place"), extension().enum("stream_line")
    registers, control = extension().enum("stream_register"), extension().enum("stream_control")
    status = extension().enum("stream_status")
    told = macros("firmware/include/dmav3_board.h", "firmware/include")
    agree(
        (
            "dmav3_board.h",
            {name: value for name, value in told.items() if name.startswith("DMAV3_")},
        ),
        (
            "machine/board.c, devices/stream.c and boot/memlayout.h",
            {
                "DMAV3_STREAM_BASE": built["STREAM_BASE"],
                "DMAV3_STREAM_DATA": built["STREAM_BASE"] + registers["DR"],
                "DMAV3_STREAM_STATUS": built["STREAM_BASE"] + registers["SR"],
                "DMAV3_STREAM_CONTROL": built["STREAM_BASE"] + registers["CR"],
                "DMAV3_STREAM_INTERRUPT_ENABLE": built["STREAM_BASE"] + registers["IER"],
                "DMAV3_STREAM_INTERRUPT_STATUS": built["STREAM_BASE"] + registers["ISR"],
                "DMAV3_STREAM_SPI": built["STREAM_SPI"],
                "DMAV3_STREAM_ROOM": status["SR_ROOM"],
                "DMAV3_STREAM_DATA_IN": status["SR_DATA"],
                "DMAV3_STREAM_OVERRUN": status["SR_OVERRUN"],
                "DMAV3_STREAM_UNDERRUN": status["SR_UNDERRUN"],
                "DMAV3_STREAM_RECEIVE_LINE": lines["STREAM_RECEIVE"],
                "DMAV3_STREAM_TRANSMIT_LINE": lines["STREAM_TRANSMIT"],
                "DMAV3_STREAM_SEND": control["CR_TRANSMIT"],
                "DMAV3_STREAM_RECEIVE": control["CR_RECEIVE"],
                "DMAV3_DEVICE_BASE": built["REMOTE_BASE"],
                "DMAV3_DEVICE_WINDOW": extension().enum("remote_size")["REMOTE_WINDOW"],
                "DMAV3_DEVICE_SPI": built["REMOTE_SPI"],
                "DMAV3_PL330_BASE": built["PL330_BASE"],
                "DMAV3_BOARD_UART_BASE": macros("firmware/boot/memlayout.h")["BOARD_UART_BASE"],
            },
        ),
    )


def test_the_registers_of_the_stream() -> None:
    """Tests that drive the stream by hand use Python's names."""
    registers, status = extension().enum("stream_register"), extension().enum("stream_status")
    control = extension().enum("stream_control")
    agree(
        (
            "Register, Status and Control (devices/stream.py)",
            python(stream.Register) | python(stream.Status) | python(stream.Control),
        ),
        (
            "enum stream_register, stream_status and stream_control (devices/stream.c)",
            {
                "DATA": registers["DR"],
                "STATUS": registers["SR"],
                "CONTROL": registers["CR"],
                "INTERRUPT_ENABLE": registers["IER"],
                "INTERRUPT_STATUS": registers["ISR"],
                "TRANSMIT_ROOM": status["SR_ROOM"],
                "RECEIVE_DATA": status["SR_DATA"],
                "OVERRUN": status["SR_OVERRUN"],
                "UNDERRUN": status["SR_UNDERRUN"],
                "TRANSMIT_REQUEST": control["CR_TRANSMIT"],
                "RECEIVE_REQUEST": control["CR_RECEIVE"],
            },
        ),
    )


def test_remote_devices() -> None:
    """What travels on their socket, and where they are on the board."""
    built = extension().enum("board_place") | extension().enum("remote_size")
    agree(
        (
            "devices/device.py and devices/remote.py",
            {
                "REMOTE_BASE": device.BASE,
                "REMOTE_WINDOW": device.WINDOW,
                "REMOTE_DEVICES": device.MOST,
                "REMOTE_SPI": device.SPI,
                "REMOTE_CHUNK": remote.CHUNK,
            },
        ),
        ("machine/places.h and devices/remote.h", built),
        subset=True,
    )
    asked = {"READ": remote.READ, "WRITE": remote.WRITE, "EVENTS": remote.EVENTS}
    orders = ("DONE", "DMA_READ", "DMA_WRITE", "INTERRUPT", "MESSAGE", "REMOVE")
    told = {name: getattr(remote, name) for name in orders}
    for mine, name in ((asked, "remote_request_kind"), (told, "remote_order_kind")):
        agree(
            ("devices/remote.py", mine),
            (f"enum {name} (devices/remote.h)", members(extension(), name, "REMOTE_")),
        )
    for packed, name in (
        (remote.REQUEST, "remote_request"),
        (remote.ORDER, "remote_order"),
        (remote.MOVED, "remote_moved"),
    ):
        layout = extension().struct(name)
        assert packed.size == layout.size
        _, *starts = (member.offset for member in layout.members.values())
        assert list(itertools.accumulate(map(struct.calcsize, packed.format[1:]))) == [
            *starts,
            layout.size,
        ]


def test_where_ram_is() -> None:
    """An image is linked into RAM, and where it is low a device reaches it with 28 bits."""
    low = extension().enum("low_ram")
    agree(
        ("RAM_BASE (machine/description.py)", {"RAM_BASE": description.RAM_BASE}),
        ("enum board_place (machine/board.c)", extension().enum("board_place")),
        subset=True,
    )
    agree(
        (
            "enum low_ram (memory/views.h)",
            {"LOW_RAM_START": low["LOW_RAM_BASE"], "LOW_RAM_SIZE": low["LOW_RAM_SIZE"]},
        ),
        ("boot/memlayout.h", macros("firmware/boot/memlayout.h")),
        subset=True,
    )


def test_what_a_description_repeats() -> None:
    """A machine's YAML is refused where it contradicts these; they are the extension's."""
    built, sizes = extension().enum("board_place"), extension().enum("board_size")
    lines = extension().enum("stream_line")
    abort = built["PL330_ABORT_SPI"]
    theirs = {
        ("pl330", 0, "base"): built["PL330_BASE"],
        ("pl330", 0, "nonsecure_base"): built["PL330_NONSECURE_BASE"],
        ("pl330", 0, "abort_irq"): abort,
        ("pl330", 0, "request_lines"): sizes["REQUEST_LINES"],
        ("stream", "base"): built["STREAM_BASE"],
        ("stream", "pl330"): 0,
        ("stream", "receive"): lines["STREAM_RECEIVE"],
        ("stream", "transmit"): lines["STREAM_TRANSMIT"],
        ("stream", "irq"): built["STREAM_SPI"],
        ("uart", "base"): built["UART_BASE"],
        ("uart", "irq"): built["UART_SPI"],
    } | {("pl330", 0, "event_irqs", n): abort + 1 + n for n in range(sizes["EVENTS"])}
    agree(
        ("_BUILT (machine/description.py)", {str(k): v for k, v in description._BUILT.items()}),
        ("machine/board.c", {str(place): value for place, value in theirs.items()}),
    )


def test_the_number_of_channels() -> None:
    """All channels have a trace and properties."""
    agree(
        ("CHANNELS (evidence/trace.py)", {"CHANNELS": trace.CHANNELS}),
        ("enum board_size (machine/board.c)", extension().enum("board_size")),
        subset=True,
    )


def test_schedules() -> None:
    """Each schedule of the model can be named."""
    theirs = members(extension(), "cache_schedule", "CACHE_")
    agree(
        ("SCHEDULES (machine/schedule.py)", {name: n for n, name in enumerate(SCHEDULES)}),
        (
            "enum cache_schedule (model/cache_model.h)",
            {name.lower(): value for name, value in theirs.items()},
        ),
    )


def test_the_status_of_a_wrong_cache() -> None:
    """QEMU's exit status says that the guest's registers contradict the machine."""
    agree(
        ("_WRONG_CACHE (qemu/process.py)", {"WRONG_CACHE": process._WRONG_CACHE}),
        ("enum board_exit (machine/board.h)", members(extension(), "board_exit", "BOARD_")),
    )


@pytest.mark.parametrize(
    ("mine", "name"),
    [
        (wdm.DmaWidth, "_DMA_WIDTH"),
        (wdm.DmaCompletionStatus, "_DMA_COMPLETION_STATUS"),
        (wdm.IoAllocationAction, "_IO_ALLOCATION_ACTION"),
        (wdm.InterfaceType, "_INTERFACE_TYPE"),
    ],
)
def test_enumerations_of_the_interface(mine: type[enum.IntEnum], name: str) -> None:
    """Python has the values of wdm_dma.h, in 32 bits."""
    theirs = {member: value % (1 << 32) for member, value in firmware().enum(name).items()}
    agree(
        (f"{mine.__name__} (wdm.py)", python(mine)),
        (f"enum {name} (wdm_dma.h)", theirs),
        subset=True,
    )


def test_constants_of_the_interface() -> None:
    """Python has the status codes, levels and versions of wdm_dma.h."""
    names = ("PASSIVE_LEVEL", "DISPATCH_LEVEL", "DEVICE_DESCRIPTION_VERSION3")
    mine = {name: getattr(wdm, name) for name in (*names, "DMA_SYNCHRONOUS_CALLBACK")}
    agree(
        ("wdm.py", mine | python(wdm.NtStatus)),
        ("wdm_dma.h", macros("firmware/include/wdm_dma.h", "firmware/include")),
        subset=True,
    )


def test_the_most_of_everything() -> None:
    """The harness refuses a longer line, and names one number for all limits of the layer.

    Of a longer line the board keeps one byte more, by which it is known.
    """
    kept = extension().enum("uart_most")["LINE_KEPT"]
    for home, most in (("wire/frame.py", frame.LINE_BYTES), ("devices/uart.c", kept - 1)):
        agree(
            (home, {"FRAME_LINE_MAX": most}),
            ("enum frame_most (rpc/frame.h)", firmware().enum("frame_most")),
            subset=True,
        )
    names = ("DMA_MAP_REGISTERS", "DMA_FRAGMENTS_MAX")
    agree(
        ("MOST (board/layer_state.py)", dict.fromkeys(names, layer_state.MOST)),
        ("enum dma_most (include/dma.h)", firmware().enum("dma_most")),
        subset=True,
    )


def test_codes_of_violations() -> None:
    """Every code that the layer records has words; docs/interface.md tells which others have."""
    theirs = {f"{value:#04x}": value for value in firmware().enum("violation").values()}
    mine = {f"{code:#04x}": code for code in CODES}
    agree(
        ("enum violation (layer/violation.h)", theirs),
        ("CODES (evidence/mistakes.py)", mine),
        subset=True,
    )
