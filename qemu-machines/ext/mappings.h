/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings that the firmware has told of, live ones and the last that have ended: what one owed may
 * show later. And the bounce pages that stand in for parts of them: where a device writes those of a live
 * read, the cache model learns of it.
 *
 * Called with the views' lock held.
 */
#ifndef DMAV3_MAPPINGS_H
#define DMAV3_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>

enum { MAPPINGS = 64, RANGES = 1024 };

/* The routines between which a mapping is live, by their position in DMA_OPERATIONS. */
enum { MAP_TRANSFER_EX = 23, FLUSH_ADAPTER_BUFFERS_EX = 26 };

/* As the shim's enum trace_range has them. */
enum range_kind { RANGE_MAPPED, RANGE_BOUNCED };

struct range {
    uint64_t physical;
    uint64_t device; /* where the device sees it */
    uint32_t length;
    uint32_t kind;
};

struct mapping {
    uint64_t handle, adapter; /* handle 0: no mapping */
    bool live, write;
    bool abandoned;        /* it ended otherwise than by a flush */
    uint32_t began, ended; /* eras (history.h) */
    uint32_t ranges;
    struct range range[RANGES];
};

void mappings_reset(void);

/* One more range of the live mapping with this handle, which begins if there is none. */
const struct mapping *mapping_add(uint64_t handle, uint64_t adapter, bool write, const struct range *range);

/* NULL if there is no live one. */
const struct mapping *mapping_end(uint64_t handle, bool abandoned);

/* It was flushed: nothing is owed for what lies behind its first `length` bytes (FBX-03). */
void mapping_flushed(const struct mapping *mapping, uint32_t length);

/* n counts from the newest, 0 to MAPPINGS - 1. */
const struct mapping *mapping_nth_newest(uint32_t n);

/* Does it cover a byte of [physical, physical + length), directly or, if that counts, by a bounce page? */
bool mapping_covers(const struct mapping *mapping, uint64_t physical, uint64_t length, bool or_bounced);

/* The device's access that is under way writes `size` bytes at `physical`. */
void mappings_device_wrote(uint64_t physical, unsigned int size);

#endif
