/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked_controls.h"

#include "pl330/clocked_state.h"
#include "pl330/clocked_time.h"

enum { INTERVAL_MAX_NS = 1000000000, STEP_CYCLES_MAX = 1000000 };

static uint32_t held_channels(void)
{
    uint32_t channels = 0;

    clocked_catch_up();
    for (uint32_t n = 0; n < CLOCKED_CHANNELS; n++) {
        channels |= (uint32_t)engine_thread(clocked.engine, n).held << n;
    }
    return channels;
}

static uint64_t burst_interval_ns(uint32_t n)
{
    return clocked.interval_ns[n];
}

static bool set_burst_interval_ns(uint32_t n, uint64_t value, Error **errp)
{
    if (value > INTERVAL_MAX_NS) {
        error_setg(errp, "burst-interval-ns=%llu: at most one second, such as 1000", (unsigned long long)value);
        return false;
    }
    clocked_catch_up();
    clocked.interval_ns[n] = value;
    engine_hold(clocked.engine, n)->pause_cycles =
        (value * clocked.wiring.clock_hz + NS_PER_SECOND - 1) / NS_PER_SECOND;
    clocked_look_anew();
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
    if (value && value <= done && engine_thread(clocked.engine, n).state != STATE_STOPPED) {
        error_setg(errp, "%s=%llu: channel %u has come to %llu already", name, (unsigned long long)value, n,
                   (unsigned long long)done);
        return false;
    }
    *place = value;
    clocked_look_anew();
    return true;
}

static uint64_t hold_at_burst(uint32_t n)
{
    clocked_catch_up();
    return engine_hold(clocked.engine, n)->at_burst;
}

static bool set_hold_at_burst(uint32_t n, uint64_t value, Error **errp)
{
    struct engine_thread thread;

    clocked_catch_up();
    thread = engine_thread(clocked.engine, n);
    return set_place(&engine_hold(clocked.engine, n)->at_burst, n, "hold-at-burst", value,
                     thread.bursts + thread.held, errp);
}

static uint64_t hold_at_byte(uint32_t n)
{
    clocked_catch_up();
    return engine_hold(clocked.engine, n)->at_byte;
}

static bool set_hold_at_byte(uint32_t n, uint64_t value, Error **errp)
{
    clocked_catch_up();
    return set_place(&engine_hold(clocked.engine, n)->at_byte, n, "hold-at-byte", value,
                     engine_thread(clocked.engine, n).begun, errp);
}

static uint64_t is_held(uint32_t n)
{
    clocked_catch_up();
    return engine_thread(clocked.engine, n).held;
}

static bool may_go_on(uint32_t n, const char *name, uint64_t value, Error **errp)
{
    if (value != 1) {
        error_setg(errp, "%s=%llu: 1", name, (unsigned long long)value);
        return false;
    }
    if (!is_held(n)) {
        error_setg(errp, "%s=1: channel %u is not held", name, n);
        return false;
    }
    return true;
}

/* Execute up to the next hold, in no time; but what could interrupt the CPU waits until time passes. */
static void run_ahead(uint32_t n)
{
    uint64_t start = engine_now(clocked.engine);

    while (!engine_thread(clocked.engine, n).held && engine_next(clocked.engine) != ENGINE_NEVER &&
           engine_now(clocked.engine) - start < STEP_CYCLES_MAX) {
        struct engine_prediction next =
            engine_predict(clocked.engine, engine_now(clocked.engine) + LOOK_CYCLES_MIN);

        if (next.cycle == ENGINE_NEVER) {
            next.cycle = engine_now(clocked.engine) + LOOK_CYCLES_MIN;
        }
        clocked_run_to(next.cycle - next.interrupts);
        if (next.interrupts) {
            break;
        }
    }
    clocked.ahead += engine_now(clocked.engine) - start;
}

static bool step(uint32_t n, uint64_t value, Error **errp)
{
    if (!may_go_on(n, "step", value, errp)) {
        return false;
    }
    engine_let_go(clocked.engine, n, 1);
    if (!clock_runs()) {
        run_ahead(n);
    }
    clocked_look_anew();
    return true;
}

static bool release(uint32_t n, uint64_t value, Error **errp)
{
    if (!may_go_on(n, "release", value, errp)) {
        return false;
    }
    engine_let_go(clocked.engine, n, 0);
    clocked_look_anew();
    return true;
}

const struct controller clocked_controller = {
    .reset = clocked_reset,
    .catch_up = clocked_catch_up,
    .held_channels = held_channels,
    .get = {[CONTROL_BURST_INTERVAL_NS] = burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = hold_at_byte,
            [CONTROL_HELD] = is_held},
    .set = {[CONTROL_BURST_INTERVAL_NS] = set_burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = set_hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = set_hold_at_byte,
            [CONTROL_STEP] = step,
            [CONTROL_RELEASE] = release},
};
