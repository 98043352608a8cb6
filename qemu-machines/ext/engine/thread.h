/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How threads begin and end. */
#ifndef DMAV3_ENGINE_THREAD_H
#define DMAV3_ENGINE_THREAD_H

#include "engine/state.h"

/* DMAGO: nothing happens unless the thread is stopped. */
void thread_start(struct engine *engine, struct thread *thread, uint32_t pc, bool nonsecure);

/* DMAEND, of a thread with nothing on its way. */
void thread_end(struct engine *engine, struct thread *thread);

/* The thread faults: `fault` are bits of FTRD or FTRn. What it has on its way is carried out first. */
void thread_fault(struct engine *engine, struct thread *thread, uint32_t fault);

/* DMAKILL. What has had no turn on the bus is dropped, the rest is carried out first. */
void thread_kill(struct engine *engine, struct thread *thread);

/* Something was carried out: show the errors of the bus, end what was waiting for its accesses, and let every
 * thread that has stalled try again. */
void thread_settle(struct engine *engine);

/* The channel gives the load-lock up, if it has it. */
void thread_unlock(struct engine *engine, const struct thread *thread);

#endif
