/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CalculateScatterGatherList: how large a list is, and how many registers it takes.
 */
#include "dma/layer.h"

#include "dma/mdl.h"
#include "hal/memory.h"

/* Partial cache lines at the ends of a read. */
static uint32_t count_edges(const struct adapter *adapter, uintptr_t start, uint32_t length)
{
    uint32_t line = adapter_line(adapter, false);

    return line == 0 ? 0 : (start % line != 0 ? 1u : 0) + ((start + length) % line != 0 ? 1u : 0);
}

/* CSL-02: any memory at that offset in the page; every page an element, and bounced. Where units straddle
 * the page breaks, each break is an element more, and takes two registers. */
static void count_worst(const struct adapter *adapter, uintptr_t start, uint32_t length,
                        DMA_TRANSFER_INFO_V1 *needs)
{
    uint32_t pages = plan_pages(start, length) * (start % adapter->unit == 0 ? 1 : 2);
    uint32_t edges = count_edges(adapter, start, length);

    needs->MapRegisterCount = pages > edges ? pages : edges; /* CSL-04 */
    needs->ScatterGatherElementCount = adapter->one_element ? 1 : pages + edges;
    needs->ScatterGatherListSize = (ULONG)(sizeof(SCATTER_GATHER_LIST) +
                                           needs->ScatterGatherElementCount * sizeof(SCATTER_GATHER_ELEMENT));
}

static NTSTATUS count_list(const struct adapter *adapter, const MDL *mdl, const void *current, ULONG length,
                           DMA_TRANSFER_INFO_V1 *needs)
{
    struct mapping_range range = {.chain = mdl, .length = length};

    if (adapter == NULL || length == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (mdl == NULL) {
        count_worst(adapter, (uintptr_t)current, length, needs);
        return STATUS_SUCCESS;
    }
    if (!mdl_find_address(mdl, current, &range.offset)) {
        return STATUS_INVALID_PARAMETER;
    }
    switch (mdl_check_range(mdl, range.offset, length)) {
    case MDL_RANGE_INSIDE:
        adapter_count_needs(adapter, &range, false, needs);
        return STATUS_SUCCESS;
    case MDL_RANGE_TOO_LONG:
        return STATUS_BUFFER_TOO_SMALL; /* CSL-03 */
    default:
        return STATUS_INVALID_PARAMETER;
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
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = count_list(adapter, mdl, current, length, &needs);

    if (NT_SUCCESS(status) && needs.MapRegisterCount > adapter->register_maximum) {
        status = STATUS_INSUFFICIENT_RESOURCES; /* CSL-03 */
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
    /* CSL-07: at any level */
    struct layer_call call =
        layer_enter(TRACE_CalculateScatterGatherList, DmaAdapter, PASSIVE_LEVEL, (KIRQL)-1);
    NTSTATUS status = calculate(adapter_find(DmaAdapter), Mdl, CurrentVa, Length, ScatterGatherListSize,
                                NumberOfMapRegisters);

    layer_leave(call, status, Length, 0);
    return status;
}
DMA_ROUTINE_NAME(CalculateScatterGatherList, dma_calculate_scatter_gather_list);
