/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about MDLs that somebody else built, and chains of them. */
#ifndef DMA_MDL_H
#define DMA_MDL_H

#include <wdm_dma.h>

#include <stdbool.h>

enum mdl_range {
    MDL_RANGE_INSIDE,
    MDL_RANGE_STARTS_AFTER, /* offset is not below the bytes of the chain */
    MDL_RANGE_TOO_LONG,     /* offset is, offset + length is not */
    MDL_RANGE_NOT_LOCKED,   /* an MDL without page numbers */
    MDL_RANGE_NOT_AN_MDL,   /* what mdl_is_sound() says, or a chain without end */
};

/* Does the chain describe bytes offset .. offset + length - 1? Looks at no MDL behind the range. */
enum mdl_range mdl_check_range(const MDL *chain, uint64_t offset, uint64_t length);

/* Is there an MDL, with room for all its page numbers? What it says of the memory may still be wrong. */
bool mdl_is_sound(const MDL *mdl);

/* Where in `mdl` a byte of its memory is (MPT-01). False: it is none, or there is no MDL. */
bool mdl_find_address(const MDL *mdl, const void *address, uint64_t *offset);

/* Is it memory, and the address aligned to 8? What a pointer from outside must pass before it is followed. */
bool memory_is_readable(const void *address, size_t size);

#endif
