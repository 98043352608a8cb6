/* SPDX-License-Identifier: Apache-2.0 */
/* What a test may see of the layer, and set. */
#include "rpc/routine.h"

/* ---- counters, OP-6 ---- */

static const char *run_counters(struct rpc_call *call)
{
    struct dma_counters counters = dma_count();

    frame_append_pair(call->reply, "free_map_registers", counters.free_map_registers);
    frame_append_pair(call->reply, "free_low_map_registers", counters.free_low_map_registers);
    frame_append_pair(call->reply, "adapters", counters.adapters);
    frame_append_pair(call->reply, "requests", counters.requests);
    frame_append_pair(call->reply, "waiting_for_registers", counters.waiting_for_registers);
    frame_append_pair(call->reply, "mappings", counters.mappings);
    frame_append_pair(call->reply, "lists", counters.lists);
    frame_append_pair(call->reply, "common_buffers", counters.common_buffers);
    return NULL;
}
RPC_COMMAND(counters, "", 0, 0, run_counters);

enum { NOTICES_MAX = 64 };

struct live_notices {
    const struct rpc_call *call;
    uint32_t count;
};

static void notice_live(const struct dma_live *live, void *context)
{
    struct live_notices *notices = context;
    struct frame_text notice = {.size = 0};

    if (notices->count++ < NOTICES_MAX) {
        frame_append(&notice, "!0 live kind=");
        frame_append(&notice, live->kind);
        frame_append_pair(&notice, "object", live->object);
        frame_append_pair(&notice, "maker", live->maker);
        frame_append_pair(&notice, "caller", live->caller);
        frame_append_pair(&notice, "command", live->command);
        frame_append_pair(&notice, "waits", live->waits);
        frame_append_pair(&notice, "channel", live->channel);
        frame_append_pair(&notice, "registers", live->registers);
        frame_append_pair(&notice, "line", live->line);
        rpc_notice(notices->call, &notice);
    }
}

static const char *run_live(struct rpc_call *call)
{
    struct live_notices notices = {.call = call};

    dma_each_live(notice_live, &notices);
    frame_append_pair(call->reply, "count", notices.count);
    return NULL;
}
RPC_COMMAND(live, "", 0, 0, run_live);

static const char *reply_channel(struct rpc_call *call, const struct dma_channel_state *state)
{
    frame_append_pair(call->reply, "owner", (uintptr_t)state->owner);
    frame_append_pair(call->reply, "handle", (uintptr_t)state->handle);
    frame_append_pair(call->reply, "waiting", state->waiting);
    return NULL;
}

static const char *run_channel(struct rpc_call *call)
{
    struct dma_channel_state state;

    if (call->argument[0] > UINT32_MAX || !dma_channel_by_number(ulong(call, 0), &state)) {
        return "ARGUMENT there is no channel of that number";
    }
    return reply_channel(call, &state);
}
RPC_COMMAND(channel, "number", 1, 1, run_channel);

static const char *run_channel_of(struct rpc_call *call)
{
    struct dma_channel_state state;

    if (!dma_channel_by_adapter(pointer(call, 0), &state)) {
        return "ARGUMENT it is no adapter";
    }
    return reply_channel(call, &state);
}
RPC_COMMAND(channel_of, "DmaAdapter", 1, 1, run_channel_of);

/* ---- limits and modes, CT-1, CT-4, CT-5 ---- */

static const char *run_limits(struct rpc_call *call)
{
    struct dma_limits limits = {ulong(call, 0), ulong(call, 1), ulong(call, 2)};

    if (!dma_set_limits(limits)) {
        return "ARGUMENT out of range, or map registers are in use";
    }
    return NULL;
}
RPC_COMMAND(limits, "map_registers registers_per_request list_elements", 3, 3, run_limits);

static const char *run_checked(struct rpc_call *call)
{
    dma_set_checked(call->argument[0] != 0);
    return NULL;
}
RPC_COMMAND(checked, "on", 1, 1, run_checked);
