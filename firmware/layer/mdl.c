/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/mdl.h"
#include "layer/live.h"

#include "hal/memory.h"
#include "hal/string.h"
#include "layer/live.h"
#include "layer/origin.h"
#include "layer/violation.h"

_Static_assert(PAGE_SIZE == PAGE_SIZE_BYTES, "the interface and the memory map agree on pages");

/* Size is a signed 16-bit count of bytes. */
enum { MDL_PAGES_MAX = (INT16_MAX - (int)sizeof(MDL)) / (int)sizeof(PFN_NUMBER) };

/* A longer chain is taken to be endless. */
enum { MDLS_MAX = 1 << 16 };

#define SEAL ((uintptr_t)0x4C444D) /* with the address: what IoFreeMdl() may free */

static PVOID seal_of(const MDL *mdl)
{
    return (PVOID)(SEAL ^ (uintptr_t)mdl);
}

/* ---- who made those that live ---- */

enum { MAKERS_MAX = 256 };

static struct {
    const MDL *mdl; /* NULL: the row is free */
    uintptr_t caller;
    uint32_t command;
} makers[MAKERS_MAX];
static size_t next_maker; /* a row is reused as late as possible, if need be while its MDL lives */

static void note_maker(const MDL *mdl, uintptr_t caller)
{
    for (size_t tried = 0; tried < MAKERS_MAX && makers[next_maker].mdl != NULL; tried++) {
        next_maker = (next_maker + 1) % MAKERS_MAX;
    }
    makers[next_maker].mdl = mdl;
    makers[next_maker].caller = caller;
    makers[next_maker].command = origin_now();
    next_maker = (next_maker + 1) % MAKERS_MAX;
}

void mdl_leave_untold(const MDL *mdl)
{
    for (size_t i = 0; i < MAKERS_MAX; i++) {
        if (makers[i].mdl == mdl) {
            makers[i].mdl = NULL;
        }
    }
}

void mdls_each_live(dma_tell *tell, void *context)
{
    for (size_t i = 0; i < MAKERS_MAX; i++) {
        if (makers[i].mdl != NULL) {
            const struct dma_live told =
                live_of("mdl", (uintptr_t)makers[i].mdl,
                        &(struct routine_place){OPLOG_IoAllocateMdl, makers[i].caller, makers[i].command});

            tell(&told, context);
        }
    }
}

/* ---- allocation ---- */

static uint64_t bytes_with_pages(uint64_t page_offset, uint64_t length)
{
    return sizeof(MDL) + (page_offset + length + PAGE_SIZE - 1) / PAGE_SIZE * sizeof(PFN_NUMBER);
}

PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
    (void)SecondaryBuffer;
    (void)ChargeQuota;
    (void)Irp;

    uint64_t size = bytes_with_pages(BYTE_OFFSET(VirtualAddress), Length);

    uintptr_t caller = (uintptr_t)__builtin_return_address(0);

    if (Length == 0 || size > bytes_with_pages(0, (uint64_t)MDL_PAGES_MAX * PAGE_SIZE)) {
        refuse_in(OPLOG_IoAllocateMdl, caller, STATUS_INVALID_PARAMETER,
                  "Length is {0}: an MDL describes 1 byte or more, and at most {1} pages", Length,
                  MDL_PAGES_MAX);
        return NULL;
    }
    PMDL mdl = memory_allocate((size_t)size);

    if (mdl == NULL) {
        refuse_in(OPLOG_IoAllocateMdl, caller, STATUS_INSUFFICIENT_RESOURCES,
                  "the heap has no {0} bytes for the MDL: free others", size, 0);
        return NULL;
    }
    memset(mdl, 0, (size_t)size);
    mdl->Size = (CSHORT)size;
    mdl->Process = seal_of(mdl);
    mdl->StartVa = PAGE_ALIGN(VirtualAddress);
    mdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
    mdl->ByteCount = Length;
    note_maker(mdl, caller);
    return mdl;
}

/* The MDL is wiped, so that a mapping which still refers to it finds it changed (GEN-12). */
void IoFreeMdl(PMDL Mdl)
{
    if (!mdl_is_sound(Mdl) || Mdl->Process != seal_of(Mdl)) {
        violation_report_in(OPLOG_IoFreeMdl, (uintptr_t)__builtin_return_address(0), VIOLATION_NOT_LOCKED,
                            (uintptr_t)Mdl, VIOLATION_NOT_TO_BE_FREED);
        return;
    }
    mdl_leave_untold(Mdl);
    memset(Mdl, 0, sizeof *Mdl);
    memory_release(Mdl);
}

