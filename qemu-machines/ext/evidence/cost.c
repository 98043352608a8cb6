/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence/cost.h"

#include <string.h>

#include "probe/probe.h"

enum { SLOTS = 2 * PROBE_COSTS, LAST = PROBE_COSTS - 1 };
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "a power of two");

static uint16_t slots[SLOTS]; /* hashed: index in the table, plus 1; 0: empty */

void cost_reset(void)
{
    memset(slots, 0, sizeof(slots));
}

static struct probe_cost *cost_of(uint64_t pc, uint32_t routine)
{
    uint64_t slot = (pc ^ (uint64_t)routine << 48) * 0x9e3779b97f4a7c15ull >> 32;

    while (slots[slot % SLOTS]) {
        struct probe_cost *cost = &probe->cost[slots[slot % SLOTS] - 1];

        if (cost->pc == pc && cost->routine == routine) {
            return cost;
        }
        slot++;
    }
    if (probe->costs >= LAST) {
        probe->costs = PROBE_COSTS;
        return &probe->cost[LAST];
    }
    slots[slot % SLOTS] = (uint16_t)(probe->costs + 1);
    probe->cost[probe->costs] = (struct probe_cost){.pc = pc, .routine = routine};
    return &probe->cost[probe->costs++];
}

void cost_count(uint64_t pc, uint32_t routine, bool redundant)
{
    struct probe_cost *cost = cost_of(pc, routine);

    cost->operations++;
    cost->redundant += redundant;
}
