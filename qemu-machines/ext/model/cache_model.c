/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/cache_model.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SPECULATION_WINDOW = 64, NEAR_FILL_ONE_IN = 16, FAR_FILL_ONE_IN = 1024 };
enum { EAGER_ONE_IN = 4, EAGER_SEARCH = 64 };

/* As the header says; a bit a byte. `unclean` is in struct cache_stores. */
struct line {
    uint64_t device, early, pending, lost_cpu, lost_device, bounced;
    uint64_t fresh, news, cleaned, rushed, stored;
    /* Moments of the last operation that invalidates; of the last one before that a start came, without a
     * barrier between; of that which made bytes `pending`. 0: there was none. */
    uint32_t invalidated, raced, pended;
    uint32_t kept; /* the last of the moments of bytes in `stored` and `cleaned` */
};

/* Bits of a line's state beside CACHE_LINE_BITS, for use in here: something is kept of the line, which is
 * nobody's debt; a device wrote to it since it became valid, so that the views may differ though it is clean.
 * A line with none of MASKED has no masks but `unclean`. */
enum { LINE_KEPT = 32, LINE_DIFFERS = 64 };
enum { MASKED = CACHE_LINE_STALE | CACHE_LINE_OWED | LINE_KEPT };
enum { WAY_BITS = 6, NO_WAY = 255 };
#define NO_LINE SIZE_MAX

/* How the guest's tables are known to map a page; only one that is cacheable, and nothing else, is filled
 * speculatively. */
enum page_kind { PAGE_UNKNOWN, PAGE_CACHEABLE, PAGE_ALIASED };
_Static_assert((CACHE_LINE_BITS & (LINE_KEPT | LINE_DIFFERS)) == 0, "bits of their own");

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
    /* Of a model that is watched: RAM as it was last written by anybody, less what struct cache_stores has. */
    uint8_t *written;
    struct script {
        const struct cache_act *acts; /* NULL: the schedule is followed */
        size_t count, next[2];        /* next: of the CPU's, of the devices' */
    } script;
    unsigned int line_shift; /* log2 of the bytes in a line */
    uint32_t *way_line;      /* the line that each way of each set holds, */
    uint64_t *way_stamp;     /* ... and the moment of the last access to it; 0: the way is empty */
    uint8_t *way_of;         /* of a valid line: its way, or NO_WAY */
    struct line *line;
    struct cache_stores *stores;
    struct order order;
    uint32_t *moment;  /* of each byte that is in `stored`, `cleaned`, `device`, `early`, `pending` or `news` */
    uint8_t *absent;   /* of each set: lines outside of the cache may be owed maintenance by set and way */
    uint64_t no_stamp; /* of lines under CACHE_NEVER, which are in no way */
    uint32_t *pages;   /* the first `page_count`: those that are or were PAGE_CACHEABLE */
    uint32_t page_count;
    uint8_t *page_known; /* enum page_kind */
    size_t watched;      /* a line, or NO_LINE */
    cache_watcher *watcher;
    struct cache_act now; /* number and side of the access under way, where acts are told or followed, */
    const void *access;   /* ... and what the caller gave with it */
    uint64_t device_parts;
};

static size_t line_count(const struct cache_model *model)
{
    return model->views.size >> model->line_shift;
}

static size_t way_count(const struct cache_model *model)
{
    return (size_t)model->geometry.sets * model->geometry.ways;
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
    model->line_shift = (unsigned int)__builtin_ctz(geometry->line);
    model->way_line = calloc(way_count(model), sizeof(*model->way_line));
    model->way_stamp = calloc(way_count(model), sizeof(*model->way_stamp));
    model->way_of = calloc(line_count(model), sizeof(*model->way_of));
    model->line = calloc(line_count(model), sizeof(*model->line));
    model->stores = calloc(line_count(model), sizeof(*model->stores));
    model->moment = calloc(views->size, sizeof(*model->moment));
    model->absent = calloc(geometry->sets, sizeof(*model->absent));
    model->pages = calloc(views->size / PAGE, sizeof(*model->pages));
    model->page_known = calloc(views->size / PAGE, 1);
    if (!model->way_line || !model->way_stamp || !model->way_of || !model->line || !model->stores ||
        !model->moment || !model->absent || !model->pages || !model->page_known) {
        cache_model_free(model);
        return NULL;
    }
    order_reset(&model->order);
    model->watched = NO_LINE;
    return model;
}

void cache_model_free(struct cache_model *model)
{
    free(model->way_line);
    free(model->way_stamp);
    free(model->way_of);
    free(model->line);
    free(model->stores);
    free(model->moment);
    free(model->absent);
    free(model->pages);
    free(model->page_known);
    free(model->written);
    free(model);
}

struct cache_shared cache_model_shared(struct cache_model *model)
{
    return (struct cache_shared){&model->clock, &model->order.full_count, model->stores};
}

/* Only what was touched is written: clearing everything would touch every page of the masks. */
static void forget_lines(struct cache_model *model, size_t first, size_t count)
{
    static const uint8_t untouched[PAGE];

    if (memcmp(&model->views.lines[first], untouched, count) != 0) {
        memset(&model->views.lines[first], 0, count);
        memset(&model->line[first], 0, count * sizeof(*model->line));
        memset(&model->stores[first], 0, count * sizeof(*model->stores));
    }
}

