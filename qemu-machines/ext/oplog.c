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
    uint64_t device; /* where the device sees it */
    uint32_t length;
    uint32_t kind;
};

/* A mapping is remembered after its end: what it owed may show later. */
struct mapping {
    uint64_t handle, adapter;
    bool live, write;
    bool abandoned;        /* it ended otherwise than by a flush */
    uint32_t began, ended; /* eras */
    uint32_t ranges;
    struct range range[RANGES];
};

static struct frame stack[FRAMES];
static uint32_t depth; /* may exceed FRAMES: those frames are counted, not kept */
static struct mapping mappings[MAPPINGS];
static uint32_t newest; /* index of the newest mapping */
static uint32_t era;    /* each mapping that begins or ends since reset begins a new one */
static uint64_t cpu_pc;
static uint64_t bounce_first, bounce_end; /* the bounce pages of reads since reset lie between */

/* Who touched a line last, from either side: the other half of a race. Addresses are below 4 GiB. */
static struct history {
    uint64_t origin[8];        /* of the last store to each 8 bytes: its pc, and above it its era */
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
    era = 0;
    bounce_first = UINT64_MAX;
    bounce_end = 0;
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

/* The firmware may say anything. */
static bool is_in_ram(uint64_t physical, uint32_t length)
{
    return length && views_has(physical) && views_has(physical + length - 1);
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
        .handle = handle, .adapter = top()->adapter, .live = true, .write = write, .began = ++era};
    return &mappings[newest];
}

/* A device will write to bounce pages; whatever one has written for this range before is void. */
static void expect_bounced(const struct range *range)
{
    uint64_t end = range->device + range->length;

    bounce_first = range->device < bounce_first ? range->device : bounce_first;
    bounce_end = end > bounce_end ? end : bounce_end;
    if (views.model && is_in_ram(range->physical, range->length)) {
        cache_forget_bounced(views.model, range->physical - views.base, range->length);
    }
}

