/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routines that take a scatter/gather list which the layer has made.
 */
#include "layer/adapter.h"
#include "layer/grant.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/running.h"
#include "layer/violation.h"
#include "routines/routines.h"

/* Give the data of a list back to the CPU (PSL-08), unless FreeAdapterObject has done it (GSX-11). Returns the
 * bytes that were flushed. */
static uint32_t flush_list(const struct request *request, bool write)
{
    struct mapping *mapping = request->mappings;
    uint32_t length = mapping != NULL ? mapping->length : 0;

    if (mapping != NULL && mapping->write != write) {
        violation_report(VIOLATION_DIRECTION, write, mapping->write); /* PSL-04 */
    }
    if (mapping != NULL) {
        mapping_take_from_device(mapping, length);
    }
    return length;
}

VOID dma_put_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                 BOOLEAN WriteToDevice)
{
    struct routine_call frame =
        routine_enter(OPLOG_PutScatterGatherList, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)ScatterGather, WriteToDevice);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    struct request *request = adapter != NULL ? request_find_list(adapter, ScatterGather) : NULL;
    uint32_t length = 0;

    if (request != NULL) {
        length = flush_list(request, WriteToDevice);
        request_end(request);
        requests_grant(); /* PSL-07 */
    } else if (adapter != NULL) {
        violation_report(VIOLATION_LIST_FREED_TWICE, (uintptr_t)ScatterGather, 0); /* PSL-05 */
    }
    routine_leave(frame, STATUS_SUCCESS, length, 0);
}
DMA_ROUTINE_NAME(PutScatterGatherList, dma_put_scatter_gather_list);

/* BuildMdlFromScatterGatherList is reserved for the system's use, and no driver needs it (BMS-03). */
NTSTATUS dma_build_mdl_from_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                                PMDL OriginalMdl, PMDL *TargetMdl)
{
    (void)TargetMdl;

    struct routine_call frame =
        routine_enter(OPLOG_BuildMdlFromScatterGatherList, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)ScatterGather, (uintptr_t)OriginalMdl, (uintptr_t)TargetMdl);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    bool named = adapter != NULL && request_find_list(adapter, ScatterGather) != NULL && OriginalMdl != NULL;
    NTSTATUS status = named ? refuse(STATUS_NOT_IMPLEMENTED, /* BMS-02 */
                                     "it is for the system's own use, and drivers need no MDL of a list", 0, 0)
                            : refuse(STATUS_INVALID_PARAMETER,
                                     "{0:#x} is no list of the adapter, or OriginalMdl ({1:#x}) is NULL",
                                     (uintptr_t)ScatterGather, (uintptr_t)OriginalMdl);

    routine_leave(frame, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(BuildMdlFromScatterGatherList, dma_build_mdl_from_scatter_gather_list);
