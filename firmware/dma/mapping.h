/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a mapping, for what handles its data. */
#ifndef DMA_MAPPING_H
#define DMA_MAPPING_H

#include "dma/layer.h"

/* Out of its request and back to the table, whatever its state. */
void mapping_release(struct mapping *mapping);

/* Is it still the chain that was planned? If not, a walk would lead anywhere. */
bool mapping_is_chain_unchanged(const struct mapping *mapping);

/* The fragments of what is mapped, in chain order. */
struct mapping_walk {
    struct plan plan;
    uint32_t left;
};

struct mapping_walk mapping_walk_of(const struct mapping *mapping);
bool mapping_walk_next(struct mapping_walk *walk, struct plan_fragment *fragment);

/* ---- shared.c: partial lines without a map register (CCH-12 b) ---- */

/* A number that changes when a byte beside the mapping in one of its lines does. */
uint64_t shared_sum(const struct mapping *mapping);

/* Violation 0x1F for each partial line: the driver's buffer should have been whole lines (CCH-11). */
void shared_report(const struct mapping *mapping);

/* Invalidate the lines of a direct fragment of a read; if the bytes beside it have changed, keep them. */
void shared_invalidate(const struct mapping *mapping, const struct plan_fragment *fragment, bool changed);

/* ---- handover.c: data and caches ---- */

/* Before the device: record the ranges, fill bounce pages, maintain the rest, barrier (MTX-40). */
void handover_to_device(const struct mapping *mapping);

/* After it: maintain, and deliver the first `keep` bytes of bounced data (FBX-10). */
void handover_from_device(const struct mapping *mapping, uint32_t keep);

#endif
