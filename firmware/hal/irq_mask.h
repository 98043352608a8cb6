/* SPDX-License-Identifier: Apache-2.0 */
/* The interrupt mask of the one core, PSTATE.I. */
#ifndef HAL_IRQ_MASK_H
#define HAL_IRQ_MASK_H

#include <stdbool.h>
#include <stdint.h>

/* Mask interrupts; returns the former state for irq_restore(). Calls nest. */
uint64_t irq_save(void);
void irq_restore(uint64_t state);

/* Was the mask set in that state? Is an interrupt waiting behind the mask now? */
bool irq_is_masked(uint64_t state);
bool irq_is_pending(void);

/* Unmask; used by code that runs inside the exit hook (irq.h). */
void irq_enable(void);

#endif
