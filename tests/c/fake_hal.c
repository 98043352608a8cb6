/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_hal.h"

#include "check.h"
#include "fake_irq.h"
#include "hal/cache.h"
#include "hal/irq.h"
#include "hal/memory.h"
#include "hal/pool.h"

#include <string.h>

enum { POOL_BYTES = 1 << 20, EVENTS_MAX = 1 << 16, ENTERED_MAX = 64, SPIS_MAX = 32 };

_Alignas(4096) uint8_t fake_memory[FAKE_PAGES * FAKE_PAGE];
static size_t uncached_used;
static uint64_t page_numbers[FAKE_PAGES];
static bool coherent;
static bool low_memory; /* the next memory_take_low() has some */

/* The hal's own memory, and where a device finds it. */
enum { UNCACHED, DEVICE, WRITE_BACK, LOW, POOLS };
static _Alignas(4096) uint8_t pools[POOLS][POOL_BYTES];
static const uint64_t pool_physical[POOLS] = {0x50000000, FAKE_DEVICE_MEMORY, FAKE_WRITE_BACK, FAKE_LOW_MEMORY};
static struct pool pages[2]; /* by enum memory_kind */
static uint16_t page_units[POOLS][FAKE_POOL_PAGES];

static struct fake_event events[EVENTS_MAX];
static size_t event_count;
static enum oplog_id inside[ENTERED_MAX]; /* routines and entries that have not returned */
static size_t told_before[ENTERED_MAX];   /* what `told` was when each was entered */
static size_t told;                       /* violations and reasons */
static size_t entered;

static void (*exit_hook)(void);
static struct {
    void (*handler)(void *context);
    void *context;
    bool pending;
} spis[SPIS_MAX];

static struct pool page_pool(size_t n)
{
    memset(page_units[n], 0, sizeof page_units[n]);
    return (struct pool){.start = pools[n],
                         .physical = pool_physical[n],
                         .unit = FAKE_PAGE,
                         .count = FAKE_POOL_PAGES,
                         .left = page_units[n]};
}

void fake_reset(void)
{
    memset(fake_memory, 0, sizeof fake_memory);
    memset(pools, 0, sizeof pools);
    memset(spis, 0, sizeof spis);
    uncached_used = 0;
    pages[MEMORY_DEVICE] = page_pool(DEVICE);
    pages[MEMORY_WRITE_BACK] = page_pool(WRITE_BACK);
    coherent = false;
    fake_irq_set_masked(false);
    exit_hook = NULL;
    event_count = 0;
    CHECK(entered == 0);
    for (size_t i = 0; i < FAKE_PAGES; i++) {
        page_numbers[i] = 0x40000 + i;
    }
}

/* ---- memory ---- */

void fake_map_page(size_t index, uint64_t page_number)
{
    page_numbers[index] = page_number;
}

void fake_scatter_pages(void)
{
    for (size_t i = 0; i < FAKE_PAGES; i++) {
        page_numbers[i] = 0x40000 + i * 37 % FAKE_PAGES;
    }
}

static bool is_in(uintptr_t address, const uint8_t *start, size_t size)
{
    return address >= (uintptr_t)start && address - (uintptr_t)start < size;
}

/* The pool that an address lies in; POOLS if none. */
static size_t pool_of(uintptr_t address)
{
    size_t n = 0;

    while (n < POOLS && !is_in(address, pools[n], POOL_BYTES)) {
        n++;
    }
    return n;
}

/* Everything else that the test program has (stack, heap) is identity mapped. */
bool memory_translate(uintptr_t address, uint64_t *physical)
{
    size_t in = pool_of(address);

    if (address < 0x10000) {
        return false;
    }
    if (is_in(address, fake_memory, sizeof fake_memory)) {
        size_t offset = address - (uintptr_t)fake_memory;

        *physical = page_numbers[offset / FAKE_PAGE] * FAKE_PAGE + offset % FAKE_PAGE;
    } else if (in < POOLS) {
        *physical = pool_physical[in] + (address - (uintptr_t)pools[in]);
    } else {
        *physical = address;
    }
    return true;
}

