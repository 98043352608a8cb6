/* SPDX-License-Identifier: Apache-2.0 */
/* Waits, and the passing of model time. */
#include "nt/wait.h"

#include "hal/alarm.h"
#include "hal/ident.h"
#include "hal/irq_mask.h"
#include "nt/dispatcher.h"
#include "nt/nt.h"
#include "nt/thread.h"
#include "nt/time.h"

/* Nanoseconds after which a wait without an end is taken to have none. */
#define ENDLESS 10000000000ull

enum { STALL_MAX_US = 1000000 };

struct wait {
    struct thread_waiting waiting; /* first */
    PVOID *objects;
    ULONG count;
    bool all;
    uint64_t deadline;
};

static DISPATCHER_HEADER *header_of(const struct wait *wait, ULONG index)
{
    return (DISPATCHER_HEADER *)wait->objects[index];
}

/* The first that is signalled, or, if all have to be, 0; or as many as there are. */
static ULONG find_signalled(const struct wait *wait)
{
    for (ULONG i = 0; i < wait->count; i++) {
        if (dispatcher_is_signalled(header_of(wait, i), wait->waiting.thread) != wait->all) {
            return wait->all ? wait->count : i;
        }
    }
    return wait->all ? 0 : wait->count;
}

static bool is_over(const struct thread_waiting *waiting)
{
    const struct wait *wait = (const struct wait *)waiting;

    return (wait->count > 0 && find_signalled(wait) < wait->count) || ident_time() >= wait->deadline;
}

/* Take what was waited for. */
static NTSTATUS take(const struct wait *wait)
{
    ULONG found = wait->count > 0 ? find_signalled(wait) : 0;

    if (found == wait->count) {
        return STATUS_TIMEOUT;
    }
    for (ULONG i = wait->all ? 0 : found; i <= (wait->all ? wait->count - 1 : found); i++) {
        dispatcher_take(header_of(wait, i), wait->waiting.thread);
    }
    return (NTSTATUS)found;
}

/* A wait that may not, or need not, last is over at once. */
static NTSTATUS wait_for(struct wait *wait, bool lasting)
{
    struct alarm alarm = {.ring = alarm_wake};
    uint64_t state;
    NTSTATUS status;

    if (lasting) {
        alarm_set(&alarm, wait->deadline);
        state = thread_wait(&wait->waiting);
        (void)alarm_cancel(&alarm);
    } else {
        wait->waiting.thread = KeGetCurrentThread();
        state = irq_save();
    }
    status = take(wait);
    irq_restore(state);
    return status;
}

static NTSTATUS wait_for_objects(enum oplog_id routine, uintptr_t caller, struct wait *wait,
                                 const LARGE_INTEGER *timeout)
{
    bool polls = timeout != NULL && timeout->QuadPart == 0;
    bool allowed = nt_level(routine, caller, PASSIVE_LEVEL, polls ? DISPATCH_LEVEL : APC_LEVEL);
    NTSTATUS status;

    for (ULONG i = 0; i < wait->count; i++) {
        if (!dispatcher_is_initialized(header_of(wait, i))) {
            violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)wait->objects[i], 0);
            return STATUS_INVALID_PARAMETER;
        }
    }
    wait->waiting.is_over = is_over;
    wait->deadline = timeout != NULL ? time_of(*timeout) : ident_time() + ENDLESS;
    status = wait_for(wait, allowed && !polls);
    if (status == STATUS_TIMEOUT && timeout == NULL && allowed) {
        violation_report_in(routine, caller, VIOLATION_ENDLESS_WAIT, (uintptr_t)wait->objects[0], 0);
    }
    return status;
}

void wait_for_event(enum oplog_id routine, uintptr_t caller, PKEVENT event)
{
    struct wait wait = {.objects = (PVOID[]){event}, .count = 1};

    (void)wait_for_objects(routine, caller, &wait, NULL);
}

NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
                               BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    struct wait wait = {.objects = &Object, .count = 1};

    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    return wait_for_objects(OPLOG_KeWaitForSingleObject, NT_CALLER, &wait, Timeout);
}

NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                  KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                  PKWAIT_BLOCK WaitBlockArray)
{
    struct wait wait = {.objects = Object, .count = Count, .all = WaitType == WaitAll};

    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    if (Count == 0 || Count > (WaitBlockArray != NULL ? MAXIMUM_WAIT_OBJECTS : THREAD_WAIT_OBJECTS)) {
        return refuse(STATUS_INVALID_PARAMETER, "{0} objects: at most {1}, or 64 with a WaitBlockArray", Count,
                      THREAD_WAIT_OBJECTS);
    }
    return wait_for_objects(OPLOG_KeWaitForMultipleObjects, NT_CALLER, &wait, Timeout);
}

NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    struct wait wait = {.waiting = {.is_over = is_over}, .deadline = time_of(*Interval)};

    (void)WaitMode;
    (void)Alertable;
    if (NT_AT_MOST(KeDelayExecutionThread, APC_LEVEL)) {
        (void)wait_for(&wait, true);
    }
    return STATUS_SUCCESS;
}

void KeStallExecutionProcessor(ULONG MicroSeconds)
{
    uint64_t end = ident_time() + 1000ull * min(MicroSeconds, STALL_MAX_US);

    while (ident_time() < end) {
    }
}
