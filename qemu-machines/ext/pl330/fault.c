/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/fault.h"

#include "devices/uart.h"
#include "evidence/finding.h"
#include "memory/fault_range.h"
#include "memory/views.h"
#include "pl330/bus.h"
#include "pl330/bus_region.h"
#include "pl330/fetch.h"
#include "pl330/registers.h"
#include "probe/probe.h"

enum { DMAKILL = 0x01, RUN_STATE_INTERNAL_ERROR = 2 };

static struct {
    uint32_t pending[FETCH_CHANNELS]; /* fault that the channel will have when it is empty */
    uint64_t failed[FETCH_CHANNELS];  /* the address of its last bus error, */
    bool was_asked[FETCH_CHANNELS];   /* and whether somebody has asked for it (fault-base) */
    uint32_t recorded;                /* a bit a channel that faults */
} faults;

static void record(enum probe_kind kind, uint32_t n, uint64_t b, uint64_t e)
{
    const struct fetch_thread *thread = fetch_thread(n);

    views_lock();
    probe_record(kind, n, thread->at, b, thread->is.source, thread->is.target, e);
    views_unlock();
}

static void fails_at(uint32_t n, uint64_t address, uint64_t span)
{
    faults.failed[n] = address;
    faults.was_asked[n] = fault_range_has(address, span);
}

/* A bus error that nobody has asked for is a finding as well. */
static void tell_bus_error(uint32_t n, uint32_t type)
{
    const struct fetch_thread *thread = fetch_thread(n);
    const struct accessor by = {.channel = n, .microcode = thread->at, .burst = thread->is.bursts};

    if (!faults.was_asked[n]) {
        views_lock();
        finding_bus_error(faults.failed[n], type == FAULT_WRITE, true, &by);
        views_unlock();
    }
}

/* ---- what the model has of a channel ---- */

/* Loaded bytes that no store has taken: they are in the FIFO, or queued for it. */
static bool has_bytes(uint32_t n)
{
    const struct fetch_thread *thread = fetch_thread(n);

    return thread->active && thread->is.loaded && !pl330_thread_is_empty(&thread->is);
}

/* While the engine stands still and this is so of all channels, nothing is queued either: a queue only
 * waits for the FIFO. */
static bool is_settled(void)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        if (has_bytes(n)) {
            return false;
        }
    }
    return true;
}

static bool others_have_bytes(uint32_t but)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        if (n != but && has_bytes(n)) {
            return true;
        }
    }
    return false;
}

static bool others_run(uint32_t but)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        if (n != but && registers_state(n) != CHANNEL_STOPPED && registers_state(n) != CHANNEL_FAULTING) {
            return true;
        }
    }
    return false;
}

/* ---- limits ---- */

/* The main loop stops the machine; until then, what the CPU says must not be heard. */
static void reach_limit(enum probe_limit limit, uint32_t n)
{
    if (probe->limit) {
        return;
    }
    probe->limit = limit;
    probe->limit_channel = n;
    record(PROBE_LIMIT, n, limit, 0);
    qemu.error_report("dmav3: channel %u: QEMU's model of the PL330 cannot go on (limit %u of fault.h)", n,
                      limit);
    uart_hang_up();
    qemu.qemu_system_vmstop_request_prepare();
    qemu.qemu_system_vmstop_request(RUN_STATE_INTERNAL_ERROR);
}

static void poison(uint32_t n)
{
    probe->spoiled |= 1u << n;
    if (others_run(n)) {
        reach_limit(LIMIT_POISONED, n);
    }
}

bool fault_may_start(uint32_t n)
{
    fault_seen();
    if (probe->spoiled) {
        reach_limit(LIMIT_POISONED, n);
    }
    return !probe->limit;
}

void fault_before_kill(uint32_t n)
{
    if (registers_state(n) != CHANNEL_STOPPED && !is_settled()) {
        poison(n);
    }
    faults.pending[n] = 0;
    faults.recorded &= ~(1u << n);
}

