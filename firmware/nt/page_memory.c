/* SPDX-License-Identifier: Apache-2.0 */
/* Memory in whole pages, contiguous as all memory is here: with an address, and behind an MDL. */
#include <string.h>

#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "layer/live.h"
#include "layer/mdl.h"
#include "layer/origin.h"
#include "nt/nt.h"
#include "nt/pool.h"

enum { TRIES = 16 };

/* What MmAllocatePagesForMdl makes is a block of pool, which the driver gives back. */
enum { MDL_TAG = 0x206c644d };

struct run {
    LIST_ENTRY entry;
    void *memory;
    enum memory_kind kind;
    bool is_of_mdl;
    struct routine_place maker;
};

static LIST_ENTRY runs = {&runs, &runs};

static void tell_each(dma_tell *tell, void *context)
{
    for (PLIST_ENTRY at = runs.Flink; at != &runs; at = at->Flink) {
        const struct run *run = CONTAINING_RECORD(at, struct run, entry);
        const struct dma_live told =
            live_of(run->is_of_mdl ? "mdl_pages" : "contiguous_memory", (uintptr_t)run->memory, &run->maker);

        tell(&told, context);
    }
}

static struct live_source source = {.tell_each = tell_each};

struct wish {
    enum oplog_id routine;
    uintptr_t caller;
    size_t size;
    uint64_t lowest, highest, boundary; /* boundary 0: none */
    MEMORY_CACHING_TYPE caching;
    bool is_of_mdl;
};

static enum memory_kind kind_of(MEMORY_CACHING_TYPE caching)
{
    return caching == MmCached || caching == MmHardwareCoherentCached ? MEMORY_WRITE_BACK : MEMORY_DEVICE;
}

static bool fits(const struct wish *wish, const void *memory)
{
    uint64_t first = (uintptr_t)memory, last = first + wish->size - 1;

    return first >= wish->lowest && (wish->boundary == 0 || first / wish->boundary == last / wish->boundary);
}

/* Each try begins behind the one before. */
static void *find_pages(const struct wish *wish)
{
    enum memory_kind kind = kind_of(wish->caching);
    void *found[TRIES];
    size_t count = 0;
    bool is_right = false;

    while (!is_right && count < TRIES) {
        found[count] = memory_take_pages(kind, wish->size, wish->highest);
        if (found[count] == NULL) {
            break;
        }
        is_right = fits(wish, found[count]);
        count++;
    }
    for (size_t i = 0; i + is_right < count; i++) {
        memory_return_pages(kind, found[i]);
    }
    return is_right ? found[count - 1] : NULL;
}

static void *allocate(const struct wish *wish)
{
    uint64_t state = irq_save();
    struct run *run = NULL;
    void *memory;

    (void)nt_level(wish->routine, wish->caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    memory = wish->size != 0 ? find_pages(wish) : NULL;
    if (memory != NULL) {
        run = memory_allocate(sizeof *run);
    }
    if (run != NULL) {
        *run = (struct run){.memory = memory,
                            .kind = kind_of(wish->caching),
                            .is_of_mdl = wish->is_of_mdl,
                            .maker = {wish->routine, wish->caller, origin_now()}};
        InsertTailList(&runs, &run->entry);
        live_add(&source);
    } else {
        refuse_in(wish->routine, wish->caller, STATUS_INSUFFICIENT_RESOURCES,
                  "no {0} contiguous bytes are free up to address {1:#x}", wish->size, wish->highest);
        if (memory != NULL) {
            memory_return_pages(kind_of(wish->caching), memory);
        }
    }
    irq_restore(state);
    return run != NULL ? memory : NULL;
}

static void give_back(enum oplog_id routine, uintptr_t caller, const void *memory, bool is_of_mdl)
{
    uint64_t state = irq_save();
    bool found = false;

    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    for (PLIST_ENTRY at = runs.Flink; at != &runs && !found; at = at->Flink) {
        struct run *run = CONTAINING_RECORD(at, struct run, entry);

        found = run->memory == memory && run->is_of_mdl == is_of_mdl;
        if (found) {
            RemoveEntryList(&run->entry);
            memory_return_pages(run->kind, memory);
            memory_release(run);
            break;
        }
    }
    if (!found) {
        violation_report_in(routine, caller, VIOLATION_POOL_NO_BLOCK, (uintptr_t)memory, 0);
    }
    irq_restore(state);
}

/* ---- with an address ---- */

PVOID MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress)
{
    return allocate(&(struct wish){.routine = OPLOG_MmAllocateContiguousMemory,
                                   .caller = NT_CALLER,
                                   .size = NumberOfBytes,
                                   .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                   .caching = MmCached});
}

