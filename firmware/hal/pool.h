/* SPDX-License-Identifier: Apache-2.0 */
/* A stretch of memory in equal units, handed out in contiguous runs and taken back. */
#ifndef HAL_POOL_H
#define HAL_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
    uint8_t *start;
    uint64_t physical; /* of `start`; the stretch is physically contiguous */
    size_t unit;       /* bytes */
    size_t count;      /* units, at most UINT16_MAX */
    size_t next;       /* where to search from, so that an address is handed out again as late as possible */
    uint16_t *left;    /* of each unit: units of a run from this one on; 0: it is free */
};

/* Units for `size` bytes, 1 or more, the last of which lies at or below the physical address `highest`;
 * NULL if there are none. */
void *pool_take(struct pool *pool, size_t size, uint64_t highest);

/* What was taken. */
void pool_return(struct pool *pool, const void *first);

#endif
