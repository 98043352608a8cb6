/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executive's part: pool, lookaside lists, interlocked lists, fast mutexes, work queues.
 *
 * Pool is never paged here. Each block has guard bytes in front of it and behind it, is filled with a pattern
 * when it is given back, and stays out of use for a while, so that what is written there later is noticed.
 */
#ifndef WDM_EX_H
#define WDM_EX_H

#include <wdm_dma.h>

EXTERN_C_START

/* ---- pool ---- */

typedef enum _POOL_TYPE {
    NonPagedPool,
    NonPagedPoolExecute = NonPagedPool,
    PagedPool = 1,
    NonPagedPoolMustSucceed = 2,
    DontUseThisType,
    NonPagedPoolCacheAligned = 4,
    PagedPoolCacheAligned = 5,
    NonPagedPoolNx = 512,
    NonPagedPoolNxCacheAligned = NonPagedPoolNx + NonPagedPoolCacheAligned,
} POOL_TYPE;

typedef ULONGLONG POOL_FLAGS;
#define POOL_FLAG_REQUIRED_START    0x0000000000000001ull
#define POOL_FLAG_USE_QUOTA         0x0000000000000001ull
#define POOL_FLAG_UNINITIALIZED     0x0000000000000002ull
#define POOL_FLAG_SESSION           0x0000000000000004ull
#define POOL_FLAG_CACHE_ALIGNED     0x0000000000000008ull
#define POOL_FLAG_RAISE_ON_FAILURE  0x0000000000000020ull
#define POOL_FLAG_NON_PAGED         0x0000000000000040ull
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ull
#define POOL_FLAG_PAGED             0x0000000000000100ull

/*
 * NULL: there is no memory, or the arguments are wrong (violation 0x5E: no bytes, no tag, not one kind of
 * pool). Zeroed, unless POOL_FLAG_UNINITIALIZED says otherwise. Aligned to 16 bytes; a page or more, and what
 * is POOL_FLAG_CACHE_ALIGNED, to 64. At most DISPATCH_LEVEL, for paged pool APC_LEVEL.
 */
PVOID ExAllocatePool2(_In_ POOL_FLAGS Flags, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag);

/* As above, filled with a pattern that is not zero. */
PVOID ExAllocatePoolWithTag(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag);
PVOID ExAllocatePoolZero(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag);
PVOID ExAllocatePoolUninitialized(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag);
PVOID ExAllocatePool(_In_ POOL_TYPE PoolType, _In_ SIZE_T NumberOfBytes);
#define ExAllocatePoolWithQuotaTag       ExAllocatePoolWithTag
#define POOL_QUOTA_FAIL_INSTEAD_OF_RAISE 8

/* Each once, with the tag of the allocation, or 0. */
void ExFreePool(_In_ PVOID P);
void ExFreePoolWithTag(_In_ PVOID P, _In_ ULONG Tag);
#define ExFreePool2(block, tag, parameters, count) ExFreePoolWithTag((block), (tag))

/* ---- lookaside lists: blocks of one size, at most DISPATCH_LEVEL; a paged one at most APC_LEVEL ---- */

