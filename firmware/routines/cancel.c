/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two routines that cancel. CancelAdapterChannel cancels a request that waits or has yet to be made,
 * CancelMappedTransfer a transfer that is mapped or has yet to be. Both are columns of STM-01.
 */
#include "layer/adapter.h"
#include "layer/context.h"
#include "layer/grant.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/running.h"
#include "layer/violation.h"
#include "routines/routines.h"

/* ---- CancelAdapterChannel ---- */

/* Mark an Idle context, so that the request which will be made with it is refused (CAC-04, CAC-05). Raw and
 * Finished contexts have nothing to cancel (CAC-13). */
static bool cancel_future(void *context)
{
    enum context_state state = context_state(context);

    if (state == CONTEXT_IDLE) {
        context_set(context, CONTEXT_PRECANCELLED);
    } else if (state != CONTEXT_PRECANCELLED) {
        (void)refuse(
            STATUS_UNSUCCESSFUL,
            "DmaTransferContext {0:#x} was not initialised, or its request has ended: nothing to cancel",
            (uintptr_t)context, 0);
    }
    return state == CONTEXT_IDLE || state == CONTEXT_PRECANCELLED;
}

static bool cancel_waiting(struct request *request, void *context)
{
    if (request->state != REQUEST_WAITS_CHANNEL && request->state != REQUEST_WAITS_REGISTERS) {
        (void)refuse(STATUS_UNSUCCESSFUL,
                     "the request has been granted: CancelMappedTransfer ends its transfer", 0, 0);
        return false; /* CAC-02, CAC-06 */
    }
    if (context_state(context) != CONTEXT_RAW) {
        context_set(context, CONTEXT_PRECANCELLED); /* CAC-12 */
    }
    request_end(request);
    requests_grant(); /* CAC-08 */
    return true;
}

static bool cancel_request(const struct adapter *adapter, const DEVICE_OBJECT *device, void *context)
{
    struct request *request = request_find_context(context);

    if (request == NULL) {
        return cancel_future(context);
    }
    if (request->adapter != adapter || request->device != device) {
        violation_report(VIOLATION_CANCEL_FOREIGN, (uintptr_t)context, (uintptr_t)device); /* CAC-07 */
        return false;
    }
    return cancel_waiting(request, context);
}

BOOLEAN dma_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                   PVOID DmaTransferContext)
{
    struct routine_call call =
        routine_enter(OPLOG_CancelAdapterChannel, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)DeviceObject, (uintptr_t)DmaTransferContext);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    bool cancelled = adapter != NULL && cancel_request(adapter, DeviceObject, DmaTransferContext);

    routine_leave(call, cancelled, 0, 0);
    return cancelled;
}
DMA_ROUTINE_NAME(CancelAdapterChannel, dma_cancel_adapter_channel);

/* ---- CancelMappedTransfer ---- */

static NTSTATUS cancel_under(struct request *request)
{
    if (request->cancelled) {
        return refuse(STATUS_UNSUCCESSFUL, "the request has been cancelled before", 0, 0); /* CMT-06 */
    }
    request->cancelled = true; /* CMT-02, CMT-05, CMT-07 */
    if (request->mappings != NULL) {
        mapping_cancel(request->mappings); /* CMT-03 */
    }
    return STATUS_SUCCESS;
}

static NTSTATUS cancel_transfer(const struct adapter *adapter, const void *context)
{
    if (adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (adapter->master) {
        violation_report(VIOLATION_CANCEL_OF_MASTER, (uintptr_t)context, 0);
        return STATUS_INVALID_PARAMETER; /* CMT-01 */
    }
    struct request *request = request_find_context(context);

    if (request == NULL) {
        return context_state(context) == CONTEXT_RAW
                   ? refuse(STATUS_INVALID_PARAMETER, "DmaTransferContext {0:#x} was not initialised",
                            (uintptr_t)context, 0)
                   : refuse(STATUS_UNSUCCESSFUL, "no request has DmaTransferContext {0:#x}", (uintptr_t)context,
                            0);
    }
    if (request->adapter != adapter) {
        violation_report(VIOLATION_CANCEL_FOREIGN, (uintptr_t)context, 0); /* CMT-11 */
        return STATUS_INVALID_PARAMETER;
    }
    return cancel_under(request);
}

NTSTATUS dma_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    struct routine_call call =
        routine_enter(OPLOG_CancelMappedTransfer, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)DmaTransferContext);
    NTSTATUS status = cancel_transfer(adapter_find(DmaAdapter), DmaTransferContext);

    routine_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(CancelMappedTransfer, dma_cancel_mapped_transfer);
