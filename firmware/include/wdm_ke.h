/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's part: levels, interlocked operations, spin locks, deferred calls, timers, objects that can be
 * waited for, threads. One core; threads give way only where they wait, so a thread that does not wait keeps
 * the core. Times are model time. A routine that is called at a level that its line forbids is violation 0x58
 * or 0x59.
 */
#ifndef WDM_KE_H
#define WDM_KE_H

#include <wdm_rtl.h>

EXTERN_C_START

/* ---- interrupt request levels ---- */

#define PASSIVE_LEVEL  0
#define LOW_LEVEL      0
#define APC_LEVEL      1
#define DISPATCH_LEVEL 2 /* 3 and up are device levels: interrupts masked */
#define CLOCK_LEVEL    13
#define HIGH_LEVEL     15

KIRQL KeGetCurrentIrql(void);

/* NewIrql must not be below the present level. *OldIrql receives that level. */
void KeRaiseIrql(_In_ KIRQL NewIrql, _Out_ PKIRQL OldIrql);

/* NewIrql must not be above the present level. Below DISPATCH_LEVEL every queued completion
 * routine runs before the return. */
void KeLowerIrql(_In_ KIRQL NewIrql);
KIRQL KeRaiseIrqlToDpcLevel(void);

/* ---- interlocked operations; any IRQL ---- */

