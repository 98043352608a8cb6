/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/needs.h"

#include "layer/adapter.h"

static void raise_to(ULONG *value, ULONG least)
{
    if (*value < least) {
        *value = least;
    }
}

static ULONG list_bytes(ULONG elements)
{
    return (ULONG)(sizeof(SCATTER_GATHER_LIST) + elements * sizeof(SCATTER_GATHER_ELEMENT));
}

/* Raise *needs to what one direction needs (GTI-07, GTI-08). */
static void count_direction(const struct adapter *adapter, struct plan_range range, bool write,
                            DMA_TRANSFER_INFO_V1 *needs)
{
    struct plan plan;
    struct plan_fragment fragment;
    ULONG elements = 0;

    range.line = adapter_line(adapter, write);
    plan_begin(&plan, &range);
    while (plan_next(&plan, &fragment)) {
        elements += fragment.continues ? 0 : 1;
    }
    raise_to(&needs->MapRegisterCount, plan.registers_used);
    raise_to(&needs->ScatterGatherElementCount, elements);
}

void adapter_count_needs(const struct adapter *adapter, const struct mapping_range *range, bool write_only,
                         DMA_TRANSFER_INFO_V1 *needs)
{
    const struct plan_range plan_range = {
        .chain = range->chain,
        .chain_offset = range->chain_offset,
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
    needs->ScatterGatherListSize = list_bytes(needs->ScatterGatherElementCount);
}

/* How many partial cache lines a read has at its ends. */
static uint32_t count_edges(const struct adapter *adapter, uintptr_t start, uint32_t length)
{
    uint32_t line = adapter_line(adapter, false);

    return line == 0 ? 0 : (start % line != 0 ? 1u : 0) + ((start + length) % line != 0 ? 1u : 0);
}

/* In the worst case every page is an element of its own and is bounced. Where units straddle the page breaks,
 * each break is one element more and takes two registers. */
void adapter_count_worst(const struct adapter *adapter, uintptr_t start, uint32_t length,
                         DMA_TRANSFER_INFO_V1 *needs)
{
    uint32_t pages = plan_pages(start, length) * (start % adapter->unit == 0 ? 1 : 2);
    uint32_t edges = count_edges(adapter, start, length);

    needs->MapRegisterCount = pages > edges ? pages : edges; /* CSL-04 */
    needs->ScatterGatherElementCount = adapter->one_element ? 1 : pages + edges;
    needs->ScatterGatherListSize = list_bytes(needs->ScatterGatherElementCount);
}
