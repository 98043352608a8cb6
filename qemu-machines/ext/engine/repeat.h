/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds of a loop that are alike are not executed instruction by instruction.
 *
 * Theory of operation. The engine is a function of its state. Where a single channel comes back to the top of a
 * counted loop, and nothing but addresses, positions, the counter and the time differs from the last time, each
 * by its stride, the next round does what the last one did, so many bytes further and so many cycles later.
 * What the last one did outside is known: the accesses that were carried out, in their cycles (rounds_note()).
 * So they are carried out again, shifted, for as many rounds as the counter, the time that is to be reached and
 * the peripheral's requests allow, and then the state is moved by as many strides.
 *
 * That is not done where it could be told apart: where somebody listens to instructions (engine_ops.listens), a
 * channel is held or paused, an access is not known to be data, or the channel stores to what it loads.
 */
#ifndef DMAV3_ENGINE_REPEAT_H
#define DMAV3_ENGINE_REPEAT_H

#include "engine/state.h"

/* The thread jumps back to the top of a counted loop: its PC is there already. */
void repeat_at_top(struct engine *engine, struct thread *thread, uint32_t counter);

#endif
