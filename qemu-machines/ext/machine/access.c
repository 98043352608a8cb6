/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tables make the common access cheap and lose nothing:
 *
 *   pages  what a virtual page is (where in RAM, cacheable or not), from QEMU's own TLB. Everything that
 *          changes translation empties the table.
 *   lines  every resident line that was accessed through some virtual address, with what the model
 *          allows without asking (struct cache_shortcut), less what belongs to a device
 *          (evidence/ownership.h). An entry goes when the model changes the line, or a mapping begins there. A
 * line of RAM is in one entry at most, so that it can be found.
 *
 * A memory callback comes after the access. For cacheable memory that does no harm, because an
 * invalid line has the same bytes in both views.
 */
#include "machine/access.h"

#include <stdlib.h>
#include <string.h>

#include "devices/bypass.h"
#include "evidence/history.h"
#include "evidence/ownership.h"
#include "evidence/place.h"
#include "machine/telling.h"
#include "memory/views.h"
#include "probe/probe.h"
#include "time/clock.h"

#define HOT    __attribute__((hot))
#define INLINE inline __attribute__((always_inline))

enum { LINES = 4096, PAGES = 4096, PAGE_SHIFT = 12 };
enum { SCTLR_C = 1 << 2, PHYS_ADDR_AT = 8, PTE_ATTRS_AT = 30 };
#define NO_KEY (~0ull)

struct line_entry {
    uint64_t load_key, store_key; /* virtual line and MMU index, or NO_KEY */
    uint64_t *stamp;
    struct cache_stores *stores;
    uint64_t *origins; /* history_origins(), from the line's own on */
    size_t line;       /* of RAM */
};

struct page_entry {
    uint64_t key;
    uint64_t offset; /* of the page in RAM */
    enum { NOT_RAM, UNCACHED, CACHED } kind;
};

static struct line_entry lines[LINES];
static struct cache_shared shared;
static uint64_t *origins; /* history_origins() */
static struct page_entry pages[PAGES];
static uint16_t *line_entry_of; /* a line of RAM: its entry in `lines`, plus 1 */
static unsigned int line_shift;
static void *cpu_env;

static bool took_big_lock; /* the CPU's thread, in a callback */

void access_enter_callback(void)
{
    if (views.catch_up && !qemu.bql_locked()) { /* before the views' own, as everywhere */
        qemu.bql_lock_impl(__FILE__, __LINE__);
        took_big_lock = true;
    }
    views_lock();
    cache_release(views.model, false); /* whichever there was, it is over */
    clock_enter_callback();
}

void access_leave_callback(void)
{
    clock_leave_callback();
    views_unlock();
    if (took_big_lock) {
        took_big_lock = false;
        qemu.bql_unlock();
    }
}

/* Is there a device that runs behind the CPU, and may be brought to now? */
static bool is_behind(void)
{
    return views.catch_up && qemu.bql_locked();
}

void access_catch_up(void)
{
    if (is_behind()) {
        views.catch_up();
    }
}

/* The CPU has stored already what the device may only do things before. */
static void catch_up_behind_store(size_t offset, unsigned int size)
{
    uint8_t stored[1 << PAGE_SHIFT >> 4];

    memcpy(stored, views.cpu + offset, size);
    views.catch_up();
    memcpy(views.cpu + offset, stored, size);
}

/* ---- what a virtual address is ---- */

static uint64_t key_of(uint64_t address, unsigned int shift, unsigned int mmu_index)
{
    return address >> shift << 4 | mmu_index;
}

/* Upper bits are mixed in, so that buffers a power of two apart do not take each other's entries. */
static INLINE struct line_entry *entry_of(uint64_t address, unsigned int shift)
{
    uint64_t line = address >> shift;

    return &lines[(line ^ line >> 4 ^ line >> 8) % LINES];
}

static void forget_line_entry(struct line_entry *entry)
{
    __atomic_store_n(&entry->load_key, NO_KEY, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->store_key, NO_KEY, __ATOMIC_RELAXED);
}

