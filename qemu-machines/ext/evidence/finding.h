/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of findings in the probe memory: one entry for each root cause, with a count.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_FINDING_H
#define DMAV3_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/accessor.h"
#include "probe/probe.h"

/* Forget all of them; probe_reset() empties the table itself. */
void finding_reset(void);

/* The image writes an operation log: from now on findings say so. */
void finding_has_layer(void);

/* Add what `by` did: to the count of the entry with the same cause or, without one, as a new entry with a
 * record. Count, time, command and seq are filled in here. Returns its number, from 1; 0: it had no room. */
uint32_t finding_add(struct probe_finding found, const struct accessor *by);

/* Add to the count of the entry with the same cause. Returns its number; 0: there is none, and nothing happens.
 */
uint32_t finding_counts(const struct probe_finding *like);

/* The instruction at `pc` ran into what finding number `number` did: it is named there, if none is. */
void finding_met(uint32_t number, uint64_t pc);

/* Returns the number of the entry with the same cause; 0: there is none. */
uint32_t finding_knows(const struct probe_finding *like);

/* A device's access at `physical`, which need not be in RAM, was answered by an error. */
void finding_bus_error(uint64_t physical, bool is_write, enum probe_bus_error, const struct accessor *by);

/* The program of a channel did what silicon does not tell, by the instruction `code` at `by->microcode`, and
 * that, or the byte, at `other`. */
void finding_microcode(enum probe_finding_kind kind, uint64_t code, uint64_t other, const struct accessor *by);

/* The image's operation log has a record that cannot be, for the reason given; `value` is what is wrong. */
void finding_bad_record(enum probe_bad_record reason, uint64_t value);

#endif
