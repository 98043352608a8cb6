/* SPDX-License-Identifier: Apache-2.0 */
/* The cache model alone: what each operation does to both views, and its invariant under a long walk. */
#include <string.h>

#include "check.h"
#include "model/cache_model.h"

enum { SIZE = 64 * 4096, LINE = 64, LINES = SIZE / LINE };

static uint8_t cpu[SIZE], dram[SIZE], states[LINES];
static unsigned int found[8][2]; /* by kind and by who: the CPU, a device */
static struct cache_model *model;
static struct order_starts starts; /* of the device, where a test starts it */

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
    const struct cache_events events = {line_changed, hazard, NULL, NULL};

    memset(cpu, 0, SIZE);
    memset(dram, 0, SIZE);
    memset(states, 0, LINES);
    memset(found, 0, sizeof(found));
    memset(&starts, 0, sizeof(starts));
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

    cache_device_read(model, offset, &value, 1, &starts, NULL);
    return value;
}

static void device_store(size_t offset, uint8_t value)
{
    cache_device_write(model, offset, &value, 1, &starts, NULL);
}

static void a_store_stays_in_the_cache_until_it_is_cleaned(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 7);
    CHECK_EQ(device_load(100), 0);
    expect(CACHE_STALE_DEVICE_READ, true, 1);
    CHECK_EQ(states[1] & CACHE_LINE_BITS, CACHE_LINE_VALID | CACHE_LINE_DIRTY | CACHE_LINE_UNCLEAN);
    CHECK_EQ(cache_maintain(model, CACHE_CLEAN, 64), CACHE_LINE_VALID | CACHE_LINE_DIRTY | CACHE_LINE_UNCLEAN);
    CHECK_EQ(states[1] & CACHE_LINE_BITS, CACHE_LINE_VALID);
    cache_barrier(model, ORDER_FULL);
    CHECK_EQ(device_load(100), 7);
    expect_nothing();
    CHECK_EQ(states[1] & CACHE_LINE_BITS, CACHE_LINE_VALID);
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
    cache_barrier(model, ORDER_FULL);
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
    cache_barrier(model, ORDER_FULL);
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
    cache_barrier(model, ORDER_FULL);
    device_store(100, 9);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_barrier(model, ORDER_FULL);
    CHECK_EQ(load(100), 9);
    expect_nothing();
    end();
}

static void start(void)
{
    cache_device_started(model, &starts, false);
}

static void start_by_release(void)
{
    cache_release(model, true);
    start();
    cache_release(model, false);
}

static void store_uncached(size_t offset, uint8_t value)
{
    cpu[offset] = value;
    cache_cpu_write_uncached(model, offset, 1, NULL);
}

static uint8_t load_uncached(size_t offset)
{
    uint8_t value = cpu[offset];

    cache_cpu_read_uncached(model, offset, 1, NULL);
    return value;
}

static void maintenance_must_be_ordered_before_the_start(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 7);
    cache_maintain(model, CACHE_CLEAN, 100);
    device_load(100); /* of a device that nobody has started */
    expect_nothing();
    start();
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, ORDER_FULL); /* after the start */
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, ORDER_STORES);
    start();
    device_load(100);
    expect_nothing();
    store(100, 8);
    cache_maintain(model, CACHE_CLEAN, 100);
    cache_barrier(model, ORDER_STORES); /* orders no maintenance */
    start();
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    start_by_release(); /* neither does that */
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    end();
}

static void a_neighbour_neither_hides_nor_blames(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store_uncached(100, 1);
    cache_barrier(model, ORDER_STORES);
    store_uncached(101, 1);
    start();
    store_uncached(102, 1); /* after the start: not judged */
    device_load(100);
    device_load(102);
    expect_nothing();
    device_load(101);
    expect(CACHE_MISSING_BARRIER, true, 1);
    start_by_release();
    device_load(101);
    expect_nothing();
    end();
}

static void doorbells_add_up_until_the_device_accesses(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store_uncached(100, 1);
    cache_device_started(model, &starts, true);
    cache_barrier(model, ORDER_FULL);
    cache_device_started(model, &starts, true);
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_device_started(model, &starts, true); /* after the access */
    device_load(100);
    expect_nothing();
    for (unsigned int i = 0; i < ORDER_STARTS + 3; i++) {
        store_uncached(100 + i, 1);
        cache_device_started(model, &starts, true);
        cache_barrier(model, ORDER_FULL);
    }
    device_load(102); /* of so many the oldest are forgotten */
    expect_nothing();
    device_load(103);
    device_load(100 + ORDER_STARTS + 2);
    expect(CACHE_MISSING_BARRIER, true, 2);
    end();
}

