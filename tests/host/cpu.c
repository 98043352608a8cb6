/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/memlayout.h"
#include "check.h"
#include "fake_irq.h"
#include "hal/cache.h"
#include "hal/cpu.h"
#include "hal/exception.h"

#define PAGE      UINT64_C(4096)
#define RAM_START UINT64_C(0x40000000)
#define RAM_SIZE  UINT64_C(0x04000000)

enum { ENTRIES = 512, SCATTER_PAGES = SCATTER_SIZE / 4096, LINE = 64 };

extern uint64_t scatter_pages[SCATTER_PAGES]; /* hal/memory.c */
extern char __executable_start[], end[];      /* the linker */

/* What the harness looks for, as boot/shim.ld has it on the board. */
#define TEXT(macro)  TEXT_(macro)
#define TEXT_(value) #value
#define REGION(name, start, size)                                                                              \
    __asm__(".globl __" name "_start, __" name "_end\n"                                                        \
            ".set __" name "_start, " TEXT(start) "\n"                                                         \
                                                  ".set __" name "_end, " TEXT(start) " + " TEXT(size))
REGION("staging", STAGING_START, STAGING_SIZE);
REGION("arena", ARENA_START, ARENA_SIZE);
REGION("scatter", SCATTER_WINDOW, SCATTER_SIZE);

static int ram = -1;
static const uint64_t *root; /* TTBR0_EL1 */
static uint64_t attributes;  /* MAIR_EL1 */
static bool caching = true;  /* SCTLR_EL1.C and .M, as a test wants them */

void exception_registers(uint64_t values[3])
{
    values[0] = values[1] = values[2] = 0;
}

/* ---- sleep and time: time jumps to the alarm ---- */

void cpu_sleep(void)
{
    if (!fake_irq_is_pending() && !devices_ring_alarm()) {
        devices_wait_for_line();
    }
}

/* ---- translation ---- */

void machine_map_ram(int fd)
{
    void *wanted = (void *)(uintptr_t)RAM_START;

    ram = fd;
    CHECK(ftruncate(fd, (off_t)RAM_SIZE) == 0);
    CHECK(mmap(wanted, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == wanted);
}

/* The scatter window is the one part of it whose virtual addresses are not the physical ones. */
static void map_window(void)
{
    for (size_t i = 0; i < SCATTER_PAGES; i++) {
        void *page = (void *)(SCATTER_WINDOW + i * PAGE);
        off_t offset = (off_t)(scatter_pages[i] - RAM_START);

        CHECK(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, ram, offset) == page);
    }
}

void cpu_enable_translation(uint64_t tables, uint64_t mair, uint64_t control)
{
    (void)control;
    root = (const uint64_t *)tables;
    attributes = mair;
    map_window();
}

void machine_set_caching(bool on)
{
    caching = on;
}

bool cpu_is_caching(void)
{
    return caching;
}

bool machine_name_page(uint64_t index, uint64_t physical)
{
    if (index >= SCATTER_PAGES || physical % PAGE != 0) {
        return false;
    }
    scatter_pages[index] = physical;
    return true;
}

/* Tables of hal/memory.c: 4 KiB granule, 32 bits of address. */
static uint64_t walk(uint64_t address)
{
    static const int shifts[] = {30, 21, 12};
    const uint64_t *table = root;

    for (int level = 0; level < 3; level++) {
        uint64_t entry = table[address >> shifts[level] & (ENTRIES - 1)];
        uint64_t inside = (UINT64_C(1) << shifts[level]) - 1, target = entry & UINT64_C(0xfffffffff000);

        if ((entry & 1) == 0) {
            return 1;
        }
        if (level == 2 || (entry & 2) == 0) {
            return ((target & ~inside) | (address & inside & ~(PAGE - 1))) |
                   (attributes >> 8 * (entry >> 2 & 7)) << 56;
        }
        table = (const uint64_t *)target;
    }
    return 1;
}

uint64_t cpu_translate(uintptr_t address)
{
    uint64_t page = address & ~(PAGE - 1), par;

    if (address >= (uintptr_t)__executable_start && address < (uintptr_t)end) {
        return page | UINT64_C(0xff) << 56; /* the shim's own variables */
    }
    par = address >> 32 ? 1 : walk(address);
    if ((par & 1) == 0 && address >= SCATTER_WINDOW) {
        return scatter_pages[(address - SCATTER_WINDOW) / PAGE] | par >> 56 << 56;
    }
    return par;
}

/* ---- caches: there are none ---- */

size_t cache_line_size(void)
{
    return LINE;
}

unsigned int cache_coherency_level(void)
{
    return 0;
}

uint32_t cache_size_id(unsigned int level)
{
    (void)level;
    return 0;
}

static void maintain(uint32_t kind, uintptr_t address, size_t size)
{
    if (size != 0) {
        log_record(kind, 0, (const uint64_t[5]){address, size});
    }
}

void cache_clean(uintptr_t address, size_t size)
{
    maintain(LOG_CLEAN, address, size);
}

void cache_invalidate(uintptr_t address, size_t size)
{
    maintain(LOG_INVALIDATE, address, size);
}

void cache_clean_invalidate(uintptr_t address, size_t size)
{
    maintain(LOG_CLEAN_INVALIDATE, address, size);
}

void barrier_sync(void)
{
    log_record(LOG_BARRIER, 0, (const uint64_t[5]){0});
}
