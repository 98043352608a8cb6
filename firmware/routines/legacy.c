/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MapTransfer and FlushAdapterBuffers, on the adapters of version 3: one MDL at a time, one contiguous
 * piece at a time, no completion routine.
 *
 * What they map is a mapping like any other, so data and caches are handled alike (MPT-09, FAB-06). A bus
 * master with scatter/gather gets the first element of it and may have many (MPT-06); it flushes
 * them together, from the address of the first on (FAB-03).
 */
#include <dma.h>

#include "hal/memory.h"
#include "layer/adapter.h"
#include "layer/controller.h"
#include "layer/mapping.h"
#include "layer/mdl.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/running.h"
#include "layer/violation.h"
#include "routines/routines.h"

struct legacy_call {
    const struct adapter *adapter;
    struct request *request;
    const MDL *mdl;
    const void *address;
    bool is_inside;      /* the address lies in the MDL, */
    uint64_t mdl_offset; /* so many bytes behind its start */
    uint32_t length;
    bool write;
};

static struct legacy_call describe(PDMA_ADAPTER candidate, const MDL *mdl, const void *handle,
                                   const void *address, BOOLEAN write)
{
    struct legacy_call call = {
        .adapter = adapter_find(candidate), .mdl = mdl, .address = address, .write = write};

    call.is_inside = mdl_find_address(mdl, address, &call.mdl_offset);
    call.request = call.adapter != NULL ? request_find_mappable(call.adapter, handle) : NULL;
    if (call.adapter != NULL && call.request == NULL) {
        violation_report(VIOLATION_HANDLE, (uintptr_t)handle, 0);
    }
    return call;
}

/* ---- MapTransfer ---- */

/* Does the MDL hold the whole range, and is it locked (MPT-10, MPT-11)? If not, that is a violation. */
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
    if (call->length > call->mdl->ByteCount - call->mdl_offset) {
        violation_report(VIOLATION_OUTSIDE_MDL, VIOLATION_MDL_TOO_LONG, call->length);
        return false;
    }
    const struct mapping_range range = {
        .chain = call->mdl, .chain_offset = call->mdl_offset, .length = call->length};

    return NT_SUCCESS(mapping_check_range(&range));
}

static bool is_list_assembled(const struct adapter *adapter)
{
    return adapter->master && !adapter->one_element;
}

/* May the request have one more mapping, and has it registers for it (MPT-06, MPT-07)? */
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
    if (request->cancelled) { /* CMT-02 */
        (void)refuse(STATUS_UNSUCCESSFUL, "CancelMappedTransfer was called for the request", 0, 0);
    }
    return !request->cancelled;
}

/* Plan the whole length, or, for a device that can take the rest later, what is contiguous of it (MPT-02). */
static struct mapping *plan_piece(const struct legacy_call *call)
{
    const struct mapping_range range = {call->mdl, call->mdl_offset, call->length, call->write};
    const struct adapter *adapter = call->adapter;
    uint32_t capacity = adapter->master ? 1 : channel_max_fragments(adapter->channel, DMA_FRAGMENTS_MAX);
    struct mapping *mapping;

    if (!NT_SUCCESS(mapping_plan(call->request, &range, capacity, &mapping))) {
        return NULL;
    }
    if (mapping->length < call->length && !is_list_assembled(adapter)) {
        (void)refuse(STATUS_UNSUCCESSFUL,
                     "{0} of {1} bytes can be mapped in one piece with the request's map registers: map less",
                     mapping->length, call->length);
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
    struct routine_call frame = routine_enter(OPLOG_MapTransfer, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)Mdl, (uintptr_t)MapRegisterBase, (uintptr_t)CurrentVa, length_at(Length),
                      WriteToDevice);
    struct legacy_call call = describe(DmaAdapter, Mdl, MapRegisterBase, CurrentVa, WriteToDevice);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    struct mapping *mapping = NULL;

    if (call.request != NULL && !memory_is_ram((uintptr_t)Length, sizeof *Length)) {
        (void)refuse(STATUS_UNSUCCESSFUL, "Length {0:#x} is no address of a ULONG", (uintptr_t)Length, 0);
    } else if (call.request != NULL) {
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
    routine_leave(frame, mapping != NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL,
                  mapping != NULL ? mapping->length : 0, mapping != NULL ? mapping->elements : 0);
    return logical;
}
DMA_ROUTINE_NAME(MapTransfer, dma_map_transfer);

/* ---- FlushAdapterBuffers ---- */

static bool is_named(const struct legacy_call *call, const struct mapping *mapping)
{
    return mapping->range.chain == call->mdl && mapping->range.chain_offset >= call->mdl_offset;
}

/* Does a mapping start at the address, do the mappings reach as far as is to be flushed, and were all of them
 * mapped in this direction (FAB-03)? */
static bool check_flush(const struct legacy_call *call)
{
    bool starts = false;
    bool other_direction = false;
    uint64_t end = 0;

    for (const struct mapping *mapping = call->request->mappings; mapping != NULL; mapping = mapping->next) {
        if (call->is_inside && is_named(call, mapping)) {
            starts = starts || mapping->range.chain_offset == call->mdl_offset;
            other_direction = other_direction || mapping->write != call->write;
            end = mapping->range.chain_offset + mapping->length > end
                      ? mapping->range.chain_offset + mapping->length
                      : end;
        }
    }
    if (!starts) {
        violation_report(VIOLATION_FLUSH_UNMAPPED, (uintptr_t)call->mdl, (uintptr_t)call->address);
    } else if (call->mdl_offset + call->length > end) {
        violation_report(VIOLATION_FLUSH_TOO_LONG, VIOLATION_FLUSH_PAST_END, call->length);
    } else if (other_direction) {
        violation_report(VIOLATION_DIRECTION, call->write, !call->write);
    } else {
        return true;
    }
    return false;
}

/* Stop one mapping and give its data back to the CPU (FAB-05). */
static void flush_piece(struct mapping *mapping, uint64_t wanted)
{
    const struct request *request = mapping->request;

    if (mapping_stop(mapping) && !request->adapter->looped) {
        violation_report(VIOLATION_FLUSH_RUNNING, (uintptr_t)request->handle, 0);
    }
    mapping_take_from_device(mapping, wanted < mapping->length ? (uint32_t)wanted : mapping->length);
}

/* Flush every mapping that begins in the flushed bytes, and the first in any case (FBX-03). */
static void flush_pieces(const struct legacy_call *call)
{
    uint64_t end = call->mdl_offset + call->length;
    struct mapping *next;

    for (struct mapping *mapping = call->request->mappings; mapping != NULL; mapping = next) {
        uint64_t start = mapping->range.chain_offset;

        next = mapping->next;
        if (is_named(call, mapping) && (start < end || start == call->mdl_offset)) {
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
    struct routine_call frame =
        routine_enter(OPLOG_FlushAdapterBuffers, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)Mdl, (uintptr_t)MapRegisterBase, (uintptr_t)CurrentVa, Length, WriteToDevice);
    struct legacy_call call = describe(DmaAdapter, Mdl, MapRegisterBase, CurrentVa, WriteToDevice);

    call.length = Length;
    bool flushed = flush_buffers(&call);

    routine_leave(frame, flushed ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER, flushed ? Length : 0, 0);
    return flushed;
}
DMA_ROUTINE_NAME(FlushAdapterBuffers, dma_flush_adapter_buffers);
