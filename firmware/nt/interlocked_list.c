/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that interrupt routines use too: interrupts are masked while a list changes. */
#include "hal/irq_mask.h"
#include "nt/nt.h"

void ExInitializeSListHead(PSLIST_HEADER SListHead)
{
    *SListHead = (SLIST_HEADER){.Region = {0, 0}};
}

PSLIST_ENTRY InterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry)
{
    uint64_t state = irq_save();
    PSLIST_ENTRY before = ListHead->First;

    ListEntry->Next = before;
    ListHead->First = ListEntry;
    ListHead->Depth++;
    irq_restore(state);
    return before;
}

PSLIST_ENTRY InterlockedPopEntrySList(PSLIST_HEADER ListHead)
{
    uint64_t state = irq_save();
    PSLIST_ENTRY first = ListHead->First;

    if (first != NULL) {
        ListHead->First = first->Next;
        ListHead->Depth--;
    }
    irq_restore(state);
    return first;
}

PSLIST_ENTRY InterlockedFlushSList(PSLIST_HEADER ListHead)
{
    uint64_t state = irq_save();
    PSLIST_ENTRY first = ListHead->First;

    ListHead->First = NULL;
    ListHead->Depth = 0;
    irq_restore(state);
    return first;
}

USHORT ExQueryDepthSList(PSLIST_HEADER SListHead)
{
    return SListHead->Depth;
}

static PLIST_ENTRY or_null(PLIST_ENTRY entry, PLIST_ENTRY head)
{
    return entry != head ? entry : NULL;
}

PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    uint64_t state = irq_save();
    PLIST_ENTRY first = ListHead->Flink;

    (void)Lock;
    InsertHeadList(ListHead, ListEntry);
    irq_restore(state);
    return or_null(first, ListHead);
}

PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    uint64_t state = irq_save();
    PLIST_ENTRY last = ListHead->Blink;

    (void)Lock;
    InsertTailList(ListHead, ListEntry);
    irq_restore(state);
    return or_null(last, ListHead);
}

PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    uint64_t state = irq_save();
    PLIST_ENTRY first = or_null(ListHead->Flink, ListHead);

    (void)Lock;
    if (first != NULL) {
        RemoveEntryList(first);
    }
    irq_restore(state);
    return first;
}
