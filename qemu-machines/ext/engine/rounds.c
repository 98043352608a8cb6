/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/rounds.h"

void rounds_note(struct engine *engine, const struct access *access, bool is_write)
{
    struct rounds *rounds = &engine->rounds;

    if (rounds->usable && rounds->events < ROUND_EVENTS_MAX) {
        rounds->event[rounds->events++] =
            (struct round_event){engine->now - rounds->top[rounds->last].now, is_write, *access};
    } else {
        rounds_break(engine);
    }
}

static bool is_wait_at_top(const struct rounds *rounds, const struct thread *thread)
{
    const struct loop_top *top = &rounds->top[rounds->last];

    return thread->pc == top->pc && !top->reads && !top->writes && !rounds->waits;
}

void rounds_instruction(struct engine *engine, const struct thread *thread, const struct instruction *row,
                        uint32_t number)
{
    struct rounds *rounds = &engine->rounds;

    rounds->instructions++;
    switch (row->operation) {
    case OPERATION_NOP:
    case OPERATION_LOAD:
    case OPERATION_STORE:
    case OPERATION_STORE_ZEROES:
    case OPERATION_READ_BARRIER:
    case OPERATION_WRITE_BARRIER:
    case OPERATION_ADD:
    case OPERATION_LOOP_END:
        break;
    case OPERATION_WAIT_PERIPHERAL:
        rounds->usable &= is_wait_at_top(rounds, thread);
        rounds->waits = true;
        rounds->peripheral = (uint8_t)number;
        rounds->wait = (enum instruction_wait)row->select;
        break;
    default:
        rounds_break(engine);
    }
}