/* ---- bus errors ---- */

static bool is_foreseen(void)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        if (faults.pending[n]) {
            return true;
        }
    }
    return false;
}

static void bus_failed(uint64_t address, bool is_write, const struct accessor *by)
{
    uint32_t n = by->channel;

    if (is_foreseen()) {
        return;
    }
    if (n != FETCH_NOBODY && fetch_thread(n)->active && !others_have_bytes(n)) {
        faults.pending[n] = is_write ? FAULT_WRITE : FAULT_READ;
        fails_at(n, address, 1);
        return;
    }
    views_lock();
    finding_bus_error(address, is_write, false, by);
    views_unlock();
    reach_limit(LIMIT_BUS_ERROR, n);
}

/* The instruction may be the last that the channel executes for a long time, or for ever. */
static bool may_be_last(uint8_t opcode)
{
    return pl330_is_end(opcode) || pl330_waits(opcode);
}

uint32_t fault_due(uint32_t n, uint8_t opcode, const struct pl330_access *access)
{
    const struct fetch_thread *thread = fetch_thread(n);

    if (faults.pending[n] && (pl330_thread_is_empty(&thread->is) || may_be_last(opcode))) {
        return faults.pending[n];
    }
    if (bus_is_faulty(thread->at, pl330_instruction_length(opcode))) {
        fails_at(n, thread->at, pl330_instruction_length(opcode));
        return FAULT_FETCH;
    }
    if (access->kind == ACCESS_LOAD && bus_is_faulty(access->address, access->span)) {
        fails_at(n, access->address, access->span);
        return FAULT_READ;
    }
    return 0;
}

void fault_foresee(uint32_t n, uint8_t opcode, const struct pl330_access *access)
{
    const struct pl330_thread *is = &fetch_thread(n)->is;

    if ((access->kind == ACCESS_STORE || access->kind == ACCESS_ZERO) &&
        bus_is_faulty(access->address, access->span)) {
        faults.pending[n] = FAULT_WRITE;
        fails_at(n, access->address, access->span);
    }
    /* It may have something queued: it does not wait for that as DMAEND does. */
    if (opcode == DMAKILL && (is->loaded || is->stored || is->zeroed)) {
        probe->spoiled |= 1u << n;
    }
}

void fault_show(uint32_t n, uint32_t type)
{
    faults.pending[n] = 0;
    faults.recorded |= 1u << n;
    registers_set_fault(n, type);
    record(PROBE_CHANNEL_FAULT, n, type, type == FAULT_LOCKUP ? 0 : faults.failed[n]);
    if (type != FAULT_LOCKUP) {
        tell_bus_error(n, type);
    }
    if (has_bytes(n)) {
        probe->spoiled |= 1u << n;
    }
}

/* ---- faults of the model's own ---- */

static void see(uint32_t n)
{
    uint32_t type = registers_fault_of_model(n);

    if (!(faults.recorded >> n & 1)) {
        faults.recorded |= 1u << n;
        record(PROBE_CHANNEL_FAULT, n, type, 0);
    }
    if ((type & FAULT_LOCKUP) && others_have_bytes(n)) {
        reach_limit(LIMIT_BLOCKED, n);
    } else if (has_bytes(n)) {
        poison(n);
    }
}

void fault_seen(void)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        if (registers_state(n) == CHANNEL_FAULTING) {
            see(n);
        }
    }
}

/* ---- set-up ---- */

void fault_initialise(void)
{
    bus_watch(bus_failed);
}

void fault_reset(void)
{
    for (uint32_t n = 0; n < FETCH_CHANNELS; n++) {
        if (registers_state(n) != CHANNEL_STOPPED && !is_settled()) {
            probe->spoiled |= 1u << n;
        }
        faults.pending[n] = 0;
    }
    faults.recorded = 0;
}
