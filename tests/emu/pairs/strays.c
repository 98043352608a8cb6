/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that access what nothing gave them: beyond, before, the other way, too late, or somewhere else.
 */
#include "driver.h"

static volatile UCHAR Buffer[PAGE] __attribute__((aligned(PAGE)));
static volatile UCHAR Other[PAGE] __attribute__((aligned(PAGE)));

/* An adapter of the bus master, and a live list of 256 bytes of Buffer. */
static VOID BeginList(BOOLEAN write)
{
    OwnMaster();
    CLEAN_INVALIDATE(Other);
    Describe(Buffer, 256);
    GetList(write);
}

static VOID EndList(BOOLEAN write)
{
    PutList(write);
    Leave();
}

PAIR(write_behind_a_mapping, "stray-device-access", "behind the end of a mapping of 256 bytes")
{
    BeginList(FALSE);
    MoveElement(right ? 256 : 256 + 17, TRUE);
    EndList(FALSE);
}

PAIR(read_behind_a_mapping, "stray-device-access", "behind the end of a mapping of 256 bytes")
{
    BeginList(TRUE);
    MoveElement(right ? 256 : 512, FALSE);
    EndList(TRUE);
}

PAIR(read_far_behind_a_mapping, "stray-device-access", "1024 bytes behind the end of a mapping")
{
    BeginList(TRUE);
    MoveBus((ULONGLONG)List->Elements[0].Address.QuadPart + (right ? 128 : 256 + 1024), 128, FALSE);
    EndList(TRUE);
}

PAIR(write_before_a_mapping, "stray-device-access", "64 bytes before the start of a mapping")
{
    OwnMaster();
    Describe(&Buffer[1024], 256);
    GetList(FALSE);
    MoveBus((ULONGLONG)List->Elements[0].Address.QuadPart - (right ? 0 : 64), 128, TRUE);
    EndList(FALSE);
}

PAIR(write_to_what_is_to_be_read, "stray-device-access", "a mapping of the other direction")
{
    BeginList(!right);
    MoveElement(128, TRUE);
    EndList(!right);
}

PAIR(read_of_what_is_to_be_written, "stray-device-access", "a mapping of the other direction")
{
    BeginList(right);
    MoveElement(128, FALSE);
    EndList(right);
}

PAIR(write_behind_put, "stray-device-access", "unmapped by PutScatterGatherList at")
{
    BeginList(FALSE);
    ULONGLONG address = (ULONGLONG)List->Elements[0].Address.QuadPart;

    if (!right) {
        PutList(FALSE);
    }
    MoveBus(address, 256, TRUE);
    if (right) {
        PutList(FALSE);
    }
    Leave();
}

PAIR(read_behind_put, "stray-device-access", "unmapped by PutScatterGatherList at")
{
    BeginList(TRUE);
    ULONGLONG address = (ULONGLONG)List->Elements[0].Address.QuadPart;

    if (!right) {
        PutList(TRUE);
    }
    MoveBus(address, 256, FALSE);
    if (right) {
        PutList(TRUE);
    }
    Leave();
}

PAIR(write_behind_flush, "stray-device-access", "unmapped by FlushAdapterBuffersEx at")
{
    OwnMaster();
    Describe(Buffer, 256);
    Allocate();
    MapPart(0, 256, FALSE);
    if (!right) {
        FlushPart(0, 256, FALSE);
    }
    MoveElement(256, TRUE);
    if (right) {
        FlushPart(0, 256, FALSE);
    }
    Free(TRUE);
    Leave();
}

PAIR(write_of_the_whole_mdl, "stray-device-access", "behind the end of a mapping of 128 bytes")
{
    OwnMaster();
    Describe(Buffer, 256);
    Allocate();
    MapPart(0, right ? 256 : 128, FALSE);
    MoveElement(256, TRUE);
    FlushPart(0, right ? 256 : 128, FALSE);
    Free(TRUE);
    Leave();
}

PAIR(read_of_another_buffer, "stray-device-access", "before the start of a mapping|behind the end of a mapping")
{
    BeginList(TRUE);
    MoveBus(right ? (ULONG_PTR)Buffer : (ULONG_PTR)Other, 64, FALSE);
    EndList(TRUE);
}

PAIR(read_of_what_was_never_mapped, "stray-device-access", "nothing is mapped")
{
    OwnMaster();
    Describe(Buffer, 256);
    if (right) {
        GetList(TRUE);
    }
    MoveBus((ULONG_PTR)Buffer, 64, FALSE);
    if (right) {
        PutList(TRUE);
    }
    Leave();
}

