/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two views of this machine's RAM: the cache model, tied to QEMU's memory, or (view=none) one
 * view for all. Here is the one lock of the adapter layer: the CPU's callbacks run without QEMU's big
 * lock, devices on other threads with it.
 */
#ifndef DMAV3_VIEWS_H
#define DMAV3_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache_model.h"
#include "qemu_abi.h"

struct views {
    uint64_t base, size;       /* of RAM, physical */
    uint8_t *cpu;              /* its bytes as the CPU sees them */
    uint8_t *dram;             /* ... as devices do; the same as `cpu` with one view */
    struct cache_model *model; /* NULL with one view */
    uint8_t *code_pages;       /* 1: QEMU has translated code from this page */
};

extern struct views views;

/* Take over `ram`; dram_fd < 0 means one view. False with *errp set on failure. Probe memory must be
 * open. `line_changed` is told about every line of the model that changed. */
bool views_initialise(MemoryRegion *ram, int dram_fd, const struct cache_geometry *geometry,
                      void (*line_changed)(size_t line), Error **errp);

/* Reset, first half: both views drop their bytes, but for what is kept. Second half: what QEMU has loaded
 * is in both. */
void views_reset_enter(void);
void views_reset_exit(void);

/* Whole pages that a reset does not drop; who keeps them makes each of them right, in both views. */
enum { VIEWS_PAGE = 4096, VIEWS_DEVICE_TREE = 1 << 20 /* the first of RAM are QEMU's */ };
void views_keep(size_t offset, size_t size);
void views_restore_page(size_t offset, const uint8_t *page);

/* Recursive. */
void views_lock(void);
void views_unlock(void);

void views_begin_command(uint32_t command);
void views_record_counts(void); /* writes PROBE_READY */

/* The CPU's store that is under way starts a device. */
void views_device_started(void);

static inline bool views_has(uint64_t physical)
{
    return physical - views.base < views.size;
}

/* A device's access at `offset` in RAM. */
void views_device_read(size_t offset, void *data, unsigned int size);
void views_device_write(size_t offset, const void *data, unsigned int size);

#endif
