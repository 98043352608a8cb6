/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PL330 that takes time, and a CPU that meanwhile touches the memory it moves, and no register. And a driver
 * that does so by mistake.
 */
#include <dmav3.h>
#include <dmav3_board.h>
#include <wdm_dma.h>

#define PL330(offset) (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))
#define DMB()         __asm__ volatile("dmb sy" ::: "memory")
#define PROGRAM       ((volatile UCHAR *)0x40601000) /* uncached: the staging window */
#define SOURCE        ((volatile UCHAR *)0x40602000)
#define TARGET        ((volatile UCHAR *)0x40603000)

enum { BURST = 64, BURSTS = 16, SIZE = BURST * BURSTS, OLD = 1, NEW = 2, POLLS = 100000, CHANNEL = 7 };

static ULONG Move(ULONG n, UCHAR which, ULONG value)
{
    PROGRAM[n] = 0xbc;
    PROGRAM[n + 1] = which;
    for (ULONG i = 0; i < 4; i++) {
        PROGRAM[n + 2 + i] = (UCHAR)(value >> 8 * i);
    }
    return n + 6;
}

/* Copy SOURCE to TARGET burst by burst, each with a barrier. */
static VOID StartCopy(void)
{
    static const UCHAR rest[] = {0x20, BURSTS - 1, 0x04, 0x08, 0x13, 0x38, 3, 0};
    ULONG n = Move(Move(Move(0, 0, (ULONG)(ULONG_PTR)SOURCE), 2, (ULONG)(ULONG_PTR)TARGET), 1, 0x001dc077);

    for (ULONG i = 0; i < sizeof(rest); i++) {
        PROGRAM[n + i] = rest[i];
    }
    for (ULONG i = 0; i < SIZE; i++) {
        SOURCE[i] = OLD;
        TARGET[i] = 0;
    }
    DMB();
    PL330(0xd08) = 0x00a00000 | CHANNEL << 24;
    PL330(0xd0c) = (ULONG)(ULONG_PTR)PROGRAM;
    PL330(0xd04) = 0;
}

static VOID WaitForEnd(void)
{
    while (PL330(0x100 + 8 * CHANNEL) & 15) {
    }
}

/* Store into all of the source in the middle of the copy, from the end to the start. */
static NTSTATUS LateStores(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG old = 0, new = 0;

    StartCopy();
    for (volatile ULONGLONG i = 0; i < argument[0]; i++) {
    }
    for (ULONG i = SIZE; i > 0; i -= BURST) {
        SOURCE[i - 1] = NEW;
    }
    WaitForEnd();
    for (ULONG i = BURST - 1; i < SIZE; i += BURST) {
        old += TARGET[i] == OLD;
        new += TARGET[i] == NEW;
    }
    dmav3_reply_value(reply, "old", old);
    dmav3_reply_value(reply, "new", new);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(late_stores, "turns", LateStores);

static ULONG Arrived(void)
{
    ULONG arrived = 0;

    while (arrived < BURSTS && TARGET[BURST * arrived + BURST - 1] != 0) {
        arrived++;
    }
    return arrived;
}

/* Look at the target again and again: how many different numbers of bursts are there to see? */
static NTSTATUS Watch(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG last = 0, steps = 0;

    (void)argument;
    StartCopy();
    for (ULONG polls = 0; last < BURSTS && polls < POLLS; polls++) {
        ULONG arrived = Arrived();

        steps += arrived != last;
        last = arrived;
    }
    WaitForEnd();
    dmav3_reply_value(reply, "arrived", last);
    dmav3_reply_value(reply, "steps", steps);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(watch, "", Watch);

/* Read SAR again and again, which has the same to say. */
static NTSTATUS Poll(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG last = 0, steps = 0;

    (void)argument;
    StartCopy();
    while (PL330(0x100 + 8 * CHANNEL) & 15) {
        ULONG now = PL330(0x400 + 0x20 * CHANNEL);

        steps += now != last;
        last = now;
    }
    dmav3_reply_value(reply, "steps", steps);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(poll, "", Poll);

/* ---- a driver that fills its buffer when the device has it ---- */

static UCHAR Buffer[64] __attribute__((aligned(64)));
static ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
static PDMA_ADAPTER Adapter;
static PMDL Mdl;
static PVOID Registers;
static ULONG Length;

static VOID Done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context, DMA_COMPLETION_STATUS status)
{
    adapter->DmaOperations->FlushAdapterBuffersEx(adapter, Mdl, Registers, 0, Length, TRUE);
    adapter->DmaOperations->FreeAdapterChannel(adapter);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    IoFreeMdl(Mdl);
    (void)device, (void)context, (void)status;
}

static IO_ALLOCATION_ACTION Ready(PDEVICE_OBJECT device, PIRP irp, PVOID registers, PVOID context)
{
    Registers = registers;
    WRITE_REGISTER_ULONG((volatile ULONG *)(DMAV3_STREAM_BASE + 8ull), 1);
    Adapter->DmaOperations->MapTransferEx(Adapter, Mdl, registers, 0, 0, &Length, TRUE, NULL, 0, Done, NULL);
    RtlCopyMemory(Buffer, "hello, device", Length);
    (void)device, (void)irp, (void)context;
    return KeepObject;
}

static NTSTATUS StartFirst(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    static DEVICE_OBJECT device;
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3, .DmaWidth = Width8Bits};
    ULONG maximum;
    KIRQL level;

    description.DmaRequestLine = description.DmaChannel = 1;
    description.DeviceAddress.QuadPart = DMAV3_STREAM_DATA;
    Adapter = IoGetDmaAdapter(NULL, &description, &maximum);
    Length = (ULONG)argument[0];
    Mdl = IoAllocateMdl(Buffer, Length, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Mdl);
    Adapter->DmaOperations->InitializeDmaTransferContext(Adapter, Context);
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Adapter->DmaOperations->AllocateAdapterChannelEx(Adapter, &device, Context, 1, 0, Ready, NULL, NULL);
    KeLowerIrql(level);
    (void)reply;
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(start_first, "bytes", StartFirst);
