/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of the PL330 as the CPU sees them: those of QEMU's model, watched on the way in and
 * corrected on the way out.
 *
 *   FTRn   the fault that silicon would have had, where the model only knows "no instruction" (fault.h);
 *   CSRn   "executing" while a channel is held; and nothing of before the reset;
 *   LCn    the latter, too, until the channel is started;
 *   CPCn   of a channel that faults, the instruction: the model's is often behind it;
 *   DBGSTATUS  never busy: the model leaves it so after an instruction that it refuses.
 */
#ifndef DMAV3_OVERLAY_H
#define DMAV3_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu_abi.h"

enum overlay_state { OVERLAY_STOPPED = 0, OVERLAY_EXECUTING = 1, OVERLAY_FAULTING = 15 }; /* and others */

/* Registers: forwards to `pl330`, its own region, and watches. `kick` is a request input. */
struct overlay_events {
    bool (*start)(uint32_t n, uint64_t address); /* DMAGO of a stopped channel, before it runs; false: not */
    void (*kill)(uint32_t n);                    /* DMAKILL, before */
    void (*faulting)(void);                      /* some channel is */
    bool (*is_held)(uint32_t n);
};
MemoryRegion *overlay_registers(MemoryRegion *pl330, qemu_irq kick, const struct overlay_events *events);

/* Let the model's engine run, now. */
void overlay_kick(void);

/* What the model itself has; not while its engine runs. */
uint32_t overlay_model_register(hwaddr offset);
uint32_t overlay_state(uint32_t n);
uint32_t overlay_fault_of_model(uint32_t n);

/* Does DMASEV of this event interrupt the CPU? */
bool overlay_interrupts(uint32_t event);

/* FTRn from now on, until the channel is killed. */
void overlay_set_fault(uint32_t n, uint32_t type);

/* The model is about to be reset, which does not end a fault of its manager: that is done here. The
 * engine runs; who is held must still be. */
void overlay_reset(void);

#endif
