/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts of the one core: one handler for each line of the GIC.
 *
 * A handler runs with interrupts masked, in the context of the code that it interrupted, and must not
 * wait. What has to run later, with interrupts enabled, is done by the hook given to
 * irq_set_exit_hook(), called after the handlers, still masked, before the return. A line that keeps the core
 * from returning, because nothing takes away the device's reason for it, is a fault after 10,000 interrupts.
 */
#ifndef HAL_IRQ_H
#define HAL_IRQ_H

#include <stdint.h>

struct exception_frame;

/* Initialise the GIC. Call it once, before anything is connected; interrupts are masked. */
void irq_initialize(void);

/* Route shared peripheral interrupt `spi` (GIC INTID spi + 32, level) to `handler`, enabled. */
void irq_connect(unsigned int spi, void (*handler)(void *context), void *context);

/* Connect a clock: like irq_connect(), but irq_count() does not count its interrupts. */
void irq_connect_clock(unsigned int spi, void (*handler)(void *context), void *context);

/* Connect a message: like irq_connect(), but the interrupt is an edge. */
void irq_connect_message(unsigned int spi, void (*handler)(void *context), void *context);

/* Stop a connected line, and let it go on. What has come meanwhile, or a level that still stands, comes then.
 */
void irq_disable(unsigned int spi);
void irq_reenable(unsigned int spi);

/* Name what serves the interrupts of a connected line, if that is not the handler itself, for the report of a
 * line that comes again and again. */
void irq_name_routine(unsigned int spi, const void *routine);

/* Interrupts taken so far, modulo 2^32. */
uint32_t irq_count(void);

void irq_set_exit_hook(void (*hook)(void));

/* Handle every interrupt that is pending. For the vectors; interrupts are masked. */
void irq_dispatch(uint64_t kind, struct exception_frame *frame);

#endif
