/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt mask on this computer: hal/irq_mask.h for every program that runs firmware here. The
 * program brings its own interrupt controller, as two functions.
 */
#ifndef FAKE_IRQ_H
#define FAKE_IRQ_H

#include <stdbool.h>

/* Set the mask, as a reset would; it is set when the program starts. Nothing is taken. */
void fake_irq_set_masked(bool masked);

/* Take the interrupts that are pending, one after the other, unless they are masked. The controller calls it
 * when an interrupt comes. */
void fake_irq_take(void);

/* ---- the controller, defined by the program ---- */

bool fake_irq_is_pending(void);

/* Handle one interrupt that is pending; interrupts are masked. */
void fake_irq_handle(void);

#endif
