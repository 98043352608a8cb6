/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layer writes into a driver's transfer context: a seal that random memory does not
 * have, and whether the context is fresh. Whether a context has a live request is *not* in it but in
 * the table of requests, which a driver cannot overwrite (ITC-08).
 */
#ifndef DMA_CONTEXT_H
#define DMA_CONTEXT_H

#include <stdbool.h>

/* Aligned, and mapped: may be written (ITC-03, ITC-04). */
bool context_is_usable(const void *context);

void context_make_idle(void *context);

/* Initialised, and not used by a request since. */
bool context_is_idle(const void *context);

/* From here on it must be initialised again before the next request. */
void context_mark_used(void *context);

#endif
