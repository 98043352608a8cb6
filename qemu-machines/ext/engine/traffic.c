/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/traffic.h"

#include <string.h>

#include "engine/rounds.h"
#include "engine/signals.h"

/* ---- bursts ---- */

uint32_t traffic_beats(uint32_t control)
{
    return (control >> 4 & 15) + 1;
}

uint32_t traffic_beat_bytes(uint32_t control)
{
    return 1u << (control >> 1 & 7);
}

struct engine_burst traffic_burst(uint32_t address, uint32_t control, uint32_t beats)
{
    uint32_t size = traffic_beat_bytes(control), misaligned = address & (size - 1);
    bool increments = control & 1;

    return (struct engine_burst){
        .address = address,
        .bytes = (uint16_t)(increments ? size * beats - misaligned : (size - misaligned) * beats),
        .beats = (uint8_t)beats,
        .size = (uint8_t)size,
        .protection = (uint8_t)(control >> 8 & 7),
        .increments = increments,
    };
}

/* ---- the MFIFO ---- */

uint32_t traffic_lines(const struct engine *engine, const struct thread *thread, uint32_t target,
                       uint64_t bytes)
{
    uint32_t control = thread->ccr >> 14, line = engine->config.bus_bytes, first = target & (line - 1);

    if (!(control & 1)) {
        line = traffic_beat_bytes(control);
        first = 0;
    }
    return bytes ? (uint32_t)((first + bytes + line - 1) >> __builtin_ctz(line)) : 0;
}

uint32_t traffic_lines_with(const struct engine *engine, const struct thread *thread, uint64_t more)
{
    const struct fifo *fifo = &thread->fifo;
    uint32_t being_stored = (uint32_t)(fifo->storing - fifo->stored);

    return traffic_lines(engine, thread, thread->dar - being_stored, fifo->loading + more - fifo->stored);
}

void traffic_count_lines(struct engine *engine, struct thread *thread)
{
    uint32_t lines = traffic_lines_with(engine, thread, 0);

    engine->fifo_lines += lines - thread->fifo_lines;
    thread->fifo_lines = lines;
}

/* Bytes between `data` and the MFIFO, which is a ring for each channel. */
static void copy_in(struct engine *engine, uint32_t channel, uint64_t position, const uint8_t *data,
                    uint32_t bytes)
{
    uint32_t place = modulo(position, engine->fifo_bytes), rest = engine->fifo_bytes - place;
    uint32_t part = bytes < rest ? bytes : rest;

    memcpy(engine->fifo[channel] + place, data, part);
    memcpy(engine->fifo[channel], data + part, bytes - part);
}

static void copy_out(const struct engine *engine, uint32_t channel, uint64_t position, uint8_t *data,
                     uint32_t bytes)
{
    uint32_t place = modulo(position, engine->fifo_bytes), rest = engine->fifo_bytes - place;
    uint32_t part = bytes < rest ? bytes : rest;

    memcpy(data, engine->fifo[channel] + place, part);
    memcpy(data + part, engine->fifo[channel], bytes - part);
}

/* Turn round each group of bytes; the first begins at an address that is a multiple of it. */
static void swap(uint8_t *data, const struct access *access)
{
    uint32_t group = 1u << access->swap_log2, bytes = group > 1 ? access->burst.bytes : 0;

    for (uint32_t i = -access->burst.address & (group - 1); i + group <= bytes; i += group) {
        for (uint32_t low = i, high = i + group - 1; low < high; low++, high--) {
            uint8_t byte = data[low];

            data[low] = data[high];
            data[high] = byte;
        }
    }
}

/* ---- into the queues ---- */

bool queue_is_full(const struct queue *queue, uint32_t depth)
{
    return queue->count >= depth;
}

