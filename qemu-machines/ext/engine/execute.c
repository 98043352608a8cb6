/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/execute.h"

#include "engine/code_cache.h"
#include "engine/issue.h"
#include "engine/move.h"
#include "engine/refusal.h"
#include "engine/repeat.h"
#include "engine/rounds.h"
#include "engine/signals.h"

enum { NEGATIVE = 8 };

/* ---- barriers ---- */

static enum outcome read_barrier(const struct issue *issue)
{
    thread_unlock(issue->engine, issue->thread);
    return issue->thread->loads ? issue_stall(issue, STATE_AT_BARRIER) : GOES_ON;
}

static enum outcome write_barrier(const struct issue *issue)
{
    thread_unlock(issue->engine, issue->thread);
    issue->thread->stored_since_barrier = false;
    return issue->thread->stores ? issue_stall(issue, STATE_AT_BARRIER) : GOES_ON;
}

/* ---- registers and loops ---- */

/* The source changes: what was asked for before is loaded first. */
static enum outcome set(const struct issue *issue)
{
    static const size_t places[] = {
        [REGISTER_SAR] = offsetof(struct thread, sar),
        [REGISTER_CCR] = offsetof(struct thread, ccr),
        [REGISTER_DAR] = offsetof(struct thread, dar),
    };

    if (issue->code[1] != REGISTER_DAR && issue->thread->loads) {
        return issue_stall(issue, STATE_EXECUTING);
    }
    *(uint32_t *)(void *)((char *)issue->thread + places[issue->code[1]]) = instruction_word(issue->code);
    return GOES_ON;
}

static enum outcome add(const struct issue *issue)
{
    uint32_t upper = (issue->code[0] & NEGATIVE) ? 0xffff0000u : 0;

    *(issue->row->select == REGISTER_SAR ? &issue->thread->sar : &issue->thread->dar) +=
        upper | instruction_half(issue->code);
    return GOES_ON;
}

static enum outcome loop(const struct issue *issue)
{
    issue->thread->counter[issue->row->select] = issue->code[1];
    return GOES_ON;
}

static enum outcome loop_end(const struct issue *issue)
{
    uint8_t *counter = &issue->thread->counter[issue->row->select];

    if (!issue_is_met(issue) || *counter == 0) {
        return GOES_ON;
    }
    --*counter;
    return JUMPS;
}

static enum outcome endless_loop_end(const struct issue *issue)
{
    return issue_is_met(issue) && !issue->thread->is_last ? JUMPS : GOES_ON;
}

static enum outcome nop(const struct issue *issue)
{
    (void)issue;
    return GOES_ON;
}

/* ---- peripherals and events ---- */

static void look_at_request(const struct issue *issue)
{
    struct thread *thread = issue->thread;
    const struct peripheral *its = &issue->engine->peripheral[issue_number(issue)];

    if (thread->has_waited && !thread->moved_since_wait) {
        issue_find(issue, ENGINE_FINDING_UNUSED_REQUEST, thread->last_wait);
    }
    if (its->since < thread->started_at) { /* DMAFLUSHP would have dropped it */
        issue_find(issue, ENGINE_FINDING_OLD_REQUEST, thread->pc);
    }
    thread->has_waited = true;
    thread->moved_since_wait = false;
    thread->last_wait = thread->pc;
}

static enum outcome wait_peripheral(const struct issue *issue)
{
    struct thread *thread = issue->thread;
    enum engine_request request = signals_accept(issue->engine, issue_number(issue), issue->row->select);

    thread_unlock(issue->engine, thread);
    if (request == ENGINE_REQUEST_NONE) {
        rounds_break(issue->engine);
        thread->waits_for = (uint8_t)issue_number(issue);
        thread->wait = issue->row->select;
        thread_rest(thread, STATE_WAITING_FOR_PERIPHERAL);
        return STAYS;
    }
    look_at_request(issue);
    thread->request = request;
    thread->is_last = issue->engine->peripheral[issue_number(issue)].last;
    return GOES_ON;
}

static enum outcome flush_peripheral(const struct issue *issue)
{
    signals_answer(issue->engine, issue_number(issue), ENGINE_ANSWER_FLUSH);
    return GOES_ON;
}

static enum outcome send_event(const struct issue *issue)
{
    if (issue->thread->stored_since_barrier) {
        issue_find(issue, ENGINE_FINDING_EVENT_BEFORE_STORES, issue->thread->last_store);
    }
    signals_send(issue->engine, issue_number(issue));
    return GOES_ON;
}

static enum outcome wait_event(const struct issue *issue)
{
    thread_unlock(issue->engine, issue->thread);
    if (issue->code[1] & 2) {
        code_invalidate(issue->engine);
    }
    if (signals_take(issue->engine, issue_number(issue))) {
        return GOES_ON;
    }
    issue->thread->waits_for = (uint8_t)issue_number(issue);
    thread_rest(issue->thread, STATE_WAITING_FOR_EVENT);
    return STAYS;
}

