/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operation log: what the firmware says it is doing. It keeps the stack of routines and counts the
 * maintenance done by each; the mappings go to mappings.h.
 *
 * Called with the views' lock held.
 */
#ifndef DMAV3_OPLOG_H
#define DMAV3_OPLOG_H

#include <stdbool.h>
#include <stdint.h>

void oplog_reset(void);

/* One record of the firmware: ENTER, EXIT, RANGE, UNMAPPED or VIOLATION; others are refused (false).
 * Arguments as in enum probe_kind. */
bool oplog_record(uint32_t kind, uint32_t id, const uint64_t arguments[5]);

/* A maintenance instruction at `pc` acted on the line at `physical`; `cleaned` and `invalidated` say
 * what it does, `before` is the line's enum probe_line before. */
void oplog_maintenance(uint64_t pc, uint64_t physical, bool cleaned, bool invalidated, unsigned int before);

#endif
