/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KeFlushIoBuffers: what drivers of versions 1 and 2 call before a transfer. Version 3 does the maintenance
 * in its own routines, before and after, so the call is superfluous there, and harmful during a read.
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/cache.h"
#include "hal/memory.h"

/* KFI-01: one MDL, not its chain. */
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
    maintain(mdl, read);
    barrier_sync();
    return STATUS_SUCCESS;
}

VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation)
{
    (void)DmaOperation; /* KFI-05: programmed I/O needs no less */

    struct layer_call call = layer_enter(TRACE_KeFlushIoBuffers, NULL, PASSIVE_LEVEL, DISPATCH_LEVEL);
    NTSTATUS status = flush_buffers(Mdl, ReadOperation);

    layer_leave(call, status, NT_SUCCESS(status) ? Mdl->ByteCount : 0, 0);
}
