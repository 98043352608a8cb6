/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation log: tells the identification page which routine runs and what it maps, so that the cache
 * model knows whose maintenance it sees. Each record enters the event ring in the order of the calls.
 *
 * Numbers are part of the contract with the extension: the members of DMA_OPERATIONS have their
 * position in the table (TBL-06), routines outside it start at 64, callbacks at 80, back-end
 * entries at 96. The harness takes the names from the debug information of this enum.
 */
#ifndef HAL_OPLOG_H
#define HAL_OPLOG_H

#include <stdbool.h>
#include <stdint.h>

enum oplog_id {
    OPLOG_PutDmaAdapter = 1,
    OPLOG_AllocateCommonBuffer,
    OPLOG_FreeCommonBuffer,
    OPLOG_AllocateAdapterChannel,
    OPLOG_FlushAdapterBuffers,
    OPLOG_FreeAdapterChannel,
    OPLOG_FreeMapRegisters,
    OPLOG_MapTransfer,
    OPLOG_GetDmaAlignment,
    OPLOG_ReadDmaCounter,
    OPLOG_GetScatterGatherList,
    OPLOG_PutScatterGatherList,
    OPLOG_CalculateScatterGatherList,
    OPLOG_BuildScatterGatherList,
    OPLOG_BuildMdlFromScatterGatherList,
    OPLOG_GetDmaAdapterInfo,
    OPLOG_GetDmaTransferInfo,
    OPLOG_InitializeDmaTransferContext,
    OPLOG_AllocateCommonBufferEx,
    OPLOG_AllocateAdapterChannelEx,
    OPLOG_ConfigureAdapterChannel,
    OPLOG_CancelAdapterChannel,
    OPLOG_MapTransferEx,
    OPLOG_GetScatterGatherListEx,
    OPLOG_BuildScatterGatherListEx,
    OPLOG_FlushAdapterBuffersEx,
    OPLOG_FreeAdapterObject,
    OPLOG_CancelMappedTransfer,

    OPLOG_IoGetDmaAdapter = 64,
    OPLOG_KeFlushIoBuffers,

    OPLOG_AdapterControl = 80,
    OPLOG_AdapterListControl,
    OPLOG_DmaCompletionRoutine,

    OPLOG_InitializeController = 96,
    OPLOG_ValidateRequestLineBinding,
    OPLOG_QueryMaxFragments,
    OPLOG_ProgramChannel,
    OPLOG_ConfigureChannel,
    OPLOG_FlushChannel,
    OPLOG_HandleInterrupt,
    OPLOG_BackendReadDmaCounter,
    OPLOG_ReportCommonBuffer,
    OPLOG_CancelTransfer,
};

/* What a range record says about the memory. */
enum oplog_range {
    OPLOG_RANGE_MAPPED,  /* the device will access it directly; maintenance of it is owed */
    OPLOG_RANGE_BOUNCED, /* the caller's memory that a bounce page stands in for */
};

/* Entry of a routine, a callback or a back-end entry. Records nest; each entry has one exit. */
void oplog_enter(enum oplog_id id, const void *adapter);

/* Exit. status: the routine's NTSTATUS or other result, 0 if it has none. bytes, elements: what
 * was mapped or flushed, 0 where that says nothing. */
void oplog_exit(enum oplog_id id, const void *adapter, uint32_t status, uint32_t bytes, uint32_t elements);

/* One physically contiguous piece of the mapping `handle`, recorded before its maintenance starts; `device`
 * is where the device sees it. The mapping lives until oplog_unmapped(). */
void oplog_range(enum oplog_range kind, const void *handle, uint64_t physical, uint64_t device, uint32_t length,
                 bool write);
void oplog_unmapped(const void *handle);

/* A caller's mistake: a code of docs/interface.md, table 1. */
void oplog_violation(uint32_t code, uint64_t p2, uint64_t p3);

#endif
