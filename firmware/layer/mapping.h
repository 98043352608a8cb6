/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings: the table of them, how one is planned, and the fragments that it is made of. Nothing here
 * touches the caller's data, a cache or a device.
 */
#ifndef LAYER_MAPPING_H
#define LAYER_MAPPING_H

#include "layer/objects.h"

/* A part of an MDL chain, and the direction. */
struct mapping_range {
    const MDL *chain;
    uint64_t chain_offset; /* bytes of the chain before the range */
    uint32_t length;
    bool write;
};

void mappings_initialize(void);

/* STATUS_INVALID_PARAMETER, and a violation, if the chain has no such bytes (MTX-01, MTX-02, MDL-08). */
NTSTATUS mapping_check_range(const struct mapping_range *range);

/* STATUS_INVALID_PARAMETER, and a violation, if the CPU has no memory where the MDLs of the range say so. It
 * matters only where data is bounced or caches are maintained (MDL-07). */
NTSTATUS mapping_check_memory(const struct mapping_range *range);

/* Make a new mapping of the request: the longest prefix of the range that all limits allow, in at most
 * `capacity` elements (MTX-26). The range must have passed mapping_check_range(). Nothing happens to memory.
 * STATUS_INSUFFICIENT_RESOURCES: not even a first piece fits, or there are too many mappings;
 * STATUS_INVALID_PARAMETER: the first piece is less than a unit (MTX-38), or mapping_check_memory() fails
 * where that matters. */
NTSTATUS mapping_plan(struct request *request, const struct mapping_range *range, uint32_t capacity,
                      struct mapping **mapping);

/* Take the mapping out of its request and give it back to the table, whatever its state. */
void mapping_release(struct mapping *mapping);

/* The first of all mappings, or NULL; the others follow by `next_live`, in no order. */
const struct mapping *mapping_first(void);

/* Is the chain still the one that was planned? If not, a walk would lead anywhere (GEN-12). */
bool mapping_is_chain_unchanged(const struct mapping *mapping);

/* Is any memory of the mapping cached? */
bool mapping_is_cached(const struct mapping *mapping);

/* A walk over the fragments of what is mapped, in chain order. mapping_walk_next() is false at the end. */
struct mapping_walk {
    struct plan plan;
    uint32_t left;
};

struct mapping_walk mapping_walk_of(const struct mapping *mapping);
bool mapping_walk_next(struct mapping_walk *walk, struct plan_fragment *fragment);

/* The address of the first element, as the device sees it. */
uint64_t mapping_first_address(const struct mapping *mapping);

/* Write the elements of the mapping into `list`, which has room for them. */
void mapping_write_list(const struct mapping *mapping, PSCATTER_GATHER_LIST list);

#endif
