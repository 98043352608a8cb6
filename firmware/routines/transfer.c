/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MapTransferEx and FlushAdapterBuffersEx: arguments, limits, and the order of what happens.
 */
#include "layer/adapter.h"
#include "layer/completion.h"
#include "layer/controller.h"
#include "layer/limits.h"
#include "layer/mapping.h"
#include "layer/mdl.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/running.h"
#include "layer/violation.h"
#include "routines/routines.h"

struct map_call {
    const struct adapter *adapter;
    struct request *request;
    struct mapping_range range; /* its length is 0 until *length has been checked */
    PULONG length;
    uint32_t device_offset;
    PSCATTER_GATHER_LIST list;
    uint32_t list_bytes;
    PDMA_COMPLETION_ROUTINE routine;
    PVOID routine_context;
};

/* ---- arguments ---- */

/* Is a list passed where one must be, with room for one element (MTX-03, MTX-05, MTX-06)? */
static bool is_list_usable(const struct map_call *call)
{
    if (call->list == NULL) {
        return !call->adapter->master && call->list_bytes == 0;
    }
    return call->list_bytes >= sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT) &&
           memory_is_readable(call->list, sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT));
}

static struct request *find_request(const struct adapter *adapter, const void *handle)
{
    struct request *request = adapter != NULL ? request_find_mappable(adapter, handle) : NULL;

    if (adapter != NULL && request == NULL) {
        violation_report(VIOLATION_HANDLE, (uintptr_t)handle, 0); /* MTX-13 */
    }
    return request;
}

static NTSTATUS check_map(struct map_call *call)
{
    if (call->request == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (call->length == NULL) {
        return refuse(STATUS_INVALID_PARAMETER, "Length is NULL", 0, 0);
    }
    if (!is_list_usable(call)) {
        return refuse(
            STATUS_INVALID_PARAMETER,
            "list buffer of {0} bytes: {1} are needed at least, at an address aligned to 8, which only a "
            "subordinate device may leave out",
            call->list_bytes, sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT));
    }
    if (call->request->mappings != NULL) {
        violation_report(VIOLATION_NOT_FLUSHED, (uintptr_t)call->request->handle, 0);
        return STATUS_INVALID_PARAMETER; /* MTX-14 */
    }
    if (call->request->cancelled) {
        return refuse(STATUS_CANCELLED, "CancelMappedTransfer was called for the request", 0, 0); /* MTX-17 */
    }
    call->range.length = *call->length;
    if (call->range.length % call->adapter->unit != 0) {
        return refuse(STATUS_INVALID_PARAMETER,
                      "Length {0} is no multiple of the device's {1} bytes", /* MTX-38 */
                      call->range.length, call->adapter->unit);
    }
    return mapping_check_range(&call->range);
}

/* A bus master has neither a completion routine nor a device offset; both are mistakes (MTX-10, MTX-12). */
static void ignore_device_side(struct map_call *call)
{
    if (call->routine != NULL) {
        violation_report(VIOLATION_COMPLETION_OF_MASTER, (uintptr_t)call->request->handle, 0);
        call->routine = NULL;
    }
    if (call->device_offset != 0) {
        violation_report(VIOLATION_DEVICE_OFFSET_OF_MASTER, (uintptr_t)call->request->handle,
                         call->device_offset);
    }
}

/* ---- mapping ---- */

/* How many elements the mapping may have (MTX-04, MTX-08, HBE-07). */
static uint32_t fragment_capacity(const struct map_call *call)
{
    uint64_t in_list = limits_now()->list_elements;

    if (call->list != NULL) {
        in_list = (call->list_bytes - sizeof(SCATTER_GATHER_LIST)) / sizeof(SCATTER_GATHER_ELEMENT);
    }
    if (call->adapter->master) {
        return (uint32_t)in_list;
    }
    return channel_max_fragments(call->adapter->channel,
                                 in_list < DMA_FRAGMENTS_MAX ? (uint32_t)in_list : DMA_FRAGMENTS_MAX);
}

static bool reserve_completion(const struct map_call *call, struct mapping *mapping)
{
    if (call->routine == NULL || !channel_interrupts(call->adapter->channel)) {
        return true; /* MTX-11, HBE-17 */
    }
    PDMA_ADAPTER adapter = (PDMA_ADAPTER)(uintptr_t)&call->adapter->public;

    mapping->completion =
        completion_reserve(adapter, call->request->device, call->routine, call->routine_context);
    return mapping->completion != NULL;
}

/* A map of length 0 succeeds and maps nothing (MTX-18). */
static NTSTATUS map_nothing(const struct map_call *call)
{
    violation_report(VIOLATION_ZERO_LENGTH, (uintptr_t)call->request->handle, 0);
    if (call->list != NULL) {
        call->list->NumberOfElements = 0;
    }
    call->request->empty_mapping = true;
    return STATUS_SUCCESS;
}

/* Is there memory for all of the list that will be written? So far only the driver says so. */
static bool is_list_writable(const struct map_call *call, const struct mapping *mapping)
{
    return call->list == NULL ||
           memory_is_readable(call->list,
                              sizeof(SCATTER_GATHER_LIST) + mapping->elements * sizeof(SCATTER_GATHER_ELEMENT));
}