void access_line_changed(size_t line)
{
    if (line_entry_of[line]) {
        forget_line_entry(&lines[line_entry_of[line] - 1]);
        line_entry_of[line] = 0;
    }
}

static void forget_pages(void)
{
    for (size_t i = 0; i < PAGES; i++) {
        pages[i].key = NO_KEY;
    }
}

void access_initialise(void *env)
{
    cpu_env = env;
}

void access_reset(void)
{
    line_shift = (unsigned int)__builtin_ctz(probe->line_size);
    if (!line_entry_of) {
        line_entry_of = calloc(views.size >> line_shift, sizeof(*line_entry_of));
        shared = cache_model_shared(views.model);
        origins = history_origins();
    }
    for (size_t i = 0; i < LINES; i++) {
        line_entry_of[lines[i].line] = 0;
        forget_line_entry(&lines[i]);
    }
    forget_pages();
}

void access_forget_translations(void)
{
    for (size_t i = 0; i < LINES; i++) {
        if (lines[i].load_key != NO_KEY || lines[i].store_key != NO_KEY) {
            access_line_changed(lines[i].line);
        }
    }
    forget_pages();
    cache_model_forget_pages(views.model);
}

/* MAIR attribute bytes of Normal write-back memory: both halves 0b01xx (not 0b0100) or 0b11xx.
 * Write-through is treated as non-cacheable, as the A53's L2 does. */
static bool is_write_back(uint8_t attributes)
{
    uint8_t outer = attributes >> 4;

    return outer > 0xb || (outer > 4 && outer < 8);
}

/* Ask QEMU's TLB. `checked`: the physical address that the plugin interface gives for the same
 * access, to be sure of the private layout that is read here. */
static void look_up(struct page_entry *page, uint64_t address, unsigned int mmu_index, const uint64_t *checked)
{
    void *host = NULL;
    uint8_t *full = NULL;
    uint64_t physical;

    qemu.probe_access_full_mmu(cpu_env, address, 0, MMU_DATA_LOAD, (int)mmu_index, &host, (void **)&full);
    page->key = key_of(address, PAGE_SHIFT, mmu_index);
    page->kind = NOT_RAM;
    if (!full) { /* nothing is mapped there */
        page->key = NO_KEY;
        return;
    }
    memcpy(&physical, full + PHYS_ADDR_AT, sizeof(physical));
    physical = physical >> PAGE_SHIFT << PAGE_SHIFT;
    if (checked && physical != *checked >> PAGE_SHIFT << PAGE_SHIFT) {
        qemu_abi_refuse(
            "this QEMU lays out its TLB in another way than the extension knows (CPUTLBEntryFull.phys_addr)");
    }
    if (views_has(physical)) {
        bool cached = is_write_back(full[PTE_ATTRS_AT]) && (qemu.arm_sctlr(cpu_env, 1) & SCTLR_C);

        page->offset = physical - views.base;
        page->kind = cached ? CACHED : UNCACHED;
        if (cached) {
            cache_model_page_cacheable(views.model, page->offset);
        } else {
            cache_model_page_uncached(views.model, page->offset);
        }
    }
}

static const struct page_entry *page_of(uint64_t address, unsigned int mmu_index, const uint64_t *checked)
{
    struct page_entry *page = &pages[(address >> PAGE_SHIFT) % PAGES];

    if (page->key != key_of(address, PAGE_SHIFT, mmu_index)) {
        look_up(page, address, mmu_index, checked);
    }
    return page;
}

/* Does `pages` say that it is RAM? */
static bool known_as_ram(uint64_t address, unsigned int mmu_index)
{
    const struct page_entry *page = &pages[(address >> PAGE_SHIFT) % PAGES];

    return page->key == key_of(address, PAGE_SHIFT, mmu_index) && page->kind != NOT_RAM;
}

bool access_finds_ram(uint64_t address, unsigned int mmu_index, size_t *offset)
{
    const struct page_entry *page = page_of(address, mmu_index, NULL);

    *offset = page->offset + (address & ((1u << PAGE_SHIFT) - 1));
    return page->kind != NOT_RAM;
}

