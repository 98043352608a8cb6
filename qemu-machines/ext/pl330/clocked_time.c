/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked_time.h"

#include <string.h>

#include "memory/views.h"
#include "pl330/clocked_state.h"
#include "pl330/clocked_telling.h"
#include "pl330/trace.h"

static void catch_up_in_callback(void);

static void predict(void)
{
    uint64_t now = engine_now(clocked.engine);

    if (!clocked.predicted || clocked.next.cycle <= now) {
        clocked.look_cycles =
            clocked.look_cycles < clocked.visible / 2 ? 2 * clocked.look_cycles : clocked.visible;
        clocked.next = (struct engine_prediction){engine_quiet(clocked.engine, now + clocked.visible), false};
        if (clocked.next.cycle < now + LOOK_CYCLES_MIN) {
            clocked.next = engine_predict(clocked.engine, now + clocked.look_cycles);
        }
        clocked.predicted = true;
        memcpy(clocked.foreseen, clocked.asks, sizeof(clocked.foreseen));
    }
}

/* Where nothing is predicted, it ends, or waits, and nobody is told. */
static uint64_t next_wake_ns(void)
{
    if (clocked.owed || clocked.rings) {
        return clock_time();
    }
    return clocked_ns_of(clocked.next.cycle != ENGINE_NEVER ? clocked.next.cycle
                                                            : engine_now(clocked.engine) + clocked.visible);
}

/* Set the timer for what comes next. */
static void look_ahead(void)
{
    bool has_work = engine_next(clocked.engine) != ENGINE_NEVER;

    predict();
    views.catch_up = has_work ? catch_up_in_callback : NULL;
    if (has_work || clocked.owed || clocked.rings) {
        model_timer_arm(&clocked.wake, next_wake_ns());
    } else if (clocked.wake.armed) {
        model_timer_disarm(&clocked.wake);
    }
}

static void run(uint64_t cycle)
{
    views_lock(); /* once for what follows, too */
    clocked.runs = true;
    engine_run(clocked.engine, cycle);
    clocked.runs = false;
    clock_look_ahead();
    views_unlock();
}

/* In a callback the engine stops before what may interrupt the CPU; the timer is set for that. */
void clocked_run_to(uint64_t cycle)
{
    while (clocked.in_callback) {
        predict();
        if (clocked.next.cycle >= cycle) {
            break;
        }
        run(clocked.next.cycle - clocked.next.interrupts);
        if (clocked.next.interrupts) {
            return;
        }
    }
    run(cycle);
}

void clocked_catch_up(void)
{
    uint64_t now, due;

    if (clocked.runs) {
        return;
    }
    clocked_deliver();
    now = clock_time();
    for (due = stream_due(now); due != UINT64_MAX; due = stream_due(now)) {
        clocked_run_to(clocked_cycle_of(due));
        clocked.runs = true;
        clock_look_back(due);
        stream_move();
        clocked.runs = false;
        clock_look_ahead();
    }
    clocked_run_to(clocked_cycle_of(now));
    look_ahead();
}

static void catch_up_in_callback(void)
{
    if (clocked.runs) {
        return;
    }
    clock_read_in_callback();
    clocked.in_callback = true;
    clocked_catch_up();
    clocked.in_callback = false;
}

static void forget_prediction(void)
{
    clocked.predicted = false;
    clocked.look_cycles = LOOK_CYCLES_MIN / 2;
}

void clocked_look_anew(void)
{
    forget_prediction();
    if (!clocked.runs) {
        look_ahead();
    }
}

/* ---- peripherals ---- */

/* Does at most one thread execute anything? Then no other gains what it does not get. */
static bool is_alone(void)
{
    uint32_t busy = 0;

    for (uint32_t n = 0; n < ENGINE_THREADS; n++) {
        busy += engine_thread(clocked.engine, n).state != STATE_STOPPED;
    }
    return busy <= 1;
}

/* A prediction takes it that each line goes on as it was. Where one stops asking, less happens than was
 * predicted, and what was predicted of a line that asks holds also if it has stopped and asks again. */
static void request(enum stream_line line, bool asks)
{
    if (clocked.asks[line] != asks) {
        clocked.asks[line] = asks;
        clocked_ask(line);
        clocked.predicted &= is_alone() && (!asks || clocked.foreseen[line]);
        if (!clocked.runs) {
            look_ahead();
        }
    }
}

const struct stream_server clocked_stream_server = {request, clocked_catch_up};

/* ---- set-up ---- */

static void ask_on_tied_lines(void)
{
    for (uint32_t line = 0; line < CLOCKED_PERIPHERALS; line++) {
        clocked.asks[line] = clocked.wiring.tied >> line & 1;
        clocked_ask(line);
    }
}

static void wake(void *opaque)
{
    (void)opaque;
    clocked_catch_up();
}

void clocked_time_initialise(void)
{
    clocked.visible = clocked_cycle_of(views.model ? CLOCKED_SLICE_NS : clocked.wiring.quantum_ns) + 1;
    forget_prediction();
    ask_on_tied_lines();
    model_timer_initialise(&clocked.wake, wake, NULL);
}

void clocked_reset(void)
{
    engine_reset(clocked.engine);
    ask_on_tied_lines();
    clocked.ahead = 0;
    forget_prediction();
    clocked.rings = false;
    views.catch_up = NULL;
    memset(clocked.debug, 0, sizeof(clocked.debug));
    memset(clocked.starts, 0, sizeof(clocked.starts));
    trace_reset();
}
