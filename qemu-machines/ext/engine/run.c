/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/engine.h"

#include <stdlib.h>

#include "engine/execute.h"
#include "engine/signals.h"
#include "engine/state.h"
#include "engine/thread.h"
#include "engine/traffic.h"

enum { CCR_AT_RESET = 0x00800200 };

/* ---- what is built in ---- */

static bool is_power(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high && !(value & (value - 1));
}

static bool is_within(uint32_t value, uint32_t low, uint32_t high)
{
    return value >= low && value <= high;
}

const char *engine_config_error(const struct engine_config *config)
{
    const struct {
        bool holds;
        const char *sentence;
    } conditions[] = {
        {is_within(config->channels, 1, ENGINE_CHANNELS_MAX), "channels: 1 to 8"},
        {config->peripherals <= ENGINE_PERIPHERALS_MAX, "peripherals: 0 to 32"},
        {is_within(config->events, 1, ENGINE_EVENTS_MAX), "events: 1 to 32"},
        {is_power(config->bus_bytes, 4, 16), "bus_bytes: 4, 8 or 16"},
        {is_within(config->read_capacity, 1, 8), "read_capacity: 1 to 8"},
        {is_within(config->write_capacity, 1, 8), "write_capacity: 1 to 8"},
        {is_within(config->read_queue, 1, QUEUE_MAX), "read_queue: 1 to 16"},
        {is_within(config->write_queue, 1, QUEUE_MAX), "write_queue: 1 to 16"},
        {is_power(config->cache_line, 4, CACHE_LINE_MAX), "cache_line: 4, 8, 16 or 32"},
        {is_within(config->cache_lines, 1, CACHE_LINES_MAX), "cache_lines: 1 to 16"},
        {config->revision <= 3, "revision: 0 to 3"},
        {is_within(config->fifo_lines, 1, 1024), "fifo_lines: 1 to 1024"},
    };

    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (!conditions[i].holds) {
            return conditions[i].sentence;
        }
    }
    return NULL;
}

/* ---- life ---- */

/* As it comes out of a reset, its outputs not yet driven. */
static void initialise(struct engine *engine)
{
    engine->issue_at = 0;
    engine->lock_up_at = ENGINE_NEVER;
    engine->load_lock = NO_CHANNEL;
    for (uint32_t n = 0; n < ENGINE_THREADS; n++) {
        engine->thread[n].ccr = CCR_AT_RESET;
        engine->thread[n].ready_at = ENGINE_NEVER;
    }
    engine->thread[ENGINE_MANAGER].nonsecure = engine->config.manager_nonsecure;
    if (engine->config.boots) {
        thread_start(engine, &engine->thread[ENGINE_MANAGER], engine->config.boot_address,
                     engine->config.manager_nonsecure);
    }
}

struct engine *engine_new(const struct engine_config *config, const struct engine_ops *ops, void *opaque)
{
    uint32_t bytes = (uint32_t)config->fifo_lines * config->bus_bytes;
    struct engine *engine = calloc(1, sizeof(*engine) + (size_t)bytes * config->channels);

    if (!engine) {
        return NULL;
    }
    engine->config = *config;
    engine->ops = ops;
    engine->opaque = opaque;
    engine->fifo_bytes = bytes;
    for (uint32_t n = 0; n < config->channels; n++) {
        engine->fifo[n] = (uint8_t *)(engine + 1) + (size_t)bytes * n;
    }
    initialise(engine);
    return engine;
}

void engine_free(struct engine *engine)
{
    free(engine);
}

void engine_reset(struct engine *engine)
{
    struct engine fresh = {
        .config = engine->config,
        .ops = engine->ops,
        .opaque = engine->opaque,
        .fifo_bytes = engine->fifo_bytes,
        .outputs = engine->outputs,
        .abort = engine->abort,
    };

    for (uint32_t n = 0; n < ENGINE_CHANNELS_MAX; n++) {
        fresh.fifo[n] = engine->fifo[n];
        fresh.hold[n] = engine->hold[n];
    }
    *engine = fresh;
    initialise(engine);
    signals_drive(engine);
}

/* ---- lock-up ---- */

/* Does no channel go on, though nothing is on its way, because of loads that do not fit, or are another
 * channel's turn? A channel that a debugger holds may still make room. */
static bool is_locked_up(const struct engine *engine)
{
    bool any = false;

    if (engine->reads.count || engine->writes.count) {
        return false;
    }
    FOR_EACH_BIT(n, engine->alive & ~(1u << ENGINE_MANAGER))
    {
        const struct thread *thread = &engine->thread[n];

        if (thread->held || thread->ready_at != ENGINE_NEVER) {
            return false;
        }
        any |= thread->stalled;
    }
    return any;
}

