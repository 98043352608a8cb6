/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap: blocks one behind the other between __heap_start and __heap_end, each with a header of
 * one line; first fit, neighbours joined while searching. A header that a driver has overwritten, by writing
 * behind its own block, is a fault when the heap is used next.
 */
#include "hal/exception.h"
#include "hal/irq_mask.h"
#include "hal/memory.h"
#include "hal/string.h"

enum { UNIT = 64 };

struct block {
    size_t size; /* with the header; a multiple of UNIT */
    size_t used; /* USED or 0 */
    uint8_t pad[UNIT - 2 * sizeof(size_t)];
};
_Static_assert(sizeof(struct block) == UNIT, "a header is one unit");

#define USED ((size_t)0x75736564)

extern uint8_t __heap_start[], __heap_end[];

static bool initialized;

static struct block *first(void)
{
    struct block *block = (struct block *)(((uintptr_t)__heap_start + UNIT - 1) & ~(uintptr_t)(UNIT - 1));

    if (!initialized) {
        block->size = (size_t)((uintptr_t)__heap_end - (uintptr_t)block);
        block->used = 0;
        initialized = true;
    }
    return block;
}

static bool is_whole(const struct block *block)
{
    return (block->used == 0 || block->used == USED) && block->size != 0 && block->size % UNIT == 0 &&
           block->size <= (size_t)((uintptr_t)__heap_end - (uintptr_t)block);
}

static struct block *next(const struct block *block)
{
    if (!is_whole(block)) {
        exception_panic("the heap is overwritten: something wrote behind, or before, its own block");
    }
    return (struct block *)((uintptr_t)block + block->size);
}

static bool at_end(const struct block *block)
{
    return (uintptr_t)block >= (uintptr_t)__heap_end;
}

static void join_free(struct block *block)
{
    while (!at_end(next(block)) && !next(block)->used) {
        block->size += next(block)->size;
    }
}

static void split(struct block *block, size_t size)
{
    if (block->size > size) {
        struct block *rest = (struct block *)((uintptr_t)block + size);

        rest->size = block->size - size;
        rest->used = 0;
        block->size = size;
    }
}

static struct block *take(size_t needed)
{
    for (struct block *block = first(); !at_end(block); block = next(block)) {
        if (!block->used) {
            join_free(block);
            if (block->size >= needed) {
                split(block, needed);
                block->used = USED;
                return block;
            }
        }
    }
    return NULL;
}

static void give_back(const void *pointer)
{
    for (struct block *block = first(); !at_end(block); block = next(block)) {
        if (pointer == block + 1) {
            block->used = 0;
            return;
        }
    }
}

/* A deferred call may allocate as well, so interrupts are masked meanwhile. */
void *memory_allocate(size_t size)
{
    size_t needed = ((size + UNIT - 1) & ~(size_t)(UNIT - 1)) + UNIT;

    if (needed < size) {
        return NULL;
    }
    uint64_t state = irq_save();
    struct block *block = take(needed);

    irq_restore(state);
    return block != NULL ? memset(block + 1, 0, needed - UNIT) : NULL;
}

/* Only what memory_allocate() gave is released; any other pointer is ignored. */
void memory_release(void *pointer)
{
    uint64_t state = irq_save();

    give_back(pointer);
    irq_restore(state);
}
