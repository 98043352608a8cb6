/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a version-3 adapter. Members that are not built yet exist all the same (TBL-03) and
 * say so: STATUS_NOT_IMPLEMENTED, or NULL, FALSE, 0 or nothing by type.
 */
#include "dma/layer.h"

/* The members that are not built look at none of their parameters. */
#pragma clang diagnostic ignored "-Wunused-parameter"

static BOOLEAN no_FlushAdapterBuffers(PDMA_ADAPTER adapter, PMDL mdl, PVOID base, PVOID va, ULONG length,
                                      BOOLEAN write)
{
    return FALSE;
}

static PHYSICAL_ADDRESS no_MapTransfer(PDMA_ADAPTER adapter, PMDL mdl, PVOID base, PVOID va, PULONG length,
                                       BOOLEAN write)
{
    return (PHYSICAL_ADDRESS){.QuadPart = 0};
}

static NTSTATUS no_GetScatterGatherList(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PMDL mdl, PVOID va,
                                        ULONG length, PDRIVER_LIST_CONTROL routine, PVOID context,
                                        BOOLEAN write)
{
    return STATUS_NOT_IMPLEMENTED;
}

static VOID no_PutScatterGatherList(PDMA_ADAPTER adapter, PSCATTER_GATHER_LIST list, BOOLEAN write)
{
}

static NTSTATUS no_CalculateScatterGatherList(PDMA_ADAPTER adapter, PMDL mdl, PVOID va, ULONG length,
                                              PULONG size, PULONG registers)
{
    return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS no_BuildScatterGatherList(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PMDL mdl, PVOID va,
                                          ULONG length, PDRIVER_LIST_CONTROL routine, PVOID context,
                                          BOOLEAN write, PVOID buffer, ULONG buffer_length)
{
    return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS no_BuildMdlFromScatterGatherList(PDMA_ADAPTER adapter, PSCATTER_GATHER_LIST list, PMDL original,
                                                 PMDL *target)
{
    return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS no_GetScatterGatherListEx(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context, PMDL mdl,
                                          ULONGLONG offset, ULONG length, ULONG flags,
                                          PDRIVER_LIST_CONTROL routine, PVOID routine_context, BOOLEAN write,
                                          PDMA_COMPLETION_ROUTINE completion, PVOID completion_context,
                                          PSCATTER_GATHER_LIST *list)
{
    return STATUS_NOT_IMPLEMENTED;
}

static NTSTATUS no_BuildScatterGatherListEx(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context,
                                            PMDL mdl, ULONGLONG offset, ULONG length, ULONG flags,
                                            PDRIVER_LIST_CONTROL routine, PVOID routine_context, BOOLEAN write,
                                            PVOID buffer, ULONG buffer_length,
                                            PDMA_COMPLETION_ROUTINE completion, PVOID completion_context,
                                            PVOID list)
{
    return STATUS_NOT_IMPLEMENTED;
}

VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation)
{
}

static const DMA_OPERATIONS operations = {
    .Size = sizeof(DMA_OPERATIONS), /* TBL-01 */
    .PutDmaAdapter = dma_put_adapter,
    .AllocateCommonBuffer = dma_allocate_common_buffer,
    .FreeCommonBuffer = dma_free_common_buffer,
    .AllocateAdapterChannel = dma_allocate_adapter_channel,
    .FlushAdapterBuffers = no_FlushAdapterBuffers,
    .FreeAdapterChannel = dma_free_adapter_channel,
    .FreeMapRegisters = dma_free_map_registers,
    .MapTransfer = no_MapTransfer,
    .GetDmaAlignment = dma_get_dma_alignment,
    .ReadDmaCounter = dma_read_dma_counter,
    .GetScatterGatherList = no_GetScatterGatherList,
    .PutScatterGatherList = no_PutScatterGatherList,
    .CalculateScatterGatherList = no_CalculateScatterGatherList,
    .BuildScatterGatherList = no_BuildScatterGatherList,
    .BuildMdlFromScatterGatherList = no_BuildMdlFromScatterGatherList,
    .GetDmaAdapterInfo = dma_get_adapter_info,
    .GetDmaTransferInfo = dma_get_transfer_info,
    .InitializeDmaTransferContext = dma_initialize_transfer_context,
    .AllocateCommonBufferEx = dma_allocate_common_buffer_ex,
    .AllocateAdapterChannelEx = dma_allocate_adapter_channel_ex,
    .ConfigureAdapterChannel = dma_configure_adapter_channel,
    .CancelAdapterChannel = dma_cancel_adapter_channel,
    .MapTransferEx = dma_map_transfer_ex,
    .GetScatterGatherListEx = no_GetScatterGatherListEx,
    .BuildScatterGatherListEx = no_BuildScatterGatherListEx,
    .FlushAdapterBuffersEx = dma_flush_adapter_buffers_ex,
    .FreeAdapterObject = dma_free_adapter_object,
    .CancelMappedTransfer = dma_cancel_mapped_transfer,
};

PDMA_OPERATIONS dma_operations_table(void)
{
    return (PDMA_OPERATIONS)(uintptr_t)&operations; /* TBL-07: the driver does not write it */
}
