/* SPDX-License-Identifier: Apache-2.0 */
/* Bounced fragments: where the device sees them, and the copies between them and the caller's memory. */
#ifndef DMA_BOUNCE_H
#define DMA_BOUNCE_H

#include "dma/plan.h"

/* `first` is the first map register of the request; the plan has chosen the place (MR-08, MR-09). */
uint64_t bounce_logical(const struct plan_fragment *fragment, uint32_t first);

/* Before a write is started, MR-10. */
void bounce_copy_to_device(const struct plan_fragment *fragment, uint32_t first);

/* Before a read whose count will not be known, MR-13: what the device does not fill reads as zero. */
void bounce_clear(const struct plan_fragment *fragment, uint32_t first);

/* Up to 64 bytes on either side of a bounced element of `length` bytes, in the pages that it uses. */
void bounce_set_guard(const struct plan_fragment *start, uint32_t first, uint32_t length);
bool bounce_is_guard_intact(const struct plan_fragment *start, uint32_t first, uint32_t length);

/* After a read: exactly the first `length` bytes, MR-12. */
void bounce_copy_from_device(const struct plan_fragment *fragment, uint32_t first, uint32_t length);

#endif
