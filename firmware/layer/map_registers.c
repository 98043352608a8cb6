/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/map_registers.h"

#include "hal/memory.h"
#include <dma.h>

enum { POOLS = 2, REGISTERS = POOLS * DMA_MAP_REGISTERS };

/* Most devices reach the first pool; the second, at lower addresses, is for those that do not. */
static struct pool {
    uint8_t *pages; /* NULL: there is none, and its registers are never free */
    uint64_t logical;
} pools[POOLS];

static bool taken[REGISTERS];
static uint32_t usable; /* of each pool */

static bool fill_pool(struct pool *pool, uint8_t *pages)
{
    pool->pages = pages;
    return pages != NULL && memory_translate((uintptr_t)pages, &pool->logical);
}

bool map_registers_initialize(void)
{
    const size_t size = (size_t)DMA_MAP_REGISTERS * PAGE_SIZE;

    for (uint32_t i = 0; i < REGISTERS; i++) {
        taken[i] = false;
    }
    usable = DMA_MAP_REGISTERS;
    (void)fill_pool(&pools[1], memory_take_low(size));
    return fill_pool(&pools[0], memory_take_uncached(size));
}

/* ---- reach ---- */

static bool is_reached(const struct pool *pool, uint32_t address_bits)
{
    uint64_t last = pool->logical + (uint64_t)DMA_MAP_REGISTERS * PAGE_SIZE - 1;

    return pool->pages != NULL && (address_bits >= 64 || last >> address_bits == 0);
}

/* The first pool that a device reaches, or POOLS. */
static uint32_t first_reached(uint32_t address_bits)
{
    uint32_t pool = 0;

    while (pool < POOLS && !is_reached(&pools[pool], address_bits)) {
        pool++;
    }
    return pool;
}

bool map_registers_reach(uint32_t address_bits)
{
    return first_reached(address_bits) < POOLS;
}

/* ---- taking ---- */

static uint32_t free_run(uint32_t first, uint32_t end)
{
    uint32_t at = first;

    while (at < end && !taken[at]) {
        at++;
    }
    return at - first;
}

static void mark(uint32_t first, uint32_t count, bool value)
{
    for (uint32_t i = 0; i < count; i++) {
        taken[first + i] = value;
    }
}

static bool take_from(uint32_t pool, uint32_t count, uint32_t *first)
{
    uint32_t end = pool * DMA_MAP_REGISTERS + usable;

    for (uint32_t at = pool * DMA_MAP_REGISTERS; at + count <= end; at++) {
        if (free_run(at, end) >= count) {
            mark(at, count, true);
            *first = at;
            return true;
        }
    }
    return false;
}

bool map_registers_take(uint32_t count, uint32_t address_bits, uint32_t *first)
{
    uint32_t pool = first_reached(address_bits);

    return take_from(pool < POOLS ? pool : 0, count, first);
}

void map_registers_release(uint32_t first, uint32_t count)
{
    mark(first, count, false);
}

/* ---- how many ---- */

static uint32_t free_of(uint32_t pool)
{
    uint32_t first = pool * DMA_MAP_REGISTERS, count = 0;

    for (uint32_t i = first; i < first + usable && pools[pool].pages != NULL; i++) {
        count += taken[i] ? 0 : 1;
    }
    return count;
}

uint32_t map_registers_free(void)
{
    return free_of(0);
}

uint32_t map_registers_free_low(void)
{
    return free_of(1);
}

static bool is_any_taken(void)
{
    for (uint32_t i = 0; i < REGISTERS; i++) {
        if (taken[i]) {
            return true;
        }
    }
    return false;
}

bool map_registers_limit(uint32_t count)
{
    if (count < 2 || count > DMA_MAP_REGISTERS || is_any_taken()) {
        return false;
    }
    usable = count;
    return true;
}

void *map_register_page(uint32_t index)
{
    return pools[index / DMA_MAP_REGISTERS].pages + (size_t)(index % DMA_MAP_REGISTERS) * PAGE_SIZE;
}

uint64_t map_register_logical(uint32_t index)
{
    return pools[index / DMA_MAP_REGISTERS].logical + (uint64_t)(index % DMA_MAP_REGISTERS) * PAGE_SIZE;
}
