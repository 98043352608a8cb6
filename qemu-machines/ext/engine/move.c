/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/move.h"

#include "engine/traffic.h"

/* ---- bursts ---- */

static struct access access_of(const struct issue *issue, uint32_t address, uint32_t control)
{
    bool single = issue->row->condition == CONDITION_SINGLE,
         answers = issue->row->operand == OPERAND_PERIPHERAL;
    struct access access = {
        .burst = traffic_burst(address, control, single ? 1 : traffic_beats(control)),
        .zeroes = issue->row->operation == OPERATION_STORE_ZEROES,
        .answer = (uint8_t)(!answers ? NO_ANSWER
                            : single ? ENGINE_ANSWER_SINGLE
                                     : ENGINE_ANSWER_BURST),
        .peripheral = (uint8_t)(answers ? issue_number(issue) : 0),
    };

    access.burst.channel = (uint8_t)thread_number(issue->engine, issue->thread);
    access.burst.microcode = issue->thread->pc;
    return access;
}

static struct access load_of(const struct issue *issue)
{
    uint32_t control = issue->thread->ccr;
    struct access load = access_of(issue, issue->thread->sar, control);

    load.burst.cache = (uint8_t)(control >> 11 & 7);
    load.burst.number = issue->thread->bursts + 1;
    load.swap_log2 = (uint8_t)(control >> 28 & 7);
    return load;
}

static struct access store_of(const struct issue *issue)
{
    uint32_t control = issue->thread->ccr >> 14, cache = control >> 11 & 7;
    struct access store = access_of(issue, issue->thread->dar, control);

    store.burst.cache = (uint8_t)((cache & 3) | (cache & 4) << 1);
    store.burst.number = issue->thread->bursts + store.zeroes;
    return store;
}

/* ---- holds ---- */

static bool hold_begins(const struct thread *thread, const struct engine_hold *hold, uint32_t bytes)
{
    return (hold->at_burst && thread->bursts + 1 >= hold->at_burst) ||
           (hold->at_byte && thread->begun + bytes > hold->at_byte) ||
           (thread->step_to && thread->bursts >= thread->step_to);
}

/* The thread is about to begin a burst. True: it is held, or will be when nothing of it is on the bus. */
static bool is_held(const struct issue *issue, uint32_t bytes)
{
    struct thread *thread = issue->thread;
    uint32_t n = thread_number(issue->engine, thread);
    struct engine_hold *hold = &issue->engine->hold[n];

    if (!thread->holding && hold_begins(thread, hold, bytes)) {
        thread->holding = true;
        thread->step_to = hold->at_burst = hold->at_byte = 0;
    }
    if (!thread->holding) {
        return false;
    }
    if (thread->loads || thread->stores) {
        thread_stall(thread, STATE_EXECUTING);
        return true;
    }
    thread->holding = false;
    thread->held = true;
    thread_rest(thread, STATE_EXECUTING);
    issue->engine->ops->held(issue->engine->opaque, n);
    return true;
}

bool move_pauses(const struct issue *issue)
{
    struct thread *thread = issue->thread;
    uint32_t n = thread_number(issue->engine, thread);
    uint64_t cycles = n == ENGINE_MANAGER ? 0 : issue->engine->hold[n].pause_cycles;

    if (!cycles || thread->bursts <= thread->paused || thread->fifo.loading != thread->fifo.storing) {
        return false;
    }
    thread->paused = thread->bursts;
    if (thread->burst_at + cycles <= issue->engine->now) {
        return false;
    }
    thread->ready_at = thread->burst_at + cycles;
    return true;
}

/* ---- loads and stores ---- */

/* Does it fit into the MFIFO only after stores that are still to be issued? */
static bool is_overcommitted(const struct issue *issue, uint32_t bytes)
{
    uint32_t lines = 0;

    for (uint32_t n = 0; n < issue->engine->config.channels; n++) {
        const struct thread *thread = &issue->engine->thread[n];
        uint64_t unclaimed = thread->fifo.loading - thread->fifo.storing;

        lines += traffic_lines(issue->engine, thread, thread->dar,
                               unclaimed + (thread == issue->thread ? bytes : 0));
    }
    return lines > issue->engine->config.fifo_lines;
}

