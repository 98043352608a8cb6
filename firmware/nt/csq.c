/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancel-safe queues. Who clears the cancel routine of a queued request, under the lock of the queue or in
 * IoCancelIrp, has the request. DriverContext[3] leads from it to its queue: through the context that the
 * driver gave, which begins with a type as the queue does, or directly.
 */
#include "nt/nt.h"

enum { CONTEXT = 3 };

static void initialize(PIO_CSQ csq, ULONG type, PIO_CSQ_INSERT_IRP insert, PIO_CSQ_REMOVE_IRP remove,
                       PIO_CSQ_PEEK_NEXT_IRP peek, PIO_CSQ_ACQUIRE_LOCK acquire, PIO_CSQ_RELEASE_LOCK release,
                       PIO_CSQ_COMPLETE_CANCELED_IRP complete)
{
    *csq = (IO_CSQ){.Type = type,
                    .CsqInsertIrp = insert,
                    .CsqRemoveIrp = remove,
                    .CsqPeekNextIrp = peek,
                    .CsqAcquireLock = acquire,
                    .CsqReleaseLock = release,
                    .CsqCompleteCanceledIrp = complete};
}

NTSTATUS IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                         PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                         PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                         PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    initialize(Csq, IO_TYPE_CSQ, CsqInsertIrp, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock,
               CsqCompleteCanceledIrp);
    return STATUS_SUCCESS;
}

NTSTATUS IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                           PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                           PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                           PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    initialize(Csq, IO_TYPE_CSQ_EX, (PIO_CSQ_INSERT_IRP)(void (*)(void))CsqInsertIrp, CsqRemoveIrp,
               CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock, CsqCompleteCanceledIrp);
    return STATUS_SUCCESS;
}

/* ---- the parts of each operation ---- */

/* The lock of a queue, as the driver takes it. */
struct hold {
    KIRQL before, given;
};

static struct hold take_lock(PIO_CSQ csq)
{
    struct hold hold = {.before = KeGetCurrentIrql()};

    csq->CsqAcquireLock(csq, &hold.given);
    return hold;
}

static void release_lock(PIO_CSQ csq, struct hold hold)
{
    csq->CsqReleaseLock(csq, hold.given);
    nt_returned(OPLOG_CsqReleaseLock, (uintptr_t)csq->CsqReleaseLock, hold.before);
}

static bool check(enum oplog_id routine, uintptr_t caller, const IO_CSQ *csq)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (csq->Type != IO_TYPE_CSQ && csq->Type != IO_TYPE_CSQ_EX) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)csq, 0);
        return false;
    }
    return true;
}

static void attach(PIO_CSQ csq, PIRP irp, PIO_CSQ_IRP_CONTEXT context)
{
    irp->Tail.Overlay.DriverContext[CONTEXT] = csq;
    if (context != NULL) {
        *context = (IO_CSQ_IRP_CONTEXT){.Type = IO_TYPE_CSQ_IRP_CONTEXT, .Irp = irp, .Csq = csq};
        irp->Tail.Overlay.DriverContext[CONTEXT] = context;
    }
}

/* Its queue, which it belongs to no longer. */
static PIO_CSQ detach(PIRP irp)
{
    PIO_CSQ_IRP_CONTEXT context = irp->Tail.Overlay.DriverContext[CONTEXT];

    irp->Tail.Overlay.DriverContext[CONTEXT] = NULL;
    if (context->Type != IO_TYPE_CSQ_IRP_CONTEXT) {
        return (PIO_CSQ)context;
    }
    context->Irp = NULL;
    return context->Csq;
}

static VOID on_cancel(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);

    PIO_CSQ_IRP_CONTEXT context = irp->Tail.Overlay.DriverContext[CONTEXT];
    PIO_CSQ csq = context->Type == IO_TYPE_CSQ_IRP_CONTEXT ? context->Csq : (PIO_CSQ)context;
    struct hold hold = take_lock(csq);

    (void)detach(irp);
    csq->CsqRemoveIrp(csq, irp);
    release_lock(csq, hold);
    csq->CsqCompleteCanceledIrp(csq, irp);
}

