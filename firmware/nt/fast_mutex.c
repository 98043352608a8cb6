/* SPDX-License-Identifier: Apache-2.0 */
/* Fast mutexes, and guarded ones, which differ in nothing that one core could tell. */
#include "hal/irq_mask.h"
#include "layer/irql.h"
#include "nt/nt.h"
#include "nt/thread.h"

struct wait {
    struct thread_waiting waiting; /* first */
    const FAST_MUTEX *mutex;
};

static bool is_free(const struct thread_waiting *waiting)
{
    return ((const struct wait *)waiting)->mutex->Count > 0;
}

static void take(PFAST_MUTEX mutex)
{
    mutex->Count = 0;
    mutex->Owner = KeGetCurrentThread();
}

/* At DISPATCH_LEVEL it cannot wait, and goes on as if it had the mutex. */
static void acquire(enum oplog_id routine, uintptr_t caller, PFAST_MUTEX mutex)
{
    struct wait wait = {.waiting = {.is_over = is_free}, .mutex = mutex};
    bool may_wait = nt_level(routine, caller, PASSIVE_LEVEL, APC_LEVEL);

    if (mutex->Count <= 0 && mutex->Owner == KeGetCurrentThread()) {
        violation_report_in(routine, caller, VIOLATION_LOCK_TAKEN, (uintptr_t)mutex, 0);
    } else if (may_wait) {
        irq_restore(thread_wait(&wait.waiting));
    }
    take(mutex);
}

static void give_back(enum oplog_id routine, uintptr_t caller, PFAST_MUTEX mutex)
{
    if (mutex->Owner != KeGetCurrentThread()) {
        violation_report_in(routine, caller, VIOLATION_LOCK_FREE, (uintptr_t)mutex, 0);
    }
    mutex->Owner = NULL;
    mutex->Count = 1;
}

static void raise(PFAST_MUTEX mutex)
{
    KIRQL old = KeGetCurrentIrql();

    if (old < APC_LEVEL) {
        irql_switch(APC_LEVEL);
    }
    mutex->OldIrql = old;
}

void ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
    *FastMutex = (FAST_MUTEX){.Count = 1};
    KeInitializeEvent(&FastMutex->Event, SynchronizationEvent, FALSE);
}

void ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    acquire(OPLOG_ExAcquireFastMutex, NT_CALLER, FastMutex);
    raise(FastMutex);
}

BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    (void)NT_AT_MOST(ExTryToAcquireFastMutex, APC_LEVEL);
    if (FastMutex->Count <= 0) {
        return FALSE;
    }
    take(FastMutex);
    raise(FastMutex);
    return TRUE;
}

void ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    (void)NT_AT_MOST(ExReleaseFastMutex, APC_LEVEL);
    give_back(OPLOG_ExReleaseFastMutex, NT_CALLER, FastMutex);
    if (KeGetCurrentIrql() == APC_LEVEL && FastMutex->OldIrql == PASSIVE_LEVEL) {
        irql_switch(PASSIVE_LEVEL);
    }
}

void ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    acquire(OPLOG_ExAcquireFastMutexUnsafe, NT_CALLER, FastMutex);
}

void ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    (void)NT_AT_MOST(ExReleaseFastMutexUnsafe, APC_LEVEL);
    give_back(OPLOG_ExReleaseFastMutexUnsafe, NT_CALLER, FastMutex);
}
