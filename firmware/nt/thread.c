/* SPDX-License-Identifier: Apache-2.0 */
#include "nt/thread.h"

#include "hal/cpu.h"
#include "hal/exception.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "layer/idle.h"
#include "layer/irql.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { STACK_BYTES = 16384, THREAD_OBJECT = 6, CANARY = 0x5441434b };

struct _KTHREAD {
    DISPATCHER_HEADER header; /* signalled when it has ended */
    LIST_ENTRY entry;         /* of all threads; the one that ran last is last */
    void *stack_pointer;
    uint32_t *stack;
    PKSTART_ROUTINE routine;
    PVOID context;
    struct thread_waiting *waiting;
    bool is_new, gives_way, has_ended, is_told;
    uint32_t references; /* the handle, and each pointer to it */
    KPRIORITY priority;
    KIRQL level;
    uint32_t command;
    uintptr_t caller;
};

static struct _KTHREAD shell = {.header = {.Type = THREAD_OBJECT, .Size = sizeof(struct _KTHREAD) / 4},
                                .entry = {&shell.entry, &shell.entry}};
static PKTHREAD current = &shell;
static PKTHREAD ended; /* its stack is to be given back by whoever runs next */
static POBJECT_TYPE thread_type;
POBJECT_TYPE *PsThreadType = &thread_type;

static void release(PKTHREAD thread)
{
    if (thread->has_ended && thread->references == 0) {
        RemoveEntryList(&thread->entry);
        memory_release(thread);
    }
}

static void bury(void)
{
    PKTHREAD thread = ended;

    ended = NULL;
    if (thread != NULL) {
        memory_release(thread->stack);
        release(thread);
    }
}

/* ---- who runs ---- */

static bool is_ready(const struct _KTHREAD *thread)
{
    return thread->is_new || (thread->waiting != NULL && thread->waiting->is_over(thread->waiting));
}

/* The next that is ready, of the highest priority; else, if the present thread waits, one that gives way. */
static PKTHREAD find_other(bool or_one_that_gives_way)
{
    PKTHREAD best = NULL, way = NULL;

    for (PLIST_ENTRY at = shell.entry.Flink;; at = at->Flink) {
        PKTHREAD thread = CONTAINING_RECORD(at, struct _KTHREAD, entry);

        if (thread != current && !thread->has_ended) {
            if (is_ready(thread) && (best == NULL || thread->priority > best->priority)) {
                best = thread;
            }
            way = thread->gives_way ? thread : way;
        }
        if (thread == &shell) {
            return best != NULL || !or_one_that_gives_way ? best : way;
        }
    }
}

static void switch_to(PKTHREAD thread)
{
    PKTHREAD before = current;

    if (before->stack != NULL && before->stack[0] != CANARY) {
        exception_panic("the stack of a system thread, 16 KiB, is full");
    }
    before->level = KeGetCurrentIrql();
    before->command = origin_now();
    if (thread != &shell) {
        RemoveEntryList(&thread->entry);
        InsertTailList(&shell.entry, &thread->entry);
    }
    current = thread;
    irql_switch(thread->level);
    (void)origin_set(thread->command);
    cpu_switch(&before->stack_pointer, thread->stack_pointer);
    bury();
}

uint64_t thread_wait(struct thread_waiting *waiting)
{
    uint64_t state = irq_save();

    waiting->thread = current;
    current->waiting = waiting;
    while (!waiting->is_over(waiting)) {
        PKTHREAD other = find_other(true);

        if (other != NULL) {
            switch_to(other);
        } else {
            cpu_sleep();
        }
        irq_restore(state);
        state = irq_save();
    }
    current->waiting = NULL;
    return state;
}

/* The hook of layer/idle.h. */
static bool run_others(void)
{
    uint64_t state = irq_save();
    PKTHREAD other = find_other(false);

    if (other != NULL) {
        current->gives_way = true;
        switch_to(other);
        current->gives_way = false;
    }
    irq_restore(state);
    return other != NULL;
}

/* ---- beginning and end ---- */

static void begin(void)
{
    bury();
    current->is_new = false;
    irq_enable();
    current->routine(current->context);
    (void)PsTerminateSystemThread(STATUS_SUCCESS);
}

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = shell.entry.Flink; at != &shell.entry; at = at->Flink) {
        PKTHREAD thread = CONTAINING_RECORD(at, struct _KTHREAD, entry);

        if (thread->is_told) {
            const struct dma_live told =
                live_of("thread", (uintptr_t)thread,
                        &(struct routine_place){OPLOG_PsCreateSystemThread, thread->caller, thread->command});

            tell(&told, context);
        }
    }
}

static struct live_source source = {.tell_each = tell_each};

