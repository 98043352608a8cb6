/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where memory is, for the layers above: translation, and the pools that exist.
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

/* Is every byte of [start, start + size) mapped memory? Registers of devices, where a load may have effects,
 * are not. */
bool memory_is_ram(uintptr_t start, size_t size);

/* Is there RAM at the physical address, mapped or not? Low RAM does not count. */
bool memory_has_ram_at(uint64_t physical);

/* Physical address of a mapped virtual address; false and *physical unchanged if it is not mapped. */
bool memory_translate(uintptr_t virtual_address, uint64_t *physical);

/* Is a mapped address cacheable? Other memory never needs cache maintenance. */
bool memory_is_cached(uintptr_t address);

/* Is the platform coherent with DMA (identification page, feature `coherent`)? */
bool memory_is_coherent(void);

/* Page-aligned, physically contiguous memory that is mapped non-cacheable and nowhere else.
 * Identity mapped. NULL when there is none left. Never freed: taken once at start. */
void *memory_take_uncached(size_t size);

/* Like memory_take_uncached(), but below 256 MiB: once, at most 1 MiB, and only where the platform has such
 * memory (feature `low RAM`). */
void *memory_take_low(size_t size);

/*
 * Page-aligned, physically contiguous memory for `size` bytes, 1 or more, the last of which lies at or
 * below the physical address `highest`; NULL when there is none. Device memory takes naturally aligned
 * accesses only and has no cache lines; the other kind is write-back. Identity mapped. Contents are
 * what they were.
 */
enum memory_kind { MEMORY_DEVICE, MEMORY_WRITE_BACK };
void *memory_take_pages(enum memory_kind kind, size_t size, uint64_t highest);
void memory_return_pages(enum memory_kind kind, const void *first);

/* Of a table that may be large: it is there from the start, and holds what it held before the reset. */
#define MEMORY_TABLE __attribute__((section(".bss.tables")))

/* Cacheable heap, aligned to 64 bytes, zeroed. NULL when exhausted. release(NULL) does nothing. */
void *memory_allocate(size_t size);
void memory_release(void *block);

#endif