void cache_model_reset(struct cache_model *model)
{
    for (size_t page = 0; page < model->views.size / PAGE; page++) {
        forget_lines(model, page * PAGE >> model->line_shift, PAGE >> model->line_shift);
    }
    memset(model->way_stamp, 0, way_count(model) * sizeof(*model->way_stamp));
    memset(&model->counts, 0, sizeof(model->counts));
    memset(model->absent, 0, model->geometry.sets);
    order_reset(&model->order); /* what `moment` has is of no mask any more */
    cache_model_forget_pages(model);
    model->clock = model->device_parts = 0;
    model->script.next[0] = model->script.next[1] = 0;
    cache_model_begin(model, 0);
}

void cache_model_set_schedule(struct cache_model *model, enum cache_schedule schedule, uint64_t seed)
{
    model->schedule = model->script.acts ? CACHE_NEVER : schedule;
    model->seed = seed;
}

void cache_model_watch(struct cache_model *model, size_t offset, cache_watcher *watcher)
{
    model->watched = watcher ? offset >> model->line_shift : NO_LINE;
    model->watcher = watcher;
}

bool cache_model_track(struct cache_model *model)
{
    model->written = model->written ? model->written : calloc(model->views.size, 1);
    return model->written != NULL;
}

void cache_model_follow(struct cache_model *model, const struct cache_act *acts, size_t count)
{
    model->script = (struct script){acts, count, {0, 0}};
    model->schedule = CACHE_NEVER;
}

void cache_model_begin(struct cache_model *model, uint32_t command)
{
    model->command = command;
    model->begun = model->clock;
}

void cache_model_page_cacheable(struct cache_model *model, size_t offset)
{
    size_t page = offset / PAGE;

    if (model->page_known[page] == PAGE_UNKNOWN) {
        model->page_known[page] = PAGE_CACHEABLE;
        model->pages[model->page_count++] = (uint32_t)page;
    }
}

void cache_model_page_uncached(struct cache_model *model, size_t offset)
{
    model->page_known[offset / PAGE] = PAGE_ALIASED;
}

void cache_model_forget_pages(struct cache_model *model)
{
    memset(model->page_known, PAGE_UNKNOWN, model->views.size / PAGE);
    model->page_count = 0;
}

/* ---- one line ---- */

static size_t line_of(const struct cache_model *model, size_t offset)
{
    return offset >> model->line_shift;
}

static size_t offset_of(const struct cache_model *model, size_t line)
{
    return line << model->line_shift;
}

/* The bytes [offset, offset + size) of a line as bits of its masks. */
static uint64_t byte_mask(const struct cache_model *model, size_t offset, unsigned int size)
{
    uint64_t ones = size >= 64 ? ~0ull : (1ull << size) - 1;

    return ones << (offset & (model->geometry.line - 1));
}

/* Sizes that the compiler knows are copied in place. */
static void copy_line(const struct cache_model *model, uint8_t *to, const uint8_t *from, size_t line)
{
    size_t offset = offset_of(model, line);

    if (model->geometry.line == 64) {
        memcpy(to + offset, from + offset, 64);
    } else {
        memcpy(to + offset, from + offset, 32);
    }
}

static void copy_down(struct cache_model *model, size_t line)
{
    copy_line(model, model->views.dram, model->views.cpu, line);
}

static void copy_up(struct cache_model *model, size_t line)
{
    copy_line(model, model->views.cpu, model->views.dram, line);
}

/* The bits of the state that say what the masks have. */
static unsigned int mask_state(const struct cache_model *model, size_t line)
{
    const struct line *masks = &model->line[line];
    uint64_t owed = masks->early | masks->pending | masks->lost_cpu | masks->lost_device | masks->bounced;
    uint64_t kept = masks->fresh | masks->news | masks->cleaned | masks->rushed | masks->stored;

    return (model->stores[line].unclean ? CACHE_LINE_UNCLEAN : 0) | (masks->device ? CACHE_LINE_STALE : 0) |
           (owed ? CACHE_LINE_OWED : 0) | (kept || masks->invalidated ? LINE_KEPT : 0);
}

/* Bring these bits of the state up to date. */
static void masks_changed(struct cache_model *model, size_t line)
{
    unsigned int state = model->views.lines[line] & (CACHE_LINE_VALID | CACHE_LINE_DIRTY | LINE_DIFFERS);

    model->views.lines[line] = (uint8_t)(state | mask_state(model, line));
}

static void line_changed(struct cache_model *model, size_t line, bool rewritten)
{
    model->events.line_changed(model->events.opaque, line, rewritten);
}

/* Out of line, as nobody watches as a rule. */
static __attribute__((noinline, cold)) void tell_watcher(struct cache_model *model,
                                                         const struct cache_watched *what)
{
    model->watcher(model->events.opaque, what);
}

static void watched_access(struct cache_model *model, size_t offset, unsigned int size,
                           enum cache_change change, const void *access)
{
    size_t line = line_of(model, offset);

    if (line == model->watched) {
        tell_watcher(model, &(struct cache_watched){change, model->views.lines[line] & CACHE_LINE_BITS, offset,
                                                    size, access});
    }
}

static void watched_change(struct cache_model *model, size_t line, enum cache_change change,
                           unsigned int before)
{
    if (line == model->watched) {
        tell_watcher(model, &(struct cache_watched){change, before & CACHE_LINE_BITS, offset_of(model, line),
                                                    model->geometry.line, NULL});
    }
}

static size_t set_index(const struct cache_model *model, size_t line)
{
    return line & (model->geometry.sets - 1);
}

/* The first way of a line's set, and the way that holds a valid line: an index of `way_stamp`. */
static size_t first_way(const struct cache_model *model, size_t line)
{
    return set_index(model, line) * model->geometry.ways;
}

static size_t way_of(const struct cache_model *model, size_t line)
{
    return first_way(model, line) + model->way_of[line];
}

