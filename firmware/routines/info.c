/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routines that only answer questions: nothing here changes any state (GTI-09).
 */
#include <dma.h>

#include "hal/cache.h"
#include "layer/adapter.h"
#include "layer/controller.h"
#include "layer/mdl.h"
#include "layer/needs.h"
#include "layer/request.h"
#include "layer/routine_frame.h"
#include "layer/running.h"
#include "layer/violation.h"
#include "routines/routines.h"

/* ---- GetDmaAlignment, GetDmaAdapterInfo ---- */

ULONG dma_get_dma_alignment(PDMA_ADAPTER DmaAdapter)
{
    struct routine_call call = routine_enter(OPLOG_GetDmaAlignment, DmaAdapter, PASSIVE_LEVEL, PASSIVE_LEVEL);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    ULONG alignment = 0;

    if (adapter != NULL) {
        alignment = adapter->coherent ? adapter->unit : (ULONG)cache_line_size(); /* GDA-03, GDA-04 */
    }
    routine_leave(call, (NTSTATUS)alignment, 0, 0);
    return alignment;
}
DMA_ROUTINE_NAME(GetDmaAlignment, dma_get_dma_alignment);

/* What GetDmaAdapterInfo says of an adapter (GAI-04). */
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
    struct routine_call call =
        routine_enter(OPLOG_GetDmaAdapterInfo, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)AdapterInfo);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    NTSTATUS status = STATUS_INVALID_PARAMETER; /* GAI-10 */

    if (adapter != NULL && AdapterInfo != NULL) {
        if (AdapterInfo->Version == DMA_ADAPTER_INFO_VERSION1) {
            AdapterInfo->V1 = capabilities(adapter);
            status = STATUS_SUCCESS;
        } else {
            status =
                refuse(STATUS_NOT_SUPPORTED, "Version {0} of DMA_ADAPTER_INFO: only {1} is served", /* GAI-02 */
                       AdapterInfo->Version, DMA_ADAPTER_INFO_VERSION1);
        }
    } else if (adapter != NULL) {
        (void)refuse(status, "AdapterInfo is NULL", 0, 0);
    }
    routine_leave(call, status, 0, 0);
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
    struct routine_call call = routine_enter(OPLOG_ReadDmaCounter, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);
    ULONG left = count_left(adapter_find(DmaAdapter));

    routine_leave(call, (NTSTATUS)left, 0, 0);
    return left;
}
DMA_ROUTINE_NAME(ReadDmaCounter, dma_read_dma_counter);

/* ---- GetDmaTransferInfo ---- */

static NTSTATUS describe(const struct adapter *adapter, const struct mapping_range *range, bool write_only,
                         PDMA_TRANSFER_INFO info)
{
    if (adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (info == NULL) {
        return refuse(STATUS_INVALID_PARAMETER, "TransferInfo is NULL", 0, 0);
    }
    if (info->Version != DMA_TRANSFER_INFO_VERSION1) {
        return refuse(STATUS_NOT_SUPPORTED, "Version {0} of DMA_TRANSFER_INFO: only {1} is served", /* GTI-02 */
                      info->Version, DMA_TRANSFER_INFO_VERSION1);
    }
    if (range->length == 0 ||
        mdl_check_range(range->chain, range->chain_offset, range->length) != MDL_RANGE_INSIDE) {
        return refuse(STATUS_INVALID_PARAMETER, /* GTI-03 */
                      "the chain has no {0} bytes from byte {1} on, or an MDL of it was not built: "
                      "MmBuildMdlForNonPagedPool",
                      range->length, range->chain_offset);
    }
    adapter_count_needs(adapter, range, write_only, &info->V1);
    return STATUS_SUCCESS;
}

NTSTATUS dma_get_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo)
{
    struct routine_call call =
        routine_enter(OPLOG_GetDmaTransferInfo, DmaAdapter, PASSIVE_LEVEL, DISPATCH_LEVEL);

    routine_arguments((uintptr_t)Mdl, Offset, Length, WriteOnly, (uintptr_t)TransferInfo);
    const struct adapter *adapter = adapter_find(DmaAdapter);
    const struct mapping_range range = {.chain = Mdl, .chain_offset = Offset, .length = Length};
    NTSTATUS status = describe(adapter, &range, WriteOnly, TransferInfo);

    routine_leave(call, status, Length, NT_SUCCESS(status) ? TransferInfo->V1.ScatterGatherElementCount : 0);
    return status;
}
DMA_ROUTINE_NAME(GetDmaTransferInfo, dma_get_transfer_info);
