/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events, interrupts and the requests of peripherals. */
#ifndef DMAV3_ENGINE_SIGNALS_H
#define DMAV3_ENGINE_SIGNALS_H

#include "engine/state.h"

/* Drive the outputs as the state says: irq[n] is pending and enabled, irq_abort that a thread faults. */
void signals_drive(struct engine *engine);

/* DMASEV: an interrupt, or an event, which releases every thread that waits for it, or stays pending. */
void signals_send(struct engine *engine, uint32_t event);

/* DMAWFE: take the event. False: it is not pending. */
bool signals_take(struct engine *engine, uint32_t event);

/* DMAWFP: what the thread goes on with if it waits for `wait` now; ENGINE_REQUEST_NONE: it goes on waiting. */
enum engine_request signals_accept(struct engine *engine, uint32_t peripheral, enum instruction_wait wait);

/* Answer a peripheral: its request is over. */
void signals_answer(struct engine *engine, uint32_t peripheral, enum engine_answer answer);

#endif
