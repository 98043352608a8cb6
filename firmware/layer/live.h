/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of others, beside those of the layer, that are told when somebody asks what lives. */
#ifndef LAYER_LIVE_H
#define LAYER_LIVE_H

#include <dma.h>

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