static NTSTATUS prepare(const struct map_call *call, struct mapping *mapping)
{
    if (!is_list_writable(call, mapping)) {
        return refuse(STATUS_INVALID_PARAMETER, "the list buffer is not all in memory: {0} elements do not fit",
                      mapping->elements, 0);
    }
    return reserve_completion(call, mapping)
               ? STATUS_SUCCESS
               : refuse(STATUS_INSUFFICIENT_RESOURCES, "too many completion routines wait for their end", 0, 0);
}

static NTSTATUS map_range(const struct map_call *call)
{
    struct mapping *mapping;
    NTSTATUS status = mapping_plan(call->request, &call->range, fragment_capacity(call), &mapping);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = prepare(call, mapping);
    if (!NT_SUCCESS(status)) {
        mapping_abandon(mapping); /* MTX-48 */
        return status;
    }
    mapping->device_offset = call->device_offset;
    (void)mapping_give_to_device(mapping);
    if (call->list != NULL) {
        mapping_write_list(mapping, call->list); /* MTX-31 */
    }
    *call->length = mapping->length; /* MTX-39 */
    if (!call->adapter->master) {
        mapping_start(mapping, call->device_offset);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS map_transfer(struct map_call *call)
{
    NTSTATUS status = check_map(call);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (call->adapter->master) {
        ignore_device_side(call);
    }
    return call->range.length == 0 ? map_nothing(call) : map_range(call);
}

NTSTATUS dma_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                             ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                             PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext)
{
    struct routine_call frame = routine_enter(OPLOG_MapTransferEx, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)Mdl, (uintptr_t)MapRegisterBase, Offset, DeviceOffset, length_at(Length),
                      WriteToDevice, (uintptr_t)ScatterGatherBuffer, ScatterGatherBufferLength,
                      (uintptr_t)DmaCompletionRoutine, (uintptr_t)CompletionContext);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    struct map_call call = {
        .adapter = adapter,
        .request = find_request(adapter, MapRegisterBase),
        .range = {.chain = Mdl, .chain_offset = Offset, .write = WriteToDevice},
        .length = Length,
        .device_offset = DeviceOffset,
        .list = ScatterGatherBuffer,
        .list_bytes = ScatterGatherBufferLength,
        .routine = DmaCompletionRoutine,
        .routine_context = CompletionContext,
    };
    NTSTATUS status = map_transfer(&call);
    const struct mapping *mapping = NT_SUCCESS(status) ? call.request->mappings : NULL;

    routine_leave(frame, status, mapping != NULL ? mapping->length : 0,
                  mapping != NULL ? mapping->elements : 0);
    return status;
}
DMA_ROUTINE_NAME(MapTransferEx, dma_map_transfer_ex);

/* ---- FlushAdapterBuffersEx ---- */

struct flush_call {
    struct request *request;
    const MDL *mdl;
    uint64_t chain_offset;
    uint32_t length;
    bool write;
};

static NTSTATUS check_flush(const struct flush_call *call, const struct mapping *mapping)
{
    if (call->mdl != mapping->range.chain || call->chain_offset != mapping->range.chain_offset) {
        violation_report(VIOLATION_FLUSH_UNMAPPED, (uintptr_t)call->mdl, call->chain_offset); /* FBX-04 */
        return STATUS_INVALID_PARAMETER;
    }
    if (call->length > mapping->length) {
        violation_report(VIOLATION_FLUSH_TOO_LONG, VIOLATION_FLUSH_PAST_END, call->length); /* FBX-04 */
        return STATUS_INVALID_PARAMETER;
    }
    if (call->write != mapping->write) {
        violation_report(VIOLATION_DIRECTION, call->write, mapping->write); /* FBX-18 */
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS flush_transfer(const struct flush_call *call)
{
    struct mapping *mapping = call->request->mappings;

    if (mapping == NULL) {
        request_flush_nothing(call->request, call->length);
        return STATUS_SUCCESS;
    }
    NTSTATUS status = check_flush(call, mapping);

    if (NT_SUCCESS(status)) {
        if (mapping_stop(mapping) && !call->request->adapter->looped) {                     /* FBX-16 */
            violation_report(VIOLATION_FLUSH_RUNNING, (uintptr_t)call->request->handle, 0); /* FBX-15 */
        }
        mapping_take_from_device(mapping, call->length);
    }
    return status;
}

NTSTATUS dma_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice)
{
    struct routine_call frame =
        routine_enter(OPLOG_FlushAdapterBuffersEx, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)Mdl, (uintptr_t)MapRegisterBase, Offset, Length, WriteToDevice);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    const struct flush_call call = {find_request(adapter, MapRegisterBase), Mdl, Offset, Length, WriteToDevice};
    NTSTATUS status = call.request != NULL ? flush_transfer(&call) : STATUS_INVALID_PARAMETER;

    routine_leave(frame, status, NT_SUCCESS(status) ? Length : 0, 0);
    return status;
}
DMA_ROUTINE_NAME(FlushAdapterBuffersEx, dma_flush_adapter_buffers_ex);
