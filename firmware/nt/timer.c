/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: those that are set lie in one list, in order of their times, and one alarm is set for the first.
 * While a timer is set, nobody needs its list of waiters, which has where it was set. */
#include "hal/alarm.h"
#include "hal/ident.h"
#include "hal/irq_mask.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/dispatcher.h"
#include "nt/nt.h"
#include "nt/time.h"

enum { NS_A_MILLISECOND = 1000000 };

static LIST_ENTRY set = {&set, &set};

static void ring(struct alarm *alarm);
static struct alarm next = {.ring = ring};

static PKTIMER timer_of(PLIST_ENTRY entry)
{
    return CONTAINING_RECORD(entry, KTIMER, TimerListEntry);
}

static bool is_set(const KTIMER *timer)
{
    return timer->TimerListEntry.Flink != NULL;
}

static void insert(PKTIMER timer)
{
    PLIST_ENTRY at = set.Flink;

    while (at != &set && timer_of(at)->DueTime.QuadPart <= timer->DueTime.QuadPart) {
        at = at->Flink;
    }
    InsertTailList(at, &timer->TimerListEntry);
}

static void remove(PKTIMER timer)
{
    RemoveEntryList(&timer->TimerListEntry);
    timer->TimerListEntry.Flink = NULL;
}

static void program(void)
{
    if (IsListEmpty(&set)) {
        (void)alarm_cancel(&next);
    } else {
        alarm_set(&next, timer_of(set.Flink)->DueTime.QuadPart);
    }
}

static void expire(PKTIMER timer)
{
    remove(timer);
    timer->Header.SignalState = 1;
    if (timer->Period != 0) {
        timer->DueTime.QuadPart += (uint64_t)timer->Period * NS_A_MILLISECOND;
        insert(timer);
    }
    if (timer->Dpc != NULL) {
        ULARGE_INTEGER now = {.QuadPart = KeQueryInterruptTime()};

        (void)KeInsertQueueDpc(timer->Dpc, UlongToPtr(now.LowPart), UlongToPtr(now.HighPart));
    }
}

static void ring(struct alarm *alarm)
{
    (void)alarm;
    while (!IsListEmpty(&set) && timer_of(set.Flink)->DueTime.QuadPart <= ident_time()) {
        expire(timer_of(set.Flink));
    }
    program();
}

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = set.Flink; at != &set; at = at->Flink) {
        const LIST_ENTRY *made = &timer_of(at)->Header.WaitListHead;

        const struct dma_live told = live_of("timer", (uintptr_t)timer_of(at),
                                             &(struct routine_place){OPLOG_KeSetTimerEx, (uintptr_t)made->Flink,
                                                                     (uint32_t)(uintptr_t)made->Blink});

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

void KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    *Timer = (KTIMER){.Dpc = NULL};
    dispatcher_initialize(&Timer->Header,
                          Type == NotificationTimer ? DISPATCHER_NOTIFICATION_TIMER
                                                    : DISPATCHER_SYNCHRONIZATION_TIMER,
                          sizeof *Timer, 0);
}

void KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}

static BOOLEAN set_timer(enum oplog_id routine, uintptr_t caller, PKTIMER timer, LARGE_INTEGER due, LONG period,
                         PKDPC dpc)
{
    uint64_t state = irq_save();
    BOOLEAN was_set = is_set(timer);

    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (!dispatcher_is_initialized(&timer->Header)) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)timer, 0);
    } else {
        if (was_set) {
            remove(timer);
        }
        timer->Header.SignalState = 0;
        timer->Header.WaitListHead = (LIST_ENTRY){(PLIST_ENTRY)caller, (PLIST_ENTRY)(uintptr_t)origin_now()};
        timer->DueTime.QuadPart = time_of(due);
        timer->Period = (ULONG)period;
        timer->Dpc = dpc;
        insert(timer);
        program();
        live_add(&source);
    }
    irq_restore(state);
    return was_set;
}

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return set_timer(OPLOG_KeSetTimer, NT_CALLER, Timer, DueTime, 0, Dpc);
}

BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    return set_timer(OPLOG_KeSetTimerEx, NT_CALLER, Timer, DueTime, Period, Dpc);
}

BOOLEAN KeCancelTimer(PKTIMER Timer)
{
    uint64_t state = irq_save();
    BOOLEAN was_set = is_set(Timer);

    (void)NT_AT_MOST(KeCancelTimer, DISPATCH_LEVEL);
    if (was_set) {
        remove(Timer);
        program();
    }
    irq_restore(state);
    return was_set;
}

BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
    return Timer->Header.SignalState != 0;
}
