/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for the stream device that makes one mistake, or none, in a transfer in one direction; each mistake
 * is a name below, and test_mistakes.py says what must be reported for it, at the line that is marked with the
 * name. */
#include <dmav3.h>
#include <dmav3_board.h>
#include <dmav3_pci.h>
#include <wdm_dma.h>

#define MISTAKES(X)                                                                                            \
    X(NONE)                                                                                                    \
    X(NO_FLUSH)                                                                                                \
    X(EARLY_LOAD)                                                                                              \
    X(LATE_STORE)                                                                                              \
    X(OTHER_DIRECTION)                                                                                         \
    X(SHORT_FLUSH)                                                                                             \
    X(LONG_FLUSH)                                                                                              \
    X(FLUSH_TWICE)                                                                                             \
    X(FLUSH_ELSEWHERE)                                                                                         \
    X(FLUSH_RUNNING)                                                                                           \
    X(MAP_NOTHING)                                                                                             \
    X(MAP_TOO_MUCH)                                                                                            \
    X(MAP_BEHIND)                                                                                              \
    X(MAP_TWICE)                                                                                               \
    X(NOT_BUILT)                                                                                               \
    X(OTHER_HANDLE)                                                                                            \
    X(LOW_IRQL)                                                                                                \
    X(NOT_KEPT)                                                                                                \
    X(NO_ACTION)                                                                                               \
    X(FREE_TWICE)                                                                                              \
    X(PUT_WITH_CHANNEL)                                                                                        \
    X(PUT_TWICE)                                                                                               \
    X(NULL_ADAPTER)                                                                                            \
    X(LEAVE_ADAPTER)                                                                                           \
    X(LEAVE_MDL)                                                                                               \
    X(FREE_MDL_TWICE)                                                                                          \
    X(FREE_MDL_EARLY)                                                                                          \
    X(RAISE_IN_CALLBACK)                                                                                       \
    X(RAISE_IN_COMMAND)                                                                                        \
    X(TOO_MANY_REGISTERS)                                                                                      \
    X(CONTEXT_TWICE)                                                                                           \
    X(COMMON_TWICE)                                                                                            \
    X(COMMON_LENGTH)                                                                                           \
    X(COMMON_LEFT)                                                                                             \
    X(COMMON_OVERRUN)                                                                                          \
    X(VERSION)                                                                                                 \
    X(RECIPE_UNDER_DEVICE)                                                                                     \
    X(WRONG_ADDRESS)                                                                                           \
    X(WRONG_REGISTER)                                                                                          \
    X(IN_MEMORY)                                                                                               \
    X(OUT_OF_REACH)                                                                                            \
    X(OTHER_LINE)                                                                                              \
    X(NO_REQUEST)                                                                                              \
    X(DEEP)                                                                                                    \
    X(NULL_POINTER)                                                                                            \
    X(NO_ROUTINE)                                                                                              \
    X(STORM)                                                                                                   \
    X(HEAP_OVERRUN)                                                                                            \
    X(BAD_POINTER)                                                                                             \
    X(RAW_CONTEXT)                                                                                             \
    X(WRONG_FLAGS)                                                                                             \
    X(SMALL_LIST)                                                                                              \
    X(CANCELLED)                                                                                               \
    X(EMPTY_MDL)                                                                                               \
    X(OLD_VERSION)                                                                                             \
    X(SYNCHRONOUS)                                                                                             \
    X(WRONG_LINE)

#define MEMBER(name) name,
enum mistake { MISTAKES(MEMBER) };

enum { LENGTH = 64 };

