/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two views of this machine's RAM: the cache model, tied to QEMU's memory, or (view=none) one view for
 * all. Whoever uses the model holds the lock of memory/lock.h.
 */
#ifndef DMAV3_VIEWS_H
#define DMAV3_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/accessor.h"
#include "memory/lock.h"
#include "model/cache_model.h"
#include "qemu/qemu_abi.h"

/* RAM for devices that reach nothing else; it is in no view (devices/master.h). */
enum low_ram { LOW_RAM_BASE = 0x0f000000, LOW_RAM_SIZE = 1 << 20 };

struct views {
    uint64_t base, size;       /* of RAM, physical */
    uint8_t *cpu;              /* its bytes as the CPU sees them */
    uint8_t *dram;             /* ... as devices do; the same as `cpu` with one view */
    struct cache_model *model; /* NULL with one view */
    uint8_t *code_pages;       /* 1: QEMU has translated code from this page */
    /* A device runs behind the CPU, and has work: before the CPU reaches DRAM this lets it do what it should
     * have done by now. Called in callbacks of the translator, with the big lock and the views' own. */
    void (*catch_up)(void);
};

extern struct views views;

/* What happens in RAM, told with the lock held. With one view nothing is told. Addresses are physical. */
struct views_events {
    /* A line of the model changed: struct cache_events has the rest. */
    void (*line_changed)(size_t line);
    /* The access of `by` is a hazard. It must not call the model. */
    void (*hazard)(const struct cache_incident *, uint64_t physical, const struct accessor *by);
    /* The cache did something of its own accord, with the access of `by` (cache_model_track()). */
    void (*acted)(const struct cache_act *, const struct accessor *by);
    /* A device is about to write `size` bytes. */
    void (*device_writes)(uint64_t physical, unsigned int size, const struct accessor *by);
};

/* Take over `ram`; dram_fd < 0 means one view. False with *errp set on failure. Probe memory must be
 * open. */
bool views_initialise(MemoryRegion *ram, int dram_fd, const struct cache_geometry *geometry,
                      const struct views_events *events, Error **errp);

/* A reset has two halves. In the first, both views drop all bytes except those that are kept; after the second,
 * what QEMU has loaded in between is in both. */
void views_reset_enter(void);
void views_reset_exit(void);

/* Keep whole pages over a reset. The caller must put each of them right afterwards, in both views, by
 * views_restore_page(). */
enum { VIEWS_PAGE = 4096, VIEWS_DEVICE_TREE = 1 << 20 /* the first of RAM are QEMU's */ };
void views_keep(size_t offset, size_t size);
void views_restore_page(size_t offset, const uint8_t *page);

void views_begin_command(uint32_t command);
void views_record_counts(void); /* writes PROBE_READY */

/* What is remembered of a line of RAM is void (views_events.line_changed), though the model did nothing. */
void views_forget_line(size_t line);

/* The CPU's store that is under way starts the device of these starts. keep: those since its last access count
 * as well. */
void views_device_started(struct order_starts *starts, bool keep);

static inline bool views_has(uint64_t physical)
{
    return physical - views.base < views.size;
}

/* The device `by` accesses `size` bytes at `offset` in RAM. */
void views_device_read(size_t offset, void *data, unsigned int size, const struct accessor *by);
void views_device_write(size_t offset, const void *data, unsigned int size, const struct accessor *by);

#endif
