/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/oplog.h"

#include <stddef.h>

#include "evidence/declared.h"
#include "evidence/history.h"
#include "probe/probe.h"

enum { FRAMES = 64 };

struct frame {
    uint64_t adapter;
    uint32_t id;
    uint32_t cleaned, invalidated, written_back, other; /* lines */
    const struct mapping *ended;                        /* by a flush; NULL: none */
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
        *top() = (struct frame){.adapter = a[0], .id = id};
    }
    probe_record(PROBE_ENTER, id, a[0], a[1], a[2], a[3], a[4]);
}

static void leave(uint32_t id, const uint64_t *a)
{
    const struct frame *frame = top();

    if (frame->ended) {
        declared_flushed(frame->ended, (uint32_t)a[2]);
    }
    probe_record(PROBE_EXIT, id, a[0], a[1], a[2], frame->cleaned | (uint64_t)frame->invalidated << 32,
                 frame->written_back | (uint64_t)frame->other << 32);
    depth -= depth > 0;
}

static void range(uint32_t kind, const uint64_t *a)
{
    const struct range range = {a[1], a[4], (uint32_t)a[2], kind};
    const struct mapping *mapping = declared_add(a[0], top()->adapter, a[3] != 0, &range);

    if (kind == RANGE_BOUNCED) {
        top()->other += lines_touched(a[1], a[2]);
    }
    probe_record(PROBE_RANGE, kind, a[0], a[1], a[2], a[3], mapping->adapter);
}

static void unmapped(const uint64_t *a)
{
    bool flushed = top()->id == ROUTINE_FlushAdapterBuffersEx;
    const struct mapping *mapping = declared_end(a[0], !flushed);

    top()->ended = flushed ? mapping : NULL;
    for (uint32_t i = 0; mapping && !mapping->write && i < mapping->ranges; i++) {
        if (mapping->range[i].kind == RANGE_BOUNCED) {
            top()->other += lines_touched(mapping->range[i].physical, mapping->range[i].length);
        }
    }
    probe_record(PROBE_UNMAPPED, 0, a[0], 0, 0, 0, 0);
}

bool oplog_record(uint32_t kind, uint32_t id, const uint64_t a[5])
{
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
        unmapped(a);
        return true;
    case PROBE_VIOLATION:
        probe_record(PROBE_VIOLATION, id, a[0], a[1], 0, 0, 0);
        return true;
    default:
        return false;
    }
}

/* ---- maintenance ---- */

/* Is the line in a live mapping, so that a device may access it now? */
static bool is_mapped(uint64_t line)
{
    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = declared_nth_newest(n);

        if (mapping->live && mapping_covers(mapping, line, probe->line_size, false)) {
            return true;
        }
    }
    return false;
}

static void count_cost(uint64_t pc, uint32_t routine, bool redundant)
{
    struct probe_cost *cost = probe->cost;

    while (cost < probe->cost + probe->costs && (cost->pc != pc || cost->routine != routine)) {
        cost++;
    }
    if (cost == probe->cost + PROBE_COSTS) {
        return;
    }
    if (cost == probe->cost + probe->costs) {
        probe->costs++;
        cost->pc = pc;
        cost->routine = routine;
    }
    cost->operations++;
    cost->redundant += redundant;
}

void oplog_maintenance(uint64_t pc, uint64_t physical, bool cleaned, bool invalidated, unsigned int before)
{
    struct frame *frame = top();
    uint64_t line = physical & ~(uint64_t)(probe->line_size - 1);
    bool wrote_back = cleaned && (before & PROBE_LINE_DIRTY);

    if (is_mapped(line)) {
        frame->cleaned += cleaned;
        frame->invalidated += invalidated;
        frame->written_back += wrote_back;
    } else {
        frame->other++;
    }
    count_cost(pc, frame->id, !wrote_back && !(invalidated && (before & PROBE_LINE_VALID)));
}
