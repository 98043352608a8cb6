/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/cache_model.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SPECULATION_WINDOW = 64, NEAR_FILL_ONE_IN = 16, FAR_FILL_ONE_IN = 1024 };
enum { EAGER_ONE_IN = 4, EAGER_SEARCH = 64 };

struct way {
    size_t line;
    uint64_t stamp; /* of the last access; 0: the way is empty */
};

/* As the header says; a bit a byte. */
struct line {
    uint64_t unclean, device, cleaned, invalidated, lost_cpu, lost_device, stored, raced, bounced;
    unsigned int listed; /* a bit a list that it is in */
};

/* Lines that a barrier, or the next start of a device, has to look at; each at most once. */
struct list {
    unsigned int bit;
    uint32_t *line;
    size_t count;
};

struct cache_model {
    struct cache_geometry geometry;
    struct cache_views views;
    struct cache_events events;
    struct cache_counts counts;
    enum cache_schedule schedule;
    uint64_t seed;
    uint32_t command;
    uint64_t clock; /* accesses so far; each stamps the line that it touched */
    uint64_t begun; /* `clock` when the command began */
    struct way *ways;
    struct line *line;
    struct list maintained, stored, raced; /* lines with `cleaned` or `invalidated`; `stored`; `raced` */
    uint64_t no_stamp;                     /* of lines under CACHE_NEVER, which are in no way */
    uint32_t *pages;                       /* the first `page_count`: pages that may be filled speculatively */
    uint32_t page_count;
    uint8_t *page_known;
};

static size_t line_count(const struct cache_model *model)
{
    return model->views.size / model->geometry.line;
}

static bool power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool acceptable(const struct cache_geometry *geometry, const struct cache_views *views)
{
    return (geometry->line == 32 || geometry->line == 64) && power_of_two(geometry->sets) &&
           geometry->ways >= 1 && geometry->ways <= 64 && views->size > 0 && views->size % PAGE == 0;
}

struct cache_model *cache_model_new(const struct cache_geometry *geometry, const struct cache_views *views,
                                    const struct cache_events *events)
{
    struct cache_model *model;

    if (!acceptable(geometry, views)) {
        return NULL;
    }
    model = calloc(1, sizeof(*model));
    if (!model) {
        return NULL;
    }
    model->geometry = *geometry;
    model->views = *views;
    model->events = *events;
    model->ways = calloc((size_t)geometry->sets * geometry->ways, sizeof(*model->ways));
    model->line = calloc(line_count(model), sizeof(*model->line));
    model->maintained.bit = 1;
    model->stored.bit = 2;
    model->raced.bit = 4;
    model->maintained.line = calloc(line_count(model), sizeof(uint32_t));
    model->stored.line = calloc(line_count(model), sizeof(uint32_t));
    model->raced.line = calloc(line_count(model), sizeof(uint32_t));
    model->pages = calloc(views->size / PAGE, sizeof(*model->pages));
    model->page_known = calloc(views->size / PAGE, 1);
    if (!model->ways || !model->line || !model->maintained.line || !model->stored.line || !model->raced.line ||
        !model->pages || !model->page_known) {
        cache_model_free(model);
        return NULL;
    }
    return model;
}

void cache_model_free(struct cache_model *model)
{
    free(model->ways);
    free(model->line);
    free(model->maintained.line);
    free(model->stored.line);
    free(model->raced.line);
    free(model->pages);
    free(model->page_known);
    free(model);
}

/* Only what was touched is written: clearing everything would touch every page of the masks. */
static void forget_lines(struct cache_model *model, size_t first, size_t count)
{
    static const uint8_t untouched[PAGE];

    if (memcmp(&model->views.lines[first], untouched, count) != 0) {
        memset(&model->views.lines[first], 0, count);
        memset(&model->line[first], 0, count * sizeof(*model->line));
    }
}