static PKTHREAD create(PKSTART_ROUTINE routine, PVOID context, uintptr_t caller)
{
    PKTHREAD thread = memory_allocate(sizeof *thread);
    uint32_t *stack = memory_allocate(STACK_BYTES);

    if (thread == NULL || stack == NULL) {
        memory_release(thread);
        memory_release(stack);
        return NULL;
    }
    stack[0] = CANARY;
    *thread = (struct _KTHREAD){.header = shell.header,
                                .stack = stack,
                                .stack_pointer = cpu_new_stack((uint8_t *)stack + STACK_BYTES, begin),
                                .routine = routine,
                                .context = context,
                                .is_new = true,
                                .command = origin_now(),
                                .caller = caller};
    InitializeListHead(&thread->header.WaitListHead);
    InsertTailList(&shell.entry, &thread->entry);
    live_add(&source);
    idle_set(run_others);
    return thread;
}

bool thread_start_of_system(PKSTART_ROUTINE routine)
{
    return create(routine, NULL, 0) != NULL;
}

NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                              HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine,
                              PVOID StartContext)
{
    (void)DesiredAccess;
    (void)ObjectAttributes;
    (void)ProcessHandle;
    (void)NT_AT_MOST(PsCreateSystemThread, PASSIVE_LEVEL);
    PKTHREAD thread = create(StartRoutine, StartContext, NT_CALLER);

    if (thread == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    thread->references = 1;
    thread->is_told = true;
    *ThreadHandle = thread;
    if (ClientId != NULL) {
        *ClientId = (CLIENT_ID){.UniqueThread = thread};
    }
    return STATUS_SUCCESS;
}

NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus)
{
    (void)ExitStatus;
    (void)NT_AT_MOST(PsTerminateSystemThread, PASSIVE_LEVEL);
    if (current == &shell) {
        exception_panic("PsTerminateSystemThread was called outside of a system thread");
    }
    (void)irq_save();
    current->has_ended = true;
    current->header.SignalState = 1;
    for (;;) {
        PKTHREAD other = find_other(true);

        if (other != NULL) {
            ended = current;
            switch_to(other);
        }
        cpu_sleep();
        irq_enable();
        (void)irq_save();
    }
}

/* ---- handles and pointers: both are the thread's address ---- */

static PKTHREAD find(const void *object)
{
    for (PLIST_ENTRY at = shell.entry.Flink; at != &shell.entry; at = at->Flink) {
        PKTHREAD thread = CONTAINING_RECORD(at, struct _KTHREAD, entry);

        if (thread == object && thread->references > 0) {
            return thread;
        }
    }
    return NULL;
}

static void drop(enum oplog_id routine, uintptr_t caller, const void *object)
{
    uint64_t state = irq_save();
    PKTHREAD thread = find(object);

    if (thread == NULL) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)object, 0);
    } else {
        thread->references--;
        if (thread != ended) {
            release(thread);
        }
    }
    irq_restore(state);
}

NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                   KPROCESSOR_MODE AccessMode, PVOID *Object,
                                   POBJECT_HANDLE_INFORMATION HandleInformation)
{
    PKTHREAD thread = find(Handle);

    (void)DesiredAccess;
    (void)ObjectType;
    (void)AccessMode;
    (void)HandleInformation;
    (void)NT_AT_MOST(ObReferenceObjectByHandle, PASSIVE_LEVEL);
    if (thread == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    thread->references++;
    *Object = thread;
    return STATUS_SUCCESS;
}

void dmav3_dereference(PVOID Object)
{
    (void)NT_AT_MOST(ObDereferenceObject, DISPATCH_LEVEL);
    drop(OPLOG_ObDereferenceObject, NT_CALLER, Object);
}

NTSTATUS ZwClose(HANDLE Handle)
{
    (void)NT_AT_MOST(ZwClose, PASSIVE_LEVEL);
    drop(OPLOG_ZwClose, NT_CALLER, Handle);
    return STATUS_SUCCESS;
}

PKTHREAD KeGetCurrentThread(void)
{
    return current;
}

HANDLE PsGetCurrentThreadId(void)
{
    return current;
}

KPRIORITY KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority)
{
    KPRIORITY before = Thread->priority;

    (void)NT_AT_MOST(KeSetPriorityThread, PASSIVE_LEVEL);
    Thread->priority = Priority;
    return before;
}

/* ---- critical regions ---- */

static ULONG regions;

void KeEnterCriticalRegion(void)
{
    (void)NT_AT_MOST(KeEnterCriticalRegion, APC_LEVEL);
    regions++;
}

void KeLeaveCriticalRegion(void)
{
    (void)NT_AT_MOST(KeLeaveCriticalRegion, DISPATCH_LEVEL);
    regions--;
}

BOOLEAN KeAreApcsDisabled(void)
{
    return regions != 0;
}
