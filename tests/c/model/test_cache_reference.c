/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache model against the dumbest reference there is: two byte arrays, and for each byte and line
 * what the header of the model says in words. Random operations; states, bytes and hazards are compared
 * after each. The schedules that draw lots are left out: test_cache_model has their invariant.
 *
 *     test_cache_reference [STEPS]
 */
#include <string.h>

#include "check.h"
#include "model/cache_model.h"

enum { SIZE = 4 * 4096, SETS = 4, WAYS = 2, KINDS = 8, MOST_LINES = SIZE / 32, DEVICES = 3, MOST_STARTS = 8 };

static size_t line_size, lines; /* bytes of one; how many */

/* ---- the reference ---- */

struct byte {
    bool unclean, recent, device, early, pending, lost_cpu, lost_device, bounced;
    bool fresh, news, stored, cleaned, rushed;
    unsigned int moment; /* of the last uncached store, clean, or write by a device */
    unsigned int pended; /* of the invalidate that made it pending */
};

/* Moments of a start, and of the last barriers before it. */
struct start {
    unsigned int at, stores, full;
};

static struct {
    uint8_t cpu[SIZE], dram[SIZE];
    struct byte byte[SIZE];
    struct {
        bool valid, dirty;
        uint64_t used;
        unsigned int invalidated, raced;
    } line[MOST_LINES];
    size_t way[SETS][WAYS]; /* which line is there, plus 1 */
    uint64_t now;
    unsigned int moment, full, stores, told, asked;
    bool releasing;
    struct start latest;
    struct {
        struct start start[MOST_STARTS];
        unsigned int count;
        bool accessed;
    } device[DEVICES];
    struct found {
        size_t count, last; /* how many; the offset of the last */
    } found[KINDS][2];
    bool endless;
} reference;

static void ref_found(enum cache_hazard kind, bool by_device, size_t offset)
{
    reference.found[kind][by_device].count++;
    reference.found[kind][by_device].last = offset;
}

static void ref_write_back(size_t line)
{
    for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
        reference.dram[at] = reference.cpu[at];
        if (reference.byte[at].device) {
            reference.byte[at].device = false;
            reference.byte[at].lost_device = true;
        }
    }
    reference.line[line].dirty = false;
}

static void ref_drop(size_t line, bool keep)
{
    if (reference.line[line].dirty && keep) {
        ref_write_back(line);
    }
    memcpy(&reference.cpu[line * line_size], &reference.dram[line * line_size], line_size);
    reference.line[line].valid = reference.line[line].dirty = false;
    for (size_t way = 0; way < WAYS; way++) {
        if (reference.way[line % SETS][way] == line + 1) {
            reference.way[line % SETS][way] = 0;
        }
    }
}

static size_t ref_oldest(size_t set)
{
    size_t oldest = set;

    for (size_t line = set; line < lines; line += SETS) {
        if (reference.line[line].valid &&
            (!reference.line[oldest].valid || reference.line[line].used < reference.line[oldest].used)) {
            oldest = line;
        }
    }
    return oldest;
}

static size_t ref_empty_way(size_t set)
{
    size_t way = 0;

    while (way < WAYS && reference.way[set][way]) {
        way++;
    }
    return way;
}

static void ref_fill(size_t line)
{
    size_t set = line % SETS;

    if (ref_empty_way(set) == WAYS) {
        ref_drop(ref_oldest(set), true);
    }
    reference.way[set][ref_empty_way(set)] = line + 1;
}

static void ref_touch(size_t line)
{
    reference.now++;
    if (!reference.line[line].valid && !reference.endless) {
        ref_fill(line);
    }
    reference.line[line].valid = true;
    reference.line[line].used = reference.now;
}

/* The first byte whose member is set; SIZE if there is none. */
static size_t ref_first(size_t offset, unsigned int size, size_t member)
{
    for (size_t at = offset; at < offset + size; at++) {
        if (((const bool *)&reference.byte[at])[member]) {
            return at;
        }
    }
    return SIZE;
}

#define MEMBER(name) (offsetof(struct byte, name) / sizeof(bool))

/* The first of these that holds is the hazard; either of the two members counts. */
struct check {
    enum cache_hazard kind;
    size_t member, other;
};

