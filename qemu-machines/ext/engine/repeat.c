/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/repeat.h"

#include "engine/rounds.h"
#include "engine/signals.h"
#include "engine/traffic.h"

enum { STRIDE_MAX = 1 << 16 };

/* ---- a round ---- */

/* The only channel that does anything, which nobody holds. */
static bool is_alone(const struct engine *engine, const struct thread *thread)
{
    uint32_t n = thread_number(engine, thread);
    const struct engine_hold *hold = &engine->hold[n];

    return engine->alive == 1u << n && !hold->at_burst && !hold->at_byte && !hold->pause_cycles &&
           !thread->step_to && !thread->error && engine->lock_up_at == ENGINE_NEVER;
}

/* An access, so many strides on. */
static struct access shifted(const struct access *access, const struct stride *stride, bool is_write,
                             uint32_t rounds)
{
    struct access it = *access;

    it.burst.address += it.burst.increments ? rounds * (is_write ? stride->dar : stride->sar) : 0;
    it.burst.number += rounds * stride->bursts;
    it.position += it.zeroes ? 0 : rounds * stride->bytes;
    it.issued_at += rounds * stride->cycles;
    it.begins_at += rounds * stride->cycles;
    it.ends_at += rounds * stride->cycles;
    return it;
}

static bool is_same(const struct access *one, const struct access *other)
{
    return one->burst.address == other->burst.address && one->burst.bytes == other->burst.bytes &&
           one->burst.beats == other->burst.beats && one->burst.microcode == other->burst.microcode &&
           one->burst.number == other->burst.number && one->position == other->position &&
           one->issued_at == other->issued_at && one->begins_at == other->begins_at &&
           one->ends_at == other->ends_at && one->dropped == other->dropped && one->answer == other->answer;
}

static void take_top(struct engine *engine, const struct thread *thread, struct loop_top *top)
{
    top->now = engine->now;
    top->pc = thread->pc;
    top->sar = thread->sar;
    top->dar = thread->dar;
    top->counter[0] = thread->counter[0];
    top->counter[1] = thread->counter[1];
    top->request = thread->request;
    top->bursts = thread->bursts;
    top->begun = thread->begun;
    top->zeroed = thread->zeroed;
    top->fifo = thread->fifo;
    top->reads = engine->reads.count;
    top->writes = engine->writes.count;
    for (uint32_t n = 0; n < top->reads; n++) {
        top->access[n] = *queue_entry(&engine->reads, n);
    }
    for (uint32_t n = 0; n < top->writes; n++) {
        top->access[top->reads + n] = *queue_entry(&engine->writes, n);
    }
}

static struct stride stride_of(const struct loop_top *from, const struct loop_top *to)
{
    return (struct stride){
        .cycles = to->now - from->now,
        .sar = to->sar - from->sar,
        .dar = to->dar - from->dar,
        .bursts = to->bursts - from->bursts,
        .begun = to->begun - from->begun,
        .zeroed = to->zeroed - from->zeroed,
        .bytes = to->fifo.loading - from->fifo.loading,
    };
}

/* Does `to` differ from `from` by the stride only? */
static bool is_alike(const struct loop_top *from, const struct loop_top *to, const struct stride *stride,
                     uint32_t counter)
{
    bool alike = from->pc == to->pc && from->counter[counter] == to->counter[counter] + 1 &&
                 from->counter[!counter] == to->counter[!counter] && from->request == to->request &&
                 from->reads == to->reads && from->writes == to->writes &&
                 to->fifo.loaded - from->fifo.loaded == stride->bytes &&
                 to->fifo.storing - from->fifo.storing == stride->bytes &&
                 to->fifo.stored - from->fifo.stored == stride->bytes;

    for (uint32_t n = 0; alike && n < to->reads + to->writes; n++) {
        struct access like = shifted(&from->access[n], stride, n >= to->reads, 1);

        alike = is_same(&like, &to->access[n]);
    }
    return alike;
}

/* ---- what may be done again ---- */

/* The bytes that an access and those like it in later rounds go over. */
struct range {
    uint64_t start, end;
};

static struct range range_of(const struct access *access, uint32_t stride, uint64_t rounds)
{
    return (struct range){access->burst.address, access->burst.address + rounds * stride + access->burst.bytes};
}

static bool is_data(const struct engine *engine, const struct access *access, uint32_t stride, uint64_t rounds)
{
    struct range range = range_of(access, stride, rounds);

    if (!access->burst.increments) {
        return engine->ops->look_at(engine->opaque, &access->burst) == ENGINE_OUTLOOK_DATA;
    }
    return stride <= STRIDE_MAX && !((access->burst.address | stride) & (access->burst.size - 1u)) &&
           engine->ops->is_data(engine->opaque, access->burst.address, range.end - range.start);
}

