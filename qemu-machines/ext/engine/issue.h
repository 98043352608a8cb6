/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An instruction in the hands of a thread: what all that execute one share. */
#ifndef DMAV3_ENGINE_ISSUE_H
#define DMAV3_ENGINE_ISSUE_H

#include "engine/rounds.h"
#include "engine/state.h"
#include "engine/thread.h"

struct issue {
    struct engine *engine;
    struct thread *thread;
    const struct instruction *row;
    const uint8_t *code;
};

/* What becomes of it: the next one follows, or that at `thread.pc - code[1]`; or the thread stays, because it
 * stalls, waits, has ended or faults. */
enum outcome { GOES_ON, JUMPS, STAYS };

/* Of the event or peripheral. */
static inline uint32_t issue_number(const struct issue *issue)
{
    return issue->code[1] >> 3;
}

static inline enum outcome issue_stall(const struct issue *issue, enum engine_state state)
{
    thread_stall(issue->thread, state);
    return STAYS;
}

static inline enum outcome issue_fault(const struct issue *issue, uint32_t bits)
{
    thread_fault(issue->engine, issue->thread, bits);
    return STAYS;
}

static inline void issue_find(const struct issue *issue, enum engine_finding_kind kind, uint32_t other)
{
    const struct engine_finding finding = {kind, (uint8_t)thread_number(issue->engine, issue->thread),
                                           issue->thread->pc, other};

    issue->engine->ops->found(issue->engine->opaque, &finding);
}

/* Is the condition met, that is: does the instruction do anything? */
static inline bool issue_is_met(const struct issue *issue)
{
    enum engine_request request = issue->thread->request;

    return issue->row->condition == CONDITION_NONE ||
           (issue->row->condition == CONDITION_SINGLE) == (request == ENGINE_REQUEST_SINGLE);
}

/* Tell of the instruction once, though it may be tried again and again. */
static inline void issue_tell(const struct issue *issue, const struct engine_burst *burst)
{
    if (!issue->thread->told) {
        issue->thread->told = true;
        rounds_instruction(issue->engine, issue->thread, issue->row, issue_number(issue));
        issue->engine->ops->issued(issue->engine->opaque, thread_number(issue->engine, issue->thread),
                                   issue->thread->pc, issue->code, burst);
    }
}

#endif
