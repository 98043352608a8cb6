/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver may ask before it transfers anything: nothing here changes any state (GTI-09).
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/cache.h"

/* ---- GetDmaAlignment, GetDmaAdapterInfo ---- */

ULONG dma_get_dma_alignment(PDMA_ADAPTER DmaAdapter)
{
    struct layer_call call = layer_enter(TRACE_GetDmaAlignment, DmaAdapter, PASSIVE_LEVEL, PASSIVE_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    ULONG alignment = 0;

    if (adapter != NULL) {
        alignment = adapter->coherent ? adapter->unit : (ULONG)cache_line_size(); /* GDA-03, GDA-04 */
    }
    layer_leave(call, (NTSTATUS)alignment, 0, 0);
    return alignment;
}
DMA_ROUTINE_NAME(GetDmaAlignment, dma_get_dma_alignment);

/* GAI-04 */
static DMA_ADAPTER_INFO_V1 capabilities(const struct adapter *adapter)
{
    return (DMA_ADAPTER_INFO_V1){
        .ReadDmaCounterAvailable = channel_has_counter(adapter->channel),
        .ScatterGatherLimit =
            adapter->master ? UINT32_MAX : channel_max_fragments(adapter->channel, DMA_FRAGMENTS_MAX),
        .DmaAddressWidth = adapter->address_bits,
        .MinimumTransferUnit = adapter->unit,
    };
}

NTSTATUS dma_get_adapter_info(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo)
{
    struct layer_call call = layer_enter(TRACE_GetDmaAdapterInfo, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    NTSTATUS status = STATUS_INVALID_PARAMETER; /* GAI-10 */

    if (adapter != NULL && AdapterInfo != NULL) {
        if (AdapterInfo->Version == DMA_ADAPTER_INFO_VERSION1) {
            AdapterInfo->V1 = capabilities(adapter);
            status = STATUS_SUCCESS;
        } else {
            status = STATUS_NOT_SUPPORTED; /* GAI-02 */
        }
    }
    layer_leave(call, status, 0, 0);
    return status;
}
DMA_ROUTINE_NAME(GetDmaAdapterInfo, dma_get_adapter_info);

/* ---- ReadDmaCounter ---- */

static ULONG count_left(const struct adapter *adapter)
{
    if (adapter == NULL) {
        return 0;
    }
    if (adapter->master) {
        violation_report(VIOLATION_COUNTER_OF_MASTER, 0, 0); /* RDC-02 */
        return 0;
    }
    const struct request *holder = request_find_holder(adapter);

    return holder != NULL && holder->mappings != NULL ? mapping_bytes_left(holder->mappings) : 0; /* RDC-08 */
}

ULONG dma_read_dma_counter(PDMA_ADAPTER DmaAdapter)
{
    struct layer_call call = layer_enter(TRACE_ReadDmaCounter, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    ULONG left = count_left(adapter_find(DmaAdapter));

    layer_leave(call, (NTSTATUS)left, 0, 0);
    return left;
}
DMA_ROUTINE_NAME(ReadDmaCounter, dma_read_dma_counter);

/* ---- GetDmaTransferInfo ---- */

static void raise_to(ULONG *value, ULONG least)
{
    if (*value < least) {
        *value = least;
    }
}

/* What one direction needs, in the larger of it and what is there already (GTI-07, GTI-08). */
static void count_direction(const struct adapter *adapter, struct plan_range range, bool write,
                            DMA_TRANSFER_INFO_V1 *info)
{
    struct plan plan;
    struct plan_fragment fragment;
    ULONG elements = 0;

    range.line = adapter_line(adapter, write);
    plan_begin(&plan, &range);
    while (plan_next(&plan, &fragment)) {
        elements += fragment.continues ? 0 : 1;
    }
    raise_to(&info->MapRegisterCount, plan.registers_used);
    raise_to(&info->ScatterGatherElementCount, elements);
}

void adapter_count_needs(const struct adapter *adapter, const struct mapping_range *range, bool write_only,
                         DMA_TRANSFER_INFO_V1 *needs)
{
    const struct plan_range plan_range = {
        .chain = range->chain,
        .offset = range->offset,
        .length = range->length,
        .unit = adapter->unit,
        .address_bits = adapter->address_bits,
        .registers = PLAN_REGISTERS_MAX,
        .one_element = adapter->one_element,
    };

    *needs = (DMA_TRANSFER_INFO_V1){0};
    count_direction(adapter, plan_range, true, needs);
    if (needs->MapRegisterCount != 0) {
        raise_to(&needs->MapRegisterCount, plan_pages_of_range(&plan_range)); /* GTI-06: more than edges */
    }
    if (!write_only) {
        count_direction(adapter, plan_range, false, needs);
    }
    needs->ScatterGatherListSize = (ULONG)(sizeof(SCATTER_GATHER_LIST) +
                                           needs->ScatterGatherElementCount * sizeof(SCATTER_GATHER_ELEMENT));
}

static NTSTATUS describe(const struct adapter *adapter, const struct mapping_range *range, bool write_only,
                         PDMA_TRANSFER_INFO info)
{
    if (info->Version != DMA_TRANSFER_INFO_VERSION1) {
        return STATUS_NOT_SUPPORTED; /* GTI-02 */
    }
    if (range->length == 0 || mdl_check_range(range->chain, range->offset, range->length) != MDL_RANGE_INSIDE) {
        return STATUS_INVALID_PARAMETER; /* GTI-03 */
    }
    adapter_count_needs(adapter, range, write_only, &info->V1);
    return STATUS_SUCCESS;
}

NTSTATUS dma_get_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo)
{
    struct layer_call call = layer_enter(TRACE_GetDmaTransferInfo, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    const struct mapping_range range = {.chain = Mdl, .offset = Offset, .length = Length};
    NTSTATUS status = adapter != NULL && TransferInfo != NULL
                          ? describe(adapter, &range, WriteOnly, TransferInfo)
                          : STATUS_INVALID_PARAMETER;

    layer_leave(call, status, Length, NT_SUCCESS(status) ? TransferInfo->V1.ScatterGatherElementCount : 0);
    return status;
}
DMA_ROUTINE_NAME(GetDmaTransferInfo, dma_get_transfer_info);
