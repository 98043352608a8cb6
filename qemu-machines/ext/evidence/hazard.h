/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a hazard of the cache model to a finding: who did what, and which routine owed what.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_HAZARD_H
#define DMAV3_HAZARD_H

#include <stdint.h>

#include "memory/accessor.h"
#include "model/cache_model.h"

/* The access of `by` at `physical`, in RAM, is a hazard. */
void hazard_found(const struct cache_incident *incident, uint64_t physical, const struct accessor *by);

#endif
