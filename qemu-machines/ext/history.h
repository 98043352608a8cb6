/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who touched a line last, from either side: the other half of a race. And when, in eras: one begins with
 * each reset, and whenever a mapping begins or ends.
 *
 * Called with the views' lock held. Physical addresses, in RAM.
 */
#ifndef DMAV3_HISTORY_H
#define DMAV3_HISTORY_H

#include <stdint.h>

#include "pace.h"

extern uint32_t history_era; /* the present one */

/* What was before is forgotten, in no time. */
void history_reset(void);

uint32_t history_begin_era(void);

/* The store at `pc` wrote `size` bytes, all in one line. */
void history_stored(uint64_t physical, unsigned int size, uint64_t pc);

/* For who does the same by himself: where the origins of a line's stores are, one for each 8 bytes, and
 * what to put there for a store at `pc`. */
uint64_t *history_origins(uint64_t physical);

static inline uint64_t history_origin(uint64_t pc)
{
    return (uint32_t)pc | (uint64_t)history_era << 32;
}

/* The device's access that is under way writes the line. */
void history_device_wrote(uint64_t physical);

/* The last store to the byte: its address (below 4 GiB), 0 if there was none, and its era. */
uint32_t history_store(uint64_t physical);
uint32_t history_store_era(uint64_t physical);

/* The last of a device's writes to the line; its channel is PACE_NO_CHANNEL if there was none. And its era. */
struct pace_position history_device_write(uint64_t physical);
uint32_t history_device_write_era(uint64_t physical);

#endif