void cache_model_reset(struct cache_model *model)
{
    for (size_t page = 0; page < model->views.size / PAGE; page++) {
        forget_lines(model, page * PAGE / model->geometry.line, PAGE / model->geometry.line);
    }
    memset(model->ways, 0, (size_t)model->geometry.sets * model->geometry.ways * sizeof(*model->ways));
    memset(&model->counts, 0, sizeof(model->counts));
    model->maintained.count = model->stored.count = model->raced.count = 0;
    cache_model_forget_pages(model);
    model->clock = 0;
    cache_model_begin(model, 0);
}

void cache_model_set_schedule(struct cache_model *model, enum cache_schedule schedule, uint64_t seed)
{
    model->schedule = schedule;
    model->seed = seed;
}

void cache_model_begin(struct cache_model *model, uint32_t command)
{
    model->command = command;
    model->begun = model->clock;
}

void cache_model_page_cacheable(struct cache_model *model, size_t offset)
{
    size_t page = offset / PAGE;

    if (!model->page_known[page]) {
        model->page_known[page] = 1;
        model->pages[model->page_count++] = (uint32_t)page;
    }
}

void cache_model_forget_pages(struct cache_model *model)
{
    while (model->page_count) {
        model->page_known[model->pages[--model->page_count]] = 0;
    }
}

/* ---- one line ---- */

static size_t line_of(const struct cache_model *model, size_t offset)
{
    return offset / model->geometry.line;
}

/* The bytes [offset, offset + size) of a line as bits of its masks. */
static uint64_t byte_mask(const struct cache_model *model, size_t offset, unsigned int size)
{
    uint64_t ones = size >= 64 ? ~0ull : (1ull << size) - 1;

    return ones << (offset % model->geometry.line);
}

static void copy_down(struct cache_model *model, size_t line)
{
    size_t offset = line * model->geometry.line;

    memcpy(model->views.dram + offset, model->views.cpu + offset, model->geometry.line);
}

static void copy_up(struct cache_model *model, size_t line)
{
    size_t offset = line * model->geometry.line;

    memcpy(model->views.cpu + offset, model->views.dram + offset, model->geometry.line);
}

static unsigned int owed_state(const struct line *masks)
{
    uint64_t others = masks->cleaned | masks->invalidated | masks->lost_cpu | masks->lost_device |
                      masks->stored | masks->raced | masks->bounced;

    return (masks->unclean ? CACHE_LINE_UNCLEAN : 0) | (masks->device ? CACHE_LINE_STALE : 0) |
           (others ? CACHE_LINE_OWED : 0);
}

static void set_state(struct cache_model *model, size_t line, unsigned int valid_dirty)
{
    model->views.lines[line] = (uint8_t)(valid_dirty | owed_state(&model->line[line]));
}

/* Bring the mask bits of the state up to date. */
static void masks_changed(struct cache_model *model, size_t line)
{
    set_state(model, line, model->views.lines[line] & (CACHE_LINE_VALID | CACHE_LINE_DIRTY));
}

static void line_changed(struct cache_model *model, size_t line, bool rewritten)
{
    model->events.line_changed(model->events.opaque, line, rewritten);
}

static struct way *set_of(struct cache_model *model, size_t line)
{
    return &model->ways[(line & (model->geometry.sets - 1)) * model->geometry.ways];
}

/* The way that holds a valid line; NULL if it is in none (CACHE_NEVER). */
static struct way *find(struct cache_model *model, size_t line)
{
    struct way *set = set_of(model, line);

    for (struct way *way = set; way < set + model->geometry.ways; way++) {
        if (way->stamp && way->line == line) {
            return way;
        }
    }
    return NULL;
}

/* A dirty line goes down to DRAM, over whatever a device wrote there. */
static void write_back(struct cache_model *model, size_t line)
{
    struct line *masks = &model->line[line];

    copy_down(model, line);
    masks->lost_device |= masks->device;
    masks->device = 0;
    model->views.lines[line] &= (uint8_t)~CACHE_LINE_DIRTY;
}