static const struct check of_device_read[] = {
    {CACHE_STALE_DEVICE_READ, MEMBER(unclean), MEMBER(unclean)},
    {CACHE_LOST_CPU_WRITE, MEMBER(lost_cpu), MEMBER(lost_cpu)},
    {CACHE_LOST_DEVICE_WRITE, MEMBER(lost_device), MEMBER(lost_device)},
};

static bool ref_check(const struct check *checks, unsigned int count, bool by_device, size_t offset,
                      unsigned int size)
{
    for (unsigned int i = 0; i < count; i++) {
        size_t one = ref_first(offset, size, checks[i].member),
               other = ref_first(offset, size, checks[i].other);

        if (one < SIZE || other < SIZE) {
            ref_found(checks[i].kind, by_device, one < other ? one : other);
            return true;
        }
    }
    return false;
}

static void ref_overwritten(size_t offset, unsigned int size, bool in_memory)
{
    for (unsigned int i = 0; i < size; i++) {
        struct byte *byte = &reference.byte[offset + i];

        byte->unclean = byte->recent = byte->device = byte->early = byte->pending = byte->news = false;
        byte->lost_cpu = byte->lost_device = byte->bounced = false;
        if (in_memory) {
            byte->stored = byte->cleaned = byte->rushed = false;
            byte->moment = reference.moment;
        }
    }
}

static bool ref_races(unsigned int device, unsigned int moment, bool maintenance)
{
    for (unsigned int i = 0; device < DEVICES && i < reference.device[device].count; i++) {
        const struct start *start = &reference.device[device].start[i];

        if ((maintenance ? start->full : start->stores) <= moment && moment < start->at) {
            return true;
        }
    }
    return false;
}

static bool ref_clean_races(unsigned int device, const struct byte *byte)
{
    bool started = device < DEVICES && reference.device[device].count;

    return started && (byte->rushed || (byte->cleaned && ref_races(device, byte->moment, true)));
}

static void ref_tell(unsigned int moment)
{
    if (moment > reference.told) {
        reference.told = moment;
        reference.moment++;
    }
}

/* Polling: between the last invalidate and the first load of it behind, a device wrote it, and nothing has
 * told. */
static bool ref_polled(const struct byte *byte)
{
    return byte->device && byte->fresh && byte->moment > reference.told;
}

static void ref_check_load(size_t offset, unsigned int size)
{
    static const struct check rest[] = {
        {CACHE_LOST_DEVICE_WRITE, MEMBER(lost_device), MEMBER(lost_device)},
        {CACHE_LOST_CPU_WRITE, MEMBER(lost_cpu), MEMBER(lost_cpu)},
        {CACHE_MISSING_BARRIER, MEMBER(early), MEMBER(pending)},
    };

    for (size_t at = offset / line_size * line_size; at < (offset / line_size + 1) * line_size; at++) {
        reference.byte[at].pending &= reference.full <= reference.byte[at].pended;
    }
    for (size_t at = offset; at < offset + size; at++) {
        const struct byte *byte = &reference.byte[at];

        if ((byte->device && !ref_polled(byte)) || byte->bounced) {
            ref_found(CACHE_STALE_CPU_READ, false, at);
            return;
        }
    }
    ref_check(rest, 3, false, offset, size);
}

static bool ref_same(size_t at)
{
    return reference.cpu[at] == reference.dram[at];
}

/* If the load got one of the bytes that it polls for, it got the line as it was then. */
static void ref_arrive(size_t offset, unsigned int size)
{
    size_t first = offset / line_size * line_size;
    bool arrived = false;

    for (size_t at = offset; at < offset + size; at++) {
        arrived |= ref_polled(&reference.byte[at]) && ref_same(at);
    }
    for (size_t at = first; arrived && at < first + line_size; at++) {
        if (ref_polled(&reference.byte[at]) && ref_same(at)) {
            reference.byte[at].device = false;
            reference.byte[at].news = true;
        }
    }
}

static void ref_load(size_t offset, unsigned int size)
{
    unsigned int told = 0;

    ref_touch(offset / line_size);
    ref_check_load(offset, size);
    ref_arrive(offset, size);
    for (size_t at = offset; at < offset + size; at++) {
        struct byte *byte = &reference.byte[at];

        if (byte->news && !byte->unclean) {
            told = byte->moment > told ? byte->moment : told;
        }
        byte->news = byte->fresh = false;
    }
    ref_tell(told);
}