/* ---- threads ---- */

static enum outcome go(const struct issue *issue)
{
    thread_start(issue->engine, &issue->engine->thread[issue->code[1]], instruction_word(issue->code),
                 issue->row->select);
    return GOES_ON;
}

static enum outcome end(const struct issue *issue)
{
    struct thread *thread = issue->thread;

    thread_unlock(issue->engine, thread);
    if (thread->loads || thread->stores) {
        return issue_stall(issue, STATE_COMPLETING);
    }
    if (thread->has_waited && !thread->moved_since_wait) {
        issue_find(issue, ENGINE_FINDING_UNUSED_REQUEST, thread->last_wait);
    }
    thread->pc += issue->row->length;
    thread_end(issue->engine, thread);
    return STAYS;
}

static enum outcome kill(const struct issue *issue)
{
    thread_kill(issue->engine, issue->thread);
    return STAYS;
}

static enum outcome (*const operations[OPERATIONS])(const struct issue *) = {
    [OPERATION_END] = end,
    [OPERATION_KILL] = kill,
    [OPERATION_NOP] = nop,
    [OPERATION_LOAD] = move_load,
    [OPERATION_STORE] = move_store,
    [OPERATION_STORE_ZEROES] = move_store_zeroes,
    [OPERATION_READ_BARRIER] = read_barrier,
    [OPERATION_WRITE_BARRIER] = write_barrier,
    [OPERATION_LOOP] = loop,
    [OPERATION_LOOP_END] = loop_end,
    [OPERATION_ENDLESS_LOOP_END] = endless_loop_end,
    [OPERATION_WAIT_PERIPHERAL] = wait_peripheral,
    [OPERATION_FLUSH_PERIPHERAL] = flush_peripheral,
    [OPERATION_SEND_EVENT] = send_event,
    [OPERATION_WAIT_EVENT] = wait_event,
    [OPERATION_MOVE] = set,
    [OPERATION_ADD] = add,
    [OPERATION_GO] = go,
};

static bool accesses_memory(const struct instruction *row)
{
    return row->operation == OPERATION_LOAD || row->operation == OPERATION_STORE ||
           row->operation == OPERATION_STORE_ZEROES;
}

static bool is_barrier(const struct instruction *row)
{
    return row->operation == OPERATION_READ_BARRIER || row->operation == OPERATION_WRITE_BARRIER;
}

static void issue_it(struct issue *issue)
{
    struct thread *thread = issue->thread;
    uint32_t kind = thread_number(issue->engine, thread) == ENGINE_MANAGER ? THREAD_MANAGER : THREAD_CHANNEL;
    uint32_t wrong = refusal(issue, kind);

    if (wrong) {
        thread_fault(issue->engine, thread, wrong);
        return;
    }
    if (!is_barrier(issue->row) && move_pauses(issue)) {
        return;
    }
    thread->state = STATE_EXECUTING;
    if (!accesses_memory(issue->row) || !issue_is_met(issue)) {
        issue_tell(issue, NULL);
    }
    switch (operations[issue->row->operation](issue)) {
    case GOES_ON:
        thread_go_on(issue->engine, thread, thread->pc + issue->row->length, 1);
        break;
    case JUMPS:
        thread_go_on(issue->engine, thread, thread->pc - issue->code[1], issue->row->cycles);
        if (issue->row->operation == OPERATION_LOOP_END) {
            repeat_at_top(issue->engine, thread, issue->row->select);
        }
        break;
    case STAYS:
        break;
    }
}

void execute(struct engine *engine, struct thread *thread)
{
    uint8_t code[INSTRUCTION_BYTES_MAX] = {0};

    switch (code_fetch(engine, thread, code)) {
    case CODE_READY:
        issue_it(&(struct issue){engine, thread, &instructions[code[0]], code});
        break;
    case CODE_MISSES:
        break;
    case CODE_FAILED:
        thread_fault(engine, thread, ENGINE_FAULT_FETCH);
        break;
    }
}

void execute_debug(struct engine *engine, struct thread *thread, const uint8_t *code)
{
    const struct issue issue = {engine, thread, &instructions[code[0]], code};
    bool is_manager = thread_number(engine, thread) == ENGINE_MANAGER;
    bool is_go = issue.row->operation == OPERATION_GO;
    uint32_t wrong = refusal(&issue, is_go && !is_manager ? 0 : THREAD_DEBUG);

    if (thread->fault && issue.row->operation != OPERATION_KILL) {
        return;
    }
    if (wrong) {
        thread_fault(engine, thread, wrong | ENGINE_FAULT_DEBUG);
        return;
    }
    operations[issue.row->operation](&issue);
}