/* Where the stamp of a valid line is. */
static uint64_t *stamp_of(struct cache_model *model, size_t line)
{
    return model->way_of[line] == NO_WAY ? &model->no_stamp : &model->way_stamp[way_of(model, line)];
}

/* A dirty line goes down to DRAM, over whatever a device wrote there. */
static void write_back(struct cache_model *model, size_t line)
{
    copy_down(model, line);
    model->views.lines[line] &= (uint8_t)~(CACHE_LINE_DIRTY | LINE_DIFFERS);
    if (model->views.lines[line] & CACHE_LINE_STALE) {
        model->line[line].lost_device |= model->line[line].device;
        model->line[line].device = 0;
        masks_changed(model, line);
    }
}

/* May a line that is outside of the cache be owed maintenance by set and way? */
static bool owes_set_way(const struct cache_model *model, size_t line)
{
    const struct line *masks = &model->line[line];

    return (model->views.lines[line] & CACHE_LINE_UNCLEAN) ||
           ((model->views.lines[line] & MASKED) &&
            (masks->device | masks->early | masks->pending | masks->rushed));
}

/* Take a valid line out of the cache; the views become equal. */
static void drop(struct cache_model *model, size_t line, bool keep_stores)
{
    unsigned int state = model->views.lines[line];
    bool up = false;

    if ((state & CACHE_LINE_DIRTY) && keep_stores) {
        write_back(model, line);
    } else if (state & (CACHE_LINE_DIRTY | LINE_DIFFERS)) {
        copy_up(model, line);
        up = true;
    }
    *stamp_of(model, line) = 0;
    if (owes_set_way(model, line)) {
        model->absent[set_index(model, line)] = 1;
    }
    model->views.lines[line] &= (uint8_t)~(CACHE_LINE_VALID | CACHE_LINE_DIRTY | LINE_DIFFERS);
    line_changed(model, line, up);
}