static void watch(struct engine *engine)
{
    if (!is_locked_up(engine)) {
        engine->lock_up_at = ENGINE_NEVER;
        if (engine->locked_up) {
            engine->locked_up = false;
            signals_drive(engine);
        }
    } else if (engine->lock_up_at == ENGINE_NEVER && !engine->locked_up) {
        engine->lock_up_at = engine->now + LOCK_UP_CYCLES;
    }
}

/* The watchdog barks: WD decides whether the channels fault. */
static void bark(struct engine *engine)
{
    uint32_t stalled = 0;

    engine->lock_up_at = ENGINE_NEVER;
    engine->locked_up = engine->watchdog_irq_only;
    for (uint32_t n = 0; n < engine->config.channels && !engine->locked_up; n++) {
        stalled |= (uint32_t)engine->thread[n].stalled << n;
    }
    for (uint32_t n = 0; n < engine->config.channels; n++) {
        if (has_bit(stalled, n)) {
            thread_fault(engine, &engine->thread[n], ENGINE_FAULT_LOCK_UP);
        }
    }
    signals_drive(engine);
}

/* ---- time ---- */

uint64_t engine_now(const struct engine *engine)
{
    return engine->now;
}

static uint64_t next_issue(const struct engine *engine)
{
    uint64_t next = ENGINE_NEVER;

    FOR_EACH_BIT(n, engine->alive)
    {
        next = engine->thread[n].ready_at < next ? engine->thread[n].ready_at : next;
    }
    return next != ENGINE_NEVER && next < engine->issue_at ? engine->issue_at : next;
}

uint64_t engine_next(const struct engine *engine)
{
    uint64_t issue = next_issue(engine), traffic = traffic_next(engine);
    uint64_t next = issue < traffic ? issue : traffic;

    return engine->lock_up_at < next ? engine->lock_up_at : next;
}

static uint32_t ready_threads(const struct engine *engine)
{
    uint32_t ready = 0;

    FOR_EACH_BIT(n, engine->alive)
    {
        ready |= (uint32_t)(engine->thread[n].ready_at <= engine->now) << n;
    }
    return ready;
}

/* The thread whose turn it is, NULL if none is ready. */
static struct thread *choose(struct engine *engine)
{
    uint32_t ready = ready_threads(engine), channels = ready & ~(1u << ENGINE_MANAGER);
    bool manager = has_bit(ready, ENGINE_MANAGER);

    engine->manager_was_last = manager && !engine->manager_was_last;
    if (engine->manager_was_last || !channels) {
        return manager ? &engine->thread[ENGINE_MANAGER] : NULL;
    }
    ready = channels & ~((2u << engine->last_channel) - 1); /* behind the last one */
    engine->last_channel = (uint8_t)__builtin_ctz(ready ? ready : channels);
    return &engine->thread[engine->last_channel];
}

static void step(struct engine *engine, uint64_t cycle)
{
    struct thread *thread;

    engine->now = cycle;
    if (traffic_carry_out(engine)) {
        thread_settle(engine);
    }
    thread = cycle >= engine->issue_at ? choose(engine) : NULL;
    if (thread) {
        engine->issue_at = cycle + 1;
        execute(engine, thread);
    }
    if (cycle >= engine->lock_up_at) {
        bark(engine);
    }
    watch(engine);
}

void engine_run(struct engine *engine, uint64_t cycle)
{
    engine->until = cycle;
    for (uint64_t next = engine_next(engine); next <= cycle && !engine->stop; next = engine_next(engine)) {
        if (next == ENGINE_NEVER) {
            break;
        }
        step(engine, next);
    }
    if (engine->now < cycle && cycle != ENGINE_NEVER && !engine->stop) {
        engine->now = cycle;
    }
}

/* ---- holds and looks ---- */

struct engine_hold *engine_hold(struct engine *engine, uint32_t channel)
{
    return &engine->hold[channel];
}

void engine_let_go(struct engine *engine, uint32_t channel, uint64_t bursts)
{
    struct thread *thread = &engine->thread[channel];

    if (!thread->held) {
        return;
    }
    thread->held = false;
    thread->step_to = bursts ? thread->bursts + bursts : 0;
    thread->paused = thread->bursts + bursts;
    thread->ready_at = engine->now + 1;
}

struct engine_thread engine_thread(const struct engine *engine, uint32_t n)
{
    const struct thread *thread = &engine->thread[n];

    return (struct engine_thread){
        .state = thread->state,
        .held = thread->held,
        .pc = thread->pc,
        .fault = thread->fault,
        .sar = thread->sar,
        .dar = thread->dar,
        .ccr = thread->ccr,
        .bursts = thread->bursts,
        .begun = thread->begun,
        .stored = thread->fifo.stored + thread->zeroed,
        .in_fifo = (uint32_t)(thread->fifo.loaded - thread->fifo.stored),
    };
}
