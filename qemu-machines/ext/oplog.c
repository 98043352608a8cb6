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
enum { PAGE_SHIFT = 12, FRAMES = 64, MAPPINGS = 64, RANGES = 1024 };

struct frame {
    uint64_t adapter;
    uint32_t id;
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
    bool abandoned;  /* it ended otherwise than by a flush */
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
    uint64_t origin[8];        /* of the last store to each 8 bytes: its pc, and above it `mapped` then */
    uint32_t channel;          /* of the device's write, plus 1 */
    uint32_t microcode, burst; /* the same */
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
        *top() = (struct frame){.adapter = a[0], .id = id};
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
        mapping->abandoned = top()->id != FLUSH_ADAPTER_BUFFERS_EX;
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

uint64_t *oplog_store_origins(uint64_t physical)
{
    return history_of(physical)->origin;
}

uint64_t oplog_store_origin(uint64_t pc)
{
    return (uint32_t)pc | (uint64_t)mapped << 32;
}

static uint64_t *origin_of(uint64_t physical)
{
    return &history_of(physical)->origin[(physical & (probe->line_size - 1)) / 8];
}

void oplog_stored(uint64_t physical, unsigned int size, uint64_t pc)
{
    for (uint64_t *origin = origin_of(physical); origin <= origin_of(physical + size - 1); origin++) {
        *origin = oplog_store_origin(pc);
    }
}

void oplog_device_wrote(uint64_t physical)
{
    struct pace_position at = pace_position();
    struct history *line = history_of(physical);

    line->channel = at.channel + 1;
    line->microcode = (uint32_t)at.microcode;
    line->burst = (uint32_t)at.burst;
}

/*
 * Which mapping, and so which routine, a hazard belongs to: the newest that covers the address and
 * runs in the hazard's direction. What a device does is owed by a live mapping only; what the CPU reads
 * may have been owed by one that has ended. A line's neighbours count where lines are shared.
 */
struct debt {
    enum { READS, WRITES, EITHER } direction;
    bool live_only;
    bool whole_line;
    uint32_t routine;
};

static struct debt debt_of(enum cache_hazard kind, bool by_device)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return (struct debt){READS, false, false, FLUSH_ADAPTER_BUFFERS_EX};
    case CACHE_STALE_DEVICE_READ:
        return (struct debt){WRITES, true, false, MAP_TRANSFER_EX};
    case CACHE_LOST_DEVICE_WRITE:
        return (struct debt){READS, by_device, false, MAP_TRANSFER_EX};
    case CACHE_LOST_CPU_WRITE:
        return (struct debt){READS, false, true, FLUSH_ADAPTER_BUFFERS_EX};
    case CACHE_SHARED_LINE:
        return (struct debt){READS, false, true, MAP_TRANSFER_EX};
    case CACHE_MISSING_BARRIER:
        return by_device ? (struct debt){WRITES, true, false, MAP_TRANSFER_EX}
                         : (struct debt){READS, false, false, FLUSH_ADAPTER_BUFFERS_EX};
    default:
        return (struct debt){EITHER, false, true, 0};
    }
}

static const struct mapping *owner(const struct debt *debt, uint64_t physical)
{
    uint64_t line = probe->line_size, first = debt->whole_line ? physical & ~(line - 1) : physical;

    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = nth_newest(n);
        bool direction = debt->direction == EITHER || mapping->write == (debt->direction == WRITES);

        if (mapping->handle && direction && (mapping->live || !debt->live_only) &&
            covers(mapping, first, debt->whole_line ? line : 1)) {
            return mapping;
        }
    }
    return NULL;
}

static struct probe_finding describe(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    struct debt debt = debt_of(kind, by_device);
    const struct mapping *mapping = owner(&debt, physical);
    const struct history *line = history_of(physical);
    struct pace_position at = pace_position();
    struct probe_finding found = {
        .kind = kind,
        .by_device = by_device,
        .count = 1,
        .time_ns = gate_time(),
        .command = gate_command(),
        .address = physical,
        .adapter = mapping ? mapping->adapter : 0,
        .routine = mapping ? debt.routine : 0,
        .cpu_pc = by_device ? (uint32_t)*origin_of(physical) : cpu_pc,
        .channel = by_device ? at.channel : line->channel - 1,
        .microcode = by_device ? at.microcode : line->microcode,
        .burst = by_device ? at.burst : line->burst,
    };

    if (kind == CACHE_STALE_DEVICE_READ) {
        found.while_mapped = mapping && *origin_of(physical) >> 32 >= mapping->number;
    } else if (kind == CACHE_STALE_CPU_READ) {
        found.while_mapped = mapping && (mapping->live || mapping->abandoned);
    }
    return found;
}

static bool same_place(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->by_device ? a->address >> PAGE_SHIFT == b->address >> PAGE_SHIFT : a->cpu_pc == b->cpu_pc;
}

static bool same_cause(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->kind == b->kind && a->routine == b->routine && a->adapter == b->adapter &&
           a->while_mapped == b->while_mapped &&
           (a->routine || (a->by_device == b->by_device && same_place(a, b)));
}

static void add(struct probe_finding *found)
{
    for (uint32_t i = 0; i < probe->findings; i++) {
        if (same_cause(&probe->finding[i], found)) {
            probe->finding[i].count++;
            return;
        }
    }
    if (probe->findings == PROBE_FINDINGS) {
        probe->findings_lost++;
        return;
    }
    found->seq = probe_record(PROBE_FINDING, probe->findings, 0, 0, 0, 0, 0);
    probe->finding[probe->findings++] = *found;
}

void oplog_hazard(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    struct probe_finding found = describe(kind, by_device, physical);

    add(&found);
}

void oplog_bus_error(uint64_t physical)
{
    struct pace_position at = pace_position();
    struct probe_finding found = {
        .kind = FINDING_BUS_ERROR,
        .by_device = true,
        .count = 1,
        .time_ns = gate_time(),
        .command = gate_command(),
        .address = physical,
        .channel = at.channel,
        .microcode = at.microcode,
        .burst = at.burst,
    };

    add(&found);
}
