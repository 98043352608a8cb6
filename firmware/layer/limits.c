/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/limits.h"

#include "layer/map_registers.h"
#include "layer/violation.h"

static struct dma_limits limits;

void limits_initialize(void)
{
    limits = (struct dma_limits){DMA_MAP_REGISTERS, DMA_MAP_REGISTERS, DMA_FRAGMENTS_MAX};
    violations_enable(true);
}

const struct dma_limits *limits_now(void)
{
    return &limits;
}

static bool is_within(uint32_t value, uint32_t least, uint32_t most)
{
    return value >= least && value <= most;
}

bool dma_set_limits(struct dma_limits wanted)
{
    /* IGA-08: two registers are the least */
    if (!is_within(wanted.registers_per_request, 2, DMA_MAP_REGISTERS) ||
        !is_within(wanted.list_elements, 1, DMA_FRAGMENTS_MAX) || !map_registers_limit(wanted.map_registers)) {
        return false;
    }
    limits = wanted;
    return true;
}

void dma_set_checked(bool checked)
{
    violations_enable(checked);
}
