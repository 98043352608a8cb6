/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/live.h"

static struct live_source *sources;

void live_add(struct live_source *source)
{
    if (!source->added) {
        source->added = true;
        source->next = sources;
        sources = source;
    }
}

struct dma_live live_of(const char *kind, uintptr_t object, const struct routine_place *maker)
{
    return (struct dma_live){.kind = kind,
                             .object = object,
                             .maker = maker->id,
                             .caller = maker->caller,
                             .command = maker->command,
                             .channel = DMA_NO_CHANNEL};
}

void live_tell_others(dma_tell *tell, void *context)
{
    for (const struct live_source *source = sources; source != NULL; source = source->next) {
        source->tell_each(tell, context);
    }
}
