/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers that touch a buffer while it is the device's, and some that touch what they may.
 */
#include "driver.h"

static volatile UCHAR Buffer[1024] __attribute__((aligned(PAGE)));
static volatile UCHAR Second[256] __attribute__((aligned(PAGE)));

static VOID BeginMaster(ULONG offset, ULONG length)
{
    OwnMaster();
    Describe(&Buffer[offset], length);
}

PAIR(store_to_a_list, "not-your-buffer", "GetScatterGatherListEx .*CCH-02")
{
    BeginMaster(0, 256);
    if (right) {
        Buffer[100] = 1;
    }
    GetList(TRUE);
    if (!right) {
        Buffer[100] = 1; /* RACE store_to_a_list */
    }
    MoveElement(256, FALSE);
    PutList(TRUE);
    Leave();
}

PAIR(load_from_a_list, "not-your-buffer", "PutScatterGatherList .*CCH-03")
{
    BeginMaster(0, 256);
    GetList(FALSE);
    MoveElement(256, TRUE);
    if (!right) {
        (void)Buffer[100]; /* RACE load_from_a_list */
    }
    PutList(FALSE);
    (void)Buffer[100];
    Leave();
}

PAIR(store_to_a_list_to_be_written, "not-your-buffer", "GetScatterGatherListEx .*CCH-04")
{
    BeginMaster(0, 256);
    GetList(FALSE);
    if (!right) {
        Buffer[255] = 1; /* RACE store_to_a_list_to_be_written */
    }
    MoveElement(256, TRUE);
    PutList(FALSE);
    Buffer[255] = 1;
    Leave();
}

/* A load and a store of one cause. */
PAIR(count_in_a_list, "not-your-buffer", "PutScatterGatherList .*CCH-03")
{
    BeginMaster(0, 256);
    GetList(FALSE);
    if (!right) {
        Buffer[9]++; /* RACE count_in_a_list */
    }
    PutList(FALSE);
    Buffer[9]++;
    Leave();
}

/* The device is done with it, and its interrupt has come: but the list has not been put. */
PAIR(store_behind_the_device, "not-your-buffer", "GetScatterGatherListEx .*CCH-02")
{
    BeginMaster(0, 256);
    GetList(TRUE);
    MoveElement(256, FALSE);
    if (right) {
        PutList(TRUE);
    }
    Buffer[0] = 1; /* RACE store_behind_the_device */
    if (!right) {
        PutList(TRUE);
    }
    Leave();
}

/* No device ever moves anything. */
PAIR(store_without_a_device, "not-your-buffer", "GetScatterGatherListEx .*CCH-02")
{
    BeginMaster(0, 256);
    GetList(TRUE);
    if (!right) {
        Buffer[7] = 1; /* RACE store_without_a_device */
    }
    PutList(TRUE);
    Leave();
}

PAIR(bounced_store, "not-your-buffer", "GetScatterGatherListEx .*CCH-04")
{
    BeginMaster(4, 8);
    GetList(FALSE);
    MoveElement(8, TRUE);
    if (!right) {
        Buffer[5] = 1; /* RACE bounced_store */
    }
    PutList(FALSE);
    Buffer[5] = 1;
    Leave();
}

PAIR(bounced_load, "not-your-buffer", "PutScatterGatherList .*CCH-03")
{
    BeginMaster(4, 8);
    GetList(FALSE);
    MoveElement(8, TRUE);
    if (!right) {
        (void)Buffer[11]; /* RACE bounced_load */
    }
    PutList(FALSE);
    (void)Buffer[11];
    Leave();
}

static VOID Put(volatile UCHAR *at, UCHAR value)
{
    *at = value; /* RACE inlined_store */
}

PAIR(inlined_store, "not-your-buffer",
     "in Put [(].*, inlined in inlined_store_pair [(].*, inlined in inlined_store_command")
{
    BeginMaster(0, 256);
    GetList(TRUE);
    if (!right) {
        Put(&Buffer[3], 1);
    }
    MoveElement(256, FALSE);
    PutList(TRUE);
    Leave();
}

