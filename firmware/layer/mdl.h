/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about MDLs and chains of MDLs from outside. IoAllocateMdl and its kin are implemented here too. */
#ifndef LAYER_MDL_H
#define LAYER_MDL_H

#include <dma.h>

enum mdl_range {
    MDL_RANGE_INSIDE,
    MDL_RANGE_STARTS_AFTER, /* the chain ends at chain_offset or before */
    MDL_RANGE_TOO_LONG,     /* the chain ends inside the range */
    MDL_RANGE_NOT_LOCKED,   /* an MDL without page numbers */
    MDL_RANGE_NOT_AN_MDL,   /* one that mdl_is_sound() refuses, or a chain without end */
};

/* Tell of each MDL that is not freed, the last 256 that were made. */
void mdls_each_live(dma_tell *tell, void *context);

/* Do not tell of this one. */
void mdl_leave_untold(const MDL *mdl);

/* Does the chain describe `length` bytes from the byte `chain_offset` on? No MDL behind the range is looked at.
 */
enum mdl_range mdl_check_range(const MDL *chain, uint64_t chain_offset, uint64_t length);

/* Is there an MDL, with room for all its page numbers? What it says of the memory may still be wrong. */
bool mdl_is_sound(const MDL *mdl);

/* Find how many bytes behind the start of `mdl` an address lies (MPT-01). False: it lies outside, or `mdl` is
 * no MDL. */
bool mdl_find_address(const MDL *mdl, const void *address, uint64_t *mdl_offset);

/* Is there memory, and is the address aligned to 8? A pointer from outside must pass this before it is
 * followed.
 */
bool memory_is_readable(const void *address, size_t size);

#endif
