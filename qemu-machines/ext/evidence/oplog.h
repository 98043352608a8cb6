/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operation log: what the firmware says that it is doing. This file keeps the stack of routines and counts
 * the maintenance that each of them does; the mappings go to evidence/declared.h.
 *
 * The caller holds the views' lock.
 */
#ifndef DMAV3_OPLOG_H
#define DMAV3_OPLOG_H

#include <stdbool.h>
#include <stdint.h>

/* Forget the routines, the mappings and the history of accesses. */
void oplog_reset(void);

/* Take one record of the firmware: ENTER to VIOLATION, or MAPPING to ADAPTER, with arguments as in enum
 * probe_kind. Any other kind is refused: false. */
bool oplog_record(uint32_t kind, uint32_t id, const uint64_t arguments[5]);

/* Does a routine of the layer, or an entry of the back end, run, and no callback of the driver inside of it? */
bool oplog_is_inside_layer(void);

/* A maintenance instruction at `pc` acted on the line at `physical`; `cleaned` and `invalidated` say
 * what it does, `before` is the line's enum probe_line before. */
void oplog_maintenance(uint64_t pc, uint64_t physical, bool cleaned, bool invalidated, unsigned int before);

#endif
