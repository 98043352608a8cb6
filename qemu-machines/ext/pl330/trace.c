/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/trace.h"

#include <string.h>

#include "memory/views.h"
#include "probe/probe.h"

enum { INSTRUCTIONS_MAX = 1000000000 };

static struct {
    bool on;
    uint64_t instructions, left; /* to be recorded; of them, still to come */
} trace = {.on = true, .instructions = PROBE_RING_RECORDS / 4};

bool trace_listens(void)
{
    return trace.on && trace.left;
}

void trace_skipped(uint64_t count)
{
    probe->trace_lost += trace.on ? count : 0;
}

void trace_instruction(const struct trace_instruction *it)
{
    uint64_t code = 0;

    trace.left--;
    memcpy(&code, it->code, it->length);
    views_lock();
    probe_record(PROBE_INSTRUCTION, it->channel, it->at, code, it->address, it->bytes, it->interrupts);
    views_unlock();
}

void trace_reset(void)
{
    trace.left = trace.instructions;
    probe->trace_lost = 0;
}

/* ---- properties ---- */

uint64_t trace_on(void)
{
    return trace.on;
}

bool trace_set_on(uint64_t value, Error **errp)
{
    if (value > 1) {
        error_setg(errp, "trace=%llu: 0 or 1", (unsigned long long)value);
        return false;
    }
    trace.on = value;
    trace_reset();
    return true;
}

uint64_t trace_instructions(void)
{
    return trace.instructions;
}

bool trace_set_instructions(uint64_t value, Error **errp)
{
    if (value < 1 || value > INSTRUCTIONS_MAX) {
        error_setg(errp, "trace-instructions=%llu: 1 to %d, such as 16384", (unsigned long long)value,
                   INSTRUCTIONS_MAX);
        return false;
    }
    trace.instructions = value;
    trace_reset();
    return true;
}

uint64_t trace_lost(void)
{
    return probe->trace_lost;
}
