/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which routine is named: each of those that map, and that give back, and those whose memory must not be
 * cached. Where no routine owed anything, none is.
 */
#include "driver.h"

static volatile UCHAR Buffer[1024] __attribute__((aligned(PAGE)));

/* ---- the list routines of versions 1 and 2 ---- */

static VOID Ready(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context)
{
    (void)device, (void)irp, (void)context;
    List = list;
}

enum list_routine { GET, BUILD, BUILD_EX };

static VOID MakeList(enum list_routine routine, BOOLEAN write)
{
    PVOID memory = ListBuffer, va = (PVOID)(ULONG_PTR)Buffer;
    KIRQL level;

    OwnMaster();
    Describe(Buffer, 256);
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    if (routine == GET) {
        Operations()->GetScatterGatherList(Adapter, &Device, Mdl, va, 256, Ready, NULL, write);
    } else if (routine == BUILD) {
        Operations()->BuildScatterGatherList(Adapter, &Device, Mdl, va, 256, Ready, NULL, write, memory,
                                             sizeof(ListBuffer));
    } else {
        Operations()->BuildScatterGatherListEx(Adapter, &Device, Context, Mdl, 0, 256, 0, Ready, NULL, write,
                                               memory, sizeof(ListBuffer), NULL, NULL, NULL);
    }
    KeLowerIrql(level);
}

PAIR(store_to_a_list_of_get, "not-your-buffer", "; GetScatterGatherList had been called .*CCH-02")
{
    MakeList(GET, TRUE);
    if (!right) {
        Buffer[100] = 1; /* RACE store_to_a_list_of_get */
    }
    MoveElement(256, FALSE);
    PutList(TRUE);
    Leave();
}

PAIR(store_to_a_list_of_build, "not-your-buffer", "; BuildScatterGatherList had been called .*CCH-02")
{
    MakeList(BUILD, TRUE);
    if (!right) {
        Buffer[100] = 1; /* RACE store_to_a_list_of_build */
    }
    MoveElement(256, FALSE);
    PutList(TRUE);
    Leave();
}

PAIR(store_to_a_list_of_build_ex, "not-your-buffer", "; BuildScatterGatherListEx had been called .*CCH-02")
{
    MakeList(BUILD_EX, TRUE);
    if (!right) {
        Buffer[100] = 1; /* RACE store_to_a_list_of_build_ex */
    }
    MoveElement(256, FALSE);
    PutList(TRUE);
    Leave();
}

PAIR(load_from_a_list_of_get, "not-your-buffer",
     "; PutScatterGatherList had not .*CCH-03.* GetScatterGatherList was")
{
    MakeList(GET, FALSE);
    MoveElement(256, TRUE);
    if (!right) {
        (void)Buffer[100]; /* RACE load_from_a_list_of_get */
    }
    PutList(FALSE);
    Leave();
}

PAIR(load_from_a_list_of_build, "not-your-buffer",
     "; PutScatterGatherList had not .*CCH-03.* BuildScatterGatherList was")
{
    MakeList(BUILD, FALSE);
    MoveElement(256, TRUE);
    if (!right) {
        (void)Buffer[100]; /* RACE load_from_a_list_of_build */
    }
    PutList(FALSE);
    Leave();
}

PAIR(load_from_a_list_of_build_ex, "not-your-buffer",
     "; PutScatterGatherList had not .*CCH-03.* BuildScatterGatherListEx was")
{
    MakeList(BUILD_EX, FALSE);
    MoveElement(256, TRUE);
    if (!right) {
        (void)Buffer[100]; /* RACE load_from_a_list_of_build_ex */
    }
    PutList(FALSE);
    Leave();
}

PAIR(stray_behind_a_list_of_get, "stray-device-access",
     "behind the end of .* made by GetScatterGatherList, called in MakeList")
{
    MakeList(GET, TRUE);
    MoveElement(right ? 256 : 320, FALSE);
    PutList(TRUE);
    Leave();
}

PAIR(stray_behind_a_list_of_build, "stray-device-access",
     "behind the end of .* made by BuildScatterGatherList, called in MakeList")
{
    MakeList(BUILD, FALSE);
    MoveElement(right ? 256 : 320, TRUE);
    PutList(FALSE);
    Leave();
}

PAIR(stray_in_a_list_of_build_ex, "stray-device-access",
     "other direction: .* made by BuildScatterGatherListEx, called in MakeList")
{
    MakeList(BUILD_EX, !right);
    MoveElement(64, TRUE);
    PutList(!right);
    Leave();
}

/* ---- MapTransfer and FlushAdapterBuffers ---- */

static IO_ALLOCATION_ACTION Granted(PDEVICE_OBJECT device, PIRP irp, PVOID registers, PVOID context)
{
    (void)device, (void)irp, (void)context;
    Registers = registers;
    return KeepObject;
}

