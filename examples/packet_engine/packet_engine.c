/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of a PCI bus master that exists only in test_packet_engine.py: it sends and receives packets. What
 * is to be moved stands in a ring of descriptors, a common buffer; the device says there what it has done, and
 * sends a message. Several packets may be under way; they are done in order.
 */
#include <dmav3.h>
#include <dmav3_pci.h>
#include <wdm.h>

#define ENGINE_ID DMAV3_PCI_ID(0x1234, 0x5678)

/* Registers, behind BAR 0. RING: bus address of the descriptors. TAIL: how many there were so far. A device
 * that is gone reads as ones. */
enum { RING = 0x00, TAIL = 0x04 };
enum { DESCRIPTORS = 16, PACKETS = 4, PACKET_MAX = 32768 };
#define GONE 0xFFFFFFFFu

/* The device writes to the last one of a packet. */
enum { FLAG_SEND = 1, FLAG_LAST = 2, FLAG_DONE = 4 };
struct descriptor {
    ULONG Address, Length;
    ULONG Flags, Moved; /* bytes */
};

struct packet {
    ULONGLONG Context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    PMDL Mdl;
    UCHAR *Buffer;
    PSCATTER_GATHER_LIST List; /* NULL: the device has not been told */
    ULONG Pages, Last;         /* descriptors at most; number of the last */
    BOOLEAN Send;
    NTSTATUS Status; /* STATUS_PENDING as long as it is under way */
    ULONG Moved, First;
};

static struct {
    struct dmav3_pci Pci;
    DEVICE_OBJECT Device;
    PKINTERRUPT Interrupt;
    KDPC Dpc;
    PDMA_ADAPTER Adapter;
    volatile struct descriptor *Ring;
    PHYSICAL_ADDRESS Logical; /* of Ring */
    KSPIN_LOCK Lock;          /* of all below */
    ULONG Tail, Used;         /* descriptors so far; reserved now */
    struct packet Packet[PACKETS];
    ULONG Oldest, Next; /* packets so far: done; begun */
} Engine;

static PDMA_OPERATIONS Operations(VOID)
{
    return Engine.Adapter->DmaOperations;
}

static volatile ULONG *Register(ULONG Offset)
{
    return (volatile ULONG *)(Engine.Pci.bar[0] + Offset);
}

static struct packet *Packet(ULONG Number)
{
    return &Engine.Packet[Number % PACKETS];
}

static volatile struct descriptor *Descriptor(ULONG Number)
{
    return &Engine.Ring[Number % DESCRIPTORS];
}

/* ---- what the device has done ---- */

/* It has let go of the oldest packet. The lock is held. */
static VOID Complete(NTSTATUS Status)
{
    struct packet *Done = Packet(Engine.Oldest++);

    Operations()->PutScatterGatherList(Engine.Adapter, Done->List, Done->Send);
    Done->First = Done->Buffer[0];
    IoFreeMdl(Done->Mdl);
    Engine.Used -= Done->Pages;
    Done->Status = Status;
}

static VOID CompleteAll(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    (void)Dpc, (void)Context, (void)Argument1, (void)Argument2;
    KeAcquireSpinLockAtDpcLevel(&Engine.Lock);
    while (Engine.Oldest != Engine.Next && Packet(Engine.Oldest)->List) {
        struct packet *Oldest = Packet(Engine.Oldest);

        if (!(Descriptor(Oldest->Last)->Flags & FLAG_DONE)) {
            break;
        }
        Oldest->Moved = Descriptor(Oldest->Last)->Moved;
        Complete(STATUS_SUCCESS);
    }
    KeReleaseSpinLockFromDpcLevel(&Engine.Lock);
}

/* A message is nobody else's, and leaves nothing to acknowledge. */
static BOOLEAN Interrupted(PKINTERRUPT Interrupt, PVOID Context)
{
    (void)Interrupt, (void)Context;
    KeInsertQueueDpc(&Engine.Dpc, NULL, NULL);
    return TRUE;
}

/* A device that was pulled out moves nothing any more, and will not say so. */
static VOID LookForRemoval(VOID)
{
    KIRQL Level;

    KeAcquireSpinLock(&Engine.Lock, &Level);
    while (Engine.Oldest != Engine.Next && Packet(Engine.Oldest)->List &&
           READ_REGISTER_ULONG(Register(RING)) == GONE) {
        Complete(STATUS_NO_SUCH_DEVICE);
    }
    KeReleaseSpinLock(&Engine.Lock, Level);
}

/* ---- what it is to do ---- */

/* The layer has mapped the buffer: tell the device where it is. */
static VOID Start(PDEVICE_OBJECT Device, PIRP Irp, PSCATTER_GATHER_LIST List, PVOID Context)
{
    struct packet *Mapped = Context;
    ULONG Flags = Mapped->Send ? FLAG_SEND : 0;

    (void)Device, (void)Irp;
    KeAcquireSpinLockAtDpcLevel(&Engine.Lock);
    Mapped->List = List;
    for (ULONG n = 0; n < List->NumberOfElements; n++) {
        volatile struct descriptor *At = Descriptor(Engine.Tail++);

        At->Address = (ULONG)List->Elements[n].Address.QuadPart;
        At->Length = List->Elements[n].Length;
        At->Flags = n + 1 == List->NumberOfElements ? Flags | FLAG_LAST : Flags;
    }
    Mapped->Last = Engine.Tail - 1;
    WRITE_REGISTER_ULONG(Register(TAIL), Engine.Tail);
    KeReleaseSpinLockFromDpcLevel(&Engine.Lock);
}

/* Take a packet and as many descriptors as it may need. NULL: too many are under way. */
static struct packet *Reserve(ULONG Pages)
{
    struct packet *Reserved = NULL;
    KIRQL Level;

