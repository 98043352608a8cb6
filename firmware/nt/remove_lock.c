/* SPDX-License-Identifier: Apache-2.0 */
/* Remove locks. Each acquisition is a holder in one list, by which a release is matched, and told if none is.
 */
#include "hal/exception.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/dispatcher.h"
#include "nt/nt.h"
#include "nt/wait.h"

struct holder {
    LIST_ENTRY entry;
    PIO_REMOVE_LOCK lock;
    PVOID tag;
    struct routine_place taker;
};

static LIST_ENTRY holders = {&holders, &holders};

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = holders.Flink; at != &holders; at = at->Flink) {
        const struct holder *holder = CONTAINING_RECORD(at, struct holder, entry);
        const struct dma_live told = live_of("remove_lock", (uintptr_t)holder->lock, &holder->taker);

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

static void add(PIO_REMOVE_LOCK lock, PVOID tag, uintptr_t caller)
{
    struct holder *holder = memory_allocate(sizeof *holder);

    if (holder == NULL) {
        exception_panic("the heap has no memory for the holder of a remove lock");
    }
    *holder =
        (struct holder){.lock = lock, .tag = tag, .taker = {OPLOG_IoAcquireRemoveLock, caller, origin_now()}};
    InsertTailList(&holders, &holder->entry);
    live_add(&source);
}

/* Remove who holds the lock with the tag. False: nobody does. */
static bool remove(const IO_REMOVE_LOCK *lock, const void *tag)
{
    for (PLIST_ENTRY at = holders.Flink; at != &holders; at = at->Flink) {
        struct holder *holder = CONTAINING_RECORD(at, struct holder, entry);

        if (holder->lock == lock && holder->tag == tag) {
            RemoveEntryList(&holder->entry);
            memory_release(holder);
            return true;
        }
    }
    return false;
}

static bool is_initialized(enum oplog_id routine, uintptr_t caller, const IO_REMOVE_LOCK *lock)
{
    bool yes = dispatcher_is_initialized(&lock->Common.RemoveEvent.Header);

    if (!yes) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)lock, 0);
    }
    return yes;
}

void IoInitializeRemoveLock(PIO_REMOVE_LOCK Lock, ULONG AllocateTag, ULONG MaxLockedMinutes,
                            ULONG HighWatermark)
{
    (void)AllocateTag;
    (void)MaxLockedMinutes;
    (void)HighWatermark;
    (void)NT_AT_MOST(IoInitializeRemoveLock, PASSIVE_LEVEL);
    *Lock = (IO_REMOVE_LOCK){.Common = {.IoCount = 1}};
    KeInitializeEvent(&Lock->Common.RemoveEvent, NotificationEvent, FALSE);
}

NTSTATUS IoAcquireRemoveLock(PIO_REMOVE_LOCK RemoveLock, PVOID Tag)
{
    uint64_t state;

    (void)NT_AT_MOST(IoAcquireRemoveLock, DISPATCH_LEVEL);
    if (!is_initialized(OPLOG_IoAcquireRemoveLock, NT_CALLER, RemoveLock)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (RemoveLock->Common.Removed) {
        return STATUS_DELETE_PENDING;
    }
    state = irq_save();
    RemoveLock->Common.IoCount++;
    add(RemoveLock, Tag, NT_CALLER);
    irq_restore(state);
    return STATUS_SUCCESS;
}

/* Whether the caller, who named the tag, did hold the lock. */
static bool release(enum oplog_id routine, uintptr_t caller, PIO_REMOVE_LOCK lock, PVOID tag)
{
    uint64_t state;
    bool was_held;

    if (!is_initialized(routine, caller, lock)) {
        return false;
    }
    state = irq_save();
    was_held = remove(lock, tag);
    if (!was_held) {
        violation_report_in(routine, caller, VIOLATION_LOCK_FREE, (uintptr_t)lock, (uintptr_t)tag);
    } else if (--lock->Common.IoCount == 0) {
        (void)KeSetEvent(&lock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
    }
    irq_restore(state);
    return was_held;
}

void IoReleaseRemoveLock(PIO_REMOVE_LOCK RemoveLock, PVOID Tag)
{
    (void)NT_AT_MOST(IoReleaseRemoveLock, DISPATCH_LEVEL);
    (void)release(OPLOG_IoReleaseRemoveLock, NT_CALLER, RemoveLock, Tag);
}

void IoReleaseRemoveLockAndWait(PIO_REMOVE_LOCK RemoveLock, PVOID Tag)
{
    bool may_wait = NT_AT_MOST(IoReleaseRemoveLockAndWait, PASSIVE_LEVEL);

    if (!release(OPLOG_IoReleaseRemoveLockAndWait, NT_CALLER, RemoveLock, Tag)) {
        return;
    }
    RemoveLock->Common.Removed = TRUE;
    RemoveLock->Common.IoCount--; /* of IoInitializeRemoveLock */
    if (RemoveLock->Common.IoCount > 0 && may_wait) {
        wait_for_event(OPLOG_IoReleaseRemoveLockAndWait, NT_CALLER, &RemoveLock->Common.RemoveEvent);
    }
}
