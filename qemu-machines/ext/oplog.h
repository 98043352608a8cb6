/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operation log: what the firmware says it is doing, and what follows from it. It keeps the
 * stack of routines, the mappings, the maintenance done by each routine, and the findings.
 *
 * Called with the views' lock held.
 */
#ifndef DMAV3_OPLOG_H
#define DMAV3_OPLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "cache_model.h"
#include "probe.h"

void oplog_reset(void);

/* One record of the firmware: ENTER, EXIT, RANGE, UNMAPPED or VIOLATION; others are refused (false).
 * Arguments as in enum probe_kind. */
bool oplog_record(uint32_t kind, uint32_t id, const uint64_t arguments[5]);

/* A maintenance instruction at `pc` acted on the line at `physical`; `cleaned` and `invalidated` say
 * what it does, `before` is the line's enum probe_line before. */
void oplog_maintenance(uint64_t pc, uint64_t physical, bool cleaned, bool invalidated, unsigned int before);

/* The CPU executes a load or store at `pc` (for a hazard that follows). */
void oplog_cpu_at(uint64_t pc);

/* The store at `pc` wrote `size` bytes at `physical`, all in one line. */
void oplog_stored(uint64_t physical, unsigned int size, uint64_t pc);

/* For who does the same by himself: where the origins of a line's stores are, one for each 8 bytes, and
 * what to put there for a store at `pc`. The first stays as it is, the second until the next record. */
uint64_t *oplog_store_origins(uint64_t physical);
uint64_t oplog_store_origin(uint64_t pc);

/* The device's access that is under way writes the line at `physical`. */
void oplog_device_wrote(uint64_t physical);

/* An access at `physical` was a hazard; by_device: the device's that is under way. */
void oplog_hazard(enum cache_hazard kind, bool by_device, uint64_t physical);

/* A finding that is no hazard: the device's access that is under way, at `physical`, which need not be
 * RAM, got an error for an answer. */
void oplog_bus_error(uint64_t physical);

#endif