static uint64_t lesser(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* The way with the least stamp, the first of those with equal ones. The way is in the low bits of what is
 * compared, and there are two comparisons at a time, so that the processor need not wait for each. */
static unsigned int oldest_way(const uint64_t *stamp, unsigned int ways)
{
    uint64_t even = ~0ull, odd = ~0ull;

    for (unsigned int way = 0; way < ways; way += 2) {
        even = lesser(even, stamp[way] << WAY_BITS | way);
        if (way + 1 < ways) {
            odd = lesser(odd, stamp[way + 1] << WAY_BITS | (way + 1));
        }
    }
    return lesser(even, odd) & ((1u << WAY_BITS) - 1);
}

/* ---- acts ---- */

static __attribute__((noinline, cold)) void tell_tracker(struct cache_model *model, enum cache_change kind,
                                                         size_t line)
{
    struct cache_act act = model->now;

    act.kind = (uint16_t)kind;
    act.line = (uint32_t)line;
    model->events.acted(model->events.opaque, &act, model->access);
}

static void tell_act(struct cache_model *model, enum cache_change kind, size_t line)
{
    if (model->written) {
        tell_tracker(model, kind, line);
    }
}

static void evict(struct cache_model *model, size_t line)
{
    unsigned int before = model->views.lines[line];

    tell_act(model, CACHE_EVICTED, line);
    model->counts.evictions++;
    model->counts.write_backs += !!(before & CACHE_LINE_DIRTY);
    drop(model, line, true);
    watched_change(model, line, CACHE_EVICTED, before);
}

/* Return a free way of the line's set, from 0; the line that was accessed least recently leaves it. */
static unsigned int make_room(struct cache_model *model, size_t line)
{
    size_t first = first_way(model, line);
    unsigned int oldest = oldest_way(&model->way_stamp[first], model->geometry.ways);

    if (model->way_stamp[first + oldest]) {
        evict(model, model->way_line[first + oldest]);
    }
    return oldest;
}

/* Make an invalid line valid. */
static void allocate(struct cache_model *model, enum cache_change kind, size_t line)
{
    model->way_of[line] = model->schedule == CACHE_NEVER ? NO_WAY : (uint8_t)make_room(model, line);
    if (model->way_of[line] != NO_WAY) {
        model->way_line[way_of(model, line)] = (uint32_t)line;
    }
    model->views.lines[line] |= CACHE_LINE_VALID;
    tell_act(model, kind, line);
    watched_change(model, line, kind, model->views.lines[line] & ~(unsigned int)CACHE_LINE_VALID);
}

/* Make a line valid if it is not, unless a script says what is; the access counts as its latest. Returns where
 * its stamp is. */
static uint64_t *touch(struct cache_model *model, enum cache_change kind, size_t line)
{
    uint64_t *stamp;

    model->clock++;
    if (!(model->views.lines[line] & CACHE_LINE_VALID)) {
        if (model->script.acts) {
            return &model->no_stamp;
        }
        allocate(model, kind, line);
    }
    stamp = stamp_of(model, line);
    *stamp = model->clock;
    return stamp;
}

/* ---- what was written last ---- */

/* The CPU's stores to the line, some by a shortcut, are in the CPU view; this comes before it changes. */
static void keep_written_by_cpu(struct cache_model *model, size_t line)
{
    size_t offset = offset_of(model, line);
    uint64_t bytes = model->written ? model->stores[line].unclean : 0;

    for (; bytes; bytes &= bytes - 1) {
        size_t at = offset + (size_t)__builtin_ctzll(bytes);

        model->written[at] = model->views.cpu[at];
    }
}

/* `size` bytes have been written at `offset` past the cache: these. */
static void keep_written(struct cache_model *model, size_t offset, const uint8_t *from, unsigned int size)
{
    if (model->written) {
        keep_written_by_cpu(model, line_of(model, offset));
        memcpy(model->written + offset, from, size);
    }
}

/* Those of the bytes that are other ones in a view than were written. */
static uint64_t wrong_bytes(struct cache_model *model, const uint8_t *view, size_t line, uint64_t bytes)
{
    size_t offset = offset_of(model, line);
    uint64_t wrong = 0;

    keep_written_by_cpu(model, line);
    for (; model->written && bytes; bytes &= bytes - 1) {
        size_t at = offset + (size_t)__builtin_ctzll(bytes);

        wrong |= model->written[at] != view[at] ? bytes & -bytes : 0;
    }
    return wrong;
}

/* ---- masks ---- */

/* Who makes the access that is checked. */
struct side {
    enum { CPU, DEVICE_READ, DEVICE_WRITE } who;
    const void *access; /* the caller's */
};

/* Out of line, because hazards are rare and the check for one is not. */
static __attribute__((noinline, cold)) void report(struct cache_model *model, enum cache_hazard kind,
                                                   struct side by, size_t line, uint64_t bytes)
{
    const struct line *masks = &model->line[line];
    const uint8_t *view = by.who == CPU ? model->views.cpu : model->views.dram;
    unsigned int byte = (unsigned int)__builtin_ctzll(bytes);
    const struct cache_incident incident = {
        .kind = kind,
        .by_device = by.who != CPU,
        .by_device_write = by.who == DEVICE_WRITE,
        .bounced = kind == CACHE_STALE_CPU_READ && (masks->bounced >> byte & 1),
        .of_clean = kind == CACHE_MISSING_BARRIER && by.who == DEVICE_READ && (masks->cleaned >> byte & 1),
        .offset = offset_of(model, line) + byte,
        .wrong =
            by.who == DEVICE_WRITE || kind == CACHE_SHARED_LINE ? 0 : wrong_bytes(model, view, line, bytes),
        .access = by.access,
    };

    model->events.hazard(model->events.opaque, &incident);
}

/* Report a hazard at the first of `bytes`, which are in the line of `offset`. False if there are none. */
static bool hazard(struct cache_model *model, enum cache_hazard kind, struct side by, size_t offset,
                   uint64_t bytes)
{
    if (bytes) {
        report(model, kind, by, line_of(model, offset), bytes);
    }
    return bytes != 0;
}

/* ---- moments ---- */

static uint32_t *moments_of(struct cache_model *model, size_t line)
{
    return &model->moment[offset_of(model, line)];
}

/* `bytes` are `stored` or `cleaned` now. */
static void keep_moment(struct cache_model *model, size_t line, uint64_t bytes)
{
    uint32_t now = order_moment(&model->order), *moment = moments_of(model, line);

    model->line[line].kept = now;
    for (; bytes; bytes &= bytes - 1) {
        moment[__builtin_ctzll(bytes)] = now;
    }
}

/* A device has written these bytes. */
static void keep_moments(struct cache_model *model, size_t offset, unsigned int size)
{
    uint32_t now = order_moment(&model->order);

    for (size_t at = offset; at < offset + size; at++) {
        model->moment[at] = now;
    }
}

/* Those of the bytes whose moments are so. */
static uint64_t those(struct cache_model *model, size_t line, uint64_t bytes,
                      bool (*is_so)(const struct order *, uint32_t moment))
{
    const uint32_t *moment = moments_of(model, line);
    uint64_t found = 0;

    for (; bytes; bytes &= bytes - 1) {
        if (is_so(&model->order, moment[__builtin_ctzll(bytes)])) {
            found |= bytes & -bytes;
        }
    }
    return found;
}

/* Those of the bytes, which a device wrote, for which an invalidate of now counts. */
static uint64_t counts_for(struct cache_model *model, size_t line, uint64_t bytes)
{
    uint64_t untold = bytes & ~those(model, line, bytes, order_is_told);

    return untold | those(model, line, bytes, order_is_behind);
}

/* Those of the bytes that were stored, or cleaned, with no barrier between that and the start. */
static uint64_t racing(struct cache_model *model, size_t line, uint64_t bytes,
                       const struct order_starts *starts,
                       bool (*races)(const struct order_starts *, uint32_t moment))
{
    const uint32_t *moment = moments_of(model, line);
    uint64_t found = 0;

    if (model->line[line].kept < starts->start[0].maintenance) {
        return 0; /* every start has that barrier before it, or a later one */
    }
    for (; bytes; bytes &= bytes - 1) {
        if (races(starts, moment[__builtin_ctzll(bytes)])) {
            found |= bytes & -bytes;
        }
    }
    return found;
}

static uint64_t racing_cleans(struct cache_model *model, size_t line, uint64_t bytes,
                              const struct order_starts *starts)
{
    const struct line *masks = &model->line[line];

    return (masks->rushed & bytes) |
           racing(model, line, masks->cleaned & bytes, starts, order_maintenance_races);
}

/* The CPU has loaded these bytes, which it had not loaded since a device wrote them. */
static void tell(struct cache_model *model, size_t line, uint64_t bytes)
{
    const uint32_t *moment = moments_of(model, line);
    uint32_t latest = 0;

    for (; bytes; bytes &= bytes - 1) {
        uint32_t one = moment[__builtin_ctzll(bytes)];

        latest = one > latest ? one : latest;
    }
    order_tell_moment(&model->order, latest);
}

void cache_barrier(struct cache_model *model, enum order_barrier kind)
{
    order_barrier(&model->order, kind);
}

void cache_release(struct cache_model *model, bool under_way)
{
    order_release(&model->order, under_way);
}

void cache_device_started(struct cache_model *model, struct order_starts *starts, bool keep)
{
    order_start(&model->order, starts, keep);
}

void cache_told(struct cache_model *model, bool asked)
{
    order_tell(&model->order, asked);
}

/* ---- who wrote last ---- */

/* Somebody wrote the bytes anew: whatever was remembered of them is history. */
static void overwritten(struct line *masks, uint64_t bytes)
{
    masks->device &= ~bytes;
    masks->early &= ~bytes;
    masks->pending &= ~bytes;
    masks->news &= ~bytes;
    masks->lost_cpu &= ~bytes;
    masks->lost_device &= ~bytes;
    masks->bounced &= ~bytes;
}

/* ... and not through the cache. What tells of stores by a shortcut (`unclean`) goes, so it is used before. */
static void overwritten_in_memory(struct cache_model *model, size_t line, uint64_t bytes)
{
    struct line *masks = &model->line[line];

    masks->fresh &= ~model->stores[line].unclean;
    overwritten(masks, bytes);
    model->stores[line].unclean &= ~bytes;
    masks->stored &= ~bytes;
    masks->cleaned &= ~bytes;
    masks->rushed &= ~bytes;
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

static void write_back_and_keep(struct cache_model *model, size_t line)
{
    unsigned int before = model->views.lines[line];

    tell_act(model, CACHE_WRITTEN_BACK, line);
    model->counts.write_backs++;
    write_back(model, line);
    line_changed(model, line, false);
    watched_change(model, line, CACHE_WRITTEN_BACK, before);
}

/* Under CACHE_EAGER: one of a few neighbouring ways, if one is dirty, is written back now. */
static void write_back_one(struct cache_model *model)
{
    size_t ways = way_count(model);
    uint64_t lot = draw(model);

    for (size_t i = 0; lot % EAGER_ONE_IN == 0 && i < EAGER_SEARCH; i++) {
        size_t way = ((lot >> 8) + i) % ways, line = model->way_line[way];

        if (model->way_stamp[way] && (model->views.lines[line] & CACHE_LINE_DIRTY)) {
            write_back_and_keep(model, line);
            return;
        }
    }
}

/* An act of the script; where it has nothing to act on, it is nothing. */
static void do_act(struct cache_model *model, enum cache_change kind, size_t line)
{
    unsigned int state = line < line_count(model) ? model->views.lines[line] : 0;

    if (line >= line_count(model)) {
        return;
    }
    if ((kind == CACHE_FILLED || kind == CACHE_FILLED_AHEAD) && !(state & CACHE_LINE_VALID)) {
        model->counts.fills += kind == CACHE_FILLED_AHEAD;
        model->clock += kind == CACHE_FILLED_AHEAD; /* as where it was drawn */
        allocate(model, kind, line);
    } else if (kind == CACHE_EVICTED && (state & CACHE_LINE_VALID)) {
        evict(model, line);
    } else if (kind == CACHE_WRITTEN_BACK && (state & CACHE_LINE_DIRTY)) {
        write_back_and_keep(model, line);
    }
}

/* Do what the script has for this access, and for those before it. */
static void follow_script(struct cache_model *model)
{
    struct script *script = &model->script;
    unsigned int side = model->now.by_device;
    size_t *next = &script->next[side];

    for (; *next < script->count; ++*next) {
        const struct cache_act *act = &script->acts[*next];

        if (act->by_device == side && act->number > model->now.number) {
            return;
        }
        if (act->by_device == side) {
            do_act(model, (enum cache_change)act->kind, act->line);
        }
    }
}

/* Number the access that begins: for acts, and for those who follow them. */
static __attribute__((noinline, cold)) void number_access(struct cache_model *model, bool by_device,
                                                          const void *access)
{
    const struct cache_counts *counts = &model->counts;
    uint64_t others = counts->device_reads + counts->device_writes + counts->fills;

    model->access = access;
    model->now = (struct cache_act){
        .number = by_device ? model->device_parts++ : model->clock - others,
        .by_device = by_device,
    };
}

/* An access begins, or the part of a device's write to one line. */
static void act_by_itself(struct cache_model *model, bool by_device, const void *access)
{
    if (model->written || model->script.acts) {
        number_access(model, by_device, access);
    }
    if (model->schedule == CACHE_EAGER) {
        write_back_one(model);
    } else if (model->script.acts) {
        follow_script(model);
    }
}

/* ---- the CPU ---- */

static struct cache_shortcut shortcut(struct cache_model *model, size_t line, uint64_t *stamp)
{
    unsigned int state = model->views.lines[line];
    bool scripted = model->script.acts; /* each access may have an act, so none may go unseen */
    bool writable = !scripted && !(state & (CACHE_LINE_STALE | CACHE_LINE_OWED));

    return (struct cache_shortcut){
        .stamp = stamp,
        .line = line,
        .readable = writable && !((state & LINE_KEPT) && model->line[line].fresh),
        .writable = writable && (state & CACHE_LINE_DIRTY),
    };
}

/* Bytes of the line that are the same in both views. */
static uint64_t equal_bytes(const struct cache_model *model, size_t line)
{
    size_t offset = offset_of(model, line);
    uint64_t equal = 0;

    for (unsigned int i = 0; i < model->geometry.line; i++) {
        equal |= (uint64_t)(model->views.cpu[offset + i] == model->views.dram[offset + i]) << i;
    }
    return equal;
}

/* Polling is right: between an invalidate and the first load of a byte behind it, a device wrote what nothing
 * has told the CPU of. Returns such bytes of the line. */
static uint64_t polled(struct cache_model *model, size_t line)
{
    const struct line *masks = &model->line[line];
    uint64_t bytes = masks->device & masks->fresh;

    return bytes & ~those(model, line, bytes, order_is_told);
}

/* The CPU loads bytes; `arriving` are those of the line that are polled(). Where the load got what the device
 * wrote, the line was filled behind that, and has all of it. */
static void learn(struct cache_model *model, size_t line, uint64_t bytes, uint64_t arriving)
{
    struct line *masks = &model->line[line];

    arriving = arriving & bytes ? arriving & equal_bytes(model, line) : 0;
    if (arriving & bytes) {
        masks->device &= ~arriving;
        masks->news |= arriving;
    }
    tell(model, line, masks->news & bytes & ~model->stores[line].unclean);
    masks->news &= ~bytes;
    masks->fresh &= ~bytes;
    masks_changed(model, line);
}

static void check_load(struct cache_model *model, size_t offset, uint64_t bytes, const void *access)
{
    const struct side cpu = {CPU, access};
    size_t line = line_of(model, offset);
    struct line *masks = &model->line[line];
    uint64_t arriving = polled(model, line);

    if (masks->pending && order_is_behind(&model->order, masks->pended)) {
        masks->pending = 0;
    }
    if (!hazard(model, CACHE_STALE_CPU_READ, cpu, offset,
                ((masks->device & ~arriving) | masks->bounced) & bytes) &&
        !hazard(model, CACHE_LOST_DEVICE_WRITE, cpu, offset, masks->lost_device & bytes) &&
        !hazard(model, CACHE_LOST_CPU_WRITE, cpu, offset, masks->lost_cpu & bytes)) {
        hazard(model, CACHE_MISSING_BARRIER, cpu, offset, (masks->early | masks->pending) & bytes);
    }
    learn(model, line, bytes, arriving);
}

struct cache_shortcut cache_cpu_read(struct cache_model *model, size_t offset, unsigned int size,
                                     const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t *stamp;

    act_by_itself(model, false, access);
    stamp = touch(model, CACHE_FILLED, line);
    if (model->views.lines[line] & MASKED) {
        check_load(model, offset, byte_mask(model, offset, size), access);
    }
    return shortcut(model, line, stamp);
}

static void check_store(struct cache_model *model, size_t offset, uint64_t bytes, const void *access)
{
    const struct side cpu = {CPU, access};
    size_t line = line_of(model, offset);
    struct line *masks = &model->line[line];

    hazard(model, CACHE_SHARED_LINE, cpu, offset, masks->device & ~bytes ? bytes : 0);
    overwritten(masks, bytes);
    masks->fresh &= ~bytes;
    masks_changed(model, line);
}

/* The store is to a line for which the script has no fill. */
static void write_through(struct cache_model *model, size_t offset, unsigned int size)
{
    memcpy(model->views.dram + offset, model->views.cpu + offset, size);
    model->absent[set_index(model, line_of(model, offset))] = 1;
}

struct cache_shortcut cache_cpu_write(struct cache_model *model, size_t offset, unsigned int size,
                                      const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size), *stamp;

    act_by_itself(model, false, access);
    stamp = touch(model, CACHE_FILLED, line);
    cache_keep_store(&model->stores[line], bytes, model->order.full_count);
    if (model->views.lines[line] & MASKED) {
        check_store(model, offset, bytes, access);
    }
    model->views.lines[line] |= CACHE_LINE_UNCLEAN;
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        model->views.lines[line] |= CACHE_LINE_DIRTY;
    } else {
        write_through(model, offset, size);
    }
    return shortcut(model, line, stamp);
}