PVOID MmAllocateContiguousMemorySpecifyCache(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                             PHYSICAL_ADDRESS HighestAcceptableAddress,
                                             PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                             MEMORY_CACHING_TYPE CacheType)
{
    return allocate(&(struct wish){.routine = OPLOG_MmAllocateContiguousMemorySpecifyCache,
                                   .caller = NT_CALLER,
                                   .size = NumberOfBytes,
                                   .lowest = (uint64_t)LowestAcceptableAddress.QuadPart,
                                   .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                   .boundary = (uint64_t)BoundaryAddressMultiple.QuadPart,
                                   .caching = CacheType});
}

void MmFreeContiguousMemory(PVOID BaseAddress)
{
    give_back(OPLOG_MmFreeContiguousMemory, NT_CALLER, BaseAddress, false);
}

void MmFreeContiguousMemorySpecifyCache(PVOID BaseAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    (void)NumberOfBytes;
    (void)CacheType;
    give_back(OPLOG_MmFreeContiguousMemorySpecifyCache, NT_CALLER, BaseAddress, false);
}

/* ---- behind an MDL ---- */

static PMDL describe(const struct wish *wish, void *memory)
{
    ULONG pages = BYTES_TO_PAGES(wish->size);
    PMDL mdl = pool_allocate(wish->routine, wish->caller, MmSizeOfMdl(NULL, wish->size), MDL_TAG);

    if (mdl == NULL) {
        return NULL;
    }
    mdl->Size = (CSHORT)MmSizeOfMdl(NULL, wish->size);
    mdl->MdlFlags = (CSHORT)(MDL_PAGES_LOCKED | (kind_of(wish->caching) == MEMORY_DEVICE ? MDL_IO_SPACE : 0));
    mdl->StartVa = memory;
    mdl->ByteCount = pages * PAGE_SIZE;
    for (ULONG i = 0; i < pages; i++) {
        MmGetMdlPfnArray(mdl)[i] = ((uintptr_t)memory >> PAGE_SHIFT) + i;
    }
    return mdl;
}

static PMDL allocate_pages(struct wish wish, bool zeroed)
{
    void *memory;
    PMDL mdl;

    wish.is_of_mdl = true;
    if (MmSizeOfMdl(NULL, wish.size) > INT16_MAX) {
        refuse_in(wish.routine, wish.caller, STATUS_INVALID_PARAMETER,
                  "TotalBytes is {0}: an MDL describes at most {1} bytes", wish.size,
                  (INT16_MAX - sizeof(MDL)) / sizeof(PFN_NUMBER) * PAGE_SIZE);
        return NULL;
    }
    memory = allocate(&wish);
    if (memory == NULL) {
        return NULL;
    }
    mdl = describe(&wish, memory);
    if (mdl == NULL) {
        give_back(wish.routine, wish.caller, memory, true);
    } else if (zeroed) {
        memset(memory, 0, mdl->ByteCount);
    }
    return mdl;
}

PMDL MmAllocatePagesForMdl(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                           PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes)
{
    (void)SkipBytes;
    return allocate_pages((struct wish){.routine = OPLOG_MmAllocatePagesForMdl,
                                        .caller = NT_CALLER,
                                        .size = TotalBytes,
                                        .lowest = (uint64_t)LowAddress.QuadPart,
                                        .highest = (uint64_t)HighAddress.QuadPart,
                                        .caching = MmCached},
                          true);
}

PMDL MmAllocatePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                             PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType,
                             ULONG Flags)
{
    (void)SkipBytes;
    return allocate_pages((struct wish){.routine = OPLOG_MmAllocatePagesForMdlEx,
                                        .caller = NT_CALLER,
                                        .size = TotalBytes,
                                        .lowest = (uint64_t)LowAddress.QuadPart,
                                        .highest = (uint64_t)HighAddress.QuadPart,
                                        .caching = CacheType},
                          (Flags & MM_DONT_ZERO_ALLOCATION) == 0);
}

void MmFreePagesFromMdl(PMDL MemoryDescriptorList)
{
    if (!mdl_is_sound(MemoryDescriptorList)) {
        NT_MISTAKE(MmFreePagesFromMdl, VIOLATION_NOT_LOCKED, (uintptr_t)MemoryDescriptorList, VIOLATION_NO_MDL);
        return;
    }
    give_back(OPLOG_MmFreePagesFromMdl, NT_CALLER, MemoryDescriptorList->StartVa, true);
    MemoryDescriptorList->MdlFlags =
        (CSHORT)(MemoryDescriptorList->MdlFlags & ~(MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA));
}
