/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings that the firmware has declared in its operation log: the live ones, and the last that have
 * ended, because what a mapping owed may show later. A mapping may have bounce pages that stand in for parts
 * of the buffer; when a device writes such a page of a live read, the cache model is told.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_DECLARED_H
#define DMAV3_DECLARED_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"

enum { MAPPINGS = 64, RANGES = 1024 };

/* The routines that begin and end a mapping, by their ids in the operation log: these are their positions in
 * DMA_OPERATIONS. */
enum routine_id { ROUTINE_MapTransferEx = 23, ROUTINE_FlushAdapterBuffersEx = 26 };

/* The id of a PROBE_RANGE. */
enum range_kind {
    RANGE_MAPPED,  /* the device accesses the range itself */
    RANGE_BOUNCED, /* a bounce page stands in for it */
};

struct range {
    uint64_t physical;
    uint64_t device; /* where the device sees it */
    uint32_t length;
    uint32_t kind;
};

struct mapping {
    uint64_t handle, adapter; /* handle 0: no mapping */
    bool live, write;
    bool abandoned;        /* it ended, but not by a flush */
    uint32_t flushed;      /* bytes from its start that a flush gave back */
    uint32_t began, ended; /* epochs (evidence/history.h) */
    uint32_t ranges;
    struct range range[RANGES];
};

void declared_reset(void);

/* Add a range to the live mapping with this handle; if there is none, a mapping begins. */
const struct mapping *declared_add(uint64_t handle, uint64_t adapter, bool write, const struct range *range);

/* End the live mapping with this handle. Returns NULL if there is none. */
const struct mapping *declared_end(uint64_t handle, bool abandoned);

/* The mapping was flushed, with `length` bytes: those behind them were not given back (FBX-03). */
void declared_flushed(const struct mapping *mapping, uint32_t length);

/* Return the n-th newest mapping; n is 0 to MAPPINGS - 1. */
const struct mapping *declared_nth_newest(uint32_t n);

/* Does it cover a byte of [physical, physical + length), directly or, if that counts, by a bounce page? */
bool mapping_covers(const struct mapping *mapping, uint64_t physical, uint64_t length, bool or_bounced);

/* Does the byte lie behind those that the flush gave back? It must be the mapping's, which a flush has ended.
 */
bool mapping_left_out(const struct mapping *mapping, uint64_t physical);

/* The device `by` writes `size` bytes at `physical`. There must be a cache model. */
void declared_device_wrote(uint64_t physical, unsigned int size, const struct accessor *by);

#endif
