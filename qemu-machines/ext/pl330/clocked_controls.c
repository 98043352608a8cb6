/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked_controls.h"

#include "pl330/clocked_state.h"
#include "pl330/clocked_time.h"

enum { STEP_CYCLES_MAX = 1000000 };

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

static void set_burst_interval_ns(uint32_t n, uint64_t value)
{
    clocked_catch_up();
    clocked.interval_ns[n] = value;
    engine_hold(clocked.engine, n)->pause_cycles =
        (value * clocked.wiring.clock_hz + NS_PER_SECOND - 1) / NS_PER_SECOND;
    clocked_look_anew();
}

static uint64_t come_to(uint32_t n, enum channel_control place)
{
    struct engine_thread thread;

    clocked_catch_up();
    thread = engine_thread(clocked.engine, n);
    if (thread.state == STATE_STOPPED) {
        return 0;
    }
    return place == CONTROL_HOLD_AT_BURST ? thread.bursts + thread.held : thread.begun;
}

static uint64_t hold_at_burst(uint32_t n)
{
    clocked_catch_up();
    return engine_hold(clocked.engine, n)->at_burst;
}

static void set_hold_at_burst(uint32_t n, uint64_t value)
{
    clocked_catch_up();
    engine_hold(clocked.engine, n)->at_burst = value;
    clocked_look_anew();
}

static uint64_t hold_at_byte(uint32_t n)
{
    clocked_catch_up();
    return engine_hold(clocked.engine, n)->at_byte;
}

static void set_hold_at_byte(uint32_t n, uint64_t value)
{
    clocked_catch_up();
    engine_hold(clocked.engine, n)->at_byte = value;
    clocked_look_anew();
}

static struct engine_thread channel_now(uint32_t n)
{
    clocked_catch_up();
    return engine_thread(clocked.engine, n);
}

static uint64_t is_held(uint32_t n)
{
    return channel_now(n).held;
}

static uint64_t state(uint32_t n)
{
    return channel_now(n).state;
}

static uint64_t pc(uint32_t n)
{
    return channel_now(n).pc;
}

static uint64_t sar(uint32_t n)
{
    return channel_now(n).sar;
}

static uint64_t dar(uint32_t n)
{
    return channel_now(n).dar;
}

static uint64_t ccr(uint32_t n)
{
    return channel_now(n).ccr;
}

static uint64_t bursts(uint32_t n)
{
    return channel_now(n).bursts;
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

static void step(uint32_t n, uint64_t value)
{
    (void)value;
    engine_let_go(clocked.engine, n, 1);
    if (!clock_runs()) {
        run_ahead(n);
    }
    clocked_look_anew();
}

static void release(uint32_t n, uint64_t value)
{
    (void)value;
    engine_let_go(clocked.engine, n, 0);
    clocked_look_anew();
}

const struct controller clocked_controller = {
    .reset = clocked_reset,
    .catch_up = clocked_catch_up,
    .held_channels = held_channels,
    .come_to = come_to,
    .get = {[CONTROL_BURST_INTERVAL_NS] = burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = hold_at_byte,
            [CONTROL_HELD] = is_held,
            [CONTROL_STATE] = state,
            [CONTROL_PC] = pc,
            [CONTROL_SAR] = sar,
            [CONTROL_DAR] = dar,
            [CONTROL_CCR] = ccr,
            [CONTROL_BURSTS] = bursts},
    .set = {[CONTROL_BURST_INTERVAL_NS] = set_burst_interval_ns,
            [CONTROL_HOLD_AT_BURST] = set_hold_at_burst,
            [CONTROL_HOLD_AT_BYTE] = set_hold_at_byte,
            [CONTROL_STEP] = step,
            [CONTROL_RELEASE] = release},
};
