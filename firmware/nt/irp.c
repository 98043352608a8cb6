/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests. A request is one block: its header here, the IRP, its stack locations. The driver that has it is
 * told by CurrentLocation: StackCount + 1 while it is its maker's, from StackCount down to 1 on its way.
 */
#include "nt/irp.h"
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
    bool completed;            /* since it was sent last */
    NTSTATUS final;            /* with which it was */
    uint64_t pending;          /* in which locations it was marked, a bit for each */
    struct routine_place mark; /* that did so last; id 0: none since it was sent */
    PDRIVER_DISPATCH routine;  /* that has it; NULL: its maker has */
    irp_ended *ended;          /* of a test */
    IRP irp;                   /* the stack locations are behind it */
};

static LIST_ENTRY requests = {&requests, &requests};
static KSPIN_LOCK cancel_lock;

static struct request *request_of(PIRP irp)
{
    return CONTAINING_RECORD(irp, struct request, irp);
}

/* A request of a test is told only as long as a driver has it: by who keeps it. */
static void tell_one(const struct request *request, dma_tell *tell, void *context)
{
    struct routine_place maker = {OPLOG_IoAllocateIrp, request->caller, request->command};

    if (request->ended != NULL && request->mark.id != 0) {
        maker = request->mark;
    } else if (request->ended != NULL) {
        maker = (struct routine_place){OPLOG_DispatchRoutine, (uintptr_t)request->routine, request->command};
    }
    const struct dma_live told =
        live_of(request->ended != NULL ? "pending_irp" : "irp", (uintptr_t)&request->irp, &maker);

    tell(&told, context);
}

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        const struct request *request = CONTAINING_RECORD(at, struct request, entry);

        if (request->ended == NULL || !request->completed) {
            tell_one(request, tell, context);
        }
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

static PIRP allocate(CCHAR stack_size, uintptr_t caller, irp_ended *ended)
{
    size_t stack = (size_t)stack_size * sizeof(IO_STACK_LOCATION);
    struct request *request = memory_allocate(sizeof *request + stack);

    if (request == NULL) {
        return NULL;
    }
    request->caller = caller;
    request->command = origin_now();
    request->ended = ended;
    request->irp.Type = IRP_TYPE;
    request->irp.Size = (USHORT)(sizeof(IRP) + stack);
    request->irp.StackCount = (CHAR)stack_size;
    InitializeListHead(&request->irp.ThreadListEntry);
    rewind_stack(&request->irp);
    InsertTailList(&requests, &request->entry);
    live_add(&source);
    return &request->irp;
}

PIRP IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
    (void)ChargeQuota;
    (void)NT_AT_MOST(IoAllocateIrp, DISPATCH_LEVEL);
    return allocate(StackSize, NT_CALLER, NULL);
}

PIRP irp_allocate_of_test(CCHAR stack_size, irp_ended *ended)
{
    return allocate(stack_size, 0, ended);
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

/* The bit of a location in `pending`. */
static uint64_t bit_of(CHAR location)
{
    return 1ull << (location & 63);
}

void IoMarkIrpPending(PIRP Irp)
{
    (void)NT_AT_MOST(IoMarkIrpPending, DISPATCH_LEVEL);
    irp_mark_pending(OPLOG_IoMarkIrpPending, NT_CALLER, Irp);
}

void irp_mark_pending(enum oplog_id routine, uintptr_t caller, PIRP irp)
{
    if (is_live(routine, caller, irp)) {
        request_of(irp)->mark = (struct routine_place){routine, caller, request_of(irp)->command};
        request_of(irp)->pending |= bit_of(irp->CurrentLocation);
        IoGetCurrentIrpStackLocation(irp)->Control |= SL_PENDING_RETURNED;
    }
}

/* Let the driver know that it has the request. */
static PIO_STACK_LOCATION enter_location(PDEVICE_OBJECT device, struct request *request)
{
    PIRP irp = &request->irp;

    if (irp->CurrentLocation > irp->StackCount) {
        request->mark.id = 0;
        request->pending = 0;
    }
    request->completed = false;
    IoSetNextIrpStackLocation(irp);

    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);

    if ((location->Control & SL_PENDING_RETURNED) == 0) {
        request->pending &= ~bit_of(irp->CurrentLocation);
    }
    location->DeviceObject = device;
    return location;
}

/* Is what the routine returned right? A request that is completed may be gone; one that a driver above has
 * again is that one's business. */
static void check_return(PIRP irp, PDRIVER_DISPATCH routine, CHAR location, NTSTATUS status)
{
    for (PLIST_ENTRY at = requests.Flink; at != &requests; at = at->Flink) {
        const struct request *request = CONTAINING_RECORD(at, struct request, entry);

        if (&request->irp != irp || (!request->completed && irp->CurrentLocation != location)) {
            continue;
        }
        if ((status == STATUS_PENDING) != ((request->pending & bit_of(location)) != 0)) {
            violation_report_in(OPLOG_DispatchRoutine, (uintptr_t)routine, VIOLATION_PENDING, (uintptr_t)irp,
                                (uint32_t)status);
        } else if (request->completed && status != STATUS_PENDING && status != request->final) {
            violation_report_in(OPLOG_DispatchRoutine, (uintptr_t)routine, VIOLATION_RETURNED_OTHER,
                                (uint32_t)status, (uint32_t)request->final);
        }
    }
}

NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KIRQL level = KeGetCurrentIrql();

    (void)NT_AT_MOST(IofCallDriver, DISPATCH_LEVEL);
    if (!is_live(OPLOG_IofCallDriver, NT_CALLER, Irp)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Irp->CurrentLocation <= 1) {
        NT_MISTAKE(IofCallDriver, VIOLATION_NO_STACK_LOCATION, (uintptr_t)Irp, (uint64_t)Irp->StackCount);
        return STATUS_INVALID_PARAMETER;
    }
    PIO_STACK_LOCATION location = enter_location(DeviceObject, request_of(Irp));
    PDRIVER_DISPATCH routine = DeviceObject->DriverObject->MajorFunction[location->MajorFunction];
    CHAR number = Irp->CurrentLocation;

    if (routine == NULL) {
        routine = refuse_request;
    }
    request_of(Irp)->routine = routine;

    NTSTATUS status = routine(DeviceObject, Irp);

    nt_returned(OPLOG_DispatchRoutine, (uintptr_t)routine, level);
    check_return(Irp, routine, number, status);
    return status;
}

static NTSTATUS wake(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    (void)device;
    (void)irp;
    (void)KeSetEvent(context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

BOOLEAN IoForwardIrpSynchronously(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KEVENT event;

    (void)NT_AT_MOST(IoForwardIrpSynchronously, PASSIVE_LEVEL);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, wake, &event, TRUE, TRUE, TRUE);
    if (IofCallDriver(DeviceObject, Irp) == STATUS_PENDING) {
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    }
    return TRUE;
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
            request_of(Irp)->pending |= bit_of(Irp->CurrentLocation);
            IoGetCurrentIrpStackLocation(Irp)->Control |= SL_PENDING_RETURNED;
        }
    }
    request_of(Irp)->final = Irp->IoStatus.Status;
    if (Irp->UserIosb != NULL) {
        *Irp->UserIosb = Irp->IoStatus;
    }
    if (Irp->UserEvent != NULL) {
        (void)KeSetEvent(Irp->UserEvent, IO_NO_INCREMENT, FALSE);
    }
    if (request_of(Irp)->ended != NULL) {
        request_of(Irp)->ended(Irp, NT_CALLER);
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
