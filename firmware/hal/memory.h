/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where memory is, for the layers above: translation, and the two pools that exist.
 */
#ifndef HAL_MEMORY_H
#define HAL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_SIZE_BYTES = 4096 };

/* Build the tables, turn MMU and caches on. Once, first of all. */
void memory_initialize(void);

/* Is every byte of [start, start + size) mapped? */
bool memory_is_mapped(uintptr_t start, size_t size);

/* Physical address of a mapped virtual address; false and *physical unchanged if it is not mapped. */
bool memory_translate(uintptr_t virtual_address, uint64_t *physical);

/* Is the platform coherent with DMA (identification page, feature `coherent`)? */
bool memory_is_coherent(void);

/* Page-aligned, physically contiguous memory that is mapped non-cacheable and nowhere else.
 * Identity mapped. NULL when there is none left. Never freed: taken once at start. */
void *memory_take_uncached(size_t size);

/* Cacheable heap, aligned to 64 bytes, zeroed. NULL when exhausted. release(NULL) does nothing. */
void *memory_allocate(size_t size);
void memory_release(void *block);

#endif
