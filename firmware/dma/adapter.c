/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters: how a driver gets and returns one, and the frame around every routine.
 */
#include "dma/layer.h"

#include "hal/cache.h"
#include "hal/memory.h"

enum { ADAPTERS_MAX = 32 };

static struct adapter adapters[ADAPTERS_MAX];
static size_t next_adapter; /* slots are reused as late as possible, so that old pointers stay invalid */

void adapters_initialize(void)
{
    for (size_t i = 0; i < ADAPTERS_MAX; i++) {
        adapters[i].live = false;
    }
    next_adapter = 0;
}

uint32_t adapters_count(void)
{
    uint32_t count = 0;

    for (size_t i = 0; i < ADAPTERS_MAX; i++) {
        count += adapters[i].live;
    }
    return count;
}

struct adapter *adapter_find(const void *candidate)
{
    if (candidate == NULL) {
        violation_report(VIOLATION_NULL_ADAPTER, 0, 0); /* GEN-04 */
        return NULL;
    }
    for (size_t i = 0; i < ADAPTERS_MAX; i++) {
        if (candidate == &adapters[i] && adapters[i].live) {
            return &adapters[i];
        }
    }
    violation_report(VIOLATION_RELEASED_ADAPTER, (uintptr_t)candidate, 0); /* GEN-05 */
    return NULL;
}

uint32_t adapter_line(const struct adapter *adapter, bool write)
{
    return write || adapter->coherent ? 0 : (uint32_t)cache_line_size();
}

