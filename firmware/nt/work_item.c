/* SPDX-License-Identifier: Apache-2.0 */
/* Work items of the I/O manager: each holds what its routine is given. */
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"
#include "nt/work.h"

struct _IO_WORKITEM {
    WORK_QUEUE_ITEM item;
    LIST_ENTRY entry; /* in `allocated` */
    PVOID object;
    PIO_WORKITEM_ROUTINE routine; /* NULL: the other one */
    PIO_WORKITEM_ROUTINE_EX routine_ex;
    PVOID context;
    struct routine_place maker;
};

static LIST_ENTRY allocated = {&allocated, &allocated};

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = allocated.Flink; at != &allocated; at = at->Flink) {
        const struct _IO_WORKITEM *item = CONTAINING_RECORD(at, struct _IO_WORKITEM, entry);
        const struct dma_live told = live_of("work_item", (uintptr_t)item, &item->maker);

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

/* The routine may give the item back. */
static VOID run(PVOID parameter)
{
    const struct _IO_WORKITEM item = *(PIO_WORKITEM)parameter;

    if (item.routine != NULL) {
        item.routine(item.object, item.context);
    } else {
        item.routine_ex(item.object, item.context, parameter);
    }
    nt_returned(OPLOG_WorkerRoutine,
                item.routine != NULL ? (uintptr_t)item.routine : (uintptr_t)item.routine_ex, PASSIVE_LEVEL);
}

ULONG IoSizeofWorkItem(void)
{
    return sizeof(struct _IO_WORKITEM);
}

void IoInitializeWorkItem(PVOID IoObject, PIO_WORKITEM IoWorkItem)
{
    *IoWorkItem = (struct _IO_WORKITEM){.object = IoObject};
    ExInitializeWorkItem(&IoWorkItem->item, run, IoWorkItem);
}

PIO_WORKITEM IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject)
{
    uint64_t state = irq_save();
    PIO_WORKITEM item = memory_allocate(sizeof *item);

    (void)NT_AT_MOST(IoAllocateWorkItem, DISPATCH_LEVEL);
    if (item != NULL) {
        IoInitializeWorkItem(DeviceObject, item);
        item->maker = (struct routine_place){OPLOG_IoAllocateWorkItem, NT_CALLER, origin_now()};
        InsertTailList(&allocated, &item->entry);
        live_add(&source);
    }
    irq_restore(state);
    return item;
}

static bool is_queued(const struct _IO_WORKITEM *item)
{
    return item->item.List.Flink != NULL;
}

/* Take it out of the queue, if it is there. */
static void end(enum oplog_id routine, uintptr_t caller, PIO_WORKITEM item)
{
    if (is_queued(item)) {
        violation_report_in(routine, caller, VIOLATION_FREED_QUEUED, (uintptr_t)item, 0);
        RemoveEntryList(&item->item.List);
        item->item.List.Flink = NULL;
    }
}

void IoUninitializeWorkItem(PIO_WORKITEM IoWorkItem)
{
    uint64_t state = irq_save();

    end(OPLOG_IoUninitializeWorkItem, NT_CALLER, IoWorkItem);
    irq_restore(state);
}

static bool is_allocated(const struct _IO_WORKITEM *item)
{
    for (PLIST_ENTRY at = allocated.Flink; at != &allocated; at = at->Flink) {
        if (CONTAINING_RECORD(at, struct _IO_WORKITEM, entry) == item) {
            return true;
        }
    }
    return false;
}

void IoFreeWorkItem(PIO_WORKITEM IoWorkItem)
{
    uint64_t state = irq_save();

    (void)NT_AT_MOST(IoFreeWorkItem, DISPATCH_LEVEL);
    if (is_allocated(IoWorkItem)) {
        end(OPLOG_IoFreeWorkItem, NT_CALLER, IoWorkItem);
        RemoveEntryList(&IoWorkItem->entry);
        memory_release(IoWorkItem);
    } else {
        NT_MISTAKE(IoFreeWorkItem, VIOLATION_NOT_INITIALIZED, (uintptr_t)IoWorkItem, 0);
    }
    irq_restore(state);
}

/* False, and nothing is queued: it is queued already. */
static bool may_queue(enum oplog_id routine, uintptr_t caller, const struct _IO_WORKITEM *item)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (item->item.WorkerRoutine != run) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)item, 0);
        return false;
    }
    if (is_queued(item)) {
        violation_report_in(routine, caller, VIOLATION_QUEUED_TWICE, (uintptr_t)item, 0);
        return false;
    }
    return true;
}

void IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                     PVOID Context)
{
    (void)QueueType;
    if (may_queue(OPLOG_IoQueueWorkItem, NT_CALLER, IoWorkItem)) {
        IoWorkItem->routine = WorkerRoutine;
        IoWorkItem->context = Context;
        work_queue(&IoWorkItem->item);
    }
}

void IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine,
                       WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    (void)QueueType;
    if (may_queue(OPLOG_IoQueueWorkItemEx, NT_CALLER, IoWorkItem)) {
        IoWorkItem->routine = NULL;
        IoWorkItem->routine_ex = WorkerRoutine;
        IoWorkItem->context = Context;
        work_queue(&IoWorkItem->item);
    }
}
