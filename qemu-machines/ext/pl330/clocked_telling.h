/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine tells the CPU, the event log and the findings. */
#ifndef DMAV3_CLOCKED_TELLING_H
#define DMAV3_CLOCKED_TELLING_H

#include "engine/engine.h"
#include "probe/probe.h"

extern const struct engine_ops clocked_ops;

/* Drive the outputs that have changed, and ring the alarm that is owed, unless this is a callback of the
 * translator, where nothing may interrupt the CPU. */
void clocked_deliver(void);

/* Drive the stream's interrupt by the same way. */
void clocked_stream_interrupt(bool level);

/* Append a record, of the engine's time while it runs. */
void clocked_record(enum probe_kind, uint32_t channel, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                    uint64_t e);

#endif
