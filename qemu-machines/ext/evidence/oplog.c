/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/oplog.h"

#include <stddef.h>

#include "evidence/cost.h"
#include "evidence/declared.h"
#include "evidence/finding.h"
#include "evidence/history.h"
#include "evidence/stray.h"
#include "probe/probe.h"

enum { FRAMES = 1024 };

struct frame {
    uint64_t adapter;
    uint32_t id;
    uint32_t cleaned, invalidated, written_back, other; /* lines */
    uint64_t caller;                                    /* where a routine was called */
    struct mapping *ended;                              /* by a flush, held; NULL: none */
};

static struct frame stack[FRAMES];
static uint32_t depth; /* may exceed FRAMES: those frames are counted, not kept */

static struct frame *top(void)
{
    static struct frame nobody;

    return depth > 0 && depth <= FRAMES ? &stack[depth - 1] : &nobody;
}

void oplog_reset(void)
{
    depth = 0;
    history_reset();
    declared_reset();
    stray_reset();
    finding_reset();
    cost_reset();
}

bool oplog_is_inside_layer(void)
{
    uint32_t id = top()->id;

    return id && (id < ROUTINE_AdapterControl || id >= ROUTINE_InitializeController);
}

static uint32_t lines_touched(uint64_t physical, uint64_t length)
{
    uint64_t line = probe->line_size;

    return length ? (uint32_t)((physical + length - 1) / line - physical / line + 1) : 0;
}

/* ---- records of the firmware ---- */

static void enter(uint32_t id, const uint64_t *a)
{
    if (depth++ < FRAMES) {
        *top() = (struct frame){.adapter = a[0], .id = id, .caller = a[1]};
    } else {
        finding_bad_record(BAD_RECORD_TOO_MANY, id);
    }
    probe_record(PROBE_ENTER, id, a[0], a[1], a[2], a[3], a[4]);
}

static void leave(uint32_t id, const uint64_t *a)
{
    struct frame *frame = top();

    if (!depth) {
        finding_bad_record(BAD_RECORD_UNKNOWN, id);
    }
    if (frame->ended) {
        declared_flushed(frame->ended, (uint32_t)a[2]);
        declared_let_go(frame->ended);
        frame->ended = NULL;
    }
    probe_record(PROBE_EXIT, id, a[0], a[1], a[2], frame->cleaned | (uint64_t)frame->invalidated << 32,
                 frame->written_back | (uint64_t)frame->other << 32);
    depth -= depth > 0;
}

/* A mapping of an image that does not say when one begins: the routine that records its first range makes it.
 */
static struct mapping *begin_unannounced(uint64_t handle, bool write)
{
    const struct mapping like = {.memory = MEMORY_MAPPED,
                                 .handle = handle,
                                 .adapter = top()->adapter,
                                 .maker = top()->id,
                                 .maker_pc = top()->caller,
                                 .write = write};

    return declared_begin(&like);
}

/* What KeFlushIoBuffers has maintains at once, so it is no mapping. */
static void flushed(const struct range *range, bool write)
{
    const struct mapping like = {
        .memory = MEMORY_FLUSHED, .maker = top()->id, .maker_pc = top()->caller, .write = write};
    struct mapping *mapping = declared_begin(&like);

    if (mapping) {
        (void)declared_add(mapping, range);
        declared_end(mapping, top()->id, true);
    }
}

static void range(uint32_t kind, const uint64_t *a)
{
    const struct range range = {a[1], a[4], (uint32_t)a[2], kind};
    struct mapping *mapping = kind == RANGE_FLUSHED ? NULL : declared_find(a[0], 0);

    if (kind == RANGE_FLUSHED) {
        flushed(&range, a[3] != 0);
    } else if (mapping || (mapping = begin_unannounced(a[0], a[3] != 0))) {
        mapping->write = a[3] != 0;
        (void)declared_add(mapping, &range);
    }
    if (kind == RANGE_BOUNCED) {
        top()->other += lines_touched(a[1], a[2]);
    }
    probe_record(PROBE_RANGE, kind, a[0], a[1], a[2], a[3], mapping ? mapping->adapter : 0);
}

static void mapping(uint32_t id, const uint64_t *a)
{
    const struct mapping like = {.memory = MEMORY_MAPPED,
                                 .handle = a[0],
                                 .identity = a[1],
                                 .looped = a[2] & 1,
                                 .maker = id,
                                 .maker_pc = a[3],
                                 .adapter = a[4]};

    (void)declared_begin(&like);
    probe_record(PROBE_MAPPING, id, a[0], a[1], a[2], a[3], a[4]);
}

