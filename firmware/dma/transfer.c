/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MapTransferEx and FlushAdapterBuffersEx: arguments, limits, and the order of what happens.
 */
#include "dma/layer.h"

#include "dma/bounce.h"
#include "dma/mdl.h"

/* The list that the controller gets; valid during ProgramChannel only (HBE-09). */
static union {
    SCATTER_GATHER_LIST list;
    UCHAR bytes[sizeof(SCATTER_GATHER_LIST) + DMA_FRAGMENTS_MAX * sizeof(SCATTER_GATHER_ELEMENT)];
} program;

struct map_call {
    const struct adapter *adapter;
    struct request *request;
    const MDL *mdl;
    uint64_t offset;
    uint32_t device_offset;
    PULONG length;
    bool write;
    PSCATTER_GATHER_LIST list;
    uint32_t list_bytes;
    PDMA_COMPLETION_ROUTINE routine;
    PVOID routine_context;
};

/* ---- arguments ---- */

static NTSTATUS check_range(const MDL *mdl, uint64_t offset, uint32_t length)
{
    enum mdl_range range = mdl_check_range(mdl, offset, length);

    if (range == MDL_RANGE_STARTS_AFTER) {
        trace_violation(VIOLATION_OUTSIDE_MDL, VIOLATION_MDL_AFTER, offset); /* MTX-01 */
    } else if (range == MDL_RANGE_TOO_LONG) {
        trace_violation(VIOLATION_LENGTH, offset, length); /* MTX-02 */
    } else if (range == MDL_RANGE_NOT_LOCKED) {
        trace_violation(VIOLATION_NOT_LOCKED, (uintptr_t)mdl, 0); /* MDL-08 */
    }
    return range == MDL_RANGE_INSIDE ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* MTX-05, MTX-06 */
static bool is_list_usable(const SCATTER_GATHER_LIST *list, uint32_t bytes)
{
    return list == NULL ? bytes == 0 : bytes >= sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT);
}

static struct request *find_request(const struct adapter *adapter, const void *handle)
{
    struct request *request = adapter != NULL ? request_find_mappable(adapter, handle) : NULL;

    if (adapter != NULL && request == NULL) {
        trace_violation(VIOLATION_HANDLE, (uintptr_t)handle, 0); /* MTX-13 */
    }
    return request;
}

