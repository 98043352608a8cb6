/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of costs in the probe memory: how often each instruction of maintenance was executed, in which
 * routine, and how often it changed nothing. What finds no room counts in the last entry, which has no place.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_COST_H
#define DMAV3_COST_H

#include <stdbool.h>
#include <stdint.h>

/* Forget all of them; probe_reset() empties the table itself. */
void cost_reset(void);

/* The instruction at `pc` was executed in `routine`, 0: in none. */
void cost_count(uint64_t pc, uint32_t routine, bool redundant);

#endif
