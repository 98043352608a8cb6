/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine_quiet(): a lower bound for what engine_predict() finds, from the program alone.
 *
 * Theory of operation. A thread issues at most one instruction a cycle, so what is that many instructions away
 * is no sooner. The program of the one channel that runs is walked through; a counted loop whose body only
 * moves bytes costs as much as one round of it, times the rounds that are left. The walk ends at what could be
 * told outside, or at what it does not know: then the bound is what it has come to.
 *
 * Bytes are followed, since a store of what was not loaded faults, and loads that do not fit lock up.
 */
#include "engine/code_cache.h"
#include "engine/refusal.h"
#include "engine/traffic.h"

enum { STEPS_MAX = 128, ROUND_STEPS_MAX = 32, NESTED_MAX = 2, STRIDE_MAX = 1 << 20, UNKNOWN_REQUEST = -1 };

/* Where the walk is. */
struct walk {
    struct engine *engine; /* which the walk does not change */
    struct thread *thread;
    uint32_t pc, sar, dar, ccr;
    uint32_t level; /* bytes loaded and not stored */
    uint8_t counter[2];
    int request; /* enum engine_request, or UNKNOWN_REQUEST */
    uint64_t cycles;
    uint32_t nested; /* loops that it is in a round of */
};

enum step { GOES, SILENT, ENDS }; /* SILENT: nothing happens from here on; ENDS: the walk knows no more */

static uint32_t fifo_bytes(const struct engine *engine)
{
    return engine->fifo_bytes / 2; /* unaligned bytes take more */
}

static bool is_data(const struct walk *walk, uint32_t address, uint32_t control, uint32_t beats)
{
    const struct engine_burst burst = traffic_burst(address, control, beats);

    return walk->engine->ops->look_at(walk->engine->opaque, &burst) == ENGINE_OUTLOOK_DATA;
}

static uint32_t beats_of(const struct instruction *row, uint32_t control)
{
    return row->condition == CONDITION_SINGLE ? 1 : traffic_beats(control);
}

/* Is the condition met? UNKNOWN_REQUEST: it depends. */
static int is_met(const struct walk *walk, const struct instruction *row)
{
    if (row->condition == CONDITION_NONE) {
        return true;
    }
    return walk->request == UNKNOWN_REQUEST
               ? UNKNOWN_REQUEST
               : (row->condition == CONDITION_SINGLE) == (walk->request == ENGINE_REQUEST_SINGLE);
}

static enum step load(struct walk *walk, const struct instruction *row)
{
    uint32_t beats = beats_of(row, walk->ccr), bytes = traffic_burst(walk->sar, walk->ccr, beats).bytes;

    if (!is_data(walk, walk->sar, walk->ccr, beats) || walk->level + bytes > fifo_bytes(walk->engine)) {
        return ENDS;
    }
    walk->level += bytes;
    walk->sar += walk->ccr & 1 ? bytes : 0;
    return GOES;
}

static enum step store(struct walk *walk, const struct instruction *row)
{
    uint32_t control = walk->ccr >> 14, beats = beats_of(row, control);
    uint32_t bytes = traffic_burst(walk->dar, control, beats).bytes;
    bool zeroes = row->operation == OPERATION_STORE_ZEROES;

    if (!is_data(walk, walk->dar, control, beats) || (!zeroes && walk->level < bytes)) {
        return ENDS;
    }
    walk->level -= zeroes ? 0 : bytes;
    walk->dar += control & 1 ? bytes : 0;
    return GOES;
}

static enum step move(struct walk *walk, const struct instruction *row)
{
    int met = is_met(walk, row);

    if (met == UNKNOWN_REQUEST) {
        return ENDS;
    }
    if (!met) {
        return GOES;
    }
    return row->operation == OPERATION_LOAD ? load(walk, row) : store(walk, row);
}