bool memory_is_mapped(uintptr_t start, size_t size)
{
    return start >= 0x10000 && start + size >= start;
}

bool memory_is_ram(uintptr_t start, size_t size)
{
    return memory_is_mapped(start, size) &&
           (start + size <= FAKE_REGISTERS || start >= 2 * (uintptr_t)FAKE_REGISTERS);
}

bool memory_is_cached(uintptr_t address)
{
    size_t in = pool_of(address);

    return in != UNCACHED && in != DEVICE && in != LOW;
}

uint8_t *fake_device_view(uint64_t physical)
{
    for (size_t i = 0; i < FAKE_PAGES; i++) {
        if (page_numbers[i] == physical / FAKE_PAGE) {
            return &fake_memory[i * FAKE_PAGE + physical % FAKE_PAGE];
        }
    }
    for (size_t n = 0; n < POOLS; n++) {
        if (physical >= pool_physical[n] && physical - pool_physical[n] < POOL_BYTES) {
            return &pools[n][physical - pool_physical[n]];
        }
    }
    FAIL("there is no such memory");
}

bool memory_is_coherent(void)
{
    return coherent;
}

void fake_set_coherent(bool value)
{
    coherent = value;
}

void *memory_take_uncached(size_t size)
{
    if (size > POOL_BYTES - uncached_used) {
        return NULL;
    }
    void *block = pools[UNCACHED] + uncached_used;

    uncached_used += (size + FAKE_PAGE - 1) / FAKE_PAGE * FAKE_PAGE;
    return block;
}

void *memory_take_low(size_t size)
{
    bool given = low_memory && size <= POOL_BYTES;

    low_memory = false;
    return given ? pools[LOW] : NULL;
}

void fake_add_low_memory(void)
{
    low_memory = true;
}

void *memory_take_pages(enum memory_kind kind, size_t size, uint64_t highest)
{
    return pool_take(&pages[kind], size, highest);
}

void memory_return_pages(enum memory_kind kind, const void *first)
{
    pool_return(&pages[kind], first);
}

void *memory_allocate(size_t size)
{
    return calloc(1, size);
}

void memory_release(void *block)
{
    free(block);
}

/* ---- interrupts ---- */

static size_t pending_spi(void)
{
    size_t spi = 0;

    while (spi < SPIS_MAX && !spis[spi].pending) {
        spi++;
    }
    return spi;
}

bool fake_irq_is_pending(void)
{
    return pending_spi() < SPIS_MAX;
}

void fake_irq_handle(void)
{
    size_t spi = pending_spi();

    spis[spi].pending = false;
    spis[spi].handler(spis[spi].context);
    if (exit_hook != NULL) {
        exit_hook();
    }
}

void irq_connect(unsigned int spi, void (*handler)(void *context), void *context)
{
    spis[spi].handler = handler;
    spis[spi].context = context;
}

void irq_set_exit_hook(void (*hook)(void))
{
    exit_hook = hook;
}

void fake_interrupt(unsigned int spi)
{
    spis[spi].pending = true;
    fake_irq_take();
}

/* ---- the log ---- */

static void record(enum fake_kind kind, uint32_t id, uint64_t a, uint64_t b, uint64_t c)
{
    CHECK(event_count < EVENTS_MAX);
    events[event_count++] = (struct fake_event){kind, id, a, b, c};
}

size_t fake_count(enum fake_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < event_count; i++) {
        count += events[i].kind == kind;
    }
    return count;
}

size_t fake_count_id(enum fake_kind kind, uint32_t id)
{
    size_t count = 0;

    for (size_t i = 0; i < event_count; i++) {
        count += events[i].kind == kind && events[i].id == id;
    }
    return count;
}