static void end_one(struct mapping *mapping, bool flushed)
{
    for (uint32_t i = 0; !mapping->write && i < mapping->ranges; i++) {
        if (mapping->range[i].kind == RANGE_BOUNCED) {
            top()->other += lines_touched(mapping->range[i].physical, mapping->range[i].length);
        }
    }
    if (flushed && !top()->ended && depth) {
        declared_hold(mapping);
        top()->ended = mapping;
    }
    declared_end(mapping, top()->id, flushed);
}

static void unmapped(uint32_t flushed, const uint64_t *a)
{
    struct mapping *mapping = declared_find(a[0], a[1]);

    if (!mapping) {
        finding_bad_record(BAD_RECORD_UNKNOWN, a[0]);
    }
    while (mapping) {
        end_one(mapping, flushed != 0);
        mapping = a[1] ? NULL : declared_find(a[0], 0);
    }
    probe_record(PROBE_UNMAPPED, flushed, a[0], a[1], 0, 0, 0);
}

/* Memory for devices is there. */
static void provide(uint32_t kind, const uint64_t *a)
{
    const struct range range = {a[1], a[1], (uint32_t)a[2], RANGE_MAPPED};
    const struct mapping like = {.memory = kind == MEMORY_COMMON ? MEMORY_COMMON : MEMORY_PRIVATE,
                                 .adapter = a[4],
                                 .maker = top()->id,
                                 .maker_pc = top()->caller};
    struct mapping *memory = declared_begin(&like);

    if (memory && !declared_add(memory, &range)) {
        declared_end(memory, 0, true);
    }
}

static void memory(uint32_t kind, const uint64_t *a)
{
    struct mapping *memory = a[3] ? NULL : declared_find_memory(a[1]);

    if (kind > MEMORY_WINDOW) {
        finding_bad_record(BAD_RECORD_UNKNOWN, kind);
    } else if (kind == MEMORY_WINDOW && !(a[3] && stray_set_window(a[1], a[2]))) {
        finding_bad_record(BAD_RECORD_NOT_RAM, a[1]);
    } else if (kind == MEMORY_WINDOW) {
        /* it is there */
    } else if (a[3]) {
        provide(kind, a);
    } else if (memory) {
        declared_end(memory, top()->id, true);
    } else {
        finding_bad_record(BAD_RECORD_UNKNOWN, a[1]);
    }
    probe_record(PROBE_MEMORY, kind, 0, a[1], a[2], a[3], a[4]);
}

static void adapter(uint32_t channel, const uint64_t *a)
{
    stray_adapter_made(channel);
    probe_record(PROBE_ADAPTER, channel, 0, a[1], 0, 0, 0);
}

bool oplog_record(uint32_t kind, uint32_t id, const uint64_t a[5])
{
    finding_has_layer();
    switch (kind) {
    case PROBE_ENTER:
        enter(id, a);
        return true;
    case PROBE_EXIT:
        leave(id, a);
        return true;
    case PROBE_RANGE:
        range(id, a);
        return true;
    case PROBE_UNMAPPED:
        unmapped(id, a);
        return true;
    case PROBE_MAPPING:
        mapping(id, a);
        return true;
    case PROBE_MEMORY:
        memory(id, a);
        return true;
    case PROBE_ADAPTER:
        adapter(id, a);
        return true;
    case PROBE_VIOLATION:
        probe_record(PROBE_VIOLATION, id, a[0], a[1], 0, 0, 0);
        return true;
    case PROBE_REASON:
        probe_record(PROBE_REASON, 0, a[0], a[1], a[2], 0, 0);
        return true;
    case PROBE_ARGUMENTS:
        probe_record(PROBE_ARGUMENTS, id, a[0], a[1], a[2], a[3], a[4]);
        return true;
    default:
        return false;
    }
}

/* ---- maintenance ---- */

/* Is the line in a live mapping, so that a device may access it now? */
static bool is_mapped(uint64_t line)
{
    const struct index_entry *entry = line_index_first(line);

    while (entry && !(entry->mapping->live && entry->mapping->memory == MEMORY_MAPPED &&
                      declared_covers(entry, line, probe->line_size, false))) {
        entry = line_index_next(entry);
    }
    return entry != NULL;
}

void oplog_maintenance(uint64_t pc, uint64_t physical, bool cleaned, bool invalidated, unsigned int before)
{
    struct frame *frame = top();
    uint64_t line = physical & ~(uint64_t)(probe->line_size - 1);
    bool wrote_back = cleaned && (before & PROBE_LINE_DIRTY);

    history_maintained(line, pc);
    if (is_mapped(line)) {
        frame->cleaned += cleaned;
        frame->invalidated += invalidated;
        frame->written_back += wrote_back;
    } else {
        frame->other++;
    }
    cost_count(pc, frame->id, !wrote_back && !(invalidated && (before & PROBE_LINE_VALID)));
}
