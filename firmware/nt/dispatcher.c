/* SPDX-License-Identifier: Apache-2.0 */
/* Events, semaphores, mutexes. Nobody has to be woken: whoever waits looks at the state again. */
#include "nt/dispatcher.h"

#include "hal/irq_mask.h"
#include "nt/nt.h"

void dispatcher_initialize(DISPATCHER_HEADER *header, enum dispatcher type, size_t size, LONG state)
{
    *header =
        (DISPATCHER_HEADER){.Type = (UCHAR)type, .Size = (UCHAR)(size / sizeof(ULONG)), .SignalState = state};
    InitializeListHead(&header->WaitListHead);
}

bool dispatcher_is_initialized(const DISPATCHER_HEADER *header)
{
    return header->Size != 0 && header->Type <= DISPATCHER_SYNCHRONIZATION_TIMER;
}

bool dispatcher_is_signalled(const DISPATCHER_HEADER *header, PKTHREAD thread)
{
    return header->SignalState > 0 || (header->Type == DISPATCHER_MUTANT &&
                                       CONTAINING_RECORD(header, KMUTEX, Header)->OwnerThread == thread);
}

void dispatcher_take(DISPATCHER_HEADER *header, PKTHREAD thread)
{
    switch ((enum dispatcher)header->Type) {
    case DISPATCHER_SYNCHRONIZATION_EVENT:
    case DISPATCHER_SYNCHRONIZATION_TIMER:
        header->SignalState = 0;
        break;
    case DISPATCHER_SEMAPHORE:
        header->SignalState--;
        break;
    case DISPATCHER_MUTANT:
        header->SignalState--;
        CONTAINING_RECORD(header, KMUTEX, Header)->OwnerThread = thread;
        break;
    default:
        break;
    }
}

/* Set the state; returns what it was. */
static LONG change(enum oplog_id routine, uintptr_t caller, DISPATCHER_HEADER *header, LONG state)
{
    uint64_t mask = irq_save();
    LONG before = header->SignalState;

    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (dispatcher_is_initialized(header)) {
        header->SignalState = state;
    } else {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)header, 0);
    }
    irq_restore(mask);
    return before;
}

/* ---- events ---- */

void KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    dispatcher_initialize(&Event->Header,
                          Type == NotificationEvent ? DISPATCHER_NOTIFICATION_EVENT
                                                    : DISPATCHER_SYNCHRONIZATION_EVENT,
                          sizeof *Event, State);
}

LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    (void)Increment;
    if (Wait) {
        (void)NT_AT_MOST(KeSetEvent, APC_LEVEL);
    }
    return change(OPLOG_KeSetEvent, NT_CALLER, &Event->Header, 1);
}

LONG KeResetEvent(PRKEVENT Event)
{
    return change(OPLOG_KeResetEvent, NT_CALLER, &Event->Header, 0);
}

void KeClearEvent(PRKEVENT Event)
{
    (void)change(OPLOG_KeClearEvent, NT_CALLER, &Event->Header, 0);
}

LONG KeReadStateEvent(PRKEVENT Event)
{
    return Event->Header.SignalState;
}

/* ---- semaphores ---- */

void KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    dispatcher_initialize(&Semaphore->Header, DISPATCHER_SEMAPHORE, sizeof *Semaphore, Count);
    Semaphore->Limit = Limit;
}

LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    LONG before = Semaphore->Header.SignalState;

    (void)Increment;
    (void)Wait;
    if (Adjustment <= 0 || before > Semaphore->Limit - Adjustment) {
        NT_MISTAKE(KeReleaseSemaphore, VIOLATION_RELEASED_TOO_OFTEN, (uintptr_t)Semaphore, (uint64_t)before);
        return before;
    }
    return change(OPLOG_KeReleaseSemaphore, NT_CALLER, &Semaphore->Header, before + Adjustment);
}

LONG KeReadStateSemaphore(PRKSEMAPHORE Semaphore)
{
    return Semaphore->Header.SignalState;
}

/* ---- mutexes: 1 is free, and each time that the owner takes it counts down ---- */

void KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    (void)Level;
    *Mutex = (KMUTEX){.OwnerThread = NULL};
    dispatcher_initialize(&Mutex->Header, DISPATCHER_MUTANT, sizeof *Mutex, 1);
}

LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    LONG before = Mutex->Header.SignalState;

    (void)Wait;
    if (Mutex->OwnerThread != KeGetCurrentThread()) {
        NT_MISTAKE(KeReleaseMutex, VIOLATION_RELEASED_TOO_OFTEN, (uintptr_t)Mutex, (uint64_t)before);
        return before;
    }
    if (before == 0) {
        Mutex->OwnerThread = NULL;
    }
    return change(OPLOG_KeReleaseMutex, NT_CALLER, &Mutex->Header, before + 1);
}

LONG KeReadStateMutex(PRKMUTEX Mutex)
{
    return Mutex->Header.SignalState;
}
