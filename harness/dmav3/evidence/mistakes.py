# SPDX-License-Identifier: Apache-2.0
"""What each violation means, and what to do about it: one table, by the layer's codes.

Codes below 0x40 are those of Windows' DMA verifier (docs/interface.md, table 1). A text may name
the two numbers of a violation, `p2` and `p3`, in the words that suit them: `{p2:irql}`, `{p3:way}`,
`{p2:action}`, `{p2:tag}`, `{p2:at}` for an address or a handle, `{p2}` for a count.
"""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """A kind of violation.

    :ivar text: what is wrong.
    :ivar remedy: what the driver has to do.
    :ivar rule: that asks for it; empty where only the verifier's documentation does.
    """

    text: str
    remedy: str
    rule: str = ""

    def explain(self, p2: int, p3: int) -> str:
        """Return all of it as a sentence, with the numbers of one violation."""
        text = self.text.format(p2=_Number(p2), p3=_Number(p3))
        return f"{text}: {self.remedy}" + (f" ({self.rule})" if self.rule else "")


class _Number(int):
    """A parameter of a violation, spelled by what it is."""

    def __format__(self, kind: str) -> str:
        """Return the words for it; `kind` is one of those above."""
        match kind:
            case "irql":
                return _IRQL.get(int(self), f"a device's level, {int(self)}")
            case "way":
                return "from memory to the device" if self else "from the device to memory"
            case "action":
                return _ACTIONS.get(int(self), f"{int(self)}, which is none")
            case "tag":
                return _tag(int(self))
            case "at":
                return f"{int(self):#x}" if self else "NULL"
        return super().__format__(kind)


def _tag(number: int) -> str:
    """Return a tag as the source of a driver has it."""
    characters = (number & (1 << 32) - 1).to_bytes(4, "big").decode("latin-1")
    return repr("".join(one if one.isprintable() else "." for one in characters))


_IRQL = {0: "PASSIVE_LEVEL", 1: "APC_LEVEL", 2: "DISPATCH_LEVEL"}
_ACTIONS = {1: "KeepObject", 2: "DeallocateObject", 3: "DeallocateObjectKeepRegisters"}
_BUILD = "call MmBuildMdlForNonPagedPool after IoAllocateMdl, and keep the MDL until the flush"
_MASTER = "leave it to subordinate devices"
_ONCE = "give each thing back once, through the adapter that it was got from"

