/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "memory/views.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/probe.h"

/* The harness reads the model's line states by the names of probe.h. */
#define SAME_STATE(name) _Static_assert((int)CACHE_LINE_##name == (int)PROBE_LINE_##name, #name)
SAME_STATE(VALID);
SAME_STATE(DIRTY);
SAME_STATE(UNCLEAN);
SAME_STATE(STALE);
SAME_STATE(OWED);

enum { PAGE_SHIFT = 12 };
_Static_assert(1 << PAGE_SHIFT == VIEWS_PAGE, "a page is a page");

struct views views;

static MemoryRegion *ram_region;
static int views_dram_fd = -1;
static size_t kept = VIEWS_DEVICE_TREE, kept_end = VIEWS_DEVICE_TREE;
static const struct views_events *tell;

static void drop_translations(size_t first, size_t last)
{
    uint64_t ram = qemu.memory_region_get_ram_addr(ram_region);

    qemu.tb_invalidate_phys_range(ram + first, ram + last);
}

static void line_changed(void *opaque, size_t line, bool rewritten)
{
    (void)opaque;
    tell->line_changed(line);
    if (rewritten) {
        size_t line_size = probe->line_size, offset = line * line_size;

        if (views.code_pages[offset >> PAGE_SHIFT]) {
            drop_translations(offset, offset + line_size - 1);
        }
    }
}

static void hazard(void *opaque, const struct cache_incident *incident)
{
    (void)opaque;
    tell->hazard(incident, views.base + incident->offset, incident->access);
}

static void acted(void *opaque, const struct cache_act *act, const void *access)
{
    (void)opaque;
    tell->acted(act, access);
}

static bool separate_views(int dram_fd, const struct cache_geometry *geometry, Error **errp)
{
    struct cache_events events = {line_changed, hazard, acted, NULL};
    struct cache_views both;
    void *dram = mmap(NULL, views.size, PROT_READ | PROT_WRITE, MAP_SHARED, dram_fd, 0);

    if (dram == MAP_FAILED) {
        error_setg(errp, "dram-fd=%d: cannot map %llu bytes: %s", dram_fd, (unsigned long long)views.size,
                   strerror(errno));
        return false;
    }
    views.dram = dram;
    views_dram_fd = dram_fd;
    both = (struct cache_views){views.cpu, views.dram, probe_lines(), views.size};
    views.model = cache_model_new(geometry, &both, &events);
    if (!views.model) {
        error_setg(
            errp,
            "cache-line=%u,cache-sets=%u,cache-ways=%u is no cache: a line of 32 or 64 bytes, a power of "
            "two of sets, 1 to 64 ways, such as cache-line=64,cache-sets=1024,cache-ways=16",
            geometry->line, geometry->sets, geometry->ways);
        return false;
    }
    return true;
}

bool views_initialise(MemoryRegion *ram, int dram_fd, const struct cache_geometry *geometry,
                      const struct views_events *events, Error **errp)
{
    ram_region = ram;
    tell = events;
    views.size = qemu.memory_region_size(ram);
    views.cpu = views.dram = qemu.memory_region_get_ram_ptr(ram);
    views.base = probe->ram_base;
    views.code_pages = calloc(views.size >> PAGE_SHIFT, 1);
    return dram_fd < 0 || separate_views(dram_fd, geometry, errp);
}

static void punch(int fd, size_t from, size_t to)
{
    off_t size = (off_t)(to - from);

    /* Where punching fails (not a memfd), zeroing gives the same bytes, more slowly. */
    if (size && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, size) < 0) {
        memset((fd == views_dram_fd ? views.dram : views.cpu) + from, 0, (size_t)size);
    }
}

static void drop(int fd, size_t from)
{
    punch(fd, from, kept);
    punch(fd, kept_end, views.size);
}

static void forget_code(void)
{
    for (size_t page = 0; page < views.size >> PAGE_SHIFT; page++) {
        if (views.code_pages[page] && (page << PAGE_SHIFT) - kept >= kept_end - kept) {
            drop_translations(page << PAGE_SHIFT, ((page + 1) << PAGE_SHIFT) - 1);
            views.code_pages[page] = 0;
        }
    }
}

void views_reset_enter(void)
{
    views_lock();
    forget_code();
    /* QEMU will write all of the device tree: its pages would only be faulted in again. */
    drop(qemu.memory_region_get_fd(ram_region), VIEWS_DEVICE_TREE);
    if (views.model) {
        drop(views_dram_fd, 0);
        cache_model_reset(views.model);
    }
    views_unlock();
}

void views_keep(size_t offset, size_t size)
{
    kept = offset;
    kept_end = offset + size;
}

void views_restore_page(size_t offset, const uint8_t *page)
{
    if (memcmp(views.cpu + offset, page, VIEWS_PAGE) != 0) {
        memcpy(views.cpu + offset, page, VIEWS_PAGE);
        if (!views.model || views.code_pages[offset >> PAGE_SHIFT]) { /* with one view they are not marked */
            drop_translations(offset, offset + VIEWS_PAGE - 1);
        }
    }
    if (views.model) {
        memcpy(views.dram + offset, page, VIEWS_PAGE);
    }
}

/* A page of zeroes is there already, as a hole. */
static void copy_page(size_t offset)
{
    static const uint8_t zeroes[1 << PAGE_SHIFT];

    if (memcmp(views.cpu + offset, zeroes, sizeof(zeroes)) != 0) {
        memcpy(views.dram + offset, views.cpu + offset, sizeof(zeroes));
    }
}

/* Only what was written since the punch is there: copy that. */
static void copy_extents(int fd)
{
    off_t from = lseek(fd, 0, SEEK_DATA);

    while (from >= 0 && from < (off_t)views.size) {
        off_t to = lseek(fd, from, SEEK_HOLE);

        for (off_t page = from; page < to; page += 1 << PAGE_SHIFT) {
            copy_page((size_t)page);
        }
        from = lseek(fd, to, SEEK_DATA);
    }
}

void views_reset_exit(void)
{
    if (views.model) {
        copy_extents(qemu.memory_region_get_fd(ram_region));
    }
}

void views_begin_command(uint32_t command)
{
    if (views.model) {
        views_lock();
        cache_model_begin(views.model, command);
        views_unlock();
    }
}

void views_device_started(struct order_starts *starts, bool keep)
{
    if (views.model) {
        views_lock();
        cache_device_started(views.model, starts, keep);
        views_unlock();
    }
}

void views_forget_line(size_t line)
{
    if (views.model) {
        tell->line_changed(line);
    }
}

void views_record_counts(void)
{
    static const struct cache_counts none;
    const struct cache_counts *counts = views.model ? cache_model_counts(views.model) : &none;

    views_lock();
    probe_record(PROBE_READY, 0, counts->device_reads, counts->device_writes, counts->fills, counts->evictions,
                 counts->write_backs);
    views_unlock();
}

void views_device_read(size_t offset, void *data, unsigned int size, const struct accessor *by)
{
    if (!views.model) {
        memcpy(data, views.cpu + offset, size);
        return;
    }
    views_lock();
    cache_device_read(views.model, offset, data, size, by->starts, by);
    views_unlock();
}

void views_device_write(size_t offset, const void *data, unsigned int size, const struct accessor *by)
{
    if (!views.model) {
        /* QEMU's own way in: it knows which pages hold translated code. */
        qemu.cpu_physical_memory_rw(views.base + offset, (void *)(uintptr_t)data, size, true);
        return;
    }
    views_lock();
    tell->device_writes(views.base + offset, size, by);
    cache_device_write(views.model, offset, data, size, by->starts, by);
    views_unlock();
}
