/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of findings in the probe memory: one entry for each root cause, with a count.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_FINDING_H
#define DMAV3_FINDING_H

#include <stdint.h>

#include "memory/accessor.h"
#include "probe/probe.h"

/* Add what `by` did: to the count of the entry with the same cause or, without one, as a new entry with a
 * record. Count, time, command and seq are filled in here. */
void finding_add(struct probe_finding found, const struct accessor *by);

/* A device's access at `physical`, which need not be in RAM, was answered by an error. */
void finding_bus_error(uint64_t physical, const struct accessor *by);

#endif
