/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of lines against a list of all entries that is searched: which mappings have bytes in a line, the
 * newest first, and which go when a newer one takes their place.
 */
#include "check.h"
#include "evidence/line_index.h"
#include "memory/views.h"
#include "probe/probe.h"

enum { LINE = 64, LINES = 16, MAPPINGS = 4000, RAM_SIZE = LINES * LINE };
#define RAM 0x40000000ull

/* What the index needs of a mapping is its address. An older one may go when it has ended. */
struct mapping {
    bool ended;
    int entries; /* of the index */
};

static struct probe memory = {.ram_base = RAM, .ram_size = RAM_SIZE, .line_size = LINE};
struct probe *probe = &memory;

static struct mapping mappings[MAPPINGS];
static struct index_entry added[MAPPINGS]; /* in the order of their coming; `mapping` is NULL: it has gone */
static size_t count;

static bool replaces(const struct mapping *newer, const struct mapping *older)
{
    return newer != older && older->ended;
}

static void drops(struct mapping *mapping)
{
    CHECK(mapping->ended && mapping->entries > 0);
    mapping->entries--;
}

static uint32_t line_number(uint64_t physical)
{
    return physical >= RAM ? (uint32_t)((physical - RAM) / LINE)
                           : LINES + (uint32_t)((physical - LOW_RAM_BASE) / LINE);
}

static uint64_t mask(uint64_t physical, uint64_t size)
{
    uint64_t bits = 0;

    for (uint64_t at = physical; at < physical + size; at++) {
        bits |= 1ull << at % LINE;
    }
    return bits;
}

static void add(struct mapping *mapping, uint64_t physical, uint64_t size, uint32_t sides)
{
    const struct index_entry like = {.mapping = mapping, .range = (uint32_t)count, .sides = sides};
    uint32_t line = line_number(physical);
    uint64_t bytes = mask(physical, size);

    CHECK(line_index_add(&like, physical, size, replaces, drops));
    mapping->entries++;
    for (size_t i = 0; i < count; i++) {
        bool goes = added[i].mapping && added[i].line == line && added[i].sides == sides &&
                    !(added[i].bytes & ~bytes) && replaces(mapping, added[i].mapping);

        if (goes) {
            added[i].mapping = NULL;
        }
    }
    added[count] = like;
    added[count].line = line;
    added[count++].bytes = bytes;
}

static void compare(uint64_t physical)
{
    const struct index_entry *entry = line_index_first(physical);

    for (size_t i = count; i-- > 0;) {
        if (added[i].mapping && added[i].line == line_number(physical)) {
            CHECK(entry != NULL);
            CHECK(entry->mapping == added[i].mapping && entry->bytes == added[i].bytes);
            CHECK(entry->range == added[i].range && entry->sides == added[i].sides);
            entry = line_index_next(entry);
        }
    }
    CHECK(entry == NULL);
}

static void compare_all(void)
{
    for (uint64_t line = 0; line < LINES; line++) {
        compare(RAM + line * LINE + line);
        compare(LOW_RAM_BASE + line * LINE);
    }
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(mappings[i].entries, added[i].mapping ? 1 : 0);
    }
}

static void reset(void)
{
    line_index_reset();
    memset(mappings, 0, sizeof(mappings));
    count = 0;
}

static uint32_t next_random(void)
{
    static uint32_t x = 2463534242u;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

/* Ends and beginnings at random, in RAM and in low RAM; a reset forgets all of them. */
static void it_is_as_a_list(void)
{
    for (int run = 0; run < 3; run++) {
        reset();
        compare_all();
        while (count < MAPPINGS) {
            uint32_t at = next_random() % LINE, size = 1 + next_random() % (LINE - at);
            uint64_t base = next_random() % 4 ? RAM : LOW_RAM_BASE;
            uint32_t sides = next_random() % 2 ? SIDE_MEMORY : SIDE_MEMORY | SIDE_DEVICE;

            if (count) {
                mappings[next_random() % count].ended = true;
            }
            add(&mappings[count], base + next_random() % LINES * LINE + at, size, sides);
            if (count % 16 == 0) {
                compare_all();
            }
        }
        compare_all();
    }
}

/* The newer one must have all bytes, and be of the same sort; a live one never goes. */
static void an_entry_goes_when_a_newer_one_takes_its_place(void)
{
    reset();
    mappings[0].ended = mappings[1].ended = true;
    add(&mappings[0], RAM + 8, 8, SIDE_MEMORY);
    add(&mappings[1], RAM + 12, 8, SIDE_MEMORY);
    CHECK_EQ(mappings[0].entries, 1); /* four bytes are its own */
    add(&mappings[2], RAM, LINE, SIDE_DEVICE);
    CHECK_EQ(mappings[0].entries, 1); /* of another sort */
    add(&mappings[3], RAM + 8, 12, SIDE_MEMORY);
    CHECK_EQ(mappings[0].entries + mappings[1].entries, 0);
    add(&mappings[4], RAM, LINE, SIDE_MEMORY);
    CHECK_EQ(mappings[3].entries, 1); /* it lives */
    mappings[3].ended = mappings[4].ended = true;
    add(&mappings[5], RAM, LINE, SIDE_MEMORY);
    CHECK_EQ(mappings[3].entries + mappings[4].entries, 0);
    compare_all();
}

static void what_is_in_memory(void)
{
    CHECK(line_index_has(RAM, RAM_SIZE) && line_index_has(LOW_RAM_BASE, LOW_RAM_SIZE));
    CHECK(!line_index_has(RAM, 0) && !line_index_has(RAM, RAM_SIZE + 1) && !line_index_has(RAM - 1, 1));
    CHECK(!line_index_has(RAM + RAM_SIZE, 1) && !line_index_has(RAM + 1, UINT64_MAX));
    CHECK(!line_index_has(LOW_RAM_BASE - 1, 2) && !line_index_has(LOW_RAM_BASE + 1, LOW_RAM_SIZE));
    CHECK(!line_index_has(LOW_RAM_BASE, LOW_RAM_SIZE + 1));
    CHECK(!line_index_has(UINT64_MAX, 1) && !line_index_has(UINT64_MAX, UINT64_MAX));
    CHECK(line_index_first(RAM + RAM_SIZE) == NULL && line_index_first(0) == NULL);
    CHECK(line_index_bytes(RAM, LINE) == UINT64_MAX && line_index_bytes(RAM + 63, 100) == 1ull << 63);
    CHECK(line_index_bytes(RAM + 4, 2) == 0x30);
}

int main(void)
{
    line_index_reset();
    what_is_in_memory();
    an_entry_goes_when_a_newer_one_takes_its_place();
    it_is_as_a_list(); /* a reset with entries that are free is before it */
    puts("ok line_index");
    return 0;
}
