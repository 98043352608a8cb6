/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data-cache maintenance by address, to the point of coherency.
 *
 * Every range is [address, address + size) in CPU (virtual) addresses; size 0 does nothing.
 * Clean and clean+invalidate round the range out to whole lines, which is harmless to neighbours.
 * None of the functions ends with a barrier: the caller issues barrier_sync() once after a batch,
 * and the maintenance is complete only then.
 */
#ifndef HAL_CACHE_H
#define HAL_CACHE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the smallest data-cache line, CTR_EL0.DminLine. A power of two. */
size_t cache_line_size(void);

/* The last level before the point of coherency, CLIDR_EL1.LoC, and CCSIDR_EL1 of the data or unified
 * cache of a level, counted from 1. */
unsigned int cache_coherency_level(void);
uint32_t cache_size_id(unsigned int level);

/* Write dirty lines back. Required before a device reads what the CPU stored. */
void cache_clean(uintptr_t address, size_t size);

/* Drop lines without writing them back. address and size must be multiples of cache_line_size():
 * a line that is shared with other data would lose that data. */
void cache_invalidate(uintptr_t address, size_t size);

/* Write dirty lines back and drop them. Required before a device writes the memory. */
void cache_clean_invalidate(uintptr_t address, size_t size);

/* DSB SY: completes maintenance and orders every access before it against every one after it,
 * device registers included. */
void barrier_sync(void);

#endif
