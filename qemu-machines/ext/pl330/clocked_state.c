/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pl330/clocked_state.h"

struct clocked_state clocked;

uint64_t clocked_cycle_of(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * clocked.wiring.clock_hz / NS_PER_SECOND) + clocked.ahead;
}

uint64_t clocked_ns_of(uint64_t cycle)
{
    unsigned __int128 cycles = cycle > clocked.ahead ? cycle - clocked.ahead : 0;

    if (clocked.cycle_ns) {
        return (uint64_t)cycles * clocked.cycle_ns;
    }
    return (uint64_t)((cycles * NS_PER_SECOND + clocked.wiring.clock_hz - 1) / clocked.wiring.clock_hz);
}

void clocked_ask(uint32_t peripheral)
{
    engine_request(clocked.engine, peripheral,
                   clocked.asks[peripheral] ? ENGINE_REQUEST_BURST : ENGINE_REQUEST_NONE, false);
}

void clocked_look_back(void)
{
    clock_look_back(clocked_ns_of(engine_now(clocked.engine)));
}
