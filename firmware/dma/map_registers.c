/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/map_registers.h"

#include "dma/dma.h"
#include "hal/memory.h"

enum { POOLS = 1, REGISTERS = POOLS * DMA_MAP_REGISTERS };

static struct pool {
    uint8_t *pages;
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
    for (uint32_t i = 0; i < REGISTERS; i++) {
        taken[i] = false;
    }
    usable = DMA_MAP_REGISTERS;
    return fill_pool(&pools[0], memory_take_uncached((size_t)DMA_MAP_REGISTERS * PAGE_SIZE));
}

/* ---- reach ---- */

static bool is_reached(const struct pool *pool, uint32_t address_bits)
{
    uint64_t last = pool->logical + (uint64_t)DMA_MAP_REGISTERS * PAGE_SIZE - 1;

    return address_bits >= 64 || last >> address_bits == 0;
}

bool map_registers_reach(uint32_t address_bits)
{
    for (uint32_t i = 0; i < POOLS; i++) {
        if (is_reached(&pools[i], address_bits)) {
            return true;
        }
    }
    return false;
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
    bool any = !map_registers_reach(address_bits);

    for (uint32_t i = 0; i < POOLS; i++) {
        if ((any || is_reached(&pools[i], address_bits)) && take_from(i, count, first)) {
            return true;
        }
    }
    return false;
}

void map_registers_release(uint32_t first, uint32_t count)
{
    mark(first, count, false);
}

/* ---- how many ---- */

uint32_t map_registers_free(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < REGISTERS; i++) {
        count += taken[i] || i % DMA_MAP_REGISTERS >= usable ? 0 : 1;
    }
    return count;
}

bool map_registers_limit(uint32_t count)
{
    if (count < 2 || count > DMA_MAP_REGISTERS || map_registers_free() != POOLS * usable) {
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
