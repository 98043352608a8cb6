/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which mappings have bytes in a line: a list for each line of RAM and of low RAM, the newest first. So what an
 * access costs does not depend on how many mappings there are.
 *
 * An entry of a mapping that has ended stays, because what it owed may show later, until a newer one of the
 * same sort has all of its bytes. So the index is bounded by RAM and by what is live.
 *
 * The caller holds the views' lock. Addresses are physical.
 */
#ifndef DMAV3_LINE_INDEX_H
#define DMAV3_LINE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct mapping;

/* What the bytes of an entry are. */
enum line_side {
    SIDE_MEMORY = 1,  /* the caller's memory */
    SIDE_BOUNCED = 2, /* ... for which a bounce page stands in, or that bounce page */
    SIDE_DEVICE = 4,  /* the device accesses them */
    SIDE_EITHER = 8,  /* ... in either direction */
};

struct index_entry {
    uint64_t bytes; /* of the line, a bit each */
    struct mapping *mapping;
    uint32_t range; /* of the mapping */
    uint32_t line;
    uint32_t next;
    uint32_t sides; /* enum line_side */
};

/* Forget all entries, in no time. */
void line_index_reset(void);

/* Is every byte of [physical, physical + length) in RAM or in low RAM, and is there one? */
bool line_index_has(uint64_t physical, uint64_t length);

/* Add an entry for [physical, physical + size), which the index must have and is in one line; `like` has its
 * mapping, range and sides. `drops` is called for the mapping of each older entry that goes. False: there is no
 * room. */
bool line_index_add(const struct index_entry *like, uint64_t physical, uint64_t size,
                    bool (*replaces)(const struct mapping *newer, const struct mapping *older),
                    void (*drops)(struct mapping *mapping));

/* The entries of the line of `physical`: the newest, and the one after; NULL: there is none. */
const struct index_entry *line_index_first(uint64_t physical);
const struct index_entry *line_index_next(const struct index_entry *entry);

/* The bytes of [physical, physical + size) that are in the line of `physical`, a bit each. */
uint64_t line_index_bytes(uint64_t physical, uint64_t size);

#endif
