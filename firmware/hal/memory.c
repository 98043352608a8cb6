/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation tables (4 KiB granule, 32-bit input addresses, so level 1 has four entries of 1 GiB)
 * and the pools of whole pages.
 *
 * Every stretch of RAM is mapped with one kind of attributes only: a line that is cached through one
 * alias and accessed uncached through another could not be kept right.
 */
#include "hal/memory.h"

#include "boot/memlayout.h"
#include "hal/cpu.h"
#include "hal/ident.h"
#include "hal/pool.h"

enum { ENTRIES = 512, BLOCK_SHIFT = 21, PAGE_SHIFT = 12, SCATTER_PAGES = SCATTER_SIZE >> PAGE_SHIFT };
enum { GIB_SHIFT = 30, SCATTER_TABLES = SCATTER_SIZE >> BLOCK_SHIFT };

/* Indices into MAIR_EL1. */
enum { DEVICE, UNCACHED, WRITE_BACK };
#define MAIR ((0x04ull << 8 * DEVICE) | (0x44ull << 8 * UNCACHED) | (0xffull << 8 * WRITE_BACK))

/* Descriptors, Arm ARM D8.3. */
#define TABLE        3ull
#define BLOCK        1ull
#define PAGE         3ull
#define ACCESSED     (1ull << 10)
#define INNER        (3ull << 8)
#define NO_EXECUTE   (3ull << 53)
#define ATTRIBUTE(n) ((uint64_t)(n) << 2)

/* TCR_EL1: T0SZ 32, table walks write-back inner shareable, 4 KiB granule, TTBR1 unused. */
#define TCR (32ull | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 23)

_Static_assert(SCATTER_WINDOW >> GIB_SHIFT == IMAGE_START >> GIB_SHIFT, "the window shares RAM's table");

static uint64_t level1[ENTRIES] __attribute__((aligned(4096)));
static uint64_t device_blocks[ENTRIES] __attribute__((aligned(4096)));
static uint64_t ram_blocks[ENTRIES] __attribute__((aligned(4096)));
static uint64_t scatter_tables[SCATTER_TABLES][ENTRIES] __attribute__((aligned(4096)));

/* Physical address of each page of the window, for whoever wants to know without asking the MMU. */
uint64_t scatter_pages[SCATTER_PAGES];

static uintptr_t uncached_next = UNCACHED_START;

static uint16_t device_pages[COMMON_SIZE / PAGE_SIZE_BYTES], write_back_pages[COHERENT_SIZE / PAGE_SIZE_BYTES];

static struct pool page_pools[] = {
    [MEMORY_DEVICE] = {.start = (uint8_t *)COMMON_START,
                       .physical = COMMON_START,
                       .unit = PAGE_SIZE_BYTES,
                       .count = COMMON_SIZE / PAGE_SIZE_BYTES,
                       .left = device_pages},
    [MEMORY_WRITE_BACK] = {.start = (uint8_t *)COHERENT_START,
                           .physical = COHERENT_START,
                           .unit = PAGE_SIZE_BYTES,
                           .count = COHERENT_SIZE / PAGE_SIZE_BYTES,
                           .left = write_back_pages},
};

/*
 * The window's order, fixed: groups of four pages lie in shuffled order; those at even places of the
 * window keep their four pages in order (a run of 16 KiB), those at odd places have them reversed.
 */
static uint64_t scattered_page(unsigned int index)
{
    unsigned int group = index / 4, within = group % 2 ? 3 - index % 4 : index % 4;
    unsigned int shuffled = (group * 97 + 31) % (SCATTER_PAGES / 4);

    return SCATTERED_START + (uint64_t)(shuffled * 4 + within) * PAGE_SIZE_BYTES;
}

static void map_blocks(uint64_t *table, uintptr_t start, size_t size, uint64_t attributes)
{
    for (uintptr_t at = start; at < start + size; at += 1ul << BLOCK_SHIFT) {
        table[at >> BLOCK_SHIFT & (ENTRIES - 1)] = at | attributes | ACCESSED | BLOCK;
    }
}

static void map_scatter_window(void)
{
    for (unsigned int i = 0; i < SCATTER_PAGES; i++) {
        scatter_pages[i] = scattered_page(i);
        scatter_tables[i / ENTRIES][i % ENTRIES] =
            scatter_pages[i] | ATTRIBUTE(WRITE_BACK) | INNER | NO_EXECUTE | ACCESSED | PAGE;
    }
    for (unsigned int i = 0; i < SCATTER_TABLES; i++) {
        ram_blocks[(SCATTER_WINDOW >> BLOCK_SHIFT & (ENTRIES - 1)) + i] = (uintptr_t)scatter_tables[i] | TABLE;
    }
}