/* Is the member set for a byte of the line outside of [offset, offset + size)? */
static bool ref_elsewhere(size_t offset, unsigned int size, size_t member)
{
    size_t first = offset / line_size * line_size, end = offset + size;

    return ref_first(first, (unsigned int)(offset - first), member) < SIZE ||
           ref_first(end, (unsigned int)(first + line_size - end), member) < SIZE;
}

static void ref_store(size_t offset, unsigned int size, const uint8_t *bytes)
{
    memcpy(&reference.cpu[offset], bytes, size);
    ref_touch(offset / line_size);
    if (ref_elsewhere(offset, size, MEMBER(device))) {
        ref_found(CACHE_SHARED_LINE, false, offset);
    }
    ref_overwritten(offset, size, false);
    for (unsigned int i = 0; i < size; i++) {
        struct byte *byte = &reference.byte[offset + i];

        byte->fresh = false;
        byte->unclean = byte->recent = true;
    }
    reference.line[offset / line_size].dirty = true;
}

static void ref_load_uncached(size_t offset, unsigned int size)
{
    size_t line = offset / line_size;
    unsigned int told = 0;

    for (size_t at = offset; at < offset + size; at++) {
        if (reference.byte[at].unclean || (reference.line[line].valid && !ref_same(at))) {
            ref_found(CACHE_MISMATCHED_ALIAS, false, at);
            break;
        }
    }
    if (reference.line[line].valid) {
        ref_drop(line, true);
    }
    for (size_t at = offset; at < offset + size; at++) {
        told = reference.byte[at].device && reference.byte[at].moment > told ? reference.byte[at].moment : told;
    }
    ref_tell(told);
}

static void ref_store_uncached(size_t offset, unsigned int size, const uint8_t *bytes)
{
    size_t line = offset / line_size;

    memcpy(&reference.cpu[offset], bytes, size);
    if (ref_first(line * line_size, (unsigned int)line_size, MEMBER(unclean)) < SIZE) {
        ref_found(CACHE_MISMATCHED_ALIAS, false, offset);
    }
    memcpy(&reference.dram[offset], bytes, size);
    if (reference.line[line].valid) {
        ref_drop(line, true);
    }
    ref_overwritten(offset, size, true);
    for (unsigned int i = 0; i < size; i++) {
        reference.byte[offset + i].stored = true;
    }
}

static void ref_clean(size_t line, bool by_address)
{
    if (reference.line[line].dirty) {
        ref_write_back(line);
    }
    for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
        struct byte *byte = &reference.byte[at];

        if (byte->unclean) {
            byte->fresh = byte->news = false;
        }
        if (byte->unclean || byte->rushed) {
            byte->cleaned = true;
            byte->rushed = byte->recent && !by_address;
            byte->stored = false;
            byte->moment = reference.moment;
        }
        byte->unclean = false;
    }
}

/* What an invalidate does for a byte that a device wrote. */
static void ref_invalidate_byte(struct byte *byte, bool by_address)
{
    bool counts = byte->moment < reference.full || byte->moment > reference.told;

    if (byte->unclean) {
        byte->news = false;
    }
    byte->lost_cpu |= byte->unclean;
    byte->unclean = false;
    if (byte->device || byte->early || byte->pending) {
        byte->news |= by_address && counts;
        byte->pending = counts ? !by_address : byte->moment <= reference.asked;
        byte->early = !counts && !byte->pending;
        byte->device = false;
        byte->pended = reference.moment;
    }
    byte->fresh |= by_address;
}

static void ref_invalidate(size_t line, bool by_address)
{
    unsigned int last = reference.line[line].invalidated;

    for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
        ref_invalidate_byte(&reference.byte[at], by_address);
    }
    if (by_address) {
        if (reference.latest.full <= last && last < reference.latest.at) {
            reference.line[line].raced = last;
        }
        reference.line[line].invalidated = reference.moment;
    }
    if (reference.line[line].valid) {
        ref_drop(line, false);
    }
}

static void ref_maintain(enum cache_operation operation, size_t line, bool by_address)
{
    if (operation & CACHE_CLEAN) {
        ref_clean(line, by_address);
    }
    if (operation & CACHE_INVALIDATE) {
        ref_invalidate(line, by_address);
    }
}

