/* SPDX-License-Identifier: Apache-2.0 */
/*
 * InitializeDmaTransferContext.
 */
#include "layer/adapter.h"
#include "layer/context.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"
#include "routines/routines.h"

static NTSTATUS initialize(void *context)
{
    if (!context_is_usable(context)) {
        return refuse(
            STATUS_INVALID_PARAMETER,
            "DmaTransferContext {0:#x} is NULL, not aligned to 8, or not in memory: it takes {1} bytes",
            (uintptr_t)context, DMA_TRANSFER_CONTEXT_SIZE_V1);
    }
    if (request_find_context(context) != NULL) {
        violation_report(VIOLATION_CONTEXT_BUSY, (uintptr_t)context, 0); /* ITC-08 */
        return STATUS_INVALID_PARAMETER;
    }
    context_initialize(context);
    return STATUS_SUCCESS;
}

NTSTATUS dma_initialize_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    struct routine_call call =
        routine_enter(OPLOG_InitializeDmaTransferContext, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)DmaTransferContext);
    NTSTATUS status =
        adapter_find(DmaAdapter) != NULL ? initialize(DmaTransferContext) : STATUS_INVALID_PARAMETER;

    routine_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(InitializeDmaTransferContext, dma_initialize_transfer_context);
