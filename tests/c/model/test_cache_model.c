/* SPDX-License-Identifier: Apache-2.0 */
/* The cache model alone: what each operation does to both views, and its invariant under a long walk. */
#include <string.h>

#include "check.h"
#include "model/cache_model.h"

enum { SIZE = 64 * 4096, LINE = 64, LINES = SIZE / LINE };

static uint8_t cpu[SIZE], dram[SIZE], states[LINES];
static unsigned int found[8][2]; /* by kind and by who: the CPU, a device */
static struct cache_model *model;

static void line_changed(void *opaque, size_t line, bool rewritten)
{
    (void)opaque;
    (void)rewritten;
    CHECK(line < LINES);
}

static void hazard(void *opaque, const struct cache_incident *incident)
{
    (void)opaque;
    CHECK(incident->offset < SIZE);
    CHECK(incident->access == NULL);
    found[incident->kind][incident->by_device]++;
}

/* Exactly so many of one kind since the last time, and nothing else. */
static void expect(enum cache_hazard kind, bool by_device, unsigned int count)
{
    CHECK_EQ(found[kind][by_device], count);
    found[kind][by_device] = 0;
    for (unsigned int i = 0; i < 8; i++) {
        CHECK_EQ(found[i][0] + found[i][1], 0);
    }
}

static void expect_nothing(void)
{
    expect(CACHE_STALE_CPU_READ, false, 0);
}

static void begin(uint32_t sets, uint32_t ways, enum cache_schedule schedule, uint64_t seed)
{
    const struct cache_geometry geometry = {LINE, sets, ways};
    const struct cache_views views = {cpu, dram, states, SIZE};
    const struct cache_events events = {line_changed, hazard, NULL};

    memset(cpu, 0, SIZE);
    memset(dram, 0, SIZE);
    memset(states, 0, LINES);
    memset(found, 0, sizeof(found));
    model = cache_model_new(&geometry, &views, &events);
    CHECK(model != NULL);
    cache_model_set_schedule(model, schedule, seed);
}

static void end(void)
{
    cache_model_free(model);
}

static void store(size_t offset, uint8_t value)
{
    cpu[offset] = value;
    cache_cpu_write(model, offset, 1, NULL);
}

static uint8_t load(size_t offset)
{
    uint8_t value = cpu[offset];

    cache_cpu_read(model, offset, 1, NULL);
    return value;
}

static uint8_t device_load(size_t offset)
{
    uint8_t value;

    cache_device_read(model, offset, &value, 1, NULL);
    return value;
}

static void device_store(size_t offset, uint8_t value)
{
    cache_device_write(model, offset, &value, 1, NULL);
}

static void a_store_stays_in_the_cache_until_it_is_cleaned(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 7);
    CHECK_EQ(device_load(100), 0);
    expect(CACHE_STALE_DEVICE_READ, true, 1);
    CHECK_EQ(states[1], CACHE_LINE_VALID | CACHE_LINE_DIRTY | CACHE_LINE_UNCLEAN);
    CHECK_EQ(cache_maintain(model, CACHE_CLEAN, 64), CACHE_LINE_VALID | CACHE_LINE_DIRTY | CACHE_LINE_UNCLEAN);
    CHECK_EQ(states[1], CACHE_LINE_VALID | CACHE_LINE_OWED);
    cache_barrier(model, true);
    CHECK_EQ(device_load(100), 7);
    expect_nothing();
    CHECK_EQ(states[1], CACHE_LINE_VALID);
    end();
}

static void a_device_write_hides_behind_a_valid_line(void)
{
    begin(16, 4, CACHE_LRU, 0);
    CHECK_EQ(load(100), 0);
    device_store(100, 9);
    CHECK_EQ(load(100), 0);
    expect(CACHE_STALE_CPU_READ, false, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_barrier(model, true);
    CHECK_EQ(load(100), 9);
    expect_nothing();
    end();
}

static void a_device_write_to_an_absent_line_shows_and_is_owed_an_invalidate(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 9);
    CHECK_EQ(load(100), 9);
    expect(CACHE_STALE_CPU_READ, false, 1);
    end();
}

static void other_bytes_of_the_line_are_nobodys_fault(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 9);
    CHECK_EQ(load(101), 0);
    expect_nothing();
    store(200, 1);
    CHECK_EQ(device_load(255), 0);
    expect_nothing();
    end();
}

