/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware's own timer, in model time. The CPU's timer must not wake firmware that sleeps in a command: it
 * goes on while the gate is closed, and as nothing else runs then, the virtual clock leaps to it at once, so
 * that the CPU would work between two commands, or at the start of the next, as the host pleases.
 */
#ifndef DMAV3_ALARM_H
#define DMAV3_ALARM_H

#include <stdint.h>

#include "qemu/qemu_abi.h"

void alarm_initialise(qemu_irq irq);
void alarm_reset(void);

/* Take the interrupt down, and raise it at that model time; 0: never. */
void alarm_set(uint64_t time_ns);

/* Raise the interrupt now, if a time is set: something came that the firmware may be waiting for. */
void alarm_ring(void);

#endif
