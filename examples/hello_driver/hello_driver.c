/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for a device with a data register that asks for DMA once it is told to: the stream device
 * of the board. It sends a greeting, and receives bytes and adds them up. */
#include <dmav3.h>
#include <wdm_dma.h>

#define DEVICE_DATA    0x0B010000
#define DEVICE_CONTROL ((volatile ULONG *)0x0B010008) /* 1: ask for bytes to send, 2: offer bytes */

enum { RECEIVE, SEND }; /* request lines of the device */

static const UCHAR Greeting[] = "hello, device";
static UCHAR Buffer[64] __attribute__((aligned(64))); /* whole cache lines: the device writes it */
static ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
static DEVICE_OBJECT Device;
static PDMA_ADAPTER Adapter[2];
static PVOID Registers;
static PMDL Mdl;
static ULONG Length, Sum;

static VOID Done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID send, DMA_COMPLETION_STATUS status)
{
    adapter->DmaOperations->FlushAdapterBuffersEx(adapter, Mdl, Registers, 0, Length, send != NULL);
    Sum = 0;
    for (ULONG i = 0; i < Length; i++) {
        Sum += Buffer[i];
    }
    adapter->DmaOperations->FreeAdapterChannel(adapter);
    (void)device, (void)status;
}

static IO_ALLOCATION_ACTION Ready(PDEVICE_OBJECT device, PIRP irp, PVOID registers, PVOID send)
{
    PDMA_ADAPTER adapter = Adapter[send ? SEND : RECEIVE];

    Registers = registers;
    if (send) {
        RtlCopyMemory(Buffer, Greeting, Length);
    }
    adapter->DmaOperations->MapTransferEx(adapter, Mdl, Registers, 0, 0, &Length, send != NULL, NULL, 0, Done,
                                          send);
    WRITE_REGISTER_ULONG(DEVICE_CONTROL, send ? 1 : 2);
    (void)device, (void)irp;
    return KeepObject;
}

static NTSTATUS Start(ULONG line, ULONG length)
{
    PDMA_ADAPTER adapter = Adapter[line];
    NTSTATUS status;
    KIRQL level;

    Length = length;
    adapter->DmaOperations->InitializeDmaTransferContext(adapter, Context);
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    status = adapter->DmaOperations->AllocateAdapterChannelEx(adapter, &Device, Context, 1, 0, Ready,
                                                              line == SEND ? &Device : NULL, NULL);
    KeLowerIrql(level);
    return status;
}

static NTSTATUS Open(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    ULONG registers;

    for (ULONG line = RECEIVE; line <= SEND; line++) {
        DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                          .DmaWidth = Width8Bits,
                                          .DmaChannel = line,
                                          .DmaRequestLine = line,
                                          .MaximumLength = sizeof(Buffer),
                                          .DeviceAddress.QuadPart = DEVICE_DATA};

        Adapter[line] = IoGetDmaAdapter(NULL, &description, &registers);
    }
    Mdl = IoAllocateMdl(Buffer, sizeof(Buffer), FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Mdl);
    (void)argument, (void)reply;
    return Adapter[SEND] && Adapter[RECEIVE] ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
DMAV3_COMMAND(hello_open, "", Open);

static NTSTATUS Send(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    return argument[0] < sizeof(Greeting) ? Start(SEND, (ULONG)argument[0]) : STATUS_INVALID_PARAMETER;
}
DMAV3_COMMAND(hello_send, "bytes", Send);

static NTSTATUS Receive(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return Start(RECEIVE, sizeof(Buffer));
}
DMAV3_COMMAND(hello_receive, "", Receive);

static NTSTATUS GetSum(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    dmav3_reply_value(reply, "sum", Sum);
    return STATUS_SUCCESS;
}
DMAV3_COMMAND(hello_sum, "", GetSum);
