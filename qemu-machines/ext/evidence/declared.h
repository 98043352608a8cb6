/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the firmware has declared in its operation log: mappings, and memory that devices may use without one
 * (common buffers, channels' private memory). The live ones are here, and those that have ended until newer
 * ones take their place, because what a mapping owed may show later. A mapping may have bounce pages that stand
 * in for parts of the buffer; when a device writes such a page of a live read, the cache model is told.
 *
 * What cannot be is a finding (FINDING_BAD_RECORD) and is ignored: bytes that are not in RAM, the end of what
 * never began, more than DECLARED_LIVE_MAX at a time. The layer has 256 mappings and 256 common buffers.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_DECLARED_H
#define DMAV3_DECLARED_H

#include <stdbool.h>
#include <stdint.h>

#include "evidence/line_index.h"
#include "memory/accessor.h"
#include "probe/probe.h"

enum { DECLARED_LIVE_MAX = 16384 };

/* Routines by their ids in the operation log: members of DMA_OPERATIONS have their positions in it. */
enum routine_id {
    ROUTINE_FlushAdapterBuffers = 5,
    ROUTINE_MapTransfer = 8,
    ROUTINE_GetScatterGatherList = 11,
    ROUTINE_PutScatterGatherList = 12,
    ROUTINE_BuildScatterGatherList = 14,
    ROUTINE_MapTransferEx = 23,
    ROUTINE_GetScatterGatherListEx = 24,
    ROUTINE_BuildScatterGatherListEx = 25,
    ROUTINE_FlushAdapterBuffersEx = 26,
    ROUTINE_KeFlushIoBuffers = 65,
    ROUTINE_AdapterControl = 80,       /* the first callback */
    ROUTINE_InitializeController = 96, /* the first entry of the back end */
    ROUTINE_ProgramChannel = 99,
};

/* The id of a PROBE_RANGE. */
enum range_kind {
    RANGE_MAPPED,  /* the device accesses the range itself */
    RANGE_BOUNCED, /* a bounce page stands in for it */
    RANGE_FLUSHED, /* KeFlushIoBuffers had it; there is no mapping */
    RANGE_DEVICE,  /* the device's side, where that is RAM: it may be read and written */
};

struct range {
    uint64_t physical;
    uint64_t device; /* where the device sees it */
    uint32_t length;
    uint32_t kind;
};

struct mapping {
    struct mapping *next, *previous; /* in the list of all, the newest first */
    enum probe_memory memory;
    uint64_t handle, identity; /* of a mapping: which of those with the handle */
    uint64_t adapter;
    uint32_t maker, ender; /* the routines that began and ended it; 0: not known, not ended */
    uint64_t maker_pc;     /* where the first was called; 0: not known */
    uint64_t ended_ns;     /* model time */
    bool live, write;
    bool looped;  /* the CPU may touch it */
    bool flushed; /* its end gave data back to the CPU, these bytes from its start: */
    uint32_t given_back;
    uint32_t began, ended; /* epochs (evidence/history.h) */
    uint32_t users;        /* entries of the index, and others, that name it: declared_hold() */
    uint32_t ranges, room;
    struct range *range;
};

void declared_reset(void);

/* A mapping begins, or memory for devices is there, as described; it has no ranges yet. NULL: there are too
 * many. */
struct mapping *declared_begin(const struct mapping *like);

/* The newest live mapping with this handle and, unless it is 0, identity; NULL: there is none. */
struct mapping *declared_find(uint64_t handle, uint64_t identity);

/* The live memory for devices that begins there; NULL: there is none. */
struct mapping *declared_find_memory(uint64_t physical);

/* Add a range; of one that is wholly outside of RAM nothing is judged. False: it cannot be, or there was no
 * room. */
bool declared_add(struct mapping *mapping, const struct range *range);

/* It ends, in `routine`. */
void declared_end(struct mapping *mapping, uint32_t routine, bool flushed);

/* The mapping was flushed, with `length` bytes: those behind them were not given back (FBX-03). */
void declared_flushed(struct mapping *mapping, uint32_t length);

/* The routine that gives the data of a mapping back which `maker` made. */
uint32_t declared_flush_of(uint32_t maker);

/* Say in a finding whose mapping, or memory, it was. */
void declared_describe(const struct mapping *mapping, struct probe_finding *finding);

/* Keep a mapping in memory, after its end too, until it is let go. */
void declared_hold(struct mapping *mapping);
void declared_let_go(struct mapping *mapping);

/* The newest of all; the others follow by `next`. */
const struct mapping *declared_newest(void);

/* Is a byte of [physical, physical + size), all in one line, the entry's? If so is it memory of the caller that
 * the device accesses itself or, if that counts, by a bounce page? */
bool declared_covers(const struct index_entry *entry, uint64_t physical, uint64_t size, bool or_bounced);

/* What the CPU may not do in a line without being judged: enum declared_owned, of lines of RAM. It may say too
 * much for a line where a mapping has ended. */
enum declared_owned { OWNED_STORES = 1, OWNED_LOADS = 2 };
extern uint8_t *declared_owned;

/* The live mapping, no loop, that a store, or a load, of the CPU may not touch there; NULL: it may. All bytes
 * are in one line of RAM. `first`: the first byte that it has. declared_owned is right for the line then. */
const struct mapping *declared_owner(uint64_t physical, unsigned int size, bool store, uint64_t *first);

/* Does the byte lie behind those that the flush gave back? It must be the mapping's, which a flush has ended.
 */
bool mapping_left_out(const struct mapping *mapping, uint64_t physical);

/* The device `by` writes `size` bytes at `physical`. There must be a cache model. */
void declared_device_wrote(uint64_t physical, unsigned int size, const struct accessor *by);

#endif
