/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oplog.h"

#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "pace.h"
#include "views.h"

/* Routines that owe maintenance, by their position in DMA_OPERATIONS. */
enum { MAP_TRANSFER_EX = 23, FLUSH_ADAPTER_BUFFERS_EX = 26 };
enum { RANGE_MAPPED, RANGE_BOUNCED };
enum { FRAMES = 64, MAPPINGS = 64, RANGES = 1024 };

struct frame {
    uint64_t adapter;
    uint32_t cleaned, invalidated, written_back, other; /* lines */
};

struct range {
    uint64_t physical;
    uint32_t length;
    uint32_t kind;
};

/* A mapping is remembered after its end: what it owed may show later. */
struct mapping {
    uint64_t handle, adapter;
    bool live, write;
    uint32_t number; /* counts up from 1 since reset */
    uint32_t ranges;
    struct range range[RANGES];
};

static struct frame stack[FRAMES];
static uint32_t depth; /* may exceed FRAMES: those frames are counted, not kept */
static struct mapping mappings[MAPPINGS];
static uint32_t newest; /* index of the newest mapping */
static uint32_t mapped; /* mappings made since reset */
static uint64_t cpu_pc;

/* Who touched a line last, from either side: the other half of a race. Addresses are below 4 GiB. */
static struct history {
    uint32_t store_pc;                  /* of the store that made it dirty */
    uint32_t store_mapped;              /* `mapped` at that time */
    uint32_t channel, microcode, burst; /* of the device's write */
} *history;

static struct frame *top(void)
{
    static struct frame nobody;

    return depth > 0 && depth <= FRAMES ? &stack[depth - 1] : &nobody;
}

static struct mapping *nth_newest(uint32_t n)
{
    return &mappings[(newest + MAPPINGS - n) % MAPPINGS];
}

void oplog_reset(void)
{
    depth = 0;
    mapped = 0;
    for (uint32_t i = 0; i < MAPPINGS; i++) {
        mappings[i].handle = 0;
    }
    if (!history) {
        history = calloc(views.size / probe->line_size, sizeof(*history));
    }
}

static struct history *history_of(uint64_t physical)
{
    return &history[(physical - views.base) / probe->line_size];
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
        *top() = (struct frame){.adapter = a[0]};
    }
    probe_record(PROBE_ENTER, id, a[0], a[1], a[2], a[3], a[4]);
}

static void leave(uint32_t id, const uint64_t *a)
{
    const struct frame *frame = top();

    probe_record(PROBE_EXIT, id, a[0], a[1], a[2], frame->cleaned | (uint64_t)frame->invalidated << 32,
                 frame->written_back | (uint64_t)frame->other << 32);
    depth -= depth > 0;
}

static struct mapping *live_mapping(uint64_t handle)
{
    for (uint32_t n = 0; n < MAPPINGS; n++) {
        if (nth_newest(n)->live && nth_newest(n)->handle == handle) {
            return nth_newest(n);
        }
    }
    return NULL;
}

static struct mapping *new_mapping(uint64_t handle, bool write)
{
    newest = (newest + 1) % MAPPINGS;
    mappings[newest] = (struct mapping){
        .handle = handle, .adapter = top()->adapter, .live = true, .write = write, .number = ++mapped};
    return &mappings[newest];
}

static void range(uint32_t kind, const uint64_t *a)
{
    struct mapping *mapping = live_mapping(a[0]);

    if (!mapping) {
        mapping = new_mapping(a[0], a[3] != 0);
    }
    if (mapping->ranges < RANGES) {
        mapping->range[mapping->ranges++] = (struct range){a[1], (uint32_t)a[2], kind};
    }
    if (kind == RANGE_BOUNCED) {
        top()->other += lines_touched(a[1], a[2]);
    }
    probe_record(PROBE_RANGE, kind, a[0], a[1], a[2], a[3], mapping->adapter);
}

