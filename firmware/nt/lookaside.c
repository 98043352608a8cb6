/* SPDX-License-Identifier: Apache-2.0 */
/* Lookaside lists. A block that is given back goes back to the pool, which notices what is done to it then; so
 * a list keeps none, and what it saves elsewhere, time, is not spent here. */
#include "layer/live.h"
#include "nt/nt.h"

#define SEAL ((uintptr_t)0x4B4F4F4C)

static PVOID seal_of(const NPAGED_LOOKASIDE_LIST *list)
{
    return (PVOID)(SEAL ^ (uintptr_t)list);
}

static void initialize(PNPAGED_LOOKASIDE_LIST list, PALLOCATE_FUNCTION allocate, PFREE_FUNCTION release,
                       POOL_TYPE type, SIZE_T size, ULONG tag)
{
    *list = (NPAGED_LOOKASIDE_LIST){.Allocate = allocate != NULL ? allocate : ExAllocatePoolWithTag,
                                    .Release = release != NULL ? release : ExFreePool,
                                    .Size = size,
                                    .Type = type,
                                    .Tag = tag,
                                    .Seal = seal_of(list)};
}

/* Is the list initialised, and may the caller use it at this level? */
static bool check(enum oplog_id routine, uintptr_t caller, const NPAGED_LOOKASIDE_LIST *list, KIRQL highest)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, highest);
    if (list->Seal != seal_of(list)) {
        violation_report_in(routine, caller, VIOLATION_NOT_INITIALIZED, (uintptr_t)list, 0);
        return false;
    }
    return true;
}

static void *take(PNPAGED_LOOKASIDE_LIST list)
{
    void *block = list->Allocate(list->Type, list->Size, list->Tag);

    list->Used += block != NULL;
    return block;
}

static void give_back(PNPAGED_LOOKASIDE_LIST list, PVOID block)
{
    list->Used--;
    list->Release(block);
}

/* Blocks that the driver still has are left behind, as pool. */
static void delete(PNPAGED_LOOKASIDE_LIST list)
{
    list->Seal = NULL;
}

void ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                     PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    (void)Flags;
    (void)Depth;
    (void)NT_AT_MOST(ExInitializeNPagedLookasideList, DISPATCH_LEVEL);
    initialize(Lookaside, Allocate, Free, NonPagedPoolNx, Size, Tag);
}

void ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                    PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    (void)Flags;
    (void)Depth;
    (void)NT_AT_MOST(ExInitializePagedLookasideList, APC_LEVEL);
    initialize(Lookaside, Allocate, Free, PagedPool, Size, Tag);
}

PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    return check(OPLOG_ExAllocateFromNPagedLookasideList, NT_CALLER, Lookaside, DISPATCH_LEVEL)
               ? take(Lookaside)
               : NULL;
}

void ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    if (check(OPLOG_ExFreeToNPagedLookasideList, NT_CALLER, Lookaside, DISPATCH_LEVEL)) {
        give_back(Lookaside, Entry);
    }
}

void ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    if (check(OPLOG_ExDeleteNPagedLookasideList, NT_CALLER, Lookaside, DISPATCH_LEVEL)) {
        delete(Lookaside);
    }
}

PVOID ExAllocateFromPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    return check(OPLOG_ExAllocateFromPagedLookasideList, NT_CALLER, Lookaside, APC_LEVEL) ? take(Lookaside)
                                                                                          : NULL;
}

void ExFreeToPagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PVOID Entry)
{
    if (check(OPLOG_ExFreeToPagedLookasideList, NT_CALLER, Lookaside, APC_LEVEL)) {
        give_back(Lookaside, Entry);
    }
}

void ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    if (check(OPLOG_ExDeletePagedLookasideList, NT_CALLER, Lookaside, APC_LEVEL)) {
        delete(Lookaside);
    }
}
