/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every hazard that the cache model finds, as a driver may cause it: one command each. The argument says
 * whether it does it right; the access that races is in the line that ends with RACE and the command's
 * name. At the end, sharing that is legal and must be met with silence.
 *
 * Data for a command that receives must be in the stream device's ring when it comes.
 */
#include <dmav3.h>
#include <dmav3_board.h>

#define STREAM_CONTROL      (*(volatile ULONG *)DMAV3_STREAM_CONTROL)
#define PL330(offset)       (*(volatile ULONG *)(DMAV3_PL330_BASE + 0ull + (offset)))
#define BOARD_UART          (*(volatile ULONG *)DMAV3_BOARD_UART_BASE)
#define IDENT(type, offset) (*(volatile type *)(0x0b020000ull + (offset)))
#define UNCACHED            ((volatile UCHAR *)0x40601000) /* in the staging window: a program, then data */
#define ELSEWHERE           (UNCACHED + LINE)

#define DSB()                  __asm__ volatile("dsb sy" ::: "memory")
#define ISB()                  __asm__ volatile("isb" ::: "memory")
#define CLEAN(line)            __asm__ volatile("dc cvac, %0" : : "r"(line) : "memory")
#define INVALIDATE(line)       __asm__ volatile("dc ivac, %0" : : "r"(line) : "memory")
#define CLEAN_INVALIDATE(line) __asm__ volatile("dc civac, %0" : : "r"(line) : "memory")

enum { LINE = 64, POLLS = 1000 };
enum { RANGE = 6, UNMAPPED = 7, MAPPING = 17, MEMORY = 18 }; /* kinds of records */

static volatile UCHAR Buffer[LINE] __attribute__((aligned(LINE)));
static volatile UCHAR Program[LINE] __attribute__((aligned(LINE)));
static volatile UCHAR Source[LINE] __attribute__((aligned(LINE)));

/* ---- a driver ---- */

static PDMA_ADAPTER Adapter;
static PMDL Mdl;
static PVOID Registers;
static ULONG Length;
static BOOLEAN Writing;
static volatile BOOLEAN Finished;

static VOID Done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context, DMA_COMPLETION_STATUS status)
{
    (void)adapter, (void)device, (void)context, (void)status;
    Finished = TRUE;
}

/* Own an adapter of the stream device, with an MDL of a piece of Buffer. */
static VOID Begin(ULONG offset, ULONG length, BOOLEAN write)
{
    static ULONGLONG context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    static DEVICE_OBJECT device;
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3, .DmaWidth = Width8Bits};
    ULONG maximum;
    KIRQL level;

    description.DmaChannel = write;
    description.DmaRequestLine = write ? DMAV3_STREAM_TRANSMIT_LINE : DMAV3_STREAM_RECEIVE_LINE;
    description.DeviceAddress.QuadPart = DMAV3_STREAM_DATA;
    Adapter = IoGetDmaAdapter(NULL, &description, &maximum);
    Mdl = IoAllocateMdl((PVOID)(ULONG_PTR)&Buffer[offset], length, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Mdl);
    Length = length;
    Writing = write;
    Adapter->DmaOperations->InitializeDmaTransferContext(Adapter, context);
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Adapter->DmaOperations->AllocateAdapterChannelEx(Adapter, &device, context, 1, DMA_SYNCHRONOUS_CALLBACK,
                                                     NULL, NULL, &Registers);
    KeLowerIrql(level);
}

static VOID Map(VOID)
{
    Finished = FALSE;
    Adapter->DmaOperations->MapTransferEx(Adapter, Mdl, Registers, 0, 0, &Length, Writing, NULL, 0, Done, NULL);
}

/* Let the device ask for data, until the transfer is finished or nothing more can come. */
static VOID Run(VOID)
{
    STREAM_CONTROL = Writing ? DMAV3_STREAM_SEND : DMAV3_STREAM_RECEIVE;
    for (ULONG i = 0; i < POLLS && !Finished; i++) {
    }
    STREAM_CONTROL = 0;
}

static VOID Flush(VOID)
{
    Adapter->DmaOperations->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Length, Writing);
}

static VOID End(VOID)
{
    KIRQL level;

    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Adapter->DmaOperations->FreeAdapterChannel(Adapter);
    KeLowerIrql(level);
    Adapter->DmaOperations->PutDmaAdapter(Adapter);
    IoFreeMdl(Mdl);
}

/* ---- the same without the layer: the controller's last channel, by hand ---- */

