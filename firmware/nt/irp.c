/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests. A request is one block: its header here, the IRP, its stack locations. The driver that has it is
 * told by CurrentLocation: StackCount + 1 while it is its maker's, from StackCount down to 1 on its way.
 */
#include "hal/memory.h"
#include "layer/irql.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { IRP_TYPE = 6 };

struct request {
    LIST_ENTRY entry;
    uintptr_t caller;
    uint32_t command;
    bool completed; /* since it was sent last */
    IRP irp;        /* the stack locations are behind it */
};

static LIST_ENTRY requests = {&requests, &requests};
static KSPIN_LOCK cancel_lock;

static struct request *request_of(PIRP irp)
{
    return CONTAINING_RECORD(irp, struct request, irp);
}

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        struct request *request = CONTAINING_RECORD(at, struct request, entry);

        const struct dma_live told =
            live_of("irp", (uintptr_t)&request->irp,
                    &(struct routine_place){OPLOG_IoAllocateIrp, request->caller, request->command});

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

/* Is it a request that lives? A pointer from outside is looked up before it is followed. */
static bool is_live(enum oplog_id routine, uintptr_t caller, PIRP irp)
{
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        if (&CONTAINING_RECORD(at, struct request, entry)->irp == irp) {
            return true;
        }
    }
    violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)irp, 0);
    return false;
}

static void rewind_stack(PIRP irp)
{
    irp->CurrentLocation = (CHAR)(irp->StackCount + 1);
    irp->Tail.Overlay.CurrentStackLocation = (PIO_STACK_LOCATION)(irp + 1) + irp->StackCount;
}

PIRP IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
    size_t stack = (size_t)StackSize * sizeof(IO_STACK_LOCATION);
    struct request *request;

    (void)ChargeQuota;
    (void)NT_AT_MOST(IoAllocateIrp, DISPATCH_LEVEL);
    request = memory_allocate(sizeof *request + stack);
    if (request == NULL) {
        return NULL;
    }
    request->caller = NT_CALLER;
    request->command = origin_now();
    request->irp.Type = IRP_TYPE;
    request->irp.Size = (USHORT)(sizeof(IRP) + stack);
    request->irp.StackCount = (CHAR)StackSize;
    InitializeListHead(&request->irp.ThreadListEntry);
    rewind_stack(&request->irp);
    InsertTailList(&requests, &request->entry);
    live_add(&source);
    return &request->irp;
}

void IoFreeIrp(PIRP Irp)
{
    (void)NT_AT_MOST(IoFreeIrp, DISPATCH_LEVEL);
    if (is_live(OPLOG_IoFreeIrp, NT_CALLER, Irp)) {
        RemoveEntryList(&request_of(Irp)->entry);
        memory_release(request_of(Irp));
    }
}

void IoReuseIrp(PIRP Irp, NTSTATUS Status)
{
    (void)NT_AT_MOST(IoReuseIrp, DISPATCH_LEVEL);
    if (is_live(OPLOG_IoReuseIrp, NT_CALLER, Irp)) {
        CHAR count = Irp->StackCount;
        USHORT size = Irp->Size;

        *Irp = (IRP){.Type = IRP_TYPE, .Size = size, .StackCount = count, .IoStatus = {.Status = Status}};
        InitializeListHead(&Irp->ThreadListEntry);
        RtlZeroMemory(Irp + 1, (size_t)count * sizeof(IO_STACK_LOCATION));
        rewind_stack(Irp);
        request_of(Irp)->completed = false;
    }
}

/* ---- down ---- */

static NTSTATUS refuse_request(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    (void)DeviceObject;
    Irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    (void)NT_AT_MOST(IofCallDriver, DISPATCH_LEVEL);
    if (!is_live(OPLOG_IofCallDriver, NT_CALLER, Irp)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Irp->CurrentLocation <= 1) {
        NT_MISTAKE(IofCallDriver, VIOLATION_NO_STACK_LOCATION, (uintptr_t)Irp, (uint64_t)Irp->StackCount);
        return STATUS_INVALID_PARAMETER;
    }
    request_of(Irp)->completed = false;
    IoSetNextIrpStackLocation(Irp);

    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);
    PDRIVER_DISPATCH routine = DeviceObject->DriverObject->MajorFunction[location->MajorFunction];

    location->DeviceObject = DeviceObject;
    NTSTATUS status = (routine != NULL ? routine : refuse_request)(DeviceObject, Irp);

    /* Completed requests may be gone; one that is not, and was not marked, cannot have been kept rightly. */
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        struct request *request = CONTAINING_RECORD(at, struct request, entry);

        if (&request->irp == Irp && !request->completed && IoGetCurrentIrpStackLocation(Irp) == location &&
            (status == STATUS_PENDING) != ((location->Control & SL_PENDING_RETURNED) != 0)) {
            violation_report_in(OPLOG_DispatchRoutine, (uintptr_t)routine, VIOLATION_PENDING, (uintptr_t)Irp,
                                (uint32_t)status);
        }
    }
    return status;
}

