/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a hazard of the cache model to a finding in the probe memory: who did what, and who owed what.
 *
 * Called with the views' lock held.
 */
#ifndef DMAV3_FINDING_H
#define DMAV3_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "cache_model.h"

/* The CPU executes a load or store at `pc`, for a hazard that follows. */
void finding_cpu_at(uint64_t pc);

/* An access at `physical` was a hazard; by_device: the device's that is under way. */
void finding_hazard(enum cache_hazard hazard, bool by_device, uint64_t physical);

/* A finding that is no hazard: the device's access that is under way, at `physical`, which need not be RAM, got
 * an error for an answer. */
void finding_bus_error(uint64_t physical);

#endif