static void writing_one_line_from_both_sides_is(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 9);
    store(64, 1);
    expect(CACHE_SHARED_LINE, false, 1);
    store(200, 1);
    device_store(210, 2);
    expect(CACHE_SHARED_LINE, true, 1);
    end();
}

static void a_store_of_the_whole_line_leaves_nothing_of_the_device(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 9);
    memset(cpu + 64, 1, LINE);
    cache_cpu_write(model, 64, LINE, NULL);
    expect_nothing();
    cache_model_reset(model);
    CHECK_EQ(states[1], 0);
    end();
}

static void a_device_write_onto_dirty_bytes_is_lost(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    device_store(100, 9);
    expect(CACHE_LOST_DEVICE_WRITE, true, 1);
    end();
}

static void a_write_back_destroys_what_a_device_wrote_beside(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    device_store(110, 9);
    expect(CACHE_SHARED_LINE, true, 1);
    cache_maintain(model, CACHE_CLEAN_INVALIDATE, 100);
    cache_barrier(model, true);
    CHECK_EQ(load(110), 0);
    expect(CACHE_LOST_DEVICE_WRITE, false, 1);
    CHECK_EQ(device_load(110), 0);
    expect(CACHE_LOST_DEVICE_WRITE, true, 1);
    end();
}

static void a_discarded_store_is_missed_when_it_is_read(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    expect_nothing();
    CHECK_EQ(load(100), 0);
    expect(CACHE_LOST_CPU_WRITE, false, 1);
    store(100, 2);
    CHECK_EQ(load(100), 2);
    expect_nothing();
    end();
}

static void a_dirty_receive_buffer_may_be_discarded(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_barrier(model, true);
    device_store(100, 9);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_barrier(model, true);
    CHECK_EQ(load(100), 9);
    expect_nothing();
    end();
}

static void maintenance_is_complete_at_the_barrier(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 7);
    cache_maintain(model, CACHE_CLEAN, 100);
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, false); /* a DMB does not complete it */
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, true);
    device_load(100);
    expect_nothing();
    device_store(100, 9);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    cache_barrier(model, true);
    load(100);
    expect_nothing();
    end();
}

static void store_uncached(size_t offset, uint8_t value)
{
    cpu[offset] = value;
    cache_cpu_write_uncached(model, offset, 1, NULL);
}

static void a_start_without_a_barrier_races_with_the_stores_before_it(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store_uncached(100, 1);
    cache_device_started(model);
    store_uncached(200, 1); /* after the start: not judged */
    device_load(200);
    expect_nothing();
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, false);
    cache_device_started(model);
    device_load(100);
    expect_nothing();
    end();
}

static void an_uncached_access_to_a_valid_line_is_told(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    cache_cpu_read_uncached(model, 100, NULL);
    expect(CACHE_MISMATCHED_ALIAS, false, 1);
    CHECK_EQ(states[1] & CACHE_LINE_VALID, 0);
    CHECK_EQ(dram[100], 1);
    end();
}

static void set_and_way_reach_the_line(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(3 * 64, 5); /* set 3, the first way */
    cache_maintain_set_way(model, CACHE_CLEAN, 3, 1);
    CHECK_EQ(dram[3 * 64], 0);
    cache_maintain_set_way(model, CACHE_CLEAN, 3, 0);
    CHECK_EQ(dram[3 * 64], 5);
    store(3 * 64, 6);
    cache_maintain_set_way(model, CACHE_CLEAN, 99, 0);
    cache_maintain_set_way(model, CACHE_CLEAN, 3, 99);
    CHECK_EQ(dram[3 * 64], 5);
    end();
}

static void under_never_nothing_leaves(void)
{
    begin(1, 1, CACHE_NEVER, 0);
    for (size_t line = 0; line < LINES; line++) {
        store(line * LINE, 1);
    }
    for (size_t line = 0; line < LINES; line++) {
        CHECK_EQ(dram[line * LINE], 0);
    }
    cache_maintain(model, CACHE_INVALIDATE, 0);
    cache_maintain_set_way(model, CACHE_CLEAN, 0, 0);
    CHECK_EQ(dram[0], 0);
    CHECK_EQ(dram[(LINES - 1) * LINE], 1);
    end();
}

static void under_eager_dirty_lines_go_down_at_any_moment(void)
{
    begin(64, 4, CACHE_EAGER, 1);
    for (size_t line = 0; line < LINES / 2; line++) {
        store(line * LINE, 1);
    }
    CHECK(cache_model_counts(model)->write_backs > 0);
    device_load(0);
    expect(CACHE_STALE_DEVICE_READ, true, 1); /* by order, wherever the bytes are */
    end();
}

