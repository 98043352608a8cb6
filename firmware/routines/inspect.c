/* SPDX-License-Identifier: Apache-2.0 */
/* What tests see of the layer: the counters, live objects and channel states of dma.h. */
#include <dma.h>

#include "layer/adapter.h"
#include "layer/controller.h"
#include "layer/live.h"
#include "layer/map_registers.h"
#include "layer/mdl.h"
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
        .common_buffers = common_buffers_live(),
    };

    for (const struct adapter *adapter = adapter_next_live(NULL); adapter;
         adapter = adapter_next_live(adapter)) {
        counters.adapters++;
    }
    for (const struct request *request = request_first(); request != NULL; request = request->next_live) {
        count_request(&counters, request);
    }
    return counters;
}

static const char *kind_of(const struct request *request)
{
    if (request->state < REQUEST_GRANTED) {
        return "request";
    }
    if (request->list != NULL) {
        return "list";
    }
    return request->has_channel ? "channel" : "map_registers";
}

/* The number of a request's channel, counted through all controllers. */
static uint32_t channel_number(const struct request *request)
{
    for (uint32_t number = 0; controller_channel(number) != NULL; number++) {
        if (controller_channel(number) == request->adapter->channel) {
            return number;
        }
    }
    return DMA_NO_CHANNEL;
}

/* The mapping of a list is a part of it. */
static void tell_request(const struct request *request, dma_tell *tell, void *context)
{
    struct dma_live live = live_of(kind_of(request), (uintptr_t)request->handle, &request->maker);

    live.channel = channel_number(request);
    live.registers = request->register_count;
    if (request->state == REQUEST_WAITS_CHANNEL) {
        live.waits = DMA_WAITS_FOR_CHANNEL;
    } else if (request->state == REQUEST_WAITS_REGISTERS) {
        live.waits = DMA_WAITS_FOR_REGISTERS;
    }
    tell(&live, context);
    for (const struct mapping *mapping = request->mappings; mapping != NULL; mapping = mapping->next) {
        if (request->list == NULL && mapping->state != MAPPING_PLANNED) {
            live = live_of("mapping", (uintptr_t)request->handle, &mapping->maker);
            live.channel = channel_number(request);
            live.line = request->adapter->request_line;
            if (mapping->state == MAPPING_RUNNING && !request->adapter->master) {
                live.waits = DMA_WAITS_FOR_DEVICE;
            }
            tell(&live, context);
        }
    }
}

void dma_each_live(dma_tell *tell, void *context)
{
    for (const struct adapter *adapter = adapter_next_live(NULL); adapter;
         adapter = adapter_next_live(adapter)) {
        struct dma_live live = live_of("adapter", (uintptr_t)adapter, &adapter->maker);

        tell(&live, context);
    }
    for (const struct request *request = request_first(); request != NULL; request = request->next_live) {
        tell_request(request, tell, context);
    }
    common_buffers_each_live(tell, context);
    mdls_each_live(tell, context);
    live_tell_others(tell, context);
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
