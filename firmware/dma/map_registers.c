/* SPDX-License-Identifier: Apache-2.0 */
#include "dma/map_registers.h"

#include "dma/dma.h"
#include "hal/memory.h"

static bool taken[DMA_MAP_REGISTERS];
static uint8_t *pages;
static uint64_t pages_logical;

bool map_registers_initialize(void)
{
    for (uint32_t i = 0; i < DMA_MAP_REGISTERS; i++) {
        taken[i] = false;
    }
    pages = memory_take_uncached((size_t)DMA_MAP_REGISTERS * PAGE_SIZE);
    return pages != NULL && memory_translate((uintptr_t)pages, &pages_logical);
}

static uint32_t free_run_from(uint32_t first)
{
    uint32_t count = 0;

    while (first + count < DMA_MAP_REGISTERS && !taken[first + count]) {
        count++;
    }
    return count;
}

static void mark(uint32_t first, uint32_t count, bool value)
{
    for (uint32_t i = 0; i < count; i++) {
        taken[first + i] = value;
    }
}

bool map_registers_take(uint32_t count, uint32_t *first)
{
    for (uint32_t at = 0; at + count <= DMA_MAP_REGISTERS; at++) {
        if (free_run_from(at) >= count) {
            mark(at, count, true);
            *first = at;
            return true;
        }
    }
    return false;
}

void map_registers_release(uint32_t first, uint32_t count)
{
    mark(first, count, false);
}

uint32_t map_registers_free(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < DMA_MAP_REGISTERS; i++) {
        count += taken[i] ? 0 : 1;
    }
    return count;
}

void *map_register_page(uint32_t index)
{
    return pages + (size_t)index * PAGE_SIZE;
}

uint64_t map_register_logical(uint32_t index)
{
    return pages_logical + (uint64_t)index * PAGE_SIZE;
}