/* Eight bytes in the middle of a line are written to a bounce page. */
PAIR(write_to_the_bounced_buffer, "stray-device-access", "mapping of the other direction|a mapping of|ended")
{
    OwnMaster();
    CLEAN_INVALIDATE(Buffer);
    Describe(&Buffer[4], 8);
    GetList(FALSE);
    MoveBus(right ? (ULONGLONG)List->Elements[0].Address.QuadPart : (ULONG_PTR)&Buffer[4], 8, TRUE);
    EndList(FALSE);
}

PAIR(write_to_a_bounce_page_behind_put, "stray-device-access", "unmapped by PutScatterGatherList at")
{
    OwnMaster();
    Describe(&Buffer[4], 8);
    GetList(FALSE);
    ULONGLONG address = (ULONGLONG)List->Elements[0].Address.QuadPart;

    if (!right) {
        PutList(FALSE);
    }
    MoveBus(address, 8, TRUE);
    if (right) {
        PutList(FALSE);
    }
    Leave();
}

PAIR(write_behind_a_bounced_part, "stray-device-access", "1 byte|directly behind the end of a mapping")
{
    OwnMaster();
    Describe(&Buffer[4], 8);
    GetList(FALSE);
    MoveElement(right ? 8 : 12, TRUE);
    EndList(FALSE);
}

/* A list of two elements, taken for one. */
PAIR(read_of_one_element_for_two, "stray-device-access", "behind the end of a mapping")
{
    volatile UCHAR *scattered = (volatile UCHAR *)0x60003c00; /* 1 KiB before the end of a run of pages */

    OwnMaster();
    Describe(scattered, 2048);
    GetList(TRUE);
    for (ULONG i = 0; right && i < List->NumberOfElements; i++) {
        MoveBus((ULONGLONG)List->Elements[i].Address.QuadPart, List->Elements[i].Length, FALSE);
    }
    if (!right) {
        MoveElement(2048, FALSE);
    }
    EndList(TRUE);
}

/* ---- common buffers ---- */

static volatile UCHAR *Common;
static PHYSICAL_ADDRESS Logical;

static VOID BeginCommon(VOID)
{
    OwnMaster();
    Describe(Buffer, 256);
    Common = Operations()->AllocateCommonBuffer(Adapter, 256, &Logical, FALSE);
}

static VOID FreeCommon(VOID)
{
    Operations()->FreeCommonBuffer(Adapter, 256, Logical, (PVOID)(ULONG_PTR)Common, FALSE);
}

PAIR(write_to_a_freed_common_buffer, "stray-device-access", "freed by FreeCommonBuffer at")
{
    BeginCommon();
    if (!right) {
        FreeCommon();
    }
    MoveBus((ULONGLONG)Logical.QuadPart, 128, TRUE);
    if (right) {
        FreeCommon();
    }
    Leave();
}

PAIR(read_of_a_freed_common_buffer, "stray-device-access", "freed by FreeCommonBuffer at")
{
    BeginCommon();
    if (!right) {
        FreeCommon();
    }
    MoveBus((ULONGLONG)Logical.QuadPart, 128, FALSE);
    if (right) {
        FreeCommon();
    }
    Leave();
}

PAIR(write_behind_a_common_buffer, "stray-device-access",
     "directly behind the end of a common buffer of 256 bytes")
{
    BeginCommon();
    MoveBus((ULONGLONG)Logical.QuadPart, right ? 256 : 320, TRUE);
    FreeCommon();
    Leave();
}

PAIR(read_before_a_common_buffer, "stray-device-access", "8 bytes before the start of a common buffer")
{
    BeginCommon();
    MoveBus((ULONGLONG)Logical.QuadPart - (right ? 0 : 8), 64, FALSE);
    FreeCommon();
    Leave();
}

PAIR(write_behind_the_adapter, "stray-device-access", "freed by FreeCommonBuffer at")
{
    BeginCommon();
    FreeCommon();
    Common = Operations()->AllocateCommonBufferEx(Adapter, NULL, 256, &Logical, FALSE, 0);
    if (!right) {
        FreeCommon();
        Leave();
    }
    MoveBus((ULONGLONG)Logical.QuadPart, 64, TRUE);
    if (right) {
        FreeCommon();
        Leave();
    }
}

/* ---- memory of the layer's own ---- */

PAIR(write_to_freed_private_memory, "stray-device-access", "in what has ended: private memory of the back end")
{
    OwnMaster();
    Describe(Buffer, 64);
    Record(MEMORY, PRIVATE, (ULONG_PTR)Other, LINE, TRUE);
    if (!right) {
        Record(MEMORY, PRIVATE, (ULONG_PTR)Other, LINE, FALSE);
    }
    MoveBus((ULONG_PTR)Other, LINE, TRUE);
    if (right) {
        Record(MEMORY, PRIVATE, (ULONG_PTR)Other, LINE, FALSE);
    }
    Leave();
}