/* ---- loads and stores ---- */

static void remember(uint64_t address, unsigned int mmu_index, const struct cache_shortcut *shortcut)
{
    uint64_t key = key_of(address, line_shift, mmu_index);
    struct line_entry *entry = entry_of(address, line_shift);

    access_line_changed(shortcut->line);
    if (entry->load_key != NO_KEY || entry->store_key != NO_KEY) {
        line_entry_of[entry->line] = 0;
    }
    entry->stamp = shortcut->stamp;
    entry->stores = &shared.stores[shortcut->line];
    entry->origins = &origins[(shortcut->line << line_shift) / 8];
    entry->line = shortcut->line;
    entry->load_key = shortcut->readable ? key : NO_KEY;
    entry->store_key = shortcut->writable ? key : NO_KEY;
    if (shortcut->readable || shortcut->writable) {
        line_entry_of[shortcut->line] = (uint16_t)(entry - lines + 1);
    }
}

static void access_uncached(size_t offset, unsigned int size, bool store, const struct accessor *by)
{
    if (store) {
        history_stored(views.base + offset, size, by->pc);
        cache_cpu_write_uncached(views.model, offset, size, by);
    } else {
        cache_cpu_read_uncached(views.model, offset, size, by);
    }
}

static struct cache_shortcut access_cached(size_t offset, unsigned int size, bool store,
                                           const struct accessor *by)
{
    if (store) {
        history_stored(views.base + offset, size, by->pc);
        return cache_cpu_write(views.model, offset, size, by);
    }
    return cache_cpu_read(views.model, offset, size, by);
}

/* One access within one line. */
static void access_line(uint64_t address, unsigned int size, unsigned int mmu_index, bool store, uint64_t pc,
                        const uint64_t *checked)
{
    const struct page_entry *page = page_of(address, mmu_index, checked);
    size_t offset = page->offset + (address & ((1u << PAGE_SHIFT) - 1));
    const struct accessor by = {.pc = pc};
    struct cache_shortcut shortcut;

    if (page->kind != NOT_RAM && is_behind()) {
        if (store) {
            catch_up_behind_store(offset, size);
        } else {
            views.catch_up();
        }
    }
    if (page->kind != NOT_RAM && ownership_of(offset >> line_shift)) {
        ownership_judge(views.base + offset, size, store, &by);
    }
    if (page->kind == UNCACHED) {
        access_uncached(offset, size, store, &by);
    } else if (page->kind == CACHED) {
        shortcut = access_cached(offset, size, store, &by);
        shortcut.readable &= !(ownership_of(shortcut.line) & OWNED_LOADS);
        shortcut.writable &= !(ownership_of(shortcut.line) & OWNED_STORES);
        remember(address, mmu_index, &shortcut);
    }
}

void access_stored(uint64_t address, unsigned int size, unsigned int mmu_index, uint64_t pc)
{
    for (unsigned int at = 0; at < size; at += 1u << line_shift) {
        access_line(address + at, 1u << line_shift, mmu_index, true, pc, NULL);
    }
}

void access_release(bool under_way)
{
    views_lock();
    cache_release(views.model, under_way);
    views_unlock();
}

/* A register may tell the CPU what devices have done in memory. */
static void loaded_register(qemu_plugin_meminfo_t info, uint64_t physical)
{
    enum telling tells = telling_of(physical, info);

    if (tells != TELLS_NOTHING) {
        access_enter_callback();
        cache_told(views.model, tells == TELLS_OF_A_DEVICE);
        access_leave_callback();
    }
}

static void store_to_register(uint64_t physical, unsigned int size, uint64_t pc)
{
    if (bypass_starts(physical, size)) {
        access_enter_callback();
        bypass_report(physical, pc);
        access_leave_callback();
    }
}

/* MMU index in bits 3:0, log2 of the size in bits 6:4. */
static INLINE unsigned int size_of(qemu_plugin_meminfo_t info)
{
    return 1u << (info >> 4 & 7);
}

static INLINE unsigned int place_in_line(uint64_t address, unsigned int shift)
{
    return (unsigned int)address & ((1u << shift) - 1);
}

