/* SPDX-License-Identifier: Apache-2.0 */
/* What is told when somebody asks what lives: objects of the layer and, beside them, of others. */
#ifndef LAYER_LIVE_H
#define LAYER_LIVE_H

#include <dma.h>

#include "layer/routine_frame.h"

/* An object that has no channel, and waits for nothing. */
struct dma_live live_of(const char *kind, uintptr_t object, const struct routine_place *maker);

/* A kind of objects that is added; static, and added once. */
struct live_source {
    void (*tell_each)(dma_tell *tell, void *context);
    struct live_source *next;
    bool added;
};

/* Let the objects of a source be told from now on; again: nothing changes. */
void live_add(struct live_source *source);

void live_tell_others(dma_tell *tell, void *context);

#endif
