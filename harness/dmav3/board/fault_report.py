# SPDX-License-Identifier: Apache-2.0
"""A fault line of the shim in words: where the firmware crashed, of what, and what would help.

Kinds and keys are those of firmware/PROTOCOL.md; those of ESR_EL1 are the Arm ARM's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmav3.errors import FaultError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dmav3.elf.image import Elf

#: Exception classes, ESR_EL1[31:26].
_UNKNOWN, _FLOATING_POINT, _JUMP, _MISALIGNED_JUMP, _DATA, _BREAK = 0, 0x07, 0x21, 0x22, 0x25, 0x3C
_CLASSES = {
    _UNKNOWN: "an instruction that the CPU does not have: a trap of the compiler, or no code",
    _FLOATING_POINT: "a floating-point instruction, which this firmware must not use",
    _JUMP: "there is no code: look at the pointer to the function, or at what overwrote the stack",
    _MISALIGNED_JUMP: "a jump to an odd address: look at the pointer to the function",
    _BREAK: "a trap of the compiler: undefined behaviour, or a failed check",
}
#: Fault status codes of data aborts, ESR_EL1[5:0], without the level of the table.
_STATUSES = {
    0x04: "where no memory is mapped",
    0x0C: "which may not be accessed so",
    0x10: "which nothing answered, or a device refused",
    0x20: "at a misaligned address: registers and uncached common buffers want aligned accesses",
}
#: Return addresses of the functions around; and where the shim's sources are.
_CALLERS = ("from1", "from2", "from3", "from4", "from5")
_SHIM = "firmware/"
#: A pointer below this is NULL, or a member of a structure at NULL.
_PAGE = 4096
_RECURSION = "look for an endless recursion, or for large variables in a function"
_ACKNOWLEDGE = "let it acknowledge the interrupt in the device before it returns"


def explain_fault(report: Mapping[str, str], image: Elf) -> FaultError:
    """Return the error for a fault line.

    :param report: the keys of the line.
    :param image: names functions, files and lines.
    """
    try:
        numbers = {key: int(text, 0) for key, text in report.items() if key not in ("kind", "why")}
        return FaultError(report, _place(numbers, image), _words(report, numbers, image))
    except (KeyError, ValueError):  # an image of somebody's own may report what it likes
        return FaultError(report)


def _place(numbers: Mapping[str, int], image: Elf) -> str:
    """Name the place of a fault, and the driver's."""
    if "handler" in numbers:
        return image.place(numbers["handler"])
    return _instruction(numbers, image) + _called(numbers, image)


def _called(numbers: Mapping[str, int], image: Elf) -> str:
    """Name the driver's call, where it crashed inside of the shim."""
    pcs = [numbers["elr"]] if "elr" in numbers else []
    if pcs and not image.frames(pcs[0]):
        return ""
    pcs += [numbers[key] - 4 for key in ("x30", *_CALLERS) if key in numbers]
    for at, pc in enumerate(pcs):
        lines = [frame.line for frame in image.frames(pc) if frame.line]
        if any(not line.file.startswith(_SHIM) for line in lines):
            return f", called from {image.place(pc)}" if at else ""
    return ""


def _instruction(numbers: Mapping[str, int], image: Elf) -> str:
    """Name where it crashed; after a jump to nowhere, where it came from."""
    caller = numbers.get("x30", 4) - 4
    if "elr" not in numbers:
        return image.place(caller)
    if found := image.place(numbers["elr"]):
        return found
    came_from = image.place(caller)
    return f"a jump to {numbers['elr']:#x} by {came_from}" if came_from else ""


def _words(report: Mapping[str, str], numbers: Mapping[str, int], image: Elf) -> str:
    match report.get("kind"):
        case "stack":
            caller = image.place(numbers["x30"] - 4) or f"{numbers['x30']:#x}"
            kib = numbers["size"] >> 10
            return f"the stack of {kib} KiB is full, called from {caller}: {_RECURSION}"
        case "storm":
            return (
                f"interrupt {numbers['spi']} (SPI) came {numbers['times']} times in a row, because "
                f"this routine does not end the device's reason for it: {_ACKNOWLEDGE}"
            )
        case "panic":
            return report["why"].replace("_", " ")
        case "sync":
            return _exception(numbers)
    return ""


def _exception(numbers: Mapping[str, int]) -> str:
    esr, address = numbers["esr"], numbers["far"]
    kind = esr >> 26
    if kind != _DATA:
        return _CLASSES.get(kind, "")
    access = "a store to" if esr >> 6 & 1 else "a load from"
    null = " (NULL, or a member of a structure at NULL)" if address < _PAGE else ""
    return f"{access} {address:#x}{null}, {_STATUSES.get(esr & 0x3C, 'which failed')}"