/* Take a valid line out of the cache; the views become equal. */
static void drop(struct cache_model *model, size_t line, bool keep_stores)
{
    struct way *way = find(model, line);
    bool down = keep_stores && (model->views.lines[line] & CACHE_LINE_DIRTY);

    if (down) {
        write_back(model, line);
    } else {
        copy_up(model, line);
    }
    if (way) {
        way->stamp = 0;
    }
    set_state(model, line, 0);
    line_changed(model, line, !down);
}

static struct way *make_room(struct cache_model *model, size_t line)
{
    struct way *set = set_of(model, line), *oldest = set;

    for (struct way *way = set; way < set + model->geometry.ways; way++) {
        if (way->stamp < oldest->stamp) {
            oldest = way;
        }
    }
    if (oldest->stamp) {
        model->counts.evictions++;
        model->counts.write_backs += !!(model->views.lines[oldest->line] & CACHE_LINE_DIRTY);
        drop(model, oldest->line, true);
    }
    return oldest;
}

/* Make a line valid if it is not; the access counts as its latest. Returns where its stamp is. */
static uint64_t *touch(struct cache_model *model, size_t line)
{
    bool valid = model->views.lines[line] & CACHE_LINE_VALID;
    struct way *way = valid ? find(model, line) : NULL;

    model->clock++;
    if (!valid && model->schedule != CACHE_NEVER) {
        way = make_room(model, line);
        way->line = line;
    }
    if (!valid) {
        set_state(model, line, CACHE_LINE_VALID);
    }
    if (!way) {
        return &model->no_stamp;
    }
    way->stamp = model->clock;
    return &way->stamp;
}

/* ---- masks ---- */

/* Who makes the access that is checked. */
struct side {
    bool device;
    const void *access; /* the caller's */
};

/* Out of line, because hazards are rare and the check for one is not. */
static __attribute__((noinline, cold)) void report(struct cache_model *model, enum cache_hazard kind,
                                                   struct side by, size_t line, unsigned int byte)
{
    const struct cache_incident incident = {
        .kind = kind,
        .by_device = by.device,
        .bounced = kind == CACHE_STALE_CPU_READ && (model->line[line].bounced >> byte & 1),
        .offset = line * model->geometry.line + byte,
        .access = by.access,
    };

    model->events.hazard(model->events.opaque, &incident);
}

/* Report a hazard at the first of `bytes`, which are in the line of `offset`. False if there are none. */
static bool hazard(struct cache_model *model, enum cache_hazard kind, struct side by, size_t offset,
                   uint64_t bytes)
{
    if (bytes) {
        report(model, kind, by, line_of(model, offset), (unsigned int)__builtin_ctzll(bytes));
    }
    return bytes != 0;
}

static void remember(struct cache_model *model, struct list *list, size_t line)
{
    if (!(model->line[line].listed & list->bit)) {
        model->line[line].listed |= list->bit;
        list->line[list->count++] = (uint32_t)line;
    }
}

static size_t take(struct cache_model *model, struct list *list)
{
    size_t line = list->line[--list->count];

    model->line[line].listed &= ~list->bit;
    return line;
}

/* Somebody wrote the bytes anew: whatever was remembered of them is history. */
static void overwritten(struct line *masks, uint64_t bytes)
{
    masks->unclean &= ~bytes;
    masks->device &= ~bytes;
    masks->lost_cpu &= ~bytes;
    masks->lost_device &= ~bytes;
    masks->raced &= ~bytes;
    masks->bounced &= ~bytes;
}

static void completed(struct cache_model *model, size_t line)
{
    model->line[line].cleaned = 0;
    model->line[line].invalidated = 0;
    masks_changed(model, line);
    line_changed(model, line, false);
}

void cache_barrier(struct cache_model *model, bool completes_maintenance)
{
    struct list *maintained = &model->maintained, *stored = &model->stored;

    while (completes_maintenance && maintained->count) {
        completed(model, take(model, maintained));
    }
    while (stored->count) {
        size_t line = take(model, stored);

        model->line[line].stored = 0;
        masks_changed(model, line);
    }
}