static void a_line_under_maintenance_is_not_the_devices_yet(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    cache_maintain(model, CACHE_CLEAN_INVALIDATE, 100);
    start();
    device_store(101, 9); /* the write-back of the line may come later */
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, ORDER_FULL);
    cache_maintain(model, CACHE_INVALIDATE, 200);
    start();
    cache_barrier(model, ORDER_FULL);
    cache_maintain(model, CACHE_INVALIDATE, 200); /* after the start, as a loop that polls has it */
    device_store(200, 9);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, ORDER_FULL);
    start();
    device_store(101, 9);
    device_store(200, 9);
    expect_nothing();
    end();
}

static void an_invalidate_counts_behind_a_barrier(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 9);
    device_store(200, 9);
    cache_told(model, false); /* by an interrupt */
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_barrier(model, ORDER_FULL); /* too late */
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_maintain(model, CACHE_INVALIDATE, 200);
    load(100);
    load(200);
    expect_nothing();
    device_store(100, 9);
    cache_told(model, true); /* by a register: a barrier behind the invalidate will do */
    cache_maintain(model, CACHE_INVALIDATE, 100);
    cache_barrier(model, ORDER_STORES);
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    cache_barrier(model, ORDER_FULL);
    load(100);
    expect_nothing();
    end();
}

