/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CalculateScatterGatherList: how large a list is, and how many registers it takes.
 */
#include "hal/memory.h"
#include "layer/adapter.h"
#include "layer/mdl.h"
#include "layer/needs.h"
#include "layer/routine_frame.h"
#include "layer/violation.h"
#include "routines/routines.h"

static NTSTATUS count_list(const struct adapter *adapter, const MDL *mdl, const void *current, ULONG length,
                           DMA_TRANSFER_INFO_V1 *needs)
{
    struct mapping_range range = {.chain = mdl, .length = length};

    if (adapter == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (length == 0) {
        return refuse(STATUS_INVALID_PARAMETER, "Length is 0", 0, 0);
    }
    if (mdl == NULL) {
        adapter_count_worst(adapter, (uintptr_t)current, length, needs);
        return STATUS_SUCCESS;
    }
    if (!mdl_find_address(mdl, current, &range.chain_offset)) {
        return refuse(STATUS_INVALID_PARAMETER, "CurrentVa {0:#x} is outside the MDL {1:#x}",
                      (uintptr_t)current, (uintptr_t)mdl);
    }
    switch (mdl_check_range(mdl, range.chain_offset, length)) {
    case MDL_RANGE_INSIDE:
        adapter_count_needs(adapter, &range, false, needs);
        return STATUS_SUCCESS;
    case MDL_RANGE_TOO_LONG:
        return refuse(STATUS_BUFFER_TOO_SMALL, "the MDL {0:#x} is shorter than Length ({1})", /* CSL-03 */
                      (uintptr_t)mdl, length);
    default:
        return refuse(STATUS_INVALID_PARAMETER,
                      "the MDL {0:#x} is none, or was not built: MmBuildMdlForNonPagedPool", (uintptr_t)mdl, 0);
    }
}

static bool may_be_written(PULONG number)
{
    return (uintptr_t)number % sizeof(ULONG) == 0 && memory_is_ram((uintptr_t)number, sizeof(ULONG));
}

static NTSTATUS calculate(const struct adapter *adapter, const MDL *mdl, const void *current, ULONG length,
                          PULONG size, PULONG registers)
{
    DMA_TRANSFER_INFO_V1 needs;

    if (!may_be_written(size) || (registers != NULL && !may_be_written(registers))) {
        return refuse(
            STATUS_INVALID_PARAMETER,
            "ScatterGatherListSize ({0:#x}) or NumberOfMapRegisters ({1:#x}) is no address of a ULONG",
            (uintptr_t)size, (uintptr_t)registers);
    }
    NTSTATUS status = count_list(adapter, mdl, current, length, &needs);

    if (NT_SUCCESS(status) && needs.MapRegisterCount > adapter->register_maximum) {
        status = refuse(STATUS_INSUFFICIENT_RESOURCES, "{0} map registers are needed, the adapter may have {1}",
                        needs.MapRegisterCount, adapter->register_maximum); /* CSL-03 */
    }
    if (NT_SUCCESS(status)) {
        *size = needs.ScatterGatherListSize;
        if (registers != NULL) {
            *registers = needs.MapRegisterCount;
        }
    }
    return status;
}

NTSTATUS dma_calculate_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                           PULONG ScatterGatherListSize, PULONG NumberOfMapRegisters)
{
    /* CSL-07: any level is allowed */
    struct routine_call call =
        routine_enter(OPLOG_CalculateScatterGatherList, DmaAdapter, PASSIVE_LEVEL, (KIRQL)-1);

    routine_arguments((uintptr_t)Mdl, (uintptr_t)CurrentVa, Length, (uintptr_t)ScatterGatherListSize,
                      (uintptr_t)NumberOfMapRegisters);
    NTSTATUS status = calculate(adapter_find(DmaAdapter), Mdl, CurrentVa, Length, ScatterGatherListSize,
                                NumberOfMapRegisters);

    routine_leave(call, status, Length, 0);
    return status;
}
DMA_ROUTINE_NAME(CalculateScatterGatherList, dma_calculate_scatter_gather_list);
