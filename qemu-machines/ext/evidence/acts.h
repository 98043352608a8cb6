/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log of what the cache does of its own accord (model/cache_model.h), and of bytes that were read otherwise
 * than they were written last; and a run again with some of these acts only. Both are files of struct
 * act_record. Nothing of it costs anything where neither file is given.
 */
#ifndef DMAV3_ACTS_H
#define DMAV3_ACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"
#include "model/cache_model.h"

enum { ACT_WRONG = 16 }; /* a record of wrong bytes, beside enum cache_change */

struct act_record {
    struct cache_act act; /* of ACT_WRONG: line and kind only */
    uint64_t time_ns;     /* model time */
    uint64_t pc;          /* of the CPU's access that it comes with, or 0; of ACT_WRONG: the finding's cpu_pc */
    uint64_t wrong;       /* ACT_WRONG: one bit for each byte of the line */
    uint32_t channel;     /* of the device whose access it comes with */
    uint32_t finding;     /* ACT_WRONG: its number, from 1; 0: it had no room */
    uint32_t hazard;      /* ACT_WRONG: enum cache_hazard */
    uint32_t reserved;
};
_Static_assert(sizeof(struct act_record) == 56, "as harness/dmav3/evidence/acts.py reads it");

/* Log to the file of this name from now on; do the acts in it, and no others. Before the first run, on a
 * machine with a cache. False with errno set: the file cannot be used. */
bool acts_log(const char *path);
bool acts_follow(const char *path);

/* A run begins: the log is emptied. The caller holds the views' lock, here and below. */
void acts_reset(void);

void acts_happened(const struct cache_act *, const struct accessor *by);

/* The incident counts as finding number `finding`. Nothing is logged unless bytes are wrong. */
void acts_wrong(const struct cache_incident *, uint32_t finding, uint64_t cpu_pc, const struct accessor *by);

/* Write to the file what is not there yet. Returns how many records there are in all. */
uint64_t acts_logged(void);

#endif