static enum step wait_peripheral(struct walk *walk, const struct instruction *row, uint32_t peripheral)
{
    if (walk->engine->peripheral[peripheral].request == ENGINE_REQUEST_NONE) {
        return SILENT;
    }
    walk->request = row->select == WAIT_SINGLE  ? ENGINE_REQUEST_SINGLE
                    : row->select == WAIT_BURST ? ENGINE_REQUEST_BURST
                                                : UNKNOWN_REQUEST;
    return GOES;
}

static enum step set(struct walk *walk, const uint8_t *code)
{
    uint32_t *places[] = {
        [REGISTER_SAR] = &walk->sar, [REGISTER_CCR] = &walk->ccr, [REGISTER_DAR] = &walk->dar};

    *places[code[1]] = instruction_word(code);
    return GOES;
}

/* One instruction that does not jump. */
static enum step go_over(struct walk *walk, const struct instruction *row, const uint8_t *code)
{
    walk->pc += row->length;
    walk->cycles++;
    switch (row->operation) {
    case OPERATION_NOP:
    case OPERATION_READ_BARRIER:
    case OPERATION_WRITE_BARRIER:
    case OPERATION_FLUSH_PERIPHERAL:
        return GOES;
    case OPERATION_LOAD:
    case OPERATION_STORE:
    case OPERATION_STORE_ZEROES:
        return move(walk, row);
    case OPERATION_WAIT_PERIPHERAL:
        return wait_peripheral(walk, row, code[1] >> 3);
    case OPERATION_MOVE:
        return set(walk, code);
    case OPERATION_ADD:
        *(row->select == REGISTER_SAR ? &walk->sar : &walk->dar) +=
            (code[0] & 8 ? 0xffff0000u : 0) | instruction_half(code);
        return GOES;
    case OPERATION_LOOP:
        walk->counter[row->select] = code[1];
        return GOES;
    case OPERATION_END:
        return SILENT;
    default:
        return ENDS;
    }
}

/* The instruction where the walk is; what the walk ends at, if it would fault. */
static const struct instruction *look(const struct walk *walk, uint8_t *code)
{
    static const struct instruction none;
    const struct instruction *row;

    if (!code_glance(walk->engine, walk->thread, walk->pc, code)) {
        return &none;
    }
    row = &instructions[code[0]];
    return refusal(&(struct issue){walk->engine, walk->thread, row, code}, THREAD_CHANNEL) ? &none : row;
}

static enum step end_loop(struct walk *walk, const struct instruction *row, const uint8_t *code);

static enum step go_on(struct walk *walk, const struct instruction *row, const uint8_t *code)
{
    return row->operation == OPERATION_LOOP_END ? end_loop(walk, row, code) : go_over(walk, row, code);
}

/* A round of the loop from `walk` up to its end at `last`. False: it does more than to move bytes. */
static bool go_round(struct walk *walk, uint32_t last)
{
    uint8_t code[INSTRUCTION_BYTES_MAX];

    for (uint32_t steps = 0; walk->pc != last && steps < ROUND_STEPS_MAX; steps++) {
        const struct instruction *row = look(walk, code);

        if (row->operation == OPERATION_MOVE || go_on(walk, row, code) != GOES) {
            return false;
        }
    }
    return walk->pc == last;
}

/* Do `rounds` more with these strides go over nothing but data, and whole beats of it? */
static bool is_steady(const struct engine *engine, uint32_t address, uint32_t stride, uint32_t control,
                      uint32_t rounds)
{
    return !stride || (!((address | stride) & (traffic_beat_bytes(control) - 1)) && stride <= STRIDE_MAX &&
                       engine->ops->is_data(engine->opaque, address, (uint64_t)stride * (rounds + 1)));
}

/* Cycles of a round: what the last ones have taken, where they were alike, else as many as instructions. */
static uint64_t cycles_of_round(const struct walk *walk, uint32_t top, uint64_t least)
{
    const struct rounds *rounds = &walk->engine->rounds;

    return rounds->period && rounds->top[rounds->last].pc == top ? rounds->period : least;
}