static void an_invalidate_loses_stores(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 7);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    CHECK_EQ(load(100), 0);
    expect(CACHE_LOST_CPU_WRITE, false, 1);
    end();
}

static void clean_and_invalidate_keeps_them(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 7);
    cache_maintain(model, CACHE_CLEAN_INVALIDATE, 100);
    CHECK_EQ(states[1], CACHE_LINE_OWED);
    CHECK_EQ(dram[100], 7);
    CHECK_EQ(load(100), 7);
    end();
}

static void the_oldest_way_leaves_and_luck_is_not_maintenance(void)
{
    begin(1, 2, CACHE_LRU, 0);
    store(0, 1);
    store(64, 2);
    load(0);
    store(128, 3); /* evicts line 1, the oldest */
    CHECK_EQ(states[1] & CACHE_LINE_VALID, 0);
    CHECK_EQ(states[0] & CACHE_LINE_VALID, CACHE_LINE_VALID);
    CHECK_EQ(device_load(64), 2);
    expect(CACHE_STALE_DEVICE_READ, true, 1);
    CHECK_EQ(cache_model_counts(model)->write_backs, 1);
    end();
}

static void an_uncached_store_reaches_the_device(void)
{
    begin(16, 4, CACHE_LRU, 0);
    cpu[100] = 5;
    cache_cpu_write_uncached(model, 100, 1, NULL);
    CHECK_EQ(device_load(100), 5);
    expect_nothing();
    end();
}

static void the_last_writer_counts(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 9);
    store(100, 1);
    CHECK_EQ(load(100), 1);
    cache_maintain(model, CACHE_CLEAN_INVALIDATE, 100);
    device_store(100, 2);
    CHECK_EQ(device_load(100), 2);
    expect_nothing();
    end();
}

static void speculation_fills_known_pages_only_and_by_seed(void)
{
    uint64_t fills[3];

    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(64, 4, CACHE_SPECULATIVE, seed == 3 ? 1 : seed);
        cache_model_page_cacheable(model, 4096);
        cache_model_begin(model, 1);
        for (size_t at = 0; at < 4 * 4096; at++) {
            device_store(at, 1);
        }
        fills[seed - 1] = cache_model_counts(model)->fills;
        for (size_t line = 0; line < LINES; line++) {
            CHECK(!(states[line] & CACHE_LINE_VALID) || line / 64 == 1);
        }
        CHECK(fills[seed - 1] > 0);
        end();
    }
    CHECK_EQ(fills[0], fills[2]);
}

/* The order of draws differs between seeds, so the lines that a short walk leaves differ. */
static void seeds_differ(void)
{
    uint8_t first[LINES];

    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(64, 4, CACHE_SPECULATIVE, seed);
        cache_model_page_cacheable(model, 0);
        cache_model_begin(model, 1);
        for (size_t at = 0; at < 64; at++) {
            device_store(at * 64, 1);
        }
        if (seed == 1) {
            memcpy(first, states, LINES);
        } else {
            CHECK(memcmp(first, states, LINES) != 0);
        }
        end();
    }
}

static void speculation_ends_at_the_end_of_memory(void)
{
    begin(64, 4, CACHE_SPECULATIVE, 1);
    for (unsigned int i = 0; i < 10000; i++) {
        device_store(SIZE - 1, 1);
    }
    CHECK_EQ(cache_model_counts(model)->fills, 0);
    cache_model_page_cacheable(model, SIZE - 4096);
    cache_model_page_cacheable(model, SIZE - 4096);
    cache_model_begin(model, 1);
    for (unsigned int i = 0; i < 10000; i++) {
        device_store(SIZE - 1, 1);
    }
    CHECK(cache_model_counts(model)->fills > 0);
    end();
}

static void what_a_device_wrote_to_a_bounce_page_is_not_here_before_it_is_copied(void)
{
    begin(16, 4, CACHE_LRU, 0);
    cache_bounced(model, 120, 16); /* over the end of a line */
    load(119);
    expect_nothing();
    load(120);
    load(128);
    expect(CACHE_STALE_CPU_READ, false, 2);
    cache_maintain(model, CACHE_INVALIDATE, 128); /* of no use */
    cache_barrier(model, true);
    load(128);
    expect(CACHE_STALE_CPU_READ, false, 1);
    store(128, 9);
    load(128);
    cache_forget_bounced(model, 120, 8);
    load(120);
    expect_nothing();
    end();
}

