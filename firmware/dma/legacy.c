/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MapTransfer and FlushAdapterBuffers, on the adapters of version 3: one MDL at a time, one contiguous
 * piece at a time, no completion routine.
 *
 * What they map is a mapping like any other, so data and caches are handled alike (MPT-09, FAB-06). A bus
 * master with scatter/gather gets the first element of it and may have many (MPT-06); it flushes
 * them together, from the address of the first on (FAB-03).
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/memory.h"

struct legacy_call {
    const struct adapter *adapter;
    struct request *request;
    const MDL *mdl;
    const void *address;
    uint64_t offset; /* of it in the MDL, */
    bool is_inside;  /* if it is there */
    uint32_t length;
    bool write;
};

static struct legacy_call describe(PDMA_ADAPTER candidate, const MDL *mdl, const void *handle,
                                   const void *address, BOOLEAN write)
{
    struct legacy_call call = {
        .adapter = adapter_find(candidate), .mdl = mdl, .address = address, .write = write};

    call.is_inside = mdl_find_address(mdl, address, &call.offset);
    call.request = call.adapter != NULL ? request_find_mappable(call.adapter, handle) : NULL;
    if (call.adapter != NULL && call.request == NULL) {
        violation_report(VIOLATION_HANDLE, (uintptr_t)handle, 0);
    }
    return call;
}

/* ---- MapTransfer ---- */

/* MPT-10, MPT-11 */
static bool check_range(const struct legacy_call *call)
{
    if (call->length == 0) {
        violation_report(VIOLATION_ZERO_LENGTH, (uintptr_t)call->request->handle, 0);
        return false;
    }
    if (!call->is_inside) {
        violation_report(VIOLATION_ADDRESS, (uintptr_t)call->address, (uintptr_t)call->mdl);
        return false;
    }
    if (call->length > call->mdl->ByteCount - call->offset) {
        violation_report(VIOLATION_OUTSIDE_MDL, VIOLATION_MDL_TOO_LONG, call->length);
        return false;
    }
    const struct mapping_range range = {.chain = call->mdl, .offset = call->offset, .length = call->length};

    return NT_SUCCESS(mapping_check_range(&range));
}

static bool is_list_assembled(const struct adapter *adapter)
{
    return adapter->master && !adapter->one_element;
}

/* MPT-06, MPT-07 */
static bool is_room(const struct legacy_call *call)
{
    const struct request *request = call->request;

    if (is_list_assembled(call->adapter)) {
        return true;
    }
    if (request->mappings != NULL) {
        violation_report(VIOLATION_NOT_FLUSHED, (uintptr_t)request->handle, 0);
        return false;
    }
    if (plan_pages((uintptr_t)call->address, call->length) > request->register_count) {
        violation_report(VIOLATION_FLUSH_TOO_LONG, VIOLATION_NO_REGISTERS, call->length);
        return false;
    }
    return !request->cancelled; /* CMT-02 */
}

/* MPT-02: the whole length, or what is contiguous of it for who can take the rest later. */
static struct mapping *plan_piece(const struct legacy_call *call)
{
    const struct mapping_range range = {call->mdl, call->offset, call->length, call->write};
    const struct adapter *adapter = call->adapter;
    uint32_t capacity = adapter->master ? 1 : channel_max_fragments(adapter->channel, DMA_FRAGMENTS_MAX);
    struct mapping *mapping;

    if (!NT_SUCCESS(mapping_plan(call->request, &range, capacity, &mapping))) {
        return NULL;
    }
    if (mapping->length < call->length && !is_list_assembled(adapter)) {
        mapping_abandon(mapping);
        return NULL;
    }
    return mapping;
}

static struct mapping *map_piece(const struct legacy_call *call)
{
    struct mapping *mapping = check_range(call) && is_room(call) ? plan_piece(call) : NULL;

    if (mapping != NULL) {
        (void)mapping_give_to_device(mapping);
    }
    return mapping;
}