static bool has_room(const struct issue *issue, uint32_t bytes)
{
    const struct engine *engine = issue->engine;

    return engine->fifo_lines - issue->thread->fifo_lines + traffic_lines_with(engine, issue->thread, bytes) <=
           engine->config.fifo_lines;
}

/* May the thread load, as far as the other channels and the MFIFO are concerned? */
static bool may_load(const struct issue *issue, uint32_t bytes)
{
    const struct engine *engine = issue->engine;

    if (engine->load_lock != NO_CHANNEL && engine->load_lock != thread_number(engine, issue->thread)) {
        return false;
    }
    if (has_room(issue, bytes)) {
        return !queue_is_full(&engine->reads, engine->config.read_queue);
    }
    if (!issue->thread->overcommitted && is_overcommitted(issue, bytes)) {
        issue->thread->overcommitted = true;
        issue_find(issue, ENGINE_FINDING_FIFO_OVERCOMMITTED, issue->thread->pc);
    }
    return false;
}

static void begin_burst(const struct issue *issue, uint32_t bytes)
{
    struct thread *thread = issue->thread;

    thread->burst_at = issue->engine->now;
    thread->bursts++;
    thread->begun += bytes;
    thread->moved_since_wait = true;
}

static bool never_fits(const struct issue *issue, uint32_t bytes)
{
    return traffic_lines(issue->engine, issue->thread, issue->thread->dar, bytes) >
           issue->engine->config.fifo_lines;
}

enum outcome move_load(const struct issue *issue)
{
    struct thread *thread = issue->thread;
    struct access access = load_of(issue);

    if (!issue_is_met(issue)) {
        return GOES_ON;
    }
    if (is_held(issue, access.burst.bytes)) {
        return STAYS;
    }
    issue_tell(issue, &access.burst);
    if (never_fits(issue, access.burst.bytes)) {
        return issue_fault(issue, ENGINE_FAULT_FIFO);
    }
    if (!may_load(issue, access.burst.bytes)) {
        return issue_stall(issue, STATE_EXECUTING);
    }
    issue->engine->load_lock = access.burst.channel;
    traffic_load(issue->engine, thread, &access);
    begin_burst(issue, access.burst.bytes);
    thread->sar += access.burst.increments ? access.burst.bytes : 0;
    return GOES_ON;
}

static void note_store(const struct issue *issue, const struct access *access)
{
    struct thread *thread = issue->thread;

    traffic_store(issue->engine, thread, access);
    thread_unlock(issue->engine, thread);
    thread->dar += access->burst.increments ? access->burst.bytes : 0;
    thread->stored_since_barrier = thread->moved_since_wait = true;
    thread->last_store = thread->pc;
}

enum outcome move_store(const struct issue *issue)
{
    const struct fifo *fifo = &issue->thread->fifo;
    struct access access = store_of(issue);

    if (!issue_is_met(issue)) {
        return GOES_ON;
    }
    issue_tell(issue, &access.burst);
    if (never_fits(issue, access.burst.bytes)) {
        return issue_fault(issue, ENGINE_FAULT_FIFO);
    }
    if (fifo->loading - fifo->storing < access.burst.bytes) {
        return issue_fault(issue, ENGINE_FAULT_NO_DATA);
    }
    if (queue_is_full(&issue->engine->writes, issue->engine->config.write_queue)) {
        return issue_stall(issue, STATE_EXECUTING);
    }
    note_store(issue, &access);
    return GOES_ON;
}

enum outcome move_store_zeroes(const struct issue *issue)
{
    struct access access = store_of(issue);

    if (is_held(issue, access.burst.bytes)) {
        return STAYS;
    }
    issue_tell(issue, &access.burst);
    if (queue_is_full(&issue->engine->writes, issue->engine->config.write_queue)) {
        return issue_stall(issue, STATE_EXECUTING);
    }
    begin_burst(issue, access.burst.bytes);
    note_store(issue, &access);
    return GOES_ON;
}
