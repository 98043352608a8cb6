/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts of the one core: the mask in PSTATE.I and one handler a line of the GIC.
 *
 * A handler runs with interrupts masked, in the context of whatever it interrupted, and must not
 * wait. What has to run later, with interrupts enabled, is done by the hook given to
 * irq_set_exit_hook(), called after the handlers, still masked, before the return.
 */
#ifndef HAL_IRQ_H
#define HAL_IRQ_H

#include <stdbool.h>
#include <stdint.h>

/* Mask interrupts; returns the former state for irq_restore(). Calls nest. */
uint64_t irq_save(void);
void irq_restore(uint64_t state);

/* Was the interrupt mask set in that state? Is an interrupt waiting behind the mask now? */
bool irq_is_masked(uint64_t state);
bool irq_is_pending(void);

/* Unmask; used by code that runs inside the exit hook. */
void irq_enable(void);

/* Once, before anything is connected; interrupts are masked. */
void irq_initialize(void);

/* Route shared peripheral interrupt `spi` (GIC INTID spi + 32, level) to `handler`, enabled. */
void irq_connect(unsigned int spi, void (*handler)(void *context), void *context);

/* The same for a clock, which is not counted below. */
void irq_connect_clock(unsigned int spi, void (*handler)(void *context), void *context);

/* The same for a message: an edge. */
void irq_connect_message(unsigned int spi, void (*handler)(void *context), void *context);

/* Stop a connected line, and let it go on: what has come meanwhile, or a level that still stands, comes then.
 */
void irq_disable(unsigned int spi);
void irq_reenable(unsigned int spi);

/* Interrupts taken so far, modulo 2^32. */
uint32_t irq_count(void);

void irq_set_exit_hook(void (*hook)(void));

#endif