void cache_device_started(struct cache_model *model)
{
    struct list *stored = &model->stored, *raced = &model->raced;

    while (raced->count) {
        size_t line = take(model, raced);

        model->line[line].raced = 0;
        masks_changed(model, line);
    }
    while (stored->count) {
        size_t line = take(model, stored);

        remember(model, raced, line);
        model->line[line].raced = model->line[line].stored;
        model->line[line].stored = 0;
    }
}

/* ---- of its own accord ---- */

/* A number that depends on seed, command and access number only (the finaliser of splitmix64). */
static uint64_t draw(const struct cache_model *model)
{
    uint64_t z =
        model->seed * 0x9e3779b97f4a7c15ull + ((uint64_t)model->command << 40) + (model->clock - model->begun);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Under CACHE_EAGER: one of a few neighbouring ways, if one is dirty, is written back now. */
static void act_by_itself(struct cache_model *model)
{
    size_t ways = (size_t)model->geometry.sets * model->geometry.ways;
    uint64_t lot;

    if (model->schedule != CACHE_EAGER) {
        return;
    }
    lot = draw(model);
    for (size_t i = 0; lot % EAGER_ONE_IN == 0 && i < EAGER_SEARCH; i++) {
        const struct way *way = &model->ways[((lot >> 8) + i) % ways];

        if (way->stamp && (model->views.lines[way->line] & CACHE_LINE_DIRTY)) {
            model->counts.write_backs++;
            write_back(model, way->line);
            masks_changed(model, way->line);
            line_changed(model, way->line, false);
            return;
        }
    }
}

/* ---- the CPU ---- */

static struct cache_shortcut shortcut(struct cache_model *model, size_t line, uint64_t *stamp)
{
    struct line *masks = &model->line[line];
    bool current =
        !(masks->device | masks->invalidated | masks->lost_cpu | masks->lost_device | masks->bounced);

    return (struct cache_shortcut){
        .stamp = stamp,
        .clock = &model->clock,
        .unclean = &masks->unclean,
        .line = line,
        .readable = current,
        .writable = current && !masks->cleaned && (model->views.lines[line] & CACHE_LINE_DIRTY),
    };
}

static bool check_load(struct cache_model *model, size_t offset, uint64_t bytes, const void *access)
{
    const struct side cpu = {false, access};
    const struct line *masks = &model->line[line_of(model, offset)];

    return hazard(model, CACHE_STALE_CPU_READ, cpu, offset, (masks->device | masks->bounced) & bytes) ||
           hazard(model, CACHE_LOST_DEVICE_WRITE, cpu, offset, masks->lost_device & bytes) ||
           hazard(model, CACHE_LOST_CPU_WRITE, cpu, offset, masks->lost_cpu & bytes) ||
           hazard(model, CACHE_MISSING_BARRIER, cpu, offset, masks->invalidated & bytes);
}

struct cache_shortcut cache_cpu_read(struct cache_model *model, size_t offset, unsigned int size,
                                     const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t *stamp;

    act_by_itself(model);
    stamp = touch(model, line);
    check_load(model, offset, byte_mask(model, offset, size), access);
    return shortcut(model, line, stamp);
}

struct cache_shortcut cache_cpu_write(struct cache_model *model, size_t offset, unsigned int size,
                                      const void *access)
{
    const struct side cpu = {false, access};
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size), *stamp;
    struct line *masks = &model->line[line];

    act_by_itself(model);
    stamp = touch(model, line);
    hazard(model, CACHE_SHARED_LINE, cpu, offset, masks->device & ~bytes ? bytes : 0);
    overwritten(masks, bytes);
    masks->cleaned &= ~bytes;
    masks->invalidated &= ~bytes;
    masks->unclean |= bytes;
    set_state(model, line, CACHE_LINE_VALID | CACHE_LINE_DIRTY);
    return shortcut(model, line, stamp);
}

/* An uncached access to a line that is valid through another mapping: the bytes cannot be made right,
 * so the line goes and the views are equal again. */
