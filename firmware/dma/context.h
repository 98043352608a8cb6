/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layer writes into a driver's transfer context: a seal that random memory does not have,
 * and what became of it. Whether a context has a live request is *not* in it but in the table of
 * requests, which a driver cannot overwrite (ITC-08).
 */
#ifndef DMA_CONTEXT_H
#define DMA_CONTEXT_H

enum context_state {
    CONTEXT_RAW, /* never initialised, or not a context at all */
    CONTEXT_IDLE,
    CONTEXT_PRECANCELLED, /* until it is initialised again (CAC-12) */
    CONTEXT_USED,         /* by a request, which may live or be Finished */
};

/* Any pointer. */
enum context_state context_state(const void *context);

/* The context is not Raw. */
void context_set(void *context, enum context_state state);

#endif
