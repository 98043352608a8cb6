/* SPDX-License-Identifier: Apache-2.0 */
/* What tests see of the layer: the counters and channel states of dma.h. */
#include <dma.h>

#include "layer/adapter.h"
#include "layer/controller.h"
#include "layer/map_registers.h"
#include "layer/request.h"
#include "routines/common_buffer.h"

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