static void impossible_geometries_are_refused(void)
{
    static const struct cache_geometry wrong[] = {{0, 16, 4}, {48, 16, 4}, {64, 3, 4},
                                                  {64, 0, 4}, {64, 16, 0}, {64, 16, 65}};
    const struct cache_views views = {cpu, dram, states, SIZE};
    const struct cache_events events = {line_changed, hazard, NULL};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(cache_model_new(&wrong[i], &views, &events) == NULL);
    }
}

static void views_of_broken_pages_are_refused(void)
{
    static const size_t wrong[] = {0, 64, 4096 + 64};
    const struct cache_geometry geometry = {LINE, 16, 4};
    const struct cache_events events = {line_changed, hazard, NULL};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct cache_views views = {cpu, dram, states, wrong[i]};

        CHECK(cache_model_new(&geometry, &views, &events) == NULL);
    }
}

static uint32_t next_random(void)
{
    static uint32_t x = 1;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

static void random_step(void)
{
    size_t offset = next_random() % (SIZE - 8);
    unsigned int size = 1 + next_random() % 8;
    uint8_t bytes[8];

    memset(bytes, (int)(next_random() & 0xff), sizeof(bytes));
    switch (next_random() % 7) {
    case 0:
        offset &= ~7ull;
        memcpy(cpu + offset, bytes, 8);
        cache_cpu_write(model, offset, 8, NULL);
        cache_model_page_cacheable(model, offset);
        break;
    case 1:
        cache_cpu_read(model, offset & ~7ull, 8, NULL);
        break;
    case 2:
        cache_device_write(model, offset, bytes, size, NULL);
        break;
    case 3:
        cache_device_read(model, offset, bytes, size, NULL);
        break;
    case 4:
        cache_maintain(model, (enum cache_operation)(1 + next_random() % 3), offset);
        break;
    case 5:
        cache_barrier(model, next_random() & 1);
        cache_device_started(model);
        break;
    default:
        offset &= ~7ull;
        memcpy(cpu + offset, bytes, 8);
        cache_cpu_write_uncached(model, offset, 8, NULL);
    }
}

static void an_invalid_line_is_the_same_in_both_views(enum cache_schedule schedule)
{
    begin(16, 4, schedule, 5);
    for (unsigned int step = 0; step < 200000; step++) {
        random_step();
        for (size_t line = 0; step % 500 == 0 && line < LINES; line++) {
            CHECK((states[line] & CACHE_LINE_VALID) ||
                  memcmp(cpu + line * LINE, dram + line * LINE, LINE) == 0);
        }
    }
    cache_model_reset(model);
    for (size_t line = 0; line < LINES; line++) {
        CHECK_EQ(states[line], 0);
    }
    end();
}

int main(void)
{
    a_store_stays_in_the_cache_until_it_is_cleaned();
    a_device_write_hides_behind_a_valid_line();
    a_device_write_to_an_absent_line_shows_and_is_owed_an_invalidate();
    other_bytes_of_the_line_are_nobodys_fault();
    writing_one_line_from_both_sides_is();
    a_store_of_the_whole_line_leaves_nothing_of_the_device();
    a_device_write_onto_dirty_bytes_is_lost();
    a_write_back_destroys_what_a_device_wrote_beside();
    a_discarded_store_is_missed_when_it_is_read();
    a_dirty_receive_buffer_may_be_discarded();
    maintenance_is_complete_at_the_barrier();
    a_start_without_a_barrier_races_with_the_stores_before_it();
    an_uncached_access_to_a_valid_line_is_told();
    set_and_way_reach_the_line();
    under_never_nothing_leaves();
    under_eager_dirty_lines_go_down_at_any_moment();
    an_invalidate_loses_stores();
    clean_and_invalidate_keeps_them();
    the_oldest_way_leaves_and_luck_is_not_maintenance();
    an_uncached_store_reaches_the_device();
    the_last_writer_counts();
    speculation_fills_known_pages_only_and_by_seed();
    seeds_differ();
    speculation_ends_at_the_end_of_memory();
    what_a_device_wrote_to_a_bounce_page_is_not_here_before_it_is_copied();
    impossible_geometries_are_refused();
    views_of_broken_pages_are_refused();
    for (unsigned int schedule = CACHE_LRU; schedule <= CACHE_EAGER; schedule++) {
        an_invalid_line_is_the_same_in_both_views((enum cache_schedule)schedule);
    }
    puts("ok cache_model");
    return 0;
}
