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

enum { SIZE = 4 * 4096, SETS = 4, WAYS = 2, KINDS = 8, MOST_LINES = SIZE / 32 };

static size_t line_size, lines; /* bytes of one; how many */

/* ---- the reference ---- */

struct byte {
    bool unclean, device, cleaned, invalidated, lost_cpu, lost_device, stored, raced, bounced;
};

static struct {
    uint8_t cpu[SIZE], dram[SIZE];
    struct byte byte[SIZE];
    struct {
        bool valid, dirty;
        uint64_t used;
    } line[MOST_LINES];
    size_t way[SETS][WAYS]; /* which line is there, plus 1 */
    uint64_t now;
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

static const struct check of_load[] = {
    {CACHE_STALE_CPU_READ, MEMBER(device), MEMBER(bounced)},
    {CACHE_LOST_DEVICE_WRITE, MEMBER(lost_device), MEMBER(lost_device)},
    {CACHE_LOST_CPU_WRITE, MEMBER(lost_cpu), MEMBER(lost_cpu)},
    {CACHE_MISSING_BARRIER, MEMBER(invalidated), MEMBER(invalidated)},
};
static const struct check of_device_read[] = {
    {CACHE_STALE_DEVICE_READ, MEMBER(unclean), MEMBER(unclean)},
    {CACHE_LOST_CPU_WRITE, MEMBER(lost_cpu), MEMBER(lost_cpu)},
    {CACHE_LOST_DEVICE_WRITE, MEMBER(lost_device), MEMBER(lost_device)},
    {CACHE_MISSING_BARRIER, MEMBER(cleaned), MEMBER(raced)},
};

static void ref_check(const struct check checks[4], bool by_device, size_t offset, unsigned int size)
{
    for (unsigned int i = 0; i < 4; i++) {
        size_t one = ref_first(offset, size, checks[i].member),
               other = ref_first(offset, size, checks[i].other);

        if (one < SIZE || other < SIZE) {
            ref_found(checks[i].kind, by_device, one < other ? one : other);
            return;
        }
    }
}

static void ref_overwritten(size_t offset, unsigned int size)
{
    for (unsigned int i = 0; i < size; i++) {
        struct byte *byte = &reference.byte[offset + i];

        byte->unclean = byte->device = byte->lost_cpu = byte->lost_device = byte->raced = false;
        byte->bounced = false;
    }
}

static void ref_load(size_t offset, unsigned int size)
{
    ref_touch(offset / line_size);
    ref_check(of_load, false, offset, size);
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
    ref_overwritten(offset, size);
    for (unsigned int i = 0; i < size; i++) {
        struct byte *byte = &reference.byte[offset + i];

        byte->cleaned = byte->invalidated = false;
        byte->unclean = true;
    }
    reference.line[offset / line_size].dirty = true;
}

static void ref_uncached(size_t offset, unsigned int size, const uint8_t *bytes)
{
    size_t line = offset / line_size;

    reference.now++;
    if (bytes) {
        memcpy(&reference.cpu[offset], bytes, size);
    }
    if (reference.line[line].valid) {
        ref_found(CACHE_MISMATCHED_ALIAS, false, offset);
        reference.line[line].dirty |= bytes != NULL;
        ref_drop(line, true);
    } else if (bytes) {
        memcpy(&reference.dram[offset], bytes, size);
    }
    if (bytes) {
        ref_overwritten(offset, size);
        for (unsigned int i = 0; i < size; i++) {
            reference.byte[offset + i].stored = true;
        }
    }
}

static void ref_maintain(enum cache_operation operation, size_t line)
{
    if (operation & CACHE_CLEAN) {
        if (reference.line[line].dirty) {
            ref_write_back(line);
        }
        for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
            reference.byte[at].cleaned |= reference.byte[at].unclean;
            reference.byte[at].unclean = false;
        }
    }
    if (operation & CACHE_INVALIDATE) {
        for (size_t at = line * line_size; at < (line + 1) * line_size; at++) {
            reference.byte[at].lost_cpu |= reference.byte[at].unclean;
            reference.byte[at].unclean = false;
            reference.byte[at].invalidated |= reference.byte[at].device;
            reference.byte[at].device = false;
        }
        if (reference.line[line].valid) {
            ref_drop(line, false);
        }
    }
}

static void ref_maintain_set_way(enum cache_operation operation, size_t set, size_t way)
{
    for (size_t line = set; line < lines; line += SETS) {
        bool there = reference.endless ? way == 0 && reference.line[line].valid
                                       : way < WAYS && reference.way[set][way] == line + 1;

        if (there) {
            ref_maintain(operation, line);
        }
    }
}

static void ref_barrier(bool completes)
{
    for (size_t at = 0; at < SIZE; at++) {
        reference.byte[at].stored = false;
        if (completes) {
            reference.byte[at].cleaned = reference.byte[at].invalidated = false;
        }
    }
}

