/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of the one core. They give way to each other only where one waits (thread_wait) or has nothing to do
 * (the shell, between interrupts and at the end of a command: layer/idle.h). The shell's own thread is one of
 * them.
 */
#ifndef NT_THREAD_H
#define NT_THREAD_H

#include <wdm.h>

#include <stdbool.h>

struct thread_waiting {
    /* Is it over? Asked with interrupts masked, by whoever looks for a thread to run. */
    bool (*is_over)(const struct thread_waiting *waiting);
    PKTHREAD thread; /* who waits; thread_wait() sets it */
};

/* Let others run until it is over; if nobody can, sleep. Below DISPATCH_LEVEL, interrupts enabled. Returns with
 * interrupts masked, so that what was waited for can be taken; give the state to irq_restore(). */
uint64_t thread_wait(struct thread_waiting *waiting);

/* A thread of the system, which is never left behind. False: there is no memory. */
bool thread_start_of_system(PKSTART_ROUTINE routine);

#endif
