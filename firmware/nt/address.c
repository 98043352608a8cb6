/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses. Registers are mapped where they are; a mapping of a driver is a row that says so. */
#include "hal/memory.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "nt/nt.h"

enum { MAPPINGS_MAX = 32 };

static struct {
    uintptr_t start; /* 0: the row is free */
    size_t size;
    struct routine_place maker;
} mappings[MAPPINGS_MAX];

static void tell_each(dma_tell *tell, void *context)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (mappings[i].start != 0) {
            const struct dma_live told = live_of("io_space", mappings[i].start, &mappings[i].maker);

            tell(&told, context);
        }
    }
}

static struct live_source source = {.tell_each = tell_each};

static PVOID map(enum oplog_id routine, uintptr_t caller, uint64_t physical, size_t size, bool cached)
{
    (void)nt_level(routine, caller, PASSIVE_LEVEL, DISPATCH_LEVEL);
    if (size == 0 || cached || memory_is_ram((uintptr_t)physical, size) ||
        !memory_is_mapped((uintptr_t)physical, size)) {
        refuse_in(routine, caller, STATUS_INVALID_PARAMETER,
                  "the {1} bytes from {0:#x} on are no registers of a device, or are to be cached", physical,
                  size);
        return NULL;
    }
    live_add(&source);
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (mappings[i].start == 0) {
            mappings[i].start = (uintptr_t)physical;
            mappings[i].size = size;
            mappings[i].maker = (struct routine_place){routine, caller, origin_now()};
            return (PVOID)(uintptr_t)physical;
        }
    }
    refuse_in(routine, caller, STATUS_INSUFFICIENT_RESOURCES,
              "{0} ranges of registers are mapped: unmap others", MAPPINGS_MAX, 0);
    return NULL;
}

PVOID MmMapIoSpace(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    return map(OPLOG_MmMapIoSpace, NT_CALLER, (uint64_t)PhysicalAddress.QuadPart, NumberOfBytes,
               CacheType == MmCached);
}

PVOID MmMapIoSpaceEx(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, ULONG Protect)
{
    return map(OPLOG_MmMapIoSpaceEx, NT_CALLER, (uint64_t)PhysicalAddress.QuadPart, NumberOfBytes,
               (Protect & (PAGE_NOCACHE | PAGE_WRITECOMBINE)) == 0);
}

void MmUnmapIoSpace(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    (void)NT_AT_MOST(MmUnmapIoSpace, DISPATCH_LEVEL);
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        if (BaseAddress != NULL && mappings[i].start == (uintptr_t)BaseAddress &&
            mappings[i].size == NumberOfBytes) {
            mappings[i].start = 0;
            return;
        }
    }
    NT_MISTAKE(MmUnmapIoSpace, VIOLATION_NOT_MAPPED, (uintptr_t)BaseAddress, NumberOfBytes);
}

PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID BaseAddress)
{
    uint64_t physical = 0;

    (void)memory_translate((uintptr_t)BaseAddress, &physical);
    return (PHYSICAL_ADDRESS){.QuadPart = (LONGLONG)physical};
}

BOOLEAN MmIsAddressValid(PVOID VirtualAddress)
{
    return memory_is_mapped((uintptr_t)VirtualAddress, 1);
}