static uint64_t later(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static void enter(struct engine *engine, struct queue *queue, uint32_t capacity, const struct access *access,
                  uint64_t not_before)
{
    struct access *its = queue_entry(queue, queue->count);

    *its = *access;
    its->issued_at = engine->now;
    its->begins_at = later(later(engine->now + 1, queue->free_at), not_before);
    if (queue->count >= capacity) {
        its->begins_at = later(its->begins_at, queue_entry(queue, queue->count - capacity)->ends_at);
    }
    its->ends_at = its->begins_at + engine->config.latency + access->burst.beats;
    queue->free_at = its->begins_at + access->burst.beats;
    queue->count++;
}

void traffic_load(struct engine *engine, struct thread *thread, const struct access *access)
{
    struct access load = *access;

    load.position = thread->fifo.loading;
    thread->fifo.loading += load.burst.bytes;
    thread->loads++;
    traffic_count_lines(engine, thread);
    enter(engine, &engine->reads, engine->config.read_capacity, &load, 0);
}

/* The cycle in which the last of the bytes before `position` has been loaded. */
static uint64_t loaded_at(const struct engine *engine, uint32_t channel, uint64_t position)
{
    uint64_t at = 0;

    for (uint32_t n = 0; n < engine->reads.count; n++) {
        const struct access *load = queue_entry_of(&engine->reads, n);

        if (load->burst.channel == channel && !load->dropped && !load->unwanted && load->position < position) {
            at = load->ends_at;
        }
    }
    return at;
}

void traffic_store(struct engine *engine, struct thread *thread, const struct access *access)
{
    struct access store = *access;
    uint64_t not_before = 0;

    if (!store.zeroes) {
        store.position = thread->fifo.storing;
        thread->fifo.storing += store.burst.bytes;
        not_before = loaded_at(engine, store.burst.channel, thread->fifo.storing);
    }
    thread->stores++;
    enter(engine, &engine->writes, engine->config.write_capacity, &store, not_before);
}

/* ---- out of the queues ---- */

static uint64_t next_of(const struct queue *queue)
{
    return queue->count ? queue_entry_of(queue, 0)->ends_at : ENGINE_NEVER;
}

uint64_t traffic_next(const struct engine *engine)
{
    uint64_t read = next_of(&engine->reads), write = next_of(&engine->writes);

    return read < write ? read : write;
}

static void answer(struct engine *engine, const struct access *access)
{
    if (access->answer != NO_ANSWER && !access->unwanted) {
        signals_answer(engine, access->peripheral, (enum engine_answer)access->answer);
    }
}

static bool overlap(const struct engine_burst *one, const struct engine_burst *other)
{
    return one->increments && other->increments && one->address < other->address + other->bytes &&
           other->address < one->address + one->bytes;
}

/* A load is carried out: what of the same channel should have been stored before it? */
static void look_for_older_stores(const struct engine *engine, const struct access *load)
{
    for (uint32_t n = 0; n < engine->writes.count; n++) {
        const struct access *store = queue_entry_of(&engine->writes, n);

        if (store->burst.channel == load->burst.channel && store->issued_at < load->issued_at &&
            !store->dropped && overlap(&store->burst, &load->burst)) {
            const struct engine_finding finding = {ENGINE_FINDING_LOAD_BEFORE_STORE, load->burst.channel,
                                                   load->burst.microcode, store->burst.microcode};

            engine->ops->found(engine->opaque, &finding);
            return;
        }
    }
}

bool traffic_read(struct engine *engine, const struct access *access)
{
    uint8_t data[ENGINE_BURST_MAX];

    if (!engine->ops->read(engine->opaque, &access->burst, data)) {
        return false;
    }
    if (!access->unwanted && !engine->predicting) {
        swap(data, access);
        copy_in(engine, access->burst.channel, access->position, data, access->burst.bytes);
    }
    answer(engine, access);
    return true;
}

bool traffic_write(struct engine *engine, const struct access *access)
{
    uint8_t data[ENGINE_BURST_MAX] = {0};

    if (!access->zeroes && !engine->predicting) {
        copy_out(engine, access->burst.channel, access->position, data, access->burst.bytes);
    }
    if (!engine->ops->write(engine->opaque, &access->burst, data)) {
        return false;
    }
    answer(engine, access);
    return true;
}

static void carry_out_read(struct engine *engine, const struct access *access)
{
    struct thread *thread = &engine->thread[access->burst.channel];

    thread->loads--;
    look_for_older_stores(engine, access);
    if (!traffic_read(engine, access)) {
        thread->error |= ENGINE_FAULT_READ;
    } else if (!access->unwanted) {
        thread->fifo.loaded += access->burst.bytes;
    }
}

static void carry_out_write(struct engine *engine, const struct access *access)
{
    struct thread *thread = &engine->thread[access->burst.channel];

    thread->stores--;
    if (!traffic_write(engine, access)) {
        thread->error |= ENGINE_FAULT_WRITE;
    } else if (access->zeroes) {
        thread->zeroed += access->burst.bytes;
    } else {
        thread->fifo.stored += access->burst.bytes;
        traffic_count_lines(engine, thread);
    }
}

static bool carry_out(struct engine *engine, struct queue *queue,
                      void (*function)(struct engine *, const struct access *))
{
    bool any = false;

    while (next_of(queue) <= engine->now) {
        struct access access = *queue_entry(queue, 0);

        queue->first = (queue->first + 1) % QUEUE_MAX;
        queue->count--;
        any = true;
        if (!access.dropped) {
            rounds_note(engine, &access, queue == &engine->writes);
            function(engine, &access);
        }
    }
    return any;
}

bool traffic_carry_out(struct engine *engine)
{
    bool wrote = carry_out(engine, &engine->writes, carry_out_write);

    return carry_out(engine, &engine->reads, carry_out_read) || wrote;
}

/* ---- kills, faults, ends ---- */

static uint32_t drop(struct engine *engine, struct queue *queue, uint32_t channel)
{
    uint32_t dropped = 0;

    for (uint32_t n = 0; n < queue->count; n++) {
        struct access *access = queue_entry(queue, n);

        if (access->burst.channel == channel && !access->dropped) {
            access->dropped = access->begins_at >= engine->now;
            access->unwanted = true;
            dropped += access->dropped;
        }
    }
    return dropped;
}

void traffic_drop(struct engine *engine, struct thread *thread)
{
    uint32_t channel = thread_number(engine, thread);

    thread->loads -= drop(engine, &engine->reads, channel);
    thread->stores -= drop(engine, &engine->writes, channel);
}

void traffic_discard(struct engine *engine, struct thread *thread)
{
    struct fifo *fifo = &thread->fifo;

    fifo->loading = fifo->loaded = fifo->storing = fifo->stored;
    traffic_count_lines(engine, thread);
}
