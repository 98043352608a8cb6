/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/mdl.h"

#include "hal/memory.h"
#include "hal/string.h"

_Static_assert(PAGE_SIZE == PAGE_SIZE_BYTES, "the interface and the memory map agree on pages");

/* Size is a signed 16-bit count of bytes. */
enum { MDL_PAGES_MAX = (INT16_MAX - (int)sizeof(MDL)) / (int)sizeof(PFN_NUMBER) };

PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
    (void)SecondaryBuffer;
    (void)ChargeQuota;
    (void)Irp;

    uint64_t pages = ((uint64_t)BYTE_OFFSET(VirtualAddress) + Length + PAGE_SIZE - 1) / PAGE_SIZE;

    if (Length == 0 || pages > MDL_PAGES_MAX) {
        return NULL;
    }
    size_t size = sizeof(MDL) + (size_t)pages * sizeof(PFN_NUMBER);
    PMDL mdl = memory_allocate(size);

    if (mdl != NULL) {
        memset(mdl, 0, size);
        mdl->Size = (CSHORT)size;
        mdl->StartVa = PAGE_ALIGN(VirtualAddress);
        mdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
        mdl->ByteCount = Length;
    }
    return mdl;
}

void IoFreeMdl(PMDL Mdl)
{
    memory_release(Mdl);
}

void MmBuildMdlForNonPagedPool(PMDL Mdl)
{
    PPFN_NUMBER pages = MmGetMdlPfnArray(Mdl);
    ULONG count = ADDRESS_AND_SIZE_TO_SPAN_PAGES((ULONG_PTR)Mdl->ByteOffset, Mdl->ByteCount);

    for (ULONG i = 0; i < count; i++) {
        uint64_t physical = 0;

        if (!memory_translate((uintptr_t)Mdl->StartVa + (uintptr_t)i * PAGE_SIZE, &physical)) {
            return; /* not resident: the flags stay clear, MDL-08 */
        }
        pages[i] = (PFN_NUMBER)(physical >> PAGE_SHIFT);
    }
    Mdl->MappedSystemVa = MmGetMdlVirtualAddress(Mdl);
    Mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
}

enum mdl_range mdl_check_range(const MDL *chain, uint64_t offset, uint64_t length)
{
    uint64_t total = 0;

    for (const MDL *mdl = chain; mdl != NULL; mdl = mdl->Next) {
        if (!memory_is_readable(mdl, sizeof *mdl)) {
            return MDL_RANGE_NOT_AN_MDL;
        }
        if ((mdl->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_PAGES_LOCKED)) == 0) {
            return MDL_RANGE_NOT_LOCKED;
        }
        total += mdl->ByteCount;
        if (offset < total && length <= total - offset) {
            return MDL_RANGE_INSIDE;
        }
    }
    return offset < total ? MDL_RANGE_TOO_LONG : MDL_RANGE_STARTS_AFTER;
}

bool memory_is_readable(const void *address, size_t size)
{
    uintptr_t first = (uintptr_t)address;
    uint64_t physical;

    return first % _Alignof(uint64_t) == 0 && first <= UINTPTR_MAX - size &&
           memory_translate(first, &physical) && memory_translate(first + size - 1, &physical);
}
