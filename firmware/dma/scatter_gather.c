/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list routines: one call that allocates, maps and hands the driver a scatter/gather list, and one
 * that ends it. For bus masters only (GSX-02, GSL-08).
 *
 * All four that make a list make a request with a list (layer.h). Everything that can be refused is
 * refused before it is queued: the whole range is planned at once (GSX-08), and its list has its memory,
 * the caller's or, since nothing may be allocated at DISPATCH_LEVEL, some of a pool that is there from
 * the start (BMT-08). The grant maps and calls AdapterListControl; PutScatterGatherList flushes.
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/memory.h"
#include "hal/pool.h"

enum { LIST_UNIT = 128, LIST_UNITS = POOL_UNITS_MAX };

static _Alignas(64) UCHAR list_memory[LIST_UNITS * LIST_UNIT];
static struct pool list_pool;

struct list_call {
    int id; /* enum trace_id */
    struct adapter *adapter;
    PDEVICE_OBJECT device;
    const void *context;
    struct mapping_range range;
    ULONG flags;
    PDRIVER_LIST_CONTROL routine;
    PVOID routine_context;
    PSCATTER_GATHER_LIST *out;
    PSCATTER_GATHER_LIST buffer;
    uint32_t buffer_bytes;
    bool builds; /* in the caller's buffer */

    bool first_form; /* versions 1 and 2: no context, flags nor `out`; and the offset is that of */
    const void *address;
    bool is_outside; /* the first MDL's memory */
};

void lists_initialize(void)
{
    list_pool = (struct pool){.start = list_memory, .unit = LIST_UNIT, .count = LIST_UNITS};
}

static void release_list(PSCATTER_GATHER_LIST list)
{
    pool_return(&list_pool, list);
}

/* ---- arguments ---- */

/* GSX-01; a request of the first form is always asynchronous. */
static bool are_combinable(const struct list_call *call)
{
    bool synchronous = call->flags == DMA_SYNCHRONOUS_CALLBACK;
    uintptr_t out = (uintptr_t)call->out;

    if (out != 0 && (out % sizeof(PVOID) != 0 || !memory_is_ram(out, sizeof(PVOID)))) {
        return false;
    }
    return call->routine != NULL ? synchronous || call->flags == 0 : synchronous && call->out != NULL;
}