static UCHAR Buffer[2 * LENGTH] __attribute__((aligned(64)));
static ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8], OtherContext[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
static ULONGLONG List[8];
static NTSTATUS Outcome; /* of the last step of the transfer */
static DEVICE_OBJECT Device;
static PDMA_ADAPTER Adapter;
static PMDL Mdl;
static PVOID Registers;
static ULONG Mapped, Sum;
static BOOLEAN Sending;
static enum mistake Mistake;
static volatile UCHAR *Nothing;
static void (*volatile Routine)(void);

static ULONG Deep(ULONG n) /* DEEP */
{
    volatile ULONG frame[LENGTH];

    frame[n % LENGTH] = n;
    return Sum == n ? 0 : Deep(n + 1) + frame[n % LENGTH];
}

static VOID Deaf(PVOID context) /* STORM */
{
    (void)context;
    Sum++;
}

/* Let a PCI device raise its interrupt, and never tell it to let go. */
static void RaiseInterrupt(void)
{
    struct dmav3_pci edu;

    dmav3_pci_find(DMAV3_PCI_ID(0x1234, 0x11E8), 0, &edu);
    dmav3_pci_enable(&edu);
    dmav3_pci_connect_pin(&edu, Deaf, NULL);
    WRITE_REGISTER_ULONG((volatile ULONG *)(edu.bar[0] + 0x60), 1);
}

/* Do what the firmware does not survive. */
static void Crash(void)
{
    switch (Mistake) {
    case DEEP:
        Sum = Deep(1);
        break;
    case NULL_POINTER:
        *Nothing = 1; /* NULL_POINTER */
        break;
    case NO_ROUTINE:
        Routine(); /* NO_ROUTINE */
        break;
    case STORM:
        RaiseInterrupt();
        break;
    case HEAP_OVERRUN:
        for (ULONG i = LENGTH; i < 4 * LENGTH; i++) { /* an MDL of one page is smaller */
            ((volatile UCHAR *)Mdl)[i] = 0xA5;
        }
        Mdl = IoAllocateMdl(Buffer, LENGTH, FALSE, FALSE, NULL); /* HEAP_OVERRUN */
        break;
    default:
        break;
    }
}

static PDMA_OPERATIONS Table(void)
{
    return Adapter->DmaOperations;
}

static void Touch(void)
{
    for (ULONG i = 0; i < LENGTH; i++) {
        if (Sending) {
            Buffer[i] = (UCHAR)i; /* LATE_STORE */
        } else {
            Sum += ((volatile UCHAR *)Buffer)[i]; /* EARLY_LOAD */
        }
    }
}

static void Flush(void)
{
    switch (Mistake) {
    case NO_FLUSH:
        return;
    case OTHER_DIRECTION:
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Mapped, !Sending); /* OTHER_DIRECTION */
        break;
    case SHORT_FLUSH:
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Mapped / 2, Sending); /* SHORT_FLUSH */
        return;
    case LONG_FLUSH:
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, 2 * Mapped, Sending); /* LONG_FLUSH */
        break;
    case FLUSH_ELSEWHERE:
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 1, Mapped, Sending); /* FLUSH_ELSEWHERE */
        break;
    case FREE_MDL_EARLY:
        IoFreeMdl(Mdl);
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Mapped, Sending); /* FREE_MDL_EARLY */
        Mdl = NULL;
        return;
    default:
        break;
    }
    Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Mapped, Sending);
    if (Mistake == FLUSH_TWICE) {
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Mapped, Sending); /* FLUSH_TWICE */
    }
}

static void End(void)
{
    if (Mistake == PUT_WITH_CHANNEL) {
        Table()->PutDmaAdapter(Adapter); /* PUT_WITH_CHANNEL */
        Adapter = NULL;
    } else {
        Table()->FreeAdapterChannel(Adapter); /* NO_FLUSH */
    }
    if (Mistake == FREE_TWICE) {
        Table()->FreeAdapterChannel(Adapter); /* FREE_TWICE */
    }
    if (Adapter != NULL && Mistake != LEAVE_ADAPTER) {
        PDMA_OPERATIONS table = Table();

        table->PutDmaAdapter(Adapter); /* COMMON_LEFT */
        if (Mistake == PUT_TWICE) {
            table->PutDmaAdapter(Adapter); /* PUT_TWICE */
        }
        if (Mistake == NULL_ADAPTER) {
            table->PutDmaAdapter(NULL); /* NULL_ADAPTER */
        }
    }
    if (Mdl != NULL && Mistake != LEAVE_MDL) {
        IoFreeMdl(Mdl);
        if (Mistake == FREE_MDL_TWICE) {
            IoFreeMdl(Mdl); /* FREE_MDL_TWICE */
        }
    }
}

static VOID Done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context, DMA_COMPLETION_STATUS status)
{ /* RAISE_IN_CALLBACK */
    KIRQL level;

    (void)adapter, (void)device, (void)context, (void)status;
    if (Mistake == EARLY_LOAD) {
        Touch();
    }
    Flush();
    End();
    if (Mistake == RAISE_IN_CALLBACK) {
        KeRaiseIrql(DISPATCH_LEVEL + 1, &level);
    }
}

