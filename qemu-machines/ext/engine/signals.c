/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/signals.h"

/* ---- outputs ---- */

static bool is_faulting(const struct thread *thread)
{
    return thread->state == STATE_FAULTING || thread->state == STATE_FAULTING_COMPLETING;
}

static bool any_faults(const struct engine *engine)
{
    for (uint32_t n = 0; n < ENGINE_THREADS; n++) {
        if (is_faulting(&engine->thread[n])) {
            return true;
        }
    }
    return engine->locked_up;
}

void signals_drive(struct engine *engine)
{
    uint32_t outputs = engine->pending & engine->enabled, changed = outputs ^ engine->outputs;
    bool abort = any_faults(engine);

    engine->outputs = outputs;
    for (uint32_t n = 0; changed >> n; n++) {
        if (has_bit(changed, n)) {
            engine->ops->interrupt(engine->opaque, 1 + n, has_bit(outputs, n));
        }
    }
    if (abort != engine->abort) {
        engine->abort = abort;
        engine->ops->interrupt(engine->opaque, 0, abort);
    }
}

/* ---- events ---- */

enum { DMAWFE = 0x36 };

static bool release_waiting(struct engine *engine, uint32_t event)
{
    bool released = false;

    for (uint32_t n = 0; n < ENGINE_THREADS; n++) {
        struct thread *thread = &engine->thread[n];

        if (thread->state == STATE_WAITING_FOR_EVENT && thread->waits_for == event) {
            thread_go_on(engine, thread, thread->pc + instructions[DMAWFE].length, 1);
            released = true;
        }
    }
    return released;
}

void signals_send(struct engine *engine, uint32_t event)
{
    if (has_bit(engine->enabled, event) || !release_waiting(engine, event)) {
        engine->pending |= 1u << event;
    }
    signals_drive(engine);
}

bool signals_take(struct engine *engine, uint32_t event)
{
    bool taken = has_bit(engine->pending & ~engine->enabled, event);

    engine->pending &= ~((uint32_t)taken << event);
    return taken;
}

/* ---- peripherals ---- */

enum engine_request signals_accept(struct engine *engine, uint32_t peripheral, enum instruction_wait wait)
{
    struct peripheral *its = &engine->peripheral[peripheral];

    if (wait == WAIT_BURST && its->request == ENGINE_REQUEST_SINGLE) {
        its->request = ENGINE_REQUEST_NONE;
    }
    if (wait == WAIT_SINGLE && its->request != ENGINE_REQUEST_NONE) {
        return ENGINE_REQUEST_SINGLE;
    }
    return its->request;
}

void signals_answer(struct engine *engine, uint32_t peripheral, enum engine_answer answer)
{
    struct peripheral *its = &engine->peripheral[peripheral];

    if (engine->predicting) {
        return; /* it goes on asking */
    }
    its->request = ENGINE_REQUEST_NONE;
    engine->ops->answer(engine->opaque, peripheral, answer);
}

static void wake_waiting(struct engine *engine, uint32_t peripheral)
{
    for (uint32_t n = 0; n < engine->config.channels; n++) {
        struct thread *thread = &engine->thread[n];

        if (thread->state == STATE_WAITING_FOR_PERIPHERAL && thread->waits_for == peripheral) {
            thread->ready_at = engine->now + 1;
        }
    }
}

void engine_request(struct engine *engine, uint32_t peripheral, enum engine_request request, bool last)
{
    struct peripheral *its;

    if (request == ENGINE_REQUEST_NONE || peripheral >= engine->config.peripherals) {
        return;
    }
    its = &engine->peripheral[peripheral];
    if (its->request == ENGINE_REQUEST_NONE) {
        its->since = engine->now;
    }
    its->request = request;
    its->last = last;
    wake_waiting(engine, peripheral);
}