/* Fill in the page numbers, and say whether any page is cached. False: not all of the memory is mapped. */
static bool find_pages(PMDL mdl, bool *cached)
{
    ULONG count = ADDRESS_AND_SIZE_TO_SPAN_PAGES((ULONG_PTR)mdl->ByteOffset, mdl->ByteCount);

    *cached = false;
    for (ULONG i = 0; i < count; i++) {
        uintptr_t address = (uintptr_t)mdl->StartVa + (uintptr_t)i * PAGE_SIZE;
        uint64_t physical;

        if (!memory_translate(address, &physical)) {
            return false;
        }
        MmGetMdlPfnArray(mdl)[i] = (PFN_NUMBER)(physical >> PAGE_SHIFT);
        *cached = *cached || memory_is_cached(address);
    }
    return true;
}

void MmBuildMdlForNonPagedPool(PMDL Mdl)
{
    bool cached;

    if (!mdl_is_sound(Mdl)) {
        violation_report_in(OPLOG_MmBuildMdlForNonPagedPool, (uintptr_t)__builtin_return_address(0),
                            VIOLATION_NOT_LOCKED, (uintptr_t)Mdl, VIOLATION_NO_MDL);
        return;
    }
    if (!find_pages(Mdl, &cached)) { /* the flags stay clear, MDL-08 */
        refuse_in(OPLOG_MmBuildMdlForNonPagedPool, (uintptr_t)__builtin_return_address(0),
                  STATUS_INVALID_PARAMETER, "there is no memory for all of the {0} bytes from {1:#x} on",
                  Mdl->ByteCount, (uintptr_t)MmGetMdlVirtualAddress(Mdl));
        return;
    }
    Mdl->MappedSystemVa = MmGetMdlVirtualAddress(Mdl);
    Mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
    if (!cached) {
        Mdl->MdlFlags |= MDL_IO_SPACE;
    }
}

/* ---- questions ---- */

bool memory_is_readable(const void *address, size_t size)
{
    return (uintptr_t)address % _Alignof(uint64_t) == 0 && memory_is_ram((uintptr_t)address, size);
}

bool mdl_is_sound(const MDL *mdl)
{
    if (mdl == NULL || !memory_is_readable(mdl, sizeof *mdl)) {
        return false;
    }
    uint64_t needed = bytes_with_pages(mdl->ByteOffset, mdl->ByteCount);

    return mdl->ByteOffset < PAGE_SIZE && BYTE_OFFSET(mdl->StartVa) == 0 && mdl->Size > 0 &&
           needed <= (uint64_t)mdl->Size && memory_is_ram((uintptr_t)mdl, (size_t)needed);
}

static enum mdl_range check_one(const MDL *mdl)
{
    if (!mdl_is_sound(mdl)) {
        return MDL_RANGE_NOT_AN_MDL;
    }
    return (mdl->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_PAGES_LOCKED)) == 0 ? MDL_RANGE_NOT_LOCKED
                                                                                   : MDL_RANGE_INSIDE;
}

enum mdl_range mdl_check_range(const MDL *chain, uint64_t chain_offset, uint64_t length)
{
    uint64_t total = 0;
    uint32_t count = 0;

    for (const MDL *mdl = chain; mdl != NULL; mdl = mdl->Next) {
        enum mdl_range one = ++count > MDLS_MAX ? MDL_RANGE_NOT_AN_MDL : check_one(mdl);

        if (one != MDL_RANGE_INSIDE) {
            return one;
        }
        total += mdl->ByteCount;
        if (chain_offset < total && length <= total - chain_offset) {
            return MDL_RANGE_INSIDE;
        }
    }
    return chain_offset < total ? MDL_RANGE_TOO_LONG : MDL_RANGE_STARTS_AFTER;
}

bool mdl_find_address(const MDL *mdl, const void *address, uint64_t *mdl_offset)
{
    if (!mdl_is_sound(mdl) || (uintptr_t)address - (uintptr_t)MmGetMdlVirtualAddress(mdl) >= mdl->ByteCount) {
        return false;
    }
    *mdl_offset = (uintptr_t)address - (uintptr_t)MmGetMdlVirtualAddress(mdl);
    return true;
}