    KeAcquireSpinLock(&Engine.Lock, &Level);
    if (Engine.Next - Engine.Oldest < PACKETS && Engine.Used + Pages <= DESCRIPTORS) {
        Reserved = Packet(Engine.Next++);
        Engine.Used += Pages;
    }
    KeReleaseSpinLock(&Engine.Lock, Level);
    return Reserved;
}

static NTSTATUS Transfer(BOOLEAN Send, UCHAR *Buffer, ULONG Length)
{
    ULONG Pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(Buffer, Length);
    struct packet *New;
    PMDL Mdl;
    KIRQL Level;

    if (Length == 0 || Length > PACKET_MAX) {
        return STATUS_INVALID_PARAMETER;
    }
    Mdl = IoAllocateMdl(Buffer, Length, FALSE, FALSE, NULL);
    New = Mdl ? Reserve(Pages) : NULL;
    if (!New) {
        if (Mdl) {
            IoFreeMdl(Mdl);
        }
        return Mdl ? STATUS_DEVICE_BUSY : STATUS_INSUFFICIENT_RESOURCES;
    }
    MmBuildMdlForNonPagedPool(Mdl);
    *New =
        (struct packet){.Mdl = Mdl, .Buffer = Buffer, .Pages = Pages, .Send = Send, .Status = STATUS_PENDING};
    Operations()->InitializeDmaTransferContext(Engine.Adapter, New->Context);
    KeRaiseIrql(DISPATCH_LEVEL, &Level);
    /* It cannot fail: the adapter has map registers for every packet, and the arguments are right. */
    Operations()->GetScatterGatherListEx(Engine.Adapter, &Engine.Device, New->Context, Mdl, 0, Length, 0, Start,
                                         New, Send, NULL, NULL, NULL);
    KeLowerIrql(Level);
    return STATUS_PENDING;
}

/* ---- the driver's life ---- */

static NTSTATUS FindAdapter(VOID)
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
    Engine.Ring = Operations()->AllocateCommonBuffer(Engine.Adapter, DESCRIPTORS * sizeof(struct descriptor),
                                                     &Engine.Logical, FALSE);
    if (!Engine.Ring) {
        Operations()->PutDmaAdapter(Engine.Adapter);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

static VOID PutAdapter(VOID)
{
    Operations()->FreeCommonBuffer(Engine.Adapter, DESCRIPTORS * sizeof(struct descriptor), Engine.Logical,
                                   (PVOID)Engine.Ring, FALSE);
    Operations()->PutDmaAdapter(Engine.Adapter);
}

/* The message is an edge at a line of its own. */
static NTSTATUS Connect(VOID)
{
    ULONG Line = 0;
    NTSTATUS Status = dmav3_pci_message(&Engine.Pci, 0, &Line);

    KeInitializeDpc(&Engine.Dpc, CompleteAll, NULL);
    return NT_SUCCESS(Status)
               ? IoConnectInterrupt(&Engine.Interrupt, Interrupted, NULL, NULL, Line, DMAV3_DEVICE_LEVEL,
                                    DMAV3_DEVICE_LEVEL, Latched, FALSE, 1, FALSE)
               : Status;
}

static NTSTATUS Open(VOID)
{
    NTSTATUS Status = dmav3_pci_find(ENGINE_ID, 0, &Engine.Pci);

    Status = NT_SUCCESS(Status) ? dmav3_pci_enable(&Engine.Pci) : Status;
    Status = NT_SUCCESS(Status) ? FindAdapter() : Status;
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeInitializeSpinLock(&Engine.Lock);
    Status = Connect();
    if (!NT_SUCCESS(Status)) {
        PutAdapter();
        return Status;
    }
    WRITE_REGISTER_ULONG(Register(RING), (ULONG)Engine.Logical.QuadPart);
    return STATUS_SUCCESS;
}

static NTSTATUS Close(VOID)
{
    LookForRemoval();
    if (Engine.Oldest != Engine.Next) {
        return STATUS_DEVICE_BUSY;
    }
    IoDisconnectInterrupt(Engine.Interrupt);
    dmav3_pci_disable(&Engine.Pci);
    PutAdapter();
    return STATUS_SUCCESS;
}

/* ---- commands ---- */

static NTSTATUS RunOpen(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return Open();
}
DMAV3_COMMAND(engine_open, "", RunOpen);

static NTSTATUS RunTransfer(BOOLEAN Send, const ULONGLONG *argument, struct dmav3_reply *reply)
{
    dmav3_reply_value(reply, "packet", Engine.Next); /* if it becomes one */
    return Transfer(Send, (UCHAR *)(ULONG_PTR)argument[0], (ULONG)argument[1]);
}

static NTSTATUS RunSend(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    return RunTransfer(TRUE, argument, reply);
}
DMAV3_COMMAND(engine_send, "buffer bytes", RunSend);

static NTSTATUS RunReceive(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    return RunTransfer(FALSE, argument, reply);
}
DMAV3_COMMAND(engine_receive, "buffer bytes", RunReceive);

/* Of one of the last PACKETS. */
static NTSTATUS RunResult(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    const struct packet *Asked = Packet((ULONG)*argument);

    LookForRemoval();
    dmav3_reply_value(reply, "moved", Asked->Moved);
    dmav3_reply_value(reply, "first", Asked->First);
    return Asked->Status;
}
DMAV3_COMMAND(engine_result, "packet", RunResult);

static NTSTATUS RunClose(const ULONGLONG *argument, struct dmav3_reply *reply)
{
    (void)argument, (void)reply;
    return Close();
}
DMAV3_COMMAND(engine_close, "", RunClose);
