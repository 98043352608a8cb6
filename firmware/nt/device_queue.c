/* SPDX-License-Identifier: Apache-2.0 */
/* Device queues: what comes while the device is busy waits. */
#include "nt/device_queue.h"

#include "hal/irq_mask.h"
#include "nt/nt.h"

enum { DEVICE_QUEUE_OBJECT = 20 };

static PKDEVICE_QUEUE_ENTRY entry_of(PLIST_ENTRY at)
{
    return CONTAINING_RECORD(at, KDEVICE_QUEUE_ENTRY, DeviceListEntry);
}

static bool is_initialized(enum oplog_id routine, uintptr_t caller, const KDEVICE_QUEUE *queue)
{
    bool yes = queue->Type == DEVICE_QUEUE_OBJECT;

    if (!yes) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)queue, 0);
    }
    return yes;
}

/* Inserted says nothing of an entry that was never in a queue. */
static bool is_in(PKDEVICE_QUEUE queue, const KDEVICE_QUEUE_ENTRY *entry)
{
    for (PLIST_ENTRY at = queue->DeviceListHead.Flink; at != &queue->DeviceListHead; at = at->Flink) {
        if (entry_of(at) == entry) {
            return true;
        }
    }
    return false;
}

/* The first with this key or a higher one; else what ends the list. */
static PLIST_ENTRY find_key(PKDEVICE_QUEUE queue, ULONG key)
{
    PLIST_ENTRY at = queue->DeviceListHead.Flink;

    while (at != &queue->DeviceListHead && entry_of(at)->SortKey < key) {
        at = at->Flink;
    }
    return at;
}

void KeInitializeDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    (void)NT_AT_MOST(KeInitializeDeviceQueue, DISPATCH_LEVEL);
    *DeviceQueue = (KDEVICE_QUEUE){.Type = DEVICE_QUEUE_OBJECT, .Size = sizeof *DeviceQueue};
    InitializeListHead(&DeviceQueue->DeviceListHead);
}

bool device_queue_insert(enum oplog_id routine, uintptr_t caller, PKDEVICE_QUEUE queue,
                         PKDEVICE_QUEUE_ENTRY entry, const ULONG *key)
{
    uint64_t state = irq_save();
    bool waits = is_initialized(routine, caller, queue) && queue->Busy;

    if (waits && is_in(queue, entry)) {
        violation_report_in(routine, caller, VIOLATION_QUEUED_TWICE, (uintptr_t)entry, 0);
    } else if (waits) {
        entry->SortKey = key != NULL ? *key : 0;
        /* Behind those with the same key, in front of what is higher. */
        InsertTailList(key != NULL && *key != ~0u ? find_key(queue, *key + 1) : &queue->DeviceListHead,
                       &entry->DeviceListEntry);
    }
    queue->Busy = TRUE;
    entry->Inserted = waits;
    irq_restore(state);
    return waits;
}

PKDEVICE_QUEUE_ENTRY device_queue_remove(enum oplog_id routine, uintptr_t caller, PKDEVICE_QUEUE queue,
                                         const ULONG *key)
{
    uint64_t state = irq_save();
    PKDEVICE_QUEUE_ENTRY entry = NULL;

    if (is_initialized(routine, caller, queue)) {
        PLIST_ENTRY head = &queue->DeviceListHead, at = key != NULL ? find_key(queue, *key) : head->Flink;

        if (IsListEmpty(head)) {
            queue->Busy = FALSE;
        } else {
            entry = entry_of(at != head ? at : head->Flink);
            RemoveEntryList(&entry->DeviceListEntry);
            entry->Inserted = FALSE;
        }
    }
    irq_restore(state);
    return entry;
}

#define AT_DISPATCH(name) ((void)nt_level(OPLOG_##name, NT_CALLER, DISPATCH_LEVEL, DISPATCH_LEVEL))

BOOLEAN KeInsertDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    AT_DISPATCH(KeInsertDeviceQueue);
    return device_queue_insert(OPLOG_KeInsertDeviceQueue, NT_CALLER, DeviceQueue, DeviceQueueEntry, NULL);
}

BOOLEAN KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry,
                                 ULONG SortKey)
{
    AT_DISPATCH(KeInsertByKeyDeviceQueue);
    return device_queue_insert(OPLOG_KeInsertByKeyDeviceQueue, NT_CALLER, DeviceQueue, DeviceQueueEntry,
                               &SortKey);
}

PKDEVICE_QUEUE_ENTRY KeRemoveDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    AT_DISPATCH(KeRemoveDeviceQueue);
    return device_queue_remove(OPLOG_KeRemoveDeviceQueue, NT_CALLER, DeviceQueue, NULL);
}

PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    AT_DISPATCH(KeRemoveByKeyDeviceQueue);
    return device_queue_remove(OPLOG_KeRemoveByKeyDeviceQueue, NT_CALLER, DeviceQueue, &SortKey);
}

BOOLEAN KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    uint64_t state = irq_save();
    bool was_in = is_initialized(OPLOG_KeRemoveEntryDeviceQueue, NT_CALLER, DeviceQueue) &&
                  is_in(DeviceQueue, DeviceQueueEntry);

    (void)NT_AT_MOST(KeRemoveEntryDeviceQueue, DISPATCH_LEVEL);
    if (was_in) {
        RemoveEntryList(&DeviceQueueEntry->DeviceListEntry);
        DeviceQueueEntry->Inserted = FALSE;
    }
    irq_restore(state);
    return was_in;
}
