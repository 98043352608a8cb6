/* SPDX-License-Identifier: Apache-2.0 */
/* Whole pages of one stretch of memory, handed out in contiguous runs and taken back. */
#ifndef HAL_PAGES_H
#define HAL_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGES_MAX = 512 };

struct pages {
    uint8_t *start;    /* page aligned, contiguous for the CPU and physically */
    uint64_t physical; /* of `start` */
    size_t count;      /* at most PAGES_MAX */
    size_t next;       /* where to search from, so that an address is handed out again as late as possible */
    bool taken[PAGES_MAX];
};

/* Pages for `size` bytes, 1 or more, the last of which lies at or below the physical address `highest`; NULL if
 * there are none. */
void *pages_take(struct pages *pages, size_t size, uint64_t highest);

/* What was taken, with the same size. */
void pages_return(struct pages *pages, const void *first, size_t size);

#endif