/* What a device writes at any moment of a loop that invalidates and loads. */
static void polling_is_right(void)
{
    begin(16, 4, CACHE_LRU, 0);
    load(100);
    device_store(100, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    CHECK_EQ(load(100), 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    device_store(100, 2);
    device_store(101, 3);
    CHECK_EQ(load(100), 2);
    CHECK_EQ(load(101), 3); /* of the same fill */
    expect_nothing();
    device_store(100, 4);
    CHECK_EQ(load(100), 2); /* without another invalidate */
    expect(CACHE_STALE_CPU_READ, false, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    load(101);
    device_store(100, 5);
    device_store(101, 5);
    CHECK_EQ(load(100), 4); /* the line was filled before: old, but another turn of the loop */
    expect_nothing();
    load(101); /* a second time */
    expect(CACHE_STALE_CPU_READ, false, 1);
    end();
}

static void whom_a_flag_tells_of_data_owes_a_barrier(void)
{
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 1);
    device_store(200, 1); /* a flag */
    CHECK_EQ(load_uncached(200), 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    device_store(100, 2);
    device_store(300, 2); /* another, that is polled through the cache */
    cache_maintain(model, CACHE_INVALIDATE, 300);
    CHECK_EQ(load(300), 2);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    cache_maintain(model, CACHE_INVALIDATE, 300);
    device_store(100, 3);
    device_store(300, 3);
    CHECK_EQ(load(300), 3);
    load(100);
    expect(CACHE_STALE_CPU_READ, false, 1);
    cache_barrier(model, ORDER_FULL);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    CHECK_EQ(load(100), 3);
    expect_nothing();
    end();
}

/* A store, and one to the byte behind it that the model lets its caller do by itself. */
static void store_two(size_t offset)
{
    const struct cache_shared shared = cache_model_shared(model);
    struct cache_shortcut shortcut = cache_cpu_write(model, offset, 1, NULL);

    CHECK(shortcut.writable);
    *shortcut.stamp = ++*shared.clock;
    cache_keep_store(&shared.stores[shortcut.line], 2ull << offset % LINE, *shared.barriers);
}

/* A byte that the CPU has stored is not polled for, and whoever loads it is told of nothing. */
static void a_store_ends_polling(void)
{
    begin(16, 4, CACHE_LRU, 0);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    store_two(100);
    store_uncached(101, 1);
    expect(CACHE_MISMATCHED_ALIAS, false, 1);
    device_store(101, 2);
    expect(CACHE_SHARED_LINE, true, 1); /* with the first of the two */
    load(101);
    expect(CACHE_STALE_CPU_READ, false, 1);
    end();
    begin(16, 4, CACHE_LRU, 0);
    device_store(100, 1);
    device_store(101, 1);
    device_store(200, 1);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    store_two(100);
    cache_maintain(model, CACHE_INVALIDATE, 100);
    load(101);
    expect(CACHE_LOST_CPU_WRITE, false, 1);
    cache_maintain(model, CACHE_INVALIDATE, 200); /* polling, still */
    load(200);
    expect_nothing();
    end();
}

/* Operations on every way of the set of a byte. */
static void maintain_set(enum cache_operation operation, size_t offset)
{
    for (uint32_t way = 0; way < 4; way++) {
        cache_maintain_set_way(model, operation, (uint32_t)(offset / LINE % 16), way);
    }
}

static void set_and_way_take_a_barrier_on_both_sides(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    maintain_set(CACHE_CLEAN, 100); /* perhaps before the store */
    cache_barrier(model, ORDER_FULL);
    start();
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    maintain_set(CACHE_CLEAN, 100);
    start();
    device_load(100);
    expect(CACHE_MISSING_BARRIER, true, 1);
    cache_barrier(model, ORDER_FULL);
    start();
    device_load(100);
    expect_nothing();
    device_store(100, 2);
    cache_told(model, false);
    maintain_set(CACHE_INVALIDATE, 100);
    cache_barrier(model, ORDER_FULL);
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    maintain_set(CACHE_INVALIDATE, 100);
    load(100);
    expect(CACHE_MISSING_BARRIER, false, 1);
    cache_barrier(model, ORDER_FULL);
    CHECK_EQ(load(100), 2);
    expect_nothing();
    end();
}

static void set_and_way_stand_for_lines_that_have_left(void)
{
    begin(16, 1, CACHE_LRU, 0);
    store(100, 1);
    load(100 + 16 * LINE); /* in its place */
    cache_barrier(model, ORDER_FULL);
    maintain_set(CACHE_CLEAN, 100);
    cache_barrier(model, ORDER_FULL);
    start();
    CHECK_EQ(device_load(100), 1);
    device_store(100, 2);
    cache_barrier(model, ORDER_FULL);
    maintain_set(CACHE_INVALIDATE, 100);
    cache_barrier(model, ORDER_FULL);
    CHECK_EQ(load(100), 2);
    expect_nothing();
    end();
}

static void an_alias_matters_where_bytes_are_at_stake(void)
{
    begin(16, 4, CACHE_LRU, 0);
    store(100, 1);
    CHECK_EQ(load_uncached(101), 0);
    expect_nothing();
    CHECK_EQ(states[1] & CACHE_LINE_VALID, 0); /* written back */
    load_uncached(100);
    expect(CACHE_MISMATCHED_ALIAS, false, 1); /* that was luck */
    CHECK_EQ(dram[100], 1);
    store_uncached(101, 2); /* a write-back of the line would bring back what was there */
    expect(CACHE_MISMATCHED_ALIAS, false, 1);
    cache_maintain(model, CACHE_CLEAN, 100);
    load(100);
    store_uncached(101, 3); /* to a clean line */
    CHECK_EQ(load_uncached(100), 1);
    CHECK_EQ(dram[101], 3);
    expect_nothing();
    load(100);
    device_store(100, 9);
    store_uncached(101, 4); /* what the device wrote beside is not lost */
    CHECK_EQ(cpu[100], 9);
    load(100);
    expect(CACHE_STALE_CPU_READ, false, 1);
    device_store(100, 8);
    load_uncached(100); /* it got the cache's byte in this emulator */
    expect(CACHE_MISMATCHED_ALIAS, false, 1);
    end();
}

static void a_page_with_an_alias_is_not_filled_speculatively(void)
{
    begin(64, 4, CACHE_SPECULATIVE, 1);
    cache_model_page_cacheable(model, 0);
    cache_model_page_uncached(model, 0);
    cache_model_page_cacheable(model, 0);
    for (unsigned int i = 0; i < 10000; i++) {
        device_store(i % 4096, 1);
    }
    CHECK_EQ(cache_model_counts(model)->fills, 0);
    cache_model_forget_pages(model);
    cache_model_page_cacheable(model, 0);
    for (unsigned int i = 0; i < 10000; i++) {
        device_store(i % 4096, 1);
    }
    CHECK(cache_model_counts(model)->fills > 0);
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
    CHECK_EQ(states[1] & CACHE_LINE_BITS, 0);
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
    store_uncached(100, 5);
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
    cache_barrier(model, ORDER_FULL);
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
    const struct cache_events events = {line_changed, hazard, NULL, NULL};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(cache_model_new(&wrong[i], &views, &events) == NULL);
    }
}

static void views_of_broken_pages_are_refused(void)
{
    static const size_t wrong[] = {0, 64, 4096 + 64};
    const struct cache_geometry geometry = {LINE, 16, 4};
    const struct cache_events events = {line_changed, hazard, NULL, NULL};

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
        cache_device_write(model, offset, bytes, size, &starts, NULL);
        break;
    case 3:
        cache_device_read(model, offset, bytes, size, &starts, NULL);
        break;
    case 4:
        cache_maintain(model, (enum cache_operation)(1 + next_random() % 3), offset);
        break;
    case 5:
        cache_barrier(model, next_random() & 1 ? ORDER_FULL : ORDER_STORES);
        start();
        break;
    default:
        offset &= ~7ull;
        memcpy(cpu + offset, bytes, 8);
        cache_cpu_write_uncached(model, offset, 8, NULL);
    }
}

/* What was told of the watched line, a letter each. */
static char told[32];

static void keep_told(void *opaque, const struct cache_watched *what)
{
    static const char letters[] = ".faebucivrw";
    size_t length = strlen(told);

    (void)opaque;
    CHECK(length + 1 < sizeof(told));
    told[length] = letters[what->change];
}

/* Compare what was told, and forget it. */
static void expect_told(const char *expected)
{
    CHECK(strcmp(told, expected) == 0);
    memset(told, 0, sizeof(told));
}

static void a_watched_line_tells_what_becomes_of_it(void)
{
    begin(16, 1, CACHE_LRU, 0);
    cache_model_watch(model, 64 + 5, keep_told);
    store(100, 1);
    store(101, 1);
    expect_told("f"); /* the second one changes nothing but bytes */
    store(200, 1);
    device_load(200);
    expect_told(""); /* another line */
    store(64 + 16 * LINE, 1);
    expect_told("e"); /* which takes its way */
    cache_maintain(model, CACHE_CLEAN, 127);
    cache_maintain(model, CACHE_INVALIDATE, 64);
    cache_maintain(model, CACHE_CLEAN_INVALIDATE, 64);
    expect_told("civ");
    device_store(127, 2);
    device_load(64);
    cache_cpu_read(model, 64, 1, NULL);
    cache_cpu_read_uncached(model, 64, 1, NULL);
    expect_told("wrfu");
    cache_model_watch(model, 0, NULL);
    device_load(64);
    device_load(0);
    expect_told("");
    end();
}

/* Only what is told differs from a run that nobody watches. */
static void a_watched_line_is_written_back_as_any_other(void)
{
    unsigned int count[2] = {0, 0};

    for (unsigned int watches = 0; watches < 2; watches++) {
        begin(16, 4, CACHE_EAGER, 3);
        cache_model_watch(model, 64, watches ? keep_told : NULL);
        store(64, 1);
        for (unsigned int i = 0; (states[1] & CACHE_LINE_DIRTY) && i < 1000; i++) {
            load(1024);
            count[watches]++;
        }
        end();
    }
    expect_told("fb");
    CHECK_EQ(count[0], count[1]);
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
    maintenance_must_be_ordered_before_the_start();
    a_neighbour_neither_hides_nor_blames();
    doorbells_add_up_until_the_device_accesses();
    a_line_under_maintenance_is_not_the_devices_yet();
    an_invalidate_counts_behind_a_barrier();
    polling_is_right();
    whom_a_flag_tells_of_data_owes_a_barrier();
    a_store_ends_polling();
    set_and_way_take_a_barrier_on_both_sides();
    set_and_way_stand_for_lines_that_have_left();
    an_alias_matters_where_bytes_are_at_stake();
    a_page_with_an_alias_is_not_filled_speculatively();
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
    a_watched_line_tells_what_becomes_of_it();
    a_watched_line_is_written_back_as_any_other();
    for (unsigned int schedule = CACHE_LRU; schedule <= CACHE_EAGER; schedule++) {
        an_invalid_line_is_the_same_in_both_views((enum cache_schedule)schedule);
    }
    puts("ok cache_model");
    return 0;
}