/* A line outside of the cache loses no stores, because they were written back. */
static void ref_maintain_absent(enum cache_operation operation, size_t line)
{
    if (operation & CACHE_CLEAN) {
        ref_clean(line, false);
    }
    for (size_t at = line * line_size; (operation & CACHE_INVALIDATE) && at < (line + 1) * line_size; at++) {
        struct byte *byte = &reference.byte[at], before = *byte;

        ref_invalidate_byte(byte, false);
        byte->unclean = before.unclean;
        byte->lost_cpu = before.lost_cpu;
        byte->news = before.news;
    }
}

static void ref_maintain_set_way(enum cache_operation operation, size_t set, size_t way)
{
    for (size_t line = set; line < lines; line += SETS) {
        bool there = reference.endless ? way == 0 && reference.line[line].valid
                                       : way < WAYS && reference.way[set][way] == line + 1;

        if (there) {
            ref_maintain(operation, line, false);
        } else if (way < WAYS && !reference.line[line].valid) {
            ref_maintain_absent(operation, line);
        }
    }
}

static void ref_barrier(enum order_barrier kind)
{
    reference.stores = ++reference.moment;
    if (kind == ORDER_FULL) {
        reference.full = reference.moment;
        for (size_t at = 0; at < SIZE; at++) {
            reference.byte[at].recent = false;
        }
    }
}

static void ref_started(unsigned int device, bool keep)
{
    unsigned int at = ++reference.moment;

    reference.latest = (struct start){at, reference.releasing ? at : reference.stores, reference.full};
    if (!keep || reference.device[device].accessed) {
        reference.device[device].count = 0;
    }
    reference.device[device].accessed = false;
    if (reference.device[device].count == MOST_STARTS) {
        reference.device[device].count--; /* does not happen: see step() */
        CHECK(false);
    }
    reference.device[device].start[reference.device[device].count++] = reference.latest;
}

static void ref_told(bool asked)
{
    reference.told = reference.moment++;
    reference.asked = asked ? reference.told : reference.asked;
}

/* Under maintenance that no barrier ordered before the start: the bytes that were cleaned, best those that are
 * written; of an invalidate, what is written. */
static void ref_check_maintenance(unsigned int device, size_t offset, unsigned int size)
{
    size_t line = offset / line_size, found = SIZE;

    for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
        bool better = found == SIZE || (found < offset && at >= offset && at < offset + size);

        if (better && ref_clean_races(device, &reference.byte[at])) {
            found = at;
        }
    }
    if (found == SIZE && (ref_races(device, reference.line[line].invalidated, true) ||
                          ref_races(device, reference.line[line].raced, true))) {
        found = offset;
    }
    if (found < SIZE) {
        ref_found(CACHE_MISSING_BARRIER, true, found);
    }
}

static void ref_device_read(unsigned int device, size_t offset, unsigned int size, uint8_t *bytes)
{
    bool found = ref_check(of_device_read, 3, true, offset, size);

    for (size_t at = offset; !found && at < offset + size; at++) {
        const struct byte *byte = &reference.byte[at];

        if (ref_clean_races(device, byte) || (byte->stored && ref_races(device, byte->moment, false))) {
            ref_found(CACHE_MISSING_BARRIER, true, at);
            found = true;
        }
    }
    memcpy(bytes, &reference.dram[offset], size);
}

static void ref_device_write(unsigned int device, size_t offset, unsigned int size, const uint8_t *bytes)
{
    size_t line = offset / line_size;

    if (ref_first(offset, size, MEMBER(unclean)) < SIZE) {
        ref_found(CACHE_LOST_DEVICE_WRITE, true, ref_first(offset, size, MEMBER(unclean)));
    } else if (ref_elsewhere(offset, size, MEMBER(unclean))) {
        ref_found(CACHE_SHARED_LINE, true,
                  ref_first(line * line_size, (unsigned int)line_size, MEMBER(unclean)));
    } else {
        ref_check_maintenance(device, offset, size);
    }
    memcpy(&reference.dram[offset], bytes, size);
    if (!reference.line[line].valid) {
        memcpy(&reference.cpu[offset], bytes, size);
    }
    for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
        reference.byte[at].fresh &= !reference.byte[at].unclean;
    }
    ref_overwritten(offset, size, true);
    for (unsigned int i = 0; i < size; i++) {
        reference.byte[offset + i].device = true;
    }
}

/* The part of a device's access that lies in one line; DEVICES stands for one of which no start is known. */
static void ref_device(unsigned int device, size_t offset, unsigned int size, uint8_t *bytes, bool write)
{
    if (device < DEVICES) {
        reference.device[device].accessed = true;
    }
    if (write) {
        ref_device_write(device, offset, size, bytes);
    } else {
        ref_device_read(device, offset, size, bytes);
    }
}

