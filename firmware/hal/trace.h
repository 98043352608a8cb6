/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation log: tells the identification page what the code means, so that the cache model
 * knows whose maintenance it sees. Each record enters the event ring in the order of the calls.
 *
 * Numbers are part of the contract with the extension: the members of DMA_OPERATIONS have their
 * position in the table (TBL-06), routines outside it start at 64, callbacks at 80, back-end
 * entries at 96. The harness takes the names from the debug information of this enum.
 */
#ifndef HAL_TRACE_H
#define HAL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum trace_id {
    TRACE_PutDmaAdapter = 1,
    TRACE_AllocateCommonBuffer,
    TRACE_FreeCommonBuffer,
    TRACE_AllocateAdapterChannel,
    TRACE_FlushAdapterBuffers,
    TRACE_FreeAdapterChannel,
    TRACE_FreeMapRegisters,
    TRACE_MapTransfer,
    TRACE_GetDmaAlignment,
    TRACE_ReadDmaCounter,
    TRACE_GetScatterGatherList,
    TRACE_PutScatterGatherList,
    TRACE_CalculateScatterGatherList,
    TRACE_BuildScatterGatherList,
    TRACE_BuildMdlFromScatterGatherList,
    TRACE_GetDmaAdapterInfo,
    TRACE_GetDmaTransferInfo,
    TRACE_InitializeDmaTransferContext,
    TRACE_AllocateCommonBufferEx,
    TRACE_AllocateAdapterChannelEx,
    TRACE_ConfigureAdapterChannel,
    TRACE_CancelAdapterChannel,
    TRACE_MapTransferEx,
    TRACE_GetScatterGatherListEx,
    TRACE_BuildScatterGatherListEx,
    TRACE_FlushAdapterBuffersEx,
    TRACE_FreeAdapterObject,
    TRACE_CancelMappedTransfer,

    TRACE_IoGetDmaAdapter = 64,
    TRACE_KeFlushIoBuffers,

    TRACE_AdapterControl = 80,
    TRACE_AdapterListControl,
    TRACE_DmaCompletionRoutine,

    TRACE_InitializeController = 96,
    TRACE_ValidateRequestLineBinding,
    TRACE_QueryMaxFragments,
    TRACE_ProgramChannel,
    TRACE_ConfigureChannel,
    TRACE_FlushChannel,
    TRACE_HandleInterrupt,
    TRACE_BackendReadDmaCounter,
    TRACE_ReportCommonBuffer,
    TRACE_CancelTransfer,
};

/* What a range record says about the memory. */
enum trace_range {
    TRACE_RANGE_MAPPED,  /* the device will access it directly; maintenance of it is owed */
    TRACE_RANGE_BOUNCED, /* the caller's memory that a bounce page stands in for */
};

/* Entry of a routine, a callback or a back-end entry. Records nest; each entry has one exit. */
void trace_enter(enum trace_id id, const void *adapter);

/* Exit. status: the routine's NTSTATUS or other result, 0 if it has none. bytes, elements: what
 * was mapped or flushed, 0 where that says nothing. */
void trace_exit(enum trace_id id, const void *adapter, uint32_t status, uint32_t bytes, uint32_t elements);

/* One physically contiguous piece of the mapping `handle`, recorded before its maintenance starts; `device`
 * is where the device sees it. The mapping lives until trace_unmapped(). */
void trace_range(enum trace_range kind, const void *handle, uint64_t physical, uint64_t device, uint32_t length,
                 bool write);
void trace_unmapped(const void *handle);

/* A caller's mistake (docs/interface.md, table 1). */
void trace_violation(uint32_t code, uint64_t p2, uint64_t p3);

#endif
