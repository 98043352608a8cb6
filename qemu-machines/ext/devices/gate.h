/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: model time passes only while a command runs.
 *
 * The firmware's shell closes the gate when it is ready for a line (gate_ready), and the next whole line
 * opens it. While it is not open, the clock is stopped (time/clock.h).
 *
 *   open ──ready──▶ closing ──2 µs of virtual time──▶ closed ──a line waits──▶ open (next command)
 *
 * The stretch of `closing` makes the moment at which a line is taken independent of when the host
 * delivered it: the CPU is asleep by then, and virtual time stands still until the line comes.
 *
 * The caller holds QEMU's big lock.
 */
#ifndef DMAV3_GATE_H
#define DMAV3_GATE_H

#include <stdbool.h>

/* The two functions are those of the device that receives the lines. In a machine without a command UART
 * both are NULL, and the gate never closes. */
void gate_initialise(bool (*line_waits)(void), void (*take_line)(void));

/* A new run begins: the gate is open, model time and command are 0. */
void gate_reset(void);

/* The firmware is ready for the next line. */
void gate_ready(void);

/* A line arrived, or may be waiting. */
void gate_line_arrived(void);

#endif
