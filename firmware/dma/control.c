/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests may see and set.
 */
#include "dma/layer.h"

#include "dma/map_registers.h"

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

/* ---- counters ---- */

static void count_request(struct dma_counters *counters, const struct request *request)
{
    counters->requests++;
    counters->waiting_for_registers += request->state == REQUEST_WAITS_REGISTERS;
    counters->lists += request->list != NULL && request->state >= REQUEST_GRANTED;
    for (const struct mapping *mapping = request->mappings; mapping != NULL; mapping = mapping->next) {
        counters->mappings += mapping->state != MAPPING_PLANNED;
    }
}

struct dma_counters dma_count(void)
{
    struct dma_counters counters = {
        .free_map_registers = map_registers_free(),
        .free_low_map_registers = map_registers_free_low(),
        .adapters = adapters_count(),
        .common_buffers = common_buffers_live(),
    };

    for (const struct request *request = request_first(); request != NULL; request = request->next_live) {
        count_request(&counters, request);
    }
    return counters;
}

static void describe(const struct channel *channel, struct dma_channel_state *state)
{
    *state = (struct dma_channel_state){0};
    if (channel->owner != NULL) {
        state->owner = &channel->owner->adapter->public;
        state->handle = channel->owner->handle;
    }
    for (const struct request *request = channel->waiting; request != NULL; request = request->next) {
        state->waiting++;
    }
}

bool dma_channel_by_number(uint32_t number, struct dma_channel_state *state)
{
    const struct channel *channel = controller_channel(number);

    if (channel != NULL) {
        describe(channel, state);
    }
    return channel != NULL;
}

bool dma_channel_by_adapter(PDMA_ADAPTER candidate, struct dma_channel_state *state)
{
    const struct adapter *adapter = adapter_find(candidate);

    if (adapter != NULL) {
        describe(adapter->channel, state);
    }
    return adapter != NULL;
}
