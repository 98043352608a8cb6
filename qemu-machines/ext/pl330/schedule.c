/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/schedule.h"

#include "devices/alarm.h"
#include "memory/views.h"
#include "pl330/fault.h"
#include "pl330/fetch.h"
#include "pl330/registers.h"
#include "pl330/trace.h"
#include "probe/probe.h"
#include "time/clock.h"

enum { SAR0 = 0x400, DAR0 = 0x404, CCR0 = 0x408, CHANNEL_STEP = 0x20 };
enum { DMASEV = 0x34, EVENT_SHIFT = 3, NS_PER_INSTRUCTION = 10, INSTRUCTIONS_MAX = 1000000000 };

struct hold {
    uint64_t at_burst, at_byte, interval_ns; /* properties */
    uint64_t step_to;                        /* bursts after which a step ends; 0: no step */
    bool on_request, for_time;
    uint64_t paced;        /* bursts whose interval is over */
    uint64_t instructions; /* of this run of the engine, each as often as it was tried */
    uint64_t counted;      /* tries that are in the above, or were before */
    uint64_t began_ns;     /* model time of the first of them */
    struct model_timer timer;
};

static struct {
    struct hold hold[SCHEDULE_CHANNELS];
    qemu_irq line_busy;
    uint64_t slice, unsliceable;
} schedule = {.slice = 100000, .unsliceable = 100000}; /* about 40 ms of QEMU */

static uint32_t index_of(const struct hold *hold)
{
    return (uint32_t)(hold - schedule.hold);
}

static uint32_t held_channels(void)
{
    uint32_t channels = 0;

    for (uint32_t n = 0; n < SCHEDULE_CHANNELS; n++) {
        channels |= (uint32_t)schedule.hold[n].on_request << n;
    }
    return channels;
}

/* ---- at the fetch of an instruction ---- */

static bool begins_burst(const struct pl330_access *access)
{
    return access->kind == ACCESS_LOAD || access->kind == ACCESS_ZERO;
}

static bool is_at_burst(const struct hold *hold, const struct pl330_thread *is, bool begins)
{
    return hold->at_burst && is->bursts + begins >= hold->at_burst;
}

static bool is_at_byte(const struct hold *hold, const struct pl330_thread *is, uint64_t begins)
{
    return hold->at_byte && pl330_thread_bytes(is) + begins > hold->at_byte;
}

static bool ends_step(const struct hold *hold, const struct pl330_thread *is, bool begins)
{
    return hold->step_to && begins && is->bursts >= hold->step_to;
}

static void hold_on_request(struct hold *hold, const struct fetch_thread *thread)
{
    hold->on_request = true;
    hold->at_burst = hold->at_byte = hold->step_to = 0;
    views_lock();
    probe_record(PROBE_HELD, index_of(hold), thread->at, thread->is.bursts, pl330_thread_bytes(&thread->is), 0,
                 0);
    views_unlock();
    alarm_ring();
}

static void check_request(struct hold *hold, const struct fetch_thread *thread,
                          const struct pl330_access *access)
{
    bool begins = begins_burst(access);

    if (is_at_burst(hold, &thread->is, begins) || is_at_byte(hold, &thread->is, begins ? access->bytes : 0) ||
        ends_step(hold, &thread->is, begins)) {
        hold_on_request(hold, thread);
    }
}

static void hold_for_time(struct hold *hold, uint64_t ns)
{
    hold->for_time = true;
    model_timer_arm(&hold->timer, clock_time() + ns);
}

static void check_pace(struct hold *hold, const struct pl330_thread *is)
{
    if (hold->interval_ns && !hold->step_to && is->bursts > hold->paced) {
        hold->paced = is->bursts;
        hold_for_time(hold, hold->interval_ns);
    }
}

/* A run of the engine takes no time. */
static void count_instruction(struct hold *hold, uint64_t tries)
{
    if (!hold->instructions || (hold->instructions > schedule.slice && clock_time() != hold->began_ns)) {
        hold->instructions = 0;
        hold->began_ns = clock_time();
        hold->counted = tries - 1;
    }
    hold->instructions += tries - hold->counted;
    hold->counted = tries;
}