/* Of the access's last byte: no entry for the first byte's line has it where the access goes beyond that. */
static INLINE uint64_t key_of_access(qemu_plugin_meminfo_t info, uint64_t address, unsigned int shift)
{
    return key_of(address + size_of(info) - 1, shift, info & 15);
}

/* Line by line. */
static void access_ram(qemu_plugin_meminfo_t info, uint64_t address, bool store, uint64_t pc,
                       const uint64_t *checked)
{
    unsigned int size = size_of(info);

    access_enter_callback();
    while (size) {
        unsigned int room = (1u << line_shift) - place_in_line(address, line_shift);
        unsigned int part = size < room ? size : room;

        access_line(address, part, info & 15, store, pc, checked);
        address += part;
        size -= part;
        checked = NULL; /* the rest may lie on another page */
    }
    access_leave_callback();
}

static void access_slowly(qemu_plugin_meminfo_t info, uint64_t address, bool store, uint64_t pc)
{
    const struct qemu_plugin_hwaddr *found;
    uint64_t physical;

    if (known_as_ram(address, info & 15)) {
        access_ram(info, address, store, pc, NULL);
        return;
    }
    found = qemu.qemu_plugin_get_hwaddr(info, address);
    physical = found ? qemu.qemu_plugin_hwaddr_phys_addr(found) : 0;
    if (!found || !qemu.qemu_plugin_hwaddr_is_io(found)) {
        access_ram(info, address, store, pc, found ? &physical : NULL);
    } else if (store) {
        store_to_register(physical, size_of(info), pc);
    } else {
        loaded_register(info, physical);
    }
}

/* ---- the callbacks: those of each line size know it when they are compiled ---- */

static INLINE void load(unsigned int shift, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    const struct line_entry *entry = entry_of(address, shift);

    if (entry->load_key == key_of_access(info, address, shift)) {
        *entry->stamp = ++*shared.clock;
        return;
    }
    access_slowly(info, address, false, (uint64_t)(uintptr_t)pc);
}

/* On its own, so that the fast path has no registers to save. */
static __attribute__((noinline)) void store_slowly(qemu_plugin_meminfo_t info, uint64_t address, void *place)
{
    access_slowly(info, address, true, place_pc((uint32_t)(uintptr_t)place));
}

/* Of an access of at most 16 bytes: it is in at most three words. */
static INLINE void keep_origin(uint64_t *origins_of_line, unsigned int first, unsigned int last,
                               uint64_t origin)
{
    origins_of_line[first] = origin;
    if (last != first) {
        origins_of_line[first + 1] = origin;
        origins_of_line[last] = origin;
    }
}

static INLINE void store(unsigned int shift, qemu_plugin_meminfo_t info, uint64_t address, void *place)
{
    const struct line_entry *entry = entry_of(address, shift);

    if (entry->store_key == key_of_access(info, address, shift)) {
        unsigned int size = size_of(info), at = place_in_line(address, shift);

        *entry->stamp = ++*shared.clock;
        cache_keep_store(entry->stores, ~0ull >> (64 - size) << at, *shared.barriers);
        keep_origin(entry->origins, at / 8, (at + size - 1) / 8, history_origin((uint32_t)(uintptr_t)place));
        return;
    }
    store_slowly(info, address, place);
}

static HOT void load_of_32(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    (void)vcpu;
    load(5, info, address, pc);
}

static HOT void load_of_64(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *pc)
{
    (void)vcpu;
    load(6, info, address, pc);
}

static HOT void store_of_32(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *place)
{
    (void)vcpu;
    store(5, info, address, place);
}

static HOT void store_of_64(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *place)
{
    (void)vcpu;
    store(6, info, address, place);
}

struct access_callbacks access_callbacks(void)
{
    return line_shift == 5 ? (struct access_callbacks){load_of_32, store_of_32}
                           : (struct access_callbacks){load_of_64, store_of_64};
}

void access_store_release(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *place)
{
    (void)vcpu;
    access_release(false);
    store(line_shift, info, address, place);
}