static void Map(void)
{
    ULONG length = LENGTH;
    ULONGLONG offset = Mistake == MAP_BEHIND ? LENGTH : 0;
    PVOID registers = Mistake == OTHER_HANDLE ? (PVOID)Buffer : Registers;
    PSCATTER_GATHER_LIST list = Mistake == SMALL_LIST ? (PSCATTER_GATHER_LIST)List : NULL;
    NTSTATUS status;

    if (Mistake == CANCELLED) {
        Table()->CancelMappedTransfer(Adapter, Context);
    }

    if (Mistake == MAP_NOTHING) {
        length = 0;
    } else if (Mistake == MAP_TOO_MUCH) {
        length = 2 * LENGTH;
    }
    /* MAP_NOTHING MAP_TOO_MUCH MAP_BEHIND OTHER_HANDLE NOT_BUILT WRONG_REGISTER IN_MEMORY OUT_OF_REACH
     * OTHER_LINE NO_REQUEST SMALL_LIST CANCELLED */
    status = Table()->MapTransferEx(Adapter, Mdl, registers, offset, 0, &length, Sending, list,
                                    list != NULL ? 8 : 0, Done, NULL);
    Outcome = status;
    Mapped = length;
    if (!NT_SUCCESS(status) || length == 0) {
        if (length == 0) {
            Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, 0, Sending);
        }
        End();
        return;
    }
    if (Mistake == MAP_TWICE) {
        /* MAP_TWICE */
        Table()->MapTransferEx(Adapter, Mdl, Registers, 0, 0, &length, Sending, NULL, 0, Done, NULL);
    }
    if (Mistake == LATE_STORE) {
        Touch();
    }
    if (Mistake == RECIPE_UNDER_DEVICE) {
        KeFlushIoBuffers(Mdl, !Sending, TRUE); /* RECIPE_UNDER_DEVICE */
    }
    if (Mistake == FLUSH_RUNNING) {
        Table()->FlushAdapterBuffersEx(Adapter, Mdl, Registers, 0, Mapped, Sending); /* FLUSH_RUNNING */
        End();
        return;
    }
    if (Mistake != NO_REQUEST) {
        WRITE_REGISTER_ULONG((volatile ULONG *)DMAV3_STREAM_CONTROL,
                             Sending ? DMAV3_STREAM_SEND : DMAV3_STREAM_RECEIVE);
    }
}

static IO_ALLOCATION_ACTION Ready(PDEVICE_OBJECT device, PIRP irp, PVOID registers, PVOID context)
{
    (void)device, (void)irp, (void)context;
    Registers = registers;
    if (Mistake == NOT_KEPT || Mistake == NO_ACTION) {
        return Mistake == NOT_KEPT ? DeallocateObject : (IO_ALLOCATION_ACTION)9;
    }
    Map();
    return KeepObject;
}

static void UseCommonBuffer(void)
{
    PHYSICAL_ADDRESS logical;
    UCHAR *memory = Table()->AllocateCommonBuffer(Adapter, 100, &logical, FALSE);

    if (Mistake == COMMON_OVERRUN) {
        ((volatile UCHAR *)memory)[100] = 1;
    }
    if (Mistake == COMMON_LENGTH) {
        Table()->FreeCommonBuffer(Adapter, 99, logical, memory, FALSE); /* COMMON_LENGTH */
    }
    if (Mistake != COMMON_LEFT) {
        Table()->FreeCommonBuffer(Adapter, 100, logical, memory, FALSE); /* COMMON_OVERRUN */
    }
    if (Mistake == COMMON_TWICE) {
        Table()->FreeCommonBuffer(Adapter, 100, logical, memory, FALSE); /* COMMON_TWICE */
    }
}

/* Ask for the channel again while it is held. */
static NTSTATUS AllocateTwice(void)
{
    PVOID registers;
    NTSTATUS status;

    Table()->InitializeDmaTransferContext(Adapter, OtherContext);
    Table()->AllocateAdapterChannelEx(Adapter, &Device, OtherContext, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL,
                                      &registers);
    /* SYNCHRONOUS */
    status = Table()->AllocateAdapterChannelEx(Adapter, &Device, Context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL,
                                               NULL, &registers);
    Table()->FreeAdapterChannel(Adapter);
    return status;
}