static void mismatched(struct cache_model *model, size_t offset, const void *access)
{
    const struct side cpu = {false, access};

    hazard(model, CACHE_MISMATCHED_ALIAS, cpu, offset, byte_mask(model, offset, 1));
    drop(model, line_of(model, offset), true);
}

void cache_cpu_read_uncached(struct cache_model *model, size_t offset, const void *access)
{
    model->clock++;
    if (model->views.lines[line_of(model, offset)] & CACHE_LINE_VALID) {
        mismatched(model, offset, access);
    }
}

void cache_cpu_write_uncached(struct cache_model *model, size_t offset, unsigned int size, const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size);
    struct line *masks = &model->line[line];

    model->clock++;
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        /* The store is already in the CPU view: the whole line goes down with it. */
        model->views.lines[line] |= CACHE_LINE_DIRTY;
        mismatched(model, offset, access);
    } else {
        memcpy(model->views.dram + offset, model->views.cpu + offset, size);
    }
    overwritten(masks, bytes);
    remember(model, &model->stored, line);
    masks->stored |= bytes;
    masks_changed(model, line);
}

static void clean(struct cache_model *model, size_t line)
{
    struct line *masks = &model->line[line];

    if (model->views.lines[line] & CACHE_LINE_DIRTY) {
        write_back(model, line);
    }
    if (masks->unclean) {
        remember(model, &model->maintained, line);
        masks->cleaned |= masks->unclean;
        masks->unclean = 0;
    }
}

static void invalidate(struct cache_model *model, size_t line)
{
    struct line *masks = &model->line[line];

    masks->lost_cpu |= masks->unclean;
    masks->unclean = 0;
    if (masks->device) {
        remember(model, &model->maintained, line);
        masks->invalidated |= masks->device;
        masks->device = 0;
    }
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        drop(model, line, false);
    }
}

unsigned int cache_maintain(struct cache_model *model, enum cache_operation operation, size_t offset)
{
    size_t line = line_of(model, offset);
    unsigned int before = model->views.lines[line];

    if (operation & CACHE_CLEAN) {
        clean(model, line);
    }
    if (operation & CACHE_INVALIDATE) {
        invalidate(model, line);
    }
    masks_changed(model, line);
    if (model->views.lines[line] != before) {
        line_changed(model, line, false);
    }
    return before;
}

/* Under CACHE_NEVER no line is in a way: the first way of a set stands for all its lines. */
static void maintain_endless_set(struct cache_model *model, enum cache_operation operation, uint32_t set)
{
    for (size_t line = set; line < line_count(model); line += model->geometry.sets) {
        if (model->views.lines[line] & CACHE_LINE_VALID) {
            cache_maintain(model, operation, line * model->geometry.line);
        }
    }
}

void cache_maintain_set_way(struct cache_model *model, enum cache_operation operation, uint32_t set,
                            uint32_t way)
{
    const struct way *which;

    if (set >= model->geometry.sets || way >= model->geometry.ways) {
        return;
    }
    which = &model->ways[(size_t)set * model->geometry.ways + way];
    if (model->schedule == CACHE_NEVER && way == 0) {
        maintain_endless_set(model, operation, set);
    } else if (which->stamp) {
        cache_maintain(model, operation, which->line * model->geometry.line);
    }
}

/* ---- devices ---- */

static void fill(struct cache_model *model, size_t line)
{
    if (line < line_count(model) && model->page_known[line * model->geometry.line / PAGE] &&
        !(model->views.lines[line] & CACHE_LINE_VALID)) {
        touch(model, line);
        model->counts.fills++;
    }
}

/* What a core that runs ahead may do while a device writes at `line`: load a line near it, or
 * any other. It can only reach what the guest's tables map cacheable. */
static void speculate(struct cache_model *model, size_t line)
{
    uint64_t lot = draw(model);
    size_t lines_a_page = PAGE / model->geometry.line;

    if (lot % NEAR_FILL_ONE_IN == 0) {
        fill(model, line + (lot >> 8) % SPECULATION_WINDOW);
    }
    if ((lot >> 16) % FAR_FILL_ONE_IN == 0 && model->page_count) {
        fill(model, model->pages[(lot >> 32) % model->page_count] * lines_a_page + (lot >> 26) % lines_a_page);
    }
}