uint64_t adapter_highest_address(const struct adapter *adapter)
{
    uint32_t bits = adapter->address_bits;

    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

struct layer_call layer_enter(int id, const void *adapter, KIRQL lowest, KIRQL highest)
{
    trace_enter((enum trace_id)id, adapter);

    struct layer_call call = {id, adapter, irql_raise_to_dispatch()};

    if (call.level < lowest || call.level > highest) { /* GEN-07 */
        bool exact = lowest == DISPATCH_LEVEL;

        violation_report(VIOLATION_IRQL, exact ? VIOLATION_IRQL_EXACT : VIOLATION_IRQL_ABOVE, call.level);
    }
    return call;
}

void layer_leave(struct layer_call call, NTSTATUS status, uint32_t bytes, uint32_t elements)
{
    trace_exit((enum trace_id)call.id, call.adapter, (uint32_t)status, bytes, elements);
    irql_return_to(call.level);
}

/* ---- IoGetDmaAdapter ---- */

static bool is_served_bus(INTERFACE_TYPE type)
{
    return type == InterfaceTypeUndefined || type == Internal || type == PCIBus || type == ACPIBus; /* IGA-18 */
}

/* IGA-17; what else there is depends on who moves the data. */
static bool is_served(const DEVICE_DESCRIPTION *description)
{
    if (description->Version > DEVICE_DESCRIPTION_VERSION3) {
        violation_report(VIOLATION_DESCRIPTION_VERSION, description->Version, 0); /* IGA-02 */
    }
    return description->Version == DEVICE_DESCRIPTION_VERSION3 && !description->Reserved1 &&
           is_served_bus(description->InterfaceType);
}

/* IGA-07, IGA-10; at least 2 by its form (IGA-08) */
static ULONG register_maximum(ULONG maximum_length)
{
    uint64_t useful = ((uint64_t)maximum_length + PAGE_SIZE - 1) / PAGE_SIZE + 1;
    ULONG most = limits_now()->registers_per_request;

    if (most > limits_now()->map_registers) {
        most = limits_now()->map_registers;
    }

    if (maximum_length == 0 || useful > most) {
        return most;
    }
    return (ULONG)useful;
}

static struct adapter *take_adapter(const DEVICE_DESCRIPTION *description)
{
    for (size_t tried = 0; tried < ADAPTERS_MAX; tried++) {
        struct adapter *adapter = &adapters[next_adapter];

        next_adapter = (next_adapter + 1) % ADAPTERS_MAX;
        if (!adapter->live) {
            *adapter = (struct adapter){
                .public = {.Version = 1, .Size = sizeof(DMA_ADAPTER), .DmaOperations = dma_operations_table()},
                .live = true,
                .register_maximum = register_maximum(description->MaximumLength),
            };
            return adapter;
        }
    }
    return NULL;
}

/* The device itself moves the data. IGA-15 */
static struct adapter *create_master(const DEVICE_DESCRIPTION *description)
{
    ULONG bits = description->DmaAddressWidth;
    struct adapter *adapter = bits < 24 || bits > 64 ? NULL : take_adapter(description); /* IGA-11, IGA-12 */

    if (adapter != NULL) {
        adapter->master = true;
        adapter->one_element = !description->ScatterGather; /* IGA-27 */
        adapter->coherent = memory_is_coherent();           /* CCH-07 */
        adapter->channel = &adapter->own_channel;
        adapter->unit = 1;
        adapter->address_bits = bits;
    }
    return adapter;
}

/* A device register is accessed as a whole; with WidthNoWrap there is none (MTX-34). */
static uint32_t transfer_unit(const DMA_INITIALIZATION_BLOCK *block, DMA_WIDTH width)
{
    uint32_t bytes = width == WidthNoWrap ? 1 : UINT32_C(1) << width;

    return bytes > block->MinimumTransferUnit ? bytes : block->MinimumTransferUnit;
}

static void describe_channel(struct adapter *adapter)
{
    const struct controller *controller = adapter->channel->controller;
    const DMA_INITIALIZATION_BLOCK *block = &controller->description.block;

    adapter->coherent = controller->coherent;
    adapter->unit = transfer_unit(block, adapter->width);
    adapter->ignore_count = adapter->ignore_count || !channel_has_counter(adapter->channel);
    adapter->address_bits = block->DmaAddressWidth;

    uint64_t bytes = (uint64_t)block->MaximumTransferUnits * adapter->unit;

    adapter->byte_limit = bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

/* A channel of a controller moves the data. IGA-16 */
static struct adapter *create_subordinate(const DEVICE_DESCRIPTION *description)
{
    if ((unsigned)description->DmaWidth > WidthNoWrap) {
        return NULL;
    }
    struct channel *channel =
        controller_bind(description->DmaRequestLine, description->DmaChannel, description->DmaWidth);
    struct adapter *adapter = channel == NULL ? NULL : take_adapter(description);

    if (adapter != NULL) {
        adapter->ignore_count = description->IgnoreCount; /* IGA-14 */
        adapter->looped = description->AutoInitialize;    /* IGA-23 */
        adapter->channel = channel;
        adapter->width = description->DmaWidth;
        adapter->request_line = description->DmaRequestLine;
        adapter->device_address = description->DeviceAddress;
        describe_channel(adapter);
    }
    return adapter;
}

static struct adapter *create(const DEVICE_DESCRIPTION *description)
{
    if (!is_served(description)) {
        return NULL;
    }
    return description->Master ? create_master(description) : create_subordinate(description);
}

PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject, PDEVICE_DESCRIPTION DeviceDescription,
                             PULONG NumberOfMapRegisters)
{
    (void)PhysicalDeviceObject; /* GEN-15 */

    struct layer_call call = layer_enter(TRACE_IoGetDmaAdapter, NULL, PASSIVE_LEVEL, PASSIVE_LEVEL);
    struct adapter *adapter = NULL;

    if (DeviceDescription != NULL && NumberOfMapRegisters != NULL) { /* IGA-26 */
        adapter = create(DeviceDescription);
    }
    if (adapter != NULL) {
        *NumberOfMapRegisters = adapter->register_maximum;
    }
    call.adapter = adapter;
    layer_leave(call, adapter != NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL, 0, 0);
    return adapter != NULL ? &adapter->public : NULL;
}

VOID dma_put_adapter(PDMA_ADAPTER DmaAdapter)
{
    struct layer_call call = layer_enter(TRACE_PutDmaAdapter, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct adapter *adapter = adapter_find(DmaAdapter);

    if (adapter != NULL) {
        requests_end_all(adapter);
        common_buffers_leave(adapter);
        adapter->live = false;
        requests_grant();
    }
    layer_leave(call, STATUS_SUCCESS, 0, 0);
}
DMA_ROUTINE_NAME(PutDmaAdapter, dma_put_adapter);