static void range(uint32_t kind, const uint64_t *a)
{
    struct mapping *mapping = live_mapping(a[0]);
    struct range range = {a[1], a[4], (uint32_t)a[2], kind};

    if (!mapping) {
        mapping = new_mapping(a[0], a[3] != 0);
    }
    if (mapping->ranges < RANGES) {
        mapping->range[mapping->ranges++] = range;
    }
    if (kind == RANGE_BOUNCED && !mapping->write) {
        expect_bounced(&range);
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
        mapping->ended = ++era;
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

static bool covers(const struct mapping *mapping, uint64_t physical, uint64_t length, bool or_bounced)
{
    for (uint32_t i = 0; i < mapping->ranges; i++) {
        const struct range *range = &mapping->range[i];

        if ((range->kind == RANGE_MAPPED || or_bounced) && physical < range->physical + range->length &&
            range->physical < physical + length) {
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
    bool inside = false;

    for (uint32_t n = 0; n < MAPPINGS && !inside; n++) {
        inside = nth_newest(n)->live && covers(nth_newest(n), line, probe->line_size, false);
    }
    if (inside) {
        frame->cleaned += cleaned;
        frame->invalidated += invalidated;
        frame->written_back += wrote_back;
    } else {
        frame->other++;
    }
    count_cost(pc, frame->id, !wrote_back && !(invalidated && (before & PROBE_LINE_VALID)));
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
    return (uint32_t)pc | (uint64_t)era << 32;
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

static void note_writer(uint64_t physical)
{
    struct pace_position at = pace_position();
    struct history *line = history_of(physical);

    line->channel = at.channel + 1;
    line->microcode = (uint32_t)at.microcode;
    line->burst = (uint32_t)at.burst;
}

/* What of [physical, end) is in the range's bounce page counts as written where it will be copied to. */
static void write_bounced(const struct range *range, uint64_t physical, uint64_t end)
{
    uint64_t first = physical > range->device ? physical : range->device;
    uint64_t last = end < range->device + range->length ? end : range->device + range->length;
    uint64_t here = range->physical + (first - range->device);

    if (first < last && is_in_ram(here, (uint32_t)(last - first))) {
        cache_bounced(views.model, here - views.base, (unsigned int)(last - first));
        note_writer(here);
    }
}

static void write_bounce_page(uint64_t physical, uint64_t end)
{
    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = nth_newest(n);

        for (uint32_t i = 0; mapping->live && !mapping->write && i < mapping->ranges; i++) {
            if (mapping->range[i].kind == RANGE_BOUNCED) {
                write_bounced(&mapping->range[i], physical, end);
            }
        }
    }
}

void oplog_device_wrote(uint64_t physical, unsigned int size)
{
    note_writer(physical);
    if (physical < bounce_end && physical + size > bounce_first) {
        write_bounce_page(physical, physical + size);
    }
}

/*
 * Which mapping, and so which routine, a hazard belongs to: the newest that covers the address and
 * runs in the hazard's direction. What a device does is owed by a live mapping only; what the CPU reads
 * may have been owed by one that has ended. A line's neighbours count where lines are shared.
 */
struct debt {
    enum { READS, WRITES, EITHER } direction;
    bool live_only;
    enum { BYTE, BYTE_OR_BOUNCED, LINE } covered; /* directly, also by a bounce page, or the line by either */
    uint32_t routine;
};

static struct debt debt_of(enum cache_hazard kind, bool by_device)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return (struct debt){READS, false, BYTE_OR_BOUNCED, FLUSH_ADAPTER_BUFFERS_EX};
    case CACHE_STALE_DEVICE_READ:
        return (struct debt){WRITES, true, BYTE, MAP_TRANSFER_EX};
    case CACHE_LOST_DEVICE_WRITE:
        return (struct debt){READS, by_device, BYTE, MAP_TRANSFER_EX};
    case CACHE_LOST_CPU_WRITE:
        return (struct debt){READS, false, LINE, FLUSH_ADAPTER_BUFFERS_EX};
    case CACHE_SHARED_LINE:
        return (struct debt){READS, false, LINE, MAP_TRANSFER_EX};
    case CACHE_MISSING_BARRIER:
        return by_device ? (struct debt){WRITES, true, BYTE, MAP_TRANSFER_EX}
                         : (struct debt){READS, false, BYTE, FLUSH_ADAPTER_BUFFERS_EX};
    default:
        return (struct debt){EITHER, false, LINE, 0};
    }
}

static const struct mapping *newest_covering(const struct debt *debt, uint64_t physical)
{
    uint64_t size = debt->covered == LINE ? probe->line_size : 1, first = physical & ~(size - 1);

    for (uint32_t n = 0; n < MAPPINGS; n++) {
        const struct mapping *mapping = nth_newest(n);
        bool direction = debt->direction == EITHER || mapping->write == (debt->direction == WRITES);

        if (mapping->handle && direction && (mapping->live || !debt->live_only) &&
            covers(mapping, first, size, debt->covered != BYTE)) {
            return mapping;
        }
    }
    return NULL;
}

static uint32_t era_of_store(uint64_t physical)
{
    return (uint32_t)(*origin_of(physical) >> 32);
}

/* What the CPU stored at `physical`, was it stored when the mapping had ended already? */
static bool stored_behind(const struct mapping *mapping, uint64_t physical)
{
    return !mapping->live && era_of_store(physical) >= mapping->ended;
}

/* NULL: nobody owed anything. */
static const struct mapping *owner(enum cache_hazard kind, const struct debt *debt, uint64_t physical)
{
    const struct mapping *mapping = newest_covering(debt, physical);
    bool later = mapping && kind == CACHE_LOST_CPU_WRITE && stored_behind(mapping, physical);

    return later ? NULL : mapping;
}

/* Did the CPU touch the mapping's own bytes, here at `physical`, while they were the device's? */
static bool is_misuse(enum cache_hazard kind, const struct mapping *mapping, uint64_t physical)
{
    switch (kind) {
    case CACHE_STALE_CPU_READ:
        return mapping->live || mapping->abandoned;
    case CACHE_STALE_DEVICE_READ:
    case CACHE_LOST_DEVICE_WRITE:
    case CACHE_LOST_CPU_WRITE:
    case CACHE_SHARED_LINE:
        return era_of_store(physical) >= mapping->began && !stored_behind(mapping, physical) &&
               covers(mapping, physical, 1, false);
    default:
        return false;
    }
}

static struct probe_finding describe(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    struct debt debt = debt_of(kind, by_device);
    const struct mapping *mapping = owner(kind, &debt, physical);
    const struct history *line = history_of(physical);
    struct pace_position at = pace_position();

    return (struct probe_finding){
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
        .while_mapped = mapping && is_misuse(kind, mapping, physical),
        .bounced = kind == CACHE_STALE_CPU_READ && cache_is_bounced(views.model, physical - views.base),
    };
}

static bool same_place(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->by_device ? a->address >> PAGE_SHIFT == b->address >> PAGE_SHIFT : a->cpu_pc == b->cpu_pc;
}

static bool same_cause(const struct probe_finding *a, const struct probe_finding *b)
{
    return a->kind == b->kind && a->routine == b->routine && a->adapter == b->adapter &&
           a->while_mapped == b->while_mapped && a->bounced == b->bounced &&
           (a->routine || (a->by_device == b->by_device && same_place(a, b)));
}

void oplog_hazard(enum cache_hazard kind, bool by_device, uint64_t physical)
{
    struct probe_finding found = describe(kind, by_device, physical);

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
