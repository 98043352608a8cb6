/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of a bus master that exists only in test_packet_engine.py: it sends and receives packets. Its
 * descriptors, and how much it has moved, are in memory that both share. One packet is under way at a time.
 */
#include <dmav3.h>
#include <dmav3_board.h>

/* Registers. RING: bus address of struct shared. GO: 1 send, 2 receive. STATUS: 1 done; 1 written to it
 * acknowledges. A device that is gone reads as ones. */
enum { RING = 0x00, GO = 0x04, STATUS = 0x08 };
enum { GO_SEND = 1, GO_RECEIVE = 2, STATUS_DONE = 1 };
enum { DESCRIPTORS = 16, PACKET_MAX = 32768, GONE = -1 };

struct descriptor {
    ULONG Address, Length;
};

struct shared {
    struct descriptor Descriptor[DESCRIPTORS];
    ULONG Count; /* of descriptors */
    ULONG Moved; /* bytes; written by the device */
};

static struct {
    PDMA_ADAPTER Adapter;
    DEVICE_OBJECT Device;
    volatile struct shared *Shared;
    PHYSICAL_ADDRESS Logical; /* of Shared */
    ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    /* The packet. */
    PMDL Mdl;
    UCHAR *Buffer;
    PSCATTER_GATHER_LIST List; /* NULL: the device has nothing to do */
    BOOLEAN Send;
    NTSTATUS Status; /* STATUS_PENDING as long as it is under way */
    ULONG Moved, First;
} Engine;

static PDMA_OPERATIONS Operations(VOID)
{
    return Engine.Adapter->DmaOperations;
}

static ULONG Read(ULONG Register)
{
    return READ_REGISTER_ULONG((volatile ULONG *)(ULONG_PTR)(DMAV3_DEVICE_BASE + Register));
}

static VOID Write(ULONG Register, ULONG Value)
{
    WRITE_REGISTER_ULONG((volatile ULONG *)(ULONG_PTR)(DMAV3_DEVICE_BASE + Register), Value);
}

/* ---- a packet ---- */

/* The device has let go of the buffer. DISPATCH_LEVEL. */
static VOID Complete(NTSTATUS Status)
{
    Operations()->PutScatterGatherList(Engine.Adapter, Engine.List, Engine.Send);
    Engine.List = NULL;
    Engine.First = Engine.Buffer[0];
    IoFreeMdl(Engine.Mdl);
    Engine.Status = Status;
}

static VOID Interrupt(PVOID Context)
{
    ULONG Status = Read(STATUS);

    (void)Context;
    if (Status != (ULONG)GONE && (Status & STATUS_DONE)) {
        Write(STATUS, STATUS_DONE);
        Engine.Moved = Engine.Shared->Moved;
        Complete(STATUS_SUCCESS);
    }
}

/* The layer has mapped the buffer: tell the device where it is. */
static VOID Start(PDEVICE_OBJECT Device, PIRP Irp, PSCATTER_GATHER_LIST List, PVOID Context)
{
    (void)Device, (void)Irp, (void)Context;
    Engine.List = List;
    for (ULONG n = 0; n < List->NumberOfElements; n++) {
        Engine.Shared->Descriptor[n].Address = (ULONG)List->Elements[n].Address.QuadPart;
        Engine.Shared->Descriptor[n].Length = List->Elements[n].Length;
    }
    Engine.Shared->Count = List->NumberOfElements;
    Write(GO, Engine.Send ? GO_SEND : GO_RECEIVE);
}

static NTSTATUS Transfer(BOOLEAN Send, UCHAR *Buffer, ULONG Length)
{
    NTSTATUS Status;
    KIRQL Level;

    if (Engine.Status == STATUS_PENDING) {
        return STATUS_DEVICE_BUSY;
    }
    if (Length == 0 || Length > PACKET_MAX) {
        return STATUS_INVALID_PARAMETER;
    }
    Engine.Mdl = IoAllocateMdl(Buffer, Length, FALSE, FALSE, NULL);
    if (!Engine.Mdl) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MmBuildMdlForNonPagedPool(Engine.Mdl);
    Engine.Buffer = Buffer;
    Engine.Send = Send;
    Engine.Status = STATUS_PENDING;
    Operations()->InitializeDmaTransferContext(Engine.Adapter, Engine.Context);
    KeRaiseIrql(DISPATCH_LEVEL, &Level);
    Status = Operations()->GetScatterGatherListEx(Engine.Adapter, &Engine.Device, Engine.Context, Engine.Mdl, 0,
                                                  Length, 0, Start, NULL, Send, NULL, NULL, NULL);
    KeLowerIrql(Level);
    if (!NT_SUCCESS(Status)) {
        IoFreeMdl(Engine.Mdl);
        Engine.Status = Status;
        return Status;
    }
    return STATUS_PENDING;
}

/* ---- the driver's life ---- */

static NTSTATUS Open(VOID)
{
    DEVICE_DESCRIPTION Description = {
        .Version = DEVICE_DESCRIPTION_VERSION3,
        .Master = TRUE,
        .ScatterGather = TRUE,
        .DmaAddressWidth = 32,
        .InterfaceType = PCIBus,
        .MaximumLength = PACKET_MAX,
    };
    ULONG Registers;

    Engine.Adapter = IoGetDmaAdapter(&Engine.Device, &Description, &Registers);
    if (!Engine.Adapter) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Engine.Shared =
        Operations()->AllocateCommonBuffer(Engine.Adapter, sizeof(*Engine.Shared), &Engine.Logical, FALSE);
    if (!Engine.Shared) {
        Operations()->PutDmaAdapter(Engine.Adapter);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Write(RING, (ULONG)Engine.Logical.QuadPart);
    return dmav3_connect_interrupt(DMAV3_DEVICE_SPI, Interrupt, NULL);
}

/* A device that was pulled out moves nothing any more, and will not say so. */
static NTSTATUS Ended(VOID)
{
    KIRQL Level;

    KeRaiseIrql(DISPATCH_LEVEL, &Level);
    if (Engine.List && Read(STATUS) == (ULONG)GONE) {
        Complete(STATUS_NO_SUCH_DEVICE);
    }
    KeLowerIrql(Level);
    return Engine.Status;
}

static NTSTATUS Close(VOID)
{
    if (Ended() == STATUS_PENDING) {
        return STATUS_DEVICE_BUSY;
    }
    Operations()->FreeCommonBuffer(Engine.Adapter, sizeof(*Engine.Shared), Engine.Logical, (PVOID)Engine.Shared,
                                   FALSE);
    Operations()->PutDmaAdapter(Engine.Adapter);
    return STATUS_SUCCESS;
}

/* ---- commands ---- */

static NTSTATUS RunOpen(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return Open();
}
DMAV3_COMMAND(engine_open, "", RunOpen);

static NTSTATUS RunSend(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    return Transfer(TRUE, (UCHAR *)(ULONG_PTR)argument[0], (ULONG)argument[1]);
}
DMAV3_COMMAND(engine_send, "buffer bytes", RunSend);

static NTSTATUS RunReceive(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)reply;
    return Transfer(FALSE, (UCHAR *)(ULONG_PTR)argument[0], (ULONG)argument[1]);
}
DMAV3_COMMAND(engine_receive, "buffer bytes", RunReceive);

static NTSTATUS RunResult(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument;
    dmav3_reply_value(reply, "moved", Engine.Moved);
    dmav3_reply_value(reply, "first", Engine.First);
    return Ended();
}
DMAV3_COMMAND(engine_result, "", RunResult);

static NTSTATUS RunClose(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return Close();
}
DMAV3_COMMAND(engine_close, "", RunClose);
