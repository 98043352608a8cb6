/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gate: model time passes only while a command runs.
 *
 * The firmware's shell closes the gate when it is ready for a line (gate_ready), and the next whole line
 * opens it. While it is not open, the clock is stopped (time/clock.h).
 *
 *   open ──ready──▶ closing ──2 µs of virtual time──▶ closed ──the CPU looks, and a line waits──▶ open
 *
 * The moment at which a line is taken is independent of when the host delivered it. The stretch of `closing`
 * lets the CPU fall asleep, and virtual time stands still until the line comes and wakes it. It may be kept
 * awake: by an interrupt that it has masked, say. So the gate opens when it looks for a line, not when one
 * comes; and that at one place of its loop, behind `ready`, unless it does not say that again.
 *
 * The caller holds QEMU's big lock.
 */
#ifndef DMAV3_GATE_H
#define DMAV3_GATE_H

#include <stdbool.h>

/* The device that receives the lines. */
struct gate_lines {
    bool (*wait)(void); /* is there one? */
    void (*ring)(void); /* wake the CPU, which will look */
    void (*take)(void);
};

/* lines: NULL in a machine without a command UART; then the gate never closes. */
void gate_initialise(const struct gate_lines *lines);

/* A device is there that counts milliseconds of QEMU's clock: from now on the clock is in step with model time
 * whenever the gate opens, not only at the first line. */
void gate_keep_in_step(void);

/* A new run begins: the gate is open, model time and command are 0. */
void gate_reset(void);

/* The firmware is ready for the next line. */
void gate_ready(void);

/* A line arrived, or may be waiting. */
void gate_line_arrived(void);

/* The CPU looks whether a line is there: it is about to read a register of that device. */
void gate_looked(void);

#endif