/* DMAGO of channel 7; the last of the three stores is the doorbell. */
static VOID StartProgram(volatile UCHAR *program)
{
    PL330(0xd08) = 0x07a00000;
    PL330(0xd0c) = (ULONG)(ULONG_PTR)program;
    PL330(0xd04) = 0;
}

/* DMAMOV SAR, DMAMOV DAR, DMAMOV CCR (32 bytes in one burst); DMALD, DMAST, DMAWMB, DMAEND. */
static VOID DeviceCopy32By(volatile UCHAR *at, volatile UCHAR *to, volatile UCHAR *from)
{
    static const UCHAR rest[] = {0xbc, 1, 0x37, 0xc0, 0x0d, 0, 0x04, 0x08, 0x13, 0};

    for (ULONG i = 0; i < 6; i++) {
        at[i] = i == 0 ? 0xbc : i == 1 ? 0 : (UCHAR)((ULONG_PTR)from >> 8 * (i - 2));
        at[i + 6] = i == 0 ? 0xbc : i == 1 ? 2 : (UCHAR)((ULONG_PTR)to >> 8 * (i - 2));
    }
    for (ULONG i = 0; i < sizeof(rest); i++) {
        at[i + 12] = rest[i];
    }
    DSB();
    StartProgram(at);
    for (ULONG i = 0; i < POLLS && (PL330(0x138) & 15); i++) {
    }
}

static VOID DeviceCopy32(volatile UCHAR *to, volatile UCHAR *from)
{
    DeviceCopy32By(UNCACHED, to, from);
}

/* ---- a buffer that is the device's: found at the access, whatever the device has done ---- */

