/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the clocked PL330 share (pl330/clocked.h). Each file uses those above it only:
 *
 *   clocked_state     what there is, cycles and nanoseconds
 *   clocked_memory    the engine's accesses
 *   clocked_telling   what the engine tells: interrupts, records, findings
 *   clocked_time      when the engine runs
 *   clocked_controls  properties of its channels
 *   clocked           registers, set-up, reset
 */
#ifndef DMAV3_CLOCKED_STATE_H
#define DMAV3_CLOCKED_STATE_H

#include "engine/engine.h"
#include "model/order.h"
#include "pl330/clocked_wiring.h"
#include "time/clock.h"

#define NS_PER_SECOND 1000000000ull
enum { LOOK_CYCLES_MIN = 1000 };

struct clocked_state {
    struct engine *engine;
    struct clocked_wiring wiring;
    uint64_t ahead;   /* cycles that were executed while model time stood still */
    bool runs;        /* the engine: what it does must not bring it to now */
    bool in_callback; /* of the translator, where nothing may interrupt the CPU */
    struct model_timer wake;
    bool predicted;
    struct engine_prediction next;
    uint64_t look_cycles, visible;      /* how far a prediction looks, and at most */
    bool asks[CLOCKED_PERIPHERALS];     /* each peripheral, now, */
    bool foreseen[CLOCKED_PERIPHERALS]; /* and at the prediction */
    struct order_starts starts[CLOCKED_CHANNELS];
    uint64_t interval_ns[CLOCKED_CHANNELS];
    uint64_t failed[CLOCKED_CHANNELS]; /* the address of its last bus error, */
    uint32_t failed_bytes;             /* and how many bytes it was of */
    uint32_t debug[2];                 /* DBGINST0, DBGINST1 */
    uint32_t levels;                   /* of the outputs, a bit for each */
    uint32_t owed;                     /* ... those that are still to be driven */
    bool rings;                        /* the alarm is still to be rung */
};

extern struct clocked_state clocked;

/* The cycle that model time has reached; the first nanosecond in which a cycle has been reached. */
uint64_t clocked_cycle_of(uint64_t ns);
uint64_t clocked_ns_of(uint64_t cycle);

/* Tell the engine whether the peripheral asks (`asks`): by its level, as long as it does. */
void clocked_ask(uint32_t peripheral);

/* Records and findings are of the engine's time from here on, until it has run. */
void clocked_look_back(void);

#endif
