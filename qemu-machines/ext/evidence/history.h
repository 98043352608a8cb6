/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last store of the CPU, its last maintenance by address and the last write of a device to each line: the
 * other half of a race. Each has the epoch in which it happened; a new epoch begins with each reset, and
 * whenever a mapping begins or ends.
 *
 * The caller holds the views' lock. Addresses are physical, and in RAM.
 */
#ifndef DMAV3_HISTORY_H
#define DMAV3_HISTORY_H

#include <stdint.h>

#include "memory/accessor.h"

extern uint32_t history_epoch; /* the present one */

/* Forget every access so far. This takes no time: they only become older than the epoch that begins. */
void history_reset(void);

/* Begin a new epoch and return it. */
uint32_t history_begin_epoch(void);

/* The store at `pc` wrote `size` bytes, all in one line. */
void history_stored(uint64_t physical, unsigned int size, uint64_t pc);

/* For the fast path of machine/access.c, which records stores itself: the origins of stores, one for each 8
 * bytes of RAM, and the value that a store at `place` (evidence/place.h) puts there. */
uint64_t *history_origins(void);

static inline uint64_t history_origin(uint32_t place)
{
    return place | (uint64_t)history_epoch << 32;
}

/* The instruction at `pc` is maintenance of the line, by address. */
void history_maintained(uint64_t physical, uint64_t pc);

/* The device `by` writes the line. */
void history_device_wrote(uint64_t physical, const struct accessor *by);

/* The last store to the byte: its program counter (0 if there was none, or it is not known), and its epoch. */
uint64_t history_store(uint64_t physical);
uint32_t history_store_epoch(uint64_t physical);

/* The program counter of the last maintenance of the line; 0 if there was none, or it is not known. */
uint64_t history_maintenance(uint64_t physical);

/* The device that wrote the line last (ACCESSOR_NO_CHANNEL if none did), and the epoch of that write. */
struct accessor history_device_write(uint64_t physical);
uint32_t history_device_write_epoch(uint64_t physical);

#endif