static void ref_bounced(size_t offset, unsigned int size, bool bounced)
{
    for (unsigned int i = 0; i < size; i++) {
        reference.byte[offset + i].bounced = bounced;
    }
}

/* ---- both ---- */

static uint8_t cpu[SIZE], dram[SIZE], states[MOST_LINES];
static struct found found[KINDS][2];
static struct cache_model *model;
static struct order_starts starts[DEVICES];
static struct cache_shortcut shortcuts[MOST_LINES]; /* what the model lets its caller do by itself */
static struct cache_shared shared;
static const char access; /* who accesses: handed on to hazard() */

static void line_changed(void *opaque, size_t line, bool rewritten)
{
    (void)opaque, (void)rewritten;
    shortcuts[line].readable = shortcuts[line].writable = false;
}

static void hazard(void *opaque, const struct cache_incident *incident)
{
    bool stale_read = incident->kind == CACHE_STALE_CPU_READ;

    (void)opaque;
    CHECK(incident->access == &access);
    CHECK_EQ(incident->bounced, stale_read && reference.byte[incident->offset].bounced);
    CHECK_EQ(incident->of_clean, incident->kind == CACHE_MISSING_BARRIER && incident->by_device &&
                                     !incident->by_device_write && reference.byte[incident->offset].cleaned);
    found[incident->kind][incident->by_device].count++;
    found[incident->kind][incident->by_device].last = incident->offset;
}

static uint32_t next_random(void)
{
    static uint32_t x = 2463534242u;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

static void load(size_t offset, unsigned int size)
{
    struct cache_shortcut *shortcut = &shortcuts[offset / line_size];

    if (shortcut->readable) {
        *shortcut->stamp = ++*shared.clock;
    } else {
        *shortcut = cache_cpu_read(model, offset, size, &access);
    }
}

static void store(size_t offset, unsigned int size)
{
    struct cache_shortcut *shortcut = &shortcuts[offset / line_size];

    if (shortcut->writable) {
        *shortcut->stamp = ++*shared.clock;
        cache_keep_store(&shared.stores[shortcut->line], ((1ull << size) - 1) << offset % line_size,
                         *shared.barriers);
    } else {
        *shortcut = cache_cpu_write(model, offset, size, &access);
    }
}

static void device_access(size_t offset, unsigned int size, bool write)
{
    uint8_t bytes[16], expected[16];
    unsigned int first = (unsigned int)(line_size - offset % line_size), device = next_random() % (DEVICES + 1);
    struct order_starts *own = device < DEVICES ? &starts[device] : NULL;

    memset(bytes, (int)(next_random() & 0xff), sizeof(bytes));
    memcpy(expected, bytes, sizeof(bytes));
    first = first < size ? first : size;
    ref_device(device, offset, first, expected, write);
    if (first < size) {
        ref_device(device, offset + first, size - first, expected + first, write);
    }
    if (write) {
        cache_device_write(model, offset, bytes, size, own, &access);
    } else {
        cache_device_read(model, offset, bytes, size, own, &access);
        CHECK(memcmp(bytes, expected, size) == 0);
    }
}

/* A barrier, a start, perhaps by a store-release, or something that tells the CPU. */
static void order(uint32_t lot)
{
    unsigned int device = lot >> 8 & 3;
    bool flag = lot >> 10 & 1;

    switch (lot % 4) {
    case 0:
    case 1:
        ref_barrier(lot & 1 ? ORDER_FULL : ORDER_STORES);
        cache_barrier(model, lot & 1 ? ORDER_FULL : ORDER_STORES);
        break;
    case 2:
        ref_told(flag);
        cache_told(model, flag);
        break;
    default:
        device = device < DEVICES ? device : 0;
        flag = flag && reference.device[device].count < MOST_STARTS;
        reference.releasing = lot >> 11 & 1;
        cache_release(model, reference.releasing);
        ref_started(device, flag);
        cache_device_started(model, &starts[device], flag);
        cache_release(model, false);
    }
}

/* Where the next operation is: mostly in the line of the one before, or else in a quarter of the memory, so
 * that what follows from several operations on one line is met often. */
static size_t place(unsigned int size)
{
    static size_t line;

    if (next_random() % 8 == 0) {
        line = next_random() % (SIZE / 4) / line_size;
    }
    return line * line_size + next_random() % (line_size / size) * size;
}

static void step(void)
{
    unsigned int size = 1u << next_random() % 5;
    size_t offset = place(size);
    enum cache_operation operation = (enum cache_operation)(1 + next_random() % 3);
    uint8_t bytes[16];

    memset(bytes, (int)(next_random() & 0xff), sizeof(bytes));
    switch (next_random() % 12) {
    case 0:
    case 1:
        ref_store(offset, size, bytes);
        memcpy(cpu + offset, bytes, size);
        store(offset, size);
        break;
    case 2:
    case 3:
        ref_load(offset, size);
        load(offset, size);
        break;
    case 4:
        reference.now++;
        ref_store_uncached(offset, size, bytes);
        memcpy(cpu + offset, bytes, size);
        cache_cpu_write_uncached(model, offset, size, &access);
        break;
    case 5:
        reference.now++;
        ref_load_uncached(offset, size);
        cache_cpu_read_uncached(model, offset, size, &access);
        break;
    case 6:
        ref_maintain(operation, offset / line_size, true);
        cache_maintain(model, operation, offset);
        break;
    case 7:
        order(next_random());
        break;
    case 8:
        ref_maintain_set_way(operation, offset / line_size % SETS, size % 4);
        cache_maintain_set_way(model, operation, offset / line_size % SETS, size % 4);
        break;
    case 9:
        offset = next_random() % (SIZE / 4 - 16);
        ref_bounced(offset, size, operation & 1);
        (operation & 1 ? cache_bounced : cache_forget_bounced)(model, offset, size);
        break;
    default:
        device_access(next_random() % (SIZE / 4 - 16), size, next_random() & 1);
    }
}

static void compare(size_t line)
{
    unsigned int state = (reference.line[line].valid ? CACHE_LINE_VALID : 0) |
                         (reference.line[line].dirty ? CACHE_LINE_DIRTY : 0);

    for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
        const struct byte *byte = &reference.byte[at];

        state |= (byte->unclean ? CACHE_LINE_UNCLEAN : 0) | (byte->device ? CACHE_LINE_STALE : 0);
        state |= byte->early || byte->pending || byte->lost_cpu || byte->lost_device || byte->bounced
                     ? CACHE_LINE_OWED
                     : 0;
    }
    CHECK_EQ(states[line] & CACHE_LINE_BITS, state);
    CHECK(memcmp(cpu + line * line_size, reference.cpu + line * line_size, line_size) == 0);
    CHECK(memcmp(dram + line * line_size, reference.dram + line * line_size, line_size) == 0);
}

