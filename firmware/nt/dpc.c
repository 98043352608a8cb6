/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's deferred calls: one deferred call of irql.h after the other takes the first of them. */
#include "hal/irq_mask.h"
#include "layer/irql.h"
#include "nt/nt.h"

enum { DPC_OBJECT = 19 };

static PSINGLE_LIST_ENTRY first;

static void run_first(struct dpc *dpc);
static struct dpc turn = {.run = run_first};

static PKDPC dpc_of(PSINGLE_LIST_ENTRY entry)
{
    return CONTAINING_RECORD(entry, KDPC, DpcListEntry);
}

static void run_first(struct dpc *dpc)
{
    uint64_t state = irq_save();
    PSINGLE_LIST_ENTRY entry = first;

    if (entry == NULL) {
        irq_restore(state);
        return;
    }
    KDPC call = *dpc_of(entry);

    first = entry->Next;
    dpc_of(entry)->DpcData = NULL;
    if (first != NULL) {
        irql_queue_dpc(dpc);
    }
    irq_restore(state);
    call.DeferredRoutine(dpc_of(entry), call.DeferredContext, call.SystemArgument1, call.SystemArgument2);
    nt_returned(OPLOG_DeferredRoutine, (uintptr_t)call.DeferredRoutine, DISPATCH_LEVEL);
}

void KeInitializeDpc(PKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    *Dpc = (KDPC){.Type = DPC_OBJECT,
                  .Importance = MediumImportance,
                  .DeferredRoutine = DeferredRoutine,
                  .DeferredContext = DeferredContext};
}

void KeInitializeThreadedDpc(PKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    KeInitializeDpc(Dpc, DeferredRoutine, DeferredContext);
}

/* Where a new one goes: in front of all, or behind them. */
static PSINGLE_LIST_ENTRY *place_of(const KDPC *dpc)
{
    PSINGLE_LIST_ENTRY *at = &first;

    while (dpc->Importance != HighImportance && *at != NULL) {
        at = &(*at)->Next;
    }
    return at;
}

BOOLEAN KeInsertQueueDpc(PKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    uint64_t state = irq_save();
    BOOLEAN inserted = Dpc->Type == DPC_OBJECT && Dpc->DpcData == NULL;

    if (inserted) {
        PSINGLE_LIST_ENTRY *place = place_of(Dpc);

        Dpc->SystemArgument1 = SystemArgument1;
        Dpc->SystemArgument2 = SystemArgument2;
        Dpc->DpcData = &turn;
        Dpc->DpcListEntry.Next = *place;
        *place = &Dpc->DpcListEntry;
        irql_queue_dpc(&turn);
    } else if (Dpc->Type != DPC_OBJECT) {
        NT_MISTAKE(KeInsertQueueDpc, VIOLATION_NOT_INITIALIZED, (uintptr_t)Dpc, 0);
    }
    irq_restore(state);
    if (KeGetCurrentIrql() < DISPATCH_LEVEL && !irq_is_masked(state)) {
        KIRQL old = irql_raise_to_dispatch(); /* it runs now */

        irql_return_to(old);
    }
    return inserted;
}

BOOLEAN KeRemoveQueueDpc(PKDPC Dpc)
{
    uint64_t state = irq_save();
    BOOLEAN queued = Dpc->DpcData != NULL;
    PSINGLE_LIST_ENTRY *at = &first;

    while (queued && *at != &Dpc->DpcListEntry) {
        at = &(*at)->Next;
    }
    if (queued) {
        *at = Dpc->DpcListEntry.Next;
        Dpc->DpcData = NULL;
    }
    irq_restore(state);
    return queued;
}

void KeSetImportanceDpc(PKDPC Dpc, KDPC_IMPORTANCE Importance)
{
    Dpc->Importance = (UCHAR)Importance;
}

void KeSetTargetProcessorDpc(PKDPC Dpc, CCHAR Number)
{
    Dpc->Number = (USHORT)Number;
}

/* At PASSIVE_LEVEL none is queued. */
void KeFlushQueuedDpcs(void)
{
    (void)NT_AT_MOST(KeFlushQueuedDpcs, PASSIVE_LEVEL);
}
