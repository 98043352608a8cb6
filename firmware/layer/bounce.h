/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounced fragments: where the device sees them, and the copies between bounce pages and the caller's
 * memory. `first` is the first map register of the request; the plan has chosen the place (MR-08, MR-09).
 */
#ifndef LAYER_BOUNCE_H
#define LAYER_BOUNCE_H

#include "layer/plan.h"

/* The address of the fragment's bounce memory, as the device sees it. */
uint64_t bounce_logical(const struct plan_fragment *fragment, uint32_t first);

/* Copy the caller's bytes into the bounce memory, before a write is started (MR-10). */
void bounce_copy_to_device(const struct plan_fragment *fragment, uint32_t first);

/* Clear the bounce memory before a read whose count will not be known: bytes that the device does not write are
 * then delivered as zero (MR-13). */
void bounce_clear(const struct plan_fragment *fragment, uint32_t first);

/* Mark, and check, up to 64 guard bytes on either side of a bounced element of `length` bytes, in the pages
 * that it uses. */
void bounce_set_guard(const struct plan_fragment *start, uint32_t first, uint32_t length);
bool bounce_is_guard_intact(const struct plan_fragment *start, uint32_t first, uint32_t length);

/* Copy exactly the first `length` bytes to the caller after a read (MR-12). */
void bounce_copy_from_device(const struct plan_fragment *fragment, uint32_t first, uint32_t length);

#endif
