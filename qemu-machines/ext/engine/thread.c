/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/thread.h"

#include "engine/code_cache.h"
#include "engine/rounds.h"
#include "engine/signals.h"
#include "engine/traffic.h"

static bool has_traffic(const struct thread *thread)
{
    return thread->loads || thread->stores;
}

static bool is_channel(const struct engine *engine, const struct thread *thread)
{
    return thread_number(engine, thread) != ENGINE_MANAGER;
}

static void retry_stalled(struct engine *engine)
{
    FOR_EACH_BIT(n, engine->alive)
    {
        if (engine->thread[n].stalled) {
            engine->thread[n].ready_at = engine->now;
        }
    }
}

void thread_unlock(struct engine *engine, const struct thread *thread)
{
    if (engine->load_lock == thread_number(engine, thread)) {
        engine->load_lock = NO_CHANNEL;
        retry_stalled(engine);
    }
}

void thread_start(struct engine *engine, struct thread *thread, uint32_t pc, bool nonsecure)
{
    if (thread->state != STATE_STOPPED) {
        return;
    }
    *thread = (struct thread){
        .state = STATE_UPDATING_PC,
        .nonsecure = nonsecure,
        .request = ENGINE_REQUEST_SINGLE,
        .counter = {thread->counter[0], thread->counter[1]},
        .pc = pc,
        .sar = thread->sar,
        .dar = thread->dar,
        .ccr = thread->ccr,
        .ready_at = engine->now + 2,
        .started_at = engine->now,
    };
    engine->alive |= 1u << thread_number(engine, thread);
    rounds_break(engine);
    code_forget(engine, thread);
}

/* ---- ends ---- */

/* Nothing of it is on its way any more. */
static void leave(struct engine *engine, struct thread *thread, enum engine_state state)
{
    code_compare(engine, thread);
    if (is_channel(engine, thread)) {
        traffic_discard(engine, thread);
        thread_unlock(engine, thread);
    }
    thread->held = thread->holding = false;
    thread->step_to = 0;
    rounds_break(engine);
    thread_rest(thread, state);
    if (state == STATE_STOPPED) {
        engine->alive &= ~(1u << thread_number(engine, thread));
    }
    retry_stalled(engine);
    signals_drive(engine);
}

void thread_end(struct engine *engine, struct thread *thread)
{
    leave(engine, thread, STATE_STOPPED);
}

void thread_fault(struct engine *engine, struct thread *thread, uint32_t fault)
{
    engine->alive |= 1u << thread_number(engine, thread); /* a debug instruction may have been the fault */
    thread->fault |= fault;
    thread_rest(thread, STATE_FAULTING_COMPLETING);
    if (!has_traffic(thread)) {
        leave(engine, thread, STATE_FAULTING);
    }
    signals_drive(engine);
    engine->ops->faulted(engine->opaque, thread_number(engine, thread));
}

void thread_kill(struct engine *engine, struct thread *thread)
{
    if (thread->state == STATE_STOPPED) {
        return;
    }
    if (thread->state != STATE_FAULTING) {
        code_compare(engine, thread);
    }
    thread->fault = thread->error = 0;
    code_forget(engine, thread);
    if (is_channel(engine, thread)) {
        traffic_drop(engine, thread);
    }
    if (has_traffic(thread)) {
        thread_rest(thread, STATE_KILLING);
        thread_unlock(engine, thread);
        signals_drive(engine);
    } else {
        leave(engine, thread, STATE_STOPPED);
    }
}

/* ---- after traffic ---- */

/* An error of the bus. A thread that ends for another reason already does not fault any more. */
static void show_error(struct engine *engine, struct thread *thread)
{
    uint32_t error = thread->error;

    thread->error = 0;
    if (thread->state == STATE_KILLING) {
        return;
    }
    traffic_drop(engine, thread);
    if (thread->state == STATE_FAULTING_COMPLETING) {
        thread->fault |= error;
    } else {
        thread_fault(engine, thread, error);
    }
}

static void settle(struct engine *engine, struct thread *thread)
{
    if (thread->error) {
        show_error(engine, thread);
    }
    if (has_traffic(thread)) {
        return;
    }
    if (thread->state == STATE_KILLING) {
        leave(engine, thread, STATE_STOPPED);
    } else if (thread->state == STATE_FAULTING_COMPLETING) {
        leave(engine, thread, STATE_FAULTING);
    }
}

void thread_settle(struct engine *engine)
{
    FOR_EACH_BIT(n, engine->alive & ~(1u << ENGINE_MANAGER))
    {
        settle(engine, &engine->thread[n]);
    }
    retry_stalled(engine);
}