/* An uncached access through an alias: these bytes are at stake. */
static void check_alias(struct cache_model *model, size_t offset, uint64_t bytes, const void *access)
{
    const struct side cpu = {CPU, access};

    hazard(model, CACHE_MISMATCHED_ALIAS, cpu, offset, bytes);
}

static void force_out(struct cache_model *model, size_t line)
{
    unsigned int before = model->views.lines[line];

    drop(model, line, true);
    watched_change(model, line, CACHE_FORCED_OUT, before);
}

void cache_cpu_read_uncached(struct cache_model *model, size_t offset, unsigned int size, const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size), differing;

    model->clock++;
    if (model->views.lines[line] == 0) {
        return;
    }
    differing = model->views.lines[line] & CACHE_LINE_VALID ? bytes & ~equal_bytes(model, line) : 0;
    check_alias(model, offset, (model->stores[line].unclean & bytes) | differing, access);
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        force_out(model, line);
    }
    tell(model, line, model->line[line].device & bytes);
}

void cache_cpu_write_uncached(struct cache_model *model, size_t offset, unsigned int size, const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size);
    struct line *masks = &model->line[line];

    keep_written(model, offset, model->views.cpu + offset, size);
    model->clock++;
    check_alias(model, offset, model->stores[line].unclean ? bytes : 0, access);
    memcpy(model->views.dram + offset, model->views.cpu + offset, size);
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        force_out(model, line); /* the store is in the CPU view already, and goes down with the others */
    }
    overwritten_in_memory(model, line, bytes);
    masks->stored |= bytes;
    keep_moment(model, line, bytes);
    masks_changed(model, line);
}