static NTSTATUS Allocate(void)
{
    ULONG wanted = Mistake == TOO_MANY_REGISTERS ? 1000 : 1;
    ULONG flags = Mistake == WRONG_FLAGS ? 2 : 0;
    PDMA_OPERATIONS table = Table();
    KIRQL level;
    NTSTATUS status;

    if (Mistake != RAW_CONTEXT) {
        Table()->InitializeDmaTransferContext(Adapter, Context);
    }
    if (Mistake == LOW_IRQL) {
        /* LOW_IRQL */
        return table->AllocateAdapterChannelEx(Adapter, &Device, Context, 1, 0, Ready, NULL, NULL);
    }
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    if (Mistake == SYNCHRONOUS) {
        status = AllocateTwice();
    } else {
        /* TOO_MANY_REGISTERS NOT_KEPT NO_ACTION RAW_CONTEXT WRONG_FLAGS */
        status = table->AllocateAdapterChannelEx(Adapter, &Device, Context, wanted, flags, Ready, NULL, NULL);
    }
    if (Mistake == CONTEXT_TWICE) {
        Table()->InitializeDmaTransferContext(Adapter, Context); /* CONTEXT_TWICE */
    }
    if (Mistake == NOT_KEPT) {
        Table()->PutDmaAdapter(Adapter);
        IoFreeMdl(Mdl);
    } else if (Mistake == NO_ACTION || !NT_SUCCESS(status)) {
        if (NT_SUCCESS(status)) {
            Table()->FreeAdapterChannel(Adapter);
        }
        Table()->PutDmaAdapter(Adapter);
        IoFreeMdl(Mdl);
    }
    if (Mistake != RAISE_IN_COMMAND) {
        KeLowerIrql(level);
    }
    return status;
}

/* Say which register the device has, and which request line. */
static void DescribeDevice(PDEVICE_DESCRIPTION description)
{
    description->DmaRequestLine = Sending ? DMAV3_STREAM_TRANSMIT_LINE : DMAV3_STREAM_RECEIVE_LINE;
    description->DeviceAddress.QuadPart = DMAV3_STREAM_DATA;
    switch (Mistake) {
    case WRONG_ADDRESS:
        description->DmaRequestLine = 9; /* of no device, so that it is always ready */
        description->DeviceAddress.QuadPart = 0x0F800000;
        break;
    case WRONG_REGISTER:
        description->DeviceAddress.QuadPart = DMAV3_STREAM_CONTROL;
        break;
    case IN_MEMORY:
        description->DeviceAddress.QuadPart = (LONGLONG)(uintptr_t)&Sum;
        break;
    case OUT_OF_REACH:
        description->DeviceAddress.QuadPart = 1LL << 32;
        break;
    case OTHER_LINE:
        description->DmaRequestLine = Sending ? DMAV3_STREAM_RECEIVE_LINE : DMAV3_STREAM_TRANSMIT_LINE;
        break;
    case WRONG_LINE:
        description->DmaRequestLine = 99;
        break;
    default:
        break;
    }
}

static NTSTATUS Transfer(const ULONGLONG *argument, struct dmav3_reply *reply)
{ /* RAISE_IN_COMMAND */
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3, .DmaWidth = Width8Bits};
    ULONG maximum;
    NTSTATUS status;

    (void)reply;
    Outcome = STATUS_SUCCESS;
    Mistake = (enum mistake)argument[0];
    Sending = argument[1] != 0;
    if (Sending) {
        Touch();
    }
    description.Version = DEVICE_DESCRIPTION_VERSION3;
    if (Mistake == VERSION || Mistake == OLD_VERSION) {
        description.Version = Mistake == VERSION ? 4 : 2;
    }
    description.DmaChannel = Sending;
    DescribeDevice(&description);
    /* LEAVE_ADAPTER VERSION WRONG_ADDRESS OLD_VERSION WRONG_LINE */
    Adapter = IoGetDmaAdapter(NULL, &description, &maximum);
    if (Adapter == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    /* LEAVE_MDL EMPTY_MDL */
    Mdl = IoAllocateMdl(Buffer, Mistake == EMPTY_MDL ? 0 : LENGTH, FALSE, FALSE, NULL);
    if (Mdl == NULL) {
        Table()->PutDmaAdapter(Adapter);
        return STATUS_UNSUCCESSFUL;
    }
    if (Mistake >= DEEP && Mistake <= HEAP_OVERRUN) {
        Crash();
    }
    if (Mistake == BAD_POINTER) {
        Table()->GetDmaAdapterInfo(Adapter, (PDMA_ADAPTER_INFO)8); /* BAD_POINTER */
    }
    if (Mistake != NOT_BUILT) {
        MmBuildMdlForNonPagedPool(Mdl);
    }
    if (Mistake >= COMMON_TWICE && Mistake <= COMMON_OVERRUN) {
        UseCommonBuffer();
    }
    status = Allocate();
    return NT_SUCCESS(status) ? Outcome : status;
}
DMAV3_COMMAND(transfer, "mistake sending", Transfer);