const struct fake_event *fake_event(enum fake_kind kind, size_t n)
{
    for (size_t i = 0; i < event_count; i++) {
        if (events[i].kind == kind && n-- == 0) {
            return &events[i];
        }
    }
    FAIL("the log has no such event");
}

size_t fake_last(enum fake_kind kind, uint32_t id)
{
    for (size_t i = event_count; i-- > 0;) {
        if (events[i].kind == kind && events[i].id == id) {
            return i;
        }
    }
    FAIL("the log has no such event");
}

void fake_forget_log(void)
{
    event_count = 0;
}

size_t cache_line_size(void)
{
    return FAKE_LINE;
}

/* Of the caller's memory; else 0. */
static uint8_t byte_before(uintptr_t address)
{
    uintptr_t start = (uintptr_t)fake_memory;

    return address > start && address - start <= sizeof fake_memory ? *(const uint8_t *)(address - 1) : 0;
}

void cache_clean(uintptr_t address, size_t size)
{
    record(FAKE_CLEAN, 0, address, size, 0);
}

void cache_invalidate(uintptr_t address, size_t size)
{
    CHECK(address % FAKE_LINE == 0 && size % FAKE_LINE == 0); /* CCH-15 */
    record(FAKE_INVALIDATE, 0, address, size, byte_before(address));
}

void cache_clean_invalidate(uintptr_t address, size_t size)
{
    record(FAKE_CLEAN_INVALIDATE, 0, address, size, 0);
}

void barrier_sync(void)
{
    record(FAKE_BARRIER, 0, 0, 0, 0);
}

bool memory_has_ram_at(uint64_t physical)
{
    (void)physical;
    return false;
}

void oplog_announce(void)
{
}

void oplog_adapter(const void *adapter, uint32_t channel)
{
    (void)adapter, (void)channel;
}

void oplog_memory(enum oplog_memory kind, const void *adapter, uint64_t physical, uint32_t length,
                  bool is_there)
{
    (void)kind, (void)adapter, (void)physical, (void)length, (void)is_there;
}

void oplog_mapping(const struct oplog_mapping *mapping)
{
    (void)mapping;
}

void oplog_enter(enum oplog_id id, const void *adapter, uintptr_t caller)
{
    (void)caller;
    CHECK(entered < ENTERED_MAX);
    told_before[entered] = told;
    inside[entered++] = id;
    record(FAKE_ENTER, id, (uintptr_t)adapter, 0, 0);
}

void oplog_arguments(const uint64_t *values, uint32_t count)
{
    CHECK(entered > 0 && (count == 0 || values != NULL));
}

/* Did a routine refuse what the driver asked for? It must have said why, by a violation or in words. */
static bool has_failed(enum oplog_id id, uint32_t status)
{
    return id < OPLOG_AdapterControl && (int32_t)status < 0;
}

void oplog_exit(enum oplog_id id, const void *adapter, uint32_t status, uint32_t bytes, uint32_t elements)
{
    (void)adapter;
    CHECK(entered > 0 && inside[--entered] == id);
    CHECK(!has_failed(id, status) || told > told_before[entered]);
    record(FAKE_EXIT, id, status, bytes, elements);
}

void oplog_range(enum oplog_range kind, const void *handle, uint64_t physical, uint64_t device, uint32_t length,
                 bool write)
{
    (void)handle, (void)device;
    record(FAKE_RANGE, kind, physical, length, write);
}

void oplog_unmapped(const void *handle, const void *mapping, bool flushed)
{
    (void)mapping, (void)flushed;
    record(FAKE_UNMAPPED, 0, (uintptr_t)handle, 0, 0);
}

void oplog_violation(uint32_t code, uint64_t p2, uint64_t p3)
{
    told++;
    record(FAKE_VIOLATION, code, p2, p3, 0);
}

void oplog_reason(const char *why, uint64_t a, uint64_t b)
{
    CHECK(why != NULL);
    told++;
    (void)a, (void)b;
}
