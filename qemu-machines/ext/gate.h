/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate, and model time.
 *
 * The firmware's shell closes the gate when it is ready for a line (gate_ready) and the next whole
 * line opens it. Model time is QEMU's virtual clock minus the time during which the gate was closed:
 * while it is closed, model timers are disarmed and keep what is left of them.
 *
 *   open ──ready──▶ closing ──2 µs of virtual time──▶ closed ──a line waits──▶ open (next command)
 *
 * The stretch of `closing` makes the moment at which a line is taken independent of when the host
 * delivered it: the CPU is asleep by then, and virtual time stands still until the line comes.
 *
 * QEMU's clock can be wrong by some instructions. When the CPU falls asleep, the main loop sets the
 * clock forward to the next timer; if that is before the CPU's thread has counted its last instructions,
 * these are added afterwards. So a model timer expires as of its deadline, and what the clock is late by
 * then is taken out of model time. (Virtual timers expire on the CPU's thread, between instructions, and
 * never late for another reason but gdb's steps.)
 *
 * All functions are called with QEMU's big lock held, but for the three readers.
 */
#ifndef DMAV3_GATE_H
#define DMAV3_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu_abi.h"

/* Who has the lines. Either may be NULL in a machine without a command UART. */
void gate_initialise(bool (*line_waits)(void), void (*take_line)(void));

/* A new run: open, model time 0, command 0. */
void gate_reset(void);

/* The firmware is ready for the next line. */
void gate_ready(void);

/* A line arrived, or may be waiting. */
void gate_line_arrived(void);

/* Readers: nanoseconds of model time since reset; the number of the command that runs or ran last;
 * is the gate open? */
uint64_t gate_time(void);

/* In the callbacks of the translator QEMU's clock cannot be read: between these two calls this
 * thread's gate_time() is what it was when it was last read. */
void gate_enter_callback(void);
void gate_leave_callback(void);

uint32_t gate_command(void);
bool gate_is_open(void);

struct model_timer {
    QemuTimer timer;
    void (*expired)(void *opaque);
    void *opaque;
    uint64_t deadline_ns; /* model time */
    bool armed;
    struct model_timer *next;
};

/* The timer must live for ever. `expired` is called with the big lock held, disarmed. */
void model_timer_initialise(struct model_timer *, void (*expired)(void *), void *opaque);
void model_timer_arm(struct model_timer *, uint64_t deadline_ns);
void model_timer_disarm(struct model_timer *);

#endif