static void check_slice(struct hold *hold)
{
    if (hold->instructions > schedule.slice && !hold->for_time) {
        hold_for_time(hold, schedule.slice * NS_PER_INSTRUCTION);
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
static uint32_t fault_now(uint32_t n, uint8_t opcode, const struct pl330_access *access)
{
    uint32_t type = fault_due(n, opcode, access);
    bool unsliceable = schedule.hold[n].instructions > schedule.slice + schedule.unsliceable;

    return !type && unsliceable && !pl330_thread_is_empty(&fetch_thread(n)->is) ? FAULT_LOCKUP : type;
}

static enum fetch_serving decide(uint32_t n, uint8_t opcode)
{
    struct hold *hold = &schedule.hold[n];
    const struct fetch_thread *thread = fetch_thread(n);
    struct pl330_access access = pl330_access(&thread->is, opcode);
    uint32_t type;

    count_instruction(hold, thread->tries);
    type = fault_now(n, opcode, &access);
    if ((type || opcode == DMASEV) && pl330_thread_is_empty(&thread->is) && !clock_runs()) {
        wait_for_gate(hold);
    } else if (type) {
        fault_show(n, type);
        return SERVE_FAULT;
    }
    if (pl330_thread_is_empty(&thread->is)) {
        check_request(hold, thread, &access);
        check_pace(hold, &thread->is);
        check_slice(hold);
    }
    if (hold->on_request || hold->for_time) {
        qemu.qemu_set_irq(schedule.line_busy, 1); /* a reset takes it down in the model */
        return SERVE_HOLD;
    }
    fault_foresee(n, opcode, &access);
    return SERVE_PROGRAM;
}

static void executes(uint32_t n)
{
    const struct fetch_thread *thread = fetch_thread(n);
    struct pl330_access access = pl330_access(&thread->is, thread->code[0]);

    trace_instruction(&(struct trace_instruction){
        .channel = n,
        .at = thread->at,
        .code = thread->code,
        .length = pl330_instruction_length(thread->code[0]),
        .address = access.address,
        .bytes = access.bytes,
        .interrupts = thread->code[0] == DMASEV && registers_interrupts(thread->code[1] >> EVENT_SHIFT),
    });
}

/* ---- going on ---- */

static void let_go(struct hold *hold)
{
    hold->instructions = 0;
    fetch_let_go(index_of(hold));
    registers_kick();
}

static void time_is_over(void *opaque)
{
    struct hold *hold = opaque;

    hold->for_time = false;
    if (!hold->on_request && fetch_thread(index_of(hold))->serving == SERVE_HOLD) {
        let_go(hold);
    }
}

static void forget(struct hold *hold)
{
    hold->on_request = hold->for_time = false;
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
    forget(&schedule.hold[n]);
    fetch_start(n, address, registers_of_model(SAR0 + CHANNEL_STEP * n),
                registers_of_model(DAR0 + CHANNEL_STEP * n), registers_of_model(CCR0 + CHANNEL_STEP * n));
    return true;
}

static void kill(uint32_t n)
{
    fault_before_kill(n);
    forget(&schedule.hold[n]);
    fetch_stop(n);
}

static bool is_held(uint32_t n)
{
    return fetch_thread(n)->serving == SERVE_HOLD;
}

/* ---- set-up ---- */

MemoryRegion *schedule_initialise(MemoryRegion *pl330, qemu_irq line_busy, qemu_irq line_kick)
{
    static const struct fetch_hooks hooks = {decide, executes};
    static const struct registers_events events = {start, kill, fault_seen, is_held};

    for (uint32_t n = 0; n < SCHEDULE_CHANNELS; n++) {
        model_timer_initialise(&schedule.hold[n].timer, time_is_over, &schedule.hold[n]);
    }
    schedule.line_busy = line_busy;
    fetch_initialise(&hooks);
    fault_initialise();
    return registers_initialise(pl330, line_kick, &events);
}

static void reset(void)
{
    fault_reset();
    registers_reset();
    for (uint32_t n = 0; n < SCHEDULE_CHANNELS; n++) {
        forget(&schedule.hold[n]);
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

uint64_t schedule_slice_instructions(void)
{
    return schedule.slice;
}

bool schedule_set_slice_instructions(uint64_t value, Error **errp)
{
    return set_instructions(&schedule.slice, "slice-instructions", value, errp);
}

uint64_t schedule_unsliceable_instructions(void)
{
    return schedule.unsliceable;
}

bool schedule_set_unsliceable_instructions(uint64_t value, Error **errp)
{
    return set_instructions(&schedule.unsliceable, "unsliceable-instructions", value, errp);
}

static uint64_t burst_interval_ns(uint32_t n)
{
    return schedule.hold[n].interval_ns;
}

static void set_burst_interval_ns(uint32_t n, uint64_t value)
{
    schedule.hold[n].interval_ns = value;
}

static uint64_t come_to(uint32_t n, enum channel_control place)
{
    const struct pl330_thread *thread = &fetch_thread(n)->is;

    if (registers_state(n) == CHANNEL_STOPPED) {
        return 0;
    }
    return place == CONTROL_HOLD_AT_BURST ? thread->bursts + schedule.hold[n].on_request
                                          : pl330_thread_bytes(thread);
}

static uint64_t hold_at_burst(uint32_t n)
{
    return schedule.hold[n].at_burst;
}

static void set_hold_at_burst(uint32_t n, uint64_t value)
{
    schedule.hold[n].at_burst = value;
}

static uint64_t hold_at_byte(uint32_t n)
{
    return schedule.hold[n].at_byte;
}

static void set_hold_at_byte(uint32_t n, uint64_t value)
{
    schedule.hold[n].at_byte = value;
}

static uint64_t get_held(uint32_t n)
{
    return schedule.hold[n].on_request;
}

static void step(uint32_t n, uint64_t value)
{
    struct hold *hold = &schedule.hold[n];

    (void)value;
    hold->step_to = hold->paced = fetch_thread(n)->is.bursts + 1;
    hold->on_request = hold->for_time = false;
    model_timer_disarm(&hold->timer);
    let_go(hold);
}

static void release(uint32_t n, uint64_t value)
{
    struct hold *hold = &schedule.hold[n];

    (void)value;
    hold->on_request = false;
    if (!hold->for_time) {
        hold_for_time(hold, 0);
    }
}

/* It is never behind. */
static void catch_up(void)
{
}

const struct controller schedule_controller = {
    .reset = reset,
    .catch_up = catch_up,
    .held_channels = held_channels,
    .come_to = come_to,
    .get = {[CONTROL_BURST_INTERVAL_NS] = burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = hold_at_byte,
            [CONTROL_HELD] = get_held},
    .set = {[CONTROL_BURST_INTERVAL_NS] = set_burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = set_hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = set_hold_at_byte,
            [CONTROL_STEP] = step,
            [CONTROL_RELEASE] = release},
};