static NTSTATUS check_map(const struct map_call *call)
{
    if (call->request == NULL || call->length == NULL || !is_list_usable(call->list, call->list_bytes)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (call->adapter->channel->mapping.state != MAPPING_NONE) {
        trace_violation(VIOLATION_NOT_FLUSHED, (uintptr_t)call->request->handle, 0);
        return STATUS_INVALID_PARAMETER; /* MTX-14 */
    }
    if (*call->length % adapter_unit(call->adapter) != 0) {
        return STATUS_INVALID_PARAMETER; /* MTX-38 */
    }
    return check_range(call->mdl, call->offset, *call->length);
}

/* ---- how much, and in which pieces ---- */

/* MTX-04, MTX-08, HBE-07 */
static uint32_t fragment_capacity(const struct map_call *call)
{
    uint64_t in_list = DMA_FRAGMENTS_MAX;

    if (call->list != NULL) {
        in_list = (call->list_bytes - sizeof(SCATTER_GATHER_LIST)) / sizeof(SCATTER_GATHER_ELEMENT);
    }
    uint32_t wanted = in_list < DMA_FRAGMENTS_MAX ? (uint32_t)in_list : DMA_FRAGMENTS_MAX;

    return channel_max_fragments(call->adapter->channel, wanted);
}

static uint32_t byte_limit(const struct adapter *adapter)
{
    uint64_t units = adapter->channel->controller->description.block.MaximumTransferUnits;
    uint64_t bytes = units * adapter_unit(adapter);

    return bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

static NTSTATUS status_of_empty(enum plan_end end)
{
    return end == PLAN_ODD_PIECE ? STATUS_INVALID_PARAMETER       /* MTX-38 */
                                 : STATUS_INSUFFICIENT_RESOURCES; /* MTX-25 */
}

/* The longest prefix that every limit allows (MTX-26), into a mapping that is not live yet. */
static NTSTATUS plan_mapping(const struct map_call *call, struct mapping *mapping)
{
    const struct plan_range range = {
        .chain = call->mdl,
        .offset = call->offset,
        .length = *call->length,
        .unit = adapter_unit(call->adapter),
        .line = adapter_bounce_line(call->adapter, call->write),
        .address_bits = call->adapter->channel->controller->description.block.DmaAddressWidth,
        .registers = call->request->register_count,
        .byte_limit = byte_limit(call->adapter),
    };
    uint32_t capacity = fragment_capacity(call);
    uint32_t count = 0;
    struct plan plan;

    plan_begin(&plan, &range);
    while (count < capacity && plan_next(&plan, &mapping->fragments[count])) {
        count++;
    }
    mapping->fragment_count = count;
    mapping->length = plan.mapped;
    return count != 0 ? STATUS_SUCCESS : status_of_empty(plan.end);
}

/* ---- starting it ---- */

static uint64_t logical_address(const struct plan_fragment *fragment, const struct request *request)
{
    /* MTX-30 */
    return fragment->bounced ? bounce_logical(fragment, request->first_register) : plan_physical(fragment, 0);
}

static void write_list(PSCATTER_GATHER_LIST list, const struct mapping *mapping, const struct request *request)
{
    list->NumberOfElements = mapping->fragment_count;
    list->Reserved = 0;
    for (uint32_t i = 0; i < mapping->fragment_count; i++) {
        const struct plan_fragment *fragment = &mapping->fragments[i];
        PHYSICAL_ADDRESS address = {.QuadPart = (LONGLONG)logical_address(fragment, request)};

        list->Elements[i] = (SCATTER_GATHER_ELEMENT){.Address = address, .Length = fragment->length};
    }
}

static void start(const struct map_call *call, struct mapping *mapping)
{
    PHYSICAL_ADDRESS device = call->adapter->device_address;

    device.QuadPart += call->device_offset; /* MTX-33 */
    write_list(&program.list, mapping, call->request);
    mapping->state = MAPPING_RUNNING;
    channel_program(call->adapter, &program.list, device, call->write); /* MTX-40: last */
}

static bool reserve_completion(const struct map_call *call, struct mapping *mapping)
{
    mapping->completion = NULL;
    if (call->routine == NULL) {
        return true; /* MTX-11 */
    }
    PDMA_ADAPTER adapter = (PDMA_ADAPTER)(uintptr_t)&call->adapter->public;

    mapping->completion =
        completion_reserve(adapter, call->request->device, call->routine, call->routine_context);
    return mapping->completion != NULL;
}

/* MTX-18 */
static NTSTATUS map_nothing(const struct map_call *call)
{
    trace_violation(VIOLATION_ZERO_LENGTH, (uintptr_t)call->request->handle, 0);
    if (call->list != NULL) {
        call->list->NumberOfElements = 0;
    }
    call->request->empty_mapping = true;
    return STATUS_SUCCESS;
}

static NTSTATUS map_transfer(const struct map_call *call)
{
    struct mapping *mapping = &call->adapter->channel->mapping;
    NTSTATUS status = plan_mapping(call, mapping);

    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (!reserve_completion(call, mapping)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    mapping->mdl = call->mdl;
    mapping->offset = call->offset;
    mapping->write = call->write;
    mapping_give_to_device(call->adapter->channel);
    if (call->list != NULL) {
        write_list(call->list, mapping, call->request); /* MTX-31 */
    }
    *call->length = mapping->length; /* MTX-39 */
    start(call, mapping);
    return STATUS_SUCCESS;
}

NTSTATUS dma_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                             ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                             PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext)
{
    struct layer_call frame = layer_enter(TRACE_MapTransferEx, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    const struct map_call call = {adapter,
                                  find_request(adapter, MapRegisterBase),
                                  Mdl,
                                  Offset,
                                  DeviceOffset,
                                  Length,
                                  WriteToDevice,
                                  ScatterGatherBuffer,
                                  ScatterGatherBufferLength,
                                  DmaCompletionRoutine,
                                  CompletionContext};
    NTSTATUS status = check_map(&call);
    uint32_t bytes = 0;
    uint32_t elements = 0;

    if (NT_SUCCESS(status) && *Length == 0) {
        status = map_nothing(&call);
    } else if (NT_SUCCESS(status)) {
        status = map_transfer(&call);
        if (NT_SUCCESS(status)) {
            bytes = adapter->channel->mapping.length;
            elements = adapter->channel->mapping.fragment_count;
        }
    }
    layer_leave(frame, status, bytes, elements);
    return status;
}
DMA_ROUTINE_NAME(MapTransferEx, dma_map_transfer_ex);

/* ---- FlushAdapterBuffersEx ---- */

struct flush_call {
    struct request *request;
    const MDL *mdl;
    uint64_t offset;
    uint32_t length;
    bool write;
};

/* FBX-20, OQ-04 */
static NTSTATUS flush_nothing(struct request *request, uint32_t length)
{
    if (!request->empty_mapping || length != 0) {
        trace_violation(VIOLATION_FLUSH_UNMAPPED, (uintptr_t)request->handle, length);
    }
    request->empty_mapping = false;
    return STATUS_SUCCESS;
}

static NTSTATUS check_flush(const struct flush_call *call, const struct mapping *mapping)
{
    if (call->mdl != mapping->mdl || call->offset != mapping->offset) {
        trace_violation(VIOLATION_FLUSH_UNMAPPED, (uintptr_t)call->mdl, call->offset); /* FBX-04 */
        return STATUS_INVALID_PARAMETER;
    }
    if (call->length > mapping->length) {
        trace_violation(VIOLATION_FLUSH_TOO_LONG, 1, call->length); /* FBX-04 */
        return STATUS_INVALID_PARAMETER;
    }
    if (call->write != mapping->write) {
        trace_violation(VIOLATION_DIRECTION, call->write, mapping->write); /* FBX-18 */
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS flush_transfer(const struct flush_call *call)
{
    struct channel *channel = call->request->adapter->channel;

    if (channel->mapping.state == MAPPING_NONE) {
        return flush_nothing(call->request, call->length);
    }
    NTSTATUS status = check_flush(call, &channel->mapping);

    if (NT_SUCCESS(status)) {
        if (mapping_stop(channel)) {
            trace_violation(VIOLATION_FLUSH_RUNNING, (uintptr_t)call->request->handle, 0); /* FBX-15 */
        }
        mapping_take_from_device(channel, call->length);
        mapping_forget(channel);
    }
    return status;
}

NTSTATUS dma_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice)
{
    struct layer_call frame =
        layer_enter(TRACE_FlushAdapterBuffersEx, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    const struct flush_call call = {find_request(adapter, MapRegisterBase), Mdl, Offset, Length, WriteToDevice};
    NTSTATUS status = call.request != NULL ? flush_transfer(&call) : STATUS_INVALID_PARAMETER;

    layer_leave(frame, status, NT_SUCCESS(status) ? Length : 0, 0);
    return status;
}
DMA_ROUTINE_NAME(FlushAdapterBuffersEx, dma_flush_adapter_buffers_ex);