/* At the end of a counted loop, `left` rounds before it is over: pass over those that are alike. */
static void pass_rounds(struct walk *walk, const struct instruction *row, const uint8_t *code)
{
    uint8_t *left = &walk->counter[row->select];
    struct walk before = *walk, after;

    before.pc = walk->pc - code[1];
    before.nested++;
    after = before;
    if (*left < 2 || walk->nested == NESTED_MAX || !go_round(&after, walk->pc) || before.level != after.level ||
        !is_steady(walk->engine, before.sar, after.sar - before.sar, walk->ccr, *left) ||
        !is_steady(walk->engine, before.dar, after.dar - before.dar, walk->ccr >> 14, *left)) {
        return;
    }
    walk->cycles += (*left - 1) * cycles_of_round(walk, before.pc, after.cycles - before.cycles + row->cycles);
    walk->sar += (uint32_t)(*left - 1) * (after.sar - before.sar);
    walk->dar += (uint32_t)(*left - 1) * (after.dar - before.dar);
    walk->request = after.request;
    *left = 1;
}

static enum step end_loop(struct walk *walk, const struct instruction *row, const uint8_t *code)
{
    if (row->condition != CONDITION_NONE) {
        walk->cycles++;
        return ENDS;
    }
    pass_rounds(walk, row, code);
    if (walk->counter[row->select]) {
        walk->counter[row->select]--;
        walk->pc -= code[1];
        walk->cycles += row->cycles;
    } else {
        walk->pc += row->length;
        walk->cycles++;
    }
    return GOES;
}

/* Cycles before anything can be told of the thread; ENGINE_NEVER: nothing will be, by itself. */
static uint64_t walk_through(struct walk *walk, uint64_t enough)
{
    uint8_t code[INSTRUCTION_BYTES_MAX];

    for (uint32_t steps = 0; steps < STEPS_MAX && walk->cycles < enough; steps++) {
        const struct instruction *row = look(walk, code);
        enum step step = go_on(walk, row, code);

        if (step != GOES) {
            return step == SILENT ? ENGINE_NEVER : walk->cycles - 1;
        }
    }
    return walk->cycles;
}

/* What is on the bus already, or waits for it. */
static bool moves_data(const struct engine *engine, const struct queue *queue)
{
    for (uint32_t n = 0; n < queue->count; n++) {
        const struct access *access = queue_entry_of(queue, n);

        if (!access->dropped && engine->ops->look_at(engine->opaque, &access->burst) != ENGINE_OUTLOOK_DATA) {
            return false;
        }
    }
    return true;
}

/* A single channel that executes, secure, not told to hold; and nothing else goes on. */
static bool is_simple(const struct engine *engine)
{
    uint32_t n = engine->alive ? (uint32_t)__builtin_ctz(engine->alive) : ENGINE_MANAGER;
    const struct thread *thread = &engine->thread[n];

    return engine->alive == 1u << n && n != ENGINE_MANAGER && !thread->nonsecure && !thread->error &&
           !thread->holding && !thread->held && !thread->step_to && thread->state <= STATE_COMPLETING &&
           thread->state != STATE_WAITING_FOR_EVENT && thread->state != STATE_KILLING &&
           !engine->hold[n].at_burst && !engine->hold[n].at_byte && engine->lock_up_at == ENGINE_NEVER &&
           moves_data(engine, &engine->reads) && moves_data(engine, &engine->writes);
}

uint64_t engine_quiet(struct engine *engine, uint64_t horizon)
{
    struct thread *thread;
    struct walk walk;
    uint64_t cycles;

    if (!is_simple(engine)) {
        return engine->now;
    }
    thread = &engine->thread[__builtin_ctz(engine->alive)];
    walk = (struct walk){
        .engine = engine,
        .thread = thread,
        .pc = thread->pc,
        .sar = thread->sar,
        .dar = thread->dar,
        .ccr = thread->ccr,
        .level = (uint32_t)(thread->fifo.loading - thread->fifo.storing),
        .counter = {thread->counter[0], thread->counter[1]},
        .request = (int)thread->request,
    };
    cycles = walk_through(&walk, horizon - engine->now);
    return cycles < horizon - engine->now ? engine->now + cycles : horizon;
}
