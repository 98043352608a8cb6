/* SPDX-License-Identifier: Apache-2.0 */
/* What the cache does of its own accord: told, done again all or in part, and whether bytes are wrong for it.
 */
#include <string.h>

#include "check.h"
#include "model/cache_model.h"

enum { SIZE = 64 * 4096, LINE = 64, LINES = SIZE / LINE, STEPS = 100000, ACTS = 4 * STEPS };

static uint8_t cpu[SIZE], dram[SIZE], states[LINES];
static uint8_t written[SIZE]; /* by whoever was the last */
static struct cache_act acts[ACTS], before[ACTS];
static size_t told, told_before;
static unsigned int wrong_reads;
static struct cache_model *model;
static struct order_starts starts;

static void line_changed(void *opaque, size_t line, bool rewritten)
{
    (void)opaque;
    (void)rewritten;
    CHECK(line < LINES);
}

static void hazard(void *opaque, const struct cache_incident *incident)
{
    const uint8_t *view = incident->by_device ? dram : cpu;
    size_t line = incident->offset / LINE * LINE;

    (void)opaque;
    for (unsigned int i = 0; i < LINE; i++) {
        CHECK(!(incident->wrong >> i & 1) || view[line + i] != written[line + i]);
    }
    if (!incident->by_device_write && incident->kind != CACHE_SHARED_LINE) {
        CHECK_EQ(incident->wrong >> (incident->offset - line) & 1,
                 view[incident->offset] != written[incident->offset]);
    }
    wrong_reads += incident->wrong != 0;
}

static void acted(void *opaque, const struct cache_act *act, const void *access)
{
    (void)opaque;
    CHECK(access == &written);
    CHECK(told < ACTS);
    acts[told++] = *act;
}

static void begin(enum cache_schedule schedule)
{
    static const struct cache_geometry geometry = {LINE, 16, 4};
    static const struct cache_views views = {cpu, dram, states, SIZE};
    static const struct cache_events events = {line_changed, hazard, acted, NULL};

    memset(cpu, 0, SIZE);
    memset(dram, 0, SIZE);
    memset(written, 0, SIZE);
    memset(states, 0, LINES);
    memset(&starts, 0, sizeof(starts));
    told = wrong_reads = 0;
    model = cache_model_new(&geometry, &views, &events);
    CHECK(model != NULL);
    CHECK(cache_model_track(model));
    cache_model_set_schedule(model, schedule, 5);
}

static void store(size_t offset, uint8_t value)
{
    cpu[offset] = written[offset] = value;
}

/* Two stores to a line, the second by a shortcut if there is one. */
static void store_twice(size_t offset, uint8_t value)
{
    struct cache_shared shared = cache_model_shared(model);
    struct cache_shortcut shortcut;

    store(offset, value);
    shortcut = cache_cpu_write(model, offset, 1, &written);
    store(offset ^ 1, value);
    if (shortcut.writable) {
        *shortcut.stamp = ++*shared.clock;
        cache_keep_store(&shared.stores[shortcut.line], 1ull << ((offset ^ 1) % LINE), *shared.barriers);
    } else {
        cache_cpu_write(model, offset ^ 1, 1, &written);
    }
    cache_model_page_cacheable(model, offset);
}

static void device_store(size_t offset, uint8_t value)
{
    uint8_t bytes[100]; /* two lines, or three */

    memset(bytes, value, sizeof(bytes));
    cache_device_write(model, offset, bytes, sizeof(bytes), &starts, &written);
    memset(written + offset, value, sizeof(bytes));
}

static void step(uint64_t lot)
{
    size_t offset = (lot >> 8) % (SIZE / 4 - 100);
    uint8_t byte, value = (uint8_t)(lot >> 40);

    switch (lot % 8) {
    case 0:
    case 1:
        store_twice(offset, value);
        break;
    case 2:
        cache_cpu_read(model, offset, 1, &written);
        break;
    case 3:
        device_store(offset, value);
        break;
    case 4:
        cache_device_read(model, offset, &byte, 1, &starts, &written);
        break;
    case 5:
        cache_maintain(model, (enum cache_operation)(1 + value % 3), offset);
        break;
    case 6:
        cache_barrier(model, ORDER_FULL);
        break;
    default:
        store(offset, value);
        cache_cpu_write_uncached(model, offset, 1, &written);
    }
}

static void walk(void)
{
    uint64_t lot = 1;

    for (unsigned int i = 0; i < STEPS; i++) {
        lot ^= lot << 13;
        lot ^= lot >> 7;
        lot ^= lot << 17;
        step(lot);
    }
}