/* Are all accesses to data, and does none load what another stores? */
static bool may_repeat(const struct engine *engine, const struct rounds *rounds, const struct stride *stride,
                       uint64_t count)
{
    struct range loads = {UINT64_MAX, 0}, stores = {UINT64_MAX, 0};

    for (uint32_t n = 0; n < rounds->events; n++) {
        const struct round_event *event = &rounds->event[n];
        struct range *all = event->is_write ? &stores : &loads;
        uint32_t step = event->is_write ? stride->dar : stride->sar;
        struct range range = range_of(&event->access, step, count);

        if (!is_data(engine, &event->access, step, count)) {
            return false;
        }
        if (event->access.burst.increments) {
            all->start = range.start < all->start ? range.start : all->start;
            all->end = range.end > all->end ? range.end : all->end;
        }
    }
    return loads.end <= stores.start || stores.end <= loads.start;
}

/* Has the peripheral asked again, as it had for the last round? */
static bool is_asked(struct engine *engine, const struct thread *thread)
{
    const struct rounds *rounds = &engine->rounds;

    return !rounds->waits || (engine->peripheral[rounds->peripheral].since >= thread->started_at &&
                              signals_accept(engine, rounds->peripheral, rounds->wait) == thread->request);
}

/* ---- doing it again ---- */

static void move_queue(struct queue *queue, const struct stride *stride, bool is_write, uint32_t rounds)
{
    for (uint32_t n = 0; n < queue->count; n++) {
        *queue_entry(queue, n) = shifted(queue_entry(queue, n), stride, is_write, rounds);
    }
    queue->free_at += rounds * stride->cycles;
}

/* The state, so many strides on. */
static void move_on(struct engine *engine, struct thread *thread, const struct stride *stride, uint32_t counter,
                    uint32_t rounds)
{
    uint64_t bytes = rounds * stride->bytes, cycles = rounds * stride->cycles;

    thread->sar += rounds * stride->sar;
    thread->dar += rounds * stride->dar;
    thread->counter[counter] -= (uint8_t)rounds;
    thread->bursts += rounds * stride->bursts;
    thread->begun += rounds * stride->begun;
    thread->zeroed += rounds * stride->zeroed;
    thread->burst_at += cycles;
    thread->ready_at += cycles;
    thread->fifo.loading += bytes;
    thread->fifo.loaded += bytes;
    thread->fifo.storing += bytes;
    thread->fifo.stored += bytes;
    engine->issue_at += cycles;
    move_queue(&engine->reads, stride, false, rounds);
    move_queue(&engine->writes, stride, true, rounds);
    traffic_count_lines(engine, thread);
}

/* Carry out what the last round, which began at `start`, did; `round` strides on. */
static void carry_out(struct engine *engine, const struct stride *stride, uint64_t start, uint32_t round)
{
    for (uint32_t n = 0; n < engine->rounds.events; n++) {
        const struct round_event *event = &engine->rounds.event[n];
        const struct access access = shifted(&event->access, stride, event->is_write, round);

        engine->now = start + event->cycle;
        if (event->is_write) {
            traffic_write(engine, &access);
        } else {
            traffic_read(engine, &access);
        }
    }
}

static void repeat(struct engine *engine, struct thread *thread, const struct stride *stride, uint32_t counter)
{
    uint64_t now = engine->now, most = (engine->until - now) / stride->cycles, round = 0;

    most = most < thread->counter[counter] ? most : thread->counter[counter];
    if (!most || engine->ops->listens(engine->opaque) || !may_repeat(engine, &engine->rounds, stride, most)) {
        return;
    }
    for (; round < most && is_asked(engine, thread); round++) {
        carry_out(engine, stride, now + round * stride->cycles, (uint32_t)round + 1);
    }
    engine->now = now + round * stride->cycles;
    move_on(engine, thread, stride, counter, (uint32_t)round);
    engine->ops->skipped(engine->opaque, round * engine->rounds.instructions);
}

/* ---- at the top of a loop ---- */

void repeat_at_top(struct engine *engine, struct thread *thread, uint32_t counter)
{
    struct rounds *rounds = &engine->rounds;
    struct loop_top *last = &rounds->top[rounds->last], *top = &rounds->top[!rounds->last];
    struct stride stride;

    if (engine->predicting || !engine->ops->listens || !is_alone(engine, thread)) {
        rounds_break(engine);
        return;
    }
    take_top(engine, thread, top);
    stride = stride_of(last, top);
    rounds->period = 0;
    if (rounds->usable && is_alike(last, top, &stride, counter)) {
        rounds->period = stride.cycles;
        repeat(engine, thread, &stride, counter);
        take_top(engine, thread, top);
    }
    rounds->last = !rounds->last;
    rounds->usable = true;
    rounds->waits = false;
    rounds->instructions = rounds->events = 0;
}
