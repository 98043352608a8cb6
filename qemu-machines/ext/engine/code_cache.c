/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/code_cache.h"

#include <string.h>

static struct cache_line *entry(struct engine *engine, uint32_t line)
{
    return &engine->cache[line / engine->config.cache_line % engine->config.cache_lines];
}

static bool has(const struct engine *engine, const struct cache_line *entry, uint32_t line,
                const struct thread *thread)
{
    return entry->address == line && has_bit(entry->valid, thread_number(engine, thread));
}

static enum code_result begin_miss(struct engine *engine, struct thread *thread, uint32_t line)
{
    thread->state = STATE_CACHE_MISS;
    thread->miss = line;
    thread->ready_at =
        engine->now + engine->config.latency + engine->config.cache_line / engine->config.bus_bytes + 1;
    return CODE_MISSES;
}

/* The line has arrived. */
static enum code_result fill(struct engine *engine, struct cache_line *entry, uint32_t line,
                             const struct thread *thread)
{
    if (entry->address != line) {
        entry->valid = 0;
    }
    entry->address = line;
    if (!engine->ops->fetch(engine->opaque, thread_number(engine, thread), line, entry->code,
                            engine->config.cache_line)) {
        entry->valid = 0;
        return CODE_FAILED;
    }
    entry->valid |= 1u << thread_number(engine, thread);
    return CODE_READY;
}

static uint32_t first_difference(const uint8_t *one, const uint8_t *other)
{
    uint32_t i = 0;

    while (one[i] == other[i]) {
        i++;
    }
    return i;
}

/* Have the line of `address` for the thread: `code` is what it holds from there on, `bytes` how much. */
static enum code_result need(struct engine *engine, struct thread *thread, uint32_t address,
                             const uint8_t **code, uint32_t *bytes)
{
    uint32_t offset = address & (engine->config.cache_line - 1u), line = address - offset;
    struct cache_line *place = entry(engine, line);
    enum code_result result = CODE_READY;

    *code = place->code + offset;
    *bytes = engine->config.cache_line - offset;
    if (has(engine, place, line, thread)) {
        return CODE_READY;
    }
    if (thread->state != STATE_CACHE_MISS || thread->miss != line) {
        return begin_miss(engine, thread, line);
    }
    result = fill(engine, place, line, thread);
    thread->state = STATE_EXECUTING;
    return result;
}

static uint32_t length_of(uint8_t opcode)
{
    return instructions[opcode].length ? instructions[opcode].length : 1;
}

/* What has been fetched of an instruction in two lines is kept: else two threads could take the lines from each
 * other for ever. */
static void keep_part(struct thread *thread, const uint8_t *code, uint32_t have)
{
    memcpy(thread->part, code, have);
    thread->part_bytes = (uint8_t)have;
}

enum code_result code_fetch(struct engine *engine, struct thread *thread, uint8_t *code)
{
    uint32_t have = thread->state == STATE_CACHE_MISS ? thread->part_bytes : 0, bytes;
    const uint8_t *line;

    memcpy(code, thread->part, have);
    for (uint32_t length = have ? length_of(code[0]) : 1; have < length; have += bytes) {
        enum code_result result = need(engine, thread, thread->pc + have, &line, &bytes);

        if (result != CODE_READY) {
            keep_part(thread, code, have);
            return result;
        }
        length = have ? length : length_of(*line);
        bytes = bytes < length - have ? bytes : length - have;
        memcpy(code + have, line, bytes);
    }
    return CODE_READY;
}

static void find_change(const struct engine *engine, const struct thread *thread, uint32_t address)
{
    const struct engine_finding finding = {ENGINE_FINDING_PROGRAM_CHANGED,
                                           (uint8_t)thread_number(engine, thread), thread->pc, address};

    engine->ops->found(engine->opaque, &finding);
}

void code_compare(const struct engine *engine, const struct thread *thread)
{
    uint32_t bytes = engine->config.cache_line;
    uint8_t code[CACHE_LINE_MAX];

    for (uint32_t i = 0; i < engine->config.cache_lines && !engine->predicting; i++) {
        const struct cache_line *line = &engine->cache[i];

        if (has(engine, line, line->address, thread) &&
            engine->ops->glance(engine->opaque, line->address, code, bytes) &&
            memcmp(line->code, code, bytes) != 0) {
            find_change(engine, thread, line->address + first_difference(line->code, code));
            return;
        }
    }
}

void code_forget(struct engine *engine, const struct thread *thread)
{
    for (uint32_t i = 0; i < engine->config.cache_lines; i++) {
        engine->cache[i].valid &= ~(1u << thread_number(engine, thread));
    }
}

void code_invalidate(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->config.cache_lines; i++) {
        engine->cache[i].valid = 0;
    }
}
