/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver may ask before it transfers anything: nothing here changes any state (GTI-09).
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/cache.h"

/* ---- GetDmaTransferInfo ---- */

/* What one direction needs, in the larger of it and what is there already (GTI-06 to GTI-08). */
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
    if (plan.registers_used > info->MapRegisterCount) {
        info->MapRegisterCount = plan.registers_used;
    }
    if (elements > info->ScatterGatherElementCount) {
        info->ScatterGatherElementCount = elements;
    }
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
        .registers = UINT32_MAX / PAGE_SIZE,
        .one_element = adapter->one_element,
    };

    *needs = (DMA_TRANSFER_INFO_V1){0};
    count_direction(adapter, plan_range, true, needs);
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
