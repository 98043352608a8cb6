/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of the PL330's channels, and where trust in QEMU's model of it ends.
 *
 * Bus errors. The model ignores them, so they are found before or behind it and shown through it: the
 * channel is served a byte that is no instruction, which makes the model fault it (state, FSRC,
 * irq_abort), and FTRn reads as the fault that silicon would have had, until the channel is killed. A
 * load that would be answered by an error is not executed, the channel faults there. After a store, or
 * a load that a device refused, it faults at the next point where all that it has loaded is stored, so
 * that the model survives; at the latest where it ends or waits. Each is a finding as well, unless it was asked
 * for (fault-base).
 *
 * Poison. QEMU's model does not recover from a channel that is killed, or faults, with bytes in the FIFO
 * or in a queue: half of the bytes stay for others to store, and the channel's sequence numbers are
 * wrong from then on, over every reset. Such a process is marked (probe->spoiled): no reset makes it as
 * good as new.
 *
 * Limits. Where the model would now do what no silicon does, nothing that follows were worth anything:
 * that is recorded (PROBE_LIMIT), the machine is stopped and its command line closed, for good.
 *
 *   LIMIT_BUS_ERROR  a bus error that may have been any of several channels': a finding as well;
 *   LIMIT_POISONED   a channel is started, or runs, while the model is poisoned;
 *   LIMIT_BLOCKED    a channel locked up because another one, which waits, has bytes in the FIFO.
 */
#ifndef DMAV3_FAULT_H
#define DMAV3_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/pl330_thread.h"

/* Bits of FTRn. */
enum {
    FAULT_FETCH = 1u << 16,
    FAULT_WRITE = 1u << 17,
    FAULT_READ = 1u << 18,
};
#define FAULT_LOCKUP (1u << 31)

void fault_initialise(void);
void fault_reset(void); /* the model is about to be reset */

/* Channel n fetches `opcode`, which would make `access`. Returns the fault that the channel has now, or 0. */
uint32_t fault_due(uint32_t n, uint8_t opcode, const struct pl330_access *access);

/* Channel n will execute `opcode`. */
void fault_foresee(uint32_t n, uint8_t opcode, const struct pl330_access *access);

/* Channel n faults, with `type` as FTRn, before it executes anything more. */
void fault_show(uint32_t n, uint32_t type);

/* The model's engine must stand still for the functions that follow. */

/* Channel n is about to be started. Returns false if a limit has been reached and it must not be. */
bool fault_may_start(uint32_t n);

/* Channel n is about to be killed. */
void fault_before_kill(uint32_t n);

/* The model shows that some channel is faulting. */
void fault_seen(void);

#endif