static NTSTATUS EarlyLoad(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    Begin(0, LINE, FALSE);
    Map();
    Run();
    if (*correct) {
        Flush();
    }
    dmav3_reply_value(reply, "byte", Buffer[5]); /* RACE early_load */
    if (!*correct) {
        Flush();
    }
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(early_load, "correct", EarlyLoad);

/* Eight bytes in the middle of a line: they go through a bounce page. */
static NTSTATUS EarlyBouncedLoad(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    Begin(4, 8, FALSE);
    Map();
    Run();
    if (*correct) {
        Flush();
    }
    dmav3_reply_value(reply, "byte", Buffer[5]); /* RACE early_bounced_load */
    if (!*correct) {
        Flush();
    }
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(early_bounced_load, "correct", EarlyBouncedLoad);

static NTSTATUS LateStore(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    Begin(0, LINE, TRUE);
    if (!*correct) {
        Map();
    }
    Buffer[5] = 1; /* RACE late_store */
    if (*correct) {
        Map();
    }
    Run();
    Flush();
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(late_store, "correct", LateStore);

static NTSTATUS StoreToRead(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    Begin(0, LINE, FALSE);
    if (!*correct) {
        Map();
    }
    Buffer[5] = 1; /* RACE store_to_read */
    if (*correct) {
        Map();
    }
    Run();
    Flush();
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(store_to_read, "correct", StoreToRead);

/* The device never writes: the flush ends the transfer before. */
static NTSTATUS DiscardedStore(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    Begin(0, LINE, FALSE);
    Map();
    if (*correct) {
        Flush();
    }
    Buffer[5] = 1; /* RACE discarded_store */
    if (!*correct) {
        Flush();
    }
    dmav3_reply_value(reply, "byte", Buffer[5]);
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(discarded_store, "correct", DiscardedStore);

/* The device writes half of the line. */
static NTSTATUS StoreBeside(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    Begin(0, LINE, FALSE);
    Map();
    Run();
    if (*correct) {
        Flush();
    }
    Buffer[40] = 1; /* RACE store_beside */
    if (!*correct) {
        Flush();
    }
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(store_beside, "correct", StoreBeside);

/* Eight bytes in the middle of a line: the store is to the buffer, which a bounce page stands in for. */
static NTSTATUS LateBouncedStore(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    Begin(4, 8, FALSE);
    Map();
    Run();
    if (*correct) {
        Flush();
    }
    Buffer[5] = 1; /* RACE late_bounced_store */
    if (!*correct) {
        Flush();
    }
    End();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(late_bounced_store, "correct", LateBouncedStore);

/* ---- hazards of the cache, where no mapping is ---- */

static NTSTATUS StaleCpuRead(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    CLEAN_INVALIDATE(Buffer);
    DSB();
    DeviceCopy32(Buffer, Source);
    if (*correct) {
        INVALIDATE(Buffer);
        DSB();
    }
    dmav3_reply_value(reply, "byte", Buffer[5]); /* RACE stale_cpu_read */
    INVALIDATE(Buffer);
    DSB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(stale_cpu_read, "correct", StaleCpuRead);

static NTSTATUS StaleDeviceRead(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    Buffer[5] = 1; /* RACE stale_device_read */
    if (*correct) {
        CLEAN(Buffer);
        DSB();
    }
    DeviceCopy32(ELSEWHERE, Buffer);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(stale_device_read, "correct", StaleDeviceRead);

static NTSTATUS LostDeviceWrite(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    Buffer[5] = 1; /* RACE lost_device_write */
    if (*correct) {
        CLEAN_INVALIDATE(Buffer);
        DSB();
    }
    DeviceCopy32(Buffer, Source);
    INVALIDATE(Buffer);
    DSB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(lost_device_write, "correct", LostDeviceWrite);

static NTSTATUS LostCpuWrite(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    Buffer[5] = 1;
    if (*correct) {
        CLEAN(Buffer);
    }
    INVALIDATE(Buffer);
    DSB();
    dmav3_reply_value(reply, "byte", Buffer[5]); /* RACE lost_cpu_write */
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(lost_cpu_write, "correct", LostCpuWrite);

/* The device writes the other half of the line. */
static NTSTATUS SharedLine(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    CLEAN_INVALIDATE(Buffer);
    DSB();
    DeviceCopy32(Buffer, Source);
    if (*correct) {
        INVALIDATE(Buffer);
        DSB();
    }
    Buffer[40] = 1; /* RACE shared_line */
    CLEAN_INVALIDATE(Buffer);
    DSB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(shared_line, "correct", SharedLine);

/* ---- a device that strays, and records that cannot be ---- */

/* The last channel belongs to an adapter, with a common buffer of a program and two places for data. */
static NTSTATUS StrayWrite(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3, .DmaWidth = Width8Bits};
    PHYSICAL_ADDRESS logical;
    ULONG maximum;

    (void)reply;
    description.DmaRequestLine = DMAV3_STREAM_RECEIVE_LINE;
    description.DmaChannel = 7;
    Adapter = IoGetDmaAdapter(NULL, &description, &maximum);
    volatile UCHAR *common = Adapter->DmaOperations->AllocateCommonBuffer(Adapter, 3 * LINE, &logical, FALSE);

    CLEAN_INVALIDATE(Buffer);
    DSB();
    DeviceCopy32By(common, *correct ? &common[2 * LINE] : Buffer, &common[LINE]);
    INVALIDATE(Buffer);
    DSB();
    Adapter->DmaOperations->FreeCommonBuffer(Adapter, 3 * LINE, logical, (PVOID)(ULONG_PTR)common, FALSE);
    Adapter->DmaOperations->PutDmaAdapter(Adapter);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(stray_write, "correct", StrayWrite);

/* A record of the operation log by hand (qemu-machines/ext/machine/ident.h). */
static VOID Record(ULONG kind, ULONG id, ULONGLONG a, ULONGLONG b, ULONGLONG c, ULONGLONG d)
{
    IDENT(ULONGLONG, 0x48) = a;
    IDENT(ULONGLONG, 0x50) = b;
    IDENT(ULONGLONG, 0x58) = c;
    IDENT(ULONGLONG, 0x60) = d;
    IDENT(ULONG, 0x40) = kind | id << 8;
}

/* A common buffer of 16 bytes that reaches beyond the end of RAM, or does not. */
static NTSTATUS BadRecord(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    ULONGLONG start = 0x44000000 - (*correct ? 16 : 8);

    (void)reply;
    Record(MEMORY, 0, 0, start, 16, 1);
    if (*correct) {
        Record(MEMORY, 0, 0, start, 16, 0);
    }
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(bad_record, "correct", BadRecord);

/* So many mappings of a byte each, with one handle, and their end. */
static NTSTATUS ManyMappings(const ULONGLONG *count, struct dmav3_reply *reply)
{
    (void)reply;
    for (ULONGLONG i = 0; i < *count; i++) {
        Record(MAPPING, 23, 2, i + 1, 0, 0);
        Record(RANGE, 0, 2, (ULONG_PTR)&Source[i % LINE], 1, 1);
    }
    Source[0] = 1; /* RACE many_mappings */
    Record(UNMAPPED, 1, 2, 0, 0, 0);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(many_mappings, "count", ManyMappings);

/* ---- barriers, aliases ---- */

/* A descriptor in memory that is not cached, and the doorbell with no barrier between. */
static NTSTATUS RacedDescriptor(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    *UNCACHED = 0; /* DMAEND */ /* RACE raced_descriptor */
    if (*correct) {
        DSB();
    }
    StartProgram(UNCACHED);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(raced_descriptor, "correct", RacedDescriptor);

/* The same in cached memory: cleaned, and started before that is complete. */
static NTSTATUS UnfinishedClean(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    (void)reply;
    *Program = 0; /* DMAEND */ /* RACE unfinished_clean */
    CLEAN(Program);
    if (*correct) {
        DSB();
    }
    StartProgram(Program);
    DSB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(unfinished_clean, "correct", UnfinishedClean);

static NTSTATUS UnfinishedInvalidate(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    CLEAN_INVALIDATE(Buffer);
    DeviceCopy32(Buffer, Source);
    INVALIDATE(Buffer);
    if (*correct) {
        DSB();
    }
    dmav3_reply_value(reply, "byte", Buffer[5]); /* RACE unfinished_invalidate */
    DSB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(unfinished_invalidate, "correct", UnfinishedInvalidate);

/* All of RAM once more, 1 GiB behind itself and not cached: index 1 of MAIR_EL1 (firmware/hal/memory.c). */
static volatile UCHAR *Alias(volatile UCHAR *address)
{
    volatile ULONGLONG *tables;

    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(tables));
    tables[2] = 0x40000000ull | 3ull << 53 | 1 << 10 | 1 << 2 | 1; /* no execution, accessed, a block */
    DSB();
    ISB();
    return address + 0x40000000;
}

static NTSTATUS MismatchedAlias(const ULONGLONG *correct, struct dmav3_reply *reply)
{
    volatile UCHAR *alias = Alias(Buffer);

    (void)reply;
    Buffer[5] = 1;
    if (*correct) {
        CLEAN_INVALIDATE(Buffer);
        DSB();
    }
    alias[5] = 2; /* RACE mismatched_alias */
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(mismatched_alias, "correct", MismatchedAlias);

/* ---- what is legal ---- */

/* CPU and device on different bytes of a line, and nothing is lost: the CPU only reads beside what the
 * device writes, the device only reads beside what the CPU stores. */
static NTSTATUS LegalLine(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    Buffer[40] = 1;
    CLEAN_INVALIDATE(Buffer);
    DSB();
    DeviceCopy32(Buffer, Source);
    dmav3_reply_value(reply, "byte", Buffer[40]);
    CLEAN_INVALIDATE(Source);
    DSB();
    Source[40] = 2;
    DeviceCopy32(ELSEWHERE, Source);
    INVALIDATE(Buffer);
    DSB();
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(legal_line, "", LegalLine);

/* A dirty receive buffer is invalidated before the device fills it. */
static NTSTATUS LegalDiscard(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    Buffer[5] = 1;
    INVALIDATE(Buffer);
    DSB();
    DeviceCopy32(Buffer, Source);
    INVALIDATE(Buffer);
    DSB();
    dmav3_reply_value(reply, "byte", Buffer[5]);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(legal_discard, "", LegalDiscard);

/* Something is printed between a clean and its DSB. */
static NTSTATUS LegalPrint(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    Source[5] = 1;
    CLEAN(Source);
    for (const char *text = "cleaned\n"; *text; text++) {
        BOARD_UART = (UCHAR)*text;
    }
    DSB();
    DeviceCopy32(ELSEWHERE, Source);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(legal_print, "", LegalPrint);

/* As at boot: a store with MMU and caches off, to memory that is cached before and behind. */
static NTSTATUS LegalBoot(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONGLONG control;

    (void)argument;
    CLEAN_INVALIDATE(Buffer);
    DSB();
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(control));
    __asm__ volatile("msr sctlr_el1, %0\n"
                     "isb\n"
                     "strb %w2, [%1]\n"
                     "dsb sy\n"
                     "msr sctlr_el1, %3\n"
                     "isb"
                     :
                     : "r"(control & ~5ull /* C, M */), "r"(&Buffer[5]), "r"(7), "r"(control)
                     : "memory");
    dmav3_reply_value(reply, "byte", Buffer[5]);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(legal_boot, "", LegalBoot);