typedef PVOID ALLOCATE_FUNCTION(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef VOID FREE_FUNCTION(PVOID Buffer);
typedef ALLOCATE_FUNCTION *PALLOCATE_FUNCTION;
typedef FREE_FUNCTION *PFREE_FUNCTION;

typedef struct DECLSPEC_ALIGN(64) _NPAGED_LOOKASIDE_LIST {
    SINGLE_LIST_ENTRY Free;
    PALLOCATE_FUNCTION Allocate;
    PFREE_FUNCTION Release;
    SIZE_T Size;
    POOL_TYPE Type;
    ULONG Tag;
    ULONG Depth; /* free blocks in the list */
    ULONG Used;  /* blocks that a driver has */
    PVOID Seal;  /* set by the initialisation */
    PVOID Reserved[8];
} NPAGED_LOOKASIDE_LIST, PAGED_LOOKASIDE_LIST, LOOKASIDE_LIST_EX, *PNPAGED_LOOKASIDE_LIST,
    *PPAGED_LOOKASIDE_LIST, *PLOOKASIDE_LIST_EX;

void ExInitializeNPagedLookasideList(_Out_ PNPAGED_LOOKASIDE_LIST Lookaside,
                                     _In_opt_ PALLOCATE_FUNCTION Allocate, _In_opt_ PFREE_FUNCTION Free,
                                     _In_ ULONG Flags, _In_ SIZE_T Size, _In_ ULONG Tag, _In_ USHORT Depth);
void ExInitializePagedLookasideList(_Out_ PPAGED_LOOKASIDE_LIST Lookaside, _In_opt_ PALLOCATE_FUNCTION Allocate,
                                    _In_opt_ PFREE_FUNCTION Free, _In_ ULONG Flags, _In_ SIZE_T Size,
                                    _In_ ULONG Tag, _In_ USHORT Depth);
PVOID ExAllocateFromNPagedLookasideList(_Inout_ PNPAGED_LOOKASIDE_LIST Lookaside);
void ExFreeToNPagedLookasideList(_Inout_ PNPAGED_LOOKASIDE_LIST Lookaside, _In_ PVOID Entry);
void ExDeleteNPagedLookasideList(_Inout_ PNPAGED_LOOKASIDE_LIST Lookaside);
PVOID ExAllocateFromPagedLookasideList(_Inout_ PPAGED_LOOKASIDE_LIST Lookaside);
void ExFreeToPagedLookasideList(_Inout_ PPAGED_LOOKASIDE_LIST Lookaside, _In_ PVOID Entry);
void ExDeletePagedLookasideList(_Inout_ PPAGED_LOOKASIDE_LIST Lookaside);

/* ---- fast mutexes: at most APC_LEVEL, which is the level while one is held ---- */

typedef struct _FAST_MUTEX {
    LONG Count; /* 1: it is free */
    PVOID Owner;
    ULONG Contention;
    KEVENT Event;
    ULONG OldIrql;
} FAST_MUTEX, KGUARDED_MUTEX, *PFAST_MUTEX, *PKGUARDED_MUTEX;

void ExInitializeFastMutex(_Out_ PFAST_MUTEX FastMutex);
void ExAcquireFastMutex(_Inout_ PFAST_MUTEX FastMutex);
BOOLEAN ExTryToAcquireFastMutex(_Inout_ PFAST_MUTEX FastMutex);
void ExReleaseFastMutex(_Inout_ PFAST_MUTEX FastMutex);
void ExAcquireFastMutexUnsafe(_Inout_ PFAST_MUTEX FastMutex);
void ExReleaseFastMutexUnsafe(_Inout_ PFAST_MUTEX FastMutex);
#define KeInitializeGuardedMutex(mutex) ExInitializeFastMutex(mutex)
#define KeAcquireGuardedMutex(mutex)    ExAcquireFastMutex(mutex)
#define KeReleaseGuardedMutex(mutex)    ExReleaseFastMutex(mutex)

/* ---- work for a thread of the system ---- */

typedef VOID WORKER_THREAD_ROUTINE(PVOID Parameter);
typedef WORKER_THREAD_ROUTINE *PWORKER_THREAD_ROUTINE;
typedef enum _WORK_QUEUE_TYPE { CriticalWorkQueue, DelayedWorkQueue, HyperCriticalWorkQueue } WORK_QUEUE_TYPE;
typedef struct _WORK_QUEUE_ITEM {
    LIST_ENTRY List; /* Flink NULL: it is not queued */
    PWORKER_THREAD_ROUTINE WorkerRoutine;
    PVOID Parameter;
} WORK_QUEUE_ITEM, *PWORK_QUEUE_ITEM;

#define ExInitializeWorkItem(item, routine, context)                                                           \
    ((item)->WorkerRoutine = (routine), (item)->Parameter = (context), (item)->List.Flink = NULL)

/* The routine is called at PASSIVE_LEVEL, in a thread of the system, which runs when others wait. */
void ExQueueWorkItem(_Inout_ PWORK_QUEUE_ITEM WorkItem, _In_ WORK_QUEUE_TYPE QueueType);

/* ---- interlocked lists; any IRQL ---- */

typedef struct DECLSPEC_ALIGN(16) _SLIST_ENTRY {
    struct _SLIST_ENTRY *Next;
} SLIST_ENTRY, *PSLIST_ENTRY;
typedef union DECLSPEC_ALIGN(16) _SLIST_HEADER {
    struct {
        PSLIST_ENTRY First;
        USHORT Depth;
    };
    ULONGLONG Region[2];
} SLIST_HEADER, *PSLIST_HEADER;

void ExInitializeSListHead(_Out_ PSLIST_HEADER SListHead);
#define InitializeSListHead ExInitializeSListHead

/* What was first before; NULL: nothing. */
PSLIST_ENTRY InterlockedPushEntrySList(_Inout_ PSLIST_HEADER ListHead, _Inout_ PSLIST_ENTRY ListEntry);
PSLIST_ENTRY InterlockedPopEntrySList(_Inout_ PSLIST_HEADER ListHead);
PSLIST_ENTRY InterlockedFlushSList(_Inout_ PSLIST_HEADER ListHead);
USHORT ExQueryDepthSList(_In_ PSLIST_HEADER SListHead);
#define QueryDepthSList ExQueryDepthSList
#define ExInterlockedPushEntrySList(head, entry, lock)                                                         \
    ((void)(lock), InterlockedPushEntrySList((head), (entry)))
#define ExInterlockedPopEntrySList(head, lock) ((void)(lock), InterlockedPopEntrySList(head))
#define ExInterlockedFlushSList(head)          InterlockedFlushSList(head)

/* Under the lock, with interrupts masked. What was first (last) before; NULL: the list was empty. */
PLIST_ENTRY ExInterlockedInsertHeadList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PLIST_ENTRY ListEntry,
                                        _Inout_ PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedInsertTailList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PLIST_ENTRY ListEntry,
                                        _Inout_ PKSPIN_LOCK Lock);
PLIST_ENTRY ExInterlockedRemoveHeadList(_Inout_ PLIST_ENTRY ListHead, _Inout_ PKSPIN_LOCK Lock);
#define ExInterlockedAddUlong(addend, increment, lock)                                                         \
    ((void)(lock), (ULONG)InterlockedExchangeAdd((LONG volatile *)(addend), (LONG)(increment)))

EXTERN_C_END

#endif
