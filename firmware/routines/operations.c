/* SPDX-License-Identifier: Apache-2.0 */
/* The table that every version-3 adapter points to, of either kind (TBL-03). */
#include <dma.h>

#include "routines/routines.h"

static const DMA_OPERATIONS operations = {
    .Size = sizeof(DMA_OPERATIONS), /* TBL-01 */
    .PutDmaAdapter = dma_put_adapter,
    .AllocateCommonBuffer = dma_allocate_common_buffer,
    .FreeCommonBuffer = dma_free_common_buffer,
    .AllocateAdapterChannel = dma_allocate_adapter_channel,
    .FlushAdapterBuffers = dma_flush_adapter_buffers,
    .FreeAdapterChannel = dma_free_adapter_channel,
    .FreeMapRegisters = dma_free_map_registers,
    .MapTransfer = dma_map_transfer,
    .GetDmaAlignment = dma_get_dma_alignment,
    .ReadDmaCounter = dma_read_dma_counter,
    .GetScatterGatherList = dma_get_scatter_gather_list,
    .PutScatterGatherList = dma_put_scatter_gather_list,
    .CalculateScatterGatherList = dma_calculate_scatter_gather_list,
    .BuildScatterGatherList = dma_build_scatter_gather_list,
    .BuildMdlFromScatterGatherList = dma_build_mdl_from_scatter_gather_list,
    .GetDmaAdapterInfo = dma_get_adapter_info,
    .GetDmaTransferInfo = dma_get_transfer_info,
    .InitializeDmaTransferContext = dma_initialize_transfer_context,
    .AllocateCommonBufferEx = dma_allocate_common_buffer_ex,
    .AllocateAdapterChannelEx = dma_allocate_adapter_channel_ex,
    .ConfigureAdapterChannel = dma_configure_adapter_channel,
    .CancelAdapterChannel = dma_cancel_adapter_channel,
    .MapTransferEx = dma_map_transfer_ex,
    .GetScatterGatherListEx = dma_get_scatter_gather_list_ex,
    .BuildScatterGatherListEx = dma_build_scatter_gather_list_ex,
    .FlushAdapterBuffersEx = dma_flush_adapter_buffers_ex,
    .FreeAdapterObject = dma_free_adapter_object,
    .CancelMappedTransfer = dma_cancel_mapped_transfer,
};

PDMA_OPERATIONS dma_operations_table(void)
{
    return (PDMA_OPERATIONS)(uintptr_t)&operations; /* TBL-07: the driver does not write it */
}