/* ---- up ---- */

static bool is_wanted(const IO_STACK_LOCATION *location, const IRP *irp)
{
    UCHAR wanted = NT_SUCCESS(irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR;

    if (irp->Cancel) {
        wanted |= SL_INVOKE_ON_CANCEL;
    }
    return location->CompletionRoutine != NULL && (location->Control & wanted) != 0;
}

void IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost)
{
    (void)PriorityBoost;
    (void)NT_AT_MOST(IofCompleteRequest, DISPATCH_LEVEL);
    if (!is_live(OPLOG_IofCompleteRequest, NT_CALLER, Irp)) {
        return;
    }
    if (request_of(Irp)->completed || Irp->CurrentLocation > Irp->StackCount) {
        NT_MISTAKE(IofCompleteRequest, VIOLATION_COMPLETED_TWICE, (uintptr_t)Irp, 0);
        return;
    }
    if (Irp->CancelRoutine != NULL || Irp->IoStatus.Status == STATUS_PENDING) {
        NT_MISTAKE(IofCompleteRequest, VIOLATION_COMPLETED_WRONG, (uintptr_t)Irp,
                   (uint32_t)Irp->IoStatus.Status);
    }
    request_of(Irp)->completed = true;
    while (Irp->CurrentLocation <= Irp->StackCount) {
        PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);
        PDEVICE_OBJECT above;

        Irp->PendingReturned = (location->Control & SL_PENDING_RETURNED) != 0;
        IoSkipCurrentIrpStackLocation(Irp);
        above =
            Irp->CurrentLocation <= Irp->StackCount ? IoGetCurrentIrpStackLocation(Irp)->DeviceObject : NULL;
        if (is_wanted(location, Irp)) {
            request_of(Irp)->completed = false; /* the routine may keep it */
            if (location->CompletionRoutine(above, Irp, location->Context) == STATUS_MORE_PROCESSING_REQUIRED) {
                return;
            }
            request_of(Irp)->completed = true;
        } else if (Irp->PendingReturned && above != NULL) {
            IoMarkIrpPending(Irp);
        }
    }
    if (Irp->UserIosb != NULL) {
        *Irp->UserIosb = Irp->IoStatus;
    }
    if (Irp->UserEvent != NULL) {
        (void)KeSetEvent(Irp->UserEvent, IO_NO_INCREMENT, FALSE);
    }
}

/* ---- cancel ---- */

void IoAcquireCancelSpinLock(PKIRQL Irql)
{
    (void)NT_AT_MOST(IoAcquireCancelSpinLock, DISPATCH_LEVEL);
    *Irql = irql_raise_to_dispatch();
    KeAcquireSpinLockAtDpcLevel(&cancel_lock);
}

void IoReleaseCancelSpinLock(KIRQL Irql)
{
    (void)NT_AT_LEAST(IoReleaseCancelSpinLock, DISPATCH_LEVEL);
    KeReleaseSpinLockFromDpcLevel(&cancel_lock);
    irql_return_to(Irql);
}

BOOLEAN IoCancelIrp(PIRP Irp)
{
    PDRIVER_CANCEL routine;
    KIRQL old;

    (void)NT_AT_MOST(IoCancelIrp, DISPATCH_LEVEL);
    if (!is_live(OPLOG_IoCancelIrp, NT_CALLER, Irp)) {
        return FALSE;
    }
    IoAcquireCancelSpinLock(&old);
    Irp->Cancel = TRUE;
    routine = IoSetCancelRoutine(Irp, NULL);
    if (routine == NULL) {
        IoReleaseCancelSpinLock(old);
        return FALSE;
    }
    Irp->CancelIrql = old;
    routine(IoGetCurrentIrpStackLocation(Irp)->DeviceObject, Irp);
    return TRUE;
}
