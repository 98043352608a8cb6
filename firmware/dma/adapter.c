/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters: how a driver gets and returns one, and the frame around every routine.
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/cache.h"

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

struct adapter *adapter_find(const void *candidate)
{
    if (candidate == NULL) {
        trace_violation(VIOLATION_NULL_ADAPTER, 0, 0); /* GEN-04 */
        return NULL;
    }
    for (size_t i = 0; i < ADAPTERS_MAX; i++) {
        if (candidate == &adapters[i] && adapters[i].live) {
            return &adapters[i];
        }
    }
    trace_violation(VIOLATION_RELEASED_ADAPTER, (uintptr_t)candidate, 0); /* GEN-05 */
    return NULL;
}

uint32_t adapter_unit(const struct adapter *adapter)
{
    return UINT32_C(1) << adapter->width;
}

bool adapter_is_coherent(const struct adapter *adapter)
{
    return adapter->channel->controller->coherent;
}

uint32_t adapter_bounce_line(const struct adapter *adapter, bool write)
{
    return write || adapter_is_coherent(adapter) ? 0 : (uint32_t)cache_line_size();
}

uint64_t adapter_highest_address(const struct adapter *adapter)
{
    ULONG bits = adapter->channel->controller->description.block.DmaAddressWidth;

    return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

struct layer_call layer_enter(int id, const void *adapter, KIRQL lowest, KIRQL highest)
{
    trace_enter((enum trace_id)id, adapter);

    struct layer_call call = {id, adapter, irql_raise_to_dispatch()};

    if (call.level < lowest || call.level > highest) { /* GEN-07 */
        bool exact = lowest == DISPATCH_LEVEL;

        trace_violation(VIOLATION_IRQL, exact ? VIOLATION_IRQL_EXACT : VIOLATION_IRQL_ABOVE, call.level);
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

/* What this layer serves: version 3, subordinate, one round, fixed device address. */
static bool is_served(const DEVICE_DESCRIPTION *description)
{
    if (description->Version > DEVICE_DESCRIPTION_VERSION3) {
        trace_violation(VIOLATION_DESCRIPTION_VERSION, description->Version, 0); /* IGA-02 */
    }
    return description->Version == DEVICE_DESCRIPTION_VERSION3 && !description->Master &&
           !description->AutoInitialize && !description->Reserved1 &&
           is_served_bus(description->InterfaceType) && (unsigned)description->DmaWidth <= Width64Bits;
}

/* IGA-07, IGA-10; at least 2 by its form (IGA-08) */
static ULONG register_maximum(ULONG maximum_length)
{
    uint64_t useful = ((uint64_t)maximum_length + PAGE_SIZE - 1) / PAGE_SIZE + 1;

    if (maximum_length == 0 || useful > DMA_MAP_REGISTERS) {
        return DMA_MAP_REGISTERS;
    }
    return (ULONG)useful;
}

static struct adapter *take_adapter(void)
{
    for (size_t tried = 0; tried < ADAPTERS_MAX; tried++) {
        struct adapter *adapter = &adapters[next_adapter];

        next_adapter = (next_adapter + 1) % ADAPTERS_MAX;
        if (!adapter->live) {
            return adapter;
        }
    }
    return NULL;
}

static struct adapter *create(const DEVICE_DESCRIPTION *description)
{
    if (!is_served(description)) {
        return NULL;
    }
    struct channel *channel =
        controller_bind(description->DmaRequestLine, description->DmaChannel, description->DmaWidth);
    struct adapter *adapter = channel == NULL ? NULL : take_adapter();

    if (adapter != NULL) {
        *adapter = (struct adapter){
            .public = {.Version = 1, .Size = sizeof(DMA_ADAPTER), .DmaOperations = dma_operations_table()},
            .live = true,
            .ignore_count = description->IgnoreCount,
            .channel = channel,
            .width = description->DmaWidth,
            .request_line = description->DmaRequestLine,
            .register_maximum = register_maximum(description->MaximumLength),
            .device_address = description->DeviceAddress,
        };
    }
    return adapter;
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

/* ---- GetDmaTransferInfo ---- */

/* What one direction needs, in the larger of it and what is there already (GTI-06 to GTI-08). */
static void count_direction(const struct adapter *adapter, struct plan_range range, bool write,
                            DMA_TRANSFER_INFO_V1 *info)
{
    struct plan plan;
    struct plan_fragment fragment;
    ULONG elements = 0;

    range.line = adapter_bounce_line(adapter, write);
    plan_begin(&plan, &range);
    while (plan_next(&plan, &fragment)) {
        elements++;
    }
    if (plan.registers_used > info->MapRegisterCount) {
        info->MapRegisterCount = plan.registers_used;
    }
    if (elements > info->ScatterGatherElementCount) {
        info->ScatterGatherElementCount = elements;
    }
}

static NTSTATUS describe(const struct adapter *adapter, struct plan_range range, bool write_only,
                         PDMA_TRANSFER_INFO info)
{
    DMA_TRANSFER_INFO_V1 needs = {0};

    range.unit = adapter_unit(adapter);
    range.address_bits = adapter->channel->controller->description.block.DmaAddressWidth;
    range.registers = UINT32_MAX;
    count_direction(adapter, range, true, &needs);
    if (!write_only) {
        count_direction(adapter, range, false, &needs);
    }
    needs.ScatterGatherListSize =
        (ULONG)(sizeof(SCATTER_GATHER_LIST) + needs.ScatterGatherElementCount * sizeof(SCATTER_GATHER_ELEMENT));
    info->V1 = needs;
    return STATUS_SUCCESS;
}

NTSTATUS dma_get_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo)
{
    struct layer_call call = layer_enter(TRACE_GetDmaTransferInfo, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    struct adapter *adapter = adapter_find(DmaAdapter);
    struct plan_range range = {.chain = Mdl, .offset = Offset, .length = Length};
    NTSTATUS status = STATUS_INVALID_PARAMETER; /* GTI-03 */
    ULONG elements = 0;

    if (adapter != NULL && TransferInfo != NULL) {
        if (TransferInfo->Version != DMA_TRANSFER_INFO_VERSION1) {
            status = STATUS_NOT_SUPPORTED; /* GTI-02 */
        } else if (Length != 0 && mdl_check_range(Mdl, Offset, Length) == MDL_RANGE_INSIDE) {
            status = describe(adapter, range, WriteOnly, TransferInfo);
            elements = TransferInfo->V1.ScatterGatherElementCount;
        }
    }
    layer_leave(call, status, Length, elements);
    return status;
}
DMA_ROUTINE_NAME(GetDmaTransferInfo, dma_get_transfer_info);