PHYSICAL_ADDRESS dma_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                  PULONG Length, BOOLEAN WriteToDevice)
{
    struct layer_call frame = layer_enter(TRACE_MapTransfer, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct legacy_call call = describe(DmaAdapter, Mdl, MapRegisterBase, CurrentVa, WriteToDevice);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    struct mapping *mapping = NULL;

    if (call.request != NULL && memory_is_ram((uintptr_t)Length, sizeof *Length)) {
        call.length = *Length;
        mapping = map_piece(&call);
        *Length = mapping != NULL ? mapping->length : 0; /* MPT-10 */
    }
    if (mapping != NULL) {
        logical.QuadPart = (LONGLONG)mapping_first_address(mapping);
    }
    if (mapping != NULL && !call.adapter->master) {
        mapping_start(mapping, 0); /* MPT-05 */
    }
    layer_leave(frame, mapping != NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL,
                mapping != NULL ? mapping->length : 0, mapping != NULL ? mapping->elements : 0);
    return logical;
}
DMA_ROUTINE_NAME(MapTransfer, dma_map_transfer);

/* ---- FlushAdapterBuffers ---- */

static bool is_named(const struct legacy_call *call, const struct mapping *mapping)
{
    return mapping->range.chain == call->mdl && mapping->range.offset >= call->offset;
}

/* FAB-03: there is one that starts at the address, and none of them was mapped in the other direction or
 * ends before the length that is to be flushed. */
static bool check_flush(const struct legacy_call *call)
{
    bool starts = false;
    bool other_direction = false;
    uint64_t end = 0;

    for (const struct mapping *mapping = call->request->mappings; mapping != NULL; mapping = mapping->next) {
        if (call->is_inside && is_named(call, mapping)) {
            starts = starts || mapping->range.offset == call->offset;
            other_direction = other_direction || mapping->write != call->write;
            end = mapping->range.offset + mapping->length > end ? mapping->range.offset + mapping->length : end;
        }
    }
    if (!starts) {
        violation_report(VIOLATION_FLUSH_UNMAPPED, (uintptr_t)call->mdl, (uintptr_t)call->address);
    } else if (call->offset + call->length > end) {
        violation_report(VIOLATION_FLUSH_TOO_LONG, VIOLATION_FLUSH_PAST_END, call->length);
    } else if (other_direction) {
        violation_report(VIOLATION_DIRECTION, call->write, !call->write);
    } else {
        return true;
    }
    return false;
}

/* FAB-05 */
static void flush_piece(struct mapping *mapping, uint64_t wanted)
{
    const struct request *request = mapping->request;

    if (mapping_stop(mapping) && !request->adapter->looped) {
        violation_report(VIOLATION_FLUSH_RUNNING, (uintptr_t)request->handle, 0);
    }
    mapping_take_from_device(mapping, wanted < mapping->length ? (uint32_t)wanted : mapping->length);
}

/* All that begin in the flushed bytes, and the first in any case (FBX-03). */
static void flush_pieces(const struct legacy_call *call)
{
    uint64_t end = call->offset + call->length;
    struct mapping *next;

    for (struct mapping *mapping = call->request->mappings; mapping != NULL; mapping = next) {
        uint64_t start = mapping->range.offset;

        next = mapping->next;
        if (is_named(call, mapping) && (start < end || start == call->offset)) {
            flush_piece(mapping, end - start);
        }
    }
}

static bool flush_buffers(const struct legacy_call *call)
{
    if (call->request == NULL) {
        return false;
    }
    if (call->request->mappings == NULL) {
        request_flush_nothing(call->request, call->length); /* FAB-08 */
        return true;
    }
    if (!check_flush(call)) {
        return false;
    }
    flush_pieces(call);
    return true;
}

BOOLEAN dma_flush_adapter_buffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                  ULONG Length, BOOLEAN WriteToDevice)
{
    struct layer_call frame = layer_enter(TRACE_FlushAdapterBuffers, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct legacy_call call = describe(DmaAdapter, Mdl, MapRegisterBase, CurrentVa, WriteToDevice);

    call.length = Length;
    bool flushed = flush_buffers(&call);

    layer_leave(frame, flushed ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER, flushed ? Length : 0, 0);
    return flushed;
}
DMA_ROUTINE_NAME(FlushAdapterBuffers, dma_flush_adapter_buffers);
