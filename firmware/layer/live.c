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

void live_tell_others(dma_tell *tell, void *context)
{
    for (const struct live_source *source = sources; source != NULL; source = source->next) {
        source->tell_each(tell, context);
    }
}