/* GSX-06, GSL-02 */
static NTSTATUS check_range(const struct list_call *call)
{
    const struct mapping_range *range = &call->range;

    if (range->length == 0) {
        violation_report(VIOLATION_ZERO_LENGTH, (uintptr_t)range->chain, 0);
        return STATUS_INVALID_PARAMETER;
    }
    if (call->is_outside) {
        violation_report(VIOLATION_ADDRESS, (uintptr_t)call->address, (uintptr_t)range->chain);
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = mapping_check_range(range);

    if (NT_SUCCESS(status) || !call->first_form) {
        return status;
    }
    return mdl_check_range(range->chain, range->offset, range->length) == MDL_RANGE_TOO_LONG
               ? STATUS_BUFFER_TOO_SMALL
               : status;
}

static NTSTATUS check_arguments(const struct list_call *call)
{
    if (call->adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (!call->adapter->master) {
        violation_report(VIOLATION_LIST_OF_SUBORDINATE, (uintptr_t)&call->adapter->public, 0); /* GSX-02 */
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = are_combinable(call) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;

    if (NT_SUCCESS(status)) {
        status = check_range(call);
    }
    return NT_SUCCESS(status) && !call->first_form ? request_check_context(call->context) : status;
}

/* Lists of requests that live, granted or not. */
static bool is_list_in_use(const void *list)
{
    const struct request *request = request_first();

    while (request != NULL && request->list != list) {
        request = request->next_live;
    }
    return request != NULL;
}

/* BSX-03, BSX-06, BSX-07 */
static NTSTATUS check_buffer(const struct list_call *call, uint32_t needed)
{
    if (!call->builds) {
        return STATUS_SUCCESS;
    }
    if (call->buffer == NULL || (uintptr_t)call->buffer % sizeof(uint64_t) != 0 ||
        is_list_in_use(call->buffer) || !memory_is_ram((uintptr_t)call->buffer, call->buffer_bytes)) {
        return STATUS_INVALID_PARAMETER;
    }
    return call->buffer_bytes < needed ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* ---- the request ---- */

static bool provide_list(const struct list_call *call, struct request *request, uint32_t size)
{
    if (call->builds) {
        request->list = call->buffer; /* BSX-04 */
        return true;
    }
    request->list = pool_take(&list_pool, size, UINT64_MAX);
    request->list_release = request->list != NULL ? release_list : NULL;
    return request->list != NULL; /* GSX-07 */
}

/* The whole range or nothing. */
static NTSTATUS plan(const struct list_call *call, struct request *request, uint32_t elements)
{
    struct mapping *mapping;
    NTSTATUS status = mapping_plan(request, &call->range, elements, &mapping);

    return NT_SUCCESS(status) && mapping->length < call->range.length ? STATUS_INSUFFICIENT_RESOURCES : status;
}

static NTSTATUS submit(const struct list_call *call, const DMA_TRANSFER_INFO_V1 *needs)
{
    struct request *request = request_take(call->adapter, call->device, call->context);
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

    if (request == NULL) {
        return status;
    }
    request->list_routine = call->routine;
    request->routine_context = call->routine_context;
    request->list_out = call->out;
    request->register_count = needs->MapRegisterCount;
    if (provide_list(call, request, needs->ScatterGatherListSize)) {
        status = plan(call, request, needs->ScatterGatherElementCount);
    }
    if (!NT_SUCCESS(status)) {
        request_end(request);
        return status;
    }
    return request_submit(request, call->flags == DMA_SYNCHRONOUS_CALLBACK, NULL);
}

static NTSTATUS make_list(const struct list_call *call, DMA_TRANSFER_INFO_V1 *needs)
{
    NTSTATUS status = check_arguments(call);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    /* BSL-04: CalculateScatterGatherList does not know the direction */
    adapter_count_needs(call->adapter, &call->range, call->range.write && !call->first_form, needs);
    status = check_buffer(call, needs->ScatterGatherListSize);
    if (NT_SUCCESS(status)) {
        status = request_check_registers(call->adapter, needs->MapRegisterCount);
    }
    return NT_SUCCESS(status) ? submit(call, needs) : status;
}

static NTSTATUS run(struct list_call *call, PDMA_ADAPTER adapter, KIRQL lowest)
{
    struct layer_call frame = layer_enter(call->id, adapter, lowest, DISPATCH_LEVEL);
    DMA_TRANSFER_INFO_V1 needs = {0};

    call->adapter = adapter_find(adapter);
    NTSTATUS status = make_list(call, &needs);

    layer_leave(frame, status, NT_SUCCESS(status) ? call->range.length : 0,
                NT_SUCCESS(status) ? needs.ScatterGatherElementCount : 0);
    return status;
}

/* ---- versions 1 and 2 ---- */

/* MPT-01: the address is an index into the first MDL. */
static NTSTATUS run_at_address(struct list_call *call, PDMA_ADAPTER adapter, const void *address)
{
    call->first_form = true;
    call->address = address;
    call->is_outside = !mdl_find_address(call->range.chain, address, &call->range.offset);
    return run(call, adapter, DISPATCH_LEVEL);
}

NTSTATUS dma_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                     PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                     PVOID Context, BOOLEAN WriteToDevice)
{
    struct list_call call = {
        .id = TRACE_GetScatterGatherList,
        .device = DeviceObject,
        .range = {.chain = Mdl, .length = Length, .write = WriteToDevice},
        .routine = ExecutionRoutine,
        .routine_context = Context,
    };

    return run_at_address(&call, DmaAdapter, CurrentVa);
}
DMA_ROUTINE_NAME(GetScatterGatherList, dma_get_scatter_gather_list);

NTSTATUS dma_build_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                       PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                       PVOID Context, BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                       ULONG ScatterGatherLength)
{
    struct list_call call = {
        .id = TRACE_BuildScatterGatherList,
        .device = DeviceObject,
        .range = {.chain = Mdl, .length = Length, .write = WriteToDevice},
        .routine = ExecutionRoutine,
        .routine_context = Context,
        .buffer = ScatterGatherBuffer,
        .buffer_bytes = ScatterGatherLength,
        .builds = true,
    };

    return run_at_address(&call, DmaAdapter, CurrentVa);
}
DMA_ROUTINE_NAME(BuildScatterGatherList, dma_build_scatter_gather_list);

/* ---- version 3 ---- */

NTSTATUS dma_get_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                        PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                        ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                        BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                        PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList)
{
    (void)DmaCompletionRoutine, (void)CompletionContext; /* GSX-14 */

    struct list_call call = {
        .id = TRACE_GetScatterGatherListEx,
        .device = DeviceObject,
        .context = DmaTransferContext,
        .range = {.chain = Mdl, .offset = Offset, .length = Length, .write = WriteToDevice},
        .flags = Flags,
        .routine = ExecutionRoutine,
        .routine_context = Context,
        .out = ScatterGatherList,
    };

    return run(&call, DmaAdapter, PASSIVE_LEVEL);
}
DMA_ROUTINE_NAME(GetScatterGatherListEx, dma_get_scatter_gather_list_ex);

NTSTATUS dma_build_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                          PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                          ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                          BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                          ULONG ScatterGatherLength,
                                          PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext,
                                          PVOID ScatterGatherList)
{
    (void)DmaCompletionRoutine, (void)CompletionContext; /* GSX-14 */

    struct list_call call = {
        .id = TRACE_BuildScatterGatherListEx,
        .device = DeviceObject,
        .context = DmaTransferContext,
        .range = {.chain = Mdl, .offset = Offset, .length = Length, .write = WriteToDevice},
        .flags = Flags,
        .routine = ExecutionRoutine,
        .routine_context = Context,
        .out = ScatterGatherList,
        .buffer = ScatterGatherBuffer,
        .buffer_bytes = ScatterGatherLength,
        .builds = true,
    };

    return run(&call, DmaAdapter, DISPATCH_LEVEL);
}
DMA_ROUTINE_NAME(BuildScatterGatherListEx, dma_build_scatter_gather_list_ex);

/* ---- the end ---- */

/* PSL-08; FreeAdapterObject may have done it (GSX-11). */
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
    struct layer_call frame =
        layer_enter(TRACE_PutScatterGatherList, DmaAdapter, DISPATCH_LEVEL, DISPATCH_LEVEL);
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
    layer_leave(frame, STATUS_SUCCESS, length, 0);
}
DMA_ROUTINE_NAME(PutScatterGatherList, dma_put_scatter_gather_list);

/* Reserved for the system's use; no driver needs it (BMS-03). */
NTSTATUS dma_build_mdl_from_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                                PMDL OriginalMdl, PMDL *TargetMdl)
{
    (void)TargetMdl;

    struct layer_call frame =
        layer_enter(TRACE_BuildMdlFromScatterGatherList, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    bool named = adapter != NULL && request_find_list(adapter, ScatterGather) != NULL && OriginalMdl != NULL;
    NTSTATUS status = named ? STATUS_NOT_IMPLEMENTED : STATUS_INVALID_PARAMETER; /* BMS-02 */

    layer_leave(frame, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(BuildMdlFromScatterGatherList, dma_build_mdl_from_scatter_gather_list);