static VOID MapOld(BOOLEAN write)
{
    KIRQL level;

    OwnStream(write, FALSE);
    Describe(Buffer, 2 * LINE);
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Operations()->AllocateAdapterChannel(Adapter, &Device, 1, Granted, NULL);
    KeLowerIrql(level);
    Operations()->MapTransfer(Adapter, Mdl, Registers, (PVOID)(ULONG_PTR)Buffer, &Length, write);
}

static VOID FlushOld(ULONG length, BOOLEAN write)
{
    Operations()->FlushAdapterBuffers(Adapter, Mdl, Registers, (PVOID)(ULONG_PTR)Buffer, length, write);
}

static BOOLEAN Moved(PVOID context)
{
    (void)context;
    return Operations()->ReadDmaCounter(Adapter) == 0;
}

static VOID StreamOld(BOOLEAN write)
{
    STREAM_CONTROL = write ? DMAV3_STREAM_SEND : DMAV3_STREAM_RECEIVE;
    for (ULONG i = 0; i < POLLS && !Moved(NULL); i++) {
    }
    STREAM_CONTROL = 0;
}

PAIR(store_behind_map_transfer, "not-your-buffer", "; MapTransfer had been called .*CCH-02")
{
    MapOld(TRUE);
    if (!right) {
        Buffer[9] = 1; /* RACE store_behind_map_transfer */
    }
    StreamOld(TRUE);
    FlushOld(2 * LINE, TRUE);
    Free(FALSE);
    Leave();
}

PAIR(load_behind_map_transfer, "not-your-buffer", "; FlushAdapterBuffers had not .*CCH-03")
{
    MapOld(FALSE);
    StreamOld(FALSE);
    if (!right) {
        (void)Buffer[9]; /* RACE load_behind_map_transfer */
    }
    FlushOld(2 * LINE, FALSE);
    Free(FALSE);
    Leave();
}

PAIR(short_flush_of_map_transfer, "stale-cpu-read", "; FlushAdapterBuffers had not .*CCH-03")
{
    MapOld(FALSE);
    StreamOld(FALSE);
    FlushOld(right ? 2 * LINE : LINE, FALSE);
    (void)Buffer[100]; /* RACE short_flush_of_map_transfer */
    INVALIDATE(&Buffer[LINE]);
    DMB();
    Free(FALSE);
    Leave();
}

/* ---- memory that must not be cached: all of RAM once more, 1 GiB higher, and cached ---- */

static volatile UCHAR *Cached(volatile UCHAR *address)
{
    volatile ULONGLONG *tables;

    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(tables));
    tables[2] = 0x40000000ull | 3ull << 53 | 1 << 10 | 3 << 8 | 2 << 2 | 1; /* index 2 of MAIR_EL1 */
    __asm__ volatile("dsb sy\n isb" ::: "memory");
    return address + 0x40000000;
}

static PHYSICAL_ADDRESS Logical;

static volatile UCHAR *AllocateCommon(BOOLEAN extended, BOOLEAN cached)
{
    PVOID memory;

    OwnMaster();
    Describe(Buffer, 256);
    memory = extended ? Operations()->AllocateCommonBufferEx(Adapter, NULL, 256, &Logical, FALSE, 0)
                      : Operations()->AllocateCommonBuffer(Adapter, 256, &Logical, FALSE);
    return cached ? Cached(memory) : memory;
}

static VOID FreeCommon(volatile UCHAR *memory)
{
    Operations()->FreeCommonBuffer(Adapter, 256, Logical, (PVOID)(ULONG_PTR)memory, FALSE);
    Leave();
}

PAIR(cached_store_to_a_common_buffer, "stale-device-read",
     "; AllocateCommonBuffer must give memory that is not cached.*ACX-04")
{
    volatile UCHAR *memory = AllocateCommon(FALSE, !right);

    memory[5] = 1; /* RACE cached_store_to_a_common_buffer */
    DMB();
    MoveBus((ULONGLONG)Logical.QuadPart, 64, FALSE);
    FreeCommon((volatile UCHAR *)(ULONG_PTR)Logical.QuadPart);
}

PAIR(cached_load_of_a_common_buffer, "stale-cpu-read",
     "; AllocateCommonBufferEx must give memory that is not cached.*ACX-04")
{
    volatile UCHAR *memory = AllocateCommon(TRUE, !right);

    (void)memory[5];
    MoveBus((ULONGLONG)Logical.QuadPart, 64, TRUE);
    (void)memory[5]; /* RACE cached_load_of_a_common_buffer */
    FreeCommon((volatile UCHAR *)(ULONG_PTR)Logical.QuadPart);
}