static void walk(enum cache_schedule schedule, uint32_t line, unsigned long steps)
{
    const struct cache_geometry geometry = {line, SETS, WAYS};
    const struct cache_views views = {cpu, dram, states, SIZE};
    const struct cache_events events = {line_changed, hazard, NULL, NULL};

    memset(&reference, 0, sizeof(reference));
    reference.moment = reference.full = reference.stores = 1;
    memset(found, 0, sizeof(found));
    memset(starts, 0, sizeof(starts));
    memset(shortcuts, 0, sizeof(shortcuts));
    memset(cpu, 0, SIZE);
    memset(dram, 0, SIZE);
    memset(states, 0, sizeof(states));
    line_size = line;
    lines = SIZE / line;
    reference.endless = schedule == CACHE_NEVER;
    model = cache_model_new(&geometry, &views, &events);
    CHECK(model != NULL);
    shared = cache_model_shared(model);
    cache_model_set_schedule(model, schedule, 1);
    for (unsigned long n = 0; n < steps; n++) {
        step();
        CHECK(memcmp(found, reference.found, sizeof(found)) == 0);
        compare(next_random() % (lines / 4));
        for (size_t each = 0; n % 64 == 0 && each < lines; each++) {
            compare(each);
        }
    }
    for (unsigned int kind = 1; kind < KINDS; kind++) {
        CHECK(found[kind][0].count + found[kind][1].count > 0); /* each kind was met */
    }
    cache_model_free(model);
}

int main(int argc, char **argv)
{
    unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;

    walk(CACHE_LRU, 64, steps);
    walk(CACHE_NEVER, 64, steps);
    walk(CACHE_LRU, 32, steps / 4);
    walk(CACHE_NEVER, 32, steps / 4);
    puts("ok cache_reference");
    return 0;
}