static void ref_started(void)
{
    for (size_t at = 0; at < SIZE; at++) {
        reference.byte[at].raced = reference.byte[at].stored;
        reference.byte[at].stored = false;
    }
}

/* The part of a device's access that lies in one line. */
static void ref_device(size_t offset, unsigned int size, uint8_t *bytes, bool write)
{
    if (!write) {
        ref_check(of_device_read, true, offset, size);
        memcpy(bytes, &reference.dram[offset], size);
        return;
    }
    if (ref_first(offset, size, MEMBER(unclean)) < SIZE) {
        ref_found(CACHE_LOST_DEVICE_WRITE, true, ref_first(offset, size, MEMBER(unclean)));
    } else if (ref_elsewhere(offset, size, MEMBER(unclean))) {
        size_t line = offset / line_size * line_size;

        ref_found(CACHE_SHARED_LINE, true, ref_first(line, (unsigned int)line_size, MEMBER(unclean)));
    }
    memcpy(&reference.dram[offset], bytes, size);
    if (!reference.line[offset / line_size].valid) {
        memcpy(&reference.cpu[offset], bytes, size);
    }
    ref_overwritten(offset, size);
    for (unsigned int i = 0; i < size; i++) {
        reference.byte[offset + i].cleaned = false;
        reference.byte[offset + i].device = true;
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
static const char access; /* who accesses: handed on to hazard() */

static void line_changed(void *opaque, size_t line, bool rewritten)
{
    (void)opaque, (void)line, (void)rewritten;
}

static void hazard(void *opaque, const struct cache_incident *incident)
{
    bool stale_read = incident->kind == CACHE_STALE_CPU_READ;

    (void)opaque;
    CHECK(incident->access == &access);
    CHECK_EQ(incident->bounced, stale_read && reference.byte[incident->offset].bounced);
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

static void device_access(size_t offset, unsigned int size, bool write)
{
    uint8_t bytes[16], expected[16];
    unsigned int first = (unsigned int)(line_size - offset % line_size);

    memset(bytes, (int)(next_random() & 0xff), sizeof(bytes));
    memcpy(expected, bytes, sizeof(bytes));
    first = first < size ? first : size;
    ref_device(offset, first, expected, write);
    if (first < size) {
        ref_device(offset + first, size - first, expected + first, write);
    }
    if (write) {
        cache_device_write(model, offset, bytes, size, &access);
    } else {
        cache_device_read(model, offset, bytes, size, &access);
        CHECK(memcmp(bytes, expected, size) == 0);
    }
}

static void step(void)
{
    unsigned int size = 1u << next_random() % 5;
    size_t offset = next_random() % (SIZE / 4) / size * size; /* a quarter: lines meet often */
    enum cache_operation operation = (enum cache_operation)(1 + next_random() % 3);
    uint8_t bytes[16];

    memset(bytes, (int)(next_random() & 0xff), sizeof(bytes));
    switch (next_random() % 12) {
    case 0:
    case 1:
        ref_store(offset, size, bytes);
        memcpy(cpu + offset, bytes, size);
        cache_cpu_write(model, offset, size, &access);
        break;
    case 2:
    case 3:
        ref_load(offset, size);
        cache_cpu_read(model, offset, size, &access);
        break;
    case 4:
        ref_uncached(offset, size, bytes);
        memcpy(cpu + offset, bytes, size);
        cache_cpu_write_uncached(model, offset, size, &access);
        break;
    case 5:
        ref_uncached(offset, size, NULL);
        cache_cpu_read_uncached(model, offset, &access);
        break;
    case 6:
        ref_maintain(operation, offset / line_size);
        cache_maintain(model, operation, offset);
        break;
    case 7:
        ref_barrier(size & 1);
        cache_barrier(model, size & 1);
        if (size & 2) {
            ref_started();
            cache_device_started(model);
        }
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
        state |= byte->cleaned || byte->invalidated || byte->lost_cpu || byte->lost_device || byte->stored ||
                         byte->raced || byte->bounced
                     ? CACHE_LINE_OWED
                     : 0;
    }
    CHECK_EQ(states[line], state);
    CHECK(memcmp(cpu + line * line_size, reference.cpu + line * line_size, line_size) == 0);
    CHECK(memcmp(dram + line * line_size, reference.dram + line * line_size, line_size) == 0);
}

static void walk(enum cache_schedule schedule, uint32_t line, unsigned long steps)
{
    const struct cache_geometry geometry = {line, SETS, WAYS};
    const struct cache_views views = {cpu, dram, states, SIZE};
    const struct cache_events events = {line_changed, hazard, NULL};

    memset(&reference, 0, sizeof(reference));
    memset(found, 0, sizeof(found));
    memset(cpu, 0, SIZE);
    memset(dram, 0, SIZE);
    memset(states, 0, sizeof(states));
    line_size = line;
    lines = SIZE / line;
    reference.endless = schedule == CACHE_NEVER;
    model = cache_model_new(&geometry, &views, &events);
    CHECK(model != NULL);
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
