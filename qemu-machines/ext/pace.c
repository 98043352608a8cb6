/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pace.h"

#include "alarm.h"
#include "fault.h"
#include "fetch.h"
#include "gate.h"
#include "overlay.h"
#include "probe.h"
#include "trace.h"
#include "views.h"

enum { SAR0 = 0x400, DAR0 = 0x404, CCR0 = 0x408, CHANNEL_STEP = 0x20 };
enum { DMASEV = 0x34, NS_PER_INSTRUCTION = 10, INTERVAL_MAX_NS = 1000000000, INSTRUCTIONS_MAX = 1000000000 };

struct hold {
    uint64_t at_burst, at_byte, interval_ns; /* properties */
    uint64_t step_to;                        /* bursts after which a step ends; 0: no step */
    bool by_person, for_time;
    uint64_t paced;        /* bursts whose interval is over */
    uint64_t instructions; /* of this run of the engine, each as often as it was tried */
    uint64_t counted;      /* tries that are in the above, or were before */
    uint64_t began_ns;     /* model time of the first of them */
    struct model_timer timer;
};

static struct {
    struct hold hold[PACE_CHANNELS];
    qemu_irq line_busy;
    uint64_t slice, unsliceable;
} pace = {.slice = 100000, .unsliceable = 100000}; /* about 40 ms of QEMU */

static uint32_t index_of(const struct hold *hold)
{
    return (uint32_t)(hold - pace.hold);
}

struct pace_position pace_position(void)
{
    struct pace_position position = {.channel = fetch_current()};
    const struct fetch_thread *thread;

    if (position.channel != PACE_NO_CHANNEL) {
        thread = fetch_thread(position.channel);
        position.microcode = fetch_place();
        position.burst = thread->is.bursts;
        if (thread->fetched) {
            unsigned int kind = channel_access(&thread->is, thread->code[0]).kind;

            position.burst += kind == ACCESS_LOAD || kind == ACCESS_ZERO;
        }
    }
    return position;
}

uint32_t pace_held_channels(void)
{
    uint32_t channels = 0;

    for (uint32_t n = 0; n < PACE_CHANNELS; n++) {
        channels |= (uint32_t)pace.hold[n].by_person << n;
    }
    return channels;
}

/* ---- at the fetch of an instruction ---- */

static bool begins_burst(const struct channel_access *access)
{
    return access->kind == ACCESS_LOAD || access->kind == ACCESS_ZERO;
}

static bool is_at_burst(const struct hold *hold, const struct channel *is, bool begins)
{
    return hold->at_burst && is->bursts + begins >= hold->at_burst;
}

static bool is_at_byte(const struct hold *hold, const struct channel *is, uint64_t begins)
{
    return hold->at_byte && channel_bytes(is) + begins > hold->at_byte;
}

static bool ends_step(const struct hold *hold, const struct channel *is, bool begins)
{
    return hold->step_to && begins && is->bursts >= hold->step_to;
}

static void hold_for_person(struct hold *hold, const struct fetch_thread *thread)
{
    hold->by_person = true;
    hold->at_burst = hold->at_byte = hold->step_to = 0;
    views_lock();
    probe_record(PROBE_HELD, index_of(hold), thread->at, thread->is.bursts, channel_bytes(&thread->is), 0, 0);
    views_unlock();
    alarm_ring();
}

static void check_person(struct hold *hold, const struct fetch_thread *thread,
                         const struct channel_access *access)
{
    bool begins = begins_burst(access);

    if (is_at_burst(hold, &thread->is, begins) || is_at_byte(hold, &thread->is, begins ? access->bytes : 0) ||
        ends_step(hold, &thread->is, begins)) {
        hold_for_person(hold, thread);
    }
}

static void hold_for_time(struct hold *hold, uint64_t ns)
{
    hold->for_time = true;
    model_timer_arm(&hold->timer, gate_time() + ns);
}

static void check_pace(struct hold *hold, const struct channel *is)
{
    if (hold->interval_ns && !hold->step_to && is->bursts > hold->paced) {
        hold->paced = is->bursts;
        hold_for_time(hold, hold->interval_ns);
    }
}

