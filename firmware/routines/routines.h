/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of DMA_OPERATIONS, which operations.c puts into the table. wdm_dma.h says what each does. A
 * routine checks its arguments, and the layer does the rest.
 */
#ifndef ROUTINES_ROUTINES_H
#define ROUTINES_ROUTINES_H

#include <wdm_dma.h>

#include "hal/memory.h"

/* Give a routine its name in the interface as well, for a debugger (break MapTransferEx). No file can link with
 * that name: a driver reaches the routines through the table only, and may have a function of that name
 * (GEN-01). */
#define DMA_ROUTINE_NAME(routine, function)                                                                    \
    static __typeof__(function) routine __attribute__((used, alias(#function)))

VOID dma_put_adapter(PDMA_ADAPTER DmaAdapter);
PVOID dma_allocate_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress,
                                 BOOLEAN CacheEnabled);
VOID dma_free_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress,
                            PVOID VirtualAddress, BOOLEAN CacheEnabled);
PVOID dma_allocate_common_buffer_ex(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                    PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled,
                                    ULONG PreferredNode);
NTSTATUS dma_get_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                               BOOLEAN WriteOnly, PDMA_TRANSFER_INFO TransferInfo);
NTSTATUS dma_initialize_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
NTSTATUS dma_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                         PVOID DmaTransferContext, ULONG NumberOfMapRegisters, ULONG Flags,
                                         PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase);
NTSTATUS dma_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                      ULONG NumberOfMapRegisters, PDRIVER_CONTROL ExecutionRoutine,
                                      PVOID Context);
VOID dma_free_adapter_channel(PDMA_ADAPTER DmaAdapter);
VOID dma_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction);
VOID dma_free_map_registers(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters);
NTSTATUS dma_configure_adapter_channel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context);
BOOLEAN dma_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                   PVOID DmaTransferContext);
NTSTATUS dma_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
ULONG dma_get_dma_alignment(PDMA_ADAPTER DmaAdapter);
ULONG dma_read_dma_counter(PDMA_ADAPTER DmaAdapter);
NTSTATUS dma_get_adapter_info(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo);
NTSTATUS dma_calculate_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                           PULONG ScatterGatherListSize, PULONG NumberOfMapRegisters);
NTSTATUS dma_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                     PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                     PVOID Context, BOOLEAN WriteToDevice);
NTSTATUS dma_build_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl,
                                       PVOID CurrentVa, ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                       PVOID Context, BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                       ULONG ScatterGatherLength);
NTSTATUS dma_get_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                        PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                        ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                        BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                        PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList);
NTSTATUS dma_build_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject,
                                          PVOID DmaTransferContext, PMDL Mdl, ULONGLONG Offset, ULONG Length,
                                          ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                          BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                          ULONG ScatterGatherLength,
                                          PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext,
                                          PVOID ScatterGatherList);
VOID dma_put_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                 BOOLEAN WriteToDevice);
NTSTATUS dma_build_mdl_from_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                                                PMDL OriginalMdl, PMDL *TargetMdl);
PHYSICAL_ADDRESS dma_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                  PULONG Length, BOOLEAN WriteToDevice);
BOOLEAN dma_flush_adapter_buffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa,
                                  ULONG Length, BOOLEAN WriteToDevice);
NTSTATUS dma_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset,
                             ULONG DeviceOffset, PULONG Length, BOOLEAN WriteToDevice,
                             PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext);
NTSTATUS dma_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase,
                                      ULONGLONG Offset, ULONG Length, BOOLEAN WriteToDevice);

/* What a Length by reference says, for the operation log; 0 where it is no address. */
static inline ULONG length_at(const ULONG *length)
{
    return memory_is_ram((uintptr_t)length, sizeof *length) ? *length : 0;
}

#endif