/* ---- maintenance ---- */

/* Operations by address are in program order with stores to their line and loads of it; those by set and way
 * are ordered by barriers only (DDI 0487, G4.4.7). */
enum way_of_naming { BY_ADDRESS, BY_SET_AND_WAY };

static void clean(struct cache_model *model, size_t line, enum way_of_naming by)
{
    struct line *masks = &model->line[line];
    struct cache_stores *stores = &model->stores[line];
    uint64_t bytes = stores->unclean | masks->rushed, hasty = 0;

    keep_written_by_cpu(model, line);
    if (model->views.lines[line] & CACHE_LINE_DIRTY) {
        write_back(model, line);
    }
    if (by == BY_SET_AND_WAY && stores->barriers == model->order.full_count) {
        hasty = stores->recent & bytes;
    }
    masks->cleaned |= bytes;
    masks->rushed = hasty;
    masks->stored &= ~bytes;
    masks->fresh &= ~stores->unclean;
    masks->news &= ~stores->unclean;
    stores->unclean = 0;
    if (bytes) {
        keep_moment(model, line, bytes);
    }
}

/* What becomes of a device's bytes at an invalidate: the header has the rules. */
static void invalidate_device(struct cache_model *model, size_t line, enum way_of_naming by)
{
    struct line *masks = &model->line[line];
    uint64_t bytes = masks->device | masks->early | masks->pending, counts;

    if (bytes) {
        counts = counts_for(model, line, bytes);
        masks->device = 0;
        masks->news |= by == BY_ADDRESS ? counts : 0;
        masks->pending =
            (by == BY_ADDRESS ? 0 : counts) | (those(model, line, bytes, order_is_asked) & ~counts);
        masks->early = bytes & ~counts & ~masks->pending;
        masks->pended = order_moment(&model->order);
    }
}