/* The part of [offset, offset + size) that lies in the line of its first byte. */
static unsigned int within_line(const struct cache_model *model, size_t offset, unsigned int size)
{
    unsigned int room = model->geometry.line - (unsigned int)(offset % model->geometry.line);

    return size < room ? size : room;
}

static bool check_device_read(struct cache_model *model, size_t offset, uint64_t bytes, const void *access)
{
    const struct side device = {true, access};
    const struct line *masks = &model->line[line_of(model, offset)];

    return hazard(model, CACHE_STALE_DEVICE_READ, device, offset, masks->unclean & bytes) ||
           hazard(model, CACHE_LOST_CPU_WRITE, device, offset, masks->lost_cpu & bytes) ||
           hazard(model, CACHE_LOST_DEVICE_WRITE, device, offset, masks->lost_device & bytes) ||
           hazard(model, CACHE_MISSING_BARRIER, device, offset, (masks->cleaned | masks->raced) & bytes);
}

static bool check_device_write(struct cache_model *model, size_t offset, uint64_t bytes, const void *access)
{
    const struct side device = {true, access};
    const struct line *masks = &model->line[line_of(model, offset)];

    return hazard(model, CACHE_LOST_DEVICE_WRITE, device, offset, masks->unclean & bytes) ||
           hazard(model, CACHE_SHARED_LINE, device, offset, masks->unclean);
}

void cache_device_read(struct cache_model *model, size_t offset, void *data, unsigned int size,
                       const void *access)
{
    uint8_t *to = data;

    model->clock++;
    model->counts.device_reads++;
    while (size) {
        unsigned int part = within_line(model, offset, size);

        check_device_read(model, offset, byte_mask(model, offset, part), access);
        memcpy(to, model->views.dram + offset, part);
        offset += part, to += part, size -= part;
    }
}

void cache_device_write(struct cache_model *model, size_t offset, const void *data, unsigned int size,
                        const void *access)
{
    const uint8_t *from = data;

    model->clock++;
    model->counts.device_writes++;
    while (size) {
        unsigned int part = within_line(model, offset, size);
        size_t line = line_of(model, offset);
        uint64_t bytes = byte_mask(model, offset, part);
        bool valid;

        act_by_itself(model);
        if (model->schedule == CACHE_SPECULATIVE) {
            speculate(model, line);
        }
        valid = model->views.lines[line] & CACHE_LINE_VALID;
        memcpy(model->views.dram + offset, from, part);
        if (!valid) {
            memcpy(model->views.cpu + offset, from, part);
        }
        check_device_write(model, offset, bytes, access);
        overwritten(&model->line[line], bytes);
        model->line[line].cleaned &= ~bytes;
        model->line[line].device |= bytes;
        masks_changed(model, line);
        line_changed(model, line, !valid);
        offset += part, from += part, size -= part;
    }
}

/* ---- bounce pages ---- */

static void set_bounced(struct cache_model *model, size_t offset, unsigned int size, bool bounced)
{
    while (size) {
        unsigned int part = within_line(model, offset, size);
        size_t line = line_of(model, offset);
        uint64_t bytes = byte_mask(model, offset, part), *mask = &model->line[line].bounced;

        *mask = bounced ? *mask | bytes : *mask & ~bytes;
        masks_changed(model, line);
        line_changed(model, line, false);
        offset += part, size -= part;
    }
}

void cache_bounced(struct cache_model *model, size_t offset, unsigned int size)
{
    set_bounced(model, offset, size, true);
}

void cache_forget_bounced(struct cache_model *model, size_t offset, unsigned int size)
{
    set_bounced(model, offset, size, false);
}

const struct cache_counts *cache_model_counts(const struct cache_model *model)
{
    return &model->counts;
}
