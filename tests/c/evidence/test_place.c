/* SPDX-License-Identifier: Apache-2.0 */
/* Program counters in 32 bits: which come back, and what happens when there are no numbers any more. */
#include "check.h"
#include "evidence/place.h"

enum { PAGES = (1 << 22) - 1 };

static const uint64_t places[] = {
    0x4,
    0x40100ffc,
    0x40101000,
    0x0000fffff7fe1238, /* the highest bit of a user's address does not repeat */
    0x000ffffff7fe1238, /* the same with 52 bits */
    0xffff800008123454,
    0xffffffff40100ffc,
};
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static void program_counters_come_back(void)
{
    uint32_t place[PLACES];

    for (size_t i = 0; i < PLACES; i++) {
        place[i] = place_of(places[i]);
        CHECK(place[i] != 0 && place[i] == place_of(places[i]));
    }
    for (size_t i = 0; i < PLACES; i++) {
        CHECK(place_pc(place[i]) == places[i]);
        for (size_t other = 0; other < i; other++) {
            CHECK(place[i] != place[other]);
        }
    }
    CHECK(place_pc(0) == 0);
}

/* The second walk over the same pages must find every one again. */
static void pages_run_out(void)
{
    const uint64_t base = 0xffffa00000000000;

    for (int walk = 0; walk < 2; walk++) {
        for (uint64_t i = 0; i < PAGES - PLACES; i++) {
            uint64_t pc = base + (i << 12) + (i & 1023) * 4;

            if (place_pc(place_of(pc)) != pc) {
                FAIL("another program counter came back");
            }
        }
    }
    CHECK(place_of(base + ((uint64_t)PAGES << 13)) == 0);
    CHECK(place_pc(place_of(places[5])) == places[5]);
}

int main(void)
{
    program_counters_come_back();
    pages_run_out();
    puts("ok place");
    return 0;
}