/* An invalidate by address: the next load of each byte gets it from memory. A start may have come since the
 * last one, without a barrier between: that one is kept, because the device may access the line much later. */
static void renew(struct cache_model *model, size_t line)
{
    struct line *masks = &model->line[line];
    const struct order_starts latest = {{model->order.latest}, 1, false};

    if (order_maintenance_races(&latest, masks->invalidated)) {
        masks->raced = masks->invalidated;
    }
    masks->invalidated = order_moment(&model->order);
    masks->fresh = byte_mask(model, 0, model->geometry.line);
}

static void invalidate(struct cache_model *model, size_t line, enum way_of_naming by)
{
    struct line *masks = &model->line[line];
    struct cache_stores *stores = &model->stores[line];

    keep_written_by_cpu(model, line);
    masks->fresh &= ~stores->unclean;
    masks->news &= ~stores->unclean;
    masks->lost_cpu |= stores->unclean;
    stores->unclean = 0;
    invalidate_device(model, line, by);
    if (by == BY_ADDRESS) {
        renew(model, line);
    }
    if (model->views.lines[line] & CACHE_LINE_VALID) {
        drop(model, line, false);
    }
}

static void watched_operation(struct cache_model *model, enum cache_operation operation, size_t line,
                              unsigned int before)
{
    static const enum cache_change changes[] = {
        [CACHE_CLEAN] = CACHE_CLEANED,
        [CACHE_INVALIDATE] = CACHE_INVALIDATED,
        [CACHE_CLEAN_INVALIDATE] = CACHE_CLEANED_INVALIDATED,
    };

    watched_change(model, line, changes[operation], before);
}

static unsigned int maintain(struct cache_model *model, enum cache_operation operation, size_t line,
                             enum way_of_naming by)
{
    unsigned int before = model->views.lines[line];

    if (operation & CACHE_CLEAN) {
        clean(model, line, by);
    }
    if (operation & CACHE_INVALIDATE) {
        invalidate(model, line, by);
    }
    masks_changed(model, line);
    if (model->views.lines[line] != before) {
        line_changed(model, line, false);
    }
    watched_operation(model, operation, line, before);
    return before & CACHE_LINE_BITS;
}

unsigned int cache_maintain(struct cache_model *model, enum cache_operation operation, size_t offset)
{
    return maintain(model, operation, line_of(model, offset), BY_ADDRESS);
}

/* Of the lines of a set that are outside of the cache: what was stored there has been written back, and what a
 * device has written there is in memory. */
static void maintain_absent(struct cache_model *model, enum cache_operation operation, uint32_t set)
{
    bool owed = false;

    for (size_t line = set; model->absent[set] && line < line_count(model); line += model->geometry.sets) {
        unsigned int before = model->views.lines[line];

        if (before == 0 || (before & CACHE_LINE_VALID)) {
            continue;
        }
        if (operation & CACHE_CLEAN) {
            clean(model, line, BY_SET_AND_WAY);
        }
        if (operation & CACHE_INVALIDATE) {
            invalidate_device(model, line, BY_SET_AND_WAY);
        }
        masks_changed(model, line);
        watched_operation(model, operation, line, before);
        owed |= model->stores[line].unclean || model->line[line].rushed ||
                (model->views.lines[line] & (CACHE_LINE_STALE | CACHE_LINE_OWED));
    }
    model->absent[set] = owed;
}

/* Under CACHE_NEVER no line is in a way: the first way of a set stands for all its lines. */
static void maintain_endless_set(struct cache_model *model, enum cache_operation operation, uint32_t set)
{
    for (size_t line = set; line < line_count(model); line += model->geometry.sets) {
        if (model->views.lines[line] & CACHE_LINE_VALID) {
            maintain(model, operation, line, BY_SET_AND_WAY);
        }
    }
}

void cache_maintain_set_way(struct cache_model *model, enum cache_operation operation, uint32_t set,
                            uint32_t way)
{
    size_t which = (size_t)set * model->geometry.ways + way;

    if (set >= model->geometry.sets || way >= model->geometry.ways) {
        return;
    }
    maintain_absent(model, operation, set);
    if (model->schedule == CACHE_NEVER && way == 0) {
        maintain_endless_set(model, operation, set);
    } else if (model->way_stamp[which]) {
        maintain(model, operation, model->way_line[which], BY_SET_AND_WAY);
    }
}

