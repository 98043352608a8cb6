/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four routines that make a scatter/gather list: one call allocates, maps and hands the list to the
 * driver. They are for bus masters only (GSX-02, GSL-08).
 *
 * Each makes a request with a list (objects.h). Everything that can be refused is refused before the
 * request is queued: the whole range is planned at once (GSX-08), and the list has its memory. That is the
 * caller's, or comes from a pool that exists from the start, since nothing may be allocated at
 * DISPATCH_LEVEL (BMT-08). The grant maps and calls AdapterListControl; PutScatterGatherList (put_list.c)
 * flushes.
 */
#include "routines/lists.h"

#include "hal/memory.h"
#include "hal/pool.h"
#include "hal/string.h"
#include "layer/adapter.h"
#include "layer/grant.h"
#include "layer/mapping.h"
#include "layer/mdl.h"
#include "layer/needs.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"
#include "routines/routines.h"

enum { LIST_UNIT = 128, LIST_UNITS = 8192 };

static _Alignas(64) UCHAR list_memory[LIST_UNITS * LIST_UNIT] MEMORY_TABLE;
static uint16_t list_units[LIST_UNITS];
static struct pool list_pool;

struct list_call {
    enum oplog_id id;
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
    bool builds; /* the list is made in the caller's buffer */

    /* Versions 1 and 2 pass an address instead of an offset, and neither context nor flags nor `out`. */
    bool first_form;
    const void *address;
    bool is_outside; /* the address does not lie in the first MDL */
};

void lists_initialize(void)
{
    memset(list_units, 0, sizeof(list_units));
    list_pool = (struct pool){.start = list_memory, .unit = LIST_UNIT, .count = LIST_UNITS, .left = list_units};
}

static void release_list(PSCATTER_GATHER_LIST list)
{
    pool_return(&list_pool, list);
}

/* ---- arguments ---- */

/* Do flags, routine and `out` fit together (GSX-01)? A request of the first form is always asynchronous. */
static bool are_combinable(const struct list_call *call)
{
    bool synchronous = call->flags == DMA_SYNCHRONOUS_CALLBACK;
    uintptr_t out = (uintptr_t)call->out;

    if (out != 0 && (out % sizeof(PVOID) != 0 || !memory_is_ram(out, sizeof(PVOID)))) {
        return false;
    }
    return call->routine != NULL ? synchronous || call->flags == 0 : synchronous && call->out != NULL;
}

/* Does the chain hold the range (GSX-06, GSL-02)? */
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
    return mdl_check_range(range->chain, range->chain_offset, range->length) == MDL_RANGE_TOO_LONG
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
    NTSTATUS status =
        are_combinable(call)
            ? STATUS_SUCCESS
            : refuse(STATUS_INVALID_PARAMETER,
                     "Flags ({0}), ExecutionRoutine and ScatterGatherList do not fit: there must be a "
                     "routine, or DMA_SYNCHRONOUS_CALLBACK and a place for the list",
                     call->flags, 0);

    if (NT_SUCCESS(status)) {
        status = check_range(call);
    }
    return NT_SUCCESS(status) && !call->first_form ? request_check_context(call->context) : status;
}

/* Is it the list of a live request, granted or not? */
static bool is_list_in_use(const void *list)
{
    const struct request *request = request_first();

    while (request != NULL && request->list != list) {
        request = request->next_live;
    }
    return request != NULL;
}

/* May the list be made in the caller's buffer (BSX-03, BSX-06, BSX-07)? */
static NTSTATUS check_buffer(const struct list_call *call, uint32_t needed)
{
    if (!call->builds) {
        return STATUS_SUCCESS;
    }
    if (call->buffer == NULL || (uintptr_t)call->buffer % sizeof(uint64_t) != 0 ||
        is_list_in_use(call->buffer) || !memory_is_ram((uintptr_t)call->buffer, call->buffer_bytes)) {
        return refuse(
            STATUS_INVALID_PARAMETER,
            "ScatterGatherBuffer {0:#x} is NULL, not aligned to 8, a list that lives, or its {1} bytes are "
            "not all in memory",
            (uintptr_t)call->buffer, call->buffer_bytes);
    }
    return call->buffer_bytes < needed
               ? refuse(STATUS_BUFFER_TOO_SMALL, "list buffer of {0} bytes, {1} are needed", call->buffer_bytes,
                        needed)
               : STATUS_SUCCESS;
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
    if (request->list == NULL) { /* GSX-07 */
        (void)refuse(STATUS_INSUFFICIENT_RESOURCES,
                     "no {0} bytes are free for the list: put others, or build it in memory of one's own", size,
                     0);
    }
    return request->list != NULL;
}