/* Two bytes of a store of eight are in the mapping. */
PAIR(store_over_the_start, "not-your-buffer", "byte 6 of Buffer")
{
    BeginMaster(right ? 8 : 6, 122);
    GetList(TRUE);
    *(volatile ULONGLONG *)&Buffer[0] = 1; /* RACE store_over_the_start */
    MoveElement(122, FALSE);
    PutList(TRUE);
    Leave();
}

PAIR(load_over_the_end, "not-your-buffer", "byte 252 of Buffer")
{
    BeginMaster(0, right ? 192 : 254);
    GetList(FALSE);
    (void)*(volatile ULONG *)&Buffer[252]; /* RACE load_over_the_end */
    PutList(FALSE);
    Leave();
}

PAIR(release_to_a_list, "not-your-buffer", "GetScatterGatherListEx .*CCH-02")
{
    BeginMaster(0, 256);
    GetList(TRUE);
    if (!right) {
        __atomic_store_n(&Buffer[100], 1, __ATOMIC_RELEASE); /* RACE release_to_a_list */
    }
    MoveElement(256, FALSE);
    PutList(TRUE);
    Leave();
}

/* A chain of two MDLs, both of one mapping. */
PAIR(store_to_the_second_mdl, "not-your-buffer", "at byte 9 of Second")
{
    BeginMaster(0, 256);
    PMDL second = IoAllocateMdl((PVOID)(ULONG_PTR)Second, 256, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(second);
    Mdl->Next = second;
    Length = 512;
    GetList(TRUE);
    if (!right) {
        Second[9] = 1; /* RACE store_to_the_second_mdl */
    }
    PutList(TRUE);
    Second[9] = 1;
    Mdl->Next = NULL;
    IoFreeMdl(second);
    Leave();
}

/* Of a buffer the first half is flushed, and the second is not. */
PAIR(load_of_the_other_half, "not-your-buffer", "FlushAdapterBuffersEx .*CCH-03")
{
    BeginMaster(0, 512);
    Allocate();
    MapPart(0, 256, FALSE);
    MoveElement(256, TRUE);
    FlushPart(0, 256, FALSE);
    MapPart(256, 256, FALSE);
    MoveElement(256, TRUE);
    (void)Buffer[right ? 255 : 256]; /* RACE load_of_the_other_half */
    FlushPart(256, 256, FALSE);
    Free(TRUE);
    Leave();
}

/* ---- the stream device: system DMA ---- */

static VOID BeginStream(ULONG length, BOOLEAN write, BOOLEAN looped)
{
    OwnStream(write, looped);
    Describe(Buffer, length);
    Allocate();
}

static VOID EndStream(VOID)
{
    Free(FALSE);
    Leave();
}

PAIR(store_while_it_is_sent, "not-your-buffer", "MapTransferEx .*CCH-02")
{
    BeginStream(LINE, TRUE, FALSE);
    MapStream(LINE, TRUE);
    if (!right) {
        Buffer[8] = 1; /* RACE store_while_it_is_sent */
    }
    Stream(TRUE);
    FlushPart(0, LINE, TRUE);
    EndStream();
}

PAIR(load_while_it_is_received, "not-your-buffer", "FlushAdapterBuffersEx .*CCH-03")
{
    BeginStream(LINE, FALSE, FALSE);
    MapStream(LINE, FALSE);
    if (!right) {
        (void)Buffer[8]; /* RACE load_while_it_is_received */
    }
    Stream(FALSE);
    FlushPart(0, LINE, FALSE);
    (void)Buffer[8];
    EndStream();
}

/* The flush is refused: its handle is none. */
PAIR(load_behind_a_refused_flush, "not-your-buffer", "FlushAdapterBuffersEx .*CCH-03")
{
    PVOID registers;

    BeginStream(LINE, FALSE, FALSE);
    MapStream(LINE, FALSE);
    Stream(FALSE);
    registers = Registers;
    if (!right) {
        Registers = (PVOID)(ULONG_PTR)0x1234;
    }
    FlushPart(0, LINE, FALSE);
    (void)Buffer[8]; /* RACE load_behind_a_refused_flush */
    Registers = registers;
    if (!right) {
        FlushPart(0, LINE, FALSE);
    }
    EndStream();
}

/* A flush of less than was received leaves the rest to the device. */
PAIR(load_behind_a_short_flush, "stale-cpu-read", "too small a length.*CCH-03")
{
    BeginStream(2 * LINE, FALSE, FALSE);
    MapStream(2 * LINE, FALSE);
    Stream(FALSE);
    FlushPart(0, right ? 2 * LINE : LINE, FALSE);
    (void)Buffer[100]; /* RACE load_behind_a_short_flush */
    INVALIDATE(&Buffer[LINE]);
    DMB();
    EndStream();
}

PAIR(load_behind_a_short_flush_of_a_master, "stale-cpu-read", "too small a length.*CCH-03")
{
    BeginMaster(0, 256);
    Allocate();
    MapPart(0, 256, FALSE);
    MoveElement(256, TRUE);
    FlushPart(0, right ? 256 : 128, FALSE);
    (void)Buffer[200]; /* RACE load_behind_a_short_flush_of_a_master */
    INVALIDATE(&Buffer[192]);
    DMB();
    Free(TRUE);
    Leave();
}

/* Only in a loop the CPU may look while the device goes on. Its memory is not cached (CCH-20). */
PAIR(load_from_what_is_no_loop, "not-your-buffer", "FlushAdapterBuffersEx .*CCH-03")
{
    PHYSICAL_ADDRESS logical;
    volatile UCHAR *memory;

    OwnStream(FALSE, right);
    memory = Operations()->AllocateCommonBuffer(Adapter, LINE, &logical, FALSE);
    Describe(memory, LINE);
    Allocate();
    MapStream(LINE, FALSE);
    (void)memory[8]; /* RACE load_from_what_is_no_loop */
    if (right) {
        memory[9] = 1;
        Operations()->CancelMappedTransfer(Adapter, Context);
    } else {
        Stream(FALSE);
    }
    FlushPart(0, LINE, FALSE);
    Free(FALSE);
    Operations()->FreeCommonBuffer(Adapter, LINE, logical, (PVOID)(ULONG_PTR)memory, FALSE);
    Leave();
}

/* A callback is the driver, as a command is. */
static BOOLEAN Right;

static VOID ListReady(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context)
{
    (void)device, (void)irp, (void)context;
    List = list;
    if (!Right) {
        Buffer[60] = 1; /* RACE store_in_a_callback */
    }
}

PAIR(store_in_a_callback, "not-your-buffer", "GetScatterGatherListEx .*CCH-02")
{
    KIRQL level;

    BeginMaster(0, 256);
    Right = right;
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Operations()->GetScatterGatherListEx(Adapter, &Device, Context, Mdl, 0, 256, 0, ListReady, NULL, TRUE, NULL,
                                         NULL, NULL);
    KeLowerIrql(level);
    PutList(TRUE);
    Leave();
}

static VOID FlushAndLook(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context,
                         DMA_COMPLETION_STATUS status)
{
    (void)adapter, (void)device, (void)context, (void)status;
    if (Right) {
        FlushPart(0, LINE, FALSE);
    }
    (void)Buffer[30]; /* RACE load_in_a_completion_routine */
    if (!Right) {
        FlushPart(0, LINE, FALSE);
    }
    Finished = TRUE;
}

PAIR(load_in_a_completion_routine, "not-your-buffer", "FlushAdapterBuffersEx .*CCH-03")
{
    ULONG length = LINE;

    BeginStream(LINE, FALSE, FALSE);
    Right = right;
    Finished = FALSE;
    Operations()->MapTransferEx(Adapter, Mdl, Registers, 0, 0, &length, FALSE, NULL, 0, FlushAndLook, NULL);
    Stream(FALSE);
    EndStream();
}
