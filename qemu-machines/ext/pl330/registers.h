/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of the PL330 as the CPU sees them: those of QEMU's model, watched on the way in and
 * corrected on the way out.
 *
 *   FTRn   gives the fault that silicon would have had, where the model only knows "no instruction"
 *          (pl330/fault.h)
 *   CSRn   says "executing" while a channel is held, and does not show what is left from before the reset
 *   LCn    reads as 0 from the reset until the channel is started
 *   CPCn   gives the instruction at which a channel faults: the model's register is often behind it
 *   DBGSTATUS  is never busy: the model leaves it so after an instruction that it refuses
 */
#ifndef DMAV3_REGISTERS_H
#define DMAV3_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/qemu_abi.h"

/* The states that matter here, as CSRn has them. */
enum channel_state { CHANNEL_STOPPED = 0, CHANNEL_EXECUTING = 1, CHANNEL_FAULTING = 15 };

struct registers_events {
    /* DMAGO of a stopped channel is about to be carried out; false: it must not be. */
    bool (*start)(uint32_t n, uint64_t address);
    /* DMAKILL of a channel is about to be carried out. */
    void (*kill)(uint32_t n);
    /* The model shows that some channel is faulting. */
    void (*faulting)(void);
    /* Is the channel held? */
    bool (*is_held)(uint32_t n);
};

/* Returns the region to be mapped, which watches what is accessed and forwards it to `pl330`, the model's own.
 * `kick` is a request input. */
MemoryRegion *registers_initialise(MemoryRegion *pl330, qemu_irq kick, const struct registers_events *events);

/* Let the model's engine run, now. */
void registers_kick(void);

/* The model's own registers, by offset; the state of channel n, and its FTRn. The model's engine must not be
 * running. */
uint32_t registers_of_model(hwaddr offset);
uint32_t registers_state(uint32_t n);
uint32_t registers_fault_of_model(uint32_t n);

/* Does DMASEV of this event interrupt the CPU? */
bool registers_interrupts(uint32_t event);

/* Show `type` as FTRn from now on, until the channel is killed. */
void registers_set_fault(uint32_t n, uint32_t type);

/* The model is about to be reset, which does not end a fault of its manager: end it here. The engine runs
 * meanwhile, so channels that are held must still be so. */
void registers_reset(void);

#endif