/* Plan the whole range, or fail. */
static NTSTATUS plan(const struct list_call *call, struct request *request, uint32_t elements)
{
    struct mapping *mapping;
    NTSTATUS status = mapping_plan(request, &call->range, elements, &mapping);

    return NT_SUCCESS(status) && mapping->length < call->range.length
               ? refuse(STATUS_INSUFFICIENT_RESOURCES,
                        "{0} of {1} bytes fit into what one request may have: get lists for parts",
                        mapping->length, call->range.length)
               : status;
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
    /* BSL-04: the first form counts both directions, since CalculateScatterGatherList does not know which */
    adapter_count_needs(call->adapter, &call->range, call->range.write && !call->first_form, needs);
    status = check_buffer(call, needs->ScatterGatherListSize);
    if (NT_SUCCESS(status)) {
        status = request_check_registers(call->adapter, needs->MapRegisterCount);
    }
    return NT_SUCCESS(status) ? submit(call, needs) : status;
}

/* Record the arguments as each prototype has them; completion routines are not kept (GSX-14). */
static void record_arguments(const struct list_call *call)
{
    const struct mapping_range *range = &call->range;
    uintptr_t device = (uintptr_t)call->device, chain = (uintptr_t)range->chain;
    uintptr_t routine = (uintptr_t)call->routine, context = (uintptr_t)call->routine_context;

    if (call->first_form) {
        routine_arguments(device, chain, (uintptr_t)call->address, range->length, routine, context,
                          range->write, (uintptr_t)call->buffer, call->buffer_bytes);
    } else if (call->builds) {
        routine_arguments(device, (uintptr_t)call->context, chain, range->chain_offset, range->length,
                          call->flags, routine, context, range->write, (uintptr_t)call->buffer,
                          call->buffer_bytes);
    } else {
        routine_arguments(device, (uintptr_t)call->context, chain, range->chain_offset, range->length,
                          call->flags, routine, context, range->write);
    }
}

/* Inlined into the routine, so that the routine's caller is recorded. */
static inline __attribute__((always_inline)) NTSTATUS run(struct list_call *call, PDMA_ADAPTER adapter,
                                                          KIRQL lowest)
{
    struct routine_call frame = routine_enter(call->id, adapter, lowest, DISPATCH_LEVEL);
    DMA_TRANSFER_INFO_V1 needs = {0};

    record_arguments(call);
    call->adapter = adapter_find(adapter);
    NTSTATUS status = make_list(call, &needs);

    routine_leave(frame, status, NT_SUCCESS(status) ? call->range.length : 0,
                  NT_SUCCESS(status) ? needs.ScatterGatherElementCount : 0);
    return status;
}

/* ---- versions 1 and 2 ---- */

/* Make a list from an address, which is an index into the first MDL (MPT-01). */
static inline __attribute__((always_inline)) NTSTATUS run_at_address(struct list_call *call,
                                                                     PDMA_ADAPTER adapter, const void *address)
{
    call->first_form = true;
    call->address = address;
    call->is_outside = !mdl_find_address(call->range.chain, address, &call->range.chain_offset);
    return run(call, adapter, DISPATCH_LEVEL);
}

NTSTATUS dma_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                     PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                     PVOID Context, BOOLEAN WriteToDevice)
{
    struct list_call call = {
        .id = OPLOG_GetScatterGatherList,
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
        .id = OPLOG_BuildScatterGatherList,
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
        .id = OPLOG_GetScatterGatherListEx,
        .device = DeviceObject,
        .context = DmaTransferContext,
        .range = {.chain = Mdl, .chain_offset = Offset, .length = Length, .write = WriteToDevice},
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
        .id = OPLOG_BuildScatterGatherListEx,
        .device = DeviceObject,
        .context = DmaTransferContext,
        .range = {.chain = Mdl, .chain_offset = Offset, .length = Length, .write = WriteToDevice},
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
