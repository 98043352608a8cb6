/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for a device that has a data register and asks for DMA once it is told to (the stream
 * device of the board): it sends a greeting, or receives 64 bytes and adds them up. */
#include <dmav3.h>
#include <dmav3_board.h>
#include <wdm_dma.h>

#define DEVICE_CONTROL ((volatile ULONG *)DMAV3_STREAM_CONTROL)

static UCHAR Buffer[64] __attribute__((aligned(64))); /* whole cache lines: the device writes it */
static ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
static PDMA_ADAPTER Adapter; /* NULL: no transfer is under way */
static PMDL Mdl;
static PVOID Registers;
static ULONG Length, Sum;
static BOOLEAN Sending;

static VOID Done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context, DMA_COMPLETION_STATUS status)
{
    adapter->DmaOperations->FlushAdapterBuffersEx(adapter, Mdl, Registers, 0, Length, Sending);
    Sum = 0;
    for (ULONG i = 0; i < Length; i++) {
        Sum += Buffer[i];
    }
    adapter->DmaOperations->FreeAdapterChannel(adapter);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    IoFreeMdl(Mdl);
    Adapter = NULL;
    (void)device, (void)context, (void)status;
}

static IO_ALLOCATION_ACTION Ready(PDEVICE_OBJECT device, PIRP irp, PVOID registers, PVOID context)
{
    Registers = registers;
    if (Sending) {
        RtlCopyMemory(Buffer, "hello, device", Length);
    }
    Adapter->DmaOperations->MapTransferEx(Adapter, Mdl, registers, 0, 0, &Length, Sending, NULL, 0, Done, NULL);
    WRITE_REGISTER_ULONG(DEVICE_CONTROL, Sending ? DMAV3_STREAM_SEND : DMAV3_STREAM_RECEIVE);
    (void)device, (void)irp, (void)context;
    return KeepObject;
}

static NTSTATUS Start(BOOLEAN send, ULONG length)
{
    static DEVICE_OBJECT device;
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3, .DmaWidth = Width8Bits};
    ULONG maximum;
    KIRQL level;

    if (Adapter != NULL) {
        return STATUS_DEVICE_BUSY;
    }
    description.DmaRequestLine = send ? DMAV3_STREAM_TRANSMIT_LINE : DMAV3_STREAM_RECEIVE_LINE;
    description.DmaChannel = send;
    description.DeviceAddress.QuadPart = DMAV3_STREAM_DATA;
    Adapter = IoGetDmaAdapter(NULL, &description, &maximum);
    Mdl = IoAllocateMdl(Buffer, length, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(Mdl);
    Sending = send;
    Length = length;
    Adapter->DmaOperations->InitializeDmaTransferContext(Adapter, Context);
    KeRaiseIrql(DISPATCH_LEVEL, &level);
    Adapter->DmaOperations->AllocateAdapterChannelEx(Adapter, &device, Context, 1, 0, Ready, NULL, NULL);
    KeLowerIrql(level);
    return STATUS_SUCCESS;
}

static NTSTATUS Send(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    return argument[0] >= 1 && argument[0] <= 13 ? Start(TRUE, (ULONG)argument[0]) : STATUS_INVALID_PARAMETER;
}
DMAV3_COMMAND(hello_send, "bytes", Send);

static NTSTATUS Receive(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return Start(FALSE, sizeof(Buffer));
}
DMAV3_COMMAND(hello_receive, "", Receive);

static NTSTATUS GetSum(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    dmav3_reply_value(reply, "sum", Sum);
    return Adapter ? STATUS_PENDING : STATUS_SUCCESS;
}
DMAV3_COMMAND(hello_sum, "", GetSum);
