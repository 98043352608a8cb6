/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model time, the number of the command, and timers that run in model time.
 *
 * Model time is QEMU's virtual clock minus the time during which the clock was stopped. The gate stops it
 * between two commands (devices/gate.h). While it is stopped, no timer expires, and every timer keeps what
 * is left of it.
 *
 * QEMU's clock can be wrong by some instructions. When the CPU falls asleep, the main loop sets the
 * clock forward to the next timer; if that is before the CPU's thread has counted its last instructions,
 * these are added afterwards. So a model timer expires as of its deadline, and what the clock is late by
 * then is taken out of model time. (Virtual timers expire on the CPU's thread, between instructions, and
 * the only other reason for a late one is a step of gdb.)
 *
 * The caller holds QEMU's big lock, except for clock_time(), clock_command(), clock_runs() and the two
 * functions for callbacks, which any thread may call.
 */
#ifndef DMAV3_CLOCK_H
#define DMAV3_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* Nanoseconds of model time since the reset. */
uint64_t clock_time(void);

/* The number of the command that runs or ran last: 0 until the first, then 1, 2 and so on. */
uint32_t clock_command(void);

/* False between clock_stop() and clock_start(). */
bool clock_runs(void);

/* In the callbacks of QEMU's translator its clock cannot be read: between these two calls clock_time()
 * gives this thread what was read last. */
void clock_enter_callback(void);
void clock_leave_callback(void);

/* In such a callback, with the big lock: read it all the same. The block of instructions that is being executed
 * counts as a whole, so this is up to a block too late. */
void clock_read_in_callback(void);

/* A new run begins: the clock runs, model time and command are 0, and every timer is disarmed. */
void clock_reset(void);

void clock_stop(void);

/* Let time go on, in a new command. A timer that is armed from now on runs; those that were armed before
 * run after clock_start_timers(), in an order that does not depend on when they were armed. */
void clock_start(uint32_t command);
void clock_start_timers(void);

/* What a device does that runs behind the CPU was at `ns`, which is not after now: from here to
 * clock_look_ahead() clock_time() gives that. */
void clock_look_back(uint64_t ns);
void clock_look_ahead(void);

struct model_timer {
    QemuTimer timer;
    void (*expired)(void *opaque);
    void *opaque;
    uint64_t deadline_ns; /* model time */
    bool armed;
    struct model_timer *next;
};

/* The timer must live for ever. `expired` is called with the big lock held, and the timer disarmed. */
void model_timer_initialise(struct model_timer *, void (*expired)(void *), void *opaque);
void model_timer_arm(struct model_timer *, uint64_t deadline_ns);
void model_timer_disarm(struct model_timer *);

#endif