WDM_INLINE LONG InterlockedIncrement(LONG volatile *Addend)
{
    return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONG InterlockedDecrement(LONG volatile *Addend)
{
    return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}

/* What was there before, as for all below. */
WDM_INLINE LONG InterlockedExchange(LONG volatile *Target, LONG Value)
{
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONG InterlockedExchangeAdd(LONG volatile *Addend, LONG Value)
{
    return __atomic_fetch_add(Addend, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONG InterlockedCompareExchange(LONG volatile *Destination, LONG Exchange, LONG Comparand)
{
    (void)__atomic_compare_exchange_n(Destination, &Comparand, Exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return Comparand;
}

WDM_INLINE LONG InterlockedOr(LONG volatile *Destination, LONG Value)
{
    return __atomic_fetch_or(Destination, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONG InterlockedAnd(LONG volatile *Destination, LONG Value)
{
    return __atomic_fetch_and(Destination, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONG InterlockedXor(LONG volatile *Destination, LONG Value)
{
    return __atomic_fetch_xor(Destination, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONGLONG InterlockedIncrement64(LONGLONG volatile *Addend)
{
    return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONGLONG InterlockedDecrement64(LONGLONG volatile *Addend)
{
    return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONGLONG InterlockedExchangeAdd64(LONGLONG volatile *Addend, LONGLONG Value)
{
    return __atomic_fetch_add(Addend, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONGLONG InterlockedExchange64(LONGLONG volatile *Target, LONGLONG Value)
{
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE LONGLONG InterlockedCompareExchange64(LONGLONG volatile *Destination, LONGLONG Exchange,
                                                 LONGLONG Comparand)
{
    (void)__atomic_compare_exchange_n(Destination, &Comparand, Exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return Comparand;
}

WDM_INLINE PVOID InterlockedExchangePointer(PVOID volatile *Target, PVOID Value)
{
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}

WDM_INLINE PVOID InterlockedCompareExchangePointer(PVOID volatile *Destination, PVOID Exchange, PVOID Comparand)
{
    (void)__atomic_compare_exchange_n(Destination, &Comparand, Exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return Comparand;
}

WDM_INLINE BOOLEAN InterlockedBitTestAndSet(LONG volatile *Base, LONG Bit)
{
    return (InterlockedOr(Base, (LONG)(1u << Bit)) >> Bit) & 1;
}

WDM_INLINE BOOLEAN InterlockedBitTestAndReset(LONG volatile *Base, LONG Bit)
{
    return (InterlockedAnd(Base, (LONG) ~(1u << Bit)) >> Bit) & 1;
}

#define InterlockedAdd(addend, value)  (InterlockedExchangeAdd((addend), (value)) + (value))
#define KeMemoryBarrier()              __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define MemoryBarrier()                __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define _ReadWriteBarrier()            __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define YieldProcessor()               __asm__ volatile("" ::: "memory")
#define ReadAcquire(source)            __atomic_load_n((source), __ATOMIC_ACQUIRE)
#define ReadNoFence(source)            (*(source))
#define ReadULongAcquire(source)       __atomic_load_n((source), __ATOMIC_ACQUIRE)
#define ReadULongNoFence(source)       (*(source))
#define ReadPointerAcquire(source)     __atomic_load_n((source), __ATOMIC_ACQUIRE)
#define WriteRelease(target, value)    __atomic_store_n((target), (value), __ATOMIC_RELEASE)
#define WriteNoFence(target, value)    ((void)(*(target) = (value)))
#define WriteULongRelease(target, v)   __atomic_store_n((target), (v), __ATOMIC_RELEASE)
#define WritePointerRelease(target, v) __atomic_store_n((target), (v), __ATOMIC_RELEASE)

/* ---- spin locks ----
 *
 * With one core nobody ever spins: a lock that is held is one that its holder takes again, or that was left
 * behind, and never comes free: violation 0x61, and the routine goes on as if it had it. */

/* At most DISPATCH_LEVEL, which is the level while the lock is held. Release it in the reverse order. */
void KeInitializeSpinLock(_Out_ PKSPIN_LOCK SpinLock);
KIRQL KeAcquireSpinLockRaiseToDpc(_Inout_ PKSPIN_LOCK SpinLock);
void KeReleaseSpinLock(_Inout_ PKSPIN_LOCK SpinLock, KIRQL NewIrql);
#define KeAcquireSpinLock(lock, old) (*(old) = KeAcquireSpinLockRaiseToDpc(lock))

/* At DISPATCH_LEVEL or above. */
void KeAcquireSpinLockAtDpcLevel(_Inout_ PKSPIN_LOCK SpinLock);
void KeReleaseSpinLockFromDpcLevel(_Inout_ PKSPIN_LOCK SpinLock);
BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(_Inout_ PKSPIN_LOCK SpinLock);
BOOLEAN KeTestSpinLock(_In_ PKSPIN_LOCK SpinLock); /* Is it free? */

typedef struct _KSPIN_LOCK_QUEUE {
    struct _KSPIN_LOCK_QUEUE *volatile Next;
    PKSPIN_LOCK volatile Lock;
} KSPIN_LOCK_QUEUE, *PKSPIN_LOCK_QUEUE;
typedef struct _KLOCK_QUEUE_HANDLE {
    KSPIN_LOCK_QUEUE LockQueue;
    KIRQL OldIrql;
} KLOCK_QUEUE_HANDLE, *PKLOCK_QUEUE_HANDLE;

/* The handle lies on the stack; the lock is released by the same handle. */
void KeAcquireInStackQueuedSpinLock(_Inout_ PKSPIN_LOCK SpinLock, _Out_ PKLOCK_QUEUE_HANDLE LockHandle);
void KeReleaseInStackQueuedSpinLock(_In_ PKLOCK_QUEUE_HANDLE LockHandle);
void KeAcquireInStackQueuedSpinLockAtDpcLevel(_Inout_ PKSPIN_LOCK SpinLock,
                                              _Out_ PKLOCK_QUEUE_HANDLE LockHandle);
void KeReleaseInStackQueuedSpinLockFromDpcLevel(_In_ PKLOCK_QUEUE_HANDLE LockHandle);

/* ---- deferred calls ---- */

typedef struct _KDPC KDPC, *PKDPC, *PRKDPC;
typedef VOID KDEFERRED_ROUTINE(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2);
typedef KDEFERRED_ROUTINE *PKDEFERRED_ROUTINE;
typedef enum _KDPC_IMPORTANCE {
    LowImportance,
    MediumImportance,
    HighImportance,
    MediumHighImportance
} KDPC_IMPORTANCE;

struct _KDPC {
    UCHAR Type;
    UCHAR Importance;
    volatile USHORT Number;
    SINGLE_LIST_ENTRY DpcListEntry;
    KAFFINITY ProcessorHistory;
    PKDEFERRED_ROUTINE DeferredRoutine;
    PVOID DeferredContext;
    PVOID SystemArgument1;
    PVOID SystemArgument2;
    PVOID DpcData; /* not NULL: it is queued */
};

void KeInitializeDpc(_Out_ PKDPC Dpc, _In_ PKDEFERRED_ROUTINE DeferredRoutine, _In_opt_ PVOID DeferredContext);
void KeInitializeThreadedDpc(_Out_ PKDPC Dpc, _In_ PKDEFERRED_ROUTINE DeferredRoutine,
                             _In_opt_ PVOID DeferredContext);

/* FALSE: it is queued already, and the arguments are those of then. Any IRQL. */
BOOLEAN KeInsertQueueDpc(_Inout_ PKDPC Dpc, _In_opt_ PVOID SystemArgument1, _In_opt_ PVOID SystemArgument2);
BOOLEAN KeRemoveQueueDpc(_Inout_ PKDPC Dpc); /* FALSE: it was not queued */
void KeSetImportanceDpc(_Inout_ PKDPC Dpc, _In_ KDPC_IMPORTANCE Importance);
void KeSetTargetProcessorDpc(_Inout_ PKDPC Dpc, _In_ CCHAR Number);
void KeFlushQueuedDpcs(void); /* PASSIVE_LEVEL */

/* ---- objects that can be waited for ---- */

typedef struct _DISPATCHER_HEADER {
    UCHAR Type;
    UCHAR Signalling;
    UCHAR Size; /* of the object, in ULONGs; 0: it was not initialised */
    UCHAR Reserved;
    LONG SignalState;
    LIST_ENTRY WaitListHead;
} DISPATCHER_HEADER;

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
typedef enum _TIMER_TYPE { NotificationTimer, SynchronizationTimer } TIMER_TYPE;
typedef enum _WAIT_TYPE { WaitAll, WaitAny } WAIT_TYPE;
typedef enum _MODE { KernelMode, UserMode } MODE;
typedef enum _KWAIT_REASON {
    Executive,
    FreePage,
    PageIn,
    PoolAllocation,
    DelayExecution,
    Suspended,
    UserRequest
} KWAIT_REASON;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;
typedef struct _KSEMAPHORE {
    DISPATCHER_HEADER Header;
    LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;
typedef struct _KMUTANT {
    DISPATCHER_HEADER Header;
    LIST_ENTRY MutantListEntry;
    struct _KTHREAD *OwnerThread;
    BOOLEAN Abandoned;
    UCHAR ApcDisable;
} KMUTANT, KMUTEX, *PKMUTANT, *PKMUTEX, *PRKMUTEX;
typedef struct _KTIMER {
    DISPATCHER_HEADER Header;
    ULARGE_INTEGER DueTime;
    LIST_ENTRY TimerListEntry;
    struct _KDPC *Dpc;
    ULONG Processor;
    ULONG Period;
} KTIMER, *PKTIMER, *PRKTIMER;

void KeInitializeEvent(_Out_ PRKEVENT Event, _In_ EVENT_TYPE Type, _In_ BOOLEAN State);

/* They return the state before. At most DISPATCH_LEVEL; Wait TRUE only at APC_LEVEL or below. */
LONG KeSetEvent(_Inout_ PRKEVENT Event, _In_ KPRIORITY Increment, _In_ BOOLEAN Wait);
LONG KeResetEvent(_Inout_ PRKEVENT Event);
void KeClearEvent(_Inout_ PRKEVENT Event);
LONG KeReadStateEvent(_In_ PRKEVENT Event);

void KeInitializeSemaphore(_Out_ PRKSEMAPHORE Semaphore, _In_ LONG Count, _In_ LONG Limit);
LONG KeReleaseSemaphore(_Inout_ PRKSEMAPHORE Semaphore, _In_ KPRIORITY Increment, _In_ LONG Adjustment,
                        _In_ BOOLEAN Wait);
LONG KeReadStateSemaphore(_In_ PRKSEMAPHORE Semaphore);

void KeInitializeMutex(_Out_ PRKMUTEX Mutex, _In_ ULONG Level);
LONG KeReleaseMutex(_Inout_ PRKMUTEX Mutex, _In_ BOOLEAN Wait);
LONG KeReadStateMutex(_In_ PRKMUTEX Mutex);

/*
 * Timeout, in units of 100 ns: negative, from now on; positive, a time since the board's reset; NULL: no end.
 * Other threads run meanwhile. At most APC_LEVEL, or DISPATCH_LEVEL with a Timeout of 0. A wait without end
 * that nothing has ended after 10 s of model time is violation 0x63, and returns STATUS_TIMEOUT.
 */
NTSTATUS KeWaitForSingleObject(_In_ PVOID Object, _In_ KWAIT_REASON WaitReason, _In_ KPROCESSOR_MODE WaitMode,
                               _In_ BOOLEAN Alertable, _In_opt_ PLARGE_INTEGER Timeout);
typedef struct _KWAIT_BLOCK {
    LIST_ENTRY WaitListEntry;
    PVOID Reserved[4];
} KWAIT_BLOCK, *PKWAIT_BLOCK;
#define THREAD_WAIT_OBJECTS  3
#define MAXIMUM_WAIT_OBJECTS 64
NTSTATUS KeWaitForMultipleObjects(_In_ ULONG Count, PVOID Object[], _In_ WAIT_TYPE WaitType,
                                  _In_ KWAIT_REASON WaitReason, _In_ KPROCESSOR_MODE WaitMode,
                                  _In_ BOOLEAN Alertable, _In_opt_ PLARGE_INTEGER Timeout,
                                  _In_opt_ PKWAIT_BLOCK WaitBlockArray);
#define KeWaitForMutexObject KeWaitForSingleObject
NTSTATUS KeDelayExecutionThread(_In_ KPROCESSOR_MODE WaitMode, _In_ BOOLEAN Alertable,
                                _In_ PLARGE_INTEGER Interval);

/* ---- time ---- */

void KeInitializeTimer(_Out_ PKTIMER Timer);
void KeInitializeTimerEx(_Out_ PKTIMER Timer, _In_ TIMER_TYPE Type);

/* TRUE: it was set already. Period in milliseconds, 0: once. At most DISPATCH_LEVEL. */
BOOLEAN KeSetTimer(_Inout_ PKTIMER Timer, _In_ LARGE_INTEGER DueTime, _In_opt_ PKDPC Dpc);
BOOLEAN KeSetTimerEx(_Inout_ PKTIMER Timer, _In_ LARGE_INTEGER DueTime, _In_ LONG Period, _In_opt_ PKDPC Dpc);
BOOLEAN KeCancelTimer(_Inout_ PKTIMER Timer);
BOOLEAN KeReadStateTimer(_In_ PKTIMER Timer);

void KeStallExecutionProcessor(_In_ ULONG MicroSeconds);

/* Nanoseconds of model time, and so many of them in a second. */
LARGE_INTEGER KeQueryPerformanceCounter(_Out_opt_ PLARGE_INTEGER PerformanceFrequency);

/* Model time in units of 100 ns. */
void KeQuerySystemTimePrecise(_Out_ PLARGE_INTEGER CurrentTime);
#define KeQuerySystemTime(time) KeQuerySystemTimePrecise(time)
ULONGLONG KeQueryInterruptTime(void);
void KeQueryTickCount(_Out_ PLARGE_INTEGER CurrentCount);
ULONG KeQueryTimeIncrement(void);

/* ---- threads ---- */

typedef struct _KTHREAD *PKTHREAD, *PRKTHREAD, *PETHREAD;
typedef VOID KSTART_ROUTINE(PVOID StartContext);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;
typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;
typedef struct _CLIENT_ID {
    HANDLE UniqueProcess, UniqueThread;
} CLIENT_ID, *PCLIENT_ID;
typedef struct _OBJECT_TYPE *POBJECT_TYPE;
typedef struct _OBJECT_HANDLE_INFORMATION *POBJECT_HANDLE_INFORMATION;
extern POBJECT_TYPE *PsThreadType;

#define OBJ_KERNEL_HANDLE 0x00000200
#define THREAD_ALL_ACCESS 0x001FFFFF
#define SYNCHRONIZE       0x00100000
#define InitializeObjectAttributes(object, name, attributes, root, security)                                   \
    ((object)->Length = sizeof(OBJECT_ATTRIBUTES), (object)->RootDirectory = (root),                           \
     (object)->Attributes = (attributes), (object)->ObjectName = (name),                                       \
     (object)->SecurityDescriptor = (security), (object)->SecurityQualityOfService = NULL)

/* A thread with a stack of 16 KiB; it runs as soon as the present one waits. PASSIVE_LEVEL. Close the handle,
 * and dereference what was referenced, or the thread is left behind. */
NTSTATUS PsCreateSystemThread(_Out_ PHANDLE ThreadHandle, _In_ ULONG DesiredAccess,
                              _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, _In_opt_ HANDLE ProcessHandle,
                              _Out_opt_ PCLIENT_ID ClientId, _In_ PKSTART_ROUTINE StartRoutine,
                              _In_opt_ PVOID StartContext);
DECLSPEC_NORETURN NTSTATUS PsTerminateSystemThread(_In_ NTSTATUS ExitStatus);
NTSTATUS ObReferenceObjectByHandle(_In_ HANDLE Handle, _In_ ACCESS_MASK DesiredAccess,
                                   _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode,
                                   _Out_ PVOID *Object, _Out_opt_ POBJECT_HANDLE_INFORMATION HandleInformation);
void dmav3_dereference(PVOID Object);
#define ObDereferenceObject(object)  dmav3_dereference(object)
#define ObfDereferenceObject(object) dmav3_dereference(object)
NTSTATUS ZwClose(_In_ HANDLE Handle);
PKTHREAD KeGetCurrentThread(void);
#define PsGetCurrentThread() KeGetCurrentThread()
HANDLE PsGetCurrentThreadId(void);
KPRIORITY KeSetPriorityThread(_Inout_ PKTHREAD Thread, _In_ KPRIORITY Priority);
#define LOW_REALTIME_PRIORITY 16
#define HIGH_PRIORITY         31
#define IO_NO_INCREMENT       0
#define EVENT_INCREMENT       1
#define SEMAPHORE_INCREMENT   1

/* Regions that no thread leaves by itself: with threads that give way only where they wait, a count. */
void KeEnterCriticalRegion(void);
void KeLeaveCriticalRegion(void);
BOOLEAN KeAreApcsDisabled(void);

#define KeGetCurrentProcessorNumber()         0u
#define KeGetCurrentProcessorNumberEx(number) 0u
#define KeQueryActiveProcessorCount(affinity) 1u
#define KeQueryActiveProcessorCountEx(group)  1u
#define KeQueryMaximumProcessorCountEx(group) 1u
#define KeQueryActiveProcessors()             ((KAFFINITY)1)
#define ALL_PROCESSOR_GROUPS                  0xffff

EXTERN_C_END

#endif
