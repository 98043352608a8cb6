/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cache_model.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SPECULATION_WINDOW = 64, NEAR_FILL_ONE_IN = 16, FAR_FILL_ONE_IN = 1024 };

struct way {
    size_t line;
    uint64_t stamp; /* of the last access; 0: the way is empty */
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
    uint64_t *unclean, *device; /* a bit a byte, a word a line */
    uint32_t *pages;            /* the first `page_count`: pages that may be filled speculatively */
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
    model->unclean = calloc(line_count(model), sizeof(*model->unclean));
    model->device = calloc(line_count(model), sizeof(*model->device));
    model->pages = calloc(views->size / PAGE, sizeof(*model->pages));
    model->page_known = calloc(views->size / PAGE, 1);
    if (!model->ways || !model->unclean || !model->device || !model->pages || !model->page_known) {
        cache_model_free(model);
        return NULL;
    }
    return model;
}

void cache_model_free(struct cache_model *model)
{
    free(model->ways);
    free(model->unclean);
    free(model->device);
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
        memset(&model->unclean[first], 0, count * sizeof(*model->unclean));
        memset(&model->device[first], 0, count * sizeof(*model->device));
    }
}

void cache_model_reset(struct cache_model *model)
{
    for (size_t page = 0; page < model->views.size / PAGE; page++) {
        forget_lines(model, page * PAGE / model->geometry.line, PAGE / model->geometry.line);
    }
    memset(model->ways, 0, (size_t)model->geometry.sets * model->geometry.ways * sizeof(*model->ways));
    memset(&model->counts, 0, sizeof(model->counts));
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

static void set_state(struct cache_model *model, size_t line, unsigned int valid_dirty)
{
    model->views.lines[line] = (uint8_t)(valid_dirty | (model->unclean[line] ? CACHE_LINE_UNCLEAN : 0) |
                                         (model->device[line] ? CACHE_LINE_STALE : 0));
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

/* The way that holds a valid line. */
static struct way *find(struct cache_model *model, size_t line)
{
    struct way *way = set_of(model, line);

    while (!way->stamp || way->line != line) {
        way++;
    }
    return way;
}

/* Take a line out of the cache; the views become equal. */
static void drop(struct cache_model *model, struct way *way, bool write_back)
{
    size_t line = way->line;
    bool dirty = model->views.lines[line] & CACHE_LINE_DIRTY;

    if (dirty && write_back) {
        copy_down(model, line);
    } else {
        copy_up(model, line);
    }
    way->stamp = 0;
    set_state(model, line, 0);
    line_changed(model, line, !(dirty && write_back));
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
        drop(model, oldest, true);
    }
    return oldest;
}

/* The way of a line, filled if it was invalid. The access counts as its latest. */
static struct way *touch(struct cache_model *model, size_t line)
{
    struct way *way;

    if (model->views.lines[line] & CACHE_LINE_VALID) {
        way = find(model, line);
    } else {
        way = make_room(model, line);
        way->line = line;
        set_state(model, line, CACHE_LINE_VALID);
    }
    way->stamp = ++model->clock;
    return way;
}

/* ---- the CPU ---- */

static struct cache_shortcut shortcut(struct cache_model *model, struct way *way)
{
    size_t line = way->line;
    bool current = !model->device[line];

    return (struct cache_shortcut){
        .stamp = &way->stamp,
        .clock = &model->clock,
        .unclean = &model->unclean[line],
        .line = line,
        .readable = current,
        .writable = current && (model->views.lines[line] & CACHE_LINE_DIRTY),
    };
}

struct cache_shortcut cache_cpu_read(struct cache_model *model, size_t offset, unsigned int size)
{
    struct way *way = touch(model, line_of(model, offset));

    if (model->device[way->line] & byte_mask(model, offset, size)) {
        model->events.stale_read(model->events.opaque, CACHE_STALE_CPU_READ, offset, size);
    }
    return shortcut(model, way);
}

struct cache_shortcut cache_cpu_write(struct cache_model *model, size_t offset, unsigned int size)
{
    struct way *way = touch(model, line_of(model, offset));
    uint64_t bytes = byte_mask(model, offset, size);

    model->unclean[way->line] |= bytes;
    model->device[way->line] &= ~bytes;
    set_state(model, way->line, CACHE_LINE_VALID | CACHE_LINE_DIRTY);
    return shortcut(model, way);
}

void cache_cpu_read_uncached(struct cache_model *model, size_t offset)
{
    size_t line = line_of(model, offset);

    model->clock++;
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        drop(model, find(model, line), true);
    }
}

void cache_cpu_write_uncached(struct cache_model *model, size_t offset, unsigned int size)
{
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size);

    model->clock++;
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        /* The store is already in the CPU view: the whole line goes down with it. */
        model->views.lines[line] |= CACHE_LINE_DIRTY;
        drop(model, find(model, line), true);
    } else {
        memcpy(model->views.dram + offset, model->views.cpu + offset, size);
    }
    model->unclean[line] &= ~bytes;
    model->device[line] &= ~bytes;
    masks_changed(model, line);
}

unsigned int cache_maintain(struct cache_model *model, enum cache_operation operation, size_t offset)
{
    size_t line = line_of(model, offset);
    unsigned int before = model->views.lines[line];

    if (operation & CACHE_CLEAN) {
        if (before & CACHE_LINE_DIRTY) {
            copy_down(model, line);
            model->views.lines[line] &= (uint8_t)~CACHE_LINE_DIRTY;
        }
        model->unclean[line] = 0;
    }
    if (operation & CACHE_INVALIDATE) {
        model->device[line] = 0;
        if (before & CACHE_LINE_VALID) {
            drop(model, find(model, line), false);
        }
    }
    masks_changed(model, line);
    if (model->views.lines[line] != before) {
        line_changed(model, line, false);
    }
    return before;
}

/* ---- devices ---- */

/* A number that depends on seed, command and access number only (the finaliser of splitmix64). */
static uint64_t draw(const struct cache_model *model)
{
    uint64_t z =
        model->seed * 0x9e3779b97f4a7c15ull + ((uint64_t)model->command << 40) + (model->clock - model->begun);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

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

void cache_device_read(struct cache_model *model, size_t offset, void *data, unsigned int size)
{
    uint8_t *to = data;

    model->clock++;
    model->counts.device_reads++;
    while (size) {
        unsigned int part = within_line(model, offset, size);

        if (model->unclean[line_of(model, offset)] & byte_mask(model, offset, part)) {
            model->events.stale_read(model->events.opaque, CACHE_STALE_DEVICE_READ, offset, part);
        }
        memcpy(to, model->views.dram + offset, part);
        offset += part, to += part, size -= part;
    }
}

void cache_device_write(struct cache_model *model, size_t offset, const void *data, unsigned int size)
{
    const uint8_t *from = data;

    model->clock++;
    model->counts.device_writes++;
    while (size) {
        unsigned int part = within_line(model, offset, size);
        size_t line = line_of(model, offset);
        uint64_t bytes = byte_mask(model, offset, part);
        bool valid;

        if (model->schedule == CACHE_SPECULATIVE) {
            speculate(model, line);
        }
        valid = model->views.lines[line] & CACHE_LINE_VALID;
        memcpy(model->views.dram + offset, from, part);
        if (!valid) {
            memcpy(model->views.cpu + offset, from, part);
        }
        model->device[line] |= bytes;
        model->unclean[line] &= ~bytes;
        masks_changed(model, line);
        line_changed(model, line, !valid);
        offset += part, from += part, size -= part;
    }
}

const struct cache_counts *cache_model_counts(const struct cache_model *model)
{
    return &model->counts;
}