PAIR(dirty_common_buffer, "lost-device-write",
     "; AllocateCommonBuffer must give memory that is not cached.*ACX-04")
{
    volatile UCHAR *memory = AllocateCommon(FALSE, !right);

    memory[5] = 1; /* RACE dirty_common_buffer */
    MoveBus((ULONGLONG)Logical.QuadPart, 64, TRUE);
    FreeCommon((volatile UCHAR *)(ULONG_PTR)Logical.QuadPart);
}

PAIR(store_beside_in_a_common_buffer, "shared-line",
     "; AllocateCommonBufferEx must give memory that is not cached.*ACX-04")
{
    volatile UCHAR *memory = AllocateCommon(TRUE, !right);

    memory[40] = 1; /* RACE store_beside_in_a_common_buffer */
    MoveBus((ULONGLONG)Logical.QuadPart, 32, TRUE);
    FreeCommon((volatile UCHAR *)(ULONG_PTR)Logical.QuadPart);
}

/* The driver's own fault, though the memory is a common buffer. */
PAIR(descriptor_without_a_barrier, "missing-barrier", "no routine owed anything")
{
    volatile UCHAR *memory = AllocateCommon(FALSE, FALSE);

    Prepare(EDU, FALSE, (PVOID)(ULONG_PTR)Logical.QuadPart, 64);
    memory[5] = 1; /* RACE descriptor_without_a_barrier */
    if (right) {
        DMB();
    }
    Run(EDU, FALSE);
    FreeCommon(memory);
}

/* ---- a layer whose KeFlushIoBuffers says that it maintains, and does not ---- */

static VOID SayFlushed(BOOLEAN write)
{
    enum { KE_FLUSH_IO_BUFFERS = 65 };

    Record(ENTER, KE_FLUSH_IO_BUFFERS, 0, 0, FALSE);
    Record(RANGE, FLUSHED, (ULONG_PTR)Buffer, 256, write);
    Record(EXIT, KE_FLUSH_IO_BUFFERS, 0, 0, FALSE);
}

PAIR(recipe_that_does_not_clean, "stale-device-read",
     "; KeFlushIoBuffers must maintain the lines of its range.*KFI-01")
{
    Describe(Buffer, 256);
    Buffer[9] = 1; /* RACE recipe_that_does_not_clean */
    if (right) {
        KeFlushIoBuffers(Mdl, FALSE, TRUE);
    } else {
        SayFlushed(TRUE);
    }
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Run(CHANNEL, FALSE);
    IoFreeMdl(Mdl);
}

PAIR(recipe_that_does_not_invalidate, "stale-cpu-read",
     "; KeFlushIoBuffers must maintain the lines of its range.*KFI-01")
{
    Describe(Buffer, 256);
    CLEAN_INVALIDATE(Buffer);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Run(CHANNEL, TRUE);
    if (right) {
        KeFlushIoBuffers(Mdl, TRUE, TRUE);
    } else {
        SayFlushed(FALSE);
    }
    (void)Buffer[9]; /* RACE recipe_that_does_not_invalidate */
    INVALIDATE(Buffer);
    DMB();
    IoFreeMdl(Mdl);
}

/* ---- nobody's debts ---- */

/* A store that comes behind KeFlushIoBuffers is the driver's. */
PAIR(store_behind_the_recipe, "stale-device-read", "no routine owed anything")
{
    Describe(Buffer, 256);
    if (!right) {
        KeFlushIoBuffers(Mdl, FALSE, TRUE);
    }
    Buffer[9] = 1; /* RACE store_behind_the_recipe */
    if (right) {
        KeFlushIoBuffers(Mdl, FALSE, TRUE);
    }
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Run(CHANNEL, FALSE);
    IoFreeMdl(Mdl);
}

PAIR(load_without_the_recipe, "stale-cpu-read", "no routine owed anything")
{
    Describe(Buffer, 256);
    KeFlushIoBuffers(Mdl, TRUE, TRUE);
    Prepare(CHANNEL, TRUE, Buffer, LINE);
    Run(CHANNEL, TRUE);
    if (right) {
        KeFlushIoBuffers(Mdl, TRUE, TRUE);
    }
    (void)Buffer[9]; /* RACE load_without_the_recipe */
    KeFlushIoBuffers(Mdl, TRUE, TRUE);
    IoFreeMdl(Mdl);
}

/* A buffer that has been given back is the driver's again. */
PAIR(store_behind_the_flush, "stale-device-read", "no routine owed anything")
{
    OwnStream(TRUE, FALSE);
    Describe(Buffer, 2 * LINE);
    Allocate();
    MapStream(2 * LINE, TRUE);
    Stream(TRUE);
    FlushPart(0, 2 * LINE, TRUE);
    Buffer[9] = 1; /* RACE store_behind_the_flush */
    if (right) {
        CLEAN(Buffer);
        DMB();
    }
    Prepare(CHANNEL, FALSE, Buffer, LINE);
    Run(CHANNEL, FALSE);
    Free(FALSE);
    Leave();
}