static void unmapped(const uint64_t *a)
{
    struct mapping *mapping = live_mapping(a[0]);

    if (mapping) {
        mapping->live = false;
        for (uint32_t i = 0; i < mapping->ranges && !mapping->write; i++) {
            if (mapping->range[i].kind == RANGE_BOUNCED) {
                top()->other += lines_touched(mapping->range[i].physical, mapping->range[i].length);
            }
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

static bool covers(const struct mapping *mapping, uint64_t physical, uint64_t length)
{
    for (uint32_t i = 0; i < mapping->ranges; i++) {
        const struct range *range = &mapping->range[i];

        if (range->kind == RANGE_MAPPED && physical < range->physical + range->length &&
            range->physical < physical + length) {
            return true;
        }
    }
    return false;
}

static void count_cost(uint64_t pc, bool redundant)
{
    struct probe_cost *cost = probe->cost;

    while (cost < probe->cost + probe->costs && cost->pc != pc) {
        cost++;
    }
    if (cost == probe->cost + PROBE_COSTS) {
        return;
    }
    if (cost == probe->cost + probe->costs) {
        probe->costs++;
        cost->pc = pc;
    }
    cost->operations++;
    cost->redundant += redundant;
}

void oplog_maintenance(uint64_t pc, uint64_t physical, bool cleaned, bool invalidated, unsigned int before)
{
    struct frame *frame = top();
    uint64_t line = physical & ~(uint64_t)(probe->line_size - 1);
    bool wrote_back = cleaned && (before & PROBE_LINE_DIRTY);
    bool inside = false;

    for (uint32_t n = 0; n < MAPPINGS && !inside; n++) {
        inside = nth_newest(n)->live && covers(nth_newest(n), line, probe->line_size);
    }
    if (inside) {
        frame->cleaned += cleaned;
        frame->invalidated += invalidated;
        frame->written_back += wrote_back;
    } else {
        frame->other++;
    }
    count_cost(pc, !wrote_back && !(invalidated && (before & PROBE_LINE_VALID)));
}

/* ---- findings ---- */

void oplog_cpu_at(uint64_t pc)
{
    cpu_pc = pc;
}

void oplog_dirtied(uint64_t physical, uint64_t pc)
{
    struct history *line = history_of(physical);

    line->store_pc = (uint32_t)pc;
    line->store_mapped = mapped;
}

void oplog_device_wrote(uint64_t physical)
{
    struct pace_position at = pace_position();
    struct history *line = history_of(physical);

    line->channel = at.channel;
    line->microcode = (uint32_t)at.microcode;
    line->burst = (uint32_t)at.burst;
}

/* The newest mapping in that direction that covers the address. A device read is owed only by a
 * live one; a CPU read comes after the flush. */
static const struct mapping *owner(enum probe_finding_kind kind, uint64_t physical)
{
    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = nth_newest(n);
        bool fits = kind == FINDING_STALE_DEVICE_READ ? mapping->live && mapping->write : !mapping->write;

        if (mapping->handle && fits && covers(mapping, physical, 1)) {
            return mapping;
        }
    }
    return NULL;
}

static struct probe_finding describe(enum probe_finding_kind kind, uint64_t physical)
{
    const struct mapping *mapping = owner(kind, physical);
    const struct history *line = history_of(physical);
    struct pace_position at = pace_position();
    struct probe_finding found = {
        .kind = kind,
        .count = 1,
        .time_ns = gate_time(),
        .command = gate_command(),
        .address = physical,
        .adapter = mapping ? mapping->adapter : 0,
    };

    if (kind == FINDING_STALE_DEVICE_READ) {
        found.cpu_pc = line->store_pc;
        found.channel = at.channel;
        found.microcode = at.microcode;
        found.burst = at.burst;
        found.routine = mapping ? MAP_TRANSFER_EX : 0;
        found.while_mapped = mapping && line->store_mapped >= mapping->number;
    } else {
        found.cpu_pc = cpu_pc;
        found.channel = line->channel;
        found.microcode = line->microcode;
        found.burst = line->burst;
        found.routine = mapping ? FLUSH_ADAPTER_BUFFERS_EX : 0;
        found.while_mapped = mapping && mapping->live;
    }
    return found;
}

static bool same_cause(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->kind == b->kind && a->routine == b->routine && a->adapter == b->adapter &&
           a->while_mapped == b->while_mapped &&
           (a->routine || (a->cpu_pc == b->cpu_pc && a->channel == b->channel));
}

void oplog_stale_read(enum probe_finding_kind kind, uint64_t physical)
{
    struct probe_finding found = describe(kind, physical);

    for (uint32_t i = 0; i < probe->findings; i++) {
        if (same_cause(&probe->finding[i], &found)) {
            probe->finding[i].count++;
            return;
        }
    }
    if (probe->findings == PROBE_FINDINGS) {
        probe->findings_lost++;
        return;
    }
    found.seq = probe_record(PROBE_FINDING, probe->findings, 0, 0, 0, 0, 0);
    probe->finding[probe->findings++] = found;
}