/* ---- devices ---- */

static void fill(struct cache_model *model, size_t line)
{
    if (line < line_count(model) && model->page_known[offset_of(model, line) / PAGE] == PAGE_CACHEABLE &&
        !(model->views.lines[line] & CACHE_LINE_VALID)) {
        touch(model, CACHE_FILLED_AHEAD, line);
        model->counts.fills++;
    }
}

/* What a core that runs ahead may do while a device writes at `line`: load a line near it, or
 * any other. It can only reach what the guest's tables map cacheable. */
static void speculate(struct cache_model *model, size_t line)
{
    uint64_t lot = draw(model);
    size_t lines_a_page = PAGE >> model->line_shift;

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
    unsigned int room = model->geometry.line - (unsigned int)(offset & (model->geometry.line - 1));

    return size < room ? size : room;
}

static void check_device_read(struct cache_model *model, size_t offset, uint64_t bytes,
                              const struct order_starts *starts, const void *access)
{
    const struct side device = {DEVICE_READ, access};
    size_t line = line_of(model, offset);
    const struct line *masks = &model->line[line];

    if (!hazard(model, CACHE_STALE_DEVICE_READ, device, offset, model->stores[line].unclean & bytes) &&
        !hazard(model, CACHE_LOST_CPU_WRITE, device, offset, masks->lost_cpu & bytes) &&
        !hazard(model, CACHE_LOST_DEVICE_WRITE, device, offset, masks->lost_device & bytes) && starts->count) {
        hazard(model, CACHE_MISSING_BARRIER, device, offset,
               racing_cleans(model, line, bytes, starts) |
                   racing(model, line, masks->stored & bytes, starts, order_store_races));
    }
}

/* Bytes by which to name a device's write to a line under maintenance that no barrier orders before its start:
 * those that were cleaned, at best of what is written; of an invalidate, all that is written. */
static uint64_t under_maintenance(struct cache_model *model, size_t line, uint64_t bytes,
                                  const struct order_starts *starts)
{
    const struct line *masks = &model->line[line];
    uint64_t cleans = racing_cleans(model, line, ~0ull, starts);

    if (cleans) {
        return cleans & bytes ? cleans & bytes : cleans;
    }
    return order_maintenance_races(starts, masks->invalidated) || order_maintenance_races(starts, masks->raced)
               ? bytes
               : 0;
}

static void check_device_write(struct cache_model *model, size_t offset, uint64_t bytes,
                               const struct order_starts *starts, const void *access)
{
    const struct side device = {DEVICE_WRITE, access};
    size_t line = line_of(model, offset);

    if (!hazard(model, CACHE_LOST_DEVICE_WRITE, device, offset, model->stores[line].unclean & bytes) &&
        !hazard(model, CACHE_SHARED_LINE, device, offset, model->stores[line].unclean) && starts->count) {
        hazard(model, CACHE_MISSING_BARRIER, device, offset, under_maintenance(model, line, bytes, starts));
    }
}

static const struct order_starts *accessed(struct order_starts *starts)
{
    static const struct order_starts none;

    if (!starts) {
        return &none;
    }
    starts->accessed = true;
    return starts;
}

void cache_device_read(struct cache_model *model, size_t offset, void *data, unsigned int size,
                       struct order_starts *starts, const void *access)
{
    const struct order_starts *by = accessed(starts);
    uint8_t *to = data;

    model->clock++;
    model->counts.device_reads++;
    while (size) {
        unsigned int part = within_line(model, offset, size);

        watched_access(model, offset, part, CACHE_DEVICE_READ, access);
        check_device_read(model, offset, byte_mask(model, offset, part), by, access);
        memcpy(to, model->views.dram + offset, part);
        offset += part, to += part, size -= part;
    }
}

/* The part of a device's write that lies in the line of its first byte. */
static void device_write(struct cache_model *model, size_t offset, const uint8_t *from, unsigned int size,
                         const struct order_starts *by, const void *access)
{
    size_t line = line_of(model, offset);
    uint64_t bytes = byte_mask(model, offset, size);
    struct line *masks = &model->line[line];
    bool valid = model->views.lines[line] & CACHE_LINE_VALID;

    keep_written(model, offset, from, size);
    memcpy(model->views.dram + offset, from, size);
    if (!valid) {
        memcpy(model->views.cpu + offset, from, size);
        model->absent[set_index(model, line)] = 1;
    }
    model->views.lines[line] |= valid ? LINE_DIFFERS : 0;
    watched_access(model, offset, size, CACHE_DEVICE_WRITTEN, access);
    check_device_write(model, offset, bytes, by, access);
    overwritten_in_memory(model, line, bytes);
    masks->device |= bytes;
    keep_moments(model, offset, size);
    masks_changed(model, line);
    line_changed(model, line, !valid);
}

void cache_device_write(struct cache_model *model, size_t offset, const void *data, unsigned int size,
                        struct order_starts *starts, const void *access)
{
    const struct order_starts *by = accessed(starts);
    const uint8_t *from = data;

    model->clock++;
    model->counts.device_writes++;
    while (size) {
        unsigned int part = within_line(model, offset, size);

        act_by_itself(model, true, access);
        if (model->schedule == CACHE_SPECULATIVE) {
            speculate(model, line_of(model, offset));
        }
        device_write(model, offset, from, part, by, access);
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
