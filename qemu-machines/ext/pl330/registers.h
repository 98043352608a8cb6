/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of the PL330 as the CPU sees them: those of QEMU's model, watched on the way in and
 * corrected on the way out.
 *
 *   FTRn   the fault that silicon would have had, where the model only knows "no instruction" (pl330/fault.h);
 *   CSRn   "executing" while a channel is held; and nothing of before the reset;
 *   LCn    the latter, too, until the channel is started;
 *   CPCn   of a channel that faults, the instruction: the model's is often behind it;
 *   DBGSTATUS  never busy: the model leaves it so after an instruction that it refuses.
 */
#ifndef DMAV3_REGISTERS_H
#define DMAV3_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

enum channel_state { CHANNEL_STOPPED = 0, CHANNEL_EXECUTING = 1, CHANNEL_FAULTING = 15 }; /* and others */

/* What firmware writes to the registers does to a channel. */
struct registers_events {
    bool (*start)(uint32_t n, uint64_t address); /* DMAGO of a stopped channel, before it runs; false: not */
    void (*kill)(uint32_t n);                    /* DMAKILL, before */
    void (*faulting)(void);                      /* some channel is */
    bool (*is_held)(uint32_t n);
};

/* Returns the region to be mapped, which watches what is accessed and forwards it to `pl330`, the model's own.
 * `kick` is a request input. */
MemoryRegion *registers_initialise(MemoryRegion *pl330, qemu_irq kick, const struct registers_events *events);

/* Let the model's engine run, now. */
void registers_kick(void);

/* What the model itself has; not while its engine runs. */
uint32_t registers_of_model(hwaddr offset);
uint32_t registers_state(uint32_t n);
uint32_t registers_fault_of_model(uint32_t n);

/* Does DMASEV of this event interrupt the CPU? */
bool registers_interrupts(uint32_t event);

/* FTRn from now on, until the channel is killed. */
void registers_set_fault(uint32_t n, uint32_t type);

/* The model is about to be reset, which does not end a fault of its manager: that is done here. The
 * engine runs; who is held must still be. */
void registers_reset(void);

#endif