static void a_script_of_all_acts_is_the_same_run(enum cache_schedule schedule)
{
    static uint8_t cpu_before[SIZE], dram_before[SIZE], states_before[LINES];
    unsigned int wrong_before;

    begin(schedule);
    walk();
    cache_model_free(model);
    memcpy(cpu_before, cpu, SIZE);
    memcpy(dram_before, dram, SIZE);
    memcpy(states_before, states, LINES);
    memcpy(before, acts, told * sizeof(*acts));
    told_before = told;
    wrong_before = wrong_reads;
    CHECK(told_before > 0 && wrong_before > 0);

    begin(schedule);
    cache_model_follow(model, before, told_before);
    cache_model_set_schedule(model, schedule, 5); /* has nothing to say any more */
    walk();
    cache_model_free(model);
    CHECK_EQ(told, told_before);
    CHECK(memcmp(acts, before, told * sizeof(*acts)) == 0);
    CHECK(memcmp(cpu, cpu_before, SIZE) == 0 && memcmp(dram, dram_before, SIZE) == 0);
    CHECK(memcmp(states, states_before, LINES) == 0);
    CHECK_EQ(wrong_reads, wrong_before);
}

static void without_acts_no_byte_is_wrong(void)
{
    begin(CACHE_EAGER);
    cache_model_follow(model, before, 0);
    walk();
    CHECK_EQ(told, 0);
    CHECK_EQ(wrong_reads, 0);
    CHECK(memcmp(cpu, written, SIZE) == 0 && memcmp(dram, written, SIZE) == 0);
    cache_model_free(model);
}

static uint8_t load(size_t offset)
{
    uint8_t value = cpu[offset];

    cache_cpu_read(model, offset, 1, &written);
    return value;
}

/* A load at access 0 fills the line; the device's write comes, then access 1 finds the old byte, or not. */
static void a_fill_is_done_or_left_out(bool done)
{
    static const struct cache_act fill = {.number = 0, .line = 2, .kind = CACHE_FILLED};

    begin(CACHE_LRU);
    cache_model_follow(model, &fill, done);
    load(2 * LINE);
    device_store(2 * LINE, 9);
    CHECK_EQ(load(2 * LINE), done ? 0 : 9);
    CHECK_EQ(wrong_reads, done);
    CHECK_EQ(told, done);
    cache_model_free(model);
}

/* Also where an access hits it is the model that sees it. */
static void a_script_gives_no_shortcut(void)
{
    static const struct cache_act both[] = {
        {.number = 0, .line = 2, .kind = CACHE_FILLED},
        {.number = 1, .line = 2, .kind = CACHE_EVICTED},
    };
    struct cache_shortcut shortcut;

    begin(CACHE_LRU);
    cache_model_follow(model, both, 2);
    store(2 * LINE, 1);
    shortcut = cache_cpu_write(model, 2 * LINE, 1, &written);
    CHECK(!shortcut.readable && !shortcut.writable);
    CHECK_EQ(dram[2 * LINE], 0);
    load(2 * LINE);
    CHECK_EQ(dram[2 * LINE], 1);
    CHECK_EQ(states[2] & CACHE_LINE_VALID, 0);
    cache_model_free(model);
}

/* What a run has that went another way than that of the script. */
static void acts_that_have_nothing_to_act_on_are_nothing(void)
{
    static const struct cache_act nothing[] = {
        {.number = 0, .line = 2, .kind = CACHE_EVICTED},
        {.number = 0, .line = 2, .kind = CACHE_WRITTEN_BACK},
        {.number = 0, .line = LINES, .kind = CACHE_FILLED},
        {.number = 0, .line = 2, .kind = 99},
    };

    begin(CACHE_LRU);
    cache_model_follow(model, nothing, 4);
    load(2 * LINE);
    CHECK_EQ(told, 0);
    CHECK_EQ(states[2], 0);
    cache_model_free(model);
}

static void a_reset_begins_the_script_again(void)
{
    static const struct cache_act fill = {.number = 1, .line = 2, .kind = CACHE_FILLED};

    begin(CACHE_LRU);
    cache_model_follow(model, &fill, 1);
    for (unsigned int run = 1; run <= 2; run++) {
        load(0);
        CHECK_EQ(told, run - 1);
        load(2 * LINE);
        CHECK_EQ(told, run);
        cache_model_reset(model);
    }
    cache_model_free(model);
}

int main(void)
{
    for (unsigned int schedule = CACHE_LRU; schedule <= CACHE_EAGER; schedule++) {
        a_script_of_all_acts_is_the_same_run((enum cache_schedule)schedule);
    }
    without_acts_no_byte_is_wrong();
    a_fill_is_done_or_left_out(true);
    a_fill_is_done_or_left_out(false);
    a_script_gives_no_shortcut();
    acts_that_have_nothing_to_act_on_are_nothing();
    a_reset_begins_the_script_again();
    puts("ok cache_acts");
    return 0;
}
