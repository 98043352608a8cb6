/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layer writes into a driver's transfer context: a seal that random memory does not have, and
 * the state that follows from the calls so far. Whether a context has a live request is not stored in it
 * but in the table of requests, which a driver cannot overwrite (ITC-08).
 */
#ifndef LAYER_CONTEXT_H
#define LAYER_CONTEXT_H

#include <stdbool.h>

enum context_state {
    CONTEXT_RAW, /* never initialised, or not a context at all */
    CONTEXT_IDLE,
    CONTEXT_PRECANCELLED, /* until it is initialised again (CAC-12) */
    CONTEXT_USED,         /* by a request, which may live or be Finished */
};

/* May the pointer be followed as a context: is it aligned, and is there memory (ITC-03, ITC-04)? */
bool context_is_usable(const void *context);

/* Seal the context and make it Idle; it must be usable. */
void context_initialize(void *context);

/* The state of a context. Accepts any pointer: what is no sealed context is Raw. */
enum context_state context_state(const void *context);

/* Set the state of a context that is not Raw. */
void context_set(void *context, enum context_state state);

#endif