/* A run of the engine takes no time. */
static void count_instruction(struct hold *hold, uint64_t tries)
{
    if (!hold->instructions || (hold->instructions > pace.slice && gate_time() != hold->began_ns)) {
        hold->instructions = 0;
        hold->began_ns = gate_time();
        hold->counted = tries - 1;
    }
    hold->instructions += tries - hold->counted;
    hold->counted = tries;
}

static void check_slice(struct hold *hold)
{
    if (hold->instructions > pace.slice && !hold->for_time) {
        hold_for_time(hold, pace.slice * NS_PER_INSTRUCTION);
    }
}

/* A step must not wake the CPU by an interrupt while time stands still. */
static void wait_for_gate(struct hold *hold)
{
    if (!hold->for_time) {
        hold_for_time(hold, 0);
    }
}

/* The fault that the channel has now, before it executes the instruction. */
static uint32_t fault_now(uint32_t n, uint8_t opcode, const struct channel_access *access)
{
    uint32_t type = fault_due(n, opcode, access);
    bool unsliceable = pace.hold[n].instructions > pace.slice + pace.unsliceable;

    return !type && unsliceable && !channel_is_empty(&fetch_thread(n)->is) ? FAULT_LOCKUP : type;
}

static enum fetch_serving decide(uint32_t n, uint8_t opcode)
{
    struct hold *hold = &pace.hold[n];
    const struct fetch_thread *thread = fetch_thread(n);
    struct channel_access access = channel_access(&thread->is, opcode);
    uint32_t type;

    count_instruction(hold, thread->tries);
    type = fault_now(n, opcode, &access);
    if ((type || opcode == DMASEV) && channel_is_empty(&thread->is) && !gate_is_open()) {
        wait_for_gate(hold);
    } else if (type) {
        fault_show(n, type);
        return SERVE_FAULT;
    }
    if (channel_is_empty(&thread->is)) {
        check_person(hold, thread, &access);
        check_pace(hold, &thread->is);
        check_slice(hold);
    }
    if (hold->by_person || hold->for_time) {
        qemu.qemu_set_irq(pace.line_busy, 1); /* a reset takes it down in the model */
        return SERVE_HOLD;
    }
    fault_foresee(n, opcode, &access);
    return SERVE_PROGRAM;
}

/* ---- going on ---- */

static void let_go(struct hold *hold)
{
    hold->instructions = 0;
    fetch_let_go(index_of(hold));
    overlay_kick();
}

static void time_is_over(void *opaque)
{
    struct hold *hold = opaque;

    hold->for_time = false;
    if (!hold->by_person && fetch_thread(index_of(hold))->serving == SERVE_HOLD) {
        let_go(hold);
    }
}

static void forget(struct hold *hold)
{
    hold->by_person = hold->for_time = false;
    hold->step_to = hold->paced = hold->instructions = 0;
    if (hold->timer.armed) {
        model_timer_disarm(&hold->timer);
    }
}

static bool start(uint32_t n, uint64_t address)
{
    if (!fault_may_start(n)) {
        return false;
    }
    forget(&pace.hold[n]);
    fetch_start(n, address, overlay_model_register(SAR0 + CHANNEL_STEP * n),
                overlay_model_register(DAR0 + CHANNEL_STEP * n),
                overlay_model_register(CCR0 + CHANNEL_STEP * n));
    return true;
}

static void kill(uint32_t n)
{
    fault_before_kill(n);
    forget(&pace.hold[n]);
    fetch_stop(n);
}

static bool is_held(uint32_t n)
{
    return fetch_thread(n)->serving == SERVE_HOLD;
}

/* ---- set-up ---- */

MemoryRegion *pace_initialise(MemoryRegion *pl330, qemu_irq line_busy, qemu_irq line_kick)
{
    static const struct fetch_hooks hooks = {decide, trace_instruction};
    static const struct overlay_events events = {start, kill, fault_seen, is_held};

    for (uint32_t n = 0; n < PACE_CHANNELS; n++) {
        model_timer_initialise(&pace.hold[n].timer, time_is_over, &pace.hold[n]);
    }
    pace.line_busy = line_busy;
    fetch_initialise(&hooks);
    fault_initialise();
    return overlay_registers(pl330, line_kick, &events);
}

