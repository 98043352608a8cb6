/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's heap with gaps: every byte that nobody allocated, or that was released, is poison to
 * the address sanitizer. First fit in a table of blocks that lies elsewhere.
 */
#include "heap.h"

#include "boot/memlayout.h"
#include "hal/memory.h"

#include <string.h>

#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { UNIT = 64, BLOCKS_MAX = 8192, HEAP_SIZE = IMAGE_SIZE };

static struct block {
    uintptr_t start;
    size_t size;
} blocks[BLOCKS_MAX]; /* by address */
static size_t block_count;

void heap_initialize(void)
{
    ASAN_POISON_MEMORY_REGION((void *)IMAGE_START, HEAP_SIZE);
}

/* Where the first gap of `needed` bytes begins, between blocks or behind them; *at: its place in the table. */
static uintptr_t find_gap(size_t needed, size_t *at)
{
    uintptr_t start = IMAGE_START + UNIT;

    for (*at = 0; *at < block_count && blocks[*at].start - start < needed; (*at)++) {
        start = blocks[*at].start + (blocks[*at].size + UNIT - 1) / UNIT * UNIT + UNIT;
    }
    return start;
}

void *memory_allocate(size_t size)
{
    size_t at, needed = size / UNIT * UNIT + 2 * UNIT;
    uintptr_t start;

    if (size > HEAP_SIZE || block_count == BLOCKS_MAX) {
        return NULL;
    }
    start = find_gap(needed, &at);
    if (start + needed > IMAGE_START + HEAP_SIZE) {
        return NULL;
    }
    memmove(&blocks[at + 1], &blocks[at], (block_count++ - at) * sizeof(blocks[0]));
    blocks[at] = (struct block){start, size};
    ASAN_UNPOISON_MEMORY_REGION((void *)start, size);
    return memset((void *)start, 0, size);
}

void memory_release(void *pointer)
{
    for (size_t i = 0; i < block_count; i++) {
        if (blocks[i].start == (uintptr_t)pointer) {
            ASAN_POISON_MEMORY_REGION(pointer, blocks[i].size);
            memmove(&blocks[i], &blocks[i + 1], (--block_count - i) * sizeof(blocks[0]));
            return;
        }
    }
}

static bool is_unused(uintptr_t address)
{
    if (address < IMAGE_START || address >= IMAGE_START + HEAP_SIZE) {
        return false;
    }
    for (size_t i = 0; i < block_count; i++) {
        if (address - blocks[i].start < blocks[i].size) {
            return false;
        }
    }
    return true;
}

/* What the layer must not touch counts as no memory to it, so that it refuses what a driver has released. The
 * linker puts this in front of the function of hal/memory.c. */
bool __real_memory_is_ram(uintptr_t start, size_t size);
bool __wrap_memory_is_ram(uintptr_t start, size_t size);
bool __wrap_memory_is_ram(uintptr_t start, size_t size)
{
    return __real_memory_is_ram(start, size) && !is_unused(start) && !is_unused(start + size - 1);
}