void memory_initialize(void)
{
    const uint64_t data = INNER | NO_EXECUTE;

    level1[0] = (uintptr_t)device_blocks | TABLE;
    level1[1] = (uintptr_t)ram_blocks | TABLE;
    map_blocks(device_blocks, GICD_BASE, PCI_BARS_START + PCI_BARS_SIZE - GICD_BASE,
               ATTRIBUTE(DEVICE) | NO_EXECUTE);
    map_blocks(device_blocks, PCI_CONFIG_BASE, PCI_CONFIG_SIZE, ATTRIBUTE(DEVICE) | NO_EXECUTE);
    map_blocks(device_blocks, LOW_RAM_START, LOW_RAM_SIZE, ATTRIBUTE(UNCACHED) | data);
    map_blocks(ram_blocks, IMAGE_START, IMAGE_SIZE, ATTRIBUTE(WRITE_BACK) | INNER);
    map_blocks(ram_blocks, UNCACHED_START, UNCACHED_SIZE, ATTRIBUTE(UNCACHED) | data);
    map_blocks(ram_blocks, STAGING_START, STAGING_SIZE, ATTRIBUTE(UNCACHED) | data);
    map_blocks(ram_blocks, ARENA_START, ARENA_SIZE, ATTRIBUTE(WRITE_BACK) | data);
    map_blocks(ram_blocks, COMMON_START, COMMON_SIZE, ATTRIBUTE(DEVICE) | NO_EXECUTE);
    map_blocks(ram_blocks, COHERENT_START, COHERENT_SIZE, ATTRIBUTE(WRITE_BACK) | data);
    map_blocks(ram_blocks, TABLES_START, TABLES_SIZE, ATTRIBUTE(WRITE_BACK) | data);
    map_scatter_window();
    cpu_enable_translation((uintptr_t)level1, MAIR, TCR);
}

bool memory_translate(uintptr_t virtual_address, uint64_t *physical)
{
    uint64_t result = cpu_translate(virtual_address);

    if (result & 1) {
        return false;
    }
    *physical = (result & 0x0000fffffffff000ull) | (virtual_address & (PAGE_SIZE_BYTES - 1));
    return true;
}

bool memory_is_cached(uintptr_t address)
{
    return cpu_translate(address) >> 56 == (MAIR >> 8 * WRITE_BACK & 0xff); /* PAR_EL1.ATTR */
}

/* Is every page mapped, to `lowest` or above? */
static bool is_mapped_above(uintptr_t start, size_t size, uint64_t lowest)
{
    uint64_t physical;

    if (start + size < start) {
        return false;
    }
    for (uintptr_t page = start & ~(uintptr_t)(PAGE_SIZE_BYTES - 1); page < start + size;
         page += PAGE_SIZE_BYTES) {
        if (!memory_translate(page, &physical) || physical < lowest) {
            return false;
        }
    }
    return true;
}

bool memory_is_mapped(uintptr_t start, size_t size)
{
    return is_mapped_above(start, size, 0);
}

bool memory_is_ram(uintptr_t start, size_t size)
{
    bool low = start >= LOW_RAM_START && size <= LOW_RAM_SIZE && start - LOW_RAM_START <= LOW_RAM_SIZE - size;

    return (low && memory_take_low(size) != NULL) || is_mapped_above(start, size, IMAGE_START);
}

bool memory_has_ram_at(uint64_t physical)
{
    return physical >= IMAGE_START; /* all devices are below */
}

bool memory_is_coherent(void)
{
    return (ident_features() & IDENT_COHERENT) != 0 || !cpu_is_caching(); /* BMT-14 */
}

void *memory_take_uncached(size_t size)
{
    uintptr_t start = uncached_next;

    size = (size + PAGE_SIZE_BYTES - 1) & ~(size_t)(PAGE_SIZE_BYTES - 1);
    if (size > UNCACHED_START + UNCACHED_SIZE - start) {
        return NULL;
    }
    uncached_next += size;
    return (void *)start;
}

void *memory_take_low(size_t size)
{
    return ident_features() & IDENT_LOW_RAM && size <= LOW_RAM_SIZE ? (void *)LOW_RAM_START : NULL;
}

void *memory_take_pages(enum memory_kind kind, size_t size, uint64_t highest)
{
    return pool_take(&page_pools[kind], size, highest);
}

void memory_return_pages(enum memory_kind kind, const void *first)
{
    pool_return(&page_pools[kind], first);
}