void pace_reset(void)
{
    fault_reset();
    overlay_reset();
    for (uint32_t n = 0; n < PACE_CHANNELS; n++) {
        forget(&pace.hold[n]);
    }
    fetch_reset();
    trace_reset();
}

/* ---- properties ---- */

static bool set_instructions(uint64_t *place, const char *name, uint64_t value, Error **errp)
{
    if (value < 1 || value > INSTRUCTIONS_MAX) {
        error_setg(errp, "%s=%llu: 1 to %d, such as 100000", name, (unsigned long long)value, INSTRUCTIONS_MAX);
        return false;
    }
    *place = value;
    return true;
}

uint64_t pace_slice_instructions(void)
{
    return pace.slice;
}

bool pace_set_slice_instructions(uint64_t value, Error **errp)
{
    return set_instructions(&pace.slice, "slice-instructions", value, errp);
}

uint64_t pace_unsliceable_instructions(void)
{
    return pace.unsliceable;
}

bool pace_set_unsliceable_instructions(uint64_t value, Error **errp)
{
    return set_instructions(&pace.unsliceable, "unsliceable-instructions", value, errp);
}

uint64_t pace_burst_interval_ns(uint32_t n)
{
    return pace.hold[n].interval_ns;
}

bool pace_set_burst_interval_ns(uint32_t n, uint64_t value, Error **errp)
{
    if (value > INTERVAL_MAX_NS) {
        error_setg(errp, "burst-interval-ns=%llu: at most one second, such as 1000", (unsigned long long)value);
        return false;
    }
    pace.hold[n].interval_ns = value;
    return true;
}

/* A channel that has come past a place cannot be held there. `done`: where a running one is. */
static bool set_place(uint64_t *place, uint32_t n, const char *name, uint64_t value, uint64_t done,
                      Error **errp)
{
    if (value > INT64_MAX) { /* a negative number, as QEMU passes it on */
        error_setg(errp, "%s=%lld: 0 or more", name, (long long)value);
        return false;
    }
    if (value && value <= done && overlay_state(n) != OVERLAY_STOPPED) {
        error_setg(errp, "%s=%llu: channel %u has come to %llu already", name, (unsigned long long)value, n,
                   (unsigned long long)done);
        return false;
    }
    *place = value;
    return true;
}

uint64_t pace_hold_at_burst(uint32_t n)
{
    return pace.hold[n].at_burst;
}

bool pace_set_hold_at_burst(uint32_t n, uint64_t value, Error **errp)
{
    uint64_t done = fetch_thread(n)->is.bursts + pace.hold[n].by_person;

    return set_place(&pace.hold[n].at_burst, n, "hold-at-burst", value, done, errp);
}

uint64_t pace_hold_at_byte(uint32_t n)
{
    return pace.hold[n].at_byte;
}

bool pace_set_hold_at_byte(uint32_t n, uint64_t value, Error **errp)
{
    return set_place(&pace.hold[n].at_byte, n, "hold-at-byte", value, channel_bytes(&fetch_thread(n)->is),
                     errp);
}

uint64_t pace_held(uint32_t n)
{
    return pace.hold[n].by_person;
}

static bool may_go_on(uint32_t n, const char *name, uint64_t value, Error **errp)
{
    if (value != 1) {
        error_setg(errp, "%s=%llu: 1", name, (unsigned long long)value);
        return false;
    }
    if (!pace.hold[n].by_person) {
        error_setg(errp, "%s=1: channel %u is not held", name, n);
        return false;
    }
    return true;
}

bool pace_step(uint32_t n, uint64_t value, Error **errp)
{
    struct hold *hold = &pace.hold[n];

    if (!may_go_on(n, "step", value, errp)) {
        return false;
    }
    hold->step_to = hold->paced = fetch_thread(n)->is.bursts + 1;
    hold->by_person = hold->for_time = false;
    model_timer_disarm(&hold->timer);
    let_go(hold);
    return true;
}

bool pace_release(uint32_t n, uint64_t value, Error **errp)
{
    struct hold *hold = &pace.hold[n];

    if (!may_go_on(n, "release", value, errp)) {
        return false;
    }
    hold->by_person = false;
    if (!hold->for_time) {
        hold_for_time(hold, 0);
    }
    return true;
}
