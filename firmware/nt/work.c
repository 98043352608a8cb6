/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/work.h"

#include "hal/exception.h"
#include "hal/irq_mask.h"
#include "nt/nt.h"
#include "nt/thread.h"

static LIST_ENTRY queue = {&queue, &queue};
static bool started;

static bool has_work(const struct thread_waiting *waiting)
{
    (void)waiting;
    return !IsListEmpty(&queue);
}

static VOID work(PVOID context)
{
    struct thread_waiting waiting = {.is_over = has_work};

    (void)context;
    for (;;) {
        uint64_t state = thread_wait(&waiting);
        PWORK_QUEUE_ITEM item = CONTAINING_RECORD(RemoveHeadList(&queue), WORK_QUEUE_ITEM, List);
        PWORKER_THREAD_ROUTINE routine = item->WorkerRoutine;

        item->List.Flink = NULL;
        irq_restore(state);
        routine(item->Parameter);
        nt_returned(OPLOG_WorkerRoutine, (uintptr_t)routine, PASSIVE_LEVEL);
    }
}

void work_queue(PWORK_QUEUE_ITEM item)
{
    uint64_t state = irq_save();

    if (!started) {
        started = thread_start_of_system(work);
        if (!started) {
            exception_panic("the heap has no memory for the worker thread");
        }
    }
    InsertTailList(&queue, &item->List);
    irq_restore(state);
}

void ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    (void)QueueType;
    (void)NT_AT_MOST(ExQueueWorkItem, DISPATCH_LEVEL);
    if (WorkItem->List.Flink != NULL) {
        NT_MISTAKE(ExQueueWorkItem, VIOLATION_QUEUED_TWICE, (uintptr_t)WorkItem, 0);
        return;
    }
    work_queue(WorkItem);
}
