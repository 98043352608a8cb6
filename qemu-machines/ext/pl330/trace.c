/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/trace.h"

#include <string.h>

#include "memory/views.h"
#include "pl330/fetch.h"
#include "pl330/registers.h"
#include "probe/probe.h"

enum { DMASEV = 0x34, EVENT_SHIFT = 3, INSTRUCTIONS_MAX = 1000000000 };

static struct {
    bool on;
    uint64_t instructions, left; /* to be recorded; of them, still to come */
} trace = {.on = true, .instructions = PROBE_RING_RECORDS / 4};

static void record(uint32_t n, const struct fetch_thread *thread)
{
    struct pl330_access access = pl330_access(&thread->is, thread->code[0]);
    bool interrupts = thread->code[0] == DMASEV && registers_interrupts(thread->code[1] >> EVENT_SHIFT);
    uint64_t code = 0;

    memcpy(&code, thread->code, pl330_instruction_length(thread->code[0]));
    views_lock();
    probe_record(PROBE_INSTRUCTION, n, thread->at, code, access.address, access.bytes, interrupts);
    views_unlock();
}

void trace_instruction(uint32_t n)
{
    if (!trace.on) {
        return;
    }
    if (!trace.left) {
        probe->trace_lost++;
        return;
    }
    trace.left--;
    record(n, fetch_thread(n));
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
