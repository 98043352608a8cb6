/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KeFlushIoBuffers: what drivers of versions 1 and 2 call before a transfer. Version 3 does the maintenance
 * in its own routines, before and after, so the call is superfluous there, and harmful during a read.
 */
#include "hal/cache.h"
#include "hal/memory.h"
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

static NTSTATUS flush_buffers(const MDL *mdl, bool read)
{
    if (!mdl_is_sound(mdl)) {
        violation_report(VIOLATION_NOT_LOCKED, (uintptr_t)mdl, 0);
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
    barrier_sync(); /* CCH-09: between what has told the caller of the device, and the maintenance */
    maintain(mdl, read);
    barrier_sync();
    return STATUS_SUCCESS;
}

VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation)
{
    (void)DmaOperation; /* KFI-05: programmed I/O needs no less */

    struct routine_call call = routine_enter(OPLOG_KeFlushIoBuffers, NULL, PASSIVE_LEVEL, DISPATCH_LEVEL);
    NTSTATUS status = flush_buffers(Mdl, ReadOperation);

    routine_leave(call, status, NT_SUCCESS(status) ? Mdl->ByteCount : 0, 0);
}