#: The codes of which the second number says which case it is; of others the first may.
_CASE_IN_P3 = {0x0E}
#: By code; where there are several cases, by code and case.
MISTAKES: dict[int | tuple[int, int], Mistake] = {
    (0x00, 1): Mistake(
        "a flush of {p3} bytes runs past the end of what is mapped",
        "flush with the Offset or CurrentVa, and the Length, of the map",
        "FBX-04",
    ),
    (0x00, 2): Mistake(
        "no contiguous map registers are left for {p3} bytes",
        "map less, or ask for more registers at the allocation",
        "FBX-04",
    ),
    0x03: Mistake("{p2:at} is not, or no longer, a common buffer", _ONCE, "FCB-03"),
    0x04: Mistake(
        "the adapter does not have its channel",
        "free it once, after an AdapterControl that returned KeepObject",
        "FAC-05",
    ),
    0x05: Mistake(
        "map registers are freed that are not kept so ({p2:at}; kept: {p3})",
        "free as many as were allocated, once, after DeallocateObjectKeepRegisters",
        "FMR-02",
    ),
    0x06: Mistake(
        "{p2:at} is not, or no longer, a scatter/gather list of the adapter", _ONCE, "PSL-05"
    ),
    0x07: Mistake(
        "the adapter {p2:at} is released with {p3} common buffers", "free them before", "PDA-02"
    ),
    0x08: Mistake(
        "the adapter is released while request {p2:at} has, or waits for, its channel",
        "flush and free the channel, or cancel the request, before",
        "PDA-02",
    ),
    0x09: Mistake(
        "the adapter is released with {p3} map registers of request {p2:at}",
        "free them before",
        "PDA-02",
    ),
    0x0A: Mistake(
        "the adapter is released with the scatter/gather list {p2:at}",
        "put the list before",
        "PDA-02",
    ),
    0x0B: Mistake("a second channel on one adapter", "free the first one before", "AAX-16"),
    0x0C: Mistake(
        "{p2} map registers are asked for, and the adapter may have {p3}",
        "ask for no more than IoGetDmaAdapter said, and map in pieces",
        "AAX-06",
    ),
    0x0D: Mistake(
        "request {p2:at} has a mapping that was not flushed",
        "call FlushAdapterBuffersEx before the next map",
        "MTX-14",
    ),
    (0x0E, 1): Mistake(
        "an MDL of the chain {p2:at} was not built, so its pages are not known", _BUILD, "MDL-08"
    ),
    (0x0E, 2): Mistake("{p2:at}, or what its chain goes on with, is no MDL", _BUILD, "MDL-08"),
    (0x0E, 3): Mistake(
        "{p2:at} is freed, and is no MDL of IoAllocateMdl, or no longer", _ONCE, "MDL-08"
    ),
    (0x0E, 4): Mistake(
        "the MDL chain {p2:at} describes what is no memory of the CPU", _BUILD, "MDL-08"
    ),
    0x0F: Mistake(
        "bytes beside the DMA buffer of {p2:at} have changed (at {p3:at})",
        "let neither device nor driver write beyond the buffer's length",
        "MR-12",
    ),
    0x10: Mistake(
        "map registers of request {p2:at} are freed while they are mapped",
        "call FlushAdapterBuffersEx before",
        "FAC-04",
    ),
    0x11: Mistake("a wrong count of references to the adapter", _ONCE, "GEN-05"),
    (0x13, 1): Mistake(
        "the IRQL is {p3:irql}, and must be DISPATCH_LEVEL",
        "call KeRaiseIrql before, or call it from a DPC or a callback",
        "GEN-07",
    ),
    (0x13, 2): Mistake(
        "the IRQL is {p3:irql}, which is above the highest for this routine",
        "call it at a lower one: DISPATCH_LEVEL at most, and PASSIVE_LEVEL for IoGetDmaAdapter, "
        "GetDmaAlignment and common buffers; KeRaiseIrql cannot lower, KeLowerIrql not raise",
        "GEN-07",
    ),
    0x15: Mistake(
        "the adapter holds {p2} map registers over all requests, and may have {p3}",
        "free those of one request before the next",
    ),
    0x16: Mistake(
        "what is flushed is not mapped, or no longer ({p2:at}, {p3:#x})",
        "flush each map once, with its Mdl, MapRegisterBase and Offset",
        "FBX-20",
    ),
    0x18: Mistake(
        "{p2:at} is no adapter, or no longer one", "use it until PutDmaAdapter, not after", "GEN-05"
    ),
    0x19: Mistake(
        "the adapter is NULL", "look at what IoGetDmaAdapter returned before it is used", "GEN-04"
    ),
    0x1B: Mistake(
        "the address {p2:at} is outside the MDL {p3:at}",
        "start at MmGetMdlVirtualAddress, and go on by what was mapped",
        "MPT-10",
    ),
    0x1D: Mistake(
        "{p3} bytes from {p2:at} on are mapped already, and one of the two devices writes them",
        "flush the other mapping before",
    ),
    (0x1F, 2): Mistake(
        "the transfer starts at byte {p3}, behind the end of the MDL chain",
        "start inside of it",
        "MTX-01",
    ),
    (0x1F, 3): Mistake(
        "a transfer of {p3} bytes leaves the MDL", "map no more than its bytes", "MPT-10"
    ),
    (0x1F, 4): Mistake(
        "the transfer starts in the middle of a cache line, at {p3:at}, that holds other bytes",
        "align the buffer to whole cache lines",
        "MTX-01",
    ),
    (0x1F, 5): Mistake(
        "the transfer ends in the middle of a cache line, before {p3:at}, that holds other bytes",
        "let the buffer fill its last line",
        "MTX-01",
    ),
    0x20: Mistake("what is flushed is not mapped", "flush each map once", "FBX-20"),
    0x21: Mistake("the length is 0 (of {p2:at})", "map one byte or more", "MTX-18"),
    0x23: Mistake(
        "request {p2:at} is flushed while its channel runs",
        "wait for the completion routine, or call CancelMappedTransfer before",
        "FBX-15",
    ),
    0x24: Mistake(
        "{p3} bytes are wanted from byte {p2} on, which the MDL chain does not have",
        "map no more than the chain describes",
        "MTX-02",
    ),
    0x25: Mistake(
        "Version {p2} of the DEVICE_DESCRIPTION is not known",
        "set DEVICE_DESCRIPTION_VERSION3",
        "IGA-02",
    ),
    0x40: Mistake(
        "the DmaTransferContext {p2:at} is initialised or used again while its request lives",
        "have a context of its own for each request, and end that before",
        "STM-02",
    ),
    0x41: Mistake(
        "the device object {p2:at} has a request already, or the call is inside AdapterControl",
        "wait until AdapterControl has returned, or use AllocateAdapterChannelEx",
        "QUE-08",
    ),
    0x42: Mistake(
        "it was called at {p3:irql} and returned at {p2:irql}",
        "lower or raise the IRQL to what it was before returning",
        "GEN-09",
    ),
    0x43: Mistake(
        "the MDL chain {p2:at} was changed between map and flush, or freed",
        "leave MDLs as they are until the flush",
        "GEN-12",
    ),
    0x44: Mistake(
        "the common buffer {p2:at} is freed with other arguments, such as a length of {p3}",
        "give adapter, length, logical address and CacheEnabled as at the allocation",
        "FCB-01",
    ),
    0x45: Mistake(
        "AdapterControl of a subordinate device returned {p2:action}",
        "return KeepObject, and free the channel after the transfer",
        "ADC-06",
    ),
    0x46: Mistake(
        "the IO_ALLOCATION_ACTION is {p2:action}",
        "use KeepObject, DeallocateObject or DeallocateObjectKeepRegisters",
        "ADC-08",
    ),
    0x47: Mistake("ReadDmaCounter is called for a bus master", _MASTER, "RDC-02"),
    0x48: Mistake(
        "it says {p2:way}, and the mapping was made {p3:way}",
        "give WriteToDevice as at the map",
        "FBX-18",
    ),
    0x49: Mistake(
        "a bus master's map (request {p2:at}) has a completion routine",
        "pass NULL: the device's own interrupt says when it is done",
        "MTX-10",
    ),
    0x4A: Mistake(
        "a bus master's map (request {p2:at}) has a DeviceOffset of {p3}", "pass 0", "MTX-12"
    ),
    0x4B: Mistake("ConfigureAdapterChannel ({p2}) is called for a bus master", _MASTER, "CFG-03"),
    0x4C: Mistake(
        "the request of context {p2:at} has another adapter or device object ({p3:at})",
        "cancel with those of the request",
        "CAC-07",
    ),
    0x4D: Mistake(
        "MapRegisterBase {p2:at} is no live handle of the adapter",
        "pass what AdapterControl was given, until the channel or the registers are freed",
        "MTX-13",
    ),
    0x4E: Mistake(
        "a scatter/gather list of version 3 is asked for a subordinate device ({p2:at})",
        "use AllocateAdapterChannelEx and MapTransferEx",
        "GSX-02",
    ),
    0x4F: Mistake("CancelMappedTransfer ({p2:at}) is called for a bus master", _MASTER, "CMT-01"),
    0x50: Mistake(
        "KeFlushIoBuffers is called for memory of the MDL {p2:at} that a device is writing",
        "call it before the map, or after the flush",
        "KFI-04",
    ),
    0x51: Mistake(
        "the CPU stored beside the buffer of the MDL {p2:at}, in a cache line that a device writes",
        "align the buffer to whole cache lines, or leave its neighbours alone until the flush",
        "CCH-12",
    ),
    0x52: Mistake(
        "a looped mapping (request {p2:at}) is of cached memory, and the device is not coherent",
        "loop over a common buffer",
        "CCH-20",
    ),
    0x53: Mistake(
        "the flush names {p2} bytes of a transfer that completed with {p3}",
        "flush all that was mapped",
        "FBX-03",
    ),
    0x55: Mistake(
        "the device's side of the transfer is at {p2:#x}, which is beyond the {p3} bits of the "
        "controller's addresses",
        "give IoGetDmaAdapter the DeviceAddress of the device's data register, to which "
        "MapTransferEx adds its DeviceOffset",
        "IGA-21",
    ),
    0x56: Mistake(
        "the device's side of the transfer is at {p2:#x}, and the data register of the device at "
        "this DmaRequestLine is at {p3:#x}",
        "give IoGetDmaAdapter that DeviceAddress, to which MapTransferEx adds its DeviceOffset, "
        "and a fixed DmaWidth",
        "IGA-21",
    ),
    0x57: Mistake(
        "DmaRequestLine {p2} is not the one by which the device asks for data {p3:way}",
        "give IoGetDmaAdapter the line of that direction, which needs an adapter of its own",
        "IGA-21",
    ),
    # The kernel around a driver.
    0x58: Mistake(
        "the IRQL is {p3:irql}, and the highest for this routine is {p2:irql}",
        "call it at that level or below: from a thread or a work item instead of a DPC or an "
        "interrupt routine, or after the lock is released",
    ),
    0x59: Mistake(
        "the IRQL is {p3:irql}, and the lowest for this routine is {p2:irql}",
        "raise the IRQL before, or call the routine that raises it itself",
    ),
    0x5A: Mistake(
        "an assertion of the driver failed, at its line {p3}",
        "look at the condition there, which the driver has printed",
    ),
    0x5B: Mistake(
        "the block of pool {p2:at} is given back twice",
        "give each block back once, and clear the pointer",
    ),
    0x5C: Mistake(
        "the byte at {p3:at}, beside the block of pool {p2:at}, has changed",
        "write no more than was allocated, and nothing in front of it",
    ),
    0x5D: Mistake(
        "a block of pool with the tag {p3:tag} is given back with the tag {p2:tag}",
        "give it back with the tag of its allocation",
    ),
    0x5E: Mistake(
        "pool is asked for with {p2} bytes and the tag {p3:tag}",
        "ask for 1 byte or more, with a tag, and exactly one of POOL_FLAG_NON_PAGED and "
        "POOL_FLAG_PAGED",
    ),
    0x5F: Mistake(
        "the block of pool {p2:at} was written, at its byte {p3}, after it was given back",
        "give it back when nobody, the device included, uses it any more",
    ),
    0x60: Mistake(
        "{p2:at} is given back, and is no block of pool, or of pages, of its routine",
        "give back the pointer that the allocation returned, as it is, once",
    ),
    0x61: Mistake(
        "the lock {p2:at} is taken by whom has it already, or was never released",
        "release it before, in every way out of the code that it protects",
    ),
    0x62: Mistake(
        "the lock {p2:at} is released, and is not held, or by another thread or tag",
        "release each lock once, where it was taken, a remove lock with the tag of its acquisition",
    ),
    0x63: Mistake(
        "nothing has signalled the object {p2:at} in 10 s of model time, and the wait has no end",
        "look at who should have: a routine that was not called, an interrupt that did not come",
    ),
    0x64: Mistake(
        "the semaphore or mutex {p2:at} is released too often (its state is {p3})",
        "release what was taken, as often, and a mutex in the thread that has it",
    ),
    0x65: Mistake(
        "the work item or request {p2:at} is queued, and is in a queue already",
        "queue it again when its routine has been called, or when it was taken out, or use another",
    ),
    0x66: Mistake(
        "the pages of the MDL {p2:at} cannot be locked, or unlocked: no memory, or not the time",
        "lock the pages of an MDL of IoAllocateMdl once, and unlock them once",
    ),
    0x67: Mistake(
        "{p2:at} is unmapped, and is not mapped ({p3} bytes)",
        "unmap what the mapping returned, once, with the length of the mapping",
    ),
    0x68: Mistake(
        "the request {p2:at} is completed, and was completed already, or never sent",
        "complete a request once, and leave it alone afterwards",
    ),
    0x69: Mistake(
        "the dispatch routine kept the request {p2:at} and returned {p3:#x}",
        "mark it pending and return STATUS_PENDING, or complete it: never one without the other",
    ),
    0x6A: Mistake(
        "the request {p2:at} is completed with a cancel routine, or as pending (status {p3:#x})",
        "call IoSetCancelRoutine with NULL, and set IoStatus.Status, before",
    ),
    0x6B: Mistake(
        "the request {p2:at} is sent on, and none of its {p3} stack locations is left",
        "allocate it with the StackSize of the device that it is sent to",
    ),
    0x6C: Mistake(
        "the neighbours of the list entry {p2:at} do not point back at it",
        "initialise the head, insert and remove an entry once each, and hold one lock for all",
    ),
    0x6D: Mistake(
        "the object {p2:at} was not initialised, or is no longer what it was",
        "initialise it before, once, and keep it as long as it is used",
    ),
    0x6E: Mistake(
        "the work item {p2:at} is given back, and is still in the queue",
        "give it back in its routine, or after that was called",
    ),
}
#: The codes that have a text.
CODES = {key if isinstance(key, int) else key[0] for key in MISTAKES}


def explain(code: int, p2: int, p3: int) -> str:
    """Return what a violation means and what to do about it."""
    case = p3 if code in _CASE_IN_P3 else p2
    mistake = MISTAKES.get((code, case)) or MISTAKES.get(code)
    return mistake.explain(p2, p3) if mistake else f"not known here (p2={p2:#x}, p3={p3:#x})"