/* Take a request out of the queue, whose lock is held. False: it is being cancelled. */
static bool take_out(PIO_CSQ csq, PIRP irp)
{
    if (IoSetCancelRoutine(irp, NULL) == NULL) {
        return false;
    }
    (void)detach(irp);
    csq->CsqRemoveIrp(csq, irp);
    return true;
}

/* ---- in ---- */

static NTSTATUS call_insert(PIO_CSQ csq, PIRP irp, PVOID context)
{
    if (csq->Type == IO_TYPE_CSQ_EX) {
        return ((PIO_CSQ_INSERT_IRP_EX)(void (*)(void))csq->CsqInsertIrp)(csq, irp, context);
    }
    csq->CsqInsertIrp(csq, irp);
    return STATUS_SUCCESS;
}

static NTSTATUS insert(enum oplog_id routine, uintptr_t caller, PIO_CSQ csq, PIRP irp,
                       PIO_CSQ_IRP_CONTEXT context, PVOID insert_context)
{
    bool is_cancelled;

    if (!check(routine, caller, csq)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (irp->CancelRoutine == on_cancel) {
        violation_report_in(routine, caller, VIOLATION_QUEUED_TWICE, (uintptr_t)irp, 0);
        return STATUS_INVALID_PARAMETER;
    }
    struct hold hold = take_lock(csq);

    attach(csq, irp, context);
    NTSTATUS status = call_insert(csq, irp, insert_context);

    if (!NT_SUCCESS(status)) {
        (void)detach(irp);
        release_lock(csq, hold);
        return status;
    }
    IoMarkIrpPending(irp);
    (void)IoSetCancelRoutine(irp, on_cancel);
    is_cancelled = irp->Cancel && take_out(csq, irp);
    release_lock(csq, hold);
    if (is_cancelled) {
        csq->CsqCompleteCanceledIrp(csq, irp);
    }
    return status;
}

void IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context)
{
    (void)insert(OPLOG_IoCsqInsertIrp, NT_CALLER, Csq, Irp, Context, NULL);
}

NTSTATUS IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext)
{
    return insert(OPLOG_IoCsqInsertIrpEx, NT_CALLER, Csq, Irp, Context, InsertContext);
}

/* ---- out ---- */

PIRP IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context)
{
    PIRP irp;

    if (!check(OPLOG_IoCsqRemoveIrp, NT_CALLER, Csq)) {
        return NULL;
    }
    if (Context->Type != IO_TYPE_CSQ_IRP_CONTEXT || Context->Csq != Csq) {
        NT_MISTAKE(IoCsqRemoveIrp, VIOLATION_NOT_INITIALIZED, (uintptr_t)Context, 0);
        return NULL;
    }
    struct hold hold = take_lock(Csq);

    irp = Context->Irp;
    if (irp != NULL && !take_out(Csq, irp)) {
        irp = NULL;
    }
    release_lock(Csq, hold);
    return irp;
}

PIRP IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext)
{
    PIRP irp = NULL;

    if (!check(OPLOG_IoCsqRemoveNextIrp, NT_CALLER, Csq)) {
        return NULL;
    }
    struct hold hold = take_lock(Csq);

    for (;;) {
        PIRP next = Csq->CsqPeekNextIrp(Csq, irp, PeekContext);

        if (next != NULL && next == irp) {
            refuse_in(OPLOG_IoCsqRemoveNextIrp, NT_CALLER, STATUS_INVALID_PARAMETER,
                      "CsqPeekNextIrp gives the request {0:#x}, which is being cancelled, again: give the one "
                      "behind it",
                      (uintptr_t)irp, 0);
            next = NULL;
        }
        irp = next;
        if (irp == NULL || take_out(Csq, irp)) {
            break;
        }
    }
    release_lock(Csq, hold);
    return irp;
}
