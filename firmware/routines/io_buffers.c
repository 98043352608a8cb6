/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KeFlushIoBuffers: what drivers of versions 1 and 2 call before a transfer. Version 3 does the maintenance
 * in its own routines, before and after, so the call is superfluous there, and harmful during a read.
 */
#include "hal/cache.h"
#include "hal/memory.h"
#include "hal/oplog.h"
#include "layer/mapping.h"
#include "layer/mdl.h"
#include "layer/overlap.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"

/* Maintain the lines of one MDL, not of its chain (KFI-01). */
static void maintain(const MDL *mdl, bool read)
{
    uintptr_t start = (uintptr_t)MmGetMdlVirtualAddress(mdl);

    if (memory_is_coherent() || (mdl->MdlFlags & MDL_IO_SPACE) != 0) {
        return; /* CCH-06, ACX-11 */
    }
    if (read) {
        cache_clean_invalidate(start, mdl->ByteCount);
    } else {
        cache_clean(start, mdl->ByteCount);
    }
}

/* The bytes from `start` on, at most `left`, that lie at `physical` in one piece. */
static uint32_t contiguous_bytes(uintptr_t start, uint64_t physical, uint32_t left)
{
    uint32_t length = PAGE_SIZE - BYTE_OFFSET(start);
    uint64_t next;

    while (length < left && memory_translate(start + length, &next) && next == physical + length) {
        length += PAGE_SIZE;
    }
    return length < left ? length : left;
}

/* Record the range, piece by piece. */
static void record(const MDL *mdl, bool read)
{
    uintptr_t start = (uintptr_t)MmGetMdlVirtualAddress(mdl);
    uint64_t physical = 0;
    uint32_t length;

    for (uint32_t at = 0; at < mdl->ByteCount && memory_translate(start + at, &physical); at += length) {
        length = contiguous_bytes(start + at, physical, mdl->ByteCount - at);
        oplog_range(OPLOG_RANGE_FLUSHED, NULL, physical, physical, length, !read);
    }
}

static NTSTATUS flush_buffers(const MDL *mdl, bool read)
{
    if (!mdl_is_sound(mdl)) {
        violation_report(VIOLATION_NOT_LOCKED, (uintptr_t)mdl, VIOLATION_NO_MDL);
        return STATUS_INVALID_PARAMETER;
    }
    const struct mapping_range range = {.chain = mdl, .length = mdl->ByteCount};
    NTSTATUS status = mapping_check_range(&range);

    if (NT_SUCCESS(status)) {
        status = mapping_check_memory(&range); /* MDL-08 */
    }
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (mappings_touch((uintptr_t)MmGetMdlVirtualAddress(mdl), mdl->ByteCount, true)) {
        violation_report(VIOLATION_CLEANED_UNDER_READ, (uintptr_t)mdl, 0); /* KFI-04 */
    }
    record(mdl, read);
    barrier_sync(); /* CCH-09: between what has told the caller of the device, and the maintenance */
    maintain(mdl, read);
    barrier_sync();
    return STATUS_SUCCESS;
}

VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation)
{
    (void)DmaOperation; /* KFI-05: programmed I/O needs no less */

    struct routine_call call = routine_enter(OPLOG_KeFlushIoBuffers, NULL, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)Mdl, ReadOperation, DmaOperation);
    NTSTATUS status = flush_buffers(Mdl, ReadOperation);

    routine_leave(call, status, NT_SUCCESS(status) ? Mdl->ByteCount : 0, 0);
}
