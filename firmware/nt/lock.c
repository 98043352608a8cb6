/* SPDX-License-Identifier: Apache-2.0 */
/* Spin locks. A lock counts how often it was taken, so that one mistake is told once. */
#include "layer/irql.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { HELD_MAX = 32 };

static struct {
    PKSPIN_LOCK lock; /* NULL: the row is free */
    struct routine_place taker;
} held[HELD_MAX];

static void tell_each(dma_tell *tell, void *context)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (held[i].lock != NULL) {
            const struct dma_live told = live_of("spin_lock", (uintptr_t)held[i].lock, &held[i].taker);

            tell(&told, context);
        }
    }
}

static struct live_source source = {.tell_each = tell_each};

static void note(PKSPIN_LOCK lock, enum oplog_id taker, uintptr_t caller)
{
    live_add(&source);
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (held[i].lock == NULL) {
            held[i].lock = lock;
            held[i].taker = (struct routine_place){taker, caller, origin_now()};
            return;
        }
    }
}

static void forget(const KSPIN_LOCK *lock)
{
    for (size_t i = 0; i < HELD_MAX; i++) {
        if (held[i].lock == lock) {
            held[i].lock = NULL;
        }
    }
}

static void take(enum oplog_id routine, uintptr_t caller, PKSPIN_LOCK lock)
{
    if ((*lock)++ != 0) {
        violation_report_in(routine, caller, VIOLATION_LOCK_TAKEN, (uintptr_t)lock, 0);
    } else {
        note(lock, routine, caller);
    }
}

static void give_back(enum oplog_id routine, uintptr_t caller, PKSPIN_LOCK lock)
{
    if (*lock == 0) {
        violation_report_in(routine, caller, VIOLATION_LOCK_FREE, (uintptr_t)lock, 0);
    } else if (--*lock == 0) {
        forget(lock);
    }
}

void KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    forget(SpinLock);
    *SpinLock = 0;
}

BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    return *SpinLock == 0;
}

/* ---- with the level ---- */

static KIRQL raise_and_take(enum oplog_id routine, uintptr_t caller, PKSPIN_LOCK lock)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    KIRQL old = irql_raise_to_dispatch();

    take(routine, caller, lock);
    return old;
}

static void give_back_and_lower(enum oplog_id routine, uintptr_t caller, PKSPIN_LOCK lock, KIRQL level)
{
    (void)nt_level(routine, caller, DISPATCH_LEVEL, HIGH_LEVEL);
    give_back(routine, caller, lock);
    irql_return_to(level);
}

KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    return raise_and_take(OPLOG_KeAcquireSpinLockRaiseToDpc, NT_CALLER, SpinLock);
}

void KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    give_back_and_lower(OPLOG_KeReleaseSpinLock, NT_CALLER, SpinLock, NewIrql);
}

void KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    LockHandle->LockQueue = (KSPIN_LOCK_QUEUE){.Lock = SpinLock};
    LockHandle->OldIrql = raise_and_take(OPLOG_KeAcquireInStackQueuedSpinLock, NT_CALLER, SpinLock);
}

void KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    give_back_and_lower(OPLOG_KeReleaseInStackQueuedSpinLock, NT_CALLER, LockHandle->LockQueue.Lock,
                        LockHandle->OldIrql);
}

/* ---- at DISPATCH_LEVEL ---- */

void KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    (void)NT_AT_LEAST(KeAcquireSpinLockAtDpcLevel, DISPATCH_LEVEL);
    take(OPLOG_KeAcquireSpinLockAtDpcLevel, NT_CALLER, SpinLock);
}

void KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    (void)NT_AT_LEAST(KeReleaseSpinLockFromDpcLevel, DISPATCH_LEVEL);
    give_back(OPLOG_KeReleaseSpinLockFromDpcLevel, NT_CALLER, SpinLock);
}

BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    (void)NT_AT_LEAST(KeTryToAcquireSpinLockAtDpcLevel, DISPATCH_LEVEL);
    if (*SpinLock != 0) {
        return FALSE;
    }
    take(OPLOG_KeTryToAcquireSpinLockAtDpcLevel, NT_CALLER, SpinLock);
    return TRUE;
}

void KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    (void)NT_AT_LEAST(KeAcquireInStackQueuedSpinLockAtDpcLevel, DISPATCH_LEVEL);
    LockHandle->LockQueue = (KSPIN_LOCK_QUEUE){.Lock = SpinLock};
    take(OPLOG_KeAcquireInStackQueuedSpinLockAtDpcLevel, NT_CALLER, SpinLock);
}

void KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    (void)NT_AT_LEAST(KeReleaseInStackQueuedSpinLockFromDpcLevel, DISPATCH_LEVEL);
    give_back(OPLOG_KeReleaseInStackQueuedSpinLockFromDpcLevel, NT_CALLER, LockHandle->LockQueue.Lock);
}

KIRQL KeRaiseIrqlToDpcLevel(void)
{
    (void)NT_AT_MOST(KeRaiseIrqlToDpcLevel, DISPATCH_LEVEL);
    return irql_raise_to_dispatch();
}
